"""What latency leaves of an edge against a venue that repeats the market, late.

The external log price x is a driftless Brownian motion with `sigma` in bps per sqrt(ms). The venue's
mid is its copy, m(t) = x(t - L), with L = `market_lag_ms`. The strategy sees x(t - a) and m(t - b)
with a = `external_feed_ms` and b = `venue_feed_ms`, trades when their divergence exceeds
`threshold_bps`, and its order is matched d = `order_ms` after the decision, at m(t + d). The window
that the divergence measures is L' = L + b - a long; s = sigma sqrt(L'), z = threshold / s, and
h(z) = pdf(z) / P(Z > z). Looks must be at least 2 L + b apart, so that their windows do not overlap.
`order_ms` is the whole way from decision to match: the config's `decision_ms` + `order_entry_ms`.

Source: derived for this set-up; the tests hold every formula against simulated paths. Every function
works elementwise on arrays that broadcast together.
"""

from __future__ import annotations

import math

import numpy as np

from lablib.theory.domain import NOT_NEGATIVE, POSITIVE, Result, Values, elementwise, require
from lablib.theory.loss_cap import GRID_OVERSHOOT
from lablib.theory.numerics import cdf, inverse_mills

MS_PER_HOUR = 3.6e6
EXCHANGE_HOURS = 252 * 6.5
"""Hours a stock exchange is open in a year; a market that never closes has 24 x 365."""


@elementwise(volatility=POSITIVE, hours_per_year=POSITIVE)
def sigma_from_annual(volatility: Values, hours_per_year: Values = EXCHANGE_HOURS) -> Result:
    """Annual volatility (0.2 is 20 %) as `sigma`, bps per sqrt(ms).

    >>> round(sigma_from_annual(0.20), 5), round(sigma_from_annual(0.60, 24 * 365), 5)
    (0.02604, 0.03379)
    """
    return volatility * 1e4 / np.sqrt(hours_per_year * MS_PER_HOUR)


@elementwise(volatility_bps=POSITIVE)
def sigma_from_second(volatility_bps: Values) -> Result:
    """The sd of the log price over one second (bps, the config's unit) as `sigma`, bps per sqrt(ms).

    >>> round(sigma_from_second(44.72), 4)
    1.4142
    """
    return volatility_bps / math.sqrt(1_000)


@elementwise(sigma=POSITIVE)
def second_from_sigma(sigma: Values) -> Result:
    """`sigma`, bps per sqrt(ms), as the sd of the log price over one second, bps.

    >>> round(second_from_sigma(0.05), 4)
    1.5811
    """
    return sigma * math.sqrt(1_000)


def _window(market_lag_ms: Values, external_feed_ms: Values, venue_feed_ms: Values) -> Result:
    """L' = L + b - a, ms; refused where the external price is older than the venue's."""
    window = market_lag_ms + venue_feed_ms - external_feed_ms
    rule = "must be below market_lag_ms + venue_feed_ms, or there is no lead to trade"
    require(window > 0, "external_feed_ms", external_feed_ms, rule)
    return window


@elementwise(
    sigma=POSITIVE,
    market_lag_ms=POSITIVE,
    threshold_bps=NOT_NEGATIVE,
    external_feed_ms=NOT_NEGATIVE,
    venue_feed_ms=NOT_NEGATIVE,
)
def trigger_probability(
    sigma: Values,
    market_lag_ms: Values,
    threshold_bps: Values,
    external_feed_ms: Values = 0.0,
    venue_feed_ms: Values = 0.0,
) -> Result:
    """P(|divergence| > threshold) at one look: 2 (1 - Phi(z)).

    >>> round(trigger_probability(0.05, 100, 1.0), 5)
    0.0455
    >>> trigger_probability(0.05, 100, np.array([0.5, 1.0])).round(5)
    array([0.31731, 0.0455 ])
    """
    window = _window(market_lag_ms, external_feed_ms, venue_feed_ms)
    return 2 * cdf(-threshold_bps / (sigma * np.sqrt(window)))


