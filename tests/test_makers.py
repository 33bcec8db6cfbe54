"""Several makers on one book: who hears first, who is picked off, who quotes wide, and whose gain is whose loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from markets import MS, Script
from strategies import PLAIN

from lablib import theory
from lablib.commands import Command
from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.run import run

BID, ASK = 0, 1
SECOND = t.NS_PER_S
QUIET = {  # what happens is written by hand: a tick every 10 ms, heard 20 ms late
    "external.interval_ms": 10.0,
    "venue": {"model": "makers", "half_spread_ticks": 2, "levels": 2, "level_lots": 10},
    "latency.market_lag_ms": 20.0,
    "strategy.name": "idle",
}


def market(prices: dict[int, float], **changes: Any) -> Simulation:
    """Makers around 10,000 ticks, and prices (ticks) by the time they move (ms)."""
    fields = {name.replace("__", "."): value for name, value in changes.items()}
    tape: Any = Script(prices)
    return Simulation(SimConfig().replace({**QUIET, **fields}), seed=1, tape=tape)


def queue(simulation: Simulation, half: int, px: int) -> list[tuple[int, int]]:
    """Who rests at a price, first come first: (maker, lots)."""
    book = simulation._state.book
    orders, slot = [], int(book.levels[half, px & (t.N_LEVELS - 1)].head)
    while slot:
        order = book.orders[slot]
        assert (order.owner, order.px) == (t.MAKER, px)
        orders.append((int(order.tag), int(order.lots)))
        slot = int(order.next)
    return orders


def touch(simulation: Simulation) -> tuple[int, int]:
    return tuple(simulation._state.book.best.tolist())


def history(simulation: Simulation, until_ms: int, field: str) -> list[tuple[int, Any]]:
    """When a field of the first maker's ladder changed (ms), and to what."""
    changes: list[tuple[int, Any]] = [(0, int(simulation._state.venue.ladders[0][field]))]
    for ms in range(1, until_ms + 1):
        simulation.play(ms * MS)
        value = int(simulation._state.venue.ladders[0][field])
        if value != changes[-1][1]:
            changes.append((ms, value))
    return changes


# ------------------------------------------------------------------------------------- who hears first
def test_at_the_opening_every_maker_stands_at_every_level_the_first_in_front():
    simulation = market({}, makers__count=3)
    for half, px in ((BID, 9_998), (BID, 9_997), (ASK, 10_002), (ASK, 10_003)):
        assert queue(simulation, half, px) == [(0, 10), (1, 10), (2, 10)]
    assert simulation._state.book.resting == 12
    assert simulation._state.venue.updates == 1  # one piece of news, with all there is


def test_at_a_new_level_who_heard_first_stands_first():
    simulation = market({100: 10_001}, makers__count=3, makers__slower_ms=3.0)
    seen = []
    for ms in (119, 120, 123, 126):
        simulation.play(ms * MS)
        seen.append((queue(simulation, ASK, 10_002), queue(simulation, ASK, 10_004)))
    assert seen == [
        ([(0, 10), (1, 10), (2, 10)], []),
        ([(1, 10), (2, 10)], [(0, 10)]),
        ([(2, 10)], [(0, 10), (1, 10)]),
        ([], [(0, 10), (1, 10), (2, 10)]),
    ]


def test_with_random_delays_too_the_queue_is_in_order_of_arrival():
    law = {"model": "lognormal", "median_ms": 4.0, "sigma": 0.5}
    prices = {100 * k: 10_000.0 + k % 2 for k in range(1, 40)}
    simulation = market(prices, makers__count=5, latency__market_lag_ms=law)
    orders = set()
    for k in range(1, 40):
        simulation.play(100 * k * MS)
        wire = simulation._state.wires[t.MARKET_LAG]
        at = [int(j) & (t.N_MESSAGES - 1) for j in range(wire.head, wire.tail)]
        heard = [int(wire.messages[j].ref) for j in at if wire.messages[j].sent_ns == 100 * k * MS]
        simulation.play((100 * k + 99) * MS)
        new = 10_004 if k % 2 else 9_997  # the one ask, or bid, that nobody quoted before the move
        assert [maker for maker, _ in queue(simulation, ASK if k % 2 else BID, new)] == heard
        assert sorted(heard) == list(range(5))
        orders.add(tuple(heard))
    assert len(orders) > 20


