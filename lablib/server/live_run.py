"""A run of the server: what was asked for, the thread that plays it, what a client may know of it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from lablib.errors import LabError
from lablib.server.runner import Runner
from lablib.session import Session


class NoRunError(LabError):
    """No run has that id, or no run is there at all."""


class LimitError(LabError):
    """A limit of this server is reached."""


@dataclass
class LiveRun:
    """A run of this server: what was asked for, and the thread that plays it."""

    id: str
    seed: int
    until_ns: int
    speed: float | str
    market: str
    begun: float = field(default_factory=time.time)
    _runner: Runner | None = None

    @property
    def runner(self) -> Runner:
        """The thread that plays it."""
        if self._runner is None:
            raise AssertionError("a run is listed only when it is whole")
        return self._runner

    def begin(self, runner: Runner) -> None:
        """Be played by this thread from now on."""
        self._runner = runner

    @property
    def session(self) -> Session:
        """The session it plays. Read only: everything else goes through `runner.ask`."""
        return self.runner.session

    @property
    def state(self) -> str:
        """created, running, paused, finished, halted or failed."""
        return self.runner.state

    @property
    def record(self) -> Path:
        """The folder of its record."""
        assert self.session.recorder is not None
        return self.session.recorder.path

    @property
    def failure(self) -> str | None:
        """Why it failed, else None; not where on this computer."""
        why = self.runner.failure
        return why and without(self.record.parent, why)


def without(folder: Path, message: str) -> str:
    """A message in which a folder of this computer is not named.

    >>> without(Path("/srv/runs"), "/srv/runs/3f0a: full")
    '3f0a: full'
    """
    return message.replace(f"{folder}{os.sep}", "").replace(str(folder), "the folder of records")
