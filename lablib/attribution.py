"""Why a run earned what it earned: each fill's profit in six parts that add up to the last unit.

With side e, lots q, price p, fee f; F the external price and M the venue's mid, as seen at the
decision (F0, M0) and in truth at the match (F1, M1); A1 the touch that was taken; V the final mark:

    P&L = sum e q (V - p) - f
        =   sum e q (F0 - M0)   edge at the decision
          - sum e q (M1 - M0)   latency: the venue moved, or had moved, before our order was there
          - sum e q (A1 - M1)   half spread, earned where we rested
          - sum e q (p - A1)    impact: levels beyond the touch
          - sum f               fees
          + sum e q (F1 - F0)   drift while the order was under way
          + sum e q (V - F1)    drift since

The identity is algebra; prices are whole numbers of 1/1024 tick, so nothing is rounded. Perold (1988,
J. Portfolio Management 14:4) split implementation shortfall by the same benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.errors import ConfigError
from lablib.kernels import tables as t

PARTS = ("edge", "latency", "half_spread", "impact", "fees", "drift_in_flight", "drift_after")
_HALF = t.MONEY // 2  # units of one half tick and lot


def parts_of(fills: np.ndarray, mark: int) -> NDArray[np.int64]:
    """The parts of each fill.

    Parameters
    ----------
    fills
        Rows of `tables.FILL`.
    mark
        V, bid + ask in half ticks: the account's last mark.

    Returns
    -------
    Money units, shape (fills, PARTS); a row's sum is side * lots * (V - price) less the fee.
    """
    signed = fills["side"] * fills["lots"]
    price, touch = fills["price_ticks"] * t.MONEY, fills["touch"] * t.MONEY
    mid, mid_seen = fills["mid"] * _HALF, fills["mid_seen"] * _HALF
    fair, fair_seen = fills["fair"], fills["fair_seen"]
    per_lot = (
        fair_seen - mid_seen,
        mid_seen - mid,
        mid - touch,
        touch - price,
        np.zeros_like(price),
        fair - fair_seen,
        mark * _HALF - fair,
    )
    parts = np.stack([signed * each for each in per_lot], axis=1)
    parts[:, PARTS.index("fees")] = -fills["fee_units"]
    return parts


def attribute(
    fills: np.ndarray,
    mark: int,
    unit_value: float,
    by: str = "total",
    day_ns: int = 86_400 * t.NS_PER_S,
) -> np.ndarray:
    """Profit and loss by its causes.

    Parameters
    ----------
    fills, mark
        As `parts_of`.
    unit_value
        Currency of one money unit.
    by
        "total" (one row), "leg" (entries, exits), "order", "day", or "fill".
    day_ns
        Length of a day, for "day".

    Returns
    -------
    Structured array: `key` (0; is_exit; order_id; day; the fill's place), `fills`, the PARTS and
    their sum `pnl`, in currency.

    Raises
    ------
    ConfigError
        Another `by`.
    """
    keys = {
        "total": np.zeros(fills.size, np.int64),
        "leg": fills["is_exit"],
        "order": fills["order_id"],
        "day": fills["t_ns"] // day_ns,
        "fill": np.arange(fills.size),
    }
    if by not in keys:
        raise ConfigError(f"by: give one of {', '.join(keys)}, got {by!r}")
    found, which = np.unique(keys[by], return_inverse=True)
    if by == "total":
        found, which = np.zeros(1, np.int64), np.zeros(fills.size, np.int64)
    sums = np.zeros((found.size, len(PARTS)), np.int64)
    np.add.at(sums, which, parts_of(fills, mark))
    rows = np.zeros(found.size, _rows())
    rows["key"], rows["fills"] = found, np.bincount(which, minlength=found.size)
    for k, name in enumerate(PARTS):
        rows[name] = sums[:, k] * unit_value
    rows["pnl"] = sums.sum(axis=1) * unit_value
    return rows


@dataclass(slots=True)
class RunningParts:
    """The parts of every fill so far, entries and exits apart, in constant memory.

    For who meets the fills a few at a time: at any mark the sums are those of `parts_of` over all of them.
    """

    _sums: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, len(PARTS)), np.int64))
    _signed: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))

    def add(self, fills: np.ndarray) -> None:
        """Take in rows of `tables.FILL`."""
        # The drift since is the one part that the mark enters, and it does so by the lots alone.
        for leg in (0, 1) if fills.size else ():
            some = fills[fills["is_exit"] == leg]
            self._sums[leg] += parts_of(some, 0).sum(axis=0)
            self._signed[leg] += (some["side"] * some["lots"]).sum()

    def parts(self, mark: int) -> NDArray[np.int64]:
        """Money units, shape (2, PARTS): entries, exits. `mark` as `parts_of`."""
        parts = self._sums.copy()
        parts[:, PARTS.index("drift_after")] += self._signed * mark * _HALF
        return parts


def _rows() -> np.dtype[Any]:
    return np.dtype(
        [("key", "i8"), ("fills", "i8"), *((name, "f8") for name in PARTS), ("pnl", "f8")]
    )
