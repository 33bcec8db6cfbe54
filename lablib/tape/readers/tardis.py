"""Reads Tardis CSV files of a venue's book: `quotes`, `book_ticker`, `book_snapshot_N`, `incremental_book_L2`.

Layout: https://docs.tardis.dev/downloadable-csv-files. Times are microseconds: `timestamp` is the exchange's,
`local_timestamp` the recorder's.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from lablib.tape.readers.capture import ABSENT, WHEN
from lablib.tape.readers.columns import Columns, exact, nanoseconds, read_columns
from lablib.tape.readers.orders import ASKS, BIDS, OrderBook
from lablib.tape.readers.states import Exact, Rows, StateCapture, capture_of
from lablib.tape.readers.text import OnBad, Refusals, read_bytes, sha256

LAYOUT = (
    "Tardis CSV of quotes, book_ticker, book_snapshot_N or incremental_book_L2 (first line"
    " exchange,symbol,timestamp,local_timestamp,…)"
)
DEPTH = 25  # levels a side that are told of a book of changes; as many as the vendor's own snapshots have
# Venues of Tardis whose amounts are contracts worth 100 USD (BTC) or 10 (others).
_INVERSE = ("binance-delivery",)

_HEAD = b"exchange,symbol,timestamp,local_timestamp,"
_CHANGES = {"is_snapshot", "side", "price", "amount"}
_SIDES = {"bid": BIDS, "ask": ASKS}
_LEVEL = re.compile(r"(asks|bids)\[(\d+)\]\.(price|amount)")


def recognises(head: bytes) -> bool:
    """Whether a file that begins (unpacked) with these bytes has this layout."""
    return head.startswith(_HEAD)


def read_capture(path: str | Path, on_bad: OnBad = "raise") -> StateCapture:
    """Read one file; `on_bad` as every reader has it."""
    refusals = Refusals(str(path), on_bad)
    data = read_bytes(path)
    table, lines = read_columns(data, refusals)
    levels = _levels(table.names)
    told_by_changes = set(table.names) >= _CHANGES
    if not levels and not told_by_changes:
        named = ", ".join(table.names[4:8])
        raise refusals.stop(
            f"is a Tardis file of another type ({named}); known are quotes, book_snapshot_N and"
            " incremental_book_L2"
        )
    symbols = sorted(set(table.text["symbol"]))
    if len(symbols) != 1:
        raise refusals.stop(f"holds {len(symbols)} symbols, where one is wanted: {symbols[:3]}")
    levels = levels or ([("price", "amount")], [])
    # A level that is not there has neither price nor amount.
    names = [name for side in levels for pair in side for name in pair]
    table = _filled(table, names)
    received, good = nanoseconds(table, "local_timestamp", refusals, "us")
    happened, known = nanoseconds(table, "timestamp", refusals, "us")
    prices, priced = exact(
        table, [price for side in levels for price, _ in side], "price", refusals
    )
    sizes, sized = exact(table, [size for side in levels for _, size in side], "amount", refusals)
    good &= known & priced & sized
    when = np.zeros(int(good.sum()), WHEN)
    when["line"], when["receive_ns"] = table.line[good], received[good]
    # Where a venue gives no time of its own, the vendor repeats the recorder's.
    when["event_ns"] = np.where(happened == received, ABSENT, happened)[good]
    when["transact_ns"] = ABSENT
    rows = Rows(when, prices.at(good), sizes.at(good))
    if told_by_changes:
        rows = _followed(table.keep(good), rows, refusals)
    return capture_of(
        rows,
        refusals,
        sha256=sha256(data),
        symbol=symbols[0].upper(),
        is_inverse=table.text["exchange"][0] in _INVERSE,
        lines=lines,
    )


def _levels(names: tuple[str, ...]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]] | None:
    """Columns of price and amount, bids then asks, each from the touch outward."""
    if "bid_price" in names:
        return [("bid_price", "bid_amount")], [("ask_price", "ask_amount")]
    count = len({found[2] for name in names if (found := _LEVEL.fullmatch(name))})
    bids, asks = (
        [(f"{side}[{at}].price", f"{side}[{at}].amount") for at in range(count)]
        for side in ("bids", "asks")
    )
    return (bids, asks) if count else None


def _followed(table: Columns, changes: Rows, refusals: Refusals) -> Rows:
    """The best levels after every message of a book told by its changes.

    Rows of one message share the recorder's time. What comes before the first snapshot belongs to no book
    that anybody knows; a snapshot that begins replaces the book there was.
    """
    book, known, before = OrderBook(), False, None
    at: list[int] = []
    prices: list[list[int]] = []
    sizes: list[list[int]] = []
    times = changes.when["receive_ns"]
    last = np.append(times[1:] != times[:-1], True).tolist()
    rows = zip(
        table.text["is_snapshot"],
        table.text["side"],
        changes.prices.values[:, 0].tolist(),
        changes.sizes.values[:, 0].tolist(),
        strict=True,
    )
    was_snapshot = False
    for k, (flag, name, price, size) in enumerate(rows):
        side = _SIDES.get(name)
        if flag not in ("true", "false") or side is None or price <= 0:
            what = f"is_snapshot {flag!r}, side {name!r}, price {table.text['price'][k]!r}"
            refusals.refuse(int(table.line[k]), "fields", what)
            continue
        is_snapshot = flag == "true"
        if is_snapshot and not was_snapshot:
            book.clear()
            known = True
        was_snapshot = is_snapshot
        if not known:
            refusals.counts["before_snapshot"] += 1
            continue
        change = size - book.lots[side].get(price, 0)
        if change:
            book.change(side, price, change)
        if last[k] and (now := book.top(DEPTH)) != before:
            before = now
            at.append(k)
            prices.append(now[0])
            sizes.append(now[1])
    shape = (len(at), 2, DEPTH)
    return Rows(
        changes.when[at],
        Exact(np.array(prices, np.int64).reshape(shape), changes.prices.places),
        Exact(np.array(sizes, np.int64).reshape(shape), changes.sizes.places),
    )


def _filled(table: Columns, names: list[str]) -> Columns:
    text = {name: [value or "0" for value in table.text[name]] for name in names}
    return Columns(table.names, table.line, {**table.text, **text})
