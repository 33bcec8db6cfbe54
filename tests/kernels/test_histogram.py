"""The latency histogram: what a bucket holds, and percentiles within one per cent of exact ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import PLAIN

from lablib.kernels import tables as t
from lablib.kernels.histogram import bucket_of, record, upper_edge
from lablib.metrics import UPPER_EDGES, Latency

COUNT = 500 if PLAIN else 50_000
LAWS = {
    "constant": lambda rng: np.full(COUNT, 1_234_567),
    "uniform": lambda rng: rng.uniform(0, 5e7, COUNT),
    "lognormal": lambda rng: rng.lognormal(17, 1.2, COUNT),
    "pareto": lambda rng: 1e6 * (1 + rng.pareto(1.1, COUNT)),
    "exponential of microseconds": lambda rng: rng.exponential(900, COUNT),
    "two worlds": lambda rng: np.where(rng.random(COUNT) < 0.98, 4e4, 3e9),
}


def recorded(values: np.ndarray) -> Any:
    histogram = np.zeros(1, t.HISTOGRAM)[0]
    for value in values.tolist():
        record(histogram, value)
    return histogram


@given(st.integers(0, (1 << 62) - 1))
def test_a_value_lies_in_its_bucket_which_is_narrow(value):
    bucket = bucket_of(value)
    assert 0 <= bucket < t.N_BUCKETS
    high = upper_edge(bucket)
    low = upper_edge(bucket - 1) + 1 if bucket else 0
    assert low <= value <= high
    assert high - low <= low >> t.SUB_BITS
    assert UPPER_EDGES[bucket] == high


def test_small_values_have_buckets_of_their_own():
    assert [bucket_of(value) for value in range(256)] == list(range(256))
    assert [upper_edge(bucket) for bucket in range(256)] == list(range(256))


def test_buckets_follow_one_another_without_a_gap():
    edges = [upper_edge(bucket) for bucket in range(t.N_BUCKETS)]
    assert edges == sorted(set(edges))
    assert edges == UPPER_EDGES.tolist()
    assert all(bucket_of(edge) == k for k, edge in enumerate(edges))
    assert all(bucket_of(edge + 1) == k + 1 for k, edge in enumerate(edges[:-1]))


@pytest.mark.parametrize("name", LAWS)
def test_percentiles_are_at_most_one_per_cent_off_and_never_below(name):
    values = np.rint(LAWS[name](np.random.default_rng(5))).astype(np.int64)
    histogram = recorded(values)
    view = Latency(histogram["buckets"], int(histogram["largest"]))
    ordered = np.sort(values)
    for q in (0.5, 0.9, 0.95, 0.99, 0.999):
        exact = ordered[int(np.ceil(q * COUNT)) - 1] / t.NS_PER_MS
        assert exact <= view.quantile_ms(q) <= exact * 1.01
    assert view.max_ms == ordered[-1] / t.NS_PER_MS
    assert view.count == histogram.count == COUNT


def test_a_negative_latency_counts_as_none():
    histogram = recorded(np.array([-5, 0, 3]))
    assert histogram["buckets"][:4].tolist() == [2, 0, 0, 1]
    assert (histogram.count, histogram.largest) == (3, 3)
