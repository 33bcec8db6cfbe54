"""How long a message travels: one keyed uniform, turned into a delay by its inverse cdf.

A draw is keyed by what caused the message, never by a running count, so two latency settings meet
the same luck. The uniform is Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as
1, 2, 3"), the normal quantile is Wichura's AS241 (1988, Applied Statistics 37:477, PPND16).
"""

from __future__ import annotations

import math

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel

_WORD = 0xFFFFFFFF
_SPIKES = 16  # the spikes of wire w are drawn as wire w + 16


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


# AS241's three ratios of polynomials, highest power first.
_CENTRE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
_MIDDLE = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
     3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
     6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
)  # fmt: skip
_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
     2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
     1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
)  # fmt: skip


@kernel
def _ratio(polynomials, r):
    top = 0.0
    for coefficient in polynomials[0]:
        top = top * r + coefficient
    low = 0.0
    for coefficient in polynomials[1]:
        low = low * r + coefficient
    return top / low


@kernel
def normal_quantile(p):
    """The standard normal's inverse cdf, to about 16 digits, for p in (0, 1)."""
    q = p - 0.5
    if abs(q) <= 0.425:
        return q * _ratio(_CENTRE, 0.180625 - q * q)
    r = math.sqrt(-math.log(min(p, 1.0 - p)))
    z = _ratio(_MIDDLE, r - 1.6) if r <= 5.0 else _ratio(_TAIL, r - 5.0)
    return z if q > 0.0 else -z


@kernel
def draw_ns(delay, params, wire, cause, number):
    """A random delay in nanoseconds, before rounding."""
    ns = delay.shift_ns
    if delay.model == t.UNIFORM:
        ns += delay.scale_ns * uniform(params, wire, cause, number)
    elif delay.model == t.LOGNORMAL:
        z = normal_quantile(uniform(params, wire, cause, number))
        ns += delay.scale_ns * math.exp(delay.sigma * z)
    if delay.spike_probability > 0.0:
        u = uniform(params, wire + _SPIKES, cause, number)
        if u < delay.spike_probability:
            # u / probability is uniform again: Pareto by inverse cdf, capped at a day.
            ns += min(
                delay.spike_ns * math.pow(u / delay.spike_probability, -1.0 / delay.spike_alpha),
                86_400.0 * t.NS_PER_S,
            )
    return ns


@kernel
def delay_ns(params, which, wire, cause, number):
    """The delay of one message in whole nanoseconds, at least 0.

    `which` is the delay model, `wire` the key: a cancel has a model of its own and shares a wire.
    """
    delay = params.delays[which]
    if delay.model == t.CONSTANT and delay.spike_probability == 0.0:
        return int(delay.shift_ns)
    return int(math.floor(draw_ns(delay, params, wire, cause, number) + 0.5))
