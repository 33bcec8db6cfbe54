"""Measured delays: a file of numbers, and the table of quantiles that stands for it.

A config keeps the table, never the file's name, so that a run stays a function of its config alone.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lablib.errors import ConfigError, DataError

# Where a sample's table has its points: even in the body, closer in the tail that decides.
PROBABILITIES = (
    *(k / 50 for k in range(46)),
    *(k / 100 for k in range(91, 100)),
    0.9925,
    0.995,
    0.9975,
    0.999,
    0.9995,
    0.9999,
    1.0,
)
COLUMNS = ("ms", "delay_ms", "latency_ms")  # names a column of delays may have
LONGEST_MS = 86_400_000.0  # a day

_FILES = ContextVar("lablib_reads_files", default=True)


@contextmanager
def no_files() -> Iterator[None]:
    """Within: no config opens a file. For whatever a stranger wrote, such as an address."""
    token = _FILES.set(False)
    try:
        yield
    finally:
        _FILES.reset(token)


def quantile_table(sample_ms: ArrayLike) -> dict[str, list[float]]:
    """The quantiles of measured delays (ms) at `PROBABILITIES`, as the fields of an empirical delay.

    Raises
    ------
    ConfigError
        When there are fewer than two delays, or one is negative or not a finite number.
    """
    sample = np.asarray(sample_ms, dtype=np.float64).ravel()
    if sample.size < 2:
        raise ConfigError(f"measured delays: give at least 2, got {sample.size}")
    bad = ~((sample >= 0) & (sample <= LONGEST_MS))
    if bad.any():
        at = int(np.argmax(bad))
        raise ConfigError(
            f"measured delays: number {at} is not between 0 and a day (ms), got {sample[at]}"
        )
    values = np.quantile(sample, PROBABILITIES)
    return {
        "probabilities": list(PROBABILITIES),
        "quantiles_ms": [float(value) for value in np.maximum.accumulate(values)],
    }


def read_sample(path: str | Path) -> NDArray[np.float64]:
    """Delays in ms from a NumPy array (.npy), or from text: a number a line, or a CSV with a column of `COLUMNS`.

    Raises
    ------
    ConfigError
        Where files are not to be opened; see `no_files`.
    DataError
        A file that is missing or no such file: names file, line and value.
    """
    if not _FILES.get():
        raise ConfigError("file: a file of delays can only be named on the lab's own side")
    try:
        if str(path).endswith(".npy"):
            return _checked(np.load(path, allow_pickle=False), path)
        with Path(path).open(encoding="utf-8", newline="") as text:
            return _read_text(path, list(csv.reader(text)))
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as delays: {error}") from None


def _checked(array: NDArray[Any], path: str | Path) -> NDArray[np.float64]:
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: give one row of numbers, got shape {array.shape} of {array.dtype}"
        )
    for at in np.flatnonzero(~((array >= 0) & (array <= LONGEST_MS)))[:1]:
        raise DataError(f"{path}: number {at} is not a delay between 0 and a day (ms): {array[at]}")
    return array.astype(np.float64)


def _read_text(path: str | Path, rows: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    column, first = 0, 0
    if rows and not _is_number(rows[0][0] if rows[0] else ""):
        names = [name.strip().lower() for name in rows[0]]
        found = [names.index(name) for name in COLUMNS if name in names]
        if not found and len(names) > 1:
            raise DataError(
                f"{path}: no column {', '.join(COLUMNS)} among {', '.join(names)[:80]};"
                " an event log of orders is read by lablib.load_latency"
            )
        column, first = (found or [0])[0], 1
    values = []
    for line, row in enumerate(rows[first:], first + 1):
        if not row:
            continue
        cell = row[column].strip() if column < len(row) else ""
        if not _is_number(cell) or not 0 <= float(cell) <= LONGEST_MS:
            raise DataError(
                f"{path}, line {line}: not a delay between 0 and a day (ms): {cell[:40]!r}"
            )
        values.append(float(cell))
    return np.array(values)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
