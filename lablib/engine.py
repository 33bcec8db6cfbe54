"""simulate(): tape + config + kernels -> frames. Owns a run's state; knows no screen and no clock.

A run is a pure function of (config, seed, market, commands): however it is cut into frames, the same
four give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np

from lablib.commands import Command, configured, plain
from lablib.config import SimConfig
from lablib.errors import ConfigError
from lablib.frame import Frame, FrameReader
from lablib.kernels import step
from lablib.kernels import tables as t
from lablib.own_strategy import NO_STRATEGY, prepare
from lablib.parties import parties
from lablib.tape.noise import check_seed, delay_key
from lablib.tape.synthetic import SyntheticTape
from lablib.units import parse_duration

TABLES = {
    "samples": t.SAMPLE,
    "orders": t.ORDER,
    "fills": t.FILL,
    "risk_events": t.RISK_EVENT,
}
NO_EVENTS = np.zeros(0, t.TAPE_EVENT)


class Market(Protocol):
    """A recorded market, as `lablib.tape.recorded.Market` is."""

    @property
    def tick_size(self) -> float:
        """Currency of one tick of the venue."""

    @property
    def lot_size(self) -> float:
        """Units of the asset in one lot."""

    @property
    def start_px(self) -> float:
        """External price at time 0 (currency)."""

    @property
    def events(self) -> np.ndarray:
        """`tables.TAPE_EVENT` rows, sorted, the last of kind END at time FAR."""

    @property
    def duration_ns(self) -> int:
        """Time of the last real event."""

    @property
    def sha256(self) -> str:
        """Names the events in a digest."""


Strategy = Callable[[Any, Any], int]


@dataclass(frozen=True)
class Checkpoint:
    """Where a run stands. With what began it and the rows written so far, it goes on to the same bytes.

    Attributes
    ----------
    state
        Dtype `tables.STATE`, shape (1,).
    applied
        How many of its commands are in effect.
    rows
        Rows written so far, by table.
    """

    state: np.ndarray
    applied: int
    rows: Mapping[str, int]

    @property
    def now_ns(self) -> int:
        """Simulated time, ns."""
        return int(self.state["now_ns"][0])


def as_config(config: SimConfig | Mapping[str, Any] | str | None) -> SimConfig:
    """A `SimConfig` from one, from a preset's name, from a partial dict (dotted keys too), or None."""
    if config is None:
        return SimConfig()
    if isinstance(config, SimConfig):
        return config
    if isinstance(config, str):
        return SimConfig.preset(config)
    if isinstance(config, Mapping):
        return SimConfig().replace(config)
    raise ConfigError(f"config: give a SimConfig, a dict or a preset's name, got {config!r}")


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
        self._without_latency = without_latency
        commands = list(commands)
        self._opening = {
            "config": config,
            "seed": seed,
            "market": market,
            "commands": commands,
            "strategy": strategy,
        }
        self.market = market
        self.strategy = NO_STRATEGY if strategy is None else prepare(strategy)
        self.first_config = self.config = self._timed(fitted(as_config(config), market, strategy))
        self.commands: list[Command] = []
        queue = (Command(c.t_ns, c.kind, c.field, plain(c.value)) for c in commands)
        self._queue = deque(sorted(queue, key=lambda command: command.t_ns))
        self._rehearse()
        self._states = np.zeros(1, t.STATE)
        self._state: Any = self._states[0]
        self._rules = np.zeros(1, t.PARAMS)
        self._params: Any = self._rules[0]
        self._reader = FrameReader(self._states)
        self._tune(self.config)
        self._outputs = np.zeros(1, t.OUTPUT)
        self._output: Any = self._outputs[0]
        self._written = {name: self._outputs["cursor"][name] for name in TABLES}
        self._synthetic = SyntheticTape(self.seed) if tape is None else tape
        self._tape = lent(NO_EVENTS if market is None else market.events)
        self._tape_hash = hashlib.sha256() if hash_tape else None
        self._hashed = 0
        self._hashes = {name: hashlib.sha256() for name in TABLES}
        self._rows: dict[str, list[np.ndarray]] = {name: [] for name in TABLES}
        self._counts = dict.fromkeys(TABLES, 0)
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
    def coming(self) -> tuple[Command, ...]:
        """Commands whose time has not come."""
        return tuple(self._queue)

    @property
    def finished(self) -> bool:
        """Whether a recorded market has run out."""
        return self.market is not None and self.now_ns >= self.market.duration_ns

    def frame(self) -> Frame:
        """The present moment, with the rows written since the last call."""
        self._drain()
        rows = {}
        for name, dtype in TABLES.items():
            parts = self._rows[name]
            table = parts[0] if len(parts) == 1 else np.concatenate([*parts, np.zeros(0, dtype)])
            table.flags.writeable = False
            rows[name] = table
            self._rows[name] = []
        return self._reader.read(rows)

    def twin(self) -> Simulation:
        """Begin the same run with every wire of our own at zero, on the same tape, to play beside this one.

        With no latency of our own it ends in the same bytes. Pass it every command this one is given.
        """
        opening: Any = self._opening
        return Simulation(**opening, without_latency=True, tape=self._synthetic)

    def checkpoint(self, *, last: bool = False) -> Checkpoint:
        """The present moment, for `go_on_from`; the `last` of a simulation takes its state along."""
        self._drain()
        states = self._states if last else self._states.copy()
        return Checkpoint(states, len(self.commands), dict(self._counts))

    def digest(self) -> str:
        """SHA-256 over seed, config, commands, final state and the rolling hash of every table."""
        self._drain()
        whole = hashlib.sha256()
        commands = [asdict(command) for command in self.commands]
        market = self.market.sha256 if self.market else ""
        config = self.first_config.model_dump(mode="json")
        opening = [self.seed, config, market, commands, self.strategy.source_sha256]
        whole.update(json.dumps(opening, sort_keys=True).encode())
        whole.update(self._state.tobytes())
        for name in TABLES:
            whole.update(self._hashes[name].digest())
        return whole.hexdigest()

    def tape_digest(self) -> str:
        """SHA-256 of the market events consumed so far; needs `hash_tape=True`."""
        if self._tape_hash is None:
            raise ConfigError("hash_tape: the tape's hash is kept only when asked for, got False")
        self._hash_tape()
        return self._tape_hash.hexdigest()

    def market_report(self) -> dict[str, Any] | None:
        """What a recording, or the venue's order flow so far, has to say; None for other markets.

        Of order flow: candidates that were events and that were thinned, market orders by side, moves
        of the mid, and what went beyond a bound (`overrun`, `crowded`, `refused`: best all 0).
        """
        if self.market is not None:
            return getattr(self.market, "report", None)
        if self._params.venue.model != t.FLOW:
            return None
        venue = self._state.venue
        names = ("accepted", "thinned", "bought", "sold", "ups", "downs", "overrun", "crowded")
        counts = {name: int(venue.flow[name]) for name in names}
        return {**counts, "trades": int(venue.trades), "refused": int(venue.refused)}

    def parties(self) -> np.ndarray:
        """What makers, rivals and the crowd have traded so far, a row each; see `lablib.parties`."""
        return parties(self._state, self._params)

    # ------------------------------------------------------------------------------------- moving
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
        if checkpoint.applied > len(self._queue):
            raise ConfigError(
                f"checkpoint: has {checkpoint.applied} commands in effect, got {len(self._queue)}"
            )
        for name, table in rows.items():
            if table.size != checkpoint.rows[name]:
                count = checkpoint.rows[name]
                raise ConfigError(f"checkpoint: counts {count} rows of {name}, got {table.size}")
            self._hashes[name].update(table.data)
        for _ in range(checkpoint.applied):
            command = self._queue.popleft()
            self.config = self._configured(self.config, command)
            self.commands.append(command)
        self._states[:] = checkpoint.state
        self._counts = dict(checkpoint.rows)
        self._tune(self.config)
        if self.market is not None:
            self._output.cursor.tape = self._state.tape_events

    def advance(self, t_ns: int) -> Frame:
        """Play everything with a time up to and including `t_ns`; returns the frame there."""
        self.play(t_ns)
        return self.frame()

    def play(self, t_ns: int) -> None:
        """As `advance`, without making a frame."""
        while self._queue and self._queue[0].t_ns <= t_ns:
            command = self._queue.popleft()
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
        self._configured(self.config, command)
        self._play(command.t_ns, t.LEARN)
        self._apply(command)
        return command

    # ------------------------------------------------------------------------------------ machine
    def _tune(self, config: SimConfig) -> None:
        self._rules[0] = config.to_record()
        self._params.key_low, self._params.key_high = delay_key(self.seed)
        self._reader.tune(self._params)

    def _rehearse(self) -> None:
        """Refuse a bad queue of commands before anything has run."""
        config = self.config
        for command in self._queue:
            if command.t_ns < 0:
                raise ConfigError(f"commands: time {command.t_ns} is before the run")
            config = self._configured(config, command)

    def _configured(self, config: SimConfig, command: Command) -> SimConfig:
        return self._timed(configured(config, command))

    def _timed(self, config: SimConfig) -> SimConfig:
        return config.without_latency() if self._without_latency else config

    def _apply(self, command: Command) -> None:
        self.commands.append(command)
        if command.kind == "halt":
            self._drain()  # room for its row, however many commands fall between two events
            step.command_halt(self._state, self._params, self._output, t.MANUAL)
        elif command.kind == "release":
            step.command_release(self._state)
        else:
            self.config = self._configured(self.config, command)
            before = _of_the_tape(self._params)
            self._tune(self.config)
            step.retune(self._state, self._params)
            if self.market is None and _of_the_tape(self._params) != before:
                self._turn_tape()  # what was drawn ahead knew the old settings

    def _turn_tape(self) -> None:
        """Lend the kernels the events that come next."""
        self._hash_tape()
        self._tape = lent(self._synthetic.events_after(self._params, self._state))
        self._output.cursor.tape = 0
        self._hashed = 0

    def _play(self, until_ns: int, last_source: int) -> None:
        while True:
            code = step.advance(
                self._states,
                self._rules,
                self._tape,
                self._outputs,
                until_ns,
                last_source,
                self.strategy.compiled,
            )
            if code == t.REACHED:
                return
            if code == t.NEED_TAPE:
                self._turn_tape()
            else:
                self._drain()

    def _drain(self) -> None:
        """Take the rows out of the kernels' arrays, into the hashes and towards the next frame."""
        for name, written in self._written.items():
            count = written.item()
            if count:
                rows = self._outputs[name][0, :count].copy()
                self._hashes[name].update(rows.data)
                self._rows[name].append(rows)
                self._counts[name] += count
                written[0] = 0

    def _hash_tape(self) -> None:
        if self._tape_hash is not None:
            used = int(self._output.cursor.tape)
            self._tape_hash.update(self._tape[self._hashed : used].tobytes())
            self._hashed = used


