"""The limit order book: rest, match, cancel, reduce; price first, then time.

A level is a queue of slots linked both ways; freed slots are used again, the last one first, while it
is still in the cache. Every operation takes constant time but the search for the next best price,
which `ladder` keeps short. Who owns an order and what a match means for the owner is the caller's
business. A half is 0 for bids, 1 for asks.

``slot & SLOT`` equals ``slot``: the mask proves to the compiler that the index is neither negative
nor too large, which saves two tests. For the same reason both ends of a queue are read before they
are chosen from: a choice between two loaded values costs no branch.
"""

from __future__ import annotations

import numpy as np

from lablib.kernels.jit import kernel
from lablib.kernels.ladder import LEVEL, admit, farthest, nearest, occupy, vacate
from lablib.kernels.tables import (
    BOOK_FULL,
    N_MATCHES,
    N_RESTING,
    NO_ASK,
    NO_BID,
    OP_CANCEL,
    OP_IOC,
    OP_LIMIT,
    OP_MARKET,
    PRICE_OUT_OF_RANGE,
    SIZE_ZERO,
    STRANGER,
)

SLOT = N_RESTING - 1
REPORT = N_MATCHES - 1


@kernel
def open_book(book):
    """Make an all-zero record an empty book."""
    book.best[0] = NO_BID
    book.best[1] = NO_ASK


@kernel
def add(book, half, px, lots, owner, tag):
    """Rest an order at the back of its level, without matching.

    Returns its slot (from 1), or minus the reason it was refused.
    """
    half = half & 1
    if lots <= 0:
        return -SIZE_ZERO
    if (px < book.low or px > book.high) and not admit(book, px):
        return -PRICE_OUT_OF_RANGE
    slot = book.free
    if slot:
        book.free = book.orders[slot & SLOT].next
    else:
        slot = book.fresh + 1
        if slot >= N_RESTING:
            return -BOOK_FULL
        book.fresh = slot
    level = book.levels[half, px & LEVEL]
    head = level.head
    tail = level.tail
    order = book.orders[slot & SLOT]
    order.px = px
    order.lots = lots
    order.next = 0
    order.prev = tail
    order.half = half
    order.owner = owner
    order.tag = tag
    book.orders[tail & SLOT].next = slot
    if tail == 0:
        head = slot
        occupy(book, half, px)
    level.head = head
    level.tail = slot
    level.lots += lots
    level.count += 1
    book.resting += 1
    away = 2 * half - 1
    book.best[half] = min(book.best[half] * away, px * away) * away
    return slot


@kernel
def _remove(book, slot):
    """Take a resting order out of its queue; returns the lots it had."""
    order = book.orders[slot & SLOT]
    half = order.half & 1
    px = order.px
    lots = order.lots
    ahead = order.prev
    behind = order.next
    level = book.levels[half, px & LEVEL]
    head = level.head
    tail = level.tail
    book.orders[ahead & SLOT].next = behind
    book.orders[behind & SLOT].prev = ahead
    if ahead == 0:
        head = behind
    if behind == 0:
        tail = ahead
    level.head = head
    level.tail = tail
    level.lots -= lots
    level.count -= 1
    order.lots = 0
    order.next = book.free
    book.free = slot
    book.resting -= 1
    if head == 0:
        vacate(book, half, px)
    return lots


@kernel
def match(book, half, limit, lots):
    """Let an aggressor take the other half up to and including `limit`; returns the lots left.

    Writes what happened to ``book.matches[:book.match_count]``. A full report hands back early: with
    lots left and ``match_count == N_MATCHES`` the caller drains it and calls again.
    """
    other = (1 - half) & 1
    away = 2 * other - 1
    limit = min(limit * away, NO_ASK - 1)  # an empty half has its best just beyond
    px = book.best[other]
    wanted = lots
    count = 0
    while lots > 0 and px * away <= limit and count < N_MATCHES:
        level = book.levels[other, px & LEVEL]
        slot = level.head
        before = lots
        gone = count
        while True:
            order = book.orders[slot & SLOT]
            had = order.lots
            taken = min(had, lots)
            report = book.matches[count & REPORT]
            report.px = px
            report.lots = taken
            report.slot = slot
            report.owner = order.owner
            report.tag = order.tag
            report.left = had - taken
            count += 1
            lots -= taken
            order.lots = had - taken
            if taken < had:
                gone += 1  # this one stays
                break
            behind = order.next
            order.next = book.free
            book.free = slot
            slot = behind
            if slot == 0 or lots == 0 or count == N_MATCHES:
                break
        gone = count - gone
        level.lots -= before - lots
        level.count -= gone
        level.head = slot
        book.orders[slot & SLOT].prev = 0
        book.resting -= gone
        if slot == 0:
            level.tail = 0
            vacate(book, other, px)
            px = book.best[other]
    book.traded += wanted - lots
    book.fills += count
    book.match_count = count
    return lots


