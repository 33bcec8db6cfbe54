"""How much simulated time a frame is given, and how much of it the charts show."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lablib.kernels import tables as t
from lablib.pace import Pace
from lablib.widgets.view import View

COMPUTE_S = 0.016  # the engine's share of a frame at most: a slider must not wait behind it
ON_CHART_S = 30.0  # real seconds of a run that a chart shows, unless told otherwise
HOUR, DAY = 3_600, 86_400
# Windows whose thirds are round.
SPANS: tuple[int, ...] = (
    3,
    6,
    15,
    30,
    60,
    180,
    360,
    900,
    1_800,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
)
SPANS += (3 * DAY, 9 * DAY, 30 * DAY, 90 * DAY, 360 * DAY)


class Tempo:
    """Speed and window of a run being watched.

    Parameters
    ----------
    clock
        Monotonic seconds; a test brings its own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.pace = Pace(1.0, clock)
        self._chosen_s = 0.0
        self._able = 1e11  # simulated ns the engine manages in a second of computing
        self._real = 0.0  # simulated seconds a second, lately
        self._last = self._clock()
        self.window_s = ON_CHART_S

    def choose(self, what: str, value: float) -> None:
        """Choose the `speed` in simulated seconds a second (infinity: as fast as possible) or the `window`.

        A window is in simulated seconds; 0 follows the speed.
        """
        if what == "window":
            self._chosen_s = value
        else:
            self.pace = Pace(value if value < math.inf else None, self._clock)
            self._real = 0.0

    def restart(self) -> None:
        """Begin counting now."""
        self.pace.restart()
        self._last = self._clock()

    @contextmanager
    def computing(self) -> Iterator[int]:
        """Give the simulated ns due now, and learn from how long they take to compute."""
        most = int(self._able * COMPUTE_S)
        due = self.pace.due_ns()
        due = max(1, most if due is None else min(due, most))
        begun = self._clock()
        yield due
        ended = self._clock()
        if ended - begun > COMPUTE_S / 8 or due == most:  # a shorter time says little
            measured = due / max(ended - begun, 1e-4)
            self._able = min(max(measured, self._able / 2), 2 * self._able)
        since = max(ended - self._last, 1e-6)
        self._last = ended
        weight = min(1.0, since / 1.0) if self._real else 1.0
        self._real += weight * (due / t.NS_PER_S / since - self._real)

    def fit(self, view: View) -> None:
        """Choose the window: as told, or such that about half a minute of watching is on the chart."""
        if self._chosen_s > 0:
            self.window_s = self._chosen_s
        else:
            speed = self.pace.speed if self.pace.speed is not None else self._real
            # A young run gets a window it can fill; it widens as the run goes on.
            wanted = max(SPANS[0], min(ON_CHART_S * speed, max(ON_CHART_S, view.now_s)))
            if not 0.4 * self.window_s <= wanted <= self.window_s:
                self.window_s = next((span for span in SPANS if span >= wanted), SPANS[-1])
        view.window_s = self.window_s

    @property
    def words(self) -> str:
        """The speed reached, and the one asked for."""
        asked = self.pace.speed
        if asked is None:
            return f"{float(f'{self._real:.2g}'):,.0f} × real time"
        behind = self._real < 0.9 * asked
        return f"{self._real:,.1f} of {asked:,g} ×" if behind else f"{asked:,g} × real time"
