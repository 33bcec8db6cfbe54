"""The page of a player: where every panel stands, and what a moment of a run changes in it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as W  # noqa: N812 - the name its own manual uses
import numpy as np

from lablib.kernels import tables as t
from lablib.widgets import readouts, theme
from lablib.widgets.charts import DivergenceChart, EquityChart, PositionChart, PriceChart
from lablib.widgets.knobs import LABELS
from lablib.widgets.panels import Clock, assign
from lablib.widgets.player.chart import NOTHING, PLACES, OverviewChart
from lablib.widgets.player.desk import Desk
from lablib.widgets.player.reel import Moment, Reel
from lablib.widgets.player.story import plain
from lablib.widgets.view import DIVERGENCE, EQUITY, EXTERNAL, GHOST, MARKET, NS, PEAK, POSITION

WORDS_S = 0.2  # between two readouts while it plays
EMPTY = """
<div class="lrl-card lrl-empty"><h2>There is no record here yet</h2>
<p>A record is a run on disk: all it did and all that was done to it. There are three ways to make one.</p>
<ol><li>In the <b>live lab</b> press <b>Record</b>, steer the market by hand, and press <b>Stop and keep</b>.
{live}</li>
<li>On a command line: <code>lablib run --output runs/first</code>; a run started through the server’s interface
is one by itself.</li>
<li>In Python: <code>lab.run(config, seed=7, until="1h", record="runs/first")</code>.</li></ol>
<p>Then press <b>Look again</b>.</p></div>
"""


class Stage:
    """Charts and readouts, drawn from a `Reel`.

    Attributes
    ----------
    widgets
        The whole page, from top to bottom.
    """

    def __init__(self, desk: Desk, hidden: Any) -> None:
        self.clock = Clock(60.0)
        self.overview = OverviewChart(desk.slider)
        self.prices = PriceChart(self.clock)
        self.divergence = DivergenceChart(self.clock)
        self.equity = EquityChart(self.clock, ghost="compared with")
        self.position = PositionChart(self.clock)
        self._head, self._kpis, self._done, self._tape = (W.HTML() for _ in range(4))
        self._banner = W.HTML(layout={"display": "none"})
        self._banner.add_class("lrl-banner")
        self._notice = W.HTML()
        self._span_ns = 1
        self._said = 0.0
        self.widgets = self._page(desk, hidden)

    def _page(self, desk: Desk, hidden: Any) -> list[Any]:
        cards = []
        for content in (self._done, self._tape):
            card = W.VBox([content])
            card.add_class("lrl-card")
            cards.append(card)
        cards[0].add_class("lrl-done")
        panels = (self.overview, self.prices, self.divergence, self.equity, self.position)
        self._grid = W.Box([*(panel.box for panel in panels), cards[0]])
        self._grid.add_class("lrl-grid")
        self._events = cards[1]
        self._main = W.VBox([self._notice])
        self._main.add_class("lrl-main")
        body = W.Box([desk.box, self._main])
        body.add_class("lrl-body")
        style = W.HTML(f"<style>{theme.CSS}{CSS}</style>")
        links = '<a href="live.ipynb">Live lab</a> <a href="frontier.ipynb">Frontier</a>'
        nav = f"<nav>{links}</nav>" if served() else ""
        self._head.value = (
            '<div class="lrl-head"><h1>Latency Risk Lab</h1><p>Replay: a run as it was, to the byte.'
            f" Look at it, compare it, have it proved. Simulation only.</p>{nav}</div>"
        )
        return [style, self._head, self._kpis, body, hidden]

    @property
    def parts(self) -> list[Any]:
        """What is to be closed with the page, on it or not."""
        return [*self.widgets, self._notice, self._banner, self._grid, self._events]

    # -------------------------------------------------------------------------------------- drawing
    def lay_out(self, reel: Reel | None, *, empty: bool) -> None:
        """Show a run from its start to its end, or that there is none."""
        live = ' <a href="live.ipynb">Open the live lab</a>' if served() else ""
        assign(self._notice, value=EMPTY.format(live=live) if empty else _CHOOSE)
        if reel is None:
            assign(self._kpis, value="")
        else:
            self._lay_out(reel, reel.other)
        # Charts join the page only with something to show: a hidden one would be drawn without a width.
        parts = (self._notice,) if reel is None else (self._banner, self._grid, self._events)
        if self._main.children != parts:
            self._main.children = parts

    def _lay_out(self, reel: Reel, other: Reel | None) -> None:
        self._span_ns = max(1, reel.end_ns, other.end_ns if other else 0)
        mine, held = reel.overview(self._span_ns)
        theirs, behind = other.overview(self._span_ns) if other else (NOTHING, NOTHING)
        self.overview.show(mine, theirs, held - behind, self._span_ns * NS)
        self.overview.mark(
            reel.story.command_times / self._span_ns, reel.story.halt_times / self._span_ns
        )

    def moment(self, place: int) -> int:
        """Simulated time at a place of the slider, ns; whatever a browser says it is."""
        return int(self._span_ns * min(max(place, 0), PLACES) / PLACES)

    def place(self, t_ns: int) -> int:
        """Place of the slider at a simulated time."""
        return round(PLACES * t_ns / self._span_ns)

    def draw(self, reel: Reel, t_ns: int, window_s: float, *, everything: bool = True) -> None:
        """Show one moment: lines always, words a few times a second unless asked for all."""
        self.overview.move(t_ns / self._span_ns)
        self.clock.show(window_s)
        now = reel.at(t_ns)
        config = reel.story.config(t_ns)
        rows = reel.lines(t_ns, window_s)
        buys, sells = (reel.fills(side, t_ns, window_s) for side in (t.BUY, t.SELL))
        self.prices.draw(rows[EXTERNAL], rows[MARKET], buys, sells)
        buys, sells = (reel.triggers(rows, side) for side in (t.BUY, t.SELL))
        self.divergence.draw(rows[DIVERGENCE], buys, sells, config.strategy.threshold)
        start = reel.start
        ghost = np.where(np.isfinite(rows[EQUITY]), rows[GHOST], np.nan)
        self.equity.draw(rows[EQUITY] - start, rows[PEAK] - start, ghost - start)
        price = now.market_px or config.external.start_px
        lots = max(0.0, now.equity) / (price * config.venue.lot_size)
        sizes = lots * config.risk.max_position_pct, lots * config.risk.max_gross_pct
        self.position.draw(rows[POSITION], *sizes)
        self._show_banner(now)
        if everything or time.monotonic() - self._said >= WORDS_S:
            self._said = time.monotonic()
            self._say(reel, now)

    def _show_banner(self, now: Moment) -> None:
        text = ""
        if now.halted:
            text = f"Halted: {now.halt_reason}, at {readouts.clock(max(0, now.halted_at_ns))}"
        assign(self._banner, value=text)
        assign(self._banner.layout, display="" if text else "none")

    def _say(self, reel: Reel, now: Moment) -> None:
        assign(self._kpis, value=kpis(reel, now))
        pnl = now.equity - reel.start
        words = f"{readouts.clock(now.t_ns)[:-2]} of {readouts.clock(reel.end_ns)[:-2]}"
        self.overview.say(f"{words} · {readouts.signed(pnl)}")
        self.prices.say(f"{now.external_px:,.3f} · venue {now.market_px:,.3f}")
        threshold = 1e4 * reel.story.config(now.t_ns).strategy.threshold
        bps = readouts.signed(1e4 * now.divergence, 1)
        self.divergence.say(f"{bps} bps · threshold {threshold:.4g}")
        told = f"{readouts.signed(pnl)} · realised {readouts.signed(now.realized_pnl)}"
        if reel.other is not None:
            told = f"{readouts.signed(pnl)} · ahead by {readouts.signed(_lead(reel, now))}"
        self.equity.say(told)
        self.position.say(f"{readouts.signed(now.position, 0)} · in flight {now.pending:,}")
        assign(self._done, value=commands(reel, now.t_ns))
        assign(self._tape, value=readouts.tape(*reel.story.events(now.t_ns)))


def _lead(reel: Reel, now: Moment) -> float:
    """How much more this run has made than the other by now; where that has ended, than it had then."""
    assert reel.other is not None
    return now.equity - reel.start - reel.other.pnl(now.t_ns)


def kpis(reel: Reel, now: Moment) -> str:
    """The strip of key figures at a moment."""
    tile: Callable[..., str] = readouts.tile
    pnl = now.equity - reel.start
    latency = reel.run.last.latency
    news = readouts.milliseconds(latency.p50_ms) if latency.count else "no fill"
    tail = f"p99 {readouts.milliseconds(latency.p99_ms)}, whole run" if latency.count else ""
    tiles = [
        tile("Simulated time", readouts.clock(now.t_ns)[:-2], f"{now.decisions:,} decisions"),
        tile("Equity", f"{now.equity:,.2f}", f"realised {readouts.signed(now.realized_pnl)}"),
        tile("P&L", readouts.signed(pnl), f"{readouts.percent(pnl / reel.start)} of the start"),
        tile("Drawdown", readouts.signed(-now.drawdown), f"worst {readouts.signed(-now.worst_drawdown)}"),
        tile("Position", f"{readouts.signed(now.position, 0)} lots", f"{now.pending:,} in flight"),
        tile("Orders", f"{now.orders:,}", f"{now.fills:,} fills"),
    ]  # fmt: skip
    if reel.other is not None:
        tiles.append(tile("Ahead by", readouts.signed(_lead(reel, now)), f"of {reel.other.name}"))
    else:
        tiles.append(tile("News to fill, p50", news, tail))
    if now.halted:
        at = f"{now.halt_reason} at {readouts.clock(max(0, now.halted_at_ns))}"
        tiles.append(tile("Kill switch", "HALTED", at, "halted"))
    else:
        count = len(reel.story.halt_times)
        note = f"{count} halt{'' if count == 1 else 's'} in the run"
        tiles.append(tile("Kill switch", "Armed", note))
    return f'<div class="lrl-kpis lrl-num">{"".join(tiles)}</div>'


def commands(reel: Reel, t_ns: int) -> str:
    """What was done to the run, around a moment, as a table."""
    given = reel.run.origin.commands
    first, done, end = reel.story.commands(t_ns)
    count = f"{done} of {len(given)}" if given else "none: nobody touched this run"
    title = f'<div class="lrl-title"><b>What was done to it</b><span class="lrl-now">{count}</span></div>'
    rows = []
    for index in range(first, end):
        one = given[index]
        name = LABELS.get(one.field, one.field.rpartition(".")[2].replace("_", " ").capitalize())
        what, value = {
            "set": (name, plain(one.value)),
            "halt": ("Kill switch", "pulled by hand"),
            "release": ("Kill switch", "released by hand"),
        }[one.kind]
        cells = "".join(
            f"<td>{escape(text)}</td>"
            for text in (readouts.clock(one.t_ns), what, one.field or one.kind, value)
        )
        rows.append(f'<tr class="{"" if index < done else "ahead"}">{cells}</tr>')
    head = "".join(
        f'<th style="width:{width}">{name}</th>'
        for name, width in (("time", "21%"), ("what", "27%"), ("field", "32%"), ("value", "20%"))
    )
    if not rows:
        return title
    return f'{title}<table class="lrl-tape lrl-num"><tr>{head}</tr>{"".join(rows)}</table>'


def served() -> bool:
    """Whether the page's address is ours, so that a link can lead to another page."""
    return "QUERY_STRING" in os.environ


