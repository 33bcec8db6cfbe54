"""Measures of stylised facts, on tapes whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lablib.errors import ConfigError
from lablib.stylised import (
    FACTS,
    Tape,
    autocorrelation,
    memory_exponent,
    memory_length,
    order_flow_imbalance,
    response,
    score,
)

RANDOM = np.random.Generator(np.random.Philox(1))


def tape(**changes: Any) -> Tape:
    """A thousand changes, one a second, of a market that does nothing in particular."""
    count = 1_000
    steps = RANDOM.choice([-1, 0, 1], count)
    bid = 10_000 + np.cumsum(steps)
    made = Tape(
        at_s=np.arange(count, dtype=np.float64),
        bid=bid,
        ask=bid + 1,
        bid_lots=RANDOM.integers(1, 10, count),
        ask_lots=RANDOM.integers(1, 10, count),
        trade_s=np.arange(count) + 0.5,
        signs=RANDOM.choice([-1, 1], count),
        depth=np.array([2.0, 5.0, 4.0, 1.0]),
    )
    return replace(made, **changes)


def value_of(name: str, of: Tape) -> float:
    return next(row.value for row in score(of) if row.fact.name == name)


def test_autocorrelation_is_that_of_the_definition():
    values = RANDOM.normal(size=500)
    centred = values - values.mean()
    expected = [np.mean(centred[k:] * centred[:-k]) / centred.var() for k in (1, 2, 3)]
    assert autocorrelation(values, 3) == pytest.approx(expected)
    assert autocorrelation(np.ones(10), 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("exponent", [0.3, 0.5, 0.7])
def test_a_power_law_has_its_exponent(exponent):
    # Averages over doubling blocks bend the line a little.
    found = memory_exponent(0.3 * np.arange(1, 129) ** -exponent, 1_000_000)
    assert found == pytest.approx(exponent, abs=0.02)


def test_a_memory_that_dies_has_a_length_and_no_exponent():
    fading = np.exp(-np.arange(1, 129) / 5)
    assert np.isnan(memory_exponent(fading, 10_000))
    assert memory_length(fading, 10_000) == 32
    assert memory_length(fading, 10_000_000) == 64
    assert np.isnan(memory_exponent(autocorrelation(RANDOM.choice([-1, 1], 10_000), 128), 10_000))


def test_order_flow_imbalance_counts_what_joins_leaves_and_moves():
    rows = [  # bid, ask, bid lots, ask lots; what the change from the row before is worth
        (100, 101, 5, 5, None),
        (100, 101, 8, 5, 3),  # three joined the bid
        (100, 101, 8, 4, 1),  # one left the ask
        (101, 102, 2, 6, 2 + 4),  # a better bid of two, and the ask of four is gone
        (100, 102, 9, 6, -2),  # the better bid is gone
    ]
    bid, ask, bid_lots, ask_lots, worth = (list(column) for column in zip(*rows, strict=True))
    market = tape(
        at_s=np.arange(5.0),
        bid=np.array(bid),
        ask=np.array(ask),
        bid_lots=np.array(bid_lots),
        ask_lots=np.array(ask_lots),
    )
    assert order_flow_imbalance(market).tolist() == worth[1:]


def test_a_price_that_follows_every_trade_responds_to_it():
    signs = np.tile([1, 1, -1], 300)
    market = tape(
        at_s=np.arange(900.0),
        bid=10_000 + np.cumsum(signs),
        ask=10_001 + np.cumsum(signs),
        bid_lots=np.ones(900, np.int64),
        ask_lots=np.ones(900, np.int64),
        trade_s=np.arange(900.0),
        signs=signs,
    )
    assert response(market, 1) == pytest.approx(1.0, abs=0.01)  # nothing is known before the first
    assert response(market, 3) == pytest.approx(1 / 3, abs=0.01)


def test_a_longer_queue_that_always_wins_foretells_all():
    count = 1_000
    side = RANDOM.choice([-1, 1], count)
    bid = 10_000 + np.concatenate([[0], np.cumsum(side)[:-1]])
    heavy, light = np.full(count, 9), np.ones(count, np.int64)
    market = tape(
        bid=bid,
        ask=bid + 1,
        bid_lots=np.where(side > 0, heavy, light),
        ask_lots=np.where(side > 0, light, heavy),
    )
    assert value_of("imbalance foretells", market) == 1.0


def test_plain_measures_are_what_their_names_say():
    market = tape(ask=tape().bid + 2)
    assert value_of("tight spread", replace(market, ask=market.bid + 1)) == 1.0
    assert value_of("tight spread", replace(market, ask=market.bid + 2)) == 0.0
    assert value_of("hump of the book", market) == 2
    assert value_of("clustered arrivals", market) == 0.0  # one a second, on the dot
    burst = replace(market, trade_s=np.sort(np.concatenate([np.full(900, 50.0), np.arange(100.0)])))
    assert value_of("clustered arrivals", burst) > 100


def test_every_fact_has_a_row_and_what_is_not_claimed_never_passes():
    rows = score(tape())
    assert [row.fact for row in rows] == list(FACTS)
    for row in rows:
        claimed = row.fact.measure is not None
        assert (row.verdict == "not claimed") == (not claimed)
        assert bool(row.fact.why_not) == (not claimed)
        assert np.isfinite(row.value) or row.verdict != "pass"


def test_a_tape_too_short_to_say_anything_is_refused():
    with pytest.raises(ConfigError, match="needs 500 trades in 600 s or more, got 99"):
        score(tape(trade_s=np.arange(99.0), signs=np.ones(99, np.int64)))


def test_bands_are_told_as_a_person_writes_them():
    bands = {fact.name: fact.band for fact in FACTS}
    assert bands["no memory in returns"] == "≤ 0.05"
    assert bands["fat tails"] == "≥ 3"
    assert bands["tight spread"] == "0.8 – 0.98"
    assert bands["square-root impact"] == "–"
