"""The whole engine, per venue model and frame size: events and decisions per CPU-second.

    python benchmarks/bench_engine.py [rounds]    # medians by CPU time, warm, in turn
    pytest benchmarks/bench_engine.py             # the same under pytest-benchmark

Tape and frames are included, building the simulation and hashing the result are not. The recorded
market is that of ``../shared/data``, left out where it is absent. Every round asserts the digest of
what it computed, which no frame size may change: a fast wrong answer fails.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest

from lablib import Market, SimConfig, Simulation, load_pair
from lablib.units import parse_duration

pytestmark = [pytest.mark.bench, pytest.mark.benchmark(timer=time.process_time)]

RECORDINGS = Path(__file__).parents[2] / "shared" / "data" / "binance_ws"
LEADER = RECORDINGS / "usdm" / "btcusdt_20240808.gz"
FOLLOWER = RECORDINGS / "cm" / "btcusd_perp_20240808.gz"
SEED = 7
MOST_FRAMES = 1_000  # in one round
ONE_CALL = "one call"
FRAMES = ("50ms", "1s", ONE_CALL)

# Name, preset, simulated seconds of a round in one call, and what differs from the preset.
CASES: dict[str, tuple[str, float, dict[str, Any]]] = {
    "classroom, no samples": ("classroom", 40_000, {"record.samples": False}),
    "classroom": ("classroom", 20_000, {}),
    "stress": ("stress", 10_000, {}),
    "colo": ("colo", 1_000, {}),
    "cloud": ("cloud", 1_000, {}),
    "retail": ("retail", 1_000, {}),
    "crowded": ("crowded", 400, {}),
    "recorded": (
        "classroom",
        1e6,  # to its end
        {
            "strategy.threshold": 0.0001,
            "strategy.exit": "close",
            "latency.order_entry_ms": 5,
            "risk.max_position_pct": 0.05,
        },
    ),
}


class Round(NamedTuple):
    """What one round did, and in how much CPU time."""

    seconds: float
    events: int
    decisions: int
    frames: int
    digest: str


@cache
def recording() -> Market:
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings: {RECORDINGS} is absent")
    return load_pair(LEADER, FOLLOWER)


def prepare(case: str, every: str) -> tuple[Simulation, int, int]:
    """A fresh simulation, and how far and in what steps to play it (ns)."""
    preset, seconds, changes = CASES[case]
    market = recording() if case == "recorded" else None
    simulation = Simulation(SimConfig.preset(preset).replace(changes), seed=SEED, market=market)
    until_ns = parse_duration(seconds)
    if market is not None:
        until_ns = min(until_ns, market.duration_ns)
    if every == ONE_CALL:
        return simulation, until_ns, until_ns
    step_ns = parse_duration(every)
    return simulation, min(until_ns, MOST_FRAMES * step_ns), step_ns


def play(simulation: Simulation, until_ns: int, step_ns: int) -> None:
    """What is measured: the market played, frame by frame."""
    at = 0
    while at < until_ns:
        at = min(at + step_ns, until_ns)
        simulation.advance(at)


@cache
def wanted(case: str, every: str) -> str:
    """The digest of the same run made in one call and without frames."""
    simulation, until_ns, _ = prepare(case, every)
    simulation.play(until_ns)
    return simulation.digest()


def measure(case: str, every: str) -> Round:
    simulation, until_ns, step_ns = prepare(case, every)
    start = time.process_time()
    play(simulation, until_ns, step_ns)
    seconds = time.process_time() - start
    state, digest = simulation.state, simulation.digest()
    assert digest == wanted(case, every)
    frames = -(-until_ns // step_ns)
    return Round(seconds, int(state.events), int(state.strategy.clock), frames, digest)


@pytest.mark.parametrize("every", FRAMES)
@pytest.mark.parametrize("case", CASES)
def bench_a_run(benchmark: Any, case: str, every: str) -> None:
    made: list[Simulation] = []

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        arguments = prepare(case, every)
        made.append(arguments[0])
        return arguments, {}

    benchmark.pedantic(play, setup=fresh, rounds=3, warmup_rounds=1)
    assert {simulation.digest() for simulation in made} == {wanted(case, every)}
    benchmark.extra_info["events"] = int(made[0].state.events)


def main(rounds: int = 5) -> None:
    cases = [case for case in CASES if case != "recorded" or RECORDINGS.is_dir()]
    plan = [(case, every) for case in cases for every in FRAMES]
    for case, every in plan:
        measure(case, every)  # compiles, and warms the caches
    times: dict[tuple[str, str], list[Round]] = {each: [] for each in plan}
    for _ in range(rounds):
        for each in plan:
            times[each].append(measure(*each))
    print(f"{platform.machine()}, Python {platform.python_version()}, ", end="")
    print(f"numba {numba.__version__}, NumPy {np.__version__}; seed {SEED}, ", end="")
    print(f"median CPU time of {rounds} rounds in turn\n")
    head = ("run", "a frame", "events", "M events/s", "M decisions/s", "ns/event", "µs/frame")
    print("{:<22}{:>9}{:>11}{:>11}{:>14}{:>10}{:>10}".format(*head))
    for case, every in plan:
        done = times[case, every][0]
        seconds = statistics.median(each.seconds for each in times[case, every])
        print(
            f"{case:<22}{every:>9}{done.events:>11,}{done.events / seconds / 1e6:>11.3g}"
            f"{done.decisions / seconds / 1e6:>14.3g}{seconds / done.events * 1e9:>10.1f}"
            f"{seconds / done.frames * 1e6:>10,.0f}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
