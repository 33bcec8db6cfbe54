"""Columns as a structured array; and the bar that says how far a sweep is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

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
