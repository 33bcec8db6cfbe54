"""The guards that stand behind an order: each halts by itself, and the halt travels.

A guard sees what we see: quotes and acknowledgements as the wires have brought them. What makes no
news, a silent feed or an order nobody answers, is found by a timer, the source WATCH.

Silence. The external source speaks at every tick, so its feed is silent when nothing has come. A venue
speaks only when its touch changes, and where nothing happens it is quiet, not broken: its silence
counts from the first time the external price we see stood a tick or more away from where it was at
the venue's last word, which the venue should have answered within the market's lag and its feed's.
"""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel
from lablib.kernels.risk import (
    breached,
    count_trip,
    day_loss,
    drawdown_cap,
    fallen,
    impossible_lots,
    latch,
    residual,
)
from lablib.kernels.transmit import transmit
from lablib.kernels.wire import next_due

_HALTS = 15  # a halt's delay is drawn as the last number of a generation of orders
_GENERATION = 16


@kernel
def ask_look(state):
    """Look at the market within this instant."""
    state.strategy.look_ns = state.now_ns
    state.due[t.LOOK] = state.now_ns


@kernel
def enter(state, params, which, cause, number):
    """Send something to the venue with the delay of an order or a cancel; returns where to write it."""
    spike_ns = params.drills.latency_spike_ns
    return transmit(state, params, t.ORDER_ENTRY, which, cause, number, spike_ns)


@kernel
def halt(state, params, output, reason, value, limit):
    """Latch the kill switch; the word travels to the venue behind the orders already sent.

    `value` and `limit` are in the unit that RISK_EVENT states for the reason.
    """
    if not latch(state.risk, reason, state.now_ns):
        return
    row = output.risk_events[output.cursor.risk_events]
    output.cursor.risk_events += 1
    row.t_ns = state.now_ns
    row.reason = reason
    row.value = value
    row.limit = limit
    wire = state.wires[t.ORDER_ENTRY]
    cause = state.seen.cause
    number = _HALTS + _GENERATION * state.risk.halts
    message = wire.messages[enter(state, params, t.CANCEL_ENTRY, cause, number)]
    message.kind = t.HALT
    message.ref = -1
    message.a = state.desk.last_order_id  # on a free wire it may overtake some of them
    message.cause = cause
    state.due[t.ARRIVAL] = next_due(wire)
    ask_look(state)


@kernel
def guard_fill(state, params, output, before):
    """A fill has been booked on a position of `before` lots: the books, the day's loss, the streak."""
    risk = state.risk
    rules = params.risk
    account = state.desk.account
    guard_books(state, params, output)
    if breached(risk, account) and not risk.halted:
        loss = day_loss(risk, account) * params.unit_value
        halt(state, params, output, t.DAILY_LOSS, loss, risk.cap * params.unit_value)
    count_trip(risk, account, before)
    if rules.max_loss_streak > 0 and risk.streak >= rules.max_loss_streak:
        most = float(rules.max_loss_streak)
        halt(state, params, output, t.LOSS_STREAK, float(risk.streak), most)
    guard_equity(state, params, output)


@kernel
def guard_equity(state, params, output):
    """Our equity has been marked anew: halt where it stands too far below its peak."""
    rules = params.risk
    risk = state.risk
    account = state.desk.account
    risk.peak = max(risk.peak, account.equity)
    if rules.drawdown_cap_pct > 0.0 and fallen(risk, account, rules):
        fall = (risk.peak - account.equity) * params.unit_value
        cap = drawdown_cap(risk, rules) * params.unit_value
        halt(state, params, output, t.DRAWDOWN, fall, cap)


@kernel
def guard_books(state, params, output):
    """Halt where our books or the venue's do not add up, or what we await cannot be.

    The venue's account is no news to us; that it adds up is a check of the simulation itself.
    """
    if params.risk.check_books:
        off = max(abs(residual(state.desk.account)), abs(residual(state.account)))
        lots = impossible_lots(state.desk)
        if off > 0:
            halt(state, params, output, t.INVARIANT, off * params.unit_value, 0.0)
        elif lots > 0:
            halt(state, params, output, t.INVARIANT, float(lots), 0.0)


