"""Two strategies of one source that act differently have two names; one has the same in every process."""

import enum
import hashlib
import inspect
import math
import subprocess
import sys
import types
from pathlib import Path

import numba
import numpy as np
import pytest

import lablib as lab
from lablib.fingerprint import fingerprint

LIMIT = 0.003
TABLE = np.arange(3.0)


class Side(enum.IntEnum):
    BUY = 1


def over(limit):
    """Strategies of one source; they differ by what they close over."""

    def strategy(seen, mine):
        divergence = (seen.external_px - mine.mid_ticks) / mine.mid_ticks
        if divergence > limit:
            return 1
        if divergence < -limit:
            return -1
        return 0

    return strategy


def by_a_global(seen, mine):
    return 1 if seen.external_px > LIMIT else 0


def lead(seen, mine, floor=0.5):
    return max(seen.external_px - mine.mid_ticks, floor) * LIMIT


jitted = numba.njit(lead)


def by_a_helper(seen, mine):
    return 1 if lead(seen, mine) > 0 else 0


def by_a_compiled_helper(seen, mine):
    return 1 if jitted(seen, mine) > 0 else 0


def within(seen, mine):
    return 1 if sum([k * LIMIT for k in range(3)]) > 0 else 0


def alone(seen, mine):
    return 1 if abs(seen.external_px) > mine.mid_ticks else 0


def test_a_function_that_refers_to_nothing_is_its_source():
    assert fingerprint(alone) == hashlib.sha256(inspect.getsource(alone).encode()).hexdigest()


def test_what_is_closed_over_is_part_of_the_name():
    values = [
        0.003,
        0.001,
        1,
        1.0,
        True,
        np.float64(1),
        "1",
        b"1",
        (1, 2),
        (1, 2.0),
        None,
        Side.BUY,
    ]
    values += [np.arange(3), np.arange(3.0), np.arange(4), np.arange(4).reshape(2, 2)]
    values += [{"a": 1}, {"a": 2}, [1], {1}, abs, max, math, math.floor, Side, np.dtype("f8")]
    values += [by_a_global, jitted, over(1), over(2)]
    names = [fingerprint(over(value)) for value in values]
    assert len(set(names)) == len(values)
    assert names == [fingerprint(over(value)) for value in values]
    assert fingerprint(over({"a": 1, "b": 2})) == fingerprint(over({"b": 2, "a": 1}))


@pytest.mark.parametrize("strategy", [by_a_global, by_a_helper, by_a_compiled_helper, within])
def test_a_global_is_part_of_the_name_also_of_a_helper(monkeypatch, strategy):
    before = fingerprint(strategy)
    monkeypatch.setitem(globals(), "TABLE", np.arange(9.0))  # nobody reads it
    assert fingerprint(strategy) == before
    monkeypatch.setitem(globals(), "LIMIT", 0.001)
    assert fingerprint(strategy) != before


def test_a_default_of_a_helper_is_part_of_the_name(monkeypatch):
    before = fingerprint(by_a_helper)
    monkeypatch.setattr(lead, "__defaults__", (0.25,))
    assert fingerprint(by_a_helper) != before


def test_what_a_module_of_ones_own_holds_is_part_of_the_name(monkeypatch):
    rules = types.ModuleType("rules")
    rules.limit, rules.other = 0.003, 1

    def strategy(seen, mine):
        return 1 if seen.external_px > rules.limit else 0

    before = fingerprint(strategy)
    rules.other = 2
    assert fingerprint(strategy) == before
    rules.limit = 0.001
    assert fingerprint(strategy) != before


def test_functions_that_call_each_other_come_to_an_end():
    def even(k):
        return k == 0 or odd(k - 1)

    def odd(k):
        return k != 0 and even(k - 1)

    assert fingerprint(even) == fingerprint(even) != fingerprint(odd)


def test_what_was_typed_at_a_prompt_goes_by_its_code():
    def typed(text):
        names = {}
        exec(text, names)
        return fingerprint(names["f"])

    text = "def f(seen, mine):\n    return sum(k for k in (1, {}))"
    assert typed(text.format(2)) == typed(text.format(2)) != typed(text.format(3))


def test_another_process_gives_the_same_name():
    program = (
        "import tests.test_fingerprint as t;"
        "print([t.fingerprint(f) for f in (t.over({'a', 'b', 'c'}), t.by_a_compiled_helper, t.within)])"
    )
    root = Path(__file__).parents[1]
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    ours = (over({"a", "b", "c"}), by_a_compiled_helper, within)
    assert told.stdout.strip() == str([fingerprint(f) for f in ours])


def test_the_cells_of_another_value_are_not_taken_for_ones_own(tmp_path):
    kept = tmp_path / "cells.jsonl"
    grid = {"latency.order_entry_ms": [1, 20]}
    first = lab.sweep({}, grid, seeds=1, until="10s", strategy=over(0.003), resume=kept)
    with pytest.raises(lab.LabError, match="strategy_sha256"):
        lab.sweep({}, grid, seeds=1, until="10s", strategy=over(0.001), resume=kept)
    again = lab.sweep({}, grid, seeds=1, until="10s", strategy=over(0.003), resume=kept)
    assert again.table.tobytes() == first.table.tobytes()


def test_a_record_is_not_opened_with_another_value(tmp_path):
    run = lab.run(seed=1, until="1s", strategy=over(0.003))
    run.save(tmp_path / "run")
    with pytest.raises(lab.ArchiveError, match="other values of what it refers to"):
        lab.open_run(tmp_path / "run", strategy=over(0.001))
    assert lab.open_run(tmp_path / "run", strategy=over(0.003)).digest == run.digest
