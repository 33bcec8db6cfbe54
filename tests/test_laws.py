"""What must hold in every run, whatever the scenario: checked event by event, or on all of its rows."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stepping import UNIT, in_flight, own_orders, values, watch
from strategies import PLAIN, configs, seeds

from lablib.config import SimConfig
from lablib.engine import TABLES, Simulation
from lablib.kernels import tables as t
from lablib.run import Run, run

Law = Callable[[Any, Any, int], None]  # of (state, params, source of the last event)

EVENTS = 120 if PLAIN else 800
TICKS = 30 if PLAIN else 300
TIMED = 0.05  # ms; where every own wire takes longer, each call plays exactly one event

laws = settings(max_examples=4 if PLAIN else 15)
rows = settings(max_examples=4 if PLAIN else 100)


# ------------------------------------------------------------------------------------------- money
def money_is_exact() -> Law:
    def check(state: Any, params: Any, source: int) -> None:
        for record in (state.account, state.desk.account):
            a = values(record)
            value = a.position * a.mark * UNIT
            assert a.cash + value == a.start + a.realized + (value - a.basis) - a.fees
            assert a.equity == a.cash + value
            assert a.peak >= max(a.start, a.equity)
            assert a.drawdown >= a.peak - a.equity
            assert (a.basis > 0) == (a.position > 0)
            assert (a.basis < 0) == (a.position < 0)

    return check


def what_we_know_and_what_is_under_way_make_up_the_truth() -> Law:
    def check(state: Any, params: Any, source: int) -> None:
        truth, desk = values(state.account), state.desk
        known = values(desk.account)
        owns = own_orders(state)
        assert truth.position == known.position + sum(o.side * (o.filled - o.known) for o in owns)
        news = in_flight(state.wires[t.ACK])
        sides = state["own"]["side"][news["ref"]]
        cash = sum((sides * news["b"] + news["c"]).tolist())
        cash += sum(o.side * o.held_value + o.held_fee for o in owns)
        assert truth.cash == known.cash - cash
        fees = sum(news["c"].tolist()) + sum(o.held_fee for o in owns)
        assert truth.fees == known.fees + fees
        if news.size == 0:
            for name in ("position", "cash", "fees", "realized", "basis", "turnover"):
                assert getattr(truth, name) == getattr(known, name)

    return check


# -------------------------------------------------------------------------------------------- risk
def pending_is_what_our_open_orders_have_left() -> Law:
    def check(state: Any, params: Any, source: int) -> None:
        desk, owns = state.desk, own_orders(state)
        news = in_flight(state.wires[t.ACK])
        untold = dict.fromkeys(range(t.N_OWN), 0)  # lots a replace took off
        for at, gone in zip(news["ref"].tolist(), news["d"].tolist(), strict=True):
            untold[at] += gone
        left = {t.BUY: 0, t.SELL: 0}
        for own in np.flatnonzero(state["own"]["used"]):
            order = state.own[own]
            left[order.side] += order.lots - order.known + order.gone_lots + untold[own]
        assert (desk.pending_buy, desk.pending_sell) == (left[t.BUY], left[t.SELL])
        exits = [o for o in owns if o.is_exit]
        assert desk.exit_pending == sum(o.lots - o.known for o in exits)
        assert {o.side for o in exits if o.lots > o.known} == {int(desk.exit_side)} - {0}
        assert desk.open_orders == len(owns)
        position = int(state.account.position)
        assert position <= desk.account.position + desk.pending_buy
        assert position >= desk.account.position - desk.pending_sell

    return check


def sent(state: Any, before: int) -> list[SimpleNamespace]:
    """Own orders put on the order-entry wire since its tail was at `before`."""
    wire = state.wires[t.ORDER_ENTRY]
    news = in_flight(wire)[before - int(wire.tail) :] if wire.tail > before else []
    return [values(state.own[at]) for at in [m["ref"] for m in news if m["kind"] == t.NEW]]


def an_entry_that_leaves_is_within_every_limit() -> Law:
    tail = 0

    def check(state: Any, params: Any, source: int) -> None:
        nonlocal tail
        desk, rules = state.desk, params.risk
        account = values(desk.account)
        for order in sent(state, tail):
            if order.is_exit:
                continue
            assert not state.risk.halted
            worth = account.mark * UNIT
            if rules.check_notional:
                assert order.lots * worth <= account.equity * rules.max_position_pct
            if order.side > 0:
                worst = account.position + int(desk.pending_buy)
            else:
                worst = int(desk.pending_sell) - account.position
            assert worst * worth <= account.equity * rules.max_gross_pct
        tail = int(state.wires[t.ORDER_ENTRY].tail)

    return check


def an_exit_only_takes_away() -> Law:
    tail = 0

    def check(state: Any, params: Any, source: int) -> None:
        nonlocal tail
        for order in sent(state, tail):
            assert not order.is_exit or state.desk.exit_pending == order.lots
        tail = int(state.wires[t.ORDER_ENTRY].tail)

    return check


def halted_stays_halted() -> Law:
    before = SimpleNamespace(halted=0, halts=0)

    def check(state: Any, params: Any, source: int) -> None:
        nonlocal before
        risk = state.risk
        now = SimpleNamespace(
            halted=int(risk.halted), halts=int(risk.halts), reason=int(risk.reason)
        )
        if before.halted and not now.halted:
            assert source == t.ROLL
            assert params.risk.rearm_each_day
        if before.halted and now.halted:
            assert now.reason == before.reason
            assert now.halts == before.halts
        assert (risk.halted_at >= 0) == (now.reason != t.OK) == bool(now.halted)
        if not before.halted and now.halted:
            assert now.halts == before.halts + 1
            loss = values(state.desk.account)
            lost = (loss.fees - risk.day_fees) - (loss.realized - risk.day_realized)
            assert lost >= risk.cap
            assert risk.overshoot >= lost - risk.cap
        before = now

    return check


# ------------------------------------------------------------------------------------------- wires
def least_ns(params: Any, wire: int) -> int:
    """What no message on a wire can undercut."""
    return int(params.delays[wire].shift_ns)


def nothing_overtakes_on_a_wire() -> Law:
    memory = [SimpleNamespace(head=0, tail=0, due=0, sent=0) for _ in range(t.N_WIRES)]

    def check(state: Any, params: Any, source: int) -> None:
        for wire, past in enumerate(memory):
            record = state.wires[wire]
            head, tail = int(record.head), int(record.tail)
            assert 0 <= tail - head <= t.N_MESSAGES
            if tail > past.tail and tail > head:
                newest = record.messages[(tail - 1) & (t.N_MESSAGES - 1)]
                assert newest.due_ns >= past.due
                assert newest.sent_ns >= past.sent
                least = least_ns(params, wire)
                if wire == t.ORDER_ENTRY:
                    least = min(least, least_ns(params, t.CANCEL_ENTRY))
                assert newest.due_ns >= newest.sent_ns + least
                past.due, past.sent = int(newest.due_ns), int(newest.sent_ns)
            if head < tail:
                assert record.messages[head & (t.N_MESSAGES - 1)].due_ns >= state.now_ns
            past.head, past.tail = head, tail

    return check


def nothing_is_known_before_its_wire_delivered_it() -> Law:
    prices: dict[int, float] = {}
    quotes: dict[int, set[tuple[int, ...]]] = {}
    crowded: set[int] = set()  # instants of which we did not see every quote
    played = 0

    def check(state: Any, params: Any, source: int) -> None:
        nonlocal played
        external, quote, seen, now = state.external, state.venue.quote, state.seen, state.now_ns
        if state.events > played + 1:
            crowded.add(int(now))
        played = int(state.events)
        prices[int(external.at_ns)] = float(external.px)
        touch = (int(quote.bid), int(quote.ask), int(quote.bid_lots), int(quote.ask_lots))
        quotes.setdefault(int(quote.at_ns), set()).add(touch)
        assert seen.external_px == prices[int(seen.external_ns)]
        if seen.quote_ns not in crowded:
            touch = (int(seen.bid), int(seen.ask), int(seen.bid_lots), int(seen.ask_lots))
            assert touch in quotes[int(seen.quote_ns)]
        if seen.external_ns > 0:
            assert seen.external_ns + least_ns(params, t.EXTERNAL_FEED) <= now
        if seen.quote_ns > 0:
            assert seen.quote_ns + least_ns(params, t.VENUE_FEED) <= now
        assert seen.info_ns == max(seen.external_ns, seen.quote_ns)
        for order in own_orders(state):
            assert order.info_ns <= order.looked_at <= now
            assert (order.filled_at >= 0) == (order.known > 0)

    return check


# ------------------------------------------------------------------------------------------- venue
def the_book_is_sound_and_never_crossed() -> Law:
    def check(state: Any, params: Any, source: int) -> None:
        book, quote = state.book, state.venue.quote
        if params.venue.model <= t.QUOTES_ONLY:
            assert quote.ask - quote.bid == 2 * params.venue.half_spread_ticks
            return
        assert book.best[0] < book.best[1]
        assert (quote.bid, quote.ask) == tuple(book.best)
        orders = book["orders"][: int(book.fresh) + 1]
        resting = orders[orders["lots"] > 0]
        assert resting.size == book.resting
        for half, away in ((0, -1), (1, 1)):
            ours = resting[resting["half"] == half]
            assert (ours["px"] * away >= book.best[half] * away).all()
            by_price = np.bincount(ours["px"] & (t.N_LEVELS - 1), ours["lots"], t.N_LEVELS)
            assert (book["levels"]["lots"][half] == by_price).all()
            makers = ours[ours["owner"] == t.MAKER]
            for maker, slots in enumerate(state["venue"]["ladders"]["slot"][:, half]):
                rungs = orders[slots[slots > 0]]
                assert (rungs["owner"] == t.MAKER).all()
                assert (rungs["half"] == half).all()
                assert (rungs["tag"] == maker).all()
                assert np.unique(rungs["px"]).size == rungs.size
                assert np.count_nonzero(makers["tag"] == maker) == rungs.size
                assert rungs.size <= params.venue.levels * (maker < params.makers.count)

    return check


def what_is_traded_at_a_book_adds_up_to_nothing() -> Law:
    def check(state: Any, params: Any, source: int) -> None:
        parties = state["venue"]["parties"]
        if params.venue.model <= t.QUOTES_ONLY:
            assert not parties["deals"].any()
            return
        us = values(state.account)
        assert us.position + sum(parties["position"].tolist()) == 0
        assert us.cash + us.fees - us.start + sum(parties["cash"].tolist()) == 0
        makers = slice(t.FIRST_MAKER + int(params.makers.count), t.FIRST_RIVAL)
        rivals = slice(t.FIRST_RIVAL + int(params.rivals.count), t.N_PARTIES)
        assert not parties["deals"][makers].any()
        assert not parties["deals"][rivals].any()

    return check


EVERY_LAW = (
    money_is_exact,
    what_we_know_and_what_is_under_way_make_up_the_truth,
    pending_is_what_our_open_orders_have_left,
    an_entry_that_leaves_is_within_every_limit,
    an_exit_only_takes_away,
    halted_stays_halted,
    nothing_overtakes_on_a_wire,
    nothing_is_known_before_its_wire_delivered_it,
    the_book_is_sound_and_never_crossed,
    what_is_traded_at_a_book_adds_up_to_nothing,
)

ONE_BY_ONE = (an_entry_that_leaves_is_within_every_limit, an_exit_only_takes_away)


@pytest.mark.parametrize("law", EVERY_LAW, ids=lambda law: law.__name__)
@laws
@given(config=configs(least_ms=TIMED), seed=seeds())
def test_after_every_event(law, config, seed):
    check = law()
    for state, params, source in watch(config, seed, EVENTS):
        check(state, params, source)


@laws
@given(config=configs(), seed=seeds())
def test_the_same_laws_hold_where_messages_take_no_time(config, seed):
    checks = [law() for law in EVERY_LAW if law not in ONE_BY_ONE]
    for state, params, source in watch(config, seed, EVENTS):
        for check in checks:
            check(state, params, source)


@pytest.mark.full
@pytest.mark.compiled
@pytest.mark.skipif(PLAIN, reason="an hour in plain Python")
@settings(max_examples=300)
@given(config=configs(least_ms=TIMED), seed=seeds())
def test_every_law_holds_after_every_event_of_longer_runs(config, seed):
    checks = [law() for law in EVERY_LAW]
    for state, params, source in watch(config, seed, 1_000):
        for check in checks:
            check(state, params, source)


# ------------------------------------------------------------------------------------ all the rows
def played(config: SimConfig, seed: int) -> Run:
    """A run over some hundred ticks of the external price, all tables kept."""
    return run(config, seed=seed, until=f"{until_ms(config)}ms")


def until_ms(config: SimConfig) -> float:
    """Some hundred ticks of the external price."""
    until = TICKS * config.external.interval_ms
    if PLAIN:  # a fast clock decides a thousand times between two ticks
        until = min(until, 200 * (config.strategy.decision_interval_ms or until))
    return until


@rows
@given(config=configs(), seed=seeds())
def test_fills_make_up_orders_fees_cash_and_position(config, seed):
    done = played(config, seed)
    fills, orders, last = done.fills, done.orders, done.last
    lots = {int(order_id): 0 for order_id in orders["order_id"]}
    cash = fees = position = 0
    for fill in map(values, fills):
        lots[fill.order_id] += fill.lots
        cash -= fill.side * fill.lots * fill.price_ticks * t.MONEY + fill.fee_units
        fees += fill.fee_units
        position += fill.side * fill.lots
    assert list(lots.values()) == orders["filled_lots"].tolist()
    assert position == last.position_lots
    unit = config.unit_value
    start = int(config.to_record().starting_cash)
    assert (start + cash) * unit == last.cash
    assert fees * unit == last.fees
    assert (fills["fee_units"] * unit == fills["fee"]).all()
    assert (fills["price_ticks"] * config.venue.tick_size == fills["price_px"]).all()
    assert fills.size == last.fill_count


@rows
@given(config=configs(venue__model="makers"), seed=seeds())
def test_what_others_gain_at_the_external_price_we_lose(config, seed):
    """Fill by fill: the edge of makers, rivals and investors together is the opposite of ours, to the unit."""
    done = played(config, seed)
    fills, parties = done.fills, done.parties
    paid = fills["lots"] * (fills["fair"] - fills["price_ticks"] * t.MONEY)
    assert parties["edge_units"].sum() == -(fills["side"] * paid).sum()
    np.testing.assert_allclose(
        parties["edge"], parties["edge_units"] * config.unit_value, rtol=1e-15
    )
    assert parties["position"].sum() == -done.last.position_lots
    assert [row["name"] for row in parties[: config.makers.count]] == [
        f"maker {k + 1}" for k in range(config.makers.count)
    ]


@rows
@given(config=configs(), seed=seeds())
def test_an_order_fills_as_it_was_meant_and_never_after_its_end(config, seed):
    done = played(config, seed)
    orders = {order.order_id: order for order in map(values, done.orders)}
    assert list(orders) == list(range(1, len(orders) + 1))
    moved = config.strategy.name == "market_maker" and config.strategy.requote == "replace"
    for fill in map(values, done.fills):
        order = orders[fill.order_id]
        assert (fill.side, fill.is_exit) == (order.side, order.is_exit)
        if order.kind == t.MARKET:  # over in the instant it reaches the venue
            assert fill.t_ns == order.acted_at == order.received_at
        else:
            assert order.received_at <= fill.t_ns
            if not moved:  # a row tells the last limit
                assert (fill.price_ticks - order.limit_ticks) * order.side <= 0
            assert fill.is_maker or moved
            assert order.status != t.CANCELLED or fill.t_ns <= order.acted_at
    for order in orders.values():
        if order.status == t.FILLED:
            assert order.filled_lots == order.lots
        elif order.status == t.CANCELLED:
            assert order.filled_lots < order.lots
            assert (order.reason == t.NO_LIQUIDITY) == (order.kind == t.MARKET)
        elif order.status == t.REJECTED:
            assert order.filled_lots == 0
            assert order.reason != t.OK
            by_the_venue = (t.WOULD_CROSS, t.PRICE_OUT_OF_RANGE, t.BOOK_FULL)
            assert (order.received_at >= 0) == (order.reason in by_the_venue)
        elif order.status == t.RESTING:
            assert order.kind == t.POST_ONLY
            assert order.filled_lots < order.lots
        else:
            assert order.status == t.CREATED
            assert order.received_at == -1


@rows
@given(config=configs(), seed=seeds())
def test_an_order_takes_its_legs_in_order_and_none_in_less_than_its_wire(config, seed):
    done = played(config, seed)
    params = config.to_record()
    for order in map(values, done.orders):
        assert order.info_ns <= order.looked_at
        assert order.created_at - order.looked_at >= least_ns(params, t.DECISION)
        if order.received_at >= 0:
            assert order.received_at - order.created_at >= least_ns(params, t.ORDER_ENTRY)
            assert order.acted_at >= order.received_at
        if order.filled_at >= 0:
            first = done.fills["t_ns"][done.fills["order_id"] == order.order_id].min()
            assert order.filled_at - first >= least_ns(params, t.ACK)
            assert order.filled_lots > 0
        assert order.filled_at <= done.last.t_ns


@rows
@given(config=configs(), seed=seeds())
def test_the_record_shows_each_halt_once_and_no_entry_after_it(config, seed):
    done = played(config, seed)
    halts, orders = done.risk_events, done.orders
    assert halts.size == done.last.halts
    assert (halts["reason"] == t.DAILY_LOSS).all()
    assert (halts["value"] >= halts["limit"]).all()
    assert (np.diff(halts["t_ns"]) > 0).all()
    day = config.to_record().risk.day_ns
    entries = orders[(orders["is_exit"] == 0) & (orders["status"] != t.REJECTED)]
    for halt in halts["t_ns"]:
        # The latch holds to the end of the run, or of the day where a day may release it.
        until = (halt // day + 1) * day if config.risk.rearm_each_day else t.FAR
        after = (entries["created_at"] > halt) & (entries["created_at"] < until)
        assert not after.any()


@rows
@given(config=configs(), seed=seeds())
def test_a_sample_is_written_at_every_tick_of_the_clock(config, seed):
    done = played(config, seed)
    at = done.samples["t_ns"]
    every = round(config.strategy.decision_interval_ms * t.NS_PER_MS)
    if every:
        assert at.tolist() == list(range(every, done.last.t_ns + 1, every))
    assert at.size == done.last.decisions
    threshold = config.strategy.threshold
    divergence = done.samples["divergence"]
    action = np.where(divergence > threshold, 1, np.where(divergence < -threshold, -1, 0))
    assert (done.samples["action"] == action).all()


@rows
@given(
    config=configs(
        strategy__name="divergence",  # a resting order may fill in the instant of a look, before it
        venue__model="delayed_copy",
        latency__venue_feed_ms=0.0,
        latency__order_entry_ms=0.0,
        latency__decision_ms=0.0,
    ),
    seed=seeds(),
)
def test_equity_is_the_fills_so_far_at_the_mark_we_see(config, seed):
    """Where the quote is seen at once, an order fills right after the look that wanted it."""
    done = played(config, seed)
    unit, fills = config.unit_value, done.fills
    cost = fills["side"] * fills["lots"] * fills["price_ticks"] * t.MONEY + fills["fee_units"]
    start = int(config.to_record().starting_cash)
    cash = start - np.concatenate(([0], np.cumsum(cost)))
    position = np.concatenate(([0], np.cumsum(fills["side"] * fills["lots"])))
    samples = done.samples
    so_far = np.searchsorted(fills["t_ns"], samples["t_ns"], side="left")
    if config.strategy.decision_interval_ms == 0:
        return  # several looks in one instant
    assert (samples["position"] == position[so_far]).all()
    half_ticks = np.rint(samples["market_px"] * 2 / config.venue.tick_size).astype(np.int64)
    equity = (cash[so_far] + position[so_far] * half_ticks * UNIT) * unit
    assert (samples["equity"] == equity).all()


@rows
@given(config=configs(strategy__name="idle"), seed=seeds())
def test_who_does_nothing_keeps_what_he_has(config, seed):
    done = played(config, seed)
    assert done.last.equity == done.last.cash
    assert done.last.cash == pytest.approx(100_000.0, abs=config.unit_value)
    assert done.orders.size == done.fills.size == done.risk_events.size == 0


@rows
@given(config=configs(), seed=seeds(), share=st.integers(0, 20))
def test_a_run_taken_up_from_a_checkpoint_ends_in_the_same_bytes(config, seed, share):
    end_ns = round(until_ms(config) * t.NS_PER_MS)
    whole, other = Simulation(config, seed=seed), Simulation(config, seed=seed)
    frame = whole.advance(end_ns * share // 20)
    other.go_on_from(whole.checkpoint(), {name: getattr(frame, name) for name in TABLES})
    for one in (whole, other):
        one.play(end_ns)
    assert other.digest() == whole.digest()
