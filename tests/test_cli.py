"""The command line: what it prints, what it refuses, what it leaves behind."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress

import pytest
from tape.binance_fixture import recording

from lablib import open_run, run
from lablib.cli import main
from lablib.presets import SCENARIOS

KEYS = {
    *("digest", "events", "decisions", "orders", "fills", "equity", "realized_pnl", "position"),
    *("halted", "halt_reason", "latency_p50_ms", "latency_p99_ms", "seconds"),
}
BRIEF = ["--until", "2s"]
HALTING = ["--until", "30s", "--set", "risk.daily_loss_cap_pct=0.0000001"]


def lablib(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, piped."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "lablib", *args],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )


def summary_of(capsys, *args: str) -> dict[str, object]:
    assert main(["run", "--json", *args]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return json.loads(out)


def test_a_run_prints_one_json_object_with_the_promised_keys(capsys):
    summary = summary_of(capsys, "--preset", "classroom", "--seed", "7", *BRIEF)
    assert set(summary) >= KEYS
    assert (summary["preset"], summary["seed"]) == ("classroom", 7)
    assert (summary["seconds"], summary["decisions"]) == (2.0, 40)


def test_the_same_seed_gives_the_same_digest_and_another_seed_another(capsys):
    first, again, other = (summary_of(capsys, "--seed", s, *BRIEF) for s in ("7", "7", "8"))
    assert first == again
    assert first["digest"] != other["digest"]


@pytest.mark.compiled
def test_plain_python_gives_the_digest_of_the_compiled_run(capsys):
    compiled = summary_of(capsys, "--preset", "stress", *BRIEF)
    plain = lablib("run", "--json", "--preset", "stress", *BRIEF, NUMBA_DISABLE_JIT="1")
    assert json.loads(plain.stdout) == compiled


def test_a_field_set_on_the_command_line_reaches_the_run(capsys):
    change = ["--set", "latency.order_entry_ms=20", "--set", "strategy.exit=close"]
    summary = summary_of(capsys, "--until", "20s", *change)
    assert summary["exchange_latency_p50_ms"] == pytest.approx(20, rel=0.01)


def test_a_run_tells_what_latency_did_unless_told_not_to(capsys):
    late = ["--set", "latency.order_entry_ms=60", "--set", "strategy.threshold=0.001"]
    told = summary_of(capsys, *late, "--until", "20s")
    prompt = summary_of(capsys, "--set", "strategy.threshold=0.001", "--until", "20s")
    assert told["pnl_without_latency"] == prompt["pnl"] > told["pnl"]
    assert "latency_cost" not in prompt  # nothing of ours is late there
    assert "latency_cost" not in summary_of(capsys, *late, "--no-twin", *BRIEF)
    assert main(["run", *late, "--until", "20s"]) == 0
    against = f"{-told['latency_cost']:+,.2f} against the run without latency"
    assert against in capsys.readouterr().out


def test_a_toml_file_may_start_from_a_preset_and_is_overruled_by_set(capsys, tmp_path):
    scenario = tmp_path / "mine.toml"
    scenario.write_text('preset = "stress"\n[risk]\ndaily_loss_cap_pct = 0.01\n')
    named = ["--set", "risk.daily_loss_cap_pct=0.01"]
    by_file = summary_of(capsys, "--config", str(scenario), *BRIEF)
    by_hand = summary_of(capsys, "--preset", "stress", *named, *BRIEF)
    overruled = summary_of(
        capsys, "--config", str(scenario), "--set", "risk.daily_loss_cap_pct=0.5", *BRIEF
    )
    assert by_file["config"] == str(scenario)
    assert by_file["digest"] == by_hand["digest"] != overruled["digest"]


REFUSED = {
    "an unknown section": (["--set", "latenzy.ack_ms=1"], "latenzy.ack_ms: no such field"),
    "an unknown field": (["--set", "latency.akk_ms=1"], "latency.akk_ms: no such field"),
    "not a number": (["--set", "strategy.threshold=NaN"], "strategy.threshold: "),
    "a negative latency": (["--set", "latency.order_entry_ms=-1"], "latency.order_entry_ms: "),
    "a negative threshold": (["--set", "strategy.threshold=-0.1"], "strategy.threshold: "),
    "text for a number": (["--set", "risk.max_gross_pct=lots"], "got 'lots'"),
    "a size of no lots": (["--set", "risk.max_position_pct=1e-9"], "rounds to 0"),
    "an unknown preset": (["--preset", "moon"], "no preset 'moon'; there are classroom, "),
    "a duration without sense": (["--until", "soon"], "duration 'soon'"),
    "a run backwards": (["--until=-1s"], "duration '-1s'"),
    "a negative seed": (["--seed", "-1"], "seed"),
    "a missing file": (["--config", "nowhere.toml"], "nowhere.toml: "),
    "half a market": (["--leader", "leader.gz"], "needs both files"),
    "missing recordings": (["--leader", "a.gz", "--follower", "b.gz"], "a.gz: "),
    "a recorded venue without data": (["--set", "venue.model=recorded"], "venue.model: "),
}


@pytest.mark.parametrize(("args", "said"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_clear_line_and_exit_code_2(args, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", *BRIEF, "--output", "out", *args]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lablib: error: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["fly"],
        ["run", "--set", "no-equals-sign"],
        ["run", "--seed", "pi"],
        ["run", "--preset", "colo", "--config", "mine.toml"],
        ["serve", "--port", "65536"],
        ["serve", "--max-runs", "0"],
        ["serve", "--market", "leader.gz,follower.gz"],
        ["serve", "--market", "../x=leader.gz,follower.gz"],
        ["serve", "--market", "one=leader.gz"],
    ],
    ids=" ".join,
)
def test_a_command_that_makes_no_sense_is_exit_code_2(args, capsys):
    with pytest.raises(SystemExit) as stop:
        main(args)
    assert stop.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_a_market_of_the_server_that_is_not_there_or_there_twice_is_named(capsys, tmp_path):
    leader = tmp_path / "leader.gz"
    leader.touch()
    missing = f"one={leader},{tmp_path / 'follower.gz'}"
    assert main(["serve", "--market", missing]) == 2
    assert f"one: no file {tmp_path / 'follower.gz'}" in capsys.readouterr().err
    assert main(["serve", "--market", missing, "--market", missing]) == 2
    assert "--market: one is named twice" in capsys.readouterr().err


def test_a_torn_toml_file_is_named(capsys, tmp_path):
    torn = tmp_path / "torn.toml"
    torn.write_text("[risk\n")
    assert main(["run", "--config", str(torn)]) == 2
    assert f"{torn}: " in capsys.readouterr().err


def test_output_is_a_record_of_the_run(capsys, tmp_path):
    folder = tmp_path / "runs" / "first"
    summary = summary_of(capsys, "--output", str(folder), *BRIEF)
    assert open_run(folder).digest == summary["digest"]
    assert [path.name for path in folder.parent.iterdir()] == ["first"]


def test_a_folder_that_holds_something_is_left_alone(capsys, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert main(["run", *BRIEF, "--output", str(tmp_path)]) == 2
    assert f"{tmp_path}: " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_halt_is_a_failure_only_where_asked_for(capsys):
    assert main(["run", *HALTING]) == 0
    assert "the kill switch latched once" in capsys.readouterr().out
    assert main(["run", *HALTING, "--fail-on-halt"]) == 1
    assert main(["run", *BRIEF, "--fail-on-halt"]) == 0


def test_the_demo_says_what_happened_what_latency_did_and_what_to_try_next(capsys):
    assert main(["demo", "--until", "20s"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("  20 s simulated: ")
    table = told.partition("travel longer:")[2]
    assert re.findall(r"^ +(\d+) ms ", table, re.M) == ["0", "30", "60", "120", "240"]
    assert "lablib serve" in told


def test_the_demo_counts_what_slower_orders_cost_on_the_same_market(capsys):
    assert main(["demo", "--until", "20s", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    first, *_ = result["latency_cost"]
    assert first == {
        "order_entry_ms": 0,
        **{name: result[name] for name in ("fills", "pnl", "halts")},
    }


@pytest.mark.parametrize("preset", ["flow", "crowded"])
def test_a_run_on_a_crowd_s_book_is_told_in_words_too(capsys, preset):
    assert main(["run", "--preset", preset, "--until", "500ms"]) == 0
    assert "recorded market" not in capsys.readouterr().out


def test_presets_are_listed_with_their_sources(capsys):
    assert main(["presets"]) == 0
    listing = capsys.readouterr().out
    assert all(name in listing and one.source in listing for name, one in SCENARIOS.items())
    assert main(["presets", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(SCENARIOS)


@pytest.mark.parametrize("name", ["demo", "run", "serve", "presets"])
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: lablib {name} [-h]")


def test_the_version_is_told_without_loading_the_engine():
    done = lablib("--version", PYTHONPROFILEIMPORTTIME="1")
    assert done.stdout.startswith("lablib ")
    assert "numpy" not in done.stderr


def test_nothing_but_the_result_goes_down_a_pipe():
    done = lablib("run", "--json", *BRIEF)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(json.loads(done.stdout)) >= KEYS


def on_a_terminal(*words: str) -> str:
    """What a command says beside its result, to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [sys.executable, "-P", "-m", "lablib", *words]
    seen = b""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs):
        os.close(theirs)
        with suppress(OSError):  # which is how Linux says that nobody writes any more
            while more := os.read(ours, 1 << 16):
                seen += more
    os.close(ours)
    return seen.decode()


