"""One cell of an experiment: a config, run under every seed, as a few numbers.

A pure function of its arguments at the top of a module, so that any thread, process or cluster can
run it. Keeps no samples and drops every row it has counted: memory does not grow with time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lablib.config import SimConfig
from lablib.engine import Market, Simulation, Strategy
from lablib.errors import LabError
from lablib.frame import Frame
from lablib.kernels import tables as t
from lablib.metrics import Latency
from lablib.units import ns

MEASURES = (
    "pnl",
    "realized_pnl",
    "fees",
    "fills",
    "orders",
    "halts",
    "overshoot",
    "max_drawdown",
)
"""What is measured in every run: money in currency, the rest counts."""

_STRIDE = 50_000  # decisions between two looks at what is to be dropped, and whether to stop

Outcome = dict[str, Any]


def cell(
    config: Mapping[str, Any],
    changes: Mapping[str, Any],
    seeds: Sequence[int],
    until_ns: int,
    market: Market | None = None,
    strategy: Strategy | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Outcome | None:
    """Run a changed config under every seed.

    Parameters
    ----------
    config
        A whole `SimConfig` as a dict; `changes` are dotted fields on top of it.
    stopped
        Asked now and then; once true, the cell gives up and returns None.

    Returns
    -------
    For each of `MEASURES` a list, one number a seed, with `latency_p50_ms` and `latency_p99_ms` over
    all seeds (None where nothing was filled); or only an `error` where the lab refused the config.
    """
    try:
        whole = SimConfig.model_validate(dict(config))
        whole = whole.replace({**changes, "record.samples": False})
        return _outcome(whole, seeds, until_ns, market, strategy, stopped or _never)
    except LabError as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _outcome(
    config: SimConfig,
    seeds: Sequence[int],
    until_ns: int,
    market: Market | None,
    strategy: Strategy | None,
    stopped: Callable[[], bool],
) -> Outcome | None:
    outcome: Outcome = {name: [] for name in MEASURES}
    buckets, largest = np.zeros(t.N_BUCKETS, np.int64), 0
    for seed in seeds:
        simulation = Simulation(config, seed=seed, market=market, strategy=strategy)
        last = _play(simulation, until_ns, stopped)
        if last is None:
            return None
        for name, value in _measures(last, config.account.starting_cash).items():
            outcome[name].append(value)
        buckets += last.latency.buckets
        largest = max(largest, last.latency.largest)
    latency = Latency(buckets, largest)
    for name, q in (("latency_p50_ms", 0.5), ("latency_p99_ms", 0.99)):
        outcome[name] = latency.quantile_ms(q) if latency.count else None
    return outcome


def _play(simulation: Simulation, until_ns: int, stopped: Callable[[], bool]) -> Frame | None:
    config = simulation.config
    stride = _STRIDE * max(
        1, ns(config.strategy.decision_interval_ms or config.external.interval_ms)
    )
    while not stopped():
        frame = simulation.advance(min(simulation.now_ns + stride, until_ns))
        if frame.t_ns >= until_ns:
            return frame
    return None


def _measures(last: Frame, start: float) -> dict[str, float]:
    return {
        "pnl": last.equity - start,
        "realized_pnl": last.realized_pnl,
        "fees": last.fees,
        "fills": last.fill_count,
        "orders": last.order_count,
        "halts": last.halts,
        "overshoot": last.overshoot,
        "max_drawdown": last.max_drawdown,
    }


def _never() -> bool:
    return False
