"""The fast book against the obvious slow one, on random operations and on the common stream."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference.book import Order, ReferenceBook
from reference.links import ASK, BID, ROWS, new_book, state_of

from lablib.kernels import book as kernels
from lablib.kernels import tables as t
from lablib.kernels.jit import COMPILED

END = ("traded", "fills", "resting", "bb", "ba")


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
    duel.run(50_000 if COMPILED else 4_000, every=1_000)
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
    columns = [x.astype(kind) for x, kind in zip(stream, ROWS.values(), strict=True)]
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
    kernels.apply(book, *[stream[name].astype(kind) for name, kind in ROWS.items()], slot_of)
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
