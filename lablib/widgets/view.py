"""Frames in, plain arrays out: what there is to draw, bounded however long a run lasts.

Knows no widget and no browser. Rows of the newest samples stand in a ring of constant length; a
drawing asks for a window of them and gets it reduced to columns of lowest and highest value, so that
no spike is lost and a chart costs the same at any speed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lablib.kernels import tables as t

if TYPE_CHECKING:
    from lablib.frame import Frame

Floats = NDArray[np.float64]

COLUMNS = 150  # across a chart; two points each
ROWS = 8_192  # samples kept
MARKS = 40  # places across a chart where one buy and one sell may be marked
FILLS = 2_048  # fills kept for marking
EVENTS = 64  # lines the event tape keeps
BURST = 2 * COLUMNS  # rows one frame may add

FIELDS = ("time", "external", "market", "divergence", "action", "equity", "peak", "position")
TIME, EXTERNAL, MARKET, DIVERGENCE, ACTION, EQUITY, PEAK, POSITION = range(len(FIELDS))

NS = 1e-9


class Ring:
    """The newest rows of a table, in order, in constant memory.

    Every row is written twice, half a ring apart, so that the newest rows are always one piece.
    """

    def __init__(self, fields: int, capacity: int) -> None:
        self.capacity = capacity
        self._data = np.zeros((fields, 2 * capacity))
        self._end = 0  # rows ever written

    def extend(self, rows: Floats) -> None:
        """Append columns of `rows`, shape (fields, n); beyond the capacity the oldest are lost."""
        rows = rows[:, -self.capacity :]
        at = (self._end + np.arange(rows.shape[1])) % self.capacity
        self._data[:, at] = rows
        self._data[:, at + self.capacity] = rows
        self._end += rows.shape[1]

    @property
    def rows(self) -> Floats:
        """All rows kept, oldest first, shape (fields, n); a view, overwritten by the next `extend`."""
        count = min(self._end, self.capacity)
        stop = self._end % self.capacity + self.capacity
        return self._data[:, stop - count : stop]

    def clear(self) -> None:
        """Forget every row."""
        self._end = 0


def envelope(rows: Floats, starts: NDArray[np.intp]) -> Floats:
    """Two rows for each bin that begins at `starts`: lowest and highest value of every field.

    A field that rises over the bin has its lowest value first, one that falls its highest, so that
    a line drawn through them leans as the data did. Shape (fields, 2 * bins).
    """
    low = np.minimum.reduceat(rows, starts, axis=1)
    high = np.maximum.reduceat(rows, starts, axis=1)
    last = np.append(starts[1:], rows.shape[1]) - 1
    rising = rows[:, last] >= rows[:, starts]
    pairs = np.empty((rows.shape[0], starts.size, 2))
    pairs[:, :, 0] = np.where(rising, low, high)
    pairs[:, :, 1] = np.where(rising, high, low)
    return pairs.reshape(rows.shape[0], -1)


def columns(rows: Floats, now_s: float, window_s: float, count: int = COLUMNS) -> Floats:
    """The last `window_s` seconds as `2 * count` points, newest last.

    Columns begin at whole multiples of their width, so that a spike keeps its shape while it
    travels. A column without a row holds the value before it; before the first row all is NaN.

    Parameters
    ----------
    rows
        Shape (fields, n), field 0 the time in seconds, ascending.
    now_s
        Right end of the window.

    Returns
    -------
    Shape (fields, 2 * count).
    """
    out = np.full((rows.shape[0], 2 * count), np.nan)
    width = window_s / count
    first = np.floor(now_s / width) - (count - 1)
    bins = np.floor(rows[TIME] / width) - first
    begin = int(np.searchsorted(bins, 0.0))
    end = int(np.searchsorted(bins, count - 0.5))
    column = bins[begin:end].astype(np.intp)
    if column.size:
        starts = np.flatnonzero(np.diff(column, prepend=-1))
        filled = column[starts]
        pairs = envelope(rows[:, begin:end], starts)
        lasts = rows[:, begin + np.append(starts[1:], column.size) - 1]
        # Which filled column each drawn column shows: itself, or the newest one before it.
        shows = np.searchsorted(filled, np.arange(count), side="right") - 1
        known = shows >= 0
        own = np.zeros(count, bool)
        own[filled] = True
        held = np.repeat(lasts[:, shows], 2, axis=1)
        exact = pairs.reshape(rows.shape[0], -1, 2)[:, shows].reshape(rows.shape[0], -1)
        points = np.where(np.repeat(own, 2), exact, held)
        out[:, np.repeat(known, 2)] = points[:, np.repeat(known, 2)]
    if begin:  # the window opens in the middle of history: hold the last value before it
        missing = np.isnan(out[TIME])
        out[:, missing] = rows[:, begin - 1 : begin]
    return out


def triggers(divergence: Floats, action: Floats, side: int) -> Floats:
    """The divergence where it asked for a trade on one side, NaN elsewhere.

    Both are reduced by `columns`. A column asked when any of its samples did; it then shows the
    stretch from zero to its extreme on that side.
    """
    value = side * divergence.reshape(-1, 2)
    asked = (side * action.reshape(-1, 2) > 0).any(axis=1)
    out = np.full(value.shape, np.nan)
    out[asked, 0] = np.maximum(value[asked].min(axis=1), 0.0)
    out[asked, 1] = value[asked].max(axis=1)
    return side * out.ravel()


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
    _sampled: bool = False

    def clear(self) -> None:
        """Forget everything: a run starts anew."""
        self.frame = None
        self.events.clear()
        self.event_count = 0
        self._ring.clear()
        self._fills.clear()
        self._peak = -np.inf
        self._sampled = False

    def push(self, frame: Frame) -> None:
        """Take in one frame."""
        self.frame = frame
        rows = self._rows(frame)
        self._ring.extend(_thinned(rows) if rows.shape[1] > BURST else rows)
        fills = np.array(
            [frame.fills["t_ns"] * NS, frame.fills["price_px"], frame.fills["side"]], np.float64
        )
        self._fills.extend(_spread(fills, 4 * MARKS))
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
        rows[PEAK] = np.maximum.accumulate(np.maximum(rows[EQUITY], self._peak))
        self._peak = max(
            self._peak, float(rows[PEAK].max(initial=-np.inf)), frame.equity + frame.drawdown
        )
        return rows

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
        """Put a line of our own, such as a command, on the event tape."""
        self.events.append((t_ns, "command", text))
        self.event_count += 1

    @property
    def now_s(self) -> float:
        """Simulated time of the newest frame, seconds."""
        return self.frame.t_ns * NS if self.frame is not None else 0.0

    def lines(self) -> Floats:
        """Every field over the window, shape (fields, 2 * COLUMNS)."""
        return columns(self._ring.rows, self.now_s, self.window_s)

    def fills(self, side: int) -> Floats:
        """Where our fills of one side stand: ages as fractions of the window in [-1, 0], and prices.

        At most `MARKS`, the newest of each stretch of time. Shape (2, n).
        """
        kept = self._fills.rows
        kept = kept[:, kept[2] == side]
        width = self.window_s / COLUMNS
        right = (np.floor(self.now_s / width) + 1) * width
        age = (kept[0] - right) / self.window_s
        inside = age > -1
        return _spread(np.stack([age[inside], kept[1][inside]]), MARKS)


def _thinned(rows: Floats) -> Floats:
    starts = np.linspace(0, rows.shape[1], BURST // 2, endpoint=False).astype(np.intp)
    out = envelope(rows, starts)
    # Both rows of a bin come from it; time must not turn back when a field falls.
    out[TIME] = np.sort(out[TIME])
    return out


def _spread(points: Floats, places: int) -> Floats:
    """At most `places` of some points, spread evenly over their time (field 0), newest of each place."""
    if points.shape[1] <= places:
        return points
    span = points[0, -1] - points[0, 0]
    place = np.floor((points[0] - points[0, 0]) / (span or 1.0) * (places - 1))
    return points[:, np.flatnonzero(np.diff(place, append=np.inf))]


def _order_time(row: Any) -> int:
    """When the fate of an order was known, or as near to it as its stamps tell."""
    times: Sequence[int] = [int(row[name]) for name in ("acted_at", "received_at", "created_at")]
    return next((time for time in times if time >= 0), 0)


def step_outline(book_side: Floats, levels: int) -> Floats:
    """A book side as a step line of cumulated lots, from the touch outwards.

    Parameters
    ----------
    book_side
        Shape (n, 2): price, lots; best first.
    levels
        Levels drawn; a shorter side is padded, so that the outline has a constant length.

    Returns
    -------
    Shape (2, 2 * levels): prices, lots up to there. NaN where the side is empty.
    """
    out = np.full((2, 2 * levels), np.nan)
    side = book_side[:levels]
    if len(side):
        depth = np.cumsum(side[:, 1])
        out[0, : 2 * len(side)] = np.repeat(side[:, 0], 2)
        out[1, 1 : 2 * len(side)] = np.repeat(depth, 2)[:-1]
        out[1, 0] = 0.0
        out[:, 2 * len(side) :] = out[:, 2 * len(side) - 1 : 2 * len(side)]
    return out


def reason(code: int) -> str:
    """A reason code in words.

    >>> reason(t.DAILY_LOSS)
    'daily loss cap'
    """
    return t.REASONS[code].replace("_", " ") if 0 <= code < len(t.REASONS) else f"reason {code}"
