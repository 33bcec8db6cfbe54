"""A run's life: created -> running <-> paused -> finished | halted | failed.

One writer. Commands act between frames and are recorded with their simulated time, so that a session
steered by hand can be replayed to the same bytes. A latched halt does not stop the market: it goes on,
so that one can watch what the orders in flight still do; the state then reads "halted".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lablib.config import SimConfig
from lablib.engine import Command, Market, Simulation
from lablib.errors import ConfigError, SessionError
from lablib.frame import Frame
from lablib.kernels import tables as t


class Session:
    """A simulation someone controls.

    Parameters
    ----------
    config, seed, market
        As `lablib.engine.Simulation`.
    twin
        Play the run without latency beside it: `frame.twin`.
    """

    def __init__(
        self,
        config: SimConfig | Mapping[str, Any] | str | None = None,
        *,
        seed: int = 0,
        market: Market | None = None,
        twin: bool = False,
    ) -> None:
        self.market = market
        self._with_twin = twin
        self._begin(config, seed)

    def _begin(self, config: SimConfig | Mapping[str, Any] | str | None, seed: int) -> None:
        self.simulation = Simulation(config, seed=seed, market=self.market)
        self.twin = self.simulation.twin() if self._with_twin else None
        self.frame: Frame = self._look()
        self._life = "created"

    @property
    def state(self) -> str:
        """created, running, paused, finished, halted or failed."""
        if self._life == "running" and self.frame.halted:
            return "halted"
        return self._life

    @property
    def config(self) -> SimConfig:
        """The configuration as it stands now."""
        return self.simulation.config

    @property
    def commands(self) -> list[Command]:
        """What was done so far."""
        return self.simulation.commands

    def start(self) -> None:
        """From created or paused to running."""
        if self._life not in ("created", "paused"):
            raise SessionError(f"start: the session is {self.state}")
        self._life = "running"

    def pause(self) -> None:
        """From running to paused."""
        if self._life != "running":
            raise SessionError(f"pause: the session is {self.state}")
        self._life = "paused"

    resume = start

    def advance(self, dt_ns: int) -> Frame:
        """Move a running session on by `dt_ns` of simulated time."""
        if self._life != "running":
            raise SessionError(f"advance: the session is {self.state}, not running")
        return self._move(dt_ns)

    def step(self) -> Frame:
        """Move a session that is not running by one decision, or by 50 ms where every update is one."""
        if self._life not in ("created", "paused"):
            raise SessionError(f"step: the session is {self.state}")
        self._life = "paused"
        return self._move(round((self.config.strategy.decision_interval_ms or 50.0) * t.NS_PER_MS))

    def set(self, field: str, value: Any) -> Command:
        """Change one dotted config field of the running market, as a recorded command."""
        return self._command("set", field, value)

    def halt(self) -> Command:
        """Pull the kill switch by hand."""
        return self._command("halt")

    def release(self) -> Command:
        """Open the kill switch by hand."""
        return self._command("release")

    def reset(
        self,
        config: SimConfig | Mapping[str, Any] | str | None = None,
        seed: int | None = None,
    ) -> None:
        """Begin again, under the present config and seed unless given."""
        self._begin(
            self.config if config is None else config,
            self.simulation.seed if seed is None else seed,
        )

    def _command(self, kind: str, field: str = "", value: Any = None) -> Command:
        if self._life in ("finished", "failed"):
            raise SessionError(f"{kind}: the session is {self.state}")
        command = self.simulation.command(kind, field, value)
        if self.twin is not None:
            self.twin.command(kind, field, value)
        return command

    def _move(self, dt_ns: int) -> Frame:
        if dt_ns < 0:
            raise ConfigError(f"advance: time runs forward, got {dt_ns} ns")
        target = self.simulation.now_ns + dt_ns
        if self.market is not None:
            target = min(target, self.market.duration_ns)
        self.simulation.play(target)
        if self.twin is not None:
            self.twin.play(target)
        self.frame = self._look()
        if self.simulation.finished:
            self._life = "finished"
        return self.frame

    def _look(self) -> Frame:
        frame = self.simulation.frame()
        return frame if self.twin is None else replace(frame, twin=self.twin.frame())
