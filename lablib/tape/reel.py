"""Whole tapes of many seeds, drawn once for all the runs that meet the same market.

What a sweep varies is mostly ours, such as a latency or a limit: the market of a seed is then the same in
every cell, and each thread plays its cells on the one tape.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lablib.kernels import tables as t
from lablib.tape.synthetic import SyntheticTape

FULL_BYTES = 4 << 20  # a reel takes no further run beyond that, and of a run no further piece
_KEPT = 8  # reels: some 64 MB at most


class Reel(NamedTuple):
    """Tapes one behind the other.

    Attributes
    ----------
    events
        `tables.TAPE_EVENT`, read-only. Each run's reach beyond its end; of one too long for a reel there
        is the beginning, as far as some pieces go.
    starts
        Where each run's begin, shape (runs,): as many of the seeds as fit, at least one.
    """

    events: NDArray[Any]
    starts: NDArray[np.int64]


def market_of(params: NDArray[Any]) -> bytes:
    """What a synthetic tape is drawn by, and nothing else, of a `tables.PARAMS` of shape (1,)."""
    market = np.zeros(1, t.PARAMS)
    for name in ("external", "flow", "intensity"):
        market[name] = params[name]
    market["venue"]["model"] = params["venue"]["model"]
    return market.tobytes()


@lru_cache(maxsize=_KEPT)
def reel(market: bytes, seeds: tuple[int, ...], until_ns: int) -> Reel:
    """The tapes of the first few of some seeds.

    Parameters
    ----------
    market
        As `market_of` gives it.
    """
    params: Any = np.frombuffer(market, t.PARAMS)[0]
    drawn: list[NDArray[Any]] = []
    starts: list[int] = []
    size, full = 0, FULL_BYTES // t.TAPE_EVENT.itemsize
    for seed in seeds:
        if size >= full:
            break
        starts.append(size)
        begun = size
        for events in SyntheticTape(seed).pieces(params):
            # With the first event that is too late, the rest is as good as an end.
            beyond = int(np.searchsorted(events["time_ns"], until_ns, "right"))
            drawn.append(events[: beyond + 1])
            size += drawn[-1].size
            if beyond < events.size or size - begun >= full:
                break
    events = np.concatenate(drawn)
    events.flags.writeable = False
    return Reel(events, np.array(starts, np.int64))
