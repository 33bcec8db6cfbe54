"""Which price levels of a book are occupied, and which prices its ladder can hold.

The ladder wraps: price px stands at ``px & LEVEL``, so all resting prices must lie within N_LEVELS of
one another. A half keeps one bit per level, in the order from its touch outwards: ``away`` is the
sign of that direction (bids −1, asks +1), and ``px * away`` grows away from the touch on both. The
search for the next level reads at most N_LEVELS / WORD_BITS words, however empty the ladder is.
"""

from __future__ import annotations

import numpy as np

from lablib.kernels.jit import kernel
from lablib.kernels.tables import N_LEVELS, NO_ASK, NO_BID, WORD_BITS

LEVEL = N_LEVELS - 1
BIT = WORD_BITS - 1
WORD = N_LEVELS // WORD_BITS - 1

# A de Bruijn sequence: each window of five bits differs from every other, so that shifting it by k
# and reading the top five tells k. With words of 32 bits nothing overflows an int64.
_SEQUENCE = 0x077CB531
_POSITION = np.zeros(WORD_BITS, np.int64)
for _k in range(WORD_BITS):
    _POSITION[((1 << _k) * _SEQUENCE >> 27) & BIT] = _k


@kernel
def occupy(book, half, px):
    """A level has its first order."""
    bit = (px * (2 * half - 1)) & LEVEL
    book.occupied[half & 1, bit >> 5] |= 1 << (bit & BIT)


@kernel
def vacate(book, half, px):
    """A level has lost its last order; if it was the touch, the next one takes its place."""
    bit = (px * (2 * half - 1)) & LEVEL
    book.occupied[half & 1, bit >> 5] &= ~(1 << (bit & BIT))
    if px == book.best[half & 1]:
        book.best[half & 1] = nearest(book, half, px)


@kernel
def nearest(book, half, px):
    """First occupied price at `px` or farther from the touch; NO_BID or NO_ASK of an empty half.

    The ring has no end: asked from beyond the last level it comes round to the touch again.
    """
    away = 2 * half - 1
    start = (px * away) & LEVEL
    at = start >> 5
    word = book.occupied[half & 1, at] >> (start & BIT) << (start & BIT)
    for _ in range(WORD + 2):  # the first word twice: its levels before `start` are the farthest
        if word:
            found = (at << 5) + _POSITION[((word & -word) * _SEQUENCE >> 27) & BIT]
            return px + away * ((found - start) & LEVEL)
        at = (at + 1) & WORD
        word = book.occupied[half & 1, at]
    return away * NO_ASK


@kernel
def farthest(book, half):
    """Occupied price farthest from the touch; NO_BID or NO_ASK of an empty half."""
    px = book.best[half & 1]
    away = 2 * half - 1
    if px == away * NO_ASK:
        return px
    start = (px * away) & LEVEL
    at = start >> 5
    word = book.occupied[half & 1, at] & ((1 << (start & BIT)) - 1)
    while word == 0:  # ends at the touch itself
        at = (at - 1) & WORD
        word = book.occupied[half & 1, at]
    while word & (word - 1):
        word &= word - 1
    found = (at << 5) + _POSITION[(word * _SEQUENCE >> 27) & BIT]
    return px + away * ((found - start) & LEVEL)


@kernel
def admit(book, px):
    """Widen [low, high] to `px` if the ladder can hold it; both are made exact when it seems not."""
    if px <= NO_BID or px >= NO_ASK:
        return False
    if max(book.high, px) - min(book.low, px) >= N_LEVELS:
        # A book may be locked or crossed (`add` does not match), so every end counts; that of an
        # empty half must not win. In an empty book low is NO_ASK, high NO_BID, and any price fits.
        bid = book.best[0]
        ask = book.best[1]
        low = ask if bid == NO_BID else min(ask, farthest(book, 0))
        high = bid if ask == NO_ASK else max(bid, farthest(book, 1))
        book.low = low
        book.high = high
        if max(high, px) - min(low, px) >= N_LEVELS:
            return False
    book.low = min(book.low, px)
    book.high = max(book.high, px)
    return True
