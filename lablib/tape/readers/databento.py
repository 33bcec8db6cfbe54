"""Reads Databento's DBN files of a venue's book: `mbp-1`, `mbp-10` and `mbo`.

What a record means: https://databento.com/docs/schemas-and-data-formats. `ts_recv` is the recorder's time,
`ts_event` the exchange's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.kernels.tables import BUY, SELL
from lablib.tape.readers.capture import ABSENT, TRADE, WHEN
from lablib.tape.readers.dbn import File, take_apart
from lablib.tape.readers.orders import ASKS, BIDS, Message, top_of_book
from lablib.tape.readers.states import Exact, Rows, StateCapture, capture_of
from lablib.tape.readers.text import OnBad, Refusals, read_bytes, sha256

LAYOUT = "Databento DBN of mbp-1, mbp-10 or mbo (.dbn, .dbn.zst)"
SHOWN = 10  # levels a side that are told of a book of orders

PLACES = 9  # a price is units of currency times 10^9
NO_PRICE = 2**63 - 1
LAST = 128  # flags
SNAPSHOT = 32
NO_ORDERS = 64 | 16  # an mbo record that tells a best price, or a whole level

_SIDES = {b"B": BIDS, b"A": ASKS}


def recognises(head: bytes) -> bool:
    """Whether a file that begins (unpacked) with these bytes has this layout."""
    return head.startswith(b"DBN")


def read_capture(path: str | Path, on_bad: OnBad = "raise", *, symbol: str = "") -> StateCapture:
    """Read one file; `on_bad` as every reader has it, `symbol` or a number chooses among several instruments.

    Of `mbo` the ten best levels a side are told, whenever an event of the venue is complete. The tick is the
    largest, at most one unit of currency, that all prices of the book are multiples of. Trades without a side,
    such as an auction's, and records of other types are dropped and counted in both cases.
    """
    refusals = Refusals(str(path), on_bad, "record")
    data = read_bytes(path)
    file, symbol = _of_one(take_apart(data, refusals), symbol, refusals)
    known = file.records["ts_recv"] < NO_PRICE
    for number in file.number[~known].tolist():
        refusals.refuse(number, "time", "ts_recv is undefined")
    records = file.records[known]
    when = _when(records, file.number[known])
    if "order_id" in (records.dtype.names or ()):
        if np.any(records["flags"] & NO_ORDERS):
            raise refusals.stop("its mbo records tell price levels, not orders: mbp-1 is wanted")
        settled, prices, sizes = top_of_book(_messages(records, when["line"]), SHOWN, refusals)
    else:
        settled = np.arange(len(records))
        prices, sizes = (
            records["levels"][name].astype(np.int64).transpose(0, 2, 1)
            for name in ("price", "size")
        )
        sizes = np.where(prices == NO_PRICE, 0, sizes)
        prices = np.where(sizes > 0, prices, 0)
    rows = Rows(
        when[settled],
        Exact(prices, PLACES),
        Exact(sizes, 0),
        _trades(records, when, refusals),
        int(np.gcd.reduce(prices, axis=None, initial=10**PLACES)),
    )
    return capture_of(rows, refusals, sha256=sha256(data), symbol=symbol, lines=file.total)


def _of_one(file: File, wanted: str, refusals: Refusals) -> tuple[File, str]:
    """What belongs to one instrument of one venue, and what it is called."""
    records = file.records
    names = {
        int(one): file.symbols.get(int(one)) or str(one)
        for one in np.unique(records["instrument_id"])
    }
    fit = [one for one, name in names.items() if wanted in ("", name, str(one))]
    if len(fit) != 1:
        told = f"no {wanted!r}" if wanted else f"{len(names)} instruments, where one is wanted"
        known = ", ".join(
            name if name == str(one) else f"{name} ({one})" for one, name in names.items()
        )
        raise refusals.stop(f"holds {told}: choose by symbol= among {known[:200]}")
    mine = records["instrument_id"] == fit[0]
    venues = np.unique(records["publisher_id"][mine]).tolist()
    if len(venues) > 1:
        raise refusals.stop(f"holds {len(venues)} publishers, where one is wanted: {venues}")
    return file._replace(records=records[mine], number=file.number[mine]), names[fit[0]]


def _when(records: NDArray[Any], number: NDArray[np.int64]) -> NDArray[Any]:
    """Times of records; a snapshot's tell when its orders came, not when it was taken."""
    when = np.zeros(len(records), WHEN)
    when["line"], when["receive_ns"], when["transact_ns"] = number, records["ts_recv"], ABSENT
    stale = (records["flags"] & SNAPSHOT > 0) | (records["ts_event"] >= NO_PRICE)
    when["event_ns"] = np.where(stale, ABSENT, records["ts_event"].astype(np.int64))
    return when


def _messages(records: NDArray[Any], number: NDArray[np.int64]) -> Iterator[Message]:
    fields = ("action", "side", "order_id", "price", "size", "flags")
    columns = (records[name].tolist() for name in fields)
    rows = zip(number.tolist(), *columns, strict=True)
    for at, (line, action, side, order_id, price, size, flags) in enumerate(rows):
        price = 0 if price == NO_PRICE else price
        side = _SIDES.get(side, -1)
        yield Message(at, line, action.decode(), side, order_id, price, size, flags & LAST > 0)


def _trades(records: NDArray[Any], when: NDArray[Any], refusals: Refusals) -> NDArray[Any]:
    """Rows of TRADE; the side of a trade is the aggressor's."""
    traded = records["action"] == b"T"
    sided = traded & ((records["side"] == b"A") | (records["side"] == b"B"))
    if unsided := int(traded.sum() - sided.sum()):
        refusals.counts["no_side"] += unsided
    trades = np.zeros(int(sided.sum()), TRADE)
    for name, _ in WHEN:
        trades[name] = when[name][sided]
    trades["trade_id"] = ABSENT
    trades["side"] = np.where(records["side"][sided] == b"B", BUY, SELL)
    trades["ticks"], trades["lots"] = records["price"][sided], records["size"][sided]
    return trades
