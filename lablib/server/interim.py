"""A session that knows its end and keeps its samples, until `lablib.session` does so itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from lablib.errors import LabError, SessionError
from lablib.frame import Frame
from lablib.kernels import tables as t
from lablib.session import Session

MOST_ROWS = 2_000_000  # samples of one run, some 180 MB


class BoundedSession(Session):
    """A session with `until`, `stop` and the rows of `samples`."""

    def __init__(self, config: Any, *, until_ns: int, **options: Any) -> None:
        self._until_ns = until_ns
        self._parts: list[np.ndarray] = []
        super().__init__(config, **options)

    def samples(self) -> np.ndarray:
        """All samples so far."""
        return np.concatenate([np.zeros(0, t.SAMPLE), *self._parts])

    def stop(self) -> None:
        """End the run where it stands."""
        if self._life in ("finished", "failed"):
            raise SessionError(f"stop: the session is {self.state}")
        self._life = "finished"

    def _begin(self, config: Any, seed: int) -> None:
        self._parts = []
        super()._begin(config, seed)

    def _move(self, dt_ns: int) -> Frame:
        left = max(0, self._until_ns - self.simulation.now_ns)
        frame = super()._move(min(dt_ns, left))
        self._parts.append(frame.samples)
        if sum(map(len, self._parts)) > MOST_ROWS:
            raise LabError(f"samples: more than {MOST_ROWS} rows; set record.samples to false")
        if self.simulation.now_ns >= self._until_ns:
            self._life = "finished"
        return frame
