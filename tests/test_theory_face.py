"""What all closed forms share: arrays or numbers, clear refusals, examples that are true."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys

import numpy as np
import pytest

from lablib import theory
from lablib.errors import ConfigError
from lablib.theory import numerics

COPY = {"sigma": 0.05, "market_lag_ms": 100.0, "threshold_bps": 1.0}
FEEDS = {"external_feed_ms": 10.0, "venue_feed_ms": 5.0}
PAIR = {**COPY, "order_ms": 20.0, "later_order_ms": 25.0}
SELLER = {
    "latency_s": 0.5,
    "sigma": 0.012551,
    "premium": 0.058,
    "buyer_rate": 0.2005,
    "horizon_s": 10.0,
}
QUEUES = {"limit_rate": 1.85, "market_rate": 0.94, "cancel_rate": 0.71}
PLACES = {"bid_position": 2.0, "ask_position": 3.0}
BALANCED = {"bid_orders": 3.0, "ask_orders": 5.0}

# One call that holds for every formula that works elementwise.
CALLS = {
    "balanced_probability_up": BALANCED,
    "break_even_half_spread": {
        "noise_rate": 1.0,
        "snipe_rate": 2.0,
        "sigma": 0.1,
        "stale_time": 25.0,
    },
    "break_even_latency": {**COPY, "cost_bps": 0.3, **FEEDS},
    "cap_probability": {"cap": 2.0, "drift": -0.1, "volatility": 1.0, "horizon": 3.0},
    "copy_correlation": {"horizon_ms": 100.0, "lag_ms": 20.0},
    "copy_correlation_exponential": {"horizon_ms": 100.0, "mean_lag_ms": 20.0},
    "duration_survival": {"time": 10.0, **BALANCED, "rate": 1.0},
    "duration_tail": {"time": 10.0, **BALANCED, "rate": 1.0},
    "edge_variance": {**COPY, "order_ms": 20.0, **FEEDS, "extra_hold_ms": 3.0},
    "effective_lag": {"correlation": 0.5, "horizon_ms": 100.0},
    "escape_probability": {"handicap": 3.0, "tau": 10.0, "snipers": 5.0},
    "exponential_excess": {"half_spread": 0.3, "mean": 2.0},
    "fill_probability": {"position": 2.0, "opposite_orders": 3.0, **QUEUES},
    "fill_rate": {"distance": 0.5, "scale": 140.0, "fill_decay": 1.5},
    "glosten_milgrom": {"informed": 0.2, "prior": 0.3},
    "hawkes_fano": {"branching": 0.4},
    "hawkes_rate": {"base_rate": 1.0, "branching": 0.8},
    "hawkes_window_fano": {"window": 2.0, "branching": 0.8, "decay": 5.0},
    "heavy_traffic_probability_up": {"bid_size": 2.0, "ask_size": 1.0, "correlation": 0.3},
    "latency_cost": SELLER,
    "latency_cost_asymptote": {"latency_s": 0.1, "sigma": 0.012551, "premium": 0.058},
    "level_autocorrelation": {"lag": 1.0, "cancel_rate": 0.71},
    "level_law": {"orders": 2.0, "limit_rate": 1.85, "cancel_rate": 0.71},
    "level_mean": {"limit_rate": 1.85, "cancel_rate": 0.71},
    "lognormal_race_probability": {"median": 50.0, "rival_median": 60.0, "log_sd": 0.3},
    "maker_profit": {
        "spread": 0.4,
        "excess": 1.8,
        "jump_rate": 1.0,
        "investor_rate": 10.0,
        "firms": 10.0,
    },
    "making_the_spread": {**PLACES, **QUEUES},
    "mean_duration": {**BALANCED, "limit_rate": 1.0, "depletion_rate": 1.3},
    "mean_edge": {**COPY, "order_ms": 20.0, **FEEDS},
    "mean_edge_on_close": {**COPY, "interval_ms": 1.0},
    "net_edge": {**COPY, "order_ms": 20.0, "cost_bps": 0.3, **FEEDS},
    "net_rate": {**COPY, "order_ms": 20.0, "cost_bps": 0.3, "look_ms": 500.0, **FEEDS},
    "normal_excess": {"half_spread": 0.3, "sd": 2.0},
    "normal_overshoot": {"sd": 2.0},
    "optimal_spread": {"risk_aversion": 0.1, "sigma": 2.0, "time_left": 0.5, "fill_decay": 1.5},
    "paired_difference": PAIR,
    "paired_variance": PAIR,
    "probability_up": {**BALANCED, **QUEUES},
    "race_probability": {"head_start": 5.0, "tau": 10.0},
    "reservation_price": {
        "mid": 100.0,
        "inventory": 3.0,
        "risk_aversion": 0.1,
        "sigma": 2.0,
        "time_left": 0.5,
    },
    "roll_autocovariance": {"spread": 0.02},
    "second_from_sigma": {"sigma": 0.05},
    "seller_value": SELLER,
    "sigma_from_annual": {"volatility": 0.2, "hours_per_year": 8760.0},
    "sigma_from_second": {"volatility_bps": 44.72},
    "sniper_profit": {"excess": 1.8, "jump_rate": 1.0, "firms": 10.0},
    "sniping_spread_exponential": {"jump_rate": 1.0, "investor_rate": 10.0, "mean_jump": 2.0},
    "sniping_spread_normal": {"jump_rate": 1.0, "investor_rate": 10.0, "jump_sd": 2.0},
    "stale_quote_loss": {"half_width": 0.3, "sigma": 0.1, "stale_time": 25.0},
    "step_up_probability": {"orders": 2.0, "limit_rate": 1.85, "cancel_rate": 0.71},
    "touch_law": {"orders": 2.0, **QUEUES},
    "trades_to_cap": {"cap": 200.0, "mean": -0.5, "overshoot": 1.0},
    "trigger_probability": {**COPY, **FEEDS},
    "unpaired_variance": PAIR,
    "variance_reduction": PAIR,
    "zero_latency_value": {"premium": 0.058, "buyer_rate": 0.2, "horizon_s": 10.0},
}
ELSEWHERE = {"price_variance", "roll_spread", "seller_plan", "sniping_spread"}
CASES = [(name, argument) for name, call in CALLS.items() for argument in call]


def test_every_public_formula_is_held_to_what_follows():
    functions = {n for n in theory.__all__ if inspect.isfunction(getattr(theory, n))}
    assert functions == CALLS.keys() | ELSEWHERE


def test_every_public_formula_has_an_example():
    bare = [name for name in CALLS.keys() | ELSEWHERE if ">>>" not in getattr(theory, name).__doc__]
    assert bare == []


@pytest.mark.parametrize("room", [room.name for room in pkgutil.iter_modules(theory.__path__)])
def test_its_examples_are_true(room):
    module = importlib.import_module(f"lablib.theory.{room}")
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


def test_importing_it_loads_neither_the_compiler_nor_the_engine():
    code = "import sys, lablib.theory; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    modules = set(done.stdout.split())
    assert not modules & {"numba", "scipy", "pandas", "pydantic", "lablib.kernels"}


def parts(result):
    """A formula's answers: one, or those of a tuple."""
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("name", CALLS)
def test_numbers_give_a_float(name):
    for x in parts(getattr(theory, name)(**CALLS[name])):
        assert type(x) is float
        assert np.isfinite(x)


