"""The synthetic market: external ticks and those who come to trade, a block at a time, from keyed noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.kernels import tables as t
from lablib.kernels.price import external_path
from lablib.kernels.tape import follow, merge
from lablib.tape import noise
from lablib.tape.counterparties import Counterparties
from lablib.tape.flow import FlowSource
from lablib.tape.windows import Windowed

_KEPT = 8  # blocks; 64 kB of prices each, more with order flow


class SyntheticTape:
    """A tape that never ends, a pure function of (settings of the market, seed, where it starts).

    It keeps no place of its own: `events_after` is told what has been played, so that a tape can be
    continued from any checkpoint, or under other settings from any event.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._block = -1
        self._normals = np.empty(0)
        self._drawn: dict[bytes, NDArray[Any]] = {}
        self._rules = b""
        self._crowd: list[Windowed] = []

    def events_after(self, params: np.record, state: Any) -> NDArray[Any]:
        """The events that come next after those a `tables.STATE` has seen.

        Returns
        -------
        A read-only `tables.TAPE_EVENT` array, never empty: up to the first end of a block of any source.
        The last few are kept: a twin that plays beside another run asks for them again.
        """
        external, at_ns = state["external"], state["venue"]["flow"]["at_ns"]
        rules = (params.external, params.flow, params.intensity, params.venue)
        asked = b"".join(part.tobytes() for part in (external, at_ns, *rules))
        if asked not in self._drawn:
            if len(self._drawn) == _KEPT:
                del self._drawn[next(iter(self._drawn))]
            self._drawn[asked] = self._draw(params, external, at_ns)
        return self._drawn[asked]

    def pieces(self, params: np.record) -> Iterator[NDArray[Any]]:
        """All of it, from the start, piece after piece as `events_after` gives them to a run."""
        external: Any = np.zeros(1, t.EXTERNAL_STATE)[0]
        external.px = params.external.start_ticks
        external.regime = t.NORMAL
        at_ns = np.zeros(t.N_FLOWS, np.int64)
        while True:
            events = self._draw(params, external, at_ns)
            yield events
            follow(events, external, at_ns)

    def _draw(self, params: np.record, external: Any, at_ns: Any) -> NDArray[Any]:
        events = self._next(params, external, at_ns)
        events.flags.writeable = False  # it is lent to many
        return events

    def _next(self, params: np.record, external: Any, at_ns: Any) -> NDArray[Any]:
        if params.venue.model not in (t.FLOW, t.INTENSITY, t.MAKERS):
            return self._external(params.external, external, t.FAR)
        rules = (params.intensity if params.venue.model == t.INTENSITY else params.flow).copy()
        if rules.tobytes() != self._rules:
            self._rules = rules.tobytes()
            self._crowd = [source for source in self._sources(params, rules) if source.rate > 0]
        if not self._crowd:
            return self._external(params.external, external, t.FAR)
        return self._with_crowd(params.external, external, at_ns)

    def _sources(self, params: Any, rules: Any) -> list[Windowed]:
        if params.venue.model == t.INTENSITY:
            return [Counterparties(self.seed, rules)]
        kinds = range(t.FLOW_LIMIT, t.COUNTERPARTY)
        return [FlowSource(self.seed, kind, rules) for kind in kinds]

    def _external(self, params: Any, external: Any, end_ns: int) -> NDArray[Any]:
        """External ticks up to the end of their noise block, or up to `end_ns` where that is earlier."""
        index = int(external["index"])
        count = max(0, end_ns // int(params["interval_ns"]) - index)
        if count == 0:
            return np.empty(0, t.TAPE_EVENT)
        block, offset = divmod(index, noise.BLOCK)
        if block != self._block:
            self._block, self._normals = block, noise.normals(self.seed, noise.PRICE, block)
        normals = self._normals[offset : offset + count]
        if params["regimes"]:
            regimes = noise.uniforms(self.seed, noise.REGIME, block)[offset : offset + count]
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

    def _with_crowd(self, params: Any, external: Any, played: Any) -> NDArray[Any]:
        """External ticks and candidates merged, up to the first end of a block of any of them."""
        block_ns = noise.BLOCK * int(params["interval_ns"])
        ticks_end_ns = (int(external["index"]) // noise.BLOCK + 1) * block_ns
        played_ns = played.tolist()
        # At the last instant played there may be more to come, of the sources behind in order.
        from_ns = max(0, int(external["at_ns"]) - 1, max(played_ns) - 1)
        while True:
            pieces, end_ns = [], ticks_end_ns
            for source in self._crowd:
                after_ns = max(from_ns, played_ns[source.kind - t.FLOW_LIMIT])
                drawn, drawn_end_ns = source.after(from_ns, after_ns)
                pieces.append((drawn, after_ns))
                end_ns = min(end_ns, drawn_end_ns)
            events = self._external(params, external, end_ns)
            for drawn, after_ns in pieces:
                first, last = np.searchsorted(drawn["time_ns"], (after_ns, end_ns), "right")
                merged = np.empty(events.size + last - first, t.TAPE_EVENT)
                merge(events, drawn[first:last], merged)
                events = merged
            if events.size:
                return events
            from_ns = end_ns
