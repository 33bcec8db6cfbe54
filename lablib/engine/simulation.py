"""A run in progress: the one record of its state, moved on by the kernels, command by command and tape by tape."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from lablib.commands import Command, listed, plain
from lablib.config import SimConfig
from lablib.engine.checkpoint import Checkpoint
from lablib.engine.inputs import Market, Strategy, as_config, fitted
from lablib.engine.rows import Rows
from lablib.engine.schedule import Schedule
from lablib.engine.supply import Supply, drawn_by
from lablib.errors import ConfigError
from lablib.frame import Frame, FrameReader
from lablib.kernels import step
from lablib.kernels import tables as t
from lablib.own_strategy import NO_STRATEGY, prepare
from lablib.parties import flow_counts, parties
from lablib.queues import waiting
from lablib.tape.noise import check_seed, delay_key
from lablib.tape.synthetic import SyntheticTape


class Simulation:
    """A run in progress: state, tape and noise, moved on by `advance`.

    Parameters
    ----------
    config
        A `SimConfig`, a preset's name, a partial dict, or None for the defaults.
    seed
        A whole number in [0, 2**64).
    market
        A recorded market; without one the tape is synthetic.
    commands
        Recorded commands to play at their times; see `command`.
    strategy
        Your own: one function of (seen, mine), see `lablib.own_strategy`; without one the config's.
    without_latency
        Hold every wire of our own at zero whatever the config says, live changes included: the twin
        that shows what latency costs.
    hash_tape
        Keep a running hash of the market events consumed, for `tape_digest`.
    tape
        That of another simulation with the same seed, to share what it draws.

    Raises
    ------
    ConfigError
        A config, seed or command that cannot be simulated.
    """

    def __init__(
        self,
        config: SimConfig | Mapping[str, Any] | str | None = None,
        *,
        seed: int = 0,
        market: Market | None = None,
        commands: Iterable[Command] = (),
        strategy: Strategy | None = None,
        without_latency: bool = False,
        hash_tape: bool = False,
        tape: SyntheticTape | None = None,
    ) -> None:
        self.seed = check_seed(seed)
        commands = listed(commands)
        self._opening = {
            "config": config,
            "seed": seed,
            "market": market,
            "commands": commands,
            "strategy": strategy,
        }
        self.market = market
        self.strategy = NO_STRATEGY if strategy is None else prepare(strategy)
        first_config = fitted(as_config(config), market, strategy)
        self._schedule = Schedule(first_config, commands, without_latency=without_latency)
        self._states = np.zeros(1, t.STATE)
        self._state: Any = self._states[0]
        self._rules = np.zeros(1, t.PARAMS)
        self._params: Any = self._rules[0]
        self._outputs = np.zeros(1, t.OUTPUT)
        self._output: Any = self._outputs[0]
        self._reader = FrameReader(self._states)
        self._rows = Rows(self._outputs)
        synthetic = SyntheticTape(self.seed) if tape is None else tape
        self._supply = Supply(market, synthetic, self._outputs, hashed=hash_tape)
        self._failure: ConfigError | None = None
        self._tune()
        step.start(self._state, self._params, self._output)

    # ------------------------------------------------------------------------------------ reading
    @property
    def now_ns(self) -> int:
        """Simulated time, ns."""
        return int(self._state.now_ns)

    @property
    def state(self) -> Any:
        """A copy of the whole state, a `tables.STATE` record."""
        return self._state.copy()

    def view(self, field: str) -> np.ndarray:
        """A read-only view of a field of the state, such as "venue.flow.bought", that follows the run.

        Its shape has a 1 before the field's own. Where many moments are looked at, a view costs a
        hundredth of a frame.

        Raises
        ------
        ConfigError
            The state has no such field.
        """
        view = self._states
        for name in field.split("."):
            if name not in (view.dtype.names or ()):
                raise ConfigError(f"view: the state has no field {field!r}")
            view = view[name]
        view = view.view()
        view.flags.writeable = False
        return view

    @property
    def config(self) -> SimConfig:
        """The config in force."""
        return self._schedule.config

    @property
    def first_config(self) -> SimConfig:
        """The config the run began with."""
        return self._schedule.first

    @property
    def commands(self) -> list[Command]:
        """Commands in effect, in their order."""
        return self._schedule.done

    @property
    def coming(self) -> tuple[Command, ...]:
        """Commands whose time has not come."""
        return self._schedule.coming

    @property
    def finished(self) -> bool:
        """Whether a recorded market has run out."""
        return self.market is not None and self.now_ns >= self.market.duration_ns

    def frame(self) -> Frame:
        """The present moment, with the rows written since the last call."""
        return self._reader.read(self._rows.fresh())

    def market_report(self) -> dict[str, Any] | None:
        """What a recording has to say, or the order flow (`lablib.parties.flow_counts`); else None."""
        if self.market is not None:
            return getattr(self.market, "report", None)
        flow = self._params.venue.model == t.FLOW
        return flow_counts(self._state) if flow else None

    def parties(self) -> np.ndarray:
        """What makers, rivals and the crowd have traded so far, a row each; see `lablib.parties`."""
        return parties(self._state, self._params)

    def waiting(self) -> np.ndarray:
        """Our orders that rest at the venue, and what stands before each; see `lablib.queues`."""
        return waiting(self._state, self._params)

    # ------------------------------------------------------------------------------- running again
    def digest(self) -> str:
        """SHA-256 over seed, config, commands, final state and the rolling hash of every table."""
        whole = hashlib.sha256()
        commands = [asdict(command) for command in self.commands]
        market = self.market.sha256 if self.market else ""
        config = self.first_config.model_dump(mode="json")
        opening = [self.seed, config, market, commands, self.strategy.source_sha256]
        whole.update(json.dumps(opening, sort_keys=True).encode())
        whole.update(self._state.tobytes())
        whole.update(self._rows.digest())
        return whole.hexdigest()

    def tape_digest(self) -> str:
        """SHA-256 of the market events consumed so far; needs `hash_tape=True`."""
        return self._supply.digest()

    def checkpoint(self, *, last: bool = False) -> Checkpoint:
        """The present moment, for `go_on_from`; the `last` of a simulation takes its state along."""
        self._rows.drain()
        states = self._states if last else self._states.copy()
        return Checkpoint(states, len(self.commands), dict(self._rows.counts))

    def go_on_from(self, checkpoint: Checkpoint, rows: Mapping[str, np.ndarray]) -> None:
        """Stand where a checkpoint of the same run was taken, in place of the start.

        Parameters
        ----------
        checkpoint
            Of a run with the same config, seed, market and strategy, whose commands were given to this one.
        rows
            Every table up to the checkpoint, since a digest is over all of them.

        Raises
        ------
        ConfigError
            Where commands or rows are not those the checkpoint counts.
        """
        self._schedule.go_on_after(checkpoint.applied)
        self._rows.go_on_after(rows, checkpoint.rows)
        self._states[:] = checkpoint.state
        self._tune()
        if self.market is not None:
            self._supply.skip(int(self._state.tape_events))

    def twin(self) -> Simulation:
        """Begin the same run with every wire of our own at zero, on the same tape, to play beside this one.

        With no latency of our own it ends in the same bytes. Pass it every command this one is given.
        """
        opening: Any = self._opening
        return Simulation(**opening, without_latency=True, tape=self._supply.synthetic)

    # ------------------------------------------------------------------------------------- moving
    def advance(self, t_ns: int) -> Frame:
        """Play everything with a time up to and including `t_ns`; returns the frame there.

        Raises
        ------
        ConfigError
            An own strategy raised: what and when. The run stands there, and does not go on.
        """
        self.play(t_ns)
        return self.frame()

    def play(self, t_ns: int) -> None:
        """As `advance`, without making a frame."""
        while (command := self._schedule.due(t_ns)) is not None:
            self._play(max(command.t_ns, self.now_ns), t.LEARN)
            self._apply(command)
        if t_ns >= self.now_ns:
            self._play(t_ns, t.SEND)

    def command(self, kind: str, field: str = "", value: Any = None) -> Command:
        """Act on the running market, now; recorded with its simulated time.

        The present instant is over, so the command acts 1 ns later, before any decision there.

        Raises
        ------
        ConfigError
            An unknown kind or field, a value out of range, or a field that cannot change live.
        """
        command = Command(self.now_ns + 1, kind, field, plain(value))
        self._schedule.check(command)
        self._play(command.t_ns, t.LEARN)
        self._apply(command)
        return command

    # ------------------------------------------------------------------------------------ machine
    def _apply(self, command: Command) -> None:
        self._schedule.put_in_effect(command)
        if command.kind == "halt":
            self._rows.drain()  # room for its row, however many commands fall between two events
            step.command_halt(self._state, self._params, self._output, t.MANUAL)
        elif command.kind == "release":
            step.command_release(self._state)
        else:
            before = drawn_by(self._params)
            self._tune()
            step.retune(self._state, self._params)
            if self.market is None and drawn_by(self._params) != before:
                self._turn_tape()  # what was drawn ahead knew the old settings

    def _tune(self) -> None:
        """Hand the config in force to the kernels, and to those who read what they make."""
        self._rules[0] = self.config.to_record()
        self._params.key_low, self._params.key_high = delay_key(self.seed)
        self._reader.tune(self._params)

    def _turn_tape(self) -> None:
        self._supply.turn(self._params, self._state)

    def _play(self, until_ns: int, last_source: int) -> None:
        while True:
            if self._failure is not None:
                raise self._failure
            code = step.advance(
                self._states,
                self._rules,
                self._supply.events,
                self._outputs,
                until_ns,
                last_source,
                self.strategy.compiled,
            )
            if code == t.REACHED:
                return
            if code == t.STRATEGY_RAISED:
                self._failure = self.strategy.failure(self._state, self._output)
            elif code == t.NEED_TAPE:
                self._turn_tape()
            else:
                self._rows.drain()
