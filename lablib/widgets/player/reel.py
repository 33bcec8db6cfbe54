"""A run that is over, looked at from any of its moments: tables in, plain arrays out.

Knows no widget and no browser. Whatever a drawing shows is cut from the tables by time; where a stretch
holds more rows than a chart has places an outline of the whole run, made once, stands in for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lablib.kernels import tables as t
from lablib.widgets import readouts
from lablib.widgets.player.story import Story
from lablib.widgets.reduce import COLUMNS, TIME, Floats, columns, envelope, triggers
from lablib.widgets.view import (
    ACTION,
    DIVERGENCE,
    EQUITY,
    EXTERNAL,
    FIELDS,
    GHOST,
    MARKET,
    NS,
    PEAK,
    POSITION,
    placed,
)

if TYPE_CHECKING:
    from lablib.run import Run

BINS = 1 << 16  # of the outline at most
MOST_ROWS = 1 << 15  # of a stretch that are drawn from the samples themselves

_PLAIN = (
    (EXTERNAL, "external_px"),
    (MARKET, "market_px"),
    (DIVERGENCE, "divergence"),
    (ACTION, "action"),
    (EQUITY, "equity"),
    (POSITION, "position"),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """What the tables say of one moment; money in currency, quantities in lots."""

    t_ns: int
    equity: float
    realized_pnl: float
    drawdown: float
    worst_drawdown: float
    position: int
    pending: int
    external_px: float
    market_px: float
    divergence: float
    decisions: int
    orders: int
    fills: int
    halted: bool
    halt_reason: str
    halted_at_ns: int


class Reel:
    """A run as a player sees it.

    Parameters
    ----------
    name
        Of its record.
    run
        As `lablib.open_run` gives it.

    Attributes
    ----------
    end_ns
        Simulated time of its end.
    other
        A run to compare with, or None.
    story
        What happened in it, and what was done to it.
    """

    def __init__(self, name: str, run: Run) -> None:
        self.name, self.run = name, run
        self.other: Reel | None = None
        self.start = run.config.account.starting_cash
        self.end_ns = int(run.last.t_ns)
        # In one piece: a search in a column of records would copy all of it first.
        self._times: NDArray[np.int64] = np.ascontiguousarray(run.samples["t_ns"])
        self._peak = np.maximum.accumulate(np.append(self.start, run.samples["equity"]))[1:]
        fills = run.fills
        self._marks = np.array([fills["t_ns"] * NS, fills["price_px"], fills["side"]], np.float64)
        self._order_times = np.sort(run.orders["created_at"])
        self.story = Story(run)

    # -------------------------------------------------------------------------------------- moments
    @cached_property
    def worst(self) -> Floats:
        """The largest drawdown up to each sample."""
        return np.maximum.accumulate(self._peak - self.run.samples["equity"])

    def at(self, t_ns: int) -> Moment:
        """What stood at a moment: the last sample up to it, and what had happened by then; at the end all is known."""
        return self._last if t_ns >= self.end_ns else self._sampled(t_ns)

    @cached_property
    def _last(self) -> Moment:
        last = self.run.last
        return Moment(
            t_ns=self.end_ns,
            equity=last.equity,
            realized_pnl=last.realized_pnl,
            drawdown=last.drawdown,
            worst_drawdown=last.max_drawdown,
            position=last.position_lots,
            pending=last.pending_buy_lots + last.pending_sell_lots,
            external_px=last.external_px,
            market_px=last.market_px,
            divergence=last.divergence,
            decisions=last.decisions,
            orders=last.order_count,
            fills=last.fill_count,
            halted=last.halted,
            halt_reason=last.halt_reason.replace("_", " "),
            halted_at_ns=last.halted_at_ns,
        )

    def _sampled(self, t_ns: int) -> Moment:
        index = int(np.searchsorted(self._times, t_ns, side="right")) - 1
        row = self.run.samples[index] if index >= 0 else np.zeros(1, t.SAMPLE)[0]
        equity = float(row["equity"]) if index >= 0 else self.start
        breaches = self.run.risk_events
        breach = int(np.searchsorted(self.story.halt_times, t_ns, side="right")) - 1
        known = bool(row["halted"]) and breach >= 0
        return Moment(
            t_ns=t_ns,
            equity=equity,
            realized_pnl=float(row["realized_pnl"]),
            drawdown=float(self._peak[index]) - equity if index >= 0 else 0.0,
            worst_drawdown=float(self.worst[index]) if index >= 0 else 0.0,
            position=int(row["position"]),
            pending=int(row["pending"]),
            external_px=float(row["external_px"]),
            market_px=float(row["market_px"]),
            divergence=float(row["divergence"]),
            decisions=index + 1,
            orders=int(np.searchsorted(self._order_times, t_ns, side="right")),
            fills=int(np.searchsorted(self.story.fill_times, t_ns, side="right")),
            halted=bool(row["halted"]),
            halt_reason=readouts.reason(int(breaches["reason"][breach])) if known else "",
            halted_at_ns=int(breaches["t_ns"][breach]) if known else -1,
        )

    def pnl(self, t_ns: int) -> float:
        """Equity less the starting cash at a moment."""
        return self.at(t_ns).equity - self.start

    def after(self, t_ns: int) -> int:
        """When the next decision was, ns; the end where there is none."""
        index = int(np.searchsorted(self._times, t_ns, side="right"))
        return int(self._times[index]) if index < self._times.size else self.end_ns

    # ---------------------------------------------------------------------------------------- lines
    def lines(self, t_ns: int, window_s: float) -> Floats:
        """Every field of `view.FIELDS` over the window that ends at a moment, as `reduce.columns`."""
        end = int(np.searchsorted(self._times, t_ns, side="right"))
        begin = int(np.searchsorted(self._times, t_ns - round(window_s / NS), side="left"))
        begin = max(0, begin - 1)  # one before: it is held until the next
        if end - begin <= MOST_ROWS:
            rows = self._rows(begin, end)
        else:
            times = self._outline[TIME]
            first = max(0, int(np.searchsorted(times, t_ns * NS - window_s)) - 2)
            rows = self._outline[:, first : int(np.searchsorted(times, t_ns * NS, side="right"))]
        return columns(rows, t_ns * NS, window_s)

    def overview(self, span_ns: int) -> tuple[Floats, Floats]:
        """Equity since the start over the whole run, on `2 * COLUMNS` places of `[0, span_ns]`, and how far places are.

        Returns
        -------
        Values, NaN after the end; and the same places' values as they stood, without their spread.
        """
        rows = self._rows(0, self._times.size) if self._times.size <= MOST_ROWS else self._outline
        spread = columns(rows[[TIME, EQUITY]], span_ns * NS * (1 - 1e-9), span_ns * NS)[1]
        places = (np.arange(2 * COLUMNS) + 1) / (2 * COLUMNS) * span_ns
        index = np.searchsorted(self._times, places, side="right") - 1
        held = np.where(index >= 0, self._equity_at(index), self.start)
        beyond = places > self.end_ns * (1 + 0.5 / COLUMNS)
        spread = np.where(np.isnan(spread), self.start, spread)
        return np.where(beyond, np.nan, spread) - self.start, np.where(
            beyond, np.nan, held
        ) - self.start

    def _equity_at(self, index: NDArray[np.intp]) -> Floats:
        if not self._times.size:
            return np.full(index.shape, self.start)
        values: Floats = self.run.samples["equity"][np.maximum(index, 0)]
        return values

    def _rows(self, begin: int, end: int) -> Floats:
        samples = self.run.samples[begin:end]
        rows = np.full((len(FIELDS), samples.size), np.nan)
        rows[TIME] = samples["t_ns"] * NS
        for field, name in _PLAIN:
            rows[field] = samples[name]
        rows[PEAK] = self._peak[begin:end]
        if self.other is not None:
            rows[GHOST] = self.other.held(samples["t_ns"]) + self.start
        return rows

    def held(self, times: NDArray[np.int64]) -> Floats:
        """Equity since the start as it stood at some times, NaN after the end."""
        index = np.searchsorted(self._times, times, side="right") - 1
        equity = np.where(index >= 0, self._equity_at(index), self.start)
        return np.where(times > self.end_ns, np.nan, equity - self.start)

    @cached_property
    def _outline(self) -> Floats:
        """Lowest and highest of every field in stretches of the whole run."""
        count = self._times.size
        bins = min(BINS, count // 4)
        starts = np.append(np.arange(bins) * count // bins, count)
        parts, step = [], max(1, bins // 64)
        for first in range(0, bins, step):  # in pieces: all rows at once would fill the memory
            piece = starts[first : first + step + 1]
            parts.append(envelope(self._rows(piece[0], piece[-1]), piece[:-1] - piece[0]))
        return np.concatenate(parts, axis=1)

    def compare(self, other: Reel | None) -> None:
        """Draw another run beside this one from now on; None ends it."""
        self.other = other
        self.__dict__.pop("_outline", None)

    # ---------------------------------------------------------------------------------------- marks
    def fills(self, side: int, t_ns: int, window_s: float) -> Floats:
        """Our fills of one side in the window, as `view.View.fills`."""
        first, last = np.searchsorted(
            self._marks[0], (t_ns * NS - window_s, t_ns * NS * (1 + 1e-12)), side="right"
        )
        return placed(self._marks[:, first:last], t_ns * NS, window_s, side)

    def triggers(self, rows: Floats, side: int) -> Floats:
        """Where the divergence asked for a trade on one side."""
        return triggers(rows[DIVERGENCE], rows[ACTION], side)
