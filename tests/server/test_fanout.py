"""Viewers by themselves: who is told what, and what becomes of one who does not read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import time
import tracemalloc
from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np
import pytest
from tornado.iostream import IOStream

import lablib as lab
from lablib.kernels import tables as t
from lablib.server import fanout, gauges, news
from lablib.server.backoff import LONGEST_S, SHORTEST_S, Backoff
from lablib.server.fanout import QUEUE, STALLED_S, TICK_S, Body, Hub, Parcel, Viewer, text_frame
from lablib.server.line import Line
from lablib.server.live_run import LimitError
from lablib.server.manager import Manager
from lablib.server.models import StartRun
from lablib.server.warm import exercise

LATE = {"latency.order_entry_ms": 300, "strategy.threshold": 0.001}  # loses


def texts(data: bytes) -> list[bytes]:
    """What whole frames say, one after the other."""
    told = []
    while data:
        length, head = data[1], 2
        if length >= 126:
            head = 4 if length == 126 else 10
            length = int.from_bytes(data[2:head], "big")
        told.append(data[head : head + length])
        assert len(told[-1]) == length
        data = data[head + length :]
    return told


class Wire:
    """A connection whose other side may stop reading."""

    def __init__(self) -> None:
        self.reads, self.closed = True, False
        self.frames: list[bytes] = []
        self._kept: Future[None] | None = None

    def write(self, data: bytes) -> Future[None]:
        self.frames.append(data)
        done: Future[None] = Future()
        if self.reads:
            done.set_result(None)
        else:
            self._kept = done
        return done

    def writing(self) -> bool:
        return self._kept is not None

    def close(self) -> None:
        self.closed = True

    def read_on(self) -> None:
        self.reads = True
        kept, self._kept = self._kept, None
        kept.set_result(None)

    def told(self) -> list[dict[str, object]]:
        return [json.loads(text) for text in texts(b"".join(self.frames))]


def body(number: int) -> Body:
    return Body(f'"number":{number}}}')


def one(number: int) -> Parcel:
    return Parcel([body(number)])


def test_a_viewer_who_reads_gets_everything_at_once():
    wire = Wire()
    viewer = Viewer(wire, "events")
    for number in range(3):
        viewer.offer(one(number))
    assert wire.told() == [{"dropped": 0, "number": number} for number in range(3)]
    assert (viewer.sent, viewer.dropped, viewer.stalled_s()) == (3, 0, 0.0)


def test_a_viewer_who_does_not_read_loses_the_oldest_and_is_told_how_many():
    wire = Wire()
    viewer = Viewer(wire, "events")
    wire.reads = False
    for number in range(1 + QUEUE + 5):
        viewer.offer(one(number))
    assert wire.told() == [{"dropped": 0, "number": 0}]  # one in the connection, the rest waits
    assert viewer.dropped == 5
    wire.read_on()
    viewer.offer(one(99))
    late = [{"dropped": 5, "number": number} for number in (*range(6, 6 + QUEUE), 99)]
    assert wire.told() == [{"dropped": 0, "number": 0}, *late]


def test_what_waits_for_a_stalled_viewer_is_bounded_however_long_it_stalls():
    wire = Wire()
    viewer = Viewer(wire, "events")
    wire.reads = False
    for number in range(10_000):
        viewer.offer(one(number))
    assert len(wire.frames) == 1
    assert len(viewer._waiting) == QUEUE
    assert viewer.dropped == 10_000 - 1 - QUEUE


def test_a_message_is_encoded_once_for_all_who_lost_nothing():
    message = body(1)
    assert message.frame(0) is message.frame(0)
    assert b'"dropped":3' in message.frame(3)


def test_what_one_tick_has_leaves_in_one_piece_and_what_waits_is_counted_by_message():
    wire = Wire()
    viewer = Viewer(wire, "events")
    viewer.offer(Parcel([body(0), body(1), body(2)]))
    assert len(wire.frames) == 1
    assert [told["number"] for told in wire.told()] == [0, 1, 2]
    wire.reads = False
    viewer.offer(one(3))
    viewer.offer(Parcel([body(number) for number in range(4, 4 + QUEUE + 2)]))
    assert viewer.dropped == 2
    wire.read_on()
    kept = [(told["number"], told["dropped"]) for told in wire.told()[4:]]
    assert kept == [(number, 2) for number in range(6, 4 + QUEUE + 2)]
    assert viewer.sent == 4 + QUEUE


def test_viewers_who_asked_for_the_same_get_the_same_bytes(monkeypatch):
    hub, wires = FakeHub(), [Wire() for _ in range(3)]
    for wire, channel in zip(wires, ("events", "events", "fills"), strict=True):
        hub.viewers.add(Viewer(wire, channel))
    told = [("fills", '"n":1}'), ("frame", '"n":2}')]
    run = SimpleNamespace(id="r")
    monkeypatch.setattr(hub, "manager", [run])
    hub._tellers["r"] = SimpleNamespace(news=lambda: told)
    asyncio.run(hub.tick())
    assert wires[0].frames[0] is wires[1].frames[0]
    assert [told["n"] for told in wires[0].told()] == [1, 2]
    assert [told["n"] for told in wires[2].told()] == [1]


def test_telling_many_leaves_room_for_others_in_between(monkeypatch):
    hub, told = FakeHub(), []
    hub.viewers |= {Viewer(Wire(), "events") for _ in range(200)}
    monkeypatch.setattr(hub, "manager", [SimpleNamespace(id="r")])
    hub._tellers["r"] = SimpleNamespace(news=lambda: [("frame", '"n":1}')])

    async def look() -> None:
        telling = asyncio.create_task(hub.tick())
        while not telling.done():
            told.append(sum(bool(viewer.sent) for viewer in hub.viewers))
            await asyncio.sleep(0)

    asyncio.run(look())
    assert hub.sent == 200
    assert np.diff([*told, 200]).max() <= 25


def test_who_leaves_while_others_are_told_is_told_no_more(monkeypatch):
    hub = FakeHub()
    hub.viewers |= {Viewer(Wire(), "events") for _ in range(200)}
    monkeypatch.setattr(hub, "manager", [SimpleNamespace(id="r")])
    hub._tellers["r"] = SimpleNamespace(news=lambda: [("frame", '"n":1}')])

    async def look() -> list[Viewer]:
        telling = asyncio.create_task(hub.tick())
        await asyncio.sleep(0)
        late = [viewer for viewer in hub.viewers if not viewer.sent]
        for viewer in late:
            hub.leave(viewer)
        await telling
        return late

    late = asyncio.run(look())
    assert late
    assert not any(viewer.sent for viewer in late)


def test_a_run_nobody_watches_costs_nothing_to_tell(monkeypatch):
    hub, asked = FakeHub(), []
    hub.viewers.add(Viewer(Wire(), "events", "seen"))
    monkeypatch.setattr(hub, "manager", [SimpleNamespace(id=name) for name in ("seen", "unseen")])
    for name in ("seen", "unseen"):
        hub._tellers[name] = SimpleNamespace(news=lambda name=name: asked.append(name) or [])
    asyncio.run(hub.tick())
    assert asked == ["seen"]


def test_rows_say_in_words_what_they_hold_and_null_what_is_not_a_number():
    table = np.zeros(
        2, [("status", np.int64), ("kind", np.int64), ("reason", np.int64), ("x", float)]
    )
    table["status"], table["x"] = [2, 3], [np.nan, 1.5]
    none = t.REASONS[0]
    assert news.rows(table) == [
        {"status": "resting", "kind": "limit", "reason": none, "x": None},
        {"status": "filled", "kind": "limit", "reason": none, "x": 1.5},
    ]


# ------------------------------------------------------------------------------- real connections
@pytest.fixture
def pair():
    """A line of the server and the other side's socket, which reads when it likes."""
    mine, other = socket.socketpair()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    made = {}

    async def make() -> None:
        made["stream"] = IOStream(mine)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(make())
    other.setblocking(False)
    yield loop, Line(made["stream"]), made["stream"], other
    made["stream"].close()
    other.close()
    loop.close()


