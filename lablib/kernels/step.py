"""advance(): the order in which the rooms are visited.

Events come from eleven sources, each in time order by itself; the next event is the earliest, ties
broken by the fixed order ROLL, TAPE, LAG, RIVAL, ARRIVAL, SEE_EXTERNAL, SEE_VENUE, LEARN, WATCH, LOOK, SEND.
A message without delay therefore arrives within its instant. This file knows no rule of the market,
of the strategy or of risk: it is the score, the rooms are the instruments.
"""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.account import mark_to, open_account
from lablib.kernels.book import open_book
from lablib.kernels.crowd import excite, flow_event, open_flow
from lablib.kernels.dispatch import free_stuck, send
from lablib.kernels.exchange import arrive, halt_own, replace_own, withdraw_own
from lablib.kernels.guards import halt, set_watch, start_watch, watch
from lablib.kernels.jit import kernel
from lablib.kernels.look import look
from lablib.kernels.makers import open_makers, price_reaches_maker, tell_makers
from lablib.kernels.news import learn, see_external, see_venue
from lablib.kernels.notices import acknowledge, publish, touch_moved
from lablib.kernels.passive import (
    counterparty,
    cross_resting,
    forget_book,
    set_level,
    settle_book,
    trade_passes,
)
from lablib.kernels.price import feel
from lablib.kernels.risk import open_day, release, roll_day, set_cap
from lablib.kernels.rivals import rival_arrives, start_race
from lablib.kernels.strategy import observe
from lablib.kernels.transmit import tell_px, transmit
from lablib.kernels.venue import copy_quote, read_touch, round_ticks
from lablib.kernels.wire import front, next_due
from lablib.kernels.wire import take as taken


@kernel
def start(state, params, output):
    """Make an all-zero state the state at time 0: every price at its start, nothing in flight."""
    for source in range(t.N_SOURCES):
        state.due[source] = t.FAR
    open_book(state.book)
    state.external.px = params.external.start_ticks
    state.external.regime = t.NORMAL
    if params.venue.model <= t.QUOTES_ONLY:
        copy_quote(state.venue.quote, params.venue, state.external.px)
    else:
        state.venue.quote.bid = t.NO_BID
        state.venue.quote.ask = t.NO_ASK
        if params.venue.model == t.MAKERS:
            excite(state.venue.flow, params.flow)
            open_makers(state, params, output)
        elif params.venue.model == t.FLOW:
            open_flow(state, params)
    quote = state.venue.quote
    mark = 2 * round_ticks(state.external.px)
    if quote.bid != t.NO_BID and quote.ask != t.NO_ASK:
        mark = quote.bid + quote.ask
    open_account(state.account, params.starting_cash, mark)
    open_account(state.desk.account, params.starting_cash, mark)
    seen = state.seen
    observe(seen, state.external.px)
    seen.regime = t.NORMAL
    seen.bid = quote.bid
    seen.ask = quote.ask
    seen.bid_lots = quote.bid_lots
    seen.ask_lots = quote.ask_lots
    seen.anchor_px = seen.external_px
    seen.moved_at = t.FAR
    strategy = state.strategy
    strategy.look_ns = t.FAR
    strategy.exit_ns = t.FAR
    strategy.next_clock_ns = (
        params.strategy.decision_ns if params.strategy.decision_ns > 0 else t.FAR
    )
    state.risk.halted_at = -1
    state.risk.peak = params.starting_cash
    open_day(state.risk, state.desk.account, params.risk)
    state.due[t.ROLL] = params.risk.day_ns
    state.due[t.LOOK] = strategy.next_clock_ns
    set_watch(state, params)


