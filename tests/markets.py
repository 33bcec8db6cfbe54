"""Small markets written by hand: what happens when is the test's own choice."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from lablib.kernels import tables as t

MS = t.NS_PER_MS


def recorded(
    external: Iterable[tuple[float, float]],
    quotes: Iterable[tuple[float, int, int]] = ((0, 9_999, 10_001),),
    until_ms: float = 1_000,
) -> Any:
    """A recorded market of one lot a level.

    Parameters
    ----------
    external
        Pairs of time (ms) and external price (ticks); it stands at 10,000 before.
    quotes
        Rows of time (ms), best bid, best ask (ticks): the book's one level on each side from then on.
    """
    rows: list[tuple[int, int, int, int, int, float]] = []
    touch: dict[int, int] = {}
    for number, (at, px) in enumerate(external, 1):
        rows.append((round(at * MS), t.EXTERNAL, 0, number, t.NORMAL, px))
    for at, bid, ask in quotes:
        now = round(at * MS)
        old = [(side, px) for side, px in touch.items() if px != {t.BUY: bid, t.SELL: ask}[side]]
        rows += [(now, t.LEVEL, side, px, 0, 0.0) for side, px in old]
        touch = {t.BUY: bid, t.SELL: ask}
        rows += [(now, t.LEVEL, side, px, 1_000, 0.0) for side, px in touch.items()]
        rows.append((now, t.SETTLED, 0, 0, 0, 0.0))
    rows.sort(key=lambda row: row[0])
    rows.append((t.FAR, t.END, 0, 0, 0, 0.0))
    return SimpleNamespace(
        tick_size=0.01,
        lot_size=0.001,
        start_px=100.0,
        events=np.array(rows, t.TAPE_EVENT),
        duration_ns=round(until_ms * MS),
        sha256="",
    )


class Script:
    """A synthetic market whose external price is written by hand, a tick every 10 ms; for `Simulation(tape=…)`.

    Parameters
    ----------
    prices
        Price (ticks) from a time (ms) on; 10,000 before, and for ever as the last.
    """

    def __init__(self, prices: dict[int, float]) -> None:
        self._prices = {0: 10_000.0, **prices}

    def events_after(self, params: Any, state: Any) -> np.ndarray:
        """The next 100 external ticks, as `SyntheticTape.events_after`."""
        index = int(state["external"]["index"]) + 1 + np.arange(100)
        events = np.zeros(index.size, t.TAPE_EVENT)
        events["time_ns"] = index * 10 * MS
        events["kind"] = t.EXTERNAL
        events["ticks"] = index
        events["lots"] = t.NORMAL
        changed = np.searchsorted(list(self._prices), index * 10, "right") - 1
        events["mark"] = np.array(list(self._prices.values()))[changed]
        return events
