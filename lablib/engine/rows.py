"""Rows of a run's tables: taken out of the kernels' arrays, hashed, counted, and kept for the next frame."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from lablib.errors import ConfigError
from lablib.kernels import tables as t

TABLES = {
    "samples": t.SAMPLE,
    "orders": t.ORDER,
    "fills": t.FILL,
    "risk_events": t.RISK_EVENT,
}


class Rows:
    """What the kernels of one run have written.

    Parameters
    ----------
    outputs
        Where they write, an array of `tables.OUTPUT` of shape (1,).

    Attributes
    ----------
    counts
        Rows written since the run began, by table.
    """

    def __init__(self, outputs: np.ndarray) -> None:
        self._outputs = outputs
        self._written = {name: outputs["cursor"][name] for name in TABLES}
        self._hashes = {name: hashlib.sha256() for name in TABLES}
        self._fresh: dict[str, list[np.ndarray]] = {name: [] for name in TABLES}
        self.counts = dict.fromkeys(TABLES, 0)

    def drain(self) -> None:
        """Take the rows out of the kernels' arrays, into the hashes and towards the next frame."""
        for name, written in self._written.items():
            count = written.item()
            if count:
                rows = self._outputs[name][0, :count].copy()
                self._hashes[name].update(rows.data)
                self._fresh[name].append(rows)
                self.counts[name] += count
                written[0] = 0

    def fresh(self) -> dict[str, np.ndarray]:
        """Read-only tables of the rows written since the last call."""
        self.drain()
        rows = {}
        for name, dtype in TABLES.items():
            parts = self._fresh[name]
            table = parts[0] if len(parts) == 1 else np.concatenate([*parts, np.zeros(0, dtype)])
            table.flags.writeable = False
            rows[name] = table
            self._fresh[name] = []
        return rows

    def digest(self) -> bytes:
        """The hash of every table, one after the other."""
        self.drain()
        return b"".join(self._hashes[name].digest() for name in TABLES)

    def go_on_after(self, rows: Mapping[str, np.ndarray], counts: Mapping[str, int]) -> None:
        """Take `rows` as those written so far: a run is continued that had `counts` of them.

        Raises
        ------
        ConfigError
            Not as many rows of a table.
        """
        for name, table in rows.items():
            if table.size != counts[name]:
                count = counts[name]
                raise ConfigError(f"checkpoint: counts {count} rows of {name}, got {table.size}")
            self._hashes[name].update(table.data)
        self.counts = dict(counts)


def open_orders(state: Any) -> np.ndarray:
    """Rows (dtype `tables.ORDER`) of the own orders in a `tables.STATE` whose fate is not known yet."""
    own = state.own
    open_ = own[(own["used"] == 1) & (own["order_id"] > 0)]
    rows = np.zeros(open_.size, t.ORDER)
    for name in t.ORDER.names or ():
        rows[name] = open_["filled" if name == "filled_lots" else name]
    rows.sort(order="order_id")
    return rows
