"""How long a message travels: one keyed uniform, turned into a delay by its inverse cdf.

A draw is keyed by what caused the message, never by a running count, so two latency settings meet
the same luck. The uniform is Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as
1, 2, 3"). Outages and bursts depend on the time and the tape alone.
"""

from __future__ import annotations

import math

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel
from lablib.kernels.quantiles import gamma_quantile, normal_quantile

_WORD = 0xFFFFFFFF
_SPIKES = 16  # the spikes of wire w are drawn as wire w + 16
_LONGEST = 86_400.0 * t.NS_PER_S  # a day: where a tail ends


@kernel
def philox(key0, key1, c0, c1, c2, c3):
    """Ten rounds of Philox4x32 on 32-bit words held in int64; returns the first 52 random bits."""
    for _ in range(10):
        # A product wraps in int64 and is exact in Python; the 64 bits kept are the same.
        p0 = 0xD2511F53 * c0
        p1 = 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (
            ((p1 >> 32) & _WORD) ^ c1 ^ key0,
            p1 & _WORD,
            ((p0 >> 32) & _WORD) ^ c3 ^ key1,
            p0 & _WORD,
        )
        key0 = (key0 + 0x9E3779B9) & _WORD
        key1 = (key1 + 0xBB67AE85) & _WORD
    return (c0 << 20) | (c1 >> 12)


@kernel
def uniform(params, wire, cause, number):
    """A uniform in (0, 1), a pure function of the seed's key, the wire, the cause and the number."""
    cause = int(cause)
    bits = philox(
        int(params.key_low),
        int(params.key_high),
        cause & _WORD,
        (cause >> 32) & _WORD,
        int(wire),
        int(number) & _WORD,
    )
    return (bits + 0.5) * 2.220446049250313e-16  # 2**-52


@kernel
def table_ns(delay, u):
    """The quantile at `u` of an empirical delay: linear between its points, the ends beyond them."""
    low = 0
    high = delay.points - 1
    if u <= delay.probability[low]:
        return delay.quantile_ns[low]
    if u >= delay.probability[high]:
        return delay.quantile_ns[high]
    while high - low > 1:
        middle = (low + high) >> 1
        if delay.probability[middle] <= u:
            low = middle
        else:
            high = middle
    share = (u - delay.probability[low]) / (delay.probability[high] - delay.probability[low])
    return delay.quantile_ns[low] + share * (delay.quantile_ns[high] - delay.quantile_ns[low])


@kernel
def draw_ns(delay, params, wire, cause, number):
    """A random delay in nanoseconds, before rounding."""
    ns = delay.shift_ns
    if delay.model != t.CONSTANT:
        u = uniform(params, wire, cause, number)
        if delay.model == t.UNIFORM:
            ns += delay.scale_ns * u
        elif delay.model == t.LOGNORMAL:
            ns += delay.scale_ns * math.exp(delay.sigma * normal_quantile(u))
        elif delay.model == t.GAMMA:
            ns += delay.scale_ns * gamma_quantile(u, delay.gamma_shape, delay.log_gamma)
        else:
            ns += table_ns(delay, u)
    if delay.spike_probability > 0.0:
        u = uniform(params, wire + _SPIKES, cause, number)
        if u < delay.spike_probability:
            # u / probability is uniform again: Pareto by inverse cdf.
            ns += delay.spike_ns * math.pow(u / delay.spike_probability, -1.0 / delay.spike_alpha)
    return min(ns, _LONGEST)


@kernel
def delay_ns(params, which, wire, cause, number):
    """The delay of one message on an undisturbed wire, in whole nanoseconds, at least 0.

    `which` is the delay model, `wire` the key: a cancel has a model of its own and shares a wire.
    """
    return int(math.floor(draw_ns(params.delays[which], params, wire, cause, number) + 0.5))


@kernel
def outage_left(delay, now):
    """How long a wire that is down at `now` stays down (ns); 0 when it is up."""
    if delay.outage_ns == 0 or now < delay.outage_from_ns:
        return 0
    since = now - delay.outage_from_ns
    if delay.outage_every_ns > 0:
        since %= delay.outage_every_ns
    return max(0, delay.outage_ns - since)


@kernel
def swing_at(external, memory_ns, now):
    """The size of the external log return of late: sum of exp(-age / memory) times return."""
    return abs(external.swing) * math.exp(-(now - external.at_ns) / memory_ns)


@kernel
def disturbed_ns(params, external, now, which, wire, cause, number):
    """The delay of one message on a wire with bursts or outages."""
    delay = params.delays[which]
    wait = outage_left(delay, now)
    if wait > 0 and delay.outage_loses:
        return t.LOST
    ns = draw_ns(delay, params, wire, cause, number)
    if (
        delay.burst_factor > 1.0
        and swing_at(external, params.burst_memory_ns, now) > delay.burst_swing
    ):
        ns = min(ns * delay.burst_factor, _LONGEST)
    return int(wait) + int(math.floor(ns + 0.5))


@kernel
def travel_ns(params, external, now, which, wire, cause, number):
    """The delay of one message sent now, bursts and outages included; LOST if it never arrives.

    Both depend on the time and on the tape alone, so two arms of a comparison meet the same ones.
    """
    if params.delays[which].disturbed:
        return disturbed_ns(params, external, now, which, wire, cause, number)
    return delay_ns(params, which, wire, cause, number)
