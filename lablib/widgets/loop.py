"""The event loop a lab lives on: callbacks brought to its thread, tasks whose errors are seen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Loop:
    """The loop that runs where this is made; there may be none, as in a plain script.

    Parameters
    ----------
    failed
        Called with the error of a task, on the loop's thread.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._thread = threading.get_ident()
        self._tasks: set[asyncio.Task[None]] = set()
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    @property
    def runs(self) -> bool:
        """Whether there is a loop."""
        return self._loop is not None

    def call(self, do: Callable[[], None]) -> None:
        """Run a callback where widgets and session may be touched, whatever thread it came on."""
        if self._loop is None or threading.get_ident() == self._thread:
            do()
        else:
            self._loop.call_soon_threadsafe(do)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task; it is held until it ends."""
        assert self._loop is not None
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def aside(self, compute: Callable[..., T], *arguments: Any) -> T:
        """Await what a thread of its own computes: the loop goes on meanwhile."""
        assert self._loop is not None
        return await self._loop.run_in_executor(None, compute, *arguments)

    def cancel(self) -> None:
        """End every task."""
        for task in tuple(self._tasks):
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Show the error of a task, which would pass in silence otherwise, to the page and to the loop."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._loop is not None:
            self._failed(error)
            self._loop.call_exception_handler({"message": "live lab", "exception": error})
