"""A run's tables in, the desk's usual figures out: fill rate, slippage, round trips, time in position, markouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.errors import ConfigError
from lablib.kernels import tables as t

MARKOUTS_MS = (0.0, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)
MARKOUT = np.dtype([("horizon_ms", "f8"), ("bps", "f8"), ("fills", "i8")])


def performance(
    orders: np.ndarray, fills: np.ndarray, seconds: float, unit_value: float
) -> dict[str, Any]:
    """Figures of a run, NaN where there is nothing to divide by.

    Parameters
    ----------
    orders, fills
        Rows of `tables.ORDER` and `tables.FILL`.
    seconds
        Length of the run.
    unit_value
        Currency of one money unit.

    Returns
    -------
    `fill_rate` (lots filled of lots sent, see `sent`), `slippage_bps` (price paid beyond the mid seen at the
    decision, of that mid, by lots), `maker_share` (of lots), `round_trips` (from flat to flat or through
    flat), `hit_rate` (share of them that gained, fees counted), `mean_trip` (currency),
    `time_in_position` (share), `refused` (own orders by reason).
    """
    left = sent(orders)
    lots = fills["lots"].sum()
    mid = fills["mid_seen"] / 2
    paid = fills["side"] * (fills["price_ticks"] - mid) * fills["lots"]
    trips = round_trips(fills) * unit_value
    return {
        "fill_rate": _share(left["filled_lots"].sum(), left["lots"].sum()),
        "slippage_bps": 1e4 * _share(paid.sum(), (mid * fills["lots"]).sum()),
        "maker_share": _share(fills["lots"][fills["is_maker"] == 1].sum(), lots),
        "round_trips": trips.size,
        "hit_rate": _share((trips > 0).sum(), trips.size),
        "mean_trip": _share(trips.sum(), trips.size),
        "time_in_position": _share(_held_ns(fills, seconds), seconds * t.NS_PER_S),
        "refused": _refused(orders),
    }


def sent(orders: np.ndarray) -> np.ndarray:
    """Those of the orders that left us: not what our own checks refused, nor what is still thought over.

    An order on its way has not been received either; one that the venue refused has.
    """
    ours = (orders["status"] == t.REJECTED) & (orders["received_at"] < 0)
    left: np.ndarray = orders[(orders["order_id"] > 0) & ~ours]
    return left


def round_trips(fills: np.ndarray) -> NDArray[np.int64]:
    """What each round trip gained after fees, money units, in order of their ends.

    A trip runs from flat to flat. A fill that goes through flat ends one and begins the next, its fee
    split by lots, rounded down; the open one at the end is none yet.
    """
    gains, position, cash = [], 0, 0
    rows = zip(
        *(fills[name].tolist() for name in ("side", "lots", "price_ticks", "fee_units")),
        strict=True,
    )
    for side, lots, price, fee in rows:
        closing = min(lots, max(0, -side * position))
        closing_fee = fee * closing // lots
        cash -= side * closing * price * t.MONEY + closing_fee
        position += side * closing
        if closing and position == 0:
            gains.append(cash)
            cash = 0
        opening = lots - closing
        cash -= side * opening * price * t.MONEY + fee - closing_fee
        position += side * opening
    return np.array(gains, np.int64)


def markouts(
    fills: np.ndarray,
    t_ns: NDArray[np.int64],
    mid_px: NDArray[np.float64],
    horizons_ms: Sequence[float] = MARKOUTS_MS,
) -> np.ndarray:
    """How the mid stood to our fills some time later: sum e q (M(t + h) - p) / sum q p.

    Parameters
    ----------
    fills
        Rows of `tables.FILL`.
    t_ns, mid_px
        The mid (currency) and when it was looked at, ascending: `samples["t_ns"]`,
        `samples["market_px"]`. The mid at a time is that of the last look up to it.
    horizons_ms
        h, at least 0.

    Returns
    -------
    Structured array: `horizon_ms`, `bps`, `fills` (those whose horizon the looks still cover).

    Raises
    ------
    ConfigError
        A horizon below 0.
    """
    rows = np.zeros(len(horizons_ms), MARKOUT)
    for row, horizon in zip(rows, horizons_ms, strict=True):
        if not horizon >= 0:
            raise ConfigError(f"horizons_ms: at least 0, got {horizon!r}")
        later = fills["t_ns"] + round(horizon * t.NS_PER_MS)
        at = np.searchsorted(t_ns, later, side="right") - 1
        covered = (at >= 0) & (later <= (t_ns[-1] if t_ns.size else -1))
        some = fills[covered]
        gained = some["side"] * some["lots"] * (mid_px[at[covered]] - some["price_px"])
        row["horizon_ms"], row["fills"] = horizon, some.size
        row["bps"] = 1e4 * _share(gained.sum(), (some["lots"] * some["price_px"]).sum())
    return rows


class RunningMarkouts:
    """Markouts of every fill so far, entries and exits apart, in bounded memory.

    For who meets fills and looks a few at a time: the table is that of `markouts` over all of them.
    A fill waits until a look has come as late as the longest horizon; no more than `WAITING` do.

    Parameters
    ----------
    horizons_ms
        As `markouts`.
    """

    WAITING = 65_536

    def __init__(self, horizons_ms: Sequence[float] = MARKOUTS_MS) -> None:
        self.horizons_ms = tuple(horizons_ms)
        self._horizons = [round(ms * t.NS_PER_MS) for ms in horizons_ms]
        self._judged = [0] * len(self._horizons)  # of those that wait, by horizon
        self._waiting = np.zeros(0, t.FILL)
        self._mid = float("nan")  # of the last look
        self._sums = np.zeros((2, 3, len(self._horizons)))  # leg: what was gained, on what, fills

    def add(self, fills: np.ndarray, t_ns: NDArray[np.int64], mid_px: NDArray[np.float64]) -> None:
        """Take in new fills and new looks, both later than those before."""
        if fills.size:
            self._waiting = np.concatenate([self._waiting, fills])
        if not t_ns.size:
            self._forget(0)
            return
        mids = np.append(self._mid, mid_px)
        for k, horizon in enumerate(self._horizons):
            first = self._judged[k]
            last = int(np.searchsorted(self._waiting["t_ns"], t_ns[-1] - horizon, side="right"))
            if last > first:
                some = self._waiting[first:last]
                mid = mids[np.searchsorted(t_ns, some["t_ns"] + horizon, side="right")]
                self._judge(k, some, mid)
                self._judged[k] = last
        self._mid = float(mid_px[-1])
        self._forget(min(self._judged, default=0))

    def _judge(self, k: int, fills: np.ndarray, mid: NDArray[np.float64]) -> None:
        value = fills["lots"] * fills["price_px"]
        gained = fills["side"] * (fills["lots"] * mid - value)
        for leg in (0, 1):
            # Before the first look there is no mid to compare with.
            some = (fills["is_exit"] == leg) & ~np.isnan(mid)
            self._sums[leg, :, k] += gained[some].sum(), value[some].sum(), np.count_nonzero(some)

    def _forget(self, count: int) -> None:
        """Let go of the oldest `count`, and of what is too many."""
        count = max(count, self._waiting.size - self.WAITING)
        if count:
            self._waiting = self._waiting[count:].copy()
            self._judged = [max(0, judged - count) for judged in self._judged]

    def table(self, leg: int) -> np.ndarray:
        """As `markouts`, of entries (0) or exits (1) alone."""
        rows = np.zeros(len(self._horizons), MARKOUT)
        gained, value, count = self._sums[leg]
        rows["horizon_ms"], rows["fills"] = self.horizons_ms, count
        rows["bps"] = [1e4 * _share(*pair) for pair in zip(gained, value, strict=True)]
        return rows


def _held_ns(fills: np.ndarray, seconds: float) -> int:
    position = np.cumsum(fills["side"] * fills["lots"])
    until = np.append(fills["t_ns"][1:], round(seconds * t.NS_PER_S))
    return int((until - fills["t_ns"])[position != 0].sum()) if fills.size else 0


def _refused(orders: np.ndarray) -> dict[str, int]:
    reasons = orders["reason"][orders["status"] == t.REJECTED]
    return {t.REASONS[k]: int((reasons == k).sum()) for k in np.unique(reasons).tolist()}


def _share(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else float("nan")
