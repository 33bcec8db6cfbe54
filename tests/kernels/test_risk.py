"""May this order go? And the latch: every reason, every boundary, days and their caps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.config import SimConfig
from lablib.kernels import tables as t
from lablib.kernels.account import open_account
from lablib.kernels.risk import (
    breached,
    day_loss,
    latch,
    may_send,
    open_day,
    release,
    roll_day,
    set_cap,
)

MARK = 20_000  # half ticks; a lot is worth 10,000 ticks
LOT = MARK * t.MONEY // 2
CASH = 1_000 * LOT  # a thousand lots


def zero(dtype: np.dtype) -> Any:
    return np.zeros(1, dtype)[0]


def limits(**changes: Any) -> Any:
    rules = {"max_position_pct": 0.01, "max_gross_pct": 0.1, "daily_loss_cap_pct": 0.02}
    config = SimConfig().replace({f"risk.{k}": v for k, v in {**rules, **changes}.items()})
    return config.to_record().risk


def desk(position: int = 0, buying: int = 0, selling: int = 0) -> Any:
    record = zero(t.DESK)
    open_account(record.account, CASH, MARK)
    record.account.position = position
    record.pending_buy, record.pending_sell = buying, selling
    return record


def order(lots: int, side: int = t.BUY, is_exit: int = 0) -> Any:
    record = zero(t.OWN_ORDER)
    record.lots, record.side, record.is_exit = lots, side, is_exit
    return record


def halted(reason: int = t.DAILY_LOSS) -> Any:
    risk = zero(t.RISK)
    latch(risk, reason, 5)
    return risk


def may(risk: Any, state: Any, rules: Any, sent: Any) -> int:
    """What the checks say of an order while nothing has been seen yet."""
    return may_send(risk, state, zero(t.SEEN), rules, sent, 0)


# ----------------------------------------------------------------------------------------- may it go?
@pytest.mark.parametrize("side", [t.BUY, t.SELL])
@pytest.mark.parametrize(
    ("lots", "reason"), [(10, t.OK), (11, t.ORDER_NOTIONAL), (0, t.SIZE_ZERO), (-1, t.SIZE_ZERO)]
)
def test_one_order_may_be_worth_its_share_of_equity_and_no_more(side, lots, reason):
    pending = {"buying": lots} if side > 0 else {"selling": lots}
    assert may(zero(t.RISK), desk(**pending), limits(), order(lots, side)) == reason


def test_the_notional_check_can_be_left_out():
    answer = may(zero(t.RISK), desk(buying=50), limits(check_notional=False), order(50))
    assert answer == t.OK


@pytest.mark.parametrize(
    ("position", "buying", "selling", "side", "reason"),
    [
        (0, 100, 0, t.BUY, t.OK),
        (0, 101, 0, t.BUY, t.GROSS_EXPOSURE),
        (60, 41, 0, t.BUY, t.GROSS_EXPOSURE),
        (60, 41, 90, t.BUY, t.GROSS_EXPOSURE),  # a sale under way may come too late
        (-60, 160, 0, t.BUY, t.OK),
        (0, 0, 101, t.SELL, t.GROSS_EXPOSURE),
        (-60, 90, 41, t.SELL, t.GROSS_EXPOSURE),
        (60, 0, 160, t.SELL, t.OK),
    ],
)
def test_exposure_counts_what_is_in_flight_each_side_by_itself(
    position, buying, selling, side, reason
):
    state = desk(position, buying, selling)
    assert may(zero(t.RISK), state, limits(), order(5, side)) == reason


def test_a_halted_desk_sends_exits_only():
    state = desk(position=500, selling=500)
    assert may(halted(), state, limits(), order(5)) == t.HALTED
    assert may(halted(), state, limits(), order(500, t.SELL, is_exit=1)) == t.OK


def test_an_exit_passes_every_limit():
    state = desk(position=5_000, selling=5_000)
    assert may(zero(t.RISK), state, limits(), order(5_000, t.SELL, is_exit=1)) == t.OK


def test_the_wildest_order_does_not_wrap_around():
    state = desk(buying=1 << 60)
    state.account.mark = 1 << 37
    loose = limits(check_notional=False, max_gross_pct=1_000)
    assert may(zero(t.RISK), state, loose, order(1 << 60)) == t.GROSS_EXPOSURE
    assert may(zero(t.RISK), state, limits(), order(1 << 60)) == t.ORDER_NOTIONAL


def test_who_has_nothing_left_may_enter_nothing():
    state = desk(buying=1)
    state.account.equity = -LOT
    assert may(zero(t.RISK), state, limits(), order(1)) == t.ORDER_NOTIONAL
    state.account.equity = 0
    unchecked = limits(check_notional=False)
    assert may(zero(t.RISK), state, unchecked, order(1)) == t.GROSS_EXPOSURE


# ------------------------------------------------------------------------------------------ the latch
def test_the_first_reason_stays():
    risk = zero(t.RISK)
    assert latch(risk, t.MANUAL, 7)
    assert not latch(risk, t.DAILY_LOSS, 9)
    assert (risk.halted, risk.reason, risk.halted_at, risk.halts) == (1, t.MANUAL, 7, 1)


@pytest.mark.parametrize("money", [t.DAILY_LOSS, t.DRAWDOWN, t.LOSS_STREAK])
@pytest.mark.parametrize(
    "grave",
    [t.MANUAL, t.INVARIANT, t.STALE_FEED, t.STALE_VENUE, t.FEED_GAP, t.ORDER_TIMEOUT],
)
def test_a_reason_that_a_day_does_not_release_outranks_one_that_it_does(money, grave):
    risk = zero(t.RISK)
    assert latch(risk, money, 7)
    assert latch(risk, grave, 9)
    assert not latch(risk, t.MANUAL, 11)
    assert not latch(risk, money, 13)
    assert (risk.halted, risk.reason, risk.halted_at, risk.halts) == (1, grave, 7, 2)
    roll_day(risk, desk().account, limits(rearm_each_day=True))
    assert risk.halted


def test_a_released_latch_can_fall_again():
    risk = halted()
    release(risk, desk().account)
    assert (risk.halted, risk.reason, risk.halted_at) == (0, t.OK, -1)
    assert latch(risk, t.MANUAL, 9)
    assert risk.halts == 2


# ----------------------------------------------------------------------------------- a day, its loss
@given(realized=st.integers(-CASH, CASH), fees=st.integers(-(10**9), 10**9))
def test_a_day_s_loss_is_what_was_realised_less_fees(realized, fees):
    risk, state = zero(t.RISK), desk()
    state.account.realized, state.account.fees = 77, 11
    open_day(risk, state.account, limits())
    assert day_loss(risk, state.account) == 0
    state.account.realized += realized
    state.account.fees += fees
    assert day_loss(risk, state.account) == fees - realized


def test_the_cap_is_breached_when_it_is_reached():
    risk, account = zero(t.RISK), desk().account
    open_day(risk, account, limits())
    assert risk.cap == CASH // 50
    account.realized = -risk.cap + 1
    assert not breached(risk, account)
    assert risk.overshoot == 0
    account.fees = 1  # fees count
    assert breached(risk, account)
    assert risk.overshoot == 0
    account.realized -= 5
    assert breached(risk, account)
    assert risk.overshoot == 5
    account.realized += 3
    assert breached(risk, account)
    assert risk.overshoot == 5  # the most so far


def test_a_gain_earlier_in_the_day_may_be_lost_again():
    risk, account = zero(t.RISK), desk().account
    open_day(risk, account, limits())
    account.realized = 1_000
    assert not breached(risk, account)
    account.realized = 1_000 - int(risk.cap)
    assert not breached(risk, account)
    account.realized = -int(risk.cap)
    assert breached(risk, account)


def test_a_new_day_forgets_the_loss_and_takes_its_cap_from_today_s_equity():
    risk, account = zero(t.RISK), desk().account
    open_day(risk, account, limits())
    account.realized = account.fees = -500
    account.equity = CASH // 2
    roll_day(risk, account, limits())
    assert (risk.day, day_loss(risk, account), risk.cap) == (1, 0, CASH // 100)


def test_a_new_day_releases_a_daily_latch_only_and_only_when_asked():
    outcomes = {}
    for rearm in (False, True):
        for reason in (t.DAILY_LOSS, t.MANUAL):
            risk = halted(reason)
            roll_day(risk, desk().account, limits(rearm_each_day=rearm))
            outcomes[rearm, reason] = int(risk.halted)
    assert outcomes == {
        (False, t.DAILY_LOSS): 1,
        (False, t.MANUAL): 1,
        (True, t.DAILY_LOSS): 0,
        (True, t.MANUAL): 1,
    }


def test_a_changed_cap_is_of_the_day_s_first_equity():
    risk, account = zero(t.RISK), desk().account
    open_day(risk, account, limits())
    account.equity = CASH // 2
    set_cap(risk, limits(daily_loss_cap_pct=0.1))
    assert risk.cap == CASH // 10


def test_a_day_that_starts_with_nothing_may_rest():
    risk, account = zero(t.RISK), desk().account
    account.equity = 0
    open_day(risk, account, limits())
    assert risk.cap == 1
    assert not breached(risk, account)
