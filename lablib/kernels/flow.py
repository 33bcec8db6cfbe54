"""Order flow of strangers on a real book: who rests, who leaves, in which direction somebody trades.

Limit orders arrive by distance from the opposite best, live orders are cancelled at a rate each, market
orders take (Cont, Stoikov and Talreja 2010, Oper. Res. 58:549). Candidates are drawn in advance at a
bounding rate; here their mark decides which of them are events, so that a changed book never shifts
a later draw. Optional: self-excited arrivals (Hawkes), signs with long memory (Lillo, Mike and
Farmer 2005, Phys. Rev. E 71:066122), queues redrawn after each move (Cont and de Larrard 2013).
"""

from __future__ import annotations

import math

from lablib.kernels import tables as t
from lablib.kernels.book import add, cancel
from lablib.kernels.delay import uniform
from lablib.kernels.jit import kernel

_PLACE = t.N_STRANGERS - 1
# Keys of the draws that a candidate causes beside its mark, as `delay.uniform` takes a wire.
_QUEUES = 64
_METAORDERS = 65


@kernel
def fires(flow, rules, which, now_ns, mark):
    """Whether a candidate of LIMITS or MARKETS is an event; one that is excites the next ones.

    Intensity over mean rate is 1 - n + excitement, the excitement decaying exponentially: a Hawkes
    process with branching ratio n whose mean rate is the configured one.
    """
    branching = rules.branching[which]
    if branching == 0.0:
        return True
    past = now_ns - flow.excited_ns[which]
    excitement = flow.excitement[which] * math.exp(-rules.decay * past)
    intensity = 1.0 - branching + excitement
    if intensity > rules.headroom:
        flow.overrun += 1
    event = mark * rules.headroom < intensity
    if event:
        excitement += rules.kick[which]
    flow.excitement[which] = excitement
    flow.excited_ns[which] = now_ns
    return event


@kernel
def next_side(flow, params, cause):
    """Side of the next market order where metaorders of Pareto length are worked off, one or many."""
    rules = params.flow
    which = 0
    if rules.metaorders > 1:
        which = int(uniform(params, _METAORDERS, cause, 0) * rules.metaorders)
    if flow.meta_left[which] == 0:
        length = math.pow(uniform(params, _METAORDERS, cause, 1), rules.meta_power)
        flow.meta_left[which] = int(min(length, 1e15))
        up = uniform(params, _METAORDERS, cause, 2) < 0.5
        flow.meta_side[which] = t.BUY if up else t.SELL
    flow.meta_left[which] -= 1
    return flow.meta_side[which]


@kernel
def follow_side(flow, book):
    """Side on which the leader's price makes a trade worth while, 0 when there is none."""
    if flow.leader_px > book.best[1]:
        return t.BUY
    if flow.leader_px < book.best[0]:
        return t.SELL
    return 0


@kernel
def limit_px(flow, half, away):
    """Price `away` ticks from the opposite best, or from the last there was."""
    if half == 0:
        return flow.reference[1] - away
    return flow.reference[0] + away


@kernel
def rest_stranger(venue, book, half, px, lots):
    """Rest a stranger's order at the back of its queue and in the list of those who may leave."""
    flow = venue.flow
    place = flow.live[half]
    if place == t.N_STRANGERS:
        venue.refused += 1
        return
    slot = add(book, half, px, lots, t.STRANGER, place)
    if slot <= 0:
        venue.refused += 1
        return
    flow.slot[half, place & _PLACE] = slot
    flow.live[half] = place + 1


@kernel
def strike(flow, book, slot):
    """Take an order that has just gone off the list; the last one on it takes over its place.

    The place is read from the slot, which stays readable: a report of matches is older than the list.
    """
    gone = book.orders[slot]
    half = gone.half & 1
    last = flow.live[half] - 1
    mover = flow.slot[half, last & _PLACE]
    place = gone.tag
    flow.slot[half, place & _PLACE] = mover
    book.orders[mover].tag = place
    flow.live[half] = last


@kernel
def leaver(flow, book, rules, half, mark):
    """Slot of the order that a cancel candidate takes, 0 when it takes none.

    The mark is one uniform used twice: its whole part, scaled by the bound, picks the order, what is
    left over decides by that order's own rate. More orders than the bound each leave too slowly.
    """
    live = flow.live[half]
    bound = rules.cancel_bound
    if live > bound:
        flow.crowded += 1
        bound = live
    scaled = mark * bound
    place = int(scaled)
    if place >= live:
        return 0
    slot = flow.slot[half, place & _PLACE]
    away = (flow.reference[1 - half] - book.orders[slot].px) * (1 - 2 * half)
    rate = rules.cancel_rate[max(0, min(away, rules.distances) - 1)]
    return slot if (scaled - place) * rules.cancel_most < rate else 0


@kernel
def queue_orders(params, half, cause, number):
    """Orders in a queue that is laid anew."""
    rules = params.flow
    orders = rules.touch_orders[half]
    if rules.redraw != t.REDRAW_GEOMETRIC or orders <= 1:
        return orders
    u = uniform(params, _QUEUES, cause, 2 * number + half)
    return 1 + int(math.log(u) / math.log(1.0 - 1.0 / orders))


@kernel
def clear_flow(flow, book):
    """Take every stranger's order out: what is left in the book is ours."""
    for half in range(2):
        for place in range(flow.live[half]):
            cancel(book, flow.slot[half, place & _PLACE])
        flow.live[half] = 0


@kernel
def lay(venue, book, params, bid, cause, number):
    """Lay fresh queues around a spread of one tick, the bid at `bid`."""
    flow = venue.flow
    rules = params.flow
    for half in range(2):
        flow.touch[half] = bid + half
        for behind in range(rules.distances):
            orders = rules.depth_orders[behind]
            if behind == 0:
                orders = queue_orders(params, half, cause, number)
            px = bid + half + (2 * half - 1) * behind
            for _ in range(orders):
                rest_stranger(venue, book, half, px, rules.order_lots)


@kernel
def renew(venue, book, params, cause, number):
    """After an event: an empty queue moves the price by a tick where queues are redrawn; note the touch."""
    flow = venue.flow
    bid = book.best[0]
    ask = book.best[1]
    if params.flow.redraw != t.REDRAW_NEVER and (bid < flow.touch[0] or ask > flow.touch[1]):
        clear_flow(flow, book)
        # Own orders stay where they are, and the new spread keeps clear of them.
        if ask > flow.touch[1]:
            lay(venue, book, params, max(flow.touch[1], book.best[0]), cause, number)
        else:
            lay(venue, book, params, min(flow.touch[0], book.best[1]) - 1, cause, number)
        bid = book.best[0]
        ask = book.best[1]
    if bid != t.NO_BID:
        flow.reference[0] = bid
    if ask != t.NO_ASK:
        flow.reference[1] = ask
    mid = flow.reference[0] + flow.reference[1]
    if mid > flow.mid:
        flow.ups += 1
    elif mid < flow.mid:
        flow.downs += 1
    flow.mid = mid
