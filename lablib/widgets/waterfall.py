"""Where the P&L comes from, and what came after our fills: of a run that is going on, or of a finished one.

The charts take arrays, as all others do. `waterfall` and `markout_chart` make one of a `Run`, for a notebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import bqplot as bq
import ipywidgets as W  # noqa: N812 - the name its own manual uses
import numpy as np
from numpy.typing import NDArray

from lablib.attribution import PARTS
from lablib.errors import ConfigError
from lablib.performance import markouts
from lablib.widgets import theme
from lablib.widgets.panels import Panel, Ruler, assign, axis, ended, key, lines
from lablib.widgets.readouts import signed
from lablib.widgets.view import HORIZONS_MS

if TYPE_CHECKING:
    from lablib.run import Run

Floats = NDArray[np.floating]

BARS = {
    "edge": "edge we saw",
    "latency": "latency in our fills",
    "half_spread": "half spread",
    "impact": "impact",
    "fees": "fees",
    "drift_in_flight": "price moved in flight",
    "drift_after": "price moved since",
    "pnl": "P&L",
}
THICK = 0.33  # half of a bar, in rows
_CORNERS = np.array([[0, 1, 1, 0, np.nan], [-THICK, -THICK, THICK, THICK, np.nan]])


class WaterfallChart(Panel):
    """Profit and loss by its causes: bars from the edge we saw down to what became of it."""

    def __init__(self) -> None:
        self.ruler = Ruler("currency", 1.0, side="bottom", count=3)
        rows = np.arange(len(BARS), dtype=np.float64)[::-1]  # the first stands on top
        self._rows = rows
        y = bq.LinearScale(min=-0.6, max=len(BARS) - 0.4, allow_padding=False)
        scales = {"x": self.ruler.scale, "y": y}
        names, self.numbers = (axis(y, side, "", tick_values=rows) for side in ("left", "right"))
        for scale_axis in (names, self.numbers):
            scale_axis.grid_lines = "none"
        names.tick_labels = {
            f"{row:g}": name for row, name in zip(rows, BARS.values(), strict=True)
        }
        self.zero = lines(np.zeros(2), [y.min, y.max], (theme.MUTED,), scales, stroke_width=1.0)
        blank = np.full(3 * len(BARS), np.nan)
        self.steps = lines(blank, blank, (theme.PALE,), scales, stroke_width=1.0)
        colors = [theme.BLUE, theme.ORANGE, theme.SLATE]
        blank = np.full((3, 5 * len(BARS)), np.nan)
        self.bars = lines(
            blank,
            blank,
            colors,
            scales,
            fill="inside",
            fill_colors=colors,
            fill_opacities=[1.0] * 3,
            stroke_width=1.0,
        )
        legend = (
            key("earned", theme.BLUE, "block"),
            key("cost", theme.ORANGE, "block"),
            key("what is left", theme.SLATE, "block"),
        )
        super().__init__(
            "waterfall",
            "Where the P&L comes from",
            legend,
            (self.ruler.axis, names, self.numbers),
            (self.steps, self.zero, self.bars),
            how="From the edge we saw down to the P&L: each bar begins where the one above it ends.",
            margin={"left": 122, "right": 76},
        )
        self.draw(np.zeros((2, len(PARTS))))

    def draw(self, parts: Floats) -> None:
        """Set the bars to `parts`, in currency: entries and exits, shape (2, PARTS)."""
        ends = np.cumsum(parts.sum(axis=0))
        starts = np.concatenate([[0.0], ends[:-1], [0.0]])
        ends = np.append(ends, ends[-1])
        self.ruler.follow(np.append(ends, 0.0))
        kinds = np.where(ends < starts, 1, 0)
        kinds[-1] = 2
        x, y = bars(starts, ends, self._rows)
        own = np.repeat(kinds == np.arange(3)[:, None], 5, axis=1)
        assign(self.bars, x=ended(np.where(own, x, np.nan)), y=ended(np.where(own, y, np.nan)))
        gap = np.full(len(BARS), np.nan)
        below = np.append(self._rows[1:], self._rows[-1])
        assign(
            self.steps,
            x=ended(np.stack([ends, ends, gap], axis=1).ravel()),
            y=ended(np.stack([self._rows, below, gap], axis=1).ravel()),
        )
        texts = {
            f"{row:g}": signed(value) for row, value in zip(self._rows, ends - starts, strict=True)
        }
        assign(self.numbers, tick_labels=texts)
        entries, exits = parts.sum(axis=1)
        self.say(f"entries {signed(entries)} · exits {signed(exits)}")


def bars(starts: Floats, ends: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Outlines of lying bars, one path of constant length: five points a bar, the last a gap."""
    x = starts[:, None] + (ends - starts)[:, None] * _CORNERS[0]
    y = rows[:, None] + _CORNERS[1]
    return x.ravel(), y.ravel()


