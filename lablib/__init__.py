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
    from lablib.config import SimConfig as SimConfig
    from lablib.engine import Command as Command
    from lablib.engine import Simulation as Simulation
    from lablib.engine import simulate as simulate
    from lablib.errors import ArchiveError as ArchiveError
    from lablib.errors import ConfigError as ConfigError
    from lablib.errors import DataError as DataError
    from lablib.errors import LabError as LabError
    from lablib.errors import SessionError as SessionError
    from lablib.frame import Frame as Frame
    from lablib.pace import Pace as Pace
    from lablib.presets import SCENARIOS as SCENARIOS
    from lablib.run import Run as Run
    from lablib.run import run as run
    from lablib.session import Session as Session

__version__ = "0.1.0"

_ROOMS = {
    "config": "SimConfig",
    "engine": "Command Simulation simulate",
    "errors": "ArchiveError ConfigError DataError LabError SessionError",
    "frame": "Frame",
    "pace": "Pace",
    "presets": "SCENARIOS",
    "run": "Run run",
    "session": "Session",
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
