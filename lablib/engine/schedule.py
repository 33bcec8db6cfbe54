"""Commands by their time: those to come, those in effect, and the config they have led to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from lablib.commands import Command, configured
from lablib.config import SimConfig
from lablib.errors import ConfigError


class Schedule:
    """What a person does to one run, and when.

    Parameters
    ----------
    config
        As the run begins.
    commands
        To take effect at their times, in any order; as `lablib.commands.listed` has them.
    without_latency
        Hold every wire of our own at zero, whatever a command says.

    Attributes
    ----------
    first, config
        The config at the start, and now.
    done
        Commands in effect, in their order.

    Raises
    ------
    ConfigError
        A command that cannot take effect: before anything has run.
    """

    def __init__(
        self, config: SimConfig, commands: Iterable[Command], *, without_latency: bool
    ) -> None:
        self._without_latency = without_latency
        self.first = self.config = self._timed(config)
        self.done: list[Command] = []
        self._queue = deque(sorted(commands, key=lambda command: command.t_ns))
        self._rehearse()

    @property
    def coming(self) -> tuple[Command, ...]:
        """Commands whose time has not come."""
        return tuple(self._queue)

    def due(self, t_ns: int) -> Command | None:
        """Take the next command with a time up to and including `t_ns`, where there is one."""
        return self._queue.popleft() if self._queue and self._queue[0].t_ns <= t_ns else None

    def check(self, command: Command) -> None:
        """Refuse, with a ConfigError, what could not take effect now."""
        self._configured(self.config, command)

    def put_in_effect(self, command: Command) -> None:
        """Write a command down, and change the config by it."""
        self.done.append(command)
        self.config = self._configured(self.config, command)

    def go_on_after(self, count: int) -> None:
        """Put the first `count` commands in effect: a run is continued that had them."""
        if count > len(self._queue):
            raise ConfigError(f"checkpoint: has {count} commands in effect, got {len(self._queue)}")
        for _ in range(count):
            self.put_in_effect(self._queue.popleft())

    def _rehearse(self) -> None:
        config = self.config
        for command in self._queue:
            config = self._configured(config, command)

    def _configured(self, config: SimConfig, command: Command) -> SimConfig:
        return self._timed(configured(config, command))

    def _timed(self, config: SimConfig) -> SimConfig:
        return config.without_latency() if self._without_latency else config
