"""The page of the drills: figures, charts around the fault, the timeline, the score card."""

from __future__ import annotations

import os
import time
from typing import Any

import bqplot as bq
import ipywidgets as W  # noqa: N812 - the name its own manual uses
import numpy as np
from numpy.typing import NDArray

from lablib.config import SimConfig
from lablib.drills import Drill
from lablib.drills.timeline import NEVER
from lablib.kernels import tables as t
from lablib.widgets import readouts, theme
from lablib.widgets.charts import EquityChart, PositionChart, PriceChart
from lablib.widgets.drills import scores, words
from lablib.widgets.panels import Clock, assign, ended, f32, key, lines
from lablib.widgets.reduce import COLUMNS
from lablib.widgets.view import EQUITY, EXTERNAL, GHOST, MARKET, NS, PEAK, POSITION, View

WORDS_S = 0.1  # between two readouts while it plays
ENDS = np.array([[-1.0, -1.0], [-1.0, -1.0]])
UNKNOWN = np.full((2, 2), np.nan)


class Span(Clock):
    """The horizontal axis: a fixed stretch around the fault, ticks in time since it began."""

    def __init__(self) -> None:
        super().__init__(3.0)
        self.axis.label = "simulated time since the fault began"
        self.begin_s = self.end_s = 0.0

    def lay_out(self, begin_s: float, fault_s: float, end_s: float) -> None:
        """Show simulated seconds from `begin_s` to `end_s`."""
        self.begin_s, self.end_s = begin_s, end_s
        length = end_s - begin_s
        step = next((step for step in (0.1, 0.2, 0.5, 1.0, 2.0) if length <= 7 * step), 5.0)
        first = int(np.ceil((begin_s - fault_s) / step + 1e-9))
        last = end_s - fault_s - 0.04 * length  # a tick at the very end would have no room
        seconds = np.arange(first, int(last / step) + 1) * step
        places = np.round((fault_s + seconds - end_s) / length, 9) + 0.0
        names = [f"{at:+.3g} s" if round(at, 6) else "fault" for at in seconds]
        # The labels go first: ticks that move take along those they find.
        # A browser writes the number 0.0 as "0", and any other as Python does.
        keys = [f"{at:.0f}" if at == round(at) else str(at) for at in places.tolist()]
        labels = {key: name.replace("-", "−") for key, name in zip(keys, names, strict=True)}
        assign(self.axis, tick_labels=labels)
        assign(self.axis, tick_values=places)

    def place(self, at_s: float) -> float:
        """Where a simulated time stands on the axis."""
        return (at_s - self.end_s) / (self.end_s - self.begin_s)


