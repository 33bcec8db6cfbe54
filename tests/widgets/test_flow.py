"""Never more frames on the way than the page has shown it can take."""

from __future__ import annotations

import asyncio

import pytest

from lablib.widgets import flow as flows
from lablib.widgets.flow import IN_FLIGHT, TOUCHED, Flow
from lablib.widgets.loop import Loop
from lablib.widgets.playback import Playback


@pytest.fixture
def flow(wire):
    return Flow(lambda do: do())


def answer(flow, frame=None):
    """What the browser does: it copies the newest mark, or one of those before it."""
    text = flow._mark.value
    flow.answer.value = text.replace(f'"{flow.sent}"', f'"{frame}"') if frame else text


def test_a_mark_carries_its_number_and_the_time_it_was_made(flow, monkeypatch):
    monkeypatch.setattr(flows.time, "time", lambda: 1_234.5)
    flow.mark()
    assert flow._mark.value == '<span class="lrl-info" data-frame="1" data-t="1234500"></span>'


def test_a_page_answers_before_there_is_a_frame(flow):
    async def appear():
        assert not await flow.watched(0.01)
        answer(flow)
        assert await flow.watched(0.01)
        assert (flow.sent, flow.acknowledged) == (0, 0)

    asyncio.run(appear())


def test_frames_from_before_there_was_a_page_are_lost_and_keep_none_back(flow):
    first = flow._mark.value
    for _ in range(IN_FLIGHT):
        flow.mark()
    flow.answer.value = first
    assert flow.in_flight == 0
    flow.mark()
    flow.answer.value = f"{first} "  # it is told but once
    assert flow.in_flight == 1


def test_an_answer_counts_every_frame_up_to_it(flow):
    for _ in range(3):
        flow.mark()
    answer(flow, 2)
    assert (flow.in_flight, flow.acknowledged) == (1, 2)
    answer(flow)
    assert flow.in_flight == 0


@pytest.mark.parametrize(
    "text", ["", "7", 'data-frame="99"', 'data-frame="-1"', 'data-frame="' + "9" * 400, "<script>"]
)
def test_an_answer_that_cannot_be_is_ignored(flow, text):
    for _ in range(3):
        flow.mark()
    answer(flow, 2)
    flow.answer.value = text
    assert flow.acknowledged == 2


def test_an_answer_is_not_sent_back_to_where_it_came_from(flow):
    assert flow.answer.trait_metadata("value", "echo_update") is False


def test_there_is_room_until_the_frames_on_the_way_reach_the_limit(flow):
    async def play():
        for _ in range(IN_FLIGHT):
            assert await flow.room(0.01)
            flow.mark()
        assert not await flow.room(0.01)
        answer(flow, 1)
        assert await flow.room(0.01)

    asyncio.run(play())


def test_while_somebody_turns_a_knob_fewer_frames_are_on_the_way(flow, monkeypatch):
    flow.touch()
    assert flow.limit == IN_FLIGHT  # for the frame that answers
    flow.mark()
    assert flow.limit == TOUCHED < IN_FLIGHT
    later = flows.time.monotonic() + flows.TOUCH_S + 0.1
    monkeypatch.setattr(flows.time, "monotonic", lambda: later)
    assert flow.limit == IN_FLIGHT


def test_the_lag_is_what_passed_between_mark_and_answer(flow, monkeypatch):
    now = 100.0
    monkeypatch.setattr(flows.time, "monotonic", lambda: now)
    flow.mark()
    now = 100.25
    answer(flow)
    assert flow.lag_s == pytest.approx(0.25)
    assert "lag 250 ms" in flow.words
    assert flow.frames_per_s == pytest.approx(0.5)


def test_a_page_is_watched_from_its_first_answer_on(flow):
    async def look():
        assert not await flow.watched(0.01)
        flow.mark()
        asyncio.get_running_loop().call_later(0.02, answer, flow)
        assert await flow.watched(1.0)

    asyncio.run(look())


def playing(flow, *, turns, runs=lambda: True, failed=None):
    """A playback whose page answers every frame at once, for some turns."""
    seen = []

    async def play():
        done = asyncio.Event()

        def turn():
            if len(seen) == turns:
                done.set()
                return
            seen.append("turn")
            flow.mark()
            if turns > 0:
                answer(flow)

        def ended(unseen):
            seen.append(unseen)
            done.set()

        loop = Loop(failed or seen.append)
        playback = Playback(loop, flow, runs=runs, turn=turn, ended=ended)
        playback.start()
        playback.start()  # once is enough
        await asyncio.wait_for(done.wait(), 60)
        loop.cancel()

    asyncio.run(play())
    return seen


def test_turns_follow_each_other_as_long_as_the_page_answers(flow):
    assert playing(flow, turns=8) == ["turn"] * 8


def test_a_page_nobody_watches_stops_the_run(flow, monkeypatch):
    async def nobody(patience_s=0.0):
        return flow.in_flight < IN_FLIGHT

    monkeypatch.setattr(flow, "room", nobody)
    seen = playing(flow, turns=-1)
    assert seen == ["turn"] * IN_FLIGHT + [True]


def test_a_run_that_is_held_ends_its_playback(flow):
    left = iter([True, True, True, True, False])
    assert playing(flow, turns=9, runs=lambda: next(left, False)) == ["turn", "turn", False]


def test_an_error_in_a_turn_is_shown_and_told_to_the_loop(wire):
    told, shown = [], []

    async def play():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        loop = Loop(shown.append)

        async def breaks():
            raise ValueError("torn")

        with pytest.raises(ValueError, match="torn"):
            await loop.spawn(breaks())
        await asyncio.sleep(0)

    asyncio.run(play())
    assert [str(error) for error in shown] == ["torn"]
    assert told[0]["exception"] is shown[0]


def test_a_callback_from_another_thread_is_brought_to_the_loops_own():
    import threading

    threads = []

    async def listen():
        loop = Loop(lambda error: None)
        here = threading.get_ident()
        done = asyncio.Event()

        def heard():
            threads.append(threading.get_ident() == here)
            done.set()

        await loop.aside(loop.call, heard)
        await asyncio.wait_for(done.wait(), 60)

    asyncio.run(listen())
    assert threads == [True]
