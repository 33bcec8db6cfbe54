"""The charts of a frontier: heat maps over two fields, and a cut through one of them.

Cells stand at whole numbers, whatever the values of the fields are, and the axes carry the values: a
grid in equal, geometric or odd steps fills the picture evenly. Arrays in, traits out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import bqplot as bq
import numpy as np
from numpy.typing import NDArray

from lablib.widgets import theme
from lablib.widgets.panels import Panel, Ruler, assign, axis, ended, f32, key, lines
from lablib.widgets.scales import tick_step

Floats = NDArray[np.float64]

LOSS_TO_GAIN = ("#b35600", "#e8a25a", "#f7f4ef", "#7fb0e6", "#0f55a8")
NONE_TO_MUCH = ("#fbfcfd", "#f2b8a8", "#b3261e")
LABELS = 9  # of an axis, at most
CORNER = np.full(4, -0.5)  # where an outline hides that has nothing to show: it must not hold NaN
LOOK_AGAIN = 1.3  # a colour range is given up when the data leave it or fill less than 1 / this


def places(axis_values: Floats, values: Any) -> Floats:
    """Where values lie between the cells of an axis; NaN beyond its ends.

    >>> places(np.array([1.0, 10.0, 100.0]), [10, 55, 200])
    array([1. , 1.5, nan])
    """
    at = np.arange(axis_values.size, dtype=np.float64)
    found: Floats = np.interp(values, axis_values, at, left=np.nan, right=np.nan)
    return found


class Grades:
    """An axis whose marks are the values of a field.

    Attributes
    ----------
    scale, axis
        For the figure.
    """

    def __init__(self, side: str) -> None:
        self.scale = bq.LinearScale(min=-0.5, max=0.5, allow_padding=False)
        self.axis = axis(self.scale, side, "")
        self.axis.grid_lines = "none"

    def show(self, values: Floats, label: str) -> None:
        """Stand for a field's values, in shown units."""
        stride = max(1, math.ceil((values.size - 1) / (LABELS - 1)))
        at = np.arange(0, values.size, stride)
        assign(self.scale, min=-0.5, max=values.size - 0.5)
        assign(
            self.axis, label=label, tick_labels={str(k): f"{values[k]:.4g}" for k in at.tolist()}
        )
        assign(self.axis, tick_values=at.astype(np.float64))


class HeatMap(Panel):
    """One quantity over two fields; cells that are not known stay pale.

    Attributes
    ----------
    cells
        The mark, for hovering and clicking.
    """

    def __init__(
        self, name: str, title: str, colors: Sequence[str], *, height: str, centred: bool
    ) -> None:
        self.centred = centred
        self.x, self.y = Grades("bottom"), Grades("left")
        self._range = math.nan
        self.color = bq.ColorScale(colors=list(colors), **({"mid": 0.0} if centred else {}))
        self.cells = bq.GridHeatMap(
            color=np.full((2, 2), np.nan),
            row=np.array([-0.5, 0.5, 1.5]),
            column=np.array([-0.5, 0.5, 1.5]),
            scales={"row": self.y.scale, "column": self.x.scale, "color": self.color},
            stroke="#ffffff",
        )
        self._ramp = f"linear-gradient(90deg, {', '.join(colors)})"
        super().__init__(
            name, title, (), (self.x.axis, self.y.axis), (self.cells, *self._overlay())
        )
        self.figure.layout.height = height
        self._keys = self._own_keys()

    def _overlay(self) -> Sequence[Any]:
        return ()

    def _own_keys(self) -> str:
        return ""

    def lay_out(self, xs: Floats, ys: Floats, x_label: str, y_label: str) -> None:
        """Take another grid, empty at first; values in shown units."""
        self.x.show(xs, x_label)
        self.y.show(ys, y_label)
        self._range = math.nan
        with self.cells.hold_sync():
            # The colours go first: rows and columns are checked against them.
            self.cells.color = np.full((ys.size, xs.size), np.nan, np.float32)
            self.cells.row = np.arange(ys.size + 1) - 0.5
            self.cells.column = np.arange(xs.size + 1) - 0.5

    def draw(self, values: Floats, unit: str, digits: int | None = None) -> None:
        """Colour the cells, shape (rows, columns)."""
        known = np.abs(values[np.isfinite(values)])
        top = float(known.max()) if known.size else 0.0
        if not top <= self._range <= LOOK_AGAIN * top or math.isnan(self._range):
            self._range = _round_up(top) or 1.0
            low = -self._range if self.centred else 0.0
            assign(self.color, min=low, max=self._range)
        high = _short(self._range, unit)
        low_text = f"−{high}" if self.centred else _short(0.0, unit)
        ramp = (
            f'<i class="ramp" style="--c:{self._ramp}">{escape(low_text)}<u></u>{escape(high)}</i>'
        )
        self._legend = f'</span></div><div class="lrl-key">{self._keys}{ramp}</div>'
        assign(self.cells, color=f32(values))


