"""From what a worker gave back to a row: means and their standard errors, or an error."""

from __future__ import annotations

from typing import Any

import numpy as np

from lablib.experiments.precision import standard_error

MEANS = ("pnl", "realized_pnl", "fees", "fills", "orders", "overshoot", "max_drawdown")
PERCENTILES = ("latency_p50_ms", "latency_p99_ms")
COLUMNS = (
    *(f"{name}_{what}" for name in MEANS for what in ("mean", "se")),
    *("halt_share", "halt_share_se", *PERCENTILES),
)
"""What a row says: means over the seeds with their standard errors, money in currency."""

ERROR_LENGTH = 300

Line = dict[str, Any]


def settled(result: Line | BaseException | None) -> Line | None:
    """What a worker gave back, as a line; None for work that was given up."""
    if isinstance(result, BaseException):
        result = {"error": f"{type(result).__name__}: {result}"}
    if result is not None and "error" in result:
        return {"error": result["error"].replace("\n", " ")[:ERROR_LENGTH]}
    return result


def numbers(outcome: Line) -> np.ndarray:
    """A row's numbers in the order of `COLUMNS`, of what `cell` gave."""
    halted = [count > 0 for count in outcome["halts"]]
    runs = np.array([*(outcome[name] for name in MEANS), halted], np.float64)
    row = np.empty(len(COLUMNS))
    pairs = 2 * len(runs)
    row[0:pairs:2], row[1:pairs:2] = runs.mean(axis=1), standard_error(runs)
    row[pairs:] = [outcome[name] for name in PERCENTILES]  # None becomes NaN
    return row
