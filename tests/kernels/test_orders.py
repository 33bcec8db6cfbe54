"""Own orders at the venue, kind by kind: visible histories on a quiet maker's book."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.kernels import tables as t
from lablib.kernels.book import queue_ahead
from lablib.kernels.desk import amend, intend
from lablib.kernels.settlement import take
from lablib.kernels.step import command_halt, command_release

MS = 1_000_000
QUIET = {
    "venue.model": "makers",
    "venue.half_spread_ticks": 2,
    "venue.levels": 5,
    "venue.level_lots": 100,
    "external.volatility_bps": 0.0,
    "latency.market_lag_ms": 0.0,
    "strategy.name": "idle",
    "risk.max_position_pct": 50.0,
    "risk.max_gross_pct": 500.0,
    "venue.fee_bps": 0.0,
}
BID, ASK = 9_998, 10_002  # the makers' touch around 10,000 ticks


class Desk:
    """A trader who sends what a test says, when it says so, over real wires."""

    def __init__(self, **changes: Any) -> None:
        self.simulation = Simulation(SimConfig().replace({**QUIET, **changes}), seed=1)
        self.state = self.simulation._state
        self._causes = itertools.count(1_000)
        self.frame = self.simulation.advance(1)
        self.rows: list[Any] = []

    def _intent(self, **fields: int) -> Any:
        intent = np.zeros(1, t.INTENT)[0]
        for name, value in fields.items():
            intent[name] = value
        return intent

    def send(self, kind: int, side: int, lots: int, limit: int = 0) -> int:
        """Send a new order; returns its place among the own orders."""
        place = int(np.argmin(self.state["own"]["used"]))
        intent = self._intent(act=t.NEW, kind=kind, side=side, lots=lots, limit_ticks=limit)
        intend(self.state, self.simulation._params, intent, next(self._causes), 0)
        return place

    def change(self, act: int, place: int, lots: int = 0, limit: int = 0) -> None:
        """Ask for a cancel or a replace."""
        intent = self._intent(act=act, at=place, lots=lots, limit_ticks=limit)
        amend(self.state, self.simulation._params, intent, next(self._causes), 0)

    def wait(self, ms: float = 1.0) -> list[tuple[int, int, int, int]]:
        """Let time pass; the orders that met their fate: (id, status, reason, filled lots)."""
        self.frame = self.simulation.advance(self.simulation.now_ns + int(ms * MS))
        self.rows = [
            tuple(int(row[name]) for name in ("order_id", "status", "reason", "filled_lots"))
            for row in self.frame.orders
        ]
        return self.rows

    def queue_ahead(self, place: int) -> int:
        """Lots in front of an own resting order."""
        return int(queue_ahead(self.state.book, int(self.state["own"][place]["slot"])))

    def fills(self) -> list[tuple[int, int, int]]:
        """(price, lots, as maker) of the last wait."""
        return [
            (int(f["price_ticks"]), int(f["lots"]), int(f["is_maker"])) for f in self.frame.fills
        ]


def test_a_limit_order_rests_behind_the_makers_and_counts_as_pending():
    desk = Desk()
    place = desk.send(t.LIMIT, t.BUY, 30, BID)
    assert desk.wait() == []
    assert desk.state["own"][place]["status"] == t.RESTING
    assert desk.queue_ahead(place) == 100
    assert desk.frame.pending_buy_lots == 30


def test_a_crossing_limit_order_takes_and_rests_with_what_is_left():
    desk = Desk()
    place = desk.send(t.LIMIT, t.BUY, 130, ASK)
    assert desk.wait() == []
    assert desk.fills() == [(ASK, 100, 0)]
    assert desk.queue_ahead(place) == 0
    assert desk.frame.bid_px == pytest.approx(ASK * 0.01)


def test_immediate_or_cancel_leaves_nothing_behind():
    desk = Desk()
    desk.send(t.IOC, t.BUY, 130, ASK)
    assert desk.wait() == [(1, t.CANCELLED, t.NO_LIQUIDITY, 100)]
    assert desk.state.desk.resting == 0


@pytest.mark.parametrize(
    ("lots", "fate"), [(200, (1, t.FILLED, t.OK, 200)), (201, (1, t.CANCELLED, t.NOT_ALL, 0))]
)
def test_fill_or_kill_is_all_or_nothing(lots, fate):
    desk = Desk()
    desk.send(t.FOK, t.SELL, lots, BID - 1)
    assert desk.wait() == [fate]


@pytest.mark.parametrize("model", ["makers", "delayed_copy"])
def test_post_only_never_takes(model):
    desk = Desk(**{"venue.model": model})
    desk.send(t.POST_ONLY, t.BUY, 10, ASK)
    assert desk.wait() == [(1, t.REJECTED, t.WOULD_CROSS, 0)]
    place = desk.send(t.POST_ONLY, t.BUY, 10, BID)
    assert desk.wait() == []
    assert desk.state["own"][place]["status"] == t.RESTING


def test_a_cancel_travels_on_its_own_delay_and_frees_what_was_pending():
    desk = Desk(**{"latency.order_entry_ms": 1.0, "latency.cancel_ms": 5.0})
    place = desk.send(t.LIMIT, t.SELL, 30, ASK)
    desk.wait(2)
    desk.change(t.CANCEL, place)
    assert desk.wait(4.9) == []
    assert desk.frame.pending_sell_lots == 30
    assert desk.wait(0.2) == [(1, t.CANCELLED, t.OK, 0)]
    assert desk.frame.pending_sell_lots == 0
    assert desk.state.desk.resting == 0


def test_fewer_lots_at_the_same_price_keep_the_place_in_the_queue():
    desk = Desk()
    first = desk.send(t.LIMIT, t.BUY, 30, BID)
    second = desk.send(t.LIMIT, t.BUY, 30, BID)
    desk.wait()
    desk.change(t.REPLACE, first, 20, BID)
    desk.wait()
    assert (desk.queue_ahead(first), desk.queue_ahead(second)) == (100, 120)
    assert desk.frame.pending_buy_lots == 50


def test_another_price_goes_to_the_back_of_its_queue():
    desk = Desk()
    first = desk.send(t.LIMIT, t.BUY, 30, BID)
    second = desk.send(t.LIMIT, t.BUY, 30, BID - 1)
    desk.wait()
    desk.change(t.REPLACE, first, 0, BID - 1)
    desk.wait()
    assert desk.queue_ahead(second) == 100
    assert desk.queue_ahead(first) == 130
    assert desk.frame.pending_buy_lots == 60


def test_a_replace_that_crosses_trades_unless_the_order_is_post_only():
    for kind, fate in (
        (t.LIMIT, (1, t.FILLED, t.OK, 30)),
        (t.POST_ONLY, (1, t.CANCELLED, t.WOULD_CROSS, 0)),
    ):
        desk = Desk()
        place = desk.send(kind, t.BUY, 30, BID)
        desk.wait()
        desk.change(t.REPLACE, place, 0, ASK)
        assert desk.wait() == [fate]
        assert desk.frame.pending_buy_lots == 0


@pytest.mark.parametrize(
    ("guard", "reason", "limit", "later"),
    [
        ({"risk.max_orders_per_s": 1}, t.ORDER_RATE, BID - 1, BID - 1),
        ({"risk.price_collar_pct": 0.01}, t.PRICE_COLLAR, BID * 3 // 2, BID - 1),
        ({"risk.price_collar_pct": 0.01}, t.PRICE_COLLAR, BID // 2, BID - 1),
    ],
)
def test_a_replace_is_checked_like_an_order_and_what_fails_stays_as_it_is(
    guard, reason, limit, later
):
    desk = Desk(**guard)
    place = desk.send(t.LIMIT, t.BUY, 30, BID)
    desk.wait()
    for px, refused, stands in ((limit, 1, BID), (later, 1, later)):
        desk.change(t.REPLACE, place, 0, px)
        assert desk.wait(1_000) == []
        own = desk.state["own"][place]
        assert desk.state.risk.rejected[reason] == refused
        assert (own["limit_ticks"], own["status"], own["amending"]) == (stands, t.RESTING, 0)
        assert desk.frame.pending_buy_lots == 30


def test_a_replace_thought_over_when_the_halt_comes_does_not_leave():
    desk = Desk(**{"latency.decision_ms": 5.0, "latency.order_entry_ms": 10.0})
    place = desk.send(t.LIMIT, t.BUY, 30, BID)
    desk.wait(20)
    desk.change(t.REPLACE, place, 0, BID - 1)
    command_halt(desk.state, desk.simulation._params, desk.simulation._output, t.MANUAL)
    assert desk.wait(30) == [(1, t.CANCELLED, t.HALTED, 0)]
    assert desk.state.risk.rejected[t.HALTED] == 1


def test_an_entry_that_a_halt_has_overtaken_is_cancelled_when_it_arrives_and_an_exit_is_not():
    fast, slow = ({"model": "constant", "ms": ms, "fifo": False} for ms in (1.0, 50.0))
    wires = {"latency.order_entry_ms": slow, "latency.cancel_ms": fast}
    desk = Desk(**wires, **{"risk.flatten_on_halt": False})
    desk.send(t.LIMIT, t.BUY, 30, BID)
    desk.send(t.MARKET, t.BUY, 10)
    desk.send(t.MARKET, t.SELL, 20)
    desk.state["own"][2]["is_exit"] = 1
    desk.state.desk.exit_pending, desk.state.desk.exit_side = 20, t.SELL
    desk.wait(5)
    params, output = desk.simulation._params, desk.simulation._output
    command_halt(desk.state, params, output, t.MANUAL)
    assert desk.wait(5) == []
    assert desk.wait(100) == [
        (1, t.CANCELLED, t.HALTED, 0),
        (2, t.CANCELLED, t.HALTED, 0),
        (3, t.FILLED, t.OK, 20),
    ]
    assert (desk.state.desk.resting, desk.frame.pending_buy_lots) == (0, 0)
    command_release(desk.state)
    place = desk.send(t.LIMIT, t.BUY, 30, BID)
    assert desk.wait(100) == []
    assert desk.state["own"][place]["status"] == t.RESTING


def test_a_late_cancel_does_not_hit_the_next_order_in_the_same_place():
    desk = Desk(**{"latency.cancel_ms": 10.0})
    first = desk.send(t.LIMIT, t.BUY, 30, BID)
    desk.wait()
    desk.change(t.CANCEL, first)
    desk.change(t.CANCEL, first)  # the second finds its order gone
    desk.wait(5)
    desk.simulation.play(desk.simulation.now_ns + 6 * MS)
    again = desk.send(t.LIMIT, t.BUY, 30, BID)
    assert again == first
    assert desk.wait(20) == [(1, t.CANCELLED, t.OK, 0)]
    assert desk.state["own"][again]["status"] == t.RESTING


def test_we_never_trade_with_ourselves():
    desk = Desk()
    desk.send(t.LIMIT, t.SELL, 30, ASK - 1)
    desk.wait()
    desk.send(t.MARKET, t.BUY, 50)
    assert desk.wait() == [(1, t.CANCELLED, t.SELF_TRADE, 0), (2, t.FILLED, t.OK, 50)]
    assert desk.fills() == [(ASK, 50, 0)]


@pytest.mark.parametrize("model", ["makers", "delayed_copy"])
@pytest.mark.parametrize(("lots", "reached"), [(50, False), (300, False), (301, True)])
def test_only_an_own_order_that_an_aggressor_would_reach_leaves_its_way(model, lots, reached):
    """Two levels of a hundred before it, and a hundred at its own."""
    desk = Desk(**{"venue.model": model})
    ours = desk.send(t.LIMIT, t.SELL, 30, ASK + 2)
    behind = desk.send(t.LIMIT, t.SELL, 30, ASK + 3)
    desk.wait()
    desk.send(t.MARKET, t.BUY, lots)
    gone = [(1, t.CANCELLED, t.SELF_TRADE, 0)] if reached else []
    assert desk.wait() == [*gone, (3, t.FILLED, t.OK, lots)]
    assert (desk.state["own"][ours]["status"] == t.RESTING) == (not reached)
    assert desk.state["own"][behind]["status"] == t.RESTING
    assert all(as_maker == 0 for _, _, as_maker in desk.fills())


def test_an_own_order_within_the_spread_leaves_the_way_of_the_smallest_aggressor():
    for model in ("makers", "delayed_copy"):
        desk = Desk(**{"venue.model": model})
        desk.send(t.LIMIT, t.SELL, 30, ASK - 1)
        desk.send(t.LIMIT, t.SELL, 30, ASK - 1)
        desk.wait()
        desk.send(t.MARKET, t.BUY, 1)
        gone = [(k, t.CANCELLED, t.SELF_TRADE, 0) for k in (1, 2)]
        assert desk.wait() == [*gone, (3, t.FILLED, t.OK, 1)]


@pytest.mark.parametrize(("lots", "filled"), [(500, True), (501, False)])
def test_a_fill_or_kill_that_is_not_to_be_had_of_others_leaves_our_order_alone(lots, filled):
    desk = Desk()
    desk.send(t.LIMIT, t.SELL, 30, ASK - 1)
    desk.wait()
    desk.send(t.FOK, t.BUY, lots, ASK + 9)
    if filled:
        assert desk.wait() == [(1, t.CANCELLED, t.SELF_TRADE, 0), (2, t.FILLED, t.OK, 500)]
    else:
        assert desk.wait() == [(2, t.CANCELLED, t.NOT_ALL, 0)]


def test_an_own_order_at_the_front_is_filled_by_makers_who_cross_it():
    desk = Desk(**{"external.volatility_bps": 200.0, "external.interval_ms": 5.0})
    desk.send(t.LIMIT, t.SELL, 30, ASK - 1)
    desk.wait(2_000)
    assert (ASK - 1, 30, 1) in desk.fills()


def test_a_passive_order_fills_only_after_the_queue_ahead_is_gone():
    desk = Desk()
    ours = desk.send(t.LIMIT, t.BUY, 30, BID)
    desk.wait()
    book = desk.state.book
    take(desk.state, desk.simulation._params, desk.simulation._output, 1, BID, 90, -1)
    desk.wait()
    assert desk.fills() == []
    assert desk.queue_ahead(ours) == 10
    take(desk.state, desk.simulation._params, desk.simulation._output, 1, BID, 25, -1)
    desk.wait()
    assert desk.fills() == [(BID, 15, 1)]
    assert int(book.best[0]) == BID