class Stage:
    """Charts and readouts of one drill, and the card of all.

    Attributes
    ----------
    widgets
        The whole page, from top to bottom.
    """

    def __init__(self, column: Any, hidden: Any) -> None:
        self.span = Span()
        self.prices = PriceChart(self.span)
        self.equity = EquityChart(self.span, ghost="the same, without delay")
        self.position = PositionChart(self.span)
        height = bq.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._moments = []
        for panel in (self.prices, self.equity, self.position):
            mark = lines(
                ENDS,
                UNKNOWN,
                (theme.ORANGE, theme.ALARM),
                {"x": self.span.scale, "y": height},
                stroke_width=1.6,
            )
            self._moments.append(mark)
            panel.figure.marks = [*panel.figure.marks, mark]
            panel.figure.layout.height = "176px"
        self._head, self._kpis, self._take, self._steps, self._card = (W.HTML() for _ in range(5))
        self._banner = W.HTML(layout={"display": "none"})
        self._banner.add_class("lrl-banner")
        self._said = 0.0
        self.widgets = self._page(column, hidden)
        self.clear()

    def _page(self, column: Any, hidden: Any) -> list[Any]:
        self._grid = W.Box([panel.box for panel in (self.prices, self.equity, self.position)])
        self._grid.add_class("lrl-grid")
        keys = key("the fault begins", theme.ORANGE) + key("the switch latches", theme.ALARM)
        self._legend = W.HTML(
            f'<div class="lrl-key">Upright lines: {keys}<span>{NOTE}</span></div>'
        )
        story = W.VBox([self._take, self._steps])
        cards = W.VBox([self._card])
        for card in (story, cards):
            card.add_class("lrl-card")
        story.add_class("lrl-story")
        self._story, self._cards = story, cards
        self._main = W.VBox([story, cards])
        self._main.add_class("lrl-main")
        body = W.Box([column, self._main])
        body.add_class("lrl-body")
        links = '<a href="live.ipynb">Live lab</a> <a href="replay.ipynb">Replay</a>'
        nav = f"<nav>{links}</nav>" if "QUERY_STRING" in os.environ else ""
        self._head.value = (
            '<div class="lrl-head"><h1>Latency Risk Lab</h1><p>Drills: break something, and watch what stops'
            f" the loss, when, and what being late costs. Simulation only.</p>{nav}</div>"
        )
        return [W.HTML(f"<style>{theme.CSS}{CSS}</style>"), self._head, self._kpis, body, hidden]

    @property
    def parts(self) -> list[Any]:
        """What is to be closed with the page, on it or not."""
        return [self._banner, self._grid, self._legend]

    # ------------------------------------------------------------------------------------- drawing
    def clear(self) -> None:
        """Show that nothing has been run yet."""
        assign(self._kpis, value=words.tiles(None, 0, over=False))
        assign(self._take, value=EMPTY)

    def lay_out(self, drill: Drill, begin_ns: int, end_ns: int) -> None:
        """Make room for a drill from one moment to another."""
        self.span.lay_out(begin_ns * NS, drill.begin_ns * NS, end_ns * NS)
        assign(self._take, value=f'<div class="lrl-take">{RUNNING}</div>')
        # Charts join the page only with something to show: an empty one says nothing.
        if self._grid not in self._main.children:
            self._main.children = (self._banner, self._grid, self._story, self._cards)
            self._story.children = (self._take, self._legend, self._steps)

    def draw(self, drill: Drill, view: View, config: SimConfig, *, over: bool) -> None:
        """Show the view's newest moment: lines always, words a few times a second."""
        frame = view.frame
        if frame is None:
            return
        rows = _until(view.lines(self.span.end_s), frame.t_ns * NS, self.span.end_s, view.window_s)
        start = rows[EQUITY][np.isfinite(rows[EQUITY])][:1].sum()
        marks = [view.fills(side, self.span.end_s) for side in (t.BUY, t.SELL)]
        self.prices.draw(rows[EXTERNAL], rows[MARKET], *marks)
        self.equity.draw(rows[EQUITY] - start, rows[PEAK] - start, rows[GHOST] - start)
        lots = frame.equity / (frame.market_px * config.venue.lot_size)
        self.position.draw(
            rows[POSITION], lots * config.risk.max_position_pct, float(frame.gross_limit_lots)
        )
        known = [drill.begin_ns, drill.halt.t_ns]
        known = [at if NEVER < at <= frame.t_ns else NEVER for at in known]
        # A place that is no number upsets a browser; a height that is none hides the line.
        places = [[self.span.place(at * NS) if at != NEVER else -1.0] * 2 for at in known]
        heights = [[0.0, 1.0] if at != NEVER else [np.nan, np.nan] for at in known]
        for mark in self._moments:
            assign(mark, x=f32(places), y=ended(heights))
        text = words.banner(drill, frame.t_ns)
        # Its place is kept from the start where it will be needed: charts that play must not jump.
        needed = drill.halt.t_ns != NEVER
        assign(self._banner, value=text or "&nbsp;")
        assign(
            self._banner.layout,
            display="" if needed else "none",
            visibility="visible" if text else "hidden",
        )
        if over or time.monotonic() - self._said >= WORDS_S:
            self._said = time.monotonic()
            self._say(drill, view, over=over)

    def _say(self, drill: Drill, view: View, *, over: bool) -> None:
        frame = view.frame
        assert frame is not None
        assign(self._kpis, value=words.tiles(drill, frame.t_ns, over=over))
        assign(self._steps, value=words.timeline(drill, frame.t_ns))
        if over:
            assign(self._take, value=words.headline(drill))
        self.prices.say(f"{frame.external_px:,.3f} · venue {frame.market_px:,.3f}")
        self.position.say(f"{readouts.signed(frame.position_lots, 0)} lots")
        told = f"{frame.equity:,.2f}"
        if frame.twin is not None:
            told = f"no delay {readouts.signed(frame.twin.equity - frame.equity)}"
        self.equity.say(told)

    def show_card(self, rows: np.ndarray) -> None:
        """Show the drills run so far, rows of `drills.CARD`."""
        assign(self._card, value=scores.card(rows))


