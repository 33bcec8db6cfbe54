"""What a look asks for: the signal, the size, our own estimate of the regime, entries and exits."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import PLAIN

from lablib.config import SimConfig
from lablib.kernels import tables as t
from lablib.kernels.account import open_account
from lablib.kernels.strategy import (
    divergence_of,
    may_enter,
    observe,
    signal,
    size_of,
    wants_exit,
)
from lablib.run import run

HALF = t.MONEY // 2


def zero(dtype: np.dtype) -> Any:
    return np.zeros(1, dtype)[0]


def saw(external: float, bid: int, ask: int) -> Any:
    seen = zero(t.SEEN)
    seen.external_px, seen.bid, seen.ask, seen.regime = external, bid, ask, t.NORMAL
    return seen


# ------------------------------------------------------------------------------------------ the signal
def test_the_divergence_is_the_external_price_over_the_mid_less_one():
    assert divergence_of(saw(101.0, 99, 101)) == 0.01
    assert divergence_of(saw(99.0, 100, 100)) == -0.01
    assert divergence_of(saw(100.5, 100, 101)) == 0.0


@pytest.mark.parametrize("touch", [(t.NO_BID, 100), (100, t.NO_ASK), (t.NO_BID, t.NO_ASK)])
def test_half_a_quote_says_nothing(touch):
    assert divergence_of(saw(123.0, *touch)) == 0.0


@given(divergence=st.floats(-1, 1), threshold=st.floats(0, 1))
def test_the_signal_needs_more_than_its_threshold(divergence, threshold):
    assert signal(divergence, threshold) == (divergence > threshold) - (divergence < -threshold)


def test_at_the_threshold_it_holds():
    assert [signal(d, 0.003) for d in (0.003, -0.003, 0.0030001, -0.0030001)] == [0, 0, 1, -1]


# -------------------------------------------------------------------------------------------- the size
@given(
    equity=st.integers(1, 1 << 50),
    share=st.sampled_from([0.005, 0.01, 0.3, 1.0, 7.0]),
    mark=st.integers(2, 1 << 30),
    multiple=st.sampled_from([1.0, 10.0]),
    regime=st.sampled_from([t.CALM, t.NORMAL, t.VOLATILE]),
)
def test_an_entry_is_its_share_of_equity_rounded_down_to_lots(
    equity, share, mark, multiple, regime
):
    params = (
        SimConfig()
        .replace({"risk.max_position_pct": share, "drills.size_multiple": multiple})
        .to_record()
    )
    desk, seen = zero(t.DESK), zero(t.SEEN)
    open_account(desk.account, equity, mark)
    seen.regime = regime
    exact = Fraction(equity) * Fraction(share) * Fraction(multiple) / (mark * HALF)
    if regime == t.VOLATILE:
        exact /= 2
    lots = size_of(seen, desk, params)
    assert lots <= 1 << 30
    if exact < 1 << 30:
        assert lots <= exact * (1 + Fraction(1, 1 << 50)) < (lots + 1) * (1 + Fraction(1, 1 << 50))


def test_less_than_a_lot_is_none_and_a_debt_buys_nothing():
    params = SimConfig().to_record()
    desk = zero(t.DESK)
    for equity in (0, -(1 << 40), 199 * 20_000 * HALF):
        open_account(desk.account, equity, 20_000)
        assert size_of(zero(t.SEEN), desk, params) == 0
    open_account(desk.account, 200 * 20_000 * HALF, 20_000)
    assert size_of(zero(t.SEEN), desk, params) == 1


# ------------------------------------------------------------------------------- the regime as estimated
def estimated(spells: list[tuple[float, int]]) -> list[int]:
    """The regime we believe in after spells of a volatility, so many ticks each."""
    rng, seen, px, found = np.random.default_rng(2), zero(t.SEEN), 10_000.0, []
    seen.regime = t.NORMAL
    observe(seen, px)
    for sigma, ticks in spells:
        for z in rng.standard_normal(ticks).tolist():
            px *= math.exp(sigma * z)
            observe(seen, px)
        found.append(int(seen.regime))
    return found


def test_a_change_of_volatility_is_noticed_and_in_time_believed_to_be_normal():
    spells = [(1e-3, 3_000), (4e-3, 200), (4e-3, 8_000), (1e-3, 300), (1e-3, 8_000)]
    assert estimated(spells) == [t.NORMAL, t.VOLATILE, t.NORMAL, t.CALM, t.NORMAL]


def test_the_first_ticks_are_all_normal():
    assert estimated([(1e-3, 200), (9e-3, 55)]) == [t.NORMAL, t.NORMAL]


def test_the_estimates_are_means_of_squared_returns():
    seen, px = zero(t.SEEN), 100.0
    observe(seen, px)
    moves = [0.01, -0.02, 0.005]
    for move in moves:
        px *= 1 + move
        observe(seen, px)
    mean = sum(move**2 for move in moves) / 3
    assert seen.fast_var == pytest.approx(mean, rel=1e-12)
    assert seen.slow_var == pytest.approx(mean, rel=1e-12)
    assert (seen.ticks, seen.external_px) == (4, px)


# ------------------------------------------------------------------------------------ in and out
@pytest.mark.parametrize(
    ("rule", "action", "divergence", "overdue", "leaves"),
    [
        ("opposite", -1, -0.01, 0, True),
        ("opposite", 0, -0.001, 1, False),
        ("opposite", 1, 0.01, 1, False),
        ("close", 0, 0.001, 1, False),
        ("close", 0, 0.0, 0, True),
        ("close", 0, -0.001, 0, True),
        ("time", -1, -0.01, 0, False),
        ("time", 1, 0.01, 1, True),
        ("never", -1, -0.01, 1, False),
    ],
)
@pytest.mark.parametrize("holding", [1, -1])
def test_a_position_is_left_by_its_rule(rule, action, divergence, overdue, leaves, holding):
    params = SimConfig().replace({"strategy.exit": rule}).to_record()
    strategy, desk, risk = zero(t.STRATEGY), zero(t.DESK), zero(t.RISK)
    strategy.action, strategy.divergence = action * holding, divergence * holding
    strategy.overdue = overdue
    assert wants_exit(strategy, desk, risk, params, holding) == leaves
    assert not wants_exit(strategy, desk, risk, params, 0)
    desk.exit_pending = 1  # one exit at a time
    assert not wants_exit(strategy, desk, risk, params, holding)


@pytest.mark.parametrize("flatten", [True, False])
def test_a_halt_closes_the_position_when_asked_whatever_the_rule(flatten):
    changes = {"strategy.exit": "never", "risk.flatten_on_halt": flatten}
    params = SimConfig().replace(changes).to_record()
    risk = zero(t.RISK)
    risk.halted = 1
    assert wants_exit(zero(t.STRATEGY), zero(t.DESK), risk, params, 1) == flatten


@pytest.mark.parametrize(
    ("holding", "buying", "exiting", "stack", "may"),
    [
        (0, 0, 0, False, True),
        (1, 0, 0, False, False),
        (-1, 0, 0, False, True),
        (0, 5, 0, False, False),
        (-1, 5, 5, False, True),  # the five close a short; the entry beside them flips it
        (-1, 8, 5, False, False),
        (1, 5, 0, True, True),
    ],
)
def test_a_side_is_entered_once(holding, buying, exiting, stack, may):
    params = SimConfig().replace({"strategy.stack": stack}).to_record()
    desk = zero(t.DESK)
    desk.pending_buy, desk.exit_pending = buying, exiting
    desk.exit_side = t.BUY if exiting else 0
    assert may_enter(zero(t.STRATEGY), desk, params, holding, t.BUY) == may


SECONDS = 6 if PLAIN else 300


def test_an_opposite_signal_flips_the_position():
    done = run({"strategy.threshold": 0.0005}, seed=3, until=f"{SECONDS}s")
    orders = done.orders
    on_clock = orders["looked_at"] % (50 * t.NS_PER_MS) == 0
    flips = orders[(orders["is_exit"] == 1) & on_clock]
    assert flips.size > 5
    for flip in flips:
        pair = orders[orders["created_at"] == flip["created_at"]]
        assert pair["is_exit"].tolist() == [1, 0]
        assert set(pair["side"]) == {flip["side"]}


@pytest.mark.parametrize(
    "guard", [{}, {"risk.max_orders_per_s": 1}, {"risk.price_collar_pct": 0.0015}]
)
def test_a_timed_exit_is_decided_on_time_whatever_is_refused_meanwhile(guard):
    changes = {"strategy.exit": "time", "strategy.exit_after_ms": 130, "strategy.threshold": 0.001}
    orders = run({**changes, **guard}, seed=3, until=f"{2 * SECONDS}s").orders
    refused = (orders["status"] == t.REJECTED) & (orders["received_at"] < 0)
    assert refused.any() == bool(guard)
    entries, exits = (orders[(orders["is_exit"] == k) & ~refused] for k in (0, 1))
    assert exits.size > 5
    last = np.searchsorted(entries["looked_at"], exits["looked_at"], side="right") - 1
    held = exits["looked_at"] - entries["looked_at"][last]
    assert set(held.tolist()) == {130 * t.NS_PER_MS}


def test_a_timed_exit_that_is_due_while_its_entry_is_thought_over_leaves_with_the_first_fill():
    changes = {"strategy.exit": "time", "strategy.exit_after_ms": 20, "strategy.threshold": 0.001}
    changes |= {"latency.decision_ms": 30, "latency.order_entry_ms": 1, "latency.ack_ms": 1}
    orders = run(changes, seed=3, until=f"{SECONDS}s").orders
    entries, exits = (orders[orders["is_exit"] == k] for k in (0, 1))
    assert exits.size > 5
    told = entries["filled_at"][: exits.size]
    assert (exits["looked_at"] == told).all()


def test_an_exit_at_the_close_happens_at_the_update_and_does_not_wait_for_the_clock():
    changes = {"strategy.exit": "close", "external.interval_ms": 5, "strategy.threshold": 0.001}
    orders = run(changes, seed=3, until=f"{SECONDS}s").orders
    clock = 50 * t.NS_PER_MS
    entries, exits = (orders[orders["is_exit"] == k] for k in (0, 1))
    assert (entries["looked_at"] % clock == 0).all()
    assert exits.size > 5
    assert (exits["looked_at"] % clock != 0).any()


def test_without_a_clock_every_update_is_a_decision():
    changes = {"strategy.decision_interval_ms": 0, "external.interval_ms": 5}
    done = run({**changes, "strategy.name": "idle"}, seed=3, until="2s")
    ticks = set(range(5, 2_001, 5))
    lagged = {tick + 120 for tick in ticks}
    at = {int(ns) / t.NS_PER_MS for ns in done.samples["t_ns"]}
    assert ticks <= at <= ticks | lagged
    assert done.samples.size == done.last.decisions


def test_volatile_times_halve_the_size():
    """Sized by our own estimate: every entry is a share of equity, whole or half."""
    changes = {
        "external.burst.enabled": True,
        "external.burst.start_s": 20,
        "external.burst.duration_s": 5,
        "strategy.threshold": 0.0001,
        "venue.fee_bps": 0,
    }
    done = run(changes, seed=3, until="25s")
    orders, samples = done.orders, done.samples
    entries = orders[orders["is_exit"] == 0]
    at = np.searchsorted(samples["t_ns"], entries["looked_at"])
    whole = entries["lots"] * samples["market_px"][at] * done.config.venue.lot_size
    share = whole / (samples["equity"][at] * done.config.risk.max_position_pct)
    volatile = samples["regime"][at] == t.VOLATILE
    assert volatile.any()
    assert share[volatile] == pytest.approx(0.5, rel=2e-3)
    assert share[~volatile] == pytest.approx(1.0, rel=2e-3)