def test_more_makers_do_not_change_when_the_first_one_hears():
    """Draws are keyed by who hears: another maker has luck of its own."""
    law = {"model": "lognormal", "median_ms": 30.0, "sigma": 0.8}
    prices = {10 * k: 10_000.0 + k for k in range(1, 60)}
    alone, among = (
        history(market(prices, makers__count=count, latency__market_lag_ms=law), 400, "centre")
        for count in (1, 4)
    )
    assert len(alone) > 15
    assert alone == among


def test_one_maker_s_messages_keep_their_order_unless_the_wire_is_free():
    law = {"model": "uniform", "base_ms": 0.0, "jitter_ms": 100.0}
    prices = {10 * k: 10_000.0 + k for k in range(1, 90)}
    heard = {}
    for fifo in (True, False):
        simulation = market(
            prices, makers__count=2, latency__market_lag_ms={**law, "fifo": fifo}, venue__levels=1
        )
        heard[fifo] = [0]
        for ms in range(1, 801):
            simulation.play(ms * MS)
            last = int(simulation._state.venue.ladders[1].heard)
            assert last >= heard[fifo][-1]  # what has been overtaken is not listened to
            heard[fifo].append(last)
    assert heard[True] != heard[False]
    assert sum(heard[True]) < sum(heard[False])


def test_a_wire_without_room_for_all_tells_nobody_and_no_maker_falls_behind():
    simulation = market(
        {10 * k: 10_000.0 + k for k in range(1, 500)},
        makers__count=8,
        latency__market_lag_ms=3_000.0,
    )
    simulation.play(2_990 * MS)
    wire = simulation._state.wires[t.MARKET_LAG]
    assert wire.tail - wire.head == t.N_MESSAGES == 256 * 8
    assert wire.conflated == 8 * (299 - 256)
    simulation.play(5_500 * MS)  # from 3,010 ms on one price leaves the wire as another comes
    assert simulation._state.venue.ladders["heard"].tolist() == [250] * 8
    assert wire.conflated == 8 * (301 - 256)


# --------------------------------------------------------------------------------------- who re-quotes
def test_a_lazy_maker_stays_until_the_price_is_far_enough():
    prices = {100: 10_001.0, 200: 10_003.0, 300: 10_004.0, 400: 10_002.0, 500: 10_000.0}
    centres = [
        history(market(prices, makers__refresh_ticks=ticks), 600, "centre") for ticks in (1, 3, 4)
    ]
    assert centres == [
        [(0, 10_000), (120, 10_001), (220, 10_003), (320, 10_004), (420, 10_002), (520, 10_000)],
        [(0, 10_000), (220, 10_003), (520, 10_000)],
        [(0, 10_000), (320, 10_004), (520, 10_000)],
    ]


def test_each_maker_is_lazier_than_the_one_before_it():
    simulation = market({100: 10_002.0}, makers__count=3, makers__lazier_ticks=1)
    simulation.play(200 * MS)
    assert simulation._state.venue.ladders["centre"][:3].tolist() == [10_002, 10_002, 10_000]


def test_what_was_taken_of_a_lazy_maker_s_quotes_is_put_back_around_what_it_knows():
    simulation = market(
        {100: 10_003.0},
        makers__refresh_ticks=50,
        rivals__count=1,
        rivals__reaction_ms=1.0,
        rivals__lots=4,
    )
    simulation.play(101 * MS)
    assert queue(simulation, ASK, 10_002) == [(0, 6)]
    simulation.play(110 * MS)  # it hears of a price every 10 ms, this one from before the move
    assert queue(simulation, ASK, 10_002) == [(0, 10)]
    simulation.play(111 * MS)  # the rival is back: the price is still through
    assert queue(simulation, ASK, 10_002) == [(0, 6)]
    simulation.play(120 * MS)
    assert touch(simulation) == (10_001, 10_005)


