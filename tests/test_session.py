"""A run's life, and its pace by the wall clock."""

from __future__ import annotations

import numpy as np
import pytest

from lablib import ConfigError, Pace, Session, SessionError, SimConfig, Simulation, run
from lablib.kernels import tables as t

MS = t.NS_PER_MS
CALLS = {
    "start": lambda session: session.start(),
    "pause": lambda session: session.pause(),
    "resume": lambda session: session.resume(),
    "advance": lambda session: session.advance(50 * MS),
    "step": lambda session: session.step(),
    "set": lambda session: session.set("venue.fee_bps", 3.0),
    "halt": lambda session: session.halt(),
    "release": lambda session: session.release(),
    "reset": lambda session: session.reset(),
}


class Short:
    """A recorded market of 200 ms."""

    tick_size, lot_size, start_px, sha256 = 0.01, 0.001, 100.0, "short"
    duration_ns = 200 * MS
    events = np.array(
        [
            (0, t.LEVEL, t.BUY, 9_999, 10**6, 0.0),
            (0, t.LEVEL, t.SELL, 10_001, 10**6, 0.0),
            (0, t.SETTLED, 0, 0, 0, 0.0),
            (200 * MS, t.EXTERNAL, 0, 1, 1, 10_000.0),
            (t.FAR, t.END, 0, 0, 0, 0.0),
        ],
        t.TAPE_EVENT,
    )


def in_life(state: str) -> Session:
    """A session in one of its states."""
    session = Session(seed=7, market=Short() if state == "finished" else None)
    if state == "created":
        return session
    session.start()
    if state == "paused":
        session.pause()
    elif state == "finished":
        session.advance(1_000 * MS)
    elif state == "halted":
        session.halt()
        session.advance(50 * MS)
    assert session.state == state
    return session


# What each call makes of each state; None where it does not fit.
LIFE = {
    "created": {"start": "running", "resume": "running", "step": "paused", "reset": "created"},
    "running": {"pause": "paused", "advance": "running", "reset": "created"},
    "paused": {"start": "running", "resume": "running", "step": "paused", "reset": "created"},
    "halted": {"pause": "paused", "advance": "halted", "reset": "created"},
    "finished": {"reset": "created"},
}
for state, calls in LIFE.items():
    if state != "finished":
        calls.update({"set": state, "halt": state, "release": state})


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("state", LIFE)
def test_a_call_fits_the_life_or_is_refused(state, call):
    session = in_life(state)
    then = LIFE[state].get(call)
    if then is None:
        before = session.simulation.digest()
        with pytest.raises(
            SessionError, match=rf"{call if call != 'resume' else 'start'}: .*{state}"
        ):
            CALLS[call](session)
        assert session.state == state
        assert session.simulation.digest() == before
    else:
        CALLS[call](session)
        assert session.state == then


def test_a_session_moves_on_only_when_told():
    session = Session(seed=7)
    assert session.frame.t_ns == 0
    session.start()
    assert session.advance(70 * MS).t_ns == 70 * MS
    frame = session.advance(30 * MS)
    assert frame is session.frame
    assert frame.t_ns == 100 * MS
    assert session.advance(0).t_ns == 100 * MS


def test_a_step_is_one_decision():
    session = Session(seed=7)
    for count in (1, 2, 3):
        frame = session.step()
        assert frame.decisions == count
        assert frame.samples.size == 1
    session = Session({"strategy.decision_interval_ms": 0}, seed=7)
    assert session.step().t_ns == 50 * MS


def test_time_does_not_run_backwards():
    session = Session(seed=7)
    session.start()
    with pytest.raises(ConfigError, match="time runs forward, got -1 ns"):
        session.advance(-1)


def test_a_halted_market_goes_on_so_that_one_can_watch():
    session = in_life("halted")
    px = session.frame.external_px
    frame = session.advance(5_000 * MS)
    assert frame.external_px != px
    assert frame.halt_reason == "manual"
    session.release()
    assert session.advance(50 * MS).halted is False
    assert session.state == "running"


