"""Two latencies on one market: how copies correlate, and what common random numbers save.

Set-up, symbols and source as in `delayed_copy`, without feed delays. Every function works
elementwise on arrays that broadcast together.
"""

from __future__ import annotations

import numpy as np

from lablib.theory.delayed_copy import divergence_variance, edge_variance, mean_edge
from lablib.theory.domain import (
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    Result,
    Values,
    elementwise,
    require,
)


@elementwise(horizon_ms=POSITIVE, lag_ms=NOT_NEGATIVE)
def copy_correlation(horizon_ms: Values, lag_ms: Values) -> Result:
    """Correlation of returns over `horizon_ms` between a market and its copy: (1 - L/h)+.

    >>> copy_correlation(np.array([10, 25, 100]), lag_ms=20)
    array([0. , 0.2, 0.8])
    """
    return np.maximum(1 - lag_ms / horizon_ms, 0.0)


@elementwise(horizon_ms=POSITIVE, mean_lag_ms=POSITIVE)
def copy_correlation_exponential(horizon_ms: Values, mean_lag_ms: Values) -> Result:
    """As `copy_correlation`, the lag exponential and persistent: E[(1 - L/h)+].

    1 - (m/h)(1 - exp(-h/m)), with m the mean lag.

    >>> round(copy_correlation_exponential(100.0, mean_lag_ms=50.0), 5)
    0.56767
    """
    ratio = mean_lag_ms / horizon_ms
    return 1 + ratio * np.expm1(-1 / ratio)


@elementwise(correlation=SHARE, horizon_ms=POSITIVE)
def effective_lag(correlation: Values, horizon_ms: Values) -> Result:
    """The constant lag that explains a correlation of returns over `horizon_ms`, ms: h (1 - corr).

    >>> effective_lag(0.5, horizon_ms=100.0)
    50.0
    """
    return horizon_ms * (1 - correlation)


def _in_order(order_ms: Values, later_order_ms: Values, market_lag_ms: Values) -> None:
    rule = "must be at least order_ms"
    require(later_order_ms >= order_ms, "later_order_ms", later_order_ms, rule)
    rule = "must be at most market_lag_ms"
    require(later_order_ms <= market_lag_ms, "later_order_ms", later_order_ms, rule)


_PAIR = {
    "sigma": POSITIVE,
    "market_lag_ms": POSITIVE,
    "threshold_bps": NOT_NEGATIVE,
    "order_ms": NOT_NEGATIVE,
    "later_order_ms": NOT_NEGATIVE,
}


@elementwise(**_PAIR)
def paired_difference(
    sigma: Values,
    market_lag_ms: Values,
    threshold_bps: Values,
    order_ms: Values,
    later_order_ms: Values,
) -> Result:
    """Mean gross edge at the later order latency less that at the earlier, bps a trade.

    >>> round(paired_difference(0.05, 100, 1.0, order_ms=20, later_order_ms=25), 5)
    -0.05933
    """
    _in_order(order_ms, later_order_ms, market_lag_ms)
    market = sigma, market_lag_ms, threshold_bps
    return mean_edge(*market, later_order_ms) - mean_edge(*market, order_ms)


@elementwise(**_PAIR)
def paired_variance(
    sigma: Values,
    market_lag_ms: Values,
    threshold_bps: Values,
    order_ms: Values,
    later_order_ms: Values,
) -> Result:
    """Variance of one trade's difference when both latencies meet the same market, bps squared.

    w^2 s^2 (1 + z h - h^2) + sigma^2 (d2 - d1)(1 - w), with w = (d2 - d1) / L: only the stretch of
    market between the two fills is left.

    >>> round(paired_variance(0.05, 100, 1.0, order_ms=20, later_order_ms=25), 6)
    0.011946
    """
    _in_order(order_ms, later_order_ms, market_lag_ms)
    s = sigma * np.sqrt(market_lag_ms)
    apart = later_order_ms - order_ms
    share = apart / market_lag_ms
    known = np.square(share) * divergence_variance(s, threshold_bps / s)
    return known + np.square(sigma) * apart * (1 - share)


@elementwise(**_PAIR)
def unpaired_variance(
    sigma: Values,
    market_lag_ms: Values,
    threshold_bps: Values,
    order_ms: Values,
    later_order_ms: Values,
) -> Result:
    """As `paired_variance`, each latency on a market of its own: V(d1) + V(d2).

    >>> round(unpaired_variance(0.05, 100, 1.0, order_ms=20, later_order_ms=25), 5)
    0.12123
    """
    _in_order(order_ms, later_order_ms, market_lag_ms)
    market = sigma, market_lag_ms, threshold_bps
    return edge_variance(*market, order_ms) + edge_variance(*market, later_order_ms)


@elementwise(**_PAIR)
def variance_reduction(
    sigma: Values,
    market_lag_ms: Values,
    threshold_bps: Values,
    order_ms: Values,
    later_order_ms: Values,
) -> Result:
    """How many times fewer trades a paired experiment needs for the same precision.

    Grows like 1 / (d2 - d1); infinite where the two latencies are equal.

    >>> variance_reduction(0.05, 100, 1.0, order_ms=20, later_order_ms=[25, 80]).round(2)
    array([10.15,  1.41])
    """
    pair = sigma, market_lag_ms, threshold_bps, order_ms, later_order_ms
    with np.errstate(divide="ignore"):
        return unpaired_variance(*pair) / np.asarray(paired_variance(*pair))
