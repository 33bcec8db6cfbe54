"""The external price path: tape events from noise that was drawn in advance.

With z a standard normal, x the log price and one step per interval D:

- gbm: x moves by sigma sqrt(D) z, without drift in the log;
- bachelier: the price itself moves by sigma sqrt(D) z;
- mean reversion (Ornstein and Uhlenbeck), exact for any D: the distance of x from its start becomes
  exp(-k D) times itself plus sigma sqrt((1 - exp(-2 k D)) / 2 k) z;
- jumps (Merton 1976; Kou 2002): as gbm, plus N ~ Poisson(rate D) jumps of the log price, normal or
  double exponential. They add to the drift what they add: nothing compensates their mean.

Regimes and a burst multiply sigma, under every law; a jump's size they leave alone. No
price falls to zero, an arithmetic one neither: it stands at the least a price can be until a step
leads up again.
"""

from __future__ import annotations

import math

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel
from lablib.kernels.quantiles import normal_quantile

# Where a price stays, whatever the volatility: floats that a venue can still round to ticks, and a
# move whose exponential is finite.
_LOWEST = 2.0**-40
_HIGHEST = 2.0**38
_LARGEST_MOVE = 99.0
_LEAST = 5.551115123125783e-17  # 2**-54: a uniform of 0 has no quantile


@kernel
def next_regime(regime, stay, u):
    """Markov step over calm, normal, volatile; the extremes return to normal."""
    if u < stay:
        return regime
    if regime != t.NORMAL:
        return t.NORMAL
    return t.CALM if (u - stay) * 2.0 < 1.0 - stay else t.VOLATILE


@kernel
def jump_count(params, u):
    """Jumps within one interval, by inverse cdf; at most N_JUMPS."""
    if u < params.jump_none:
        return 0
    count = 0
    chance = params.jump_none
    total = chance
    while u >= total and count < t.N_JUMPS:
        count += 1
        chance *= params.jump_rate / count
        total += chance
    return count


@kernel
def jump_size(params, u):
    """One jump of the log price, by inverse cdf."""
    u = max(u, _LEAST)
    if params.jump_law == t.NORMAL_JUMPS:
        return params.jump_mean + params.jump_sigma * normal_quantile(u)
    down_share = 1.0 - params.jump_up_share
    if u < down_share:
        return params.jump_down * math.log(u / down_share)
    return -params.jump_up * math.log((1.0 - u) / params.jump_up_share)


@kernel
def next_px(params, px, move):
    """The price after one interval; `move` is sigma times a normal, in the law's own unit."""
    if params.model == t.BACHELIER:
        return px + move
    move = min(move, _LARGEST_MOVE)
    if params.model == t.MEAN_REVERSION:
        start = params.start_ticks
        return start * math.exp(params.decay * math.log(px / start) + move)
    return px * math.exp(move)


@kernel
def external_path(params, carry, normals, uniforms, jumps, sizes, events):
    """Write one EXTERNAL event per normal and move `carry` (an EXTERNAL_STATE) to the last.

    `uniforms` moves the regimes and is read only where they are on. `jumps` holds one uniform per
    interval and `sizes` N_JUMPS of them; both are read under the law with jumps only.
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
        move = sigma * normals[k]
        if params.model == t.JUMPS:
            for j in range(jump_count(params, jumps[k])):
                move += jump_size(params, sizes[k * t.N_JUMPS + j])
        if params.model == t.GBM:
            px *= math.exp(min(move, _LARGEST_MOVE))
        else:
            px = next_px(params, px, move)
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


@kernel
def feel(external, memory_ns, now, px):
    """Add the step to `px` to the external log return of late, in which older steps fade."""
    fade = math.exp(-(now - external.at_ns) / memory_ns)
    external.swing = external.swing * fade + math.log(px / external.px)
