"""The plane of two settings: its values, and what a sweep over it has come to so far; arrays only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lablib.widgets.choices import KNOBS, Choices
from lablib.widgets.knobs import Knob

if TYPE_CHECKING:
    from lablib.experiments.frontier import Frontier
    from lablib.experiments.sweep import Sweep

Floats = NDArray[np.float64]


class Plane:
    """Two settings, and a sweep over them where there is one.

    Attributes
    ----------
    x, y
        The settings.
    xs, ys
        Their values in the fields' own units, rising.
    sweep
        None where none has begun.
    frontier
        Its maps, as of the last `update`; None before.
    zero
        Where P&L crosses zero, a row a value of the other setting, see `Frontier.zero`.
    """

    def __init__(self, choices: Choices, sweep: Sweep | None = None) -> None:
        both = choices.x, choices.y
        self.x, self.y = (choice.knob for choice in both)
        self.sweep = sweep
        self.frontier: Frontier | None = None
        self.zero: Any = None
        if sweep is None:
            values = [choice.values() for choice in both]
        else:
            axes = dict(zip(sweep.design.fields, sweep.design.axes, strict=True))
            values = [list(axes[choice.path]) for choice in both]
        self.xs: Floats
        self.ys: Floats
        self.xs, self.ys = (np.sort(np.array(each, np.float64)) for each in values)

    def update(self) -> Frontier | None:
        """Look at what is done by now."""
        if self.sweep is not None:
            self.frontier = self.sweep.frontier(self.x.path, self.y.path)
            self.zero = self.frontier.zero(self.along.path)
        return self.frontier

    @property
    def along(self) -> Knob:
        """The setting along which the zero is looked for: a latency of ours where there is one."""
        x, y = self.x.path, self.y.path
        return KNOBS[y if y.startswith("latency.") and not x.startswith("latency.") else x]

    @property
    def upright(self) -> bool:
        """Whether the zero is looked for from left to right."""
        return self.along.path == self.x.path

    @property
    def until_s(self) -> float:
        """Simulated time of a run, s; 0 without a sweep."""
        return 0.0 if self.sweep is None else self.sweep.until_ns / 1e9

    def has(self, row: int, column: int) -> bool:
        """Whether there is such a cell."""
        return 0 <= row < self.ys.size and 0 <= column < self.xs.size

    def where(self, row: int, column: int) -> str:
        """A cell by its two values, in shown units; plain text."""
        parts = ((self.x, self.xs[column]), (self.y, self.ys[row]))
        return " · ".join(f"{k.label.split(',')[0]} {v * k.scale:.4g} {k.unit}" for k, v in parts)
