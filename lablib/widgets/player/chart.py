"""A whole run at one glance: equity from start to end, beside another where there is one, and where we are in it.

Every mark is made once; moving through the run sets four numbers.
"""

from __future__ import annotations

import bqplot as bq
import ipywidgets as W  # noqa: N812 - the name its own manual uses
import numpy as np
from numpy.typing import NDArray

from lablib.widgets import theme
from lablib.widgets.panels import UNITS, Panel, Ruler, assign, axis, ended, f32, key, lines
from lablib.widgets.reduce import COLUMNS

Floats = NDArray[np.floating]

ACROSS = (np.arange(2 * COLUMNS) + 0.5) / (2 * COLUMNS)
NOTHING = np.full(2 * COLUMNS, np.nan)
PLACES = 2_000  # of the slider, over the whole span
TICKS = 240  # of one kind that are drawn; more would stand in the same pixels
ENDS = np.array([0.0, 1.0])
STEPS: tuple[float, ...] = (
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    20,
    30,
)  # between two ticks, seconds,
STEPS += tuple(60 * k for k in (1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 1440))  # and further on


class OverviewChart(Panel):
    """Equity of the whole run, with what was done and when it was halted."""

    def __init__(self, slider: object) -> None:
        self.ruler = Ruler("currency", 1.0)
        self._x = bq.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._axis = axis(self._x, "bottom", "simulated time", tick_values=ENDS)
        height = bq.LinearScale(min=0.0, max=1.0, allow_padding=False)
        values, full = {"x": self._x, "y": self.ruler.scale}, {"x": self._x, "y": height}
        self.gap = lines(
            ACROSS,
            np.stack([NOTHING, NOTHING]),
            (theme.NONE, theme.NONE),
            values,
            fill="between",
            fill_colors=[theme.PALE, theme.NONE],
            fill_opacities=[0.35, 0.0],
        )
        self.other = lines(ACROSS, NOTHING, (theme.GHOST,), values)
        self.equity = lines(ACROSS, NOTHING, (theme.BLUE,), values)
        none = np.full(3 * TICKS, np.nan)
        self.halts = lines(none, none, (theme.ALARM,), full, stroke_width=1.2)
        self.done = lines(none, none, (theme.ORANGE,), full, stroke_width=2.0)
        self.here = lines(ENDS * 0, ENDS, (theme.INK,), full, stroke_width=1.6)
        legend = (
            key("this record", theme.BLUE),
            key("compared with", theme.GHOST),
            key("difference", "#d9e1ea", "block"),
            key("a command", theme.ORANGE),
            key("a halt", theme.ALARM),
        )
        super().__init__(
            "overview",
            "The whole run: equity since the start",
            legend,
            (self._axis, self.ruler.axis),
            (self.gap, self.halts, self.done, self.other, self.equity, self.here),
        )
        self.figure.layout.height = "210px"
        self.box.children = (*self.box.children, slider)
        self.box.add_class("lrl-wide")

    def show(self, equity: Floats, other: Floats, gap: Floats, span_s: float) -> None:
        """Lay a run out.

        Parameters
        ----------
        equity, other
            Since the start, currency, on the places `ACROSS`; NaN where there is none.
        gap
            How far this one is ahead of the other, likewise.
        span_s
            Simulated seconds from edge to edge.
        """
        everything = np.concatenate([equity, other, gap, [0.0]])
        self.ruler.follow(everything[np.isfinite(everything)])
        assign(self.equity, y=ended(equity))
        assign(self.other, y=ended(other))
        assign(self.gap, y=ended([gap, np.where(np.isfinite(gap), 0.0, np.nan)]))
        step = next((step for step in STEPS if span_s <= 8.5 * step), span_s / 4)
        times = np.arange(0.0, span_s * 0.985, step)  # one at the very end would have no room
        unit, size = next((pair for pair in UNITS.items() if step >= pair[1]), ("s", 1))
        shares = times / span_s
        # A browser writes the number 0.0 as "0", and any other as Python does.
        names = ["0", *map(str, shares.tolist()[1:])]
        labels = {name: f"{at / size:g} {unit}" for name, at in zip(names, times, strict=True)}
        # The labels go first: ticks that move take along those they find.
        assign(self._axis, tick_labels=labels)
        assign(self._axis, tick_values=shares)

    def mark(self, commands: Floats, halts: Floats) -> None:
        """Say where something was done and where trading was halted, as shares of the span."""
        assign(self.done, **_strokes(commands, 0.0, 0.09))
        assign(self.halts, **_strokes(halts, 0.0, 1.0))

    def move(self, share: float) -> None:
        """Stand at a share of the span."""
        assign(self.here, x=f32([share, share]))


def scrubber() -> W.IntSlider:
    """The slider under the chart: whole places, so that a browser rounds nothing and answers nothing."""
    slider = W.IntSlider(
        0,
        min=0,
        max=PLACES,
        readout=False,
        tooltip="Move through the run; arrow keys move by a little",
        layout={"width": "auto"},
    )
    slider.add_class("lrl-scrub")
    return slider


def _strokes(shares: Floats, low: float, high: float) -> dict[str, NDArray[np.float32]]:
    """Upright strokes as one path of constant length."""
    places = np.unique(np.round(np.asarray(shares, float) * TICKS * 4) / (TICKS * 4))[1 - TICKS :]
    x, y = np.full((2, 3 * TICKS), np.nan)
    x[0 : 3 * places.size : 3] = x[1 : 3 * places.size : 3] = places
    y[0 : 3 * places.size : 3] = low
    y[1 : 3 * places.size : 3] = high
    return {"x": ended(x), "y": ended(y)}
