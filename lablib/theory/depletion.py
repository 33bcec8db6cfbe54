"""How long a queue lasts: first passage of a birth–death queue to zero, and who empties first.

A queue of x orders grows by one at rate `limit` and shrinks by one at rate `market` + x `cancel`. The
Laplace transform of its time to empty is the continued fraction of Cont, Stoikov and Talreja (2010),
here in complements, so that nothing cancels. Instead of inverting it, two independent times A and B
are compared on the imaginary axis, where with s = i w

    P(A < B)      = 1/2 - (1/pi) int Im[conj(A^(s)) B^(s)] dw / w            (Gil-Pelaez),
    E[min(A, B)]  = (1/pi) int Re[(1 - A^(s)) conj(1 - B^(s))] dw / w^2      (Parseval), w from 0.

In ln w the integrands are analytic in a strip of half-width pi/2, so that the trapezoidal rule is exact
to the last digits. This room checks no arguments: its callers do.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lablib.errors import ConfigError
from lablib.theory.domain import Domain, Values

Transform = NDArray[np.complex128]
Lengths = NDArray[np.int64]

LENGTH = Domain(low=1.0, high=5_000.0, open_low=False, open_high=False, whole=True)
"""Orders in a queue: each length up to the longest has its own transform."""

STEP = 0.2  # of ln w: the rule's error is about exp(-pi^2 / STEP)
_REACH = -41.0  # ln of the chance of ever meeting the rung where the fraction is cut
_MOST_RUNGS = 20_000
_HIGHEST = 500.0  # ln of the longest time to empty, in mean times between events


def frequencies(limit: float, market: float, cancel: float) -> NDArray[np.float64]:
    """The w at which transforms are compared, shape (F,): from instants to the slowest emptying."""
    growing = math.ceil(max(limit - market, 0.0) / cancel) if cancel else 0
    death = market + cancel * np.arange(1, min(growing, _MOST_RUNGS) + 1)
    # A queue that grows until its cancellations keep the balance empties once in exp(barrier).
    barrier = float(np.log(np.maximum(limit / death, 1.0)).sum())
    if growing > _MOST_RUNGS or barrier > _HIGHEST:
        raise ConfigError(
            f"cancel_rate must be larger beside limit_rate {limit:g} and market_rate {market:g}, "
            f"or queues never empty, got {cancel:g}"
        )
    log_w = np.arange(-70.0 - barrier, 40.0, STEP)
    return np.asarray((limit + market + cancel) * np.exp(log_w))


def _top(longest: int, limit: float, market: float, cancel: float) -> int:
    """A length that a queue of `longest` orders reaches, before it empties, practically never."""
    if cancel == 0:
        return longest  # the fraction closes exactly
    death = market + cancel * np.arange(longest + 1, longest + _MOST_RUNGS)
    reach = np.cumsum(np.log(limit / death))
    return longest + 1 + int(np.argmax(reach <= _REACH)) if reach[-1] <= _REACH else _MOST_RUNGS


def emptying(
    longest: int, w: NDArray[np.float64], limit: float, market: float, cancel: float
) -> Transform:
    """1 - E[exp(-s T_x)], T_x the time to empty from x orders, s = i w: shape (longest + 1, F)."""
    s = 1j * w
    top = _top(longest, limit, market, cancel)
    death = market + top * cancel
    drift = death - limit + s
    # Above the cut the rates stand still and the fraction is the root of a quadratic.
    last = 2 * s / (drift + np.sqrt(drift * drift + 4 * limit * s))
    down = np.empty((longest + 1, len(w)), np.complex128)  # complement for one order fewer
    for x in range(top, 0, -1):
        rise = s + limit * last
        last = rise / (market + x * cancel + rise)
        if x <= longest:
            down[x] = last
    down[0] = 0
    for x in range(1, longest + 1):
        down[x] = down[x - 1] + (1 - down[x - 1]) * down[x]
    return down


def first(a: Transform, b: Transform) -> NDArray[np.float64]:
    """P(A < B) for all pairs of independent times: transforms (n, F) and (m, F) -> (n, m)."""
    return 0.5 - (STEP / math.pi) * np.imag(np.conj(a) @ b.T)


def mean_of_earlier(a: Transform, b: Transform, w: NDArray[np.float64]) -> NDArray[np.float64]:
    """E[min(A, B)] for all pairs, from complements of transforms (n, F) and (m, F) -> (n, m)."""
    return (STEP / math.pi) * np.real((a / w) @ np.conj(b).T)


def by_rates(
    table: Callable[..., NDArray[np.float64]], bids: Values, asks: Values, *rates: Values
) -> NDArray[np.float64]:
    """Look lengths up in `table(different bids, different asks, *rates)`, one for each set of rates."""
    bids, asks = np.asarray(bids, np.int64), np.asarray(asks, np.int64)
    out = np.empty(bids.shape)
    each = np.stack([np.ravel(rate) for rate in rates], axis=1)
    for row in np.unique(each, axis=0):
        at = (each == row).all(axis=1).reshape(bids.shape)
        bid, of_bid = np.unique(bids[at], return_inverse=True)
        ask, of_ask = np.unique(asks[at], return_inverse=True)
        out[at] = table(bid, ask, *row.tolist())[of_bid, of_ask]
    return out
