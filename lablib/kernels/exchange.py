"""Our orders at the venue: matching, settlement, acknowledgement, and the news of it.

The rooms below do the work; here they play together in the order that matters: a match settles the
true account, writes its row and posts its acknowledgement before the next one is looked at.
"""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.account import fee_of, mark_to, settle
from lablib.kernels.book import add, available, cancel, match, reduce
from lablib.kernels.delay import uniform
from lablib.kernels.flow import renew, strike
from lablib.kernels.histogram import record
from lablib.kernels.jit import kernel
from lablib.kernels.transmit import transmit
from lablib.kernels.venue import (
    accepts,
    finely,
    grow_level,
    maker_hit,
    note_deal,
    read_touch,
    replayed_lots,
    shrink_level,
    too_far,
)
from lablib.kernels.wire import next_due, room

_ACKS = 65_536  # an order's acknowledgements are numbered within its own number
_GAPS = 32  # what is lost of wire w is drawn as wire w + 32
_OURS = 1_024  # news our own orders cause is numbered from here, the market's below


@kernel
def lost_on_the_way(params, cause, number):
    """Whether the feed-gap drill swallows a message of the venue feed."""
    return uniform(params, t.VENUE_FEED + _GAPS, cause, number) < params.drills.feed_gap


@kernel
def publish(state, params, cause, number):
    """The touch has changed: mark the true account and send the news on the venue feed."""
    quote = state.venue.quote
    state.venue.updates += 1
    quote.at_ns = state.now_ns
    if quote.bid != t.NO_BID and quote.ask != t.NO_ASK:
        mark_to(state.account, quote.bid + quote.ask)
    if params.drills.feed_gap > 0.0 and lost_on_the_way(params, cause, number):
        return
    wire = state.wires[t.VENUE_FEED]
    at = transmit(state, params, t.VENUE_FEED, t.VENUE_FEED, cause, number, 0)
    if at < 0:
        return
    message = wire.messages[at]
    message.info_ns = state.now_ns
    message.cause = cause
    message.kind = number
    message.ref = state.venue.updates  # the feed numbers its messages: who misses one can tell
    message.a = quote.bid
    message.b = quote.ask
    message.c = quote.bid_lots
    message.d = quote.ask_lots
    state.due[t.SEE_VENUE] = next_due(wire)


@kernel
def touch_moved(state, params, number):
    """Read the touch of a book venue after an event; returns whether it changed.

    Order flow first sees to its queues: what it lays there is keyed by the last tape event and `number`.
    """
    if params.venue.model == t.FLOW:
        renew(state.venue, state.book, params, state.tape_events, number)
    return read_touch(state.venue.quote, state.book)


@kernel
def acknowledge(state, params, at, kind):
    """Tell us what an order has come to.

    A crowded wire keeps its last places for final words: a fill then waits on its order and is told
    with the next one, so that nothing is lost.
    """
    own = state.own[at]
    wire = state.wires[t.ACK]
    if kind != t.DONE_ACK and room(wire) <= t.N_OWN:
        return
    number = own.number * _ACKS + own.acks
    own.acks += 1
    spike_ns = params.drills.latency_spike_ns
    message = wire.messages[transmit(state, params, t.ACK, t.ACK, own.cause, number, spike_ns)]
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
    message.d = own.gone_lots
    own.gone_lots = 0
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
    quote = state.venue.quote
    touch = quote.ask if own.side > 0 else quote.bid
    row.touch = px if is_maker or touch == t.NO_ASK or touch == t.NO_BID else touch
    row.mid = state.account.mark
    row.fair = finely(state.external.px)
    row.fair_seen = own.fair_seen
    row.mid_seen = own.mid_seen
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
def note(state, party, side, deal):
    """Book a deal for a party beside us, and what it was worth at the external price of this moment."""
    fair = finely(state.external.px)
    return note_deal(state.venue.parties[party], side, deal.px, deal.lots, fair)


