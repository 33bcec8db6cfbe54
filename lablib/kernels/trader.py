"""Our side: news taken in, a look at it, an order thought over, checked and sent, its fate learned."""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.account import mark_to, settle
from lablib.kernels.guards import (
    ask_look,
    enter,
    guard_equity,
    guard_fill,
    hear_external,
    hear_venue,
)
from lablib.kernels.histogram import record
from lablib.kernels.jit import kernel
from lablib.kernels.risk import count_sent, may_send
from lablib.kernels.strategy import decide, observe, size_of
from lablib.kernels.transmit import transmit
from lablib.kernels.venue import finely
from lablib.kernels.wire import next_due, room

_GENERATION = 16  # orders one cause may have before an order's own news causes the next
_TWICE = _GENERATION // 2  # an entry sent twice is keyed this far behind itself


@kernel
def note_news(state, params, info_ns, cause, number):
    """Remember the newest information and whether it asks for a look."""
    seen = state.seen
    if info_ns > seen.info_ns:
        seen.info_ns = info_ns
    seen.cause = cause
    seen.number = number
    rules = params.strategy
    if rules.decision_ns == 0:
        state.strategy.fresh = 1
        ask_look(state)
    elif state.desk.account.position != 0 and (
        rules.exit == t.EXIT_OPPOSITE
        or rules.exit == t.EXIT_CLOSE
        or rules.name == t.OWN_STRATEGY
        or state.strategy.overdue
        or state.risk.halted
    ):
        ask_look(state)


@kernel
def see_external(state, params, message):
    """An external price has arrived; one that was overtaken by a newer one is dropped."""
    if message.cause < state.seen.external_index:
        return
    state.seen.external_index = message.cause
    observe(state.seen, message.x)
    state.seen.external_ns = message.info_ns
    hear_external(state)
    note_news(state, params, message.info_ns, message.cause, 0)


