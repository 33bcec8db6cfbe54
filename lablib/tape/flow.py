"""Candidates of order flow: each kind a Poisson stream at its bounding rate, drawn a window at a time.

A window holds about `_COUNT` candidates. How many there are is Poisson, and given that they
lie like sorted uniforms; so window *k* of a kind is a pure function of (rates of that kind, seed, *k*).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.kernels import tables as t
from lablib.kernels.tape import candidates
from lablib.tape import noise
from lablib.tape.windows import Windowed

_COUNT = 16_384  # candidates of a window, about
_LONGEST_NS = 1 << 50  # of a window, where next to nothing happens
CELLS = 32  # of the table that tells a limit order's side and distance


def bounding_rates(rules: Any) -> tuple[float, float, float, float]:
    """Candidates per second of FLOW_LIMIT … FLOW_FOLLOW under a `tables.FLOW_PARAMS`."""
    limits = 2 * float(rules.limit_rate[: rules.distances].sum())
    markets = 2 * float(rules.market_rate)
    cancels = 2 * float(rules.cancel_most) * int(rules.cancel_bound)
    if rules.branching[t.LIMITS] > 0:
        limits *= float(rules.headroom)
    if rules.branching[t.MARKETS] > 0:
        markets *= float(rules.headroom)
    return limits, markets, cancels, float(rules.follow_rate)


def alias_table(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Walker's alias table of `CELLS` cells: cell *c* is outcome *c* with its share, else its alias."""
    share = np.zeros(CELLS)
    share[: weights.size] = weights * (CELLS / weights.sum())
    alias = np.arange(CELLS)
    small = [c for c in range(CELLS) if share[c] < 1.0]
    large = [c for c in range(CELLS) if share[c] >= 1.0]
    while small and large:
        poor, rich = small.pop(), large[-1]
        alias[poor] = rich
        share[rich] -= 1.0 - share[poor]
        if share[rich] < 1.0:
            small.append(large.pop())
    share[small + large] = 1.0
    return share, alias


class FlowSource(Windowed):
    """One kind of candidates under one set of rates.

    Parameters
    ----------
    seed
        Of the run.
    kind
        FLOW_LIMIT … FLOW_FOLLOW.
    rules
        A `tables.FLOW_PARAMS`.
    """

    def __init__(self, seed: int, kind: int, rules: Any) -> None:
        super().__init__()
        self.rate = bounding_rates(rules)[kind - t.FLOW_LIMIT]
        self.kind = kind
        self._seed, self._rules = seed, rules
        self.span_ns = _LONGEST_NS
        if self.rate > 0:
            self.span_ns = max(1, min(_LONGEST_NS, round(_COUNT / self.rate * t.NS_PER_S)))
        weights = np.zeros(CELLS)
        if kind == t.FLOW_LIMIT:
            weights[:] = np.repeat(rules.limit_rate, 2)  # a buy and a sell at each distance
        if not weights.any():
            weights[:2] = 1.0
        self._share, self._alias = alias_table(weights)

    def _draw(self, window: int) -> NDArray[Any]:
        generator = noise.generator(self._seed, noise.FLOW + self.kind - t.FLOW_LIMIT, window)
        count = int(generator.poisson(self.rate * self.span_ns / t.NS_PER_S))
        events = np.empty(count, t.TAPE_EVENT)
        # Sorted uniforms are partial sums of exponentials over their total.
        gaps = generator.standard_exponential(count + 1)
        words = generator.bit_generator.random_raw(count).view(np.int64)
        sizes = gaps  # not read
        if self._rules.mean_orders > 1.0:
            sizes = generator.random(count)
        candidates(
            self.kind,
            window * self.span_ns,
            self.span_ns,
            self._rules,
            gaps,
            words,
            sizes,
            self._share,
            self._alias,
            events,
        )
        return events
