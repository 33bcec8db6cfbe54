"""Our own list of orders: wanted and thought over, pending until their fate is known."""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel
from lablib.kernels.transmit import transmit
from lablib.kernels.venue import finely
from lablib.kernels.wire import next_due

GENERATION = 16  # orders one cause may have before an order's own news causes the next


@kernel
def free_own(state):
    """A free place for an own order, -1 when all are taken."""
    for at in range(t.N_OWN):
        if not state.own[at].used:
            return at
    return -1


@kernel
def intend(state, params, intent, cause, number):
    """A new order is wanted: it counts as pending from now on, and leaves when thought over."""
    if intent.lots <= 0:
        state.risk.rejected[t.SIZE_ZERO] += 1
        return
    at = free_own(state)
    if at < 0:
        state.risk.rejected[t.TOO_MANY_ORDERS] += 1
        return
    desk = state.desk
    own = state.own[at]
    own.used = 1
    own.order_id = 0
    own.kind = intent.kind
    own.side = intent.side
    own.lots = intent.lots
    own.limit_ticks = intent.limit_ticks
    own.is_exit = intent.is_exit
    own.status = t.CREATED
    own.reason = t.OK
    own.created_at = -1
    own.received_at = -1
    own.acted_at = -1
    own.filled_at = -1
    own.info_ns = state.seen.info_ns
    own.looked_at = state.now_ns
    own.fair_seen = finely(state.seen.external_px)
    own.mid_seen = desk.account.mark
    own.cause = cause
    own.number = number
    own.acks = 0
    own.heard = 0
    own.done = 0
    own.filled = 0
    own.known = 0
    own.slot = 0
    own.amending = 0
    own.stuck = 0
    desk.last_intent += 1
    own.intent = desk.last_intent
    if own.side > 0:
        desk.pending_buy += own.lots
    else:
        desk.pending_sell += own.lots
    if own.is_exit:
        desk.exit_pending += own.lots
        desk.exit_side = own.side
    elif own.kind == t.LIMIT or own.kind == t.POST_ONLY:
        desk.quote[(1 - own.side) >> 1] = at + 1
    desk.open_orders += 1
    think(state, params, t.NEW, at, 0, 0, cause, number)


@kernel
def amend(state, params, intent, cause, number):
    """A cancel or a replace is wanted of an own order that is still open."""
    own = state.own[intent.at]
    if own.used:
        own.amending += 1
        think(state, params, intent.act, intent.at, intent.lots, intent.limit_ticks, cause, number)


@kernel
def think(state, params, act, at, lots, limit_ticks, cause, number):
    """Put a request on the wire of our own thinking."""
    wire = state.wires[t.DECISION]
    message = wire.messages[transmit(state, params, t.DECISION, t.DECISION, cause, number, 0)]
    message.kind = act
    message.ref = at
    message.info_ns = state.seen.info_ns
    message.cause = cause
    message.a = lots
    message.b = limit_ticks
    message.c = state.own[at].intent
    message.d = number
    state.due[t.SEND] = next_due(wire)


@kernel
def forget(state, at, lots):
    """Lots of an own order are no longer pending."""
    desk = state.desk
    own = state.own[at]
    if own.side > 0:
        desk.pending_buy -= lots
    else:
        desk.pending_sell -= lots
    if own.is_exit:
        desk.exit_pending -= lots
        if desk.exit_pending == 0:
            desk.exit_side = 0


@kernel
def close_order(state, output, at):
    """The order's fate is known: write its row and free its place."""
    own = state.own[at]
    forget(state, at, own.lots - own.known)
    desk = state.desk
    desk.open_orders -= 1
    desk.working -= 1
    half = (1 - own.side) >> 1
    if desk.quote[half] == at + 1:
        desk.quote[half] = 0
    row = output.orders[output.cursor.orders]
    output.cursor.orders += 1
    row.order_id = own.order_id
    row.kind = own.kind
    row.side = own.side
    row.lots = own.lots
    row.limit_ticks = own.limit_ticks
    row.is_exit = own.is_exit
    row.status = own.status
    row.reason = own.reason
    row.created_at = own.created_at
    row.received_at = own.received_at
    row.acted_at = own.acted_at
    row.filled_at = own.filled_at
    row.info_ns = own.info_ns
    row.looked_at = own.looked_at
    row.filled_lots = own.filled
    own.used = 0
