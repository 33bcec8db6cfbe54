"""A run on disk comes back as the run it was, whatever happened to the process that wrote it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording.conftest import CONFIG, STEP_NS, STEPS, steered
from strategies import PLAIN

import lablib as lab
from lablib import ArchiveError, Session, SessionError, SimConfig
from lablib.commands import Command
from lablib.engine import TABLES, Simulation
from lablib.kernels import tables as t
from lablib.recording import recorder
from lablib.recording.folder import COMMANDS, JOURNAL, RUN, STATE, stream
from lablib.recording.journal import read_lines
from lablib.recording.record import open_record
from lablib.recording.recorder import Recorder, opening_of
from lablib.units import parse_duration

UNTIL = "300ms" if PLAIN else "10s"


def same_run(one, other):
    for name in (*TABLES, "commands"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name
    assert one.digest == other.digest
    assert one.summary() == other.summary()


def copy(path: Path, to: Path) -> Path:
    return Path(shutil.copytree(path, to, dirs_exist_ok=True))


def cut(path: Path, flush: int, torn: bytes = b"", *, checkpoint: bool = True) -> None:
    """Leave a finished record as a crash right after a flush would have left it."""
    lines = (path / JOURNAL).read_bytes().splitlines(keepends=True)
    (path / JOURNAL).write_bytes(b"".join(lines[: flush + 1]) + torn)
    marks = json.loads(lines[flush][9:])
    for name in TABLES:
        data = (path / stream(name)).read_bytes()
        (path / stream(name)).write_bytes(data[: marks["bytes"][name] + len(torn)])
    commands = (path / COMMANDS).read_bytes().splitlines(keepends=True)
    done = [line for line in commands if json.loads(line[9:])["t_ns"] <= marks["now_ns"]]
    (path / COMMANDS).write_bytes(b"".join(done) + torn)
    if not checkpoint:
        (path / STATE).unlink(missing_ok=True)
    about = json.loads((path / RUN).read_text())
    about |= {"status": "recording", "digest": "", "summary": None}
    (path / RUN).write_text(json.dumps(about))


# ---------------------------------------------------------------------------------------- there and back
@pytest.mark.parametrize("how", ["saved", "recorded"])
def test_a_run_comes_back_as_it_was(tmp_path, how):
    folder = tmp_path / "runs" / "first"
    done = lab.run(CONFIG, seed=7, until=UNTIL, record=folder if how == "recorded" else None)
    if how == "saved":
        done.save(folder)
    same_run(lab.open_run(folder), done)
    assert lab.replay(folder).verify() == done.digest
    assert os.listdir(tmp_path / "runs") == ["first"]


def test_a_session_steered_by_hand_replays_to_the_same_digest(kept):
    live = steered(None)
    live.look()
    opened = lab.open_run(kept)
    assert opened.digest == live.simulation.digest() == lab.replay(kept).verify()
    assert [c["kind"] for c in opened.commands] == ["set"] * 3 + ["halt", "release", "set", "set"]
    assert opened.origin.opening.seed == 7
    assert open_record(kept).status == "stopped"


def test_an_order_on_its_way_is_there_too(tmp_path):
    slow = CONFIG.replace({"latency.ack_ms": 60_000.0})
    done = lab.run(slow, seed=7, until=UNTIL, record=tmp_path / "slow")
    assert done.orders.size > 0
    assert (done.orders["filled_at"] == -1).all()
    same_run(lab.open_run(tmp_path / "slow"), done)


def test_a_table_on_disk_is_an_arrow_stream_anybody_can_read(kept):
    with pa.ipc.open_stream((kept / stream("fills")).read_bytes()) as reader:
        found = reader.read_all()
    fills = lab.open_run(kept).fills
    assert found.num_rows == fills.size > 0
    assert found.column("price_px").to_pylist() == fills["price_px"].tolist()


def test_a_strategy_of_ones_own_has_to_be_brought_along(tmp_path):
    def mine(seen, mine):
        return 1 if seen.external_px > mine.mid_ticks else -1

    def other(seen, mine):
        return -1 if seen.external_px > mine.mid_ticks else 1

    done = lab.run(seed=3, until="200ms", strategy=mine)
    done.save(tmp_path / "own")
    with pytest.raises(ArchiveError, match="strategy 'mine', whose code is not in the record"):
        lab.open_run(tmp_path / "own")
    with pytest.raises(ArchiveError, match="another source"):
        lab.open_run(tmp_path / "own", strategy=other)
    same_run(lab.open_run(tmp_path / "own", strategy=mine), done)
    assert lab.replay(tmp_path / "own", strategy=mine).verify() == done.digest


def test_a_fork_is_the_run_until_its_moment_and_another_after(kept):
    again = lab.replay(kept)
    at_ns = STEPS // 2 * STEP_NS
    whole, fork = again.run(), again.fork(at_ns / 1e9, {"latency.order_entry_ms": 90.0})
    for name in ("samples", "fills"):
        one, other = getattr(whole, name), getattr(fork, name)
        assert one[one["t_ns"] <= at_ns].tobytes() == other[other["t_ns"] <= at_ns].tobytes()
    assert fork.fills.tobytes() != whole.fills.tobytes() or PLAIN
    assert fork.config.latency.order_entry_ms == 90.0
    for changes, at, why in (({}, 0.1, "at least one"), ({"venue.fee_bps": 1.0}, "9h", "before")):
        with pytest.raises(lab.ConfigError, match=why):
            again.fork(at, changes)


# ------------------------------------------------------------------------------------ asked beforehand
LATE = Command(10**12, "set", "strategy.threshold", 0.001)


def test_a_command_beyond_the_end_is_asked_for_and_changes_nothing(tmp_path):
    done = lab.run(CONFIG, seed=7, until=UNTIL, commands=[LATE], record=tmp_path / "late")
    assert done.digest == lab.run(CONFIG, seed=7, until=UNTIL).digest
    done.save(tmp_path / "saved")
    for folder in (tmp_path / "late", tmp_path / "saved"):
        assert open_record(folder).commands == (LATE,)
        same_run(lab.open_run(folder), done)
        assert lab.replay(folder).verify() == done.digest
        with pytest.raises(lab.ConfigError, match=r"not before the run's end, [\d.]+ s"):
            lab.replay(folder).fork(UNTIL, {"latency.order_entry_ms": 20.0})


@pytest.mark.parametrize("late", [False, True], ids=["in it", "beyond its end"])
def test_what_was_asked_for_beforehand_is_not_done_before_its_time(tmp_path, monkeypatch, late):
    monkeypatch.setattr(recorder, "FLUSH_S", 0.0)
    until_ns = parse_duration(UNTIL)
    asked = Command(until_ns * 2 if late else until_ns * 3 // 4, "set", "latency.ack_ms", 9.0)
    path = tmp_path / "run"
    whole = lab.run(CONFIG, seed=7, until=UNTIL, commands=[asked], record=path)
    flushes = len(read_lines(path / JOURNAL)[0])
    for flush in (0, flushes // 4):
        shutil.rmtree(tmp_path / "cut", ignore_errors=True)
        broken = copy(path, tmp_path / "cut")
        cut(broken, flush, checkpoint=False)
        there = lab.open_run(broken)
        assert there.last.t_ns == open_record(broken).now_ns < asked.t_ns
        assert there.commands.size == 0
        same_run(lab.resume(broken), whole)
        same_run(lab.open_run(broken), whole)


def test_a_hand_takes_up_a_run_that_has_commands_to_come(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "FLUSH_S", 0.0)
    until_ns = parse_duration(UNTIL)
    asked = Command(until_ns * 3 // 4, "set", "latency.ack_ms", 9.0)
    path = tmp_path / "run"
    lab.run(CONFIG, seed=7, until=UNTIL, commands=[asked], record=path)
    cut(path, 50, checkpoint=False)
    session = Session.of_record(path)
    mine = session.set("venue.fee_bps", 3.0)
    session.start()
    session.advance(until_ns)
    assert session.state == "finished"
    assert open_record(path).commands == (mine, asked)
    assert lab.replay(path).verify() == session.simulation.digest()


# ------------------------------------------------------------------------------------------- crashes
@settings(max_examples=5 if PLAIN else 40, deadline=None)
@given(data=st.data(), torn=st.binary(max_size=40), checkpoint=st.booleans())
def test_a_record_cut_at_any_flush_opens_and_goes_on_to_the_same_bytes(
    kept, tmp_path_factory, data, torn, checkpoint
):
    path = copy(kept, tmp_path_factory.mktemp("cut") / "run")
    lines, _ = read_lines(path / JOURNAL)
    flush = data.draw(st.integers(0, len(lines) - 1))
    torn = torn.replace(b"\n", b"")
    cut(path, flush, torn, checkpoint=checkpoint)
    record = open_record(path)
    assert record.status == "interrupted"
    assert record.marks["rows"] == lines[flush]["rows"]
    there = lab.open_run(path)
    whole = lab.open_run(kept)
    assert there.last.t_ns == record.now_ns
    assert there.fills.tobytes() == whole.fills[: there.fills.size].tobytes()
    # The commands that had not been given yet are given again, by the same hand.
    session = Session.of_record(path)
    session.start()
    for command in open_record(kept).commands[len(record.commands) :]:
        session.advance(command.t_ns - 1 - session.simulation.now_ns)
        if command.kind == "set":
            session.set(command.field, command.value)
        else:
            getattr(session, command.kind)()
    session.advance(whole.last.t_ns - session.simulation.now_ns)
    session.stop()
    same_run(lab.open_run(path), whole)
    shutil.rmtree(path)


def test_a_checkpoint_saves_the_work_before_it(kept, tmp_path, monkeypatch):
    path = copy(kept, tmp_path / "run")
    played = []
    real = Simulation.play
    monkeypatch.setattr(
        Simulation, "play", lambda self, t_ns: (played.append(t_ns - self.now_ns), real(self, t_ns))
    )
    lab.open_run(path)
    assert sum(played) == 0
    (path / STATE).unlink()
    lab.open_run(path)
    assert sum(played) > STEPS * STEP_NS * 0.9


KILLED = """
import sys, lablib as lab
from lablib.recording import recorder
recorder.FLUSH_S, recorder.CHECKPOINT_S = 0.0, 0.05
print("go", flush=True)
lab.run({config!r}, seed=5, until="{until}", record=sys.argv[1])
"""


@pytest.mark.compiled
def test_a_killed_process_leaves_a_record_that_goes_on(tmp_path):
    config, until = CONFIG.model_dump(mode="json"), "400s"
    whole = lab.run(config, seed=5, until=until)
    for kill in range(3):
        path = tmp_path / str(kill)
        script = KILLED.format(config=config, until=until)
        with subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE
        ) as process:
            while not (path / STATE).exists():
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
        assert open_record(path).status == "interrupted"
        assert lab.open_run(path).last.t_ns < whole.last.t_ns
        assert lab.resume(path).digest == whole.digest
        same_run(lab.open_run(path), whole)


def test_a_record_that_has_ended_does_not_go_on(tmp_path):
    lab.run(CONFIG, seed=1, until="100ms", record=tmp_path / "run")
    with pytest.raises(ArchiveError, match="is finished"):
        lab.resume(tmp_path / "run")
    with pytest.raises(ArchiveError, match="is finished"):
        Session.of_record(tmp_path / "run")


def test_a_stopped_session_needs_an_end_to_go_on_to(kept, tmp_path):
    path = copy(kept, tmp_path / "run")
    with pytest.raises(lab.ConfigError, match="give one"):
        lab.resume(path)
    with pytest.raises(lab.ConfigError, match="behind"):
        lab.resume(path, until="1ms")
    longer = lab.resume(path, until=(STEPS + 5) * STEP_NS / 1e9)
    assert open_record(path).status in ("finished", "halted")
    assert longer.last.t_ns == (STEPS + 5) * STEP_NS
    assert lab.replay(path).verify() == longer.digest


def test_a_stopped_record_that_goes_on_reads_as_interrupted_if_that_is_killed(kept, tmp_path):
    path, until_ns = copy(kept, tmp_path / "run"), (STEPS + 5) * STEP_NS
    told = []

    def killed(share: float) -> None:
        told.append(lab.listing(path)[0]["status"])
        if share > 0.5:
            shutil.copytree(path, tmp_path / "killed")  # as a power failure would leave it
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.resume(path, until=until_ns / 1e9, progress=killed)
    assert set(told) == {"recording"}
    row = lab.listing(tmp_path / "killed")[0]
    assert (row["status"], row["digest"]) == ("interrupted", "")
    there = lab.open_run(tmp_path / "killed")
    assert there.digest == lab.open_run(kept).digest or there.last.t_ns > STEPS * STEP_NS
    whole = lab.resume(tmp_path / "killed")  # it knows where it was going
    assert whole.last.t_ns == until_ns
    assert lab.replay(tmp_path / "killed").verify() == whole.digest
    same_run(lab.resume(path), whole)


def test_only_one_may_write(tmp_path):
    session = Session(CONFIG, seed=7, record=tmp_path / "run")
    assert open_record(tmp_path / "run").status == "recording"
    with pytest.raises(ArchiveError, match="being written by another"):
        open_record(tmp_path / "run").recorder()
    session.close()
    assert open_record(tmp_path / "run").status == "interrupted"


# ------------------------------------------------------------------------------------------- damage
@pytest.mark.parametrize("name", [RUN, COMMANDS, JOURNAL, *map(stream, TABLES)])
def test_a_missing_file_is_named(kept, tmp_path, name):
    path = copy(kept, tmp_path / "run")
    (path / name).unlink()
    with pytest.raises(ArchiveError, match=f"{name}.*No such file"):
        lab.open_run(path)


@settings(max_examples=5 if PLAIN else 40, deadline=None)
@given(data=st.data())
def test_a_flipped_byte_is_told_or_harms_nothing(kept, tmp_path_factory, data):
    path = copy(kept, tmp_path_factory.mktemp("flip") / "run")
    name = data.draw(st.sampled_from([COMMANDS, JOURNAL, STATE, *map(stream, TABLES)]))
    content = bytearray((path / name).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    (path / name).write_bytes(content)
    whole = lab.open_run(kept)
    try:
        said, digest = "", lab.open_run(path).digest
    except ArchiveError as error:
        said, digest = str(error), ""
    # A damaged last line counts as torn: the record then ends before it, and says how far it goes.
    shorter = name in (COMMANDS, JOURNAL) and at > content.rstrip(b"\n").rfind(b"\n")
    assert str(path) in said or digest == whole.digest or shorter
    shutil.rmtree(path)


def test_a_table_that_was_cut_short_is_told(kept, tmp_path):
    path = copy(kept, tmp_path / "run")
    os.truncate(path / stream("fills"), (path / stream("fills")).stat().st_size - 1)
    with pytest.raises(ArchiveError, match=r"fills\.arrows: has [\d,]+ bytes, its journal counts"):
        open_record(path)


def test_a_record_of_another_engine_says_where_they_part(kept, tmp_path):
    path = copy(kept, tmp_path / "run")
    (path / STATE).unlink()
    about = json.loads((path / RUN).read_text())
    about["seed"] = 8
    (path / RUN).write_text(json.dumps(about))
    with pytest.raises(ArchiveError, match=r"row \d+ is not what the run gives again: .* was "):
        lab.open_run(path)
    with pytest.raises(ArchiveError, match=r"samples row \d+"):
        lab.replay(path).verify()


def test_what_is_no_record_is_refused(tmp_path):
    with pytest.raises(ArchiveError, match="no such folder"):
        lab.open_run(tmp_path / "nowhere")
    with pytest.raises(ArchiveError, match="no record of a run"):
        lab.open_run(tmp_path)
    (tmp_path / RUN).write_text('{"format": "other/9"}')
    with pytest.raises(ArchiveError, match="format is 'other/9'"):
        lab.open_run(tmp_path)
    (tmp_path / RUN).write_text("{")
    with pytest.raises(ArchiveError, match="damaged"):
        lab.open_run(tmp_path)


# ---------------------------------------------------------------------------------------- no room
def test_a_session_beyond_its_quota_fails_and_what_it_wrote_is_sound(tmp_path):
    session = Session(CONFIG, seed=7, record=tmp_path / "run", quota_bytes=12_000)
    session.start()

    def play_on():
        while True:
            session.advance(STEP_NS)
            session.pause()  # flushes
            session.resume()

    with pytest.raises(SessionError, match=r"full: [\d,]+ bytes, its quota is 12,000"):
        play_on()
    assert session.state == "failed"
    assert session.frame.halted
    assert session.frame.halt_reason == "record"
    for act in (session.start, session.halt, session.stop, lambda: session.advance(1)):
        with pytest.raises(SessionError, match="failed"):
            act()
    record = open_record(tmp_path / "run")
    assert record.status == "failed"
    assert "quota" in record.ending.reason
    assert lab.open_run(tmp_path / "run").samples.size > 0


FULL = """
import resource, sys, lablib as lab
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
session = lab.Session({config!r}, seed=7, record=sys.argv[1])
session.start()
try:
    while True:
        session.advance(100_000_000)
        session.recorder.flush() if session.state == "running" else None