@kernel
def cancel(book, slot):
    """Take an order out; returns the lots removed, 0 when the slot rests nothing."""
    if slot <= 0 or slot > SLOT or book.orders[slot & SLOT].lots == 0:
        return 0
    return _remove(book, slot)


@kernel
def reduce(book, slot, lots):
    """Take `lots` off an order that keeps its place; returns the lots left, 0 when it is gone."""
    if slot <= 0 or slot > SLOT:
        return 0
    order = book.orders[slot & SLOT]
    left = order.lots - max(lots, 0)
    if left > 0:
        book.levels[order.half & 1, order.px & LEVEL].lots += left - order.lots
        order.lots = left
        return left
    cancel(book, slot)
    return 0


@kernel
def queue_ahead(book, slot):
    """Lots in front of an order at its price; 0 when the slot rests nothing. Walks the queue."""
    if slot <= 0 or slot > SLOT or book.orders[slot & SLOT].lots == 0:
        return 0
    lots = 0
    ahead = book.orders[slot & SLOT].prev
    while ahead:
        order = book.orders[ahead & SLOT]
        lots += order.lots
        ahead = order.prev
    return lots


@kernel
def available(book, half, limit, wanted):
    """Lots an aggressor of that half could take within `limit`; counts no further than `wanted`."""
    other = 1 - (half & 1)
    away = 2 * other - 1
    px = book.best[other]
    if px == away * NO_ASK:
        return 0
    last = farthest(book, other)
    lots = 0
    while lots < wanted and (limit - px) * away >= 0:
        lots += book.levels[other, px & LEVEL].lots
        if px == last:
            break
        px = nearest(book, other, px + away)
    return lots


@kernel
def depth(book, half, px_out, lots_out):
    """Write prices and lots of a half from the touch outwards; returns the levels written."""
    away = 2 * half - 1
    px = book.best[half & 1]
    last = farthest(book, half)
    if px == away * NO_ASK:
        return 0
    for count in range(len(px_out)):
        px_out[count] = px
        lots_out[count] = book.levels[half & 1, px & LEVEL].lots
        if px == last:
            return count + 1
        px = nearest(book, half, px + away)
    return len(px_out)


@kernel
def named(book, slot_of, oid):
    """Slot of the order a stream calls `oid`, 0 when it does not rest: its slot may be another's by now."""
    slot = np.int64(slot_of[oid])
    order = book.orders[slot & SLOT]
    if order.lots and order.tag == oid and order.owner == STRANGER:
        return slot
    return 0


@kernel
def _take(book, half, limit, lots):
    """Match as far as it goes, however many reports that takes."""
    left = match(book, half, limit, lots)
    while left > 0 and book.match_count == N_MATCHES:
        left = match(book, half, limit, left)
    return left


@kernel
def _seldom(book, code, half, px, qty, slot):
    """The rarer rows of a stream, out of the loop: with five ways to go it would jump by table."""
    if code == OP_IOC:
        _take(book, half, px, qty)
    else:
        reduce(book, slot, qty)


@kernel
def apply(book, op, side, px, qty, oid, slot_of):
    """Put a whole stream of orders through the book, row by row.

    `op` is OP_LIMIT … OP_REDUCE, `side` 0 buys and 1 sells, `qty` of OP_REDUCE is what to take off;
    `slot_of` maps dense order ids to slots (0 none) and is kept up to date. What of a limit order
    finds no room, or bears the name of one still resting, is refused and counted.
    """
    for k in range(len(op)):
        code = op[k]
        half = np.int64(side[k]) & 1
        name = np.int64(oid[k])
        if code == OP_LIMIT:
            limit = np.int64(px[k])
            left = np.int64(qty[k])
            if named(book, slot_of, name):
                book.refused += 1
                continue
            if (book.best[1 - half] - limit) * (1 - 2 * half) <= 0:
                left = _take(book, half, limit, left)
            if left:
                slot = add(book, half, limit, left, STRANGER, name)
                if slot > 0:
                    slot_of[name] = slot
                else:
                    book.refused += 1
        elif code == OP_CANCEL:
            slot = named(book, slot_of, name)
            if slot:
                _remove(book, slot)
        elif code == OP_MARKET:
            _take(book, half, (1 - 2 * half) * NO_ASK, np.int64(qty[k]))
        else:
            _seldom(book, code, half, np.int64(px[k]), np.int64(qty[k]), named(book, slot_of, name))
