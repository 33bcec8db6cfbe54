"""The book at its bounds, and the small sentences about it."""

from __future__ import annotations

import numpy as np
import pytest
from reference.links import ASK, BID, columns_of, new_book, state_of

from lablib.kernels import book as kernels
from lablib.kernels import tables as t


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
    asks = [(t.OP_LIMIT, 1, 100, 1, oid) for oid in range(count)]
    book = new_book()
    columns = columns_of(*asks, (t.OP_MARKET, 0, 0, 10 * count, count))
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


@pytest.mark.parametrize("base", [0, 1, 31, 32, -7, 12_345])
@pytest.mark.parametrize("half", [BID, ASK])
def test_the_next_best_price_is_found_at_the_very_end_of_the_ladder(base: int, half: int) -> None:
    away = 2 * half - 1
    book, px = new_book(), np.zeros(3, np.int64)
    far = base + away * (t.N_LEVELS - 1)
    kernels.add(book, half, far, 1, t.STRANGER, 1)
    touch = kernels.add(book, half, base, 1, t.STRANGER, 2)
    assert kernels.depth(book, half, px, px.copy()) == 2
    assert px.tolist() == [base, far, 0]
    kernels.cancel(book, touch)
    assert book.best[half] == far
    assert kernels.match(book, 1 - half, far, 1) == 0
    assert book.best[half] == away * t.NO_ASK


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
    book, slot_of = new_book(), np.zeros(5, np.int32)
    columns = columns_of(
        (limit, 0, 100, 5, 3),
        (cancel, 0, 0, 0, 3),
        (limit, 0, 101, 6, 4),  # in the slot that 3 left
        (cancel, 0, 0, 0, 3),
        (reduce, 0, 0, 1, 3),
        (cancel, 0, 0, 0, 0),  # never placed
    )
    kernels.apply(book, *columns, slot_of)
    assert slot_of.tolist() == [0, 0, 0, 1, 1]
    assert state_of(book) == [[(101, [(6, t.STRANGER, 4)])], []]
    kernels.cancel(book, 1)
    kernels.add(book, BID, 99, 2, t.OWN, 4)  # same slot, same name, but not the stream's
    kernels.apply(book, *columns_of((cancel, 0, 0, 0, 4), (reduce, 0, 0, 1, 4)), slot_of)
    assert state_of(book) == [[(99, [(2, t.OWN, 4)])], []]
