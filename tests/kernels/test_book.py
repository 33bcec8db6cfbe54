"""The fast book against the obvious slow one, its bounds, and what must always hold of it."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference.book import Order, ReferenceBook

from lablib.kernels import book as kernels
from lablib.kernels import tables as t
from lablib.kernels.jit import COMPILED

BID, ASK = 0, 1
ROWS = [("op", np.int8), ("side", np.int8), ("px", np.int32), ("qty", np.int32), ("oid", np.int64)]
END = ("traded", "fills", "resting", "bb", "ba")


def new_book() -> Any:
    book = np.zeros(1, t.BOOK)[0]
    kernels.open_book(book)
    return book


def state_of(book: Any) -> list[list[tuple[int, list[tuple[int, int, int]]]]]:
    """Both halves from the touch outwards, in the words of the reference; checks every link on the way."""
    orders = book.orders[: int(book.fresh) + 1].tolist()
    halves, resting = [], 0
    for half, away in ((BID, -1), (ASK, 1)):
        levels = []
        heads = book.levels["head"][half]
        for at in np.flatnonzero(heads).tolist():
            level = book.levels[half, at]
            slot, ahead, queue, px = int(level.head), 0, [], orders[int(level.head)][0]
            while slot:
                order = dict(zip(t.RESTING_ORDER.names, orders[slot], strict=True))
                assert (order["px"], order["half"], order["prev"]) == (px, half, ahead)
                assert order["px"] & (t.N_LEVELS - 1) == at
                queue.append((order["lots"], order["owner"], order["tag"]))
                ahead, slot = slot, order["next"]
            assert ahead == level.tail
            assert level.lots == sum(lots for lots, _, _ in queue)
            assert level.count == len(queue)
            assert book.low <= px <= book.high
            levels.append((px, queue))
            resting += len(queue)
        levels.sort(key=lambda level: level[0] * away)
        assert book.best[half] == (levels[0][0] if levels else away * t.NO_ASK)
        bits = [(int(word) >> k) & 1 for word in book.occupied[half] for k in range(t.WORD_BITS)]
        marked = {(-at if half == BID else at) % t.N_LEVELS for at, bit in enumerate(bits) if bit}
        assert marked == set(np.flatnonzero(heads).tolist())
        halves.append(levels)
    assert book.resting == resting
    assert book.high - book.low < t.N_LEVELS
    free, slot = 0, int(book.free)
    while slot:
        assert orders[slot][1] == 0
        free, slot = free + 1, orders[slot][2]
    assert free == book.fresh - book.resting
    return halves


class Duel:
    """The fast and the slow book under the same operations; every outcome is compared."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.fast, self.slow = new_book(), ReferenceBook()
        self.orders: list[Order] = []  # resting, and some that are gone
        self.slots: dict[Order, int] = {}
        self.middle = -5_000  # wanders upwards, through zero and round the ladder
        self.tag = 0
        self.seen: set[str] = set()

    def match(self, half: int, limit: int, lots: int) -> int:
        while True:
            left = kernels.match(self.fast, half, limit, lots)
            wanted, trades = self.slow.match(half, limit, lots)
            told = self.fast.matches[: int(self.fast.match_count)].tolist()
            assert told == [
                (x.px, x.lots, self.slots[x.order], x.order.owner, x.order.tag, x.left)
                for x in trades
            ]
            assert left == wanted
            if left == 0 or len(told) < t.N_MATCHES:
                return left
            self.seen.add("full report")
            lots = left

    def add(self, half: int, px: int, lots: int) -> None:
        self.tag += 1
        owner = self.rng.randrange(4)
        slot = kernels.add(self.fast, half, px, lots, owner, self.tag)
        order = self.slow.add(half, px, lots, owner, self.tag)
        if isinstance(order, int):
            assert slot == order
            self.seen.add(t.REASONS[-order])
        else:
            assert slot > 0
            self.slots[order] = slot
            self.orders.append(order)

    def limit(self, far: int, *, rests: bool) -> None:
        half = self.rng.randrange(2)
        away = 2 * half - 1
        deep = min(int(self.rng.expovariate(0.06)), 150) - 2  # now and then through the touch
        px = self.middle + away * (far or deep)
        left = self.match(half, px, self.rng.randint(1, 12))
        if left and rests:
            self.add(half, px, left)

    def on_an_order(self, what: str) -> None:
        at = self.rng.randrange(len(self.orders))
        order = self.orders[at]
        slot = self.slots[order]
        if order.lots == 0:
            self.orders[at] = self.orders[-1]
            self.orders.pop()
            del self.slots[order]
            if self.fast.orders[slot].lots:
                return  # the slot is another order's by now
            self.seen.add("gone")
        if what == "cancel":
            assert kernels.cancel(self.fast, slot) == self.slow.cancel(order)
        elif what == "reduce":
            lots = self.rng.randint(-1, 8)
            assert kernels.reduce(self.fast, slot, lots) == self.slow.reduce(order, lots)
        else:
            assert kernels.queue_ahead(self.fast, slot) == self.slow.queue_ahead(order)

    def depth(self) -> None:
        room = self.rng.choice((0, 3, 2_000))
        for half in (BID, ASK):
            px, lots = np.zeros(room, np.int64), np.zeros(room, np.int64)
            count = kernels.depth(self.fast, half, px, lots)
            told = list(zip(px[:count].tolist(), lots[:count].tolist(), strict=True))
            assert told == self.slow.depth(half)[:room]

    def step(self) -> None:
        u = self.rng.random()
        self.middle += u < 0.02
        crowd = self.slow.resting / 8_000
        if u < 0.0002:
            half = self.rng.randrange(2)  # a long queue
            for _ in range(t.N_MATCHES):
                self.add(half, self.middle + (2 * half - 1) * 20, self.rng.randint(1, 3))
        elif u < 0.001:
            half = self.rng.randrange(2)  # a sweep through part of the other half
            self.match(half, self.middle + (1 - 2 * half) * self.rng.randint(0, 150), 1_000_000)
        elif u < 0.004:
            self.depth()
        elif u < 0.006:
            self.limit(self.rng.randint(200, 2 * t.N_LEVELS), rests=True)
        elif u < 0.007:
            self.add(self.rng.randrange(2), self.middle, self.rng.randint(-1, 0))
        elif u < 0.08:
            half = self.rng.randrange(2)
            self.match(half, t.NO_BID if half else t.NO_ASK, self.rng.randint(0, 30))
        elif u < 0.15:
            self.limit(0, rests=False)
        elif u < 0.25 + crowd and self.orders:
            self.on_an_order("cancel")
        elif u < 0.35 + crowd and self.orders:
            self.on_an_order("reduce")
        elif u < 0.38 + crowd and self.orders:
            self.on_an_order("queue_ahead")
        else:
            self.limit(0, rests=True)

    def run(self, operations: int, every: int) -> None:
        for number in range(1, operations + 1):
            self.step()
            if number % every == 0:
                assert state_of(self.fast) == self.slow.state()
                counts = (self.fast.resting, self.fast.traded, self.fast.fills)
                assert counts == (self.slow.resting, self.slow.traded, self.slow.fills)
                assert self.fast.best[BID] < self.fast.best[ASK]


