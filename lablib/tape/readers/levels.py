"""A recorded book by price level, and how it is told to the tape.

No queue, no orders: a level is a price and the lots it shows in all. Knows no vendor.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.kernels.tables import BUY, CLEAR, LEVEL, NO_ASK, NO_BID, SELL, SETTLED, TAPE_EVENT

i8 = np.int64
TOUCH = np.dtype(
    [
        ("time_ns", i8),
        ("bid_ticks", i8),  # NO_BID of an empty side
        ("bid_lots", i8),
        ("ask_ticks", i8),  # NO_ASK of an empty side
        ("ask_lots", i8),
    ]
)
Change = tuple[int, int, int]  # side, ticks, lots now; 0 removes the level

_EVENT_FIELDS = ("time_ns", "kind", "side", "ticks", "lots")


@dataclass(frozen=True, eq=False)
class History:
    """What one book went through.

    `events` are CLEAR, LEVEL and SETTLED of TAPE_EVENT; the first group is the whole book. Times are
    receive times, ns since 1970. `report` counts the depth `messages`, the `applied` ones, the
    `comparisons` with bookTicker and how many were `equal` in both prices and both quantities, the
    breaks by reason, how often the `window_moves`, and the line of the `first_difference` (0: none).
    """

    events: NDArray[Any]
    touch: NDArray[Any]  # TOUCH, at every SETTLED
    report: dict[str, int]


class LevelBook:
    """Both sides, exactly: lots by price, and the best of each."""

    def __init__(self, levels: Iterable[Change] = ()) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.bid, self.ask = NO_BID, NO_ASK
        self.apply(levels)

    def apply(self, levels: Iterable[Change]) -> list[Change]:
        """Take one message; return what really changed, each level once.

        What was taken away comes first: a book that is told so never crosses on the way.
        """
        less: list[Change] = []
        more: list[Change] = []
        # Should a message name a level twice, its last word counts.
        for (side, ticks), lots in {(side, ticks): lots for side, ticks, lots in levels}.items():
            half = self.bids if side == BUY else self.asks
            before = half.get(ticks, 0)
            if lots == before:
                continue
            (less if lots < before else more).append((side, ticks, lots))
            if lots:
                half[ticks] = lots
            else:
                del half[ticks]
        for side, ticks, _ in more:
            if side == BUY:
                self.bid = max(self.bid, ticks)
            else:
                self.ask = min(self.ask, ticks)
        if self.bid not in self.bids:
            self.bid = max(self.bids, default=NO_BID)
        if self.ask not in self.asks:
            self.ask = min(self.asks, default=NO_ASK)
        return less + more

    def touch(self) -> tuple[int, int, int, int]:
        """Best bid, its lots, best ask, its lots."""
        return self.bid, self.bids.get(self.bid, 0), self.ask, self.asks.get(self.ask, 0)

    def between(self, low: int, high: int) -> list[Change]:
        """Levels within [low, high], bids then asks, from the touch outward."""
        bids = sorted((price for price in self.bids if low <= price <= high), reverse=True)
        asks = sorted(price for price in self.asks if low <= price <= high)
        told = [(BUY, price, self.bids[price]) for price in bids]
        return told + [(SELL, price, self.asks[price]) for price in asks]


class Teller:
    """Writes a book's events as seen through a window around its touch.

    The engine's ladder is finite, and a few orders rest at absurd prices. What lies outside the
    window is not told; when the touch has wandered a third of the reach from the window's middle,
    the window follows, and the levels that leave and enter it are told as changes.
    """

    def __init__(self, reach_ticks: int) -> None:
        self.reach = reach_ticks
        self.moves = 0
        self._centre = 0
        self._events = array("q")
        self._touch = array("q")

    def whole(self, time_ns: int, book: LevelBook) -> None:
        """Start over with everything in reach."""
        self._centre = self._middle(book)
        self._events.extend((time_ns, CLEAR, 0, 0, 0))
        self._write(time_ns, self._in_reach(book))
        self._settle(time_ns, book)

    def lost(self, time_ns: int) -> None:
        """Say that nobody knows the book any more."""
        self._events.extend((time_ns, CLEAR, 0, 0, 0))
        self._settle(time_ns, LevelBook())

    def changed(self, time_ns: int, book: LevelBook, changes: list[Change]) -> None:
        """Tell one message: `changes` are what `book` has just applied."""
        low, high = self._centre - self.reach, self._centre + self.reach
        self._write(time_ns, [change for change in changes if low <= change[1] <= high])
        middle = self._middle(book)
        if abs(middle - self._centre) > self.reach // 3:
            self._follow(time_ns, book, middle)
        self._settle(time_ns, book)

    def events(self) -> NDArray[Any]:
        """All that was told, as TAPE_EVENT."""
        integers = np.frombuffer(self._events.tobytes(), i8).reshape(-1, len(_EVENT_FIELDS))
        events = np.zeros(len(integers), TAPE_EVENT)
        for column, name in enumerate(_EVENT_FIELDS):
            events[name] = integers[:, column]
        return events

    def touch(self) -> NDArray[Any]:
        """The touch at every SETTLED, as TOUCH."""
        return np.frombuffer(self._touch.tobytes(), TOUCH)

    def _middle(self, book: LevelBook) -> int:
        known = [price for price in (book.bid, book.ask) if NO_BID < price < NO_ASK]
        return sum(known) // len(known) if known else self._centre

    def _in_reach(self, book: LevelBook) -> list[Change]:
        return book.between(self._centre - self.reach, self._centre + self.reach)

    def _follow(self, time_ns: int, book: LevelBook, middle: int) -> None:
        old = set(self._in_reach(book))
        self._centre = middle
        self.moves += 1
        new = self._in_reach(book)
        # The ladder must not stretch over both windows: what leaves goes first.
        self._write(time_ns, [(side, price, 0) for side, price, _ in sorted(old.difference(new))])
        self._write(time_ns, [level for level in new if level not in old])

    def _write(self, time_ns: int, changes: list[Change]) -> None:
        for side, ticks, lots in changes:
            self._events.extend((time_ns, LEVEL, side, ticks, lots))

    def _settle(self, time_ns: int, book: LevelBook) -> None:
        self._events.extend((time_ns, SETTLED, 0, 0, 0))
        self._touch.extend((time_ns, *book.touch()))
