"""The market comes to our resting orders: a quote crosses them, somebody accepts one, a recorded trade passes."""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.book import add, cancel
from lablib.kernels.jit import kernel
from lablib.kernels.settlement import fill, finish, take
from lablib.kernels.venue import (
    accepts,
    clear_replayed,
    confirm_level,
    drop_better,
    drop_doubtful,
    grow_level,
    replayed_lots,
    shrink_level,
    too_far,
)


@kernel
def cross_resting(state, params, output):
    """A delayed copy's quote has moved: own passive orders it crosses fill at their limit."""
    quote = state.venue.quote
    for at in range(t.N_OWN):
        own = state.own[at]
        if own.used and own.status == t.RESTING:
            crossed = quote.ask <= own.limit_ticks if own.side > 0 else quote.bid >= own.limit_ticks
            if crossed:
                state.desk.resting -= 1
                fill(state, params, output, at, own.limit_ticks, own.lots - own.filled, 1)
                finish(state, params, at, t.FILLED, t.OK)


@kernel
def counterparty(state, params, output, half, lots, mark):
    """Somebody has come to a venue without a book: our best order of a half trades if they like its price."""
    best = -1
    for at in range(t.N_OWN):
        own = state.own[at]
        if own.used and own.status == t.RESTING and (1 - own.side) >> 1 == half:
            if best < 0 or (own.limit_ticks - state.own[best].limit_ticks) * own.side > 0:
                best = at
    if best < 0:
        return
    own = state.own[best]
    if not accepts(params.intensity, state.venue.quote, half, own.limit_ticks, mark):
        return
    left = own.lots - own.filled
    traded = left if lots == 0 else min(left, lots)
    fill(state, params, output, best, own.limit_ticks, traded, 1)
    if traded == left:
        state.desk.resting -= 1
        finish(state, params, best, t.FILLED, t.OK)


@kernel
def trade_passes(state, params, output, half, px, lots):
    """A recorded trade: where an own order rests at its price or better, the queue is worked off.

    Many a recording tells trades before the levels they changed: who trades at a price has left nothing
    better, so that recorded lots still shown there do not stand in our way. Where none of our orders is
    met, the recorded levels tell the story by themselves.
    """
    for at in range(t.N_OWN):
        own = state.own[at]
        resting = own.used and own.status == t.RESTING and (1 - own.side) >> 1 != half
        if resting and (own.limit_ticks - px) * own.side >= 0:
            drop_better(state.book, 1 - half, px)
            take(state, params, output, half, px, lots, -1)
            return


@kernel
def forget_book(state):
    """The recorded book starts over: its levels follow at once, or nobody knows them for a while."""
    clear_replayed(state.book)
    if state.venue.known == t.KNOWN:
        state.venue.forgotten_ns = state.now_ns
    state.venue.known = t.FORGOTTEN


@kernel
def settle_book(venue, book):
    """A recorded message is complete: if it was a snapshot, what it did not show is gone."""
    if venue.known == t.RETOLD:
        drop_doubtful(book)
        venue.known = t.KNOWN


@kernel
def step_back(state, half, px):
    """Own orders that joined a level while nobody knew it go behind what it turns out to show."""
    book = state.book
    level = book.levels[half, px & (t.N_LEVELS - 1)]
    slot = level.head
    last = level.tail
    while slot != 0:
        order = book.orders[slot]
        behind = order.next
        at = order.tag
        if order.owner == t.OWN and state.own[at].acted_at >= state.venue.forgotten_ns:
            lots = cancel(book, slot)
            state.own[at].slot = add(book, half, px, lots, t.OWN, at)
        slot = behind if slot != last else 0


@kernel
def set_level(state, params, output, half, px, lots):
    """A recorded level shows `lots` in all. Growth that crosses trades with us first."""
    book = state.book
    retold = state.venue.known != t.KNOWN
    if retold:
        state.venue.known = t.RETOLD
        confirm_level(book, half, px)
    have = replayed_lots(book, half, px)
    if lots < have:
        shrink_level(book, half, px, have - lots)
    elif lots > have and not too_far(book, half, px):
        if retold:
            drop_better(book, 1 - half, px + 1 - 2 * half)  # what it crosses is of another time
        left = take(state, params, output, half, px, lots - have, -1)
        if left > 0:
            grow_level(state.venue, book, half, px, left)
    if retold:
        step_back(state, half, px)
