"""Profit and loss by its causes: exact, and as theory says where theory says it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import PLAIN, configs, seeds

from lablib import ConfigError, SimConfig, run
from lablib.attribution import PARTS, RunningParts, parts_of
from lablib.engine import simulate
from lablib.kernels import tables as t

TICKS = 30 if PLAIN else 200


@settings(max_examples=5 if PLAIN else 150)
@given(config=configs(), seed=seeds())
def test_the_parts_are_the_whole_to_the_last_unit(config, seed):
    until = TICKS * config.external.interval_ms / 1_000
    done = run(config, seed=seed, until=until)
    mark = round(2 * done.last.market_px / config.venue.tick_size)
    parts = parts_of(done.fills, mark)
    fills = done.fills
    cash = fills["side"] * fills["lots"] * fills["price_ticks"] * t.MONEY + fills["fee_units"]
    worth = fills["side"] * fills["lots"] * mark * (t.MONEY // 2)
    assert parts.sum(axis=1).tolist() == (worth - cash).tolist()
    start = int(config.to_record().starting_cash)
    assert (start + int(parts.sum())) * config.unit_value == done.last.equity
    for by in ("total", "leg", "order", "day", "fill"):
        table = done.attribution(by)
        assert table["fills"].sum() == fills.size
        assert table["pnl"].sum() == pytest.approx(parts.sum() * config.unit_value, abs=1e-6)
    assert done.attribution()["pnl"][0] == int(parts.sum()) * config.unit_value


@settings(max_examples=3 if PLAIN else 40)
@given(config=configs(), seed=seeds())
def test_the_parts_of_a_run_that_goes_on_are_at_every_moment_those_of_its_fills(config, seed):
    step = config.external.interval_ms * TICKS / 5 / 1_000
    running, fills = RunningParts(), []
    for frame in simulate(config, seed=seed, every=step, until=5 * step):
        running.add(frame.fills)
        fills.append(frame.fills)
        mark = round(2 * frame.market_px / config.venue.tick_size)
        so_far = np.concatenate(fills)
        legs = [parts_of(so_far[so_far["is_exit"] == leg], mark).sum(axis=0) for leg in (0, 1)]
        assert running.parts(mark).tolist() == np.stack(legs).tolist()
        start = int(config.to_record().starting_cash)
        assert (start + int(running.parts(mark).sum())) * config.unit_value == frame.equity


def test_without_fills_there_is_one_row_of_nothing():
    table = run({"strategy.name": "idle"}, until="1s").attribution()
    assert table.size == 1
    assert all(table[name][0] == 0 for name in ("fills", *PARTS, "pnl"))


def test_an_unknown_grouping_is_named():
    with pytest.raises(
        ConfigError, match="by: give one of total, leg, order, day, fill, got 'week'"
    ):
        run({"strategy.name": "idle"}, until="1s").attribution("week")


def test_a_visible_fill_is_split_as_by_hand():
    """Half a spread of 3 ticks, no latency: an entry pays it, and nothing is lost on the way."""
    config = {"venue.half_spread_ticks": 3, "venue.fee_bps": 0.0, "strategy.exit": "never"}
    done = run({**config, "strategy.threshold": 0.001}, seed=7, until="5s")
    fill, value = done.fills[0], SimConfig().unit_value
    table = done.attribution("fill")[0]
    lots, tick = int(fill["lots"]), 0.01
    assert table["half_spread"] == pytest.approx(-3 * tick * lots * 0.001)
    assert table["impact"] == table["fees"] == table["latency"] == table["drift_in_flight"] == 0
    edge = fill["side"] * (fill["fair_seen"] - fill["mid_seen"] * 512) * lots * value
    assert table["edge"] == edge > 0


def test_levels_beyond_the_touch_are_impact():
    thin = {"venue.level_lots": 1_000, "venue.levels": 20, "strategy.threshold": 0.001}
    table = run({**thin, "venue.fee_bps": 0.0}, seed=7, until="5s").attribution()
    assert table["impact"][0] < 0
    assert table["latency"][0] == 0


def test_who_rests_earns_the_half_spread():
    often = SimConfig.preset("maker").replace({"intensity.rate": 20.0})
    done = run(often, seed=3, until="10s")
    table = done.attribution()
    assert table["half_spread"][0] > 0
    assert table["impact"][0] == 0


@pytest.mark.compiled
@pytest.mark.skipif(PLAIN, reason="hours in plain Python")
@pytest.mark.parametrize(
    ("sigma", "lag", "threshold", "late"),
    [(0.05, 100, 0.5, 20), (0.05, 100, 1.0, 50), (0.10, 50, 1.0, 10), (0.02, 250, 0.5, 50)],
)
def test_edge_and_latency_are_those_of_theory(sigma, lag, threshold, late):
    """Entries on a delayed copy: the mean edge is s h(z), of which latency takes the share d / L."""
    config = {
        "external.interval_ms": 1,
        "external.volatility_bps": sigma * 1_000**0.5,
        "venue.tick_size": 1e-4,
        "venue.fee_bps": 0,
        "latency.market_lag_ms": lag,
        "latency.order_entry_ms": late,
        "strategy.threshold": threshold * 1e-4,
        "strategy.decision_interval_ms": 5 * lag,
        "strategy.exit": "time",
        "strategy.exit_after_ms": lag,
    }
    sd = sigma * lag**0.5
    z = threshold / sd
    mills = NormalDist().pdf(z) / NormalDist().cdf(-z)
    seconds = 3_000 / (2 * NormalDist().cdf(-z)) * 5 * lag / 1_000 / 4

    def bps(seed: int) -> np.ndarray:
        done = run(config, seed=seed, until=seconds)
        parts = done.attribution("fill")
        entries = done.fills["is_exit"] == 0
        notional = (done.fills["lots"] * done.fills["price_px"])[entries] * 0.001
        return np.stack([parts[name][entries] / notional * 1e4 for name in ("edge", "latency")])

    with ThreadPoolExecutor(2) as pool:
        edge, latency = np.concatenate(list(pool.map(bps, range(11, 15))), axis=1)
    for values, wanted in ((edge, sd * mills), (latency, -late / lag * sd * mills)):
        assert abs(values.mean() - wanted) <= 4 * values.std() / values.size**0.5
