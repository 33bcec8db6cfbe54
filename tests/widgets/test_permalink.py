"""A scenario in an address: read with care, written so that it comes back the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.config import SimConfig
from lablib.errors import ConfigError
from lablib.presets import SCENARIOS, WIRES
from lablib.widgets import permalink, places


def read(query):
    return permalink.read(query, SimConfig(), 7, "classroom")


def test_an_address_names_preset_seed_and_fields():
    scene = read("preset=cloud&seed=3&latency.order_entry_ms=20&play=0&token=secret")
    assert scene.preset == "cloud"
    assert scene.seed == 3
    assert scene.play is False
    assert scene.config.latency.order_entry_ms == 20
    assert scene.config.venue == SimConfig.preset("cloud").venue
    assert scene.complaints == []


def test_an_empty_address_changes_nothing():
    scene = read("")
    assert (scene.config, scene.seed, scene.preset) == (SimConfig(), 7, "classroom")
    assert scene.play is None


@pytest.mark.parametrize(
    ("word", "used"),
    [("-5", 0.0), ("1e9", 300.0), ("1e999", 300.0), ("-1e999", 0.0)],
)
def test_a_number_out_of_range_comes_to_the_nearer_end_and_that_is_said(word, used):
    scene = read(f"latency.order_entry_ms={word}")
    assert scene.config.latency.order_entry_ms == used
    assert "latency.order_entry_ms" in scene.complaints[0]
    assert "out of range" in scene.complaints[0]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("preset=nonsense", "nonsense"),
        ("seed=-1", "seed"),
        ("seed=1e3", "seed"),
        (f"seed={1 << 64}", "seed"),
        ("seed=", "seed"),
        ("latency.order_entry_ms=NaN", "latency.order_entry_ms"),
        ("latency.order_entry_ms=soon", "latency.order_entry_ms"),
        ('latency.order_entry_ms={"model": "sorcery"}', "latency.order_entry_ms"),
        ("latency.wormhole_ms=1", "wormhole"),
        ("__class__=1&strategy.__class__=2", "no such field"),
        ("strategy=7", "strategy"),
        ("account.starting_cash=" + "9" * 4_000, "account.starting_cash"),
        ("risk.max_position_pct=" + "[" * 2_000, "risk.max_position_pct"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_named(query, named):
    scene = read(query)
    assert scene.config == SimConfig()
    assert (scene.seed, scene.preset) == (7, "classroom")
    assert named in scene.complaints[0]


@given(query=st.text(max_size=300) | st.from_regex(r"([a-z._]{1,30}=[^&]{0,20}&?){1,6}"))
def test_no_address_whatever_breaks_the_page(query):
    scene = read(query)
    assert isinstance(scene.config, SimConfig)
    assert 0 <= scene.seed < permalink.SEED_END


@pytest.mark.parametrize("preset", SCENARIOS)
def test_a_written_address_leads_back(preset):
    config = SimConfig.preset(preset).replace(
        {
            "latency.ack_ms": {"model": "uniform", "base_ms": 1, "jitter_ms": 2},
            "strategy.threshold": 0.00123,
            "risk.day_length": "30min",
            "external.regimes.enabled": True,
        }
    )
    query = permalink.write(config, 12, preset)
    scene = permalink.read(query, SimConfig(), 7, "classroom")
    assert scene.complaints == []
    assert scene.config.to_json() == config.to_json()
    assert (scene.seed, scene.preset) == (12, preset)


def test_an_untouched_preset_has_a_short_address():
    assert permalink.write(SimConfig.preset("stress"), 7, "stress") == "preset=stress&seed=7"


@pytest.mark.parametrize("word", ["", "x", "-1", "1.5", "٣", str(1 << 64), "1" * 30])
def test_a_seed_is_a_whole_number_in_range(word):
    with pytest.raises(ConfigError, match="seed"):
        permalink.seed_of(word)


def test_a_seed_may_be_as_large_as_the_engine_takes():
    assert permalink.seed_of(f" {(1 << 64) - 1} ") == (1 << 64) - 1


@pytest.mark.parametrize("place", [places.NONE, *WIRES])
def test_wires_of_a_named_place_travel_by_their_name(place):
    config = SimConfig.preset("stress").replace(places.changes(place))
    query = permalink.write(config, 7, "stress")
    assert f"wires={place}" in query
    assert len(query) < 100
    scene = permalink.read(query, SimConfig(), 0, "classroom")
    assert scene.complaints == []
    assert scene.config == config
    assert places.name_of(scene.config) == place


def test_wires_that_are_those_of_the_preset_are_not_named_and_unknown_ones_are_left_out():
    assert "wires" not in permalink.write(SimConfig.preset("cloud"), 7, "cloud")
    scene = permalink.read("wires=moon", SimConfig(), 0, "classroom")
    assert "no wires 'moon'" in scene.complaints[0]
    assert scene.config == SimConfig()
