"""How a record is laid out: packed 8-byte fields, read by name compiled and plain."""

from __future__ import annotations

import numpy as np

i8 = np.int64
f8 = np.float64

Field = tuple[str, object] | tuple[str, object, tuple[int, ...]]


def table(*fields: Field) -> np.dtype:
    """A packed record type on ``np.record``, so that ``state.account.position`` works plain and compiled.

    A field named like a method of NumPy's scalars would read the method when plain: an error here.
    """
    for name, *_ in fields:
        if hasattr(np.record, name):
            raise TypeError(f"{name}: a record's field must not hide np.record.{name}")
    return np.dtype((np.record, list(fields)))
