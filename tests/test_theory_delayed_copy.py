"""The edge against a delayed copy, against known numbers and against simulated paths."""

from __future__ import annotations

import numpy as np
import pytest

from lablib import theory

# sigma, lag, threshold, order, cost; p, edge, sd, net, break-even; simulated p (SE), edge (SE).
ROWS = {
    "A": (.05, 100, 0.5, 20, .30, .31731, .6101, .2681, .3101, 60.66, .31786, .00038, .6106, .0004),
    "B": (.05, 100, 1.0, 20, .30, .04550, .9493, .2414, .6493, 74.72, .04566, .00017, .9492, .0009),
    "C": (.05, 100, 1.0, 50, .30, .04550, .5933, .2639, .2933, 74.72, .04566, .00017, .5929, .0010),
    "D": (.05, 100, 1.0, 90, .30, .04550, .1187, .1509, -.1813, 74.72, .04566, .00017, .1193, .0006),
    "F": (.10, 50, 1.0, 10, .50, .15730, 1.0556, .3608, .5556, 31.05, .15698, .00030, 1.0555, .0007),
    "G": (.10, 50, 1.5, 25, .50, .03389, .8772, .3720, .3772, 35.75, .03390, .00015, .8770, .0016),
    "H": (.02, 250, 0.5, 50, .20, .11385, .5080, .1586, .3080, 171.26, .11404, .00038, .5075, .0006),
    "I": (.20, 20, 2.0, 5, 1.0, .02535, 1.7333, .4423, .7333, 11.35, .02545, .00013, 1.7319, .0023),
    "M": (.30, 200, 8.0, 60, 4.0, .05935, 6.7484, 2.2023, 2.7484, 117.02, .05954, .00028, 6.7535, .0108),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_the_table_of_the_delayed_copy(row):
    sigma, lag, threshold, order, cost, *known = ROWS[row]
    p, edge, sd, net, break_even, simulated_p, se_p, simulated_edge, se_edge = known
    market = sigma, lag, threshold
    assert theory.trigger_probability(*market) == pytest.approx(p, abs=6e-6)
    assert theory.mean_edge(*market, order) == pytest.approx(edge, abs=6e-5)
    assert theory.edge_variance(*market, order) ** 0.5 == pytest.approx(sd, abs=6e-5)
    assert theory.net_edge(*market, order, cost) == pytest.approx(net, abs=6e-5)
    assert theory.break_even_latency(*market, cost) == pytest.approx(break_even, abs=6e-3)
    assert abs(theory.trigger_probability(*market) - simulated_p) < 4 * se_p
    assert abs(theory.mean_edge(*market, order) - simulated_edge) < 4 * se_edge


def trades(sigma, lag, threshold, order, a=0.0, b=0.0, extra=0.0, looks=400_000, seed=1):
    """Gross results of simulated round trips, bps, one for each look that triggers."""
    rng = np.random.default_rng(seed)
    start, fill, end, out = -b - lag, min(order - lag, 0.0), -a, extra
    times = np.unique([start, fill, end, 0.0, out])
    moves = rng.standard_normal((looks, len(times) - 1)) * sigma * np.sqrt(np.diff(times))
    x = np.concatenate([np.zeros((looks, 1)), moves.cumsum(axis=1)], axis=1)
    at = {time: x[:, i] for i, time in enumerate(times)}
    divergence = at[end] - at[start]
    traded = np.abs(divergence) > threshold
    return (np.sign(divergence) * (at[out] - at[fill]))[traded], traded.mean()


@pytest.mark.parametrize(
    "case",
    [
        {"order_ms": 0.0},
        {"order_ms": 20.0},
        {"order_ms": 20.0, "extra_hold_ms": 40.0},
        {"order_ms": 130.0},
        {"order_ms": 20.0, "external_feed_ms": 15.0},
        {"order_ms": 20.0, "venue_feed_ms": 30.0},
        {"order_ms": 30.0, "external_feed_ms": 40.0, "venue_feed_ms": 10.0},
        {"order_ms": 70.0, "external_feed_ms": 40.0, "venue_feed_ms": 10.0},
        {"order_ms": 5.0, "external_feed_ms": 120.0, "venue_feed_ms": 60.0},
    ],
    ids=str,
)
def test_simulated_paths_agree_with_feeds_and_late_orders(case):
    market = {"sigma": 0.05, "market_lag_ms": 100.0, "threshold_bps": 0.6}
    feeds = {k: case.get(k, 0.0) for k in ("external_feed_ms", "venue_feed_ms")}
    gross, share = trades(*market.values(), case["order_ms"], *feeds.values(),
                          extra=case.get("extra_hold_ms", 0.0))  # fmt: skip
    p = theory.trigger_probability(**market, **feeds)
    edge = theory.mean_edge(**market, order_ms=case["order_ms"], **feeds)
    variance = theory.edge_variance(**market, **case)
    assert abs(share - p) < 4 * (p * (1 - p) / 400_000) ** 0.5
    assert abs(gross.mean() - edge) <= 4 * (variance / len(gross)) ** 0.5
    if not case.get("extra_hold_ms"):
        # Every 500 ms a look; a look that does not trigger earns and costs nothing.
        rate = theory.net_rate(
            **market, order_ms=case["order_ms"], cost_bps=0.2, look_ms=500.0, **feeds
        )
        a_look = np.concatenate([gross - 0.2, np.zeros(400_000 - len(gross))]) / 500.0
        assert abs(a_look.mean() - rate) <= 4 * a_look.std() / 400_000**0.5
    spread = np.var(np.square(gross - edge)) ** 0.5
    assert abs(np.mean(np.square(gross - edge)) - variance) <= 4 * spread / len(gross) ** 0.5


def test_at_the_break_even_latency_the_net_edge_is_nothing():
    feeds = {"external_feed_ms": 20.0, "venue_feed_ms": 10.0}
    latency = theory.break_even_latency(0.05, 100, 1.0, 0.3, **feeds)
    assert theory.net_edge(0.05, 100, 1.0, latency, 0.3, **feeds) == pytest.approx(0, abs=1e-15)
    assert theory.net_rate(0.05, 100, 1.0, latency, 0.3, 500, **feeds) == pytest.approx(
        0, abs=1e-15
    )


def test_a_cost_above_the_whole_edge_has_no_break_even_latency():
    whole = theory.mean_edge(0.05, 100, 1.0, order_ms=0)
    assert theory.break_even_latency(0.05, 100, 1.0, cost_bps=whole) == pytest.approx(0, abs=1e-12)
    assert theory.break_even_latency(0.05, 100, 1.0, cost_bps=whole + 0.1) < 0


def test_volatilities_convert_both_ways():
    assert theory.sigma_from_annual(0.20) == pytest.approx(0.02604, abs=5e-6)
    assert theory.sigma_from_annual(0.60, 24 * 365) == pytest.approx(0.03379, abs=5e-6)
    assert theory.second_from_sigma(theory.sigma_from_second(44.72)) == pytest.approx(44.72)
    per_tick = theory.sigma_from_second(44.72) * 50**0.5
    assert per_tick == pytest.approx(10.0, abs=1e-3)  # the classroom's 10 bps per 50 ms


def test_an_exit_on_close_earns_the_overshoot_of_the_close():
    known = theory.mean_edge_on_close(0.1, 100, [1.0, 2.0, 3.0], interval_ms=1)
    np.testing.assert_allclose(known, [1.6075, 2.4556, 3.3655], atol=6e-5)
    simulated, errors = np.array([1.6085, 2.4678, 3.3728]), np.array([0.005, 0.005, 0.007])
    assert (np.abs(known - simulated) < 4 * errors).all()


HORIZONS = np.array([10, 20, 25, 40, 100, 400, 2000])


def test_the_correlation_of_a_copy_breaks_down_below_its_lag():
    law = theory.copy_correlation(HORIZONS, 20.0)
    np.testing.assert_allclose(law, [0, 0, 0.2, 0.5, 0.8, 0.95, 0.99], atol=1e-12)
    simulated = [-0.0010, -0.0009, 0.2001, 0.4996, 0.8010, 0.9494, 0.9902]
    np.testing.assert_allclose(law, simulated, atol=2e-3)


def test_a_simulated_copy_has_that_correlation():
    moves = np.random.default_rng(2).standard_normal(400_000)
    x = moves.cumsum()
    for horizon in (25, 40, 100):
        now = np.arange(horizon + 20, len(x), horizon)
        ours, copy = x[now] - x[now - horizon], x[now - 20] - x[now - 20 - horizon]
        known = theory.copy_correlation(horizon, 20)
        assert abs(np.corrcoef(ours, copy)[0, 1] - known) < 4 / len(now) ** 0.5


def test_a_random_lag_averages_the_law_of_a_fixed_one():
    lags = 50.0 * -np.log1p(-(np.arange(100_000) + 0.5) / 100_000)
    average = theory.copy_correlation(120.0, lags).mean()
    assert theory.copy_correlation_exponential(120.0, 50.0) == pytest.approx(average, abs=1e-6)


def test_the_effective_lag_undoes_the_correlation():
    assert theory.effective_lag(theory.copy_correlation(100.0, 37.0), 100.0) == pytest.approx(37)
    assert theory.effective_lag([0.2, 0.8, 0.95], [25, 100, 400]) == pytest.approx([20, 20, 20])


# order, later; difference; variance shared, independent; reduction.
PAIRS = [
    (20, 25, -0.05933, 0.011946, 0.121230, 10.15),
    (0, 20, -0.23732, 0.041143, 0.086854, 2.11),
    (20, 80, -0.71196, 0.070285, 0.099427, 1.41),
]


@pytest.mark.parametrize(("order", "later", "mean", "shared", "independent", "ratio"), PAIRS)
def test_the_table_of_paired_latencies(order, later, mean, shared, independent, ratio):
    pair = 0.05, 100, 1.0, order, later
    assert theory.paired_difference(*pair) == pytest.approx(mean, abs=6e-6)
    assert theory.paired_variance(*pair) == pytest.approx(shared, abs=6e-7)
    assert theory.unpaired_variance(*pair) == pytest.approx(independent, abs=6e-7)
    assert theory.variance_reduction(*pair) == pytest.approx(ratio, abs=6e-3)


def test_simulated_pairs_share_their_market():
    rng = np.random.default_rng(3)
    early, between, late = 0.05 * rng.standard_normal((3, 2_000_000)) * np.sqrt([[20], [5], [75]])
    divergence = early + between + late  # the fills come after 20 ms and 25 ms of the window
    traded = np.abs(divergence) > 1.0
    lost = -(np.sign(divergence) * between)[traded]
    variance = theory.paired_variance(0.05, 100, 1.0, 20, 25)
    mean = theory.paired_difference(0.05, 100, 1.0, 20, 25)
    assert abs(lost.mean() - mean) < 4 * (variance / len(lost)) ** 0.5
    assert lost.var() == pytest.approx(variance, rel=4 * (2 / len(lost)) ** 0.5)


def test_equal_latencies_pair_without_any_noise():
    assert theory.variance_reduction(0.05, 100, 1.0, 20, 20) == np.inf


@pytest.mark.parametrize("drift", [-0.8, 0.0, 0.3])
def test_the_loss_cap_is_hit_as_often_as_by_simulated_equity(drift):
    """Bridges between 25 points in time see every crossing, so that the simulation is exact."""
    rng = np.random.default_rng(4)
    dt = 4.0 / 25
    moves = drift * dt + 1.5 * dt**0.5 * rng.standard_normal((100_000, 25))
    room = 2.0 + np.concatenate([np.zeros((100_000, 1)), moves.cumsum(axis=1)], axis=1)
    room = np.maximum(room, 0.0)
    survives = -np.expm1(-2 * room[:, 1:] * room[:, :-1] / (1.5**2 * dt))
    hit = 1 - survives.prod(axis=1)
    known = theory.cap_probability(2.0, drift, 1.5, 4.0)
    assert abs(hit.mean() - known) < 4 * hit.std() / 100_000**0.5


def test_without_drift_the_cap_is_hit_twice_as_often_as_equity_ends_beyond_it():
    assert theory.cap_probability(1.0, 0.0, 1.0, 1.0) == pytest.approx(2 * 0.15865525393145707)


def test_a_steep_fall_is_certain_to_hit_and_a_steep_rise_never_does():
    assert theory.cap_probability(1.0, -1e4, 1.0, 1.0) == pytest.approx(1.0)
    assert theory.cap_probability(1.0, 1e4, 1.0, 1.0) == 0.0


def test_wald_counts_the_trades_and_siegmund_the_overshoot():
    rng = np.random.default_rng(5)
    room, count = np.full(40_000, 10.0), np.zeros(40_000)
    while (alive := room > 0).any():
        room[alive] += rng.normal(-0.1, 1.0, alive.sum())
        count[alive] += 1
    assert -room.mean() == pytest.approx(theory.normal_overshoot(1.0), abs=0.03)
    known = theory.trades_to_cap(10.0, -0.1, theory.normal_overshoot(1.0))
    assert abs(count.mean() - known) < 4 * count.std() / 200


def test_one_bp_a_trade_takes_forty_thousand_trades_to_a_cap_of_two_percent():
    assert theory.trades_to_cap(200.0, mean=-0.005) == pytest.approx(40_000)


def test_mean_edge_splits_into_the_edge_at_decision_and_the_slippage():
    at_decision = theory.mean_edge(0.05, 100, 1.0, order_ms=0)
    slippage = theory.mean_edge(0.05, 100, 1.0, order_ms=20) - at_decision
    assert slippage == pytest.approx(-0.2 * at_decision)
