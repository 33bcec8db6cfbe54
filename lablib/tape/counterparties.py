"""Those who come to trade with us at venue `intensity`: at random times, or at most one a side each interval.

Drawn without a look at the market: whether one trades is decided at the venue, by its mark.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.kernels import tables as t
from lablib.tape import noise
from lablib.tape.windows import Windowed

_COUNT = 8_192  # of a window, on both sides, about


class Counterparties(Windowed):
    """Candidates under one `tables.INTENSITY_PARAMS`.

    A buyer comes 1 ns after a multiple of the interval and a seller 2 ns after it: what we send
    without delay on the news of that instant is there before them.
    """

    kind = t.COUNTERPARTY

    def __init__(self, seed: int, rules: Any) -> None:
        super().__init__()
        self._seed = seed
        self._lots = int(rules.order_lots)
        self._interval_ns = int(rules.interval_ns)
        self.rate = 2 * float(rules.candidates)
        self.span_ns = t.FAR
        if self._interval_ns:
            self.span_ns = self._interval_ns * (_COUNT // 2)
        elif self.rate > 0:
            self.span_ns = max(_COUNT * _COUNT, round(_COUNT / self.rate * t.NS_PER_S))

    def _draw(self, window: int) -> NDArray[Any]:
        generator = noise.generator(self._seed, noise.COUNTERPARTIES, window)
        if self._interval_ns:
            slots = np.repeat(np.arange(_COUNT // 2), 2)
            late = np.tile((1, 2), _COUNT // 2)
            events = np.zeros(_COUNT, t.TAPE_EVENT)
            events["time_ns"] = window * self.span_ns + slots * self._interval_ns + late
            events["side"] = np.where(late == 1, t.BUY, t.SELL)
        else:
            count = int(generator.poisson(self.rate * self.span_ns / t.NS_PER_S))
            gaps = generator.standard_exponential(count + 1)
            events = np.zeros(count, t.TAPE_EVENT)
            # Sorted uniforms; a nanosecond is kept for each, so that no two fall together.
            share = np.cumsum(gaps[:-1]) / gaps.sum()
            apart = np.arange(1, count + 1)
            events["time_ns"] = (
                window * self.span_ns + apart + (share * (self.span_ns - count)).astype(np.int64)
            )
            events["side"] = np.where(generator.random(count) < 0.5, t.BUY, t.SELL)
        events["kind"] = self.kind
        events["lots"] = self._lots
        events["mark"] = generator.random(events.size)
        return events
