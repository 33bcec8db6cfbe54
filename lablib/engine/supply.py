"""The market's events, lent to the kernels a piece at a time, and the hash of those consumed."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from lablib.engine.inputs import Market
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.tape.synthetic import SyntheticTape

_NO_EVENTS = np.zeros(0, t.TAPE_EVENT)


class Supply:
    """Events for one run: all of a recorded market at once, or piece after piece of a synthetic tape.

    Parameters
    ----------
    market
        A recorded market, or None.
    synthetic
        What else draws the events; a twin shares it.
    outputs
        An array of `tables.OUTPUT` of shape (1,), whose cursor says how many of `events` are consumed.
    hashed
        Keep a running hash of the events consumed.

    Attributes
    ----------
    events
        `tables.TAPE_EVENT` rows now lent; not to be written.
    """

    def __init__(
        self, market: Market | None, synthetic: SyntheticTape, outputs: np.ndarray, *, hashed: bool
    ) -> None:
        self.synthetic = synthetic
        self.events = lent(_NO_EVENTS if market is None else market.events)
        self._used = outputs["cursor"]["tape"]
        self._hash = hashlib.sha256() if hashed else None
        self._hashed = 0

    def turn(self, params: Any, state: Any) -> None:
        """Lend the events that come after those a `tables.STATE` has seen."""
        self._hash_used()
        self.events = lent(self.synthetic.events_after(params, state))
        self._used[0] = 0
        self._hashed = 0

    def skip(self, count: int) -> None:
        """Count the first `count` events as consumed: a run is continued that had them."""
        self._used[0] = count

    def digest(self) -> str:
        """SHA-256 of the events consumed so far.

        Raises
        ------
        ConfigError
            It was not asked for.
        """
        if self._hash is None:
            raise ConfigError("hash_tape: the tape's hash is kept only when asked for, got False")
        self._hash_used()
        return self._hash.hexdigest()

    def _hash_used(self) -> None:
        if self._hash is not None:
            used = self._used.item()
            self._hash.update(self.events[self._hashed : used].tobytes())
            self._hashed = used


def lent(events: np.ndarray) -> np.ndarray:
    """Events as the kernels are lent them: not to be written, which is a type of its own to numba."""
    view = np.ascontiguousarray(events).view()
    view.flags.writeable = False
    return view


def drawn_by(params: Any) -> bytes:
    """The settings that a synthetic tape is drawn by, of a `tables.PARAMS` record."""
    return b"".join(params[name].tobytes() for name in ("external", "flow", "intensity"))
