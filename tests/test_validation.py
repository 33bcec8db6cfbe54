"""Closed forms the engine has to reproduce, configured and not special-cased.

The delayed copy of a geometric Brownian motion: the divergence is the move of the last L ms, so
its tail, the mean edge of a trade d ms later and the copy's correlation with its original are known.
Tolerance everywhere: four standard errors, taken from the run itself, at a fixed seed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import pytest
from strategies import PLAIN

from lablib.run import Run, run

pytestmark = [
    pytest.mark.compiled,
    pytest.mark.skipif(PLAIN, reason="hours in plain Python"),
]
NORMAL = NormalDist()
SEED = 11


class Row(NamedTuple):
    """Volatility in bps per square root of a millisecond, lag and latency in ms, threshold in bps;
    then what theory says: P(trigger), mean edge and its standard deviation in bps."""

    sigma: float
    lag: float
    threshold: float
    latency: float
    p: float
    edge: float
    sd: float


ROWS = {
    "A": Row(0.05, 100, 0.5, 20, 0.31731, 0.6101, 0.2681),
    "B": Row(0.05, 100, 1.0, 20, 0.04550, 0.9493, 0.2414),
    "C": Row(0.05, 100, 1.0, 50, 0.04550, 0.5933, 0.2639),
    "D": Row(0.05, 100, 1.0, 90, 0.04550, 0.1187, 0.1509),
    "F": Row(0.10, 50, 1.0, 10, 0.15730, 1.0556, 0.3608),
    "G": Row(0.10, 50, 1.5, 25, 0.03389, 0.8772, 0.3720),
    "H": Row(0.02, 250, 0.5, 50, 0.11385, 0.5080, 0.1586),
    "I": Row(0.20, 20, 2.0, 5, 0.02535, 1.7333, 0.4423),
    "M": Row(0.30, 200, 8.0, 60, 0.05935, 6.7484, 2.2023),
}


def market(sigma: float, **changes: Any) -> dict[str, Any]:
    """A fine grid: 1 ms ticks, prices to a hundredth of a basis point, no costs."""
    return {
        "external.interval_ms": 1,
        "external.volatility_bps": sigma * 1_000**0.5,
        "venue.tick_size": 1e-4,
        "venue.fee_bps": 0,
        **{name.replace("__", "."): value for name, value in changes.items()},
    }


class Outcome(NamedTuple):
    looks: int
    triggers: int
    edges: np.ndarray  # gross, bps


def measure(row: Row, seconds: float, seed: int, closing: str = "time") -> Outcome:
    """One stretch of a row: polled looks, five lags apart; exit a lag after the decision, unless told."""
    config = market(
        row.sigma,
        latency__market_lag_ms=row.lag,
        latency__order_entry_ms=row.latency,
        strategy__threshold=row.threshold * 1e-4,
        strategy__decision_interval_ms=5 * row.lag,
        strategy__exit=closing,
        strategy__exit_after_ms=row.lag,
    )
    done = run(config, seed=seed, until=seconds)
    fills = done.fills
    entries, exits = fills[fills["is_exit"] == 0], fills[fills["is_exit"] == 1]
    entries = entries[: exits.size]
    assert (exits["side"] == -entries["side"]).all()
    assert (exits["lots"] == entries["lots"]).all()
    edges = 1e4 * entries["side"] * np.log(exits["price_px"] / entries["price_px"])
    action = done.samples["action"]
    return Outcome(action.size, int(np.count_nonzero(action)), edges)


@cache
def outcome(name: str, triggers: int) -> Outcome:
    """A row with at least so many triggers, in stretches of two threads: the kernels let go of the GIL."""
    row = ROWS[name]
    stretches = 4
    looks = triggers / row.p * (1 + 4 / triggers**0.5) / stretches
    with ThreadPoolExecutor(2) as pool:
        parts = list(
            pool.map(
                lambda k: measure(row, looks * 5 * row.lag / 1_000, SEED + k), range(stretches)
            )
        )
    return Outcome(
        sum(part.looks for part in parts),
        sum(part.triggers for part in parts),
        np.concatenate([part.edges for part in parts]),
    )


SAMPLES = [
    pytest.param(3_000, id="3000"),
    pytest.param(20_000, id="20000", marks=pytest.mark.full),
]


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("triggers", SAMPLES)
def test_a_divergence_exceeds_its_threshold_as_often_as_theory_says(name, triggers):
    row, seen = ROWS[name], outcome(name, triggers)
    p = 2 * (1 - NORMAL.cdf(row.threshold / (row.sigma * row.lag**0.5)))
    assert p == pytest.approx(row.p, abs=5e-6)
    share = seen.triggers / seen.looks
    error = (share * (1 - share) / seen.looks) ** 0.5
    assert seen.triggers >= triggers
    assert abs(share - p) <= 4 * error


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("triggers", SAMPLES)
def test_an_order_earns_what_the_copy_has_not_yet_given_back(name, triggers):
    row, edges = ROWS[name], outcome(name, triggers).edges
    s = row.sigma * row.lag**0.5
    z = row.threshold / s
    h = NORMAL.pdf(z) / (1 - NORMAL.cdf(z))
    edge = (1 - row.latency / row.lag) * s * h
    assert edge == pytest.approx(row.edge, abs=5e-5)
    assert edges.size >= triggers
    error = edges.std(ddof=1) / edges.size**0.5
    assert abs(edges.mean() - edge) <= 4 * error


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("triggers", SAMPLES)
def test_the_edge_spreads_as_theory_says(name, triggers):
    """The table's exit trades L after the decision; ours is decided then, and d ms on its way."""
    row, edges = ROWS[name], outcome(name, triggers).edges
    s = row.sigma * row.lag**0.5
    z, kept = row.threshold / s, 1 - row.latency / row.lag
    h = NORMAL.pdf(z) / (1 - NORMAL.cdf(z))
    sd = (kept**2 * s**2 * (1 + z * h - h**2) + row.sigma**2 * row.latency * kept) ** 0.5
    assert sd == pytest.approx(row.sd, abs=5e-5)
    sd = (sd**2 + row.sigma**2 * row.latency) ** 0.5
    # The standard error of a standard deviation, by the delta method from the fourth moment.
    deviation = edges - edges.mean()
    variance = deviation.var()
    error = (((deviation**4).mean() - variance**2) / edges.size) ** 0.5 / (2 * variance**0.5)
    assert abs(variance**0.5 - sd) <= 4 * error


