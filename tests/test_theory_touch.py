"""Queues at the best quotes: published tables, linear solves and simulated books."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lablib import theory

RATES = theory.CST_LIMIT_RATES[0], theory.CST_MARKET_RATE, theory.CST_CANCEL_RATES[0]
N = np.arange(1, 6)

PUBLISHED_UP = [
    [0.500, 0.336, 0.259, 0.216, 0.188],
    [0.664, 0.500, 0.407, 0.348, 0.307],
    [0.741, 0.593, 0.500, 0.437, 0.391],
    [0.784, 0.652, 0.563, 0.500, 0.452],
    [0.812, 0.693, 0.609, 0.548, 0.500],
]
EXACT_UP = [
    [0.5000, 0.3352, 0.2590, 0.2158, 0.1878],
    [0.6648, 0.5000, 0.4069, 0.3479, 0.3072],
    [0.7410, 0.5931, 0.5000, 0.4366, 0.3906],
    [0.7842, 0.6521, 0.5634, 0.5000, 0.4523],
    [0.8122, 0.6928, 0.6094, 0.5477, 0.5000],
]
PUBLISHED_SPREAD = [
    [0.266, 0.308, 0.309, 0.300, 0.288],
    [0.308, 0.386, 0.406, 0.406, 0.400],
    [0.309, 0.406, 0.441, 0.452, 0.452],
    [0.300, 0.406, 0.452, 0.471, 0.479],
    [0.288, 0.400, 0.452, 0.479, 0.491],
]


def test_the_table_of_the_next_move_up():
    ours = theory.probability_up(N[:, None], N, *RATES)
    np.testing.assert_allclose(ours, EXACT_UP, atol=1e-4)
    np.testing.assert_allclose(ours, PUBLISHED_UP, atol=8.4e-4)


def test_the_table_of_making_the_spread():
    ours = theory.making_the_spread(N[:, None], N, *RATES)
    np.testing.assert_allclose(ours, PUBLISHED_SPREAD, atol=6e-4)


def chain(grows, shrinks, most, done):
    """Solve for two independent queues up to `most`: each state's rate-weighted mean of the next.

    `done(x, y)` is a number where the game is over, and None elsewhere.
    """
    size = most + 1
    system, known = np.eye(size * size), np.zeros(size * size)
    for x in range(size):
        for y in range(size):
            end, here = done(x, y), x * size + y
            if end is not None:
                known[here] = end
                continue
            moves = {
                (x + 1, y): grows[0] if x < most else 0.0,
                (x, y + 1): grows[1] if y < most else 0.0,
                (x - 1, y): shrinks[0](x),
                (x, y - 1): shrinks[1](y),
            }
            total = sum(moves.values())
            for (i, j), rate in moves.items():
                if rate:
                    system[here, i * size + j] -= rate / total
    return np.linalg.solve(system, known).reshape(size, size)


def empties(x, y):
    return 1.0 if y == 0 else 0.0 if x == 0 else None


def test_a_linear_solve_finds_the_same_probabilities_of_a_move_up():
    limit, market, cancel = RATES
    queue = [lambda x: market + x * cancel] * 2
    solved = chain((limit, limit), queue, 24, empties)
    ours = theory.probability_up(N[:, None], N, *RATES)
    np.testing.assert_allclose(ours, solved[1:6, 1:6], atol=1e-9)


def test_a_linear_solve_finds_the_same_probabilities_of_a_fill():
    limit, market, cancel = RATES
    rates = [lambda x: market + (x - 1) * cancel, lambda y: market + y * cancel]
    solved = chain((0.0, limit), rates, 24, lambda x, y: 1.0 if x == 0 else 0.0 if y == 0 else None)
    ours = theory.fill_probability(N[:, None], N, *RATES)
    np.testing.assert_allclose(ours, solved[1:6, 1:6], atol=1e-9)


def making_simulated(bid, ask, n, seed):
    """Share of simulated books where both own orders are filled before a queue is empty."""
    rng = np.random.default_rng(seed)
    limit, market, cancel = RATES
    place = np.tile([[bid], [ask]], n)  # our order's place; 0 once it is filled
    behind = np.zeros((2, n))
    alive, made = np.ones(n, bool), np.zeros(n, bool)
    while alive.any():
        ours = place > 0
        rate = np.stack([
            np.full((2, n), limit),
            np.full((2, n), market),
            np.where(ours, place - 1, 0) * cancel,
            behind * cancel,
        ]).reshape(8, n)  # fmt: skip
        drawn = rng.random(n) * rate.sum(axis=0)
        event = (rate.cumsum(axis=0) <= drawn).sum(axis=0)
        kind, side = np.divmod(event, 2)
        at = side, np.arange(n)
        front = (kind == 1) & ours[at]
        behind[at] += (kind == 0).astype(float) - ((kind == 3) | ((kind == 1) & ~front))
        place[at] -= (front | (kind == 2)).astype(int)
        filled = (place == 0).all(axis=0)
        made |= alive & filled
        alive &= ~filled & ~((place + behind) == 0).any(axis=0)
    return made.mean()


@pytest.mark.parametrize(("bid", "ask"), [(1, 1), (1, 3), (4, 2)])
def test_simulated_books_make_the_spread_as_often(bid, ask):
    n = 20_000
    known = theory.making_the_spread(bid, ask, *RATES)
    share = making_simulated(bid, ask, n, seed=bid)
    assert abs(share - known) < 4 * (known * (1 - known) / n) ** 0.5


def test_up_and_down_are_mirror_images():
    ours = theory.probability_up(np.arange(1, 40)[:, None], np.arange(1, 40), *RATES)
    np.testing.assert_allclose(ours + ours.T, 1, atol=1e-13)
    assert (np.diff(ours, axis=0) > 0).all()


def test_a_queue_that_almost_never_empties_is_still_compared():
    """Times to empty of exp(20) events: the slow part of both times must not be lost."""
    limit, market, cancel = 20.0, 0.1, 1.0
    queue = [lambda x: market + x * cancel] * 2
    solved = chain((limit, limit), queue, 44, empties)
    ours = theory.probability_up([5, 2], [2, 5], limit, market, cancel)
    np.testing.assert_allclose(ours, [solved[5, 2], solved[2, 5]], atol=1e-6)


def test_a_queue_that_practically_never_empties_either_does_so_at_once_or_at_random():
    """Emptying at once, before the queue has grown, has the chance of a random walk; the rest is a coin."""
    limit, market, cancel = 100.0, 0.1, 1.0
    shares = np.cumprod((market + cancel * np.arange(1, 60)) / limit)
    at_once = shares[1:].sum() / (1 + shares.sum())  # from two orders
    known = [(1 + at_once) / 2, (1 - at_once) / 2]
    ours = theory.probability_up([5, 2], [2, 5], limit, market, cancel)
    np.testing.assert_allclose(ours, known, atol=1e-7)


def test_rates_may_differ_from_point_to_point():
    both = theory.probability_up(2, 5, [1.85, 1.0], 0.94, 0.71)
    assert both[0] == theory.probability_up(2, 5, *RATES)
    assert both[1] == theory.probability_up(2, 5, 1.0, 0.94, 0.71)


def test_levels_away_from_the_best_are_poisson():
    limit, cancel = np.array(theory.CST_LIMIT_RATES), np.array(theory.CST_CANCEL_RATES)
    mean = theory.level_mean(limit, cancel)
    np.testing.assert_allclose(mean, [2.6056, 1.8642, 1.6029, 1.5714, 1.6383], atol=6e-5)
    x = np.arange(60)
    law = theory.level_law(x[:, None], limit, cancel)
    np.testing.assert_allclose(law.sum(axis=0), 1, rtol=1e-13)
    np.testing.assert_allclose(x @ law, mean, rtol=1e-12)
    np.testing.assert_allclose(x**2 @ law - mean**2, mean, rtol=1e-12)
    balance = law[:-1] * limit - law[1:] * cancel * x[1:, None]  # detailed balance
    np.testing.assert_allclose(balance, 0, atol=1e-15)


def test_the_reflecting_queue_at_the_best_has_its_known_moments():
    limit, market, cancel = RATES
    x = np.arange(60)
    law = theory.touch_law(x, *RATES)
    assert law.sum() == pytest.approx(1, rel=1e-13)
    assert law[0] == pytest.approx(0.25316, abs=6e-6)
    assert x @ law == pytest.approx(1.61686, abs=6e-6)
    assert x**2 @ law - (x @ law) ** 2 == pytest.approx(2.06371, abs=6e-6)
    np.testing.assert_allclose(law[:-1] * limit, law[1:] * (market + cancel * x[1:]), rtol=1e-12)
    without = theory.touch_law(x, limit, 0.0, cancel)
    np.testing.assert_allclose(without, theory.level_law(x, limit, cancel), rtol=1e-12)


def test_a_simulated_level_forgets_at_its_rate_of_cancellation():
    rng = np.random.default_rng(2)
    kept = theory.level_autocorrelation(0.8, 0.71)
    before = rng.poisson(1.85 / 0.71, 200_000)
    after = rng.binomial(before, kept) + rng.poisson(1.85 / 0.71 * (1 - kept), 200_000)
    assert abs(np.corrcoef(before, after)[0, 1] - kept) < 4 / 200_000**0.5
    assert kept == pytest.approx(math.exp(-0.568))


def test_one_step_up_weighs_arrivals_against_departures():
    limit, market, cancel = RATES
    ours = theory.step_up_probability([0, 3], limit, cancel, [0.0, market])
    np.testing.assert_allclose(ours, [1, 1.85 / (1.85 + 0.94 + 2.13)])