@kernel
def external_tick(state, params, event):
    """The external price has moved: tell us, and tell the makers, each by its own wire."""
    now = state.now_ns
    external = state.external
    if params.burst_memory_ns > 0.0:
        feel(external, params.burst_memory_ns, now, event.mark)
    external.px = event.mark
    external.at_ns = now
    external.index = event.ticks
    external.regime = event.lots
    cause = event.ticks
    wire = state.wires[t.EXTERNAL_FEED]
    if params.drills.stale_feed:
        wire.lost += 1
    else:
        at = transmit(state, params, t.EXTERNAL_FEED, t.EXTERNAL_FEED, cause, 0, 0)
        if at >= 0:
            tell_px(wire.messages[at], now, cause, event.mark)
            state.due[t.SEE_EXTERNAL] = next_due(wire)
    if params.venue.model == t.RECORDED:
        return
    if params.rivals.count > 0 and params.venue.model > t.QUOTES_ONLY:
        start_race(state, params, event.mark, cause)
    if params.makers.count > 1 and params.venue.model == t.MAKERS:
        tell_makers(state, params, event.mark, cause)
        return
    wire = state.wires[t.MARKET_LAG]
    at = transmit(state, params, t.MARKET_LAG, t.MARKET_LAG, cause, 0, 0)
    if at >= 0:
        tell_px(wire.messages[at], now, cause, event.mark)
        state.due[t.LAG] = next_due(wire)


@kernel
def tape_event(state, params, output, event):
    """The market moves by itself."""
    kind = event.kind
    if kind == t.EXTERNAL:
        external_tick(state, params, event)
    elif kind == t.COUNTERPARTY:
        state.venue.flow.at_ns[kind - t.FLOW_LIMIT] = state.now_ns
        if state.desk.resting > 0:
            half = (1 + event.side) >> 1  # who buys meets our offers
            counterparty(state, params, output, half, event.lots, event.mark)
    elif kind >= t.FLOW_LIMIT:
        flow_event(state, params, output, event)
    elif kind == t.LEVEL:
        set_level(state, params, output, (1 - event.side) >> 1, event.ticks, event.lots)
    elif kind == t.SETTLED:
        settle_book(state.venue, state.book)
        if read_touch(state.venue.quote, state.book):
            publish(state, params, state.tape_events, 0)
    elif kind == t.TRADE:
        state.venue.trades += 1
        if state.desk.resting > 0:
            half = (1 - event.side) >> 1
            trade_passes(state, params, output, half, event.ticks, event.lots)
    elif kind == t.CLEAR:
        forget_book(state)


@kernel
def price_reaches_venue(state, params, output, message):
    """The lagged external price has reached whoever makes the venue's price, unless a newer one has."""
    if params.venue.model == t.MAKERS:
        price_reaches_maker(state, params, output, message)
        return
    if message.cause < state.venue.heard:
        return
    state.venue.heard = message.cause
    if params.venue.model == t.FLOW:
        state.venue.flow.leader_px = message.x
        return
    quote = state.venue.quote
    bid = quote.bid
    ask = quote.ask
    copy_quote(quote, params.venue, message.x)
    if quote.bid != bid or quote.ask != ask:
        publish(state, params, message.cause, 0)
        if state.desk.resting > 0:
            cross_resting(state, params, output)


@kernel
def request(state, params, output, message):
    """One of our requests has reached the venue."""
    if message.kind == t.NEW:
        arrive(state, params, output, message.ref, message.cause)
        return
    if message.kind == t.HALT:
        halt_own(state, params, message.a)
    elif state.own[message.ref].intent == message.c:
        if state.own[message.ref].status == t.CREATED:
            acknowledge(state, params, message.ref, t.REFUSED_ACK)  # it has overtaken its order
        elif message.kind == t.CANCEL:
            withdraw_own(state, params, message.ref, t.OK)
        else:
            replace_own(state, params, output, message.ref, message.a, message.b)
    if params.venue.model > t.QUOTES_ONLY and touch_moved(state, params, 1):
        publish(state, params, message.cause, 1)


@kernel
def has_room(output):
    """Whether one more event can write all the rows it might."""
    cursor = output.cursor
    return (
        cursor.samples < t.N_SAMPLES
        and cursor.orders < t.N_ORDERS
        and cursor.risk_events < t.N_RISK_EVENTS
        and cursor.fills + t.N_RESTING <= t.N_FILLS
    )


