"""What a run is made from: the config, market and strategy a caller gives, as the engine takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from lablib.config import SimConfig
from lablib.errors import ConfigError
from lablib.units import parse_duration

Strategy = Callable[[Any, Any], int]


class Market(Protocol):
    """A recorded market, as `lablib.tape.recorded.Market` is."""

    @property
    def tick_size(self) -> float:
        """Currency of one tick of the venue."""

    @property
    def lot_size(self) -> float:
        """Units of the asset in one lot."""

    @property
    def start_px(self) -> float:
        """External price at time 0 (currency)."""

    @property
    def events(self) -> np.ndarray:
        """`tables.TAPE_EVENT` rows, sorted, the last of kind END at time FAR."""

    @property
    def duration_ns(self) -> int:
        """Time of the last real event."""

    @property
    def sha256(self) -> str:
        """Names the events in a digest."""


def as_config(config: SimConfig | Mapping[str, Any] | str | None) -> SimConfig:
    """A `SimConfig` from one, from a preset's name, from a partial dict (dotted keys too), or None."""
    if config is None:
        return SimConfig()
    if isinstance(config, SimConfig):
        return config
    if isinstance(config, str):
        return SimConfig.preset(config)
    if isinstance(config, Mapping):
        return SimConfig().replace(config)
    raise ConfigError(f"config: give a SimConfig, a dict or a preset's name, got {config!r}")


def fitted(config: SimConfig, market: Market | None, strategy: object | None) -> SimConfig:
    """A config as a run has it: recorded data bring their tick, lot and start, a strategy its name.

    Raises
    ------
    ConfigError
        A config that needs a market or a strategy, and has none.
    """
    changes: dict[str, Any] = {} if market is None else brought(market)
    if market is None and config.venue.model == "recorded":
        raise ConfigError("venue.model: 'recorded' needs a market; see lablib.load_pair")
    if strategy is not None:
        changes["strategy.name"] = "own"
    elif config.strategy.name == "own":
        raise ConfigError("strategy.name: 'own' needs a function; pass strategy=your_function")
    return config.replace(changes) if changes else config


def brought(market: Market) -> dict[str, Any]:
    """The fields of a config that a recorded market decides."""
    return {
        "venue.model": "recorded",
        "venue.tick_size": market.tick_size,
        "venue.lot_size": market.lot_size,
        "external.start_px": market.start_px,
    }


def span_ns(until: str | float | None, market: Market | None) -> int:
    """Where a run stops, ns: ten minutes unless given, and never beyond a recorded market."""
    if until is None:
        return parse_duration("10min") if market is None else market.duration_ns
    until_ns = parse_duration(until)
    return until_ns if market is None else min(until_ns, market.duration_ns)
