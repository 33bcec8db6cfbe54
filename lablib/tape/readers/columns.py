"""Tables of text: a CSV's columns, each value as it was written, and the line it stood on.

Knows no vendor.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.kernels.tables import NS_PER_MS, NS_PER_S
from lablib.tape.readers.states import Exact
from lablib.tape.readers.text import Ints, Refusals, decimals, lines_of

UNITS_NS = {"s": NS_PER_S, "ms": NS_PER_MS, "us": 1_000, "ns": 1}

_STAMP = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,9})0*)?")
_WHOLE = re.compile(r"[0-9]{1,18}")
_STAMPS = re.compile(r"(?:[0-9]{1,18},)*+")
_LAST_NS = 9_000_000_000_000_000_000  # in the year 2255


@dataclass(frozen=True, eq=False)
class Columns:
    """Rows of a table: `text` by column name, and the `line` of the file that each row stood on."""

    names: tuple[str, ...]
    line: Ints
    text: dict[str, list[str]]

    def __len__(self) -> int:
        """How many rows."""
        return len(self.line)

    def keep(self, good: NDArray[np.bool_]) -> Columns:
        """Some of the rows."""
        at = np.flatnonzero(good).tolist()
        text = {name: [column[row] for row in at] for name, column in self.text.items()}
        return Columns(self.names, self.line[good], text)


def read_columns(data: bytes, refusals: Refusals, names: Sequence[str] = ()) -> tuple[Columns, int]:
    """Read a CSV, plain or wrapped.

    Parameters
    ----------
    data
        The file's bytes.
    names
        Of the columns, where the file has no header; its first line names them otherwise.

    Returns
    -------
    The table without rows of another number of fields, each of which is refused; and the file's lines.
    """
    lines = lines_of(data, refusals)
    rows = enumerate(csv.reader(lines), 1)
    head = tuple(names) or tuple(name.strip() for name in next(rows, (0, []))[1])
    kept: list[list[str]] = []
    line = []
    for number, row in rows:
        if len(row) == len(head):
            kept.append(row)
            line.append(number)
        elif row:
            refusals.refuse(
                number, "columns", f"{len(row)} fields, {len(head)} are wanted: {row[:4]}"
            )
    columns = [list(column) for column in zip(*kept, strict=True)] or [[] for _ in head]
    return Columns(head, np.array(line, np.int64), dict(zip(head, columns, strict=True))), len(
        lines
    )


def exact(
    columns: Columns, names: Sequence[str], what: str, refusals: Refusals
) -> tuple[Exact, NDArray[np.bool_]]:
    """Decimals of some columns on one scale, row by row, and which rows are good; refuse the others."""
    texts: list[Any] = [
        text for row in zip(*(columns.text[name] for name in names), strict=True) for text in row
    ]
    values, places, bad = decimals(texts)
    good = np.ones(len(columns), bool)
    for at in bad.tolist():
        row = at // len(names)
        if good[row]:
            name = names[at % len(names)]
            refusals.refuse(
                int(columns.line[row]),
                "number",
                f"{what} {texts[at]!r} of {name} is no decimal number",
            )
        good[row] = False
    return Exact(values.reshape(len(columns), len(names)), places), good


def integers(columns: Columns, name: str, refusals: Refusals) -> tuple[Ints, NDArray[np.bool_]]:
    """Whole numbers of a column, and which rows are good; refuse the others."""
    texts = columns.text[name]
    good = np.array([_WHOLE.fullmatch(text) is not None for text in texts], bool)
    for row in np.flatnonzero(~good):
        refusals.refuse(
            int(columns.line[row]), "number", f"{name} {texts[row]!r} is no whole number"
        )
    values = [int(text) if fine else 0 for text, fine in zip(texts, good.tolist(), strict=True)]
    return np.array(values, np.int64), good


def nanoseconds(
    columns: Columns, name: str, refusals: Refusals, unit: str = ""
) -> tuple[Ints, NDArray[np.bool_]]:
    """Times of a column as ns since 1970 UTC, and which rows are good; refuse the others.

    Parameters
    ----------
    unit
        "s", "ms", "us" or "ns"; without one it is told from the size of the first number, and a text such
        as "2024-08-08 23:54:15.5Z" is taken as UTC.
    """
    texts = columns.text[name]
    first = next((text for text in texts if _STAMP.fullmatch(text)), "")
    scale = UNITS_NS[unit or unit_of(first)]
    joined = ",".join(texts) + ","
    if scale > 1 and _STAMPS.fullmatch(joined) and joined.count(",") == len(texts):
        whole = np.fromstring(joined, dtype=np.int64, sep=",")
        good = whole <= _LAST_NS // scale
        times = np.where(good, whole, 0) * scale
    else:
        found = [_nanosecond(text, scale) for text in texts]
        good = np.array([time is not None for time in found], bool)
        times = np.array([time or 0 for time in found], np.int64)
    for row in np.flatnonzero(~good):
        refusals.refuse(int(columns.line[row]), "time", f"{name} {texts[row]!r} is no time")
    return times, good


def unit_of(stamp: str) -> str:
    """The unit of a number that counts from 1970, by its size: of this century, that is unambiguous."""
    digits = len(stamp.partition(".")[0])
    return "s" if digits <= 11 else "ms" if digits <= 14 else "us" if digits <= 17 else "ns"


def _nanosecond(text: str, scale: int) -> int | None:
    stamp = _STAMP.fullmatch(text)
    if stamp:
        whole, part = stamp.groups("")
        time = int(whole) * scale + int(part.ljust(9, "0")) * scale // NS_PER_S
        return time if time <= _LAST_NS else None
    try:
        moment = np.datetime64(text.removesuffix("Z").replace(" ", "T"), "ns")
    except ValueError:
        return None
    # A text of less than a day is no moment, and numpy takes 2024-08 for one.
    return int(moment.astype(np.int64)) if len(text) >= len("2024-08-08T00:00") else None
