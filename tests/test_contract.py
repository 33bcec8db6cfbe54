"""The engine's contract: a run is a pure function of (config, seed, market, commands)."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stepping import events
from strategies import PLAIN, configs, seeds

import lablib
from lablib.commands import Command
from lablib.config import SimConfig
from lablib.engine import TABLES, Simulation, simulate
from lablib.kernels import tables as t
from lablib.presets import SCENARIOS
from lablib.run import run

MS = t.NS_PER_MS
SPAN_MS = 300 if PLAIN else 5_000  # of the quick presets' five-millisecond market
FEW = settings(max_examples=3 if PLAIN else 25)

# Everything that moves at once: jitter, spikes, regimes, a burst, days, resting orders.
BUSY = SimConfig.preset("cloud").replace(
    {
        "external.regimes.enabled": True,
        "external.regimes.mean_stay_s": 0.1,
        "external.burst.enabled": True,
        "external.burst.start_s": 0.2,
        "external.burst.duration_s": 0.3,
        "strategy.threshold": 0.0002,
        "risk.day_length": "400ms",
        "risk.max_position_pct": 0.5,
        "risk.daily_loss_cap_pct": 0.0001,
        "risk.rearm_each_day": True,
    }
)


def tables_of(done: lablib.Run) -> dict[str, bytes]:
    return {name: getattr(done, name).tobytes() for name in (*TABLES, "commands")}


# ------------------------------------------------------------------------------- one run, its bytes
@FEW
@given(config=configs(), seed=seeds())
def test_the_same_seed_gives_the_same_bytes(config, seed):
    until = f"{(20 if PLAIN else 100) * config.external.interval_ms}ms"
    one, two = (run(config, seed=seed, until=until) for _ in range(2))
    assert one.digest == two.digest
    assert tables_of(one) == tables_of(two)
    assert one.summary() == two.summary()


@pytest.mark.parametrize("name", SCENARIOS)
def test_another_seed_gives_other_bytes(name):
    until = f"{SPAN_MS}ms"
    seeds = (0, 7, 1 << 32, (1 << 64) - 1, (1 << 64) - 2)[: 2 if PLAIN else None]
    runs = [run(name, seed=seed, until=until) for seed in seeds]
    assert len({done.digest for done in runs}) == len(runs)
    assert len({done.samples["external_px"].tobytes() for done in runs}) == len(runs)


def test_another_config_gives_another_digest():
    changes = [
        {},
        {"venue.fee_bps": 2.1},
        {"latency.ack_ms": 1},
        {"risk.max_gross_pct": 9},
        {"venue.levels": 19},
    ]
    digests = {run(change, seed=7, until="1s").digest for change in changes}
    assert len(digests) == len(changes)


@FEW
@given(config=configs(), seed=seeds(), cuts=st.lists(st.integers(0, 10**9), max_size=20))
def test_however_a_run_is_cut_its_bytes_stay(config, seed, cuts):
    until = round(60 * config.external.interval_ms * MS)
    whole, pieces, frames = (Simulation(config, seed=seed, hash_tape=True) for _ in range(3))
    whole.play(until)
    for at in sorted(cut % until for cut in cuts):
        pieces.play(at)
        frames.advance(at)
    pieces.play(until)
    last = frames.advance(until)
    assert whole.digest() == pieces.digest() == frames.digest()
    assert whole.tape_digest() == pieces.tape_digest()
    assert last.t_ns == whole.now_ns == until


@FEW
@given(config=configs(), seed=seeds())
def test_a_run_played_one_event_at_a_time_ends_in_the_same_bytes(config, seed):
    until = round(40 * config.external.interval_ms * MS)
    whole, single = (Simulation(config, seed=seed) for _ in range(2))
    whole.play(until)
    for _ in events(single, until):
        pass
    single.play(until)
    assert single.digest() == whole.digest()


@pytest.mark.parametrize("every", ["50ms", "7ms", "1s", "333.3333ms"])
def test_the_size_of_a_frame_does_not_matter(every):
    until = f"{SPAN_MS}ms"
    done = run(BUSY, seed=7, until=until)
    frames = list(simulate(BUSY, seed=7, every=every, until=until))
    for name in TABLES:
        rows = np.concatenate([getattr(frame, name) for frame in frames])
        known = rows if name != "orders" else rows[np.argsort(rows["order_id"])]
        whole = getattr(done, name)
        if name == "orders":  # a run also shows those whose fate is not known
            whole = whole[np.isin(whole["order_id"], known["order_id"])]
        assert known.tobytes() == whole.tobytes()
    assert frames[-1].t_ns == done.last.t_ns
    assert frames[-1].equity == done.last.equity
    assert frames[-1].events == done.last.events


@pytest.mark.compiled
def test_arrays_drained_in_the_middle_of_a_run_do_not_matter():
    """A decision a millisecond fills the room for samples several times over."""
    config = {"strategy.decision_interval_ms": 1}
    seconds = 1 if PLAIN else 60
    simulation = Simulation(config, seed=1)
    for second in range(seconds):
        simulation.play((second + 1) * t.NS_PER_S)
        simulation.frame()
    done = run(config, seed=1, until=f"{seconds}s")
    assert PLAIN or done.samples.size > 3 * t.N_SAMPLES
    assert simulation.digest() == done.digest
    assert (np.diff(done.samples["t_ns"]) == MS).all()


PROGRAM = """
import json, sys, warnings
warnings.simplefilter("error")
from lablib import SimConfig, run
print(json.dumps([run(json.loads(c), seed=7, until=f"{ms}ms").digest for c, ms in json.load(sys.stdin)]))
"""


def test_compiled_and_plain_python_agree():
    """Every preset, and everything at once, in a process of the other kind."""
    busy = [BUSY, BUSY.replace({"strategy.name": "passive_divergence"})]
    jobs = [(config.to_json(), 300) for config in busy]
    for name in SCENARIOS:
        config = SimConfig.preset(name)
        jobs.append((config.to_json(), round(100 * config.external.interval_ms)))
    env = {**os.environ, "NUMBA_DISABLE_JIT": "0" if PLAIN else "1"}
    env["PYTHONPATH"] = str(Path(lablib.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ours = [run(json.loads(config), seed=7, until=f"{ms}ms").digest for config, ms in jobs]
    assert json.loads(done.stdout) == ours


@pytest.mark.parametrize(
    "change",
    [
        {"external.start_px": 0.01, "external.volatility_bps": 2_000, "venue.lot_size": 0.1},
        {
            "external.start_px": 0.05,
            "external.volatility_bps": 3_000,
            "venue.half_spread_ticks": 9,
            "venue.lot_size": 1_000,
            "risk.max_position_pct": 0.5,
        },
        {
            "external.start_px": 0.03,
            "external.volatility_bps": 2_000,
            "venue.model": "makers",
            "venue.half_spread_ticks": 1,
            "venue.level_lots": 50,
            "venue.lot_size": 1_000,
            "risk.max_position_pct": 0.5,
        },
        {
            "external.volatility_bps": 5_000,
            "external.interval_ms": 60_000,
            "strategy.decision_interval_ms": 60_000,
            "external.regimes.enabled": True,
            "external.regimes.volatile_volatility": 20,
            "external.regimes.mean_stay_s": 1,
            "strategy.name": "idle",
        },
    ],
    ids=["one tick", "a spread wider than the price", "makers at one tick", "beyond all floats"],
)
def test_prices_at_the_end_of_the_world_stay_prices(change):
    seconds = 20 if "external.interval_ms" not in change else 36_000
    done = run(change, seed=3, until=f"{seconds}s")
    tick = done.config.venue.tick_size
    assert (done.fills["price_ticks"] >= 1).all()
    assert (done.samples["market_px"] >= tick * 0.99).all()
    assert np.isfinite(done.samples["external_px"]).all()
    assert (done.samples["external_px"] > 0).all()
    assert not np.isnan(done.last.divergence)


# ------------------------------------------------------------------------------------ the tape alone
OURS = [
    {"latency.external_feed_ms": 7},
    {"latency.order_entry_ms": {"model": "lognormal", "median_ms": 20, "sigma": 1}},
    {"latency.market_lag_ms": 3},
    {"strategy.threshold": 0.001},
    {"strategy.name": "idle"},
    {"strategy.decision_interval_ms": 10},
    {"strategy.exit": "close"},
    {"risk.max_position_pct": 0.1},
    {"risk.daily_loss_cap_pct": 1e-6},
    {"risk.day_length": "1s"},
    {"venue.fee_bps": -3},
    {"venue.level_lots": 1},
    {"record.samples": False},
    {"account.starting_cash": 5e5},
]
THEIRS = [
    {"external.volatility_bps": 44.73},
    {"external.interval_ms": 49},
    {"external.start_px": 100.01},
    {"external.regimes.enabled": True, "external.regimes.mean_stay_s": 1},
    {"external.burst.enabled": True, "external.burst.start_s": 1},
]


def tape_digest(change: dict[str, object], seed: int = 7) -> str:
    simulation = Simulation(change, seed=seed, hash_tape=True)
    simulation.play(10 * t.NS_PER_S)
    return simulation.tape_digest()


@pytest.mark.parametrize("change", OURS, ids=lambda change: next(iter(change)))
def test_nothing_of_ours_moves_the_tape(change):
    assert tape_digest(change) == tape_digest({})


@pytest.mark.parametrize("change", THEIRS, ids=lambda change: next(iter(change)))
def test_the_market_s_own_settings_move_the_tape(change):
    assert tape_digest(change) != tape_digest({})


def test_another_seed_moves_the_tape():
    assert tape_digest({}, seed=8) != tape_digest({}, seed=7)


def test_two_latencies_meet_the_same_luck():
    """A delay is keyed by what caused it: a slower wire has the same uniform at the same news."""
    lags = [
        run(
            {"latency.external_feed_ms": {"model": "uniform", "base_ms": base, "jitter_ms": 40}}
            | {"strategy.decision_interval_ms": 1, "strategy.name": "idle"},
            seed=7,
            until="2s",
        ).samples["external_px"]
        for base in (0, 5)
    ]
    assert (lags[0][:-5] == lags[1][5:]).all()


# -------------------------------------------------------------------------------------------- frames
def test_a_frame_cannot_be_written():
    frame = next(simulate(BUSY, seed=7, every="200ms", until="1s"))
    for field in fields(frame):
        with pytest.raises(FrozenInstanceError):
            setattr(frame, field.name, 0)
    with pytest.raises(FrozenInstanceError):
        frame.book.bids = None
    arrays = [getattr(frame, name) for name in TABLES]
    arrays += [frame.book.bids, frame.book.asks, frame.latency.buckets]
    for array in arrays:
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_frame_does_not_change_when_the_run_goes_on():
    simulation = Simulation(BUSY, seed=7)
    frame = simulation.advance(300 * MS)
    before = repr(frame), [getattr(frame, name).tobytes() for name in TABLES]
    latency = frame.decision_latency.p99_ms, frame.decision_latency.buckets.copy()
    simulation.advance(900 * MS)
    assert (repr(frame), [getattr(frame, name).tobytes() for name in TABLES]) == before
    assert frame.decision_latency.p99_ms == latency[0]
    assert (frame.decision_latency.buckets == latency[1]).all()


def test_what_a_viewer_does_to_its_copy_of_the_state_stays_there():
    simulation, other = Simulation(seed=7), Simulation(seed=7)
    simulation.play(100 * MS)
    simulation.state.account.cash = 0
    simulation.play(500 * MS)
    other.play(500 * MS)
    assert simulation.digest() == other.digest()


def test_a_frame_at_t_has_everything_up_to_and_including_t():
    every = 50 * MS  # the classroom's clock and external interval
    simulation = Simulation(seed=7)
    assert simulation.advance(every - 1).samples.size == 0
    frame = simulation.advance(every)
    assert frame.samples["t_ns"].tolist() == [every]
    assert simulation.state.external.at_ns == every
    assert frame.t_ns == every


def test_until_is_inclusive_and_absolute():
    frames = list(simulate(seed=7, every="40ms", until="0.1s"))
    assert [frame.t_ns for frame in frames] == [40 * MS, 80 * MS, 100 * MS]
    assert frames[-1].decisions == 2
    assert run(seed=7, until="100ms").samples["t_ns"].tolist() == [50 * MS, 100 * MS]


def test_going_where_one_is_changes_nothing():
    simulation = Simulation(seed=7)
    simulation.advance(200 * MS)
    before = simulation.digest()
    for at in (200 * MS, 100 * MS, 0):
        frame = simulation.advance(at)
        assert frame.t_ns == 200 * MS
        assert sum(getattr(frame, name).size for name in TABLES) == 0
    assert simulation.digest() == before


# ------------------------------------------------------------------------------ what is when in time
def test_a_decision_sees_the_external_tick_of_its_own_instant():
    done = run({"latency.market_lag_ms": 0, "strategy.name": "idle"}, seed=7, until="5s")
    simulation = Simulation({"strategy.name": "idle"}, seed=7)
    ticks = []
    for k in range(1, done.samples.size + 1):
        simulation.play(50 * k * MS)
        ticks.append(simulation.state.external.px * done.config.venue.tick_size)
    assert done.samples["external_px"].tolist() == ticks
    # and the venue's copy of it, which took no time either
    assert (
        abs(done.samples["market_px"] - ticks) <= 0.5 * done.config.venue.tick_size + 1e-9
    ).all()


def test_without_any_lag_there_is_nothing_to_see_but_rounding():
    done = run({"latency.market_lag_ms": 0}, seed=7, until="60s")
    tick = done.config.venue.tick_size
    assert abs(done.samples["divergence"]).max() <= 0.5 * tick / done.samples["market_px"].min()
    assert done.fills.size == 0


def test_a_message_without_delay_arrives_within_its_instant():
    done = run({"strategy.threshold": 0.0005}, seed=7, until="30s")
    assert done.orders.size > 50
    for name in ("received_at", "acted_at", "filled_at", "looked_at", "info_ns"):
        assert (done.orders[name] == done.orders["created_at"]).all()
    assert done.last.latency.max_ms == 0


@pytest.mark.compiled
def test_sources_of_one_instant_come_in_their_order():
    """All at 600 ms: a day rolls, the price moves, an older one reaches the venue and us, a rival's order
    arrives, then ours, the word of another comes back, a guard's timer runs out, the clock strikes,
    and a thought is finished."""
    config = {
        "venue": {"model": "makers", "half_spread_ticks": 1},
        "rivals": {"count": 1, "reaction_ms": 50, "lots": 1},
        "external.interval_ms": 50,
        "latency.market_lag_ms": 100,
        "latency.external_feed_ms": 50,
        "latency.venue_feed_ms": 50,
        "latency.decision_ms": 50,
        "latency.order_entry_ms": 50,
        "latency.ack_ms": 50,
        "strategy.threshold": 0.0,
        "strategy.stack": True,
        "risk.day_length": "200ms",
        "risk.stale_external_ms": 200 - 1 / MS,  # looked at 200 ms after the last price
    }
    found = set()
    for seed in range(40):
        simulation = Simulation(config, seed=seed)
        told = list(events(simulation, 600 * MS - 1))
        now = [source for source in events(simulation, 600 * MS) if source < t.N_SOURCES]
        assert now == sorted(now)
        assert set(told) == set(range(t.N_SOURCES))
        found.add(tuple(now))
    assert tuple(range(t.N_SOURCES)) in found


def test_the_order_of_sources_is_the_one_that_was_designed():
    order = [t.ROLL, t.TAPE, t.LAG, t.RIVAL, t.ARRIVAL, t.SEE_EXTERNAL, t.SEE_VENUE, t.LEARN]
    order += [t.WATCH, t.LOOK, t.SEND]
    assert order == sorted(order) == list(range(t.N_SOURCES))


# ---------------------------------------------------------------------------------------- commands
def steered(seed: int, until_ms: int) -> Simulation:
    """A run with a hand on every kind of lever, now and then."""
    rng = random.Random(seed)
    simulation = Simulation(BUSY, seed=seed)
    levers = [
        ("set", "external.volatility_bps", 55.0),
        ("set", "latency.order_entry_ms", 12),
        ("set", "latency.external_feed_ms", {"model": "uniform", "base_ms": 1, "jitter_ms": 9}),
        ("set", "risk.daily_loss_cap_pct", 0.00005),
        ("set", "strategy.threshold", 0.0001),
        ("set", "venue.fee_bps", 1.7),
        ("set", "external.regimes", {"enabled": False}),
        ("halt", "", None),
        ("release", "", None),
        ("set", "strategy.exit", "opposite"),
        ("set", "venue.half_spread_ticks", 2),
        ("halt", "", None),
        ("set", "external.volatility_bps", 8.0),
        ("release", "", None),
    ]
    at = 0
    for kind, field, value in levers:
        at += rng.randrange(1, 2 * until_ms * MS // (len(levers) + 1) // 2)
        simulation.advance(at)
        simulation.command(kind, field, value)
    simulation.advance(until_ms * MS)
    return simulation


@pytest.mark.parametrize("seed", range(2 if PLAIN else 8))
def test_a_run_steered_by_hand_is_replayed_from_its_commands(seed):
    until = 500 if PLAIN else 2_000
    live = steered(seed, until)
    assert len(live.commands) == 14
    assert live.frame().fill_count > 0
    rng = random.Random(seed + 100)
    for cuts in (0, 5, 60):
        again = Simulation(BUSY, seed=seed, commands=live.commands)
        for at in sorted(rng.randrange(until * MS) for _ in range(cuts)):
            again.advance(at)
        again.advance(until * MS)
        assert again.digest() == live.digest()
        assert again.commands == live.commands
        assert again.config == live.config


def test_commands_are_part_of_the_digest_even_without_effect():
    plain, commanded = Simulation(seed=1), Simulation(seed=1, commands=[Command(5, "release")])
    for simulation in (plain, commanded):
        simulation.play(100 * MS)
    assert plain.digest() != commanded.digest()
    assert plain.state.tobytes() == commanded.state.tobytes()


def test_a_command_acts_before_the_decision_of_its_instant():
    """At 50 ms the clock strikes; a threshold set at that instant is the one it is compared with."""
    simulation = Simulation({"strategy.threshold": 1.0}, seed=7)
    command = Command(50 * MS, "set", "strategy.threshold", 0.0)
    steered = Simulation({"strategy.threshold": 1.0}, seed=7, commands=[command])
    assert simulation.advance(50 * MS).action == 0
    assert steered.advance(50 * MS).action != 0


def test_a_live_command_acts_a_nanosecond_after_what_has_been_seen():
    simulation = Simulation(seed=7)
    simulation.advance(70 * MS)
    command = simulation.command("set", "venue.fee_bps", 3.0)
    assert command == Command(70 * MS + 1, "set", "venue.fee_bps", 3.0)
    assert simulation.now_ns == command.t_ns
    assert simulation.config.venue.fee_bps == 3.0
    assert simulation.first_config.venue.fee_bps == 2.0


def test_a_changed_volatility_moves_the_prices_after_it_and_none_before():
    calm, wild = Simulation(seed=7), Simulation(seed=7)
    for simulation in (calm, wild):
        simulation.advance(400 * MS)
    wild.command("set", "external.volatility_bps", 2 * 44.72)
    log = []
    for simulation in (calm, wild):
        start = np.log(simulation.state.external.px)
        simulation.advance(900 * MS)
        log.append(np.log(simulation.state.external.px) - start)
    assert log[1] == pytest.approx(2 * log[0], rel=1e-9)


def test_any_number_of_halts_between_two_events_is_recorded():
    count = t.N_RISK_EVENTS + 100
    commands = [Command(1 + k, kind) for k in range(count) for kind in ("halt", "release")]
    done = run(seed=1, until="100ms", commands=commands)
    assert done.risk_events["t_ns"].tolist() == list(range(1, count + 1))
    assert not done.last.halted


REFUSED = {
    "unknown kind": (("flatten",), "commands: kind is set, halt or release, got 'flatten'"),
    "unknown field": (("set", "strategy.treshold", 1), "strategy.treshold: no such field"),
    "no field": (("set", "", 1), "no such field"),
    "out of range": (("set", "latency.ack_ms", -1), "latency.ack_ms: .*equal to 0, got -1"),
    "not a number": (("set", "latency.ack_ms", float("nan")), "latency.ack_ms: .*finite.*got nan"),
    "no name": (("set", 5, 1), "config: a field's name is text, got 5"),
    "no value": (("set", "latency.ack_ms", object()), "commands: no value for a field"),
    "fixed": (("set", "venue.tick_size", 0.5), "venue.tick_size: cannot change while the market"),
    "fixed, by its section": (
        ("set", "external", {"interval_ms": 5}),
        "external.interval_ms: cannot change while the market runs",
    ),
    "fixed, all of it": (("set", "account", {"starting_cash": 5e5}), "account: cannot change"),
}


@pytest.mark.parametrize(("command", "said"), REFUSED.values(), ids=REFUSED)
def test_a_bad_command_is_refused_and_leaves_no_trace(command, said):
    simulation = Simulation(seed=7)
    simulation.advance(100 * MS)
    before = simulation.digest()
    with pytest.raises(lablib.ConfigError, match=said):
        simulation.command(*command)
    assert simulation.digest() == before
    assert simulation.commands == []


def test_a_bad_queue_of_commands_is_refused_before_anything_has_run():
    good = Command(5, "set", "latency.ack_ms", 3)
    for bad, said in (
        (replace(good, value=-3), "latency.ack_ms"),
        (replace(good, t_ns=-1), "before the run"),
        (replace(good, kind="stop"), "'stop'"),
        (replace(good, kind=["set"]), r"\['set'\]"),
        (replace(good, t_ns="500ms"), "t_ns is a whole number of nanoseconds, got '500ms'"),
        (replace(good, t_ns=0.5), "whole number of nanoseconds, got 0.5"),
        (replace(good, t_ns=float("nan")), "whole number of nanoseconds, got nan"),
        (replace(good, t_ns=True), "whole number of nanoseconds, got True"),
        (replace(good, t_ns=None), "whole number of nanoseconds, got None"),
        (replace(good, t_ns=t.FAR), f"t_ns {t.FAR} is beyond"),
        (replace(good, value={(1, 2): 3}), "commands: no value for a field"),
        ((0, "halt"), r"commands: each is a Command, got \(0, 'halt'\)"),
    ):
        with pytest.raises(lablib.ConfigError, match=said):
            Simulation(commands=[good, bad])
    for none in (5, good, None):
        with pytest.raises(lablib.ConfigError, match="commands: a list of Command, got "):
            Simulation(commands=none)


@pytest.mark.parametrize("t_ns", [np.int64(50 * MS), 5e7, np.float64(5e7)], ids=type)
def test_a_command_s_time_is_the_same_however_it_is_written(t_ns):
    """A whole number is one, of NumPy or with a point: in the digest and on disk as well."""
    runs = [run(seed=1, until="60ms", commands=[Command(at, "halt")]) for at in (t_ns, 50 * MS)]
    assert runs[0].digest == runs[1].digest
    assert json.dumps([c.t_ns for c in runs[0].origin.commands]) == f"[{50 * MS}]"


@pytest.mark.parametrize(
    "value",
    [np.float64(5), np.int64(5), 5, SimConfig.preset("cloud").latency.order_entry_ms],
    ids=["float64", "int64", "int", "model"],
)
def test_a_command_remembers_its_value_as_json_does(value):
    simulation = Simulation(seed=7)
    simulation.advance(100 * MS)
    command = simulation.command("set", "latency.order_entry_ms", value)
    assert json.loads(json.dumps(command.value)) == command.value
    simulation.advance(200 * MS)
    again = Simulation(seed=7, commands=simulation.commands)
    again.advance(200 * MS)
    assert again.digest() == simulation.digest()


@pytest.mark.parametrize("seed", [True, -1, 1 << 64, 1.0, "7", None])
def test_a_seed_is_a_whole_number_of_64_bits(seed):
    with pytest.raises(lablib.ConfigError, match=r"seed: give a whole number.*got " + repr(seed)):
        Simulation(seed=seed)


def test_the_tape_s_hash_is_kept_only_when_asked_for():
    with pytest.raises(lablib.ConfigError, match="hash_tape"):
        Simulation().tape_digest()


@pytest.mark.compiled
def test_an_instant_ends_though_each_order_brings_the_news_of_the_next():
    """Without latency, on a book redrawn whenever we empty it, every update a decision."""
    config = {
        "venue": {"model": "flow", "tick_size": 0.05, "lot_size": 0.1, "level_lots": 1_429},
        "venue.fee_bps": 0.0,
        "external.volatility_bps": 200.0,
        "flow": {"limit_rates": [0.1], "cancel_rates": [0.1], "speed": 300.0, "order_lots": 1},
        "flow.touch_orders": [1, 1],
        "flow.redraw": "geometric",
        "flow.headroom": 2.0,
        "latency.market_lag_ms": 0.0,
        "strategy.threshold": 0.0001,
        "strategy.decision_interval_ms": 0.0,
        "risk.max_position_pct": 0.1,
        "risk.check_notional": False,
    }
    simulation = Simulation(config, seed=2)
    simulation.play(3_000 * MS)
    strategy = simulation.state.strategy
    assert strategy.passed_over > 0
    assert simulation.frame().decisions < t.N_LOOKS * simulation.state.tape_events
