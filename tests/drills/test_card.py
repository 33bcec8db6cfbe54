"""The score card: numbers of the drill, a verdict by limits that somebody sets."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from lablib.drills import CARD, FAULTS, Limits, card, desk, drill
from lablib.errors import ConfigError
from lablib.exports import encoded

GENEROUS = Limits(late_ms=1e6, fills_after=100, overshoot=1e6, cost=1e6)


@pytest.fixture(scope="module")
def drills():
    return {name: drill(name, seed=3, slide_bps_s=40) for name in FAULTS}


@pytest.mark.compiled
def test_a_row_says_what_its_drill_says(drills):
    rows = card(list(drills.values()), GENEROUS)
    assert rows.dtype == CARD
    assert rows["drill"].tolist() == list(FAULTS)
    for row, one in zip(rows, drills.values(), strict=True):
        costs = ("cost", "cost_by_halt", "cost_after_halt")
        for name in ("noticed_ms", "halted_ms", "late_ms", "overshoot", "loss", *costs):
            np.testing.assert_equal(row[name], getattr(one, name))
        assert (row["in_flight"], row["fills_after"]) == (one.halt.in_flight, one.halt.fills_after)
        assert row["verdict"] == "pass"
        assert row["why"] == ""


@pytest.mark.compiled
@pytest.mark.parametrize("mark", ["late_ms", "fills_after", "overshoot", "cost"])
def test_each_mark_fails_a_drill_by_itself_and_says_so(drills, mark):
    one = drills["slow_wires"]
    value = one.halt.fills_after if mark == "fills_after" else getattr(one, mark)
    at, below = replace(GENEROUS, **{mark: value}), replace(GENEROUS, **{mark: 0.99 * value})
    assert at.faults(one) == []
    (why,) = below.faults(one)
    assert f"{value:,.0f}" in why
    (row,) = card([one], below)
    assert (row["verdict"], row["why"]) == ("fail", why)


@pytest.mark.compiled
def test_what_nothing_stops_fails_whatever_the_marks():
    off = {"risk.order_timeout_ms": 0, "risk.drawdown_cap_pct": 0, "risk.daily_loss_cap_pct": 1.0}
    assert GENEROUS.faults(drill("slow_wires", desk(off), seed=3)) == ["nothing stopped it"]
    off = {"risk.max_open_orders": 0, "risk.price_collar_pct": 0}
    told = GENEROUS.faults(drill("double_order", desk(off), seed=3))
    assert told == ["nothing held the orders back"]
    held = drill("double_order", seed=3)
    late = replace(held, halt=replace(held.halt, slipped=2))
    assert GENEROUS.faults(held) == []
    assert GENEROUS.faults(late) == ["2 orders left before one was held back"]


@pytest.mark.compiled
def test_a_limit_that_was_not_crossed_passes():
    calm = drill("late_switch", desk({"risk.drawdown_cap_pct": 0.5}), seed=3)
    assert math.isnan(calm.cost)
    assert Limits(0, 0, 0, 0).faults(calm) == []


@pytest.mark.compiled
def test_the_card_is_a_table_as_any_other(drills):
    rows = card(list(drills.values()))
    lines = encoded(rows, ".csv").decode().splitlines()
    assert lines[0].split(",") == list(CARD.names)
    assert len(lines) == 1 + rows.size
    assert card([]).size == 0


@pytest.mark.parametrize("value", [-1, math.nan, True, "5", None])
@pytest.mark.parametrize("name", ["late_ms", "fills_after", "overshoot", "cost"])
def test_a_mark_that_is_no_number_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=f"limits.{name}: a number of at least 0"):
        Limits(**{name: value})
