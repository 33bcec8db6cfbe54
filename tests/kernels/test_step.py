"""The score: what a run starts from, whose turn it is, and what happens at every limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stepping import events, in_flight, own_orders, values
from strategies import PLAIN

from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.kernels import step
from lablib.kernels import tables as t
from lablib.run import run

MS = t.NS_PER_MS


def simulation_of(seed: int = 7, **changes: Any) -> Simulation:
    fields = {name.replace("__", "."): value for name, value in changes.items()}
    return Simulation(SimConfig().replace(fields), seed=seed)


# ---------------------------------------------------------------------------------------- the start
@pytest.mark.parametrize("model", ["delayed_copy", "makers"])
def test_a_run_starts_with_every_price_at_its_start_and_nothing_of_ours_in_flight(model):
    simulation = simulation_of(venue__model=model, venue__half_spread_ticks=2)
    state = simulation.state
    assert state.external.px == 10_000.0
    assert (state.venue.quote.bid, state.venue.quote.ask) == (9_998, 10_002)
    assert (state.seen.bid, state.seen.ask, state.seen.external_px) == (9_998, 10_002, 10_000.0)
    for account in map(values, (state.account, state.desk.account)):
        assert account.cash == account.equity == account.start == account.peak
        assert account.mark == 20_000
        assert account.position == account.fees == account.fills == 0
    for wire in (t.ORDER_ENTRY, t.ACK, t.DECISION):
        assert state.wires[wire].tail == 0
    assert state.events == 0
    frame = simulation.frame()
    assert (frame.external_px, frame.market_px, frame.divergence) == (100.0, 100.0, 0.0)


def test_the_first_decision_is_one_interval_after_the_start():
    simulation = simulation_of()
    assert simulation.state.due[t.LOOK] == 50 * MS
    assert simulation.state.due[t.ROLL] == 24 * 3_600 * t.NS_PER_S


# --------------------------------------------------------------------------------- a history in full
def test_one_order_from_the_news_to_the_last_word():
    """Visible history: each leg as long as its wire, each source at its turn."""
    simulation = simulation_of(
        latency__external_feed_ms=1,
        latency__venue_feed_ms=2,
        latency__decision_ms=4,
        latency__order_entry_ms=8,
        latency__ack_ms=16,
        strategy__threshold=0.001,
        strategy__exit="never",
    )
    names = [
        "roll",
        "tape",
        "lag",
        "rival",
        "arrival",
        "see_external",
        "see_venue",
        "learn",
        "watch",
        "look",
        "send",
    ]
    history = []
    state = simulation._state
    for source in events(simulation, 10 * t.NS_PER_S):
        if state.strategy.asked or history:
            history.append((names[source], int(state.now_ns)))
        if state.account.fills and not state.desk.open_orders:
            break
    start = history[0][1]
    legs = [(name, (at - start) / MS) for name, at in history]
    assert start % (50 * MS) == 0
    wanted = [leg for leg in legs if leg[0] in ("send", "arrival", "learn")]
    # two words of the venue, a fill and the end, in one instant
    assert wanted in (
        [("send", 4.0), ("arrival", 12.0), ("learn", 28.0)],
        [("send", 4.0), ("arrival", 12.0), ("learn", 28.0), ("learn", 28.0)],
    )
    order = simulation.frame().orders[0]
    assert order["looked_at"] == start
    # Ticks come on the clock's own grid: the newest one seen was made 50 ms ago, or a quote later.
    assert 0 <= start - order["info_ns"] <= 50 * MS
    times = [int(order[n]) for n in ("created_at", "received_at", "acted_at", "filled_at")]
    assert times == [start + ms * MS for ms in (4, 12, 12, 28)]
    latency = simulation.frame()
    assert latency.exchange_latency.max_ms == 8.0
    assert latency.decision_latency.max_ms == (order["created_at"] - order["info_ns"]) / MS
    assert latency.latency.max_ms == (order["filled_at"] - order["info_ns"]) / MS


def test_an_entry_shrinks_to_what_its_size_is_when_it_leaves():
    """Two entries thought over while the price rose are checked against today's price."""
    done = run(
        {
            "latency.decision_ms": 2_000,
            "external.volatility_bps": 200,
            "strategy.threshold": 0.001,
            "strategy.stack": True,
            "risk.max_gross_pct": 100,
        },
        seed=7,
        until="60s",
    )
    sent = done.orders[done.orders["is_exit"] == 0]
    assert (sent["status"] == t.FILLED).mean() > 0.5
    assert (sent["reason"] != t.ORDER_NOTIONAL).all()


