"""What a run is made of: one frozen model per room, in a person's units.

The one definition that Python, TOML, the command line, the API and the sliders read: every field has
a unit, a range and a description. `to_record` turns it into the kernels' integers and is the only
place where milliseconds, basis points and currency become nanoseconds, ticks and units.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.params import to_record
from lablib.presets import SCENARIOS
from lablib.units import parse_duration

MS_MAX = 60_000.0
UNITS_MAX = 1 << 52  # money stays exact in a float64 as well


def _knob(unit: str, low: float, high: float, *, log: bool = False, live: bool = True) -> Any:
    """How a slider shows a field: unit, the range worth moving in, and whether a running market takes it."""
    return {"unit": unit, "low": low, "high": high, "log": log, "live": live}


class Section(BaseModel):
    """One room's settings. Frozen; an unknown key, NaN or infinity is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    @model_validator(mode="before")
    @classmethod
    def _no_truth(cls, data: Any) -> Any:
        """Python counts True as 1; a person who writes `threshold = true` means something else."""
        if isinstance(data, Mapping):
            for name, field in cls.model_fields.items():
                if isinstance(data.get(name), bool) and field.annotation is not bool:
                    message = "{field}: true and false are no value here, got {value}"
                    raise PydanticCustomError(
                        "truth", message, {"field": name, "value": repr(data[name])}
                    )
        return data


# ---------------------------------------------------------------------------------------------- wires
class Spikes(Section):
    """Rare long delays on top of a delay model: Pareto beyond `scale_ms` with tail exponent `alpha`."""

    spike_probability: float = Field(
        0.0, ge=0, le=1, description="Chance that a message is hit by a spike"
    )
    spike_ms: float = Field(
        10.0, gt=0, le=MS_MAX, description="Smallest spike, added to the delay (ms)"
    )
    spike_alpha: float = Field(
        2.5, gt=1, le=20, description="Tail exponent of the spikes' Pareto law"
    )


class Constant(Spikes):
    """Always the same delay."""

    model: Literal["constant"] = "constant"
    ms: float = Field(ge=0, le=MS_MAX, description="Delay (ms)")


class Uniform(Spikes):
    """Uniform jitter on top of a floor."""

    model: Literal["uniform"] = "uniform"
    base_ms: float = Field(ge=0, le=MS_MAX, description="Smallest delay (ms)")
    jitter_ms: float = Field(ge=0, le=MS_MAX, description="Width of the jitter (ms)")


class Lognormal(Spikes):
    """Shifted lognormal: p99/median of the random part = exp(2.326 sigma)."""

    model: Literal["lognormal"] = "lognormal"
    median_ms: float = Field(gt=0, le=MS_MAX, description="Median of the random part (ms)")
    sigma: float = Field(ge=0, le=3, description="Standard deviation of its logarithm")
    shift_ms: float = Field(
        0.0, ge=0, le=MS_MAX, description="Floor below which no message arrives (ms)"
    )


DelayModel = Annotated[Constant | Uniform | Lognormal, Field(discriminator="model")]
Delay = Annotated[float, Field(ge=0, le=MS_MAX)] | DelayModel


class LatencyConfig(Section):
    """How long every message travels: a number of milliseconds or a delay model."""

    market_lag_ms: Delay = Field(
        120.0,
        description="External price move until the venue's makers act on it (ms)",
        json_schema_extra=_knob("ms", 0, 500),
    )
    external_feed_ms: Delay = Field(
        0.0,
        description="External price move until we see it (ms)",
        json_schema_extra=_knob("ms", 0, 200),
    )
    venue_feed_ms: Delay = Field(
        0.0,
        description="Change of the venue's quote until we see it (ms)",
        json_schema_extra=_knob("ms", 0, 200),
    )
    decision_ms: Delay = Field(
        0.0,
        description="Looking until the order leaves our process (ms)",
        json_schema_extra=_knob("ms", 0, 200),
    )
    order_entry_ms: Delay = Field(
        0.0,
        description="Order sent until the venue has it (ms)",
        json_schema_extra=_knob("ms", 0, 300),
    )
    cancel_ms: Delay | None = Field(
        None, description="Cancel sent until the venue has it (ms); as order entry unless given"
    )
    ack_ms: Delay = Field(
        0.0, description="Venue acted until we know (ms)", json_schema_extra=_knob("ms", 0, 300)
    )