@elementwise(
    sigma=POSITIVE,
    market_lag_ms=POSITIVE,
    threshold_bps=NOT_NEGATIVE,
    order_ms=NOT_NEGATIVE,
    external_feed_ms=NOT_NEGATIVE,
    venue_feed_ms=NOT_NEGATIVE,
)
def mean_edge(
    sigma: Values,
    market_lag_ms: Values,
    threshold_bps: Values,
    order_ms: Values,
    external_feed_ms: Values = 0.0,
    venue_feed_ms: Values = 0.0,
) -> Result:
    """E[gross edge | trigger] of a round trip, bps: (L - a - d)+ / L' * s h(z).

    The fill price x(t + d - L) is already in the past: the slow copy gives back the share of the
    window that the order missed. Any exit at t + L or later has this mean (optional stopping).

    >>> round(mean_edge(0.05, 100, 1.0, order_ms=20), 4)
    0.9493
    """
    window = _window(market_lag_ms, external_feed_ms, venue_feed_ms)
    s = sigma * np.sqrt(window)
    left = np.maximum(market_lag_ms - external_feed_ms - order_ms, 0.0) / window
    return left * s * inverse_mills(threshold_bps / s)


@elementwise(
    sigma=POSITIVE,
    market_lag_ms=POSITIVE,
    threshold_bps=NOT_NEGATIVE,
    order_ms=NOT_NEGATIVE,
    external_feed_ms=NOT_NEGATIVE,
    venue_feed_ms=NOT_NEGATIVE,
    extra_hold_ms=NOT_NEGATIVE,
)
def edge_variance(
    sigma: Values,
    market_lag_ms: Values,
    threshold_bps: Values,
    order_ms: Values,
    external_feed_ms: Values = 0.0,
    venue_feed_ms: Values = 0.0,
    extra_hold_ms: Values = 0.0,
) -> Result:
    """Var[gross edge | trigger], bps squared, for an exit at t + L + `extra_hold_ms`.

    With w = (L - a - d)+ ms of the window still ahead of the fill, it is
    (w/L')^2 s^2 (1 + z h - h^2) + sigma^2 w (1 - w/L') + sigma^2 ((L - d)+ - w + extra); with
    a = b = 0 simply (1 - d/L)^2 s^2 (1 + z h - h^2) + sigma^2 d (1 - d/L). An order later than t + L
    is closed as it fills.

    >>> round(edge_variance(0.05, 100, 1.0, order_ms=20) ** 0.5, 4)
    0.2414
    """
    window = _window(market_lag_ms, external_feed_ms, venue_feed_ms)
    s = sigma * np.sqrt(window)
    ahead = np.maximum(market_lag_ms - external_feed_ms - order_ms, 0.0)
    held = np.maximum(market_lag_ms - order_ms, 0.0)
    share = ahead / window
    known = np.square(share) * divergence_variance(s, threshold_bps / s)
    return known + np.square(sigma) * (ahead * (1 - share) + held - ahead + extra_hold_ms)


def divergence_variance(s: Values, z: Values) -> Result:
    """Var[|D| given |D| > z s] = s^2 (1 + z h - h^2): of a normal beyond a threshold; unchecked."""
    h = inverse_mills(z)
    return np.square(s) * np.maximum(1 + h * (z - h), 0.0)  # far out, only rounding is left


@elementwise(
    sigma=POSITIVE,
    market_lag_ms=POSITIVE,
    threshold_bps=NOT_NEGATIVE,
    order_ms=NOT_NEGATIVE,
    cost_bps=NOT_NEGATIVE,
    external_feed_ms=NOT_NEGATIVE,
    venue_feed_ms=NOT_NEGATIVE,
)
def net_edge(
    sigma: Values,
    market_lag_ms: Values,
    threshold_bps: Values,
    order_ms: Values,
    cost_bps: Values,
    external_feed_ms: Values = 0.0,
    venue_feed_ms: Values = 0.0,
) -> Result:
    """Mean edge less the round trip's cost: two fees, the full spread and impact, bps.

    >>> round(net_edge(0.05, 100, 1.0, order_ms=90, cost_bps=0.30), 4)
    -0.1813
    """
    edge = mean_edge(sigma, market_lag_ms, threshold_bps, order_ms, external_feed_ms, venue_feed_ms)
    return edge - cost_bps


