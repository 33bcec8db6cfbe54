"""What fast traders take from a quote that is late: the sniping equilibrium and the free strangle.

Budish, Cramton and Shim (2015), QJE 130:1547, eq. 6.3: investors arrive at `investor_rate`, news of
absolute size J at `jump_rate` (both per unit of time); one maker and N - 1 snipers, equally fast.
The spread s* is where both earn the same, and it does not depend on N. Copeland and Galai (1983):
a quote that stays `stale_time` behind the market is a strangle given away.
Prices, spreads and jumps share one unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lablib.errors import ConfigError
from lablib.theory.domain import (
    NOT_NEGATIVE,
    POSITIVE,
    Domain,
    Result,
    Values,
    elementwise,
    pointwise,
)
from lablib.theory.numerics import cdf, falling_root, lambert_w, pdf

_FIRMS = Domain(low=2.0, open_low=False, whole=True)


def _normal_excess(half_spread: Values, sd: Values) -> Result:
    q = half_spread / sd
    return 2 * sd * (pdf(q) - q * cdf(-q))


@elementwise(half_spread=NOT_NEGATIVE, mean=POSITIVE)
def exponential_excess(half_spread: Values, mean: Values) -> Result:
    """E[(J - k)+], what news takes from a quote k away, for exponential J: mean exp(-k / mean).

    >>> round(exponential_excess(0.182555, mean=2.0), 4)
    1.8255
    """
    return mean * np.exp(-half_spread / mean)


@elementwise(half_spread=NOT_NEGATIVE, sd=POSITIVE)
def normal_excess(half_spread: Values, sd: Values) -> Result:
    """E[(|X| - k)+] for X ~ N(0, sd^2): 2 sd [phi(q) - q (1 - Phi(q))], q = k / sd.

    >>> round(normal_excess(0.0, sd=1.0), 5)
    0.79788
    """
    return _normal_excess(half_spread, sd)


@elementwise(jump_rate=POSITIVE, investor_rate=POSITIVE, mean_jump=POSITIVE)
def sniping_spread_exponential(
    jump_rate: Values, investor_rate: Values, mean_jump: Values
) -> Result:
    """The equilibrium spread for exponential |J|: s* = 2 eta W(lambda_j / lambda_i) (from eq. 6.3).

    >>> round(sniping_spread_exponential(1.0, 10.0, mean_jump=2.0), 5)
    0.36511
    """
    return 2 * mean_jump * lambert_w(jump_rate / investor_rate)


@pointwise(jump_rate=POSITIVE, investor_rate=POSITIVE, jump_sd=POSITIVE)
def sniping_spread_normal(jump_rate: float, investor_rate: float, jump_sd: float = 1.0) -> Result:
    """The equilibrium spread for jumps N(0, sd^2), by the root of eq. 6.3.

    >>> sniping_spread_normal(np.array([0.1, 1, 5]), 1.0).round(5)
    array([0.14545, 0.87265, 1.87474])
    """
    ratio = jump_rate / investor_rate
    q = falling_root(lambda q: ratio * float(_normal_excess(q, 1.0)) - q, ratio)
    return 2 * jump_sd * q


def sniping_spread(
    jump_rate: float, investor_rate: float, excess: Callable[[float], float]
) -> float:
    """The equilibrium spread for any law of jumps, by the root of eq. 6.3.

    lambda_i s/2 = lambda_j E[(J - s/2)+].

    Parameters
    ----------
    jump_rate, investor_rate
        Arrivals per unit of time.
    excess
        k -> E[(J - k)+], falling, as by `exponential_excess` or from a sample of jumps.

    Examples
    --------
    >>> jumps = np.array([-3.0, 1.0, 2.0])
    >>> round(sniping_spread(1.0, 1.0, lambda k: np.maximum(np.abs(jumps) - k, 0).mean()), 6)
    2.0
    """
    jumps = POSITIVE.number("jump_rate", jump_rate)
    ratio = jumps / POSITIVE.number("investor_rate", investor_rate)

    def surplus(half_spread: float) -> float:
        lost = float(excess(half_spread))
        if not (math.isfinite(lost) and lost >= 0):
            raise ConfigError(f"excess({half_spread:g}) must be a number of at least 0, got {lost}")
        return ratio * lost - half_spread

    return 2 * falling_root(surplus, 1.0)


@elementwise(
    spread=NOT_NEGATIVE,
    excess=NOT_NEGATIVE,
    jump_rate=POSITIVE,
    investor_rate=POSITIVE,
    firms=_FIRMS,
)
def maker_profit(
    spread: Values, excess: Values, jump_rate: Values, investor_rate: Values, firms: Values
) -> Result:
    """The maker's profit per unit of time: lambda_i s/2 - lambda_j E[(J - s/2)+] (N-1)/N.

    `excess` is E[(J - s/2)+] at this spread, `firms` is N, the maker included.

    >>> excess = exponential_excess(0.36511 / 2, mean=2.0)
    >>> round(maker_profit(0.36511, excess, 1.0, 10.0, firms=10) / (1 + 10), 5)  # per event
    0.0166
    """
    return investor_rate * spread / 2 - jump_rate * excess * (firms - 1) / firms


@elementwise(excess=NOT_NEGATIVE, jump_rate=POSITIVE, firms=_FIRMS)
def sniper_profit(excess: Values, jump_rate: Values, firms: Values) -> Result:
    """One sniper's profit per unit of time: lambda_j E[(J - s/2)+] / N.

    >>> round(sniper_profit(exponential_excess(0.36511 / 2, mean=2.0), 1.0, firms=10) / (1 + 10), 5)
    0.0166
    """
    return jump_rate * excess / firms


@elementwise(half_width=NOT_NEGATIVE, sigma=POSITIVE, stale_time=POSITIVE)
def stale_quote_loss(half_width: Values, sigma: Values, stale_time: Values) -> Result:
    """What a quote of +-k, stale for tau, gives away: a strangle, E[(|X| - k)+].

    X ~ N(0, sigma^2 tau); `sigma` per square root of the unit that `stale_time` is in.

    >>> round(stale_quote_loss(0.3, sigma=0.1, stale_time=25), 6)
    0.168673
    """
    return _normal_excess(half_width, sigma * np.sqrt(stale_time))


@pointwise(noise_rate=POSITIVE, snipe_rate=POSITIVE, sigma=POSITIVE, stale_time=POSITIVE)
def break_even_half_spread(
    noise_rate: float, snipe_rate: float, sigma: float, stale_time: float
) -> Result:
    """The half-spread k that pays for stale quotes: noise rate * k = snipe rate * strangle.

    It grows with sqrt(tau): what a maker's refresh latency costs everyone who trades with him.

    >>> break_even_half_spread(1.0, 1.0, sigma=0.1, stale_time=[25, 100]).round(5)
    array([0.21816, 0.43633])
    """
    spread = sniping_spread_normal(snipe_rate, noise_rate, sigma * math.sqrt(stale_time))
    return 0.5 * float(spread)