# --------------------------------------------------------------------------------------------- market
class RegimeConfig(Section):
    """Calm, normal and volatile spells of the external price: a Markov chain over its ticks."""

    enabled: bool = Field(False, description="Let volatility switch between regimes")
    calm_volatility: float = Field(
        0.5, ge=0, le=20, description="Multiple of the volatility while calm"
    )
    volatile_volatility: float = Field(
        2.5, ge=0, le=20, description="Multiple of the volatility while volatile"
    )
    mean_stay_s: float = Field(30.0, gt=0, le=86_400, description="Mean time in a regime (s)")


class BurstConfig(Section):
    """One scheduled stretch of stress."""

    enabled: bool = Field(False, description="Have a stress burst")
    start_s: float = Field(60.0, ge=0, le=1e7, description="When it starts (s)")
    duration_s: float = Field(30.0, gt=0, le=1e6, description="How long it lasts (s)")
    volatility: float = Field(
        4.0, ge=0, le=50, description="Multiple of the volatility during the burst"
    )


class ExternalConfig(Section):
    """The price the world sees first."""

    model: Literal["gbm"] = Field(
        "gbm", description="Law of the external price: driftless geometric Brownian motion"
    )
    start_px: float = Field(100.0, gt=0, le=1e7, description="External price at time 0 (currency)")
    volatility_bps: float = Field(
        44.72,
        ge=0,
        le=5_000,
        description="Standard deviation of the log price over one second (bps)",
        json_schema_extra=_knob("bps/√s", 0, 200),
    )
    interval_ms: float = Field(
        50.0,
        gt=0,
        le=MS_MAX,
        description="Time between external ticks (ms)",
        json_schema_extra=_knob("ms", 1, 500, live=False),
    )
    regimes: RegimeConfig = Field(
        default_factory=RegimeConfig, description="Calm, normal, volatile spells"
    )
    burst: BurstConfig = Field(default_factory=BurstConfig, description="A scheduled stress burst")


class VenueConfig(Section):
    """The market that follows late, and what trading there costs."""

    model: Literal["delayed_copy", "makers", "recorded"] = Field(
        "delayed_copy", description="How the venue forms its price"
    )
    tick_size: float = Field(0.01, gt=0, le=1e6, description="Price step (currency)")
    lot_size: float = Field(0.001, gt=0, le=1e6, description="Quantity step (units of the asset)")
    half_spread_ticks: int = Field(
        0,
        ge=0,
        le=1_000,
        description="Half the quoted spread (ticks); a real book needs at least 1",
        json_schema_extra=_knob("ticks", 0, 20),
    )
    levels: int = Field(20, ge=1, le=t.N_LADDER, description="Price levels quoted on each side")
    level_lots: int = Field(1_000_000, ge=1, le=1 << 40, description="Depth of a level (lots)")
    fee_bps: float = Field(
        2.0,
        ge=-50,
        le=500,
        description="Fee of a trade, negative for a rebate (bps of notional)",
        json_schema_extra=_knob("bps", 0, 20),
    )


# -------------------------------------------------------------------------------------------------- us
class StrategyConfig(Section):
    """When we trade."""

    name: Literal["divergence", "passive_divergence", "own", "idle"] = Field(
        "divergence",
        description="Take the quote, join its queue, follow your own function, or do nothing",
    )
    threshold: float = Field(
        0.003,
        ge=0,
        le=1,
        description="Divergence that triggers an order (fraction of the price)",
        json_schema_extra=_knob("", 0, 0.02),
    )
    decision_interval_ms: float = Field(
        50.0,
        ge=0,
        le=MS_MAX,
        description="Time between decisions (ms); 0 decides on every update seen",
        json_schema_extra=_knob("ms", 0, 500, live=False),
    )
    exit: Literal["opposite", "close", "time", "never"] = Field(
        "opposite", description="What closes a position"
    )
    exit_after_ms: float = Field(
        1_000.0,
        ge=0,
        le=1e9,
        description='Holding time of exit "time", from the entry decision (ms)',
        json_schema_extra=_knob("ms", 0, 5_000),
    )
    stack: bool = Field(False, description="Allow further entries on a side that is already open")
    parameters: tuple[float, ...] = Field(
        (), max_length=t.N_PARAMETERS, description="Numbers handed to your own strategy"
    )
    volatile_size: float = Field(
        0.5, gt=0, le=1, description="Size multiple while we estimate a volatile regime"
    )


