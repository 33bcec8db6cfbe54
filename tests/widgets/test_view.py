"""Frames in, arrays out; bounded, and no widget in sight."""

from __future__ import annotations

import numpy as np
from widgets.frames import S, frame, rows, samples

from lablib.kernels import tables as t
from lablib.widgets.reduce import COLUMNS
from lablib.widgets.view import (
    EQUITY,
    EVENTS,
    EXTERNAL,
    FILLS,
    GHOST,
    MARKS,
    PEAK,
    ROWS,
    View,
)


def test_samples_become_lines():
    view = View(window_s=15.0)
    view.push(frame(5, samples=samples([1, 2, 3, 4, 5], external_px=[1, 2, 3, 4, 5], equity=7)))
    lines = view.lines()
    assert lines.shape[1] == 2 * COLUMNS
    known = lines[EXTERNAL][np.isfinite(lines[EXTERNAL])]
    assert sorted(set(known)) == [1, 2, 3, 4, 5]


def test_without_samples_the_frame_itself_is_drawn():
    view = View(window_s=15.0)
    view.push(frame(1, external_px=101.0))
    view.push(frame(2, external_px=102.0))
    known = view.lines()[EXTERNAL]
    assert set(known[np.isfinite(known)]) == {101.0, 102.0}


def test_between_two_samples_the_hidden_price_is_not_mixed_in():
    view = View(window_s=15.0)
    view.push(frame(1, samples=samples([1], external_px=100.0), external_px=100.0))
    view.push(frame(1.02, external_px=999.0))  # no decision yet: we have not seen it
    known = view.lines()[EXTERNAL]
    assert set(known[np.isfinite(known)]) == {100.0}


def test_the_peak_never_falls_and_knows_what_happened_between_samples():
    view = View(window_s=15.0)
    view.push(frame(3, samples=samples([1, 2, 3], equity=[5, 9, 6]), equity=6.0, drawdown=5.0))
    view.push(frame(4, samples=samples([4], equity=7), equity=7.0, drawdown=4.0))
    lines = view.lines()
    peak = lines[PEAK][np.isfinite(lines[PEAK])]
    assert (np.diff(peak) >= 0).all()
    assert peak[-1] == 11.0
    assert (peak >= lines[EQUITY][np.isfinite(lines[EQUITY])]).all()


def test_a_view_is_bounded_however_much_happens():
    view = View(window_s=60.0)
    fills = [{"t_ns": second * S, "price_px": 100.0, "side": 1} for second in range(50)]
    for start in range(0, 50_000, 500):
        many = samples(start + np.linspace(0, 499, 20_000), external_px=100.0)
        view.push(frame(start + 499, samples=many, fills=rows(t.FILL, *fills)))
    assert view._ring.rows.shape[1] <= ROWS
    assert view._ring._data.shape[1] == 2 * ROWS
    assert view._fills.rows.shape[1] <= FILLS
    assert len(view.events) == EVENTS
    assert view.event_count == 100 * 50


def test_at_high_speed_the_ring_still_reaches_across_the_window():
    view = View(window_s=3_600.0)
    for turn in range(600):  # half a minute at 20 frames a second
        times = 6 * turn + np.linspace(0.05, 6, 1_200)
        view.push(frame(6 * turn + 6, samples=samples(times, external_px=times)))
    known = view.lines()[EXTERNAL]
    assert np.isfinite(known[4:]).all()


def test_fills_are_marked_where_they_happened_and_leave_with_the_window():
    view = View(window_s=COLUMNS)  # a column is a second
    trades = [
        {"t_ns": 10 * S, "price_px": 99.0, "side": t.BUY},
        {"t_ns": 20 * S, "price_px": 101.0, "side": t.SELL},
    ]
    view.push(frame(COLUMNS - 1, fills=rows(t.FILL, *trades)))
    assert view.fills(t.BUY).tolist() == [[10 / COLUMNS - 1], [99.0]]
    assert view.fills(t.SELL).tolist() == [[20 / COLUMNS - 1], [101.0]]
    view.push(frame(COLUMNS + 14))
    assert view.fills(t.BUY).shape == (2, 0)
    assert view.fills(t.SELL).shape == (2, 1)


def test_many_fills_leave_room_for_the_marks_there_are():
    view = View(window_s=60.0)
    for second in range(60):
        trades = [
            {"t_ns": round((second + part / 50) * S), "price_px": 100.0, "side": 1 - 2 * (part % 2)}
            for part in range(50)
        ]
        view.push(frame(second + 1, fills=rows(t.FILL, *trades)))
    for side in (t.BUY, t.SELL):
        age = view.fills(side)[0]
        assert 0.9 * MARKS <= age.size <= MARKS
        assert age[0] < -0.9
        assert age[-1] > -0.05


def test_events_stand_in_order_of_time_whatever_table_they_come_from():
    view = View()
    orders = rows(t.ORDER, {"order_id": 1, "created_at": 5, "received_at": 6, "acted_at": 9})
    view.push(
        frame(
            1,
            orders=orders,
            fills=rows(t.FILL, {"t_ns": 8}),
            risk_events=rows(t.RISK_EVENT, {"t_ns": 10}),
        )
    )
    view.note(11, "threshold = 1")
    assert [(at, what) for at, what, _ in view.events] == [
        (8, "fill"),
        (9, "order"),
        (10, "risk"),
        (11, "command"),
    ]


def test_a_knob_turned_on_and_on_is_one_line_of_the_tape():
    view = View()
    for value in (1, 2, 3):
        view.note(value, f"venue.fee_bps = {value}")
    view.note(4, "latency.ack_ms = 1")
    view.note(5, "kill switch pulled by hand")
    view.note(6, "kill switch pulled by hand")
    assert [at for at, _, _ in view.events] == [3, 4, 5, 6]


def test_a_cleared_view_is_as_new():
    view = View()
    view.push(frame(9, samples=samples([9], equity=50.0), fills=rows(t.FILL, {"t_ns": 1})))
    view.clear()
    assert view.frame is None
    assert view.now_s == 0
    assert not view.events
    view.push(frame(1, samples=samples([1], equity=5.0), equity=5.0))
    peak = view.lines()[PEAK]
    assert set(peak[np.isfinite(peak)]) == {5.0}


def test_the_ghost_is_the_twin_s_equity_as_of_each_of_our_samples():
    view = View(window_s=10.0)
    twin = frame(2.0, samples=samples([0.5, 1.5], equity=[7.0, 9.0]))
    view.push(frame(2.0, samples=samples([1.0, 2.0], equity=5.0), twin=twin))
    later = frame(4.0, samples=samples([], equity=[]))
    view.push(frame(4.0, samples=samples([3.0], equity=5.0), twin=later))
    assert view._ring.rows[GHOST].tolist() == [7.0, 9.0, 9.0]


def test_without_a_twin_there_is_no_ghost():
    view = View(window_s=10.0)
    view.push(frame(2.0, samples=samples([1.0, 2.0], equity=5.0)))
    assert np.isnan(view.lines()[GHOST]).all()
