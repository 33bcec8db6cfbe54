"""An order stream: five arrays of one length, row by row an order, a cancel or a reduction.

`op` is 0 limit, 1 cancel, 2 market, 3 limit that does not rest, 4 reduce; `side` 0 buys, 1 sells;
`px` and `qty` are ticks and lots; `oid` names the order. Checked here as a whole, before a book is
touched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lablib.errors import DataError
from lablib.kernels import tables as t

Integers = NDArray[np.signedinteger[Any]]

COLUMNS = ("op", "side", "px", "qty", "oid")
MAX_IDS = 1 << 27  # ids index an array: 4 bytes each, up to the largest
MAX_LOTS = 1 << 40


def check_stream(*arrays: ArrayLike) -> tuple[tuple[Integers, ...], int]:
    """Check `op, side, px, qty, oid`; returns them in one of the two layouts `apply` is compiled for.

    Arrays that have the narrow one already (8, 8, 32, 32 and 64 bits, contiguous) are not copied.
    The second value is the room their ids take: the largest, plus one.

    Raises
    ------
    DataError
        Names the first array that cannot be put through a book, with row and value.
    """
    columns = [_integers(name, array) for name, array in zip(COLUMNS, arrays, strict=True)]
    op, side, px, qty, oid = columns
    for name, column in zip(COLUMNS, columns, strict=True):
        if column.size != op.size:
            raise DataError(
                f"{name} has {column.size} rows, op has {op.size}: give as many of each"
            )
    _up_to("op", op, t.N_OPS - 1, "0 limit, 1 cancel, 2 market, 3 ioc, 4 reduce")
    _up_to("side", side, 1, "0 buys, 1 sells")
    largest = _up_to("oid", oid, MAX_IDS - 1, f"ids count up from 0, to {MAX_IDS - 1} at most")
    _within("px", px, t.NO_BID + 1, t.NO_ASK - 1, "ticks within ±2**40")
    _within("qty", qty, -MAX_LOTS, MAX_LOTS, "lots up to 2**40")
    idle = (qty <= 0) & (op != t.OP_CANCEL)
    if idle.any():
        row = int(idle.argmax())
        raise DataError(f"qty[{row}] is {qty[row]}: every row but a cancel needs lots above 0")
    narrow = np.can_cast(px.dtype, np.int32) and np.can_cast(qty.dtype, np.int32)
    wide = np.int32 if narrow else np.int64
    layout = (np.int8, np.int8, wide, wide, np.int64)
    same = (np.require(c, kind, ["C", "A", "W"]) for c, kind in zip(columns, layout, strict=True))
    return tuple(same), largest + 1


def _integers(name: str, array: ArrayLike) -> Integers:
    column = np.asarray(array)
    if column.ndim != 1:
        raise DataError(f"{name} has shape {column.shape}: give one dimension")
    if column.size == 0:
        return column.astype(np.int8)
    if column.dtype.kind not in "iu":
        raise DataError(f"{name} holds {column.dtype}, first {column[0]!r}: give integers")
    return column.astype(column.dtype.newbyteorder("="), copy=False)


def _up_to(name: str, column: Integers, high: int, meaning: str) -> int:
    """Refuse what is not in 0 … `high`; returns the largest, −1 of no rows."""
    if column.size == 0:
        return -1
    # Read without its sign a negative number is too large: one pass over the array instead of two.
    largest = int(column.view(f"u{column.itemsize}").max())
    if largest > min(high, np.iinfo(column.dtype).max):
        _within(name, column, 0, high, meaning)
    return largest


def _within(name: str, column: Integers, low: int, high: int, meaning: str) -> None:
    span = np.iinfo(column.dtype)
    if column.size == 0 or (low <= span.min and span.max <= high):
        return
    if int(column.min()) < low or int(column.max()) > high:
        row = int(((column < low) | (column > high)).argmax())
        raise DataError(f"{name}[{row}] is {column[row]}: {meaning}")
