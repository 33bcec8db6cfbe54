"""How soon a loss cap is hit: first passage of equity, and trades until the cap.

Equity and cap share a unit, such as bps of starting equity. Sources: the first passage of a Brownian
motion with drift (Bachelier and Lévy), watched without a break: a simulator that looks at events
approaches it as it looks more often. Wald (1944) for the number of trades, Siegmund (1979) for
the overshoot.
"""

from __future__ import annotations

import numpy as np

from lablib.theory.domain import FINITE, NOT_NEGATIVE, POSITIVE, Domain, Result, Values, elementwise
from lablib.theory.numerics import cdf, log_cdf

GRID_OVERSHOOT = 0.5825971579390106
"""Mean overshoot of a boundary by a normal random walk without drift, in sd of one step.

-zeta(1/2) / sqrt(2 pi), for a distant boundary (Siegmund 1979).
"""

_LOSING = Domain(high=0.0)


@elementwise(cap=POSITIVE, drift=FINITE, volatility=POSITIVE, horizon=POSITIVE)
def cap_probability(cap: Values, drift: Values, volatility: Values, horizon: Values) -> Result:
    """P(equity falls to -cap before the horizon), equity being drift t + volatility W(t).

    Phi((-c - nu T) / (v sqrt T)) + exp(-2 nu c / v^2) Phi((-c + nu T) / (v sqrt T)). The cap is in any
    unit of equity, drift in that unit per unit of time, volatility per its square root.

    >>> round(cap_probability(200.0, drift=0.0, volatility=10.0, horizon=400.0), 5)
    0.31731
    >>> cap_probability(200.0, drift=-0.5, volatility=10.0, horizon=np.array([100, 400])).round(4)
    array([0.1127, 0.6681])
    """
    spread = volatility * np.sqrt(horizon)
    # A steep fall makes the factor too large, and the probability too small, for a float.
    reflected = -2 * drift * cap / np.square(volatility)
    reflected = reflected + log_cdf((drift * horizon - cap) / spread)
    return cdf((-cap - drift * horizon) / spread) + np.exp(reflected)


@elementwise(cap=POSITIVE, mean=_LOSING, overshoot=NOT_NEGATIVE)
def trades_to_cap(cap: Values, mean: Values, overshoot: Values = 0.0) -> Result:
    """Expected number of trades until their sum first reaches -cap: Wald, (c + overshoot) / |m|.

    `mean` is a trade's mean result, below zero; `overshoot` is how far beyond the cap the last one
    lands on average, `normal_overshoot(sd)` for normal results of small mean.

    >>> trades_to_cap(200.0, mean=-0.005)
    40000.0
    """
    return (cap + overshoot) / -mean


@elementwise(sd=NOT_NEGATIVE)
def normal_overshoot(sd: Values) -> Result:
    """How far beyond a distant cap the last of many normal trades lands on average: 0.5826 sd.

    >>> round(normal_overshoot(2.0), 4)
    1.1652
    """
    return GRID_OVERSHOOT * sd
