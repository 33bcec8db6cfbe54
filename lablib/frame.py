"""A frame: what the lab looks like at one simulated moment, as a read-only copy."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
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
    `rejected` counts by reason what our own checks refused since the run began, `nonsense` the answers of
    an own strategy that were no action and the prices it wrote that were none.
    What the account shows is the truth at the venue; what we know of it may be older. `twin` is the same
    moment of the same run without latency, where one is played beside it.
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
    nonsense: int
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
    twin: Frame | None = None


class FrameReader:
    """Reads frames out of one run's state.

    To name a field of a NumPy record costs a microsecond, and a frame names sixty. So a view of each
    record is made once, and read as a whole.

    Parameters
    ----------
    states
        The run's state, an array of `tables.STATE` of shape (1,).
    """

    def __init__(self, states: np.ndarray) -> None:
        state, self._book = states[0], states[0].book
        desk, venue, strategy = states["desk"], states["venue"], states["strategy"]
        self._now, self._events = states["now_ns"], states["events"]
        self._clock, self._action = strategy["clock"], strategy["action"]
        self._nonsense = strategy["nonsense"]
        self._external = _whole(states["external"])
        self._quote = _whole(venue["quote"])
        self._seen = _whole(states["seen"])
        self._account = _whole(states["account"])
        self._desk, self._known = _whole(desk), _whole(desk["account"])
        self._risk = _whole(states["risk"])
        self._counts = states["latency"]["count"][0]
        self._largest = states["latency"]["largest"][0]
        self._buckets = [state.latency[which]["buckets"] for which in range(3)]
        self._recorded = [-1] * 3  # values each of these views has
        self._latencies: dict[int, Latency] = {}
        self._refusals = states["risk"]["rejected"][0]
        self._refused = -1  # refusals that the mapping tells of

    def tune(self, params: Any) -> None:
        """Frames from now on are of a run under `params`, a `tables.PARAMS` record."""
        self._tick, self._unit = float(params.tick_px), float(params.unit_value)
        self._gross = float(params.risk.max_gross_pct)
        levels = int(params.venue.levels)
        self._rungs = np.arange(levels)
        self._endless = int(params.venue.model) <= t.QUOTES_ONLY
        self._px = np.empty(levels, np.int64)
        self._lots = np.full(levels, params.venue.level_lots)

    def read(self, rows: dict[str, Any]) -> Frame:
        """The present moment. `rows` are the table rows written since the previous frame."""
        unit, tick = self._unit, self._tick
        account, known, desk = self._account(), self._known(), self._desk()
        quote, seen, risk = self._quote(), self._seen(), self._risk()
        self._read_latencies()
        self._read_rejected()
        value = account.position * account.mark * (t.MONEY // 2)
        loss = (known.fees - risk.day_fees) - (known.realized - risk.day_realized)
        return Frame(
            t_ns=self._now.item(),
            external_px=self._external().px * tick,
            bid_px=quote.bid * tick if quote.bid != t.NO_BID else float("nan"),
            ask_px=quote.ask * tick if quote.ask != t.NO_ASK else float("nan"),
            market_px=0.5 * account.mark * tick,
            divergence=_divergence(seen),
            action=self._action.item(),
            equity=account.equity * unit,
            cash=account.cash * unit,
            realized_pnl=account.realized * unit,
            unrealized_pnl=(value - account.basis) * unit,
            fees=account.fees * unit,
            drawdown=(account.peak - account.equity) * unit,
            max_drawdown=account.drawdown * unit,
            position_lots=account.position,
            position_value=value * unit,
            known_position_lots=known.position,
            pending_buy_lots=desk.pending_buy,
            pending_sell_lots=desk.pending_sell,
            gross_limit_lots=max(
                0, int(known.equity * self._gross / (account.mark * (t.MONEY // 2)))
            ),
            open_orders=desk.open_orders,
            day_loss=loss * unit,
            day_loss_cap=risk.cap * unit,
            halted=bool(risk.halted),
            halt_reason=t.REASONS[risk.reason] if risk.halted else "",
            halted_at_ns=risk.halted_at,
            halts=risk.halts,
            overshoot=risk.overshoot * unit,
            drawdown_overshoot=risk.drawdown_overshoot * unit,
            rejected=self._rejected,
            regime=seen.regime,
            events=self._events.item(),
            decisions=self._clock.item(),
            nonsense=self._nonsense.item(),
            order_count=desk.last_order_id,
            fill_count=account.fills,
            book=BookView(self._depth(0, quote.bid), self._depth(1, quote.ask)),
            latency=self._latencies[t.END_TO_END_LATENCY],
            decision_latency=self._latencies[t.DECISION_LATENCY],
            exchange_latency=self._latencies[t.EXCHANGE_LATENCY],
            **rows,
        )

    def _read_latencies(self) -> None:
        """A view for each histogram; one that has not changed is shared with the previous frame."""
        for which, count in enumerate(self._counts.tolist()):
            if self._recorded[which] != count:
                self._recorded[which] = count
                buckets = self._buckets[which].copy()
                buckets.flags.writeable = False
                self._latencies[which] = Latency(buckets, self._largest[which].item())

    def _read_rejected(self) -> None:
        """Refusals by reason; without a new one the mapping is shared with the previous frame."""
        total = int(self._refusals.sum())
        if self._refused != total:
            self._refused = total
            counts = self._refusals.tolist()
            self._rejected: Mapping[str, int] = MappingProxyType(
                {t.REASONS[reason]: count for reason, count in enumerate(counts) if count}
            )

    def _depth(self, half: int, touch: int) -> NDArray[np.float64]:
        """What a side of the venue shows, best level first."""
        levels = self._rungs.size
        if not self._endless:
            levels = depth(self._book, half, self._px, self._lots)
        view = np.empty((levels, 2))
        px = touch + (2 * half - 1) * self._rungs if self._endless else self._px[:levels]
        np.multiply(px, self._tick, out=view[:, 0])
        view[:, 1] = self._lots[:levels]
        view.flags.writeable = False
        return view


def _whole(view: np.ndarray) -> Callable[[], Any]:
    """A function that reads the one record of `view` into a tuple with its field names."""
    make = _tuple(view.dtype.names or ())._make
    return lambda: make(view.item())


@cache
def _tuple(names: tuple[str, ...]) -> Any:
    """A named tuple; to make one anew takes longer than a short run."""
    return namedtuple("record", names)


def _divergence(seen: Any) -> float:
    if seen.bid == t.NO_BID or seen.ask == t.NO_ASK:
        return 0.0
    mid = 0.5 * (seen.bid + seen.ask)
    return float((seen.external_px - mid) / mid)