# -------------------------------------------------------------------------------------- who is picked off
SNIPED = {
    "rivals__count": 1,
    "rivals__reaction_ms": 1.0,
    "rivals__lots": 1_000,
    "makers__widen_ticks": 5,
    "makers__calm_ms": 100.0,
}


def test_who_is_picked_off_is_wide_once_it_knows_and_returns_after_calm():
    """Taken at 101 ms, known at 120, calm at 220: the first price it hears from then on finds it as before."""
    simulation = market({100: 10_050.0}, **SNIPED)
    assert history(simulation, 300, "reach") == [(0, 2), (120, 7), (220, 2)]
    assert simulation._state.venue.ladders[0].picked_off == 2  # one deal a level
    simulation = market({100: 10_050.0}, **SNIPED)
    quotes = []
    for ms in (119, 120, 219, 220):
        simulation.play(ms * MS)
        quotes.append(touch(simulation))
    assert quotes == [
        (9_998, 10_002),  # put back at 110, when it heard of a price from before the move
        (10_043, 10_057),
        (10_043, 10_057),
        (10_048, 10_052),
    ]


def test_a_maker_picked_off_again_stays_wide_that_much_longer():
    simulation = market({100: 10_050.0, 150: 10_100.0}, **SNIPED)
    assert history(simulation, 400, "reach") == [(0, 2), (120, 7), (270, 2)]
    assert simulation._state.venue.ladders[0].picked_off == 4


def test_a_maker_does_not_know_before_the_price_has_reached_it():
    late = {**SNIPED, "latency__market_lag_ms": 77.0}
    assert history(market({100: 10_050.0}, **late), 300, "reach") == [(0, 2), (177, 7), (277, 2)]


def test_a_deal_at_a_fair_price_teaches_nothing():
    """An investor pays the spread, and nobody is picked off."""
    simulation = Simulation(
        {
            **QUIET,
            "makers": {"widen_ticks": 5, "investors": True},
            "external.volatility_bps": 0.0,
            "flow.market_rate": 50.0,
            "flow.order_lots": 3,
        },
        seed=1,
    )
    simulation.play(2 * SECOND)
    ladder, maker = simulation._state.venue.ladders[0], simulation.parties()[0]
    assert maker["deals"] > 100
    assert (int(ladder.picked_off), int(ladder.reach)) == (0, 2)
    assert maker["edge"] == pytest.approx(
        0.02 * 0.001 * maker["lots"], rel=0.01
    )  # a half spread a lot


def test_only_who_was_picked_off_widens():
    """Five lots are taken off the first of two makers, who stands in front; then the price is back."""
    simulation = market(
        {100: 10_003.0, 110: 10_000.0}, makers__count=2, **{**SNIPED, "rivals__lots": 5}
    )
    simulation.play(125 * MS)
    assert simulation._state.venue.ladders["reach"][:2].tolist() == [7, 2]
    assert touch(simulation) == (10_001, 10_005)


def test_the_fast_maker_takes_what_the_slow_one_has_left_standing_and_both_refill():
    """Two levels of ten lots each: the news is bad for the second maker, who hears of it 5 ms later."""
    simulation = market({100: 10_050.0}, makers__count=2, makers__slower_ms=5.0)
    simulation.play(120 * MS)
    fast, slow, crowd = simulation.parties()
    assert (fast["lots"], fast["position"], slow["lots"], slow["position"]) == (20, 20, 20, -20)
    assert (fast["deals"], slow["deals"], slow["picked_off"], fast["picked_off"]) == (2, 2, 2, 0)
    assert fast["edge"] == pytest.approx((48 + 47) * 10 * 0.01 * 0.001)
    assert slow["edge"] == -fast["edge"]
    assert slow["pnl"] == slow["edge"]  # the price has not moved since
    assert crowd["deals"] == 0
    assert touch(simulation) == (9_998, 10_052)
    simulation.play(130 * MS)
    assert touch(simulation) == (10_048, 10_052)
    assert queue(simulation, BID, 10_048) == [(1, 10), (0, 10)]


