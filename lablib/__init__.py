"""The Latency Risk Lab: how much of an edge is left at your latency, and what late brakes cost.

Public names only. Each is loaded from its room when it is first used, so that importing the lab
costs nothing and brings in neither numba nor a screen.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lablib.book import Fill as Fill
    from lablib.book import OrderBook as OrderBook
    from lablib.book import Side as Side
    from lablib.commands import Command as Command
    from lablib.config import SimConfig as SimConfig
    from lablib.drills import Drill as Drill
    from lablib.drills import drill as drill
    from lablib.engine import Simulation as Simulation
    from lablib.engine import simulate as simulate
    from lablib.errors import ArchiveError as ArchiveError
    from lablib.errors import ConfigError as ConfigError
    from lablib.errors import DataError as DataError
    from lablib.errors import LabError as LabError
    from lablib.errors import SessionError as SessionError
    from lablib.experiments.compare import Comparison as Comparison
    from lablib.experiments.compare import compare as compare
    from lablib.experiments.counterfactual import Counterfactual as Counterfactual
    from lablib.experiments.counterfactual import counterfactual as counterfactual
    from lablib.experiments.frontier import Frontier as Frontier
    from lablib.experiments.sweep import Sweep as Sweep
    from lablib.experiments.sweep import sweep as sweep
    from lablib.frame import Frame as Frame
    from lablib.pace import Pace as Pace
    from lablib.pieces import Action as Action
    from lablib.pieces import LagGenerator as LagGenerator
    from lablib.pieces import Metrics as Metrics
    from lablib.pieces import PriceGenerator as PriceGenerator
    from lablib.pieces import RiskState as RiskState
    from lablib.pieces import SimEngine as SimEngine
    from lablib.pieces import Stage as Stage
    from lablib.pieces import compute_signal as compute_signal
    from lablib.presets import SCENARIOS as SCENARIOS
    from lablib.presets import WIRES as WIRES
    from lablib.replay import Replay as Replay
    from lablib.replay import listing as listing
    from lablib.replay import open_run as open_run
    from lablib.replay import replay as replay
    from lablib.replay import resume as resume
    from lablib.run import Run as Run
    from lablib.run import run as run
    from lablib.session import Session as Session
    from lablib.tape.readers.latency import Latencies as Latencies
    from lablib.tape.readers.latency import load_latency as load_latency
    from lablib.tape.recorded import Market as Market
    from lablib.tape.recorded import Recording as Recording
    from lablib.tape.recorded import load as load
    from lablib.tape.recorded import load_pair as load_pair

__version__ = "0.1.0"

_ROOMS = {
    "book": "Fill OrderBook Side",
    "commands": "Command",
    "config": "SimConfig",
    "drills": "Drill drill",
    "engine": "Simulation simulate",
    "errors": "ArchiveError ConfigError DataError LabError SessionError",
    "experiments.compare": "Comparison compare",
    "experiments.counterfactual": "Counterfactual counterfactual",
    "experiments.frontier": "Frontier",
    "experiments.sweep": "Sweep sweep",
    "frame": "Frame",
    "pace": "Pace",
    "pieces": "Action LagGenerator Metrics PriceGenerator RiskState SimEngine Stage compute_signal",
    "presets": "SCENARIOS WIRES",
    "replay": "Replay listing open_run replay resume",
    "run": "Run run",
    "session": "Session",
    "tape.readers.latency": "Latencies load_latency",
    "tape.recorded": "Market Recording load load_pair",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}

__all__ = ["__version__", *_ROOM_OF]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'lablib' has no attribute {name!r}")
    value = getattr(import_module(f"lablib.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Lab(ModuleType):
    """Keeps `lablib.run` the function: importing a room would set the name to the room."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _ROOM_OF and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Lab
