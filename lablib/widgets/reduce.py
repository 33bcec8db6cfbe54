"""Long series made small: a ring of constant length, and columns of lowest and highest value.

Pure NumPy. A drawing costs the same at any speed, and no spike is lost on the way to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COLUMNS = 150  # across a chart; two points each
FINER = 4  # when a frame brings many rows, each that is kept stands for this part of a column

TIME = 0  # the field of a table that holds its time, s


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


def thinned(rows: Floats, width_s: float) -> Floats:
    """The outline of rows that stand closer than a chart can show; at high speed that is most of them."""
    count = rows.shape[1]
    bins = 1 + int((rows[TIME, -1] - rows[TIME, 0]) / width_s) if count else 0
    bins = min(bins, FINER * COLUMNS)
    if count <= 2 * bins:
        return rows
    starts = np.arange(bins) * count // bins
    return envelope(rows, starts)


def newest(marks: Floats, width_s: float) -> Floats:
    """The newest buy and the newest sell of every `width_s` seconds; rows time, price, side."""
    place = 2 * np.floor(marks[TIME] / width_s) + (marks[2] > 0)
    _, last = np.unique(place[::-1], return_index=True)
    return marks[:, np.sort(marks.shape[1] - 1 - last)]


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
