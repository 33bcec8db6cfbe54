"""The page of the live lab: where every panel stands, and which of them a frame redraws.

Lines are drawn with every frame, the slower panels in turn, a few times a second each: their cost is
spread and their numbers stay readable.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as W  # noqa: N812 - the name its own manual uses
import numpy as np
from numpy.typing import NDArray

from lablib.config import SimConfig
from lablib.kernels import tables as t
from lablib.widgets import readouts, theme
from lablib.widgets.charts import DivergenceChart, EquityChart, PositionChart, PriceChart
from lablib.widgets.controls import Controls
from lablib.widgets.panels import Clock, assign
from lablib.widgets.reduce import step_outline, triggers
from lablib.widgets.snapshots import BINS, LEVELS, DepthChart, LatencyChart
from lablib.widgets.view import (
    ACTION,
    DIVERGENCE,
    EQUITY,
    EXTERNAL,
    GHOST,
    HORIZONS_MS,
    MARKET,
    PEAK,
    POSITION,
    View,
)
from lablib.widgets.waterfall import MarkoutChart, WaterfallChart

if TYPE_CHECKING:
    from lablib.frame import Frame
    from lablib.metrics import Latency

SLOW_S = 0.19  # between two drawings of a slower panel
AT_ONCE = 2  # of them that one frame draws: at 20 frames a second each has its five
BINS_PER_DECADE = 24


@dataclass(frozen=True)
class Heading:
    """The head of a page: a title, what it is about, and widgets between it and the key figures."""

    title: str
    text: str
    under: tuple[Any, ...] = ()


LIVE = Heading(
    "Latency Risk Lab",
    "A price moves first, a venue follows late: what is left of the edge at your latency. Simulation only.",
)


class Dashboard:
    """Charts and readouts, drawn from a `View`.

    Attributes
    ----------
    widgets
        The whole page, from top to bottom.
    panels
        What stands beside the controls, as long as nothing else is put there.
    """

    def __init__(
        self, view: View, controls: Controls, hidden: Any, heading: Heading = LIVE
    ) -> None:
        self.view = view
        self._heading = heading
        self.clock = Clock(view.window_s)
        self.prices = PriceChart(self.clock)
        self.divergence = DivergenceChart(self.clock)
        self.equity = EquityChart(self.clock)
        self.position = PositionChart(self.clock)
        self.latency = LatencyChart()
        self.depth = DepthChart()
        self.waterfall = WaterfallChart()
        self.markouts = MarkoutChart(HORIZONS_MS)
        self._head, self._kpis, self._tape = W.HTML(), W.HTML(), W.HTML()
        self._banner = W.HTML(layout={"display": "none"})
        self._banner.add_class("lrl-banner")
        self._slow: Sequence[Callable[[Frame, SimConfig, str], None]] = (
            self._draw_kpis,
            self._draw_depth,
            self._draw_latency,
            self._draw_waterfall,
            self._draw_tape,
            self._draw_markouts,
            self._draw_words,
        )
        self._drawn = [0.0] * len(self._slow)
        self._turn = 0
        self.widgets = self._page(controls, hidden)
        self.say("")

    def _page(self, controls: Controls, hidden: Any) -> list[Any]:
        panels = (
            self.prices,
            self.divergence,
            self.depth,
            self.equity,
            self.position,
            self.latency,
            self.waterfall,
            self.markouts,
        )
        grid = W.Box([panel.box for panel in panels])
        grid.add_class("lrl-grid")
        tape = W.VBox([self._tape])
        tape.add_class("lrl-card")
        self.panels = (grid, tape)
        main = W.VBox(self.panels)
        main.add_class("lrl-main")
        # What is said stands above the charts, and beside the controls: a slider must not move as it speaks.
        side = W.VBox([*controls.notices, self._banner, main])
        side.add_class("lrl-side")
        body = W.Box([controls.box, side])
        body.add_class("lrl-body")
        self._main = main
        style = W.HTML(f"<style>{theme.CSS}</style>")
        return [style, self._head, *self._heading.under, self._kpis, body, hidden]

    def put(self, instead: Any | None) -> None:
        """Show something in the place of the charts; None brings them back."""
        shown = self.panels if instead is None else (instead,)
        if self._main.children != shown:
            self._main.children = shown

    # -------------------------------------------------------------------------------------- words
    def say(self, flow: str) -> None:
        """Show how the frames flow, in the page's head."""
        assign(
            self._head,
            value=(
                f'<div class="lrl-head"><h1>{escape(self._heading.title)}</h1>'
                f"<p>{escape(self._heading.text)}</p>"
                f'<span class="lrl-flow lrl-num">{flow}</span></div>'
            ),
        )

    # ------------------------------------------------------------------------------------- drawing
    def draw(self, config: SimConfig, state: str, *, everything: bool = False) -> None:
        """Draw the view's newest frame: lines always, slower panels in turn unless asked for all."""
        frame = self.view.frame
        if frame is None:
            return
        self._draw_lines(frame, config)
        now = time.monotonic()
        left = len(self._slow) if everything else AT_ONCE
        for _ in self._slow:
            self._turn = (self._turn + 1) % len(self._slow)
            if everything or now - self._drawn[self._turn] >= SLOW_S:
                self._drawn[self._turn] = now
                self._slow[self._turn](frame, config, state)
                left -= 1
                if not left:
                    break

    def _draw_lines(self, frame: Frame, config: SimConfig) -> None:
        view = self.view
        self.clock.show(view.window_s)
        rows = view.lines()
        start = config.account.starting_cash
        self.prices.draw(rows[EXTERNAL], rows[MARKET], view.fills(t.BUY), view.fills(t.SELL))
        buys, sells = (triggers(rows[DIVERGENCE], rows[ACTION], side) for side in (t.BUY, t.SELL))
        self.divergence.draw(rows[DIVERGENCE], buys, sells, config.strategy.threshold)
        self.equity.draw(rows[EQUITY] - start, rows[PEAK] - start, rows[GHOST] - start)
        one = order_lots(frame, config)
        self.position.draw(rows[POSITION], one, float(frame.gross_limit_lots))
        self._show_banner(frame)

    def _show_banner(self, frame: Frame) -> None:
        text = readouts.halted(frame)
        assign(self._banner, value=text)
        assign(self._banner.layout, display="" if text else "none")

    def _draw_kpis(self, frame: Frame, config: SimConfig, state: str) -> None:
        assign(self._kpis, value=readouts.kpis(frame, config.account.starting_cash, state))

    def _draw_tape(self, frame: Frame, config: SimConfig, state: str) -> None:
        assign(self._tape, value=readouts.tape(self.view.events, self.view.event_count))

    def _draw_latency(self, frame: Frame, config: SimConfig, state: str) -> None:
        seen = frame.latency
        if seen.count:
            ends = (seen.p50_ms, seen.p95_ms, seen.p99_ms)
            self.latency.draw(histogram(seen), histogram(frame.exchange_latency), ends)
        else:  # a run that has begun anew
            self.latency.clear()

    def _draw_depth(self, frame: Frame, config: SimConfig, state: str) -> None:
        levels = min(LEVELS, config.venue.levels)
        bids, asks = (step_outline(side, levels) for side in (frame.book.bids, frame.book.asks))
        self.depth.draw(bids, asks, frame.external_px, config.venue.tick_size)

    def _draw_waterfall(self, frame: Frame, config: SimConfig, state: str) -> None:
        self.waterfall.draw(self.view.parts(config))

    def _draw_markouts(self, frame: Frame, config: SimConfig, state: str) -> None:
        self.markouts.draw(self.view.markouts(), frame.fill_count)

    def _draw_words(self, frame: Frame, config: SimConfig, state: str) -> None:
        self.prices.say(f"{frame.external_px:,.3f} · venue {frame.market_px:,.3f}")
        self.divergence.say(
            f"{readouts.signed(1e4 * frame.divergence, 1)} bps · threshold {1e4 * config.strategy.threshold:.4g}"
        )
        pnl = frame.equity - config.account.starting_cash
        # What latency did to it has a key figure of its own, with room to say what is compared.
        digits = [0 if abs(value) >= 10_000 else 2 for value in (pnl, frame.realized_pnl)]
        told = map(readouts.signed, (pnl, frame.realized_pnl), digits)
        self.equity.say(" · realised ".join(told))
        self.position.say(
            f"{readouts.signed(frame.position_lots, 0)} · in flight"
            f" +{frame.pending_buy_lots:,} −{frame.pending_sell_lots:,}"
        )
        seen = frame.latency
        if seen.count:
            ends = (("p50", seen.p50_ms), ("p95", seen.p95_ms), ("p99", seen.p99_ms))
            text = " · ".join(f"{name} {readouts.milliseconds(value)}" for name, value in ends)
            self.latency.say(text)
        else:
            self.latency.say("no fill yet")
        ticks = (frame.ask_px - frame.bid_px) / config.venue.tick_size
        late = (frame.external_px - frame.market_px) / config.venue.tick_size
        self.depth.say(f"spread {ticks:.0f} · external {readouts.signed(late, 1)} ticks")


def histogram(latency: Latency) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Edges in ms and counts, in as many bins as the values' number and spread can fill."""
    (low, high), _ = latency.histogram(1)
    fine = math.ceil(BINS_PER_DECADE * math.log10(high / low))
    return latency.histogram(max(1, min(BINS, fine, 8 + int(latency.count**0.5))))


def order_lots(frame: Frame, config: SimConfig) -> float:
    """Lots of one order at full size."""
    notional = frame.equity * config.risk.max_position_pct
    return max(0.0, notional / (frame.market_px * config.venue.lot_size))
