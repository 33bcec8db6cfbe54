"""The Hayashi-Yoshida lead: a known lag is found, none is not invented, the slow sum agrees."""

from __future__ import annotations

import numpy as np
import pytest

from lablib.tape.leadlag import lead_lag

MS = 1_000_000
Series = tuple[np.ndarray, np.ndarray]


def pair(lag_ms: int, seed: int = 5) -> tuple[Series, Series]:
    """Two prices seen at their own random times, the second the first one `lag_ms` ago."""
    random = np.random.default_rng(seed)
    clock = np.arange(0, 120_000) * MS
    px = 100 * np.exp(np.cumsum(random.normal(0, 1e-5, len(clock))))
    one, two = (
        np.sort(random.choice(np.arange(1_000, 119_000), 6_000, replace=False)) for _ in "ab"
    )
    return (clock[one], px[one]), (clock[two], px[two - lag_ms])


@pytest.mark.parametrize("lag_ms", [-200, 0, 60, 125])
def test_a_known_lag_is_found_within_its_interval(lag_ms: int) -> None:
    (time, px), (other_time, other_px) = pair(lag_ms)
    found = lead_lag(time, px, other_time, other_px)
    assert found is not None
    assert found.peak_ms == pytest.approx(lag_ms, abs=10)
    assert found.low_ms - 5 <= lag_ms <= found.high_ms + 5
    assert found.band_low_ms <= found.peak_ms <= found.band_high_ms
    assert found.report()["rho"] > 0.8


def test_exchanging_the_two_turns_the_lag_around() -> None:
    one, two = pair(60)
    there, back = lead_lag(*one, *two), lead_lag(*two, *one)
    assert there is not None
    assert back is not None
    assert there.peak_ms == -back.peak_ms
    np.testing.assert_allclose(there.rho, back.rho[::-1], atol=1e-9)


def test_the_fast_sum_is_the_sum_over_all_overlapping_pairs() -> None:
    (time, px), (other_time, other_px) = ((t[:60], p[:60]) for t, p in pair(60))
    found = lead_lag(time, px, other_time, other_px, max_lag_ms=100, step_ms=50)
    assert found is not None
    moves, other_moves = np.diff(np.log(px)), np.diff(np.log(other_px))
    scale = np.sqrt((moves**2).sum() * (other_moves**2).sum())
    for lag_ms, rho in zip(found.lag_ms, found.rho, strict=True):
        shift = int(lag_ms) * MS
        total = 0.0
        for i in range(len(moves)):
            for j in range(len(other_moves)):
                starts = max(time[i] + shift, other_time[j])
                ends = min(time[i + 1] + shift, other_time[j + 1])
                total += moves[i] * other_moves[j] * (starts < ends)
        assert rho == pytest.approx(total / scale, abs=1e-12)


def test_repeated_prices_change_nothing() -> None:
    one, (time, px) = pair(60)
    twice = np.repeat(time, 2)
    twice[1::2] += 1
    plain, repeated = lead_lag(*one, time, px), lead_lag(*one, twice, np.repeat(px, 2))
    assert plain is not None
    assert repeated is not None
    np.testing.assert_array_equal(plain.rho, repeated.rho)


def test_the_bootstrap_is_a_function_of_its_seed() -> None:
    one, two = pair(60)
    first, again = lead_lag(*one, *two, seed=4), lead_lag(*one, *two, seed=4)
    assert first is not None
    assert again is not None
    assert first.report() == again.report()


def test_prices_that_only_oppose_each_other_still_get_an_answer() -> None:
    time = np.arange(0, 100) * 700 * MS
    px = 100 + np.arange(100.0)
    found = lead_lag(time, px, time, 300 - px)
    assert found is not None
    assert found.report()["rho"] < 0
    assert found.band_low_ms <= found.peak_ms <= found.band_high_ms


def test_a_price_that_never_changes_has_no_lead() -> None:
    (time, px), _ = pair(0)
    assert lead_lag(time, px, time, np.full_like(px, 7.0)) is None
    assert lead_lag(time[:0], px[:0], time, px) is None
