"""A frame: what the lab looks like at one simulated moment, as a read-only copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.kernels import tables as t
from lablib.kernels.book import depth
from lablib.metrics import Latency


@dataclass(frozen=True, slots=True)
class BookView:
    """Depth from the touch outwards: arrays of (price in currency, lots), shape (levels, 2)."""

    bids: NDArray[np.float64]
    asks: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment of a run. Money and prices in currency, quantities in lots, times in ns.

    `samples`, `orders`, `fills` and `risk_events` hold the rows written since the previous frame;
    `rejected` counts by reason what our own checks refused since the run began.
    What the account shows is the truth at the venue; what we know of it may be older.
    """

    t_ns: int
    external_px: float
    bid_px: float
    ask_px: float
    market_px: float
    divergence: float
    action: int
    equity: float
    cash: float
    realized_pnl: float
    unrealized_pnl: float
    fees: float
    drawdown: float
    max_drawdown: float
    position_lots: int
    position_value: float
    known_position_lots: int
    pending_buy_lots: int
    pending_sell_lots: int
    gross_limit_lots: int
    open_orders: int
    day_loss: float
    day_loss_cap: float
    halted: bool
    halt_reason: str
    halted_at_ns: int
    halts: int
    overshoot: float
    drawdown_overshoot: float
    rejected: Mapping[str, int]
    regime: int
    events: int
    decisions: int
    order_count: int
    fill_count: int
    samples: np.ndarray
    orders: np.ndarray
    fills: np.ndarray
    risk_events: np.ndarray
    book: BookView
    latency: Latency
    decision_latency: Latency
    exchange_latency: Latency


def read_latencies(state: Any, previous: tuple[Latency, ...] = ()) -> tuple[Latency, ...]:
    """The three latency views; one that has not changed is shared with the previous frame."""
    views = []
    for which in range(3):
        histogram = state.latency[which]
        if previous and previous[which].count == histogram["count"]:
            views.append(previous[which])
        else:
            buckets = histogram["buckets"].copy()
            buckets.flags.writeable = False
            views.append(Latency(buckets, int(histogram["largest"])))
    return tuple(views)


def read_rejected(state: Any, previous: Mapping[str, int] | None = None) -> Mapping[str, int]:
    """Refusals by reason; without a new one the mapping is shared with the previous frame."""
    counts = state.risk.rejected
    if previous is not None and sum(previous.values()) == int(counts.sum()):
        return previous
    return MappingProxyType({t.REASONS[k]: int(counts[k]) for k in np.flatnonzero(counts)})


def read_book(state: Any, params: Any) -> BookView:
    """The visible depth of the venue."""
    levels = int(params.venue.levels)
    if params.venue.model == t.DELAYED_COPY:
        rungs = np.arange(levels)
        lots = np.full(levels, params.venue.level_lots)
        sides = [
            (state.venue.quote.bid - rungs, lots),
            (state.venue.quote.ask + rungs, lots),
        ]
    else:
        sides = []
        for half in range(2):
            px, size = np.empty(levels, np.int64), np.empty(levels, np.int64)
            found = depth(state.book, half, px, size)
            sides.append((px[:found], size[:found]))
    views = []
    for px, size in sides:
        view = np.column_stack((px * params.tick_px, size.astype(np.float64)))
        view.flags.writeable = False
        views.append(view)
    return BookView(*views)


def read_frame(
    state: Any,
    params: Any,
    rows: dict[str, np.ndarray],
    latencies: tuple[Latency, ...],
    rejected: Mapping[str, int],
) -> Frame:
    """Copy a frame out of a state. `rows` are the table rows written since the previous frame."""
    unit, tick = float(params.unit_value), float(params.tick_px)
    account, desk, risk = state.account, state.desk, state.risk
    quote, seen = state.venue.quote, state.seen
    mark = int(account.mark)
    position = int(account.position)
    value = position * mark * (t.MONEY // 2)
    equity = int(account.equity)
    loss = int(desk.account.fees - risk.day_fees) - int(desk.account.realized - risk.day_realized)
    gross = float(desk.account.equity) * float(params.risk.max_gross_pct)
    end_to_end, decision, exchange = (
        latencies[which] for which in (t.END_TO_END_LATENCY, t.DECISION_LATENCY, t.EXCHANGE_LATENCY)
    )
    return Frame(
        t_ns=int(state.now_ns),
        external_px=float(state.external.px) * tick,
        bid_px=float(quote.bid) * tick if quote.bid != t.NO_BID else float("nan"),
        ask_px=float(quote.ask) * tick if quote.ask != t.NO_ASK else float("nan"),
        market_px=0.5 * mark * tick,
        divergence=_divergence(seen),
        action=int(state.strategy.action),
        equity=equity * unit,
        cash=float(account.cash) * unit,
        realized_pnl=float(account.realized) * unit,
        unrealized_pnl=(value - int(account.basis)) * unit,
        fees=float(account.fees) * unit,
        drawdown=(int(account.peak) - equity) * unit,
        max_drawdown=float(account.drawdown) * unit,
        position_lots=position,
        position_value=value * unit,
        known_position_lots=int(desk.account.position),
        pending_buy_lots=int(desk.pending_buy),
        pending_sell_lots=int(desk.pending_sell),
        gross_limit_lots=max(0, int(gross / (mark * (t.MONEY // 2)))),
        open_orders=int(desk.open_orders),
        day_loss=loss * unit,
        day_loss_cap=float(risk.cap) * unit,
        halted=bool(risk.halted),
        halt_reason=t.REASONS[int(risk.reason)] if risk.halted else "",
        halted_at_ns=int(risk.halted_at),
        halts=int(risk.halts),
        overshoot=float(risk.overshoot) * unit,
        drawdown_overshoot=float(risk.drawdown_overshoot) * unit,
        rejected=rejected,
        regime=int(seen.regime),
        events=int(state.events),
        decisions=int(state.strategy.clock),
        order_count=int(desk.last_order_id),
        fill_count=int(account.fills),
        book=read_book(state, params),
        latency=end_to_end,
        decision_latency=decision,
        exchange_latency=exchange,
        **rows,
    )


def _divergence(seen: Any) -> float:
    if seen.bid == t.NO_BID or seen.ask == t.NO_ASK:
        return 0.0
    mid = 0.5 * float(seen.bid + seen.ask)
    return (float(seen.external_px) - mid) / mid
