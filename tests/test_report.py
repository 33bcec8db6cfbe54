"""Numbers in, words out."""

from __future__ import annotations

import pytest

import lablib
from lablib.report import latency_cost, outcome


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


def test_a_market_that_never_filled_costs_nothing_per_fill():
    told = latency_cost([{"order_entry_ms": 0.5, "fills": 0, "pnl": 0.0}])
    assert told.splitlines()[-1].split() == ["0.5", "ms", "0", "+0.00", "none"]
