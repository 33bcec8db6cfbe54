"""A sweep on one thread and on two: what a cell costs, and what the second thread brings.

    python benchmarks/bench_sweep.py [simulated hours of a run] [preset]   # cells/s, the ratio, rounds in turn
    pytest benchmarks/bench_sweep.py                               # the same path, small

A short run is mostly Python, which takes turns; in a long one the kernels let go of the interpreter's
lock. Both tables must be the same, bit for bit.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import pytest

from lablib import Sweep, run, sweep

pytestmark = pytest.mark.bench

GRID = {
    "latency.order_entry_ms": [0, 10, 20, 40, 60, 80, 100, 120],
    "strategy.threshold": [0.001, 0.002, 0.003, 0.005],
}
ROUNDS = 3


def swept(threads: int, until: str, preset: str = "classroom") -> Sweep:
    return sweep(preset, GRID, seeds=2, until=until, executor=threads, progress=False)


def bench_sweep_on_two_threads(benchmark: Any) -> None:
    table = benchmark(swept, 2, "10s").table
    assert table.tobytes() == swept(1, "10s").table.tobytes()


def main(hours: float, preset: str) -> None:
    """Print wall and CPU seconds of both, medians of rounds in turn."""
    run(preset, until="1s")
    walls: dict[int, list[float]] = {1: [], 2: []}
    spent: dict[int, list[float]] = {1: [], 2: []}
    tables = set()
    for _ in range(ROUNDS):
        for threads in walls:
            wall, cpu = time.perf_counter(), time.process_time()
            tables.add(swept(threads, f"{hours}h", preset).table.tobytes())
            walls[threads].append(time.perf_counter() - wall)
            spent[threads].append(time.process_time() - cpu)
    assert len(tables) == 1
    cells = len(GRID["latency.order_entry_ms"]) * len(GRID["strategy.threshold"])
    for threads in walls:
        wall, cpu = statistics.median(walls[threads]), statistics.median(spent[threads])
        print(f"{threads} threads: {cells / wall:.1f} cells/s, {wall:.2f} s wall, {cpu:.2f} s CPU")
    ratio = statistics.median(a / b for a, b in zip(walls[1], walls[2], strict=True))
    print(f"two threads against one: {ratio:.2f}")


if __name__ == "__main__":
    main(float((sys.argv[1:] or ["2"])[0]), (sys.argv[2:] or ["classroom"])[0])
