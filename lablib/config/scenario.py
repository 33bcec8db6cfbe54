"""The rooms together: a whole scenario, where it comes from and how it is changed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from lablib.config.crowd import MakersConfig, RivalsConfig
from lablib.config.faults import explain
from lablib.config.latency import OWN_WIRES, LatencyConfig
from lablib.config.price import ExternalConfig
from lablib.config.risk import DrillsConfig, RiskConfig
from lablib.config.strategy import StrategyConfig
from lablib.config.venue import FlowConfig, IntensityConfig, VenueConfig
from lablib.delays import Section
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.params import to_record
from lablib.presets import SCENARIOS
from lablib.wires import WIRES

UNITS_MAX = 1 << 52  # money stays exact in a float64 as well


class AccountConfig(Section):
    """What we start with."""

    starting_cash: float = Field(100_000.0, gt=0, le=1e12, description="Cash at time 0 (currency)")


class RecordConfig(Section):
    """What a run writes down."""

    samples: bool = Field(True, description="Keep one row of `samples` per decision")


class SimConfig(Section):
    """A whole scenario. The defaults are the `classroom` preset."""

    external: ExternalConfig = Field(default_factory=ExternalConfig)
    venue: VenueConfig = Field(default_factory=VenueConfig)
    flow: FlowConfig = Field(default_factory=FlowConfig)
    intensity: IntensityConfig = Field(default_factory=IntensityConfig)
    makers: MakersConfig = Field(default_factory=MakersConfig)
    rivals: RivalsConfig = Field(default_factory=RivalsConfig)
    latency: LatencyConfig = Field(default_factory=LatencyConfig)
    strategy: StrategyConfig = Field(default_factory=StrategyConfig)
    risk: RiskConfig = Field(default_factory=RiskConfig)
    drills: DrillsConfig = Field(default_factory=DrillsConfig)
    account: AccountConfig = Field(default_factory=AccountConfig)
    record: RecordConfig = Field(default_factory=RecordConfig)

    @model_validator(mode="wrap")
    @classmethod
    def _readable(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise ConfigError(explain(error)) from None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        unit_value = self.unit_value
        if self.account.starting_cash / unit_value > UNITS_MAX:
            raise ConfigError(
                f"account.starting_cash: {self.account.starting_cash} is more than money can count exactly"
                f" at venue.tick_size {self.venue.tick_size} and venue.lot_size {self.venue.lot_size}"
            )
        first_order = self.account.starting_cash * self.risk.max_position_pct
        lots = first_order / (self.external.start_px * self.venue.lot_size)
        if lots < 1:
            raise ConfigError(
                f"risk.max_position_pct: {self.risk.max_position_pct} of {self.account.starting_cash} is"
                f" {lots:.3g} lots of venue.lot_size {self.venue.lot_size}, which rounds to 0"
            )
        if self.venue.model == "makers" and self.venue.half_spread_ticks < 1:
            raise ConfigError(
                "venue.half_spread_ticks: 0; makers quote in a real book and need at least 1"
            )
        start_ticks = self.external.start_px / self.venue.tick_size
        if not 1 <= start_ticks <= 1 << 36:
            raise ConfigError(
                f"venue.tick_size: {self.venue.tick_size} makes external.start_px {start_ticks:.3g} ticks;"
                " it must be between 1 and 2**36"
            )
        return self

    @property
    def unit_value(self) -> float:
        """Currency of one money unit."""
        return self.venue.tick_size * self.venue.lot_size / t.MONEY

    @classmethod
    def preset(cls, name: str) -> SimConfig:
        """The configuration of a named scenario of `lablib.presets`.

        Raises
        ------
        ConfigError
            When no preset has that name.
        """
        if name not in SCENARIOS:
            raise ConfigError(f"preset: no preset {name!r}; there are {', '.join(SCENARIOS)}")
        return cls().replace(SCENARIOS[name].changes)

    @classmethod
    def from_toml(cls, path: str | Path) -> SimConfig:
        """Read a TOML file of sections.

        `preset = "name"` at its top starts from that preset, `wires = "name"` from those wires.
        """
        try:
            data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from None
        name = data.pop("preset", "classroom")
        wires = data.pop("wires", None)
        try:
            config = cls.preset(name)
            return (config if wires is None else config.wired(wires)).replace(data)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None

    def wired(self, name: str) -> SimConfig:
        """A copy with the delays of a preset of `lablib.wires`, on the legs that it has.

        >>> SimConfig().wired("human").latency.decision_ms.median_ms
        300.0
        """
        if name not in WIRES:
            raise ConfigError(f"wires: no wires {name!r}; there are {', '.join(WIRES)}")
        return self.replace(WIRES[name].changes)

    def replace(self, changes: Mapping[str, Any]) -> SimConfig:
        """A changed copy, validated anew; keys are sections or dotted fields.

        >>> SimConfig().replace({"latency.order_entry_ms": 20}).latency.order_entry_ms
        20.0
        """
        data = self.model_dump()
        for path, value in changes.items():
            _put(data, path, value)
        return SimConfig.model_validate(data)

    def without_latency(self) -> SimConfig:
        """The same with every wire of our own at zero, the latency spike drill too; the market's lag stays.

        >>> SimConfig.preset("cloud").without_latency().latency.order_entry_ms
        0.0
        """
        instant = dict.fromkeys(OWN_WIRES, 0.0)
        latency = {**instant, "cancel_ms": None}
        return self.replace({"latency": latency, "drills.latency_spike_ms": 0.0})

    def get(self, path: str) -> Any:
        """The value of a dotted field, such as `"latency.order_entry_ms"`."""
        node: Any = self
        for name in path.split("."):
            if not isinstance(node, BaseModel) or name not in type(node).model_fields:
                raise ConfigError(f"{path}: no such field")
            node = getattr(node, name)
        return node

    def to_json(self) -> str:
        """Canonical JSON: what a digest hashes and a record keeps."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def to_record(self) -> Any:
        """The kernels' view, a `tables.PARAMS` record; noise keys are left at 0 for the engine to set."""
        return to_record(self)


def _put(data: dict[str, Any], path: str, value: Any, section: str = "") -> None:
    """Set a dotted path in nested dicts, merging where the value is a mapping but no delay model."""
    if not isinstance(path, str):
        raise ConfigError(f"config: a field's name is text, got {path!r}")
    *parents, last = path.split(".")
    node: Any = data
    for name in parents:
        node = node.get(name) if isinstance(node, dict) else None
    if not isinstance(node, dict) or last not in node:
        known = f"; there: {', '.join(sorted(node))}" if isinstance(node, dict) else ""
        raise ConfigError(f"{section}{path}: no such field (value {value!r}{known})")
    is_model = isinstance(value, Mapping) and "model" in value and bool(section or parents)
    if isinstance(value, Mapping) and isinstance(node[last], dict) and not is_model:
        for key, inner in value.items():
            _put(node[last], str(key), inner, f"{section}{path}.")
    else:
        node[last] = value
