"""`lablib sweep`: what it prints, what it refuses, what it leaves behind."""

from __future__ import annotations

import json

import pytest

from lablib.cli import main

BRIEF = ["--seeds", "2", "--until", "2s"]
OVER = ["--over", "latency.order_entry_ms=0,40", "--over", "strategy.threshold=0.001:0.003:2"]


def test_a_table_is_printed_and_written(capsys, tmp_path):
    assert main(["sweep", *OVER, *BRIEF, "--output", str(tmp_path / "t.csv")]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split()[:3] == ["order_entry_ms", "threshold", "P&L"]
    assert len(lines) == 6
    assert printed.err == ""  # no bar in a pipe
    assert (tmp_path / "t.csv").read_text().count("\n") == 5


def test_json_has_every_cell_and_what_was_asked_for(capsys):
    over = ["--over", "latency.order_entry_ms=1:100:3:log"]
    assert main(["sweep", *over, "--seeds", "1", "--until", "1s", "--seed", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["preset"], told["seed"], told["seeds"]) == ("classroom", 3, 1)
    assert [row["latency.order_entry_ms"] for row in told["cells"]] == [1, 10, 100]
    assert told["cells"][0]["pnl_se"] is None


def test_a_second_call_goes_on_where_the_file_ends(capsys, tmp_path):
    command = ["sweep", *OVER, *BRIEF, "--resume", str(tmp_path / "s.jsonl"), "--threads", "1"]
    assert main(command) == 0
    first, before = capsys.readouterr().out, (tmp_path / "s.jsonl").read_bytes()
    assert main(command) == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "s.jsonl").read_bytes() == before
    assert main([*command, "--seed", "8"]) == 2
    assert "holds another sweep: seeds[0] is 7 there and 8 here" in capsys.readouterr().err


def test_a_cell_that_failed_is_printed_and_makes_the_exit_code_1(capsys):
    over = ["--over", 'venue.model=["delayed_copy", "makers"]']
    assert main(["sweep", *over, *BRIEF]) == 1
    words = " ".join(capsys.readouterr().out.split())
    assert "makers failed ConfigError: venue.half_spread_ticks: 0" in words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--over", "latency.nonsense=1"], "latency.nonsense: no such field"),
        (["--over", "latency.order_entry_ms=1,-1"], "latency.order_entry_ms: input should be"),
        (["--over", "strategy.threshold=1,1"], "strategy.threshold: the same value twice"),
        ([*OVER, *OVER], "--over: latency.order_entry_ms is there twice"),
        ([*OVER, "--seeds", "0"], "--seeds: at least 1, got 0"),
        ([*OVER, "--output", "t.xlsx"], "t.xlsx: the name has to end in .csv"),
        ([*OVER, "--threads", "0"], "executor: give 1 to 1024 threads, got 0"),
    ],
)
def test_bad_words_are_refused_in_one_line(capsys, words, message):
    assert main(["sweep", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"lablib: error: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "over",
    [
        "nothing",
        "a.b=",
        "a.b=1:2",
        "a.b=2:1:5",
        "a.b=1:2:1",
        "a.b=0:1:5:log",
        "a.b=[1",
        "a.b=1:2:1e9",
    ],
)
def test_values_that_cannot_be_read_are_refused(capsys, over):
    with pytest.raises(SystemExit) as stop:
        main(["sweep", "--over", over])
    assert stop.value.code == 2
    assert over.split("=")[0] in capsys.readouterr().err
