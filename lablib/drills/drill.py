"""A drill: a fault at the worst moment, and the same run with the switch pulled when it should have been.

Both runs are the same to the last byte until a control without delay would have acted: as the fault
begins, or as the true loss crosses the limit. From there on the second is halted and no wire of ours
takes any time. What the first one loses more is what being late costs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lablib.commands import Command
from lablib.config import SimConfig
from lablib.drills.faults import (
    AT_LIMIT,
    AT_ONCE,
    BEFORE,
    FAULTS,
    HOLDING,
    SENDING,
    Fault,
    desk,
    moving,
)
from lablib.drills.timeline import NEVER, Halt, halt_of
from lablib.engine import Simulation, as_config, open_orders
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.run import Run, played
from lablib.units import ns, parse_duration

WARM_S = 2  # before anything breaks
SEARCH_S = 120  # within which we must hold something
OWN_WIRES = ("external_feed_ms", "venue_feed_ms", "decision_ms", "order_entry_ms", "ack_ms")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the timeline.

    Attributes
    ----------
    name
        `fault`, `limit`, `notice`, `refusal`, `leave`, `last_fill`, `flat`, `known` or `over`.
    t_ns
        When; `NEVER` where it did not happen.
    pnl, prompt_pnl
        What we have made since the fault began, and what the run without delay has (currency); NaN
        where there is none.
    """

    name: str
    t_ns: int
    pnl: float
    prompt_pnl: float


@dataclass(frozen=True)
class Drill:
    """A drill that was run.

    Attributes
    ----------
    fault, size, slide_bps_s
        What was broken, how badly, and how fast the market went against us meanwhile.
    begin_ns, end_ns, until_ns
        When the fault began, when it was repaired, and where the run ends.
    due_ns
        When a control without delay would have acted; `NEVER` where no limit was crossed, or where a
        check stands before every order.
    run, halt
        The run, and what its tables tell of the halt.
    prompt, prompt_halt
        The same run with the switch pulled at `due_ns`, our wires at zero from there on; None without one.
    """

    fault: str
    size: float
    slide_bps_s: float
    begin_ns: int
    end_ns: int
    until_ns: int
    due_ns: int
    run: Run
    halt: Halt
    prompt: Run | None = None
    prompt_halt: Halt | None = None
    steps: tuple[Step, ...] = field(default=(), repr=False)

    @property
    def what(self) -> Fault:
        """The fault, in words."""
        return FAULTS[self.fault]

    @property
    def late_ms(self) -> float:
        """From when a control without delay would have acted to the latch (ms); NaN without either."""
        return _ms(self.due_ns, self.halt.t_ns)

    @property
    def noticed_ms(self) -> float:
        """From the fault to the first sign that anything stands against it: a halt or a refusal (ms)."""
        seen = [at for at in (self.halt.t_ns, self.halt.refused_ns) if at != NEVER]
        return _ms(self.begin_ns, min(seen, default=NEVER))

    @property
    def halted_ms(self) -> float:
        """From the fault to the latch (ms)."""
        return _ms(self.begin_ns, self.halt.t_ns)

    @property
    def flat_ms(self) -> float:
        """From the fault until nothing is held any more (ms); NaN where that is never."""
        return _ms(self.begin_ns, self.halt.flat_ns)

    @property
    def loss(self) -> float:
        """Lost since the fault began, to the end (currency); negative for a gain."""
        return -self.steps[-1].pnl

    @property
    def overshoot(self) -> float:
        """Lost beyond the limit on losses, the most there was (currency)."""
        last = self.run.last
        return max(last.overshoot, last.drawdown_overshoot)

    @property
    def cost(self) -> float:
        """What being late cost (currency): what the run without delay has more; NaN without one."""
        if self.prompt is None:
            return math.nan
        return self.prompt.last.equity - self.run.last.equity


