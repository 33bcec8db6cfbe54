"""The charts that run with time. Each has `draw`, which takes arrays and sets the traits that differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lablib.widgets import theme
from lablib.widgets.panels import Clock, Panel, Ruler, assign, ended, f32, key, lines
from lablib.widgets.reduce import COLUMNS
from lablib.widgets.view import MARKS

Floats = NDArray[np.floating]

ACROSS = np.linspace(-1, 0, 2 * COLUMNS, endpoint=False) + 0.25 / COLUMNS
ENDS = np.array([-1.0, 0.0])
NOTHING = np.full(2 * COLUMNS, np.nan)  # yet
UNKNOWN = np.full((2, 2), np.nan)

_UP = np.array([[-0.5, 0.0, 0.5, -0.5, np.nan], [-1.0, 0.0, -1.0, -1.0, np.nan]])


class PriceChart(Panel):
    """External price, venue mid and where we bought and sold."""

    def __init__(self, clock: Clock) -> None:
        self.ruler = Ruler("price", 0.05)
        scales = {"x": clock.scale, "y": self.ruler.scale}
        pair = np.stack([NOTHING, NOTHING])
        self.lines = lines(ACROSS, pair, (theme.PALE, theme.INK), scales)
        marks = np.full((2, 5 * MARKS), np.nan)
        self.marks = lines(
            marks,
            marks,
            ("#ffffff", "#ffffff"),
            scales,
            fill="inside",
            fill_colors=[theme.BLUE, theme.ORANGE],
            fill_opacities=[1.0, 1.0],
            stroke_width=0.7,
        )
        legend = (
            key("external", theme.INK),
            key("venue mid", theme.PALE),
            key("buy", theme.BLUE, "up"),
            key("sell", theme.ORANGE, "down"),
        )
        super().__init__(
            "price",
            "Prices as we see them",
            legend,
            (clock.axis, self.ruler.axis),
            (self.lines, self.marks),
        )

    def draw(self, external: Floats, market: Floats, buys: Floats, sells: Floats) -> None:
        """Set the price lines and the fills, each shape (2, n): age in [-1, 0] and price."""
        self.ruler.follow(np.concatenate([external, market]))
        assign(self.lines, y=ended([market, external]))
        height = 0.055 * (self.ruler.span.high - self.ruler.span.low)
        x, y = zip(triangles(buys, height), triangles(sells, -height), strict=True)
        assign(self.marks, x=ended(x), y=ended(y))


def triangles(points: Floats, height: float) -> tuple[Floats, Floats]:
    """Outlines of triangles with their tips at `points`, below them when `height` is positive.

    One path of constant length draws them all: no element comes or goes in the browser.
    """
    x, y = np.full((2, 5 * MARKS), np.nan)
    for index, (age, price) in enumerate(points.T[-MARKS:]):
        place = slice(5 * index, 5 * index + 5)
        x[place] = age + 0.026 * _UP[0]
        y[place] = price + height * _UP[1]
    return x, y


class DivergenceChart(Panel):
    """What the strategy looks at, and where it asked for a trade."""

    def __init__(self, clock: Clock) -> None:
        self.ruler = Ruler("bps", 4.0, symmetric=True)
        scales = {"x": clock.scale, "y": self.ruler.scale}
        self.threshold = lines(
            ENDS,
            UNKNOWN,
            (theme.MUTED,) * 2,
            scales,
            line_style="dashed",
            stroke_width=1.2,
        )
        self.lines = lines(
            ACROSS,
            np.stack([NOTHING] * 3),
            (theme.SLATE, theme.BLUE, theme.ORANGE),
            scales,
        )
        legend = (
            key("threshold", theme.MUTED, "dash"),
            key("asks to buy", theme.BLUE),
            key("asks to sell", theme.ORANGE),
        )
        super().__init__(
            "divergence",
            "Divergence",
            legend,
            (clock.axis, self.ruler.axis),
            (self.threshold, self.lines),
        )

    def draw(self, divergence: Floats, buys: Floats, sells: Floats, threshold: float) -> None:
        """All in fractions of the price."""
        self.mark(threshold)
        values = 1e4 * np.stack([divergence, buys, sells])
        self.ruler.follow(np.append(values[0], (1.15e4 * threshold)))
        assign(self.lines, y=ended(values))

    def mark(self, threshold: float) -> None:
        """Move the threshold lines."""
        at = 1e4 * threshold
        assign(self.threshold, y=f32([[at, at], [-at, -at]]))


class EquityChart(Panel):
    """Equity since the start; the gap to its running peak is the drawdown. `ghost` names the other run."""

    def __init__(self, clock: Clock, ghost: str = "without latency") -> None:
        self.ruler = Ruler("currency", 1.0)
        self.lines = lines(
            ACROSS,
            np.stack([NOTHING, NOTHING]),
            (theme.PALE, theme.BLUE),
            {"x": clock.scale, "y": self.ruler.scale},
            fill="between",
            fill_colors=[theme.ORANGE, theme.NONE],
            fill_opacities=[0.16, 0.0],
        )
        legend = (
            key("equity", theme.BLUE),
            key("peak", theme.PALE),
            key("drawdown", "#f4c9a3"),
            key(ghost, theme.GHOST),
        )
        self.ghost = lines(
            ACROSS,
            NOTHING,
            (theme.GHOST,),
            {"x": clock.scale, "y": self.ruler.scale},
            line_style="dashed",
        )
        marks = (self.lines, self.ghost)
        axes = (clock.axis, self.ruler.axis)
        super().__init__("equity", "Equity since the start", legend, axes, marks)

    def draw(self, equity: Floats, peak: Floats, ghost: Floats) -> None:
        """All in currency, less the starting cash; `ghost` is the run without latency."""
        self.ruler.follow(np.concatenate([equity, peak, ghost[np.isfinite(ghost)]]))
        assign(self.lines, y=ended([peak, equity]))
        # Where nothing of ours is late the two are one: a line behind a line says nothing.
        apart = not np.array_equal(ghost, equity, equal_nan=True)
        assign(self.ghost, y=ended(ghost if apart else NOTHING))


class PositionChart(Panel):
    """What we hold, against the size of one order and the gross limit."""

    def __init__(self, clock: Clock) -> None:
        self.ruler = Ruler("lots", 10.0, symmetric=True)
        scales = {"x": clock.scale, "y": self.ruler.scale}
        self.limits = lines(
            ENDS,
            UNKNOWN,
            (theme.ALARM,) * 2,
            scales,
            line_style="dashed",
            stroke_width=1.2,
        )
        self.order = lines(
            ENDS,
            UNKNOWN,
            (theme.MUTED,) * 2,
            scales,
            line_style="dashed",
            stroke_width=1.0,
        )
        self.lines = lines(ACROSS, NOTHING, (theme.SLATE,), scales, stroke_width=1.7)
        legend = (
            key("position", theme.SLATE),
            key("one order", theme.MUTED, "dash"),
            key("gross limit", theme.ALARM, "dash"),
        )
        super().__init__(
            "position",
            "Position",
            legend,
            (clock.axis, self.ruler.axis),
            (self.order, self.limits, self.lines),
        )

    def draw(self, position: Floats, order_lots: float, limit_lots: float) -> None:
        """All in lots; the axis makes room for the gross limit where it is near enough to matter."""
        held = np.append(position, order_lots)
        near = limit_lots <= 3 * float(np.nanmax(np.abs(held)))
        self.ruler.follow(np.append(held, limit_lots) if near else held)
        assign(self.order, y=f32([[order_lots] * 2, [-order_lots] * 2]))
        assign(self.limits, y=f32([[limit_lots] * 2, [-limit_lots] * 2]))
        assign(self.lines, y=ended(position))
