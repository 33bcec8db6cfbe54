"""The cost of latency to a limit seller: known values, another optimiser, simulated sellers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lablib import theory
from lablib.errors import ConfigError

STOCK = {"sigma": 0.012551, "premium": 0.058, "buyer_rate": 12.03 / 60, "horizon_s": 10.0}

# latency, cost from the recursion, and from the asymptote
ROWS = [
    (1.0, 0.2846, 0.2394),
    (0.5, 0.2260, 0.2118),
    (0.25, 0.1767, 0.1748),
    (0.1, 0.1254, 0.1285),
    (0.05, 0.0958, 0.0994),
    (0.01, 0.0499, 0.0522),
    (0.002, 0.0252, 0.0264),
]


def test_the_table_of_the_cost_of_latency():
    latency, cost, asymptote = np.array(ROWS).T
    ours = theory.latency_cost(latency, **STOCK)
    limit = theory.latency_cost_asymptote(latency, STOCK["sigma"], STOCK["premium"])
    np.testing.assert_allclose(ours, cost, atol=5e-4)
    np.testing.assert_allclose(limit, asymptote, atol=6e-5)
    small = latency <= 0.25
    np.testing.assert_allclose(limit[small], ours[small], rtol=0.06)


def test_no_latency_has_its_known_value():
    known = theory.zero_latency_value(STOCK["premium"], STOCK["buyer_rate"], STOCK["horizon_s"])
    assert known == pytest.approx(0.050190, abs=6e-7)


@pytest.mark.parametrize(
    ("latency", "value", "simulated", "se"),
    [
        (0.5, 0.038849, 0.038907, 5.4e-5),
        (0.1, 0.043894, 0.043912, 5.2e-5),
        (0.05, 0.045382, 0.045394, 5.2e-5),
    ],
)
def test_the_known_values_and_the_simulated_policy(latency, value, simulated, se):
    ours = theory.seller_value(latency, **STOCK)
    assert ours == pytest.approx(value, abs=1.5e-6)
    assert abs(ours - simulated) < 4 * se


def phi(x):
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def big_phi(x):
    return math.erfc(-x / math.sqrt(2)) / 2


def worth(u, arrival, s, premium, later):
    """The right-hand side of the recursion, as it is written."""
    band = big_phi(u / s) - big_phi((u - premium) / s)
    sold = arrival * (u * band + s * (phi(u / s) - phi((u - premium) / s)))
    return sold + later * ((1 - arrival) * band + big_phi((u - premium) / s))


@pytest.mark.parametrize("latency", [1.0, 0.25])
def test_another_optimiser_finds_the_same_orders(latency):
    s, arrival = STOCK["sigma"] * latency**0.5, STOCK["buyer_rate"] * latency
    golden, value, best = (math.sqrt(5) - 1) / 2, 0.0, 0.0
    for _ in range(round(10 / latency)):
        low, high = -4 * s, STOCK["premium"] + 4 * s
        while high - low > 1e-10:
            left, right = high - golden * (high - low), low + golden * (high - low)
            if worth(left, arrival, s, 0.058, value) > worth(right, arrival, s, 0.058, value):
                high = right
            else:
                low = left
        best = (low + high) / 2
        value = worth(best, arrival, s, 0.058, value)
    plan = theory.seller_plan(latency, **STOCK)
    assert plan.values[0] == pytest.approx(value, abs=1e-10)
    assert plan.premiums[0] == pytest.approx(best, abs=1e-6)


def test_simulated_sellers_earn_the_value_of_the_plan():
    rng = np.random.default_rng(1)
    plan = theory.seller_plan(0.5, **STOCK)
    s, n = STOCK["sigma"] * 0.5**0.5, 200_000
    earned, waiting = np.zeros(n), np.ones(n, bool)
    for premium in plan.premiums:
        move = rng.normal(0, s, n)
        buyer = rng.random(n) < STOCK["buyer_rate"] * 0.5
        filled = (move < premium) & (premium <= move + STOCK["premium"]) & buyer
        earned += np.where(waiting & filled, premium - move, 0.0)
        waiting &= ~(filled | (premium <= move))  # marketable on arrival: sold, but at the bid
    assert abs(earned.mean() - plan.values[0]) < 4 * earned.std() / n**0.5


def test_the_plan_asks_less_as_time_runs_out():
    plan = theory.seller_plan(0.1, **STOCK)
    assert (np.diff(plan.premiums) < 0).all()
    assert (np.diff(plan.values) < 0).all()
    assert plan.values[-1] == 0


def test_what_is_left_of_the_time_after_the_last_whole_period_sells_nothing():
    longer = {**STOCK, "horizon_s": 10.4}
    assert len(theory.seller_plan(0.5, **longer).premiums) == 20
    assert theory.seller_value(0.5, **longer) == theory.seller_value(0.5, **STOCK)
    assert len(theory.seller_plan(0.1, **STOCK).premiums) == 100  # 10 / 0.1 is no trap


def test_cost_grows_with_latency_and_volatility():
    latency = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5])[:, None]
    cost = theory.latency_cost(latency, [0.005, 0.01, 0.02], 0.058, 0.2, 10)
    assert (np.diff(cost, axis=0) > 0).all()
    assert (np.diff(cost, axis=1) > 0).all()


def test_without_volatility_only_the_coarse_clock_is_left():
    """At most one buyer a period: 1 - (1 - mu Delta)^n in the place of 1 - exp(-mu T)."""
    ours = theory.seller_value(1.0, 1e-9, 0.058, 0.2, 10.0)
    assert ours == pytest.approx(0.058 * (1 - 0.8**10), rel=1e-6)


@pytest.mark.parametrize("argument", ["latency_s", "sigma", "premium", "buyer_rate", "horizon_s"])
def test_a_plan_of_nonsense_is_refused(argument):
    for bad in (0.0, -1.0, np.nan, "soon", [0.5, 0.5]):
        with pytest.raises(ConfigError, match=f"^{argument} must be"):
            theory.seller_plan(**{"latency_s": 0.5, **STOCK, argument: bad})
