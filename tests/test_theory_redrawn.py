"""Prices from redrawn queues: known values, linear solves, differential equations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lablib import theory
from lablib.errors import ConfigError

N = np.arange(1, 6)
STARTS = [(1, 1), (2, 1), (1, 3), (3, 5), (5, 2), (10, 4)]


def test_balanced_queues_have_their_known_probabilities():
    bid, ask = np.array(STARTS).T
    ours = theory.balanced_probability_up(bid, ask)
    np.testing.assert_allclose(ours, [0.5, 0.69765, 0.20939, 0.34524, 0.75602, 0.75731], atol=6e-6)
    simulated = [0.5, 0.6960, 0.2079, 0.3448, 0.7563, 0.7563]
    np.testing.assert_allclose(ours, simulated, atol=4 * 0.0015)


def test_the_integral_is_the_comparison_of_two_emptying_times():
    bid, ask = np.array([*STARTS, (300, 200)]).T
    other = theory.probability_up(bid, ask, 1.3, 1.3, 0.0)
    np.testing.assert_allclose(theory.balanced_probability_up(bid, ask), other, atol=1e-12)


def test_long_queues_reach_heavy_traffic():
    known = theory.heavy_traffic_probability_up([2, 3, 5], [1, 5, 2])
    np.testing.assert_allclose(known, [0.7048, 0.3440, 0.7578], atol=6e-5)
    long = theory.balanced_probability_up([20_000, 30_000], [10_000, 50_000])
    np.testing.assert_allclose(long, known[:2], atol=1e-8)
    angle = 2 / math.pi * math.atan2(3, 5)
    assert theory.heavy_traffic_probability_up(3, 5, 0.0) == pytest.approx(angle)
    near = theory.heavy_traffic_probability_up(3.0, 1.0, [-1.0, -1 + 1e-7, 1 - 1e-9])
    np.testing.assert_allclose(near, [0.75, 0.75, 1.0], atol=1e-4)


@pytest.mark.parametrize("correlation", [-0.9, -0.5, 0.0, 0.4])
def test_heavy_traffic_solves_its_equation(correlation):
    """p is harmonic for the correlated queues; 1 where the ask is empty, 0 where the bid is."""
    x, y, d = np.array([1.0, 2.0, 0.7])[:, None, None], np.array([1.0, 0.4])[:, None], 1e-3
    step = np.array([-d, 0.0, d])
    p = theory.heavy_traffic_probability_up(
        x[..., None] + step[:, None], y[..., None] + step, correlation
    )
    along = p[..., [0, 2], 1].sum(-1) + p[..., 1, [0, 2]].sum(-1) - 4 * p[..., 1, 1]
    across = (p[..., 2, 2] + p[..., 0, 0] - p[..., 0, 2] - p[..., 2, 0]) / 4
    np.testing.assert_allclose((0.5 * along + correlation * across) / d**2, 0, atol=2e-5)
    edges = theory.heavy_traffic_probability_up([1.0, 1e-9], [1e-9, 1.0], correlation)
    np.testing.assert_allclose(edges, [1, 0], atol=1e-8)


def test_the_price_stands_as_long_as_known():
    ours = theory.duration_survival([0.0, 10.0, 100.0], 3, 5, 1.0)
    np.testing.assert_allclose(ours, [1, 0.36673, 0.046439], atol=6e-6)


def test_a_matrix_exponential_finds_the_same_survival():
    walk = -2.0 * np.eye(400) + np.eye(400, k=1) + np.eye(400, k=-1)
    rates, modes = np.linalg.eigh(walk)
    for time in (0.3, 10.0, 100.0):
        kept = modes @ (np.exp(rates * time) * modes.sum(axis=0))
        ours = theory.duration_survival(time, 3, 5, 1.0)
        assert ours == pytest.approx(kept[2] * kept[4], abs=1e-12)
        assert theory.duration_survival(time / 2, 3, 5, 2.0) == pytest.approx(ours, abs=1e-13)


def test_survival_joins_its_tail():
    tail = theory.duration_tail([1e4, 1e6], 3, 5, 2.0)
    exact = theory.duration_survival([1e4, 1e6], 3, 5, 2.0)
    assert exact[0] == pytest.approx(tail[0], rel=1e-3)
    assert exact[1] == pytest.approx(tail[1], rel=1e-5)


DURATIONS = [
    (1.0, 1.3, 5, 0.126801, 0.12586, 0.0012),
    (1.0, 1.1, 10, 0.023597, 0.02385, 0.0005),
    (2.0, 2.5, 3, 0.455784, 0.45182, 0.0032),
]


@pytest.mark.parametrize(("limit", "depletion", "start", "known", "simulated", "se"), DURATIONS)
def test_the_variance_of_the_price_is_one_over_the_mean_duration(
    limit, depletion, start, known, simulated, se
):
    ours = theory.price_variance(1.0, limit, depletion, start)
    assert ours == pytest.approx(known, abs=6e-7)
    assert abs(ours - simulated) < 4 * se
    assert theory.price_variance(0.01, limit, depletion, start) == pytest.approx(1e-4 * ours)
    assert theory.mean_duration(start, start, limit, depletion) == pytest.approx(1 / ours)


def test_a_linear_solve_finds_the_same_mean_durations():
    limit, depletion, most = 1.0, 3.0, 28
    one = np.diag(np.full(most, -limit - depletion))
    one += np.diag(np.full(most - 1, limit), 1) + np.diag(np.full(most - 1, depletion), -1)
    both = np.kron(one, np.eye(most)) + np.kron(np.eye(most), one)
    solved = np.linalg.solve(both, -np.ones(most * most)).reshape(most, most)
    ours = theory.mean_duration(N[:, None], N, limit, depletion)
    np.testing.assert_allclose(ours, solved[:5, :5], rtol=1e-8)


def test_a_law_of_redrawn_queues_averages_the_durations():
    law = np.array([[0.1, 0.2], [0.2, 0.5]])
    times = theory.mean_duration([[1, 1], [2, 2]], [[1, 2], [1, 2]], 1.0, 1.3)
    ours = theory.price_variance(0.5, 1.0, 1.3, law)
    assert ours == pytest.approx(0.25 / (law * times).sum(), rel=1e-14)


@pytest.mark.parametrize(
    ("redraw", "message"),
    [
        (0, "redraw must be a whole number at least 1"),
        (2.5, "redraw must be a whole number"),
        ([[0.5, 0.5]], r"square matrix, got shape \(1, 2\)"),
        ([[0.5, 0.1], [0.1, 0.5]], "redraw must sum to 1, got 1.2"),
        ([[0.5, 0.4], [0.1, 0.0]], r"redraw\[0, 1\] must be symmetric, got 0.4"),
        ([[1.5, 0.0], [0.0, -0.5]], r"redraw\[1, 1\] must be at least 0, got -0.5"),
    ],
)
def test_what_is_no_law_of_queues_is_refused(redraw, message):
    with pytest.raises(ConfigError, match=message):
        theory.price_variance(1.0, 1.0, 1.3, redraw)


def test_the_variance_of_several_markets_at_once_is_refused():
    with pytest.raises(ConfigError, match="limit_rate must be one number, got 2 of them"):
        theory.price_variance(1.0, [1.0, 1.1], 1.3, 5)