class MarkoutChart(Panel):
    """Where the mid stood some time after our fills, against their price.

    Parameters
    ----------
    horizons_ms
        The times, ascending; drawn at even distances.
    """

    def __init__(self, horizons_ms: Sequence[float]) -> None:
        self.horizons_ms = tuple(horizons_ms)
        last = len(self.horizons_ms) - 1
        self.ruler = Ruler("bps", 2.0)
        x = bq.LinearScale(min=-0.25, max=last + 0.25, allow_padding=False)
        decades = [k for k, ms in enumerate(self.horizons_ms) if ms == 0 or np.log10(ms) % 1 == 0]
        x_axis = axis(x, "bottom", "time after the fill", tick_values=np.array(decades, float))
        x_axis.tick_labels = {str(k): time_of(self.horizons_ms[k]) for k in decades}
        scales = {"x": x, "y": self.ruler.scale}
        self.zero = lines([-0.25, last + 0.25], np.zeros(2), (theme.MUTED,), scales)
        self.zero.stroke_width = 1.0
        # The curve ends where it is known, apart from the point that the browser wants at its end.
        self._beyond = np.array([[np.nan, 0.0]] * 2)
        at = np.append(np.arange(last + 1.0), [np.nan, -0.25])
        self.lines = lines(
            np.stack([at, at]),
            np.full((2, last + 3), np.nan),
            (theme.PALE, theme.BLUE),
            scales,
            stroke_width=1.8,
        )
        super().__init__(
            "markouts",
            "Markouts",
            (key("entries", theme.BLUE), key("exits", theme.PALE)),
            (x_axis, self.ruler.axis),
            (self.zero, self.lines),
            how="The mid some time after our fills: above zero, it went our way.",
        )
        self.say("no fill yet")

    def draw(self, bps: Floats, fills: int) -> None:
        """Set the curves of entries and exits, shape (2, horizons), NaN where there is none."""
        self.ruler.follow(np.append(bps[np.isfinite(bps)], 0.0))
        assign(self.lines, y=ended(np.hstack([bps[::-1], self._beyond])))
        self.say(f"{fills:,} fills" if fills else "no fill yet")


def time_of(ms: float) -> str:
    """A horizon in words.

    >>> time_of(0), time_of(20), time_of(10_000)
    ('0', '20 ms', '10 s')
    """
    return "0" if ms == 0 else f"{ms:g} ms" if ms < 1_000 else f"{ms / 1_000:g} s"


def waterfall(run: Run) -> W.VBox:
    """Where a run's P&L came from, as a chart: `run.attribution()`, part by part, down to the P&L.

    Raises
    ------
    ConfigError
        What is given is no finished run.
    """
    table = _finished(run).attribution("leg")
    parts = np.zeros((2, len(PARTS)))
    for row in table:
        parts[row["key"]] = [row[name] for name in PARTS]
    chart = WaterfallChart()
    chart.draw(parts)
    return _alone(chart)


def markout_chart(run: Run, horizons_ms: Sequence[float] = HORIZONS_MS) -> W.VBox:
    """Where the mid stood some time after a run's fills, entries and exits apart, as a chart.

    Parameters
    ----------
    run
        Its `samples` are the looks at the mid: between two decisions nothing is known of it.
    horizons_ms
        The times, as `Run.markouts` takes them.

    Raises
    ------
    ConfigError
        What is given is no finished run, or a horizon is below 0.
    """
    looks = _finished(run).samples
    curves = [
        markouts(fills, looks["t_ns"], looks["market_px"], horizons_ms)["bps"]
        for fills in (run.fills[run.fills["is_exit"] == leg] for leg in (0, 1))
    ]
    chart = MarkoutChart(horizons_ms)
    chart.draw(np.stack(curves), run.fills.size)
    return _alone(chart)


def _finished(run: Run) -> Run:
    from lablib.run import Run  # brings the compiler along, which the page's controls do without

    if not isinstance(run, Run):
        raise ConfigError(f"run: a finished run as lablib.run makes it, got {run!r}")
    return run


def _alone(chart: Panel) -> W.VBox:
    """A panel outside a page, which brings its own style."""
    box = W.VBox([W.HTML(f"<style>{theme.CSS}</style>"), chart.box])
    for name in ("lrl", "lrl-alone"):
        box.add_class(name)
    return box