@pytest.mark.parametrize("name", CALLS)
def test_arrays_give_the_same_point_by_point(name):
    formula, call = getattr(theory, name), CALLS[name]
    first, last = next(iter(call)), next(reversed(call))
    values = [call[first], 2 * call[first]]
    grid = formula(**{**call, last: np.full(3, call[last]), first: np.array(values)[:, None]})
    points = [formula(**{**call, first: x}) for x in values]
    for table, *row in zip(parts(grid), *map(parts, points), strict=True):
        assert table.shape == ((2, 3) if first != last else (2, 1))
        np.testing.assert_allclose(table, np.broadcast_to(row, table.T.shape).T, rtol=1e-13)
        assert row[0] != row[1]


@pytest.mark.parametrize(("name", "argument"), CASES)
def test_what_is_no_finite_number_is_refused_by_name(name, argument):
    for bad in (np.nan, np.inf, -np.inf, "soon", None):
        with pytest.raises(ConfigError, match=rf"^{argument} must be .*, got"):
            getattr(theory, name)(**{**CALLS[name], argument: bad})


SIGNED = {"drift", "handicap", "distance", "head_start", "mid", "inventory", "mean", "correlation"}


@pytest.mark.parametrize(("name", "argument"), [case for case in CASES if case[1] not in SIGNED])
def test_what_cannot_be_negative_is_refused_with_its_place(name, argument):
    call = CALLS[name]
    value = np.array([call[argument], -0.5])
    with pytest.raises(ConfigError, match=rf"^{argument}\[1\] must be .* got -0\.5$"):
        getattr(theory, name)(**{**call, argument: value})


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("mean_edge", {"external_feed_ms": 105.0}, r"external_feed_ms must be below .* got 105"),
        ("paired_variance", {"later_order_ms": 19.0}, "later_order_ms must be at least order_ms"),
        ("paired_variance", {"later_order_ms": 101.0}, "at most market_lag_ms, got 101"),
        ("mean_edge_on_close", {"interval_ms": 101.0}, "interval_ms must be at most"),
        ("trades_to_cap", {"mean": 0.0}, "mean must be below 0, got 0.0"),
        ("latency_cost", {"latency_s": 10.5}, "latency_s must be at most 10, got 10.5"),
        ("latency_cost", {"buyer_rate": 3.0}, "latency_s must be at most 1 / buyer_rate = 0.33"),
        ("latency_cost_asymptote", {"latency_s": 4.0}, r"premium\^2 / \(2 pi sigma\^2\), got 4"),
        ("escape_probability", {"snipers": 2.5}, "snipers must be a whole number at least 1"),
        ("maker_profit", {"firms": 1}, "firms must be a whole number at least 2, got 1"),
        ("glosten_milgrom", {"informed": 1.0}, "informed must be at least 0 and below 1"),
        ("hawkes_rate", {"branching": 1.0}, "branching must be at least 0 and below 1"),
        ("effective_lag", {"correlation": 1.1}, "correlation must be at least 0 and at most 1"),
        ("heavy_traffic_probability_up", {"correlation": 1.0}, "at least -1 and below 1, got 1"),
        ("mean_duration", {"limit_rate": 1.3}, "limit_rate must be below depletion_rate"),
        ("probability_up", {"cancel_rate": 0.0}, "limit_rate must be at most market_rate"),
        ("probability_up", {"limit_rate": 9e4}, "cancel_rate must be larger beside limit_rate 9"),
        ("probability_up", {"bid_orders": 5001}, "bid_orders .* at most 5000, got 5001"),
        ("balanced_probability_up", {"ask_orders": 1e6}, "ask_orders must be at most 100000"),
    ],
)
def test_where_a_formula_does_not_hold_it_says_so(name, change, message):
    with pytest.raises(ConfigError, match=message):
        getattr(theory, name)(**{**CALLS[name], **change})


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ConfigError, match=r"head_start \(2,\), tau \(3,\)"):
        theory.race_probability(np.zeros(2), np.ones(3))


