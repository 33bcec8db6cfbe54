"""What a config takes, what it refuses and how it says so, and what the kernels get of it."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from strategies import configs, delays

from lablib.config import SimConfig
from lablib.engine import Simulation, simulate
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.presets import SCENARIOS
from lablib.units import ns, parse_duration

NAN, INF = math.nan, math.inf


def lognormal(**changes: Any) -> dict[str, Any]:
    return {"model": "lognormal", "median_ms": 3, "sigma": 0.5, **changes}


# Dotted field, value, and what the message must tell beside the field itself.
REFUSED: list[tuple[str, Any, str]] = [
    ("strategy.treshold", 1, "no such field"),
    ("strategy", {"treshold": 1}, "no such field"),
    ("strat", {}, "no such field"),
    ("strategy.threshold.deep", 1, "no such field"),
    ("strategy.threshold", NAN, "nan"),
    ("strategy.threshold", INF, "inf"),
    ("strategy.threshold", -0.001, "-0.001"),
    ("strategy.threshold", True, "True"),
    ("strategy.threshold", "much", "'much'"),
    ("strategy.threshold", None, "None"),
    ("strategy.threshold", [0.1], "[0.1]"),
    ("strategy.name", "magic", "'magic'"),
    ("strategy.exit", "soon", "'soon'"),
    ("strategy.stack", 7, "7"),
    ("strategy.decision_interval_ms", -1, "-1"),
    ("strategy.exit_after_ms", -INF, "-inf"),
    ("latency.order_entry_ms", -1, "-1"),
    ("latency.order_entry_ms", NAN, "nan"),
    ("latency.order_entry_ms", 1e9, "1000000000.0"),
    ("latency.order_entry_ms", True, "True"),
    ("latency.order_entry_ms", {}, "model"),
    ("latency.order_entry_ms", [5], "[5]"),
    ("latency.order_entry_ms", {"model": "weibull"}, "gamma"),
    ("latency.order_entry_ms", {"model": "lognormal", "sigma": 1}, "median_ms: required"),
    ("latency.order_entry_ms", lognormal(median_ms=-3), "-3"),
    ("latency.order_entry_ms", lognormal(median_ms=0), "0"),
    ("latency.order_entry_ms", lognormal(sigma=NAN), "nan"),
    ("latency.order_entry_ms", lognormal(sigma=False), "False"),
    ("latency.order_entry_ms", lognormal(mode=1), "mode: no such field"),
    ("latency.order_entry_ms", lognormal(spike_probability=1.1), "1.1"),
    ("latency.order_entry_ms", lognormal(spike_alpha=1), "1"),
    ("latency.market_lag_ms", None, "None"),
    ("latency.cancel_ms", -2, "-2"),
    ("external.model", "levy", "'levy'"),
    ("external.start_px", 0, "0"),
    ("external.volatility_bps", -1, "-1"),
    ("external.interval_ms", 0, "0"),
    ("external.regimes", 3, "3"),
    ("external.regimes.enabled", "perhaps", "'perhaps'"),
    ("external.regimes.mean_stay_s", 0, "0"),
    ("external.burst.duration_s", 0, "0"),
    ("venue.model", "dark_pool", "'dark_pool'"),
    ("venue.tick_size", 0, "0"),
    ("venue.tick_size", 1_000, "1 and 2**36"),
    ("external.start_px", 1e-3, "1 and 2**36"),
    ("venue.lot_size", -1, "-1"),
    ("venue.lot_size", 10, "rounds to 0"),
    ("venue.levels", 0, "0"),
    ("venue.levels", t.N_LADDER + 1, str(t.N_LADDER + 1)),
    ("venue.levels", 2.5, "2.5"),
    ("venue.levels", True, "True"),
    ("venue.level_lots", 0, "0"),
    ("venue.half_spread_ticks", -1, "-1"),
    ("venue.fee_bps", -51, "-51"),
    ("risk.max_position_pct", 1e-9, "rounds to 0"),
    ("risk.max_position_pct", 0, "0"),
    ("risk.daily_loss_cap_pct", 0, "0"),
    ("risk.daily_loss_cap_pct", 1.5, "1.5"),
    ("risk.day_length", "soon", "'soon'"),
    ("risk.day_length", "0s", "'0s'"),
    ("risk.day_length", "-5min", "'-5min'"),
    ("risk.day_length", 5, "5"),
    ("account.starting_cash", 0, "0"),
    ("account.starting_cash", 1e12, "more than money can count exactly"),
    ("account.starting_cash", 1, "rounds to 0"),
    ("record.samples", "no way", "'no way'"),
]
# A rule that binds several fields names the one to change.
BINDING = {"rounds to 0": "risk.max_position_pct", "1 and 2**36": "venue.tick_size"}


@pytest.mark.parametrize(
    ("field", "value", "said"), REFUSED, ids=[f"{field}={value!r}" for field, value, _ in REFUSED]
)
def test_a_refusal_is_one_line_with_field_and_value(field, value, said):
    with pytest.raises(ConfigError) as caught:
        SimConfig().replace({field: value})
    message = str(caught.value)
    assert "\n" not in message
    assert said in message
    assert message.startswith(BINDING.get(said, field))
    assert len(message) < 400


@pytest.mark.parametrize("data", [[], 3, None, "classroom", {"strategy": 5}, {"foo": 1}])
def test_what_is_no_config_is_refused(data):
    with pytest.raises(ConfigError) as caught:
        SimConfig.model_validate(data)
    assert "\n" not in str(caught.value)
    if isinstance(data, dict):
        assert next(iter(data)) in str(caught.value)


def test_every_fault_is_told_at_once():
    with pytest.raises(ConfigError) as caught:
        SimConfig(strategy={"threshold": -1, "exit": "soon"}, risk={"max_gross_pct": 0})
    for field in ("strategy.threshold", "strategy.exit", "risk.max_gross_pct"):
        assert field in str(caught.value)


def test_makers_need_a_spread():
    with pytest.raises(ConfigError, match=r"venue.half_spread_ticks: 0; makers"):
        SimConfig().replace({"venue.model": "makers"})


def test_a_recorded_venue_needs_a_recording():
    with pytest.raises(ConfigError, match=r"venue.model: 'recorded' needs a market"):
        Simulation({"venue.model": "recorded"})


def test_a_preset_nobody_knows_is_refused_with_those_there_are():
    for make in (SimConfig.preset, Simulation):
        with pytest.raises(ConfigError, match="no preset 'nonesuch'") as caught:
            make("nonesuch")
        assert all(name in str(caught.value) for name in SCENARIOS)


@pytest.mark.parametrize("config", [5, ["classroom"], b"classroom"])
def test_a_simulation_takes_a_config_a_dict_a_name_or_nothing(config):
    with pytest.raises(ConfigError, match="give a SimConfig, a dict or a preset's name, got"):
        Simulation(config)


@pytest.mark.parametrize(
    "duration", ["0s", "-1s", -1, 0, "abc", "", "5 parsecs", "nan", "inf", True]
)
def test_a_duration_is_a_positive_time(duration):
    with pytest.raises(ConfigError, match="give a positive time") as caught:
        simulate(every=duration, until="1s")
    assert repr(duration) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("50ms", 50_000_000),
        ("1.5h", 5_400_000_000_000),
        ("10min", 600_000_000_000),
        ("10m", 600_000_000_000),
        ("1d", 86_400_000_000_000),
        ("7us", 7_000),
        ("3ns", 3),
        (" 1 S ", 1_000_000_000),
        ("2", 2_000_000_000),
        (0.1, 100_000_000),
        (3, 3_000_000_000),
    ],
)
def test_durations_as_people_write_them(text, nanoseconds):
    assert parse_duration(text) == nanoseconds


# ------------------------------------------------------------------------------------- TOML and JSON
def test_a_toml_file_starts_from_a_preset_and_changes_it(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'preset = "cloud"\n[latency]\norder_entry_ms = 3\n[latency.ack_ms]\nsigma = 0.1\n'
    )
    config = SimConfig.from_toml(path)
    assert config.latency.order_entry_ms == 3
    assert config.latency.ack_ms.sigma == 0.1
    assert config.latency.ack_ms.median_ms == SimConfig.preset("cloud").latency.ack_ms.median_ms
    assert config.venue == SimConfig.preset("cloud").venue


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[latency]\nack_ms = -1\n", "latency.ack_ms"),
        ("[latency]\nack = 1\n", "latency.ack"),
        ("[latency\n", "line 1"),
        ('preset = "nonesuch"\n', "nonesuch"),
        ("[strategy]\nthreshold = nan\n", "strategy.threshold"),
        ("[strategy]\nthreshold = true\n", "strategy.threshold"),
        (b"\xff\xfe", "decode"),
    ],
)
def test_a_bad_toml_file_is_refused_with_its_name(tmp_path, text, said):
    path = tmp_path / "bad.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=said) as caught:
        SimConfig.from_toml(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_toml_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml"):
        SimConfig.from_toml(tmp_path / "none.toml")


@given(config=configs())
def test_a_config_survives_json(config):
    text = config.to_json()
    again = SimConfig.model_validate(json.loads(text))
    assert again == config
    assert again.to_json() == text
    assert again.to_record().tobytes() == config.to_record().tobytes()


def test_the_same_numbers_written_differently_are_the_same_config():
    one = SimConfig().replace({"latency.order_entry_ms": 20})
    two = SimConfig(latency={"order_entry_ms": 20.0})
    three = SimConfig().replace({"latency": {"order_entry_ms": np.float64(20)}})
    assert one.to_json() == two.to_json() == three.to_json()


# ---------------------------------------------------------------------------------- get and replace
def leaves(model: BaseModel, path: str = "") -> list[str]:
    paths: list[str] = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        here = f"{path}{name}"
        paths += leaves(value, f"{here}.") if isinstance(value, BaseModel) else [here]
    return paths


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_field_is_reached_by_its_dotted_path(name):
    config = SimConfig.preset(name)
    paths = leaves(config)
    assert len(paths) > 40
    for path in paths:
        assert config.replace({path: config.get(path)}) == config


@pytest.mark.parametrize("path", ["foo", "latency.foo", "latency.ack_ms.sigma", "", "latency."])
def test_getting_what_is_not_there_names_it(path):
    with pytest.raises(ConfigError, match="no such field"):
        SimConfig().get(path)


def test_replacing_changes_the_copy_only_and_merges_sections():
    config = SimConfig.preset("cloud")
    changed = config.replace({"latency": {"ack_ms": {"sigma": 1.0}}, "strategy.threshold": 0.5})
    assert changed.latency.ack_ms.sigma == 1.0
    assert changed.latency.ack_ms.median_ms == config.latency.ack_ms.median_ms
    assert changed.get("strategy.threshold") == 0.5
    assert config == SimConfig.preset("cloud")
    assert config.replace({}) == config


def test_a_config_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        SimConfig().strategy.threshold = 0.1


# ------------------------------------------------------------------------------ presets and the card
def test_the_defaults_are_the_classroom():
    config = SimConfig()
    assert config == SimConfig.preset("classroom")
    expected = {
        "external.model": "gbm",
        "external.start_px": 100.0,
        "external.volatility_bps": 44.72,
        "external.interval_ms": 50,
        "external.regimes.enabled": False,
        "external.burst.enabled": False,
        "venue.model": "delayed_copy",
        "venue.tick_size": 0.01,
        "venue.lot_size": 0.001,
        "venue.half_spread_ticks": 0,
        "venue.levels": 20,
        "venue.fee_bps": 2.0,
        "latency.market_lag_ms": 120,
        "latency.external_feed_ms": 0,
        "latency.venue_feed_ms": 0,
        "latency.decision_ms": 0,
        "latency.order_entry_ms": 0,
        "latency.cancel_ms": None,
        "latency.ack_ms": 0,
        "strategy.name": "divergence",
        "strategy.threshold": 0.003,
        "strategy.decision_interval_ms": 50,
        "strategy.exit": "opposite",
        "strategy.stack": False,
        "risk.max_position_pct": 0.005,
        "risk.daily_loss_cap_pct": 0.02,
        "risk.day_length": "24h",
        "account.starting_cash": 100_000.0,
    }
    assert {path: config.get(path) for path in expected} == expected


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_preset_is_valid_and_says_what_it_is_and_whence(name):
    scenario = SCENARIOS[name]
    assert SimConfig.preset(name).to_record().tick_px > 0
    assert scenario.title
    assert scenario.source
    for path in scenario.changes:
        assert SimConfig.preset(name).get(path) is not None


def test_the_presets_that_were_promised_are_there():
    assert {"classroom", "stress", "colo", "cloud", "retail"} <= set(SCENARIOS)


def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    found = [model]
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += sections(field.annotation)
    return found


@pytest.mark.parametrize("section", sections(SimConfig)[1:], ids=lambda section: section.__name__)
def test_every_field_is_described_and_its_slider_lies_within_its_bounds(section):
    assert section.__doc__
    for name, field in section.model_fields.items():
        assert field.description, name
        knob = field.json_schema_extra
        if field.annotation is bool:
            assert knob is None or knob == {"switch": True, "live": True}
        elif knob:
            assert set(knob) == {"unit", "low", "high", "log", "live"}
            assert knob["low"] < knob["high"]
            defaults = SimConfig()
            path = f"{section.__name__.removesuffix('Config').lower()}.{name}"
            for value in (knob["low"], knob["high"]):
                if value:
                    assert defaults.replace({path: value}).get(path) == value


# ------------------------------------------------------------------------------------- to the kernels
def test_a_person_s_units_become_the_kernels_exactly():
    config = SimConfig().replace(
        {
            "external.start_px": 250.0,
            "external.volatility_bps": 40,
            "external.interval_ms": 250,
            "external.burst.enabled": True,
            "external.burst.start_s": 1.5,
            "external.burst.duration_s": 0.25,
            "venue.tick_size": 0.25,
            "venue.lot_size": 0.5,
            "venue.fee_bps": -0.35,
            "latency.market_lag_ms": 0.1234567,
            "latency.external_feed_ms": {
                "model": "uniform",
                "base_ms": 1.5,
                "jitter_ms": 2.25,
                "spike_probability": 0.5,
                "spike_ms": 7,
                "spike_alpha": 3,
            },
            "latency.venue_feed_ms": lognormal(shift_ms=0.25),
            "latency.ack_ms": {"model": "constant", "ms": 3},
            "latency.order_entry_ms": 5,
            "strategy.decision_interval_ms": 0.5,
            "strategy.exit": "time",
            "strategy.exit_after_ms": 2.5,
            "risk.day_length": "30min",
            "account.starting_cash": 80_000,
        }
    )
    params = config.to_record()
    assert params.external.start_ticks == 1_000.0
    assert params.external.interval_ns == 250_000_000
    assert params.external.sigma == pytest.approx(0.0040 * math.sqrt(0.25), rel=1e-15)
    assert params.external.burst_from_ns == 1_500_000_000
    assert params.external.burst_until_ns == 1_750_000_000
    assert params.tick_px == 0.25
    assert params.unit_value == 0.25 * 0.5 / t.MONEY
    assert params.starting_cash == 80_000 * 8 * t.MONEY
    assert params.venue.fee_rate == -350_000  # of 10^10: -0.35 in 10,000
    assert params.delays[t.MARKET_LAG].shift_ns == 123_457
    uniform = params.delays[t.EXTERNAL_FEED]
    assert (uniform.model, uniform.shift_ns, uniform.scale_ns) == (t.UNIFORM, 1_500_000, 2_250_000)
    assert (uniform.spike_probability, uniform.spike_ns, uniform.spike_alpha) == (0.5, 7_000_000, 3)
    shifted = params.delays[t.VENUE_FEED]
    assert (shifted.model, shifted.shift_ns) == (t.LOGNORMAL, 250_000)
    assert (shifted.scale_ns, shifted.sigma) == (3_000_000, 0.5)
    assert params.delays[t.ACK].shift_ns == 3_000_000
    assert params.delays[t.CANCEL_ENTRY].tobytes() == params.delays[t.ORDER_ENTRY].tobytes()
    assert params.strategy.decision_ns == 500_000
    assert (params.strategy.exit, params.strategy.exit_after_ns) == (t.EXIT_TIME, 2_500_000)
    assert params.risk.day_ns == 1_800_000_000_000


def test_a_cancel_may_travel_by_its_own_law():
    params = SimConfig().replace({"latency.cancel_ms": 3, "latency.order_entry_ms": 9}).to_record()
    assert params.delays[t.CANCEL_ENTRY].shift_ns == 3_000_000
    assert params.delays[t.ORDER_ENTRY].shift_ns == 9_000_000


def test_the_regime_chain_stays_as_long_as_asked():
    params = SimConfig().replace({"external.regimes.mean_stay_s": 2}).to_record()
    assert params.external.regime_stay.tolist() == pytest.approx([math.exp(-0.05 / 2)] * 3)


@given(milliseconds=st.floats(0, 60_000))
def test_milliseconds_become_the_nearest_nanosecond(milliseconds):
    assert abs(ns(milliseconds) - milliseconds * 1e6) <= 0.5
    params = SimConfig().replace({"latency.ack_ms": milliseconds}).to_record()
    assert params.delays[t.ACK].shift_ns == ns(milliseconds)


@given(fee=st.integers(-500_000, 5_000_000).map(lambda rate: rate / 10_000))
def test_a_fee_in_basis_points_is_exact(fee):
    assert SimConfig().replace({"venue.fee_bps": fee}).to_record().venue.fee_rate == round(
        fee * 1e6
    )


@given(model=delays())
def test_a_number_and_a_constant_model_are_the_same_delay(model):
    record = SimConfig().replace({"latency.ack_ms": model}).to_record().delays[t.ACK]
    if isinstance(model, float):
        same = SimConfig().replace({"latency.ack_ms": {"model": "constant", "ms": model}})
        assert same.to_record().delays[t.ACK].tobytes() == record.tobytes() or (
            record.spike_probability == same.to_record().delays[t.ACK].spike_probability
            and record.shift_ns == same.to_record().delays[t.ACK].shift_ns
        )
    else:
        assert record.model == ("constant", "uniform", "lognormal").index(model["model"])


def test_a_section_that_names_its_model_keeps_what_it_does_not_name():
    config = SimConfig.preset("colo")
    changed = config.replace({"venue": {"model": "makers", "fee_bps": 1.0}})
    assert changed == config.replace({"venue.fee_bps": 1.0})
    waiting = config.replace({"latency": {"ack_ms": {"model": "constant", "ms": 3.0}}})
    assert waiting.latency.ack_ms.ms == 3.0  # a delay model is another one, and replaces the old
