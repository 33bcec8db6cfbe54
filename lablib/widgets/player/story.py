"""What happened in a run that is over, and what was done to it, up to any moment. Knows no widget."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lablib.commands import configured
from lablib.config import SimConfig
from lablib.widgets import readouts

if TYPE_CHECKING:
    from lablib.run import Run

BEHIND, AHEAD = 9, 3  # commands shown before and after a moment

Times = NDArray[np.int64]


class Story:
    """Events and commands by their time.

    Attributes
    ----------
    fill_times, halt_times, command_times
        When we were filled, the kill switch tripped, something done; ns, ascending.
    """

    def __init__(self, run: Run) -> None:
        given = run.origin.commands
        # In one piece: a search in a column of records would copy all of it first.
        self.fill_times: Times = np.ascontiguousarray(run.fills["t_ns"])
        self.halt_times: Times = np.ascontiguousarray(run.risk_events["t_ns"])
        self.command_times: Times = np.array([one.t_ns for one in given], np.int64)
        first = SimConfig.model_validate(run.origin.opening.config)
        self._configs = [*accumulate(given, configured, initial=first)]
        self._tape: dict[str, tuple[Times, Any]] = {
            "order": _by_fate(run.orders),
            "fill": (self.fill_times, run.fills),
            "risk": (self.halt_times, run.risk_events),
            "command": (
                self.command_times,
                [told(one.kind, one.field, one.value) for one in given],
            ),
        }

    def config(self, t_ns: int) -> SimConfig:
        """The configuration as it stood."""
        return self._configs[int(np.searchsorted(self.command_times, t_ns, side="right"))]

    def events(self, t_ns: int) -> tuple[list[tuple[int, str, Any]], int]:
        """The last events up to a moment, oldest first, and how many there were in all."""
        news: list[tuple[int, str, Any]] = []
        count = 0
        for what, (times, rows) in self._tape.items():
            stop = int(np.searchsorted(times, t_ns, side="right"))
            count += stop
            first = max(0, stop - readouts.LINES)
            news += [(int(times[k]), what, rows[k]) for k in range(first, stop)]
        news.sort(key=lambda event: event[0])
        return news[-readouts.LINES :], count

    def commands(self, t_ns: int) -> tuple[int, int, int]:
        """Which commands to show at a moment: the first, how many are done, and the end of the slice."""
        times = self.command_times
        done = int(np.searchsorted(times, t_ns, side="right"))
        first = max(0, min(done - BEHIND, times.size - BEHIND - AHEAD))
        return first, done, min(times.size, first + BEHIND + AHEAD)


def told(kind: str, field: str, value: Any) -> str:
    """A command in a few words, as the event tape says it.

    >>> told("set", "drills.stuck_exit", True), told("halt", "", None)
    ('drills.stuck_exit = on', 'kill switch pulled by hand')
    """
    if kind != "set":
        return f"kill switch {'pulled' if kind == 'halt' else 'released'} by hand"
    return f"{field} = {plain(value)}"


def plain(value: Any) -> str:
    """A command's value as a person reads it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {plain(one)}" for name, one in value.items())
    return str(value)


def _by_fate(orders: Any) -> tuple[NDArray[np.int64], Any]:
    """Orders by when their fate was known, or as near to it as their stamps tell."""
    stamps = np.maximum(orders["created_at"], 0)
    for name in ("received_at", "acted_at"):
        stamps = np.where(orders[name] >= 0, orders[name], stamps)
    order = np.argsort(stamps, kind="stable")
    return stamps[order], orders[order]
