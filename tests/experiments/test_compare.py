"""Paired experiments: what common noise saves, and that it is said."""

from __future__ import annotations

import numpy as np
import pytest

from lablib.errors import ConfigError, LabError
from lablib.experiments.compare import compare
from lablib.run import run

ENTRY = "latency.order_entry_ms"

# validation §5.2, row B: prices to a hundredth of a basis point, independent looks, exit a lag later.
CLOSED_FORM = {
    "external.interval_ms": 1,
    "external.volatility_bps": 0.05 * 1_000**0.5,
    "venue.tick_size": 1e-4,
    "venue.fee_bps": 0,
    "latency.market_lag_ms": 100,
    "strategy.threshold": 1e-4,
    "strategy.decision_interval_ms": 500,
    "strategy.exit": "time",
    "strategy.exit_after_ms": 100,
}


def test_differences_are_those_of_the_runs_market_by_market():
    base = {"external.volatility_bps": 80}
    result = compare(base, {ENTRY: [0, 60]}, seeds=[3, 1, 4], until="5s")
    pnl = np.array(
        [
            [run({**base, ENTRY: ms}, seed=s, until="5s").summary()["pnl"] for s in (3, 1, 4)]
            for ms in (0, 60)
        ]
    )
    np.testing.assert_allclose(result.runs["pnl"], pnl)
    row = result.table()[1]
    difference = pnl[1] - pnl[0]
    assert row["difference"] == pytest.approx(difference.mean())
    # Student's 95 % point for two degrees of freedom, from a printed table
    reach = 4.3027 * difference.std(ddof=1) / 3**0.5
    assert row["high"] - row["difference"] == pytest.approx(reach, rel=1e-4)
    assert row["difference"] - row["low"] == pytest.approx(reach, rel=1e-4)
    assert row["correlation"] == pytest.approx(np.corrcoef(pnl)[0, 1])
    ratio = pnl.var(axis=1, ddof=1).sum() / difference.var(ddof=1)
    assert row["variance_ratio"] == pytest.approx(ratio)
    assert row["unpaired_runs"] == pytest.approx(3 * ratio)


@pytest.mark.compiled
def test_20_against_25_ms_needs_five_times_fewer_runs_than_on_separate_markets():
    result = compare(CLOSED_FORM, {ENTRY: [20, 25]}, seeds=24, until="3min")
    row = result.table()[1]
    assert row["unpaired_runs"] >= 5 * 24
    assert row["correlation"] > 0.9
    assert row["high"] < 0
    text = str(result)
    assert "24 markets of 180 s" in text
    assert f"{row['unpaired_runs']:,.0f} runs of each instead of 24" in text


# validation §10: order latencies (ms), mean difference (bps), its variance on common and on separate
# markets (bps²), whose ratios are 10.15, 2.11 and 1.41.
PAIRS = [
    (20, 25, -0.05933, 0.011946, 0.121230),
    (0, 20, -0.23732, 0.041143, 0.086854),
    (20, 80, -0.71196, 0.070285, 0.099427),
]


@pytest.mark.compiled
@pytest.mark.parametrize(("first", "later", "mean", "common", "separate"), PAIRS)
def test_trade_by_trade_common_noise_saves_what_theory_says(first, later, mean, common, separate):
    def edges(ms):
        # The exit leaves in time to be matched a lag after the decision, but not before we hold anything.
        changes = {ENTRY: ms, "strategy.exit_after_ms": max(100 - ms, ms)}
        fills = run({**CLOSED_FORM, **changes}, seed=5, until="2.5h").fills
        entry, out = fills[: fills.size // 2 * 2].reshape(-1, 2).T
        return 1e4 * entry["side"] * np.log(out["price_px"] / entry["price_px"])

    one, other = edges(first), edges(later)
    assert one.size == other.size > 750
    difference = other - one
    late = 0.05**2 * max(
        2 * later - 100, 0
    )  # what the market does while the later exit is under way
    assert abs(difference.mean() - mean) <= 4 * difference.std(ddof=1) / difference.size**0.5
    for sample, expected in (
        ([difference], common + late),
        ([one, other], separate + late),
    ):
        squares = [np.square(values - values.mean()) for values in sample]
        found = sum(each.mean() for each in squares)
        error = sum(each.var() / each.size for each in squares) ** 0.5
        assert abs(found - expected) <= 4 * error
        assert error < 0.1 * found


def test_settings_that_do_not_differ_in_effect_have_no_ratio():
    result = compare({}, {"risk.daily_loss_cap_pct": [0.5, 0.6]}, seeds=2, until="2s")
    row = result.table()[1]
    assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)
    assert "do not differ" in str(result)


def test_several_fields_and_other_measures():
    result = compare({}, {ENTRY: [0, 9], "strategy.exit": ["close", "never"]}, seeds=2, until="2s")
    assert list(result.to_pandas("fills").columns[:3]) == [ENTRY, "strategy.exit", "mean"]
    assert "order_entry_ms 9, exit never" in str(result)
    with pytest.raises(ConfigError, match="measure: one of pnl"):
        result.table("beauty")


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ConfigError, match="two markets at least"):
        compare({}, {ENTRY: [1, 2]}, seeds=1)
    with pytest.raises(ConfigError, match="confidence: between 0 and 1, got 95"):
        compare({}, {ENTRY: [1, 2]}, confidence=95)
    with pytest.raises(LabError, match="makers quote in a real book"):
        compare({}, {"venue.model": ["delayed_copy", "makers"]}, seeds=2, until="1s")
