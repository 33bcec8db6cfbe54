"""Races for a stale quote: who wins follows from the delays alone. `validation.md` §2.4, by the engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from strategies import PLAIN

from lablib import SimConfig, run
from lablib.engine import Simulation
from lablib.kernels import tables as t

SECOND = t.NS_PER_S
ONE_A_SECOND = {  # one jump of the price a second, many ticks wide: every one starts a race
    "external": {"model": "bachelier", "volatility_px": 10.0, "start_px": 100_000.0},
    "external.interval_ms": 1_000.0,
    "venue": {"model": "makers", "tick_size": 0.01, "lot_size": 0.001, "half_spread_ticks": 1},
    "venue.level_lots": 1_000_000,
    "venue.fee_bps": 0.0,
    "risk": {"max_position_pct": 0.01, "max_gross_pct": 1_000.0, "daily_loss_cap_pct": 1.0},
}
compiled = [
    pytest.mark.compiled,
    pytest.mark.skipif(PLAIN, reason="samples need the compiled engine"),
]
samples = pytest.mark.parametrize("races", [3_000, pytest.param(50_000, marks=pytest.mark.full)])


def exponential(mean_ms: float, shift_ms: float = 0.0) -> dict[str, Any]:
    return {"model": "gamma", "shape": 1.0, "mean_ms": mean_ms, "shift_ms": shift_ms}


def lognormal(median_ms: float, sigma: float) -> dict[str, Any]:
    return {"model": "lognormal", "median_ms": median_ms, "sigma": sigma}


def once_a_jump(seen: Any, mine: Any) -> int:
    """Trade towards each new external price, once."""
    if seen.external_ns == mine.memory[0]:
        return 0
    mine.memory[0] = seen.external_ns
    return 1 if seen.external_px > mine.mid_ticks else -1


def won(theirs: Any, ours: Any, races: int, **changes: Any) -> float:
    """The share of races that our order wins against the maker's cancel."""
    config = {
        **ONE_A_SECOND,
        "latency.market_lag_ms": theirs,
        "latency.order_entry_ms": ours,
        "strategy": {"decision_interval_ms": 0.0, "exit": "never", "stack": True},
        **changes,
    }
    done = run(config, seed=3, until=races + 0.999, strategy=once_a_jump)
    asked = done.samples[done.samples["action"] != 0]
    orders = done.orders[done.orders["status"] == t.FILLED]
    assert orders.size >= 0.99 * races  # a jump within the spread is none
    mid = dict(zip(asked["t_ns"].tolist(), asked["market_px"].tolist(), strict=True))
    stale = np.array([mid[at] for at in orders["looked_at"].tolist()]) + 0.01 * orders["side"]
    first = np.unique(done.fills["order_id"], return_index=True)[1]
    return float(np.isclose(done.fills["price_px"][first], stale, rtol=0, atol=1e-6).mean())


RACES = {
    "5 ms ahead, both exponential": (exponential(10, 5), exponential(10), 1 - 0.5 * np.exp(-0.5)),
    "20 ms ahead, both exponential": (exponential(10, 20), exponential(10), 1 - 0.5 * np.exp(-2)),
    "lognormal, 60 against 50": (lognormal(60, 0.3), lognormal(50, 0.3), 0.66631),
    "lognormal, 200 against 50": (lognormal(200, 1.0), lognormal(50, 1.0), 0.83652),
}


