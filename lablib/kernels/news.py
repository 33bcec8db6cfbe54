"""News taken in: the external price, the venue's quote, what became of an order."""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.account import mark_to, settle
from lablib.kernels.desk import GENERATION, close_order, forget
from lablib.kernels.guards import ask_look, guard_equity, guard_fill, hear_external, hear_venue
from lablib.kernels.histogram import record
from lablib.kernels.jit import kernel
from lablib.kernels.strategy import observe


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
    note_news(state, params, message.info_ns, message.cause, GENERATION // 2)


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
        state.seen.number = (own.number // GENERATION + 1) * GENERATION
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
