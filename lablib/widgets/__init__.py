"""The lab in a notebook or a browser: each page is one call, such as `live_lab()` or `drills_lab()`.

`waterfall(run)` and `markout_chart(run)` draw what a finished run earned, and why. Each name is loaded
when it is first asked for: a page that watches needs no plotting library.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lablib.widgets.drills import DrillsLab as DrillsLab
    from lablib.widgets.drills import drills_lab as drills_lab
    from lablib.widgets.frontier import FrontierLab as FrontierLab
    from lablib.widgets.frontier import frontier_lab as frontier_lab
    from lablib.widgets.live import LiveLab as LiveLab
    from lablib.widgets.live import live_lab as live_lab
    from lablib.widgets.player import PlayerLab as PlayerLab
    from lablib.widgets.player import replay_lab as replay_lab
    from lablib.widgets.recorded import RecordedLab as RecordedLab
    from lablib.widgets.recorded import recorded_lab as recorded_lab
    from lablib.widgets.watch import WatchLab as WatchLab
    from lablib.widgets.watch import watch_lab as watch_lab
    from lablib.widgets.waterfall import markout_chart as markout_chart
    from lablib.widgets.waterfall import waterfall as waterfall

_ROOMS = {
    "drills": "DrillsLab drills_lab",
    "frontier": "FrontierLab frontier_lab",
    "live": "LiveLab live_lab",
    "player": "PlayerLab replay_lab",
    "recorded": "RecordedLab recorded_lab",
    "watch": "WatchLab watch_lab",
    "waterfall": "markout_chart waterfall",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}

__all__ = [*_ROOM_OF]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'lablib.widgets' has no attribute {name!r}")
    value = getattr(import_module(f"lablib.widgets.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


class _Widgets(ModuleType):
    """Keeps `waterfall` the function: importing its room would set the name to the room."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _ROOM_OF and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Widgets
