"""The engine: a tape, a config and the kernels make a run, which yields frames; it knows no screen and no clock.

A run is a pure function of (config, seed, market, commands): however it is cut into frames, the same
four give the same bytes.
"""

from lablib.engine.checkpoint import Checkpoint
from lablib.engine.frames import simulate
from lablib.engine.inputs import Market, Strategy, as_config, brought, fitted, span_ns
from lablib.engine.rows import TABLES, open_orders
from lablib.engine.simulation import Simulation
from lablib.engine.supply import lent

__all__ = [
    "TABLES",
    "Checkpoint",
    "Market",
    "Simulation",
    "Strategy",
    "as_config",
    "brought",
    "fitted",
    "lent",
    "open_orders",
    "simulate",
    "span_ns",
]
