"""The laws of the external price: each against its formula, within four standard errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lablib.config import SimConfig
from lablib.errors import ConfigError
from lablib.kernels import price
from lablib.kernels import tables as t
from lablib.tape import noise
from lablib.tape.synthetic import SyntheticTape

SEED = 11
LAWS = ("gbm", "bachelier", "mean_reversion", "jumps")
BLOCKS = 2


def params_of(model: str, **changes: Any) -> Any:
    fields = {f"external.{name.replace('__', '.')}": value for name, value in changes.items()}
    return SimConfig().replace({"external.model": model, **fields}).to_record().external


def after(tape: SyntheticTape, params: Any, at: Any) -> np.ndarray:
    """The ticks that follow `at`, an EXTERNAL_STATE."""
    whole, state = np.zeros(1, t.PARAMS)[0], np.zeros(1, t.STATE)[0]
    whole.external, state.external = params, at
    return tape.events_after(whole, state)


def path(params: Any, blocks: int = BLOCKS, start: float | None = None) -> np.ndarray:
    """Prices in ticks, the start included."""
    at: Any = np.zeros(1, t.EXTERNAL_STATE)[0]
    at.px = params.start_ticks if start is None else start
    at.regime = t.NORMAL
    tape = SyntheticTape(SEED)
    marks = [np.array([at.px])]
    for _ in range(blocks):
        events = after(tape, params, at)
        at.px, at.index = events["mark"][-1], events["ticks"][-1]
        at.regime = events["lots"][-1]
        marks.append(events["mark"])
    return np.concatenate(marks)


def drawn(blocks: int = BLOCKS) -> np.ndarray:
    return np.concatenate([noise.normals(SEED, noise.PRICE, k) for k in range(blocks)])


def close(sample: np.ndarray, target: float) -> bool:
    """Whether a sample's mean is within four of its standard errors of `target`."""
    error = sample.std(ddof=1) / math.sqrt(sample.size)
    return abs(sample.mean() - target) <= 4 * error


def test_geometric_steps_are_sigma_times_the_normals_drawn():
    steps = np.diff(np.log(path(params_of("gbm"))))
    np.testing.assert_allclose(steps, 44.72e-4 * 0.05**0.5 * drawn(), rtol=0, atol=1e-12)


def test_arithmetic_steps_have_the_stated_spread_whatever_the_price():
    params = params_of("bachelier", volatility_px=0.3)
    prices = path(params, start=3 * params.start_ticks)
    steps = np.diff(prices) * 0.01  # currency
    assert close(steps, 0.0)
    assert close(steps**2, 0.3**2 * 0.05)
    np.testing.assert_allclose(steps, 0.3 * 0.05**0.5 * drawn(), rtol=0, atol=1e-9)


def test_an_arithmetic_price_never_falls_to_zero_and_comes_back():
    prices = path(params_of("bachelier", volatility_px=400.0))
    lowest = prices.min()
    assert 0 < lowest < 1e-9
    assert prices[np.argmin(prices) :].max() > 1_000


@pytest.mark.parametrize("interval_ms", [10.0, 2_000.0])
def test_mean_reversion_is_exact_at_any_interval(interval_ms: float):
    half_life, sigma = 1.5, 44.72e-4
    params = params_of("mean_reversion", half_life_s=half_life, interval_ms=interval_ms)
    x = np.log(path(params, 4) / params.start_ticks)
    rate, seconds = math.log(2) / half_life, interval_ms / 1_000
    decay = math.exp(-rate * seconds)
    innovation = x[1:] - decay * x[:-1]
    assert close(innovation, 0.0)
    assert close(innovation**2, sigma**2 * (1 - decay**2) / (2 * rate))
    assert close(innovation * x[:-1], 0.0)


def test_mean_reversion_has_its_stationary_spread():
    half_life, sigma = 1.0, 44.72e-4
    params = params_of("mean_reversion", half_life_s=half_life, interval_ms=20_000.0)
    x = np.log(path(params, 4) / params.start_ticks)[5:]  # twenty half-lives apart: independent
    assert close(x**2, sigma**2 * half_life / (2 * math.log(2)))


def test_the_distance_from_the_start_halves_in_a_half_life():
    params = params_of("mean_reversion", half_life_s=2.0, volatility_bps=0.0, interval_ms=50.0)
    x = np.log(path(params, 1, start=2 * params.start_ticks) / params.start_ticks)
    assert x[40] == pytest.approx(math.log(2) / 2, rel=1e-9)
    assert x[80] == pytest.approx(math.log(2) / 4, rel=1e-9)


def jump_moments(params: Any, seconds: float, per_hour: float) -> tuple[np.ndarray, float]:
    steps = np.diff(np.log(path(params, 16)))
    return steps, per_hour / 3_600 * seconds


