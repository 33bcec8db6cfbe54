"""Sliders come from the models, and tell what a person asked for, not what a browser echoes."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from lablib.config import SimConfig
from lablib.delays import Lognormal, Uniform
from lablib.presets import SCENARIOS
from lablib.widgets.controls import CUSTOM, Controls
from lablib.widgets.knobs import knobs, law, switches, typical
from lablib.widgets.plan import FOLDS, GROUPS

ALL = {knob.path: knob for knob in knobs()}
SWITCHES = {switch.path: switch for switch in switches()}


@pytest.fixture
def wishes():
    return []


@pytest.fixture
def controls(wire, wishes):
    return Controls(
        SimConfig(), 7, "classroom", lambda name, value=None: wishes.append((name, value))
    )


def fields(model=SimConfig, prefix=""):
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from fields(info.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", info


def test_every_field_with_a_range_gets_a_slider_with_its_help_and_range():
    ranged = {path: info for path, info in fields() if "low" in (info.json_schema_extra or {})}
    assert ALL.keys() == ranged.keys()
    for path, info in ranged.items():
        assert info.description in ALL[path].tooltip
        assert path in ALL[path].tooltip
        assert ALL[path].low == info.json_schema_extra["low"]
        assert ("next reset" in ALL[path].tooltip) is not info.json_schema_extra["live"]


def test_whatever_of_market_guards_and_drills_is_on_or_off_gets_a_switch_with_its_help():
    either = {path: info for path, info in fields() if info.annotation is bool}
    sections = ("makers.", "risk.", "drills.")
    assert SWITCHES.keys() == {path for path in either if path.startswith(sections)}
    for path, switch in SWITCHES.items():
        assert either[path].description in switch.tooltip
        assert path in switch.tooltip


def test_no_two_controls_have_the_same_label():
    labels = [one.label for one in (*ALL.values(), *SWITCHES.values())]
    assert len(set(labels)) == len(labels)


def test_a_fold_holds_what_belongs_to_it_and_every_control_has_one_place(controls):
    (more,) = (part for part in controls.box.children if hasattr(part, "titles"))
    assert more.titles == ("More settings", *FOLDS)
    main = {path for paths in GROUPS.values() for path in paths}
    held = [set(map(id, fold.children)) for fold in more.children]
    boxes = {path: dial.box for path, dial in controls.dials.items()} | controls.switches
    for path, box in boxes.items():
        places = [title for title, fold in zip(more.titles, held, strict=True) if id(box) in fold]
        section = next((title for title, of in FOLDS.items() if path.startswith(of)), None)
        assert places == ([] if path in main else [section or "More settings"])


def test_a_ticked_switch_asks_for_its_field_and_can_be_put_back(controls, wishes):
    controls.switches["drills.stuck_exit"].value = True
    controls.put_back("drills.stuck_exit", False)
    assert controls.switches["drills.stuck_exit"].value is False
    assert wishes == [("set", ("drills.stuck_exit", True))]


def test_the_main_sliders_are_fields_of_the_config():
    assert {path for paths in GROUPS.values() for path in paths} <= ALL.keys()


@pytest.mark.parametrize("path", ALL)
def test_a_value_comes_back_as_it_went_in(path):
    knob, value = ALL[path], SimConfig().get(path)
    assert knob.meant(knob.shown(value)) == value
    assert isinstance(knob.meant(knob.shown(value)), int) is knob.whole


def test_fractions_read_as_percent_or_basis_points(controls):
    assert controls.dials["strategy.threshold"].slider.value == 30.0
    assert controls.dials["strategy.threshold"].knob.unit == "bps"
    assert controls.dials["risk.max_position_pct"].slider.value == 0.5
    assert controls.dials["risk.max_position_pct"].knob.unit == "%"


def test_a_moved_slider_asks_for_the_fields_own_value(controls, wishes):
    controls.dials["strategy.threshold"].slider.value = 45.0
    controls.dials["venue.half_spread_ticks"].slider.value = 3.0
    assert wishes == [
        ("set", ("strategy.threshold", 0.0045)),
        ("set", ("venue.half_spread_ticks", 3)),
    ]


def test_what_a_browser_rounds_and_reports_back_is_no_wish(controls, wishes):
    slider = controls.dials["external.volatility_bps"].slider
    slider.value = 44.72 * (1 + 1e-13)
    slider.value = 44.72
    assert wishes == []


@pytest.mark.parametrize("preset", SCENARIOS)
def test_every_preset_can_be_shown_without_being_asked_for(controls, wishes, preset):
    config = SimConfig.preset(preset)
    controls.show(config, 3, preset)
    assert wishes == []
    for path, dial in controls.dials.items():
        slider, shown = dial.slider, dial.knob.shown(config.get(path))
        assert slider.min <= shown <= slider.max
        assert slider.value == shown
        # A browser snaps a value to the grid: what is shown has to lie on it.
        steps = (shown - slider.min) / slider.step
        assert steps == pytest.approx(round(steps), abs=1e-6)
    for path, box in controls.switches.items():
        assert box.value is config.get(path)
    assert controls.preset.value == preset
    assert controls.seed.value == "3"


class Browser:
    """A slider as a browser keeps it: what does not fit is moved, and what moved is reported.

    In one message it may look at the value before the range it belongs to, and its sums are rough.
    """

    NAMES = ("min", "max", "step", "value", "continuous_update")

    def __init__(self, slider):
        self.slider = slider
        self.state = {name: getattr(slider, name) for name in self.NAMES}

    def hear(self, message):
        news = {name: message[name] for name in self.NAMES if name in message}
        if "value" in news:
            self.state["value"] = news.pop("value")
            self.fit()
        if news:
            self.state |= news
            self.fit()

    def fit(self):
        low, high, step, value = (self.state[name] for name in ("min", "max", "step", "value"))
        share = (value - low) / (high - low) * 100
        part = step / (high - low) * 100
        moved = min(max(round(share / part) * part, 0.0), 100.0) / 100 * (high - low) + low
        if moved != value and self.state["continuous_update"]:
            self.state["value"] = moved
            self.slider.value = moved


@pytest.mark.parametrize("start", SCENARIOS)
def test_no_browser_takes_a_new_scenario_for_a_wish(controls, wishes, wire, start):
    controls.show(SimConfig.preset(start), 7, start)
    browsers = [Browser(dial.slider) for dial in controls.dials.values()]
    for preset in SCENARIOS:
        wire.clear()
        controls.show(SimConfig.preset(preset), 7, preset)
        messages = dict(wire.to)
        for browser in browsers:
            for message in messages.get(browser.slider.comm.comm_id, []):
                browser.hear(message)
        assert wishes == []
        for path, dial in controls.dials.items():
            shown = dial.knob.shown(SimConfig.preset(preset).get(path))
            assert dial.slider.value == pytest.approx(shown, rel=1e-12)


def test_a_slider_widened_for_one_scenario_is_narrow_again_in_the_next(controls):
    slider = controls.dials["risk.max_position_pct"].slider
    usual = slider.min, slider.max
    controls.show(SimConfig.preset("late_brakes"), 7, "late_brakes")
    assert slider.max > 500 > usual[1]
    controls.show(SimConfig(), 7, "classroom")
    assert (slider.min, slider.max) == usual


@pytest.mark.parametrize(
    ("delay", "median", "words"),
    [
        (12.0, 12.0, ""),
        (Lognormal(median_ms=20, sigma=0.5, shift_ms=5), 25.0, "lognormal, median 25 ms, σ 0.5"),
        (Uniform(base_ms=10, jitter_ms=4), 12.0, "uniform, median 12 ms, ±2"),
        (
            Lognormal(median_ms=4, sigma=0.5, spike_probability=0.01),
            4.0,
            "lognormal, median 4 ms, σ 0.5, spikes 1 %",
        ),
    ],
)
def test_a_delay_model_reads_as_its_median_and_its_law(delay, median, words):
    assert typical(delay) == median
    assert law(delay) == words


def test_a_delay_model_is_named_under_its_slider(controls):
    dial = controls.dials["latency.order_entry_ms"]
    assert dial.box.children[1].layout.display == "none"
    controls.show(SimConfig.preset("cloud"), 7, "cloud")
    assert "lognormal, median 5 ms" in dial.box.children[1].value
    assert dial.box.children[1].layout.display == ""


def test_buttons_and_choices_say_their_names(controls, wishes):
    for name in ("play", "pause", "step", "reset", "halt"):
        controls.buttons[name].click()
    controls.show_life("halted", halted=True)
    controls.buttons["halt"].click()
    controls.speed.value = 10.0
    controls.window.value = 60.0
    controls.preset.value = "stress"
    controls.seed.value = "11"
    names = ["play", "pause", "step", "reset", "halt", "release"]
    assert wishes == [
        *((name, None) for name in names),
        ("speed", 10.0),
        ("window", 60.0),
        ("preset", "stress"),
        ("seed", "11"),
    ]


@pytest.mark.parametrize(
    ("state", "able"),
    [
        ("starting", set()),
        ("created", {"play", "step", "reset", "record", "halt"}),
        ("running", {"pause", "reset", "record", "halt"}),
        ("halted", {"pause", "reset", "record", "halt"}),
        ("paused", {"play", "step", "reset", "record", "halt"}),
        ("finished", {"reset", "record"}),
        ("failed", {"reset", "record"}),
    ],
)
def test_only_what_can_be_done_now_is_offered(controls, state, able):
    controls.show_life(state, halted=False)
    assert {name for name, button in controls.buttons.items() if not button.disabled} == able


def test_a_scenario_is_described_and_settings_of_ones_own_are_called_so(controls):
    controls.name("late_brakes", SimConfig.preset("late_brakes"))
    assert SCENARIOS["late_brakes"].title in controls._about.value
    controls.name(CUSTOM, SimConfig())
    assert "of your own" in controls._about.value
