"""Rings and columns: bounded, and no spike is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.widgets.reduce import (
    COLUMNS,
    FINER,
    Ring,
    columns,
    newest,
    step_outline,
    thinned,
    triggers,
)


def series(times, values):
    return np.array([times, values], float)


@given(sizes=st.lists(st.integers(0, 25), max_size=12), capacity=st.integers(1, 16))
def test_a_ring_holds_the_newest_rows_in_order(sizes, capacity):
    ring, all_rows, count = Ring(2, capacity), np.zeros((2, 0)), 0
    for size in sizes:
        fresh = np.array([np.arange(count, count + size), np.arange(size)], float)
        count += size
        ring.extend(fresh)
        all_rows = np.hstack([all_rows, fresh])
        assert np.array_equal(ring.rows, all_rows[:, -capacity:])


def test_a_ring_forgets_when_cleared():
    ring = Ring(1, 4)
    ring.extend(np.ones((1, 3)))
    ring.clear()
    assert ring.rows.shape == (1, 0)


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400),
    window=st.floats(0.5, 50),
    count=st.integers(2, 40),
)
def test_columns_keep_the_highest_and_lowest_value_of_the_window(values, window, count):
    times = 0.05 * np.arange(1, len(values) + 1)
    now = times[-1]
    out = columns(series(times, values), now, window, count)
    assert out.shape == (2, 2 * count)
    width = window / count
    bins = np.floor(times / width)  # the rule by which a row finds its column
    inside = np.array(values)[bins >= np.floor(now / width) - (count - 1)]
    drawn = out[1][np.isfinite(out[1])]
    assert drawn.max() >= inside.max()
    assert drawn.min() <= inside.min()
    assert set(drawn) <= set(values)


def test_columns_stand_still_while_the_window_moves_less_than_one():
    times = np.arange(0, 60, 0.01)
    rows = series(times, np.sin(times))
    one, other = columns(rows, 50.01, 15.0), columns(rows, 50.05, 15.0)
    assert np.array_equal(one[:, :-2], other[:, :-2])
    later = columns(rows, 50.11, 15.0)
    assert np.array_equal(one[:, 2:-2], later[:, :-4])


def test_columns_hold_the_last_value_between_rows_and_know_nothing_before_the_first():
    out = columns(series([4.0, 7.0], [1.0, 5.0]), now_s=9.5, window_s=10.0, count=10)[1]
    assert np.isnan(out[:8]).all()
    assert out[8:].tolist() == [1.0] * 6 + [5.0] * 6


def test_columns_open_with_the_value_that_held_before_the_window():
    out = columns(series([1.0, 58.0], [3.0, 4.0]), now_s=60.0, window_s=10.0, count=10)[1]
    assert out[0] == 3.0
    assert np.isfinite(out).all()


@pytest.mark.parametrize(("values", "pair"), [([1, 9, 2], [1, 9]), ([5, 0, 3, 1], [5, 0])])
def test_a_column_leans_as_its_values_did(values, pair):
    times = np.linspace(0.1, 0.9, len(values))
    assert columns(series(times, values), 0.9, 2.0, 2)[1, -2:].tolist() == pair


def test_triggers_show_only_the_side_that_was_asked_for():
    divergence = np.array([1.0, 4.0, -5.0, 2.0, -1.0, 0.5])
    action = np.array([0, 1, -1, 0, 0, 0])
    buys, sells = (triggers(divergence, action, side) for side in (1, -1))
    assert buys.tolist()[:2] == [1.0, 4.0]
    assert np.isnan(buys[2:]).all()
    assert sells[2:4].tolist() == [-0.0, -5.0]
    assert np.isnan(sells[[0, 1, 4, 5]]).all()


@given(count=st.integers(0, 3_000), seed=st.integers(0, 99))
def test_thinning_bounds_the_rows_and_keeps_time_in_order_and_extremes(count, seed):
    chance = np.random.Generator(np.random.Philox(seed))
    rows = series(np.sort(chance.random(count)) * 10, chance.normal(size=count))
    out = thinned(rows, width_s=0.1)
    assert out.shape[1] <= max(2 * 101, 2)
    assert (np.diff(out[0]) >= 0).all()
    if count:
        assert out[1].max() == rows[1].max()
        assert out[1].min() == rows[1].min()
    assert thinned(rows, 1e-9).shape[1] <= 2 * FINER * COLUMNS


def test_the_newest_of_each_stretch_of_time_and_side_is_kept():
    marks = np.array([[0.1, 0.2, 0.3, 1.1, 1.2], [1, 2, 3, 4, 5], [1, 1, -1, 1, 1]], float)
    assert newest(marks, 1.0)[1].tolist() == [2, 3, 5]
    assert newest(marks[:, :0], 1.0).shape == (3, 0)


def test_a_book_side_becomes_stairs_of_constant_length():
    out = step_outline(np.array([[99.0, 2.0], [98.0, 3.0]]), levels=4)
    assert out.shape == (2, 8)
    assert out[0].tolist() == [99, 99, 98, 98, 98, 98, 98, 98]
    assert out[1].tolist() == [0, 2, 2, 5, 5, 5, 5, 5]
    assert np.isnan(step_outline(np.zeros((0, 2)), 3)).all()
