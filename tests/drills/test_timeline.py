"""What tables tell of a halt, on histories written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from lablib.drills.timeline import NEVER, Halt, halt_of
from lablib.kernels import tables as t


def rows(dtype: np.dtype, *given: dict[str, Any]) -> np.ndarray:
    table = np.zeros(len(given), dtype)
    for row, values in zip(table, given, strict=True):
        for name, value in values.items():
            row[name] = value
    return table


def order(number: int, created: int, acted: int, known: int = NEVER, **more: Any) -> dict[str, Any]:
    times = {"created_at": created, "received_at": acted, "acted_at": acted, "filled_at": known}
    return {"order_id": number, "lots": 5, "side": 1, "status": t.FILLED, **times, **more}


def fill(number: int, at: int, side: int, lots: int) -> dict[str, Any]:
    return {"order_id": number, "t_ns": at, "side": side, "lots": lots}


def breach(at: int, reason: int = t.STALE_FEED) -> dict[str, Any]:
    return {"t_ns": at, "reason": reason, "value": 7.5, "limit": 5.0}


def told(orders: Any, fills: Any, events: Any, since: int = 100) -> Halt:
    tables = (rows(t.ORDER, *orders), rows(t.FILL, *fills), rows(t.RISK_EVENT, *events))
    return halt_of(*tables, since)


def test_an_order_on_its_way_trades_after_the_halt_and_another_closes_what_it_left():
    # 1 was done before; 2 is on its way at the halt at 200 and trades in two pieces; 3 closes all.
    halt = told(
        [order(1, 10, 50, 60), order(2, 190, 230, 260), order(3, 200, 280, 310, is_exit=1, lots=8)],
        [fill(1, 50, 1, 3), fill(2, 230, 1, 2), fill(2, 231, 1, 3), fill(3, 280, -1, 8)],
        [breach(200)],
    )
    assert halt == Halt(
        t_ns=200,
        reason=t.STALE_FEED,
        value=7.5,
        limit=5.0,
        slipped=1,
        in_flight=1,
        in_flight_lots=5,
        fills_after=2,
        lots_after=5,
        unstopped_ns=231,
        closing_ns=200,
        last_fill_ns=280,
        flat_ns=280,
        known_ns=310,
        held_lots=0,
        largest_lots=8,
    )


def test_with_wires_at_zero_all_of_it_falls_into_the_instant_of_the_halt():
    halt = told(
        [order(1, 10, 10, 10), order(2, 200, 200, 200, is_exit=1)],
        [fill(1, 10, 1, 5), fill(2, 200, -1, 5)],
        [breach(200)],
    )
    assert (halt.in_flight, halt.fills_after) == (0, 0)
    times = (halt.closing_ns, halt.last_fill_ns, halt.flat_ns, halt.known_ns)
    assert times == (200, 200, 200, 200)


def test_who_holds_nothing_is_flat_at_the_halt():
    halt = told([], [], [breach(200)])
    assert (halt.flat_ns, halt.last_fill_ns, halt.closing_ns) == (200, NEVER, NEVER)


def test_what_is_still_held_at_the_end_was_never_flat():
    halt = told([order(1, 10, 50, 60)], [fill(1, 50, -1, 5)], [breach(200)])
    assert (halt.flat_ns, halt.held_lots, halt.largest_lots) == (NEVER, -5, 5)


def test_an_order_the_venue_never_met_is_on_its_way_for_good():
    halt = told([order(1, 150, NEVER, status=t.CREATED)], [], [breach(200)])
    assert (halt.in_flight, halt.fills_after, halt.unstopped_ns) == (1, 0, NEVER)


def test_only_the_first_halt_since_the_fault_counts():
    halt = told([], [], [breach(50, t.MANUAL), breach(150, t.DRAWDOWN), breach(160, t.MANUAL)])
    assert (halt.t_ns, halt.reason) == (150, t.DRAWDOWN)
    assert told([], [], [breach(50)]) == Halt()


def test_what_our_own_checks_held_back_is_no_order_in_flight():
    refused = {"status": t.REJECTED, "received_at": NEVER}
    halt = told(
        [
            order(1, 90, NEVER, **refused, reason=t.OPEN_ORDERS),  # before the fault
            order(3, 130, NEVER, **refused, reason=t.ORDER_NOTIONAL),
            order(2, 120, NEVER, **refused, reason=t.OPEN_ORDERS),
            order(4, 210, NEVER, **refused, reason=t.HALTED),  # the latch, not a check
        ],
        [],
        [breach(200)],
    )
    assert (halt.refused, halt.refused_ns, halt.refused_for) == (2, 120, t.OPEN_ORDERS)
    assert halt.slipped == 0
    assert (halt.in_flight, halt.closing_ns) == (0, NEVER)


def test_orders_that_left_before_one_was_held_back_have_slipped_through():
    sent = [order(1, 90, 95), order(2, 110, 115), order(3, 111, 116), order(5, 130, 140)]
    refused = order(4, 120, NEVER, status=t.REJECTED, reason=t.OPEN_ORDERS)
    assert told([*sent, refused], [], []).slipped == 2
    assert told(sent, [], []).slipped == 3


def test_an_order_that_the_venue_met_in_the_instant_of_the_halt_came_before_it():
    halt = told([order(1, 150, 200, 260)], [fill(1, 200, 1, 5)], [breach(200)])
    assert (halt.in_flight, halt.fills_after, halt.last_fill_ns) == (0, 0, NEVER)