class RiskConfig(Section):
    """What stops us. Limits count orders still in flight."""

    max_position_pct: float = Field(
        0.005,
        gt=0,
        le=100,
        description="Notional of one order (share of equity)",
        json_schema_extra=_knob("", 0.001, 0.1),
    )
    max_gross_pct: float = Field(
        10.0,
        gt=0,
        le=1_000,
        description="Worst-case exposure with every order in flight filled (share of equity)",
        json_schema_extra=_knob("", 0.005, 10),
    )
    daily_loss_cap_pct: float = Field(
        0.02,
        gt=0,
        le=1,
        description="Realised loss of a day, with fees, that halts trading (share of its first equity)",
        json_schema_extra=_knob("", 0.0005, 0.05),
    )
    day_length: str = Field("24h", description='Length of a trading day, such as "24h" or "30min"')
    flatten_on_halt: bool = Field(
        True, description="Close the position when the kill switch latches"
    )
    rearm_each_day: bool = Field(False, description="Let a new day release the kill switch")
    check_notional: bool = Field(True, description="Refuse an order above max_position_pct")

    # Checks of an entry before it leaves. An exit is never held back by them.
    max_open_orders: int = Field(
        0,
        ge=0,
        le=t.N_OWN,
        description="Refuse an entry that would be one open order more, exits counted; 0 is off (orders)",
        json_schema_extra=_knob("orders", 0, 20),
    )
    max_orders_per_s: int = Field(
        0,
        ge=0,
        le=t.N_RATE,
        description="Refuse an entry beyond so many orders in any stretch of one second; 0 is off (orders/s)",
        json_schema_extra=_knob("orders/s", 0, 100),
    )
    price_collar_pct: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Refuse an entry whose price, or the touch it would take, is farther than this from the"
        " external price we see, either way; must be wider than the threshold; 0 is off (share of the price)",
        json_schema_extra=_knob("", 0, 0.1),
    )
    refuse_crossed: bool = Field(
        False,
        description="Refuse an entry while the quote we see is crossed, its bid above its ask",
    )

    # Guards that latch the kill switch.
    drawdown_cap_pct: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Fall of our marked equity below its peak that latches the kill switch; the peak counts"
        " from when the switch was last opened; 0 is off (share of the peak)",
        json_schema_extra=_knob("", 0, 0.2),
    )
    max_loss_streak: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Round trips lost in a row, fees counted, that latch the kill switch; 0 is off",
        json_schema_extra=_knob("round trips", 0, 50),
    )
    stale_external_ms: float = Field(
        0.0,
        ge=0,
        le=1e9,
        description="Silence of the external feed that latches the kill switch; longer than the source ever"
        " pauses; 0 is off (ms)",
        json_schema_extra=_knob("ms", 0, 5_000),
    )
    stale_venue_ms: float = Field(
        0.0,
        ge=0,
        le=1e9,
        description="Silence of the venue feed that latches the kill switch, counted from the external price"
        " seen a tick away from where it was at the venue's last word: where nothing happens a venue is"
        " quiet, not silent; longer than market lag and feed together; 0 is off (ms)",
        json_schema_extra=_knob("ms", 0, 5_000),
    )
    max_lost_messages: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Messages missing in the venue feed's numbering, since the switch was last opened, that"
        " latch it; 0 is off",
        json_schema_extra=_knob("messages", 0, 100),
    )
    order_timeout_ms: float = Field(
        0.0,
        ge=0,
        le=1e9,
        description="Time from the decision that an order which cannot rest may stay unanswered before the"
        " kill switch latches; longer than a slow round trip; 0 is off (ms)",
        json_schema_extra=_knob("ms", 0, 5_000),
    )
    check_books: bool = Field(
        False,
        description="Latch the kill switch where the accounts do not add up to the last unit, or what is"
        " pending cannot be",
    )

    @model_validator(mode="after")
    def _day(self) -> Self:
        try:
            parse_duration(self.day_length)
        except ConfigError as error:
            raise ConfigError(f"risk.day_length: {error}") from None
        return self


