"""Would have filled at L − Δ: histories worked out by hand, and what must hold of every run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from markets import MS, recorded
from strategies import PLAIN

from lablib import ConfigError, SimConfig, counterfactual, run, theory
from lablib.experiments.counterfactual import _Orders, _side_by_side
from lablib.kernels import tables as t
from lablib.performance import sent

ENTRY = "latency.order_entry_ms"

# 500 lots of 0.001 at a time, 40 ms away; decisions at 0, 50, 100, … ms.
SLOW = {
    ENTRY: 40,
    "latency.market_lag_ms": 0,
    "venue.fee_bps": 0,
    "risk.max_position_pct": 0.0005,
    "strategy.threshold": 0.003,
}
# The external price jumps at 100 ms; the venue follows by 10 ticks every 10 ms, and comes back later.
JUMP = [(100, 10_050.0)]
UP = [(0, 9_999, 10_001), (115, 10_009, 10_011), (125, 10_019, 10_021), (135, 10_029, 10_031)]
DOWN = [(315, 10_024, 10_026), (335, 10_021, 10_023)]


def told(table: np.ndarray, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in table]


def test_each_order_beside_what_it_would_have_got_ten_milliseconds_earlier():
    """Bought at 140 ms or 130, sold by a timer at 340 or 330: the venue's price at those moments."""
    config = {**SLOW, "strategy.exit": "time", "strategy.exit_after_ms": 200}
    market = recorded(JUMP, UP + DOWN)
    found = counterfactual(config, 10, market=market)
    table = found.table
    assert told(table, "where", "looked_at", "side", "is_exit") == [
        ("both", 100 * MS, t.BUY, 0),
        ("both", 300 * MS, t.SELL, 1),
    ]
    prices = [(100.31, 100.21), (100.21, 100.24)]
    assert told(table, "price_px", "price_px_earlier") == [pytest.approx(pair) for pair in prices]
    lots = set(table["lots"]) | set(table["filled"]) | set(table["filled_earlier"])
    assert lots == {500}  # 50 of currency at 100
    coins = 0.5
    assert table["gain"].tolist() == pytest.approx([0.10 * coins, 0.03 * coins])
    assert table["gain_bps"].tolist() == pytest.approx([1e3 / 100.31, 3e2 / 100.21])
    # 100.50 was seen at both decisions: what the price left of it.
    assert table["edge_bps"].tolist() == pytest.approx([1.9e3 / 100.31, -2.9e3 / 100.21])
    assert table["edge_bps_earlier"].tolist() == pytest.approx([2.9e3 / 100.21, -2.6e3 / 100.24])
    summary = found.summary()
    assert summary["pnl"] == pytest.approx((100.21 - 100.31) * coins)
    assert summary["pnl_earlier"] == pytest.approx((100.24 - 100.21) * coins)
    assert summary["gain"] == pytest.approx(0.13 * coins)
    assert summary["rest"] == pytest.approx(0, abs=1e-12)
    assert (summary["better"], summary["same"], summary["worse"]) == (2, 0, 0)


def test_the_money_is_that_of_the_markets_own_tick_and_lot():
    """The same 500 lots at ten times the price, of a hundredth of the size: a tenth of the money."""
    config = {**SLOW, "strategy.exit": "time", "strategy.exit_after_ms": 200}
    market = recorded(JUMP, UP + DOWN)
    found = counterfactual(config, 10, market=market)
    market.tick_size, market.lot_size, market.start_px = 0.1, 0.00001, 1_000.0
    other = counterfactual({**config, "risk.max_position_pct": 0.00005}, 10, market=market)
    assert other.table["filled"].tolist() == found.table["filled"].tolist() == [500, 500]
    assert other.table["gain_bps"].tolist() == pytest.approx(found.table["gain_bps"].tolist())
    for name in ("gain", "pnl", "pnl_earlier"):
        assert 10 * other.table[name] == pytest.approx(found.table[name])
        assert 10 * other.summary()[name] == pytest.approx(found.summary()[name])
    assert other.summary()["rest"] == pytest.approx(0, abs=1e-12)
    assert (other.config.venue.tick_size, other.earlier.venue.lot_size) == (0.1, 0.00001)


