"""Wishes become scenarios, commands or reminders; never a crash, and always on the record."""

from __future__ import annotations

import pytest

from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.errors import ConfigError
from lablib.session import Session
from lablib.widgets import helm
from lablib.widgets.helm import LIVE, NEW, REFUSED, WAITS, Helm


@pytest.fixture
def ready():
    return Helm(Session(seed=7), "classroom", 7)


@pytest.fixture
def under_way(ready):
    ready.session.start()
    ready.session.advance(2_000_000_000)
    return ready


def wish(ready, path, value):
    ready.ask(path, value)
    (outcome,) = ready.apply()
    return outcome


def test_before_the_first_moment_a_setting_changes_the_scenario_itself(ready):
    assert wish(ready, "latency.order_entry_ms", 20).what == NEW
    assert wish(ready, "strategy.decision_interval_ms", 100.0).what == NEW
    assert ready.session.commands == []
    assert ready.config.latency.order_entry_ms == 20
    asked = {"latency.order_entry_ms": 20, "strategy.decision_interval_ms": 100}
    same = Simulation(asked, seed=7)
    ready.session.start()
    ready.session.advance(5_000_000_000)
    same.advance(5_000_000_000)
    assert ready.session.simulation.digest() == same.digest()


def test_later_it_is_a_command_with_its_simulated_time(under_way):
    assert wish(under_way, "strategy.threshold", 0.001).what == LIVE
    (command,) = under_way.session.commands
    assert (command.kind, command.field, command.value) == ("set", "strategy.threshold", 0.001)
    assert command.t_ns == 2_000_000_001
    assert under_way.config.strategy.threshold == 0.001


def test_what_was_done_by_hand_can_be_replayed_to_the_same_bytes(under_way):
    wish(under_way, "latency.order_entry_ms", 35.0)
    under_way.session.advance(1_000_000_000)
    under_way.session.halt()
    under_way.session.advance(1_000_000_000)
    steered = under_way.session.simulation
    again = Simulation(seed=7, commands=steered.commands)
    again.advance(steered.now_ns)
    assert again.digest() == steered.digest()


def test_what_a_run_is_built_on_waits_for_the_next_reset(under_way):
    assert wish(under_way, "strategy.decision_interval_ms", 100.0).what == WAITS
    assert under_way.session.commands == []
    assert under_way.config.strategy.decision_interval_ms == 50
    assert "strategy.decision_interval_ms=100.0" in under_way.query
    under_way.reset()
    assert under_way.config.strategy.decision_interval_ms == 100
    assert under_way.staged == {}
    assert under_way.session.simulation.now_ns == 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("risk.max_position_pct", 1e-12),
        ("latency.order_entry_ms", -1.0),
        ("strategy.threshold", float("nan")),
        ("venue.tick_size", -0.5),
        ("nonsense.field", 1.0),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_words_and_changes_nothing(under_way, path, value):
    before = under_way.config
    outcome = wish(under_way, path, value)
    assert outcome.what == REFUSED
    assert path.rpartition(".")[2] in outcome.text or "no such field" in outcome.text
    assert under_way.config == before
    assert under_way.session.commands == []


def test_of_many_wishes_for_one_field_the_newest_counts(under_way):
    for threshold in (0.001, 0.002, 0.004):
        under_way.ask("strategy.threshold", threshold)
    assert [outcome.value for outcome in under_way.apply()] == [0.004]
    assert len(under_way.session.commands) == 1
    assert under_way.apply() == []


def test_a_chosen_preset_begins_anew_and_forgets_what_waited(under_way):
    wish(under_way, "external.interval_ms", 20.0)
    under_way.ask("strategy.threshold", 0.5)
    under_way.choose("stress")
    assert under_way.config == SimConfig.preset("stress")
    assert under_way.staged == {}
    assert under_way.apply() == []
    assert not under_way.changed
    with pytest.raises(ConfigError, match="no preset"):
        under_way.choose("weather")


def test_a_seed_acts_at_once_on_a_fresh_run_and_at_the_reset_on_another(ready):
    ready.sow("11")
    assert ready.session.simulation.seed == 11
    ready.session.start()
    ready.session.advance(1_000_000)
    ready.sow("12")
    assert ready.session.simulation.seed == 11
    ready.reset()
    assert ready.session.simulation.seed == 12
    with pytest.raises(ConfigError, match="seed"):
        ready.sow("twelve")
    assert ready.seed == 12


def test_a_scenario_knows_whether_it_still_is_its_preset(ready):
    assert not ready.changed
    wish(ready, "venue.fee_bps", 3.0)
    assert ready.changed
    wish(ready, "venue.fee_bps", 2.0)
    assert not ready.changed


@pytest.mark.parametrize(
    ("given", "preset"),
    [
        (None, "classroom"),
        ("cloud", "cloud"),
        ({"venue.fee_bps": 1}, "classroom"),
        (SimConfig.preset("stress"), "stress"),
        (SimConfig().replace({"venue.fee_bps": 1}), "classroom"),
    ],
)
def test_a_lab_can_be_given_a_config_in_many_shapes(given, preset):
    config, name = helm.scenario_of(given)
    assert isinstance(config, SimConfig)
    assert name == preset


def test_a_lab_cannot_be_given_just_anything():
    with pytest.raises(ConfigError, match="config"):
        helm.scenario_of(3.14)


def test_a_session_is_opened_untouched(monkeypatch):
    session = helm.open_session(SimConfig(), 5)
    assert session.state == "created"
    assert session.simulation.now_ns == 0
    assert session.simulation.digest() == Simulation(seed=5).digest()