class MoneyMap(HeatMap):
    """Mean P&L, with the line where it is nothing, the line's interval, and theory's."""

    def __init__(self) -> None:
        super().__init__("map", "Mean P&L", LOSS_TO_GAIN, height="452px", centred=True)

    def _overlay(self) -> Sequence[Any]:
        scales = {"x": self.x.scale, "y": self.y.scale}
        nowhere = np.full(2, np.nan)
        self.band = lines(
            nowhere, nowhere, (theme.INK,), scales, fill="inside", close_path=True,
            fill_colors=[theme.INK], fill_opacities=[0.16], stroke_width=0.6, opacities=[0.35],
        )  # fmt: skip
        self.zero = lines(nowhere, nowhere, (theme.INK,), scales, stroke_width=2.4)
        self.theory = lines(
            nowhere, nowhere, (theme.ALARM,), scales, stroke_width=2.0, line_style="dashed"
        )
        self.chosen = lines(nowhere, nowhere, (theme.INK,), scales, stroke_width=2.0)
        return self.band, self.zero, self.theory, self.chosen

    def _own_keys(self) -> str:
        return (
            key("P&L is zero", theme.INK)
            + key("95 % interval", theme.INK, "band")
            + key("closed form", theme.ALARM, "dash")
        )

    def trace(
        self, at: Floats, low: Floats, high: Floats, theory: Floats, *, upright: bool
    ) -> None:
        """The contour in places, one for each row (upright) or column."""

        def turned(along: Floats, across: Floats) -> dict[str, Any]:
            x, y = (along, across) if upright else (across, along)
            return {"x": ended(x), "y": ended(y)}

        other = np.arange(at.size, dtype=np.float64)
        assign(self.zero, **turned(*_at_least_two(at, other)))
        assign(self.theory, **turned(*_at_least_two(theory, other)))
        known = _longest_run(np.isfinite(low) & np.isfinite(high) & np.isfinite(at))
        along = np.concatenate([low[known], high[known][::-1]])
        across = np.concatenate([other[known], other[known][::-1]])
        if along.size < 4:
            along = across = CORNER
        assign(self.band, **turned(along, across))

    def choose(self, row: int, column: int) -> None:
        """Frame a cell."""
        x = column + np.array([-0.5, 0.5, 0.5, -0.5, -0.5])
        y = row + np.array([-0.5, -0.5, 0.5, 0.5, -0.5])
        assign(self.chosen, x=f32(x), y=f32(y))


class CutChart(Panel):
    """Mean P&L along one axis through the chosen cell, with its interval."""

    def __init__(self) -> None:
        self.x = Grades("bottom")
        self.ruler = Ruler("currency", 1.0)
        scales = {"x": self.x.scale, "y": self.ruler.scale}
        nowhere = np.full((2, 2), np.nan)
        self.nothing = lines(
            np.array([-0.5, 0.5]), np.zeros(2), (theme.MUTED,), scales, stroke_width=1.0
        )
        self.band = lines(
            nowhere, nowhere, (theme.BLUE,) * 2, scales, fill="between", fill_colors=[theme.BLUE],
            fill_opacities=[0.2], stroke_width=0.5, opacities=[0.3, 0.3],
        )  # fmt: skip
        self.mean = lines(nowhere[0], nowhere[0], (theme.BLUE,), scales, stroke_width=2.0)
        self.theory = lines(
            nowhere[0], nowhere[0], (theme.ALARM,), scales, line_style="dashed", stroke_width=1.6
        )
        legend = (
            key("mean P&L", theme.BLUE),
            key("95 % interval", theme.BLUE, "band"),
            key("closed form’s zero", theme.ALARM, "dash"),
        )
        marks = (self.band, self.nothing, self.mean, self.theory)
        super().__init__(
            "cut", "Through the chosen cell", legend, (self.x.axis, self.ruler.axis), marks
        )

    def lay_out(self, values: Floats, label: str) -> None:
        """Take another axis."""
        self.x.show(values, label)
        assign(self.nothing, x=f32([-0.5, values.size - 0.5]), y=f32([0, 0]))

    def draw(self, mean: Floats, reach: Floats, theory_at: float) -> None:
        """Mean P&L of each cell, half its interval, and the place of theory's zero."""
        at = np.arange(mean.size, dtype=np.float64)
        low, high = mean - np.nan_to_num(reach), mean + np.nan_to_num(reach)
        known = np.isfinite(mean)
        self.ruler.follow(np.append(np.concatenate([low[known], high[known]]), 0.0))
        assign(self.mean, x=ended(at), y=ended(mean))
        if known.sum() > 1:
            assign(self.band, x=f32([at[known]] * 2), y=f32([low[known], high[known]]))
        else:
            assign(self.band, x=f32(np.zeros((2, 2))), y=f32(np.zeros((2, 2))))
        ends = [self.ruler.span.low, self.ruler.span.high]
        if math.isfinite(theory_at):
            assign(self.theory, x=f32([theory_at] * 2), y=f32(ends))
        else:
            assign(self.theory, x=f32([-0.5] * 2), y=f32([0, 0]))


def _at_least_two(along: Floats, across: Floats) -> tuple[Floats, Floats]:
    """A line with gaps; of one known point a stroke nearly a cell long.

    A browser leaves out a point whose y is unknown, but trips over one whose x is: both are.
    """
    known = np.isfinite(along)
    if np.count_nonzero(known) == 1:
        k = int(np.flatnonzero(known)[0])
        return np.array([along[k]] * 2), across[k] + np.array([-0.4, 0.4])
    return along, np.where(known, across, np.nan)


def _longest_run(known: NDArray[np.bool_]) -> slice:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]])))
    if not edges.size:
        return slice(0, 0)
    starts, ends = edges[::2], edges[1::2]
    best = int(np.argmax(ends - starts))
    return slice(int(starts[best]), int(ends[best]))


def _round_up(value: float) -> float:
    """The next number that reads easily.

    >>> _round_up(237.0), _round_up(0.0)
    (240.0, 0.0)
    """
    if value <= 0:
        return 0.0
    step = tick_step(value, 20)
    return round(math.ceil(value / step) * step, 12)


def _short(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.3g} %"
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.3g}"
