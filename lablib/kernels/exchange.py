"""Our orders at the venue: taken in, matched or rested, replaced, withdrawn."""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.book import add, available, cancel, reduce
from lablib.kernels.histogram import record
from lablib.kernels.jit import kernel
from lablib.kernels.notices import acknowledge, publish, touch_moved
from lablib.kernels.settlement import fill, finish, take

_OURS = 1_024  # news our own orders cause is numbered from here, the market's below


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
def in_way(own, other, limit):
    """Whether an own resting order stands where an own aggressor with that limit may trade."""
    resting = other.used and other.status == t.RESTING and other.side != own.side
    return resting and (limit - other.limit_ticks) * own.side >= 0


@kernel
def ours_in_way(state, own, limit):
    """Lots of own resting orders that an own aggressor would find within `limit`."""
    lots = 0
    if state.desk.resting > 0:
        for at in range(t.N_OWN):
            other = state.own[at]
            if in_way(own, other, limit):
                lots += other.lots - other.filled
    return lots


@kernel
def within_reach(state, params, own, wanted):
    """Whether `wanted` lots of others could be had at once within an order's limit."""
    limit = limit_of(own)
    if params.venue.model <= t.QUOTES_ONLY:
        if not crosses(state, own):
            return False
        touch = state.venue.quote.ask if own.side > 0 else state.venue.quote.bid
        rungs = min(params.venue.levels, (limit - touch) * own.side + 1)
        return rungs * params.venue.level_lots >= wanted
    wanted += ours_in_way(state, own, limit)
    return available(state.book, (1 - own.side) >> 1, limit, wanted) >= wanted


@kernel
def lots_before(state, params, own, other, wanted):
    """Lots of others that an own aggressor meets before an own resting order.

    Counts no further than `wanted` at better prices. A quote is served before who rests at its price.
    """
    px = other.limit_ticks
    if params.venue.model <= t.QUOTES_ONLY:
        touch = state.venue.quote.ask if own.side > 0 else state.venue.quote.bid
        rungs = min(params.venue.levels, (px - touch) * own.side + 1)
        return max(0, rungs) * params.venue.level_lots
    book = state.book
    better = px - own.side
    ours = ours_in_way(state, own, better)
    lots = available(book, (1 - own.side) >> 1, better, wanted + ours) - ours
    slot = book.orders[other.slot].prev
    while slot != 0:
        order = book.orders[slot]
        if order.owner != t.OWN:
            lots += order.lots
        slot = order.prev
    return lots


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
def halt_own(state, params, last_order_id):
    """The kill switch's word: what rests is withdrawn, and of the orders up to that one what comes later."""
    state.venue.halted_id = max(state.venue.halted_id, last_order_id)
    for at in range(t.N_OWN):
        withdraw_own(state, params, at, t.HALTED)


@kernel
def leave_way(state, params, own, limit, wanted):
    """Self-trade prevention: own resting orders that an own aggressor would reach are cancelled first."""
    for at in range(t.N_OWN):
        other = state.own[at]
        if in_way(own, other, limit) and lots_before(state, params, own, other, wanted) < wanted:
            withdraw_own(state, params, at, t.SELF_TRADE)


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
def trade(state, params, output, at):
    """Let an own order take what it may; returns the lots left."""
    own = state.own[at]
    limit = limit_of(own)
    left = own.lots - own.filled
    if state.desk.resting > 0:
        leave_way(state, params, own, limit, left)
    if params.venue.model <= t.QUOTES_ONLY:
        return trade_at_quote(state, params, output, at)
    return take(state, params, output, (1 - own.side) >> 1, limit, left, at)


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
    if own.order_id <= state.venue.halted_id and not own.is_exit:
        finish(state, params, at, t.CANCELLED, t.HALTED)
        return
    if own.kind == t.POST_ONLY and crosses(state, own):
        finish(state, params, at, t.REJECTED, t.WOULD_CROSS)
        return
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
