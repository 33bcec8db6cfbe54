"""Sweeps: what a cell costs, what a second thread brings, and ten thousand cells.

    python benchmarks/bench_sweep.py [simulated time of a run] [preset] [seeds]
    python benchmarks/bench_sweep.py grid [simulated time of a run] [preset] [seeds]
    pytest benchmarks/bench_sweep.py            # the same paths, small

The first runs one sweep on one thread and on two, and beside them in one process and in two, in turn: what
the processes gain is what the machine has to give at that minute. On a busy machine the threads' time
in line for a processor is told apart (Linux): what is left is work and waiting for one another. It tells,
too, how much of a cell is Python, which holds the interpreter's lock: the CPU time of a cell that
simulates nothing. The second is
100 latencies by 100 thresholds on two threads: cells a second, and the memory on the way. All tables
must be the same, bit for bit.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import pytest

from lablib import SimConfig, Sweep, sweep
from lablib.experiments.cell import cell
from lablib.units import parse_duration

pytestmark = pytest.mark.bench

ENTRY, THRESHOLD = "latency.order_entry_ms", "strategy.threshold"
ROUNDS = 7
WORKERS = (1, 2)


def square(count: int) -> dict[str, list[float]]:
    """Some latencies by as many thresholds."""
    return {
        ENTRY: np.linspace(0, 120, count).tolist(),
        THRESHOLD: np.linspace(0.0005, 0.005, count).tolist(),
    }


def swept(
    executor: int | Executor, until: str, preset: str, seeds: int, count: int, **others: Any
) -> Sweep:
    return sweep(preset, square(count), seeds=seeds, until=until, executor=executor, **others)


def bench_sweep_on_two_threads(benchmark: Any) -> None:
    work = ("10s", "classroom", 2, 4)
    table = benchmark(swept, 2, *work, progress=False).table
    assert table.tobytes() == swept(1, *work, progress=False).table.tobytes()


def cell_cost(until: str, preset: str, seeds: int) -> float:
    """CPU seconds of one cell on this thread."""
    config, changes = SimConfig.preset(preset), {ENTRY: 40.0, THRESHOLD: 0.002}

    def once() -> float:
        begun = time.thread_time()
        cell(config, changes, range(seeds), parse_duration(until))
        return time.thread_time() - begun

    return median(once() for _ in range(30))


def busy_and_blocked(workers: int) -> float:
    """Seconds of a pool's threads that were not spent in line for a processor, all together."""
    queued = 0.0
    for thread in threading.enumerate():
        if thread.name.startswith(f"crew-{workers}_"):
            schedule = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text()
            queued += int(schedule.split()[1]) * 1e-9
    return workers * time.perf_counter() - queued


def scaling(until: str, preset: str, seeds: int) -> None:
    """One worker and two, threads and processes, in rounds in turn."""
    count = 16
    share = cell_cost("1ms", preset, 1) / cell_cost(until, preset, seeds)
    print(f"Python's share of a cell's CPU time: {share:.1%}")
    walls: dict[tuple[str, int], list[float]] = {}
    alone: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    tables = set()
    with ExitStack() as stack:
        fresh = get_context("spawn")
        crews: dict[tuple[str, int], Executor] = {}
        for workers in WORKERS:
            threads = ThreadPoolExecutor(workers, f"crew-{workers}")
            crews["threads", workers] = stack.enter_context(threads)
            pool = ProcessPoolExecutor(workers, mp_context=fresh)
            crews["processes", workers] = stack.enter_context(pool)
        for crew in crews.values():  # kernels and tapes at hand, as in a long sweep
            swept(crew, until, preset, seeds, 4, progress=False)
        for _ in range(ROUNDS):
            for (kind, workers), crew in crews.items():
                begun, stood = time.perf_counter(), busy_and_blocked(workers)
                table = swept(crew, until, preset, seeds, count, progress=False).table
                walls.setdefault((kind, workers), []).append(time.perf_counter() - begun)
                if kind == "threads":
                    alone[workers].append((busy_and_blocked(workers) - stood) / workers)
                tables.add(table.tobytes())
    assert len(tables) == 1
    for (kind, workers), took in walls.items():
        print(f"{workers} {kind}: {count**2 / median(took):.0f} cells/s")
    gains = {kind: _gains(walls[kind, 1], walls[kind, 2]) for kind in ("threads", "processes")}
    gains["threads, less their time in line for a processor,"] = _gains(*alone.values())
    for kind, ratios in gains.items():
        low, high = min(ratios), max(ratios)
        print(f"two {kind} against one: {median(ratios):.2f} ({low:.2f} to {high:.2f})")


def _gains(ones: list[float], twos: list[float]) -> list[float]:
    return [one / two for one, two in zip(ones, twos, strict=True)]


def grid(until: str, preset: str, seeds: int) -> None:
    """Ten thousand cells on two threads, with a bar and an eye on the memory."""
    memory: list[int] = []
    process = psutil.Process()

    def watched(tell: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def told(done: int, cells: int) -> None:
            if 10 * done >= cells * (len(memory) + 1):
                memory.append(process.memory_info().rss)
            tell(done, cells)

        return told

    def bar(done: int, cells: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done / cells:4.0%}", end="", file=sys.stderr, flush=True)

    swept(2, until, preset, seeds, 2, progress=False)
    wall, cpu = time.perf_counter(), time.process_time()
    table = swept(2, until, preset, seeds, 100, progress=watched(bar)).table
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert table.size == 10_000
    assert not table["error"].any()
    some = sweep(
        preset,
        {name: values[::33] for name, values in square(100).items()},
        seeds=seeds,
        until=until,
        executor=1,
        progress=False,
    ).table
    places = [100 * row + column for row in range(0, 100, 33) for column in range(0, 100, 33)]
    assert np.array_equal(table["pnl_mean"][places], some["pnl_mean"])
    runs = table.size * seeds
    print(f"\n{table.size:,} cells, {runs:,} runs of {until}: {wall:.1f} s wall, {cpu:.1f} s CPU")
    print(f"{table.size / wall:.0f} cells/s, {runs / wall:,.0f} runs/s")
    print(f"CPUs at work: {cpu / wall:.2f} of {os.cpu_count()}")
    print(f"memory at 10 %: {memory[0] / 2**20:.0f} MB, at 100 %: {memory[-1] / 2**20:.0f} MB")


if __name__ == "__main__":
    what = grid if sys.argv[1:2] == ["grid"] else scaling
    given = sys.argv[2:] if what is grid else sys.argv[1:]
    default = ["1min", "classroom", "16"]
    until, preset, seeds = [*given, *default[len(given) :]]
    what(until, preset, int(seeds))