def test_bytes_arrive_in_order_whether_the_system_takes_them_at_once_or_not(pair):
    loop, line, _stream, other = pair
    got = bytearray()

    async def talk() -> None:
        pending, sent = [], bytearray()
        for number in range(200):
            data = number.to_bytes(2, "big") * 3_000
            sent += data
            pending.append(line.write(data))
            if number % 3 == 0:
                with contextlib.suppress(BlockingIOError):
                    got.extend(other.recv(10_000))
        assert any(one is None for one in pending)
        assert any(one is not None for one in pending)
        while line.writing() or len(got) < len(sent):
            await asyncio.sleep(0)
            with contextlib.suppress(BlockingIOError):
                got.extend(other.recv(1 << 20))
        assert got == sent

    loop.run_until_complete(talk())


def test_a_viewer_that_never_reads_holds_no_more_than_a_parcel_and_its_queue(pair):
    loop, line, stream, _ = pair
    viewer = Viewer(line, "events")
    tracemalloc.start()

    async def talk() -> None:
        for number in range(2_000):  # 200 MB, if they were kept
            viewer.offer(Parcel([Body(f'"number":{number},"x":"{"x" * 100_000}"}}')]))
            await asyncio.sleep(0)

    loop.run_until_complete(talk())
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert viewer.dropped >= 2_000 - 20
    assert held < 3e6  # one in the connection, eight in the queue
    assert len(stream._write_buffer) <= 100_100


