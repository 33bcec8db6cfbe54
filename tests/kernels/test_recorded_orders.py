"""Our orders in a recorded book: what a trade, a message and a snapshot do to our place in the queue."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import PLAIN

from lablib.engine import Simulation
from lablib.kernels import tables as t
from lablib.kernels.book import depth, queue_ahead
from lablib.kernels.desk import intend

MS = t.NS_PER_MS
CONFIG = {"strategy.name": "idle", "risk.max_position_pct": 50.0, "risk.max_gross_pct": 500.0}
Row = tuple[float, int, int, int, int]  # time (ms), kind, side, ticks, lots


def book(at: float, *levels: tuple[int, int, int]) -> list[Row]:
    """A message: what each level (side, ticks) shows from then on."""
    rows = [(at, t.LEVEL, side, px, lots) for side, px, lots in levels]
    return [*rows, (at, t.SETTLED, 0, 0, 0)]


def snapshot(at: float, *levels: tuple[int, int, int]) -> list[Row]:
    """The whole book anew; without levels the word that nobody knows it any more."""
    return [(at, t.CLEAR, 0, 0, 0), *book(at, *levels)]


def trade(at: float, side: int, px: int, lots: int) -> list[Row]:
    """Somebody traded."""
    return [(at, t.TRADE, side, px, lots)]


class Queue:
    """A recorded venue, an order of ours in it, and what becomes of both."""

    def __init__(self, *groups: list[Row]) -> None:
        rows = [(round(at * MS), *row, 0.0) for group in groups for at, *row in group]
        events = np.array([*rows, (t.FAR, t.END, 0, 0, 0, 0.0)], t.TAPE_EVENT)
        market: Any = SimpleNamespace(
            tick_size=0.01, lot_size=0.001, start_px=100.0, events=events, sha256=""
        )
        market.duration_ns = 60_000 * MS
        self.simulation = Simulation(CONFIG, market=market)
        self.state = self.simulation._state

    def join(self, at: float, side: int, lots: int, px: int) -> None:
        """Send a limit order; it arrives at once."""
        self.until(at)
        intent = np.zeros(1, t.INTENT)[0]
        intent.act, intent.kind = t.NEW, t.LIMIT
        intent.side, intent.lots, intent.limit_ticks = side, lots, px
        intend(self.state, self.simulation._params, intent, 1_000 + round(at), 0)

    def until(self, at: float) -> list[tuple[float, int, int]]:
        """Let time pass; our fills of it: (time in ms, price, lots)."""
        fills = self.simulation.advance(round(at * MS)).fills
        return [(f["t_ns"] / MS, int(f["price_ticks"]), int(f["lots"])) for f in fills]

    def ahead(self) -> int:
        """Lots in front of our order."""
        (own,) = self.state["own"][self.state["own"]["used"] == 1]
        return int(queue_ahead(self.state.book, int(own["slot"])))

    def shown(self, side: int) -> list[tuple[int, int]]:
        """Price and lots of a side from the touch outwards, ours among them."""
        px, lots = np.zeros(20, np.int64), np.zeros(20, np.int64)
        found = depth(self.state.book, (1 - side) >> 1, px, lots)
        return list(zip(px[:found].tolist(), lots[:found].tolist(), strict=True))


# ---------------------------------------------------------------------------------------------- trades
START = snapshot(0, (t.BUY, 9_999, 100), (t.SELL, 10_000, 10), (t.SELL, 10_001, 5))


@pytest.mark.parametrize("told", ["level by level", "trades first"])
def test_a_sweep_that_prints_at_our_price_has_left_nothing_better(told):
    """Ten ahead at a better price, five at ours, then ours: fifteen traded there are five and our ten."""
    first = book(11, (t.SELL, 10_000, 0)) if told == "level by level" else []
    last = book(13, (t.SELL, 10_000, 0), (t.SELL, 10_001, 0))
    queue = Queue(START, trade(10, t.BUY, 10_000, 10), first, trade(12, t.BUY, 10_001, 15), last)
    queue.join(1, t.SELL, 10, 10_001)
    assert queue.until(20) == [(12, 10_001, 10)]


def test_a_trade_at_a_better_price_than_ours_does_not_reach_us():
    queue = Queue(START, trade(10, t.BUY, 10_000, 500))
    queue.join(1, t.SELL, 10, 10_001)
    assert queue.until(20) == []
    assert queue.ahead() == 5


def test_a_trade_beyond_our_price_reaches_us_first_and_brings_what_it_printed():
    queue = Queue(START, trade(10, t.BUY, 10_001, 7))
    queue.join(1, t.SELL, 10, 10_000)
    assert queue.until(20) == [(10, 10_000, 7)]


@st.composite
def sweeps(draw: st.DrawFn) -> Any:
    """Side of the sweep; lots on each level; where our order stands and how large; lots swept."""
    levels = draw(st.lists(st.integers(1, 20), min_size=1, max_size=6))
    ours = draw(st.tuples(st.integers(0, len(levels) - 1), st.integers(1, 30)))
    return draw(st.sampled_from([t.BUY, t.SELL])), levels, ours, draw(st.integers(1, sum(levels)))


@settings(max_examples=15 if PLAIN else 100)
@given(sweeps())
def test_a_sweep_fills_us_alike_whether_its_trades_are_told_before_its_levels_or_in_turn(sweep):
    side, levels, (place, lots), swept = sweep
    touch = [10_000 + side * k for k in range(len(levels))]
    start = snapshot(0, *[(-side, px, show) for px, show in zip(touch, levels, strict=True)])
    trades, changes = [], []
    for px, show in zip(touch, levels, strict=True):
        if gone := min(show, swept):
            trades.append((side, px, gone))
            changes.append((-side, px, show - gone))
        swept -= gone
    whole = [*(trade(10, *one) for one in trades), book(50, *changes)]
    turns = [
        rows
        for k, one in enumerate(trades)
        for rows in (trade(10 + k, *one), book(10.5 + k, changes[k]))
    ]
    fates = []
    for market in (whole, turns):
        queue = Queue(start, *market)
        queue.join(1, -side, lots, touch[place])
        fates.append(([fill[1:] for fill in queue.until(100)], queue.shown(-side)))
    assert fates[0] == fates[1]
    assert sum(lots for _, lots in fates[0][0]) <= sum(lots for *_, lots in trades)


# ------------------------------------------------------------------------------------------- snapshots
@pytest.mark.parametrize(
    ("shows", "ahead"), [(10, 10), (30, 10), (4, 4), (0, 0)], ids=["same", "more", "fewer", "none"]
)
@pytest.mark.parametrize("gap", [0, 20])
def test_a_snapshot_leaves_us_behind_as_many_as_there_still_can_be(gap, shows, ahead):
    """Who leaves a level was behind us and who came is behind us, whether a message says so or a snapshot."""
    again = (t.BUY, 9_999, 100), (t.SELL, 10_000, shows), (t.SELL, 10_001, 5)
    queue = Queue(
        START,
        snapshot(10) if gap else [],
        snapshot(10 + gap, *again),
        trade(50, t.BUY, 10_000, ahead + 3),
    )
    queue.join(1, t.SELL, 10, 10_000)
    queue.until(10 + gap - 0.1)
    assert queue.ahead() == 10
    queue.until(40)
    assert queue.ahead() == ahead
    assert queue.shown(t.SELL) == [(10_000, shows + 10), (10_001, 5)]
    assert queue.shown(t.BUY) == [(9_999, 100)]
    assert queue.until(60) == [(50, 10_000, 3)]


def test_a_trade_while_nobody_knows_the_book_works_off_the_queue_as_ever():
    queue = Queue(START, snapshot(10), trade(20, t.BUY, 10_000, 6), trade(30, t.BUY, 10_000, 6))
    queue.join(1, t.SELL, 10, 10_000)
    assert queue.until(25) == []
    assert queue.until(35) == [(30, 10_000, 2)]


def test_a_level_that_a_snapshot_does_not_show_is_gone():
    queue = Queue(START, snapshot(10, (t.BUY, 9_999, 100), (t.SELL, 10_001, 5)))
    queue.join(1, t.SELL, 10, 10_000)
    queue.until(20)
    assert queue.shown(t.SELL) == [(10_000, 10), (10_001, 5)]
    assert queue.ahead() == 0


def test_who_joins_while_nobody_knows_the_book_stands_behind_what_it_turns_out_to_show():
    after = snapshot(20, (t.BUY, 9_999, 100), (t.SELL, 10_000, 8)), book(30, (t.SELL, 10_000, 12))
    queue = Queue(START, snapshot(10), *after)
    queue.join(15, t.SELL, 10, 10_000)
    queue.until(16)
    assert queue.ahead() == 0
    for at in (25, 35):
        queue.until(at)
        assert queue.ahead() == 8


def test_a_snapshot_that_crosses_us_trades_with_us_and_with_nobody_who_has_long_gone():
    queue = Queue(START, snapshot(10), snapshot(20, (t.BUY, 10_004, 25), (t.SELL, 10_006, 5)))
    queue.join(1, t.SELL, 10, 10_000)
    assert queue.until(30) == [(20, 10_000, 10)]
    assert queue.shown(t.BUY) == [(10_004, 15)]
    assert queue.shown(t.SELL) == [(10_006, 5)]
