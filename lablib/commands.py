"""What a person does to a running market, as data: recorded with its simulated time, played again to the byte."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel

from lablib.config import SimConfig
from lablib.errors import ConfigError

# What no running market can change: the state was built on it.
_FIXED = (
    "account",
    "external.interval_ms",
    "external.model",
    "external.start_px",
    "makers.count",
    "record",
    "risk.day_length",
    "strategy.decision_interval_ms",
    "strategy.name",
    "venue.levels",
    "venue.lot_size",
    "venue.model",
    "venue.tick_size",
)


@dataclass(frozen=True, slots=True)
class Command:
    """Something a person did to a running market, and when in simulated time.

    `kind` is "set" (a dotted config `field` gets `value`), "halt" or "release".
    """

    t_ns: int
    kind: str
    field: str = ""
    value: Any = None


def configured(config: SimConfig, command: Command) -> SimConfig:
    """The configuration once a command is in effect.

    Raises
    ------
    ConfigError
        An unknown kind or field, a value out of range, or a field that cannot change live.
    """
    if command.kind in ("halt", "release"):
        return config
    if command.kind != "set":
        raise ConfigError(f"commands: kind is set, halt or release, got {command.kind!r}")
    changed = config.replace({command.field: command.value})
    for name in _FIXED:  # a whole section may have been set
        if changed.get(name) != config.get(name):
            raise ConfigError(
                f"{name}: cannot change while the market runs (value {command.value!r})"
            )
    return changed


def plain(value: Any) -> Any:
    """A command's value as JSON holds it: what is recorded, digested and played again."""

    def reduced(value: Any) -> Any:
        if isinstance(value, BaseModel):
            return value.model_dump(mode="json")
        if isinstance(value, np.generic):
            return value.item()
        raise ConfigError(f"commands: no value for a field, {value!r}")

    return json.loads(json.dumps(value, default=reduced))


def commands_table(commands: Iterable[Command]) -> np.ndarray:
    """Commands as a structured array of `t_ns`, `kind`, `field` and `value`, the last as JSON."""
    rows = [(c.t_ns, c.kind, c.field, json.dumps(c.value)) for c in commands]
    longest = max((len(row[-1]) for row in rows), default=1)  # a cut value would be another value
    return np.array(
        rows, [("t_ns", "i8"), ("kind", "U16"), ("field", "U64"), ("value", f"U{longest}")]
    )
