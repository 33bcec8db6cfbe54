"""May this order go? And the latch: what stops us, and how late it was.

Limits count orders in flight, each side by itself: the worst case is every pending buy filled and no
pending sell, or the other way round. A net would hide a buy behind a sell.
"""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel


@kernel
def set_cap(risk, limits):
    """What the day may lose. With nothing left that is one unit: a cap of 0 would be breached by rest."""
    risk.cap = max(1, int(risk.day_equity * limits.daily_loss_cap_pct))


@kernel
def open_day(risk, account, limits):
    """Start the first day."""
    risk.day_equity = account.equity
    risk.day_realized = account.realized
    risk.day_fees = account.fees
    set_cap(risk, limits)


@kernel
def roll_day(risk, account, limits):
    """Start the next day: daily limits begin anew, a latch stays unless it may be released."""
    risk.day += 1
    open_day(risk, account, limits)
    if limits.rearm_each_day and risk.halted and risk.reason == t.DAILY_LOSS:
        release(risk)


@kernel
def release(risk):
    """Open the latch."""
    risk.halted = 0
    risk.reason = t.OK
    risk.halted_at = -1


@kernel
def latch(risk, reason, now_ns):
    """Halt; returns whether this was news. The first reason stays."""
    if risk.halted:
        return False
    risk.halted = 1
    risk.reason = reason
    risk.halted_at = now_ns
    risk.halts += 1
    return True


@kernel
def may_send(risk, desk, limits, order):
    """OK, or the reason why an order must not go; its lots already count as pending."""
    if risk.halted and not order.is_exit:
        return t.HALTED
    if order.lots <= 0:
        return t.SIZE_ZERO
    if order.is_exit:
        return t.OK
    unit = desk.account.mark * (0.5 * t.MONEY)  # a float: a wild order must not wrap around
    equity = desk.account.equity
    if limits.check_notional and order.lots * unit > equity * limits.max_position_pct:
        return t.ORDER_NOTIONAL
    if order.side > 0:
        worst = desk.account.position + desk.pending_buy
    else:
        worst = desk.pending_sell - desk.account.position
    if worst * unit > equity * limits.max_gross_pct:
        return t.GROSS_EXPOSURE
    return t.OK


@kernel
def day_loss(risk, account):
    """Units lost since the day began, realised and fees; negative for a gain."""
    return (account.fees - risk.day_fees) - (account.realized - risk.day_realized)


@kernel
def breached(risk, account):
    """Whether the day's realised loss has reached its cap; keeps the overshoot beyond it."""
    loss = day_loss(risk, account)
    if loss < risk.cap:
        return False
    if loss - risk.cap > risk.overshoot:
        risk.overshoot = loss - risk.cap
    return True
