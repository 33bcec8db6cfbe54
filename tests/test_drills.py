"""Fault drills: each breaks what it says, and the guard meant for it stops us; without it none does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stepping import values, watch
from strategies import PLAIN, configs, seeds
from test_laws import (
    an_entry_that_leaves_is_within_every_limit,
    an_exit_only_takes_away,
    money_is_exact,
    nothing_overtakes_on_a_wire,
    pending_is_what_our_open_orders_have_left,
    the_book_is_sound_and_never_crossed,
    what_we_know_and_what_is_under_way_make_up_the_truth,
)

from lablib.commands import Command
from lablib.config import DrillsConfig, SimConfig
from lablib.engine import Simulation
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.run import Run, run
from lablib.session import Session

MS, SECOND = t.NS_PER_MS, t.NS_PER_S
BASE = {"external.interval_ms": 10.0, "strategy.decision_interval_ms": 10.0}
BASE |= {"strategy.threshold": 0.002, "strategy.exit": "close", "venue.half_spread_ticks": 1}
BASE |= {
    f"latency.{wire}_ms": 5.0 for wire in ("external_feed", "venue_feed", "order_entry", "ack")
}

# drill, its value, the guard meant for it, what the guard calls it, whether it latches
FAULTS = [
    ("stale_feed", True, {"risk.stale_external_ms": 100.0}, "stale_feed", True),
    ("feed_gap", 0.05, {"risk.max_lost_messages": 1}, "feed_gap", True),
    ("feed_gap", 1.0, {"risk.stale_venue_ms": 1_000.0}, "stale_venue", True),
    ("duplicate_order", True, {"risk.max_open_orders": 1}, "open_orders", False),
    ("duplicate_order", True, {"risk.max_orders_per_s": 14}, "order_rate", False),
    ("stuck_exit", True, {"risk.order_timeout_ms": 50.0}, "order_timeout", True),
    (
        "stuck_exit",
        True,
        {"risk.max_position_pct": 1.0, "risk.drawdown_cap_pct": 0.003},
        "drawdown_cap",
        True,
    ),
    ("size_multiple", 100.0, {}, "order_notional", False),
    ("latency_spike_ms", 50.0, {"risk.order_timeout_ms": 50.0}, "order_timeout", True),
    ("crossed_quotes", 30, {"risk.refuse_crossed": True}, "crossed_quotes", False),
    ("crossed_quotes", 800, {"risk.price_collar_pct": 0.04}, "price_collar", False),
]
FROM = 5 * SECOND


def outcome(config: dict[str, Any], commands: list[Command]) -> tuple[list[str], set[str], Run]:
    """What latched and what was refused."""
    done = run(config, seed=12, until="30s", commands=commands)
    latched = [t.REASONS[reason] for reason in done.risk_events["reason"]]
    return latched, set(done.last.rejected), done


@pytest.mark.compiled
@pytest.mark.parametrize(("drill", "value", "guard", "reason", "latches"), FAULTS)
def test_a_drill_switched_on_live_trips_the_guard_meant_for_it(
    drill, value, guard, reason, latches
):
    broken = Command(FROM, "set", f"drills.{drill}", value)
    latched, refused, done = outcome(BASE | guard, [broken])
    assert latched == [reason] * latches
    assert refused == {reason} - set(latched)
    if latches:
        assert done.risk_events["t_ns"][0] > FROM
        sent = done.orders[(done.orders["is_exit"] == 0) & (done.orders["status"] != t.REJECTED)]
        assert (sent["created_at"] <= done.risk_events["t_ns"][0]).all()
    else:
        late = done.orders[done.orders["status"] == t.REJECTED]
        assert (late["created_at"] >= FROM).all()


@pytest.mark.compiled
@pytest.mark.parametrize(("drill", "value", "guard", "reason", "latches"), FAULTS)
def test_without_the_drill_its_guard_is_never_tripped(drill, value, guard, reason, latches):
    latched, refused, done = outcome(BASE | guard, [])
    assert (latched, refused) == ([], set())
    assert done.orders.size > 50


@pytest.mark.compiled
@pytest.mark.parametrize(("drill", "value"), [fault[:2] for fault in FAULTS])
def test_a_drill_without_guards_does_harm_that_nothing_stops(drill, value):
    config = BASE | {"risk.check_notional": False, "risk.daily_loss_cap_pct": 1.0}
    latched, refused, done = outcome(config, [Command(FROM, "set", f"drills.{drill}", value)])
    _, _, sane = outcome(config, [])
    assert (latched, refused & {"crossed_quotes", "open_orders", "order_rate"}) == ([], set())
    assert done.orders.tobytes() != sane.orders.tobytes()
    before = done.samples["t_ns"] < FROM
    assert (done.samples[before] == sane.samples[before]).all()


@pytest.mark.parametrize(("drill", "value"), [fault[:2] for fault in FAULTS])
def test_a_drill_breaks_us_and_not_the_market(drill, value):
    hashes, end_ns = set(), (SECOND // 2 if PLAIN else 2 * FROM)
    for commands in ([], [Command(end_ns // 2, "set", f"drills.{drill}", value)]):
        simulation = Simulation(BASE, seed=11, commands=commands, hash_tape=True)
        simulation.play(end_ns)
        hashes.add(simulation.tape_digest())
    assert len(hashes) == 1


# ------------------------------------------------------------------------------- what each one does
def test_a_stale_feed_stops_the_price_we_see_but_not_the_venue_behind_it():
    simulation = Simulation(BASE, seed=1)
    simulation.play(SECOND)
    simulation.command("set", "drills.stale_feed", True)
    simulation.play(2 * SECOND)
    seen = simulation.state.seen
    assert seen.external_ns == SECOND
    assert seen.external_at == SECOND + 5 * MS  # what had left still arrives
    assert seen.quote_ns > SECOND + 900 * MS
    simulation.command("set", "drills.stale_feed", False)
    simulation.play(3 * SECOND)
    assert simulation.state.seen.external_ns == 3 * SECOND - 10 * MS


@pytest.mark.compiled
def test_a_feed_gap_loses_its_share_of_the_venue_feed_and_nothing_at_the_venue():
    idle = BASE | {"strategy.name": "idle"}
    whole, holey = Simulation(idle, seed=1), Simulation(idle | {"drills.feed_gap": 0.3}, seed=1)
    for simulation in (whole, holey):
        simulation.play(60 * SECOND)
    told, missed = int(whole.state.venue.updates), int(holey.state.wires[t.VENUE_FEED].tail)
    assert int(holey.state.venue.updates) == told == int(whole.state.wires[t.VENUE_FEED].tail)
    assert abs(missed - 0.7 * told) < 4 * (0.3 * 0.7 * told) ** 0.5
    assert holey.state.venue.quote.tobytes() == whole.state.venue.quote.tobytes()


@pytest.mark.compiled
def test_a_duplicate_is_the_same_entry_once_more():
    done = run(BASE | {"drills.duplicate_order": True}, seed=1, until="20s")
    entries = done.orders[done.orders["is_exit"] == 0]
    first, second = entries[::2], entries[1::2]
    assert first.size == second.size > 20
    for name in ("kind", "side", "lots", "looked_at", "info_ns"):
        assert (first[name] == second[name]).all()
    assert (np.diff(entries["order_id"]) > 0).all()


@pytest.mark.compiled
def test_exits_are_stuck_until_the_drill_is_over_and_leave_then():
    stuck = [Command(FROM, "set", "drills.stuck_exit", True)]
    done = run(BASE, seed=11, until="20s", commands=stuck)
    assert not (done.orders["is_exit"] & (done.orders["created_at"] > FROM)).any()
    assert done.last.position_lots != 0
    over = [*stuck, Command(20 * SECOND, "set", "drills.stuck_exit", False)]
    done = run(BASE, seed=11, until="21s", commands=over)
    exits = done.orders[(done.orders["is_exit"] == 1) & (done.orders["created_at"] > FROM)]
    assert exits["created_at"][0] == 20 * SECOND
    assert exits["status"][0] == t.FILLED
    assert exits["looked_at"][0] < 15 * SECOND
    assert done.last.pending_buy_lots + done.last.pending_sell_lots == 0


@pytest.mark.compiled
def test_a_latched_switch_flattens_once_exits_are_free_again():
    guard = BASE | {"risk.order_timeout_ms": 50.0}
    stuck = Command(FROM, "set", "drills.stuck_exit", True)
    free = Command(20 * SECOND, "set", "drills.stuck_exit", False)
    before = run(guard, seed=11, until="20s", commands=[stuck]).last
    after = run(guard, seed=11, until="21s", commands=[stuck, free]).last
    assert before.halted
    assert before.position_lots != 0
    assert after.halted
    assert after.position_lots == 0


@pytest.mark.compiled
def test_a_latency_spike_is_added_to_order_entry_and_ack_alone():
    done = run(BASE | {"drills.latency_spike_ms": 40.0}, seed=1, until="20s")
    orders = done.orders[done.orders["filled_at"] > 0]
    assert set((orders["received_at"] - orders["created_at"]).tolist()) == {45 * MS}
    assert set((orders["filled_at"] - orders["acted_at"]).tolist()) == {45 * MS}
    assert (orders["created_at"] == orders["looked_at"]).all()


def test_a_halt_is_late_by_the_spike_too():
    passive = BASE | {"strategy.name": "passive_divergence", "venue.half_spread_ticks": 300}
    passive |= {"drills.latency_spike_ms": 40.0, "strategy.threshold": 0.0}
    done = run(passive, seed=1, until="2s", commands=[Command(SECOND, "halt")])
    withdrawn = done.orders[done.orders["reason"] == t.HALTED]
    assert withdrawn["acted_at"].tolist() == [SECOND + 45 * MS]


def test_crossed_quotes_stand_the_asked_ticks_across_and_only_as_we_see_them():
    config = SimConfig().replace(BASE | {"drills.crossed_quotes": 7})
    crossed = 0
    for state, _params, source in watch(config, 1, 2_000):
        assert state.venue.quote.bid < state.venue.quote.ask
        if source == t.SEE_VENUE:
            assert state.seen.bid - state.seen.ask == 7
            crossed += 1
    assert crossed > 50


def test_sizes_go_wrong_by_the_factor_asked_for():
    free = BASE | {"risk.check_notional": False, "strategy.exit": "never"}
    sane = run(free, seed=1, until="5s").orders["lots"][0]
    wrong = run(free | {"drills.size_multiple": 7.0}, seed=1, until="5s").orders["lots"][0]
    assert abs(wrong - 7 * sane) <= 7


# ------------------------------------------------------------------------------------ all together
CHECKS = (
    money_is_exact,
    what_we_know_and_what_is_under_way_make_up_the_truth,
    pending_is_what_our_open_orders_have_left,
    an_entry_that_leaves_is_within_every_limit,
    an_exit_only_takes_away,
    nothing_overtakes_on_a_wire,
    the_book_is_sound_and_never_crossed,
)


@st.composite
def faults(draw: st.DrawFn) -> dict[str, Any]:
    """Any drills and any guards at once."""
    of = st.sampled_from
    return {
        "drills.stale_feed": draw(st.booleans()),
        "drills.feed_gap": draw(of([0.0, 0.2, 1.0])),
        "drills.duplicate_order": draw(st.booleans()),
        "drills.stuck_exit": draw(st.booleans()),
        "drills.size_multiple": draw(of([1.0, 10.0])),
        "drills.latency_spike_ms": draw(of([0.0, 30.0])),
        "drills.crossed_quotes": draw(of([0, 3])),
        "risk.max_open_orders": draw(of([0, 1, 5])),
        "risk.max_orders_per_s": draw(of([0, 3, 50])),
        "risk.price_collar_pct": draw(of([0.0, 0.001])),
        "risk.refuse_crossed": draw(st.booleans()),
        "risk.drawdown_cap_pct": draw(of([0.0, 1e-4])),
        "risk.max_loss_streak": draw(of([0, 3])),
        "risk.max_lost_messages": draw(of([0, 10])),
        "risk.stale_external_ms": draw(of([0.0, 80.0])),
        "risk.stale_venue_ms": draw(of([0.0, 80.0])),
        "risk.order_timeout_ms": draw(of([0.0, 60.0])),
        "risk.check_books": True,
    }


def outranks(now: tuple[int, ...], latched: tuple[int, ...]) -> bool:
    """A latch that a new day might open for its reason has been given one for which none does."""
    (reason, at, count), (before, since, counted) = now, latched
    money = (t.DAILY_LOSS, t.DRAWDOWN, t.LOSS_STREAK)
    return before in money and reason not in money and (at, count) == (since, counted + 1)


@settings(max_examples=4 if PLAIN else 50)
@given(config=configs(least_ms=0.05), changes=faults(), seed=seeds())
def test_whatever_is_broken_money_is_exact_and_limits_hold(config, changes, seed):
    config = config.replace(changes)
    checks = [law() for law in CHECKS]
    latched: tuple[int, ...] = ()
    for state, params, source in watch(config, seed, 120 if PLAIN else 300):
        for check in checks:
            check(state, params, source)
        risk = values(state.risk)
        assert risk.reason != t.INVARIANT
        now = (risk.reason, risk.halted_at, risk.halts)
        assert not latched or now == latched or source == t.ROLL or outranks(now, latched)
        latched = now if risk.halted else ()
        desk = state.desk
        assert desk.working == np.sum((state["own"]["used"] == 1) & (state["own"]["order_id"] > 0))


@settings(max_examples=3 if PLAIN else 25)
@given(changes=faults(), seed=seeds(), cuts=st.lists(st.integers(1, 1_999), max_size=5))
def test_switching_faults_on_and_off_live_gives_the_same_bytes_again(changes, seed, cuts):
    by_hand = Session(BASE, seed=seed)
    by_hand.start()
    for at, (field, value) in enumerate(changes.items(), 1):
        by_hand.advance(100 * MS - by_hand.frame.t_ns % (100 * MS))
        by_hand.set(field, value)
        if at % 3 == 0:
            by_hand.set(field, SimConfig().get(field))
    end = 2 * SECOND
    by_hand.advance(end - by_hand.simulation.now_ns)
    again = Simulation(BASE, seed=seed, commands=by_hand.commands)
    for ms in sorted(cuts):
        again.play(ms * MS)
    again.play(end)
    assert again.digest() == by_hand.simulation.digest()


# ---------------------------------------------------------------------------------------- the preset
def test_every_drill_is_off_unless_asked_for():
    config = SimConfig()
    assert config.drills == DrillsConfig()
    assert not any(value for name, value in config.drills if name != "size_multiple")
    assert config.drills.size_multiple == 1.0


def test_the_drill_preset_trades_an_hour_with_every_guard_on_and_none_tripped():
    config = SimConfig.preset("drill")
    assert config.drills == DrillsConfig()
    off = [name for name, value in config.risk if not value and name != "rearm_each_day"]
    assert off == []
    done = run(config, seed=4, until="2min" if PLAIN else "1h")
    assert (done.risk_events.size, dict(done.last.rejected)) == (0, {})
    assert done.last.fill_count > 20


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("drill", "value", "reason"),
    [
        ("stale_feed", True, "stale_feed"),
        ("feed_gap", 0.1, "feed_gap"),
        ("duplicate_order", True, "open_orders"),
        ("stuck_exit", True, "order_timeout"),
        ("size_multiple", 100.0, "order_notional"),
        ("latency_spike_ms", 300.0, "order_timeout"),
        ("crossed_quotes", 50, "crossed_quotes"),
    ],
)
def test_the_drill_preset_can_be_broken_live(drill, value, reason):
    session = Session("drill", seed=4)
    session.start()
    session.advance(10 * SECOND)
    session.set(f"drills.{drill}", value)
    frame = session.advance(20 * SECOND)
    assert reason in {frame.halt_reason, *frame.rejected}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("drills.feed_gap", 1.1),
        ("drills.latency_spike_ms", -1.0),
        ("drills.crossed_quotes", 1.5),
        ("risk.max_orders_per_s", t.N_RATE + 1),
        ("risk.max_open_orders", -1),
        ("risk.drawdown_cap_pct", 1.5),
        ("risk.size_multiple", 2.0),
    ],
)
def test_a_fault_or_limit_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=field):
        SimConfig().replace({field: value})
