"""Percentiles read off the histogram, and the bins a chart draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib import Metrics
from lablib.kernels import tables as t
from lablib.metrics import UPPER_EDGES, Latency

VALUES = st.lists(st.integers(0, 1 << 50), min_size=1, max_size=60)


def latency_of(values: list[int]) -> Latency:
    buckets = np.zeros(t.N_BUCKETS, np.int64)
    np.add.at(buckets, np.searchsorted(UPPER_EDGES, values), 1)
    return Latency(buckets, max(values, default=0))


def test_nothing_recorded_is_not_a_number():
    empty = latency_of([])
    assert empty.count == 0
    for value in (empty.p50_ms, empty.p95_ms, empty.p99_ms, empty.p999_ms, empty.max_ms):
        assert math.isnan(value)
    edges, counts = empty.histogram(10)
    assert edges.shape == (11,)
    assert counts.tolist() == [0] * 10


@given(values=VALUES, q=st.floats(0, 1))
def test_a_quantile_is_the_smallest_value_a_share_does_not_exceed(values, q):
    rank = max(1, math.ceil(q * len(values) - 1e-9))
    exact = sorted(values)[rank - 1] / t.NS_PER_MS
    found = latency_of(values).quantile_ms(q)
    assert exact <= found <= exact * (1 + 1 / 128)
    assert found <= max(values) / t.NS_PER_MS


@given(values=VALUES)
def test_quantiles_do_not_fall(values):
    view = latency_of(values)
    found = [view.quantile_ms(q / 20) for q in range(21)]
    assert found == sorted(found)
    assert found[-1] == view.max_ms
    named = [view.p50_ms, view.p95_ms, view.p99_ms, view.p999_ms]
    assert named == [view.quantile_ms(q) for q in (0.5, 0.95, 0.99, 0.999)]


@pytest.mark.parametrize("q", [-0.01, 1.01, math.nan])
def test_a_quantile_lies_between_none_and_all(q):
    with pytest.raises(ValueError, match=r"within \[0, 1\]"):
        latency_of([1]).quantile_ms(q)


@given(values=VALUES, bins=st.integers(1, 60))
def test_a_chart_s_bins_hold_every_value_and_rise(values, bins):
    edges, counts = latency_of(values).histogram(bins)
    assert (edges.shape, counts.shape) == ((bins + 1,), (bins,))
    assert counts.sum() == len(values)
    assert (np.diff(edges) > 0).all()
    assert (counts >= 0).all()
    assert edges[-1] >= max(values) / t.NS_PER_MS


def test_bins_are_spaced_by_ratio():
    edges, _ = latency_of([10**6, 10**8]).histogram(8)
    assert np.diff(np.log(edges)) == pytest.approx(np.log(edges[-1] / edges[0]) / 8)


def test_the_first_hundred_milliseconds_have_their_p99_at_99():
    metrics = Metrics()
    for ms in range(1, 101):
        metrics.record_decision_latency_ms(ms)
    assert 99 <= metrics.p99_decision_latency_ms() <= 99 * (1 + 1 / 128)
    assert 50 <= metrics.p50_decision_latency_ms() <= 50 * (1 + 1 / 128)