def test_the_normal_tails_agree_with_known_digits():
    z = np.array([0.0, 1.0, 11.999999, 12.0, 37.0, 1e4])
    by_series = z[3:] + 1 / z[3:] - 2 / z[3:] ** 3 + 10 / z[3:] ** 5 - 74 / z[3:] ** 7
    np.testing.assert_allclose(numerics.inverse_mills(z)[3:], by_series, rtol=1e-6)
    assert numerics.inverse_mills(1.0) == pytest.approx(1.5251352761609807, rel=1e-14)
    assert numerics.inverse_mills(z)[2] == pytest.approx(numerics.inverse_mills(z)[3], abs=2e-6)
    by_tail = numerics.pdf(12.5) / numerics.cdf(-12.5)
    assert numerics.inverse_mills(12.5) == pytest.approx(by_tail, rel=1e-13)
    assert numerics.log_cdf(-40.0) == pytest.approx(-804.6084420137539, rel=1e-14)
    assert numerics.log_cdf(1.0) == pytest.approx(np.log(0.8413447460685429), rel=1e-14)


def test_lambert_w_undoes_its_own_definition_from_the_smallest_to_the_largest():
    x = np.concatenate([[0.0], np.geomspace(1e-300, 1e300, 601)])
    w = numerics.lambert_w(x)
    np.testing.assert_allclose(w * np.exp(w), x, rtol=2e-13)


def test_a_function_that_never_falls_to_zero_has_no_root():
    with pytest.raises(ConfigError, match="never falls to zero"):
        numerics.falling_root(lambda x: 1.0, 1.0)


def test_panels_integrate_what_they_should():
    x, weight = numerics.panels(0.0, np.pi, 3)
    assert weight @ np.sin(x) == pytest.approx(2.0, abs=1e-14)
