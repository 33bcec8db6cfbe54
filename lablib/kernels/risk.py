"""May this order go? And the latch: what stops us, and how far it had come.

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
    if limits.rearm_each_day and risk.halted and a_day_may_release(risk.reason):
        release(risk, account)


@kernel
def a_day_may_release(reason):
    """Whether a new day may open a latch that fell for this reason: money was lost, no more than that.

    What a person must look into first, a silent feed or books that do not add up, stays shut.
    """
    return reason == t.DAILY_LOSS or reason == t.DRAWDOWN or reason == t.LOSS_STREAK


@kernel
def release(risk, account):
    """Open the latch: all but the day's loss counts from here, or the same past would shut it again."""
    if risk.halted:
        risk.halted = 0
        risk.reason = t.OK
        risk.halted_at = -1
        risk.streak = 0
        risk.lost = 0
        risk.peak = account.equity


@kernel
def latch(risk, reason, now_ns):
    """Halt; returns whether this was news.

    The first reason stays, unless a new day might open the latch for it and not for the new one: then
    the new one is what keeps us halted.
    """
    if risk.halted and (a_day_may_release(reason) or not a_day_may_release(risk.reason)):
        return False
    if not risk.halted:
        risk.halted_at = now_ns
    risk.halted = 1
    risk.reason = reason
    risk.halts += 1
    return True


@kernel
def may_send(risk, desk, seen, limits, order, now_ns):
    """OK, or the reason why an order must not go; it already counts as pending and as working."""
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
    if limits.max_open_orders > 0 and desk.working > limits.max_open_orders:
        return t.OPEN_ORDERS
    return may_stand(risk, seen, limits, price_of(seen, order), now_ns)


@kernel
def may_replace(risk, seen, limits, limit_ticks, now_ns):
    """OK, or the reason why a resting order must not be moved there: what holds for a new price at all.

    It takes no lots but those that count already.
    """
    if risk.halted:
        return t.HALTED
    return may_stand(risk, seen, limits, limit_ticks, now_ns)


@kernel
def may_stand(risk, seen, limits, px, now_ns):
    """OK, or the reason why nothing must be sent at this price now."""
    if limits.max_orders_per_s > 0 and too_fast(risk, limits.max_orders_per_s, now_ns):
        return t.ORDER_RATE
    if limits.refuse_crossed and seen.bid > seen.ask:
        return t.CROSSED_QUOTES
    if limits.price_collar_pct > 0.0 and off_collar(seen, limits.price_collar_pct, px):
        return t.PRICE_COLLAR
    return t.OK


@kernel
def too_fast(risk, most, now_ns):
    """Whether one order more would make it `most` + 1 within some stretch of one second."""
    if risk.sent < most:
        return False
    return now_ns - risk.sent_at[(risk.sent - most) & (t.N_RATE - 1)] < t.NS_PER_S


@kernel
def count_sent(risk, now_ns):
    """A new order or a replace leaves."""
    risk.sent_at[risk.sent & (t.N_RATE - 1)] = now_ns
    risk.sent += 1


@kernel
def price_of(seen, order):
    """The price an order names, or the touch that a market order would take; far off without one."""
    if order.kind == t.MARKET:
        return seen.ask if order.side > 0 else seen.bid
    return order.limit_ticks


@kernel
def off_collar(seen, collar, px):
    """Whether a price is off the external price seen, either way: one much too good is wrong too."""
    return abs(px - seen.external_px) > collar * abs(seen.external_px)


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


@kernel
def drawdown_cap(risk, limits):
    """Units equity may fall below its peak."""
    return max(1, int(risk.peak * limits.drawdown_cap_pct))


@kernel
def fallen(risk, account, limits):
    """Whether equity has fallen to the drawdown cap; keeps the overshoot beyond it."""
    beyond = risk.peak - account.equity - drawdown_cap(risk, limits)
    if beyond < 0:
        return False
    if beyond > risk.drawdown_overshoot:
        risk.drawdown_overshoot = beyond
    return True


@kernel
def count_trip(risk, account, before):
    """A fill has been booked on a position of `before` lots: count a round trip that has ended.

    It ends when the position comes to zero or changes sides; it is lost when what it realised does
    not pay its fees, that of the closing fill counted whole.
    """
    after = account.position
    if before == 0 or (after != 0 and (after > 0) == (before > 0)):
        return
    realized = account.realized - risk.trip_realized
    fees = account.fees - risk.trip_fees
    risk.trip_realized = account.realized
    risk.trip_fees = account.fees
    risk.streak = risk.streak + 1 if realized < fees else 0


@kernel
def residual(account):
    """Units by which an account does not add up; the mark cancels out of the law in `account`."""
    return account.cash - account.start - account.realized + account.fees + account.basis


@kernel
def impossible_lots(desk):
    """Lots that cannot be: pending below zero, or as many as have a cost without being held."""
    worst = min(desk.pending_buy, desk.pending_sell, desk.exit_pending, 0)
    if worst == 0 and desk.account.position == 0 and desk.account.basis != 0:
        return 1
    return -worst
