"""Arrays in, numbers out: percentiles of the latency histogram."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lablib.kernels import tables as t


def _upper_edges() -> NDArray[np.int64]:
    bucket = np.arange(t.N_BUCKETS, dtype=np.int64)
    shift = np.maximum((bucket >> t.SUB_BITS) - 1, 0)
    edges: NDArray[np.int64] = ((bucket - (shift << t.SUB_BITS) + 1) << shift) - 1
    return edges


UPPER_EDGES = _upper_edges()  # largest value of each bucket, ns; as `kernels.histogram.upper_edge`


class Latency:
    """Percentiles of one latency histogram, read only; empty ones are NaN.

    Parameters
    ----------
    buckets
        Counts, shape (`tables.N_BUCKETS`,).
    largest
        Largest value recorded, ns.
    """

    __slots__ = ("__dict__", "buckets", "largest")

    def __init__(self, buckets: NDArray[np.int64], largest: int) -> None:
        self.buckets = buckets
        self.largest = largest

    @cached_property
    def _cumulated(self) -> NDArray[np.int64]:
        return np.cumsum(self.buckets)

    @property
    def count(self) -> int:
        """Values recorded."""
        return int(self._cumulated[-1])

    def quantile_ms(self, q: float) -> float:
        """The smallest bucket edge that at least a share `q` of the values does not exceed (ms).

        Off by at most 1/128 of the value, upwards; never above the largest value.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"q must be within [0, 1], got {q}")
        if self.count == 0:
            return float("nan")
        rank = max(1, int(np.ceil(q * self.count - 1e-9)))
        edge = UPPER_EDGES[int(np.searchsorted(self._cumulated, rank))]
        return float(min(int(edge), self.largest)) / t.NS_PER_MS

    @property
    def p50_ms(self) -> float:
        """Median (ms)."""
        return self.quantile_ms(0.5)

    @property
    def p95_ms(self) -> float:
        """95th percentile (ms)."""
        return self.quantile_ms(0.95)

    @property
    def p99_ms(self) -> float:
        """99th percentile (ms)."""
        return self.quantile_ms(0.99)

    @property
    def p999_ms(self) -> float:
        """99.9th percentile (ms)."""
        return self.quantile_ms(0.999)

    @property
    def max_ms(self) -> float:
        """Largest value (ms)."""
        return self.largest / t.NS_PER_MS if self.count else float("nan")

    def histogram(self, bins: int = 40) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Counts over log-spaced bins from the smallest to the largest value seen.

        Returns
        -------
        Edges in ms, shape (bins + 1,), and counts, shape (bins,).
        """
        used = np.flatnonzero(self.buckets)
        if used.size == 0:
            return np.geomspace(0.01, 1_000.0, bins + 1), np.zeros(bins, np.int64)
        values = np.maximum(UPPER_EDGES[used], 1_000) / t.NS_PER_MS
        low, high = values[0] * 0.98, values[-1] * 1.02
        edges = np.geomspace(low, high, bins + 1)
        counts, _ = np.histogram(values, edges, weights=self.buckets[used])
        return edges, counts.astype(np.int64)
