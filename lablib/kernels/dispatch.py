"""What has been thought over leaves us: an order checked against the limits as they stand now, a cancel, a replace."""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.desk import GENERATION, close_order, forget, think
from lablib.kernels.guards import enter
from lablib.kernels.histogram import record
from lablib.kernels.jit import kernel
from lablib.kernels.risk import count_sent, may_replace, may_send
from lablib.kernels.strategy import size_of
from lablib.kernels.wire import next_due, room


@kernel
def send(state, params, output, message):
    """A request has been thought over and leaves us."""
    if message.kind == t.NEW:
        send_order(state, params, output, message.ref)
        return
    own = state.own[message.ref]
    wire = state.wires[t.ORDER_ENTRY]
    if not own.used or own.intent != message.c:
        return  # its order is done with
    if own.order_id == 0:
        own.amending -= 1  # thought of faster than its order, which has not left yet
        return
    reason = t.OK
    if (
        message.kind == t.REPLACE
    ):  # a new price is checked as an order's is; what fails stays as it is
        reason = may_replace(state.risk, state.seen, params.risk, message.b, state.now_ns)
    if reason == t.OK and room(wire) <= 1:
        reason = t.WIRE_FULL
    if reason != t.OK:
        state.risk.rejected[reason] += 1
        own.amending -= 1
        return
    letter = wire.messages[enter(state, params, t.CANCEL_ENTRY, message.cause, message.d)]
    letter.kind = message.kind
    letter.ref = message.ref
    letter.cause = message.cause
    letter.a = message.a
    letter.b = message.b
    letter.c = message.c
    if message.kind == t.REPLACE:
        count_sent(state.risk, state.now_ns)
    state.due[t.ARRIVAL] = next_due(wire)


@kernel
def send_order(state, params, output, at):
    """Check a new order against the limits as they stand now, and send it."""
    own = state.own[at]
    if own.is_exit and params.drills.stuck_exit:
        own.stuck = 1
        return
    desk = state.desk
    desk.working += 1
    desk.last_order_id += 1
    own.order_id = desk.last_order_id
    own.created_at = state.now_ns
    record(state.latency[t.DECISION_LATENCY], state.now_ns - own.info_ns)
    if not own.is_exit:
        # Equity and price may have moved while we thought: an entry shrinks to today's size.
        lots = min(own.lots, size_of(state.seen, desk, params))
        forget(state, at, own.lots - lots)
        own.lots = lots
    reason = may_send(state.risk, desk, state.seen, params.risk, own, state.now_ns)
    wire = state.wires[t.ORDER_ENTRY]
    if reason == t.OK and room(wire) <= 1:  # the last place is the kill switch's
        reason = t.WIRE_FULL
    if reason != t.OK:
        own.status = t.REJECTED
        own.reason = reason
        state.risk.rejected[reason] += 1
        close_order(state, output, at)
        return
    message = wire.messages[enter(state, params, t.ORDER_ENTRY, own.cause, own.number)]
    message.kind = t.NEW
    message.ref = at
    message.cause = own.cause
    message.info_ns = own.info_ns
    count_sent(state.risk, state.now_ns)
    state.due[t.ARRIVAL] = next_due(wire)
    if params.strategy.exit == t.EXIT_TIME and not own.is_exit:
        start_exit_clock(state, params, own)


@kernel
def start_exit_clock(state, params, own):
    """An entry has left: the timer of exit "time" runs from its decision, of the last entry that left."""
    strategy = state.strategy
    strategy.overdue = 0
    strategy.exit_ns = max(own.looked_at + params.strategy.exit_after_ns, state.now_ns)
    strategy.exit_cause = own.cause
    strategy.exit_number = own.number - 1 + GENERATION
    state.due[t.LOOK] = min(strategy.next_clock_ns, strategy.look_ns, strategy.exit_ns)


@kernel
def free_stuck(state, params):
    """The stuck-exit drill is over: what it held back is thought over again, and leaves."""
    for at in range(t.N_OWN):
        own = state.own[at]
        if own.used and own.stuck:
            own.stuck = 0
            think(state, params, t.NEW, at, 0, 0, own.cause, own.number)