def open_orders(state: Any) -> np.ndarray:
    """Rows (dtype `tables.ORDER`) of the own orders in a `tables.STATE` whose fate is not known yet."""
    own = state.own
    open_ = own[(own["used"] == 1) & (own["order_id"] > 0)]
    rows = np.zeros(open_.size, t.ORDER)
    for name in t.ORDER.names or ():
        rows[name] = open_["filled" if name == "filled_lots" else name]
    rows.sort(order="order_id")
    return rows


def _of_the_tape(params: Any) -> bytes:
    """What a synthetic tape is drawn by."""
    return b"".join(params[name].tobytes() for name in ("external", "flow", "intensity"))


def fitted(config: SimConfig, market: Market | None, strategy: object | None) -> SimConfig:
    """A config as a run has it: recorded data bring their tick, lot and start, a strategy its name.

    Raises
    ------
    ConfigError
        A config that needs a market or a strategy, and has none.
    """
    changes: dict[str, Any] = {} if market is None else brought(market)
    if market is None and config.venue.model == "recorded":
        raise ConfigError("venue.model: 'recorded' needs a market; see lablib.load_pair")
    if strategy is not None:
        changes["strategy.name"] = "own"
    elif config.strategy.name == "own":
        raise ConfigError("strategy.name: 'own' needs a function; pass strategy=your_function")
    return config.replace(changes) if changes else config