@kernel
def maker_traded(state, params, deal, half):
    """A maker's order was taken; it was picked off where the external price is through its own.

    That it has been, the maker learns when this external price reaches it.
    """
    ladder = state.venue.ladders[deal.tag]
    maker_hit(ladder, params.venue, half, deal.px, deal.left)
    if note(state, t.FIRST_MAKER + deal.tag, 1 - 2 * half, deal) < 0:
        ladder.picked_off += 1
        ladder.lesson = min(ladder.lesson, state.external.index)


@kernel
def settle_matches(state, params, output, taker):
    """Go through the last report of matches: both sides of each, ours or a party's beside us.

    `taker` is the place of our own order, or -1 - its party.
    """
    book = state.book
    for k in range(book.match_count):
        deal = book.matches[k]
        half = book.orders[deal.slot].half
        known = True
        if deal.owner == t.MAKER:
            maker_traded(state, params, deal, half)
        elif deal.owner == t.OWN:
            fill(state, params, output, deal.tag, deal.px, deal.lots, 1)
            if deal.left == 0:
                state.desk.resting -= 1
                finish(state, params, deal.tag, t.FILLED, t.OK)
        else:
            known = taker != -1 - t.CROWD
            if known:
                note(state, t.CROWD, 1 - 2 * half, deal)
            if deal.owner == t.STRANGER and deal.left == 0:
                strike(state.venue.flow, book, deal.slot)
        if taker >= 0:
            fill(state, params, output, taker, deal.px, deal.lots, 0)
        elif known:
            note(state, -1 - taker, 2 * half - 1, deal)


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
        if left == 0 or px < 1:
            break
        if own.kind != t.MARKET and (px - own.limit_ticks) * own.side > 0:
            break
        lots = min(left, params.venue.level_lots)
        fill(state, params, output, at, px, lots, 0)
        left -= lots
    return left


@kernel
def limit_of(own):
    """The worst price an own order takes: its limit, or none at all."""
    if own.kind == t.MARKET:
        return t.NO_ASK if own.side > 0 else t.NO_BID
    return own.limit_ticks


@kernel
def crosses(state, own):
    """Whether an own order would trade at once."""
    touch = state.venue.quote.ask if own.side > 0 else state.venue.quote.bid
    return (touch - limit_of(own)) * own.side <= 0


@kernel
def within_reach(state, params, own, wanted):
    """Whether `wanted` lots could be had at once within an order's limit."""
    limit = limit_of(own)
    if params.venue.model <= t.QUOTES_ONLY:
        if not crosses(state, own):
            return False
        touch = state.venue.quote.ask if own.side > 0 else state.venue.quote.bid
        rungs = min(params.venue.levels, (limit - touch) * own.side + 1)
        return rungs * params.venue.level_lots >= wanted
    return available(state.book, (1 - own.side) >> 1, limit, wanted) >= wanted


@kernel
def leave_way(state, params, own, limit):
    """Self-trade prevention: own resting orders in the way of an own aggressor are cancelled first."""
    for at in range(t.N_OWN):
        other = state.own[at]
        resting = other.used and other.status == t.RESTING and other.side != own.side
        if resting and (limit - other.limit_ticks) * own.side >= 0:
            withdraw_own(state, params, at, t.SELF_TRADE)


@kernel
def trade(state, params, output, at):
    """Let an own order take what it may; returns the lots left."""
    own = state.own[at]
    limit = limit_of(own)
    if state.desk.resting > 0:
        leave_way(state, params, own, limit)
    if params.venue.model <= t.QUOTES_ONLY:
        return trade_at_quote(state, params, output, at)
    return take(state, params, output, (1 - own.side) >> 1, limit, own.lots - own.filled, at)