def test_a_terminal_sees_a_progress_bar():
    assert "simulating:   0%|" in on_a_terminal("run", "--json", *BRIEF)


@pytest.mark.compiled
def test_the_bar_of_a_sweep_moves():
    over = [
        "--over",
        "latency.order_entry_ms=0:100:20",
        "--over",
        "strategy.threshold=0.001:0.005:20",
    ]
    seen = on_a_terminal("sweep", *over, "--seeds", "2", "--until", "1min", "--threads", "1")
    percents = [int(one) for one in re.findall(r"sweep: +(\d+)%\|", seen)]
    assert percents == sorted(percents)
    assert percents[0] == 0
    assert any(0 < one < 100 for one in percents)
    assert "cells/s" in seen


def test_a_reader_that_left_is_no_error():
    command = [sys.executable, "-P", "-m", "lablib", "presets"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.compiled
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_a_run_has_130_and_a_record_that_goes_on(tmp_path, sent, capsys):
    folder = tmp_path / "out"
    command = [
        sys.executable,
        "-P",
        "-m",
        "lablib",
        "run",
        "--until",
        "100d",
        "--output",
        str(folder),
    ]
    with subprocess.Popen(
        [*command, "--no-twin", "--set", "record.samples=false"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        while not folder.exists() or len((folder / "journal.jsonl").read_bytes().splitlines()) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(sent)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (130, b"", b"lablib: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    there = open_run(folder)
    later = there.last.t_ns / 1e9 + 10
    assert main(["resume", str(folder), "--until", f"{later}s", "--json"]) == 0
    digest = json.loads(capsys.readouterr().out)["digest"]
    config = {"record.samples": False}
    assert digest == run(config, seed=7, until=later).digest


def test_records_are_listed_replayed_and_exported(capsys, tmp_path):
    summary = summary_of(capsys, "--output", str(tmp_path / "one"), *BRIEF)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "run.json").write_text("{")
    assert main(["ls", str(tmp_path), "--json"]) == 0
    one, two = json.loads(capsys.readouterr().out)
    assert (one["name"], one["status"], one["digest"]) == ("one", "finished", summary["digest"])
    assert (two["name"], two["status"]) == ("two", "damaged")
    assert main(["ls", str(tmp_path)]) == 0
    assert "damaged" in capsys.readouterr().out
    record = str(tmp_path / "one")
    assert main(["replay", record, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == summary["digest"]
    assert main(["replay", record, "--output", str(tmp_path / "again")]) == 0
    assert open_run(tmp_path / "again").digest == summary["digest"]
    opened = open_run(record)
    opened.to_csv(tmp_path / "expected.csv")
    for name in ("replay.csv", "fills.jsonl", "orders.parquet"):
        table = "samples" if name == "replay.csv" else name.partition(".")[0]
        assert main(["export", record, str(tmp_path / name), "--table", table]) == 0
    assert (tmp_path / "replay.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
    lines = (tmp_path / "fills.jsonl").read_text().splitlines()
    assert [json.loads(line)["order_id"] for line in lines] == opened.fills["order_id"].tolist()
    capsys.readouterr()


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["replay", "{}/nowhere"], "no such folder"),
        (["resume", "{}"], "no record of a run"),
        (["export", "{}", "{}/x.xls"], "has to end in .csv, .parquet, .jsonl"),
        (["export", "{}", "{}/x.csv", "--table", "secrets"], "--table: one of samples"),
        (["ls", "{}/nowhere"], "no such folder"),
    ],
)
def test_a_bad_record_is_exit_code_2_and_one_line(capsys, tmp_path, args, why):
    assert main([arg.format(tmp_path) for arg in args]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lablib: error: ")
    assert why in error
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_recording_is_looked_through_before_a_run(capsys, tmp_path):
    venue = recording("coinm").write(tmp_path / "venue.gz")
    assert main(["data", str(venue), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["book"]["equal"] == told["book"]["comparisons"] > 0
    assert told["seconds"] > 0
    assert main(["data", str(venue)]) == 0
    assert "the rebuilt book shows" in capsys.readouterr().out
    assert main(["data", str(venue), str(venue)]) == 0  # a pair, if an odd one
    assert "the follower" in capsys.readouterr().out


def test_a_recording_with_a_bad_row_is_refused_or_looked_through_without_it(capsys, tmp_path):
    made = recording("coinm")
    made.lines[made.find("bookTicker", 9)] = "torn"
    venue = str(made.write(tmp_path / "venue.gz"))
    assert main(["data", venue]) == 2
    assert "line " in capsys.readouterr().err
    assert main(["data", venue, "--on-bad", "skip"]) == 0
    assert "left out of the follower: 1 × layout" in capsys.readouterr().out


@pytest.mark.compiled
def test_this_computer_is_measured(capsys):
    assert main(["bench", "--rounds", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["presets"]
    assert {row["preset"] for row in rows} <= set(SCENARIOS)
    assert all(row["events_per_s"] > row["decisions_per_s"] > 0 for row in rows)


@pytest.mark.compiled
def test_two_recordings_are_a_market_to_run_on(capsys, shared):
    folder = shared / "data" / "binance_ws"
    files = ["--leader", str(folder / "usdm" / "btcusdt_20240808.gz")]
    files += ["--follower", str(folder / "cm" / "btcusd_perp_20240808.gz")]
    eager = ["--set", "strategy.threshold=0.0001", "--until", "1min"]
    summary = summary_of(capsys, *files, *eager)
    assert summary["fills"] > 0
    assert summary["market"]["book"]["equal"] == summary["market"]["book"]["comparisons"]
    assert main(["run", *files, *eager]) == 0
    told = capsys.readouterr().out
    assert "the leader is ahead by" in told
    assert f"digest {summary['digest']}" in told
