"""A session that keeps its samples in memory and tells of every frame, for as long as it keeps no record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lablib.engine import Simulation
from lablib.errors import LabError
from lablib.frame import Frame
from lablib.kernels import tables as t
from lablib.session import Session

MOST_ROWS = 2_000_000  # samples of one run, some 180 MB


class BoundedSession(Session):
    """A session with the rows of `samples`, and with somebody who hears of every frame."""

    on_frame: Callable[[Frame], None] | None = None
    _last: Frame | None = None

    def __init__(self, config: Any, *, until_ns: int, **options: Any) -> None:
        super().__init__(config, until=f"{until_ns}ns", **options)

    def samples(self) -> np.ndarray:
        """All samples so far."""
        return np.concatenate([np.zeros(0, t.SAMPLE), *self._parts])

    def look(self) -> Frame:
        """The present moment anew."""
        frame = super().look()
        if frame is not self._last:
            self._last = frame
            self._parts.append(frame.samples)
            self._rows += frame.samples.size
            if self.on_frame is not None:
                self.on_frame(frame)
        if self._rows > MOST_ROWS:
            raise LabError(f"samples: more than {MOST_ROWS} rows; set record.samples to false")
        return frame

    def _begin(self, simulation: Simulation) -> None:
        self._parts: list[np.ndarray] = []
        self._rows = 0
        self._last = None
        super()._begin(simulation)
