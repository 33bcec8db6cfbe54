"""How long something that keeps breaking waits before it begins again."""

from __future__ import annotations

import time
from collections.abc import Callable

SHORTEST_S = 0.05
LONGEST_S = 30.0


class Backoff:
    """Twice as long each time, up to a bound; what went well for long enough begins with a short one.

    Attributes
    ----------
    restarts
        How often it was asked.
    """

    def __init__(
        self,
        shortest_s: float = SHORTEST_S,
        longest_s: float = LONGEST_S,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.restarts = 0
        self._shortest_s, self._longest_s, self._clock = shortest_s, longest_s, clock
        self._next_s = shortest_s
        self._again = clock()

    def wait_s(self) -> float:
        """It broke: so long to wait (s)."""
        now = self._clock()
        if now - self._again > 2 * self._longest_s:
            self._next_s = self._shortest_s
        wait = self._next_s
        self._next_s = min(2 * wait, self._longest_s)
        self._again = now + wait
        self.restarts += 1
        return wait