class DrillsConfig(Section):
    """Faults to be switched on while one watches what stops us. All off."""

    stale_feed: bool = Field(
        False,
        description="The external source stops sending us prices; for risk.stale_external_ms",
    )
    feed_gap: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the venue feed's messages that are lost; for risk.max_lost_messages, and where"
        " all are lost for risk.stale_venue_ms",
        json_schema_extra=_knob("share", 0, 1),
    )
    duplicate_order: bool = Field(
        False,
        description="Every entry is sent twice; for risk.max_open_orders and risk.max_orders_per_s",
    )
    stuck_exit: bool = Field(
        False,
        description="Exits do not leave us, until this is off again; for risk.order_timeout_ms and"
        " risk.drawdown_cap_pct",
    )
    size_multiple: float = Field(
        1.0,
        gt=0,
        le=1_000,
        description="Orders are oversized by this factor; for risk.check_notional",
        json_schema_extra=_knob("×", 1, 100),
    )
    latency_spike_ms: float = Field(
        0.0,
        ge=0,
        le=MS_MAX,
        description="Added to the delay of every order and every acknowledgement; for risk.order_timeout_ms (ms)",
        json_schema_extra=_knob("ms", 0, 2_000),
    )
    crossed_quotes: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Quotes reach us with the bid so far above the ask; for risk.refuse_crossed (ticks)",
        json_schema_extra=_knob("ticks", 0, 200),
    )


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
        """Read a TOML file of sections; `preset = "name"` at its top starts from that preset."""
        try:
            data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from None
        name = data.pop("preset", "classroom")
        try:
            return cls.preset(name).replace(data)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None

    def replace(self, changes: Mapping[str, Any]) -> SimConfig:
        """A changed copy, validated anew; keys are sections or dotted fields.

        >>> SimConfig().replace({"latency.order_entry_ms": 20}).latency.order_entry_ms
        20.0
        """
        data = self.model_dump()
        for path, value in changes.items():
            _put(data, path, value)
        return SimConfig.model_validate(data)

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
    """Set a dotted path in nested dicts, merging where the value is a mapping."""
    *parents, last = path.split(".")
    node: Any = data
    for name in parents:
        node = node.get(name) if isinstance(node, dict) else None
    if not isinstance(node, dict) or last not in node:
        known = f"; there: {', '.join(sorted(node))}" if isinstance(node, dict) else ""
        raise ConfigError(f"{section}{path}: no such field (value {value!r}{known})")
    if isinstance(value, Mapping) and isinstance(node[last], dict) and "model" not in value:
        for key, inner in value.items():
            _put(node[last], str(key), inner, f"{section}{path}.")
    else:
        node[last] = value


def explain(error: ValidationError) -> str:
    """One line per fault: field, what is wrong, the value."""
    lines = []
    for fault in error.errors(include_url=False, include_context=False):
        # A delay is a number or a model: drop the complaint of the alternative not meant.
        as_model = any(str(part).startswith("tagged-union") for part in fault["loc"])
        if as_model and fault["type"] == "model_attributes_type":
            continue
        if fault["type"] == "float_type" and isinstance(fault["input"], Mapping):
            continue
        parts = [str(part) for part in fault["loc"] if not _is_union_tag(str(part))]
        path = ".".join(parts) or "config"
        if fault["type"] == "extra_forbidden":
            lines.append(f"{path}: no such field (value {fault['input']!r})")
        elif fault["type"] == "truth":
            lines.append(f"{path}.{fault['msg']}")
        elif fault["type"] == "missing":
            lines.append(f"{path}: required")
        else:
            message = fault["msg"][0].lower() + fault["msg"][1:]
            lines.append(f"{path}: {message}, got {fault['input']!r}")
    return "; ".join(dict.fromkeys(lines))


def _is_union_tag(part: str) -> bool:
    return part in _UNION_TAGS or part.startswith("tagged-union")


_UNION_TAGS = frozenset({"float", "constant", "uniform", "lognormal", "constrained-float"})