def test_random_operations_end_as_in_the_slow_book() -> None:
    duel = Duel(seed=1)
    duel.run(50_000 if COMPILED else 1_500, every=1_000 if COMPILED else 500)
    if COMPILED:
        assert duel.seen == {"full report", "gone", "size_zero", "price_out_of_range"}


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.skipif(not COMPILED, reason="an hour in plain Python")
def test_a_million_random_operations_end_as_in_the_slow_book() -> None:
    duel = Duel(seed=20260401)
    duel.run(1_000_000, every=1_000)
    assert duel.middle + 5_000 > t.N_LEVELS  # the ladder went round


def test_a_random_stream_of_every_kind_of_row_ends_as_in_the_slow_book() -> None:
    rng = np.random.default_rng(5)
    count = 60_000 if COMPILED else 2_000
    stream = [
        rng.choice(5, count, p=(0.5, 0.2, 0.1, 0.1, 0.1)),
        rng.integers(0, 2, count),
        1_000 + rng.integers(-40, 41, count) * rng.choice((1, 250), count, p=(0.99, 0.01)),
        rng.integers(1, 20, count),
        rng.integers(0, 800, count),  # names come back while their first bearer still rests
    ]
    columns = [x.astype(kind) for x, (_, kind) in zip(stream, ROWS, strict=True)]
    book, slow, slot_of = new_book(), ReferenceBook(), np.zeros(800, np.int32)
    for part in np.array_split(np.arange(count), 10):
        kernels.apply(book, *[x[part] for x in columns], slot_of)
        for row in zip(*[x[part].tolist() for x in columns], strict=True):
            slow.apply(*row)
        assert state_of(book) == slow.state()
        counts = (book.resting, book.traded, book.fills, book.refused)
        assert counts == (slow.resting, slow.traded, slow.fills, slow.refused)
    assert book.refused > 0


