"""Student's law, standard errors, and the root of a noisy curve with its interval."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lablib.experiments.precision import root, standard_error, student

# Two-sided points of Student's law, from printed tables.
POINTS = [
    (0.95, 1, 12.706),
    (0.95, 2, 4.303),
    (0.95, 5, 2.571),
    (0.95, 30, 2.042),
    (0.99, 10, 3.169),
    (0.90, 7, 1.895),
    (0.95, 1_000_000, 1.960),
]


@pytest.mark.parametrize(("confidence", "freedom", "point"), POINTS)
def test_students_points_are_those_of_the_tables(confidence, freedom, point):
    assert student(confidence, freedom) == pytest.approx(point, abs=6e-4)


def test_one_value_has_no_standard_error():
    assert math.isnan(standard_error(np.array([3.0])))
    assert standard_error(np.array([[1.0, 3.0], [2.0, 2.0]]), 1).tolist() == [1.0, 0.0]


def test_a_line_without_noise_crosses_at_a_point():
    x = np.array([0.0, 10.0, 20.0])
    found = root(x, np.tile(6.0 - x / 2, (3, 1)))
    assert (found.at, found.low, found.high) == (
        12.0,
        pytest.approx(12, abs=0.4),
        pytest.approx(12, abs=0.4),
    )


def test_no_crossing_is_no_root():
    assert math.isnan(root(np.array([0.0, 1.0]), np.array([[2.0, 1.0], [3.0, 1.0]])).at)
    assert math.isnan(root(np.array([]), np.empty((3, 0))).at)


def test_an_interval_that_leaves_the_grid_is_open():
    curves = np.array([[3.0, -5.0], [-1.0, 4.0], [1.0, -2.0]])
    found = root(np.array([0.0, 1.0]), curves)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_across_a_jump_the_root_may_be_anywhere_between_its_nodes():
    x = np.arange(0.0, 60, 10)
    curves = np.array([5.0, 5.0, 5.0, -3.0, -3.0, -3.0]) + np.linspace(-0.01, 0.01, 4)[:, None]
    found = root(x, curves)
    assert (found.low, found.high) == (20, 30)
    assert 20 < found.at < 30
    smooth = root(x, 25.0 - x + np.linspace(-0.01, 0.01, 4)[:, None])
    assert 24 < smooth.low < smooth.high < 26
    assert (root(x[2:4], curves[:, 2:4]).low, root(x[2:4], curves[:, 2:4]).high) == (20, 30)


def test_nodes_that_are_unknown_are_left_out():
    curves = np.array([[2.0, np.nan, -2.0], [2.0, 7.0, -2.0]])
    assert root(np.array([0.0, 1.0, 2.0]), curves).at == 1.0


def test_the_crossing_that_parts_the_signs_wins_over_a_wiggle_around_zero():
    curves = np.tile(np.array([9.0, 5.0, -4.0, -0.1, 0.1, -0.1]), (2, 1))
    assert 1 < root(np.arange(6.0), curves).at < 2


def test_the_interval_covers_the_truth_as_often_as_it_says():
    noise = np.random.Generator(np.random.Philox(5))
    x = np.linspace(0, 2, 9)
    covered = 0
    for _ in range(400):
        curves = 1 - x + noise.normal(0, 1, (12, 1)) + noise.normal(0, 0.1, (12, 9))
        found = root(x, curves)
        covered += found.low <= 1 <= found.high
    assert 0.92 <= covered / 400 <= 0.98
