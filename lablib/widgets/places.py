"""Whose wires: every delay of our own taken from a named place or link, and the name found again. Knows no widget."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from lablib.config import SimConfig
from lablib.config.latency import OWN_WIRES
from lablib.errors import ConfigError
from lablib.presets import WIRES

NONE, OWN = "none", "custom"
TITLES = {
    NONE: "No latency of our own: what the zero-latency twin has",
    OWN: "Delays of your own",
    **{name: wires.title for name, wires in WIRES.items()},
}


def changes(name: str) -> dict[str, Any]:
    """What a place does to a config: its delays by dotted field; a leg it has not takes no time.

    >>> changes("human")["latency.ack_ms"], changes("human")["latency.cancel_ms"]
    (0.0, None)

    Raises
    ------
    ConfigError
        No such place.
    """
    if name != NONE and name not in WIRES:
        raise ConfigError(
            f"wires: no wires {str(name)[:40]!r}; there are {NONE}, {', '.join(WIRES)}"
        )
    legs: dict[str, Any] = {f"latency.{leg}": 0.0 for leg in OWN_WIRES} | {
        "latency.cancel_ms": None
    }
    return legs if name == NONE else legs | WIRES[name].changes


def name_of(config: SimConfig) -> str:
    """The place whose delays a config has, `OWN` where it has others."""
    ours = tuple(config.get(f"latency.{leg}") for leg in OWN_WIRES)
    return next((name for name, legs in _places().items() if legs == ours), OWN)


@lru_cache(maxsize=1)
def _places() -> dict[str, tuple[Any, ...]]:
    configs = {name: SimConfig().replace(changes(name)) for name in (NONE, *WIRES)}
    return {
        name: tuple(config.get(f"latency.{leg}") for leg in OWN_WIRES)
        for name, config in configs.items()
    }