except lab.LabError as error:
    print(error)
print(session.state)
"""


def test_a_full_disk_ends_the_run_and_what_was_written_is_sound(tmp_path):
    script = FULL.format(config=CONFIG.model_dump(mode="json"))
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "run")], capture_output=True, text=True
    )
    assert "File too large" in done.stdout, done.stderr
    record = open_record(tmp_path / "run")
    assert record.marks["rows"]["samples"] > 0
    there = lab.open_run(tmp_path / "run")
    assert there.samples.size >= record.marks["rows"]["samples"]


def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "run", Path("/proc/lablib/run")):
        with pytest.raises(ArchiveError, match=str(path)):
            lab.run(until="100ms", record=path)
    assert os.listdir(tmp_path) == ["file"]


# ---------------------------------------------------------------------------------------- the session
def test_a_recorded_session_that_begins_again_has_another_record(tmp_path):
    session = Session(CONFIG, seed=7, record=tmp_path / "run")
    session.reset(seed=8)  # nothing had happened yet
    assert os.listdir(tmp_path) == ["run"]
    session.start()
    session.advance(STEP_NS)
    session.reset(seed=9)
    session.start()
    session.advance(2 * STEP_NS)
    session.stop()
    seeds = {path.name: open_record(path).opening.seed for path in tmp_path.iterdir()}
    assert seeds == {"run": 8, "run-2": 9}
    for path in tmp_path.iterdir():
        assert open_record(path).status == "stopped"
        assert lab.replay(path).verify()


def test_whoever_listens_hears_of_every_frame(tmp_path):
    heard = []
    session = Session(CONFIG, seed=7, record=tmp_path / "run")
    session.on_frame = heard.append
    session.start()
    for _ in range(3):
        session.advance(STEP_NS)
    session.stop()
    samples = np.concatenate([frame.samples for frame in heard])
    assert samples.tobytes() == lab.open_run(tmp_path / "run").samples.tobytes()


def test_a_session_with_an_end_finishes_there(tmp_path):
    session = Session(CONFIG, seed=7, until=UNTIL, record=tmp_path / "run")
    session.start()
    session.advance(10**15)
    assert session.state == "finished"
    assert session.frame.t_ns == lab.run(CONFIG, seed=7, until=UNTIL).last.t_ns
    same_run(lab.open_run(tmp_path / "run"), lab.run(CONFIG, seed=7, until=UNTIL))


def test_looking_takes_no_row_from_the_record(tmp_path):
    session = Session(CONFIG, seed=7, record=tmp_path / "run")
    session.start()
    for _ in range(3):
        session.advance(STEP_NS)
        session.set("venue.fee_bps", 3.0)
        session.look()
    session.stop()
    assert lab.replay(tmp_path / "run").verify()


def test_the_commands_of_a_run_keep_values_of_any_length(tmp_path):
    model = {"model": "lognormal", "median_ms": 8.123456789, "sigma": 0.5, "shift_ms": 1.23456789}
    done = lab.run(until="100ms", commands=[Command(5, "set", "latency.ack_ms", model)])
    assert json.loads(done.commands["value"][0])["median_ms"] == 8.123456789
    done.save(tmp_path / "run")
    assert lab.replay(tmp_path / "run").verify() == done.digest


def test_a_recorder_closed_by_a_failing_writer_can_be_taken_up(tmp_path):
    simulation = Simulation(CONFIG, seed=7)
    recorder = Recorder.create(tmp_path / "run", opening_of(simulation, t.NS_PER_S))
    recorder.leave()
    fresh = lab.resume(tmp_path / "run")
    assert fresh.digest == lab.run(CONFIG, seed=7, until="1s").digest
    assert SimConfig.model_validate(fresh.origin.opening.config) == CONFIG
    assert np.all(np.diff(fresh.samples["t_ns"]) > 0)
