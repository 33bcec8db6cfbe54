"""Our orders at the venue: matching, settlement, acknowledgement, and the news of it.

The rooms below do the work; here they play together in the order that matters: a match settles the
true account, writes its row and posts its acknowledgement before the next one is looked at.
"""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.account import fee_of, mark_to, settle
from lablib.kernels.book import add, cancel, match
from lablib.kernels.delay import delay_ns
from lablib.kernels.histogram import record
from lablib.kernels.jit import kernel
from lablib.kernels.venue import (
    grow_level,
    maker_hit,
    read_touch,
    replayed_lots,
    rest_rung,
    rung_px,
    rungs_to_fill,
    shrink_level,
    too_far,
    withdraw,
)
from lablib.kernels.wire import next_due, post, room

_ACKS = 65_536  # an order's acknowledgements are numbered within its own number
_OURS = 1_024  # news our own orders cause is numbered from here, the market's below


@kernel
def publish(state, params, cause, number):
    """The touch has changed: mark the true account and send the news on the venue feed."""
    quote = state.venue.quote
    state.venue.updates += 1
    quote.at_ns = state.now_ns
    if quote.bid != t.NO_BID and quote.ask != t.NO_ASK:
        mark_to(state.account, quote.bid + quote.ask)
    wire = state.wires[t.VENUE_FEED]
    delay = delay_ns(params, t.VENUE_FEED, t.VENUE_FEED, cause, number)
    message = wire.messages[post(wire, state.now_ns, delay)]
    message.info_ns = state.now_ns
    message.cause = cause
    message.kind = number
    message.a = quote.bid
    message.b = quote.ask
    message.c = quote.bid_lots
    message.d = quote.ask_lots
    state.due[t.SEE_VENUE] = next_due(wire)


@kernel
def acknowledge(state, params, at, kind):
    """Tell us what an order has come to. A crowded wire keeps its last places for final words:
    a fill then waits on its order and is told with the next one, so that nothing is lost."""
    own = state.own[at]
    wire = state.wires[t.ACK]
    if kind == t.FILL_ACK and room(wire) <= t.N_OWN:
        return
    number = own.number * _ACKS + own.acks
    own.acks += 1
    delay = delay_ns(params, t.ACK, t.ACK, own.cause, number)
    message = wire.messages[post(wire, state.now_ns, delay)]
    message.info_ns = state.now_ns
    message.cause = own.cause
    message.kind = kind
    message.ref = at
    message.a = own.held_lots
    message.b = own.held_value
    message.c = own.held_fee
    own.held_lots = 0
    own.held_value = 0
    own.held_fee = 0
    state.due[t.LEARN] = next_due(wire)


@kernel
def fill(state, params, output, at, px, lots, is_maker):
    """One fill of an own order: the true account, the row, the acknowledgement."""
    own = state.own[at]
    value = px * lots * t.MONEY
    fee = fee_of(value, params.venue.fee_rate)
    settle(state.account, own.side, lots, value, fee)
    own.filled += lots
    own.held_lots += lots
    own.held_value += value
    own.held_fee += fee
    row = output.fills[output.cursor.fills]
    output.cursor.fills += 1
    row.order_id = own.order_id
    row.t_ns = state.now_ns
    row.side = own.side
    row.lots = lots
    row.price_ticks = px
    row.price_px = px * params.tick_px
    row.fee = fee * params.unit_value
    row.fee_units = fee
    row.is_maker = is_maker
    row.is_exit = own.is_exit
    acknowledge(state, params, at, t.FILL_ACK)


@kernel
def finish(state, params, at, status, reason):
    """An own order has met its end at the venue; we learn of it later."""
    own = state.own[at]
    own.status = status
    own.reason = reason
    own.slot = 0
    acknowledge(state, params, at, t.DONE_ACK)


@kernel
def settle_matches(state, params, output, taker):
    """Go through the last report of matches: ours as taker (`taker` >= 0), ours as maker, the makers'."""
    book = state.book
    for k in range(book.match_count):
        trade = book.matches[k]
        if trade.owner == t.MAKER:
            half = book.orders[trade.slot].half
            maker_hit(state.venue.ladder, params.venue, half, trade.px, trade.left)
        elif trade.owner == t.OWN:
            fill(state, params, output, trade.tag, trade.px, trade.lots, 1)
            if trade.left == 0:
                finish(state, params, trade.tag, t.FILLED, t.OK)
        if taker >= 0:
            fill(state, params, output, taker, trade.px, trade.lots, 0)


