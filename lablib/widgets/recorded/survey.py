"""What two recorded prices do before anybody trades on them: looked through once, by a strategy that does nothing.

Knows no widget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lablib.config import SimConfig
from lablib.kernels import tables as t

if TYPE_CHECKING:
    from lablib.engine import Market

LOOKS = 40_000  # at most
EVERY_MS = 10.0  # at least
RARE = 0.98  # share of the time the prices are closer than the threshold that is proposed
LEAST = 1e-6  # a threshold, as a fraction of the price


@dataclass(frozen=True)
class Survey:
    """How far apart the prices stand, as fractions of the venue's, the basis taken off.

    Attributes
    ----------
    median, p95, most
        Of the distance over time.
    threshold
        What is worth beginning with: exceeded a fiftieth of the time.
    """

    median: float
    p95: float
    most: float
    threshold: float


def survey(market: Market) -> Survey:
    """Look through a market."""
    from lablib.run import run

    every_ms = max(EVERY_MS, market.duration_ns / t.NS_PER_MS / LOOKS)
    config = SimConfig().replace(
        {
            "strategy.name": "idle",
            "strategy.decision_interval_ms": round(every_ms, 3),
            "risk.max_position_pct": 1.0,  # one share of some costs more than an order of the defaults
        }
    )
    apart = np.abs(run(config, market=market).samples["divergence"])
    apart = apart[np.isfinite(apart)]
    if not apart.size:
        return Survey(0.0, 0.0, 0.0, config.strategy.threshold)
    median, p95, rare = (float(np.quantile(apart, share)) for share in (0.5, 0.95, RARE))
    return Survey(median, p95, float(apart.max()), max(LEAST, float(f"{rare:.2g}")))
