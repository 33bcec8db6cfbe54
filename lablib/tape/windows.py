"""A source of chance that is drawn a window of time at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.kernels import tables as t


class Windowed(ABC):
    """Events of one kind; those of window *k* are a pure function of (rates, seed, *k*).

    Attributes
    ----------
    kind
        FLOW_LIMIT … COUNTERPARTY.
    rate
        Events per second.
    span_ns
        Length of a window.
    """

    kind: int
    rate: float
    span_ns: int

    def __init__(self) -> None:
        self._window = -1
        self._last_ns: dict[int, int] = {}  # last event of the last two windows
        self._events = np.empty(0, t.TAPE_EVENT)

    def after(self, from_ns: int, played_ns: int) -> tuple[NDArray[Any], int]:
        """The window with the first instant after `from_ns`, and its end; the next one where all of it is played.

        Window *k* is (k span, (k + 1) span]; its events are in time order, no two at the same time.
        """
        window = from_ns // self.span_ns
        if self._last_ns.get(window, t.FAR) <= played_ns:
            window += 1
        if window != self._window:
            self._window, self._events = window, self._draw(window)
            last_ns = int(self._events["time_ns"][-1]) if self._events.size else 0
            self._last_ns = {window - 1: self._last_ns.get(window - 1, t.FAR), window: last_ns}
        return self._events, (window + 1) * self.span_ns

    @abstractmethod
    def _draw(self, window: int) -> NDArray[Any]:
        """The events of one window, `tables.TAPE_EVENT`."""
