"""What a Databento DBN file holds, as tables: the records of one schema of the book, many at once.

Layout: https://databento.com/docs/standards-and-conventions/databento-binary-encoding. The package
`databento-dbn`, which the extra `databento` installs, takes the file apart and brings old versions up to date.
"""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lablib.tape.readers.text import Refusals
from lablib.tape.readers.wrapping import inflate

_HEADER = [
    ("length", "u1"),  # of the record, in words of four bytes
    ("rtype", "u1"),
    ("publisher_id", "<u2"),
    ("instrument_id", "<u4"),
    ("ts_event", "<u8"),
]
_LEVEL = np.dtype(
    [
        ("price", "<i8", (2,)),  # bid, ask
        ("size", "<u4", (2,)),
        ("count", "<u4", (2,)),
    ]
)
_MBO = np.dtype(
    [
        *_HEADER,
        ("order_id", "<u8"),
        ("price", "<i8"),
        ("size", "<u4"),
        ("flags", "u1"),
        ("channel_id", "u1"),
        ("action", "S1"),
        ("side", "S1"),
        ("ts_recv", "<u8"),
        ("ts_in_delta", "<i4"),
        ("sequence", "<u4"),
    ]
)


def _mbp(levels: int) -> np.dtype[Any]:
    return np.dtype(
        [
            *_HEADER,
            ("price", "<i8"),
            ("size", "<u4"),
            ("action", "S1"),
            ("side", "S1"),
            ("flags", "u1"),
            ("depth", "u1"),
            ("ts_recv", "<u8"),
            ("ts_in_delta", "<i4"),
            ("sequence", "<u4"),
            ("levels", _LEVEL, (levels,)),
        ]
    )


# What a record of a schema holds.
_RECORDS = {"mbp-1": _mbp(1), "mbp-10": _mbp(10), "mbo": _MBO}
_CHUNK = 1 << 22


class File(NamedTuple):
    """Records of one schema (dtypes above, fields by the vendor's names), and the place of each in the file."""

    records: NDArray[Any]
    number: NDArray[np.int64]
    symbols: dict[int, str]  # by instrument
    total: int  # records of the file


def take_apart(data: bytes, refusals: Refusals) -> File:
    """Decode a file with the package; DataError without it, or when the file is of another schema, or of two."""
    try:
        import databento_dbn as dbn
    except ImportError:
        what = "Databento's files are read by databento-dbn: pip install 'lablib[databento]'"
        raise refusals.stop(what) from None
    kinds: dict[Any, str] = {dbn.MBP1Msg: "mbp-1", dbn.MBP10Msg: "mbp-10", dbn.MBOMsg: "mbo"}
    plain, damage = inflate(data)
    decoder: Any = dbn.DBNDecoder()
    head: Any = None
    found: dict[str, list[bytes]] = {}
    symbols: dict[int, str] = {}
    numbers = array("q")
    count = 0
    try:
        for start in range(0, len(plain), _CHUNK):
            decoder.write(plain[start : start + _CHUNK])
            for one in decoder.decode():
                if head is None:
                    head = one
                    continue
                count += 1
                if (schema := kinds.get(type(one))) is not None:
                    found.setdefault(schema, []).append(bytes(one)[: _RECORDS[schema].itemsize])
                    numbers.append(count)
                elif isinstance(one, dbn.SymbolMappingMsg):  # how a live recording names them
                    symbols[one.instrument_id] = one.stype_out_symbol
    except dbn.DBNError as error:
        damage = f"broken DBN: {error}"
    if head is None:
        raise refusals.stop(damage or "truncated DBN: it ends within its head")
    if not damage and decoder.buffer():
        damage = "truncated DBN: it ends within a record"
    if damage:
        refusals.refuse(count + 1, "truncated", damage)
    # A live recording names no schema; and tbbo has the records of mbp-1.
    schema = " and ".join(found) if head.schema is None else str(head.schema)
    if schema not in _RECORDS or set(found).difference([schema]):
        wanted = ", ".join(_RECORDS)
        raise refusals.stop(f"holds {schema or 'no book'}; one of {wanted} is wanted")
    if not found:
        raise refusals.stop("holds no records")
    if count > len(numbers):
        refusals.counts["other_record"] += count - len(numbers)
    for symbol, spans in head.mappings.items():
        for name in (one["symbol"] for one in spans):
            if name.isdigit():
                symbols[int(name)] = symbol
            elif symbol.isdigit():  # asked for by number
                symbols[int(symbol)] = name
    records = np.frombuffer(b"".join(found[schema]), _RECORDS[schema])
    return File(records, np.array(numbers, np.int64), symbols, count)
