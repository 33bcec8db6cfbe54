"""Others who race us for a stale quote: each sees the external price, and its order takes its own time.

A rival looks at the touch in the moment the price is made; its reaction time covers the rest, its
feed, its thinking and its way to the venue. Whose order is there first trades; the others, like ours,
find what is left.
"""

from __future__ import annotations

import math

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel
from lablib.kernels.notices import publish, touch_moved
from lablib.kernels.settlement import take
from lablib.kernels.transmit import transmit
from lablib.kernels.wire import next_due

_NEWS = 2  # the news a rival's order causes is numbered from here, the makers' below


@kernel
def start_race(state, params, px, cause):
    """Where the external price is beyond the touch by more than their edge, every rival sends an order."""
    rules = params.rivals
    quote = state.venue.quote
    if quote.ask != t.NO_ASK and px - quote.ask > rules.edge_ticks:
        side = t.BUY
        limit = int(math.floor(px - rules.edge_ticks))
    elif quote.bid != t.NO_BID and quote.bid - px > rules.edge_ticks:
        side = t.SELL
        limit = int(math.ceil(px + rules.edge_ticks))
    else:
        return
    wire = state.wires[t.RIVALS]
    for rival in range(rules.count):
        at = transmit(state, params, t.RIVALS, t.RIVALS, cause, rival, 0)
        if at >= 0:
            message = wire.messages[at]
            message.info_ns = state.now_ns
            message.cause = cause
            message.ref = rival
            message.a = side
            message.b = limit
    state.due[t.RIVAL] = next_due(wire)


@kernel
def rival_arrives(state, params, output, message):
    """A rival's order takes what is still there within its limit; nothing of it rests."""
    side = message.a
    rival = message.ref
    cause = message.cause
    lots = params.rivals.lots
    taker = -1 - (t.FIRST_RIVAL + rival)
    if take(state, params, output, (1 - side) >> 1, message.b, lots, taker) < lots:
        state.venue.rival_wins += 1
    else:
        state.venue.rival_misses += 1
    if touch_moved(state, params, _NEWS + rival):
        publish(state, params, cause, _NEWS + rival)
