"""Where a run stands, to be gone on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Checkpoint:
    """Where a run stands. With what began it and the rows written so far, it goes on to the same bytes.

    Attributes
    ----------
    state
        Dtype `tables.STATE`, shape (1,).
    applied
        How many of its commands are in effect.
    rows
        Rows written so far, by table.
    """

    state: np.ndarray
    applied: int
    rows: Mapping[str, int]

    @property
    def now_ns(self) -> int:
        """Simulated time, ns."""
        return int(self.state["now_ns"][0])
