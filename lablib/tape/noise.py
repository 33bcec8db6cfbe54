"""(seed, source, block) -> numbers: a pure function, by counter-based Philox.

Each source of chance has its own key, so that changing one never changes another; a block can be
drawn again at any time, in any order, by anybody.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lablib.errors import ConfigError

PRICE, REGIME, JUMP_COUNT, JUMP_SIZE = range(4)  # sources
COUNTERPARTIES = 8
FLOW = 16  # the first source of order flow; one each for the kinds of candidates
BLOCK = 8_192  # numbers in a block


def check_seed(seed: object) -> int:
    """A seed as an int in [0, 2**64), or a `ConfigError` that says what was given."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 1 << 64:
        raise ConfigError(f"seed: give a whole number from 0 to 2**64 - 1, got {seed!r}")
    return int(seed)


def generator(seed: int, source: int, block: int) -> np.random.Generator:
    """The generator of one block; Philox's counter leaves 2**64 draws to each."""
    # As an array: a list with a seed from 2**63 on would become floats.
    key = np.array([seed, source], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=[0, block, 0, 0]))


def normals(seed: int, source: int, block: int) -> NDArray[np.float64]:
    """Standard normals of one block, shape (BLOCK,)."""
    return generator(seed, source, block).standard_normal(BLOCK)


def uniforms(seed: int, source: int, block: int, each: int = 1) -> NDArray[np.float64]:
    """Uniforms in [0, 1) of one block, `each` of them a number, shape (BLOCK * each,)."""
    return generator(seed, source, block).random(BLOCK * each)


def delay_key(seed: int) -> tuple[int, int]:
    """The seed as the two 32-bit words that key the delays of messages."""
    return seed & 0xFFFFFFFF, seed >> 32
