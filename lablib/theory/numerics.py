"""The little mathematics the formulas share: the normal law, Lambert's W, a root, a quadrature.

Everything works on arrays. The tails are computed as tails, never as one minus the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.errors import ConfigError

SQRT_2PI = math.sqrt(2 * math.pi)
_erfc = np.frompyfunc(math.erfc, 1, 1)
_MILLS_FAR = 12.0  # from here the continued fraction is exact to the last digit
_PANEL = np.polynomial.legendre.leggauss(20)


def pdf(x: Any) -> Any:
    """Density of the standard normal law; 0 beyond 50, where no float is as small."""
    return np.exp(-0.5 * np.square(np.minimum(np.abs(x), 50.0))) / SQRT_2PI


def cdf(x: Any) -> Any:
    """P(Z <= x) for a standard normal Z, exact to a few units of the last digit in both tails.

    >>> float(cdf(-10.0))
    7.61985302416...e-24
    """
    return 0.5 * np.asarray(_erfc(-np.asarray(x) / math.sqrt(2)), dtype=np.float64)


def inverse_mills(z: Any) -> Any:
    """E[Z | Z > z] = pdf(z) / P(Z > z), without underflow however large z is.

    >>> float(inverse_mills(0.0)), float(inverse_mills(100.0))
    (0.79788..., 100.00999...)
    """
    z = np.asarray(z, dtype=np.float64)
    near = np.minimum(z, _MILLS_FAR)
    far = np.maximum(z, _MILLS_FAR)
    tail = far
    for n in range(60, 0, -1):  # Laplace: z + 1/(z + 2/(z + 3/(z + ...)))
        tail = far + n / tail
    return np.where(z < _MILLS_FAR, pdf(near) / cdf(-near), tail)


def log_cdf(x: Any) -> Any:
    """Logarithm of P(Z <= x), also where the probability itself is too small for a float."""
    x = np.asarray(x, dtype=np.float64)
    left = np.minimum(x, -_MILLS_FAR)
    tail = -0.5 * np.square(left) - math.log(SQRT_2PI) - np.log(inverse_mills(-left))
    return np.where(x < -_MILLS_FAR, tail, np.log(cdf(np.maximum(x, -_MILLS_FAR))))


def lambert_w(x: Any) -> Any:
    """The w >= 0 with w exp(w) = x, for x >= 0, by Halley's iteration.

    >>> float(lambert_w(1.0))
    0.567143290409783...
    """
    x = np.asarray(x, dtype=np.float64)
    log = np.log(np.maximum(x, math.e))
    w = np.where(x > math.e, log - np.log(log), x / (1 + x))
    for _ in range(8):  # cubic convergence: four steps are enough, from anywhere
        e = np.exp(w)
        miss = w * e - x
        w = w - miss / (e * (w + 1) - (w + 2) * miss / (2 * w + 2))
    return w


def falling_root(f: Callable[[float], float], start: float) -> float:
    """The x > 0 where a falling function crosses zero, to the last digit, by bisection.

    `start` only sets the scale of the search. ConfigError if there is no crossing.
    """
    low, high = 0.0, start
    for _ in range(1_000):
        if not f(high) > 0:
            break
        low, high = high, 2 * high
    else:
        raise ConfigError(f"no root below {high:g}: the function never falls to zero")
    while low < (x := 0.5 * (low + high)) < high:
        if f(x) > 0:
            low = x
        else:
            high = x
    return 0.5 * (low + high)


def panels(low: float, high: float, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of 20-point Gauss–Legendre rules on `count` equal panels, shape (20 count,)."""
    nodes, weights = _PANEL
    width = (high - low) / count
    middles = low + width * (np.arange(count) + 0.5)
    x = middles[:, None] + 0.5 * width * nodes
    return x.ravel(), np.tile(0.5 * width * weights, count)
