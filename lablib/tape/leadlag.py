"""Who leads whom, and by how much: the Hayashi-Yoshida estimate with an honest interval.

The estimator needs no common grid: it sums the products of all pairs of price changes whose time
spans overlap once one series is shifted by a lag. The lag of the largest correlation is the lead. On
minutes of data that single number is noisy, so it never comes without its interval.

Hayashi, T. and Yoshida, N. (2005), "On covariance estimation of non-synchronously observed diffusion
processes", Bernoulli 11(2); Hoffmann, Rosenbaum and Yoshida (2013), "Estimation of the lead-lag
parameter from non-synchronous data", Bernoulli 19(2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lablib.kernels.tables import NS_PER_MS, NS_PER_S

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BLOCK_NS = 10 * NS_PER_S
MIN_BLOCKS = 8
DRAWS = 1_000
BAND = 0.9  # of the peak


@dataclass(frozen=True, eq=False)
class LeadLag:
    """Correlation at every lag; at a positive lag the leader's past goes with the follower's present."""

    lag_ms: Floats
    rho: Floats  # may exceed 1: on noisy ticks the estimator is not bounded
    peak_ms: float
    low_ms: float  # 95 % block-bootstrap interval of the peak
    high_ms: float
    band_low_ms: float  # lags whose correlation is at least 90 % of the peak's
    band_high_ms: float

    def report(self) -> dict[str, float]:
        """The estimate in plain numbers."""
        return {
            "peak_ms": self.peak_ms,
            "low_ms": self.low_ms,
            "high_ms": self.high_ms,
            "rho": float(self.rho.max()),
            "rho_at_zero": float(self.rho[np.argmin(np.abs(self.lag_ms))]),
            "band_low_ms": self.band_low_ms,
            "band_high_ms": self.band_high_ms,
        }


def lead_lag(
    leader_ns: Ints,
    leader_px: Floats,
    follower_ns: Ints,
    follower_px: Floats,
    *,
    max_lag_ms: int = 500,
    step_ms: int = 5,
    seed: int = 0,
) -> LeadLag | None:
    """Estimate by how much the follower's price changes lag the leader's.

    Parameters
    ----------
    leader_ns, follower_ns
        Times of the prices on one clock, ascending, in ns.
    leader_px, follower_px
        Positive prices, such as mids. Repeated prices are dropped: only changes count.
    max_lag_ms, step_ms
        The lags scanned: from minus to plus the maximum.
    seed
        Of the bootstrap, which draws blocks of 10 s (shorter on short data) with replacement.

    Returns
    -------
    None when either price never changes: there is nothing to estimate.
    """
    time, price = _changes(leader_ns, leader_px)
    other_time, other_price = _changes(follower_ns, follower_px)
    if len(time) < 2 or len(other_time) < 2:
        return None
    steps = max_lag_ms // step_ms
    lag_ms: Floats = np.arange(-steps, steps + 1, dtype=np.float64) * step_ms
    moves = np.diff(price)
    block = _blocks(time)
    by_block = np.empty((len(lag_ms), int(block[-1]) + 1))
    for row, lag_ns in enumerate((lag_ms * NS_PER_MS).astype(np.int64)):
        # The changes that overlap one span follow each other, so their sum is a difference of prices.
        first = np.searchsorted(other_time, time[:-1] + lag_ns, "right") - 1
        last = np.searchsorted(other_time, time[1:] + lag_ns, "left")
        overlap = other_price[last.clip(max=len(other_price) - 1)] - other_price[first.clip(min=0)]
        by_block[row] = np.bincount(block, weights=moves * overlap, minlength=by_block.shape[1])
    scale = np.sqrt(np.sum(moves**2) * np.sum(np.diff(other_price) ** 2))
    rho: Floats = by_block.sum(axis=1) / scale
    low_ms, high_ms = np.quantile(lag_ms[_peaks(by_block, seed)], (0.025, 0.975), method="nearest")
    band = lag_ms[rho >= rho.max() - (1 - BAND) * abs(rho.max())]
    peak_ms = float(lag_ms[np.argmax(rho)])
    return LeadLag(
        lag_ms, rho, peak_ms, float(low_ms), float(high_ms), float(band[0]), float(band[-1])
    )


def _changes(time_ns: Ints, px: Floats) -> tuple[Ints, Floats]:
    """Times and log prices where the price changes, with the first."""
    keep = np.concatenate(([True], np.diff(px) != 0)) if len(px) else np.zeros(0, bool)
    return time_ns[keep], np.log(px[keep])


def _blocks(time_ns: Ints) -> Ints:
    """Number of the block each change belongs to."""
    elapsed = time_ns[1:] - time_ns[0]
    block: Ints = elapsed // max(1, min(BLOCK_NS, int(elapsed[-1]) // MIN_BLOCKS))
    return block


def _peaks(by_block: Floats, seed: int) -> Ints:
    """Index of the largest covariance in every resampling of the blocks."""
    count = by_block.shape[1]
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    peaks: Ints = np.argmax(draws @ by_block.T, axis=1)
    return peaks