# ------------------------------------------------------------------------------------ at the limits
def test_the_own_order_after_the_last_place_is_refused_and_counted():
    simulation = simulation_of(
        latency__order_entry_ms=60_000,
        strategy__threshold=0.0,
        strategy__decision_interval_ms=1,
        strategy__exit="never",
        strategy__stack=True,
        risk__max_gross_pct=1_000,
        external__interval_ms=1,
    )
    looks = t.N_OWN + 100
    frame = simulation.advance(looks * MS)
    state = simulation.state
    assert frame.open_orders == t.N_OWN
    assert len(own_orders(state)) == t.N_OWN
    assert frame.order_count + state.risk.rejected[t.TOO_MANY_ORDERS] in (looks - 1, looks)
    assert frame.samples.size == looks


def test_a_crowded_ack_wire_holds_fills_back_and_loses_none():
    """Every order fills lot by lot at 64 prices and each word takes a second: far more than fit."""
    simulation = simulation_of(
        latency__ack_ms=1_000,
        strategy__threshold=0.0,
        strategy__decision_interval_ms=1,
        strategy__exit="never",
        strategy__stack=True,
        risk__max_gross_pct=1_000,
        external__interval_ms=1,
        venue__level_lots=1,
        venue__levels=64,
    )
    simulation.play(150 * MS)
    state = simulation._state
    truth, known = state.account, state.desk.account
    assert known.fills == 0
    assert truth.fills > 100 * 64 > t.N_MESSAGES
    wire = state.wires[t.ACK]
    assert wire.conflated == 0
    assert wire.tail - wire.head <= t.N_MESSAGES
    told = in_flight(wire)
    assert told["a"].sum() + sum(own.held_lots for own in own_orders(state)) == truth.turnover
    simulation.command("set", "strategy.threshold", 1.0)
    simulation.play(3 * t.NS_PER_S)
    for name in ("cash", "position", "fees", "turnover"):
        assert truth[name] == known[name]
    assert state.desk.open_orders == 0


@pytest.mark.parametrize("wire", ["external_feed_ms", "market_lag_ms"])
def test_a_full_feed_keeps_the_newest_news(wire):
    """A tick a millisecond and a minute's travel: 2,048 fit, and the last of them is always today's."""
    simulation = simulation_of(
        **{f"latency__{wire}": 60_000},
        external__interval_ms=1,
        strategy__name="idle",
        strategy__decision_interval_ms=60_000,
    )
    ticks = t.N_MESSAGES + 500
    simulation.play(ticks * MS)
    state = simulation._state
    line = state.wires[t.EXTERNAL_FEED if "external" in wire else t.MARKET_LAG]
    news = in_flight(line)
    assert news.size == t.N_MESSAGES
    assert line.conflated == 500
    assert news["x"][-1] == state.external.px
    assert (np.diff(news["due_ns"]) >= 0).all()
    assert news["info_ns"][-1] == ticks * MS


def test_the_word_to_halt_finds_room_behind_a_crowd_of_orders():
    simulation = simulation_of(latency__order_entry_ms=60_000, latency__cancel_ms=0)
    state, params = simulation._state, simulation._params
    wire = state.wires[t.ORDER_ENTRY]
    for place in range(t.N_OWN):
        state.own[place].used = 1
    for k in range(t.N_MESSAGES - 1):  # as many requests as are let onto the wire
        wire.tail += 1
        wire.messages[k].kind = t.CANCEL
        wire.messages[k].due_ns = t.FAR
    step.command_halt(state, params, simulation._output, t.MANUAL)
    news = in_flight(wire)
    assert (news["kind"][:-1] == t.CANCEL).all()
    assert news["kind"][-1] == t.HALT
    assert wire.conflated == 0