# ------------------------------------------------------------------------------- the common stream
def common_stream(shared: Path, n: int, seed: int) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("stream", shared / "bench" / "stream.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.generate(n, seed))


def end_of(stream: dict[str, Any]) -> dict[str, int]:
    book = new_book()
    slot_of = np.zeros(int(stream["oid"].max()) + 1, np.int32)
    kernels.apply(book, *[stream[name].astype(kind) for name, kind in ROWS], slot_of)
    state = state_of(book)
    assert book.best[BID] < book.best[ASK]
    assert sum(len(queue) for half in state for _, queue in half) == book.resting
    values = (book.traded, book.fills, book.resting, *book.best)
    return dict(zip(END, map(int, values), strict=True))


@pytest.mark.parametrize("seed", [20260401, 7, 42, 1_000_003])
def test_the_common_stream_ends_where_its_reference_ends(shared: Path, seed: int) -> None:
    stream = common_stream(shared, 100_000 if COMPILED else 1_000, seed)
    assert end_of(stream) == {name: int(stream[name]) for name in END}


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.skipif(not COMPILED, reason="minutes in plain Python")
def test_a_million_operations_end_at_the_published_state(shared: Path) -> None:
    end = end_of(common_stream(shared, 1_000_000, 20260401))
    assert list(end.values()) == [383_100, 163_459, 15_857, 9_999, 10_001]


# ---------------------------------------------------------------------------------- bounds, small
def test_an_empty_book_trades_nothing_and_shows_nothing() -> None:
    book, px = new_book(), np.zeros(4, np.int64)
    assert book.best.tolist() == [t.NO_BID, t.NO_ASK]
    assert kernels.match(book, BID, t.NO_ASK, 5) == 5
    assert kernels.match(book, ASK, t.NO_BID, 5) == 5
    assert book.match_count == 0
    assert [kernels.depth(book, half, px, px) for half in (BID, ASK)] == [0, 0]
    assert [kernels.cancel(book, slot) for slot in (-3, 0, 1, t.N_RESTING)] == [0, 0, 0, 0]
    assert [kernels.reduce(book, slot, 1) for slot in (-3, 0, 1, t.N_RESTING)] == [0, 0, 0, 0]
    assert [kernels.queue_ahead(book, slot) for slot in (-3, 0, 1, t.N_RESTING)] == [0, 0, 0, 0]


def test_the_first_come_is_the_first_served_and_a_reduced_order_keeps_its_place() -> None:
    book = new_book()
    first, second, third = (kernels.add(book, ASK, 100, 5, t.OWN, tag) for tag in (1, 2, 3))
    assert kernels.reduce(book, first, 2) == 3
    assert [kernels.queue_ahead(book, slot) for slot in (first, second, third)] == [0, 3, 8]
    assert kernels.match(book, BID, 100, 9) == 0
    assert book.matches[: int(book.match_count)].tolist() == [
        (100, 3, first, t.OWN, 1, 0),
        (100, 5, second, t.OWN, 2, 0),
        (100, 1, third, t.OWN, 3, 4),
    ]


def test_an_order_cancelled_twice_is_removed_once() -> None:
    book = new_book()
    slot = kernels.add(book, BID, 100, 7, t.OWN, 1)
    kernels.add(book, BID, 99, 2, t.OWN, 2)
    assert [kernels.cancel(book, slot) for _ in range(2)] == [7, 0]
    assert book.best[BID] == 99
    assert state_of(book) == [[(99, [(2, t.OWN, 2)])], []]


def test_a_reduction_to_nothing_or_below_removes_and_a_negative_one_changes_nothing() -> None:
    book = new_book()
    slots = [kernels.add(book, BID, 100, 4, t.OWN, tag) for tag in (1, 2, 3)]
    told = [kernels.reduce(book, slot, by) for slot, by in zip(slots, (4, 9, -2), strict=True)]
    assert told == [0, 0, 4]
    assert state_of(book) == [[(100, [(4, t.OWN, 3)])], []]


def test_a_full_report_hands_back_and_the_next_call_goes_on() -> None:
    book = new_book()
    for tag in range(t.N_MATCHES + 10):
        kernels.add(book, ASK, 100 + tag // 300, 2, t.STRANGER, tag)
    told = []
    left = 2 * t.N_MATCHES + 11
    for _ in range(3):
        left = kernels.match(book, BID, t.NO_ASK, left)
        told.append((left, int(book.match_count), int(book.matches[0].tag)))
    assert told == [(11, t.N_MATCHES, 0), (0, 6, t.N_MATCHES), (0, 0, t.N_MATCHES)]
    assert state_of(book)[ASK][0][1][0] == (1, t.STRANGER, t.N_MATCHES + 5)


def test_a_stream_goes_on_after_a_full_report() -> None:
    count = t.N_MATCHES + 5
    rows = np.zeros((5, count + 1), np.int64)
    rows[:, :count] = np.array([[t.OP_LIMIT], [1], [100], [1], [0]])
    rows[4] = np.arange(count + 1)
    rows[:, count] = t.OP_MARKET, 0, 0, 10 * count, count
    book = new_book()
    columns = [row.astype(kind) for row, (_, kind) in zip(rows, ROWS, strict=True)]
    kernels.apply(book, *columns, np.zeros(count + 1, np.int32))
    assert (book.fills, book.traded, book.resting) == (count, count, 0)


def test_a_full_book_refuses_and_takes_again_once_there_is_room() -> None:
    book = new_book()
    for tag in range(1, t.N_RESTING):
        assert kernels.add(book, BID, 100, 1, t.STRANGER, tag) == tag
    assert kernels.add(book, ASK, 200, 1, t.STRANGER, 0) == -t.BOOK_FULL
    assert kernels.cancel(book, 77) == 1
    assert kernels.add(book, ASK, 200, 1, t.STRANGER, 0) == 77
    assert kernels.add(book, ASK, 200, 1, t.STRANGER, 0) == -t.BOOK_FULL
    assert book.resting == t.N_RESTING - 1


@pytest.mark.parametrize("base", [-t.N_LEVELS // 2, 12_345, 1 << 39])
@pytest.mark.parametrize("half", [BID, ASK])
def test_prices_a_whole_ladder_apart_are_refused_until_the_far_end_leaves(
    base: int, half: int
) -> None:
    book = new_book()
    low = kernels.add(book, half, base, 1, t.STRANGER, 1)
    top = kernels.add(book, half, base + t.N_LEVELS - 1, 1, t.STRANGER, 2)
    assert kernels.add(book, half, base + t.N_LEVELS, 1, t.STRANGER, 3) == -t.PRICE_OUT_OF_RANGE
    assert kernels.add(book, half, base - 1, 1, t.STRANGER, 3) == -t.PRICE_OUT_OF_RANGE
    kernels.cancel(book, low)
    assert kernels.add(book, half, base + t.N_LEVELS, 1, t.STRANGER, 3) == low
    kernels.cancel(book, top)
    assert kernels.add(book, 1 - half, base + 1, 1, t.STRANGER, 4) == top
    assert (book.low, book.high) == (base + 1, base + t.N_LEVELS)
    state_of(book)


def test_a_lone_order_may_stand_anywhere_but_at_the_prices_that_mean_none() -> None:
    book = new_book()
    for px in (0, 1 << 39, -(1 << 39), t.NO_ASK - 1, t.NO_BID + 1):
        slot = kernels.add(book, BID, px, 1, t.STRANGER, 1)
        assert book.best[BID] == px
        assert kernels.match(book, ASK, t.NO_BID, 1) == 0
        assert (slot, book.resting) == (1, 0)
    for px in (t.NO_ASK, t.NO_BID, t.NO_ASK + 1):
        assert kernels.add(book, BID, px, 1, t.STRANGER, 1) == -t.PRICE_OUT_OF_RANGE


def test_a_name_whose_slot_another_order_took_cancels_nobody() -> None:
    limit, cancel, reduce = t.OP_LIMIT, t.OP_CANCEL, t.OP_REDUCE
    rows = [
        (limit, 0, 100, 5, 3),
        (cancel, 0, 0, 0, 3),
        (limit, 0, 101, 6, 4),  # in the slot that 3 left
        (cancel, 0, 0, 0, 3),
        (reduce, 0, 0, 1, 3),
        (cancel, 0, 0, 0, 0),  # never placed
    ]
    columns = [
        np.array(x, kind) for x, (_, kind) in zip(zip(*rows, strict=True), ROWS, strict=True)
    ]
    book, slot_of = new_book(), np.zeros(5, np.int32)
    kernels.apply(book, *columns, slot_of)
    assert slot_of.tolist() == [0, 0, 0, 1, 1]
    assert state_of(book) == [[(101, [(6, t.STRANGER, 4)])], []]
    kernels.cancel(book, 1)
    kernels.add(book, BID, 99, 2, t.OWN, 4)  # same slot, same name, but not the stream's
    kernels.apply(book, *[column[-3:-2] for column in columns], np.array([0, 0, 0, 1, 1], np.int32))
    assert state_of(book) == [[(99, [(2, t.OWN, 4)])], []]
