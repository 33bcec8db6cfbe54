"""The card of the drills run so far: a row each, and whether it kept within limits that somebody set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lablib.drills.exercise import Drill
from lablib.drills.faults import AT_LIMIT, BEFORE
from lablib.drills.timeline import NEVER
from lablib.errors import ConfigError
from lablib.kernels import tables as t

PASS, FAIL = "pass", "fail"
CARD = np.dtype(
    [
        ("drill", "U16"),
        ("size", "f8"),
        ("unit", "U16"),
        ("seed", "u8"),
        ("noticed_ms", "f8"),  # from the fault to the first halt or refusal; NaN: never
        ("halted_ms", "f8"),  # from the fault to the latch
        ("late_ms", "f8"),  # from when a control without delay would have acted to the latch
        ("flat_ms", "f8"),  # from the fault until nothing is held any more
        ("reason", "U24"),
        ("in_flight", "i8"),  # orders on their way to the venue at the latch
        ("fills_after", "i8"),  # and trades of theirs after it
        ("overshoot", "f8"),  # currency lost beyond the limit on losses
        ("loss", "f8"),  # currency, from the fault to the end
        ("cost", "f8"),  # currency: of that, what a control without delay would have saved
        ("cost_by_halt", "f8"),  # and of this, what was there as the switch latched
        ("cost_after_halt", "f8"),  # and what came while the close was under way
        ("verdict", "U4"),
        ("why", "U160"),
    ]
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a drill may come to and still pass. Times in ms, money in currency."""

    late_ms: float = 500.0
    fills_after: int = 1
    overshoot: float = 1_000.0
    cost: float = 1_000.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise ConfigError(f"limits.{name}: a number of at least 0, got {value!r}")

    def faults(self, drill: Drill) -> list[str]:
        """Why a drill does not pass, in plain words; nothing where it does."""
        halt = drill.halt
        if drill.what.prompt == BEFORE:
            if not halt.refused:
                return ["nothing held the orders back"]
            through = f"{halt.slipped:,} orders left before one was held back"
            return [through] if halt.slipped else []
        if drill.what.prompt == AT_LIMIT and drill.due_ns == NEVER:
            return []  # no limit was crossed: there was nothing to stop
        found = []
        if halt.t_ns == NEVER:
            found.append("nothing stopped it")
        elif drill.late_ms > self.late_ms:
            found.append(f"halted {drill.late_ms:,.0f} ms late, {self.late_ms:,.0f} allowed")
        if halt.fills_after > self.fills_after:
            found.append(f"{halt.fills_after} fills after the halt, {self.fills_after} allowed")
        if drill.overshoot > self.overshoot:
            found.append(
                f"{drill.overshoot:,.0f} lost beyond the limit, {self.overshoot:,.0f} allowed"
            )
        if drill.cost > self.cost:
            found.append(f"being late cost {drill.cost:,.0f}, {self.cost:,.0f} allowed")
        if halt.t_ns != NEVER and halt.held_lots:
            found.append(f"{abs(halt.held_lots):,} lots still held at the end")
        return found


def card(drills: Sequence[Drill], limits: Limits | None = None) -> np.ndarray:
    """A row of `CARD` for each drill; `lablib.exports` writes it as a file."""
    limits = Limits() if limits is None else limits
    rows = np.zeros(len(drills), CARD)
    for row, one in zip(rows, drills, strict=True):
        faults = limits.faults(one)
        halt = one.halt
        reason = halt.reason if halt.t_ns != NEVER else halt.refused_for
        values: dict[str, Any] = {
            "drill": one.fault,
            "size": one.size,
            "unit": one.what.unit,
            "seed": one.run.seed,
            "noticed_ms": one.noticed_ms,
            "halted_ms": one.halted_ms,
            "late_ms": one.late_ms,
            "flat_ms": one.flat_ms if halt.t_ns != NEVER else math.nan,
            "reason": t.REASONS[reason],
            "in_flight": halt.in_flight,
            "fills_after": halt.fills_after,
            "overshoot": one.overshoot,
            "loss": one.loss,
            "cost": one.cost,
            "cost_by_halt": one.cost_by_halt,
            "cost_after_halt": one.cost_after_halt,
            "verdict": FAIL if faults else PASS,
            "why": "; ".join(faults),
        }
        for name, value in values.items():
            row[name] = value
    return rows
