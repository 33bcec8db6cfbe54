"""A user's own strategy: same wires, same risk, same bytes; and mistakes one can act on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import lablib as lab
from lablib.kernels import tables as t
from lablib.kernels.jit import COMPILED
from lablib.report import outcome
from tests.markets import recorded

CLASSROOM = {"strategy.parameters": [0.003]}


def mirror(seen, mine):
    """The built-in divergence signal, in a user's hand."""
    divergence = (seen.external_px - mine.mid_ticks) / mine.mid_ticks
    if divergence > mine.parameters[0]:
        return 1
    if divergence < -mine.parameters[0]:
        return -1
    return 0


def crossing(seen, mine):
    """Two moving averages kept in memory; closes when they cross back."""
    mine.memory[0] += 0.2 * (seen.external_px - mine.memory[0])
    mine.memory[1] += 0.05 * (seen.external_px - mine.memory[1])
    lead = mine.memory[0] / mine.memory[1] - 1.0
    if mine.position * lead < 0.0:
        return 2
    if lead > 0.001:
        return 1
    if lead < -0.001:
        return -1
    return 0


def test_the_built_in_strategy_rewritten_by_hand_trades_the_same():
    own = lab.run(CLASSROOM, seed=7, until="30s", strategy=mirror)
    built_in = lab.run(seed=7, until="30s")
    assert built_in.fills.size > 10
    np.testing.assert_array_equal(own.fills, built_in.fills)
    np.testing.assert_array_equal(own.samples, built_in.samples)


def test_close_closes_and_memory_is_kept():
    run = lab.run({"strategy.exit": "never"}, seed=7, until="60s", strategy=crossing)
    assert np.count_nonzero(run.fills["is_exit"]) > 3
    entries = run.fills[run.fills["is_exit"] == 0]
    exits = run.fills[run.fills["is_exit"] == 1]
    paired = min(entries.size, exits.size)
    np.testing.assert_array_equal(entries["side"][:paired], -exits["side"][:paired])
    np.testing.assert_array_equal(entries["lots"][:paired], exits["lots"][:paired])


def test_frames_do_not_change_what_it_does():
    whole = lab.run(seed=7, until="20s", strategy=crossing).digest
    simulation = lab.Simulation(seed=7, strategy=crossing)
    for t_ns in (1, 50_000_000, 7_000_000_001, 20_000_000_000):
        simulation.play(t_ns)
    assert simulation.digest() == whole


def test_the_digest_names_the_function():
    def idle(seen, mine):
        return 0

    def idler(seen, mine):
        return 0 * 1

    one, other = (lab.run(seed=7, until="1s", strategy=f).digest for f in (idle, idler))
    assert one != other


@pytest.mark.skipif(not COMPILED, reason="compares with a plain process: already plain")
def test_compiled_and_plain_agree():
    program = (
        "import json, lablib as lab, tests.test_own_strategy as t;"
        "print(json.dumps([lab.run(seed=7, until='10s', strategy=f, config=t.CLASSROOM).digest"
        " for f in (t.mirror, t.crossing)]))"
    )
    root = Path(__file__).parents[1]
    plain = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    compiled = [
        lab.run(CLASSROOM, seed=7, until="10s", strategy=f).digest for f in (mirror, crossing)
    ]
    assert json.loads(plain.stdout) == compiled


def misspelt(seen, mine):
    return 1 if seen.external_price > 0 else 0


def three(seen, mine, more):
    return 0


def wordy(seen, mine):
    return "buy"


def divides(seen, mine):
    return int(1 // len(()))


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (misspelt, ["misspelt", "external_price", "line"]),
        (three, ["three", "(seen, mine)"]),
        (wordy, ["wordy", "'buy'"]),
        (divides, ["divides", "ZeroDivisionError", "line"]),
        (42, ["42", "function"]),
    ],
)
def test_a_mistake_says_where_and_what(strategy, words):
    with pytest.raises(lab.ConfigError) as caught:
        lab.run(until="1s", strategy=strategy)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.skipif(not COMPILED, reason="only numba has a subset")
