"""Reads a book of the kernels link by link, and checks on the way that its parts agree."""

from __future__ import annotations

from typing import Any

import numpy as np

from lablib.kernels import book as kernels
from lablib.kernels import tables as t

BID, ASK = 0, 1
ROWS = {"op": np.int8, "side": np.int8, "px": np.int32, "qty": np.int32, "oid": np.int64}


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


def columns_of(*rows: tuple[int, int, int, int, int]) -> list[Any]:
    """Rows (op, side, px, qty, oid) as the arrays of a stream."""
    return [
        np.array(x, kind) for x, kind in zip(zip(*rows, strict=True), ROWS.values(), strict=True)
    ]
