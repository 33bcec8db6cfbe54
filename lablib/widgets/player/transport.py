"""How a player moves through a record: where it stands, how fast it plays, how much its charts show."""

from __future__ import annotations

from lablib.errors import ConfigError
from lablib.pace import Pace
from lablib.widgets.player.desk import SPEEDS, WHOLE_S
from lablib.widgets.tempo import SPANS
from lablib.widgets.view import NS

WATCHED_S = 15.0  # real seconds of playing that a chart shows, unless told otherwise


class Transport:
    """A place in a record, moved by hand or by the clock.

    Attributes
    ----------
    now_ns, end_ns
        Where it stands, and how long the record is; simulated time.
    playing
        Whether the clock moves it.
    """

    def __init__(self) -> None:
        self.now_ns = self.end_ns = 0
        self.playing = False
        self._window_s = 0.0  # as chosen; 0 follows the speed
        self._speed = 0.0  # as chosen; 0 plays all of it in `WHOLE_S`
        self._pace = Pace(1.0)

    @property
    def speed(self) -> float:
        """Simulated seconds a second."""
        return self._speed or max(self.end_ns * NS / WHOLE_S, 0.01)

    @property
    def window_s(self) -> float:
        """Simulated seconds the charts show."""
        if self._window_s > 0:
            return self._window_s
        wanted = min(WATCHED_S * self.speed, self.end_ns * NS)
        return next((span for span in SPANS if span >= wanted), SPANS[-1])

    def load(self, end_ns: int) -> None:
        """Stand still at the end of another record."""
        self.playing = False
        self.now_ns = self.end_ns = end_ns

    def play(self) -> None:
        """Let the clock move it on from here; from the end, from the start."""
        if self.now_ns >= self.end_ns:
            self.now_ns = 0
        self.playing = True
        self._pace = Pace(self.speed)

    def turn(self) -> None:
        """Move on by what is due; at the end stand still."""
        self.stand(self.now_ns + (self._pace.due_ns() or 0))
        if self.now_ns >= self.end_ns:
            self.playing = False

    def stand(self, at_ns: int) -> None:
        """Go to a moment, or to the end where it lies beyond."""
        self.now_ns = min(at_ns, self.end_ns)

    def go(self, seconds: float) -> None:
        """Go to a moment so many simulated seconds after the start.

        Raises
        ------
        ConfigError
            Before the start, or no number.
        """
        if not seconds >= 0:
            raise ConfigError(f"t: seconds from the start, got {seconds!r}")
        self.stand(round(min(seconds, 1e9) / NS))

    def tune(self, name: str, value: float) -> None:
        """Choose the `window` (s) or the `speed`; 0, or a speed that is not on the desk, as at first."""
        if name == "window":
            self._window_s = value
        else:
            self._speed = value if value in SPEEDS.values() else 0.0
            self._pace = Pace(self.speed)
