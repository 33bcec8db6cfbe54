"""Delays: known answers of the generator, the normal quantile, and the laws of each model."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import PLAIN

from lablib.config import SimConfig
from lablib.kernels import tables as t
from lablib.kernels.delay import delay_ns, normal_quantile, philox, uniform
from lablib.tape.noise import delay_key

MS = t.NS_PER_MS
DRAWS = 500 if PLAIN else 40_000
FULL = 0xFFFFFFFF


def params_of(model: Any, seed: int = 7) -> Any:
    params = SimConfig().replace({"latency.ack_ms": model}).to_record()
    params.key_low, params.key_high = delay_key(seed)
    return params


def drawn(model: Any, seed: int = 7, wire: int = t.ACK) -> np.ndarray:
    """Delays of many causes (ms)."""
    params = params_of(model, seed)
    return np.array([delay_ns(params, t.ACK, wire, k, 0) for k in range(DRAWS)]) / MS


# The first two words of Random123's published vectors for Philox4x32-10, of which 52 bits are used.
@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D)),
        ((FULL, FULL), (FULL, FULL, FULL, FULL), (0x408F276D, 0x41C83B0E)),
        (
            (0xA4093822, 0x299F31D0),
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xD16CFE09, 0x94FDCCEB),
        ),
    ],
)
def test_philox_gives_the_published_words(key, counter, words):
    assert philox(*key, *counter) == (words[0] << 20) | (words[1] >> 12)


def test_a_uniform_is_the_published_words_as_a_fraction():
    params = params_of(0, seed=0)
    bits = (0x6627E8D5 << 20) | (0xE169C58D >> 12)
    assert uniform(params, 0, 0, 0) == (bits + 0.5) / 2**52


@given(
    seed=st.integers(0, 2**64 - 1),
    wire=st.integers(0, 40),
    cause=st.integers(0, 2**62),
    number=st.integers(0, 2**32 - 1),
)
def test_a_uniform_lies_inside_the_unit_interval_and_depends_on_all_of_its_key(
    seed, wire, cause, number
):
    params = params_of(0, seed)
    u = uniform(params, wire, cause, number)
    assert 0 < u < 1
    assert u == uniform(params, wire, cause, number)
    others = [(wire + 1, cause, number), (wire, cause + 1, number), (wire, cause, number + 1)]
    others.append((wire, cause + (1 << 32), number))
    assert u not in {uniform(params, *key) for key in others}
    for other in ((seed + 1) % 2**64, (seed + (1 << 32)) % 2**64):
        assert u != uniform(params_of(0, other), wire, cause, number)


def test_uniforms_are_uniform_and_of_no_memory():
    params = params_of(0)
    us = np.array([uniform(params, t.ACK, cause, 0) for cause in range(DRAWS)])
    spread = 4 / DRAWS**0.5
    assert abs(us.mean() - 0.5) < spread * 12**-0.5
    assert abs(us.var() - 1 / 12) < spread * 180**-0.5
    assert abs(np.corrcoef(us[1:], us[:-1])[0, 1]) < spread
    counts = np.histogram(us, 20, (0, 1))[0]
    assert (
        (counts - DRAWS / 20) ** 2 / (DRAWS / 20)
    ).sum() < 50  # chi-squared, 19 degrees: 1 in 10^4


@given(st.floats(1e-300, 1 - 1e-16, exclude_min=True))
def test_the_normal_quantile_is_the_standard_library_s(p):
    assert normal_quantile(p) == pytest.approx(NormalDist().inv_cdf(p), rel=1e-13, abs=1e-15)


@given(st.floats(1e-12, 0.5))
def test_the_normal_quantile_is_odd_and_inverts_the_cdf(p):
    z = normal_quantile(p)
    assert z <= 0
    assert NormalDist().cdf(z) == pytest.approx(p, rel=1e-9)
    if p > 1e-6:  # 1 - p keeps that many digits
        assert normal_quantile(1 - p) == pytest.approx(-z, rel=1e-9, abs=1e-12)


@given(st.floats(0, 60_000), st.integers(0, 2**62), st.integers(0, 2**31))
def test_a_constant_delay_is_constant(ms, cause, number):
    assert delay_ns(params_of(ms), t.ACK, t.ACK, cause, number) == round(ms * MS)


def test_uniform_jitter_fills_its_range_evenly():
    delays = drawn({"model": "uniform", "base_ms": 5, "jitter_ms": 10})
    assert 5 <= delays.min() < 5 + 100 / DRAWS
    assert 15 - 100 / DRAWS < delays.max() <= 15
    assert abs(delays.mean() - 10) < 4 * 10 / (12 * DRAWS) ** 0.5


@pytest.mark.parametrize("sigma", [0.3, 0.6, 1.0])
def test_a_lognormal_has_its_median_its_p99_and_its_mean(sigma):
    """p99 / median = exp(2.326 sigma), mean = median exp(sigma^2 / 2), all above the shift."""
    delays = drawn({"model": "lognormal", "median_ms": 3, "sigma": sigma, "shift_ms": 2}) - 2
    assert delays.min() > 0
    z = np.log(delays / 3) / sigma
    assert abs(z.mean()) < 4 / DRAWS**0.5
    assert abs(z.std() - 1) < 4 / (2 * DRAWS) ** 0.5
    for q in (0.5, 0.9, 0.99):
        exact = NormalDist().inv_cdf(q)
        error = (q * (1 - q) / DRAWS) ** 0.5 / NormalDist().pdf(exact)
        assert abs(np.quantile(z, q) - exact) < 4 * error
    assert abs(delays.mean() - 3 * math.exp(sigma**2 / 2)) < 4 * delays.std() / DRAWS**0.5


def test_spikes_come_as_often_as_asked_and_fall_off_as_a_pareto():
    model = {"model": "constant", "ms": 1, "spike_probability": 0.1}
    delays = drawn({**model, "spike_ms": 20, "spike_alpha": 2.0}) - 1
    spikes = delays[delays > 0]
    assert abs(spikes.size / DRAWS - 0.1) < 4 * (0.09 / DRAWS) ** 0.5
    assert spikes.min() >= 20
    for times in (2, 4):  # P(spike > x) = (20 / x)^2
        p = times**-2.0
        assert abs((spikes > 20 * times).mean() - p) < 4 * (p * (1 - p) / spikes.size) ** 0.5


def test_a_spike_lasts_a_day_at_most():
    model = {"model": "constant", "ms": 0, "spike_probability": 1, "spike_ms": 60_000}
    delays = drawn({**model, "spike_alpha": 1.000001})
    assert delays.min() >= 60_000
    assert delays.max() <= 86_400_000


def test_a_spike_leaves_the_rest_of_the_delay_alone():
    model = {"model": "lognormal", "median_ms": 3, "sigma": 0.5}
    quiet, loud = drawn(model), drawn({**model, "spike_probability": 0.05, "spike_ms": 500})
    hit = loud - quiet > 1
    assert 0 < hit.sum() < DRAWS // 4
    assert (loud[~hit] == quiet[~hit]).all()
    assert (loud[hit] >= quiet[hit] + 500 - 1e-6).all()


def test_two_settings_meet_the_same_luck():
    """Coupling by quantile: whoever doubles the median doubles every single delay."""
    one = drawn({"model": "lognormal", "median_ms": 3, "sigma": 0.5})
    two = drawn({"model": "lognormal", "median_ms": 6, "sigma": 0.5})
    assert two == pytest.approx(2 * one, abs=2e-6)


def test_two_wires_have_luck_of_their_own():
    model = {"model": "lognormal", "median_ms": 3, "sigma": 0.5}
    one, two = np.log(drawn(model)), np.log(drawn(model, wire=t.ORDER_ENTRY))
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / DRAWS**0.5
