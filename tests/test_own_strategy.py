"""A user's own strategy: same wires, same risk, same bytes; and mistakes one can act on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lablib as lab
from lablib.kernels.jit import COMPILED

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


def test_own_without_a_function_is_refused():
    with pytest.raises(lab.ConfigError, match=r"strategy\.name: 'own' needs a function"):
        lab.run({"strategy.name": "own"}, until="1s")