def test_who_fills_sooner_may_decide_otherwise_and_such_orders_stand_apart():
    """At 135 ms the price dips for 2 ms: only who has filled by then has a position to turn."""
    dip = [*JUMP, (135, 9_900.0), (137, 10_050.0)]
    found = counterfactual(SLOW, 10, market=recorded(dip, UP, until_ms=160))
    rows = told(
        found.table, "where", "looked_at", "side", "is_exit", "order_id", "order_id_earlier"
    )
    assert rows == [
        ("both", 100 * MS, t.BUY, 0, 1, 1),
        ("only earlier", 135 * MS, t.SELL, 1, -1, 2),
    ]
    assert np.isnan(found.table["price_px"][1])
    assert np.isnan(found.table["gain"][1])
    summary = found.summary()
    assert summary["orders"] == {"both": 1, "only as is": 0, "only earlier": 1}
    assert "1 orders in both runs, 0 only as it is, 1 only in the faster one" in str(found)


def test_prices_are_compared_on_the_lots_that_both_have():
    """Fills of three orders, two of which walked the book: what their first lots cost."""
    place = np.array([0, 1, 0, 2, 2], np.int64)
    fills = np.zeros(5, t.FILL)
    fills["lots"], fills["price_ticks"] = [700, 5, 300, 10, 10], [100, 7, 101, 50, 60]
    orders = _Orders([], {}, fills, place)
    assert orders.paid(np.array([1_000, 5, 15])).tolist() == [70_000 + 30_300, 35, 500 + 300]
    assert orders.paid(np.array([700, 0, 10])).tolist() == [70_000, 0, 500]
    assert orders.paid(np.array([10, 1, 0])).tolist() == [1_000, 7, 0]


def one_order(*fills_of: tuple[int, int]) -> _Orders:
    """A buy that took some lots at some ticks."""
    fills = np.zeros(len(fills_of), t.FILL)
    fills["lots"], fills["price_ticks"] = np.array(fills_of).T
    lots = fills["lots"].sum(keepdims=True)
    names = ("order_id", "lots", "filled", "price_px", "edge_bps", "pnl")
    columns = dict(zip(names, (lots, lots, lots, lots / 1.0, lots / 1.0, lots / 1.0), strict=True))
    return _Orders([(0, t.BUY, 0, 0, 0)], columns, fills, np.zeros(len(fills), np.int64))


def test_a_larger_order_that_walks_further_is_no_worse_on_the_lots_that_both_have():
    small, large = one_order((700, 100)), one_order((700, 100), (300, 101))
    for pair in ((small, large), (large, small)):
        (row,) = _side_by_side(*pair, 1.0)
        assert (row["where"], row["gain"], row["gain_bps"]) == ("both", 0, 0)


def test_a_level_that_is_gone_when_we_arrive_would_have_filled():
    """The venue's offers leave at 135 ms: at 130 there was something to buy, at 140 there is not."""
    gone = [(0, 9_999, 10_001), (135, 9_999, 10_001)]
    market = recorded(JUMP, gone, until_ms=200)
    asks = (market.events["time_ns"] == 135 * MS) & (market.events["side"] == t.SELL)
    market.events["lots"][asks & (market.events["kind"] == t.LEVEL)] = 0
    found = counterfactual({**SLOW, "strategy.exit": "never"}, 10, market=market)
    assert told(found.table, "where", "filled", "filled_earlier")[0] == ("both", 0, 500)
    assert found.summary()["filled_only_earlier"] == 1


def test_two_orders_of_one_cause_are_told_apart_by_their_number():
    """The drill sends every entry twice: two rows of one instant and side."""
    config = {**SLOW, "strategy.exit": "never", "drills.duplicate_order": True}
    found = counterfactual(config, 10, market=recorded(JUMP, UP, until_ms=160))
    rows = told(found.table, "where", "looked_at", "side", "order_id", "order_id_earlier")
    assert rows == [("both", 100 * MS, t.BUY, number, number) for number in (1, 2)]


def test_what_our_own_checks_refused_was_never_sent_and_has_no_row():
    """As above, and one order a second may leave: the second of the pair stays with us."""
    config = {**SLOW, "strategy.exit": "never", "drills.duplicate_order": True}
    config |= {"risk.max_orders_per_s": 1}
    market = recorded(JUMP, UP, until_ms=160)
    found = counterfactual(config, 10, market=market)
    rows = told(found.table, "where", "looked_at", "side", "order_id", "order_id_earlier")
    assert rows == [("both", 100 * MS, t.BUY, 1, 1)]
    assert run(config, market=market).summary()["rejected_by_reason"] == {"order_rate": 1}


