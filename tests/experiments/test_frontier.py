"""The frontier: maps in the right order, the zero contour, and theory's break-even beside it."""

from __future__ import annotations

import numpy as np
import pytest

from lablib import theory
from lablib.config import SimConfig
from lablib.errors import ConfigError
from lablib.experiments.frontier import break_even, caveats
from lablib.experiments.sweep import sweep

ENTRY, THRESHOLD, FEE = "latency.order_entry_ms", "strategy.threshold", "venue.fee_bps"
BRIEF = {"seeds": 2, "until": "2s"}


@pytest.mark.compiled
def test_maps_rise_along_both_axes_whatever_the_order_of_the_values():
    result = sweep({}, {ENTRY: [50, 0], THRESHOLD: [0.003, 0.001, 0.002]}, **BRIEF)
    for x, y in ((ENTRY, THRESHOLD), (THRESHOLD, ENTRY)):
        maps = result.frontier(x, y)
        assert maps.pnl.shape == (maps.ys.size, maps.xs.size)
        assert (np.diff(maps.xs) > 0).all()
        assert (np.diff(maps.ys) > 0).all()
        for row, y_value in enumerate(maps.ys):
            for place, x_value in enumerate(maps.xs):
                told = result.row(int(maps.cells[row, place]))
                assert (told[x], told[y]) == (x_value, y_value)
                assert told["pnl_mean"] == maps.pnl[row, place]
                assert maps.runs[row, place].mean() == pytest.approx(told["pnl_mean"])


def test_further_fields_are_held_where_one_says():
    result = sweep({}, {ENTRY: [0, 50], FEE: [0, 5], THRESHOLD: [0.001, 0.002]}, **BRIEF)
    maps = result.frontier(ENTRY, THRESHOLD, where={FEE: 5})
    assert maps.config.venue.fee_bps == 5
    assert all(result.row(int(k))[FEE] == 5 for k in maps.cells.ravel())
    for where, words in (
        (None, "where: say at which venue.fee_bps of 0.0, 5.0"),
        ({FEE: 3}, "where: venue.fee_bps has no 3"),
        ({FEE: 5, "risk.day_length": 1}, "where: risk.day_length is not a further field"),
    ):
        with pytest.raises(ConfigError, match=words):
            result.frontier(ENTRY, THRESHOLD, where)


def test_a_frontier_needs_two_fields_of_numbers_on_a_grid():
    one = sweep({}, {ENTRY: [0, 1]}, **BRIEF)
    with pytest.raises(ConfigError, match="frontier: needs two fields"):
        one.frontier()
    words = sweep({}, {ENTRY: [0, 1], "strategy.exit": ["close", "never"]}, **BRIEF)
    with pytest.raises(ConfigError, match=r"strategy\.exit: a frontier needs numbers, got 'close'"):
        words.frontier()
    with pytest.raises(ConfigError, match=r"frontier: venue\.fee_bps is not swept"):
        words.frontier(FEE)
    loose = sweep({}, {ENTRY: (0, 1), FEE: (0, 1)}, design="random", n=2, **BRIEF)
    with pytest.raises(ConfigError, match="only a grid"):
        loose.frontier()


def test_theory_is_silent_where_its_market_is_another():
    assert np.isfinite(break_even(SimConfig()))
    for name in ("stress", "cloud"):
        assert np.isnan(break_even(SimConfig.preset(name)))
    assert caveats(SimConfig.preset("cloud")) == ()
    assert len(caveats(SimConfig())) == 3


def test_theory_splits_an_orders_way_between_its_wires():
    config = SimConfig().replace({"latency.decision_ms": 10, "latency.order_entry_ms": 25})
    whole = break_even(SimConfig())
    assert break_even(config, ENTRY) == pytest.approx(whole - 10)
    assert break_even(config, "latency.decision_ms") == pytest.approx(whole - 25)


# validation §5.2: sigma, lag, threshold (bps), round trip's cost (bps), the published d* (ms)
ROWS = {
    "A": (0.05, 100, 0.5, 0.30, 60.66),
    "B": (0.05, 100, 1.0, 0.30, 74.72),
    "F": (0.10, 50, 1.0, 0.50, 31.05),
    "G": (0.10, 50, 1.5, 0.50, 35.75),
    "I": (0.20, 20, 2.0, 1.0, 11.35),
    "M": (0.30, 200, 8.0, 4.0, 117.02),
}


@pytest.mark.compiled
@pytest.mark.parametrize(
    "name",
    [*"AFIM", pytest.param("B", marks=pytest.mark.slow), pytest.param("G", marks=pytest.mark.slow)],
)
def test_the_simulated_break_even_agrees_with_theorys(name):
    sigma, lag, threshold, cost, published = ROWS[name]
    base = {
        "external.interval_ms": 1,
        "external.volatility_bps": sigma * 1_000**0.5,
        "venue.tick_size": 1e-4,
        "latency.market_lag_ms": lag,
        "strategy.decision_interval_ms": 5 * lag,
        "strategy.exit": "time",
        "strategy.exit_after_ms": lag,
    }
    places = np.round(published + lag * np.array([-0.2, -0.07, 0.07, 0.2]))
    grid = {ENTRY: places, THRESHOLD: [threshold * 1e-4], FEE: [cost / 2]}
    p = theory.trigger_probability(sigma, lag, threshold)
    until = 1_000 / p * 5 * lag / 1_000 / 24  # some 1,000 trades a cell
    maps = sweep(base, grid, seeds=24, until=until).frontier(where={FEE: cost / 2})
    assert maps.caveats == ()
    (zero,) = maps.zero(confidence=0.9999)  # four standard errors
    assert zero["theory"] == pytest.approx(published, abs=0.006)
    assert places[0] < zero["low"] <= zero["at"] <= zero["high"] < places[-1]
    assert zero["low"] <= zero["theory"] <= zero["high"]


@pytest.mark.compiled
def test_the_contour_runs_along_either_axis():
    maps = sweep({}, {ENTRY: [0, 200], FEE: [0, 200]}, seeds=3, until="20s").frontier()
    along_fee = maps.zero(along=FEE)
    assert along_fee["other"].tolist() == [0, 200]
    assert 0 < along_fee["at"][0] < 200
    assert np.isnan(along_fee["theory"]).all()
    with pytest.raises(ConfigError, match="along: "):
        maps.zero(along=THRESHOLD)