class TestCompiled:
    pytestmark = compiled

    @samples
    @pytest.mark.parametrize("race", RACES)
    def test_the_faster_wins_as_often_as_its_delays_say(self, race, races):
        theirs, ours, chance = RACES[race]
        share = won(theirs, ours, races)
        assert abs(share - chance) <= 4 * (chance * (1 - chance) / races) ** 0.5

    @samples
    @pytest.mark.parametrize(("rivals", "behind_ms"), [(1, 0.0), (5, 0.0), (5, 3.0)])
    def test_a_maker_escapes_so_many_snipers_so_often(self, rivals, behind_ms, races):
        """P(escape) = exp(-k D / tau) / (k + 1)."""
        chance = np.exp(-rivals * behind_ms / 10) / (rivals + 1)
        simulation = Simulation(
            {
                **ONE_A_SECOND,
                "strategy.name": "idle",
                "latency.market_lag_ms": exponential(10, behind_ms),
                "rivals": {"count": rivals, "reaction_ms": exponential(10), "lots": 1},
            },
            seed=3,
        )
        venue = simulation.state.venue
        escaped = held = 0
        for k in range(1, races + 1):
            before, hits = venue.rival_wins + venue.rival_misses, venue.rival_wins
            simulation.play(k * SECOND + SECOND - 1)
            venue = simulation._state.venue.copy()
            raced = venue.rival_wins + venue.rival_misses > before
            held += raced
            escaped += raced and venue.rival_wins == hits
        assert held > 0.99 * races
        assert abs(escaped / held - chance) <= 4 * (chance * (1 - chance) / held) ** 0.5

    @pytest.mark.parametrize("rivals", [0, 1, 3])
    def test_rivals_take_what_would_have_been_ours(self, rivals):
        """A quote that feeds one order goes to each of equals as often."""
        config = {
            **ONE_A_SECOND,
            "venue.levels": 1,
            "venue.level_lots": 1,
            "risk.max_position_pct": 0.0015,  # one lot, whatever we gain or lose meanwhile
            "latency.market_lag_ms": 500.0,
            "latency.order_entry_ms": exponential(10),
            "rivals": {"count": rivals, "reaction_ms": exponential(10), "lots": 1},
            "strategy": {"decision_interval_ms": 0.0, "exit": "never", "stack": True},
        }
        done = run(config, seed=3, until=3_000.999, strategy=once_a_jump)
        assert done.orders.size >= 2_970
        share, chance = done.fills.size / done.orders.size, 1 / (rivals + 1)
        assert abs(share - chance) <= 4 * (chance * (1 - chance) / done.orders.size) ** 0.5


def test_without_an_edge_no_rival_moves():
    config = {
        **ONE_A_SECOND,
        "rivals": {"count": 3, "edge_ticks": 100_000.0},
        "strategy.name": "idle",
    }
    simulation = Simulation(config, seed=3)
    simulation.play(20 * SECOND)
    venue = simulation.state.venue
    assert (venue.rival_wins, venue.rival_misses) == (0, 0)


def test_rivals_leave_the_tape_alone():
    digests = set()
    for count in (0, 4):
        config = {**ONE_A_SECOND, "rivals.count": count, "strategy.name": "idle"}
        simulation = Simulation(config, seed=3, hash_tape=True)
        simulation.play(20 * SECOND)
        digests.add(simulation.tape_digest())
    assert len(digests) == 1


def test_a_rival_pays_no_more_than_its_edge_allows():
    """With an edge of 5 ticks it takes the levels up to 5 ticks short of the price, and no further."""
    config = {
        **ONE_A_SECOND,
        "venue.levels": 20,
        "venue.level_lots": 1,
        "latency.market_lag_ms": 500.0,
        "rivals": {"count": 1, "reaction_ms": 1.0, "lots": 1_000, "edge_ticks": 5.0},
        "external.volatility_px": 0.1,
        "strategy.name": "idle",
    }
    simulation = Simulation(SimConfig().replace(config), seed=3)
    hit = 0
    for k in range(1, 60):
        simulation.play(k * SECOND + 100_000_000)
        state = simulation.state
        px, mid = float(state.external.px), int(state.venue.ladders[0].centre)
        bid, ask = state.book.best.tolist()
        if px > mid + 1 + 5:
            assert ask == min(int(np.floor(px - 5)) + 1, mid + 21) or ask == t.NO_ASK
            hit += 1
        elif px < mid - 1 - 5:
            assert bid == max(int(np.ceil(px + 5)) - 1, mid - 21) or bid == t.NO_BID
            hit += 1
        else:
            assert (bid, ask) == (mid - 1, mid + 1)
    assert hit > 10
