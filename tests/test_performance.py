"""The desk's figures: from tables written by hand, and as laws of whole runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import PLAIN, configs, seeds

from lablib import ConfigError, run, simulate
from lablib.kernels import tables as t
from lablib.performance import RunningMarkouts, markouts, performance, round_trips, sent

S = t.NS_PER_S


def fills_of(*rows: tuple[float, int, int, int, int]) -> np.ndarray:
    """(time in s, side, lots, price in ticks, fee in units) a fill; the mid seen is the price less 1."""
    fills = np.zeros(len(rows), t.FILL)
    for fill, (at, side, lots, price, fee) in zip(fills, rows, strict=True):
        fill["t_ns"], fill["side"], fill["lots"] = at * S, side, lots
        fill["price_ticks"], fill["price_px"], fill["fee_units"] = price, price, fee
        fill["mid_seen"] = 2 * (price - side)
    return fills


def orders_of(*rows: dict[str, Any]) -> np.ndarray:
    orders = np.zeros(len(rows), t.ORDER)
    for order, row in zip(orders, rows, strict=True):
        for name, value in row.items():
            order[name] = value
    return orders


def test_a_trip_through_flat_ends_one_and_begins_the_next():
    fills = fills_of((1, 1, 10, 100, 10), (2, -1, 15, 103, 30), (3, 1, 5, 104, 0), (4, 1, 1, 99, 0))
    assert round_trips(fills).tolist() == [10 * 3 * t.MONEY - 10 - 20, -5 * t.MONEY - 10]


def test_figures_of_a_handful_of_fills():
    fills = fills_of((1, 1, 10, 101, 0), (3, -1, 10, 104, 0), (6, 1, 10, 99, 0), (7, -1, 10, 98, 0))
    fills["is_maker"][0] = 1
    orders = orders_of(
        {"order_id": 1, "lots": 40, "filled_lots": 20, "status": t.CANCELLED},
        {"order_id": 2, "lots": 40, "filled_lots": 20, "status": t.FILLED},
        {"order_id": 3, "lots": 9, "status": t.REJECTED, "reason": t.HALTED, "received_at": -1},
    )
    done = performance(orders, fills, 10.0, 1.0)
    assert done["fill_rate"] == 0.5
    assert done["maker_share"] == 0.25
    assert done["round_trips"] == 2
    assert done["hit_rate"] == 0.5
    assert done["mean_trip"] == (3 - 1) * 10 * t.MONEY / 2
    assert done["time_in_position"] == 0.3  # 1-3 s and 6-7 s of 10
    assert done["slippage_bps"] == pytest.approx(1e4 * 4 / (100 + 105 + 98 + 99))
    assert done["refused"] == {"halted": 1}


def test_an_order_that_our_own_checks_refused_was_not_sent():
    """Ample depth and no wire: whatever leaves us fills; most of what is wished for may not leave."""
    config = {"risk.max_orders_per_s": 1, "strategy.threshold": 0.0001, "strategy.exit": "close"}
    done = run(config, seed=1, until="5s")
    found = done.performance()
    assert found["refused"]["order_rate"] > 3
    assert found["fill_rate"] == 1
    assert sent(done.orders)["filled_lots"].sum() == done.fills["lots"].sum() > 0


def test_an_order_on_its_way_was_sent_and_one_the_venue_refused_too():
    orders = orders_of(
        {"order_id": 1, "status": t.REJECTED, "reason": t.ORDER_RATE, "received_at": -1},
        {"order_id": 2, "status": t.CREATED, "received_at": -1},
        {"order_id": 3, "status": t.REJECTED, "reason": t.WOULD_CROSS, "received_at": 7},
        {"order_id": 0, "status": t.CREATED, "received_at": -1},
    )
    assert sent(orders)["order_id"].tolist() == [2, 3]


def test_without_anything_there_is_nothing_to_tell():
    done = performance(orders_of(), fills_of(), 10.0, 1.0)
    assert done.pop("round_trips") == done.pop("time_in_position") == 0
    assert done.pop("refused") == {}
    assert all(np.isnan(value) for value in done.values())


def test_a_markout_is_the_mid_some_time_after_a_fill_against_its_price():
    looks, mid = np.array([1, 2, 3, 4]) * S, np.array([100.0, 101.0, 103.0, 99.0])
    fills = fills_of((1.5, 1, 10, 100, 0), (2.5, -1, 10, 100, 0))
    table = markouts(fills, looks, mid, (0.0, 1_000.0, 2_000.0, 60_000.0))
    assert table["fills"].tolist() == [2, 2, 1, 0]
    expected = [1e4 * (0 - 1) / 200, 1e4 * (1 - 3) / 200, 1e4 * 3 / 100]
    assert table["bps"][:3].tolist() == pytest.approx(expected)
    assert np.isnan(table["bps"][3])


def test_a_fill_waits_for_its_horizon_and_is_judged_by_the_last_look_before_it():
    """As above, a look or a fill at a time; entries and exits apart."""
    fills = fills_of((1.5, 1, 10, 100, 0), (2.5, -1, 10, 100, 0))
    fills["is_exit"][1] = 1
    looks = [(second * S, mid) for second, mid in ((1, 100.0), (2, 101.0), (3, 103.0), (4, 99.0))]
    running, told = RunningMarkouts((0.0, 1_000.0, 2_000.0)), []
    for at, mid in looks:
        new = fills[(fills["t_ns"] > at - S) & (fills["t_ns"] <= at)]
        running.add(new, np.array([at]), np.array([mid]))
        told.append([running.table(leg)["fills"].tolist() for leg in (0, 1)])
    assert told == [
        [[0, 0, 0], [0, 0, 0]],
        [[1, 0, 0], [0, 0, 0]],
        [[1, 1, 0], [1, 0, 0]],
        [[1, 1, 1], [1, 1, 0]],
    ]
    assert running.table(0)["bps"].tolist() == [0, 100, 300]
    assert running.table(1)["bps"][:2].tolist() == [-100, -300]
    assert np.isnan(running.table(1)["bps"][2])


@settings(max_examples=3 if PLAIN else 40)
@given(config=configs(), seed=seeds())
def test_markouts_of_a_run_that_goes_on_are_those_of_the_finished_run(config, seed):
    step = config.external.interval_ms * (30 if PLAIN else 200) / 7 / 1_000
    horizons = (0.0, 1.0, 50.0, 400.0)
    running, fills, looks = RunningMarkouts(horizons), [], []
    for frame in simulate(config, seed=seed, every=step, until=7 * step):
        running.add(frame.fills, frame.samples["t_ns"], frame.samples["market_px"])
        fills.append(frame.fills)
        looks.append(frame.samples)
    of, at = np.concatenate(fills), np.concatenate(looks)
    for leg in (0, 1):
        table = markouts(of[of["is_exit"] == leg], at["t_ns"], at["market_px"], horizons)
        assert running.table(leg)["fills"].tolist() == table["fills"].tolist()
        np.testing.assert_allclose(running.table(leg)["bps"], table["bps"], atol=1e-6)


def test_what_waits_is_bounded_even_where_no_look_ever_comes():
    running, nothing = RunningMarkouts(), np.zeros(0)
    many = np.zeros(30_000, t.FILL)
    for turn in range(10):
        many["t_ns"] = turn * S
        running.add(many, nothing.astype(np.int64), nothing)
    assert running._waiting.size == RunningMarkouts.WAITING
    assert running._waiting["t_ns"][-1] == 9 * S


def test_time_runs_forward():
    with pytest.raises(ConfigError, match="horizons_ms: at least 0, got -1"):
        markouts(fills_of(), np.zeros(0, np.int64), np.zeros(0), (-1,))


@settings(max_examples=4 if PLAIN else 60)
@given(config=configs(), seed=seeds())
def test_round_trips_and_what_is_open_make_up_the_account(config, seed):
    ticks = 30 if PLAIN else 200
    done = run(config, seed=seed, until=ticks * config.external.interval_ms / 1_000)
    figures = done.performance()
    assert 0 <= figures["time_in_position"] <= 1
    assert not figures["fill_rate"] > 1
    fills = done.fills
    trips = round_trips(fills)
    if done.last.position_lots == 0:
        cash = fills["side"] * fills["lots"] * fills["price_ticks"] * t.MONEY + fills["fee_units"]
        assert trips.sum() == -cash.sum()
    assert trips.size == figures["round_trips"] <= fills.size


def test_who_trades_on_a_lagging_copy_is_right_afterwards():
    on_the_clock = {"strategy.exit": "never", "strategy.stack": True, "venue.fee_bps": 0.0}
    done = run({"strategy.threshold": 0.002, **on_the_clock}, seed=7, until="120s")
    table = done.markouts((0.0, 120.0))
    assert table["fills"].min() > 50
    assert table["bps"][0] == 0  # the copy's own mid, which the order took
    assert table["bps"][1] > 10  # and where it came after its lag
