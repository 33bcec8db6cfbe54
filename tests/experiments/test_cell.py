"""A cell plays many runs in one place, on tapes it shares: each is the run it would be alone."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from markets import recorded
from strategies import PLAIN, configs, seeds

from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.experiments.cell import BENCH, MEASURES, cell
from lablib.kernels import tables as t
from lablib.own_strategy import prepare
from lablib.presets import SCENARIOS
from lablib.tape import reel as reels
from lablib.tape.reel import market_of, reel
from lablib.tape.synthetic import SyntheticTape

MS = t.NS_PER_MS
BUSY = {"external.volatility_bps": 80, "latency.order_entry_ms": 12}


def state_alone(config: Any, seed: int, until_ns: int, **others: Any) -> bytes:
    simulation = Simulation(config, seed=seed, **others)
    simulation.play(until_ns)
    return simulation.state.tobytes()


@pytest.fixture
def short_reels(monkeypatch):
    """Reels that are full after a hundred events."""
    monkeypatch.setattr(reels, "FULL_BYTES", 100 * t.TAPE_EVENT.itemsize)
    reel.cache_clear()
    yield
    reel.cache_clear()


def keeper(seen, mine):
    mine.memory[0] += 1
    return 1 if mine.memory[0] % 7 == 0 else 0


# ---------------------------------------------------------------------------------------- one place
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_last_run_of_a_cell_leaves_the_state_it_has_alone(name):
    config = SimConfig.preset(name)
    until_ns = round(150 * config.external.interval_ms) * MS
    if not PLAIN:  # where each preset follows the one before it
        cell(SimConfig.preset("crowded"), {}, [4], until_ns)
    outcome = cell(config, {}, [3, 2**63 + 5], until_ns)
    assert BENCH.states.tobytes() == state_alone(config, 2**63 + 5, until_ns)
    assert [len(outcome[name]) for name in MEASURES] == [2] * len(MEASURES)


@settings(max_examples=3 if PLAIN else 30)
@given(config=configs(), seed=seeds())
def test_nothing_of_one_run_is_left_in_the_next(config, seed):
    until_ns = round(60 * config.external.interval_ms * MS)
    assert "error" not in cell(config, {}, [seed], until_ns)
    assert BENCH.states.tobytes() == state_alone(config, seed, until_ns)


def test_a_recorded_market_is_played_by_every_seed():
    market = recorded([(10 * k, 10_000 + 9 * k % 50) for k in range(1, 90)])
    wires = {"latency.order_entry_ms": {"model": "lognormal", "median_ms": 4, "sigma": 1}}
    config = SimConfig().replace({**wires, "external.start_px": 100, "strategy.threshold": 0.0005})
    one, both = (cell(config, {}, some, market.duration_ns, market) for some in ([1], [1, 2]))
    assert BENCH.states.tobytes() == state_alone(config, 2, market.duration_ns, market=market)
    assert one["fills"] == both["fills"][:1] > [0]
    assert one["latency_p99_ms"] != both["latency_p99_ms"]


def test_an_own_strategy_begins_every_run_with_an_empty_memory():
    outcome = cell(SimConfig(), {}, [1, 2], 2_000 * MS, None, prepare(keeper))
    assert outcome["fills"][1] > 0
    assert BENCH.states.tobytes() == state_alone(None, 2, 2_000 * MS, strategy=keeper)


def test_a_prepared_strategy_is_prepared_again_where_it_is_sent():
    sent = pickle.loads(pickle.dumps(prepare(keeper)))
    assert sent.function is keeper
    assert sent.source_sha256 == prepare(keeper).source_sha256


# ------------------------------------------------------------------------------------- shared tapes
@pytest.mark.parametrize("name", ["classroom", "colo"])
def test_a_reel_holds_what_a_run_is_lent_and_one_event_more(name):
    config = SimConfig.preset(name)
    until_ns = round(200 * config.external.interval_ms) * MS
    params = config.to_record()
    events, starts = reel(market_of(params.reshape(1)), (5, 6), until_ns)
    simulation = Simulation(config, seed=6, hash_tape=True)
    simulation.play(until_ns)
    own = events[starts[1] :]
    assert own["time_ns"][-1] > until_ns
    assert simulation.state.tape_events == own.size - 1
    assert next(SyntheticTape(6).pieces(params))[: own.size].tobytes() == own.tobytes()


def test_cells_that_differ_in_what_is_ours_share_their_tapes():
    reel.cache_clear()
    for changes in (BUSY, {**BUSY, "strategy.threshold": 0.01}, {**BUSY, "risk.day_length": "1h"}):
        cell(SimConfig(), changes, [1, 2], 500 * MS)
    assert reel.cache_info().misses == 1
    cell(SimConfig(), {**BUSY, "external.volatility_bps": 81}, [1, 2], 500 * MS)
    assert reel.cache_info().misses == 2


def test_a_tape_cannot_be_written():
    events, _ = reel(market_of(SimConfig().to_record().reshape(1)), (1,), MS)
    with pytest.raises(ValueError, match="read-only"):
        events["mark"] = 0


@pytest.mark.compiled
@pytest.mark.usefixtures("short_reels")
def test_seeds_that_do_not_fit_a_reel_go_on_the_next():
    market = market_of(SimConfig().to_record().reshape(1))
    many = tuple(range(40))
    events, starts = reel(market, many, 1_000 * MS)
    assert 1 < starts.size < 40
    assert events.nbytes < 2 * reels.FULL_BYTES
    short = cell(SimConfig(), BUSY, many, 1_000 * MS)
    reel.cache_clear()
    assert short == {
        **short,
        **{
            m: [one for k in many for one in cell(SimConfig(), BUSY, [k], 1_000 * MS)[m]]
            for m in MEASURES
        },
    }


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["classroom", "colo"])
def test_a_run_too_long_for_a_reel_goes_on_piece_by_piece(name, short_reels, monkeypatch):
    config = SimConfig.preset(name)
    until_ns = 20_000 * round(config.external.interval_ms * MS)
    long = cell(config, {}, [1, 2], until_ns)
    assert BENCH.states.tobytes() == state_alone(config, 2, until_ns)
    monkeypatch.undo()
    reel.cache_clear()
    assert cell(config, {}, [1, 2], until_ns) == long


def test_a_cell_that_is_stopped_between_two_tapes_gives_up(short_reels):
    asked: list[int] = []
    many = tuple(range(40))
    assert (
        cell(SimConfig(), {}, many, 1_000 * MS, stopped=lambda: len(asked) == 2 or asked.append(1))
        is None
    )
    assert len(asked) == 2
    assert np.isfinite(cell(SimConfig(), {}, [1], MS)["pnl"]).all()
