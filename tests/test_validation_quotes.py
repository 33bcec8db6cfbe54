"""Published results of those who quote, reached by the engine: Avellaneda and Stoikov, Moallemi and Saglam.

Both worlds are venue `intensity` over an arithmetic Brownian motion, at most one counterparty a side
in each period as in the papers' own recursions. Targets: `validation.md` §1 and §4.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pytest
from strategies import PLAIN

from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.run import run
from lablib.theory.limit_seller import seller_plan

pytestmark = [
    pytest.mark.compiled,
    pytest.mark.skipif(PLAIN, reason="hours in plain Python"),
]

# ------------------------------------------------------------------------- Avellaneda and Stoikov 2008
STEP_MS, STEPS = 5.0, 200
# What 100,000 paths of the rule gave, standard errors at most 0.02; profit, its sd, sd of what is held.
MAKERS = {"leaning": (True, 64.92, 6.53, 2.93), "symmetric": (False, 68.08, 13.37, 8.41)}


@cache
def paths(inventory: bool, count: int) -> np.ndarray:
    """Profit (currency) and final holding (lots) of each of `count` seconds, shape (count, 2)."""
    config = SimConfig().replace(
        {
            "external": {"model": "bachelier", "volatility_px": 2.0, "interval_ms": STEP_MS},
            "venue": {"model": "intensity", "tick_size": 1e-4, "lot_size": 1.0, "fee_bps": 0.0},
            "venue.half_spread_ticks": 500_000,  # no quote is ever marketable
            "intensity": {"rate": 140.0, "interval_ms": STEP_MS, "premium_px": 1 / 1.5},
            "latency.market_lag_ms": 0.0,
            "strategy": {"name": "market_maker", "decision_interval_ms": STEP_MS},
            "strategy.maker": {
                "risk_aversion": 0.1,
                "arrival_decay": 1.5,
                "volatility_px": 2.0,
                "horizon_s": (STEPS + 1) * STEP_MS / 1_000,  # the first look is one step late
                "inventory": inventory,
                "lots": 1,
            },
            "risk": {"max_position_pct": 1.0, "daily_loss_cap_pct": 1.0},
            "account.starting_cash": 1e6,
            "record.samples": False,
        }
    )

    def path(seed: int) -> tuple[float, int]:
        simulation = Simulation(config, seed=seed)
        simulation.play(round((STEPS + 1) * STEP_MS * 1e6))
        account = simulation.state.account
        return float(account.equity - account.start) * config.unit_value, int(account.position)

    with ThreadPoolExecutor() as pool:
        return np.array(list(pool.map(path, range(count))))


@pytest.mark.parametrize("count", [1_000, pytest.param(20_000, marks=pytest.mark.full)])
@pytest.mark.parametrize("maker", MAKERS)
def test_a_market_maker_earns_what_avellaneda_and_stoikov_published(maker, count):
    inventory, mean, sd, held_sd = MAKERS[maker]
    profit, held = paths(inventory, count).T
    assert abs(profit.mean() - mean) <= 4 * sd / count**0.5
    # A standard deviation's own standard error, of a law with the sample's kurtosis.
    for values, wanted in ((profit, sd), (held, held_sd)):
        kurtosis = ((values - values.mean()) ** 4).mean() / values.var() ** 2
        error = wanted * ((kurtosis - 1) / (4 * count)) ** 0.5
        assert abs(values.std(ddof=1) - wanted) <= 4 * error


def test_leaning_against_what_is_held_is_what_keeps_it_small():
    leaning, symmetric = paths(True, 1_000), paths(False, 1_000)
    assert leaning[:, 1].std() < 0.5 * symmetric[:, 1].std()
    assert leaning[:, 0].std() < 0.6 * symmetric[:, 0].std()


# -------------------------------------------------------------------------- Moallemi and Saglam 2013
SIGMA, PREMIUM, BUYERS, HORIZON_S = 0.012551, 0.058, 12.03 / 60, 10.0
TICK = 1e-5
SLOTS = 20  # of one sale at the latency below
LATENCY_S = HORIZON_S / SLOTS
SLOT_NS = round(LATENCY_S * 1e9)
ABOVE = np.rint(seller_plan(LATENCY_S, SIGMA, PREMIUM, BUYERS, HORIZON_S).premiums / TICK)


def best_seller(seen: Any, mine: Any) -> int:
    """One lot to sell in each period of SLOTS looks and a pause, by the plan for this latency."""
    slot = (mine.now_ns // SLOT_NS - 1) % (SLOTS + 1)
    if slot == 0:
        mine.memory[0] = mine.position
    if slot < SLOTS and mine.position == mine.memory[0]:
        mine.ask_ticks = seen.bid + int(ABOVE[slot])
        mine.quote_lots = 1
    return 3


@cache
def sales(count: int, seed: int = 5) -> np.ndarray:
    """What each of `count` sales brought above the bid of its moment (currency); 0 where sold at the bid."""
    period_ns = (SLOTS + 1) * SLOT_NS
    done = run(
        {
            "external": {"model": "bachelier", "volatility_px": SIGMA, "start_px": 1_000.0},
            "external.interval_ms": LATENCY_S * 1e3,
            "venue": {"model": "intensity", "tick_size": TICK, "lot_size": 1.0, "fee_bps": 0.0},
            "intensity": {"rate": BUYERS, "premium": "fixed", "premium_px": PREMIUM},
            "intensity.interval_ms": LATENCY_S * 1e3,
            # An order works for one instant, a latency after it was chosen: it goes as the next is sent.
            "latency": {"market_lag_ms": 0.0, "order_entry_ms": LATENCY_S * 1e3, "cancel_ms": 2e-6},
            "strategy": {"decision_interval_ms": LATENCY_S * 1e3, "requote": "cancel"},
            "risk": {"max_position_pct": 1.0, "daily_loss_cap_pct": 1.0, "max_gross_pct": 1_000.0},
            "account.starting_cash": 1e7,
        },
        seed=seed,
        until=(count * period_ns + SLOT_NS // 2) / 1e9,
        strategy=best_seller,
    )
    fills = done.fills
    bid = done.samples["market_px"][fills["t_ns"] // SLOT_NS - 1]
    above = np.where(fills["is_maker"] == 1, fills["price_px"] - bid, 0.0)
    which = (fills["t_ns"] - SLOT_NS) // period_ns
    assert (np.bincount(which, minlength=count) <= 1).all()  # one lot a sale
    return np.bincount(which, weights=above, minlength=count)[:count]


@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.full)])
def test_the_cost_of_latency_is_that_of_moallemi_and_saglam(count):
    above = sales(count)
    assert abs(above.mean() - 0.038849) <= 4 * above.std() / count**0.5


def test_without_latency_the_same_seller_would_have_earned_more():
    free = PREMIUM * -np.expm1(-BUYERS * HORIZON_S)
    above = sales(5_000)
    assert above.mean() + 20 * above.std() / 5_000**0.5 < free
