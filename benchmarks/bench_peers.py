"""A replay beside hftbacktest's, on the same market data in one process: rows per CPU-second.

    pip install ".[bench]"
    python benchmarks/bench_peers.py [rounds]     # medians by CPU time, warm, in turn
    pytest benchmarks/bench_peers.py              # checks once that both see the same book

Nobody trades; a strategy looks at the best quotes now and then, from compiled code on both sides. Ours
is the ``recorded`` venue: every level change goes into the book, and each message's quote travels to us.
Theirs is the fastest they have: depth in a vector over a range of interest, constant latency, ``elapse``.
Compiling and loading are not in the figures. Both must end with the same best quotes: a fast wrong answer fails.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import pytest

from lablib import Simulation, load_pair
from lablib.kernels import tables as t

pytestmark = [pytest.mark.bench]

RECORDINGS = Path(__file__).parents[2] / "shared" / "data" / "binance_ws"
SEED = 7
ROWS, APART_NS = 1_000_000, 20_000
START, DEEP = 100_000, 2_000  # ticks
BASE_NS = 1_000_000_000  # their clock starts above 0
STEPS = {"60 s": 60_000_000_000, "100 ms": 100_000_000}  # between looks at the best quotes


def generated() -> Any:
    """A million level changes, 20 µs apart: sizes within ten ticks of a mid that moves one time in ten."""
    random = np.random.Generator(np.random.Philox(SEED))
    move = random.choice([-1, 0, 1], ROWS, p=[0.05, 0.9, 0.05])
    mid = START + np.cumsum(move) - move  # before the move
    side = random.choice([t.BUY, t.SELL], ROWS)
    lots = random.integers(1, 1_000, ROWS)
    away = random.integers(1, 11, ROWS)
    # A move takes the level that was best on one side, and makes one on the other.
    ticks = np.where(move == 0, mid - side * away, mid + move)
    taken = np.where(move == 0, side, -move)
    first = np.rec.fromarrays([taken, ticks, np.where(move == 0, lots, 0)], names="side,ticks,lots")
    second = np.rec.fromarrays([-taken, mid, lots], names="side,ticks,lots")
    book = [
        (0, t.LEVEL, side, START - side * away, 500, 0.0)
        for side in (t.BUY, t.SELL)
        for away in range(1, DEEP)
    ]
    rows = np.zeros((ROWS, 3), t.TAPE_EVENT)
    rows["time_ns"] = (APART_NS * np.arange(1, ROWS + 1))[:, None]
    rows["kind"] = (t.LEVEL, t.LEVEL, t.SETTLED)
    for name in ("side", "ticks", "lots"):
        rows[name][:, 0], rows[name][:, 1] = first[name], second[name]
    kept = np.ones(rows.shape, bool)
    kept[:, 1] = move != 0
    opening = [(0, t.EXTERNAL, 0, 0, t.NORMAL, float(START)), *book, (0, t.SETTLED, 0, 0, 0, 0.0)]
    end = [(t.FAR, t.END, 0, 0, 0, 0.0)]
    events = np.concatenate(
        [np.array(opening, t.TAPE_EVENT), rows[kept], np.array(end, t.TAPE_EVENT)]
    )
    return SimpleNamespace(
        tick_size=0.01,
        lot_size=0.001,
        start_px=START * 0.01,
        events=events,
        duration_ns=ROWS * APART_NS,
        sha256=sha256(events.tobytes()).hexdigest(),
    )


@cache
def market(name: str) -> Any:
    if name == "generated":
        return generated()
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings: {RECORDINGS} is absent")
    leader, follower = "usdm/btcusdt_20240808.gz", "cm/btcusd_perp_20240808.gz"
    return load_pair(RECORDINGS / leader, RECORDINGS / follower)


def of_the_book(events: np.ndarray) -> np.ndarray:
    """What both replay: level changes and trades."""
    return events[(events["kind"] == t.LEVEL) | (events["kind"] == t.TRADE)]


Loop = tuple[Callable[[], Any], Callable[[], tuple[int, int]]]


def looking(seen: Any, mine: Any) -> int:
    """Nobody trades."""
    mine.memory[0] += seen.bid
    return 0


def ours(name: str, step_ns: int) -> Loop:
    """What is measured, and the best quotes at its end."""
    data = market(name)
    changes = {"record.samples": False, "strategy.decision_interval_ms": step_ns / t.NS_PER_MS}
    simulation = Simulation(changes, seed=SEED, market=data, strategy=looking)
    quote = simulation.view("venue.quote")
    return lambda: simulation.play(data.duration_ns), lambda: (
        int(quote["bid"][0]),
        int(quote["ask"][0]),
    )


@cache
def elapsing() -> Any:
    """Their loop, compiled once a process."""

    @numba.njit
    def loop(backtest: Any, step_ns: int) -> int:
        seen = 0
        while backtest.elapse(step_ns) == 0:
            seen += backtest.depth(0).best_bid_tick
        return seen

    return loop


@cache  # also keeps them alive: hftbacktest holds their address, not the array
def their_rows(name: str) -> np.ndarray:
    import hftbacktest as hft

    book = of_the_book(market(name).events)
    rows = np.zeros(book.size, hft.event_dtype)
    kind = np.where(book["kind"] == t.LEVEL, hft.DEPTH_EVENT, hft.TRADE_EVENT)
    side = np.where(book["side"] == t.BUY, hft.BUY_EVENT, hft.SELL_EVENT)
    rows["ev"] = kind | side | hft.EXCH_EVENT | hft.LOCAL_EVENT
    rows["exch_ts"] = rows["local_ts"] = book["time_ns"] + BASE_NS
    rows["px"], rows["qty"] = book["ticks"], book["lots"]
    return rows


def theirs(name: str, step_ns: int) -> Loop:
    """What is measured, and the best quotes at its end."""
    hft = pytest.importorskip("hftbacktest", reason="hftbacktest is not installed: extra `bench`")
    rows = their_rows(name)
    asset = (
        hft.BacktestAsset()
        .data(rows)
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(1.0)
        .lot_size(1.0)
        .roi_lb(float(rows["px"].min()))
        .roi_ub(float(rows["px"].max()))
    )
    backtest = hft.ROIVectorMarketDepthBacktest([asset])
    loop = elapsing()

    def best() -> tuple[int, int]:
        depth = backtest.depth(0)
        return int(depth.best_bid_tick), int(depth.best_ask_tick)

    return lambda: loop(backtest, step_ns), best


ENGINES = {"lablib": ours, "hftbacktest": theirs}


def measure(engine: str, name: str, step: str) -> tuple[float, tuple[int, int]]:
    """CPU seconds of one replay, and where it ended."""
    replay, best = ENGINES[engine](name, STEPS[step])
    start = time.process_time()
    replay()
    return time.process_time() - start, best()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", ["generated", "recorded"])
def bench_both_end_with_the_same_book(name: str, step: str) -> None:
    assert measure("hftbacktest", name, step)[1] == measure("lablib", name, step)[1]


def main(rounds: int = 5) -> None:
    try:
        peer = f"hftbacktest {version('hftbacktest')}"
    except PackageNotFoundError:
        sys.exit('hftbacktest is not installed: pip install ".[bench]"')
    names = ["generated", "recorded"] if RECORDINGS.is_dir() else ["generated"]
    plan = [(engine, name, step) for name in names for step in STEPS for engine in ENGINES]
    ends = {each: measure(*each)[1] for each in plan}  # compiles, and warms the caches
    for _, name, step in plan:
        assert ends["lablib", name, step] == ends["hftbacktest", name, step]
    times: dict[tuple[str, str, str], list[float]] = {each: [] for each in plan}
    for _ in range(rounds):
        for each in plan:
            seconds, end = measure(*each)
            assert end == ends[each]
            times[each].append(seconds)
    print(f"{platform.machine()}, Python {platform.python_version()}, {peer}, ", end="")
    print(f"numba {numba.__version__}, NumPy {np.__version__}; ", end="")
    print(f"median CPU time of {rounds} rounds in turn\n")
    print(f"{'market':<12}{'a look':>10}{'rows':>11}{'lablib':>12}{'hftbacktest':>13}{'ratio':>8}")
    for name in names:
        count = of_the_book(market(name).events).size
        for step in STEPS:
            mine, other = (
                count / statistics.median(times[engine, name, step]) / 1e6 for engine in ENGINES
            )
            print(
                f"{name:<12}{step:>10}{count:>11,}{mine:>8.2f} M/s{other:>9.2f} M/s{mine / other:>8.2f}"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
