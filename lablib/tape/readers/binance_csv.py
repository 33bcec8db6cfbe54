"""Reads `bookTicker` CSV files of data.binance.vision: the best quote of a futures market, without a recorder's time.

Layout: https://github.com/binance/binance-public-data. Rows may stand out of order; `update_id` tells the order.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from lablib.tape.readers.capture import WHEN
from lablib.tape.readers.columns import exact, integers, nanoseconds, read_columns
from lablib.tape.readers.states import Rows, StateCapture, capture_of
from lablib.tape.readers.text import OnBad, Refusals, read_bytes, sha256

_NAMES = (
    "update_id",
    "best_bid_price",
    "best_bid_qty",
    "best_ask_price",
    "best_ask_qty",
    "transaction_time",
    "event_time",
)
LAYOUT = f"Binance public bookTicker CSV (first line {','.join(_NAMES)})"


def recognises(head: bytes) -> bool:
    """Whether a file that begins (unpacked) with these bytes has this layout."""
    return head.startswith(",".join(_NAMES).encode())


def read_capture(path: str | Path, on_bad: OnBad = "raise") -> StateCapture:
    """Read one file; `on_bad` as every reader has it.

    The symbol is what the file's name begins with. Receive times are not known: the exchange's time of the
    event takes their place.
    """
    refusals = Refusals(str(path), on_bad)
    data = read_bytes(path)
    table, lines = read_columns(data, refusals)
    symbol = re.match(r"[A-Z0-9]+(_[A-Z0-9]+)?(?=-|$)", Path(path).name)
    times, good = nanoseconds(table, "event_time", refusals)
    transact, known = nanoseconds(table, "transaction_time", refusals)
    ids, numbered = integers(table, "update_id", refusals)
    prices, priced = exact(table, ["best_bid_price", "best_ask_price"], "price", refusals)
    sizes, sized = exact(table, ["best_bid_qty", "best_ask_qty"], "quantity", refusals)
    good &= known & numbered & priced & sized
    at = np.flatnonzero(good)
    at = at[np.argsort(ids[at], kind="stable")]
    when = np.zeros(len(at), WHEN)
    when["line"], when["transact_ns"] = table.line[at], transact[at]
    when["receive_ns"] = when["event_ns"] = times[at]
    return capture_of(
        Rows(when, prices.at(at), sizes.at(at)),
        refusals,
        sha256=sha256(data),
        symbol=symbol[0] if symbol else "",
        is_inverse=bool(symbol and "USD_" in symbol[0]),
        has_receive_time=False,
        lines=lines,
    )
