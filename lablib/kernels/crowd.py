"""The crowd at a real book, all of it or the investors who come to makers: each candidate from mark to news."""

from __future__ import annotations

import math

from lablib.kernels import tables as t
from lablib.kernels.book import cancel
from lablib.kernels.flow import (
    fires,
    follow_side,
    lay,
    leaver,
    limit_px,
    next_side,
    rest_stranger,
    strike,
)
from lablib.kernels.jit import kernel
from lablib.kernels.notices import publish, touch_moved
from lablib.kernels.settlement import take
from lablib.kernels.venue import read_touch


@kernel
def excite(flow, rules):
    """Begin as excited as in the long run."""
    flow.excitement[t.LIMITS] = rules.branching[t.LIMITS]
    flow.excitement[t.MARKETS] = rules.branching[t.MARKETS]


@kernel
def open_flow(state, params):
    """Lay the first queues on both sides of the external price."""
    flow = state.venue.flow
    flow.leader_px = state.external.px
    excite(flow, params.flow)
    bid = int(math.floor(state.external.px))
    lay(state.venue, state.book, params, bid, 0, 0)
    flow.reference[0] = bid
    flow.reference[1] = bid + 1
    flow.mid = 2 * bid + 1
    read_touch(state.venue.quote, state.book)


@kernel
def market_order(state, params, output, side, lots):
    """A stranger takes what there is, however far; who finds nobody goes home."""
    flow = state.venue.flow
    if side > 0:
        flow.bought += 1
    else:
        flow.sold += 1
    if take(state, params, output, (1 - side) >> 1, side * t.NO_ASK, lots, -1) < lots:
        state.venue.trades += 1


@kernel
def flow_event(state, params, output, event):
    """Play one candidate: thinned by its mark, or an event of the book."""
    venue = state.venue
    flow = venue.flow
    rules = params.flow
    book = state.book
    kind = event.kind
    side = event.side
    half = (1 - side) >> 1
    flow.at_ns[kind - t.FLOW_LIMIT] = state.now_ns
    happens = True
    if kind == t.FLOW_LIMIT:
        happens = fires(flow, rules, t.LIMITS, state.now_ns, event.mark)
        if happens:
            rest_stranger(venue, book, half, limit_px(flow, half, event.ticks), event.lots)
    elif kind == t.FLOW_CANCEL:
        slot = leaver(flow, book, rules, half, event.mark)
        happens = slot != 0
        if happens:
            strike(flow, book, slot)
            cancel(book, slot)
    elif kind == t.FLOW_MARKET:
        happens = fires(flow, rules, t.MARKETS, state.now_ns, event.mark)
        if happens:
            if rules.metaorders > 0:
                side = next_side(flow, params, state.tape_events)
            market_order(state, params, output, side, event.lots)
    else:
        side = follow_side(flow, book)
        happens = side != 0
        if happens:
            market_order(state, params, output, side, event.lots)
    if not happens:
        flow.thinned += 1
        return
    flow.accepted += 1
    if touch_moved(state, params, 0):
        publish(state, params, state.tape_events, 0)
