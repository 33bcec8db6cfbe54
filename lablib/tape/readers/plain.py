"""Reads best quotes out of any table whose columns have names: CSV, plain or wrapped, or Parquet.

What a column is called is told by `columns`, or by its being called what many call it. Times are UTC: whole
numbers since 1970 whose size tells their unit, Parquet's own timestamps, or texts such as
`2024-08-08 23:54:15.087891`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from lablib.errors import ConfigError
from lablib.tape.readers.capture import ABSENT, WHEN
from lablib.tape.readers.columns import Columns, exact, nanoseconds, read_columns
from lablib.tape.readers.states import Exact, Rows, StateCapture, capture_of
from lablib.tape.readers.text import OnBad, Refusals, read_bytes, sha256
from lablib.tape.readers.wrapping import PARQUET

# What we call a column, and what others do; the first found counts.
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "time": (
            "receive_time",
            "receive_ns",
            "recv_ts",
            "ts_recv",
            "local_timestamp",
            "local_ts",
            "local_ns",
            "timestamp",
            "datetime",
        ),
        "exchange_time": ("exchange_timestamp", "exch_ts", "ts_event", "event_time"),
        "bid": ("bid_px", "bid_price", "best_bid", "best_bid_price"),
        "bid_size": ("bid_qty", "bid_sz", "bid_amount", "bid_volume", "best_bid_qty"),
        "ask": ("ask_px", "ask_price", "best_ask", "best_ask_price"),
        "ask_size": ("ask_qty", "ask_sz", "ask_amount", "ask_volume", "best_ask_qty"),
        "symbol": ("instrument", "venue", "ticker"),
    }
)
LAYOUT = "CSV or Parquet with columns such as time, bid, bid_size, ask, ask_size (see `columns`)"

_NEEDED = ("bid", "ask")


def recognises(head: bytes) -> bool:
    """Whether a file that begins (unpacked) with these bytes is a table with a bid and an ask."""
    if head.startswith(PARQUET):
        return True
    first = head.partition(b"\n")[0].decode("utf-8", errors="replace")
    names = [name.strip().strip('"') for name in first.split(",")]
    return all(_found(names, name, {}) for name in _NEEDED)


def read_capture(
    path: str | Path,
    on_bad: OnBad = "raise",
    *,
    symbol: str = "",
    columns: Mapping[str, str] = MappingProxyType({}),
) -> StateCapture:
    """Read one file.

    Parameters
    ----------
    path, on_bad
        As every reader has them.
    symbol
        Of the rows to take, where the file has those of several.
    columns
        What the file calls our columns, `NAMES`: such as `{"time": "local_ns", "bid": "bid_px"}`.
        `time` is the recorder's, or whatever clock both recordings of a pair were made by;
        `exchange_time` is the venue's; one of them is enough. Without sizes a recording can lead, and
        nobody can trade on it.
    """
    refusals = Refusals(str(path), on_bad)
    odd = sorted(set(columns) - set(NAMES))
    if odd:
        raise ConfigError(f"columns: there is no {odd[0]!r}; known are {', '.join(NAMES)}")
    data = read_bytes(path)

    def called(names: tuple[str, ...]) -> dict[str, str]:
        return {name: _chosen(names, name, columns, refusals) for name in NAMES}

    is_parquet = data.startswith(PARQUET)
    table, lines = _parquet(data, called, refusals) if is_parquet else read_columns(data, refusals)
    here = called(table.names)
    table, symbol = _of_symbol(table, here["symbol"], symbol, refusals)
    stamped = [name for name in ("time", "exchange_time") if here[name]]
    missing = [name for name in _NEEDED if not here[name]] or ([] if stamped else ["time"])
    if missing:
        raise refusals.stop(
            f"has no column for {missing[0]!r}; there are {', '.join(table.names)[:200]}:"
            f" name it by columns={{{missing[0]!r}: …}}"
        )
    times, good = nanoseconds(table, here[stamped[0]], refusals)
    happened, known = nanoseconds(table, here[stamped[-1]], refusals)
    prices, priced = exact(table, [here["bid"], here["ask"]], "price", refusals)
    good &= known & priced
    has_sizes = bool(here["bid_size"] and here["ask_size"])
    if has_sizes:
        sizes, sized = exact(table, [here["bid_size"], here["ask_size"]], "size", refusals)
        good &= sized
    else:
        sizes = Exact(np.ones_like(prices.values), 0)
    when = np.zeros(int(good.sum()), WHEN)
    when["line"], when["receive_ns"] = table.line[good], times[good]
    when["event_ns"] = happened[good]
    when["transact_ns"] = ABSENT
    return capture_of(
        Rows(when, prices.at(good), sizes.at(good)),
        refusals,
        sha256=sha256(data),
        symbol=symbol or Path(path).name.partition(".")[0],
        has_receive_time=stamped[0] == "time",
        has_sizes=has_sizes,
        lines=lines,
    )


def _found(names: Any, name: str, columns: Mapping[str, str]) -> str:
    """What a file calls one of our columns, "" if it has none such."""
    wanted = (columns[name],) if name in columns else (name, *NAMES[name])
    return next((theirs for theirs in wanted if theirs in names), "")


def _chosen(
    names: tuple[str, ...], name: str, columns: Mapping[str, str], refusals: Refusals
) -> str:
    if name in columns and columns[name] not in names:
        there = ", ".join(names)[:200]
        raise refusals.stop(f"has no column {columns[name]!r} for {name!r}; there are {there}")
    return _found(names, name, columns)


def _of_symbol(table: Columns, column: str, symbol: str, refusals: Refusals) -> tuple[Columns, str]:
    """The rows of one symbol, and which it is."""
    if not column:
        if symbol:
            raise refusals.stop(f"has no column of symbols to take {symbol!r} from")
        return table, ""
    there = table.text[column]
    known = sorted(set(there))
    if not symbol and len(known) == 1:
        return table, known[0]
    if symbol not in known:
        told = f"no {symbol!r}" if symbol else f"{len(known)} symbols, where one is wanted"
        raise refusals.stop(f"holds {told} in {column}: choose by symbol= among {known[:8]}")
    return table.keep(np.array([name == symbol for name in there], bool)), symbol


def _parquet(
    data: bytes, here: Callable[[tuple[str, ...]], dict[str, str]], refusals: Refusals
) -> tuple[Columns, int]:
    """Those columns of a Parquet file that are used, as text; a row's line is its number, from 1 on."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = tuple(pq.read_schema(io.BytesIO(data)).names)
        used = [name for name in dict.fromkeys(here(names).values()) if name]
        # Texts stay a dictionary: a small file may repeat a long one a million times.
        table = pq.read_table(io.BytesIO(data), columns=used, read_dictionary=used)
        text = {name: _texts(table.column(name), pa) for name in used}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise refusals.stop(f"broken Parquet: {str(error)[:200]}") from None
    count = table.num_rows
    return Columns(names, np.arange(1, count + 1), text), count


def _texts(column: Any, pa: Any) -> list[str]:
    """Every value as it would stand in a CSV; of a float, the shortest decimal that is this float."""
    kind = column.type
    if pa.types.is_nested(kind):
        raise ValueError(f"{kind} is no column of numbers or texts")
    if pa.types.is_dictionary(kind):
        return [text for chunk in column.chunks for text in _looked_up(chunk)]
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("ns", kind.tz)).cast(pa.int64())
    values = column.to_pylist()
    if pa.types.is_floating(kind):
        return ["" if value is None else _decimal(value) for value in values]
    return ["" if value is None else str(value) for value in values]


def _looked_up(chunk: Any) -> list[str]:
    known = [str(value) for value in chunk.dictionary.to_pylist()]
    return ["" if at is None else known[at] for at in chunk.indices.to_pylist()]


def _decimal(value: float) -> str:
    text = repr(value)
    return text if "e" not in text else np.format_float_positional(value, trim="0")
