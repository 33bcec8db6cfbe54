"""The external price path: tape events from noise that was drawn in advance."""

from __future__ import annotations

import math

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel

# Where a price stays, whatever the volatility: floats that a venue can still round to ticks, and a
# move whose exponential is finite.
_LOWEST = 2.0**-40
_HIGHEST = 2.0**38
_LARGEST_MOVE = 99.0


@kernel
def next_regime(regime, stay, u):
    """Markov step over calm, normal, volatile; the extremes return to normal."""
    if u < stay:
        return regime
    if regime != t.NORMAL:
        return t.NORMAL
    return t.CALM if (u - stay) * 2.0 < 1.0 - stay else t.VOLATILE


@kernel
def external_path(params, carry, normals, uniforms, events):
    """Write one EXTERNAL event per normal and move `carry` (an EXTERNAL_STATE) to the last.

    Geometric Brownian motion without drift in the log: ln S moves by sigma times a normal each
    interval. `uniforms` moves the regimes and is read only where they are on.
    """
    px = carry.px
    index = carry.index
    regime = carry.regime
    for k in range(normals.size):
        index += 1
        now = index * params.interval_ns
        sigma = params.sigma
        if params.regimes:
            regime = next_regime(regime, params.regime_stay[regime], uniforms[k])
            sigma *= params.regime_sigma[regime]
        if params.burst_from_ns <= now < params.burst_until_ns:
            sigma *= params.burst_sigma
        px *= math.exp(min(sigma * normals[k], _LARGEST_MOVE))
        px = min(max(px, _LOWEST), _HIGHEST)
        event = events[k]
        event.time_ns = now
        event.kind = t.EXTERNAL
        event.side = 0
        event.ticks = index
        event.lots = regime
        event.mark = px
    carry.px = px
    carry.index = index
    carry.regime = regime
    carry.at_ns = index * params.interval_ns
