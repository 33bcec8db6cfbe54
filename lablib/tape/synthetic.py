"""The synthetic market: external ticks, a block at a time, from keyed noise."""

from __future__ import annotations

import numpy as np

from lablib.kernels import tables as t
from lablib.kernels.price import external_path
from lablib.tape import noise


class SyntheticTape:
    """A tape that never ends, a pure function of (external settings, seed, where it starts).

    It keeps no place of its own: `events_after` is told where the price stands, so that a tape can be
    continued from any checkpoint, or under other settings from any tick.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._block = -1
        self._normals = np.empty(0)

    def events_after(self, params: np.record, external: np.record) -> np.ndarray:
        """The events after `external` (a `tables.EXTERNAL_STATE`) up to the end of its noise block.

        Returns
        -------
        A `tables.TAPE_EVENT` array, never empty.
        """
        block, offset = divmod(int(external.index), noise.BLOCK)
        if block != self._block:
            self._block, self._normals = block, noise.normals(self.seed, noise.PRICE, block)
        normals = self._normals[offset:]
        if params.regimes:
            regimes = noise.uniforms(self.seed, noise.REGIME, block)[offset:]
        else:
            regimes = normals  # not read
        counts = sizes = normals  # not read either
        if params.model == t.JUMPS:
            counts = noise.uniforms(self.seed, noise.JUMP_COUNT, block)[offset:]
            sizes = noise.uniforms(self.seed, noise.JUMP_SIZE, block, t.N_JUMPS)
            sizes = sizes[offset * t.N_JUMPS :]
        events = np.empty(normals.size, t.TAPE_EVENT)
        external_path(params, external.copy(), normals, regimes, counts, sizes, events)
        return events
