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

from lablib.config import SimConfig
from lablib.drills.faults import (
    AT_LIMIT,
    AT_ONCE,
    BEFORE,
    FAULTS,
    LASTS_MS,
    Fault,
    desk,
)
from lablib.drills.moments import again, commands_of, crossing, moment, promptly
from lablib.drills.timeline import NEVER, Halt, halt_of
from lablib.engine import Simulation, as_config
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.run import Run, played
from lablib.units import ns, parse_duration


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
        where there is none. The second may have closed as the fault began, and have paid for it.
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
    def cut_short(self) -> bool:
        """Whether what the fault makes late was not over yet when the fault was.

        From then on nothing is late and the market no longer goes against us: `cost` is not what so long
        a delay costs, and a longer one may cost less.
        """
        if not self.what.waits or self.due_ns == NEVER:
            return False
        if (
            self.halt.t_ns == NEVER
        ):  # a limit that was crossed would have latched, but for the repair
            return self.what.prompt == AT_LIMIT
        return not NEVER < self.halt.flat_ns <= self.end_ns

    @property
    def loss(self) -> float:
        """Lost since the fault began, to the end (currency); negative for a gain."""
        return -self.steps[-1].pnl

    @property
    def overshoot(self) -> float:
        """Lost beyond a limit on losses, the most there was (currency): from the peak, or the day's realised loss."""
        last = self.run.last
        return max(last.overshoot, last.drawdown_overshoot)

    @property
    def cost(self) -> float:
        """What being late cost (currency): what the run without delay has more; NaN without one."""
        if self.prompt is None:
            return math.nan
        return self.prompt.last.equity - self.run.last.equity

    @property
    def cost_by_halt(self) -> float:
        """Of `cost`, what was there as the switch latched (currency); all of it where none did.

        What is held is counted at the venue's prices of that moment, in both runs.
        """
        at_latch = next((step for step in self.steps if step.name == "halt"), None)
        if at_latch is None or at_latch.t_ns == NEVER:
            return self.cost
        return at_latch.prompt_pnl - at_latch.pnl

    @property
    def cost_after_halt(self) -> float:
        """Of `cost`, what came after the latch, while the close was under way (currency)."""
        return self.cost - self.cost_by_halt


def drill(
    fault: str,
    config: SimConfig | Mapping[str, Any] | str | None = None,
    *,
    seed: int = 7,
    size: float | None = None,
    slide_bps_s: float = 0.0,
    lasts: str | float | None = None,
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
    lasts
        How long the fault lasts, and the market with it; two seconds unless given, or as long as a size
        that is a delay needs (`Fault.least_ms`). Where it is over too early, `Drill.cut_short` says so.
    settle
        How long the run goes on after it (where something may be held).

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
    lasts_ns = ns(max(LASTS_MS, what.least_ms(size))) if lasts is None else parse_duration(lasts)
    settle_ns = parse_duration(settle)
    config = desk() if config is None else as_config(config)
    begin_ns, side = moment(what, config, seed)
    commands = commands_of(what, config, begin_ns, -side, size, slide_bps_s, lasts_ns)
    # Where a check stands before every order there is nothing to settle: the desk would just trade on.
    until_ns = begin_ns + lasts_ns + (settle_ns if what.prompt != BEFORE else 0)
    run = played(Simulation(config, seed=seed, commands=commands), until_ns)
    halt = halt_of(run.orders, run.fills, run.risk_events, begin_ns)
    due_ns = begin_ns if what.prompt == AT_ONCE else NEVER
    if what.prompt == AT_LIMIT:
        # Who halts before the true loss is there was not late.
        due_ns = crossing(run, begin_ns, until_ns if halt.t_ns == NEVER else halt.t_ns)
        due_ns = halt.t_ns if due_ns == NEVER else due_ns
    prompt = prompt_halt = None
    if due_ns != NEVER:
        # Of a fault it knows at once; of a loss once the instant is over, as every command acts.
        at_ns = due_ns + (what.prompt == AT_LIMIT)
        prompt_commands = promptly(commands, at_ns)
        prompt = played(Simulation(config, seed=seed, commands=prompt_commands), until_ns)
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
    # One base for both: a prompt control may have closed, and paid for it, as the fault begins.
    base = ours[moments[0]]
    return tuple(
        Step(name, at, ours.get(at, math.nan) - base, theirs.get(at, math.nan) - base)
        for name, at in times
    )


def _equity(run: Run, moments: list[int]) -> dict[int, float]:
    """The equity of a run at some moments (currency)."""
    simulation = again(run)
    return {at: simulation.advance(at).equity for at in moments}


def _ms(begin_ns: int, end_ns: int) -> float:
    return math.nan if NEVER in (begin_ns, end_ns) else (end_ns - begin_ns) / t.NS_PER_MS