def test_what_numba_cannot_compile_is_told_in_one_line():
    def reads_a_folder(seen, mine):
        import os

        return 0 * len(os.listdir())

    with pytest.raises(lab.ConfigError, match=r"reads_a_folder.*unsupported") as caught:
        lab.run(until="1s", strategy=reads_a_folder)
    assert "\n" not in str(caught.value)


def test_an_answer_that_is_no_action_holds_and_is_counted():
    def odd(seen, mine):
        if mine.now_ns > 500_000_000:
            return 7
        return 0

    simulation = lab.Simulation(seed=7, strategy=odd)
    frame = simulation.advance(1_000_000_000)
    assert frame.order_count == 0
    assert simulation.state.strategy.nonsense == 10


def test_nonsense_stands_in_the_frame_the_summary_and_the_report():
    def odd(seen, mine):
        return 7 if mine.now_ns > 500_000_000 else 0

    run = lab.run(seed=7, until="1s", strategy=odd)
    assert (run.last.nonsense, run.summary()["nonsense"]) == (10, 10)
    assert "10 answers or prices of the strategy were none" in outcome(run.summary())
    assert "of the strategy" not in outcome(lab.run(seed=7, until="1s").summary())


# ------------------------------------------------------------------------- what goes wrong later
def fourth(seen, mine):
    """Raises at its fourth look; its memory has changed by then."""
    mine.memory[0] += 1.0
    if mine.memory[0] == 4.0:
        raise ValueError("the fourth look", mine.memory[0] + 0.5)
    return 0


def unwrapped(seen, mine):
    """A ring that never comes round."""
    k = int(mine.memory[0])
    mine.memory[0] = k + 1.0
    if k > 0:
        mine.memory[k] = seen.external_px
    return 0


@numba.njit
def put(memory, k, px):
    memory[k] = px


put(np.zeros(t.N_MEMORY), 0, 1.0)  # compiled by itself, without a look at bounds


def unwrapped_by_a_helper(seen, mine):
    k = int(mine.memory[0])
    mine.memory[0] = k + 1.0
    if k > 0:
        put(mine.memory, k, seen.external_px)
    return 0


RAISES = [
    (fourth, ["ValueError", "the fourth look", "4.5", "in line", "raise ValueError", "at 0.2 s"]),
    (unwrapped, ["IndexError", "out of bounds", "at 0.85 s"]),
    (unwrapped_by_a_helper, ["IndexError", "out of bounds", "at 0.85 s"]),
]


@pytest.mark.parametrize(("strategy", "words"), RAISES)
def test_what_a_strategy_raises_ends_the_run_and_is_told_compiled_or_plain(strategy, words):
    simulation = lab.Simulation(seed=7, strategy=strategy)
    simulation.advance(100 * t.NS_PER_MS)
    for _ in range(2):  # it does not go on by asking again
        with pytest.raises(lab.ConfigError) as caught:
            simulation.advance(10 * t.NS_PER_S)
        message = str(caught.value)
        assert message.startswith(f"strategy {strategy.__name__}: ")
        assert "\n" not in message
        for word in words:
            assert word in message
    assert simulation.state.risk.halted == 0
    assert simulation.state.strategy.nonsense == 0
    assert simulation.frame().t_ns < t.NS_PER_S


def test_what_only_compiled_code_raises_is_told_too():
    def wraps(seen, mine):
        if mine.now_ns > 0 and int(mine.now_ns) << 60 == 0:  # 50 ms, beyond the word's end
            raise OverflowError("of sixty-four bits")
        return 0

    if COMPILED:
        with pytest.raises(lab.ConfigError, match=r"wraps: OverflowError: of sixty-four bits"):
            lab.run(seed=7, until="1s", strategy=wraps)
    else:
        assert lab.run(seed=7, until="1s", strategy=wraps).orders.size == 0


