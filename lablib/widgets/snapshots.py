"""The charts of what is now: latency so far, and the book. Each has `draw`, as the running charts have."""

from __future__ import annotations

import bqplot as bq
import numpy as np
from numpy.typing import NDArray

from lablib.widgets import theme
from lablib.widgets.panels import Panel, Ruler, assign, axis, ended, f32, key, lines
from lablib.widgets.scales import CORNER, tick_format, tick_step

Floats = NDArray[np.floating]
Counts = NDArray[np.int64]

BINS = 40
LEVELS = 32  # of a book side that are drawn
THINNEST = 0.08  # decades a histogram spans at least


class LatencyChart(Panel):
    """How long news takes to become a fill: a histogram on a logarithmic axis."""

    DECADES = (-4, -3, -2, -1, 0, 1, 2, 3, 4, 5)
    NAMES = ("", "≤ 1 µs", "10 µs", "0.1", "1", "10", "100", "1 s", "10 s", "100 s")

    def __init__(self) -> None:
        self.x = bq.LinearScale(min=-1.0, max=3.0, allow_padding=False)
        self.y = bq.LinearScale(min=0.0, max=1.08, allow_padding=False)
        scales = {"x": self.x, "y": self.y}
        self.x_axis = axis(
            self.x, "bottom", "ms, logarithmic", tick_values=np.array([0.0, 1, 2, 3])
        )
        self.x_axis.tick_labels = dict(zip(map(str, self.DECADES), self.NAMES, strict=True))
        y_axis = axis(
            self.y,
            "left",
            "share of the peak",
            tick_values=np.array([0.0, 0.5, 1.0]),
            tick_format=".0%",
        )
        blank = np.full((2, 2 * BINS + 2), np.nan)
        self.lines = lines(
            blank,
            blank,
            (theme.PALE, theme.BLUE),
            scales,
            fill="bottom",
            fill_colors=[theme.PALE, theme.BLUE],
            fill_opacities=[0.25, 0.22],
        )
        three = np.full((3, 2), np.nan)
        self.marks = lines(
            three,
            three,
            (theme.INK, theme.ORANGE, theme.ALARM),
            scales,
            stroke_width=1.4,
            line_style="dashed",
        )
        legend = (
            key("news to fill", theme.BLUE),
            key("order to match", theme.PALE),
            key("p50", theme.INK, "dash"),
            key("p95", theme.ORANGE, "dash"),
            key("p99", theme.ALARM, "dash"),
        )
        super().__init__(
            "latency", "Latency", legend, (self.x_axis, y_axis), (self.lines, self.marks)
        )

    def clear(self) -> None:
        """Show that there is nothing yet."""
        blank, three = ended(np.full((2, 2 * BINS + 2), np.nan)), ended(np.full((3, 2), np.nan))
        assign(self.lines, x=blank, y=blank)
        assign(self.marks, x=three, y=three)

    def draw(
        self,
        end_to_end: tuple[Floats, Counts],
        exchange: tuple[Floats, Counts],
        percentiles_ms: tuple[float, float, float],
    ) -> None:
        """Histograms as (edges in ms, counts), percentiles p50, p95 and p99 in ms."""
        curves = [outline(*exchange), outline(*end_to_end)]
        x = np.stack([curve[0] for curve in curves])
        known = x[np.isfinite(x)]
        if known.size:
            low = np.clip(np.floor(known.min()), self.DECADES[0], 0)
            high = np.clip(np.ceil(known.max() + 0.05), low + 3, self.DECADES[-1])
            if low < self.x.min or high > self.x.max or high - low < self.x.max - self.x.min - 1:
                assign(self.x, min=float(low), max=float(high))
                assign(self.x_axis, tick_values=np.arange(low + 1, high + 1))
        assign(self.lines, x=ended(x), y=ended([curve[1] for curve in curves]))
        at = np.log10(np.maximum(percentiles_ms, 1e-3))
        assign(self.marks, x=f32(np.stack([at, at], axis=1)), y=f32([[0.0, 1.08]] * 3))


def outline(edges_ms: Floats, counts: Counts) -> Floats:
    """A histogram as a step line over log10 of milliseconds, scaled to a peak of one, shape (2, 2 * BINS + 2)."""
    out = np.full((2, 2 * BINS + 2), np.nan)
    top = counts.max(initial=0)
    if top > 0:
        edges = np.log10(edges_ms)
        if edges[-1] - edges[0] < THINNEST:  # a constant delay is a bar, not a hair
            edges = np.linspace(-0.5, 0.5, edges.size) * THINNEST + edges.mean()
        out[0, : 2 * edges.size] = np.repeat(edges, 2)
        out[1, : 2 * edges.size] = np.concatenate([[0], np.repeat(counts / top, 2), [0]])
    return out


class DepthChart(Panel):
    """The venue's book, cumulated from the touch, and the price it is late for."""

    def __init__(self) -> None:
        self.ruler = Ruler("lots, cumulated", 10.0, from_zero=True)
        self.x = bq.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self.x_axis = axis(self.x, "bottom", "price")
        scales = {"x": self.x, "y": self.ruler.scale}
        blank = np.full((2, 2 * LEVELS), np.nan)
        self.lines = lines(
            blank,
            blank,
            (theme.BLUE, theme.ORANGE),
            scales,
            fill="bottom",
            fill_colors=[theme.BLUE, theme.ORANGE],
            fill_opacities=[0.18, 0.18],
        )
        self.external = lines(
            np.full(2, np.nan), np.full(2, np.nan), (theme.INK,), scales, line_style="dashed"
        )
        self._half = 0.0
        self._centre = np.nan
        legend = (
            key("bids", theme.BLUE),
            key("asks", theme.ORANGE),
            key("external price", theme.INK, "dash"),
        )
        super().__init__(
            "depth",
            "Order book depth",
            legend,
            (self.x_axis, self.ruler.axis),
            (self.lines, self.external),
        )

    def draw(self, bids: Floats, asks: Floats, external: float, tick: float) -> None:
        """Both sides as (2, 2 * LEVELS) outlines of `view.step_outline`; prices in currency."""
        prices = np.append(np.concatenate([bids[0], asks[0]]), external)
        prices = prices[np.isfinite(prices)]
        self._frame(float(prices.min()), float(prices.max()), tick)
        depth = np.concatenate([bids[1], asks[1]])
        self.ruler.follow(np.append(depth[np.isfinite(depth)], 0.0))
        # The sides end at the edge of the chart, as the book goes on beyond what is drawn.
        assign(self.lines, x=ended([bids[0], asks[0]]), y=ended([bids[1], asks[1]]))
        assign(
            self.external,
            x=f32([external, external]),
            y=f32([self.ruler.span.low, self.ruler.span.high]),
        )

    def _frame(self, low: float, high: float, tick: float) -> None:
        """Keep the book in the picture; the frame moves when it nears the edge."""
        half = max((high - low) / 2, 4 * tick)
        centre = (low + high) / 2
        inside = self._centre - self._half <= low and high <= self._centre + self._half
        if inside and half > 0.35 * self._half:
            return
        self._half, self._centre = 1.5 * half, centre
        left, right = centre - self._half, centre + self._half
        step = tick_step(right - left, 4)
        first = left + CORNER * (right - left)
        ticks = np.arange(np.ceil(first / step), np.floor(right / step) + 1) * step
        assign(self.x, min=left, max=right)
        assign(self.x_axis, tick_format=tick_format(step))
        assign(self.x_axis, tick_values=ticks)
