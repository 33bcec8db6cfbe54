"""Published laws of order flow, reached by the engine itself: `validation.md` §3 and §8.

Each row is one configuration of venue `flow`, without us unless the row is about our orders. Samples
are short by default, twenty times as long under the marker full; four standard errors either way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stepping import events

from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.kernels import tables as t
from lablib.kernels.desk import amend, intend
from lablib.kernels.jit import COMPILED

S = t.NS_PER_S
LOTS = 5_000  # one order
ALONE = {
    "venue.model": "flow",
    "strategy.name": "idle",
    "record.samples": False,
    "external.volatility_bps": 0.0,
    "external.interval_ms": 60_000.0,
}

pytestmark = [
    pytest.mark.compiled,
    pytest.mark.skipif(not COMPILED, reason="samples are too small in plain Python"),
]
samples = pytest.mark.parametrize("size", [1, pytest.param(20, marks=pytest.mark.full)])


def flow(seed: int = 1, **changes: Any) -> Simulation:
    """Order flow alone; `changes` are fields of the section `flow`."""
    fields = {name if "." in name else f"flow.{name}": value for name, value in changes.items()}
    return Simulation(SimConfig().replace({**ALONE, **fields}), seed=seed)


def moves(simulation: Simulation) -> tuple[int, int]:
    """Moves of the mid so far: all, and up."""
    report = simulation.market_report()
    assert report is not None
    assert report["overrun"] == report["crowded"] == report["refused"] == 0
    return report["ups"] + report["downs"], report["ups"]


def watched(simulation: Simulation, seconds: float, count: int, look: Callable[[Any], Any]) -> Any:
    """What `look` says of the state every `seconds`, `count` times, shape (count, …)."""
    seen = []
    for k in range(1, count + 1):
        simulation.play(round(k * seconds * S))
        seen.append(look(simulation._state))
    return np.array(seen)


def within(result: float, target: float, error: float) -> None:
    """Four standard errors."""
    assert abs(result - target) < 4 * error, f"{result} ± {error}, target {target}"


def share_within(hits: int, count: int, target: float) -> None:
    within(hits / count, target, (target * (1 - target) / count) ** 0.5)


# ------------------------------------------------------------------------- §3.1 Cont-Stoikov-Talreja
# Exact values of Table 3 at a spread of one tick: rows bid queue, columns ask queue.
UP = np.array(
    [
        [0.5000, 0.3352, 0.2590, 0.2158, 0.1878],
        [0.6648, 0.5000, 0.4069, 0.3479, 0.3072],
        [0.7410, 0.5931, 0.5000, 0.4366, 0.3906],
        [0.7842, 0.6521, 0.5634, 0.5000, 0.4523],
        [0.8122, 0.6928, 0.6094, 0.5477, 0.5000],
    ]
)


@samples
@pytest.mark.parametrize("ask", range(1, 6))
@pytest.mark.parametrize("bid", range(1, 6))
def test_the_next_move_of_the_mid_is_up_as_often_as_in_table_3(bid, ask, size):
    """All five distances of the published rates; after each move the queues start from (bid, ask)."""
    simulation = flow(redraw="fixed", touch_orders=(bid, ask), seed=10 * bid + ask)
    simulation.play(5_000 * size * S)
    count, ups = moves(simulation)
    assert count > 1_000 * size
    # The published chain solves to 4 digits.
    target = UP[bid - 1, ask - 1]
    within(ups / count, target, (target * (1 - target) / count) ** 0.5 + 5e-5)


# Table 5, upper triangle: rows bid queue, columns ask queue, ours the last order of both.
MADE = {(2, 2): 0.386, (2, 4): 0.406, (3, 3): 0.441, (5, 5): 0.491}


class Spread:
    """Own orders at the back of both queues after each move: does the market fill both before the next?"""

    def __init__(self, bid: int, ask: int) -> None:
        us = {"account.starting_cash": 1e6, "venue.fee_bps": 0.0, "risk.daily_loss_cap_pct": 1.0}
        us |= {"risk.check_notional": False}
        market: dict[str, Any] = {
            "limit_rates": (1.85,),
            "cancel_rates": (0.71,),
            "redraw": "fixed",
        }
        market["cancel_bound"] = 16
        self.simulation = flow(bid, touch_orders=(bid - 1, ask - 1), **market, **us)
        self.state, self.params = self.simulation._state, self.simulation._params
        self.flow, self.account = self.state.venue.flow, self.state.account
        self.intent: Any = np.zeros(1, t.INTENT)[0]

    def place(self) -> None:
        """What is left of the last pair goes, a new one joins the queues: all within this instant."""
        self.simulation.play(self.simulation.now_ns)
        intent, cause = self.intent, int(self.state.tape_events)
        for at in np.flatnonzero(self.state["own"]["used"]).tolist():
            intent.act, intent.at = t.CANCEL, at
            amend(self.state, self.params, intent, cause, at)
        for half, side in enumerate((t.BUY, t.SELL)):
            intent.act, intent.kind, intent.side, intent.lots = t.NEW, t.LIMIT, side, LOTS
            intent.limit_ticks = self.state.book.best[half]
            intend(self.state, self.params, intent, cause, half)
        self.simulation.play(self.simulation.now_ns)
        lots = self.state.venue.quote
        rules = self.params.flow
        assert lots.bid_lots == LOTS * (rules.touch_orders[0] + 1)
        assert lots.ask_lots == LOTS * (rules.touch_orders[1] + 1)

    def try_once(self) -> bool:
        """Whether both orders were filled by the time the mid moved."""
        self.place()
        fills, mid = int(self.account.fills), int(self.flow.mid)
        for _ in events(self.simulation, t.FAR - 1):
            if self.flow.mid != mid:
                return int(self.account.fills) == fills + 2
        raise AssertionError("the mid never moved")


@samples
@pytest.mark.parametrize(("bid", "ask"), MADE)
def test_our_orders_make_the_spread_as_often_as_in_table_5(bid, ask, size):
    spread = Spread(bid, ask)
    tries = 100 * size
    made = sum(spread.try_once() for _ in range(tries))
    assert moves(spread.simulation)[0] == tries
    target = MADE[bid, ask]
    # Published with three digits, and re-simulated within 0.002.
    within(made / tries, target, (target * (1 - target) / tries) ** 0.5 + 5e-4)


# --------------------------------------------------------------------------------- §3.3 queue laws
@samples
def test_a_level_that_is_never_at_the_touch_holds_a_poisson_number_of_orders(size):
    """Isolated by a best level that never empties: nobody takes, and 20 orders rest at it."""
    limits, cancels = (8.0, 1.51, 1.09, 0.88, 0.77), (0.4, 0.81, 0.68, 0.56, 0.47)
    queues = {"touch_orders": (20, 20), "market_rate": 0.0}
    simulation = flow(limit_rates=limits, cancel_rates=cancels, **queues)
    bid, ask = 9_999 + 1, 10_001

    def look(state: Any) -> list[int]:
        level = state["book"]["levels"]["lots"]
        behind = [(1, ask + k) for k in range(1, 5)] + [(0, bid - k) for k in range(1, 5)]
        return [int(level[half, px & (t.N_LEVELS - 1)]) // LOTS for half, px in behind]

    count = 2_000 * size
    seen = watched(simulation, 10.0, count, look)
    assert moves(simulation) == (0, 0)
    means = np.tile(np.divide(limits, cancels)[1:], 2)
    for held, mean in zip(seen.T, means, strict=True):
        within(held.mean(), mean, (mean / count) ** 0.5)
        # Var of the sample variance of a Poisson law: (mean + 2 mean^2) / n.
        within(held.var(), mean, ((mean + 2 * mean**2) / count) ** 0.5)
        share_within(int((held == 0).sum()), count, np.exp(-mean))


@samples
def test_what_a_level_holds_is_forgotten_at_the_cancellation_rate(size):
    limits, cancels = (8.0, 1.51), (0.4, 0.81)
    simulation = flow(
        limit_rates=limits, cancel_rates=cancels, touch_orders=(20, 20), market_rate=0.0
    )
    seen = watched(
        simulation,
        1.0,
        10_000 * size,
        lambda state: int(state["book"]["levels"]["lots"][1, 10_002 & (t.N_LEVELS - 1)]) // LOTS,
    )
    r = np.corrcoef(seen[:-1], seen[1:])[0, 1]
    within(r, np.exp(-0.81), 1.5 / seen.size**0.5)


@samples
def test_a_queue_that_reflects_at_zero_has_its_law(size):
    """Isolated by one distance: an empty side waits where it was, so no price ever moves."""
    simulation = flow(limit_rates=(1.85,), cancel_rates=(0.71,), market_rate=0.94)
    count = 3_000 * size
    seen = watched(
        simulation,
        10.0,
        count,
        lambda state: [int(state.venue.quote.bid_lots), int(state.venue.quote.ask_lots)],
    )
    orders = seen.ravel() // LOTS
    assert moves(simulation) == (0, 0)
    weights = [1.0]
    for k in range(1, 40):
        weights.append(weights[-1] * 1.85 / (0.94 + 0.71 * k))
    law = np.array(weights) / sum(weights)
    x = np.arange(40)
    assert abs(law[0] - 0.25316) < 1e-5
    within(orders.mean(), 1.61686, (2.06371 / orders.size) ** 0.5)
    fourth = (law * (x - 1.61686) ** 4).sum()
    within(orders.var(), 2.06371, ((fourth - 2.06371**2) / orders.size) ** 0.5)
    for held in range(5):
        share_within(int((orders == held).sum()), orders.size, law[held])


# ----------------------------------------------------------------------------- §3.4 Cont-de Larrard
def redrawn(limit: float, death: float, bid: int, ask: int, **more: Any) -> Simulation:
    """Queues that grow and shrink by one at constant rates, drawn anew after each move."""
    rates = {"limit_rates": (limit,), "cancel_rates": (0.0,), "market_rate": death}
    return flow(redraw="fixed", touch_orders=(bid, ask), seed=bid, **rates, **more)


def up(bid: int, ask: int) -> float:
    """P_up(n, p) of balanced queues, by the midpoint rule."""
    w = (np.arange(200_000) + 0.5) * np.pi / 200_000
    c = 2 - np.cos(w)
    inside = (c - np.sqrt(c * c - 1)) ** ask * np.sin(bid * w) * np.cos(w / 2) / np.sin(w / 2)
    return float(inside.mean())


@samples
@pytest.mark.parametrize(
    ("queues", "target"),
    [
        ((1, 1), 0.5),
        ((2, 1), 0.69765),
        ((1, 3), 0.20939),
        ((3, 5), 0.34524),
        ((5, 2), 0.75602),
        ((10, 4), 0.75731),
    ],
)
def test_balanced_queues_move_the_price_up_as_often_as_the_closed_form(queues, target, size):
    assert abs(up(*queues) - target) < 1e-5
    simulation = redrawn(1.0, 1.0, *queues)
    simulation.play(100_000 * size * S)
    count, ups = moves(simulation)
    share_within(ups, count, target)


@samples
def test_the_time_between_moves_has_its_tail(size):
    """P(tau > 10) and P(tau > 100) of balanced queues (3, 5), as an idle clock samples the mid."""
    clock = {"record.samples": True, "strategy.decision_interval_ms": 250.0}
    durations = []
    for piece in range(size):
        config = redrawn(1.0, 1.0, 3, 5, **clock).config
        seen = Simulation(config, seed=100 + piece).advance(50_000 * S).samples
        durations.append(np.diff(np.flatnonzero(np.diff(seen["market_px"])) * 0.25))
    tau = np.concatenate(durations)
    share_within(int((tau > 10).sum()), tau.size, 0.36673)
    share_within(int((tau > 100).sum()), tau.size, 0.046439)


@samples
@pytest.mark.parametrize(
    ("limit", "death", "queue", "variance"),
    [(1.0, 1.3, 5, 0.126801), (1.0, 1.1, 10, 0.023597), (2.0, 2.5, 3, 0.455784)],
)
def test_the_prices_variance_is_one_tick_squared_over_the_mean_duration(
    limit, death, queue, variance, size
):
    simulation = redrawn(limit, death, queue, queue)
    count, seconds = 500 * size, 200.0
    mids = watched(simulation, seconds, count, lambda state: int(state.venue.flow.mid)) / 2
    steps = np.diff(mids, prepend=10_000.5)
    per_second = steps**2 / seconds
    within(per_second.mean(), variance, per_second.std() / count**0.5)
    every, ups = moves(simulation)
    share_within(ups, every, 0.5)
    # Durations vary no more than an exponential's would.
    within(every / (count * seconds), variance, (variance / (count * seconds)) ** 0.5)


# ---------------------------------------------------------------------------------- §8 clustering
@samples
@pytest.mark.parametrize(
    ("branching", "side_rate", "rate", "fano"), [(0.5, 1.0, 2.0, 4.0), (0.8, 2.5, 5.0, 25.0)]
)
def test_self_excited_orders_have_their_rate_and_fano_factor(
    branching, side_rate, rate, fano, size
):
    """Base rate 1, decay 5: mean rate 1/(1 - n), Fano factor 1/(1 - n)^2 over 200 s."""
    rates = {"limit_rates": (0.1,), "cancel_rates": (0.0,), "market_rate": side_rate}
    simulation = flow(**rates, market_branching=branching, headroom=40.0)
    count, seconds = 300 * size, 200.0
    total = watched(
        simulation,
        seconds,
        count,
        lambda state: int(state.venue.flow.bought + state.venue.flow.sold),
    )
    orders = np.diff(total, prepend=0)
    assert moves(simulation)[0] == 0
    within(orders.mean() / seconds, rate, (fano * rate / (count * seconds)) ** 0.5)
    within(orders.var() / orders.mean(), fano, fano * (2 / count) ** 0.5)


@samples
def test_signs_of_worked_metaorders_have_their_autocorrelation(size):
    """One metaorder after another, lengths P(L >= l) = l^-2.5: C(k) = sum over j > k of j^-2.5 / zeta."""
    rates = {"limit_rates": (0.0,), "cancel_rates": (0.0,), "market_rate": 1.0}
    trades, first = 3_000, 500
    lags = (1, 2, 5, 10)
    products = []
    for seed in range(8 * size):
        simulation = flow(seed, metaorders=1, metaorder_tail=2.5, **rates)
        simulation._turn_tape()
        times = simulation._supply.events["time_ns"][:trades].tolist()
        bought = []
        for at in times:
            simulation.play(at)
            bought.append(int(simulation._state.venue.flow.bought))
        signs = 2 * np.diff(bought[first:]) - 1
        assert set(np.unique(signs)) == {-1, 1}
        products.append([np.mean(signs[:-k] * signs[k:]) for k in lags])
    got = np.array(products)
    terms = np.arange(1, 1_000_000) ** -2.5
    for k, column in zip(lags, got.T, strict=True):
        target = terms[k:].sum() / terms.sum()
        within(column.mean(), target, column.std(ddof=1) / len(column) ** 0.5)