def drill(
    fault: str,
    config: SimConfig | Mapping[str, Any] | str | None = None,
    *,
    seed: int = 7,
    size: float | None = None,
    slide_bps_s: float = 0.0,
    lasts: str | float = "2s",
    settle: str | float = "3s",
) -> Drill:
    """Break something while a position is held, and tell what stopped us and what being late cost.

    Parameters
    ----------
    fault
        A name of `FAULTS`.
    config, seed
        The run; `desk()` unless given. Moving the market needs `external.model` "jumps".
    size
        How bad it is, in the fault's own unit; its usual size unless given.
    slide_bps_s
        How fast the market goes against what we hold while the fault lasts (bps a second).
    lasts, settle
        How long the fault lasts, and how long the run goes on after it (where something may be held).

    Raises
    ------
    ConfigError
        No such fault, a size that its field refuses, or a config under which nothing is held within
        two minutes, or which halts before anything is broken.
    """
    if fault not in FAULTS:
        raise ConfigError(f"fault: no drill {fault!r}; there are {', '.join(FAULTS)}")
    what = FAULTS[fault]
    size = what.size if size is None else size
    for name, value in (("size", size), ("slide_bps_s", slide_bps_s)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise ConfigError(f"{name}: a number of at least 0, got {value!r}")
    lasts_ns, settle_ns = parse_duration(lasts), parse_duration(settle)
    config = desk() if config is None else as_config(config)
    begin_ns, side = _moment(what, config, seed)
    commands = _commands(what, config, begin_ns, -side, size, slide_bps_s, lasts_ns)
    # Where a check stands before every order there is nothing to settle: the desk would just trade on.
    until_ns = begin_ns + lasts_ns + (settle_ns if what.prompt != BEFORE else 0)
    run = played(Simulation(config, seed=seed, commands=commands), until_ns)
    halt = halt_of(run.orders, run.fills, run.risk_events, begin_ns)
    due_ns = begin_ns if what.prompt == AT_ONCE else NEVER
    if what.prompt == AT_LIMIT:
        # Who halts before the true loss is there was not late.
        due_ns = _crossing(run, begin_ns, until_ns if halt.t_ns == NEVER else halt.t_ns)
        due_ns = halt.t_ns if due_ns == NEVER else due_ns
    prompt = prompt_halt = None
    if due_ns != NEVER:
        # Of a fault it knows at once; of a loss once the instant is over, as every command acts.
        at_ns = due_ns + (what.prompt == AT_LIMIT)
        promptly = _promptly(commands, at_ns)
        prompt = played(Simulation(config, seed=seed, commands=promptly), until_ns)
        prompt_halt = halt_of(prompt.orders, prompt.fills, prompt.risk_events, begin_ns)
    end_ns = begin_ns + (ns(what.lasts_ms) or lasts_ns)
    times = _times(what, halt, begin_ns, due_ns, end_ns, until_ns)
    return Drill(
        fault=fault,
        size=size,
        slide_bps_s=slide_bps_s,
        begin_ns=begin_ns,
        end_ns=end_ns,
        until_ns=until_ns,
        due_ns=due_ns,
        run=run,
        halt=halt,
        prompt=prompt,
        prompt_halt=prompt_halt,
        steps=_steps(times, run, prompt),
    )


def again(run: Run) -> Simulation:
    """The simulation of a run at its start, with everything that will be done to it."""
    opening = run.origin.opening
    return Simulation(opening.config, seed=run.seed, commands=run.origin.commands)


def _moment(what: Fault, config: SimConfig, seed: int) -> tuple[int, int]:
    """When the fault begins, and the side that the market is to hurt (+1 or -1).

    The first time after the warm-up: after a decision, or within one just before it is thought of.
    """
    simulation = Simulation(config.replace({"record.samples": False}), seed=seed)
    step = ns(config.strategy.decision_interval_ms or 1.0)
    held = simulation.view("account.position")
    working = simulation.view("desk.working")
    halts = simulation.view("risk.halts")
    order = config.account.starting_cash * config.risk.max_position_pct
    half = order / (config.external.start_px * config.venue.lot_size) / 2  # of an order, in lots
    simulation.play(WARM_S * t.NS_PER_S)
    while simulation.now_ns < SEARCH_S * t.NS_PER_S and not halts[0]:
        if what.moment == HOLDING and abs(held[0]) > half and not working[0]:
            return simulation.now_ns + 1, 1 if held[0] > 0 else -1
        if what.moment == SENDING and working[0] and simulation.now_ns > WARM_S * t.NS_PER_S:
            sent = open_orders(simulation.state)
            entries = sent[(sent["is_exit"] == 0) & (sent["looked_at"] > simulation.now_ns - step)]
            if entries.size:
                return int(entries["looked_at"][0]), int(entries["side"][0])
        simulation.play(simulation.now_ns + step)
    at = f"{simulation.now_ns / t.NS_PER_S:.1f} s of seed {seed}"
    if halts[0]:
        raise ConfigError(f"config: halts by itself within {at}, before anything is broken")
    raise ConfigError(f"config: holds nothing and sends nothing within {at}: nothing to break")


def _commands(
    what: Fault,
    config: SimConfig,
    begin_ns: int,
    direction: int,
    size: float,
    slide_bps_s: float,
    lasts_ns: int,
) -> tuple[Command, ...]:
    """What breaks, what the market does, and the repair of both; in order of time."""
    span_ns = ns(what.lasts_ms) or lasts_ns
    broken = what.changes(config, direction, size, begin_ns, span_ns)
    # A guard that was switched off stays off: it would judge the fault's time when that is over.
    repaired = {path: config.get(path) for path in broken if not path.startswith("risk.")}
    found = [Command(begin_ns, "set", path, value) for path, value in broken.items()]
    found += [Command(begin_ns + span_ns, "set", path, value) for path, value in repaired.items()]
    if slide_bps_s > 0 and what.prompt != BEFORE:
        # A price that jumps goes on sliding when it has.
        start_ns = begin_ns + (span_ns if "external.jumps" in broken else 0)
        left_ns = max(1, begin_ns + lasts_ns - start_ns)
        slide = moving(config, direction * slide_bps_s * left_ns / t.NS_PER_S, left_ns)
        still = {path: config.get(path) for path in slide}
        found += [Command(start_ns, "set", path, value) for path, value in slide.items()]
        found += [Command(start_ns + left_ns, "set", path, value) for path, value in still.items()]
    return tuple(sorted(found, key=lambda command: command.t_ns))


def _promptly(commands: tuple[Command, ...], at: int) -> tuple[Command, ...]:
    """The same with the switch pulled, and every wire of ours at zero from there on."""
    kept = [c for c in commands if c.t_ns <= at or not c.field.startswith("latency.")]
    instant: dict[str, Any] = dict.fromkeys(OWN_WIRES, 0.0)
    pulled = [Command(at, "set", "latency", {**instant, "cancel_ms": None}), Command(at, "halt")]
    return tuple(sorted([*kept, *pulled], key=lambda command: command.t_ns))


def _crossing(run: Run, begin_ns: int, until_ns: int) -> int:
    """When the true loss first came to a limit on losses, to the nanosecond; `NEVER` where it did not.

    The guards know what acknowledgements and quotes have told; this is the account as the venue has it.
    """
    low, high = begin_ns, until_ns
    for step in (t.NS_PER_MS, 10_000, 100, 1):
        simulation = again(run)
        simulation.play(low)
        crossed = _Loss(simulation)
        if crossed():
            return low
        while low < high:
            simulation.play(min(low + step, high))
            if crossed():
                high = simulation.now_ns
                break
            low = simulation.now_ns
        else:
            return NEVER
    return high


class _Loss:
    """Whether the true loss of a simulation stands at a limit."""

    def __init__(self, simulation: Simulation) -> None:
        self._account = {
            name: simulation.view(f"account.{name}") for name in ("equity", "realized", "fees")
        }
        self._risk = {
            name: simulation.view(f"risk.{name}")
            for name in ("peak", "cap", "day_realized", "day_fees")
        }
        self._drawdown = simulation.config.risk.drawdown_cap_pct

    def __call__(self) -> bool:
        account = {name: int(view[0]) for name, view in self._account.items()}
        risk = {name: int(view[0]) for name, view in self._risk.items()}
        lost = account["fees"] - risk["day_fees"] - account["realized"] + risk["day_realized"]
        if lost >= risk["cap"]:
            return True
        cap = max(1, int(risk["peak"] * self._drawdown))
        return self._drawdown > 0 and risk["peak"] - account["equity"] >= cap


def _times(
    what: Fault, halt: Halt, begin_ns: int, due_ns: int, end_ns: int, until_ns: int
) -> list[tuple[str, int]]:
    """What there is to tell, in order of time; what did not happen in its place before the end."""
    found = [("fault", begin_ns)]
    if what.prompt == AT_LIMIT:
        found.append(("limit", due_ns))
    if what.prompt == BEFORE or halt.refused_ns != NEVER:
        found.append(("refusal", halt.refused_ns))
    if what.prompt != BEFORE or halt.t_ns != NEVER:
        found += [
            ("halt", halt.t_ns),
            ("leave", halt.closing_ns),
            ("unstopped", halt.unstopped_ns),
            ("flat", halt.flat_ns),
            ("known", halt.known_ns),
        ]
    found.append(("repair", end_ns))
    happened = sorted((one for one in found if one[1] != NEVER), key=lambda one: one[1])
    return [*happened, *(one for one in found if one[1] == NEVER), ("end", until_ns)]


def _steps(times: list[tuple[str, int]], run: Run, prompt: Run | None) -> tuple[Step, ...]:
    moments = sorted({at for _, at in times if at != NEVER})
    ours = _equity(run, moments)
    theirs = _equity(prompt, moments) if prompt is not None else {}
    return tuple(
        Step(name, at, ours.get(at, math.nan), theirs.get(at, math.nan)) for name, at in times
    )


def _equity(run: Run, moments: list[int]) -> dict[int, float]:
    """What a run had made since the first of some moments, at each of them (currency)."""
    simulation = again(run)
    equity = {at: simulation.advance(at).equity for at in moments}
    return {at: value - equity[moments[0]] for at, value in equity.items()}


def _ms(begin_ns: int, end_ns: int) -> float:
    return math.nan if NEVER in (begin_ns, end_ns) else (end_ns - begin_ns) / t.NS_PER_MS