@pytest.mark.compiled
@pytest.mark.parametrize("preset", ["cloud", "retail", "stress", "maker", "flow", "rivals"])
def test_the_rows_add_up_to_the_two_runs(preset):
    config = SimConfig.preset(preset)
    floor = config.latency.order_entry_ms.shift_ms or 0.0
    if not floor:
        config = config.replace({ENTRY: 20.0})
    less = (floor or 20.0) / 2
    found = counterfactual(config, less, seed=5, until="20s")
    here, there = (run(one, seed=5, until="20s") for one in (config, found.earlier))
    summary = found.summary()
    assert summary["pnl"] == pytest.approx(here.summary()["pnl"], abs=1e-6)
    assert summary["pnl_earlier"] == pytest.approx(there.summary()["pnl"], abs=1e-6)
    table, counts = found.table, summary["orders"]
    ids, ids_earlier = (table[name][table[name] > 0] for name in ("order_id", "order_id_earlier"))
    assert sorted(ids) == sent(here.orders)["order_id"].tolist()
    assert sorted(ids_earlier) == sent(there.orders)["order_id"].tolist()
    assert ids.size == counts["both"] + counts["only as is"]
    assert table["filled"].sum() == here.fills["lots"].sum()
    assert (np.diff(table["looked_at"]) >= 0).all()
    assert len(found.to_pandas()) == len(table) > 0


@pytest.mark.compiled
@pytest.mark.skipif(PLAIN, reason="hours in plain Python")
@pytest.mark.parametrize(("late", "less"), [(50, 10), (80, 60), (20, 20)])
def test_entries_gain_what_theory_says_and_exits_nothing(late, less):
    """On a delayed copy an entry d - Δ away keeps Δ / L more of its edge; a timed exit keeps its mean."""
    sigma, lag = 0.05, 100
    config = {
        "external.interval_ms": 1,
        "external.volatility_bps": theory.second_from_sigma(sigma),
        "venue.tick_size": 1e-4,
        "venue.fee_bps": 0,
        "latency.market_lag_ms": lag,
        ENTRY: late,
        "strategy.threshold": 1e-4,
        "strategy.decision_interval_ms": 5 * lag,
        "strategy.exit": "time",
        "strategy.exit_after_ms": lag,
    }
    table = counterfactual(config, less, seed=3, until="4h").table
    assert (table["where"] == "both").all()
    wanted = -theory.paired_difference(sigma, lag, 1.0, late - less, late)
    for leg, target in ((0, wanted), (1, 0.0)):
        gain = table["gain_bps"][(table["is_exit"] == leg) & (table["filled"] > 0)]
        assert gain.size > 1_000
        assert abs(gain.mean() - target) <= 4 * gain.std(ddof=1) / gain.size**0.5


def test_a_delay_model_gives_up_some_of_its_floor():
    law = {"model": "lognormal", "median_ms": 5.0, "sigma": 0.5, "shift_ms": 2.0}
    found = counterfactual({ENTRY: law, "strategy.threshold": 0.001}, 1.5, until="2s")
    assert found.earlier.latency.order_entry_ms.shift_ms == 0.5
    assert found.earlier.replace({ENTRY: law}) == found.config
    jitter = {"model": "uniform", "base_ms": 3.0, "jitter_ms": 5.0}
    assert counterfactual({ENTRY: jitter}, 3, until="1s").earlier.get(ENTRY).base_ms == 0


def test_without_orders_there_is_a_table_without_rows():
    found = counterfactual({ENTRY: 5, "strategy.name": "idle"}, 5, until="1s")
    assert len(found.table) == 0
    assert found.summary()["orders"] == {"both": 0, "only as is": 0, "only earlier": 0}
    assert "0 orders in both" in str(found)


@pytest.mark.parametrize("less", [0, -1, float("nan"), True, "5", None])
def test_a_delta_that_is_no_time_is_named(less):
    with pytest.raises(ConfigError, match="less_ms: a number of milliseconds above 0, got"):
        counterfactual({ENTRY: 5}, less)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (5, "is 5"),
        ({"model": "lognormal", "median_ms": 9.0, "sigma": 0.5, "shift_ms": 2.0}, "shift_ms 2"),
        ({"model": "uniform", "base_ms": 1.0, "jitter_ms": 9.0}, "uniform, base_ms 1"),
    ],
)
def test_more_than_an_order_takes_cannot_be_saved(entry, told):
    with pytest.raises(ConfigError, match=f"less_ms: 6 ms is more than every order takes.*{told}"):
        counterfactual({ENTRY: entry}, 6)
