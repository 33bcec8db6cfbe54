"""Where our own orders stand: at the venue as it is, which we hear of only later."""

from __future__ import annotations

from typing import Any

import numpy as np

from lablib.kernels import tables as t
from lablib.kernels.book import queue_ahead

WAITING = np.dtype(
    [
        ("order_id", "i8"),
        ("side", "i8"),
        ("limit_ticks", "i8"),
        ("limit_px", "f8"),
        ("lots", "i8"),
        ("ahead_lots", "i8"),
        ("level_lots", "i8"),
    ]
)


def waiting(state: Any, params: Any) -> np.ndarray:
    """A row for each own order that rests at the venue, by its id.

    Parameters
    ----------
    state, params
        A `tables.STATE` and its `tables.PARAMS`.

    Returns
    -------
    Rows `order_id`, `side` (+1, -1), `limit_ticks`, `limit_px` (currency), `lots` left of it, `ahead_lots`
    in front of it in its queue and `level_lots` of the whole queue, its own among them. A venue without
    a book has no queues: there `ahead_lots` is 0 and `level_lots` is `lots`.
    """
    own = state.own
    places = np.flatnonzero((own["used"] == 1) & (own["status"] == t.RESTING))
    rows = np.zeros(places.size, WAITING)
    for row, order in zip(rows, own[places], strict=True):
        row["order_id"], row["side"], row["limit_ticks"] = (
            order.order_id,
            order.side,
            order.limit_ticks,
        )
        row["limit_px"] = order.limit_ticks * params.tick_px
        row["lots"] = row["level_lots"] = order.lots - order.filled
        if int(params.venue.model) > t.QUOTES_ONLY:
            level = state.book.levels[(1 - order.side) >> 1, order.limit_ticks & (t.N_LEVELS - 1)]
            row["ahead_lots"], row["level_lots"] = queue_ahead(state.book, order.slot), level.lots
    rows.sort(order="order_id")
    return rows
