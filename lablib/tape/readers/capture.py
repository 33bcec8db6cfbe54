"""What every reader gives: one recording of one venue, its best quotes and its trades.

Knows no vendor. How the recording tells a book differs by vendor, and is its reader's own business; what
becomes of it is always a `levels.History`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ABSENT = -1  # a time or an id that a row does not carry

i8 = np.int64
WHEN = [("line", i8), ("receive_ns", i8), ("event_ns", i8), ("transact_ns", i8)]
QUOTE = np.dtype(
    [
        *WHEN,
        ("update_id", i8),
        ("bid_ticks", i8),
        ("bid_lots", i8),
        ("ask_ticks", i8),
        ("ask_lots", i8),
    ]
)
TRADE = np.dtype([*WHEN, ("trade_id", i8), ("side", i8), ("ticks", i8), ("lots", i8)])


@dataclass(frozen=True, eq=False, kw_only=True)
class Capture:
    """One recording, each table in the order of the file.

    Times are ns since 1970 UTC: `receive_ns` by the recorder's clock, `event_ns` and `transact_ns` by
    the exchange's, -1 where a row has none. Where `has_receive_time` is false the file knows the
    exchange's time alone, and `receive_ns` repeats it.
    """

    source: str  # as the caller named it
    sha256: str  # of the file's bytes
    symbol: str
    is_inverse: bool = False  # a lot is a contract of a fixed worth in USD
    has_receive_time: bool = True
    has_sizes: bool = True  # otherwise a lot stands for a size that is not known
    tick_size: float  # currency
    lot_size: float  # coin, shares or contracts
    quotes: NDArray[Any]  # QUOTE
    trades: NDArray[Any]  # TRADE
    lines: int
    dropped: dict[str, int]  # rows not used, by reason

    def mid_ticks(self, tick_size: float) -> NDArray[np.float64]:
        """Middle of every best quote, in ticks of this size; exact where it is the capture's own."""
        middle: NDArray[np.float64] = (self.quotes["bid_ticks"] + self.quotes["ask_ticks"]) / 2
        return middle * (self.tick_size / tick_size)

    def figures(self) -> dict[str, int]:
        """What the recording tells of its book, counted, for a report."""
        return {}

    def times(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Receive and exchange times of all rows, to compare the two clocks."""
        tables = (self.quotes, self.trades)
        return (
            np.concatenate([table["receive_ns"] for table in tables]),
            np.concatenate([table["event_ns"] for table in tables]),
        )