_CHOOSE = (
    '<div class="lrl-card lrl-empty"><h2>Choose a record</h2><p>In the list on the left.</p></div>'
)

CSS = f"""
.lrl-wide {{ grid-column: 1 / -1; }}
.lrl .lrl-scrub {{ height: 24px; margin: -6px 8px 6px 51px; }}
.lrl-done {{ grid-column: span 2; padding: 8px 12px 10px; }}
@container (max-width: 600px) {{ .lrl-done {{ grid-column: auto; }} }}
.lrl-done tr.ahead td {{ color: {theme.PALE}; }}
.lrl-three {{ display: grid !important; grid-template-columns: repeat(3, 1fr); gap: 6px; overflow: visible; }}
.lrl-verdict a {{ color: {theme.BLUE}; }}
.lrl button.lrl-verify:not(:disabled) {{ border-color: {theme.BLUE}; color: {theme.BLUE}; font-weight: 650; }}
.lrl-verdict {{ border-left: 3px solid {theme.BLUE}; background: #eef5fd; padding: 6px 9px; font-size: 12px;
  line-height: 1.4; overflow-wrap: anywhere; }}
.lrl-verdict.bad {{ border-color: {theme.ALARM}; background: #fdf1f0; }}
.lrl-verdict b {{ display: block; font-size: 13px; }}
.lrl-verdict.bad b {{ color: {theme.ALARM}; }}
.lrl-verdict span {{ display: block; color: {theme.MUTED}; font-size: 11px; margin-top: 4px; }}
.lrl-verdict code {{ font-size: 10.5px; line-height: 1.35; display: block; }}
"""
