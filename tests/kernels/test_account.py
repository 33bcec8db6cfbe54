"""Money in integers: rounding half to even, and a ledger against one kept in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.kernels import tables as t
from lablib.kernels.account import fee_of, mark_to, open_account, settle, share

MONEY = st.integers(-(1 << 50), 1 << 50)
LOTS = st.one_of(
    st.integers(1, 1 << 30), st.integers(1, 1 << 52)
)  # also of what is worth next to nothing
RATES = st.integers(-50_000_000, 500_000_000)  # -50 to 500 bps


@given(amount=MONEY, lots=st.tuples(LOTS, LOTS))
def test_a_share_is_rounded_half_to_even(amount, lots):
    part, whole = sorted(lots)
    assert share(amount, part, whole) == round(Fraction(amount * part, whole))


@given(amount=MONEY, lots=st.tuples(LOTS, LOTS))
def test_a_share_and_the_rest_are_the_whole(amount, lots):
    part, whole = sorted(lots)
    assert share(amount, whole, whole) == amount
    assert abs(share(amount, part, whole) + share(amount, whole - part, whole) - amount) <= 1


@pytest.mark.parametrize(
    ("amount", "part", "whole", "result"),
    [
        (1, 1, 2, 0),
        (3, 1, 2, 2),
        (5, 1, 2, 2),
        (-1, 1, 2, 0),
        (-3, 1, 2, -2),
        (-5, 1, 2, -2),
        (7, 3, 6, 4),
        (1 << 60, (1 << 60) - 1, 1 << 60, (1 << 60) - 1),
        (-1, 1 << 59, 1 << 60, 0),
        (-3, 1 << 59, 1 << 60, -2),
        ((1 << 60) - 1, (1 << 60) - 1, 1 << 60, (1 << 60) - 2),
    ],
)
def test_halves_go_to_the_even_neighbour(amount, part, whole, result):
    assert share(amount, part, whole) == result


@given(value=st.integers(-(1 << 52), 1 << 52), rate=RATES)
def test_a_fee_is_the_exact_product_rounded_half_to_even(value, rate):
    assert fee_of(value, rate) == round(Fraction(value * rate, t.FEE_ONE))


class Ledger:
    """The obvious account: every amount an exact fraction of nothing but additions, average cost."""

    def __init__(self, cash: int) -> None:
        self.start = self.cash = cash
        self.position = self.basis = self.realized = self.fees = 0

    def settle(self, side: int, lots: int, value: int, fee: int) -> None:
        self.cash -= side * value + fee
        self.fees += fee
        closed = min(lots, abs(self.position)) if self.position * side < 0 else 0
        if closed:
            paid = round(Fraction(value * closed, lots))
            released = round(Fraction(self.basis * closed, abs(self.position)))
            self.realized += -side * paid - released
            self.basis -= released
            value -= paid
        self.basis += side * value
        self.position += side * lots


FILLS = st.lists(
    st.tuples(
        st.sampled_from([t.BUY, t.SELL]),
        st.one_of(st.integers(1, 500), st.integers(1, 1 << 33)),
        st.integers(1, 1 << 10),
        st.integers(-1_000, 1_000),
        st.integers(2, 1 << 12),
    ),
    max_size=60,
)


def opened(cash: int = 1 << 45, mark: int = 20_000) -> Any:
    account = np.zeros(1, t.ACCOUNT)[0]
    open_account(account, cash, mark)
    return account


@given(fills=FILLS)
def test_the_account_is_the_slow_ledger_through_partial_closes_and_flips(fills):
    account, ledger = opened(), Ledger(1 << 45)
    for side, lots, ticks, fee, mark in fills:
        value = lots * ticks * t.MONEY
        settle(account, side, lots, value, fee)
        ledger.settle(side, lots, value, fee)
        mark_to(account, mark)
        for name in ("cash", "position", "basis", "realized", "fees"):
            assert account[name] == getattr(ledger, name)
        value = ledger.position * mark * (t.MONEY // 2)
        assert account.equity == ledger.cash + value
        assert (
            account.equity == ledger.start + ledger.realized + (value - ledger.basis) - ledger.fees
        )
        if ledger.position == 0:
            assert ledger.basis == 0
    assert account.fills == len(fills)
    assert account.turnover == sum(lots for _, lots, *_ in fills)
    assert account.drawdown >= account.peak - account.equity >= 0


def test_a_round_trip_told_in_full():
    account = opened(cash=0)
    steps = []
    for side, lots, ticks, fee in (
        (t.BUY, 3, 100, 1),
        (t.BUY, 1, 104, 1),
        (t.SELL, 2, 110, 1),  # half of it: releases 202 of 404
        (t.SELL, 5, 90, 1),  # the rest, and three short
        (t.BUY, 3, 80, 1),
    ):
        settle(account, side, lots, lots * ticks * t.MONEY, fee)
        steps.append(tuple(int(account[n]) for n in ("position", "basis", "realized", "fees")))
    m = t.MONEY
    assert steps == [
        (3, 300 * m, 0, 1),
        (4, 404 * m, 0, 2),
        (2, 202 * m, 18 * m, 3),
        (-3, -270 * m, -4 * m, 4),
        (0, 0, 26 * m, 5),
    ]
    assert account.cash == 26 * m - 5


def test_peak_and_drawdown_follow_the_mark():
    account = opened(cash=0, mark=200)
    settle(account, t.BUY, 2, 200 * t.MONEY, 0)
    history = []
    for mark in (210, 190, 206, 150, 260):
        mark_to(account, mark)
        history.append(tuple(int(account[n]) // t.MONEY for n in ("equity", "peak", "drawdown")))
    assert history == [(10, 10, 0), (-10, 10, 20), (6, 10, 20), (-50, 10, 60), (60, 60, 60)]
