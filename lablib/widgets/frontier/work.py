"""A frontier's sweep, one at a time: prepared from what was chosen, filled on threads, looked at from the loop."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lablib.config import SimConfig
from lablib.errors import ConfigError
from lablib.widgets import permalink
from lablib.widgets.choices import Choices
from lablib.widgets.loop import Loop

if TYPE_CHECKING:
    from lablib.experiments.sweep import Sweep

LOOK_S = 0.3  # between two looks at a running sweep
MOST_HOURS = 20_000  # simulated, in one go: more belongs in `lab.sweep`


def prepared(config: SimConfig, choices: Choices) -> Sweep:
    """The sweep that was chosen, no cell of it run.

    Raises
    ------
    ConfigError
        Choices that cannot be run, or are too much for one go.
    """
    from lablib.experiments.sweep import prepare  # brings the compiler along

    if choices.x.path == choices.y.path:
        raise ConfigError(f"{choices.x.path}: choose two different settings")
    seed = permalink.seed_of(choices.seed.value)
    grid = {choice.path: choice.values() for choice in (choices.x, choices.y)}
    seeds = range(seed, seed + int(choices.seeds.value))
    sweep = prepare(config, grid, seeds=seeds, until=choices.until.value)
    hours = sweep.design.count * len(sweep.seeds) * sweep.until_ns / 3.6e12
    if hours > MOST_HOURS:
        raise ConfigError(
            f"that is {hours:,.0f} simulated hours; the most here are {MOST_HOURS:,}, and"
            " lab.sweep takes the rest"
        )
    return sweep


class Work:
    """Fills one sweep at a time. The sweep's threads touch no widget: the loop's looks do.

    Parameters
    ----------
    loop
        Without one, or with `NOTEBOOK_TEST=1`, a sweep is filled before `start` returns.
    look
        Called at the start, a few times a second while a sweep is filled, and never after `ended`.
    ended
        Called when it is complete, was cancelled or has failed.

    Attributes
    ----------
    running
        Whether a sweep is on its way.
    """

    def __init__(self, loop: Loop, look: Callable[[], None], ended: Callable[[], None]) -> None:
        self._loop, self._look, self._when_ended = loop, look, ended
        self._cancel = threading.Event()
        self._begun = self._took = 0.0
        self.running = False

    @property
    def spent_s(self) -> float:
        """Real time the present or the last sweep has taken."""
        return time.monotonic() - self._begun if self.running else self._took

    def start(self, sweep: Sweep) -> None:
        """Begin to fill a sweep."""
        self._cancel = threading.Event()
        self.running, self._begun = True, time.monotonic()
        self._look()
        if self._loop.runs and os.environ.get("NOTEBOOK_TEST") != "1":
            self._loop.spawn(self._watch(sweep, self._cancel))
        else:
            self._fill(sweep, self._cancel)
            self._ended()

    def cancel(self) -> None:
        """Stop; what is done stays."""
        self._cancel.set()

    @staticmethod
    def _fill(sweep: Sweep, cancel: threading.Event) -> None:
        sweep.fill(cancelled=cancel.is_set)

    async def _watch(self, sweep: Sweep, cancel: threading.Event) -> None:
        work = asyncio.ensure_future(self._loop.aside(self._fill, sweep, cancel))
        try:
            while not work.done():
                await asyncio.wait([work], timeout=LOOK_S)
                self._look()
            await work
        finally:
            cancel.set()
            self._ended()

    def _ended(self) -> None:
        self.running = False
        self._took = time.monotonic() - self._begun
        self._when_ended()