@elementwise(
    sigma=POSITIVE,
    market_lag_ms=POSITIVE,
    threshold_bps=NOT_NEGATIVE,
    order_ms=NOT_NEGATIVE,
    cost_bps=NOT_NEGATIVE,
    look_ms=POSITIVE,
    external_feed_ms=NOT_NEGATIVE,
    venue_feed_ms=NOT_NEGATIVE,
)
def net_rate(
    sigma: Values,
    market_lag_ms: Values,
    threshold_bps: Values,
    order_ms: Values,
    cost_bps: Values,
    look_ms: Values,
    external_feed_ms: Values = 0.0,
    venue_feed_ms: Values = 0.0,
) -> Result:
    """Net edge per unit of time, bps per ms, looking every `look_ms`: (p / W)(edge - c).

    >>> round(1_000 * net_rate(0.05, 100, 1.0, order_ms=20, cost_bps=0.30, look_ms=500), 5)
    0.05909
    """
    feeds = external_feed_ms, venue_feed_ms
    p = trigger_probability(sigma, market_lag_ms, threshold_bps, *feeds)
    return p / look_ms * net_edge(sigma, market_lag_ms, threshold_bps, order_ms, cost_bps, *feeds)


@elementwise(
    sigma=POSITIVE,
    market_lag_ms=POSITIVE,
    threshold_bps=NOT_NEGATIVE,
    cost_bps=NOT_NEGATIVE,
    external_feed_ms=NOT_NEGATIVE,
    venue_feed_ms=NOT_NEGATIVE,
)
def break_even_latency(
    sigma: Values,
    market_lag_ms: Values,
    threshold_bps: Values,
    cost_bps: Values,
    external_feed_ms: Values = 0.0,
    venue_feed_ms: Values = 0.0,
) -> Result:
    """The order latency at which the mean edge pays exactly its cost, ms.

    d* = L - a - L' c / (s h(z)), with a = b = 0 the form L (1 - c / (sigma sqrt(L) h(z))). Negative:
    no latency is low enough.

    >>> round(break_even_latency(0.05, 100, 1.0, cost_bps=0.30), 2)
    74.72
    """
    window = _window(market_lag_ms, external_feed_ms, venue_feed_ms)
    s = sigma * np.sqrt(window)
    return (
        market_lag_ms
        - external_feed_ms
        - window * cost_bps / (s * inverse_mills(threshold_bps / s))
    )


@elementwise(
    sigma=POSITIVE, market_lag_ms=POSITIVE, threshold_bps=NOT_NEGATIVE, interval_ms=POSITIVE
)
def mean_edge_on_close(
    sigma: Values, market_lag_ms: Values, threshold_bps: Values, interval_ms: Values
) -> Result:
    """Mean gross edge at zero latency of an exit when the divergence closes, bps.

    Seen every `interval_ms`, the divergence is caught only after it has crossed zero; its overshoot
    is 0.5826 sd of one of its moves: s (h(z) + 0.5826 sqrt(2 / n)) with n = L / interval, n >> 1.

    >>> round(mean_edge_on_close(0.1, 100, 1.0, interval_ms=1), 4)
    1.6075
    """
    s = sigma * np.sqrt(market_lag_ms)
    rule = "must be at most market_lag_ms"
    require(interval_ms <= market_lag_ms, "interval_ms", interval_ms, rule)
    crossing = GRID_OVERSHOOT * np.sqrt(2 * interval_ms / market_lag_ms)
    return s * (inverse_mills(threshold_bps / s) + crossing)
