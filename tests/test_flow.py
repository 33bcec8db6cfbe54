"""Order flow on the real book: its tape, its thinning, its queues, and us among its orders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from reference.book import ReferenceBook
from stepping import events, watch
from strategies import PLAIN, configs, seeds

from lablib.commands import Command
from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.run import run
from lablib.tape.flow import CELLS, FlowSource, alias_table, bounding_rates
from lablib.tape.synthetic import SyntheticTape

S = t.NS_PER_S
EVENTS = 150 if PLAIN else 1_500
few = settings(max_examples=3 if PLAIN else 20)


def flow_config(**changes: Any) -> SimConfig:
    """Preset `flow`, changed; double underscores for dots."""
    return SimConfig.preset("flow").replace({k.replace("__", "."): v for k, v in changes.items()})


def tape_of(config: SimConfig, seconds: float, seed: int = 3) -> np.ndarray:
    """The tape of the first seconds."""
    simulation = Simulation(config, seed=seed)
    pieces = []
    while not pieces or pieces[-1]["time_ns"][-1] <= seconds * S:
        simulation._turn_tape()
        pieces.append(simulation._supply.events)
        simulation._play(int(simulation._supply.events["time_ns"][-1]), t.TAPE)
    tape = np.concatenate(pieces)
    return tape[tape["time_ns"] <= seconds * S]


# -------------------------------------------------------------------------------------------- tape
@pytest.mark.compiled
def test_candidates_come_at_the_bounding_rates_with_uniform_marks():
    config = flow_config(flow__limit_branching=0.5, flow__headroom=3.0)
    seconds = 2 if PLAIN else 200
    tape = tape_of(config, seconds)
    assert (np.diff(tape["time_ns"]) >= 0).all()
    for kind, rate in enumerate(bounding_rates(config.to_record().flow), t.FLOW_LIMIT):
        drawn = tape[tape["kind"] == kind]
        assert abs(drawn.size - rate * seconds) < 4 * (rate * seconds) ** 0.5
        assert (np.diff(drawn["time_ns"]) > 0).all()
        assert abs(drawn["mark"].mean() - 0.5) < 4 * (12 * drawn.size) ** -0.5
        halves = np.bincount(np.searchsorted([0, 1], drawn["side"]), minlength=3)
        if kind != t.FLOW_FOLLOW:
            assert abs(halves[0] - halves[1]) < 4 * drawn.size**0.5


@pytest.mark.compiled
def test_limit_orders_come_at_their_distances_rates():
    config = flow_config()
    drawn = tape_of(config, 2 if PLAIN else 200)
    ticks = drawn["ticks"][drawn["kind"] == t.FLOW_LIMIT]
    rates = np.array(config.flow.limit_rates)
    share = np.bincount(ticks, minlength=6)[1:] / ticks.size
    expected = rates / rates.sum()
    assert (abs(share - expected) < 4 * (expected * (1 - expected) / ticks.size) ** 0.5).all()


@pytest.mark.parametrize("count", [1, 2, 7, 32])
def test_an_alias_table_gives_every_outcome_its_weight(count):
    weights = np.random.default_rng(count).random(count)
    share, alias = alias_table(weights)
    weight = np.bincount(np.arange(CELLS), share, CELLS)
    weight += np.bincount(alias, 1 - share, CELLS)
    assert np.allclose(weight[:count] / CELLS, weights / weights.sum(), atol=1e-12)
    assert not weight[count:].any()


@pytest.mark.compiled
def test_random_sizes_are_geometric_with_their_mean():
    drawn = tape_of(flow_config(flow__mean_orders=2.5), 2 if PLAIN else 200)
    orders = drawn["lots"][drawn["kind"] == t.FLOW_LIMIT] / 5_000
    assert abs(orders.mean() - 2.5) < 4 * orders.std() / orders.size**0.5
    assert abs(np.mean(orders == 1) - 0.4) < 4 * (0.24 / orders.size) ** 0.5


@pytest.mark.compiled
def test_each_kind_has_its_own_noise():
    before = tape_of(flow_config(), 20)
    after = tape_of(flow_config(flow__market_rate=3.0, external__volatility_bps=50.0), 20)
    for kind in (t.FLOW_LIMIT, t.FLOW_CANCEL, t.FLOW_FOLLOW):
        assert (before[before["kind"] == kind] == after[after["kind"] == kind]).all()
    assert (before["kind"] == t.FLOW_MARKET).sum() < (after["kind"] == t.FLOW_MARKET).sum()


@pytest.mark.compiled
def test_a_window_can_be_drawn_again_in_any_order():
    rules = SimConfig.preset("flow").to_record().flow
    first, second = (FlowSource(9, t.FLOW_LIMIT, rules) for _ in range(2))
    span = first.span_ns
    windows = [first.after(k * span, 0)[0].copy() for k in (0, 1, 5)]
    for k, drawn in ((5, windows[2]), (0, windows[0]), (1, windows[1])):
        assert (second.after(k * span, 0)[0] == drawn).all()
        assert k * span < drawn["time_ns"][0]
        assert drawn["time_ns"][-1] <= (k + 1) * span


@pytest.mark.compiled
@few
@given(seed=seeds())
def test_a_tape_goes_on_after_any_event_as_if_nothing_had_happened(seed):
    config = flow_config(flow__speed=2_000.0)
    simulation = Simulation(config, seed=seed)
    whole = tape_of(config, 0.2, seed)
    for _ in zip(range(40 if PLAIN else 300), events(simulation, FAR_ENOUGH), strict=False):
        pass
    played = int(simulation._state.tape_events)
    rest = SyntheticTape(seed).events_after(simulation._params, simulation._state)
    count = min(rest.size, whole.size - played)
    assert count > 0
    assert (rest[:count] == whole[played : played + count]).all()


FAR_ENOUGH = S // 10


# ---------------------------------------------------------------------------------------- the laws
@few
@given(config=configs(venue__model="flow"), seed=seeds())
def test_every_stranger_in_the_book_is_on_the_list_and_the_other_way_round(config, seed):
    for state, _, _ in watch(config, seed, EVENTS):
        orders, flow = state["book"]["orders"], state["venue"]["flow"]
        for half in range(2):
            slots = flow["slot"][half][: flow["live"][half]]
            assert (orders["tag"][slots] == np.arange(slots.size)).all()
            listed = orders[slots]
            assert ((listed["lots"] > 0) & (listed["owner"] == t.STRANGER)).all()
            assert (listed["half"] == half).all()
        fresh = orders[: int(state["book"]["fresh"]) + 1]
        strangers = fresh[(fresh["lots"] > 0) & (fresh["owner"] == t.STRANGER)]
        assert strangers.size == flow["live"].sum()


@few
@given(config=configs(venue__model="flow"), seed=seeds())
def test_one_run_whatever_the_frames(config, seed):
    until = 40_000_000 if PLAIN else 400_000_000
    once, often = (Simulation(config, seed=seed, hash_tape=True) for _ in range(2))
    once.play(until)
    for k in range(1, 38):
        often.play(until * k // 37)
    assert once.digest() == often.digest()
    assert once.tape_digest() == often.tape_digest()


@pytest.mark.compiled
@few
@given(config=configs(venue__model="flow"), seed=seeds())
def test_nothing_we_do_changes_what_is_drawn(config, seed):
    until = 40_000_000 if PLAIN else 400_000_000
    ours, idle = (Simulation(c, seed=seed, hash_tape=True) for c in (config, quiet(config)))
    for simulation in (ours, idle):
        simulation.play(until)
    assert ours.tape_digest() == idle.tape_digest()
    one, other = (s._state.venue.flow for s in (ours, idle))
    assert one.accepted + one.thinned == other.accepted + other.thinned
    assert (one.excitement == other.excitement).all()
    assert (one.meta_left == other.meta_left).all()


def quiet(config: SimConfig) -> SimConfig:
    """The same market without us."""
    return config.replace({"strategy.name": "idle", "latency.order_entry_ms": 77.0})


@pytest.mark.compiled
def test_our_orders_change_the_book_and_the_market_returns():
    changes = {"strategy__threshold": 0.0002, "risk__max_position_pct": 0.01}
    config = flow_config(**changes)
    simulation, idle = (Simulation(c, seed=4) for c in (config, quiet(config)))
    apart = []
    for k in range(1, 4 if PLAIN else 400):
        mids = [s.advance(k * S).market_px for s in (simulation, idle)]
        apart.append(mids[0] - mids[1])
    assert simulation.frame().fill_count > 0
    if not PLAIN:
        assert any(apart)
        assert np.mean(np.abs(apart)) < 0.05  # followers know the leader with and without us


# ------------------------------------------------------------------------------------------ oracle
class Mirror:
    """The same candidates, thinned as the engine thinned them, in the obvious slow book."""

    def __init__(self, state: Any) -> None:
        self.book = ReferenceBook()
        self.order_at: dict[int, Any] = {}
        self.reference = [int(px) for px in state.venue.flow.reference]
        for slot in self.slots(state):  # laid at the start, in the order of their slots
            self.rest(state, slot)

    def slots(self, state: Any) -> list[int]:
        orders = state["book"]["orders"][: int(state["book"]["fresh"]) + 1]
        return np.flatnonzero(orders["lots"] > 0).tolist()

    def rest(self, state: Any, slot: int) -> None:
        order = state["book"]["orders"][slot]
        half, px, lots = (int(order[name]) for name in ("half", "px", "lots"))
        self.order_at[slot] = self.book.add(half, px, lots, t.STRANGER, 0)

    def follow(self, state: Any, event: Any) -> None:
        half = (1 - int(event["side"])) >> 1
        if event["kind"] == t.FLOW_LIMIT:
            away = 1 - 2 * half
            px = self.reference[1 - half] - away * int(event["ticks"])
            (slot,) = set(self.slots(state)) - self.order_at.keys()
            assert int(state["book"]["orders"][slot]["px"]) == px
            self.order_at[slot] = self.book.add(half, px, int(event["lots"]), t.STRANGER, 0)
        elif event["kind"] == t.FLOW_CANCEL:
            (slot,) = self.order_at.keys() - set(self.slots(state))
            assert self.order_at[slot].half == half
            self.book.cancel(self.order_at[slot])
        else:
            self.book.match(half, t.NO_BID if half else t.NO_ASK, int(event["lots"]))
        self.order_at = {slot: order for slot, order in self.order_at.items() if order.lots}
        for side in range(2):
            if self.book.halves[side]:
                self.reference[side] = self.book.best(side)


@few
@given(seed=seeds())
def test_every_event_of_the_flow_ends_as_in_the_slow_book(seed):
    config = quiet(flow_config(flow__mean_orders=2.0, flow__speed=500.0, flow__follow_rate=0.0))
    simulation = Simulation(config, seed=seed)
    mirror = Mirror(simulation._state)
    accepted = 0
    for source, _ in zip(events(simulation, t.FAR - 1), range(EVENTS), strict=False):
        state = simulation._state
        if state.venue.flow.accepted > accepted + 1:
            break  # two within one nanosecond: what each of them did was not seen
        if source == t.TAPE and state.venue.flow.accepted > accepted:
            accepted += 1
            mirror.follow(state, simulation._supply.events[simulation._output.cursor.tape - 1])
            orders = state["book"]["orders"]
            assert mirror.slots(state) == sorted(mirror.order_at)
            for slot, order in mirror.order_at.items():
                assert orders["lots"][slot] == order.lots
                behind = int(orders["next"][slot])
                queue = list(mirror.book.halves[order.half][order.px])
                follower = queue[queue.index(order) + 1 :][:1]
                assert follower == ([mirror.order_at[behind]] if behind else [])
    assert accepted > 0


# ------------------------------------------------------------------------------ bounds and choices
@pytest.mark.compiled
def test_an_intensity_beyond_its_bound_is_cut_and_counted():
    ample, tight = (
        Simulation(quiet(flow_config(flow__market_branching=0.9, flow__headroom=h)), seed=1)
        for h in (200.0, 1.5)
    )
    for simulation in (ample, tight):
        simulation.play(S if PLAIN else 100 * S)
    assert ample.market_report()["overrun"] == 0 < tight.market_report()["overrun"]


@pytest.mark.compiled
def test_orders_beyond_the_cancel_bound_are_counted():
    wide, narrow = (
        Simulation(quiet(flow_config(flow__cancel_bound=bound)), seed=1) for bound in (None, 4)
    )
    for simulation in (wide, narrow):
        simulation.play(S if PLAIN else 100 * S)
    assert wide.market_report()["crowded"] == 0 < narrow.market_report()["crowded"]
    assert narrow._state.venue.flow.live.sum() > wide._state.venue.flow.live.sum()


@pytest.mark.skipif(PLAIN, reason="minutes in plain Python")
def test_a_full_list_refuses_and_counts():
    config = quiet(flow_config(flow__cancel_rates=(0.0,) * 5, flow__market_rate=0.0))
    simulation = Simulation(config, seed=1)
    simulation.play(100 * S)
    assert simulation._state.venue.flow.live.max() == t.N_STRANGERS
    assert simulation.market_report()["refused"] > 0


def test_redrawn_queues_keep_a_spread_of_one_tick_and_move_by_one():
    config = quiet(flow_config(flow__redraw="geometric", flow__touch_orders=(3, 5)))
    mids, queues = [], []
    for state, _, _ in watch(config, 5, EVENTS):
        quote = state.venue.quote
        assert quote.ask - quote.bid == 1
        if not mids or quote.bid != mids[-1]:
            mids.append(int(quote.bid))
            queues.append((int(quote.bid_lots) // 5_000, int(quote.ask_lots) // 5_000))
    assert set(np.diff(mids).tolist()) <= {-1, 1}
    if not PLAIN:
        assert len(set(queues)) > 5


@pytest.mark.compiled
def test_followers_keep_the_venue_with_the_leader():
    apart = {}
    for rate in (0.0, 4.0):
        simulation = Simulation(quiet(flow_config(flow__follow_rate=rate)), seed=2)
        frames = [simulation.advance(k * S) for k in range(1, 5 if PLAIN else 500)]
        apart[rate] = np.std([frame.market_px - frame.external_px for frame in frames])
    if not PLAIN:
        assert apart[4.0] < 0.05 < apart[0.0]


def test_rates_can_change_while_the_market_runs_and_the_run_replays():
    config = flow_config()
    first = Simulation(config, seed=6)
    first.play(S // 10)
    first.command("set", "flow.speed", 60.0)
    first.play(S // 2)
    second = Simulation(config, seed=6, commands=[Command(S // 10 + 1, "set", "flow.speed", 60.0)])
    for k in range(1, 11):
        second.play(S * k // 20)
    assert first.digest() == second.digest()
    assert first.market_report()["thinned"] > 0


def test_a_run_of_order_flow_reports_what_it_counted():
    report = run("flow", seed=1, until="500ms").market_report
    assert report is not None
    assert report["accepted"] > 0
    assert run("classroom", until="500ms").market_report is None


def test_rates_must_fit_their_distances():
    with pytest.raises(ConfigError, match=r"flow.cancel_rates: 1 rates for 5 distances"):
        flow_config(flow__cancel_rates=(1.0,))
