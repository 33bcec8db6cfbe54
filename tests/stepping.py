"""A run watched from inside, event by event: what the laws are checked on."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.kernels import tables as t

UNIT = t.MONEY // 2  # money units in one lot at a mark of one half tick


def events(simulation: Simulation, until_ns: int, most: int = 1 << 40) -> Iterator[int]:
    """Play one source of one instant at a time; yields which it was.

    Where our wires take time, that is one event. Without delay a message sent and its arrival are
    one instant of one source, and pass together.
    """
    simulation._play(simulation.now_ns, t.SEND)  # lets the tape say when it is due
    due = simulation._state.due
    for _ in range(most):
        source = int(np.argmin(due))
        if due[source] > until_ns:
            break
        simulation._play(int(due[source]), source)
        yield source


def watch(config: SimConfig, seed: int, most: int) -> Iterator[tuple[Any, Any, int]]:
    """The state, the parameters and the source of the start (-1) and the first `most` events."""
    simulation = Simulation(config, seed=seed)
    yield simulation._state, simulation._params, -1
    for source in events(simulation, t.FAR - 1, most):
        yield simulation._state, simulation._params, source


def values(record: Any) -> SimpleNamespace:
    """A record without inner records as Python numbers: they neither overflow nor change."""
    return SimpleNamespace(**dict(zip(record.dtype.names, record.tolist(), strict=True)))


def own_orders(state: Any) -> list[SimpleNamespace]:
    """Own orders whose fate we do not know yet."""
    return [values(own) for own in state["own"][state["own"]["used"] == 1]]


def in_flight(wire: Any) -> np.ndarray:
    """Messages on a wire, the next to arrive first."""
    return wire["messages"][np.arange(wire["head"], wire["tail"]) & (t.N_MESSAGES - 1)]
