"""Sweeps: one table whoever computes it, whatever interrupts it, whichever cell fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from lablib.errors import ArchiveError, ConfigError, LabError
from lablib.experiments.cell import cell
from lablib.experiments.crew import gather
from lablib.experiments.sweep import Sweep, sweep
from lablib.run import run

ENTRY, THRESHOLD = "latency.order_entry_ms", "strategy.threshold"
BASE = {"external.volatility_bps": 80}
GRID = {ENTRY: [0, 40, 80], THRESHOLD: [0.001, 0.003]}
BRIEF = {"seeds": 3, "until": "2s"}


def swept(**changes) -> Sweep:
    return sweep(BASE, GRID, **{**BRIEF, **changes})


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    return swept(executor=1).table


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


# ------------------------------------------------------------------------------------------ the table
def test_a_row_is_what_its_runs_say(table):
    row = table[3]
    runs = [
        run({**BASE, ENTRY: row[ENTRY], THRESHOLD: row[THRESHOLD]}, seed=k, until="2s")
        for k in range(3)
    ]
    pnl = np.array([one.summary()["pnl"] for one in runs])
    assert row["pnl_mean"] == pytest.approx(pnl.mean(), abs=1e-9)
    assert row["pnl_se"] == pytest.approx(pnl.std(ddof=1) / 3**0.5)
    assert row["fills_mean"] == np.mean([one.last.fill_count for one in runs])
    assert (row["runs"], row["error"], row["halt_share"]) == (3, "", 0)


def test_the_table_is_tidy(table):
    assert table["cell"].tolist() == list(range(6))
    assert table[ENTRY].tolist() == [0, 0, 40, 40, 80, 80]
    assert table[THRESHOLD].tolist() == [0.001, 0.003] * 3
    with pytest.raises(ValueError, match="read-only"):
        table["pnl_mean"][0] = 1


@pytest.mark.compiled
def test_settings_that_are_no_numbers_stand_as_text():
    law = {"model": "constant", "ms": 5}
    result = sweep(
        BASE, {"strategy.exit": ["close", "never"], ENTRY: [3, law]}, seeds=1, until="1s"
    )
    assert result.table["strategy.exit"].tolist() == ["close", "close", "never", "never"]
    assert json.loads(result.table[ENTRY][1])["ms"] == 5
    assert np.isnan(result.table["pnl_se"]).all()


# ---------------------------------------------------------------------------------------- who computes
@pytest.mark.compiled
def test_threads_give_the_table_of_one(table):
    with ThreadPoolExecutor(3) as pool:
        assert same(swept(executor=pool).table, table)
    assert same(swept(executor=2).table, table)
    assert same(swept().table, table)


@pytest.mark.compiled
def test_processes_give_the_table_of_threads(table):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert same(swept(executor=pool).table, table)


@pytest.mark.slow
@pytest.mark.compiled
def test_a_dask_cluster_gives_the_table_of_threads_also_when_a_worker_is_killed(table, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            2, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert same(swept(executor=client).table, table)

        def kill(row):
            if not killed:
                killed.append(next(iter(client.run(os.getpid).values())))
                os.kill(killed[0], signal.SIGKILL)

        killed: list[int] = []
        wide = {ENTRY: list(range(60))}
        lame = sweep(BASE, wide, seeds=3, until="1min", executor=client, on_result=kill)
        assert killed
        assert same(lame.table, sweep(BASE, wide, seeds=3, until="1min").table)


def test_an_executor_that_is_none_is_refused():
    for nonsense in ("threads", 0, True, object()):
        with pytest.raises(ConfigError, match="executor: give"):
            swept(executor=nonsense)


def _die(*arguments, stopped=None):
    os._exit(1)


@pytest.mark.compiled
def test_a_pool_that_breaks_is_said():
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(LabError, match="executor: it broke"),
    ):
        list(gather(_die, [(0, ())], pool))


# ------------------------------------------------------------------------------------------- failures
def test_a_cell_that_fails_is_a_row_with_its_error():
    values = {"venue.model": ["delayed_copy", "makers"], "venue.half_spread_ticks": [0, 1]}
    result = sweep(BASE, values, **BRIEF)
    assert result.complete
    errors = result.table["error"].tolist()
    assert [bool(error) for error in errors] == [False, False, True, False]
    assert "venue.half_spread_ticks: 0" in errors[2]
    assert np.isnan(result.table["pnl_mean"][2])
    assert result.table["runs"].tolist() == [3, 3, 0, 3]
    assert "1 failed" in str(result)


def _stumble(k, stopped=None):
    if k == 1:
        raise RuntimeError("as a strategy of one's own may")
    return k


def test_what_a_worker_raises_is_its_result():
    results = dict(gather(_stumble, ((k, (k,)) for k in range(3)), 2))
    assert (results[0], results[2]) == (0, 2)
    assert isinstance(results[1], RuntimeError)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"design": "sobol"}, "design: one of grid, latin, random, got 'sobol'"),
        ({"n": 5}, "n: a grid has as many cells"),
        ({"design": "latin"}, "n: design 'latin' needs a number"),
        ({"seeds": 5_000_000}, "6 cells × 5,000,000 seeds"),
        ({"until": "soon"}, "duration 'soon'"),
    ],
)
def test_a_bad_sweep_is_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        swept(**changes)


# ------------------------------------------------------------------------------------ results as they come
def test_rows_come_one_by_one_and_progress_is_told():
    rows, told = [], []
    result = swept(on_result=rows.append, progress=lambda *words: told.append(words))
    assert told == [(k, 6) for k in range(7)]
    assert sorted(row["cell"] for row in rows) == list(range(6))
    for row in rows:
        assert row["pnl_mean"] == result.table["pnl_mean"][row["cell"]]


def test_tasks_do_not_pile_up():
    taken, done = [], []

    def jobs():
        for k in range(100):
            taken.append(k)
            assert len(taken) - len(done) <= 8
            yield k, (k + 10,)

    for index, _ in gather(_stumble, jobs(), 2):
        done.append(index)
    assert sorted(done) == list(range(100))


def test_a_cancelled_sweep_keeps_what_is_done(table):
    done = []
    result = swept(executor=1, cancelled=lambda: len(done) == 2, on_result=done.append)
    assert not result.complete
    assert len(result) == 2
    assert same(result.table, table[result.table["cell"]])


def test_a_cell_that_is_not_wanted_any_more_gives_up():
    stop = threading.Event()
    stop.set()
    assert cell({}, {}, [1], 10**12, stopped=stop.is_set) is None


# ---------------------------------------------------------------------------------------------- resume
def test_a_resumed_sweep_gives_the_undisturbed_table(table, tmp_path):
    path, done = tmp_path / "sweep.jsonl", []
    first = swept(executor=1, resume=path, cancelled=lambda: len(done) == 3, on_result=done.append)
    assert len(first) == 3
    with path.open("ab") as torn:
        torn.write(b'{"cell":5,"pnl":[1.2')
    again = []
    assert same(swept(resume=path, on_result=again.append).table, table)
    assert len(again) == 3
    assert same(
        swept(resume=path, on_result=lambda row: pytest.fail("nothing is left")).table, table
    )


@pytest.mark.compiled
def test_a_file_of_another_sweep_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "sweep.jsonl"
    swept(resume=path)
    before = path.read_bytes()
    for changes, words in (
        ({"seeds": 4}, "the length of seeds is 3 there and 4 here"),
        ({"until": "3s"}, "until_ns is 2000000000 there and 3000000000 here"),
    ):
        with pytest.raises(ArchiveError, match=words):
            swept(resume=path, **changes)
    with pytest.raises(ArchiveError, match=r"config.venue.fee_bps is 2.0 there and 1.0 here"):
        sweep({**BASE, "venue.fee_bps": 1}, GRID, resume=path, **BRIEF)
    with pytest.raises(ArchiveError, match=r"the length of design\.fields is 2 there"):
        sweep(BASE, {ENTRY: [1, 2]}, resume=path, **BRIEF)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["t,external_px\n1,2\n", "{}\n", "no line at all", "[1]\n"])
def test_a_file_that_is_no_sweep_is_refused_and_not_touched(content, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(ArchiveError, match="is no sweep's file; nothing was written"):
        swept(resume=path)
    assert path.read_text() == content


@pytest.mark.compiled
def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "sweep.jsonl"
    swept(resume=path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], "{damaged\n", *lines[4:]]))
    with pytest.raises(ArchiveError, match="line 4 is damaged"):
        swept(resume=path)


def test_a_file_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(ArchiveError, match="No such file or directory"):
        swept(resume=tmp_path / "nowhere" / "sweep.jsonl")


@pytest.mark.slow
@pytest.mark.compiled
def test_ctrl_c_leaves_a_file_that_completes_to_the_identical_table(tmp_path):
    path, values = tmp_path / "sweep.jsonl", ["--over", f"{ENTRY}=0:59:60", "--seeds", "4"]
    command = [sys.executable, "-m", "lablib", "sweep", *values, "--until", "10min"]
    with subprocess.Popen([*command, "--resume", str(path)], stderr=subprocess.PIPE) as process:
        while not path.exists() or path.read_bytes().count(b"\n") < 6:
            time.sleep(0.02)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=20)
    assert process.returncode == 130, words
    assert str(path).encode() in words
    kept = path.read_bytes().count(b"\n") - 1
    assert 5 <= kept < 60
    options = {"seeds": range(7, 11), "until": "10min"}
    grid = {ENTRY: [float(k) for k in range(60)]}
    resumed = sweep("classroom", grid, resume=path, **options)
    assert same(resumed.table, sweep("classroom", grid, **options).table)


# ---------------------------------------------------------------------------------------------- files
@pytest.mark.compiled
def test_a_table_is_written_as_what_its_name_ends_in(tmp_path):
    import pandas as pd

    result = swept()
    for suffix in ("csv", "parquet", "jsonl"):
        result.save(tmp_path / f"table.{suffix}")
    expected = result.to_pandas()
    text = pd.read_csv(tmp_path / "table.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(text, expected, check_dtype=False)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), expected)
    lines = [json.loads(line) for line in (tmp_path / "table.jsonl").read_text().splitlines()]
    assert [line["pnl_mean"] for line in lines] == result.table["pnl_mean"].tolist()
    with pytest.raises(ConfigError, match=r"has to end in .csv, .parquet, .jsonl"):
        result.save(tmp_path / "table.xlsx")
    with pytest.raises(ArchiveError, match="nowhere"):
        result.save(tmp_path / "nowhere" / "table.csv")


@pytest.mark.compiled
def test_a_random_design_runs_like_a_grid():
    result = sweep(BASE, {ENTRY: (0, 50), THRESHOLD: (0.001, 0.002)}, design="latin", n=4, **BRIEF)
    assert result.complete
    assert len(set(result.table[ENTRY].tolist())) == 4


@pytest.mark.compiled
def test_a_strategy_of_ones_own_and_a_preset_can_be_swept():
    def buyer(seen, mine):
        return 1

    result = sweep("classroom", {ENTRY: [0, 50]}, strategy=buyer, **BRIEF)
    assert (result.table["fills_mean"] > 0).all()
