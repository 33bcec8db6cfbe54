"""Those who make the price of a real book: each hears of the external price in its own time, and re-quotes.

A maker quotes a ladder of single orders around the external price it has heard of last. Between a
move and the moment it hears of it, its old orders stand in the book, first come, first served: the
race. Where another maker has not heard yet, a new quote takes what that one has left standing before
it rests. Who was picked off quotes wider for a while.
"""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.delay import travel_ns
from lablib.kernels.jit import kernel
from lablib.kernels.notices import publish
from lablib.kernels.settlement import take
from lablib.kernels.transmit import tell_px
from lablib.kernels.venue import (
    read_touch,
    rest_rung,
    round_ticks,
    rung_px,
    rungs_to_fill,
    withdraw,
)
from lablib.kernels.wire import next_due, post_free, room

_NEWS = 128  # the news that maker k causes is numbered k times this: rivals come between 0 and it


@kernel
def open_makers(state, params, output):
    """Every maker lays its first ladder, in turn; what comes of it is the first news."""
    px = round_ticks(state.external.px)
    for maker in range(params.makers.count):
        ladder = state.venue.ladders[maker]
        ladder.dirty = 1
        ladder.lesson = t.FAR
        requote(state, params, output, maker, px, params.venue.half_spread_ticks)
    if read_touch(state.venue.quote, state.book):
        publish(state, params, 0, 0)


@kernel
def tell_makers(state, params, px, cause):
    """The external price has moved: tell several makers, each after a delay of its own.

    They share a wire, on which each one's messages keep their order and overtake the others'. If it
    has no place for all of them nobody is told: the next price is news enough.
    """
    now = state.now_ns
    wire = state.wires[t.MARKET_LAG]
    makers = params.makers
    if room(wire) < makers.count:
        wire.conflated += makers.count
        return
    for maker in range(makers.count):
        ns = travel_ns(params, state.external, now, t.MARKET_LAG, t.MARKET_LAG, cause, maker)
        if ns < 0:
            wire.lost += 1
            continue
        due = now + ns + makers.late_ns[maker]
        if not params.delays[t.MARKET_LAG].free:
            ladder = state.venue.ladders[maker]
            due = max(due, ladder.told_ns)
            ladder.told_ns = due
        message = wire.messages[post_free(wire, now, due - now)]
        tell_px(message, now, cause, px)
        message.ref = maker
    state.due[t.LAG] = next_due(wire)


@kernel
def price_reaches_maker(state, params, output, message):
    """A maker has heard of a price, and re-quotes if that is far enough from where it stands."""
    maker = message.ref
    ladder = state.venue.ladders[maker]
    if message.cause < ladder.heard:
        return
    ladder.heard = message.cause
    if message.cause >= ladder.lesson:
        ladder.lesson = t.FAR
        ladder.wide_until_ns = state.now_ns + params.makers.calm_ns
    reach = params.venue.half_spread_ticks
    if state.now_ns < ladder.wide_until_ns:
        reach += params.makers.widen_ticks
    px = round_ticks(message.x)
    if not ladder.dirty and reach == ladder.reach:
        if abs(px - ladder.centre) < params.makers.refresh_ticks[maker]:
            return
    requote(state, params, output, maker, px, reach)
    if read_touch(state.venue.quote, state.book):
        publish(state, params, message.cause, maker * _NEWS)


@kernel
def requote(state, params, output, maker, px, reach):
    """Withdraw what is stale, then quote what is missing: around `px`, from `reach` ticks on."""
    venue = state.venue
    book = state.book
    ladder = venue.ladders[maker]
    rules = params.venue
    withdraw(ladder, book, rules, px, reach)
    bid_from, bid_to = rungs_to_fill(ladder, rules, 0, px, reach)
    ask_from, ask_to = rungs_to_fill(ladder, rules, 1, px, reach)
    ladder.centre = px
    ladder.reach = reach
    ladder.dirty = 0
    taker = -1 - (t.FIRST_MAKER + maker)
    for half in range(2):
        first, last = (bid_from, bid_to) if half == 0 else (ask_from, ask_to)
        for rung in range(first, last):
            wanted = rung_px(half, px, reach + rung)
            if ladder.slot[half, wanted % rules.levels] != 0:
                continue
            if wanted < 1:  # nobody bids nothing; looked at again once the price is higher
                ladder.dirty = 1
                break
            left = rules.level_lots
            if (book.best[1 - half] - wanted) * (1 - 2 * half) <= 0:
                left = take(state, params, output, half, wanted, left, taker)
                ladder.dirty = 1
            if left > 0:
                rest_rung(venue, book, rules, maker, half, wanted, left)
