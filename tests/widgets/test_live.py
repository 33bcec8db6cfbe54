"""The live lab in a process, with the real engine and no browser."""

from __future__ import annotations

import asyncio
import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.errors import LabError
from lablib.presets import SCENARIOS
from lablib.widgets import LiveLab, live, live_lab, shelf
from lablib.widgets.panels import family
from lablib.widgets.view import EXTERNAL


def status(lab):
    return lab.controls.status.value


def charts(lab):
    board = lab._dashboard
    return [board.prices, board.divergence, board.equity, board.position, board.depth]


def drawing(panel):
    return [np.array(array) for mark in panel.figure.marks for array in (mark.x, mark.y)]


def test_a_lab_under_test_stands_still_at_time_zero(lab):
    assert lab.session.state == "created"
    assert lab.view.now_s == 0
    assert "0:00:00" in lab._dashboard._kpis.value


def test_stepping_by_hand_is_the_run_itself(lab):
    lab.step(40)
    same = Simulation(seed=7)
    same.advance(40 * 50_000_000)
    assert lab.session.simulation.digest() == same.digest()
    assert lab.view.now_s == pytest.approx(2.0)
    assert "40 decisions" in lab._dashboard._kpis.value


def test_steps_move_every_chart(lab):
    before = [drawing(panel) for panel in charts(lab)]
    lab.step(60)
    for panel, old in zip(charts(lab), before, strict=True):
        new = drawing(panel)
        assert any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(old, new, strict=True))


def test_a_slider_becomes_a_recorded_command_and_moves_its_chart(lab):
    lab.step(10)
    lab.controls.dials["strategy.threshold"].slider.value = 45.0
    (command,) = lab.session.commands
    assert (command.kind, command.field, command.value) == ("set", "strategy.threshold", 0.0045)
    assert lab._dashboard.divergence.threshold.y[0].tolist() == [45.0, 45.0]
    assert "strategy.threshold = 0.0045" in lab._dashboard._tape.value
    assert lab.controls.preset.value == "custom"


def test_a_drill_is_switched_on_and_off_while_the_market_runs(lab):
    lab.step(2)
    lab.controls.switches["drills.stuck_exit"].value = True
    assert "drills.stuck_exit = on" in lab._dashboard._tape.value
    lab.step(2)
    lab.controls.switches["drills.stuck_exit"].value = False
    assert [(c.field, c.value) for c in lab.session.commands] == [
        ("drills.stuck_exit", True),
        ("drills.stuck_exit", False),
    ]
    assert lab.session.config.drills == SimConfig().drills


def test_a_slider_replaces_a_delay_model_by_a_constant_and_says_so(lab):
    lab.choose("cloud")
    dial = lab.controls.dials["latency.order_entry_ms"]
    assert "lognormal" in dial.box.children[1].value
    lab.step(2)
    dial.slider.value = 12.0
    assert lab.session.config.latency.order_entry_ms == 12.0
    assert dial.box.children[1].value == ""
    assert dial.slider.tooltip


def test_a_refused_setting_is_explained_and_the_slider_returns(lab):
    lab.step(2)
    dial = lab.controls.dials["risk.max_position_pct"]
    dial.slider.min = 0.0
    dial.slider.value = 1e-9
    assert "rounds to 0" in status(lab)
    assert "bad" in status(lab)
    assert dial.slider.value == 0.5
    assert lab.session.commands == []


def test_a_setting_that_waits_says_so_until_the_reset(lab):
    lab.step(2)
    dial = lab.controls.dials["external.interval_ms"]
    dial.slider.value = 20.0
    assert "waits for the next reset" in dial.box.children[1].value
    assert lab.session.config.external.interval_ms == 50
    lab.reset()
    assert lab.session.config.external.interval_ms == 20
    assert dial.box.children[1].value == ""


def test_a_slider_that_waits_is_marked_until_the_reset(lab):
    lab.step(2)
    waiting, live_one = (
        lab.controls.dials[path] for path in ("external.interval_ms", "strategy.threshold")
    )
    waiting.slider.value = 20.0
    live_one.slider.value = 45.0
    assert "lrl-staged" in waiting.slider._dom_classes
    assert "lrl-staged" not in live_one.slider._dom_classes
    lab.reset()
    assert "lrl-staged" not in waiting.slider._dom_classes


def test_a_preset_that_is_refused_does_not_stay_chosen(lab, monkeypatch, tmp_path):
    monkeypatch.setenv(shelf.FOLDER, str(tmp_path))
    lab._act("record", None)
    lab._act("step", None)
    monkeypatch.setattr(
        shelf, "ROOM_BYTES", 0
    )  # a choice begins another record, and there is no room
    lab.controls.preset.value = "cloud"
    assert "bad" in status(lab)
    assert lab.session.config == SimConfig.preset("classroom")
    assert lab.controls.preset.value == "classroom"
    lab.controls.preset.value = "cloud"  # asked for again it is heard again
    assert lab.controls.preset.value == "classroom"