def test_frames_come_until_a_strategy_raises():
    frames = lab.simulate(seed=7, every="50ms", until="10s", strategy=fourth)
    assert [next(frames).t_ns // t.NS_PER_MS for _ in range(3)] == [50, 100, 150]
    with pytest.raises(lab.ConfigError, match="the fourth look"):
        next(frames)


def test_a_record_says_what_the_strategy_raised(tmp_path):
    with pytest.raises(lab.ConfigError, match="the fourth look"):
        lab.run(seed=7, until="10s", strategy=fourth, record=tmp_path / "run")
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    assert written["status"] == "failed"
    assert "strategy fourth: ValueError" in written["reason"]


def test_a_twin_raises_as_the_run_does():
    with pytest.raises(lab.ConfigError, match="the fourth look"):
        lab.run(seed=7, until="10s", strategy=fourth, twin=True)


def test_a_cell_whose_strategy_raises_is_a_row_with_its_error():
    def picky(seen, mine):
        if mine.parameters[0] > 1.0 and mine.now_ns > 300_000_000:
            raise ValueError("too much")
        return 1

    sweep = lab.sweep(
        {}, {"strategy.parameters": [[0.5], [2.0], [0.6]]}, seeds=2, until="1s", strategy=picky
    )
    fine, wrong, fine_too = sweep.table
    assert "strategy picky: ValueError: too much" in wrong["error"]
    assert (fine["error"], fine_too["error"], fine["runs"]) == ("", "", 2)
    assert fine["orders_mean"] == fine_too["orders_mean"] > 0
    with pytest.raises(lab.ConfigError, match="too much"):
        lab.compare(
            {}, {"strategy.parameters": [[0.5], [2.0]]}, seeds=2, until="1s", strategy=picky
        )


# ---------------------------------------------------------------------------------- no such price
@pytest.mark.parametrize("ticks", [-1, t.NO_ASK, -(1 << 63) + 5])
def test_a_price_that_is_none_stands_nowhere_and_is_counted(ticks):
    def astray(seen, mine):
        mine.bid_ticks = ticks
        mine.ask_ticks = 20_000
        return 3

    run = lab.run(seed=7, until="1s", strategy=astray)
    assert run.last.nonsense == run.last.decisions == 20
    assert set(run.orders["side"]) == {t.SELL}


def one_sided():
    """Only asks, the second far away."""
    market = recorded([], [(0, 9_999, 10_001), (1, 9_999, 10_900)])
    market.events = market.events[market.events["side"] != t.BUY]
    return market


def test_a_bid_made_from_a_missing_mid_is_refused_before_it_runs():
    def under_the_mid(seen, mine):
        if mine.on_clock:
            mine.bid_ticks = int(mine.mid_ticks) - 5
        return 3

    words = r"under_the_mid: ValueError: .*NaN.* in line .*mine\.mid_ticks is NaN"
    with pytest.raises(lab.ConfigError, match=words):
        lab.run(market=one_sided(), strategy=under_the_mid)


def test_a_bid_made_from_a_missing_mid_later_buys_nothing():
    def later(seen, mine):
        if mine.on_clock and mine.now_ns > 0:
            mine.bid_ticks = int(mine.mid_ticks) - 5
            mine.quote_lots = 1_000
            return 3
        return 0

    def play():
        return lab.run({"strategy.exit": "never"}, market=one_sided(), strategy=later)

    if COMPILED:
        run = play()
        assert run.orders.size == 0
        assert run.last.nonsense == run.last.decisions == 20
    else:
        with pytest.raises(lab.ConfigError, match=r"later: ValueError: .*NaN"):
            play()


def test_own_without_a_function_is_refused():
    with pytest.raises(lab.ConfigError, match=r"strategy\.name: 'own' needs a function"):
        lab.run({"strategy.name": "own"}, until="1s")