def test_one_who_has_left_is_no_news(pair):
    _loop, line, stream, other = pair
    viewer = Viewer(line, "events")
    other.close()
    for number in range(3):
        viewer.offer(one(number))
    stream.close()
    viewer.offer(one(4))
    assert viewer.sent <= 1


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_says_how_long_it_is(size):
    frame = text_frame(b"x" * size)
    assert frame[0] == 0x81
    length, head = frame[1], 2
    if length == 126:
        length, head = int.from_bytes(frame[2:4], "big"), 4
    elif length == 127:
        length, head = int.from_bytes(frame[2:10], "big"), 10
    assert (length, frame[head:]) == (size, b"x" * size)


class FakeHub(Hub):
    """A hub without runs."""

    def __init__(self, **options) -> None:
        super().__init__(Manager(), **options)


def test_a_stalled_viewer_is_cut_off_in_time_and_the_others_stay():
    now = [0.0]
    hub, wire, other = FakeHub(), Wire(), Wire()
    stalled = Viewer(wire, "events", clock=lambda: now[0])
    hub.viewers |= {stalled, Viewer(other, "events", clock=lambda: now[0])}
    wire.reads = False
    stalled.offer(one(0))
    now[0] = STALLED_S
    asyncio.run(hub.tick())
    assert not wire.closed
    now[0] = STALLED_S + TICK_S
    asyncio.run(hub.tick())
    assert (wire.closed, other.closed, len(hub.viewers), hub.aborted) == (True, False, 1, 1)
    assert hub.sent == 1  # what the one who left was sent still counts


def test_one_viewer_too_many_is_refused():
    hub = FakeHub(max_viewers=1)
    hub.make_room()
    hub.viewers.add(Viewer(Wire(), "events"))
    with pytest.raises(LimitError, match="1 are watching"):
        hub.make_room()
    assert hub.refused == 1


def test_telling_begins_again_when_it_breaks_and_says_so(monkeypatch, caplog):
    hub = FakeHub()
    ticks = []

    async def tick() -> None:
        ticks.append(len(ticks))
        if len(ticks) == 2:
            raise RuntimeError("broken")
        if len(ticks) == 4:
            hub.viewers.clear()

    monkeypatch.setattr(hub, "tick", tick)
    monkeypatch.setattr(fanout, "TICK_S", 0.001)

    async def watch() -> None:
        hub.join(Viewer(Wire(), "events"))
        await hub._task

    with caplog.at_level(logging.ERROR, "lablib"):
        asyncio.run(watch())
    assert (ticks, hub.backoff.restarts) == ([0, 1, 2, 3], 1)
    assert "begins again" in caplog.text