@pytest.mark.parametrize("preset", SCENARIOS)
def test_every_preset_can_be_chosen_and_stepped(lab, preset):
    lab.choose("stress" if preset == "classroom" else "classroom")
    lab.step(3)
    lab.controls.preset.value = preset
    assert lab.session.config == SimConfig.preset(preset)
    assert lab.view.now_s == 0
    assert status(lab) == ""
    lab.step(5)
    assert np.isfinite(lab.view.lines()[EXTERNAL][-1])


def test_a_bad_seed_is_explained_and_put_back(lab):
    lab.controls.seed.value = "seven"
    assert "seed" in status(lab)
    assert lab.controls.seed.value == "7"
    lab.controls.seed.value = "8"
    assert lab.session.simulation.seed == 8


def test_what_is_said_stands_above_the_charts(lab):
    *notices, main = lab._dashboard.widgets[-2].children[1].children
    assert main is lab._dashboard._main
    assert notices == [lab.controls.status, lab._dashboard._banner]


def test_a_number_beyond_a_slider_is_refused_aloud(lab):
    for path in ("latency.order_entry_ms", "strategy.threshold"):
        slider = lab.controls.dials[path].slider
        slider.value = (
            1e6  # a browser does the same with a number that is typed, before it tells us
        )
        assert f"{slider.value:,.6g} " in status(lab)
        assert "is the most this slider takes; a larger number typed there is not taken" in status(
            lab
        )
    slider.value = 12
    assert "this slider takes" not in status(lab)


def test_the_kill_switch_can_be_pulled_and_released_by_hand(lab):
    lab.step(5)
    lab.controls.buttons["halt"].click()
    lab.step(5)
    banner = lab._dashboard._banner
    assert "manual" in banner.value
    assert banner.layout.display == ""
    assert "HALTED" in lab._dashboard._kpis.value
    assert lab.controls.buttons["halt"].description == "Release the halt"
    lab.controls.buttons["halt"].click()
    lab.step(1)
    assert banner.layout.display == "none"
    assert [command.kind for command in lab.session.commands] == ["halt", "release"]


def test_a_link_leads_back_to_the_scenario(lab, monkeypatch):
    monkeypatch.setenv("QUERY_STRING", "")
    lab.choose("retail")
    lab.set("strategy.threshold", 0.001)
    (query,) = re.findall(r'href="\?([^"]+)"', lab.controls._link.value)
    monkeypatch.setenv("QUERY_STRING", unescape(query))
    other = live_lab()
    expected = SimConfig.preset("retail").replace({"strategy.threshold": 0.001})
    assert other.session.config.to_json() == expected.to_json()
    assert status(other) == ""
    other.close()


def test_where_the_page_has_no_address_of_ours_no_link_is_offered(lab):
    lab.choose("retail")
    assert lab.controls._link.value == ""


def test_an_address_with_mistakes_opens_the_lab_and_lists_them(lab, monkeypatch):
    monkeypatch.setenv("QUERY_STRING", "preset=moon&latency.ack_ms=-3&seed=2")
    other = live_lab()
    assert other.session.simulation.seed == 2
    assert "no preset" in status(other)
    assert "latency.ack_ms" in status(other)
    other.close()


def test_making_another_lab_closes_the_one_before(lab, wire):
    before = {widget.comm.comm_id for widget in family(lab)}
    assert before <= wire.open
    other = live_lab()
    assert not before & wire.open
    assert live._current is other
    other.close()
    assert live._current is None


def test_a_closed_lab_leaves_no_widget_open(monkeypatch, wire):
    monkeypatch.setenv("NOTEBOOK_TEST", "1")
    lab = live_lab()
    lab.step(3)
    assert wire.open
    lab.close()
    assert wire.open == set()


def test_a_step_sends_little_and_ends_with_its_mark(lab, wire):
    lab.step(80)
    lab._dashboard._drawn = [float("inf")] * len(
        lab._dashboard._slow
    )  # the slower panels have had their turn
    wire.clear()
    lab.view.push(lab.session.step())
    lab._draw()
    kinds = [model for model, _ in wire.updates]
    assert len(kinds) <= 8
    assert kinds[-1] == "HTMLModel"
    assert "data-frame" in wire.updates[-1][1]["value"]
    size = sum(
        array.nbytes
        for _, state in wire.updates
        for array in (lab_array(value) for value in state.values())
        if array is not None
    )
    assert size < 25_000


def lab_array(value):
    return np.asarray(value["value"]) if isinstance(value, dict) and "value" in value else None


def test_without_an_event_loop_nothing_plays_and_one_is_told_why(lab):
    with pytest.raises(LabError, match="event loop"):
        lab.play()


