"""Numbers in, words out."""

from __future__ import annotations

import pytest

import lablib
from lablib.report import apart, latency_cost, outcome


@pytest.fixture
def summary():
    return lablib.run(until="1s").summary()


def test_a_run_without_fills_has_no_latency_to_tell(summary):
    told = outcome({**summary, "latency_p50_ms": None, "latency_p99_ms": None})
    assert "there is no latency to tell" in told


def test_fees_are_told_as_what_they_took(summary):
    assert "fees -12.50" in outcome({**summary, "fees": 12.5})


def test_a_latch_is_told_with_its_time_its_reason_and_what_it_cost_beyond_the_cap(summary):
    latched = {"halts": 1, "halted": True, "halted_at_s": 754.0, "halt_reason": "daily_loss_cap"}
    told = outcome({**summary, **latched, "overshoot": 1_234.5})
    expected = (
        "latched once, last at 12 min 34 s: daily_loss_cap; at worst 1,234.50 beyond the cap on the"
        " day's loss"
    )
    assert expected in told


def test_a_released_switch_says_that_trading_goes_on(summary):
    told = outcome({**summary, "halts": 3, "halted": False, "overshoot": 0.0})
    assert "latched 3 times; trading goes on" in told


def test_a_halted_run_is_not_compared_with_one_that_traded_on(summary):
    twin = {"pnl_without_latency": 38e6, "fills_without_latency": 9, "latency_cost": 38_014_757.5}
    twin |= {"halted_without_latency": False, "halts_without_latency": 0}
    latched = {"halts": 1, "halted": True, "halted_at_s": 754.0, "halt_reason": "daily_loss_cap"}
    told = outcome({**summary, **latched, **twin})
    assert "is no comparison: halted; the run without latency traded on" in told
    assert "38,0" not in told
    both = {"halted_without_latency": True, "halts_without_latency": 1}
    assert "-38,014,757.50 against the run" in outcome({**summary, **latched, **twin, **both})
    assert "-38,014,757.50 against the run" in outcome({**summary, **twin})


def test_a_run_that_was_halted_for_a_time_was_not_there_either():
    assert apart((False, 3), (False, 3)) == ""
    assert apart((False, 3), (False, 0)).startswith("was halted for a time")
    assert apart((False, 0), (False, 3)).endswith("was halted for a time; ours not")
    assert apart((False, 0), (True, 1)) == "the run without latency is halted; ours traded on"


def test_the_two_figures_of_latency_have_two_names(summary):
    causes = {"edge": 10.0, "latency": -4.0}
    told = outcome({**summary, "attribution": causes, "fills": 3})
    assert "edge +10.00, latency's part of our fills -4.00" in told


def test_a_row_that_was_halted_says_so():
    rows = [{"order_entry_ms": 60, "fills": 2, "pnl": -4.0, "halts": halts} for halts in (0, 3)]
    plain, halted = latency_cost(rows).splitlines()[-2:]
    assert "halted" not in plain
    assert halted.endswith("halted 3 times")


def test_a_market_that_never_filled_costs_nothing_per_fill():
    told = latency_cost([{"order_entry_ms": 0.5, "fills": 0, "pnl": 0.0}])
    assert told.splitlines()[-1].split() == ["0.5", "ms", "0", "+0.00", "none"]
