"""Axes that hold still: a range that follows the data with hysteresis, and round ticks.

A scale left to the browser moves with every point and redraws its axis each time. Here the range
changes only when the data leave it or shrink well inside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PADDING = 0.12  # of the data's extent, on each side of a new range
CORNER = 0.06  # of a range, kept free of ticks where two axes meet
SHRUNK = 0.4  # a range is given up when the data fill less of it than this


def tick_step(extent: float, count: int = 5) -> float:
    """A round distance between about `count` ticks over `extent`.

    >>> tick_step(1.0), tick_step(37.0), tick_step(0.02)
    (0.2, 10.0, 0.005)
    """
    raw = extent / count
    scale = 10.0 ** math.floor(math.log10(raw))
    lead = next(lead for lead in (1, 2, 5, 10) if raw <= lead * scale * (1 + 1e-9))
    return round(lead * scale, 12)


def tick_format(step: float) -> str:
    """The d3 format that shows multiples of `step` without idle digits.

    >>> tick_format(0.05), tick_format(2.0), tick_format(50_000.0)
    (',.2f', ',.0f', '~s')
    """
    if step >= 10_000:
        return "~s"
    return f",.{max(0, math.ceil(-math.log10(step) - 1e-9))}f"


@dataclass(slots=True)
class Span:
    """The range of an axis.

    Attributes
    ----------
    floor
        Smallest extent the axis shows, in its unit: a flat line is not blown up to noise.
    symmetric
        Keep zero in the middle.
    from_zero
        Keep zero at the bottom.
    count
        About how many ticks.
    """

    floor: float
    symmetric: bool = False
    from_zero: bool = False
    count: int = 6
    low: float = math.nan
    high: float = math.nan

    def follow(self, values: NDArray[np.floating]) -> bool:
        """Make room for `values` (NaN is no value); True when the range had to change."""
        known = values[np.isfinite(values)]
        if not known.size:
            if math.isnan(self.low):
                self._fit(0.0, 0.0)
                return True
            return False
        low, high = float(known.min()), float(known.max())
        if self.symmetric:
            high = max(abs(low), abs(high))
            low = -high
        if self.from_zero:
            low = 0.0
        extent = max(high - low, self.floor)
        inside = self.low <= low and high <= self.high
        if inside and extent >= SHRUNK * (self.high - self.low):
            return False
        before = self.low, self.high
        self._fit(low, high)
        return before != (self.low, self.high)

    def _fit(self, low: float, high: float) -> None:
        extent = max(high - low, self.floor)
        middle = extent / 2 if self.from_zero else (low + high) / 2
        low = 0.0 if self.from_zero else middle - extent * (0.5 + PADDING)
        high = middle + extent * (0.5 + PADDING)
        step = tick_step(high - low) / 2
        self.low, self.high = math.floor(low / step) * step, math.ceil(high / step) * step

    @property
    def step(self) -> float:
        """Distance between ticks."""
        return tick_step(self.high - self.low, self.count)

    @property
    def ticks(self) -> NDArray[np.float64]:
        """Round values within the range, but none in the corner where the other axis has its first label."""
        corner = self.low if self.from_zero else self.low + CORNER * (self.high - self.low)
        first, last = math.ceil(corner / self.step - 1e-9), math.floor(self.high / self.step + 1e-9)
        return np.arange(first, last + 1, dtype=np.float64) * self.step
