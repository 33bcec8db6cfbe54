"""Queues at the best quotes of a zero-intelligence book (Cont, Stoikov and Talreja).

Limit orders arrive at `limit_rate`, market orders take from the front at `market_rate`, each order is
cancelled at `cancel_rate`; all in one unit of time, sizes in units of the average limit order. The
spread is one tick: the mid moves when one of the two queues empties.

Source: Cont, Stoikov and Talreja (2010), Operations Research 58:549, below CST.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lablib.theory.depletion import (
    LENGTH,
    Lengths,
    Transform,
    by_rates,
    emptying,
    first,
    frequencies,
)
from lablib.theory.domain import (
    NOT_NEGATIVE,
    POSITIVE,
    Domain,
    Result,
    Values,
    elementwise,
    require,
)

CST_LIMIT_RATES = (1.85, 1.51, 1.09, 0.88, 0.77)
"""lambda(i) of Sky Perfect Communications, per minute, i = 1…5 ticks from the opposite best quote."""
CST_CANCEL_RATES = (0.71, 0.81, 0.68, 0.56, 0.47)
"""theta(i) of the same stock, per minute and order."""
CST_MARKET_RATE = 0.94
"""mu of the same stock, per minute."""

_ORDERS = Domain(low=0.0, open_low=False, whole=True)
_lgamma = np.frompyfunc(math.lgamma, 1, 1)


@elementwise(
    bid_orders=LENGTH,
    ask_orders=LENGTH,
    limit_rate=POSITIVE,
    market_rate=POSITIVE,
    cancel_rate=NOT_NEGATIVE,
)
def probability_up(
    bid_orders: Values,
    ask_orders: Values,
    limit_rate: Values,
    market_rate: Values,
    cancel_rate: Values,
) -> Result:
    """P(the next move of the mid is up): the ask queue empties first (CST, Table 3).

    Without cancellations `limit_rate` may be at most `market_rate`, or queues might never empty.

    >>> n = np.arange(1, 4)
    >>> probability_up(n[:, None], n, 1.85, 0.94, 0.71).round(4)
    array([[0.5   , 0.3352, 0.259 ],
           [0.6648, 0.5   , 0.4069],
           [0.741 , 0.5931, 0.5   ]])
    """
    empties = (cancel_rate > 0) | (limit_rate <= market_rate)
    rule = "must be at most market_rate where cancel_rate is 0"
    require(empties, "limit_rate", limit_rate, rule)
    return by_rates(_up, bid_orders, ask_orders, limit_rate, market_rate, cancel_rate)


def _up(bids: Lengths, asks: Lengths, *rates: float) -> NDArray[np.float64]:
    kept = 1 - emptying(max(bids[-1], asks[-1]), frequencies(*rates), *rates)
    return first(kept[asks], kept[bids]).T


def _filling(longest: int, w: NDArray[np.float64], market: float, cancel: float) -> Transform:
    """E[exp(-s T)] until our order is filled, from each place in its queue: shape (longest + 1, F).

    Orders ahead of ours are cancelled or traded, ours is never cancelled.
    """
    rates = market + cancel * np.arange(longest)
    steps = rates[:, None] / (rates[:, None] + 1j * w)
    return np.concatenate([np.ones((1, len(w))), np.cumprod(steps, axis=0)])


@elementwise(
    position=LENGTH,
    opposite_orders=LENGTH,
    limit_rate=POSITIVE,
    market_rate=POSITIVE,
    cancel_rate=POSITIVE,
)
def fill_probability(
    position: Values,
    opposite_orders: Values,
    limit_rate: Values,
    market_rate: Values,
    cancel_rate: Values,
) -> Result:
    """P(our order is filled before the mid moves), never cancelled, at a place in its queue.

    `position` counts our order: 1 is the front. CST (2010), the own order at the best quote.

    >>> fill_probability([1, 5], 5, 1.85, 0.94, 0.71).round(4)
    array([0.8824, 0.6071])
    """
    return by_rates(_filled, position, opposite_orders, limit_rate, market_rate, cancel_rate)


def _filled(
    places: Lengths, lengths: Lengths, limit: float, market: float, cancel: float
) -> NDArray[np.float64]:
    w = frequencies(limit, market, cancel)
    fill = _filling(places[-1], w, market, cancel)
    kept = 1 - emptying(lengths[-1], w, limit, market, cancel)
    return first(fill[places], kept[lengths])


@elementwise(
    bid_position=LENGTH,
    ask_position=LENGTH,
    limit_rate=POSITIVE,
    market_rate=POSITIVE,
    cancel_rate=POSITIVE,
)
def making_the_spread(
    bid_position: Values,
    ask_position: Values,
    limit_rate: Values,
    market_rate: Values,
    cancel_rate: Values,
) -> Result:
    """P(both our orders, last in their queues, are filled before the mid moves) (CST, Table 5).

    The mid waits for our orders. If T is the time of a fill and E >= T the time its queue then
    empties, success is T_bid < T_ask < E_bid or the reverse, and the sides are independent:
    P(T_ask < E_bid) + P(T_bid < E_ask) - 1. Neither order is cancelled.

    >>> n = np.arange(1, 4)
    >>> making_the_spread(1, n, 1.85, 0.94, 0.71).round(3)
    array([0.266, 0.308, 0.309])
    """
    return by_rates(_made, bid_position, ask_position, limit_rate, market_rate, cancel_rate)


def _made(
    bids: Lengths, asks: Lengths, limit: float, market: float, cancel: float
) -> NDArray[np.float64]:
    w = frequencies(limit, market, cancel)
    longest = max(bids[-1], asks[-1])
    fill = _filling(longest, w, market, cancel)
    outlast = _outlasting(longest, w, limit, market, cancel)
    return first(fill[bids], outlast[asks]) + first(fill[asks], outlast[bids]).T - 1


def _outlasting(
    longest: int, w: NDArray[np.float64], limit: float, market: float, cancel: float
) -> Transform:
    """E[exp(-s E)] until the queue is empty that our order was last in: shape (longest + 1, F).

    With i orders up to ours and y behind it, F_i(y) solves, for each s = i w, the tridiagonal system
    (s + limit + y cancel + r_i) F_i(y) = limit F_i(y+1) + y cancel F_i(y-1) + r_i F_{i-1}(y).
    """
    s = 1j * w
    busy = limit / cancel  # the orders behind ours are Poisson, of at most this mean
    most = int(busy + 12 * math.sqrt(busy)) + 40
    behind = 1 - emptying(most, w, limit, market, cancel)
    out = np.ones((longest + 1, len(w)), np.complex128)
    for i in range(1, longest + 1):
        ahead = market + (i - 1) * cancel
        # Forward elimination in y, nothing arriving at the last rung; then back.
        up = np.empty_like(behind)
        for y in range(most + 1):
            arrives = limit if y < most else 0.0
            left = y * cancel
            pivot = s + arrives + left + ahead - (left * up[y - 1] if y else 0.0)
            known = ahead * behind[y] + (left * behind[y - 1] if y else 0.0)
            up[y], behind[y] = arrives / pivot, known / pivot
        for y in range(most - 1, -1, -1):
            behind[y] += up[y] * behind[y + 1]
        out[i] = behind[0]
    return out


@elementwise(limit_rate=POSITIVE, cancel_rate=POSITIVE)
def level_mean(limit_rate: Values, cancel_rate: Values) -> Result:
    """Mean, and variance, of the orders at a level that is never the best: lambda / theta.

    >>> level_mean(np.array(CST_LIMIT_RATES), np.array(CST_CANCEL_RATES)).round(4)
    array([2.6056, 1.8642, 1.6029, 1.5714, 1.6383])
    """
    return limit_rate / cancel_rate


@elementwise(orders=_ORDERS, limit_rate=POSITIVE, cancel_rate=POSITIVE)
def level_law(orders: Values, limit_rate: Values, cancel_rate: Values) -> Result:
    """P(a level that is never the best holds so many orders): Poisson(lambda / theta).

    >>> level_law(np.arange(3), 1.0, 1.0).round(5)
    array([0.36788, 0.36788, 0.18394])
    """
    mean = limit_rate / cancel_rate
    factorial = np.asarray(_lgamma(orders + 1), dtype=np.float64)
    return np.exp(orders * np.log(mean) - mean - factorial)


@elementwise(lag=NOT_NEGATIVE, cancel_rate=POSITIVE)
def level_autocorrelation(lag: Values, cancel_rate: Values) -> Result:
    """Autocorrelation of such a level after a time `lag`: exp(-theta lag).

    >>> round(level_autocorrelation(1.0, cancel_rate=0.71), 5)
    0.49164
    """
    return np.exp(-cancel_rate * lag)


@elementwise(orders=_ORDERS, limit_rate=POSITIVE, market_rate=NOT_NEGATIVE, cancel_rate=POSITIVE)
def touch_law(
    orders: Values, limit_rate: Values, market_rate: Values, cancel_rate: Values
) -> Result:
    """P(a queue at the best, reflecting at zero, holds so many orders).

    pi_x proportional to lambda^x / prod_{k <= x} (mu + k theta).

    >>> touch_law(np.arange(3), 1.85, 0.94, 0.71).round(5)
    array([0.25316, 0.28385, 0.22251])
    """
    shift = market_rate / cancel_rate
    weight = _log_weight(orders, limit_rate / cancel_rate, shift)
    return np.exp(weight - _log_total(limit_rate / cancel_rate, shift))


def _log_weight(orders: Values, load: Values, shift: Values) -> Result:
    """Logarithm of load^x Gamma(1 + shift) / Gamma(x + 1 + shift): the product as a ratio of gammas."""
    gammas = np.asarray(_lgamma(1 + shift) - _lgamma(orders + 1 + shift), dtype=np.float64)
    return orders * np.log(load) + gammas


def _log_total(load: Values, shift: Values) -> Result:
    """Logarithm of the sum of all weights; terms beyond the Poisson tail of `load` do not count."""
    most = float(np.max(load))
    x = np.arange(int(most + 12 * math.sqrt(most)) + 60.0).reshape(-1, *[1] * np.ndim(load))
    weights = _log_weight(x, load, shift)
    top = weights.max(axis=0)
    return top + np.log(np.exp(weights - top).sum(axis=0))


@elementwise(
    orders=_ORDERS, limit_rate=POSITIVE, cancel_rate=NOT_NEGATIVE, market_rate=NOT_NEGATIVE
)
def step_up_probability(
    orders: Values, limit_rate: Values, cancel_rate: Values, market_rate: Values = 0.0
) -> Result:
    """P(a queue's next change is an arrival): lambda / (lambda + mu + n theta) (CST, eq. 27).

    Leave `market_rate` at 0 for a level that is not the best: no market order reaches it.

    >>> round(step_up_probability(2, 1.85, 0.71, market_rate=0.94), 4)
    0.4394
    """
    return limit_rate / (limit_rate + market_rate + orders * cancel_rate)