# ------------------------------------------------------------------------------------------------- races
JUMPS = {  # one in ten seconds, many ticks wide; five prices a second, so that all is put back in between
    "external": {"model": "jumps", "volatility_bps": 0.0, "start_px": 100_000.0},
    "external.jumps": {"per_hour": 360.0, "sd_bps": 1.0},
    "external.interval_ms": 200.0,
    "venue": {"model": "makers", "half_spread_ticks": 1, "levels": 1, "level_lots": 1},
    "strategy.name": "idle",
}
EXPONENTIAL = {"model": "gamma", "shape": 1.0, "mean_ms": 10.0}


@pytest.mark.compiled
@pytest.mark.skipif(PLAIN, reason="samples need the compiled engine")
class TestRaces:
    @pytest.mark.parametrize("behind_ms", [0.0, 5.0, 20.0])
    @pytest.mark.parametrize("races", [3_000, pytest.param(50_000, marks=pytest.mark.full)])
    def test_of_two_makers_the_slower_is_picked_off_as_often_as_its_delay_says(
        self, behind_ms, races
    ):
        """Each jump costs one of them a lot: whoever has not heard when the other re-quotes."""
        simulation = Simulation(
            {
                **JUMPS,
                "makers": {"count": 2, "slower_ms": behind_ms},
                "latency.market_lag_ms": EXPONENTIAL,
            },
            seed=3,
        )
        simulation.play(races * 10 * SECOND)
        fast, slow, _ = simulation.parties()
        held = int(fast["picked_off"] + slow["picked_off"])
        assert abs(held - races) < 0.1 * races
        chance = theory.race_probability(behind_ms, 10.0)
        error = (chance * (1 - chance) / held) ** 0.5
        assert abs(slow["picked_off"] / held - chance) <= 4 * error
        assert fast["edge"] == -slow["edge"]

    @pytest.mark.parametrize("rivals", [1, 4])
    def test_every_rival_wins_as_often_as_the_maker_escapes(self, rivals):
        """P = 1 / (k + 1) for each of k rivals, and for the maker."""
        races = 6_000
        simulation = Simulation(
            {
                **JUMPS,
                "latency.market_lag_ms": EXPONENTIAL,
                "rivals": {"count": rivals, "reaction_ms": EXPONENTIAL, "lots": 1},
            },
            seed=5,
        )
        simulation.play(races * 10 * SECOND)
        maker, *them, _ = simulation.parties()
        venue = simulation._state.venue
        held = int(venue.rival_wins + venue.rival_misses) // rivals
        chance = 1 / (rivals + 1)
        error = (chance * (1 - chance) / held) ** 0.5
        for won in (*(row["deals"] for row in them), held - maker["picked_off"]):
            assert abs(won / held - chance) <= 4 * error
        assert (maker["deals"], maker["picked_off"]) == (venue.rival_wins, venue.rival_wins)

    def test_in_the_crowd_the_slow_are_picked_off_and_widening_is_what_saves_them(self):
        changes = {"strategy.name": "idle"}
        wide = run(SimConfig.preset("crowded").replace(changes), seed=2, until="60s").parties
        changes["makers.widen_ticks"] = 0
        never = run(SimConfig.preset("crowded").replace(changes), seed=2, until="60s").parties
        for rows in (wide, never):
            assert (np.diff(rows["picked_off"][:4]) > 0).all()
            assert (np.diff(rows["edge"][:4]) < 0).all()
            assert rows["edge"][-1] < 0 < rows["edge"][4:7].min()  # investors pay, rivals are paid
        assert (wide["picked_off"][:4] < 0.7 * never["picked_off"][:4]).all()
        assert wide["edge"][3] > never["edge"][3]
        assert wide["edge"][-1] < never["edge"][-1]

    def test_the_crowd_takes_what_our_rule_would_earn_alone(self):
        """As preset `crowded` says, on the same markets: its rivals and its makers' prudence cost us the edge."""
        alone = SimConfig.preset("crowded").replace({"rivals.count": 0, "makers.widen_ticks": 0})
        gains = [
            [run(config, seed=seed, until="60s").summary()["pnl"] for seed in range(8)]
            for config in ("crowded", alone)
        ]
        crowded, undisturbed = np.array(gains)
        for profit in (-crowded, undisturbed, undisturbed - crowded):
            assert profit.mean() > 4 * profit.std(ddof=1) / profit.size**0.5


