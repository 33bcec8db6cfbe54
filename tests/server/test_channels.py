"""The WebSockets of both shells, over real connections."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from server.shells import LIMITS
from websocket import WebSocketBadStatusException, WebSocketConnectionClosedException

import lablib as lab

pytestmark = pytest.mark.compiled


def until(socket, wanted, most=400):
    """Messages up to the first that is wanted."""
    messages = []
    for _ in range(most):
        messages.append(json.loads(socket.recv()))
        if wanted(messages[-1]):
            return messages
    raise AssertionError(f"not among {most} messages: {messages[-1]}")


def test_events_tell_a_run_from_its_first_state_to_its_last(shell):
    run = shell.start(seed=7, speed=50.0, config={"strategy.threshold": 0.001})
    socket = shell.watch("events", f"?run_id={run}")
    told = until(socket, lambda one: one["event_type"] == "fills")
    assert {"event_type", "run_id", "begun", "seq", "dropped"} <= set(told[0])
    assert {one["run_id"] for one in told} == {run}
    assert [one["event_type"] for one in told[:2]] == ["state", "frame"]
    assert told[0]["state"] == "running"
    shell.act(run, "pause")
    shell.act(run, "halt")
    shell.act(run, "stop")
    told = until(socket, lambda one: one.get("state") == "finished" and one["digest"])
    kinds = {one["event_type"] for one in told}
    assert {"command", "state", "frame"} <= kinds
    assert [one["kind"] for one in told if one["event_type"] == "command"] == ["halt"]
    assert {one["dropped"] for one in told} == {0}
    socket.close()


def test_a_frame_is_what_the_state_says(shell):
    run = shell.start(start=False)
    shell.act(run, "step")
    socket = shell.watch("events", f"?run_id={run}")
    frame = until(socket, lambda one: one["event_type"] == "frame")[-1]
    state = shell.api("state").json
    assert {name: frame[name] for name in state["frame"]} == state["frame"]
    socket.close()


@pytest.mark.parametrize("channel", ["orders", "fills", "risk", "latency"])
def test_a_filtered_channel_tells_of_one_thing(shell, channel):
    late = {"latency.order_entry_ms": 300, "strategy.threshold": 0.001}
    config = {**late, "risk.daily_loss_cap_pct": 5e-6}
    socket = shell.watch(channel)
    run = shell.start(config=config, seed=7, speed=1000.0)
    told = until(socket, lambda one: one["run_id"] == run)
    assert {one["event_type"] for one in told} == {channel}
    socket.close()


def test_a_viewer_that_never_reads_changes_neither_a_run_nor_what_others_see(shell):
    stalled = [shell.watch("events") for _ in range(3)]
    reading = shell.watch("events")
    run = shell.start(seed=7, speed="max", until="3h")
    mine = until(reading, lambda one: one["run_id"] == run and one.get("digest"), most=4_000)
    assert mine[-1]["digest"] == lab.run(seed=7, until="3h").digest
    assert {one["dropped"] for one in mine} == {0}
    assert len(stalled) == 3


def test_a_tab_that_closes_is_taken_off_the_list(shell):
    sockets = [shell.watch("events") for _ in range(4)]
    assert viewers(shell) == 4
    for socket in sockets:
        socket.close()
    deadline = time.monotonic() + 60
    while viewers(shell):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_viewer_too_many_is_refused(shell):
    sockets = [shell.watch("events") for _ in range(LIMITS["max_viewers"] - viewers(shell))]
    with pytest.raises(WebSocketBadStatusException) as refused:
        shell.watch("events")
    assert refused.value.status_code == 429
    for socket in sockets:
        socket.close()


def test_what_a_viewer_says_is_not_listened_to_and_a_speech_ends_the_connection(shell):
    socket = shell.watch("events")
    run = shell.start(start=False)
    socket.send('{"verb": "stop"}')
    until(socket, lambda one: one["run_id"] == run)
    assert shell.api(f"runs/{run}").json["state"] == "created"
    socket.send("x" * 100_000)
    with suppress(ConnectionError, WebSocketConnectionClosedException):
        for _ in range(400):
            if socket.recv() == "":  # a farewell
                return
        raise AssertionError("it is still told")


def viewers(shell) -> int:
    return shell.api("metrics").json["viewers"]
