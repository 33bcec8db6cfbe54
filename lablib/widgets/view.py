"""Frames in, plain arrays out: what there is to draw, bounded however long a run lasts.

Knows no widget and no browser. The newest samples and fills stand in rings of constant length; a
drawing asks for a window of them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lablib.attribution import RunningParts
from lablib.performance import RunningMarkouts
from lablib.widgets.reduce import COLUMNS, FINER, TIME, Floats, Ring, columns, newest, thinned

if TYPE_CHECKING:
    from lablib.config import SimConfig
    from lablib.frame import Frame

ROWS = 8_192  # samples kept
FILLS = 4_096  # fills kept for marking
MARKS = 40  # places across a chart where one buy and one sell may be marked
EVENTS = 64  # lines the event tape keeps
HORIZONS_MS = (0.0, *(lead * 10.0**k for k in range(4) for lead in (1, 2, 5)), 1e4)  # of markouts

FIELDS = (
    "time",
    "external",
    "market",
    "divergence",
    "action",
    "equity",
    "peak",
    "position",
    "ghost",
)
EXTERNAL, MARKET, DIVERGENCE, ACTION, EQUITY, PEAK, POSITION, GHOST = range(TIME + 1, len(FIELDS))

NS = 1e-9


@dataclass(slots=True)
class View:
    """What the charts draw from, filled frame by frame.

    Attributes
    ----------
    window_s
        Simulated seconds a chart shows.
    """

    window_s: float = 60.0
    frame: Frame | None = None
    events: deque[tuple[int, str, Any]] = field(default_factory=lambda: deque(maxlen=EVENTS))
    event_count: int = 0
    _ring: Ring = field(default_factory=lambda: Ring(len(FIELDS), ROWS))
    _fills: Ring = field(default_factory=lambda: Ring(3, FILLS))
    _peak: float = -np.inf
    _ghost: float = np.nan
    _sampled: bool = False
    _parts: RunningParts = field(default_factory=RunningParts)
    _markouts: RunningMarkouts = field(default_factory=lambda: RunningMarkouts(HORIZONS_MS))

    def clear(self) -> None:
        """Forget everything: a run starts anew."""
        self.frame = None
        self.events.clear()
        self.event_count = 0
        self._ring.clear()
        self._fills.clear()
        self._peak = -np.inf
        self._ghost = np.nan
        self._sampled = False
        self._parts = RunningParts()
        self._markouts = RunningMarkouts(HORIZONS_MS)

    def push(self, frame: Frame) -> None:
        """Take in one frame."""
        self.frame = frame
        self._ring.extend(thinned(self._rows(frame), self.window_s / (FINER * COLUMNS)))
        fills = frame.fills
        marks = np.array([fills["t_ns"] * NS, fills["price_px"], fills["side"]], np.float64)
        self._fills.extend(newest(marks, self.window_s / (2 * MARKS)))
        self._parts.add(fills)
        self._markouts.add(fills, *self._looks(frame))
        self._note(frame)

    def _rows(self, frame: Frame) -> Floats:
        samples = frame.samples
        self._sampled |= len(samples) > 0
        if self._sampled:
            # Prices as we saw them, when we decided; between two decisions there is nothing new.
            rows = np.empty((len(FIELDS), len(samples)))
            rows[TIME] = samples["t_ns"] * NS
            rows[EXTERNAL] = samples["external_px"]
            rows[MARKET] = samples["market_px"]
            rows[DIVERGENCE] = samples["divergence"]
            rows[ACTION] = samples["action"]
            rows[EQUITY] = samples["equity"]
            rows[POSITION] = samples["position"]
        else:  # nothing is ever decided, or samples are off: the frame itself is the only witness
            rows = np.empty((len(FIELDS), 1))
            rows[TIME] = frame.t_ns * NS
            rows[EXTERNAL] = frame.external_px
            rows[MARKET] = frame.market_px
            rows[DIVERGENCE] = frame.divergence
            rows[ACTION] = frame.action
            rows[EQUITY] = frame.equity
            rows[POSITION] = frame.position_lots
        rows[GHOST] = self._ghosts(frame, rows[TIME])
        rows[PEAK] = np.maximum.accumulate(np.maximum(rows[EQUITY], self._peak))
        self._peak = max(
            self._peak, float(rows[PEAK].max(initial=-np.inf)), frame.equity + frame.drawdown
        )
        return rows

    def _looks(self, frame: Frame) -> tuple[NDArray[np.int64], Floats]:
        """When we looked at the venue's mid, and what it was."""
        if self._sampled:
            return frame.samples["t_ns"], frame.samples["market_px"]
        return np.array([frame.t_ns]), np.array([frame.market_px])

    def _ghosts(self, frame: Frame, times: Floats) -> Floats:
        """The equity of the run without latency, as of each time."""
        if frame.twin is None:
            return np.full(times.shape, np.nan)
        theirs = frame.twin.samples
        if not self._sampled:
            return np.full(times.shape, frame.twin.equity)
        known = np.concatenate([[self._ghost], theirs["equity"]])
        self._ghost = float(known[-1])
        return known[np.searchsorted(theirs["t_ns"] * NS, times, side="right")]

    def _note(self, frame: Frame) -> None:
        """Append what happened to the event tape, in order of time."""
        news: list[tuple[int, str, Any]] = []
        # More than the tape holds would only be thrown away again.
        news += [(_order_time(row), "order", row) for row in frame.orders[-EVENTS:]]
        news += [(int(row["t_ns"]), "fill", row) for row in frame.fills[-EVENTS:]]
        news += [(int(row["t_ns"]), "risk", row) for row in frame.risk_events[-EVENTS:]]
        news.sort(key=lambda event: event[0])
        self.events.extend(news)
        self.event_count += len(frame.orders) + len(frame.fills) + len(frame.risk_events)

    def note(self, t_ns: int, text: str) -> None:
        """Put a command on the event tape; `field = value` again and again is one line, the newest."""
        field_name, equals, _ = text.partition(" = ")
        if equals and self.events and str(self.events[-1][2]).startswith(field_name + equals):
            self.events.pop()
        self.events.append((t_ns, "command", text))
        self.event_count += 1

    @property
    def now_s(self) -> float:
        """Simulated time of the newest frame, seconds."""
        return self.frame.t_ns * NS if self.frame is not None else 0.0

    def lines(self, until_s: float | None = None) -> Floats:
        """Every field over the window that ends at `until_s`, or now; shape (fields, 2 * COLUMNS)."""
        return columns(self._ring.rows, self.now_s if until_s is None else until_s, self.window_s)

    def parts(self, config: SimConfig) -> Floats:
        """The P&L since the start by its causes, currency: entries and exits, shape (2, PARTS)."""
        mark = round(2 * self.frame.market_px / config.venue.tick_size) if self.frame else 0
        return self._parts.parts(mark).astype(np.float64) * config.unit_value

    def markouts(self) -> Floats:
        """How the mid stood to our entries and exits, bps, shape (2, HORIZONS_MS); NaN where unknown."""
        return np.stack([self._markouts.table(leg)["bps"] for leg in (0, 1)])

    def fills(self, side: int, until_s: float | None = None) -> Floats:
        """Where our fills of one side stand: ages as fractions of the window in [-1, 0], and prices.

        The window ends at `until_s`, or now.

        At most `MARKS`, the newest of each stretch of time. Shape (2, n).
        """
        until_s = self.now_s if until_s is None else until_s
        return placed(self._fills.rows, until_s, self.window_s, side)


def placed(marks: Floats, now_s: float, window_s: float, side: int) -> Floats:
    """Where fills of one side stand in a window that ends now; `marks` has rows time, price, side."""
    right = (np.floor(now_s / (window_s / COLUMNS)) + 1) * (window_s / COLUMNS)
    kept = marks[:, (marks[2] == side) & (marks[0] > right - window_s)]
    kept = newest(kept, window_s / MARKS)[:, -MARKS:]
    return np.stack([(kept[0] - right) / window_s, kept[1]])


def _order_time(row: Any) -> int:
    """When the fate of an order was known, or as near to it as its stamps tell."""
    times = [int(row[name]) for name in ("acted_at", "received_at", "created_at")]
    return next((time for time in times if time >= 0), 0)
