"""What takes a while is done on a thread, one thing at a time, and gone on with on the loop."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from lablib.errors import ConfigError, LabError
from lablib.widgets.loop import Loop

T = TypeVar("T")


class Errands:
    """One thing at a time.

    Parameters
    ----------
    say
        Called with what is going on; with nothing when it is over.
    failed
        Called with an error that a person can do something about.
    settle
        Called when `busy` may have changed.

    Attributes
    ----------
    busy
        Whether something is being done.
    """

    def __init__(
        self,
        loop: Loop,
        *,
        say: Callable[..., None],
        failed: Callable[[LabError], None],
        settle: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._say, self._failed, self._settle = say, failed, settle
        self.busy = False

    def run(self, work: Callable[[], T], done: Callable[[T], None], words: str) -> None:
        """Have `work` done and go on with what it gives; without a loop, before this returns.

        Raises
        ------
        ConfigError
            Something else is being done.
        """
        if self.busy:
            raise ConfigError(f"{words}: something else is still being read")
        if aside(self._loop):
            self.busy = True
            self._say(f"{words} …")
            self._settle()
            self._loop.spawn(self._await(work, done))
        else:
            self._say()
            done(work())
            self._settle()

    async def _await(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        try:
            result = await self._loop.aside(work)
        except LabError as error:
            self._failed(error)
        else:
            self._say()
            done(result)
        finally:
            self.busy = False
            self._settle()


def aside(loop: Loop) -> bool:
    """Whether work goes to threads: where there is a loop, and no test of a notebook waits for the end."""
    return loop.runs and os.environ.get("NOTEBOOK_TEST") != "1"
