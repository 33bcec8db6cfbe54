"""Tables as files for others: CSV, Parquet, JSON lines, by the ending of the name."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from lablib.errors import ConfigError
from lablib.files import whole_file

SUFFIXES = (".csv", ".parquet", ".jsonl")


def check_path(path: str | Path) -> Path:
    """A path whose ending we can write."""
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise ConfigError(f"{target}: the name has to end in {', '.join(SUFFIXES)}")
    return target


def save(table: np.ndarray, path: str | Path) -> None:
    """Write a table by its name's ending; whole or not at all."""
    target = check_path(path)
    with whole_file(target) as handle:
        handle.write(encoded(table, target.suffix))


def encoded(table: np.ndarray, suffix: str) -> bytes:
    """A table as the bytes of a CSV, Parquet or JSON lines file."""
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
