"""What the venue tells: its touch on the feed, an order's fate on the acknowledgements' wire."""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.account import mark_to
from lablib.kernels.delay import uniform
from lablib.kernels.flow import renew
from lablib.kernels.jit import kernel
from lablib.kernels.transmit import transmit
from lablib.kernels.venue import read_touch
from lablib.kernels.wire import next_due, room

_ACKS = 65_536  # an order's acknowledgements are numbered within its own number
_GAPS = 32  # what is lost of wire w is drawn as wire w + 32


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
