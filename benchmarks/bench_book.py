"""The order book on one stream of a million orders, beside a plain C book where there is one.

    python benchmarks/bench_book.py [rounds]    # ns an operation by CPU time, in turn, and the ratio
    pytest benchmarks/bench_book.py             # the same under pytest-benchmark

The stream and the C book are those of ``../shared/bench``; without them a stream of our own is used,
and only our books run. Every round asserts where the book ends: a fast wrong answer fails.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lablib.book import End, OrderBook
from lablib.kernels import book as kernels
from lablib.kernels import tables as t

pytestmark = pytest.mark.bench

SHARED = Path(__file__).parents[2] / "shared" / "bench"
COUNT = 1_000_000
SEED = 20260401
COMMON_END = End(383_100, 163_459, 15_857, 9_999, 10_001)
OWN_END = End(768_345, 253_195, 23_725, 10_024, 10_025)  # as the slow book of the tests ends
COLUMNS = (
    ("op", np.int8),
    ("side", np.int8),
    ("px", np.int32),
    ("qty", np.int32),
    ("oid", np.int64),
)

Stream = dict[str, Any]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SHARED / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def stream() -> tuple[Stream, End]:
    """The columns, and where a book must stand after them."""
    if (SHARED / "stream.py").exists():
        made = load("stream").generate(COUNT, SEED)
        return made, COMMON_END
    rng = np.random.Generator(np.random.Philox(SEED))
    side = rng.integers(0, 2, COUNT)
    deep = np.minimum(rng.exponential(8, COUNT).astype(np.int64), 200) + 1
    deep[rng.random(COUNT) < 0.03] *= -1
    middle = 10_000 + np.cumsum(rng.integers(-1, 2, COUNT) * (rng.random(COUNT) < 0.01))
    op = rng.choice(3, COUNT, p=(0.4, 0.5, 0.1))
    row = np.arange(COUNT)
    placed = np.cumsum(op == t.OP_LIMIT)  # a cancel names one of the limit orders before it
    back = np.minimum(rng.exponential(2_000, COUNT).astype(np.int64) + 1, placed)
    earlier = np.flatnonzero(op == t.OP_LIMIT)[placed - back]
    columns = {
        "op": op,
        "side": side,
        "px": middle + np.where(side == 0, -deep, deep),
        "qty": rng.integers(1, 11, COUNT),
        "oid": np.where(op == t.OP_CANCEL, earlier, row),
    }
    return {name: columns[name].astype(kind) for name, kind in COLUMNS}, OWN_END


def c_book() -> Callable[[], float]:
    """One round of the C book; says why not where it cannot be had."""
    if not (SHARED / "lob_yardstick.py").exists():
        raise FileNotFoundError(f"no C book: {SHARED} is absent")
    if shutil.which("cc") is None:
        raise FileNotFoundError("no C book: no cc on the path")
    yardstick = load("lob_yardstick")
    library = yardstick.compile_book()
    made, wanted = stream()

    def replay() -> float:
        end, seconds = yardstick.replay(made, library)
        assert tuple(end.values()) == wanted
        return float(seconds)

    return replay


def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
    """An empty book and what the kernel wants beside it."""
    made, _ = stream()
    book = np.zeros(1, t.BOOK)[0]
    kernels.open_book(book)
    slot_of = np.zeros(int(made["oid"].max()) + 1, np.int32)
    return (book, *[made[name] for name, _ in COLUMNS], slot_of), {}


def run_kernel(*arguments: Any) -> None:
    kernels.apply(*arguments)
    book = arguments[0]
    end = End(*map(int, (book.traded, book.fills, book.resting, *book.best)))
    assert end == stream()[1]


def run_face() -> None:
    made, wanted = stream()
    assert OrderBook.empty(tick=1.0).apply(*[made[name] for name, _ in COLUMNS]) == wanted


def bench_a_million_operations_through_the_kernel(benchmark: Any) -> None:
    benchmark.pedantic(run_kernel, setup=fresh, rounds=7, warmup_rounds=1)


def bench_a_million_operations_through_the_face(benchmark: Any) -> None:
    benchmark.pedantic(run_face, rounds=7, warmup_rounds=1)


def bench_a_million_operations_through_the_c_book(benchmark: Any) -> None:
    try:
        replay = c_book()
    except FileNotFoundError as reason:
        pytest.skip(str(reason))
    benchmark.pedantic(replay, rounds=7, warmup_rounds=1)


def seconds_of(run: Callable[..., None], *arguments: Any) -> float:
    start = time.process_time()
    run(*arguments)
    return time.process_time() - start


def main(rounds: int = 11) -> None:
    stream()
    first = time.perf_counter()
    run_face()
    first = time.perf_counter() - first
    books: dict[str, Callable[[], float]] = {
        "kernel": lambda: seconds_of(run_kernel, *fresh()[0]),
        "face": lambda: seconds_of(run_face),
    }
    try:
        books["C"] = c_book()
    except FileNotFoundError as reason:
        print(reason)
    times: dict[str, list[float]] = {name: [] for name in books}
    for _ in range(rounds):
        for name, run in books.items():
            times[name].append(run())
    median = {name: statistics.median(each) for name, each in times.items()}
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}")
    print(f"first call {first:.2f} s; {COUNT:,} operations, median of {rounds} rounds in turn")
    for name, seconds in median.items():
        ratio = f"  {median['C'] / seconds:.2f} × C's speed" if "C" in median else ""
        print(f"{name:>8}  {seconds / COUNT * 1e9:5.1f} ns an operation{ratio}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
