"""What the first call costs in a new process: import, first frame, compiling.

    python benchmarks/bench_first_call.py [rounds]    # wall and CPU time, cache cold and warm
    python benchmarks/bench_first_call.py kernels     # what each kernel adds to a cold start
    pytest benchmarks/bench_first_call.py             # one cold and a few warm starts

Cold means an empty cache of compiled kernels, in a folder of its own; the cache of your own lab is
not touched. Every start asserts the digest of what it computed, and that importing the lab has
brought in neither numba nor a screen.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lablib

pytestmark = pytest.mark.bench

START = """
import json, sys, time
clocks = lambda: (time.perf_counter(), time.process_time())
at = [clocks()]
import lablib
at.append(clocks())
assert not {"numba", "ipywidgets"} & set(sys.modules)
simulation = lablib.Simulation("classroom", seed=7)
frame = simulation.advance(50_000_000)
at.append(clocks())
assert frame.t_ns == 50_000_000
print(json.dumps({"at": at, "digest": simulation.digest()}))
"""

# Time spent in the compiler while a kernel is on top of its stack: callees count for themselves.
KERNELS = """
import collections, json, time
from numba.core import event

class Stopwatch(event.Listener):
    def __init__(self):
        self.stack, self.since = [], 0.0
        self.seconds, self.versions = collections.Counter(), collections.Counter()

    def turn(self):
        now = time.process_time()
        if self.stack:
            self.seconds[self.stack[-1]] += now - self.since
        self.since = now

    def on_start(self, compiling):
        self.turn()
        function = compiling.data["dispatcher"].py_func
        self.stack.append(function.__module__.split(".")[-1] + "." + function.__name__)
        self.versions[self.stack[-1]] += 1

    def on_end(self, compiling):
        self.turn()
        self.stack.pop()

watch = Stopwatch()
event.register("numba:compile", watch)
import lablib
simulation = lablib.Simulation("classroom", seed=7)
simulation.advance(50_000_000)
rows = [(name, s, watch.versions[name]) for name, s in watch.seconds.most_common()]
print(json.dumps({"rows": rows, "digest": simulation.digest()}))
"""


def fresh(code: str, cache: str) -> dict[str, Any]:
    """Run code in a new process that keeps compiled kernels in `cache`; its answer, and wall time."""
    home = str(Path(lablib.__file__).parents[1])
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    env = os.environ | {"LABLIB_CACHE_DIR": cache, "PYTHONPATH": os.pathsep.join(paths)}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    return {"wall": time.perf_counter() - start, **json.loads(done.stdout)}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for both: the cold start fills it, so that CI compiles once."""
    return tmp_path_factory.mktemp("cache")


def bench_a_cold_start(benchmark: Any, cache: Path) -> None:
    assert not any(cache.iterdir())
    benchmark.pedantic(fresh, (START, str(cache)), rounds=1)
    assert any(cache.rglob("*.nbc"))  # the kernels went here and nowhere else


def bench_a_warm_start(benchmark: Any, cache: Path) -> None:
    wanted = fresh(START, str(cache))["digest"]
    warm = benchmark.pedantic(fresh, (START, str(cache)), rounds=5)
    assert warm["digest"] == wanted


def show(name: str, starts: list[dict[str, Any]]) -> None:
    """One line: medians of import, first frame and whole process."""
    at = np.array([start["at"] for start in starts])  # (rounds, 3 moments, wall and CPU)
    loaded, framed = (np.median(at[:, k] - at[:, 0], axis=0) for k in (1, 2))
    whole = statistics.median(start["wall"] for start in starts)
    print(
        f"{name:<6}{loaded[0]:>13.3f}{loaded[1]:>9.3f}{framed[0]:>14.2f}{framed[1]:>9.2f}"
        f"{whole:>16.2f}"
    )


def compare(rounds: int) -> None:
    cold, warm = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(fresh(START, cache))
            warm += [fresh(START, cache) for _ in range(2)]
    assert len({start["digest"] for start in cold + warm}) == 1
    print(f"{platform.machine()}, Python {platform.python_version()}, medians, seconds")
    print(
        f"{'':<6}{'import: wall':>13}{'CPU':>9}{'first frame:':>14}{'CPU':>9}{'whole process':>16}"
    )
    show("cold", cold)
    show("warm", warm)


def rank(lines: int = 30) -> None:
    with tempfile.TemporaryDirectory() as cache:
        answer = fresh(KERNELS, cache)
    rows = answer["rows"]
    total, versions = sum(row[1] for row in rows), sum(row[2] for row in rows)
    print(f"{total:.1f} CPU-s in the compiler: {len(rows)} functions, {versions} versions of them")
    for name, seconds, times in rows[:lines]:
        print(f"{seconds:7.2f} s  {seconds / total:5.1%}  × {times}  {name}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["kernels"]:
        rank()
    else:
        compare(*map(int, sys.argv[1:2] or [3]))
