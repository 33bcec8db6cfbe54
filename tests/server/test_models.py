"""Bodies by themselves: what a model takes and what it says of the rest."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lablib as lab
from lablib.errors import ConfigError
from lablib.server.models import StartRun, config_of, leaves, parse, read_object

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["config", "seed", "until", "speed", "x"]), inner)
    ),
    max_leaves=8,
)


def test_an_empty_body_is_a_run_with_every_default():
    assert parse(b"", StartRun) == parse(b" {} ", StartRun) == StartRun()


@given(st.binary(max_size=40))
def test_bytes_are_an_object_or_a_refusal_and_never_another_error(raw):
    with suppress(ConfigError):
        assert isinstance(read_object(raw), dict)


@given(anything)
def test_json_is_a_run_or_a_refusal_and_never_another_error(value):
    raw = json.dumps(value).encode()
    with suppress(ConfigError):
        asked = parse(raw, StartRun)
        config_of(asked.config)
        assert asked == StartRun(**json.loads(raw))


@pytest.mark.parametrize("preset", sorted(lab.SCENARIOS))
def test_a_whole_config_sent_back_is_the_same_config(preset):
    config = lab.SimConfig.preset(preset)
    assert config_of(json.loads(config.to_json())) == config
    assert config_of(preset) == config


def test_leaves_of_changes_are_dotted_fields_and_a_delay_model_is_one():
    delay = {"model": "lognormal", "median_ms": 5, "sigma": 0.3}
    changes = {
        "external": {"model": "bachelier", "regimes": {"enabled": True}},
        "latency": {"ack_ms": delay, "order_entry_ms": 3},
        "latency.cancel_ms": delay,
    }
    assert list(leaves(changes)) == [
        ("external.model", "bachelier"),
        ("external.regimes.enabled", True),
        ("latency.ack_ms", delay),
        ("latency.order_entry_ms", 3),
        ("latency.cancel_ms", delay),
    ]


def test_named_wires_are_a_text_that_may_stand_for_a_delay():
    config = config_of({"latency.order_entry_ms": "chicago_nj_microwave"})
    assert config.latency.order_entry_ms != 0.0
