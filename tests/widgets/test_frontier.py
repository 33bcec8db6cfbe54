"""The frontier lab in a process, with the real engine and no browser."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from html import unescape

import numpy as np
import pytest

from lablib.experiments.sweep import sweep
from lablib.widgets import FrontierLab, frontier_lab
from lablib.widgets.choices import GEOMETRIC, KNOBS
from lablib.widgets.panels import family
from lablib.widgets.permalink import read

ENTRY, THRESHOLD = "latency.order_entry_ms", "strategy.threshold"


@pytest.fixture
def lab(monkeypatch, wire):
    """A small frontier that has not run."""
    monkeypatch.setenv("NOTEBOOK_TEST", "1")
    monkeypatch.setenv("QUERY_STRING", "preset=classroom&seed=3&external.volatility_bps=80")
    lab = frontier_lab()
    small(lab)
    yield lab
    lab.close()


def small(lab: FrontierLab) -> None:
    for choice, count in ((lab.choices.x, 4), (lab.choices.y, 3)):
        choice.count.value = count
    lab.choices.seeds.value, lab.choices.until.value = 2, "2s"


def press(lab: FrontierLab, name: str) -> None:
    lab.choices.buttons[name].click()


def status(lab: FrontierLab) -> str:
    return unescape(lab.choices.status.value)


def test_a_run_is_the_sweep_of_what_was_chosen(lab):
    press(lab, "run")
    config = {"external.volatility_bps": 80}
    grid = {ENTRY: np.linspace(0, 160, 4).round(4), THRESHOLD: [0.001, 0.0035, 0.006]}
    same = sweep(config, grid, seeds=(3, 4), until="2s")
    assert lab.sweep.table["pnl_mean"].tolist() == same.table["pnl_mean"].tolist()
    pnl = same.frontier().pnl
    np.testing.assert_array_equal(lab.charts.money.cells.color, pnl.astype(np.float32))
    assert lab.charts.money.cells.row.tolist() == [-0.5, 0.5, 1.5, 2.5]
    assert lab.charts.money.cells.column.tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5]
    assert "12 of 12" in lab._kpis.value
    assert "width:100.0%" in lab.choices.progress.value


def test_colours_are_centred_on_nothing(lab):
    press(lab, "run")
    color = lab.charts.money.color
    assert color.min == -color.max
    assert color.mid == 0
    assert color.max >= np.abs(lab.charts.money.cells.color).max()


def test_a_cell_that_is_clicked_tells_its_numbers_and_leads_to_its_scenario(lab):
    press(lab, "run")
    lab._clicked(None, {"data": {"rowNum": 2, "columnNum": 1}})
    words = unescape(lab._told.value)
    assert "Order entry 53.33 ms · Threshold 60 bps" in words
    row = lab.sweep.row(int(lab.sweep.frontier().cells[2, 1]))
    assert f"{row['fills_mean']:,.1f}" in words
    (query,) = re.findall(r'href="live.ipynb\?([^"]*)"', words)
    scene = read(query, lab._scene.config, 0, "cloud")
    assert scene.complaints == []
    assert scene.config == lab.sweep.config.replace({ENTRY: row[ENTRY], THRESHOLD: row[THRESHOLD]})
    assert (scene.seed, scene.preset) == (3, "classroom")


def test_a_cell_under_the_pointer_is_described(lab):
    press(lab, "run")
    lab._hovered(None, {"data": {"rowNum": 0, "columnNum": 3}})
    assert "Order entry 160 ms · Threshold 10 bps" in lab._tip.value
    assert "P(halt) 0 %" in lab._tip.value


@pytest.mark.parametrize(
    "data",
    [None, {}, {"rowNum": 99, "columnNum": 0}, {"rowNum": "0", "columnNum": [1]}, {"rowNum": -1}],
)
def test_a_browsers_nonsense_is_no_cell(lab, data):
    press(lab, "run")
    before = lab._told.value
    lab._clicked(None, {"data": data})
    lab._hovered(None, {"data": data})
    assert (lab._told.value, lab._tip.value) == (before, "")


def test_theorys_break_even_stands_beside_the_simulated_zero(lab):
    press(lab, "run")
    zero = lab.sweep.frontier().zero()
    known = np.isfinite(zero["theory"])
    places = np.interp(zero["theory"][known], lab._plane.xs, np.arange(4))
    inside = (zero["theory"][known] >= lab._plane.xs[0]) & (
        zero["theory"][known] <= lab._plane.xs[-1]
    )
    drawn = np.asarray(lab.charts.money.theory.x)
    for place in places[inside][:-1]:
        assert np.isclose(drawn, place, atol=1e-5).any()
    assert "a guide only: looks every 50 ms overlap" in lab._told.value


def test_what_is_done_can_be_taken_along(lab):
    import pandas as pd

    assert lab.choices.downloads.value == ""
    press(lab, "run")
    links = dict(
        re.findall(
            r'download="frontier\.(\w+)" href="data:[^,]*,([^"]*)"', lab.choices.downloads.value
        )
    )
    csv = pd.read_csv(io.BytesIO(base64.b64decode(links["csv"])))
    assert csv["pnl_mean"].tolist() == lab.sweep.table["pnl_mean"].tolist()
    assert len(pd.read_parquet(io.BytesIO(base64.b64decode(links["parquet"])))) == 12


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: setattr(c.y.field, "value", ENTRY), f"{ENTRY}: choose two different settings"),
        (lambda c: setattr(c.x.low, "value", -5.0), f"{ENTRY}: input should be greater"),
        (lambda c: setattr(c.x.high, "value", 0.0), f"{ENTRY}: the same value twice"),
        (lambda c: setattr(c.until, "value", "soon"), "duration 'soon'"),
        (lambda c: setattr(c.until, "value", "90000h"), "the most here are 20,000"),
        (lambda c: setattr(c.seed, "value", "x"), "seed: a whole number"),
    ],
)
def test_a_choice_that_cannot_be_run_is_explained(lab, change, words):
    change(lab.choices)
    press(lab, "run")
    assert words in status(lab)
    assert lab.sweep is None
    assert not lab.choices.buttons["run"].disabled


def test_a_cell_that_fails_is_said_and_stays_pale(lab):
    lab.choices.preset.value = "cloud"
    lab.choices.x.field.value = "venue.half_spread_ticks"
    lab.choices.x.low.value, lab.choices.x.high.value, lab.choices.x.count.value = 0, 1, 2
    press(lab, "run")
    assert "3 cells failed" in status(lab)
    assert np.isnan(lab.charts.money.cells.color[:, 0]).all()
    lab.look(0, 0)
    assert "makers quote in a real book" in lab._told.value


def test_another_grid_lays_out_every_chart_anew(lab):
    press(lab, "run")
    lab.choices.x.field.value = "venue.fee_bps"
    lab.choices.x.count.value, lab.choices.y.count.value = 6, 2
    press(lab, "run")
    for panel in (lab.charts.money, lab.charts.halts, lab.charts.overshoot):
        assert panel.cells.color.shape == (2, 6)
        assert panel.x.axis.label == "Fee, bps"
    assert lab.charts.cut.x.axis.label == "Fee, bps"


def test_a_preset_is_taken_and_a_changed_scenario_is_named_custom(lab):
    assert lab.choices.preset.value == "custom"
    lab.choices.preset.value = "late_brakes"
    press(lab, "run")
    assert lab.sweep.config.risk.max_position_pct == 5.0
    assert "preset=late_brakes" in lab._told.value


def test_a_fields_own_range_is_suggested_and_geometric_steps_are_equal_ratios(lab):
    choice = lab.choices.x
    choice.field.value = "external.volatility_bps"
    knob = KNOBS["external.volatility_bps"]
    assert (choice.low.value, choice.high.value) == (knob.shown(knob.low), knob.shown(knob.high))
    choice.low.value, choice.high.value, choice.count.value = 1, 100, 3
    choice.steps.value = GEOMETRIC
    assert choice.values() == [1, 10, 100]
    choice.field.value = "venue.half_spread_ticks"
    choice.low.value, choice.high.value, choice.count.value = 0, 3, 40
    assert choice.values() == [0, 1, 2, 3]


def test_on_a_loop_a_sweep_runs_beside_it_and_can_be_cancelled_and_run_again(monkeypatch, wire):
    monkeypatch.delenv("NOTEBOOK_TEST", raising=False)
    monkeypatch.delenv("QUERY_STRING", raising=False)

    async def story():
        lab = frontier_lab("classroom", seed=1)
        small(lab)
        lab.choices.x.count.value = lab.choices.y.count.value = 30
        lab.choices.until.value, lab.choices.seeds.value = "20min", 16
        press(lab, "run")
        turns = 0
        while len(lab.sweep) < 3:
            turns += 1
            await asyncio.sleep(0.02)
        assert turns > 1  # the loop went on
        assert lab.running
        assert lab.choices.buttons["run"].disabled
        press(lab, "cancel")
        while lab.running:
            await asyncio.sleep(0.02)
        assert 3 <= len(lab.sweep) < 900
        assert "Cancelled" in status(lab)
        assert "cancelled" in lab._kpis.value
        assert "frontier.csv" in lab.choices.downloads.value
        small(lab)
        press(lab, "run")
        while lab.running:
            await asyncio.sleep(0.02)
        assert lab.sweep.complete
        assert "of 12" in lab._kpis.value
        assert status(lab) == ""
        lab.close()

    asyncio.run(story())


def test_closing_gives_back_every_widget_and_another_lab_closes_the_first(monkeypatch, wire):
    monkeypatch.setenv("NOTEBOOK_TEST", "1")
    first = frontier_lab()
    widgets = family(first)
    second = frontier_lab()
    assert all(widget.comm is None for widget in widgets)
    second.close()
    assert not any(widget.comm for widget in family(second))


def test_outside_a_served_page_nothing_leads_to_a_page_that_is_not_there(monkeypatch, wire):
    monkeypatch.setenv("NOTEBOOK_TEST", "1")
    monkeypatch.delenv("QUERY_STRING", raising=False)
    lab = frontier_lab()
    small(lab)
    lab.run()
    assert "href" not in lab._told.value + lab._head.value
    lab.close()