def test_a_day_rolls_before_anything_else_of_its_instant():
    """The loss of the last instant belongs to the day that ends with it."""
    simulation = simulation_of(risk__day_length="50ms")
    told = list(events(simulation, 50 * MS))
    assert told[0] == t.ROLL
    assert simulation.state.risk.day == 1


# --------------------------------------------------------------------------------------- a halt at work
HALTING = {
    "latency__order_entry_ms": 200,
    "latency__ack_ms": 30,
    "strategy__threshold": 0.0005,
    "external__volatility_bps": 80,
}


def moving(**changes: Any) -> Simulation:
    """A desk with a position and orders on their way."""
    simulation = simulation_of(**{**HALTING, **changes})
    state = simulation._state
    while not (state.desk.account.position and in_flight(state.wires[t.ORDER_ENTRY]).size):
        simulation.play(simulation.now_ns + 10 * MS)
    return simulation


def test_orders_in_flight_still_fill_after_a_halt_and_none_follows_but_the_exit():
    simulation = moving(risk__flatten_on_halt=True)
    state = simulation._state
    under_way = int(in_flight(state.wires[t.ORDER_ENTRY]).size)
    simulation.frame()
    simulation.command("halt")
    at = simulation.now_ns
    frame = simulation.advance(at + 5 * t.NS_PER_S)
    assert frame.halted
    assert frame.halt_reason == "manual"
    assert frame.halted_at_ns == at
    late = frame.orders[frame.orders["created_at"] <= at]
    assert (late["filled_lots"] > 0).sum() >= under_way
    after = frame.orders[frame.orders["created_at"] > at]
    assert (after["is_exit"] == 1).all()
    assert frame.position_lots == 0
    assert frame.open_orders == 0


def test_a_halt_that_does_not_flatten_leaves_the_position_standing():
    simulation = moving(risk__flatten_on_halt=False)
    simulation.command("halt")
    at = simulation.now_ns
    frame = simulation.advance(at + 5 * t.NS_PER_S)
    assert (frame.orders["created_at"] <= at).all()
    assert frame.position_lots == frame.known_position_lots
    settled = frame.position_lots
    assert simulation.advance(at + 50 * t.NS_PER_S).position_lots == settled


def test_the_word_to_halt_travels_behind_the_orders_already_sent():
    simulation = moving(latency__cancel_ms=1)
    simulation.command("halt")
    news = in_flight(simulation._state.wires[t.ORDER_ENTRY])
    assert news["kind"][-1] == t.HALT
    assert news["due_ns"][-1] == news["due_ns"][-2]


def test_a_halt_withdraws_what_rests_once_it_has_arrived():
    simulation = simulation_of(
        venue__model="makers",
        venue__half_spread_ticks=3,
        venue__level_lots=100_000,
        strategy__name="passive_divergence",
        strategy__threshold=0.0005,
        latency__cancel_ms=40,
    )
    state = simulation._state
    while not state.desk.resting:
        simulation.play(simulation.now_ns + MS)
    simulation.command("halt")
    at = simulation.now_ns
    simulation.play(at + 40 * MS - 1)
    resting = int(state.desk.resting)
    frame = simulation.advance(at + 40 * MS)
    assert resting
    assert state.desk.resting == 0
    assert [t.REASONS[row["reason"]] for row in frame.orders[-resting:]] == ["halted"] * resting
    assert (frame.orders["acted_at"][-resting:] == at + 40 * MS).all()
    book = state["book"]["orders"]
    assert not ((book["owner"] == t.OWN) & (book["lots"] > 0)).any()


def test_a_released_desk_trades_again():
    simulation = moving()
    simulation.command("halt")
    simulation.advance(simulation.now_ns + 5 * t.NS_PER_S)
    orders = simulation.frame().order_count
    simulation.command("release")
    frame = simulation.advance(simulation.now_ns + 5 * t.NS_PER_S)
    assert not frame.halted
    assert frame.order_count > orders


def test_the_loss_that_was_still_under_way_is_told_as_overshoot():
    done = run("late_brakes", seed=1, until="30s")
    halt = done.risk_events[0]
    assert t.REASONS[halt["reason"]] == "daily_loss_cap"
    assert halt["value"] >= halt["limit"]
    assert done.last.overshoot > halt["value"] - halt["limit"]
    late = done.fills["t_ns"] > halt["t_ns"]
    assert late.any()
    entries = done.orders[(done.orders["is_exit"] == 0) & (done.orders["status"] != t.REJECTED)]
    in_time = entries["created_at"] <= halt["t_ns"]
    assert in_time.all() or done.config.risk.rearm_each_day


