"""How sure a few runs make us: means, standard errors, Student's interval, roots with their interval.

Knows neither markets nor configs.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MANY = 4_000  # degrees of freedom beyond which Student's law is taken as at this many
_FINE = 32  # points looked at between two nodes of a curve
_BENT = 0.5  # a slope that differs by more than this share from the next: no straight line


def standard_error(values: Floats, axis: int = -1) -> Floats:
    """Standard error of the mean along an axis; NaN for a single value.

    >>> float(standard_error(np.array([1.0, 3.0])))
    1.0
    """
    count = values.shape[axis]
    if count < 2:
        return np.full_like(values.sum(axis=axis), np.nan)
    error: Floats = values.std(axis=axis, ddof=1) / math.sqrt(count)
    return error


@lru_cache
def student(confidence: float, freedom: int) -> float:
    """The t with P(|T| <= t) = `confidence`, for whole degrees of freedom.

    Source: Abramowitz and Stegun 26.7.3 and 26.7.4, inverted by bisection.

    >>> round(student(0.95, 1), 3), round(student(0.95, 10), 3), round(student(0.99, 63), 3)
    (12.706, 2.228, 2.656)
    """
    if freedom < 1:
        return math.nan
    freedom = min(freedom, _MANY)
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        if _share_within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _share_within(angle: float, freedom: int) -> float:
    """P(|T| <= sqrt(freedom) tan(angle))."""
    odd = freedom % 2
    square = math.cos(angle) ** 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= square * k / (k + 1)
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


class Root(NamedTuple):
    """Where a curve crosses zero, with an interval; an end at infinity is beyond what was looked at."""

    at: float
    low: float
    high: float


NO_ROOT = Root(math.nan, math.nan, math.nan)


def root(x: Floats, curves: Floats, confidence: float = 0.95) -> Root:
    """Zero of the mean of some curves, linear between nodes, and the interval where it may lie.

    The interval inverts the t-test: it holds every place around the root at which the mean of the
    curves does not differ from zero. Curves on common noise keep what they share. Where the curve bends
    at the crossing, as at a jump, a straight line says nothing about the inside of its stretch: the
    interval then reaches to both of its nodes. Of several crossings the one that best tells the two
    signs apart is taken.

    Parameters
    ----------
    x
        Increasing, shape (nodes,).
    curves
        Shape (curves, nodes); nodes with NaN are left out.

    Examples
    --------
    >>> root(np.array([0.0, 1.0, 2.0]), np.array([[2.0, 1.0, -1.0], [2.0, 1.0, -1.0]])).at
    1.5
    """
    known = np.isfinite(curves).all(axis=0)
    x, curves = x[known], curves[:, known]
    mean = curves.mean(axis=0) if x.size else np.empty(0)
    crossings = np.flatnonzero(np.signbit(mean[:-1]) != np.signbit(mean[1:]))
    if not crossings.size:
        return NO_ROOT
    sums = np.cumsum(mean)
    k = int(crossings[np.argmax(np.abs(2 * sums[crossings] - sums[-1]))])
    at = float(x[k] - mean[k] * (x[k + 1] - x[k]) / (mean[k + 1] - mean[k]))
    if curves.shape[0] < 2:
        return Root(at, math.nan, math.nan)
    fine, average, error = _between(x, curves, at)
    outside = np.abs(average) > student(confidence, curves.shape[0] - 1) * error
    here = int(np.searchsorted(fine, at))
    outside[here] = False
    before, after = np.flatnonzero(outside[:here]), np.flatnonzero(outside[here:])
    low = float(fine[before[-1]]) if before.size else -math.inf
    high = float(fine[here + after[0]]) if after.size else math.inf
    if _bends(x, mean, k):
        low, high = min(low, float(x[k])), max(high, float(x[k + 1]))
    return Root(at, low, high)


def _bends(x: Floats, mean: Floats, k: int) -> bool:
    """Whether the stretch from node `k` has another slope than one beside it, or none beside it."""
    slopes = np.diff(mean) / np.diff(x)
    beside = np.delete(slopes[max(0, k - 1) : k + 2], min(k, 1))
    return bool((np.abs(beside - slopes[k]) > _BENT * abs(slopes[k])).any()) or not beside.size


def _between(x: Floats, curves: Floats, at: float) -> tuple[Floats, Floats, Floats]:
    """Places from the first node to the last, `at` among them, with mean and standard error there."""
    places = np.interp(np.arange((x.size - 1) * _FINE + 1) / _FINE, np.arange(x.size), x)
    fine = np.unique(np.append(places, at))
    left = np.minimum(np.searchsorted(x, fine, side="right") - 1, x.size - 2)
    share = (fine - x[left]) / (x[left + 1] - x[left])
    mean = curves.mean(axis=0)
    centred = curves - mean
    spread = np.square(centred).sum(axis=0)
    common = (centred[:, :-1] * centred[:, 1:]).sum(axis=0)
    # The variance of (1 - w) a + w b, out of those of two nodes and what they share.
    squares = (1 - share) ** 2 * spread[left] + share**2 * spread[left + 1]
    squares += 2 * share * (1 - share) * common[left]
    count = curves.shape[0]
    error: Floats = np.sqrt(np.maximum(squares, 0.0) / (count - 1) / count)
    return fine, (1 - share) * mean[left] + share * mean[left + 1], error