def brought(market: Market) -> dict[str, Any]:
    """The fields of a config that a recorded market decides."""
    return {
        "venue.model": "recorded",
        "venue.tick_size": market.tick_size,
        "venue.lot_size": market.lot_size,
        "external.start_px": market.start_px,
    }


def lent(events: np.ndarray) -> np.ndarray:
    """Events as the kernels are lent them: not to be written, which is a type of its own to numba."""
    view = np.ascontiguousarray(events).view()
    view.flags.writeable = False
    return view


def span_ns(until: str | float | None, market: Market | None) -> int:
    """Where a run stops, ns: ten minutes unless given, and never beyond a recorded market."""
    if until is None:
        return parse_duration("10min") if market is None else market.duration_ns
    until_ns = parse_duration(until)
    return until_ns if market is None else min(until_ns, market.duration_ns)


def simulate(
    config: SimConfig | Mapping[str, Any] | str | None = None,
    *,
    seed: int = 0,
    every: str | float = "50ms",
    until: str | float | None = None,
    market: Market | None = None,
    commands: Iterable[Command] = (),
    strategy: Strategy | None = None,
    twin: bool = False,
) -> Iterator[Frame]:
    """The stepping generator: a frame of the run after every `every` of simulated time.

    Parameters
    ----------
    config, seed, market, commands, strategy
        As `Simulation`.
    every
        Simulated time between frames: "50ms", "1s", or seconds.
    until
        Where to stop, absolute and inclusive; None goes on for ever, or to a recorded market's end.
    twin
        Play the run without latency beside it: `frame.twin` is its frame of the same moment.

    Yields
    ------
    Read-only frames; the frame at T has everything with a time up to and including T.
    """
    every_ns = parse_duration(every)
    until_ns = t.FAR - 1 if until is None else parse_duration(until)
    if market is not None:
        until_ns = min(until_ns, market.duration_ns)
    simulation = Simulation(config, seed=seed, market=market, commands=commands, strategy=strategy)
    return _frames(simulation, simulation.twin() if twin else None, every_ns, until_ns)


def _frames(
    simulation: Simulation, twin: Simulation | None, every_ns: int, until_ns: int
) -> Iterator[Frame]:
    at = 0
    while at < until_ns:
        at = min(at + every_ns, until_ns)
        frame = simulation.advance(at)
        yield frame if twin is None else replace(frame, twin=twin.advance(at))
