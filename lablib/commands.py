"""What a person does to a running market, as data: recorded with its simulated time, played again to the byte."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import BaseModel

from lablib.config import SimConfig
from lablib.errors import ConfigError
from lablib.kernels import tables as t

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


def listed(commands: Iterable[Command]) -> list[Command]:
    """Commands as a run keeps them: times as plain integers, values as JSON holds them.

    Raises
    ------
    ConfigError
        What is no command, and a time that is no whole nanosecond of a run. Kinds and fields are for
        `configured` to judge.
    """
    if not isinstance(commands, Iterable):
        raise ConfigError(f"commands: a list of Command, got {commands!r}")
    return [_plain_command(command) for command in commands]


def _plain_command(command: Command) -> Command:
    if not isinstance(command, Command):
        raise ConfigError(f"commands: each is a Command, got {command!r}")
    at: Any = command.t_ns
    number = isinstance(at, int | float | np.integer) and not isinstance(at, bool)
    if not number or not at == at // 1:
        raise ConfigError(f"commands: t_ns is a whole number of nanoseconds, got {at!r}")
    if at < 0:
        raise ConfigError(f"commands: time {at} is before the run")
    if at >= t.FAR:
        raise ConfigError(f"commands: t_ns {at} is beyond any run")
    return replace(command, t_ns=int(at), value=plain(command.value))


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

    try:
        return json.loads(json.dumps(value, default=reduced))
    except (TypeError, ValueError):  # keys that are no text, a list inside itself
        raise ConfigError(f"commands: no value for a field, {value!r}") from None


def commands_table(commands: Iterable[Command]) -> np.ndarray:
    """Commands as a structured array of `t_ns`, `kind`, `field` and `value`, the last as JSON."""
    rows = [(c.t_ns, c.kind, c.field, json.dumps(c.value)) for c in commands]
    longest = max((len(row[-1]) for row in rows), default=1)  # a cut value would be another value
    return np.array(
        rows, [("t_ns", "i8"), ("kind", "U16"), ("field", "U64"), ("value", f"U{longest}")]
    )
