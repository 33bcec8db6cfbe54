"""Simulated time by the wall clock, within what the engine can do in a frame."""

from __future__ import annotations

import math

import pytest

from lablib.kernels import tables as t
from lablib.widgets.tempo import COMPUTE_S, ON_CHART_S, SPANS, Tempo
from lablib.widgets.view import View


class Clock:
    """Time that passes when told to."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tempo(clock):
    return Tempo(clock)


def turn(tempo, clock, every_s=0.05, compute_s=0.001):
    clock.now += every_s - compute_s
    with tempo.computing() as due_ns:
        clock.now += compute_s
    return due_ns / t.NS_PER_S


def test_simulated_time_follows_the_wall_clock_times_the_speed(tempo, clock):
    tempo.choose("speed", 10.0)
    assert sum(turn(tempo, clock) for _ in range(40)) == pytest.approx(20.0, rel=0.03)


def test_time_lost_in_a_pause_is_not_made_up_for(tempo, clock):
    turn(tempo, clock)
    clock.now += 60
    tempo.restart()
    assert turn(tempo, clock) < 0.1


def test_as_fast_as_possible_settles_where_the_engine_fills_its_share_of_a_frame(tempo, clock):
    tempo.choose("speed", math.inf)
    able = 5_000.0  # simulated seconds the engine manages in a second
    for _ in range(60):
        clock.now += 0.01
        with tempo.computing() as due_ns:
            clock.now += due_ns / t.NS_PER_S / able
    assert due_ns / t.NS_PER_S == pytest.approx(able * COMPUTE_S, rel=0.1)
    assert "real time" in tempo.words


def test_a_speed_beyond_the_engine_is_cut_to_its_share_and_said(tempo, clock):
    tempo.choose("speed", 3_600.0)
    for _ in range(80):
        clock.now += 0.02
        with tempo.computing() as due_ns:
            clock.now += due_ns / t.NS_PER_S / 100.0
        assert due_ns / t.NS_PER_S / 100.0 < 2 * 0.25 * 36
    assert due_ns / t.NS_PER_S == pytest.approx(100 * COMPUTE_S, rel=0.2)
    assert "of 3,600 ×" in tempo.words


@pytest.mark.parametrize(("speed", "window"), [(0.1, 3), (1.0, 30), (10.0, 360), (600.0, 21_600)])
def test_the_window_fits_the_speed(tempo, clock, speed, window):
    view = View(frame=None)
    tempo.choose("speed", speed)
    tempo.fit(_at(view, 1e6))
    assert view.window_s == window
    assert window in SPANS
    assert window >= ON_CHART_S * speed


def test_a_young_run_gets_a_window_it_can_fill(tempo, clock):
    view = View()
    tempo.choose("speed", 600.0)
    seen = []
    for now in (1, 31, 100, 500, 5_000, 1e6):
        tempo.fit(_at(view, now))
        seen.append(view.window_s)
    assert seen == [30, 60, 180, 900, 10_800, 21_600]


def test_a_window_chosen_by_hand_stays(tempo, clock):
    view = View()
    tempo.choose("window", 900.0)
    tempo.choose("speed", 60.0)
    tempo.fit(_at(view, 10))
    assert view.window_s == 900
    tempo.choose("window", 0.0)
    tempo.fit(_at(view, 1e6))
    assert view.window_s == 1_800


def _at(view, now_s):
    from widgets.frames import frame

    view.frame = frame(now_s)
    return view
