"""What a run's tables tell of a halt: when, with how much in flight, and until nothing was held any more.

Pure: orders, fills and risk events in, times and counts out. Plays nothing and knows no drill.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lablib.kernels import tables as t

NEVER = -1
CHECKS = (
    t.ORDER_NOTIONAL,
    t.GROSS_EXPOSURE,
    t.OPEN_ORDERS,
    t.ORDER_RATE,
    t.PRICE_COLLAR,
    t.CROSSED_QUOTES,
)  # the reasons for which our own checks hold an order back


@dataclass(frozen=True, slots=True)
class Halt:
    """A halt and what came after it; times in ns, `NEVER` where it did not happen.

    Attributes
    ----------
    t_ns, reason, value, limit
        The first risk event from the given moment on; value and limit as `tables.RISK_EVENT` has them.
    refused_ns, refused, refused_for
        The first order that our own checks held back since then, how many they were, and why the first was.
    slipped
        Opening orders that left since then before the first was held back; all of them where none was.
    in_flight, in_flight_lots
        Orders that had left us and that the venue had not met yet when the switch latched; all zero without.
    fills_after, lots_after
        What these orders still traded after the latch: trades that nobody could stop any more.
    unstopped_ns
        The last of these trades.
    closing_ns
        When the first closing order left because of the halt.
    last_fill_ns
        The last trade after the latch, of whatever order.
    flat_ns
        From when on nothing was held and nothing traded; `t_ns` where that was so already.
    known_ns
        When we knew of that last trade.
    held_lots, largest_lots
        Position at the end, signed; and the largest since the given moment, unsigned.
    """

    t_ns: int = NEVER
    reason: int = t.OK
    value: float = 0.0
    limit: float = 0.0
    refused_ns: int = NEVER
    refused: int = 0
    refused_for: int = t.OK
    slipped: int = 0
    in_flight: int = 0
    in_flight_lots: int = 0
    fills_after: int = 0
    lots_after: int = 0
    unstopped_ns: int = NEVER
    closing_ns: int = NEVER
    last_fill_ns: int = NEVER
    flat_ns: int = NEVER
    known_ns: int = NEVER
    held_lots: int = 0
    largest_lots: int = 0


def halt_of(orders: np.ndarray, fills: np.ndarray, risk_events: np.ndarray, since_ns: int) -> Halt:
    """Read the first halt from `since_ns` on out of a run's tables.

    Parameters
    ----------
    orders, fills, risk_events
        Of a whole run, dtypes `tables.ORDER`, `tables.FILL`, `tables.RISK_EVENT`; orders whose fate
        is not known yet included, as `Run.orders` has them.
    """
    held = np.cumsum(fills["side"] * fills["lots"])
    before = held[fills["t_ns"] < since_ns]
    since = held[fills["t_ns"] >= since_ns]
    exposed = np.abs(np.concatenate([before[-1:], since]))
    found = {
        "held_lots": int(held[-1]) if held.size else 0,
        "largest_lots": int(exposed.max(initial=0)),
        **_refusals(orders, since_ns),
    }
    events = risk_events[risk_events["t_ns"] >= since_ns]
    if not events.size:
        return Halt(**found)
    first = events[0]
    at = int(first["t_ns"])
    sent = orders[(orders["status"] != t.REJECTED) | (orders["received_at"] >= 0)]
    # At the instant of the latch nothing but a closing order leaves any more.
    earlier = (sent["created_at"] < at) | ((sent["created_at"] == at) & (sent["is_exit"] == 0))
    flying = sent[earlier & ((sent["acted_at"] > at) | (sent["acted_at"] < 0))]
    closing = sent[~earlier & (sent["is_exit"] == 1)]
    after = fills[fills["t_ns"] > at]
    unstopped = after[np.isin(after["order_id"], flying["order_id"])]
    closed = fills[np.isin(fills["order_id"], closing["order_id"])]
    # With wires at zero the closing trade falls into the instant of the latch itself.
    last = np.concatenate([after, closed])
    last_ns = _last(last["t_ns"])
    known = orders[np.isin(orders["order_id"], last["order_id"])]["filled_at"]
    return Halt(
        t_ns=at,
        reason=int(first["reason"]),
        value=float(first["value"]),
        limit=float(first["limit"]),
        in_flight=flying.size,
        in_flight_lots=int(flying["lots"].sum()),
        fills_after=unstopped.size,
        lots_after=int(unstopped["lots"].sum()),
        unstopped_ns=_last(unstopped["t_ns"]),
        closing_ns=int(closing["created_at"].min()) if closing.size else NEVER,
        last_fill_ns=last_ns,
        flat_ns=NEVER if found["held_lots"] else max(at, last_ns),
        known_ns=int(known.max()) if known.size and (known >= 0).all() else NEVER,
        **found,
    )


def _last(times: np.ndarray) -> int:
    return int(times.max()) if times.size else NEVER


def _refusals(orders: np.ndarray, since_ns: int) -> dict[str, int]:
    recent = orders[orders["created_at"] >= since_ns]
    held_back = recent[(recent["status"] == t.REJECTED) & np.isin(recent["reason"], CHECKS)]
    entries = recent[(recent["status"] != t.REJECTED) & (recent["is_exit"] == 0)]
    if not held_back.size:
        return {"slipped": entries.size}
    first = held_back[np.argmin(held_back["created_at"])]
    return {
        "refused_ns": int(first["created_at"]),
        "refused": held_back.size,
        "refused_for": int(first["reason"]),
        "slipped": int((entries["created_at"] < first["created_at"]).sum()),
    }
