"""simulate(): a run as a generator of frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from lablib.commands import Command
from lablib.config import SimConfig
from lablib.engine.inputs import Market, Strategy
from lablib.engine.simulation import Simulation
from lablib.frame import Frame
from lablib.kernels import tables as t
from lablib.units import parse_duration


def simulate(
    config: SimConfig | Mapping[str, Any] | str | None = None,
    *,
    seed: int = 0,
    every: str | float = "50ms",
    until: str | float | None = None,
    market: Market | None = None,
    commands: Iterable[Command] = (),
    strategy: Strategy | None = None,
    twin: bool = False,
) -> Iterator[Frame]:
    """The stepping generator: a frame of the run after every `every` of simulated time.

    Parameters
    ----------
    config, seed, market, commands, strategy
        As `Simulation`.
    every
        Simulated time between frames: "50ms", "1s", or seconds.
    until
        Where to stop, absolute and inclusive; None goes on for ever, or to a recorded market's end.
    twin
        Play the run without latency beside it: `frame.twin` is its frame of the same moment.

    Yields
    ------
    Read-only frames; the frame at T has everything with a time up to and including T.
    """
    every_ns = parse_duration(every)
    until_ns = t.FAR - 1 if until is None else parse_duration(until)
    if market is not None:
        until_ns = min(until_ns, market.duration_ns)
    simulation = Simulation(config, seed=seed, market=market, commands=commands, strategy=strategy)
    return _frames(simulation, simulation.twin() if twin else None, every_ns, until_ns)


def _frames(
    simulation: Simulation, twin: Simulation | None, every_ns: int, until_ns: int
) -> Iterator[Frame]:
    at = 0
    while at < until_ns:
        at = min(at + every_ns, until_ns)
        frame = simulation.advance(at)
        yield frame if twin is None else replace(frame, twin=twin.advance(at))
