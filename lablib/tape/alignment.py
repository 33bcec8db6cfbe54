"""Two recordings side by side: how wrong their clock is, and how far apart their prices rest.

Measures and reports; moves no timestamp and clips no delay.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lablib.kernels.tables import NS_PER_MS, NS_PER_S

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WINDOWS = 256  # the fastest message of each is taken for the clock's line

STEP_NS = 100 * NS_PER_MS  # the gap of two prices is sampled so often
MEMORY_STEPS = 300  # 30 s
AGE_STEPS = 10  # 1 s


def fit_clock(receive_ns: Ints, event_ns: Ints) -> dict[str, float]:
    """Offset and drift of the recorder's clock against the exchange's.

    A straight line through the fastest message of each of 256 stretches of time (Theil-Sen: the
    median slope of all pairs), since what is slower was delayed on its way. The offset contains the
    fastest one-way delay, which no single clock can tell from an error.

    Parameters
    ----------
    receive_ns, event_ns
        The recorder's and the exchange's time of the same messages, in any order; a negative
        `event_ns` is absent.

    Returns
    -------
    `messages` compared; and if there were any, `offset_s` (receive - exchange at the first),
    `drift_us_per_s`, how many delays are `negative`, and the median and 99th percentile of the
    delay above the line, in ms.
    """
    known = event_ns >= 0
    if not known.any():
        return {"messages": 0}
    order = np.argsort(receive_ns[known], kind="stable")
    received = receive_ns[known][order]
    delay = received - event_ns[known][order]
    elapsed = received - received[0]
    window = elapsed * WINDOWS // (int(elapsed[-1]) + 1)
    fastest = np.lexsort((delay, window))[np.unique(window, return_index=True)[1]]
    x, y = elapsed[fastest].astype(float), delay[fastest].astype(float)
    later, earlier = np.tril_indices(len(x), -1)
    slopes = (y[later] - y[earlier]) / (x[later] - x[earlier])
    drift = float(np.median(slopes)) if len(slopes) else 0.0
    offset_ns = float(np.median(y - drift * x))
    above_ms = (delay - offset_ns - drift * elapsed) / NS_PER_MS
    return {
        "messages": len(delay),
        "offset_s": offset_ns / NS_PER_S,
        "drift_us_per_s": drift * 1e6,
        "negative": int((delay < 0).sum()),
        "above_p50_ms": float(np.quantile(above_ms, 0.5)),
        "above_p99_ms": float(np.quantile(above_ms, 0.99)),
    }


@dataclass(frozen=True, eq=False)
class Basis:
    """The slowly moving distance of two contracts' prices, leader minus follower, in ticks.

    Only `causal` enters a market. At each 100 ms step it is the median of the gap over the 30 s
    that ended 1 s ago. Nothing younger: the gap contains the follower's price, and were its last second
    let in, the external price would whisper the follower's own news back to whoever trades on the
    difference. Before a sample is 1 s old, the oldest one serves. `trailing` is the plain trailing
    median, the present included, for a report.
    """

    start_ns: int
    follower: Floats  # price at each step
    gap: Floats
    trailing: Floats
    causal: Floats

    def at(self, time_ns: Ints) -> Floats:
        """The causal basis that holds at these times, none before `start_ns`."""
        step = (time_ns - self.start_ns) // STEP_NS
        return self.causal[np.minimum(step, len(self.causal) - 1)]

    def report(self, tick_size: float) -> dict[str, float]:
        """The gap in currency, and how often it opens beyond 1 and 2 bp net of either median."""
        away_px = -self.gap * tick_size
        figures = {
            "follower_minus_leader_median_px": float(np.median(away_px)),
            "follower_minus_leader_p05_px": float(np.quantile(away_px, 0.05)),
            "follower_minus_leader_p95_px": float(np.quantile(away_px, 0.95)),
            "steps": len(away_px),
        }
        for name, level in (("net", self.trailing), ("causal_net", self.causal)):
            bps = np.abs(self.gap - level) / self.follower * 1e4
            for limit in (1, 2):
                figures[f"{name}_over_{limit}bp_pct"] = float(100 * np.mean(bps > limit))
        return figures


def measure_basis(
    leader_ns: Ints, leader_ticks: Floats, follower_ns: Ints, follower_ticks: Floats
) -> Basis:
    """Sample the gap of two prices on one clock every 100 ms, while both are known.

    Parameters
    ----------
    leader_ns, follower_ns
        Times of the prices, ascending, ns. The two must overlap.
    leader_ticks, follower_ticks
        Prices in ticks of the follower, each valid until the next.
    """
    start_ns = int(max(leader_ns[0], follower_ns[0]))
    grid = np.arange(start_ns, int(min(leader_ns[-1], follower_ns[-1])) + 1, STEP_NS)
    follower = follower_ticks[np.searchsorted(follower_ns, grid, "right") - 1]
    gap = leader_ticks[np.searchsorted(leader_ns, grid, "right") - 1] - follower
    aged = trailing_median(gap, MEMORY_STEPS - AGE_STEPS + 1)
    causal = np.concatenate((np.full(AGE_STEPS, gap[0]), aged))[: len(gap)]
    return Basis(start_ns, follower, gap, trailing_median(gap, MEMORY_STEPS + 1), causal)


def trailing_median(values: Floats, width: int) -> Floats:
    """Median of each value and the `width - 1` before it; at the start, of what there is.

    Examples
    --------
    >>> trailing_median(np.array([5.0, 1.0, 3.0, 9.0]), 3)
    array([5., 3., 3., 3.])
    """
    window: list[float] = []
    medians = np.empty(len(values))
    plain = values.tolist()
    for index, value in enumerate(plain):
        if index >= width:
            del window[bisect_left(window, plain[index - width])]
        insort(window, value)
        half = len(window) // 2
        medians[index] = (window[half] + window[-half - 1]) / 2
    return medians
