"""The waterfall and the markouts: of a live run and of a finished one, the same numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from lablib import ConfigError, run
from lablib.attribution import PARTS
from lablib.widgets import dashboard, markout_chart, waterfall
from lablib.widgets.readouts import signed
from lablib.widgets.waterfall import BARS, MarkoutChart, WaterfallChart

LATE = {"latency.order_entry_ms": 30, "strategy.threshold": 0.002}


def stretches(chart: WaterfallChart) -> list[tuple[float, float]]:
    """(from, to) of every bar, from the top down, whatever its colour."""
    out = []
    for k in range(len(BARS)):
        place = slice(5 * k, 5 * k + 4)
        (x,) = [curve[place] for curve in chart.bars.x if np.isfinite(curve[place]).all()]
        out.append((float(x[0]), float(x[1])))
    return out


def colour(chart: WaterfallChart, k: int) -> int:
    return [np.isfinite(curve[5 * k]) for curve in chart.bars.x].index(True)


def test_every_bar_begins_where_the_one_above_ends_and_the_last_is_the_sum(wire):
    chart = WaterfallChart()
    entries = np.array([100.0, -30, -10, 0, -5, 2, -20])
    chart.draw(np.stack([entries, 0 * entries]))
    assert stretches(chart) == [
        (0, 100),
        (100, 70),
        (70, 60),
        (60, 60),
        (60, 55),
        (55, 57),
        (57, 37),
        (0, 37),
    ]
    assert [colour(chart, k) for k in range(8)] == [0, 1, 1, 0, 1, 0, 1, 2]
    assert chart.numbers.tick_labels["7"] == "+100.00"
    assert chart.numbers.tick_labels["0"] == "+37.00"
    assert chart.ruler.span.low <= 0 < 100 <= chart.ruler.span.high


def test_names_stand_beside_the_parts_in_their_order():
    assert tuple(BARS)[:-1] == PARTS


def test_the_same_picture_twice_sends_nothing_and_lengths_never_change(wire):
    chart, shapes = WaterfallChart(), set()
    for scale in (0.0, 1.0, -1_000.0, -1_000.0):
        wire.clear()
        chart.draw(np.full((2, len(PARTS)), scale))
        shapes.add(tuple(mark.x.shape for mark in chart.figure.marks))
    assert wire.updates == []
    assert len(shapes) == 1


def test_a_curve_ends_where_its_markouts_do(wire):
    chart = MarkoutChart((0.0, 10.0, 100.0))
    chart.draw(np.array([[0.0, 5.0, np.nan], [0.0, 2.0, 3.0]]), 7)
    assert chart.lines.y[1, :2].tolist() == [0, 5]  # entries, drawn above the exits
    assert np.isnan(chart.lines.y[1, 2:4]).all()
    assert chart.lines.y[0, :3].tolist() == [0, 2, 3]
    assert chart.ruler.span.high >= 5


def test_the_live_lab_shows_the_causes_of_the_very_run(lab):
    for path, value in LATE.items():
        lab.set(path, value)
    lab.reset()
    lab.step(900)
    done = run(lab.session.config, seed=7, until="45s")
    assert done.digest == lab.session.simulation.digest()
    board = lab._dashboard
    table = done.attribution()[0]
    told = board.waterfall.numbers.tick_labels
    wanted = [signed(float(table[name])) for name in (*PARTS, "pnl")]
    assert [told[str(7 - k)] for k in range(8)] == wanted
    assert table["fills"] > 20
    assert table["latency"] < 0 < table["edge"]
    lab.reset()
    assert board.waterfall.numbers.tick_labels["7"] == "0.00"


def test_a_finished_run_is_drawn_as_the_live_one(lab):
    for path, value in LATE.items():
        lab.set(path, value)
    lab.reset()
    lab.step(600)
    done = run(lab.session.config, seed=7, until="30s")
    board = lab._dashboard
    for box, panel in ((waterfall(done), board.waterfall), (markout_chart(done), board.markouts)):
        _, chart = box.children
        drawn = [mark for mark in chart.children[1].marks if mark.x.ndim == 2]
        live = [mark for mark in panel.figure.marks if mark.x.ndim == 2]
        for one, other in zip(drawn, live, strict=True):
            np.testing.assert_allclose(one.x, other.x, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(one.y, other.y, rtol=1e-4, atol=1e-3)
        box.close()


def test_without_fills_there_is_nothing_to_draw_and_no_error(wire):
    idle = run({"strategy.name": "idle"}, until="1s")
    _, chart = waterfall(idle).children
    assert "entries 0.00" in chart.children[0].value
    _, chart = markout_chart(idle).children
    assert "no fill yet" in chart.children[0].value


@pytest.mark.parametrize("draw", [waterfall, markout_chart])
def test_what_is_no_run_is_named(draw):
    with pytest.raises(ConfigError, match=r"run: a finished run as lablib\.run makes it, got 'x'"):
        draw("x")


def test_every_slower_panel_is_drawn_five_times_a_second_at_twenty_frames(lab, monkeypatch):
    board, now, drawn = lab._dashboard, [1e9], []
    monkeypatch.setattr(dashboard, "time", SimpleNamespace(monotonic=lambda: now[0]))
    board._slow = [lambda *words, k=k: drawn.append(k) for k in range(len(board._slow))]
    for _ in range(20 * 10):
        now[0] += 0.05
        board.draw(lab.session.config, "running")
    assert min(drawn.count(k) for k in range(len(board._slow))) >= 5 * 10 - 1