def test_normal_jumps_add_their_mean_and_variance():
    params = params_of(
        "jumps",
        volatility_bps=10.0,
        jumps__per_hour=20_000,
        jumps__mean_bps=3.0,
        jumps__sd_bps=20.0,
    )
    steps, expected = jump_moments(params, 0.05, 20_000)
    assert close(steps, expected * 3e-4)
    second = expected * (3e-4**2 + 20e-4**2)
    assert close((steps - expected * 3e-4) ** 2, 10e-4**2 * 0.05 + second)
    fourth = expected * (3e-4**4 + 6 * 3e-4**2 * 20e-4**2 + 3 * 20e-4**4)  # cumulant: E of J^4
    spread = (steps - expected * 3e-4) ** 4 - 3 * (10e-4**2 * 0.05 + second) ** 2
    assert close(spread, fourth)


def test_double_exponential_jumps_go_up_and_down_as_stated():
    params = params_of(
        "jumps",
        volatility_bps=0.0,
        jumps__law="double_exponential",
        jumps__per_hour=1_000,
        jumps__up_share=0.3,
        jumps__up_bps=25.0,
        jumps__down_bps=10.0,
    )
    steps, expected = jump_moments(params, 0.05, 1_000)
    assert close((steps != 0).astype(float), 1 - math.exp(-expected))
    mean = 0.3 * 25e-4 - 0.7 * 10e-4
    second = 2 * (0.3 * 25e-4**2 + 0.7 * 10e-4**2)
    assert close(steps, expected * mean)
    assert close((steps - expected * mean) ** 2, expected * second)
    ups = (steps[steps != 0] > 0).astype(float)  # a tick with two jumps is rare here
    assert close(ups, 0.3)


def test_jumps_in_an_interval_are_poisson():
    params = params_of("jumps", jumps__per_hour=36_000)
    u = (np.arange(20_000) + 0.5) / 20_000
    counts = np.array([price.jump_count(params, float(v)) for v in u])
    for n in range(5):
        chance = math.exp(-0.5) * 0.5**n / math.factorial(n)
        assert np.mean(counts == n) == pytest.approx(chance, abs=1e-4)
    assert price.jump_count(params, 1 - 2.0**-53) == t.N_JUMPS


def test_a_jumps_size_is_finite_at_either_end():
    for law in ("normal", "double_exponential"):
        params = params_of("jumps", jumps__law=law)
        low, high = price.jump_size(params, 0.0), price.jump_size(params, 1 - 2.0**-53)
        assert -1 < low < 0 < high < 1


def test_switching_jumps_on_moves_no_other_draw():
    quiet = np.diff(np.log(path(params_of("gbm"))))
    jumpy = np.diff(np.log(path(params_of("jumps", jumps__per_hour=2_000))))
    same = np.abs(quiet - jumpy) < 1e-12
    expected = 2_000 / 3_600 * 0.05
    assert close((~same).astype(float), 1 - math.exp(-expected))


@pytest.mark.parametrize("model", LAWS)
def test_a_burst_multiplies_the_volatility_under_every_law(model: str):
    calm = {"jumps__per_hour": 0.0, "half_life_s": 1e7}
    plain = path(params_of(model, **calm), 1)
    burst = {"burst__enabled": True, "burst__start_s": 10.0, "burst__duration_s": 5.0}
    loud = path(params_of(model, **calm, **burst), 1)
    change = np.diff if model == "bachelier" else lambda prices: np.diff(np.log(prices))
    ratio = change(loud) / change(plain)
    np.testing.assert_allclose(ratio[:199], 1.0, rtol=1e-6)
    np.testing.assert_allclose(ratio[199:299], 4.0, rtol=1e-3)
    np.testing.assert_allclose(ratio[299:], 1.0, rtol=2e-2)


@pytest.mark.parametrize("model", LAWS)
def test_regimes_multiply_the_volatility_under_every_law(model: str):
    regimes = {"regimes__enabled": True, "regimes__mean_stay_s": 5.0}
    params = params_of(model, jumps__per_hour=0.0, half_life_s=1e7, **regimes)
    at: Any = np.zeros(1, t.EXTERNAL_STATE)[0]
    at.px, at.regime = params.start_ticks, t.NORMAL
    events = after(SyntheticTape(SEED), params, at)
    prices = np.concatenate(([at.px], events["mark"]))
    moves = np.diff(prices) if model == "bachelier" else np.diff(np.log(prices))
    sigmas = np.array([0.5, 1.0, 2.5])[events["lots"]] * params.sigma
    assert set(events["lots"]) == {t.CALM, t.NORMAL, t.VOLATILE}
    np.testing.assert_allclose(moves, sigmas * drawn(1), rtol=0, atol=2e-5 * params.sigma)


@pytest.mark.parametrize("model", LAWS)
def test_a_path_can_be_taken_up_at_any_tick(model: str):
    params = params_of(model, regimes__enabled=True, jumps__per_hour=9_000)
    at: Any = np.zeros(1, t.EXTERNAL_STATE)[0]
    at.px, at.regime = params.start_ticks, t.NORMAL
    whole = after(SyntheticTape(SEED), params, at)
    at.px, at.index, at.regime = whole["mark"][999], 1_000, whole["lots"][999]
    assert np.array_equal(after(SyntheticTape(SEED), params, at), whole[1_000:])


def test_more_jumps_than_an_interval_holds_are_refused():
    with pytest.raises(ConfigError, match=r"external\.jumps\.per_hour: 90000"):
        SimConfig().replace({"external.model": "jumps", "external.jumps.per_hour": 90_000})