def test_a_recorded_market_ends_where_it_ends():
    session = Session(seed=7, market=Short())
    session.start()
    assert session.advance(150 * MS).t_ns == 150 * MS
    assert session.state == "running"
    assert session.advance(150 * MS).t_ns == 200 * MS
    assert session.state == "finished"


def test_a_session_steered_by_hand_is_replayed_to_the_same_bytes():
    session = Session("late_brakes", seed=5)
    session.start()
    for dt, act in (
        (400, lambda: session.set("latency.order_entry_ms", 60)),
        (1_230, lambda: session.set("external.volatility_bps", 90)),
        (2_000, session.halt),
        (777, session.release),
        (1, lambda: session.set("strategy", {"threshold": 0.001, "exit": "opposite"})),
        (3_000, lambda: session.set("risk.max_position_pct", 0.5)),
    ):
        session.advance(dt * MS)
        act()
    session.pause()
    session.step()
    assert session.frame.fill_count > 0
    again = Simulation("late_brakes", seed=5, commands=session.commands)
    again.play(session.simulation.now_ns)
    assert again.digest() == session.simulation.digest()


def test_a_reset_begins_again_under_the_present_config_and_seed():
    session = Session(seed=7)
    session.start()
    session.advance(500 * MS)
    session.set("strategy.threshold", 0.001)
    session.reset()
    assert (session.state, session.frame.t_ns, session.commands) == ("created", 0, [])
    assert session.config.strategy.threshold == 0.001
    assert session.simulation.seed == 7
    session.reset("cloud", seed=8)
    assert session.config.venue.model == "makers"
    assert session.simulation.seed == 8


def test_a_refused_value_leaves_the_session_as_it_was():
    session = in_life("running")
    before = session.simulation.digest()
    with pytest.raises(ConfigError, match=r"venue\.fee_bps: .*got 1000"):
        session.set("venue.fee_bps", 1_000)
    with pytest.raises(ConfigError, match="no such field"):
        session.reset({"venue.fees": 1})
    assert session.simulation.digest() == before
    assert session.state == "running"


# ---------------------------------------------------------------------------------------------- pace
class Clock:
    """A wall clock one can set."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("speed", [0.1, 1.0, 60.0])
def test_due_is_what_has_passed_at_the_speed_asked_for(speed):
    clock = Clock()
    pace = Pace(speed, clock)
    due = 0
    for passed in (0.04, 0.0, 0.01, 0.2):
        clock.now += passed
        due += pace.due_ns()
    assert due == pytest.approx(0.25 * speed * t.NS_PER_S, abs=4)


def test_lost_time_is_dropped_and_never_made_up_for():
    clock = Clock()
    pace = Pace(1.0, clock)
    clock.now += 60
    assert pace.due_ns() == t.NS_PER_S // 4
    clock.now += 0.1
    assert pace.due_ns() == pytest.approx(t.NS_PER_S // 10, abs=2)


def test_time_spent_paused_is_not_due():
    clock = Clock()
    pace = Pace(1.0, clock)
    clock.now += 0.2
    pace.restart()
    clock.now += 0.05
    assert pace.due_ns() == pytest.approx(t.NS_PER_S // 20, abs=2)


def test_as_fast_as_possible_has_nothing_due():
    assert Pace(None, Clock()).due_ns() is None


def test_a_twin_goes_along_with_every_command():
    session = Session("cloud", seed=7, twin=True)
    session.start()
    session.advance(t.NS_PER_S)
    session.set("latency.order_entry_ms", 80.0)
    session.set("strategy.threshold", 0.0002)
    session.advance(t.NS_PER_S)
    session.halt()
    frame = session.advance(t.NS_PER_S)
    assert frame.halted
    assert frame.twin.halted
    prompt = SimConfig.preset("cloud").without_latency()
    commands = [c for c in session.commands if c.field != "latency.order_entry_ms"]
    alone = run(prompt, seed=7, until="3s", commands=commands)
    assert session.twin.frame().equity == alone.last.equity == frame.twin.equity
    assert frame.equity != frame.twin.equity
