"""What the tape's events do to the venue: a delayed copy, makers on a real book, a replayed book.

A maker re-quotes a ladder of single orders around the external price it has just heard of. Between
the move and that moment its old orders stand in the book, first come, first served: the race.
"""

from __future__ import annotations

import math

from lablib.kernels import tables as t
from lablib.kernels.book import add, cancel, reduce
from lablib.kernels.jit import kernel

_FAR_TICKS = t.N_LEVELS // 4  # a replayed level farther from the touch than this is left out


@kernel
def round_ticks(px):
    """The venue tick nearest to an external price."""
    return int(math.floor(px + 0.5))


@kernel
def copy_quote(quote, params, px):
    """Set a delayed copy's quote from the external price that has just reached the venue."""
    mid = round_ticks(px)
    quote.bid = mid - params.half_spread_ticks
    quote.ask = mid + params.half_spread_ticks
    quote.bid_lots = params.level_lots
    quote.ask_lots = params.level_lots


@kernel
def read_touch(quote, book):
    """Read the best quotes of a book; returns whether they changed."""
    bid = book.best[0]
    ask = book.best[1]
    bid_lots = 0 if bid == t.NO_BID else book.levels[0, bid & (t.N_LEVELS - 1)].lots
    ask_lots = 0 if ask == t.NO_ASK else book.levels[1, ask & (t.N_LEVELS - 1)].lots
    same = bid == quote.bid and ask == quote.ask
    if same and bid_lots == quote.bid_lots and ask_lots == quote.ask_lots:
        return False
    quote.bid = bid
    quote.ask = ask
    quote.bid_lots = bid_lots
    quote.ask_lots = ask_lots
    return True


@kernel
def maker_hit(ladder, params, half, px, left):
    """A maker's order traded: the level is refilled at the next refresh."""
    ladder.dirty = 1
    if left == 0:
        ladder.slot[half, px % params.levels] = 0


@kernel
def withdraw(ladder, book, params, centre):
    """Cancel what the maker no longer wants once it quotes around `centre`.

    Of the ladder's levels those stay that are still wanted; they keep their place in the queue.
    """
    levels = params.levels
    near = params.half_spread_ticks
    for half in range(2):
        # Bids wanted: centre - near - levels + 1 … centre - near; asks mirrored.
        first = centre - near - levels + 1 if half == 0 else centre + near
        for rung in range(levels):
            slot = ladder.slot[half, rung]
            if slot == 0:
                continue
            order = book.orders[slot]
            wanted = first <= order.px < first + levels
            if wanted and ladder.dirty and order.lots < params.level_lots:
                wanted = False  # refilled at the back of the queue
            if not wanted:
                cancel(book, slot)
                ladder.slot[half, rung] = 0
    ladder.centre = centre
    ladder.dirty = 0
    ladder.quoting = 1


@kernel
def missing_rung(ladder, params, half, k):
    """Price of the k-th level from the touch if the ladder lacks it, else NO_BID."""
    if half == 0:
        px = ladder.centre - params.half_spread_ticks - k
    else:
        px = ladder.centre + params.half_spread_ticks + k
    if ladder.slot[half, px % params.levels] != 0:
        return t.NO_BID
    return px


@kernel
def rest_rung(venue, book, params, half, px, lots):
    """Rest what is left of a maker's new order."""
    slot = add(book, half, px, lots, t.MAKER, px)
    if slot > 0:
        venue.ladder.slot[half, px % params.levels] = slot
    else:
        venue.refused += 1


@kernel
def replayed_lots(book, half, px):
    """Lots of a level that the recording put there."""
    level = book.levels[half, px & (t.N_LEVELS - 1)]
    total = 0
    slot = level.head
    while slot != 0:
        order = book.orders[slot]
        if order.owner == t.REPLAYED and order.px == px:
            total += order.lots
        slot = order.next
    return total


@kernel
def too_far(book, half, px):
    """Whether a recorded level is too far from the touch to be kept."""
    touch = book.best[half]
    if touch == t.NO_BID or touch == t.NO_ASK:
        touch = book.best[1 - half]
        if touch == t.NO_BID or touch == t.NO_ASK:
            return False
    return abs(px - touch) > _FAR_TICKS


@kernel
def shrink_level(book, half, px, lots):
    """Take lots off a replayed level, from the back of its queue: who leaves was behind us."""
    slot = book.levels[half, px & (t.N_LEVELS - 1)].tail
    while slot != 0 and lots > 0:
        order = book.orders[slot]
        ahead = order.prev
        if order.owner == t.REPLAYED and order.px == px:
            gone = min(lots, order.lots)
            lots -= gone
            reduce(book, slot, gone)
        slot = ahead


@kernel
def grow_level(venue, book, half, px, lots):
    """Put lots at the back of a replayed level."""
    if add(book, half, px, lots, t.REPLAYED, px) <= 0:
        venue.refused += 1


@kernel
def clear_replayed(book):
    """Take every recorded order out: a snapshot follows."""
    for slot in range(1, book.fresh + 1):
        order = book.orders[slot]
        if order.lots > 0 and order.owner == t.REPLAYED:
            cancel(book, slot)
