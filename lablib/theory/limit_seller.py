"""The cost of latency to a seller with one limit order (Moallemi and Saglam).

One share is to be sold within [0, T]. The bid is a Brownian motion, impatient buyers arrive at
`buyer_rate` and pay up to `premium` above it. An order chosen at i * latency works from
(i + 1) * latency; at T the share is sold at the bid. Values are per share, above the first bid.

Source: Moallemi and Saglam (2013), Operations Research 61:1070; the recursion is their model's, a
period's chance of a buyer being mu * latency. Units: seconds; $ for premium and value; sigma in $ per sqrt(s).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lablib.theory.domain import POSITIVE, Result, Values, elementwise, pointwise, require
from lablib.theory.numerics import cdf, pdf

_Z = np.linspace(-12.0, 6.0, 3_601)  # (u - premium) / s


class Plan(NamedTuple):
    """The best orders and what they are worth, period by period."""

    premiums: NDArray[np.float64]
    """Limit above the bid at the time of the choice, $, shape (periods,)."""
    values: NDArray[np.float64]
    """Value above the bid with the rest of the time left, $, shape (periods + 1,); the last is 0."""


@elementwise(premium=POSITIVE, buyer_rate=POSITIVE, horizon_s=POSITIVE)
def zero_latency_value(premium: Values, buyer_rate: Values, horizon_s: Values) -> Result:
    """h_0(0) = delta (1 - exp(-mu T)), $.

    >>> round(zero_latency_value(0.058, 12.03 / 60, horizon_s=10), 6)
    0.05019
    """
    return -premium * np.expm1(-buyer_rate * horizon_s)


def seller_plan(
    latency_s: float, sigma: float, premium: float, buyer_rate: float, horizon_s: float
) -> Plan:
    """The optimal limits by the recursion for h_i, backwards from T.

    Only whole periods count: what is left of T after the last one sells nothing. A period sees one
    buyer at most, so that a long one, of a quiet stock, costs a little less than nothing.

    Parameters
    ----------
    latency_s
        Delta, at most the horizon, and short enough that buyer_rate * latency_s <= 1.
    sigma
        Of the bid, $ per sqrt(s).
    premium
        delta, what a buyer pays above the bid, $.
    buyer_rate
        mu, per s.
    horizon_s
        T.

    Examples
    --------
    >>> plan = seller_plan(0.5, 0.012551, 0.058, 12.03 / 60, horizon_s=10)
    >>> plan.premiums.shape, plan.values[[0, -1]].round(5)
    ((20,), array([0.03885, 0.     ]))
    """
    numbers = {
        "latency_s": latency_s,
        "sigma": sigma,
        "premium": premium,
        "buyer_rate": buyer_rate,
        "horizon_s": horizon_s,
    }
    latency_s, sigma, premium, buyer_rate, horizon_s = (
        POSITIVE.number(name, value) for name, value in numbers.items()
    )
    require(latency_s <= horizon_s, "latency_s", latency_s, f"must be at most {horizon_s:g}")
    arrival = buyer_rate * latency_s
    rule = f"must be at most 1 / buyer_rate = {1 / buyer_rate:g}"
    require(arrival <= 1, "latency_s", latency_s, rule)
    return _plan(arrival, sigma * math.sqrt(latency_s), premium, int(horizon_s / latency_s + 1e-9))


def _plan(arrival: float, s: float, premium: float, periods: int) -> Plan:
    """The recursion: the value of waiting enters linearly, so its two factors are made once."""
    u = premium + _Z * s
    fills = cdf(u / s) - cdf(_Z)  # X < u <= X + delta: a buyer, if one comes, pays l
    gain = arrival * (u * fills + s * (pdf(u / s) - pdf(_Z)))
    stays = (1 - arrival) * fills + cdf(_Z)
    premiums, values = np.empty(periods), np.zeros(periods + 1)
    for i in range(periods - 1, -1, -1):
        worth = gain + values[i + 1] * stays
        best = int(worth.argmax())
        # On the rim a fill is a matter of 1e-9, and any better order earns no more than that.
        best = min(max(best, 1), len(_Z) - 2)
        left, top, right = worth[best - 1 : best + 2]
        bend = left - 2 * top + right  # below zero at a maximum: go on to the parabola's top
        shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
        values[i] = top - 0.25 * (left - right) * shift
        premiums[i] = u[best] + shift * (u[1] - u[0])
    return Plan(premiums, values)


@pointwise(
    latency_s=POSITIVE, sigma=POSITIVE, premium=POSITIVE, buyer_rate=POSITIVE, horizon_s=POSITIVE
)
def seller_value(
    latency_s: float, sigma: float, premium: float, buyer_rate: float, horizon_s: float
) -> Result:
    """h_0(Delta), what the best orders are worth at this latency, $.

    >>> round(seller_value(0.1, 0.012551, 0.058, 12.03 / 60, horizon_s=10), 6)
    0.043894
    """
    return float(seller_plan(latency_s, sigma, premium, buyer_rate, horizon_s).values[0])


@elementwise(
    latency_s=POSITIVE, sigma=POSITIVE, premium=POSITIVE, buyer_rate=POSITIVE, horizon_s=POSITIVE
)
def latency_cost(
    latency_s: Values, sigma: Values, premium: Values, buyer_rate: Values, horizon_s: Values
) -> Result:
    """LC = (h_0(0) - h_0(Delta)) / h_0(0), a share of what no latency would earn.

    >>> latency_cost(np.array([1.0, 0.1]), 0.012551, 0.058, 12.03 / 60, horizon_s=10).round(4)
    array([0.2846, 0.1254])
    """
    at_once = zero_latency_value(premium, buyer_rate, horizon_s)
    return 1 - seller_value(latency_s, sigma, premium, buyer_rate, horizon_s) / at_once


@elementwise(latency_s=POSITIVE, sigma=POSITIVE, premium=POSITIVE)
def latency_cost_asymptote(latency_s: Values, sigma: Values, premium: Values) -> Result:
    """LC for small latencies, whatever buyers and horizon are (Moallemi and Saglam's theorem).

    (s / delta) sqrt(ln(delta^2 / (2 pi s^2))), s = sigma sqrt(Delta). It converges slowly: within 6 %
    below a quarter of a second for the example's stock.

    >>> latency_cost_asymptote(np.array([1.0, 0.1, 0.002]), 0.012551, 0.058).round(4)
    array([0.2394, 0.1285, 0.0264])
    """
    squared = np.square(sigma) * latency_s / np.square(premium)
    rule = "must be below premium^2 / (2 pi sigma^2)"
    require(2 * math.pi * squared < 1, "latency_s", latency_s, rule)
    return np.sqrt(-squared * np.log(2 * math.pi * squared))
