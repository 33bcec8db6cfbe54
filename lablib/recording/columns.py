"""Rows of a table as Arrow messages, one batch a message, and back to the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from lablib.engine import TABLES
from lablib.errors import ArchiveError


def _schema(dtype: np.dtype) -> Any:
    fields: Any = dtype.fields
    return pa.schema([(name, pa.from_numpy_dtype(fields[name][0])) for name in dtype.names or ()])


SCHEMAS: dict[str, Any] = {name: _schema(dtype) for name, dtype in TABLES.items()}


def head(table: str) -> bytes:
    """What a table's stream begins with."""
    return bytes(SCHEMAS[table].serialize())


def message(table: str, rows: np.ndarray) -> bytes:
    """Rows as the next batch of a table's stream."""
    columns = [np.ascontiguousarray(rows[name]) for name in SCHEMAS[table].names]
    batch = pa.record_batch([pa.array(column) for column in columns], SCHEMAS[table])
    return bytes(batch.serialize())


def blocks(table: str, source: Any, count: int) -> Iterator[np.ndarray]:
    """The first `count` rows of a table's stream, batch by batch: no more than one is held.

    `source` holds bytes or is a file open for reading.

    Raises
    ------
    ArchiveError
        The stream is another table's, or has fewer rows.
    """
    done = 0
    try:
        reader = pa.ipc.open_stream(source)
        if reader.schema != SCHEMAS[table]:
            raise ArchiveError(f"{table}: has other columns than a table of this version")
        while done < count:
            batch = reader.read_next_batch()
            take = min(batch.num_rows, count - done)
            block = np.empty(take, TABLES[table])
            for k, name in enumerate(SCHEMAS[table].names):
                block[name] = batch.column(k).to_numpy()[:take]
            done += take
            yield block
    except StopIteration:
        raise ArchiveError(f"{table}: has {done} rows, its journal counts {count}") from None
    except pa.ArrowInvalid as error:
        raise ArchiveError(f"{table}: no Arrow stream: {error}") from None


def rows(table: str, data: bytes | memoryview, count: int) -> np.ndarray:
    """The first `count` rows of a table's stream at once; raises as `blocks` does."""
    result = np.empty(count, TABLES[table])
    done = 0
    for block in blocks(table, pa.py_buffer(data), count):
        result[done : done + block.size] = block
        done += block.size
    return result