# ---------------------------------------------------------------------------------------------- the tape
CROWDED = {
    **QUIET,
    "external.volatility_bps": 100.0,
    "makers.investors": True,
    "flow.market_rate": 100.0,
    "flow.order_lots": 3,
}


def tape_digest(**changes: Any) -> str:
    fields = {name.replace("__", "."): value for name, value in changes.items()}
    simulation = Simulation({**CROWDED, **fields}, seed=3, hash_tape=True)
    simulation.play(SECOND)
    return simulation.tape_digest()


@pytest.mark.parametrize(
    "change",
    [
        {"makers__count": 4},
        {"makers__slower_ms": 3.0, "makers__count": 2},
        {"makers__refresh_ticks": 9},
        {"makers__widen_ticks": 9},
        {"venue__half_spread_ticks": 7},
        {"latency__market_lag_ms": EXPONENTIAL},
        {"rivals__count": 5},
        {"flow__limit_rates": (9.0,), "flow__cancel_rates": (1.0,)},
        {"flow__follow_rate": 9.0},
        {"strategy__name": "divergence", "strategy__threshold": 0.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_neither_makers_nor_those_who_race_them_move_the_tape(change):
    assert tape_digest(**change) == tape_digest()


@pytest.mark.parametrize(
    "change",
    [{"makers__investors": False}, {"flow__market_rate": 101.0}, {"flow__market_branching": 0.5}],
    ids=lambda change: next(iter(change)),
)
def test_investors_are_of_the_tape(change):
    assert tape_digest(**change) != tape_digest()


def test_without_investors_the_crowd_stays_away_from_makers():
    changes = {"makers.investors": False, "flow.speed": 50.0}
    simulation = Simulation({**CROWDED, **changes}, seed=3)
    simulation.play(SECOND)
    assert simulation._state.venue.parties[t.CROWD].deals == 0
    assert simulation._state.tape_events == 100


# -------------------------------------------------------------------------------------------------- live
def test_how_many_makers_there_are_cannot_change_while_the_market_runs():
    with pytest.raises(ConfigError, match=r"makers\.count: cannot change while the market runs"):
        Simulation(QUIET).command("set", "makers.count", 2)


def test_investors_may_come_and_go_while_the_market_runs():
    come = Command(SECOND, "set", "makers.investors", True)
    go = Command(2 * SECOND, "set", "makers.investors", False)
    config = {**CROWDED, "makers.investors": False}
    simulation = Simulation(config, seed=3, commands=[come, go])
    deals = []
    for second in (1, 2, 3):
        simulation.play(second * SECOND)
        deals.append(int(simulation._state.venue.parties[t.CROWD].deals))
    assert deals[0] == 0
    assert deals[1] == deals[2] > 100


def test_a_rule_changed_live_holds_from_the_next_price_heard():
    simulation = market({100: 10_003.0}, makers__count=2)
    simulation.play(200 * MS)
    simulation.command("set", "venue.half_spread_ticks", 4)
    simulation.play(205 * MS)
    assert touch(simulation) == (10_001, 10_005)
    simulation.play(210 * MS)
    assert touch(simulation) == (9_999, 10_007)
    assert simulation._state.book.resting == 2 * 2 * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"makers.count": 0}, "makers.count"),
        ({"makers.count": t.N_MAKERS + 1}, "makers.count"),
        ({"makers.refresh_ticks": 0}, "makers.refresh_ticks"),
        ({"makers.slower_ms": -1.0}, "makers.slower_ms"),
        ({"makers.widen_ticks": -1}, "makers.widen_ticks"),
        ({"makers.speed": 1}, "makers.speed: no such field"),
    ],
    ids=str,
)
def test_what_no_maker_can_be_is_refused_by_name(change, words):
    with pytest.raises(ConfigError, match=words):
        SimConfig().replace(change)


def test_a_venue_without_a_book_has_no_parties():
    assert run("classroom", until="1s").parties.size == 0
    rows = run("flow", until="1s").parties
    assert rows["name"].tolist() == ["crowd"]
    assert np.isfinite(rows["pnl"]).all()