# ------------------------------------------------------------------------- the copy and its original
LAG = 20  # ms


# ------------------------------------------------------ exits when the divergence closes (§5.8), n = 100
# Threshold and order latency as shares of sd and lag; the mean edge in sd, its standard error 0.005.
CLOSES = {
    (1, 0.0): 1.6085,
    (1, 0.1): 1.5477,
    (1, 0.2): 1.4781,
    (1, 0.5): 1.2220,
    (1, 0.8): 0.5748,
    (2, 0.0): 2.4678,
    (2, 0.2): 2.2050,
    (2, 0.5): 1.6607,
}


@pytest.mark.parametrize("trips", [1_000, pytest.param(20_000, marks=pytest.mark.full)])
@pytest.mark.parametrize(("z", "late"), CLOSES)
def test_waiting_for_the_divergence_to_close_earns_more_than_a_fixed_time(z, late, trips):
    sd = 0.05 * 100**0.5  # bps
    row = Row(0.05, 100, z * sd, late * 100, 2 * NORMAL.cdf(-z), 0, 0)
    looks = trips / row.p
    with ThreadPoolExecutor(2) as pool:
        stretches = pool.map(lambda k: measure(row, looks / 4, SEED + k, "close"), range(4))
        edges = np.concatenate([part.edges for part in stretches]) / sd
    assert edges.size > 0.8 * trips
    error = np.hypot(edges.std() / edges.size**0.5, 0.005)
    assert abs(edges.mean() - CLOSES[z, late]) <= 4 * error


@cache
def copied() -> tuple[np.ndarray, np.ndarray]:
    """Log prices of the external market and of its copy, a row a millisecond."""
    config = market(
        0.5,
        latency__market_lag_ms=LAG,
        strategy__name="idle",
        strategy__decision_interval_ms=1,
    )
    samples = run(config, seed=SEED, until="400s").samples
    return np.log(samples["external_px"]), np.log(samples["market_px"])


