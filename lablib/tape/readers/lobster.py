"""Reads LOBSTER's pairs of files: every message of a NASDAQ day, and the book after each.

Layout: https://lobsterdata.com/info/DataStructure.php. Row i of one file belongs to row i of the other. The
only time is the exchange's, in seconds after midnight in New York; the day stands in the files' names.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from lablib.kernels.tables import NS_PER_S
from lablib.tape.readers.capture import ABSENT, TRADE, WHEN
from lablib.tape.readers.states import Exact, Rows, StateCapture, capture_of
from lablib.tape.readers.text import Ints, OnBad, Refusals, lines_of, read_bytes, sha256

LAYOUT = "LOBSTER message or orderbook file (TICKER_DATE_START_END_message_LEVELS.csv, the other beside it)"

ZONE = "America/New_York"
PLACES = 4  # a price is dollars times 10,000
EXECUTIONS = (4, 5)  # of a visible order, of a hidden one
UNTRADED = {6: "cross", 7: "halt"}

_NAME = re.compile(
    r"(?P<ticker>.+)_(?P<date>\d{4}-\d\d-\d\d)_\d+_\d+_(?P<which>message|orderbook)_(?P<levels>[1-9]\d{0,2})\..+"
)
_HEAD = re.compile(rb"\d{5}\.\d+,[1-7],\d+,\d+,-?\d+,-?1\r?\n")
_MESSAGE = re.compile(r"(\d{1,5})(?:\.(\d{1,9}))?,([1-7]),\d+,(\d{1,9}),(-?\d{1,10}),(-?1)")


class _Half(NamedTuple):
    """One of the two files: its lines, its bytes' digest, and who refuses them."""

    lines: list[str]
    data: bytes
    refusals: Refusals


def recognises(head: bytes) -> bool:
    """Whether a file that begins (unpacked) with these bytes is a message file."""
    return _HEAD.match(head) is not None


def named(name: str) -> bool:
    """Whether a file of this name is one of the two: an orderbook is bare numbers."""
    return _NAME.fullmatch(name) is not None


def read_capture(path: str | Path, on_bad: OnBad = "raise") -> StateCapture:
    """Read a pair by either of its files; `on_bad` as every reader has it.

    The digest is that of the message file's bytes followed by the orderbook's. Halts and crosses are no trades of
    the book: they are counted in `dropped` in both cases.
    """
    about = _NAME.fullmatch(Path(path).name)
    if about is None:
        what = "its name does not tell the day: TICKER_DATE_START_END_message_LEVELS.csv is wanted"
        raise Refusals(str(path), on_bad).stop(what)
    message, orderbook = (_half(path, which, on_bad) for which in ("message", "orderbook"))
    orderbook.refusals.counts = message.refusals.counts
    if len(message.lines) != len(orderbook.lines):
        rows, others = len(message.lines), len(orderbook.lines)
        what = f"holds {rows} rows, and {orderbook.refusals.source} {others}: each belongs to one"
        raise message.refusals.stop(what)
    midnight_ns = _midnight_ns(about["date"], message.refusals)
    events, ours = _messages(message)
    books, theirs = _books(orderbook, int(about["levels"]))
    line, here, there = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    events, books = events[here], books[there]
    when = np.zeros(len(line), WHEN)
    when["line"], when["transact_ns"] = line, ABSENT
    when["receive_ns"] = when["event_ns"] = midnight_ns + events[:, 0]
    kinds = events[:, 1]
    for kind, reason in UNTRADED.items():
        if count := int(np.count_nonzero(kinds == kind)):
            message.refusals.counts[reason] += count
    traded = np.isin(kinds, EXECUTIONS)
    trades = np.zeros(int(traded.sum()), TRADE)
    for name, _ in WHEN:
        trades[name] = when[name][traded]
    trades["trade_id"] = ABSENT
    trades["lots"], trades["ticks"] = events[traded, 2], events[traded, 3]
    trades["side"] = -events[traded, 4]  # the direction is the resting order's
    # Columns come as ask, size, bid, size; a book is told bids first.
    sides = books.reshape(len(books), -1, 2, 2)[:, :, ::-1].transpose(3, 0, 2, 1)
    capture = capture_of(
        Rows(when, Exact(sides[0], PLACES), Exact(sides[1], 0), trades),
        orderbook.refusals,
        sha256=sha256(message.data + orderbook.data),
        symbol=about["ticker"].upper(),
        has_receive_time=False,
        lines=len(message.lines),
    )
    return replace(capture, source=str(path))


def _half(path: str | Path, which: str, on_bad: OnBad) -> _Half:
    """One of the pair that `path` belongs to; DataError when it is not there."""
    asked = Path(path)
    before, _, levels = asked.name.rpartition("_")
    file = asked.with_name(f"{before.rpartition('_')[0]}_{which}_{levels}")
    if file != asked and not file.exists():
        raise Refusals(str(path), on_bad).stop(f"the file that belongs to it is not there: {file}")
    refusals = Refusals(str(path) if file == asked else str(file), on_bad)
    data = read_bytes(file)
    return _Half([line.rstrip("\r") for line in lines_of(data, refusals)], data, refusals)


def _midnight_ns(date: str, refusals: Refusals) -> int:
    """When a day begins in New York, ns since 1970 UTC."""
    try:
        midnight = datetime.fromisoformat(date).replace(tzinfo=ZoneInfo(ZONE))
    except ZoneInfoNotFoundError:
        what = f"needs the clock of {ZONE}, which this machine does not know: install tzdata"
        raise refusals.stop(what) from None
    except ValueError:
        raise refusals.stop(f"its name says {date}, which is no day") from None
    return (midnight - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * NS_PER_S


def _messages(half: _Half) -> tuple[Ints, Ints]:
    """Time (ns after midnight), type, size, price and direction of every message, and its line."""
    found, lines = [], []
    for number, text in enumerate(half.lines, 1):
        row = _MESSAGE.fullmatch(text)
        if row is None:
            what = f"{text[:60]!r} is no message (time, type 1 to 7, order, size, price, direction)"
            half.refusals.refuse(number, "number", what)
            continue
        second, part, *rest = row.groups("")
        found.append((int(second) * NS_PER_S + int(part.ljust(9, "0")), *map(int, rest)))
        lines.append(number)
    return np.array(found, np.int64).reshape(-1, 5), np.array(lines, np.int64)


def _books(half: _Half, levels: int) -> tuple[Ints, Ints]:
    """Price and size of ask and bid at every level, row by row, and its line."""
    fields = 4 * levels
    whole = re.compile(rf"(?:-?\d{{1,12}},){{{fields - 1}}}-?\d{{1,12}}")
    good = []
    for number, text in enumerate(half.lines, 1):
        if whole.fullmatch(text):
            good.append(number)
        else:
            what = f"{text[:60]!r} is no book of {levels} levels, {fields} whole numbers"
            half.refusals.refuse(number, "number", what)
    joined = ",".join(half.lines[number - 1] for number in good)
    values = np.fromstring(joined, dtype=np.int64, sep=",")
    return values.reshape(len(good), fields), np.array(good, np.int64)