# ------------------------------------------------------------------------- a hand-made recorded market
class Tape:
    """A market of a few recorded messages."""

    tick_size, lot_size, start_px, sha256 = 0.5, 1.0, 100.0, "by hand"

    def __init__(self, rows: list[tuple[int, int, int, int, int, float]]) -> None:
        self.duration_ns = rows[-1][0]
        self.events = np.array([*rows, (t.FAR, t.END, 0, 0, 0, 0.0)], t.TAPE_EVENT)


def test_a_recorded_market_is_played_message_by_message():
    rows = [
        (0, t.CLEAR, 0, 0, 0, 0.0),
        (0, t.LEVEL, t.BUY, 199, 5, 0.0),
        (0, t.LEVEL, t.SELL, 201, 7, 0.0),
        (0, t.SETTLED, 0, 0, 0, 0.0),
        (3 * MS, t.LEVEL, t.BUY, 200, 2, 0.0),
        (3 * MS, t.SETTLED, 0, 0, 0, 0.0),
        (5 * MS, t.EXTERNAL, 0, 1, 1, 204.0),
        (9 * MS, t.TRADE, t.SELL, 200, 2, 0.0),
        (9 * MS, t.LEVEL, t.BUY, 200, 0, 0.0),
        (9 * MS, t.SETTLED, 0, 0, 0, 0.0),
    ]
    simulation = Simulation({"strategy.name": "idle"}, market=Tape(rows))
    seen = []
    for ms in (0, 3, 5, 9):
        frame = simulation.advance(ms * MS)
        seen.append((frame.bid_px, frame.ask_px, frame.external_px, simulation.finished))
    assert seen == [
        (99.5, 100.5, 100.0, False),
        (100.0, 100.5, 100.0, False),
        (100.0, 100.5, 102.0, False),
        (99.5, 100.5, 102.0, True),
    ]
    assert simulation.state.venue.trades == 1
    assert frame.book.bids.tolist() == [[99.5, 5.0]]


def test_our_order_takes_from_the_recorded_book():
    rows = [
        (0, t.LEVEL, t.BUY, 199, 5, 0.0),
        (0, t.LEVEL, t.SELL, 201, 7, 0.0),
        (0, t.LEVEL, t.SELL, 203, 90, 0.0),
        (0, t.SETTLED, 0, 0, 0, 0.0),
        (40 * MS, t.EXTERNAL, 0, 1, 1, 220.0),
        (100 * MS, t.EXTERNAL, 0, 2, 1, 220.0),
    ]
    changes = {"risk.max_position_pct": 0.01, "strategy.exit": "never", "venue.fee_bps": 0}
    done = run(changes, market=Tape(rows))
    assert done.fills["price_ticks"].tolist() == [201, 203]
    assert done.fills["lots"].tolist() == [7, 3]
    assert done.last.t_ns == 100 * MS


def test_the_rows_of_one_event_always_find_room():
    cursor = np.zeros(1, t.OUTPUT)[0]
    assert step.has_room(cursor)
    for name, size in (
        ("samples", t.N_SAMPLES),
        ("orders", t.N_ORDERS),
        ("risk_events", t.N_RISK_EVENTS),
    ):
        full = np.zeros(1, t.OUTPUT)[0]
        full.cursor[name] = size - 1
        assert step.has_room(full)
        full.cursor[name] = size
        assert not step.has_room(full)
    full = np.zeros(1, t.OUTPUT)[0]
    full.cursor.fills = t.N_FILLS - t.N_RESTING
    assert step.has_room(full)
    full.cursor.fills += 1
    assert not step.has_room(full)


@pytest.mark.skipif(PLAIN, reason="the state is copied whole")
def test_the_state_is_as_large_after_an_hour_as_at_the_start():
    simulation = simulation_of()
    before = simulation.state.nbytes
    simulation.play(3_600 * t.NS_PER_S)
    assert simulation.state.nbytes == before < 16_000_000
