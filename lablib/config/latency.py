"""The wires: how long every message travels."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, field_validator

from lablib.config.knobs import knob
from lablib.delays import MS_MAX, Delay, Section
from lablib.errors import ConfigError, LabError
from lablib.wires import WIRES

FEEDS = ("market_lag_ms", "external_feed_ms", "venue_feed_ms")
LEGS = (*FEEDS, "decision_ms", "order_entry_ms", "cancel_ms", "ack_ms")


def _named(name: str, leg: str) -> dict[str, Any]:
    """The delay that a preset has for a leg."""
    if name not in WIRES:
        known = ", ".join(WIRES)
        raise ConfigError(f"no wires {name!r}; there are {known}; or give a number of milliseconds")
    return WIRES[name].leg(leg)


class LatencyConfig(Section):
    """How long every message travels.

    Each leg takes a number of milliseconds, a delay model of `lablib.delays`, or the name of a preset
    of `lablib.wires`, which is replaced by that preset's delay for the leg. Cancels, replaces and the
    word that we halt share the order-entry wire with the orders: with a delay of their own they still
    overtake none of them, unless `fifo` is off in `cancel_ms`.
    """

    market_lag_ms: Delay = Field(
        120.0,
        description="External price move until the venue's makers act on it (ms)",
        json_schema_extra=knob("ms", 0, 500),
    )
    external_feed_ms: Delay = Field(
        0.0,
        description="External price move until we see it (ms)",
        json_schema_extra=knob("ms", 0, 200),
    )
    venue_feed_ms: Delay = Field(
        0.0,
        description="Change of the venue's quote until we see it (ms)",
        json_schema_extra=knob("ms", 0, 200),
    )
    decision_ms: Delay = Field(
        0.0,
        description="Looking until the order leaves our process (ms)",
        json_schema_extra=knob("ms", 0, 200),
    )
    order_entry_ms: Delay = Field(
        0.0,
        description="Order sent until the venue has it (ms)",
        json_schema_extra=knob("ms", 0, 300),
    )
    cancel_ms: Delay | None = Field(
        None, description="Cancel sent until the venue has it (ms); as order entry unless given"
    )
    ack_ms: Delay = Field(
        0.0, description="Venue acted until we know (ms)", json_schema_extra=knob("ms", 0, 300)
    )
    burst_memory_ms: float = Field(
        500.0,
        gt=0,
        le=MS_MAX,
        description="How far back the external log return of late reaches that bursts are tied to:"
        " a step's weight falls as exp(-age / this) (ms)",
    )

    @field_validator(*LEGS, mode="wrap")
    @classmethod
    def _leg(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        leg = str(info.field_name)
        try:
            if isinstance(value, str):
                value = _named(value, leg)
            delay = handler(value)
        except LabError as error:
            raise type(error)(f"latency.{leg}: {error}") from None
        if getattr(delay, "outage_loses", False) and leg not in FEEDS:
            raise ConfigError(
                f"latency.{leg}.outage_loses: only a feed may lose messages ({', '.join(FEEDS)})"
            )
        return delay


OWN_WIRES = tuple(leg for leg in LEGS if leg != "market_lag_ms")
