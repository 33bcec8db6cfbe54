"""Axes that hold still until they have to move."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.widgets.scales import Span, tick_format, tick_step

VALUES = st.lists(st.floats(-1e7, 1e7, allow_subnormal=False), min_size=1, max_size=20)


@given(batches=st.lists(VALUES, min_size=1, max_size=10), kind=st.sampled_from(["", "symmetric"]))
def test_a_range_always_holds_its_data(batches, kind):
    span = Span(floor=0.01, symmetric=kind == "symmetric")
    for values in batches:
        span.follow(np.array(values))
        assert span.low <= min(values)
        assert max(values) <= span.high
        assert 2 <= span.ticks.size <= 9


def test_a_range_stays_while_the_data_stay_within_it():
    span = Span(floor=0.1)
    assert span.follow(np.array([0.0, 10.0]))
    before = span.low, span.high
    assert not span.follow(np.array([1.0, 9.5]))
    assert (span.low, span.high) == before


def test_a_range_is_given_up_when_the_data_leave_it_or_shrink_far_inside():
    span = Span(floor=0.1)
    span.follow(np.array([0.0, 10.0]))
    assert span.follow(np.array([0.0, 20.0]))
    assert span.follow(np.array([4.0, 5.0]))
    assert span.high < 10


def test_what_is_unknown_moves_nothing():
    span = Span(floor=1.0)
    span.follow(np.array([5.0, 9.0]))
    before = span.low, span.high
    assert not span.follow(np.array([np.nan, np.inf]))
    assert not span.follow(np.array([]))
    assert (span.low, span.high) == before


def test_a_symmetric_range_keeps_zero_in_the_middle_and_one_from_zero_at_its_end():
    symmetric, from_zero = Span(1.0, symmetric=True), Span(1.0, from_zero=True)
    symmetric.follow(np.array([2.0, 7.0]))
    from_zero.follow(np.array([2.0, 7.0]))
    assert symmetric.low == -symmetric.high
    assert from_zero.low == 0


def test_a_flat_line_is_not_blown_up_to_noise():
    span = Span(floor=2.0)
    span.follow(np.array([100.0, 100.0 + 1e-9]))
    assert span.high - span.low >= 2.0


@given(extent=st.floats(1e-6, 1e9), count=st.integers(1, 8))
def test_a_step_is_round_and_gives_about_the_ticks_asked_for(extent, count):
    step = tick_step(extent, count)
    lead = step / 10 ** np.floor(np.log10(step * (1 + 1e-9)))
    assert min(abs(lead - round_) for round_ in (1, 2, 5, 10)) < 1e-6
    assert count / 2.6 <= extent / step <= count * 1.01


@pytest.mark.parametrize(
    ("step", "text"), [(0.5, ",.1f"), (0.002, ",.3f"), (5.0, ",.0f"), (2e6, "~s")]
)
def test_ticks_show_the_digits_they_need(step, text):
    assert tick_format(step) == text
