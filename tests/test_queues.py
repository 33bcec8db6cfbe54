"""Where our own orders stand in their queues, seen from outside while a market runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from lablib.engine import Simulation
from lablib.kernels import tables as t

S = t.NS_PER_S
FLOW: dict[str, Any] = {
    "venue": {"model": "flow", "levels": 10},
    "flow": {"speed": 20.0, "limit_rates": (4.0, 3.0), "cancel_rates": (0.2, 0.2)},
    "flow.touch_orders": (6, 6),
    "latency.order_entry_ms": 5.0,
    "strategy.decision_interval_ms": 20.0,
    "risk.max_position_pct": 0.5,
}


def stay(seen: Any, mine: Any) -> int:
    """Quote once at the first touch seen, and stay there."""
    if mine.memory[0] == 0:
        mine.memory[0], mine.memory[1] = seen.bid, seen.ask
    mine.bid_ticks = int(mine.memory[0])
    mine.ask_ticks = int(mine.memory[1])
    mine.quote_lots = 300
    return 3


def walked(state: Any, order_id: int) -> tuple[int, int]:
    """Lots before an own order and in its whole queue, reckoned from the queue's own links."""
    own = next(o for o in state.own if o.used and o.order_id == order_id)
    half = (1 - own.side) >> 1
    at, before, whole = int(state.book.levels[half, own.limit_ticks % t.N_LEVELS].head), 0, 0
    met = False
    while at:
        order = state.book.orders[at]
        met = met or at == own.slot
        before += 0 if met else int(order.lots)
        whole += int(order.lots)
        at = int(order.next)
    assert met
    return before, whole


def test_nobody_gets_before_an_order_that_stays_and_it_says_what_the_queues_say():
    simulation = Simulation(FLOW, seed=7, strategy=stay)
    ahead: dict[int, list[int]] = {}
    for k in range(1, 120):
        simulation.play(k * S // 20)
        for row in simulation.waiting():
            assert (row["ahead_lots"], row["level_lots"]) == walked(
                simulation.state, row["order_id"]
            )
            assert row["ahead_lots"] + row["lots"] <= row["level_lots"]
            ahead.setdefault(int(row["order_id"]), []).append(int(row["ahead_lots"]))
    assert all((np.diff(history) <= 0).all() for history in ahead.values())
    assert any(history[0] > 0 and history[-1] == 0 for history in ahead.values())


def test_where_there_is_no_book_nobody_stands_before_us():
    nobody_comes = {"venue.model": "intensity", "venue.half_spread_ticks": 500, "intensity.rate": 0}
    simulation = Simulation({**FLOW, **nobody_comes}, seed=7, strategy=stay)
    simulation.play(S // 5)
    rows = simulation.waiting()
    assert rows["side"].tolist() == [1, -1]
    assert rows["ahead_lots"].tolist() == [0, 0]
    assert (rows["level_lots"] == rows["lots"]).all()
    assert np.allclose(rows["limit_px"], rows["limit_ticks"] * 0.01)


def test_before_anything_rests_there_are_no_rows():
    assert Simulation(FLOW, strategy=stay).waiting().size == 0
