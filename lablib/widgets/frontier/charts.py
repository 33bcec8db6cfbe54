"""The four charts of a frontier side by side: three maps and the cut, drawn from one plane."""

from __future__ import annotations

import math

import numpy as np

from lablib.widgets import readouts
from lablib.widgets.frontier.plane import Plane
from lablib.widgets.frontier.words import stretch
from lablib.widgets.maps import NONE_TO_MUCH, CutChart, HeatMap, MoneyMap, places

LOW = "176px"  # height of the lesser ones


class Charts:
    """P&L with its zero, P(halt), overshoot, and the cut through the chosen row.

    Attributes
    ----------
    money, halts, overshoot
        The maps.
    cut
        Through `money`.
    """

    def __init__(self) -> None:
        self.money = MoneyMap()
        self.halts = HeatMap("halts", "P(halt)", NONE_TO_MUCH, height=LOW, centred=False)
        self.overshoot = HeatMap(
            "overshoot", "Mean overshoot", NONE_TO_MUCH, height=LOW, centred=False
        )
        self.maps = self.money, self.halts, self.overshoot
        self.cut = CutChart()
        self.cut.figure.layout.height = LOW

    def lay_out(self, plane: Plane) -> None:
        """Fit every chart to the plane's values."""
        shown = plane.xs * plane.x.scale, plane.ys * plane.y.scale
        for panel in self.maps:
            panel.lay_out(*shown, plane.x.label, plane.y.label)
        self.cut.lay_out(shown[0], plane.x.label)

    def draw(self, plane: Plane) -> None:
        """Show what the sweep has come to; nothing before it has begun."""
        frontier = plane.frontier
        if frontier is None:
            self.money.say("choose two settings, then run")
            return
        self.money.draw(frontier.pnl, "")
        self.halts.draw(frontier.halt_share, "%")
        self.overshoot.draw(frontier.overshoot, "")
        self._say(plane)
        self._trace(plane)

    def choose(self, plane: Plane, row: int, column: int, reach: float) -> None:
        """Mark a cell, and cut through its row.

        Parameters
        ----------
        reach
            Standard errors to each side of a mean that the band of the cut takes in.
        """
        frontier = plane.frontier
        assert frontier is not None
        self.money.choose(row, column)
        theory = places(frontier.xs, plane.zero["theory"][row]) if plane.upright else math.nan
        self.cut.draw(frontier.pnl[row], reach * frontier.pnl_se[row], float(theory))
        y = plane.y
        self.cut.say(f"{y.label.split(',')[0].lower()} {frontier.ys[row] * y.scale:.4g} {y.unit}")

    def _say(self, plane: Plane) -> None:
        frontier = plane.frontier
        assert frontier is not None
        known = frontier.pnl[np.isfinite(frontier.pnl)]
        if not known.size:
            for panel in self.maps:
                panel.say("")
            return
        ends = f"{readouts.signed(known.min())} to {readouts.signed(known.max())}"
        self.money.say(f"of {stretch(plane)}: {ends}")
        self.halts.say(f"at most {100 * np.nanmax(frontier.halt_share):.3g} %")
        self.overshoot.say(f"at most {np.nanmax(frontier.overshoot):,.2f} beyond the cap")

    def _trace(self, plane: Plane) -> None:
        """Draw the zero with its interval, and theory's."""
        frontier, zero = plane.frontier, plane.zero
        assert frontier is not None
        values = frontier.xs if plane.upright else frontier.ys
        low = np.clip(zero["low"], values[0], values[-1])
        high = np.clip(zero["high"], values[0], values[-1])
        spots = (places(values, each) for each in (zero["at"], low, high, zero["theory"]))
        self.money.trace(*spots, upright=plane.upright)