def _until(rows: NDArray[Any], now_s: float, end_s: float, window_s: float) -> NDArray[Any]:
    """Lines over a window that ends at `end_s`, NaN where it has not happened yet."""
    width = window_s / COLUMNS
    left = np.floor(now_s / width) - (np.floor(end_s / width) - (COLUMNS - 1)) + 1
    rows[:, int(max(0.0, 2 * left)) :] = np.nan
    return rows


EMPTY = """
<div class="lrl-take"><b>Choose a drill on the left.</b> Something breaks while money is at work, and you watch what
stops the loss.</div>
<ol class="lrl-how-to">
<li>A market runs, and a desk trades in it, three times its equity. The fault begins at a bad moment: while a
position is held, or as an order is about to leave. Meanwhile the market goes against you.</li>
<li>Line by line you see what happened and when: the fault, the control that notices, the <b>kill switch</b> that
latches (from then on no new order leaves), the orders that were already on their way and still trade, the last
trade. Beside each line stands what had been made or lost by then.</li>
<li>Beside it the same market runs once more, with a switch that is pulled as soon as there is reason to and with no
delay on any wire. The difference is what <b>your lateness</b> costs. One market may be luck: “On 20 other markets”
tells.</li>
<li>Each drill is a line on the score card, passed or failed by the marks you set under “What still passes”; the card
can be saved as a table. The sliders say how late you are, and where your limits stand.</li></ol>
"""
NOTE = "All amounts in currency. A lot is the smallest amount that trades; 1 bps is a hundredth of a percent."
RUNNING = (
    "It plays. The switch you have, and beside it the same run with a switch that is never late."
)

CSS = f"""
.lrl-catalogue {{ gap: 4px; overflow: visible; }}
.lrl .lrl-catalogue button.jupyter-button {{ justify-content: flex-start; padding: 0 9px; height: 27px;
  line-height: 25px; }}
.lrl .lrl-catalogue button.lrl-chosen-drill {{ background: {theme.BLUE}; border-color: {theme.BLUE};
  color: #fff; opacity: 1; }}
.lrl .lrl-catalogue button.lrl-chosen-drill:hover:not(:disabled) {{ color: #fff; background: #0f55a8; }}
.lrl-how-to {{ margin: 2px 0 6px; padding-left: 22px; max-width: 900px; line-height: 1.5; color: {theme.SLATE}; }}
.lrl-how-to li {{ margin: 6px 0; }}
.lrl-how-to b {{ color: {theme.INK}; }}
.lrl-steps td:last-child, .lrl-scores td:last-child, .lrl-steps td:first-child, .lrl-scores td:first-child,
.lrl-scores th {{ white-space: normal; }}
.lrl-scores {{ table-layout: auto; }}
.lrl-scores th {{ vertical-align: bottom; }}
.lrl-about {{ min-height: 45px; margin: 3px 0; }}
.lrl-take {{ font-size: 15px; line-height: 1.4; padding: 0 0 4px; min-height: 42px; }}
.lrl-take b {{ color: {theme.INK}; }}
.lrl-kpi.lrl-home {{ background: {theme.INK}; color: #fff; }}
.lrl-kpi.lrl-home .k, .lrl-kpi.lrl-home .s {{ color: #cdd8e6; }}
.lrl-steps tr.ahead td {{ color: {theme.PALE}; }}
.lrl-scores .lrl-pass {{ color: {theme.BLUE}; }}
.lrl-scores .lrl-fail {{ color: {theme.ALARM}; }}
.lrl-scores .lrl-parts {{ display: block; color: {theme.MUTED}; font-size: 10.5px; line-height: 1.2; }}
.lrl-story .lrl-key span {{ margin-left: auto; white-space: normal; }}
.lrl-story .lrl-key {{ color: {theme.MUTED}; font-size: 11.5px; }}
"""
