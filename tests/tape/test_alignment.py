"""Clock and basis of two recordings: known lines are found, and the basis hears no fresh news."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.tape.alignment import STEP_NS, fit_clock, measure_basis, trailing_median

SECOND = 1_000_000_000


def delayed(offset_s: float, drift: float, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Messages over five minutes whose delays are exponential above a known line."""
    random = np.random.default_rng(seed)
    event = np.sort(random.integers(0, 300 * SECOND, 20_000)) + 10**18
    delay = offset_s * SECOND + drift * (event - event[0]) + random.exponential(2e6, len(event))
    return event + delay.astype(np.int64), event


@pytest.mark.parametrize(("offset_s", "drift"), [(-1.27, -5e-6), (0.002, 0.0), (0.4, 3e-5)])
def test_the_clocks_line_is_found_below_the_delays(offset_s: float, drift: float) -> None:
    clock = fit_clock(*delayed(offset_s, drift))
    assert clock["offset_s"] == pytest.approx(offset_s, abs=2e-4)
    assert clock["drift_us_per_s"] == pytest.approx(drift * 1e6, abs=0.5)
    assert clock["above_p50_ms"] == pytest.approx(2 * np.log(2), abs=0.2)


def test_negative_delays_are_counted_never_clipped() -> None:
    received, happened = delayed(-1.27, 0.0)
    clock = fit_clock(received, happened)
    assert clock["negative"] == clock["messages"] == len(received)


def test_the_clock_is_fitted_to_what_carries_a_time() -> None:
    received, happened = delayed(0.1, 0.0)
    half = happened.copy()
    half[::2] = -1
    assert fit_clock(received, half)["messages"] == len(half) // 2
    assert fit_clock(received, np.full_like(half, -1)) == {"messages": 0}


def test_the_order_of_messages_does_not_matter_to_the_clock() -> None:
    received, happened = delayed(0.1, 1e-5)
    shuffled = np.random.default_rng(1).permutation(len(received))
    assert fit_clock(received[shuffled], happened[shuffled]) == fit_clock(received, happened)


def test_one_message_gives_an_offset_and_no_drift() -> None:
    clock = fit_clock(np.array([5 * SECOND]), np.array([4 * SECOND]))
    assert (clock["offset_s"], clock["drift_us_per_s"]) == (1.0, 0.0)


@given(
    st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=40),
    st.integers(1, 12),
)
def test_a_trailing_median_is_the_median_of_what_trails(values: list[float], width: int) -> None:
    plain = [np.median(values[max(0, at + 1 - width) : at + 1]) for at in range(len(values))]
    assert trailing_median(np.array(values), width).tolist() == plain


def prices(seed: int, seconds: int = 60) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    time = np.sort(random.integers(0, seconds * SECOND, 4_000))
    return time, 100 + np.cumsum(random.normal(0, 0.01, len(time)))


def test_a_constant_premium_is_the_basis_at_once() -> None:
    time, px = prices(1)
    basis = measure_basis(time, px + 5, time, px)
    assert basis.at(time) == pytest.approx(np.full(len(time), 5.0))
    assert basis.report(0.1)["follower_minus_leader_median_px"] == pytest.approx(-0.5)
    assert basis.report(0.1)["net_over_1bp_pct"] == 0


def test_the_basis_hears_nothing_younger_than_a_second() -> None:
    (leader_ns, leader_px), (follower_ns, follower_px) = prices(1), prices(2)
    news_ns = 40 * SECOND
    moved = np.where(follower_ns >= news_ns, follower_px + 50, follower_px)
    before = measure_basis(leader_ns, leader_px, follower_ns, follower_px)
    after = measure_basis(leader_ns, leader_px, follower_ns, moved)
    deaf = np.arange(before.start_ns, news_ns + SECOND - STEP_NS, STEP_NS // 3)
    np.testing.assert_array_equal(before.at(deaf), after.at(deaf))
    assert before.at(np.array([59 * SECOND])) != after.at(np.array([59 * SECOND]))


def test_the_basis_is_the_median_of_thirty_seconds_that_ended_a_second_ago() -> None:
    (leader_ns, leader_px), (follower_ns, follower_px) = prices(1), prices(2)
    basis = measure_basis(leader_ns, leader_px, follower_ns, follower_px)
    step = 450
    now_ns = basis.start_ns + step * STEP_NS
    expected = np.median(basis.gap[step - 300 : step - 10 + 1])
    assert basis.at(np.array([now_ns, now_ns + STEP_NS - 1])).tolist() == [expected, expected]
