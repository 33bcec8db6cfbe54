"""What a client may send: JSON bodies, checked once, refused with the field, the value and the bound.

Python's own parser is too kind for a server: it takes NaN, the last of two equal keys, and raises three
kinds of errors. Knows no HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, field_validator

from lablib.config import SimConfig, explain
from lablib.delays import Section
from lablib.engine import as_config
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.presets import SCENARIOS
from lablib.units import parse_duration

BODY_LIMIT = 64 * 1024  # bytes
_SEED_LIMIT = 1 << 64
FASTEST = 1e6  # simulated seconds per second

Model = TypeVar("Model", bound="Body")


class Body(Section):
    """A request's body: a JSON object, nothing in it taken for something else."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, strict=True, validate_default=True
    )


def _schema_of_config() -> dict[str, Any]:
    return {
        "description": "A preset's name, or the fields that differ from preset classroom: nested, or"
        ' dotted such as "latency.order_entry_ms".',
        "anyOf": [
            {"type": "string", "enum": list(SCENARIOS)},
            {"$ref": "#/components/schemas/SimConfig"},
        ],
    }


Config = Annotated[dict[str, Any] | str, WithJsonSchema(_schema_of_config())]
Until = Annotated[
    str | float,
    Field(description="Simulated time at which the run ends: 50ms, 10min, 1h, or seconds"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,3})?(ns|us|ms|s|min|h|d)$"},
                {"type": "number", "minimum": 1e-9, "exclusiveMaximum": t.FAR / t.NS_PER_S},
            ]
        }
    ),
]
Speed = Annotated[
    Annotated[float, Field(gt=0, le=FASTEST)] | Literal["max"],
    Field(description="Simulated seconds per second, or max for as fast as possible"),
]


class StartRun(Body):
    """A run to be started; everything may be left out."""

    config: Config = Field(default_factory=dict)
    seed: int = Field(0, ge=0, lt=_SEED_LIMIT, description="Which market is drawn")
    until: Until = "1h"
    speed: Speed = 1.0
    market: str = Field(
        "", max_length=100, description="Name of a recorded market this server has; none if empty"
    )
    start: bool = Field(True, description="Let it run at once; otherwise it waits as created")

    @field_validator("until", mode="before")
    @classmethod
    def _is_duration(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ConfigError(f"until: a time such as 10min, or seconds, got {_shown(value)}")
        try:
            parse_duration(value)
        except ConfigError as error:
            raise ConfigError(f"until: {error}") from None
        return value if isinstance(value, str) else float(value)

    @field_validator("speed", mode="before")
    @classmethod
    def _is_speed(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value != "max" and not (is_number and 0 < value <= FASTEST):
            bounds = f'above 0 and at most {FASTEST:,.0f}, or "max"'
            raise ConfigError(f"speed: a number {bounds}, got {_shown(value)}")
        return value

    @field_validator("config", mode="before")
    @classmethod
    def _is_config(cls, value: Any) -> Any:
        return _config(value)


class ResetRun(Body):
    """How a run begins again; what is left out stays as it was."""

    config: Config | None = Field(None, description="As POST runs; the present one unless given")
    seed: int | None = Field(None, ge=0, lt=_SEED_LIMIT)

    @field_validator("config", mode="before")
    @classmethod
    def _is_config(cls, value: Any) -> Any:
        return None if value is None else _config(value)


def _config(value: Any) -> Any:
    if not isinstance(value, dict | str):
        raise ConfigError(f"config: a preset's name or an object of fields, got {_shown(value)}")
    return value


def parse(raw: bytes, model: type[Model]) -> Model:
    """A request's body as a model; an empty body is an empty object.

    Raises
    ------
    ConfigError
        Anything else than what the model describes, in one line.
    """
    try:
        return model.model_validate(read_object(raw) if raw.strip() else {})
    except ValidationError as error:
        raise ConfigError(explain(error)) from None


def read_object(raw: bytes) -> dict[str, Any]:
    """A JSON object out of bytes.

    Raises
    ------
    ConfigError
        Bytes that are not UTF-8, not JSON, no object, or name a field twice.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"body: not UTF-8, byte {error.start} is 0x{raw[error.start]:02x}"
        ) from None
    try:
        value = json.loads(text, parse_constant=_no_number, object_pairs_hook=_no_twins)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"body: not JSON, {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except RecursionError:
        raise ConfigError("body: nested too deeply") from None
    except ValueError as error:  # a whole number of thousands of digits
        raise ConfigError(f"body: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"body: a JSON object is needed, got {_shown(value)}")
    return value


def _no_number(word: str) -> Any:
    raise ConfigError(f"body: {word} is no number here")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"body: {_shown(twice)} is there twice")
    return result


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def config_of(asked: Mapping[str, Any] | str, base: SimConfig | None = None) -> SimConfig:
    """The configuration somebody asked for: a preset's name, or changes to `base` (the defaults).

    Raises
    ------
    ConfigError
        What cannot be simulated, or a text where a number belongs.
    """
    if isinstance(asked, str):
        return as_config(asked)
    _no_field_twice([path for path, _ in leaves(asked)])
    config = (base or SimConfig()).replace(asked)
    for path, value in leaves(asked):
        _as_meant(path, value, config.get(path))
    return config


def _no_field_twice(paths: list[str]) -> None:
    """Nested and dotted may be mixed, but which of two values is meant nobody can tell."""
    seen: set[str] = set()
    for path in paths:
        if any(
            f"{one}.".startswith(f"{path}.") or f"{path}.".startswith(f"{one}.") for one in seen
        ):
            raise ConfigError(f"{path}: is there twice")
        seen.add(path)


def leaves(asked: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted field of changes with its value; a delay model is one value."""
    for name, value in asked.items():
        path = f"{section}{name}"
        if isinstance(value, Mapping) and not ("model" in value and "." in path):
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def _as_meant(path: str, asked: Any, taken: Any) -> None:
    """Files and sliders may write a number as text; JSON has numbers."""
    if isinstance(asked, Mapping) and isinstance(taken, BaseModel):
        for name, value in asked.items():
            _as_meant(f"{path}.{name}", value, getattr(taken, name))
    elif isinstance(asked, list) and isinstance(taken, tuple):
        for place, (value, one) in enumerate(zip(asked, taken, strict=True)):
            _as_meant(f"{path}.{place}", value, one)
    elif isinstance(taken, bool):
        if not isinstance(asked, bool):
            raise ConfigError(f"{path}: true or false is needed, got {_shown(asked)}")
    elif isinstance(taken, int | float) and isinstance(asked, str | bool):
        raise ConfigError(f"{path}: a number is needed, got {_shown(asked)}")


def until_ns(until: str | float) -> int:
    """The end of a run, ns."""
    return min(parse_duration(until), t.FAR - 1)
