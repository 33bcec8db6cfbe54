"""Prices from two queues that are redrawn whenever one of them empties (Cont and de Larrard).

Each queue grows by one at `limit_rate` and shrinks by one at `depletion_rate` (market orders and
cancellations together, whatever its length). When one empties, the price moves by a tick and both
queues restart from a law f.

Source: Cont and de Larrard (2013), SIAM J. Financial Math. 4:1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.errors import ConfigError
from lablib.theory.depletion import (
    LENGTH,
    Lengths,
    by_rates,
    emptying,
    frequencies,
    mean_of_earlier,
)
from lablib.theory.domain import (
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    Domain,
    Result,
    Values,
    elementwise,
    pointwise,
    require,
)
from lablib.theory.numerics import panels

_CORRELATION = Domain(low=-1.0, high=1.0, open_low=False)
_LONGEST = 100_000


@pointwise(bid_orders=COUNT, ask_orders=COUNT)
def balanced_probability_up(bid_orders: float, ask_orders: float) -> Result:
    """P(the next move is up) where queues grow as fast as they shrink.

    (1/pi) int_0^pi (2 - cos t - sqrt((2 - cos t)^2 - 1))^p sin(n t) cos(t/2) / sin(t/2) dt, with n
    bid and p ask orders, whatever the common rate.

    >>> balanced_probability_up([1, 2, 1, 3, 5, 10], [1, 1, 3, 5, 2, 4]).round(5)
    array([0.5    , 0.69765, 0.20939, 0.34524, 0.75602, 0.75731])
    """
    require(bid_orders <= _LONGEST, "bid_orders", bid_orders, f"must be at most {_LONGEST}")
    require(ask_orders <= _LONGEST, "ask_orders", ask_orders, f"must be at most {_LONGEST}")
    t, weight = panels(0.0, math.pi, 4 + int(bid_orders + ask_orders) // 8)
    half = np.sin(0.5 * t)
    rise = 2 * np.square(half)  # 1 - cos t; the bracket is exp(-arcosh(1 + rise))
    base = np.exp(-ask_orders * 2 * np.arcsinh(np.sqrt(0.5 * rise)))
    return float(weight @ (base * np.sin(bid_orders * t) * np.cos(0.5 * t) / half) / math.pi)


@elementwise(bid_size=POSITIVE, ask_size=POSITIVE, correlation=_CORRELATION)
def heavy_traffic_probability_up(
    bid_size: Values, ask_size: Values, correlation: Values = 0.0
) -> Result:
    """P(the next move is up) in the diffusion limit of long queues x, y.

    1/2 - arctan(k (y - x)/(y + x)) / (2 arctan k), k = sqrt((1 + rho)/(1 - rho)), rho the correlation
    of the queues' changes: (2/pi) arctan(x/y) for 0, x/(x + y) towards -1.

    >>> heavy_traffic_probability_up(np.array([2, 3, 5]), np.array([1, 5, 2])).round(4)
    array([0.7048, 0.344 , 0.7578])
    >>> heavy_traffic_probability_up(3.0, 1.0, correlation=-1)
    0.75
    """
    k = np.sqrt((1 + correlation) / (1 - correlation))
    lean = (bid_size - ask_size) / (bid_size + ask_size)
    k = np.maximum(k, 1e-9)  # below, the ratio of arcs has reached its limit, `lean`
    return 0.5 + 0.5 * np.arctan(k * lean) / np.arctan(k)


@pointwise(time=NOT_NEGATIVE, bid_orders=COUNT, ask_orders=COUNT, rate=POSITIVE)
def duration_survival(time: float, bid_orders: float, ask_orders: float, rate: float) -> Result:
    """P(the price has not moved by `time`), both queues growing and shrinking at `rate`.

    The product of two queues' survivals, each (1/pi) int_0^pi exp(-2 lambda t (1 - cos u)) sin(n u)
    cot(u/2) du, by the reflection of a symmetric walk.

    >>> duration_survival([10.0, 100.0], 3, 5, rate=1.0).round(6)
    array([0.366728, 0.046439])
    """
    return _survival(time * rate, bid_orders) * _survival(time * rate, ask_orders)


def _survival(time: float, orders: float) -> float:
    """The integral by the trapezoidal rule, exact for a periodic function of bounded frequency."""
    count = int(orders + 10 * math.sqrt(2 * time)) + 60
    u = (np.arange(count) + 0.5) * (math.pi / count)
    values = np.exp(-4 * time * np.square(np.sin(0.5 * u))) * np.sin(orders * u) / np.tan(0.5 * u)
    return float(values.mean())


@elementwise(time=POSITIVE, bid_orders=COUNT, ask_orders=COUNT, rate=POSITIVE)
def duration_tail(time: Values, bid_orders: Values, ask_orders: Values, rate: Values) -> Result:
    """`duration_survival` for large times: x y / (pi lambda t), of infinite mean.

    >>> round(duration_tail(100.0, 3, 5, rate=1.0), 6)
    0.047746
    """
    return bid_orders * ask_orders / (math.pi * rate * time)


@elementwise(bid_orders=LENGTH, ask_orders=LENGTH, limit_rate=POSITIVE, depletion_rate=POSITIVE)
def mean_duration(
    bid_orders: Values, ask_orders: Values, limit_rate: Values, depletion_rate: Values
) -> Result:
    """E[tau], the mean time to the next move of the price; limit_rate < depletion_rate.

    >>> round(1 / mean_duration(5, 5, limit_rate=1.0, depletion_rate=1.3), 6)
    0.126801
    """
    rule = "must be below depletion_rate, or the mean is infinite"
    require(limit_rate < depletion_rate, "limit_rate", limit_rate, rule)
    return by_rates(_durations, bid_orders, ask_orders, limit_rate, depletion_rate)


def _durations(bids: Lengths, asks: Lengths, limit: float, depletion: float) -> NDArray[np.float64]:
    w = frequencies(limit, depletion, 0.0)
    gone = emptying(max(bids[-1], asks[-1]), w, limit, depletion, 0.0)
    return mean_of_earlier(gone[bids], gone[asks], w)


def price_variance(
    tick: float, limit_rate: float, depletion_rate: float, redraw: int | NDArray[np.float64]
) -> float:
    """Variance of the price per unit of time: tick^2 / E[tau]; limit_rate < depletion_rate.

    With a symmetric law of redrawn queues the moves are independent signs of one tick.

    Parameters
    ----------
    tick
        delta, in currency: the answer is in its square per unit of time of the rates.
    limit_rate, depletion_rate
        lambda, and mu + theta, of each side.
    redraw
        The length at which both queues restart, or f(i, j) for i, j = 1, 2, …: a symmetric matrix
        that sums to one.

    Examples
    --------
    >>> round(price_variance(1.0, 2.0, 2.5, redraw=3), 6)
    0.455784
    """
    tick = POSITIVE.number("tick", tick)
    limit_rate = POSITIVE.number("limit_rate", limit_rate)
    depletion_rate = POSITIVE.number("depletion_rate", depletion_rate)
    if np.ndim(redraw) == 0:
        orders = LENGTH.check("redraw", redraw)
        mean = mean_duration(orders, orders, limit_rate, depletion_rate)
    else:
        law = _symmetric_law(redraw)
        n = np.arange(1, len(law) + 1)
        mean = (law * mean_duration(n[:, None], n, limit_rate, depletion_rate)).sum()
    return float(tick**2 / mean)


def _symmetric_law(redraw: Any) -> NDArray[np.float64]:
    law = NOT_NEGATIVE.check("redraw", redraw)
    if law.ndim != 2 or law.shape[0] != law.shape[1]:
        raise ConfigError(f"redraw must be a number or a square matrix, got shape {law.shape}")
    require(abs(law.sum() - 1) < 1e-9, "redraw", law.sum(), "must sum to 1")
    require(np.abs(law - law.T) < 1e-12, "redraw", law, "must be symmetric")
    return law
