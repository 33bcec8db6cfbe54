"""Drills on a desk with fixed wires: every time is a sum of them, every amount agrees with the fills."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lablib.drills import FAULTS, desk, drill
from lablib.drills.faults import AT_LIMIT, AT_ONCE, BEFORE
from lablib.drills.moments import again
from lablib.drills.timeline import NEVER
from lablib.engine import Simulation
from lablib.errors import ConfigError
from lablib.kernels import tables as t

pytestmark = pytest.mark.compiled

MS = t.NS_PER_MS
FEED, QUOTES, ENTRY, ACK, TICK = 5.0, 20.0, 60.0, 60.0, 10.0  # ms, as `desk` has them
SEEDS = (1, 2, 3)


def history(told) -> list[tuple[str, float]]:
    """What happened, in ms after the fault, without the last nanosecond."""
    return [
        (step.name, round((step.t_ns - told.begin_ns) / MS, 4))
        for step in told.steps
        if step.t_ns != NEVER
    ]


def test_a_silent_feed_is_noticed_after_its_last_word_and_the_patience_and_closed_a_wire_later():
    told = drill("stale_feed", seed=3, size=1, slide_bps_s=0)
    last_tick = told.begin_ns // (TICK * MS) * TICK * MS  # what had left still arrives
    noticed = (last_tick - told.begin_ns) / MS + FEED + 500.0
    assert history(told) == [
        ("fault", 0),
        ("halt", pytest.approx(noticed, abs=1e-3)),
        ("leave", pytest.approx(noticed, abs=1e-3)),
        ("flat", pytest.approx(noticed + ENTRY, abs=1e-3)),
        ("known", pytest.approx(noticed + ENTRY + ACK, abs=1e-3)),
        ("repair", 2_000),
        ("end", 5_000),
    ]
    assert told.halt.t_ns == last_tick + (FEED + 500) * MS + 1
    assert told.halt.flat_ns == told.halt.t_ns + ENTRY * MS


def test_an_order_sent_on_slow_wires_is_missed_while_it_is_on_its_way_and_trades_after_the_halt():
    told = drill("slow_wires", seed=21, slide_bps_s=40)  # its first order is the one that is slow
    spike, patience = 300.0, 300.0
    landed = spike + ENTRY
    learned = landed + ACK + spike  # only then do we know that there is something to close
    assert history(told) == [
        ("fault", 0),
        ("halt", patience),
        ("unstopped", landed),
        ("leave", learned),
        ("flat", learned + spike + ENTRY),
        ("known", learned + 2 * spike + ENTRY + ACK),
        ("repair", 2_000),
        ("end", 5_000),
    ]
    assert (told.halt.in_flight, told.halt.fills_after) == (1, 1)
    assert told.late_ms == pytest.approx(patience, abs=1e-3)


@pytest.mark.parametrize("late", [0.0, 100.0, 250.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_late_switch_is_late_by_the_way_of_the_quotes_and_what_it_was_set_late(seed, late):
    told = drill("late_switch", seed=seed, size=late, slide_bps_s=40)
    assert told.halt.reason == t.DRAWDOWN
    assert told.halt.t_ns - told.due_ns == (QUOTES + late) * MS
    if late:
        prompt = drill("late_switch", seed=seed, size=0.0, slide_bps_s=40)
        assert told.cost > prompt.cost


def test_the_loss_stands_at_its_limit_when_it_is_due_and_not_a_nanosecond_before():
    told = drill("late_switch", seed=3, slide_bps_s=40)
    lost = []
    for at in (told.due_ns - 1, told.due_ns):
        simulation = again(told.run)
        simulation.play(at)
        state = simulation.state
        cap = int(state.risk.peak * told.run.config.risk.drawdown_cap_pct)
        lost.append(int(state.risk.peak - state.account.equity) >= cap)
    assert lost == [False, True]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_both_runs_are_one_until_a_prompt_control_would_have_acted(fault, seed):
    told = drill(fault, seed=seed, slide_bps_s=40)
    if told.prompt is None:
        assert told.due_ns == NEVER
        assert told.what.prompt != AT_ONCE
        assert math.isnan(told.cost)
        return
    for name in ("fills", "samples"):
        pair = [getattr(one, name) for one in (told.run, told.prompt)]
        ours, theirs = (table[table["t_ns"] < told.due_ns] for table in pair)
        assert ours.tobytes() == theirs.tobytes()
    assert told.prompt_halt.reason == t.MANUAL
    assert told.prompt_halt.t_ns - told.due_ns == (told.what.prompt == AT_LIMIT)
    assert told.cost == told.prompt.last.equity - told.run.last.equity
    if told.what.prompt == AT_ONCE:
        assert told.halt.t_ns > told.prompt_halt.t_ns


@pytest.mark.parametrize("fault", ["stale_feed", "silent_venue", "price_jump", "late_switch"])
@pytest.mark.parametrize("seed", SEEDS[1:])
def test_the_prompt_control_closes_within_the_instant_or_as_what_was_on_its_way_allows(fault, seed):
    told = drill(fault, seed=seed, slide_bps_s=40)
    halt = told.prompt_halt
    # An order of ours that was on the wire already is not overtaken by the one that closes.
    sent = told.prompt.orders[told.prompt.orders["created_at"] < halt.t_ns]
    landed = sent["received_at"].max(initial=NEVER)
    assert halt.flat_ns == max(halt.t_ns, landed)
    assert halt.flat_ns < told.halt.flat_ns


@pytest.mark.parametrize("fault", [name for name, one in FAULTS.items() if one.prompt != BEFORE])
def test_what_was_lost_is_what_the_fills_come_to(fault):
    told = drill(fault, seed=3, slide_bps_s=40)
    config = told.run.config
    assert told.halt.held_lots == 0
    fills = told.run.fills
    lot = config.venue.lot_size
    paid = (fills["side"] * fills["lots"] * fills["price_px"] * lot + fills["fee"]).sum()
    assert told.run.last.equity == pytest.approx(config.account.starting_cash - paid, abs=1e-6)
    simulation = again(told.run)
    begun = simulation.advance(told.begin_ns).equity
    assert told.loss == pytest.approx(begun - told.run.last.equity, abs=1e-9)
    last = {step.name: step.pnl for step in told.steps}
    assert last["flat"] == last["end"] == -told.loss  # nothing moves once nothing is held


@pytest.mark.parametrize("fault", [name for name, one in FAULTS.items() if one.prompt != BEFORE])
def test_what_being_late_cost_is_what_it_was_at_the_latch_and_what_the_close_added(fault):
    told = drill(fault, seed=3, slide_bps_s=40)
    ours, theirs = (again(run).advance(told.halt.t_ns).equity for run in (told.run, told.prompt))
    assert told.cost_by_halt == pytest.approx(theirs - ours, abs=1e-9)
    assert told.cost_by_halt + told.cost_after_halt == pytest.approx(told.cost, abs=1e-12)
    assert told.steps[-1].prompt_pnl - told.steps[-1].pnl == pytest.approx(told.cost, abs=1e-9)


def test_a_halt_in_time_whose_close_is_slow_is_not_blamed_for_the_loss_that_came_after_it():
    told = drill("slow_wires", seed=3, slide_bps_s=40)
    assert told.late_ms == pytest.approx(300, abs=1e-3)
    assert abs(told.cost_by_halt) < 1
    assert told.cost_after_halt > 2_000


def test_where_nothing_latched_nothing_came_after_the_latch():
    off = {"risk.order_timeout_ms": 0, "risk.drawdown_cap_pct": 0, "risk.daily_loss_cap_pct": 1.0}
    told = drill("slow_wires", desk(off), seed=3, slide_bps_s=40)
    assert (told.cost_by_halt, told.cost_after_halt) == (told.cost, 0)


@pytest.mark.parametrize("fault", [name for name, one in FAULTS.items() if one.waits])
def test_a_longer_delay_costs_more_as_the_fault_lasts_until_it_has_come(fault):
    told = [drill(fault, seed=3, size=size, slide_bps_s=40) for size in (250, 1_000, 2_000, 5_000)]
    costs = [one.cost for one in told]
    assert costs == sorted(set(costs))
    for one in told:
        assert not one.cut_short
        assert one.halt.flat_ns <= one.end_ns


def test_a_fault_that_is_repaired_before_its_delay_has_come_says_so():
    early, whole = (
        drill("late_switch", seed=3, size=2_000, slide_bps_s=40, lasts=lasts)
        for lasts in ("2s", "5s")
    )
    assert (early.cut_short, whole.cut_short) == (True, False)
    assert early.cost < whole.cost / 2
    assert drill("late_switch", seed=3, size=2_000, slide_bps_s=40).cost == whole.cost
    brief = {"lasts": "2s", "settle": "500ms"}
    never = drill("late_switch", seed=3, size=6_000, slide_bps_s=40, **brief)
    assert never.halt.t_ns == NEVER
    assert never.cut_short
    assert not drill("stuck_exit", seed=3, slide_bps_s=40).cut_short  # until the repair, by design


def test_nothing_but_closing_orders_leaves_after_the_halt():
    for fault in ("stale_feed", "slow_wires", "price_jump"):
        told = drill(fault, seed=3, slide_bps_s=40)
        sent = told.run.orders[told.run.orders["received_at"] >= 0]
        assert (sent["is_exit"][sent["created_at"] > told.halt.t_ns] == 1).all()


def test_a_halt_that_cannot_close_holds_until_the_fault_is_over():
    told = drill("stuck_exit", seed=3, slide_bps_s=40, lasts="1.5s")
    assert told.halt.closing_ns - told.begin_ns == pytest.approx(1_500 * MS, abs=1)
    assert told.prompt_halt.closing_ns == told.halt.closing_ns
    assert told.loss > 10 * abs(told.cost)


@pytest.mark.parametrize(
    ("fault", "reason", "off"),
    [
        ("double_order", t.OPEN_ORDERS, {"risk.max_open_orders": 0}),
        ("oversize", t.ORDER_NOTIONAL, {"risk.check_notional": False, "risk.max_gross_pct": 1_000}),
    ],
)
def test_a_check_before_the_order_is_never_late_unless_it_is_off(fault, reason, off):
    told = drill(fault, seed=3)
    assert (told.noticed_ms, told.halt.refused_for) == (0.0, reason)
    assert (told.halt.t_ns, told.halt.slipped) == (NEVER, 0)
    without = drill(fault, desk(off), seed=3)
    assert reason not in set(without.run.orders["reason"])
    assert without.halt.largest_lots > 1.5 * told.halt.largest_lots


def test_a_guard_that_is_off_notices_nothing_and_that_has_its_price():
    off = {"risk.order_timeout_ms": 0, "risk.drawdown_cap_pct": 0, "risk.daily_loss_cap_pct": 1.0}
    told = drill("slow_wires", desk(off), seed=3, slide_bps_s=40)
    guarded = drill("slow_wires", seed=3, slide_bps_s=40)
    assert told.halt.t_ns == NEVER
    assert math.isnan(told.late_ms)
    assert math.isnan(told.halted_ms)
    assert told.prompt is not None
    assert told.prompt.digest != guarded.prompt.digest  # another config
    assert (
        told.prompt.last.equity == guarded.prompt.last.equity
    )  # and nothing that it changes there


def test_a_drill_is_the_same_again_however_it_is_played():
    told, once_more = (drill("late_switch", seed=5, slide_bps_s=40) for _ in range(2))
    assert told.run.digest == once_more.run.digest
    assert told.prompt.digest == once_more.prompt.digest
    simulation = again(told.run)
    while simulation.now_ns < told.until_ns:
        simulation.play(min(simulation.now_ns + 7 * MS, told.until_ns))
    assert simulation.digest() == told.run.digest


def test_when_it_is_over_the_desk_stands_as_before():
    for fault in FAULTS:
        told = drill(fault, seed=3, slide_bps_s=40)
        before, after = desk().model_dump(), told.run.config.model_dump()
        if fault == "late_switch":  # its clocks would judge the time of the fault
            before.pop("risk")
            after.pop("risk")
        assert after == before


def test_it_begins_while_something_is_held_or_as_an_order_leaves():
    for fault, what in FAULTS.items():
        told = drill(fault, seed=2)
        simulation = again(told.run)
        simulation.play(told.begin_ns - 1)
        desk_ = simulation.state.desk
        if "held" in what.moment:
            assert desk_.account.position != 0
            assert desk_.working == 0
        else:
            created = told.run.orders["created_at"]
            assert told.begin_ns in created


def test_any_config_and_any_delay_model_will_do():
    model = {"model": "lognormal", "median_ms": 40.0, "sigma": 0.3, "shift_ms": 5.0}
    config = desk({"latency.ack_ms": model, "latency.order_entry_ms": model})
    for fault in FAULTS:
        told = drill(fault, config, seed=3, slide_bps_s=40)
        assert told.run.config.latency == config.latency
        assert np.isfinite(told.loss)


@pytest.mark.parametrize(
    ("fault", "given", "words"),
    [
        ("flood", {}, "fault: no drill 'flood'"),
        ("stale_feed", {"size": -1}, "size: a number of at least 0, got -1"),
        ("stale_feed", {"slide_bps_s": math.nan}, "slide_bps_s: a number of at least 0, got nan"),
        ("stale_feed", {"slide_bps_s": True}, "slide_bps_s"),
        ("stale_feed", {"lasts": "soon"}, "soon"),
        ("slow_wires", {"size": 1e9}, "latency_spike_ms"),
        ("stale_feed", {"config": "classroom", "slide_bps_s": 1}, "external.model"),
        ("price_jump", {"config": "classroom"}, "external.model"),
        ("stale_feed", {"config": {"strategy.threshold": 1.0}}, "nothing to break"),
        ("stale_feed", {"config": "late_brakes", "seed": 99}, "halts by itself|nothing to break"),
    ],
)
def test_what_cannot_be_drilled_is_refused_with_its_reason(fault, given, words):
    if given.get("config") == "late_brakes":
        given = given | {"config": desk({"risk.drawdown_cap_pct": 1e-6})}
    with pytest.raises(ConfigError, match=words):
        drill(fault, **given)


def test_the_market_is_the_same_for_both():
    told = drill("no_answer", seed=3, slide_bps_s=40)
    seen = []
    for run in (told.run, told.prompt):
        opening = run.origin.opening
        simulation = Simulation(
            opening.config, seed=run.seed, commands=run.origin.commands, hash_tape=True
        )
        simulation.play(told.until_ns)
        seen.append(simulation.tape_digest())
    assert seen[0] == seen[1]
