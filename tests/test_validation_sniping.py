"""The sniping equilibrium of Budish, Cramton and Shim (2015), by the engine: `validation.md` §2.2.

The price moves by jumps alone; investors come as Poisson flow and pay the half spread of one maker; a
jump beyond it starts a race of nine snipers and the maker's own re-quote, all of one speed. At the
spread s* making pays as much as sniping. Nothing here is a path of its own: it is a configuration.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from strategies import PLAIN

from lablib import theory
from lablib.engine import Simulation
from lablib.kernels import tables as t

pytestmark = [
    pytest.mark.compiled,
    pytest.mark.skipif(PLAIN, reason="hours in plain Python"),
]
# Jumps and investors a second, mean jump; the spread and the profit per event where all earn the same.
ROWS = {
    "few jumps": (1.0, 10.0, 2.0, 0.36511, 0.01660),
    "as many": (1.0, 1.0, 2.0, 2.26857, 0.05671),
    "many jumps": (5.0, 1.0, 1.5, 3.98017, 0.03317),
}
START_PX = 1e6  # so far up that jumps of the log price are jumps of the price, to a thousandth
BATCHES = 64


def market(
    jumps: float, investors: float, mean: float, spread: float, firms: int, ticks: int
) -> Any:
    """One maker of one lot and `firms` - 1 snipers; so many external ticks an event, 2,000 ticks a spread.

    What is taken is put back at the next external tick: the more of them, the less is missed.
    """
    interval_ms = 1_000 / (jumps + investors) / ticks
    race = {"model": "gamma", "shape": 1.0, "mean_ms": interval_ms / 30}
    bps = mean / START_PX * 1e4
    return {
        "external": {"model": "jumps", "start_px": START_PX, "volatility_bps": 0.0},
        "external.interval_ms": interval_ms,
        "external.jumps": {"law": "double_exponential", "per_hour": 3_600 * jumps},
        "external.jumps.up_bps": bps,
        "external.jumps.down_bps": bps,
        "venue": {"model": "makers", "levels": 1, "level_lots": 1, "half_spread_ticks": 1_000},
        "venue.tick_size": spread / 2_000,
        "makers.investors": True,
        "flow": {"market_rate": investors / 2, "order_lots": 1},  # on each side
        "rivals": {"count": firms - 1, "lots": 1, "reaction_ms": race},
        "latency.market_lag_ms": race,
        "strategy.name": "idle",
        "risk.max_position_pct": 1.0,  # a lot of so dear an asset must be affordable
    }


class Profits(NamedTuple):
    """Per event, in currency a lot, a row a batch: the maker's, and one sniper's."""

    maker: np.ndarray
    sniper: np.ndarray


def play(config: Any, seed: int, events: float, rate: float) -> Profits:
    simulation = Simulation(config, seed=seed)
    edge = simulation.view("venue.parties.edge")
    unit = simulation.config.unit_value / simulation.config.venue.lot_size
    snipers = slice(t.FIRST_RIVAL, t.FIRST_RIVAL + simulation.config.rivals.count)
    maker, sniper = [0.0], [0.0]
    for k in range(1, BATCHES + 1):
        simulation.play(round(events / rate * k / BATCHES * t.NS_PER_S))
        maker.append(edge[0, t.FIRST_MAKER] * unit)
        sniper.append(edge[0, snipers].mean() * unit)
    per_event = BATCHES / events
    return Profits(np.diff(maker) * per_event, np.diff(sniper) * per_event)


@cache
def profits(name: str, events: int, ticks: int, firms: int = 10, wider: float = 1.0) -> Profits:
    """A row's profits at its spread, or at a multiple of it, in stretches of two threads."""
    jumps, investors, mean, spread, _ = ROWS[name]
    config = market(jumps, investors, mean, spread * wider, firms, ticks)
    with ThreadPoolExecutor(2) as pool:
        parts = list(
            pool.map(lambda seed: play(config, seed, events / 2, jumps + investors), (11, 12))
        )
    return Profits(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def off(values: np.ndarray, target: float) -> float:
    """How many standard errors a mean is from its target."""
    return float((values.mean() - target) / (values.std(ddof=1) / values.size**0.5))


samples = pytest.mark.parametrize(
    ("events", "ticks"), [(80_000, 100), pytest.param(1_000_000, 300, marks=pytest.mark.full)]
)


@samples
@pytest.mark.parametrize("name", ROWS)
def test_at_the_equilibrium_spread_making_and_sniping_earn_what_theory_says(name, events, ticks):
    jumps, investors, mean, spread, target = ROWS[name]
    assert theory.sniping_spread_exponential(jumps, investors, mean) == pytest.approx(
        spread, abs=5e-6
    )
    earned = profits(name, events, ticks)
    assert abs(off(earned.maker, target)) <= 4
    assert abs(off(earned.sniper, target)) <= 4
    assert abs(off(earned.maker - earned.sniper, 0.0)) <= 4


@pytest.mark.parametrize("firms", [2, 4])
def test_the_spread_does_not_depend_on_how_many_snipe(firms):
    jumps, investors, mean, spread, _ = ROWS["as many"]
    excess = theory.exponential_excess(spread / 2, mean)
    target = theory.sniper_profit(excess, jumps, firms) / (jumps + investors)
    earned = profits("as many", 40_000, 100, firms)
    assert abs(off(earned.sniper, target)) <= 4
    assert abs(off(earned.maker, target)) <= 4


@pytest.mark.parametrize("wider", [0.5, 2.0])
def test_off_the_equilibrium_one_of_them_earns_more_by_as_much_as_theory_says(wider):
    """Inside s* it is better to snipe, outside to make: nobody stays."""
    jumps, investors, mean, spread, _ = ROWS["as many"]
    excess = theory.exponential_excess(wider * spread / 2, mean)
    per_event = 1 / (jumps + investors)
    maker = theory.maker_profit(wider * spread, excess, jumps, investors, 10) * per_event
    sniper = theory.sniper_profit(excess, jumps, 10) * per_event
    earned = profits("as many", 40_000, 100, wider=wider)
    assert abs(off(earned.maker, maker)) <= 4
    assert abs(off(earned.sniper, sniper)) <= 4
    assert (maker < sniper) == (wider < 1)
    assert abs(off(earned.maker - earned.sniper, 0.0)) > 8
