"""Inverse cdfs by `math.exp` and `math.log` alone, so that compiled and plain Python agree to the bit.

The normal quantile is Wichura's AS241 (1988, Applied Statistics 37:477, PPND16). The gamma quantile
solves for the logarithm of x by Newton's method on the logarithm of the nearer tail.
"""

from __future__ import annotations

import math

from lablib.kernels.jit import kernel

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


_STEPS = 40
_TERMS = 2_000


@kernel
def lower_ratio(shape, x):
    """Lower incomplete gamma function over x**shape exp(-x): its power series, for x below shape + 1."""
    term = 1.0 / shape
    total = term
    for k in range(1, _TERMS):
        term *= x / (shape + k)
        total += term
        if term < 1e-17 * total:
            break
    return total


@kernel
def upper_ratio(shape, x):
    """Upper incomplete gamma function over x**shape exp(-x), for x from shape + 1 on.

    Legendre's continued fraction, evaluated from its front by Lentz's method.
    """
    b = x + 1.0 - shape
    c = 1e300
    d = 1.0 / b
    result = d
    for k in range(1, _TERMS):
        a = -k * (k - shape)
        b += 2.0
        d = 1.0 / (a * d + b)
        c = b + a / c
        change = c * d
        result *= change
        if abs(change - 1.0) < 4e-16:
            break
    return result


@kernel
def gamma_quantile(p, shape, log_gamma):
    """The inverse cdf of a gamma law of scale 1, for p in (0, 1); `log_gamma` is ln Γ(shape).

    As functions of ln x, the logarithms of both tails are concave. Newton's method therefore comes to
    the root from one side after its first step, whatever the start; here that is Wilson and Hilferty's
    cube (1931), or the cdf's leading term where the cube is no use.
    """
    low = p <= 0.5
    target = math.log(p if low else 1.0 - p)
    root = 1.0 - 1.0 / (9.0 * shape) + normal_quantile(p) / (3.0 * math.sqrt(shape))
    if root > 0.2:
        y = math.log(shape) + 3.0 * math.log(root)
    else:
        y = (math.log(p) + log_gamma + math.log(shape)) / shape
    for _ in range(_STEPS):
        y = min(max(y, -700.0), 700.0)
        x = math.exp(y)
        log_front = shape * y - x - log_gamma
        if x < shape + 1.0:
            ratio = lower_ratio(shape, x)
            if not low:
                ratio = math.exp(-log_front) - ratio
        else:
            ratio = upper_ratio(shape, x)
            if low:
                ratio = math.exp(-log_front) - ratio
        step = ratio * (target - log_front - math.log(ratio))
        y += step if low else -step
        if abs(step) < 1e-12:
            break
    return math.exp(y)
