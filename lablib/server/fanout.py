"""From runs to viewers, twenty times a second: each message is encoded once and nobody waits for anybody.

A viewer who does not keep up loses the oldest of what waits for it, is told how much it lost, and is
cut off when it stalls. So its memory here is bounded, and no run ever notices.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from lablib.server.backoff import Backoff
from lablib.server.live_run import LimitError, LiveRun
from lablib.server.manager import Manager
from lablib.server.news import Teller

CHANNELS = ("events", "orders", "fills", "risk", "latency")
TICK_S = 0.05
QUEUE = 8  # messages that may wait for one viewer
STALLED_S = 10.0
_AT_ONCE = 25  # viewers told before the event loop may answer somebody else

Wish = tuple[str, str | None]  # a channel, and a run or all of them


class Stream(Protocol):
    """What a viewer's connection must be able to do, as tornado's IOStream does."""

    def write(self, data: bytes) -> Any:
        """Send, or keep until the other side reads: then a future."""

    def writing(self) -> bool:
        """Whether something is kept."""

    def close(self) -> None:
        """Cut the connection."""


class Body:
    """One message, encoded. What differs between viewers is in front: how much they lost."""

    __slots__ = ("_dropped", "_frame", "_tail")

    def __init__(self, tail: str) -> None:
        self._tail = tail
        self._dropped = -1
        self._frame = b""

    def frame(self, dropped: int) -> bytes:
        """The WebSocket frame for a viewer who lost so many; nearly always the same for all."""
        if dropped != self._dropped:
            self._dropped = dropped
            self._frame = text_frame(f'{{"dropped":{dropped},{self._tail}'.encode())
        return self._frame


class Parcel:
    """What one tick has for viewers who asked for the same: several messages, handed over in one piece."""

    __slots__ = ("_dropped", "_frames", "bodies")

    def __init__(self, bodies: Sequence[Body]) -> None:
        self.bodies = bodies
        self._dropped = -1
        self._frames = b""

    def frames(self, dropped: int) -> bytes:
        """All of its frames, for a viewer who lost so many."""
        if dropped != self._dropped:
            self._dropped = dropped
            self._frames = b"".join([body.frame(dropped) for body in self.bodies])
        return self._frames


def text_frame(data: bytes) -> bytes:
    """A whole, unmasked text frame of RFC 6455."""
    size = len(data)
    if size < 126:
        head = struct.pack("!BB", 0x81, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x81, 126, size)
    else:
        head = struct.pack("!BBQ", 0x81, 127, size)
    return head + data


def fits(wish: Wish, run_id: str, event_type: str) -> bool:
    """Whether a message is what somebody asked for."""
    channel, wanted = wish
    return channel in ("events", event_type) and wanted in (None, run_id)


class Viewer:
    """Somebody on a channel.

    Parameters
    ----------
    stream
        The connection, after its handshake.
    channel
        One of `CHANNELS`.
    run_id
        Only this run's messages; None for every run's.
    """

    def __init__(
        self,
        stream: Stream,
        channel: str,
        run_id: str | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.channel, self.run_id = channel, run_id
        self.dropped = 0
        self.sent = 0
        self._stream, self._clock = stream, clock
        self._waiting: deque[Body] = deque()
        self._busy_since: float | None = None

    @property
    def wish(self) -> Wish:
        """What it asked for: the channel, and the run or all of them."""
        return self.channel, self.run_id

    def offer(self, parcel: Parcel) -> None:
        """Send messages now, or when what went before has left."""
        if self._busy_since is None:
            self._send(parcel.frames(self.dropped), len(parcel.bodies))
            return
        for body in parcel.bodies:
            if len(self._waiting) == QUEUE:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(body)

    def stalled_s(self) -> float:
        """How long it has not taken what it was sent (s)."""
        return 0.0 if self._busy_since is None else self._clock() - self._busy_since

    def abort(self) -> None:
        """Cut the connection without a word: one who does not read hears no farewell."""
        self._waiting.clear()
        self._stream.close()

    def _send(self, frames: bytes, count: int) -> None:
        try:
            sending = self._stream.write(frames)
        except OSError:  # tornado's StreamClosedError: it has left, and will be taken off the list
            return
        self.sent += count
        if self._stream.writing():
            self._busy_since = self._clock()
            sending.add_done_callback(self._left)

    def _left(self, sending: Any) -> None:
        self._busy_since = None
        if sending.cancelled() or sending.exception() is not None:
            self._waiting.clear()
            return
        while self._waiting and self._busy_since is None:
            self._send(self._waiting.popleft().frame(self.dropped), 1)


class Hub:
    """Everybody who watches, and the clock that tells them.

    Parameters
    ----------
    manager
        Whose runs are told of.
    max_viewers
        How many may watch at once.
    """

    def __init__(self, manager: Manager, *, max_viewers: int = 200) -> None:
        self.manager, self.max_viewers = manager, max_viewers
        self.viewers: set[Viewer] = set()
        self.ticks = self.late_ticks = 0
        self.backoff = Backoff()
        self.aborted = self.refused = 0
        self._sent_before = self._dropped_before = 0  # by those who have left
        self._tellers: dict[str, Teller] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def sent(self) -> int:
        """Messages handed to connections so far."""
        return self._sent_before + sum(viewer.sent for viewer in self.viewers)

    @property
    def dropped(self) -> int:
        """Messages that viewers lost so far."""
        return self._dropped_before + sum(viewer.dropped for viewer in self.viewers)

    def make_room(self) -> None:
        """Refuse one viewer too many.

        Raises
        ------
        LimitError
            `max_viewers` are watching.
        """
        if len(self.viewers) >= self.max_viewers:
            self.refused += 1
            raise LimitError(
                f"viewers: {self.max_viewers} are watching, which is all this server has"
            )

    def join(self, viewer: Viewer) -> None:
        """Add a viewer, and tell it how things stand."""
        self.viewers.add(viewer)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._supervised())
        greeting = []
        for run in self.manager:
            for event_type, tail in self._teller(run).greeting():
                if fits(viewer.wish, run.id, event_type):
                    greeting.append(Body(tail))
        if greeting:
            viewer.offer(Parcel(greeting))

    def leave(self, viewer: Viewer) -> None:
        """Take a viewer off the list."""
        if viewer in self.viewers:
            self.viewers.discard(viewer)
            self._sent_before += viewer.sent
            self._dropped_before += viewer.dropped

    async def tick(self) -> None:
        """Tell everybody what is new, and cut off those who do not listen."""
        self.ticks += 1
        runs = list(self.manager)
        watched = {viewer.run_id for viewer in self.viewers}
        news = [
            (run.id, event_type, Body(tail))
            for run in runs
            if not watched.isdisjoint((None, run.id))
            for event_type, tail in self._teller(run).news()
        ]
        parcels: dict[Wish, Parcel | None] = {}
        for number, viewer in enumerate(list(self.viewers) if news else (), start=1):
            wish = viewer.wish
            if wish not in parcels:
                bodies = [body for run, kind, body in news if fits(wish, run, kind)]
                parcels[wish] = Parcel(bodies) if bodies else None
            parcel = parcels[wish]
            if parcel is not None and viewer in self.viewers:
                viewer.offer(parcel)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        for gone in self._tellers.keys() - {run.id for run in runs}:
            del self._tellers[gone]
        for viewer in [one for one in self.viewers if one.stalled_s() > STALLED_S]:
            self.aborted += 1
            viewer.abort()
            self.leave(viewer)

    def close(self) -> None:
        """Stop telling."""
        if self._task is not None:
            self._task.cancel()

    def _teller(self, run: LiveRun) -> Teller:
        teller = self._tellers.get(run.id)
        if teller is None:
            teller = self._tellers[run.id] = Teller(run)
        return teller

    async def _supervised(self) -> None:
        """The clock; when it breaks it begins again, later each time, and `backoff` counts it."""
        while self.viewers:
            try:
                await self._beat()
            except Exception:  # not critical: viewers miss a moment, runs miss nothing
                logging.getLogger("lablib").exception("Telling viewers failed; it begins again")
                await asyncio.sleep(self.backoff.wait_s())

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self.viewers:
            await self.tick()
            due += TICK_S
            if loop.time() > due:  # lost time is dropped, never made up for in a burst
                self.late_ticks += 1
                due = loop.time()
            await asyncio.sleep(max(0.0, due - loop.time()))