def answering(lab):
    """Let the lab's frames be acknowledged as a browser would."""
    lab._flow._mark.observe(
        lambda change: setattr(lab._flow.answer, "value", change["new"]), "value"
    )
    lab._flow.answer.value = lab._flow._mark.value


def test_a_page_built_while_the_engine_starts_is_told_everything_again(monkeypatch, wire):
    monkeypatch.delenv("NOTEBOOK_TEST", raising=False)
    monkeypatch.setenv("QUERY_STRING", "play=0")
    monkeypatch.setattr("lablib.widgets.live.GREETING_S", 0.1)

    async def late():
        lab = live_lab("classroom", seed=3)
        while lab._helm is None:
            await asyncio.sleep(0.05)
        wire.clear()  # all that was sent so far came before the page could take it
        lab._flow.answer.value = '<span data-frame="0"></span>'
        await asyncio.sleep(0.1)
        assert not wire.to[lab.controls.buttons["play"].comm.comm_id][-1]["disabled"]
        told = wire.to[lab._dashboard.prices.figure.marks[0].comm.comm_id][-1]
        assert {"x", "y"} <= set(told)
        assert "data-frame" in wire.to[lab._flow._mark.comm.comm_id][-1]["value"]
        assert len(wire.to[lab._flow.answer.comm.comm_id]) == 1  # this test's own
        lab.close()

    asyncio.run(late())


def test_a_playing_lab_follows_the_wall_clock_and_takes_sliders_along(monkeypatch, wire):
    monkeypatch.delenv("NOTEBOOK_TEST", raising=False)
    monkeypatch.delenv("QUERY_STRING", raising=False)

    async def watch():
        lab = live_lab("stress", seed=3)
        assert all(button.disabled for button in lab.controls.buttons.values())
        lab.controls.dials["venue.fee_bps"].slider.value = 5.0  # before there is an engine
        answering(lab)
        for _ in range(600):
            await asyncio.sleep(0.05)
            if lab._runs and lab.view.now_s > 0.3:
                break
        assert lab.session.state == "running"
        assert lab.session.config.venue.fee_bps == 5.0
        lab.controls.dials["strategy.threshold"].slider.value = 12.0
        await asyncio.sleep(0.3)
        assert [command.field for command in lab.session.commands] == ["strategy.threshold"]
        lab.pause()
        held = lab.view.now_s
        await asyncio.sleep(0.2)
        assert lab.view.now_s == held
        lab.play()
        await asyncio.sleep(0.3)
        assert lab.view.now_s > held
        lab.controls.preset.value = "classroom"
        await asyncio.sleep(0.3)
        assert lab.session.state == "running"
        assert lab.view.now_s < 5
        lab.close()
        await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(watch())


def test_a_lab_nobody_watches_parks(monkeypatch, wire):
    monkeypatch.setenv("QUERY_STRING", "play=0")
    monkeypatch.delenv("NOTEBOOK_TEST", raising=False)
    monkeypatch.setattr("lablib.widgets.flow.PATIENCE_S", 0.1)
    monkeypatch.setattr("lablib.widgets.live.GREETING_S", 0.1)
    monkeypatch.setattr("lablib.widgets.flow.Flow.room.__defaults__", (0.1,))

    async def leave():
        lab = live_lab()
        while lab._helm is None:
            await asyncio.sleep(0.05)
        lab.play()
        for _ in range(100):
            await asyncio.sleep(0.05)
            if lab.session.state == "paused":
                break
        assert lab.session.state == "paused"
        assert "nobody was watching" in status(lab)
        wire.clear()
        await asyncio.sleep(0.3)
        assert wire.sent == []  # silence: only then is an idle kernel culled
        lab.close()

    asyncio.run(leave())


def test_an_error_of_the_engine_is_shown(monkeypatch, wire):
    monkeypatch.setenv("QUERY_STRING", "play=0")
    monkeypatch.delenv("NOTEBOOK_TEST", raising=False)

    async def fail():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        lab = live_lab()
        answering(lab)
        while lab._helm is None:
            await asyncio.sleep(0.05)
        monkeypatch.setattr(lab.session, "advance", lambda due: 1 / 0)
        lab.play()
        await asyncio.sleep(0.2)
        assert "ZeroDivisionError" in status(lab)
        assert lab.controls.buttons["pause"].disabled
        lab.close()

    asyncio.run(fail())


def test_the_app_is_one_import_and_one_call_without_outputs(root: Path):
    book = json.loads((root / "apps" / "live.ipynb").read_text(encoding="utf-8"))
    (cell,) = book["cells"]
    lines = [line for line in "".join(cell["source"]).splitlines() if line]
    assert lines == ["from lablib.widgets import live_lab", "live_lab()"]
    assert cell["outputs"] == []
    assert book["metadata"]["title"]


def test_a_lab_is_a_widget(lab):
    assert isinstance(lab, LiveLab)
    assert "application/vnd.jupyter.widget-view+json" in lab._repr_mimebundle_()