def test_telling_that_keeps_breaking_waits_longer_each_time_up_to_a_bound(monkeypatch):
    hub, waits = FakeHub(), []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 14:
            hub.viewers.clear()

    async def tick() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(hub, "tick", tick)
    monkeypatch.setattr(fanout.asyncio, "sleep", sleep)

    async def watch() -> None:
        hub.join(Viewer(Wire(), "events"))
        await hub._task

    asyncio.run(watch())
    assert waits == [min(SHORTEST_S * 2**k, LONGEST_S) for k in range(14)]
    assert waits[-1] == LONGEST_S
    told = gauges.as_json(hub.manager, hub)
    assert told["restarts_total"] == {"hub": 14, "shelf": 0}


def test_what_went_well_for_long_begins_again_at_once():
    now = [0.0]
    backoff = Backoff(1.0, 8.0, clock=lambda: now[0])
    waits = []
    for pause in (0, 0, 0, 15.9, 17):  # between one beginning and the next fault
        now[0] += pause
        waits.append(backoff.wait_s())
        now[0] += waits[-1]
    assert (waits, backoff.restarts) == ([1, 2, 4, 8, 1], 5)


@pytest.fixture
def manager():
    manager = Manager(warm=exercise)
    yield manager
    manager.close()


def played(manager: Manager, hub: Hub, **asked) -> dict[str, object]:
    """A run to its end, with a hub that ticks all the while."""
    run = manager.create(StartRun(seed=7, until="30min", speed="max", **asked))
    while run.runner.digest is None:
        assert run.runner.failure is None
        asyncio.run(hub.tick())
        time.sleep(0.002)  # a cold run compiles meanwhile
    asyncio.run(hub.tick())
    return {"digest": run.runner.digest, "run_id": run.id}


@pytest.mark.compiled
def test_a_stalled_viewer_does_not_change_a_run_and_one_who_reads_misses_no_number(manager):
    hub, stalled, reading = Hub(manager), Wire(), Wire()
    stalled.reads = False
    hub.viewers |= {Viewer(stalled, "events"), Viewer(reading, "events")}
    told = played(manager, hub)
    assert told["digest"] == lab.run(seed=7, until="30min").digest
    assert len(stalled.frames) == 1
    messages = reading.told()
    for kind in {message["event_type"] for message in messages}:
        numbers = [one["seq"] for one in messages if one["event_type"] == kind]
        assert numbers == list(range(1, len(numbers) + 1))
    last = [one for one in messages if one["event_type"] == "state"][-1]
    assert (last["state"], last["digest"]) == ("finished", told["digest"])


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("channel", "event_type"),
    [("orders", "orders"), ("fills", "fills"), ("risk", "risk"), ("latency", "latency")],
)
def test_a_filtered_channel_has_one_kind_of_message_and_its_counts_are_the_runs(
    manager, channel, event_type
):
    hub, wire, elsewhere = Hub(manager), Wire(), Wire()
    hub.viewers |= {Viewer(wire, channel), Viewer(elsewhere, channel, run_id="another")}
    config = {"risk.daily_loss_cap_pct": 5e-6, "risk.rearm_each_day": True, **LATE}
    played(manager, hub, config={**config, "risk.day_length": "5min"})
    messages = wire.told()
    assert {message["event_type"] for message in messages} == {event_type}
    assert elsewhere.frames == []
    run = lab.run({**config, "risk.day_length": "5min"}, seed=7, until="30min")
    told = {"orders": run.orders["status"] >= t.FILLED, "fills": run.fills, "risk": run.risk_events}
    if channel in told:
        count = np.count_nonzero(told[channel]) if channel == "orders" else told[channel].size
        assert sum(message["count"] for message in messages) == count > 0
        reasons = {row.get("reason") for row in messages[-1]["rows"]}
        assert channel != "risk" or reasons == {"daily_loss_cap"}
    else:
        assert messages[-1]["latency"]["count"] == run.last.latency.count


@pytest.mark.compiled
def test_runs_take_turns_so_that_none_starves_another(manager):
    asked = StartRun(speed="max", until="2000d", config={"record.samples": False})
    runs = [manager.create(asked) for _ in range(3)]
    deadline = time.monotonic() + 60
    while min(run.runner.chunks for run in runs) < 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    chunks = [run.runner.chunks for run in runs]
    assert min(chunks) >= 20
    assert max(chunks) < 2 * min(chunks) + 20
