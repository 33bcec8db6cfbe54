"""Frames made by hand: the view must not need an engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from lablib.frame import BookView, Frame
from lablib.kernels import tables as t
from lablib.metrics import Latency

S = t.NS_PER_S


def rows(dtype: np.dtype, *entries: dict[str, Any]) -> np.ndarray:
    """Structured rows; what is not named is 0."""
    out = np.zeros(len(entries), dtype)
    for index, entry in enumerate(entries):
        for name, value in entry.items():
            out[index][name] = value
    return out


def samples(times_s, **columns) -> np.ndarray:
    """Samples at some times, the other columns as given (scalars spread)."""
    out = np.zeros(len(times_s), t.SAMPLE)
    out["t_ns"] = np.rint(np.asarray(times_s) * S)
    for name, values in columns.items():
        out[name] = values
    return out


def latency(*values_ms: float) -> Latency:
    """A histogram of some latencies."""
    from lablib.metrics import UPPER_EDGES

    buckets = np.zeros(t.N_BUCKETS, np.int64)
    values = [round(value * t.NS_PER_MS) for value in values_ms]
    for value in values:
        buckets[int(np.searchsorted(UPPER_EDGES, value))] += 1
    return Latency(buckets, max(values, default=0))


def frame(t_s: float = 0.0, **changes: Any) -> Frame:
    """A quiet moment of the classroom, but for what is given."""
    values: dict[str, Any] = {
        name: 0
        for name in Frame.__dataclass_fields__
        if name not in ("book", "halt_reason", "twin")
    }
    values |= {name: np.zeros(0, t.SAMPLE) for name in ("samples",)}
    values |= {
        "t_ns": round(t_s * S),
        "external_px": 100.0,
        "bid_px": 100.0,
        "ask_px": 100.0,
        "market_px": 100.0,
        "equity": 100_000.0,
        "halted": False,
        "halt_reason": "",
        "halted_at_ns": -1,
        "gross_limit_lots": 10_000_000,
        "orders": np.zeros(0, t.ORDER),
        "fills": np.zeros(0, t.FILL),
        "risk_events": np.zeros(0, t.RISK_EVENT),
        "book": BookView(np.zeros((0, 2)), np.zeros((0, 2))),
        "latency": latency(),
        "decision_latency": latency(),
        "exchange_latency": latency(),
    }
    return Frame(**(values | changes))
