"""What a market maker asks: for inventory, against the informed, and as seen in prices.

Sources: Avellaneda and Stoikov (2008), Quantitative Finance 8:217; Roll (1984), J. Finance 39:1127;
Glosten and Milgrom (1985), J. Financial Economics 14:71. Prices in one currency; times in one unit, in
whose square root `sigma` is given.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from lablib.errors import ConfigError
from lablib.theory.domain import (
    FINITE,
    NOT_NEGATIVE,
    POSITIVE,
    Domain,
    Result,
    Values,
    elementwise,
)

_INFORMED = Domain(low=0.0, high=1.0, open_low=False)
_PRIOR = Domain(low=0.0, high=1.0)


class Quote(NamedTuple):
    """Prices that earn nothing on average; floats, or arrays of one shape."""

    bid: Any
    ask: Any


@elementwise(
    mid=FINITE, inventory=FINITE, risk_aversion=POSITIVE, sigma=POSITIVE, time_left=NOT_NEGATIVE
)
def reservation_price(
    mid: Values, inventory: Values, risk_aversion: Values, sigma: Values, time_left: Values
) -> Result:
    """Where a maker with q units is indifferent: r = s - q gamma sigma^2 (T - t).

    >>> reservation_price(100.0, inventory=3, risk_aversion=0.1, sigma=2.0, time_left=0.5)
    99.4
    """
    return mid - inventory * risk_aversion * np.square(sigma) * time_left


@elementwise(risk_aversion=POSITIVE, sigma=POSITIVE, time_left=NOT_NEGATIVE, fill_decay=POSITIVE)
def optimal_spread(
    risk_aversion: Values, sigma: Values, time_left: Values, fill_decay: Values
) -> Result:
    """Ask less bid, around r: gamma sigma^2 (T - t) + (2/gamma) ln(1 + gamma/k).

    `fill_decay` is k, per unit of price, of `fill_rate`.

    >>> round(optimal_spread(0.1, sigma=2.0, time_left=1.0, fill_decay=1.5), 4)
    1.6908
    """
    still = 2 / risk_aversion * np.log1p(risk_aversion / fill_decay)
    return risk_aversion * np.square(sigma) * time_left + still


@elementwise(distance=FINITE, scale=POSITIVE, fill_decay=POSITIVE)
def fill_rate(distance: Values, scale: Values, fill_decay: Values) -> Result:
    """lambda(delta) = A exp(-k delta): fills per unit of time of a quote so far from the mid.

    >>> round(fill_rate(1.0, scale=140.0, fill_decay=1.5), 4)
    31.2382
    """
    return scale * np.exp(-fill_decay * distance)


def roll_spread(price_changes: Any) -> float:
    """Roll's estimate from trade prices alone: 2 sqrt(-cov(dp_t, dp_{t-1})).

    Parameters
    ----------
    price_changes
        Between successive trades, shape (trades - 1,), at least 3, in currency. Their first
        autocovariance has to be negative, as the bounce between bid and ask makes it.

    Examples
    --------
    >>> roll_spread([0.02, -0.02, 0.02, -0.02, 0.02])
    0.04
    """
    changes = FINITE.check("price_changes", price_changes)
    if changes.ndim != 1 or len(changes) < 3:
        raise ConfigError(f"price_changes must be a row of at least 3, got shape {changes.shape}")
    later, earlier = changes[1:], changes[:-1]
    covariance = float(np.mean((later - later.mean()) * (earlier - earlier.mean())))
    if covariance > 0:
        raise ConfigError(
            f"price_changes must have a negative autocovariance to show a spread, got {covariance:g}"
        )
    return 2 * math.sqrt(-covariance)


@elementwise(spread=NOT_NEGATIVE)
def roll_autocovariance(spread: Values) -> Result:
    """cov(dp_t, dp_{t-1}) of a bounce between bid and ask of random sign: -spread^2 / 4.

    >>> roll_autocovariance(0.5)
    -0.0625
    """
    return -np.square(spread) / 4


@elementwise(informed=_INFORMED, prior=_PRIOR)
def glosten_milgrom(informed: Values, prior: Values = 0.5) -> Result:
    """Bid and ask of a dealer who earns nothing, for a value that is 0 or 1.

    ask = p (1 + m) / (1 - m + 2 m p), bid = p (1 - m) / (1 + m - 2 m p); m is the share of informed
    traders, p the prior of 1. The others buy or sell with equal chance. At p = 1/2 the spread is m.

    >>> quote = glosten_milgrom(0.2)
    >>> round(quote.bid, 3), round(quote.ask, 3)
    (0.4, 0.6)
    """
    buys = 1 - informed + 2 * informed * prior  # twice the chance that the next order is a buy
    sells = 1 + informed - 2 * informed * prior
    return Quote(bid=prior * (1 - informed) / sells, ask=prior * (1 + informed) / buys)