@kernel
def advance(states, params, tape, outputs, until_ns, last_source, theirs):
    """Play every event up to `until_ns`, at that instant those up to and including `last_source`.

    Returns REACHED, or NEED_TAPE when the tape lent is used up, or NEED_ROOM when an output array
    might overflow: drain or refill and call again. The cut leaves no trace in the state. `theirs` is
    the user's own strategy as `jit.strategy_function` made it, asked only where one is configured;
    STRATEGY_RAISED when it raised, and the run is at its end.

    State, parameters and outputs come as arrays of shape (1,): a record costs 15 µs to hand over, an
    array a quarter of one.
    """
    state = states[0]
    rules = params[0]
    output = outputs[0]
    due = state.due
    cursor = output.cursor
    while True:
        if cursor.tape >= tape.size:
            return t.NEED_TAPE
        due[t.TAPE] = tape[cursor.tape].time_ns
        source = 0
        now = due[0]
        for other in range(1, t.N_SOURCES):
            if due[other] < now:
                now = due[other]
                source = other
        if now > until_ns or (now == until_ns and source > last_source):
            state.now_ns = until_ns
            return t.REACHED
        if not has_room(output):
            return t.NEED_ROOM
        state.now_ns = now
        state.events += 1
        if source == t.TAPE:
            state.tape_events += 1
            cursor.tape += 1
            tape_event(state, rules, output, tape[cursor.tape - 1])
        elif source == t.LAG:
            wire = state.wires[t.MARKET_LAG]
            price_reaches_venue(state, rules, output, wire.messages[front(wire)])
            taken(wire)
            due[t.LAG] = next_due(wire)
        elif source == t.SEE_EXTERNAL:
            wire = state.wires[t.EXTERNAL_FEED]
            see_external(state, rules, wire.messages[front(wire)])
            taken(wire)
            due[t.SEE_EXTERNAL] = next_due(wire)
        elif source == t.SEE_VENUE:
            wire = state.wires[t.VENUE_FEED]
            see_venue(state, rules, output, wire.messages[front(wire)])
            taken(wire)
            due[t.SEE_VENUE] = next_due(wire)
        elif source == t.LOOK:
            if look(state, rules, output, theirs):
                return t.STRATEGY_RAISED
        elif source == t.SEND:
            wire = state.wires[t.DECISION]
            send(state, rules, output, wire.messages[front(wire)])
            taken(wire)
            due[t.SEND] = next_due(wire)
        elif source == t.RIVAL:
            wire = state.wires[t.RIVALS]
            rival_arrives(state, rules, output, wire.messages[front(wire)])
            taken(wire)
            due[t.RIVAL] = next_due(wire)
        elif source == t.ARRIVAL:
            wire = state.wires[t.ORDER_ENTRY]
            request(state, rules, output, wire.messages[front(wire)])
            taken(wire)
            due[t.ARRIVAL] = next_due(wire)
        elif source == t.LEARN:
            wire = state.wires[t.ACK]
            message = wire.messages[front(wire)]
            learn(state, rules, output, message)
            taken(wire)
            due[t.LEARN] = next_due(wire)
        elif source == t.WATCH:
            watch(state, rules, output)
        else:
            mark_to(state.desk.account, state.desk.account.mark)
            roll_day(state.risk, state.desk.account, rules.risk)
            due[t.ROLL] += rules.risk.day_ns


@kernel
def retune(state, params):
    """The parameters have changed: what was derived from the old ones is derived anew."""
    set_cap(state.risk, params.risk)
    for maker in range(t.N_MAKERS):
        state.venue.ladders[maker].dirty = 1
    start_watch(state, params)
    if not params.drills.stuck_exit:
        free_stuck(state, params)


@kernel
def command_halt(state, params, output, reason):
    """Somebody pulled the brake."""
    halt(state, params, output, reason, 0.0, 0.0)


@kernel
def command_release(state):
    """Somebody let go of it."""
    release(state.risk, state.desk.account)
