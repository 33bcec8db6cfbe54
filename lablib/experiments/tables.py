"""Columns as a structured array, as files; and the bar that says how far a sweep is."""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lablib.errors import ArchiveError, ConfigError

SUFFIXES = (".csv", ".parquet", ".jsonl")
Tell = Callable[[int, int], None]


def column(values: list[Any]) -> np.ndarray:
    """Values of a field: numbers as numbers, anything else as text, a delay model as JSON.

    >>> column([1, 2.5]), column(["close", {"ms": 2}])
    (array([1. , 2.5]), array(['close', '{"ms": 2}'], dtype='<U9'))
    """
    kinds = {type(value) for value in values}
    if kinds <= {bool} or kinds <= {int}:
        return np.array(values, bool if kinds <= {bool} and kinds else np.int64)
    if kinds <= {int, float}:
        return np.array(values, np.float64)
    return np.array([v if isinstance(v, str) else json.dumps(v) for v in values])


def structured(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Columns of one length side by side; read only."""
    length = len(next(iter(columns.values())))
    table = np.zeros(length, [(name, values.dtype) for name, values in columns.items()])
    for name, values in columns.items():
        table[name] = values
    table.flags.writeable = False
    return table


def check_path(path: str | Path) -> Path:
    """A path whose ending we can write."""
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise ConfigError(f"{target}: the name has to end in {', '.join(SUFFIXES)}")
    return target


def save(table: np.ndarray, path: str | Path) -> None:
    """Write a table by its name's ending; whole or not at all."""
    target = check_path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise ArchiveError(f"{target}: {error.strerror}") from None
    scratch = Path(name)
    try:
        scratch.write_bytes(encoded(table, target.suffix))
        scratch.chmod(0o644)
        scratch.replace(target)
    except OSError as error:
        raise ArchiveError(f"{target}: {error.strerror}") from None
    finally:
        scratch.unlink(missing_ok=True)


def encoded(table: np.ndarray, suffix: str) -> bytes:
    """A table as the bytes of a CSV, Parquet or JSON lines file."""
    import io

    import pandas as pd

    names = table.dtype.names or ()
    if suffix == ".jsonl":
        rows = (dict(zip(names, map(_json, row), strict=True)) for row in table.tolist())
        return "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    frame = pd.DataFrame({name: table[name] for name in names})
    if suffix == ".csv":
        text: str = frame.to_csv(index=False, lineterminator="\n")
        return text.encode()
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def bar(progress: bool | Tell | None, total: int) -> Iterator[Tell | None]:
    """A function of (done, total) that moves a bar, calls what was given, or None."""
    if callable(progress):
        yield progress
        return
    ipython = sys.modules.get("IPython")  # not imported here: it is there where it is needed
    notebook = ipython is not None and hasattr(ipython.get_ipython(), "kernel")
    if progress is False or not (progress or notebook or sys.stderr.isatty()):
        yield None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc="sweep", unit=" cells", leave=notebook) as shown:
        yield lambda done, _: shown.update(done - shown.n)