@kernel
def see_venue(state, params, output, message):
    """A venue quote has arrived; one that was overtaken by a newer one is dropped."""
    seen = state.seen
    if message.ref < seen.quote_index:
        return
    seen.quote_index = message.ref
    seen.bid = message.a
    seen.ask = message.b
    seen.bid_lots = message.c
    seen.ask_lots = message.d
    seen.quote_ns = message.info_ns
    if params.drills.crossed_quotes > 0 and seen.ask != t.NO_ASK:
        seen.bid = seen.ask + params.drills.crossed_quotes
    hear_venue(state, params, output, message.ref)
    if seen.bid != t.NO_BID and seen.ask != t.NO_ASK:
        mark_to(state.desk.account, seen.bid + seen.ask)
        guard_equity(state, params, output)
    note_news(state, params, message.info_ns, message.cause, _GENERATION // 2)


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
    if room(wire) <= 1:
        state.risk.rejected[t.WIRE_FULL] += 1
        own.amending -= 1
        return
    letter = wire.messages[enter(state, params, t.CANCEL_ENTRY, message.cause, message.d)]
    letter.kind = message.kind
    letter.ref = message.ref
    letter.cause = message.cause
    letter.a = message.a
    letter.b = message.b
    letter.c = message.c
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


@kernel
def free_stuck(state, params):
    """The stuck-exit drill is over: what it held back is thought over again, and leaves."""
    for at in range(t.N_OWN):
        own = state.own[at]
        if own.used and own.stuck:
            own.stuck = 0
            think(state, params, t.NEW, at, 0, 0, own.cause, own.number)


@kernel
def learn(state, params, output, message):
    """An acknowledgement has arrived: our own books, the loss cap, perhaps another look."""
    at = message.ref
    own = state.own[at]
    account = state.desk.account
    if message.a > 0:
        before = account.position
        settle(account, own.side, message.a, message.b, message.c)
        own.known += message.a
        forget(state, at, message.a)
        if own.filled_at < 0:
            own.filled_at = state.now_ns
            record(state.latency[t.END_TO_END_LATENCY], state.now_ns - own.info_ns)
        guard_fill(state, params, output, before)
        # What we hold has changed: exits are checked again, keyed as this order's next generation.
        state.seen.cause = own.cause >> 1
        state.seen.number = (own.number // _GENERATION + 1) * _GENERATION
        if account.position == 0:
            state.strategy.overdue = 0
        else:
            ask_look(state)
    forget(state, at, message.d)  # lots a replace took off
    own.heard += 1
    if message.kind == t.DONE_ACK:
        own.done = 1
    elif message.kind == t.REPLACED_ACK:
        own.amending -= 1
    elif message.kind == t.REFUSED_ACK:
        own.amending -= 1
        state.risk.rejected[t.UNKNOWN_ORDER] += 1
    if own.done and own.heard == own.acks:  # on a free wire the last word may overtake a fill
        close_order(state, output, at)


@kernel
def too_many_looks(strategy, now):
    """Count a look; whether it is one beyond N_LOOKS in this instant, and not the clock's."""
    if strategy.looked_ns != now:
        strategy.looked_ns = now
        strategy.looks = 0
    strategy.looks += 1
    return strategy.looks > t.N_LOOKS and now != strategy.next_clock_ns


@kernel
def look(state, params, output, theirs):
    """One look at what we have seen: on the clock a decision with its sample, else exits only."""
    strategy = state.strategy
    rules = params.strategy
    now = state.now_ns
    on_clock = now == strategy.next_clock_ns or strategy.fresh
    if strategy.exit_ns <= now:
        strategy.overdue = 1
    if too_many_looks(strategy, now):
        strategy.passed_over += 1
        strategy.look_ns = t.FAR
        strategy.fresh = 0
        if strategy.exit_ns <= now:
            strategy.exit_ns = t.FAR
        state.due[t.LOOK] = min(strategy.next_clock_ns, strategy.exit_ns)
        return
    decide(strategy, state.seen, state.own, state.desk, state.risk, params, now, on_clock, theirs)
    cause = 2 * state.seen.cause + 1
    number = state.seen.number
    if on_clock:
        strategy.clock += 1
        cause = 2 * strategy.clock
        number = 0
        strategy.next_clock_ns = now + rules.decision_ns if rules.decision_ns > 0 else t.FAR
        if params.samples:
            sample(state, params, output)
    elif strategy.exit_ns == now:
        cause = strategy.exit_cause
        number = strategy.exit_number
    strategy.look_ns = t.FAR
    strategy.fresh = 0
    if strategy.exit_ns <= now:
        strategy.exit_ns = t.FAR
    for k in range(strategy.asked):
        intent = strategy.intents[k]
        if intent.act != t.NEW:
            amend(state, params, intent, cause, number + 1 + k)
        elif intent.is_exit:
            intend(state, params, intent, cause, number)
        else:
            intend(state, params, intent, cause, number + 1 + k)
            if params.drills.duplicate_order:
                intend(state, params, intent, cause, number + 1 + k + _TWICE)
            if rules.exit == t.EXIT_TIME:
                strategy.overdue = 0
                strategy.exit_ns = now + rules.exit_after_ns
                strategy.exit_cause = cause
                strategy.exit_number = number + _GENERATION
    state.due[t.LOOK] = min(strategy.next_clock_ns, strategy.look_ns, strategy.exit_ns)


@kernel
def sample(state, params, output):
    """Write the row of a clock decision: what we saw, the raw signal, how we truly stand."""
    seen = state.seen
    row = output.samples[output.cursor.samples]
    output.cursor.samples += 1
    row.t_ns = state.now_ns
    row.external_px = seen.external_px * params.tick_px
    row.market_px = 0.5 * state.desk.account.mark * params.tick_px  # the last whole quote's
    row.divergence = state.strategy.divergence
    row.action = state.strategy.action
    row.equity = state.account.equity * params.unit_value
    row.realized_pnl = state.account.realized * params.unit_value
    row.position = state.account.position
    row.halted = state.risk.halted
    row.regime = seen.regime
    row.pending = state.desk.pending_buy + state.desk.pending_sell