@pytest.mark.parametrize("horizon", [10, 19, 20, 21, 25, 40, 100, 400, 2_000])
def test_the_copy_s_correlation_breaks_down_below_the_lag(horizon):
    """corr(x(t) - x(t-h), m(t) - m(t-h)) = (1 - L/h)+ over moves that do not overlap."""
    external, venue = (np.diff(path[LAG::horizon]) for path in copied())
    found = np.corrcoef(external, venue)[0, 1]
    expected = max(0.0, 1 - LAG / horizon)
    error = (1 - found**2) / external.size**0.5
    assert abs(found - expected) <= 4 * error


def test_at_the_lag_the_copy_is_the_original():
    external, venue = copied()
    rounding = 0.5e-4 / 100  # half a tick of a price near 100
    assert abs(venue[LAG:] - external[:-LAG]).max() <= 1.05 * rounding * 100 / np.exp(venue.min())


def test_the_external_price_is_a_driftless_gaussian_walk_of_the_volatility_asked_for():
    external, _ = copied()
    moves = np.diff(external) * 1e4
    error = moves.std() / moves.size**0.5
    assert abs(moves.mean()) <= 4 * error
    assert abs(moves.var() / 0.5**2 - 1) <= 4 * (2 / moves.size) ** 0.5
    kurtosis = (moves**4).mean() / moves.var() ** 2
    assert abs(kurtosis - 3) <= 4 * (24 / moves.size) ** 0.5
    assert abs(np.corrcoef(moves[1:], moves[:-1])[0, 1]) <= 4 / moves.size**0.5


# ------------------------------------------------------------------------------------- known answers
def classroom(**changes: Any) -> Run:
    return run(
        {name.replace("__", "."): v for name, v in changes.items()}, seed=SEED, until="10min"
    )


def test_without_lag_and_latency_there_is_nothing_to_earn():
    done = classroom(latency__market_lag_ms=0, strategy__threshold=0.0001)
    assert done.orders.size == 0
    assert done.last.equity == pytest.approx(100_000, abs=done.config.unit_value)


def test_a_threshold_nobody_reaches_trades_nothing():
    assert classroom(strategy__threshold=1.0).orders.size == 0


def test_without_a_threshold_every_look_has_an_opinion():
    samples = classroom(strategy__threshold=0.0).samples
    assert np.count_nonzero(samples["action"]) >= 0.99 * samples.size
    assert (samples["action"] == np.sign(samples["divergence"])).all()


def test_an_order_as_slow_as_the_copy_trades_at_the_price_it_was_decided_on():
    """d = L: the venue shows x(t) just when we arrive, in that very instant and not a tick later."""
    done = classroom(latency__order_entry_ms=120, venue__tick_size=1e-4)
    samples, orders, fills = done.samples, done.orders, done.fills
    seen = samples["external_px"][np.searchsorted(samples["t_ns"], orders["looked_at"])]
    entries = fills[(fills["is_exit"] == 0) & (fills["order_id"] <= orders["order_id"][-1])]
    assert entries.size > 100
    assert abs(entries["price_px"] - seen[entries["order_id"] - 1]).max() <= 0.51e-4


def test_fees_and_rebates_move_the_result_by_exactly_what_was_traded():
    free, dear, paid = (
        classroom(venue__fee_bps=bps, risk__max_position_pct=0.001) for bps in (0, 4, -4)
    )
    assert free.last.fees == 0
    for done, bps in ((dear, 4), (paid, -4)):
        value = (
            (done.fills["lots"] * done.fills["price_ticks"]).sum() * done.config.unit_value * 1_024
        )
        assert done.last.fees == pytest.approx(value * bps / 1e4, abs=1e-4 * done.fills.size)
        assert done.last.equity == pytest.approx(
            100_000 + done.last.realized_pnl + done.last.unrealized_pnl - done.last.fees, abs=1e-6
        )


def test_the_halting_preset_halts_on_more_than_three_days_in_ten():
    halted = days = 0
    for seed in range(10):
        done = run("late_brakes", seed=seed, until="2h")
        day = int(done.config.to_record().risk.day_ns)
        days += done.last.t_ns // day
        halted += np.unique(done.risk_events["t_ns"] // day).size
        assert (done.risk_events["value"] >= done.risk_events["limit"]).all()
        assert done.last.overshoot > 0
    assert days == 120
    assert halted / days > 0.3
