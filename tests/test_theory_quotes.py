"""Quotes for inventory and against the informed, spreads seen in prices, clustered events."""

from __future__ import annotations

import numpy as np
import pytest

from lablib import theory
from lablib.errors import ConfigError

STEPS, PATHS, DT, SIGMA, DECAY, SCALE = 200, 20_000, 0.005, 2.0, 1.5, 140.0


@pytest.mark.parametrize(("aversion", "spread"), [(0.1, 1.29), (0.01, 1.33), (0.5, 1.15)])
def test_the_spread_without_time_left_is_the_published_one(aversion, spread):
    assert theory.optimal_spread(aversion, 2.0, 0.0, 1.5) == pytest.approx(spread, abs=6e-3)


def test_the_mean_spread_over_the_session_is_the_journals():
    left = 1 - DT * np.arange(STEPS)
    mean = theory.optimal_spread(0.1, 2.0, left, 1.5).mean()
    assert mean == pytest.approx(1.492, abs=1e-3)


def session(*, inventory_matters):
    """Profit and final inventory of the maker with risk aversion 0.1, on every path."""
    rng = np.random.default_rng(1)
    mid, cash, held = np.full(PATHS, 100.0), np.zeros(PATHS), np.zeros(PATHS)
    for left in 1 - DT * np.arange(STEPS):
        centre = theory.reservation_price(mid, held * inventory_matters, 0.1, SIGMA, left)
        half = theory.optimal_spread(0.1, SIGMA, left, DECAY) / 2
        to_ask, to_bid = centre + half - mid, mid - centre + half
        sold = rng.random(PATHS) < theory.fill_rate(to_ask, SCALE, DECAY) * DT
        bought = rng.random(PATHS) < theory.fill_rate(to_bid, SCALE, DECAY) * DT
        cash += sold * (mid + to_ask) - bought * (mid - to_bid)
        held += bought.astype(float) - sold
        mid += SIGMA * DT**0.5 * rng.choice([-1.0, 1.0], PATHS)
    return cash + held * mid, held


def test_the_maker_who_minds_inventory_earns_what_is_known():
    profit, held = session(inventory_matters=True)
    assert profit.mean() == pytest.approx(64.9, abs=0.4)
    assert profit.std() == pytest.approx(6.53, abs=0.25)
    assert held.std() == pytest.approx(2.93, abs=0.1)


def test_the_maker_who_does_not_earns_more_and_risks_more():
    profit, held = session(inventory_matters=False)
    assert profit.mean() == pytest.approx(68.1, abs=0.7)
    assert profit.std() == pytest.approx(13.4, abs=0.5)
    assert held.std() == pytest.approx(8.41, abs=0.2)


def test_roll_finds_the_spread_in_simulated_prices():
    rng = np.random.default_rng(2)
    value = (0.002 * rng.standard_normal(200_000)).cumsum()
    trades = value + 0.01 * rng.choice([-1, 1], 200_000)
    assert theory.roll_spread(np.diff(trades)) == pytest.approx(0.020, abs=2e-4)
    changes = 0.01 * np.diff(rng.choice([-1.0, 1.0], 200_000))
    seen = np.mean(changes[1:] * changes[:-1])
    assert seen == pytest.approx(theory.roll_autocovariance(0.02), rel=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([1.0, 2.0, 3.0, 4.0], "negative autocovariance"),
        ([1.0, -1.0], r"at least 3, got shape \(2,\)"),
        ([[1.0, -1.0, 1.0]], "a row of at least 3"),
        ([1.0, np.nan, 1.0], r"price_changes\[1\] must be a finite number, got nan"),
    ],
)
def test_prices_that_show_no_spread_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        theory.roll_spread(changes)


@pytest.mark.parametrize("informed", [0.0, 0.2, 0.9])
@pytest.mark.parametrize("prior", [0.5, 0.1])
def test_the_dealers_quotes_are_what_bayes_expects(informed, prior):
    buy_if_high, buy_if_low = (1 + informed) / 2, (1 - informed) / 2
    buy = prior * buy_if_high + (1 - prior) * buy_if_low
    quote = theory.glosten_milgrom(informed, prior)
    assert quote.ask == pytest.approx(prior * buy_if_high / buy)
    assert quote.bid == pytest.approx(prior * (1 - buy_if_high) / (1 - buy))


def test_the_even_dealers_spread_is_the_share_of_the_informed_and_earns_nothing():
    quote = theory.glosten_milgrom(0.3)
    assert (quote.bid, quote.ask) == pytest.approx((0.35, 0.65))
    rng = np.random.default_rng(3)
    value = rng.integers(0, 2, 400_000)
    knows = rng.random(400_000) < 0.3
    buys = np.where(knows, value == 1, rng.random(400_000) < 0.5)
    profit = np.where(buys, quote.ask - value, value - quote.bid)
    assert abs(profit.mean()) < 4 * profit.std() / 400_000**0.5


def test_hawkes_has_its_known_rate_and_clustering():
    rate, fano = theory.hawkes_rate(1.0, [0.5, 0.8]), theory.hawkes_window_fano(200, [0.5, 0.8], 5)
    np.testing.assert_allclose(rate, [2, 5])
    np.testing.assert_allclose(theory.hawkes_fano([0.0, 0.5, 0.8]), [1, 4, 25])
    np.testing.assert_allclose(rate, [1.988, 4.95], rtol=0.02)
    assert (np.abs(fano - [3.93, 25.2]) < 4 * np.array([0.18, 1.1])).all()


def test_windows_join_poisson_and_the_long_run():
    fano = theory.hawkes_window_fano([1e-9, 1e9], 0.8, 5.0)
    np.testing.assert_allclose(fano, [1, 25], rtol=1e-6)
    assert theory.hawkes_window_fano(3.0, 0.0, 5.0) == 1


def test_simulated_families_cluster_as_much():
    """Immigrants at rate 1, each event with 0.8 children of exponential age on average."""
    rng = np.random.default_rng(4)
    until, burn, window = 60_000.0, 100.0, 4.0
    born = rng.uniform(0, until, rng.poisson(until))
    events = [born]
    while born.size:
        parents = np.repeat(born, rng.poisson(0.8, born.size))
        born = parents + rng.exponential(1 / 5, parents.size)
        events.append(born)
    counts, _ = np.histogram(np.concatenate(events), np.arange(burn, until, window))
    fano = counts.var() / counts.mean()
    assert counts.mean() / window == pytest.approx(theory.hawkes_rate(1.0, 0.8), rel=0.03)
    assert fano == pytest.approx(theory.hawkes_window_fano(window, 0.8, 5.0), rel=0.06)
