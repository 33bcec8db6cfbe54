"""The whole lab against its target: orders a second from session to the arrays a screen draws.

    python benchmarks/bench_lab.py [simulated seconds]    # orders/s, p50 and p99 of a frame and a step
    pytest benchmarks/bench_lab.py                        # the same path under pytest-benchmark

A colocated desk decides every half millisecond against a real book and sends more than a thousand
orders a simulated second. A person waits by the wall clock, which on a busy machine says more of the
neighbours than of the lab: CPU time stands beside it. The digest must be that of the same run without
frames or views.
"""

from __future__ import annotations

import platform
import sys
import time
from functools import cache
from typing import Any

import numpy as np
import pytest

from lablib import Session, SimConfig, SimEngine, Simulation, Stage
from lablib.frame import Frame
from lablib.widgets.view import View

pytestmark = pytest.mark.bench

TARGET_ORDERS_PER_SEC = 1_000
SEED = 7
FRAME_NS = 50_000_000
STEPS = 4_000
BUSY = SimConfig.preset("colo").replace(
    {
        "external.interval_ms": 1.0,
        "strategy.decision_interval_ms": 0.5,
        "strategy.threshold": 0.0001,
        "strategy.stack": True,
        "risk.max_position_pct": 0.002,
        "risk.daily_loss_cap_pct": 1.0,
    }
)


def draw(view: View, frame: Frame) -> tuple[Any, ...]:
    """What the charts are given after one frame."""
    view.push(frame)
    book, latency = frame.book, frame.latency.histogram()
    return view.lines(), view.fills(1), view.fills(-1), book.bids, book.asks, latency


def clocks() -> tuple[float, float]:
    """Wall and CPU time, s."""
    return time.perf_counter(), time.process_time()


def watch(seconds: int) -> tuple[Session, np.ndarray]:
    """Play a session as a dashboard does; wall and CPU time of every frame, s, shape (frames, 2)."""
    session = Session(BUSY, seed=SEED)
    session.start()
    view = View()
    times = [clocks()]
    for _ in range(seconds * 20):
        draw(view, session.advance(FRAME_NS))
        times.append(clocks())
    return session, np.diff(times, axis=0)


@cache
def wanted(seconds: int) -> str:
    """The digest of the same run with nobody watching."""
    simulation = Simulation(BUSY, seed=SEED)
    simulation.play(seconds * 20 * FRAME_NS)
    return simulation.digest()


def walk(steps: int) -> np.ndarray:
    """Wall and CPU time of every `step_once`, s; the walk must end where the same run does."""
    engine = SimEngine(BUSY, seed=SEED)
    stages, times = [], [clocks()]
    for _ in range(steps):
        stages.append(engine.step_once())
        times.append(clocks())
    simulation = Simulation(BUSY, seed=SEED)
    simulation.play(engine.frame.t_ns)
    assert engine.simulation.digest() == simulation.digest()
    assert all(each[-1] is Stage.PORTFOLIO_UPDATED for each in stages)
    assert any(Stage.ORDER in each for each in stages)
    return np.diff(times, axis=0)


def bench_a_watched_second(benchmark: Any) -> None:
    session, _ = benchmark.pedantic(watch, (1,), rounds=5, warmup_rounds=1)
    assert session.simulation.digest() == wanted(1)
    assert session.frame.order_count > TARGET_ORDERS_PER_SEC


def bench_a_walk_of_steps(benchmark: Any) -> None:
    benchmark.pedantic(walk, (500,), rounds=3, warmup_rounds=1)


def show(name: str, spent: np.ndarray) -> None:
    (wall50, cpu50), (wall99, cpu99) = 1e6 * np.quantile(spent, (0.5, 0.99), axis=0)
    print(f"{name:<43}{wall50:>8,.0f}{wall99:>9,.0f}{cpu50:>12,.0f}{cpu99:>9,.0f}{len(spent):>9,}")


def main(seconds: int = 20) -> None:
    watch(1), walk(10)  # compiles, and warms the caches
    session, spent = watch(seconds)
    assert session.simulation.digest() == wanted(seconds)
    frame, (wall, cpu) = session.frame, spent.sum(axis=0)
    print(f"{platform.machine()}, Python {platform.python_version()}, seed {SEED}")
    print(f"{seconds} simulated s in {wall:.2f} s, {cpu:.2f} s of CPU: ", end="")
    print(f"{frame.order_count:,} orders, {frame.fill_count:,} fills, {frame.events:,} events")
    rate = frame.order_count / np.array([wall, cpu])
    print(f"{rate[0]:,.0f} orders/s by the wall, {rate[1]:,.0f} by CPU time; ", end="")
    print(f"target {TARGET_ORDERS_PER_SEC:,}, reached {rate[0] / TARGET_ORDERS_PER_SEC:.1f} times")
    print(f"{'µs':<43}{'wall p50':>8}{'p99':>9}{'CPU p50':>12}{'p99':>9}{'of':>9}")
    show("a frame of 50 ms, computed and made drawable", spent)
    show("SimEngine.step_once", walk(STEPS))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
