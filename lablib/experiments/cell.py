"""One cell of an experiment: a config, run under every seed, as a few numbers.

A pure function of its arguments at the top of a module, so that any thread, process or cluster can
run it. Between the start of its first run and the end of its last it is compiled code without the
interpreter's lock, so that threads do not wait for one another; no row is kept, no memory is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lablib.config import SimConfig
from lablib.engine import Market, as_config, fitted, lent
from lablib.errors import LabError
from lablib.kernels import tables as t
from lablib.kernels.runs import play_runs
from lablib.metrics import Latency
from lablib.own_strategy import NO_STRATEGY, OwnStrategy
from lablib.tape.noise import delay_key
from lablib.tape.reel import market_of, reel
from lablib.tape.synthetic import SyntheticTape

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

Outcome = dict[str, Any]


class Bench(threading.local):
    """Where a thread plays its runs, one after the other: 11 MB, made once. The last state stays."""

    def __init__(self) -> None:
        self.states = np.zeros(1, t.STATE)
        self.words = self.states.view(np.int64)
        self.params = np.zeros(1, t.PARAMS)
        self.outputs = np.empty(1, t.OUTPUT)  # nobody reads a row
        self.latencies = np.zeros(1, t.HISTOGRAM)


BENCH = Bench()


def cell(
    config: SimConfig | Mapping[str, Any],
    changes: Mapping[str, Any],
    seeds: Sequence[int],
    until_ns: int,
    market: Market | None = None,
    strategy: OwnStrategy | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Outcome | None:
    """Run a changed config under every seed.

    Parameters
    ----------
    config
        A `SimConfig`, or a dict of one; `changes` are dotted fields on top of it.
    stopped
        Asked now and then; once true, the cell gives up and returns None.

    Returns
    -------
    For each of `MEASURES` a list, one number a seed, with `latency_p50_ms` and `latency_p99_ms` over
    all seeds (None where nothing was filled); or only an `error` where the lab refused the config.

    Raises
    ------
    ConfigError
        An own strategy raised: what and when.
    """
    try:
        whole = as_config(config).replace({**changes, "record.samples": False})
        whole = fitted(whole, market, strategy)
    except LabError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    own = strategy or NO_STRATEGY
    runs = _played(whole, tuple(seeds), until_ns, market, own, stopped or _never)
    return None if runs is None else _outcome(whole, runs, BENCH.latencies)


def _played(
    config: SimConfig,
    seeds: tuple[int, ...],
    until_ns: int,
    market: Market | None,
    strategy: OwnStrategy,
    stopped: Callable[[], bool],
) -> np.ndarray | None:
    """Play every run on the bench; returns `tables.RUN` rows, or None once they are not wanted."""
    bench, params = BENCH, BENCH.params
    params[0] = config.to_record()
    drawn_by = market_of(params)
    bench.latencies.view(np.int64)[:] = 0
    runs = np.zeros(len(seeds), t.RUN)
    runs["key_low"], runs["key_high"] = np.array([delay_key(seed) for seed in seeds]).T
    synthetic = SyntheticTape(seeds[0])
    done = end = 0  # runs that are played, and runs that have been lent a tape
    while done < len(seeds):
        if stopped():
            return None
        begun = done < end
        if begun:  # it is too long for a reel
            tape = synthetic.events_after(params[0], bench.states[0])
            bench.outputs["cursor"]["tape"] = 0
        elif market is not None:
            tape, end = lent(market.events), done + 1
        else:
            tape, starts = reel(drawn_by, seeds[done:], until_ns)
            end = done + starts.size
            runs["tape"][done:end] = starts
            synthetic = SyntheticTape(seeds[end - 1])
        done = play_runs(
            bench.states,
            bench.words,
            params,
            tape,
            bench.outputs,
            runs[:end],
            bench.latencies,
            done,
            begun,
            until_ns,
            strategy.compiled,
        )
        if done < 0:
            raise strategy.failure(bench.states[0], bench.outputs[0])
    return runs


def _outcome(config: SimConfig, runs: np.ndarray, latencies: np.ndarray) -> Outcome:
    unit = config.unit_value
    outcome: Outcome = {
        "pnl": (runs["equity"] * unit - config.account.starting_cash).tolist(),
        "realized_pnl": (runs["realized"] * unit).tolist(),
        "fees": (runs["fees"] * unit).tolist(),
        "fills": runs["fills"].tolist(),
        "orders": runs["orders"].tolist(),
        "halts": runs["halts"].tolist(),
        "overshoot": (runs["overshoot"] * unit).tolist(),
        "max_drawdown": (runs["drawdown"] * unit).tolist(),
    }
    latency = Latency(latencies["buckets"][0], latencies["largest"].item())
    for name, q in (("latency_p50_ms", 0.5), ("latency_p99_ms", 0.99)):
        outcome[name] = latency.quantile_ms(q) if latency.count else None
    return outcome


def _never() -> bool:
    return False