@kernel
def take(state, params, output, half, limit, lots, taker):
    """Match an aggressor as far as it goes; returns the lots left."""
    while True:
        lots = match(state.book, half, limit, lots)
        settle_matches(state, params, output, taker)
        if lots == 0 or state.book.match_count < t.N_MATCHES:
            return lots


@kernel
def trade_at_quote(state, params, output, at):
    """Fill an own order against a quote source: level by level, as deep as the venue quotes."""
    own = state.own[at]
    quote = state.venue.quote
    left = own.lots - own.filled
    touch = quote.ask if own.side > 0 else quote.bid
    for rung in range(params.venue.levels):
        px = touch + own.side * rung
        if left == 0 or (own.kind != t.MARKET and (px - own.limit_ticks) * own.side > 0):
            break
        lots = min(left, params.venue.level_lots)
        fill(state, params, output, at, px, lots, 0)
        left -= lots
    return left


@kernel
def arrive(state, params, output, at, cause):
    """A new own order has reached the venue."""
    own = state.own[at]
    own.received_at = state.now_ns
    own.acted_at = state.now_ns
    record(state.latency[t.EXCHANGE_LATENCY], state.now_ns - own.created_at)
    if params.venue.model == t.DELAYED_COPY:
        left = trade_at_quote(state, params, output, at)
    else:
        half = (1 - own.side) >> 1
        limit = own.limit_ticks
        if own.kind == t.MARKET:
            limit = t.NO_ASK if own.side > 0 else t.NO_BID
        left = take(state, params, output, half, limit, own.lots, at)
    if left == 0:
        finish(state, params, at, t.FILLED, t.OK)
    elif own.kind != t.LIMIT:
        finish(state, params, at, t.CANCELLED, t.NO_LIQUIDITY)
    elif params.venue.model == t.DELAYED_COPY:
        own.status = t.RESTING
        state.desk.resting += 1
    else:
        slot = add(state.book, (1 - own.side) >> 1, own.limit_ticks, left, t.OWN, at)
        if slot > 0:
            own.status = t.RESTING
            own.slot = slot
        else:
            finish(state, params, at, t.REJECTED, -slot)
    if params.venue.model != t.DELAYED_COPY and read_touch(state.venue.quote, state.book):
        publish(state, params, cause, _OURS + own.number)


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
def withdraw_own(state, params, at, reason):
    """Cancel an own resting order; one that rests no more is left alone."""
    own = state.own[at]
    if not own.used or own.status != t.RESTING:
        return
    if params.venue.model == t.DELAYED_COPY:
        state.desk.resting -= 1
    else:
        cancel(state.book, own.slot)
    own.acted_at = state.now_ns
    finish(state, params, at, t.CANCELLED, reason)


@kernel
def requote(state, params, output, px, cause):
    """The makers have heard of a price: withdraw what is stale, then quote what is missing."""
    venue = state.venue
    ladder = venue.ladder
    rules = params.venue
    withdraw(ladder, state.book, rules, px)
    bid_from, bid_to = rungs_to_fill(ladder, rules, 0, px)
    ask_from, ask_to = rungs_to_fill(ladder, rules, 1, px)
    ladder.centre = px
    ladder.dirty = 0
    for half in range(2):
        first, last = (bid_from, bid_to) if half == 0 else (ask_from, ask_to)
        for rung in range(first, last):
            wanted = rung_px(rules, half, px, rung)
            if ladder.slot[half, wanted % rules.levels] != 0:
                continue
            left = take(state, params, output, half, wanted, rules.level_lots, -1)
            if left > 0:
                rest_rung(venue, state.book, rules, half, wanted, left)
    if read_touch(venue.quote, state.book):
        publish(state, params, cause, 0)


@kernel
def set_level(state, params, output, half, px, lots):
    """A recorded level shows `lots` in all. Growth that crosses trades with us first."""
    book = state.book
    have = replayed_lots(book, half, px)
    if lots < have:
        shrink_level(book, half, px, have - lots)
    elif lots > have and not too_far(book, half, px):
        left = take(state, params, output, half, px, lots - have, -1)
        if left > 0:
            grow_level(state.venue, book, half, px, left)
