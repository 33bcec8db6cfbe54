"""Turn after turn, no faster than the page can follow, for as long as somebody watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from lablib.widgets.flow import Flow
from lablib.widgets.loop import Loop

FRAME_S = 1 / 30  # between two frames at least


class Playback:
    """The loop of a run that plays.

    Parameters
    ----------
    runs
        Whether the run is running.
    turn
        Moves it on by what is due and draws a frame.
    ended
        Called when playing stops: with True when it was because nobody answered.
    """

    def __init__(
        self,
        loop: Loop,
        flow: Flow,
        *,
        runs: Callable[[], bool],
        turn: Callable[[], None],
        ended: Callable[[bool], None],
    ) -> None:
        self._loop, self._flow = loop, flow
        self._runs, self._turn, self._ended = runs, turn, ended
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def start(self) -> None:
        """Play, if it does not already."""
        if self._task is None or self._task.done():
            self._flow.forget()
            self._task = self._loop.spawn(self._play())

    def wake(self) -> None:
        """Take the next turn now: somebody asked for something."""
        self._flow.touch()
        self._wake.set()

    async def _play(self) -> None:
        due_s = time.monotonic()
        while self._runs():
            if not await self._flow.room():
                self._ended(True)
                return
            if not self._runs():  # held meanwhile
                return
            self._turn()
            # Lost time is dropped, never made up for in a burst.
            due_s = max(due_s + FRAME_S, time.monotonic())
            await self._rest(due_s - time.monotonic())
        self._ended(False)

    async def _rest(self, seconds: float) -> None:
        self._wake.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), max(0.001, seconds))
