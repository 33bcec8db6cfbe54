"""The whole lab against its target: orders a second from session to the arrays a screen draws.

    python benchmarks/bench_lab.py [simulated seconds]    # orders/s, p50 and p99 of a frame and a step
    pytest benchmarks/bench_lab.py                        # the same path under pytest-benchmark

A colocated desk decides every half millisecond against a real book and sends more than a thousand
orders a simulated second. Wall time, because a person waits by the wall: on a busy machine these
figures are worse than the lab is. The digest must be that of the same run without frames or views.
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


def watch(seconds: int) -> tuple[Session, np.ndarray]:
    """Play a session as a dashboard does; wall time of every frame, s."""
    session = Session(BUSY, seed=SEED)
    session.start()
    view = View()
    spent = np.empty(seconds * 20)
    for k in range(spent.size):
        start = time.perf_counter()
        draw(view, session.advance(FRAME_NS))
        spent[k] = time.perf_counter() - start
    return session, spent


@cache
def wanted(seconds: int) -> str:
    """The digest of the same run with nobody watching."""
    simulation = Simulation(BUSY, seed=SEED)
    simulation.play(seconds * 20 * FRAME_NS)
    return simulation.digest()


def walk(steps: int) -> np.ndarray:
    """Wall time of every `step_once`, s; the walk must end where the same run does."""
    engine = SimEngine(BUSY, seed=SEED)
    spent = np.empty(steps)
    orders = 0
    for k in range(steps):
        start = time.perf_counter()
        stages = engine.step_once()
        spent[k] = time.perf_counter() - start
        assert stages[-1] is Stage.PORTFOLIO_UPDATED
        orders += Stage.ORDER in stages
    simulation = Simulation(BUSY, seed=SEED)
    simulation.play(engine.frame.t_ns)
    assert engine.simulation.digest() == simulation.digest()
    assert orders > 0
    return spent


def bench_a_watched_second(benchmark: Any) -> None:
    session, _ = benchmark.pedantic(watch, (1,), rounds=5, warmup_rounds=1)
    assert session.simulation.digest() == wanted(1)
    assert session.frame.order_count > TARGET_ORDERS_PER_SEC


def bench_a_walk_of_steps(benchmark: Any) -> None:
    benchmark.pedantic(walk, (500,), rounds=3, warmup_rounds=1)


def show(name: str, spent: np.ndarray) -> None:
    p50, p99 = 1e6 * np.quantile(spent, (0.5, 0.99))
    print(f"{name:<44} p50 {p50:8,.0f} µs   p99 {p99:8,.0f} µs   of {spent.size:,}")


def main(seconds: int = 20) -> None:
    watch(1), walk(10)  # compiles, and warms the caches
    session, spent = watch(seconds)
    assert session.simulation.digest() == wanted(seconds)
    frame, wall = session.frame, spent.sum()
    print(f"{platform.machine()}, Python {platform.python_version()}, wall time, seed {SEED}")
    print(f"{seconds} simulated s in {wall:.2f} s: {frame.order_count:,} orders, ", end="")
    print(f"{frame.fill_count:,} fills, {frame.events:,} events")
    rate = frame.order_count / wall
    print(
        f"{rate:,.0f} orders/s; target {TARGET_ORDERS_PER_SEC:,}: {rate / TARGET_ORDERS_PER_SEC:.1f} ×"
    )
    show("a frame of 50 ms, computed and made drawable", spent)
    show("SimEngine.step_once", walk(STEPS))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