@kernel
def rest(state, params, at, lots):
    """Rest what is left of an own order; on a book at the back of its queue."""
    own = state.own[at]
    if params.venue.model > t.QUOTES_ONLY:
        slot = add(state.book, (1 - own.side) >> 1, own.limit_ticks, lots, t.OWN, at)
        if slot <= 0:
            refused = t.CANCELLED if own.filled > 0 else t.REJECTED
            finish(state, params, at, refused, -slot)
            return
        own.slot = slot
    own.status = t.RESTING
    state.desk.resting += 1


@kernel
def arrive(state, params, output, at, cause):
    """A new own order has reached the venue."""
    own = state.own[at]
    own.received_at = state.now_ns
    own.acted_at = state.now_ns
    record(state.latency[t.EXCHANGE_LATENCY], state.now_ns - own.created_at)
    if own.kind == t.POST_ONLY and crosses(state, own):
        finish(state, params, at, t.REJECTED, t.WOULD_CROSS)
        return
    if own.kind == t.FOK and state.desk.resting > 0:
        leave_way(
            state, params, own, limit_of(own)
        )  # what we would not trade with is not to be had
    if own.kind == t.FOK and not within_reach(state, params, own, own.lots):
        finish(state, params, at, t.CANCELLED, t.NOT_ALL)
        return
    left = trade(state, params, output, at)
    if left == 0:
        finish(state, params, at, t.FILLED, t.OK)
    elif own.kind == t.LIMIT or own.kind == t.POST_ONLY:
        rest(state, params, at, left)
    else:
        finish(state, params, at, t.CANCELLED, t.NO_LIQUIDITY)
    if params.venue.model > t.QUOTES_ONLY and touch_moved(state, params, _OURS):
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
def lift(state, params, at):
    """Take an own resting order out of its queue, without a word about its fate."""
    own = state.own[at]
    state.desk.resting -= 1
    if params.venue.model > t.QUOTES_ONLY:
        cancel(state.book, own.slot)
    own.slot = 0
    own.acted_at = state.now_ns


@kernel
def withdraw_own(state, params, at, reason):
    """Cancel an own resting order; one that rests no more is left alone."""
    own = state.own[at]
    if own.used and own.status == t.RESTING:
        lift(state, params, at)
        finish(state, params, at, t.CANCELLED, reason)


@kernel
def replace_own(state, params, output, at, lots, limit_ticks):
    """Change an own resting order to `lots` left at `limit_ticks`; 0 lots keeps what is left.

    Fewer lots at the same price keep the place in the queue; anything else starts at the back, and
    may trade on the way unless the order is post-only.
    """
    own = state.own[at]
    if not own.used or own.status != t.RESTING:
        return
    left = own.lots - own.filled
    gone = max(0, left - lots) if lots > 0 else 0
    own.lots -= gone
    if limit_ticks == own.limit_ticks and params.venue.model > t.QUOTES_ONLY:
        if gone > 0:
            reduce(state.book, own.slot, gone)
            own.acted_at = state.now_ns
    else:
        lift(state, params, at)
        own.status = t.RECEIVED
        own.limit_ticks = limit_ticks
    own.gone_lots += gone
    acknowledge(state, params, at, t.REPLACED_ACK)
    if own.status == t.RESTING:
        return
    if own.kind == t.POST_ONLY and crosses(state, own):
        finish(state, params, at, t.CANCELLED, t.WOULD_CROSS)
        return
    left = trade(state, params, output, at)
    if left == 0:
        finish(state, params, at, t.FILLED, t.OK)
    else:
        rest(state, params, at, left)


@kernel
def trade_passes(state, params, output, half, px, lots):
    """A recorded trade: where an own order rests at its price or better, the queue is worked off.

    Elsewhere the recorded levels tell the story by themselves.
    """
    for at in range(t.N_OWN):
        own = state.own[at]
        resting = own.used and own.status == t.RESTING and (1 - own.side) >> 1 != half
        if resting and (own.limit_ticks - px) * own.side >= 0:
            take(state, params, output, half, px, lots, -1)
            return


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
