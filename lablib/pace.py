"""Frames by the wall clock: how much simulated time is due. The one place that reads real time."""

from __future__ import annotations

import time
from collections.abc import Callable

from lablib.kernels import tables as t

_LONGEST_S = 0.25  # lost time beyond this is dropped, never made up for in a burst


class Pace:
    """Turns elapsed real time into simulated time due.

    Parameters
    ----------
    speed
        Simulated seconds per second, or None for as fast as possible.
    clock
        Monotonic seconds; a test brings its own.
    """

    def __init__(
        self, speed: float | None = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed = speed
        self._clock = clock
        self._last = clock()

    def restart(self) -> None:
        """Begin counting now: time spent paused is not due."""
        self._last = self._clock()

    def due_ns(self) -> int | None:
        """Simulated nanoseconds due since the last call; None when there is no limit."""
        now = self._clock()
        elapsed = min(now - self._last, _LONGEST_S)
        self._last = now
        if self.speed is None:
            return None
        return int(elapsed * self.speed * t.NS_PER_S)
