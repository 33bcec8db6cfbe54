"""Cash, position, basis and fees, in exact integers.

The law, after every event: ``cash + position * mark == start + realized + unrealized - fees``, where
unrealized is ``position * mark - basis``. The basis is that of the whole position; a partial close
releases its rounded share and the remainder stays, so nothing is ever lost to rounding.
"""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel

_SQUARED = 3_037_000_499  # the largest number whose square is an int64


@kernel
def half_even(result, left, whole):
    """`result + left / whole` rounded half to even; 0 <= left < whole."""
    if 2 * left > whole or (2 * left == whole and (result & 1) == 1):
        result += 1
    return result


@kernel
def share(amount, part, whole):
    """`amount * part / whole` rounded half to even; 0 <= part <= whole <= 2**61."""
    each = amount // whole
    rest = amount % whole
    if whole <= _SQUARED:
        rest *= part
        return half_even(each * part + rest // whole, rest % whole, whole)
    # More lots than their product has room for: multiplied and divided bit by bit, from the top.
    result = 0
    left = 0
    for bit in range(61, -1, -1):
        result *= 2
        left *= 2
        if left >= whole:
            left -= whole
            result += 1
        if (part >> bit) & 1:
            left += rest
            if left >= whole:
                left -= whole
                result += 1
    return half_even(each * part + result, left, whole)


@kernel
def fee_of(value, rate):
    """Fee of a trade worth `value` units at `rate` of FEE_ONE; negative rates are rebates."""
    rest = (value % t.FEE_ONE) * rate  # a rate is at most a twentieth: there is room
    return half_even(value // t.FEE_ONE * rate + rest // t.FEE_ONE, rest % t.FEE_ONE, t.FEE_ONE)


@kernel
def open_account(account, cash, mark):
    """Start with cash and nothing else."""
    account.start = cash
    account.cash = cash
    account.equity = cash
    account.peak = cash
    account.mark = mark


@kernel
def settle(account, side, lots, value, fee):
    """Book one fill of `lots` worth `value` units: cash, basis, realized, position, fees."""
    account.cash -= side * value + fee
    account.fees += fee
    account.fills += 1
    account.turnover += lots
    position = account.position
    if position * side >= 0:
        account.basis += side * value
    else:
        held = abs(position)
        closed = min(lots, held)
        closed_value = share(value, closed, lots)
        released = share(account.basis, closed, held)
        account.realized -= side * closed_value + released
        account.basis += side * (value - closed_value) - released
    account.position = position + side * lots
    mark_to(account, account.mark)


@kernel
def mark_to(account, mark):
    """Value the position at `mark` (bid + ask in half ticks); keeps peak and largest drawdown."""
    account.mark = mark
    equity = account.cash + account.position * mark * (t.MONEY // 2)
    account.equity = equity
    if equity > account.peak:
        account.peak = equity
    elif account.peak - equity > account.drawdown:
        account.drawdown = account.peak - equity
