"""Flow control by acknowledgement: never more frames on the way than the browser has shown it can take.

A frame ends with a mark. The browser copies the mark into a second widget once it has applied the
frame, and that copy comes back as the acknowledgement. So lag cannot grow, whatever the machine, and
no answer means that nobody is watching.

The first mark, of frame 0, is there before any page is: its answer says that a page now stands, and that
what changed while it was being built may have missed it; frames until then count as lost.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import deque
from collections.abc import Callable

import ipywidgets as W  # noqa: N812 - the name its own manual uses
import traitlets

IN_FLIGHT = 3  # frames on the way at most: enough to fill the round trip
TOUCHED = 2  # while somebody turns a knob: the frame with its effect stands in line behind them
TOUCH_S = 1.0
PATIENCE_S = 5.0  # without an answer for so long, nobody is watching
_MARK = re.compile(r'data-frame="(\d{1,15})"')


class _Answer(W.Text):  # type: ignore[misc]
    """Text that is not sent back to where it came from."""

    value = traitlets.CUnicode("").tag(sync=True, echo_update=False)


class Flow:
    """The frames on their way to the browser.

    Attributes
    ----------
    widget
        Hidden; must be part of the page.
    answer
        The part of it that the browser writes.
    sent, acknowledged
        Numbers of the last frame marked, and of the last one the browser applied.
    lag_s
        From marking a frame to its acknowledgement, seconds; of the newest.
    """

    def __init__(self, on_thread: Callable[[Callable[[], None]], None]) -> None:
        self.sent = 0
        self.acknowledged = 0
        self.lag_s = 0.0
        self._on_thread = on_thread
        self._touched = -math.inf
        self._urgent = False
        self._news = asyncio.Event()
        self._greeted = False
        self._marked: deque[tuple[int, float]] = deque(maxlen=64)
        self._applied: deque[float] = deque(maxlen=64)
        self._mark = W.HTML(_stamp(0))
        self.answer = _Answer()
        self.answer.observe(self._hear, "value")
        self._link = W.jsdlink((self._mark, "value"), (self.answer, "value"))
        self.widget = W.VBox([self._mark, self.answer])
        self.widget.add_class("lrl-hidden")

    @property
    def in_flight(self) -> int:
        """Frames marked and not yet acknowledged."""
        return self.sent - self.acknowledged

    @property
    def frames_per_s(self) -> float:
        """Frames acknowledged in the last two seconds, a second."""
        now = time.monotonic()
        return sum(1 for at in self._applied if now - at <= 2.0) / 2.0

    def mark(self) -> None:
        """End a frame: everything set before this is part of it."""
        self._urgent = False
        self.sent += 1
        self._marked.append((self.sent, time.monotonic()))
        self._mark.value = _stamp(self.sent)

    @property
    def limit(self) -> int:
        """Frames that may be on the way now."""
        lately = time.monotonic() - self._touched < TOUCH_S
        return TOUCHED if lately and not self._urgent else IN_FLIGHT

    def touch(self) -> None:
        """Somebody asked for something and waits to see it: the next frame is theirs, others keep back."""
        self._touched = time.monotonic()
        self._urgent = True

    async def room(self, patience_s: float | None = PATIENCE_S) -> bool:
        """Wait until a further frame may go; False when nobody answers for so long, None waits for ever."""
        while self.in_flight >= self.limit:
            if not await self._answered(patience_s):
                return False
        return True

    async def watched(self, patience_s: float) -> bool:
        """Wait for the first sign of a browser."""
        return self._greeted or await self._answered(patience_s)

    async def _answered(self, patience_s: float | None) -> bool:
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), patience_s)
        except TimeoutError:
            return False
        return True

    @property
    def words(self) -> str:
        """How the frames flow, in words."""
        lag = f"lag {1e3 * self.lag_s:.0f} ms"
        return f"{self.frames_per_s:.0f} frames/s · {lag} · {self.in_flight} in flight"

    def close(self) -> None:
        """Give back the link, which hangs on nothing."""
        self._link.close()

    def forget(self) -> None:
        """Count what is on the way as lost: a viewer may have gone with it."""
        self.acknowledged = self.sent

    def _hear(self, change: dict[str, str]) -> None:
        # What comes from a browser is anybody's text; a callback may stand on any thread.
        found = _MARK.search(str(change["new"])[:200])
        if found:
            self._on_thread(lambda: self._count(int(found[1])))

    def _count(self, frame: int) -> None:
        if frame == 0 and not self._greeted:
            self._greeted = True
            self.forget()
            self._news.set()
        if not self.acknowledged < frame <= self.sent:
            return
        now = time.monotonic()
        while self._marked and self._marked[0][0] <= frame:
            number, at = self._marked.popleft()
            self._applied.append(now)
            if number == frame:
                self.lag_s = now - at
        self.acknowledged = frame
        self._greeted = True
        self._news.set()


def _stamp(frame: int) -> str:
    """A mark: the frame's number, and when it was made (ms of the wall clock)."""
    now = round(time.time() * 1_000)
    return f'<span class="lrl-info" data-frame="{frame}" data-t="{now}"></span>'
