"""Commands that simulate: demo, run, sweep."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lablib.cli.options import asked, config_of, market_of
from lablib.errors import ConfigError

if TYPE_CHECKING:
    from lablib.config import SimConfig
    from lablib.engine import Market
    from lablib.run import Run

DEMO_DELAYS_MS = (0, 30, 60, 120, 240)


def run(options: argparse.Namespace) -> int:
    """One simulation: its summary to stdout, its tables to `--output`."""
    from lablib.attribution import PARTS

    market, config = market_of(options), config_of(options)
    late = config.without_latency() != config
    twin = late and not options.no_twin
    result = simulated(config, options, market=market, twin=twin, record=options.output)
    summary = {**asked(options), **result.summary()}
    if result.twin:
        summary |= result.latency_cost()
    causes = result.attribution()[0]
    summary["attribution"] = {name: float(causes[name]) for name in PARTS}
    if options.json:
        about = {"market": result.market_report} if result.market_report else {}
        print(json.dumps({**summary, **about}))
    else:
        from lablib.report import outcome, recording

        if market is not None and result.market_report:
            print(recording(result.market_report))
        print(outcome(summary))
        if options.output:
            print(f"  the record is in {options.output}; see lablib replay, export and ls")
    return 1 if options.fail_on_halt and summary["halts"] else 0


def demo(options: argparse.Namespace) -> int:
    """Simulate one hour, then the same market again with slower orders."""
    config = config_of(options)
    summary = {**asked(options), **simulated(config, options).summary()}
    cost = []
    for delay in DEMO_DELAYS_MS:
        slower = config.replace({"latency.order_entry_ms": delay})
        other = simulated(slower, options, label=f"orders {delay} ms late").summary()
        told = {name: other[name] for name in ("fills", "pnl", "halts")}
        cost.append({"order_entry_ms": delay, **told})
    if options.json:
        print(json.dumps({**summary, "latency_cost": cost}))
        return 0
    from lablib.report import NEXT, latency_cost, outcome

    print(outcome(summary))
    print(latency_cost(cost))
    print(NEXT, end="")
    return 0


def sweep(options: argparse.Namespace) -> int:
    """Many settings: a table to stdout, and whole to `--output`."""
    from lablib.experiments.sweep import sweep as sweep_all
    from lablib.exports import check_path
    from lablib.report import swept

    fields = [field for field, _ in options.over]
    if len(set(fields)) < len(fields):
        twice = next(field for field in fields if fields.count(field) > 1)
        raise ConfigError(f"--over: {twice} is there twice")
    if options.output:
        check_path(options.output)
    config = config_of(options)
    if options.seeds < 1:
        raise ConfigError(f"--seeds: at least 1, got {options.seeds}")
    mention_compiling()
    try:
        table = sweep_all(
            config,
            dict(options.over),
            seeds=range(options.seed, options.seed + options.seeds),
            until=options.until,
            executor=options.threads,
            resume=options.resume,
        )
    except KeyboardInterrupt:
        if options.resume:
            print(f"lablib: what is done is in {options.resume}", file=sys.stderr)
        raise
    if options.output:
        table.save(options.output)
    rows = [table.row(index) for index in table.table["cell"].tolist()]
    if options.json:
        print(json.dumps({**asked(options), "seeds": options.seeds, "cells": _plain(rows)}))
    else:
        print(swept(fields, rows))
        if options.output:
            print(f"  the table is in {options.output}")
    return 1 if table.errors else 0


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as JSON can hold them: no NaN."""
    return [{name: None if value != value else value for name, value in r.items()} for r in rows]


def simulated(
    config: SimConfig,
    options: argparse.Namespace,
    *,
    market: Market | None = None,
    twin: bool = False,
    record: Path | None = None,
    label: str = "",
) -> Run:
    """Run with a bar on a terminal, in silence in a pipe."""
    mention_compiling()
    from lablib.run import run as run_all

    with bar(label or "simulating") as progress:
        return run_all(
            config,
            seed=options.seed,
            until=options.until,
            market=market,
            twin=twin,
            record=record,
            progress=progress,
        )


@contextmanager
def bar(label: str) -> Iterator[Callable[[float], None]]:
    """A function of the share done that moves a bar; a request to end the process ends what is done in it."""
    from tqdm import tqdm

    with tqdm(total=100, desc=label, unit="%", disable=None, leave=False) as shown, terminable():
        yield lambda share: shown.update(round(100 * share) - shown.n)


@contextmanager
def terminable() -> Iterator[None]:
    """Take SIGTERM as Ctrl-C, so that what is being written is closed as it should be."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def mention_compiling() -> None:
    """Say why the first run on this computer takes a while."""
    if not sys.stderr.isatty():
        return
    from lablib.kernels.jit import CACHE_DIR, COMPILED

    if COMPILED and not CACHE_DIR.exists():
        print("Compiling the engine, once for this computer …", file=sys.stderr)
