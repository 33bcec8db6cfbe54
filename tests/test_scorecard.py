"""What each kind of flow shows of the stylised facts, and what it does not: `validation.md` §8."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from lablib.engine import Simulation
from lablib.errors import ConfigError
from lablib.kernels.jit import COMPILED
from lablib.scorecard import ALONE, MARKETS, as_markdown, watch
from lablib.stylised import Score, autocorrelation, memory_exponent, score

SECONDS = 5_000.0
sampled = [
    pytest.mark.compiled,
    pytest.mark.skipif(not COMPILED, reason="samples are too small in plain Python"),
]


@cache
def card(market: str) -> dict[str, Score]:
    rows = score(watch({**ALONE, **MARKETS[market]}, seed=7, seconds=SECONDS))
    return {row.fact.name: row for row in rows}


class TestCompiled:
    pytestmark = sampled

    @pytest.mark.parametrize(
        "fact",
        [
            "fat tails",
            "volatility clustering",
            "slow decay of volatility",
            "memory of trade signs",
            "alike neighbours",
            "clustered arrivals",
        ],
    )
    def test_independent_orders_fail_what_needs_a_memory(self, fact):
        assert card("Poisson")[fact].verdict == "fail"

    @pytest.mark.parametrize(
        "fact",
        [
            "no memory in returns",
            "signature plot",
            "hump of the book",
            "imbalance foretells",
            "order flow moves prices",
        ],
    )
    def test_independent_orders_make_a_book(self, fact):
        assert card("Poisson")[fact].verdict == "pass"

    def test_independent_orders_count_as_poisson(self):
        assert card("Poisson")["clustered arrivals"].value == pytest.approx(1, abs=0.6)
        assert abs(card("Poisson")["alike neighbours"].value) < 0.05

    def test_excited_orders_cluster_and_their_signs_do_not(self):
        rows = card("Hawkes")
        assert rows["clustered arrivals"].verdict == "pass"
        assert rows["volatility clustering"].verdict == "pass"
        assert rows["memory of trade signs"].verdict == "fail"
        assert np.isnan(rows["memory of trade signs"].value)

    def test_large_orders_being_worked_give_signs_their_memory(self):
        rows = card("Hawkes, metaorders")
        assert rows["memory of trade signs"].verdict == "pass"
        assert rows["alike neighbours"].verdict == "pass"
        assert rows["clustered arrivals"].verdict == "pass"

    @pytest.mark.parametrize("tail", [1.4, 1.6])
    def test_signs_forget_with_the_tail_of_metaorders_less_one(self, tail):
        seen = []
        for seed in (1, 2, 3):
            changes = {"flow.metaorders": 1, "flow.metaorder_tail": tail}
            signs = watch({**ALONE, **changes}, seed=seed, seconds=3_000).signs
            seen.append(autocorrelation(signs, 64))
        assert memory_exponent(np.mean(seen, axis=0), 10_000) == pytest.approx(tail - 1, abs=0.15)

    def test_nobody_claims_what_was_put_in(self):
        for market in MARKETS:
            for fact in ("tail of order sizes", "square-root impact", "cancelled share"):
                assert card(market)[fact].verdict == "not claimed"

    def test_the_table_has_a_row_for_each_fact_and_a_column_for_each_market(self):
        cards = {market: list(card(market).values()) for market in MARKETS}
        lines = as_markdown(cards).splitlines()
        assert len(lines) == 2 + len(card("Poisson"))
        assert {line.count("|") for line in lines} == {4 + len(MARKETS)}


@pytest.mark.parametrize("market", MARKETS)
def test_what_is_watched_is_what_happened(market):
    config = {**ALONE, **MARKETS[market]}
    seconds = 500.0 if COMPILED else 20.0
    tape = watch(config, seed=3, seconds=seconds)
    simulation = Simulation(config, seed=3)
    simulation.play(round(seconds * 1e9))
    report = simulation.market_report()
    assert report is not None
    assert np.count_nonzero(tape.signs == 1) == report["bought"]
    assert np.count_nonzero(tape.signs == -1) == report["sold"]
    moves = np.diff(tape.mid)
    assert np.count_nonzero(moves > 0) == report["ups"]
    assert np.count_nonzero(moves < 0) == report["downs"]
    assert (tape.ask > tape.bid).all()
    assert (np.diff(tape.at_s) > 0).all()
    assert report["overrun"] == report["crowded"] == report["refused"] == 0


@pytest.mark.parametrize("config", [{}, {**ALONE, "strategy.name": "divergence"}])
def test_only_a_flow_without_us_is_watched(config):
    with pytest.raises(ConfigError, match="scorecard"):
        watch(config, seed=1, seconds=1.0)


def test_a_view_follows_the_run_and_cannot_be_written():
    simulation = Simulation(ALONE, seed=1)
    bought = simulation.view("venue.flow.bought")
    before = bought.tolist()
    simulation.play(20_000_000_000)
    assert bought.shape == (1,)
    assert bought[0] == simulation.state.venue.flow.bought > before[0]
    with pytest.raises(ValueError, match="read-only"):
        bought[0] = 0
    with pytest.raises(ConfigError, match=r"view.*venue\.flow\.bougth"):
        simulation.view("venue.flow.bougth")
