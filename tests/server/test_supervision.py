"""What breaks: a run that cannot go on freezes and says why, and neither the others nor the server notice."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from itertools import pairwise

import pytest
from server.test_fanout import Wire

import lablib as lab
from lablib.recording.record import open_record
from lablib.server import gauges, news, shelf
from lablib.server.backoff import SHORTEST_S
from lablib.server.fanout import Hub, Viewer
from lablib.server.live_run import LimitError
from lablib.server.manager import Manager
from lablib.server.models import ResetRun, StartRun
from lablib.server.warm import exercise

pytestmark = pytest.mark.compiled

FREE = StartRun(speed="max", until="2000d", config={"record.samples": False})


def ended(run, seconds: float = 60.0):
    """The run, once it has."""
    deadline = time.monotonic() + seconds
    while not run.runner.ended or run.runner._thread.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return run


@pytest.fixture
def manager(tmp_path):
    manager = Manager(folder=tmp_path / "records", warm=exercise)
    yield manager
    manager.close()


def break_after(run, chunks: int, error: Exception) -> None:
    """Let the run's engine raise some chunks from now."""
    play, left = run.session.simulation.play, [chunks]

    def play_or_break(until_ns: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise error
        play(until_ns)

    run.session.simulation.play = play_or_break


def test_a_run_whose_engine_breaks_freezes_says_why_and_the_others_go_on(manager, caplog):
    hub, wire = Hub(manager), Wire()
    hub.viewers.add(Viewer(wire, "events"))
    broken = manager.create(StartRun(seed=7, speed="max", until="2000d", start=False))
    other = manager.create(StartRun(seed=8, speed="max", until="2h", start=False))
    break_after(broken, 5, AssertionError("a book is crossed"))
    for run in (broken, other):
        manager.act(run.id, "resume").result()
    ended(broken)
    asyncio.run(hub.tick())
    told = news.whole(broken)
    why = "AssertionError: a book is crossed"
    assert (told["state"], told["failure"], told["digest"]) == ("failed", why, None)
    assert (told["halted"], told["frame"]["halt_reason"]) == (True, "invariant")
    assert told["t_ns"] > 0

    messages = [one for one in wire.told() if one["run_id"] == broken.id]
    frames = [one for one in messages if one["event_type"] == "frame"]
    assert (frames[-1]["halted"], frames[-1]["t_ns"]) == (True, told["t_ns"])
    states = [one for one in messages if one["event_type"] == "state"]
    assert (states[-1]["state"], states[-1]["failure"]) == ("failed", why)

    record = open_record(broken.record)
    assert (record.status, record.ending.reason) == ("failed", why)
    assert record.now_ns == told["t_ns"]  # all that was told of is there
    assert record.table("samples").size == told["frame"]["decisions"]
    assert record.ending.digest == ""

    assert ended(other).runner.digest == lab.run(seed=8, until="2h").digest
    numbers = gauges.as_json(manager, hub)
    assert numbers["runs"] | {"failed": 1, "finished": 1} == numbers["runs"]
    assert "A run failed" in caplog.text
    assert "Traceback" in caplog.text  # in the log, and nowhere else
    assert "Traceback" not in json.dumps(told)


def test_rows_told_before_a_failure_are_told_once(manager):
    hub, wire = Hub(manager), Wire()
    hub.viewers.add(Viewer(wire, "fills"))
    late = {"latency.order_entry_ms": 300, "strategy.threshold": 0.001}
    asked = StartRun(seed=7, speed="max", until="2000d", config=late, start=False)
    run = manager.create(asked)
    break_after(run, 6, AssertionError("broken"))
    manager.act(run.id, "resume").result()
    ended(run)
    asyncio.run(hub.tick())
    told = wire.told()
    assert (
        sum(one["count"] for one in told) == told[-1]["total"] == run.session.frame.fill_count > 0
    )


def test_what_breaks_while_a_command_is_obeyed_fails_the_run_as_well(manager):
    run = manager.create(StartRun(seed=7, start=False))
    break_after(run, 0, RuntimeError("broken"))
    answer = manager.act(run.id, "step")
    assert isinstance(answer.exception(20), RuntimeError)
    assert (ended(run).state, run.failure) == ("failed", "RuntimeError: broken")
    assert open_record(run.record).status == "failed"


def test_a_disk_that_is_full_fails_the_run_that_writes_and_no_digest_is_claimed(tmp_path):
    manager = Manager(folder=tmp_path / "records", quota_bytes=200_000, warm=exercise)
    run = ended(manager.create(StartRun(seed=7, speed="max", until="2000d")))
    assert (run.state, run.runner.digest) == ("failed", None)
    assert run.failure.startswith(f"{run.id}: full: ")  # not where on this computer
    assert run.session.frame.halt_reason == "record"
    rows = open_record(run.record).table("samples")
    same = lab.run(seed=7, until="2h").samples[: rows.size]
    assert rows.tobytes() == same.tobytes()
    manager.close()


# --------------------------------------------------------------------------------------- the shelf
def records(manager) -> list[str]:
    return sorted(path.name for path in manager.folder.iterdir())


def short(manager, seed: int):
    """A run that has ended, with a record of a few hundred kB."""
    return ended(manager.create(StartRun(seed=seed, until="5min", speed="max")))


def weight(manager, run) -> int:
    return sum(path.stat().st_size for path in run.record.iterdir())


def test_records_beyond_the_budget_go_the_oldest_that_ended_first(manager):
    runs = [short(manager, seed) for seed in range(4)]
    one = weight(manager, runs[0])
    manager.shelf.budget_bytes = round(2.5 * one)
    manager.shelf.tidy()
    assert records(manager) == sorted(run.id for run in runs[2:])
    assert [run.id for run in manager] == [run.id for run in runs[2:]]  # none without its record
    assert manager.shelf.removed == 2
    assert manager.shelf.bytes == sum(weight(manager, run) for run in runs[2:])


def test_records_of_runs_that_nobody_can_ask_for_go_before_those_that_are_listed(manager):
    run = short(manager, 1)
    first = run.record
    manager.reset(run.id, ResetRun())  # its first record stays, and is nobody's now
    manager.act(run.id, "stop").result()
    ended(run)
    assert (run.record.name, records(manager)) == (f"{run.id}-2", [run.id, f"{run.id}-2"])
    (first / "run.json").touch()  # the newer one
    manager.shelf.budget_bytes = weight(manager, run) + 1
    manager.shelf.tidy()
    assert records(manager) == [f"{run.id}-2"]
    assert [one.id for one in manager] == [run.id]


def test_neither_a_run_under_way_nor_what_is_not_the_servers_ever_goes(manager):
    mine = manager.folder / "my-own-run"
    mine.mkdir(parents=True)
    (mine / "run.json").write_text("{}")
    running = manager.create(FREE)
    paused = manager.create(StartRun(seed=1, start=False))
    gone = short(manager, 2)
    manager.shelf.budget_bytes = 1
    manager.shelf.tidy()
    assert records(manager) == sorted([running.id, paused.id, "my-own-run"])
    assert gone.id not in [run.id for run in manager]
    manager.records_bytes = 1
    with pytest.raises(LimitError, match="room for 1; stop one first"):
        manager.create(FREE)
    assert manager.under_way == 2
    assert running.failure is None


def test_watching_the_records_begins_again_when_it_breaks_and_says_so(manager, monkeypatch):
    looks: dict[shelf.Shelf, list[float]] = defaultdict(
        list
    )  # others may be at work in this process

    def tidy(one: shelf.Shelf) -> int:
        looks[one].append(time.monotonic())
        raise OSError("gone")

    monkeypatch.setattr(shelf, "WATCH_S", 0.01)
    monkeypatch.setattr(shelf.Shelf, "tidy", tidy)
    begun = manager.shelf
    deadline = time.monotonic() + 60
    while len(looks[begun]) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    gaps = [after - before for before, after in pairwise(looks[begun][:4])]
    asked = [SHORTEST_S, 2 * SHORTEST_S, 4 * SHORTEST_S]  # or later: a busy machine wakes it late
    assert all(gap > 0.99 * least for gap, least in zip(gaps, asked, strict=True))
    assert gauges.as_json(manager, Hub(manager))["restarts_total"]["shelf"] >= 3
    assert begun is manager.shelf
