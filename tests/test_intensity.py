"""A venue whose counterparties come by themselves, and those who quote there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from strategies import PLAIN

from lablib import Command, ConfigError, SimConfig, run
from lablib.engine import Simulation
from lablib.kernels import tables as t
from lablib.tape.counterparties import Counterparties

QUIET = {
    "external.volatility_bps": 0.0,
    "venue.model": "intensity",
    "venue.half_spread_ticks": 100,
    "venue.fee_bps": 0.0,
    "latency.market_lag_ms": 0.0,
    "intensity.interval_ms": 50.0,
    "intensity.rate": 10.0,
    "intensity.premium_px": 0.1,
    "strategy.parameters": [5.0],
}
SECONDS = 10 if PLAIN else 200
MID = 10_000  # ticks


def offer(seen: Any, mine: Any) -> int:
    """One lot offered so many ticks above the mid, anew as soon as it is gone."""
    if np.isnan(mine.mid_ticks):  # a side of the quote is missing
        return 0
    mine.ask_ticks = int(mine.mid_ticks + mine.parameters[0])
    mine.quote_lots = 1
    return 3


def rules(**changes: Any) -> Any:
    fields = {f"intensity.{name}": value for name, value in changes.items()}
    return SimConfig().replace({**QUIET, **fields}).to_record().intensity


# ------------------------------------------------------------------------------------- who comes when
def test_on_a_grid_one_of_each_side_comes_just_after_each_multiple():
    source = Counterparties(3, rules(interval_ms=50.0))
    first, end_ns = source.after(0, -1)
    at = first["time_ns"]
    assert (np.diff(at) > 0).all()
    assert at[:4].tolist() == [1, 2, 50_000_001, 50_000_002]
    assert (at[::2] % 50_000_000 == 1).all()
    assert (first["side"][::2] == t.BUY).all()
    assert (first["side"][1::2] == t.SELL).all()
    then, _ = source.after(end_ns, end_ns)
    assert then["time_ns"][0] == end_ns + 1


@pytest.mark.parametrize("reach", [0.0, 0.2])
def test_at_random_times_they_come_as_often_as_asked(reach):
    source = Counterparties(3, rules(interval_ms=0.0, rate=100.0, reach_px=reach))
    rate = 2 * 100 * np.exp(reach / 0.1)
    end_ns, count, apart = 0, 0, []
    for _ in range(10):
        events, after_ns = source.after(end_ns, end_ns)
        assert (np.diff(events["time_ns"]) > 0).all()
        assert end_ns < events["time_ns"][0] <= events["time_ns"][-1] <= after_ns
        apart.append(np.diff(events["time_ns"]) / t.NS_PER_S)
        count, end_ns = count + events.size, after_ns
    expected = rate * end_ns / t.NS_PER_S
    assert abs(count - expected) <= 4 * expected**0.5
    gaps = np.concatenate(apart)
    assert abs((gaps > 1 / rate).mean() - np.exp(-1)) <= 4 * (0.25 / gaps.size) ** 0.5


def test_a_window_is_the_same_whenever_it_is_drawn():
    source, again = (Counterparties(3, rules(interval_ms=0.0)) for _ in range(2))
    first, end_ns = source.after(0, -1)
    later, _ = source.after(end_ns, end_ns)
    assert again.after(end_ns, end_ns)[0].tobytes() == later.tobytes()
    assert again.after(0, -1)[0].tobytes() == first.tobytes()
    assert Counterparties(4, rules(interval_ms=0.0)).after(0, -1)[0].tobytes() != first.tobytes()


def test_neither_strategy_nor_latency_moves_them():
    digests = set()
    for changes in ({"strategy.name": "idle"}, {"strategy.name": "market_maker"}):
        for ms in (0.0, 30.0):
            config = {**QUIET, **changes, "strategy.parameters": [], "latency.order_entry_ms": ms}
            simulation = Simulation(config, seed=2, hash_tape=True)
            simulation.play(5 * t.NS_PER_S)
            digests.add(simulation.tape_digest())
    assert len(digests) == 1


# ------------------------------------------------------------------------------------------ who trades
@pytest.mark.parametrize("away", [0, 5, 20])
def test_the_chance_of_a_trade_falls_exponentially_with_the_distance(away):
    done = run({**QUIET, "strategy.parameters": [away]}, seed=1, until=SECONDS, strategy=offer)
    chance = 10.0 * 0.05 * np.exp(-away / 10)
    looks = done.samples.size - 1  # who comes after the last look is not played
    assert abs(done.fills.size - looks * chance) <= 4 * (looks * chance * (1 - chance)) ** 0.5
    assert (done.fills["price_ticks"] == MID + away).all()
    assert (done.fills["is_maker"] == 1).all()


@pytest.mark.parametrize(("away", "chance"), [(10, 0.5), (11, 0.0)])
def test_with_a_fixed_premium_they_go_so_far_and_no_further(away, chance):
    config = {**QUIET, "intensity.premium": "fixed", "strategy.parameters": [away]}
    done = run(config, seed=1, until=SECONDS, strategy=offer)
    looks = done.samples.size - 1
    assert abs(done.fills.size - looks * chance) <= 4 * (looks * chance * (1 - chance)) ** 0.5


def offer_ten(seen: Any, mine: Any) -> int:
    if np.isnan(mine.mid_ticks):  # a side of the quote is missing
        return 0
    mine.ask_ticks = int(mine.mid_ticks) - 50  # so far beyond the mid that everybody comes
    mine.quote_lots = 10
    return 3 if mine.position > -10 and mine.open_orders == 0 else 0


def test_who_wants_less_than_an_order_leaves_the_rest():
    done = run({**QUIET, "intensity.order_lots": 4}, seed=1, until=3, strategy=offer_ten)
    assert done.fills["lots"].tolist() == [4, 4, 2]
    assert done.orders["status"].tolist() == [t.FILLED]
    assert done.last.open_orders == 0


def ladder(seen: Any, mine: Any) -> int:
    """Two offers on their way at once: the dearer one first."""
    if np.isnan(mine.mid_ticks):  # a side of the quote is missing
        return 0
    mine.memory[0] += 1
    mine.ask_ticks = int(mine.mid_ticks) + (8 if mine.memory[0] == 1 else 3)
    mine.quote_lots = 1
    return 3 if mine.memory[0] <= 2 else 0


def test_the_better_of_two_orders_trades_first():
    # Cancels take a second, so that for a while both stand.
    config = {
        **QUIET,
        "strategy.requote": "cancel",
        "latency.cancel_ms": 1_000.0,
        "latency.order_entry_ms": {"model": "constant", "ms": 0.0, "fifo": False},
        "intensity.premium_px": 1.0,
        "intensity.rate": 0.0,
    }
    come = [Command(120_000_000, "set", "intensity.rate", 20.0)]
    done = run(config, seed=1, until=0.9, strategy=ladder, commands=come)
    assert done.fills["price_ticks"].tolist() == [MID + 3, MID + 8]


def test_a_resting_order_fills_where_the_quote_goes_through_it():
    moving = {**QUIET, "external.volatility_bps": 50.0, "venue.half_spread_ticks": 0}
    done = run({**moving, "intensity.rate": 0.0}, seed=1, until=20, strategy=offer)
    assert done.fills.size > 10


def test_market_orders_take_the_quote():
    done = run({**QUIET, "strategy.parameters": []}, seed=1, until=1, strategy=lambda seen, mine: 1)
    assert done.fills["price_ticks"].tolist() == [MID + 100]
    assert done.fills["is_maker"].tolist() == [0]


# ---------------------------------------------------------------------------------------- who stands where
def resting(simulation: Simulation) -> dict[int, list[int]]:
    own = simulation._state.own
    stands = own[(own["used"] == 1) & (own["status"] == t.RESTING)]
    return {side: sorted(stands["limit_ticks"][stands["side"] == side]) for side in (1, -1)}


def script(seen: Any, mine: Any) -> int:
    """Quote at 5, stay, move to 7, withdraw the bid, hold, withdraw all."""
    if np.isnan(mine.mid_ticks):  # a side of the quote is missing
        return 0
    k = int(mine.memory[0])
    mine.memory[0] += 1
    mine.quote_lots = 1
    if k < 2:
        mine.bid_ticks, mine.ask_ticks = int(mine.mid_ticks) - 5, int(mine.mid_ticks) + 5
    elif k == 2:
        mine.bid_ticks, mine.ask_ticks = int(mine.mid_ticks) - 7, int(mine.mid_ticks) + 7
    elif k == 3:
        mine.ask_ticks = int(mine.mid_ticks) + 7
    elif k == 4:
        return 0
    return 3


@pytest.mark.parametrize("requote", ["replace", "cancel"])
def test_a_strategy_that_quotes_stands_where_it_says(requote):
    config = {**QUIET, "intensity.rate": 0.0, "strategy.requote": requote}
    simulation = Simulation(config, seed=1, strategy=script)
    stood = []
    for k in range(1, 7):
        simulation.play(k * 50_000_000 + 10)
        stood.append(resting(simulation))
    five, seven = ({1: [MID - d], -1: [MID + d]} for d in (5, 7))
    half = {1: [], -1: [MID + 7]}
    assert stood == [five, five, seven, half, half, {1: [], -1: []}]
    assert simulation._state.desk.last_order_id == (2 if requote == "replace" else 4)


def maker(**changes: Any) -> Simulation:
    fields = {f"strategy.maker.{name}": value for name, value in changes.items()}
    alone = {"intensity.rate": 0.0, "venue.half_spread_ticks": 5_000, "strategy.parameters": []}
    return Simulation({**QUIET, **alone, "strategy.name": "market_maker", **fields}, seed=1)


NIBBLED = {
    **QUIET,
    "external.volatility_bps": 20.0,
    "intensity.interval_ms": 0.0,
    "intensity.rate": 10.0,
    "intensity.premium_px": 1.0,
    "intensity.order_lots": 100,
    "strategy.parameters": [],
    "strategy.name": "market_maker",
    "strategy.maker.lots": 1_000,
}


@pytest.mark.parametrize("requote", ["replace", "cancel"])
def test_a_quote_that_is_moved_keeps_what_is_left_of_it_and_one_sent_anew_is_whole(requote):
    simulation = Simulation({**NIBBLED, "strategy.requote": requote}, seed=1)
    stood: dict[int, list[tuple[int, int]]] = {}
    for k in range(1, 20 * SECONDS):
        simulation.play(k * 50_000_000 + 10)
        for row in simulation.waiting():
            stood.setdefault(int(row["order_id"]), []).append((row["limit_ticks"], row["lots"]))
    moved = 0
    for order in stood.values():
        prices, lots = zip(*order, strict=True)
        assert list(lots) == sorted(lots, reverse=True)
        at = [k for k in range(1, len(order)) if prices[k] != prices[k - 1]]
        moved += sum(lots[k] < 1_000 for k in at)
        assert requote == "replace" or not at
    done = simulation.frame()
    assert done.fill_count > SECONDS
    assert set(done.orders["lots"]) <= {1_000}
    assert (moved > SECONDS) == (requote == "replace")


def test_a_quote_is_never_more_than_one_entry():
    """A twentieth of the equity at the mid is 50,000 lots; asked for are ten times as many."""
    config = {**NIBBLED, "external.volatility_bps": 0.0, "intensity.rate": 0.0}
    config |= {"risk.max_position_pct": 0.05, "risk.check_notional": False}
    sizes = [
        run({**config, "strategy.maker.lots": lots}, seed=1, until="100ms").orders["lots"].tolist()
        for lots in (500_000, 0, 7)
    ]
    assert sizes == [[50_000, 50_000], [50_000, 50_000], [7, 7]]


def test_a_market_maker_stands_where_the_formula_says():
    simulation = maker(risk_aversion=2.0, arrival_decay=10.0, volatility_px=0.3, horizon_s=10.0)
    simulation.play(50_000_010)
    widening = 2.0 * 0.3**2 * (10.0 - 0.05) / 0.01
    half = (widening + 2 / 2.0 * np.log(1 + 2.0 / 10.0) / 0.01) / 2
    assert resting(simulation) == {1: [np.floor(MID - half)], -1: [np.ceil(MID + half)]}


@pytest.mark.parametrize("inventory", [True, False])
def test_a_market_maker_leans_against_what_it_holds(inventory):
    simulation = maker(
        risk_aversion=2.0, arrival_decay=10.0, volatility_px=0.3, lots=4, inventory=inventory
    )
    simulation._state.desk.account.position = 8
    simulation.play(50_000_010)
    stands = resting(simulation)
    middle = (stands[1][0] + stands[-1][0]) / 2
    lean = 8 / 4 * 2.0 * 0.3**2 * (60.0 - 0.05) / 0.01 if inventory else 0.0
    assert middle == pytest.approx(MID - lean, abs=1)


def test_its_rates_may_change_while_it_runs():
    often = [Command(5 * t.NS_PER_S, "set", "intensity.rate", 20.0)]
    config = {**QUIET, "intensity.premium": "fixed"}
    calm, busy = (run(config, seed=1, until=10, strategy=offer, commands=c) for c in ([], often))
    same = calm.fills["t_ns"] < 5 * t.NS_PER_S
    assert busy.fills[: same.sum()].tobytes() == calm.fills[same].tobytes()
    late = busy.fills["t_ns"] >= 5 * t.NS_PER_S
    assert late.sum() == 100  # a certain one in each interval


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"intensity.rate": 21.0}, "intensity.rate: 21.0 is more than one"),
        ({"intensity.reach_px": 3.0}, "intensity.reach_px: 3.0 is more than 20 times"),
        ({"strategy.maker.risk_aversion": 0.0}, "strategy.maker.risk_aversion"),
    ],
)
def test_what_cannot_be_is_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        SimConfig().replace({**QUIET, **changes})
