"""Sniping, races and stale quotes, against known numbers and against simulated ones."""

from __future__ import annotations

import numpy as np
import pytest

from lablib import theory
from lablib.errors import ConfigError

# jump rate, investor rate, mean jump; spread; maker and sniper per event, simulated (SE), and theory.
ROWS = [
    (1, 10, 2.0, 0.36511, 0.01606, 0.00056, 0.01714, 0.00019, 0.01660),
    (1, 1, 2.0, 2.26857, 0.05694, 0.00116, 0.05707, 0.00034, 0.05671),
    (5, 1, 1.5, 3.98017, 0.03229, 0.00088, 0.03323, 0.00022, 0.03317),
]


@pytest.mark.parametrize("row", ROWS)
def test_the_table_of_the_sniping_equilibrium(row):
    jumps, investors, mean, spread, maker, se_maker, sniper, se_sniper, known = row
    ours = theory.sniping_spread_exponential(jumps, investors, mean)
    assert ours == pytest.approx(spread, abs=6e-6)
    excess = theory.exponential_excess(ours / 2, mean)
    per_event = 1 / (jumps + investors)
    earned = theory.maker_profit(ours, excess, jumps, investors, 10) * per_event
    sniped = theory.sniper_profit(excess, jumps, 10) * per_event
    assert earned == pytest.approx(known, abs=6e-6)
    assert sniped == pytest.approx(earned)
    assert abs(earned - maker) < 4 * se_maker
    assert abs(sniped - sniper) < 4 * se_sniper


def test_the_spread_of_normal_jumps():
    ours = theory.sniping_spread_normal(np.array([0.1, 1.0, 5.0]), 1.0)
    np.testing.assert_allclose(ours, [0.14545, 0.87265, 1.87474], atol=6e-6)
    assert theory.sniping_spread_normal(1.0, 1.0, 3.0) == pytest.approx(3 * ours[1])
    assert theory.sniping_spread_normal(1e-200, 1.0) == pytest.approx(2e-200 * 0.7978845608028654)


def test_any_law_by_its_root_is_the_closed_form_where_there_is_one():
    root = theory.sniping_spread(5.0, 1.0, lambda k: theory.exponential_excess(k, 1.5))
    assert root == pytest.approx(theory.sniping_spread_exponential(5.0, 1.0, 1.5), rel=1e-14)
    root = theory.sniping_spread(5.0, 1.0, lambda k: theory.normal_excess(k, 1.5))
    assert root == pytest.approx(theory.sniping_spread_normal(5.0, 1.0, 1.5), rel=1e-14)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_a_law_that_is_no_law_is_refused(bad):
    with pytest.raises(ConfigError, match=r"excess.* must be a number of at least 0"):
        theory.sniping_spread(1.0, 1.0, lambda k: bad)
    with pytest.raises(ConfigError, match=r"jump_rate must be above 0, got -1\.0"):
        theory.sniping_spread(-1.0, 1.0, lambda k: 1.0)


@pytest.mark.parametrize("firms", [2, 10])
def test_at_the_equilibrium_simulated_maker_and_sniper_earn_the_same(firms):
    rng = np.random.default_rng(1)
    half = theory.sniping_spread_normal(2.0, 1.0, 1.5) / 2
    news = rng.random(400_000) < 2 / 3
    size = np.abs(rng.normal(0, 1.5, 400_000))
    winner = rng.integers(0, firms, 400_000)  # firm 0 makes
    taken = np.where(news & (size > half), size - half, 0.0)
    maker = np.where(news, 0.0, half) - taken * (winner != 0)
    sniper = taken * (winner == 1)
    difference = maker - sniper
    assert abs(difference.mean()) < 4 * difference.std() / 400_000**0.5
    excess = theory.normal_excess(half, 1.5)
    known = theory.sniper_profit(excess, 2.0, firms) / 3
    assert abs(sniper.mean() - known) < 4 * sniper.std() / 400_000**0.5


def test_excess_is_the_mean_beyond_the_quote():
    rng = np.random.default_rng(2)
    for sample, known in (
        (rng.exponential(2.0, 400_000), theory.exponential_excess(0.7, 2.0)),
        (np.abs(rng.normal(0, 2.0, 400_000)), theory.normal_excess(0.7, 2.0)),
    ):
        beyond = np.maximum(sample - 0.7, 0)
        assert abs(beyond.mean() - known) < 4 * beyond.std() / 400_000**0.5


def test_a_stale_quote_is_a_strangle_given_away():
    known = theory.stale_quote_loss(0.3, 0.1, 25.0)
    assert known == pytest.approx(0.168673, abs=6e-7)
    assert abs(known - 0.168482) < 4 * 0.00017
    x = np.linspace(0.3, 8, 400_001)
    tail = np.exp(-0.5 * (x / 0.5) ** 2) / (0.5 * (2 * np.pi) ** 0.5)
    assert known == pytest.approx(2 * np.trapezoid((x - 0.3) * tail, x), rel=1e-9)


def test_the_break_even_half_spread_pays_for_the_strangle():
    half = theory.break_even_half_spread(3.0, 2.0, 0.1, 25.0)
    assert 3.0 * half == pytest.approx(2.0 * theory.stale_quote_loss(half, 0.1, 25.0), rel=1e-13)


def test_the_known_races():
    ours = theory.race_probability(np.array([5.0, 20.0]), 10.0)
    np.testing.assert_allclose(ours, [0.69673, 0.93233], atol=6e-6)
    np.testing.assert_allclose(ours, [0.69706, 0.93258], atol=4 * 0.00032)
    ours = theory.lognormal_race_probability(50.0, [60.0, 200.0], [0.3, 1.0])
    np.testing.assert_allclose(ours, [0.66631, 0.83652], atol=6e-6)
    np.testing.assert_allclose(ours, [0.66671, 0.83603], atol=4 * 0.00032)
    ours = theory.escape_probability([0.0, 3.0], 10.0, 5)
    np.testing.assert_allclose(ours, [0.16667, 0.03719], atol=6e-6)
    assert abs(ours[1] - 0.03734) < 4 * 0.00014


RACES = 400_000


def agrees(won, known):
    return abs(won.mean() - known) < 4 * (known * (1 - known) / RACES) ** 0.5


@pytest.mark.parametrize("head_start", [-12.0, 0.0, 5.0])
def test_simulated_exponential_races_agree(head_start):
    ours, rival = np.random.default_rng(3).exponential(10.0, (2, RACES))
    assert agrees(ours < rival + head_start, theory.race_probability(head_start, 10.0))


def test_simulated_lognormal_races_agree():
    ours, rival = np.random.default_rng(4).normal(0, 0.4, (2, RACES))
    won = 50 * np.exp(ours) < 70 * np.exp(rival)
    assert agrees(won, theory.lognormal_race_probability(50.0, 70.0, 0.4))


def test_a_hopeless_race_is_lost_and_a_certain_one_won():
    np.testing.assert_array_equal(theory.escape_probability([1e6, -1e6], 1.0, 5), [0, 1])
    np.testing.assert_array_equal(theory.race_probability([-1e6, 1e6], 1.0), [0, 1])


@pytest.mark.parametrize("handicap", [-8.0, 0.0, 3.0])
@pytest.mark.parametrize("snipers", [1, 5])
def test_simulated_makers_escape_as_often(handicap, snipers):
    rng = np.random.default_rng(5)
    cancel = handicap + rng.exponential(10.0, RACES)
    fastest = rng.exponential(10.0, (snipers, RACES)).min(axis=0)
    assert agrees(cancel < fastest, theory.escape_probability(handicap, 10.0, snipers))