@kernel
def hear_external(state):
    """The external feed has brought a price: it is not silent, and the venue may owe us an answer."""
    seen = state.seen
    seen.external_at = state.now_ns
    if seen.moved_at == t.FAR and abs(seen.external_px - seen.anchor_px) >= 1.0:
        seen.moved_at = state.now_ns


@kernel
def hear_venue(state, params, output, number):
    """The venue feed has brought its message `number`: it is not silent, but some may be missing."""
    seen = state.seen
    seen.anchor_px = seen.external_px
    seen.moved_at = t.FAR
    state.risk.lost += max(0, number - seen.numbered - 1)
    seen.numbered = max(seen.numbered, number)
    most = params.risk.max_lost_messages
    if most > 0 and state.risk.lost >= most:
        halt(state, params, output, t.FEED_GAP, float(state.risk.lost), float(most))


@kernel
def unanswered_since(state):
    """When we wished for the oldest order that cannot rest and whose end we do not know; FAR if none."""
    oldest = t.FAR
    for at in range(t.N_OWN):
        own = state.own[at]
        if own.used and own.kind != t.LIMIT and own.kind != t.POST_ONLY:
            oldest = min(oldest, own.looked_at)
    return oldest


@kernel
def overdue(state, since, limit):
    """Whether what has been missing since then has been missing for longer than `limit`, 0 being off."""
    return limit > 0 and since + limit < state.now_ns


@kernel
def watch(state, params, output):
    """The timer has run out: halt where a feed is silent or an order unanswered."""
    rules = params.risk
    now = state.now_ns
    ms = t.NS_PER_MS
    since = state.seen.external_at
    if overdue(state, since, rules.stale_external_ns):
        limit = rules.stale_external_ns / ms
        halt(state, params, output, t.STALE_FEED, (now - since) / ms, limit)
    since = state.seen.moved_at
    if overdue(state, since, rules.stale_venue_ns):
        limit = rules.stale_venue_ns / ms
        halt(state, params, output, t.STALE_VENUE, (now - since) / ms, limit)
    since = unanswered_since(state) if rules.order_timeout_ns > 0 else t.FAR
    if overdue(state, since, rules.order_timeout_ns):
        limit = rules.order_timeout_ns / ms
        halt(state, params, output, t.ORDER_TIMEOUT, (now - since) / ms, limit)
    set_watch(state, params)


@kernel
def next_watch(state, since, limit):
    """When to look again at what may not be missing for longer than `limit`.

    It is missing since `since`, or if it goes missing later, cannot be overdue before this. What is
    overdue already is looked at again one limit later: the latch may have been opened meanwhile.
    """
    if limit == 0:
        return t.FAR
    if since > state.now_ns or since + limit < state.now_ns:
        since = state.now_ns
    return since + limit + 1


@kernel
def set_watch(state, params):
    """Set the timer to the earliest moment at which something can be overdue."""
    rules = params.risk
    external = next_watch(state, state.seen.external_at, rules.stale_external_ns)
    venue = next_watch(state, state.seen.moved_at, rules.stale_venue_ns)
    orders = t.FAR
    if rules.order_timeout_ns > 0:
        orders = next_watch(state, unanswered_since(state), rules.order_timeout_ns)
    state.due[t.WATCH] = min(external, venue, orders)


@kernel
def start_watch(state, params):
    """Let the timer run out at once, whatever it was set to: the limits may have changed."""
    rules = params.risk
    on = rules.stale_external_ns > 0 or rules.stale_venue_ns > 0 or rules.order_timeout_ns > 0
    state.due[t.WATCH] = state.now_ns if on else t.FAR
