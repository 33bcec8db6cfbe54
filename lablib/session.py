"""A run's life: created -> running <-> paused -> finished | halted | failed.

One writer. Commands act between frames and are recorded with their simulated time, so that a session
steered by hand can be replayed to the same bytes. A latched halt does not stop the market: it goes on,
so that one can watch what the orders in flight still do; the state then reads "halted". A session whose
record cannot be written fails: it stands still, and says why.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lablib.commands import Command
from lablib.config import SimConfig
from lablib.engine import TABLES, Market, Simulation
from lablib.errors import ArchiveError, ConfigError, SessionError
from lablib.frame import Frame
from lablib.kernels import tables as t
from lablib.recording.folder import FAILED, FINISHED, HALTED, STOPPED, Ending, free
from lablib.recording.record import Record, open_record
from lablib.recording.recorder import QUOTA_BYTES, Recorder, opening_of
from lablib.units import parse_duration


class Session:
    """A simulation someone controls.

    Parameters
    ----------
    config, seed, market
        As `lablib.engine.Simulation`.
    twin
        Play the run without latency beside it: `frame.twin`.
    until
        Where it finishes, such as "1h"; None goes on until somebody stops it, or a recorded market ends.
    record
        A new folder to which everything is written, by whoever advances the session.
    quota_bytes
        What the tables of the record may grow to; beyond it the session fails.

    Attributes
    ----------
    frame
        The present moment.
    on_frame
        Called with every new frame, by whoever advances the session.
    failure
        Why it failed, else None.
    """

    def __init__(
        self,
        config: SimConfig | Mapping[str, Any] | str | None = None,
        *,
        seed: int = 0,
        market: Market | None = None,
        twin: bool = False,
        until: str | float | None = None,
        record: str | Path | None = None,
        quota_bytes: int = QUOTA_BYTES,
    ) -> None:
        self.market = market
        self.recorder: Recorder | None = None
        self.on_frame: Callable[[Frame], None] | None = None
        self._with_twin = twin
        self._until_ns = None if until is None else parse_duration(until)
        self._quota_bytes = quota_bytes
        self._begin(Simulation(config, seed=seed, market=market))
        if record is not None:
            self._record_to(Path(record))

    @classmethod
    def of_record(cls, path: str | Path, market: Market | None = None) -> Session:
        """Take up a recorded session where its record ends, and go on writing to it; it is paused.

        Raises
        ------
        ArchiveError
            As `lablib.recording.record.Record.restore`; or it has ended, or is being written.
        """
        record = open_record(path)
        if record.status != "interrupted":
            raise ArchiveError(f"{path}: is {record.status}; only an interrupted record goes on")
        return cls._restored(record, market)

    @classmethod
    def _restored(cls, record: Record, market: Market | None) -> Session:
        simulation, _, fresh = record.restore(market)
        self = cls.__new__(cls)
        self.market = simulation.market
        self.on_frame = None
        self._with_twin = False
        self._until_ns = record.opening.until_ns
        self._quota_bytes = QUOTA_BYTES
        self._begin(simulation)
        self.recorder = record.recorder()
        self._life = "paused"
        self._guarded(lambda recorder: recorder.append(simulation.now_ns, fresh))
        return self

    def _begin(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.twin = simulation.twin() if self._with_twin else None
        self.failure: str | None = None
        self._life = "created"
        self.frame: Frame = self._seen()

    @property
    def state(self) -> str:
        """created, running, paused, finished, halted or failed."""
        if self._life == "running" and self.frame.halted:
            return "halted"
        return self._life

    @property
    def over(self) -> bool:
        """Whether it has come to its end."""
        return self._life in ("finished", "failed")

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
        """From running to paused; what was recorded so far is on disk."""
        if self._life != "running":
            raise SessionError(f"pause: the session is {self.state}")
        self._life = "paused"
        self.flush()

    resume = start

    def advance(self, dt_ns: int) -> Frame:
        """Move a running session on by `dt_ns` of simulated time.

        Raises
        ------
        SessionError
            It is not running; or its record could not be written: it then has failed.
        """
        if self._life != "running":
            raise SessionError(f"advance: the session is {self.state}, not running")
        return self._move(dt_ns)

    def step(self) -> Frame:
        """Move a session that is not running by one decision, or by 50 ms where every update is one."""
        if self._life not in ("created", "paused"):
            raise SessionError(f"step: the session is {self.state}")
        self._life = "paused"
        return self._move(round((self.config.strategy.decision_interval_ms or 50.0) * t.NS_PER_MS))

    def look(self) -> Frame:
        """The present moment anew, with what commands have done to it."""
        if not self.over:
            self.frame = self._seen()
            self._guarded(self._record)
            if self.on_frame is not None:
                self.on_frame(self.frame)
        return self.frame

    def flush(self) -> None:
        """Bring what was recorded so far onto the disk."""
        if not self.over:
            self._guarded(lambda recorder: recorder.flush())

    def set(self, field: str, value: Any) -> Command:
        """Change one dotted config field of the running market, as a recorded command."""
        return self._command("set", field, value)

    def halt(self) -> Command:
        """Pull the kill switch by hand."""
        return self._command("halt")

    def release(self) -> Command:
        """Open the kill switch by hand."""
        return self._command("release")

    def stop(self) -> None:
        """End it here; its record, where it has one, is closed with its digest."""
        if self.over:
            raise SessionError(f"stop: the session is {self.state}")
        self._end(STOPPED)

    def reset(
        self,
        config: SimConfig | Mapping[str, Any] | str | None = None,
        seed: int | None = None,
    ) -> None:
        """Begin again, under the present config and seed unless given.

        What was recorded is closed as stopped, and another record begun beside it: `run`, `run-2`, …

        Raises
        ------
        ConfigError
            What cannot be simulated; the session goes on as it was.
        ArchiveError
            The new record cannot be written; the session is over.
        """
        fresh = Simulation(
            self.config if config is None else config,
            seed=self.simulation.seed if seed is None else seed,
            market=self.market,
        )
        before = self.recorder
        if before is not None and not self.over:
            self._end(STOPPED)
        untouched = self.simulation.now_ns == 0
        self._begin(fresh)
        if before is not None:
            if untouched:  # nothing to keep
                shutil.rmtree(before.path, ignore_errors=True)
            try:
                self._record_to(free(before.path))
            except ArchiveError as error:
                self.failure, self._life = str(error), "failed"
                raise
        if self.on_frame is not None:
            self.on_frame(self.frame)

    def close(self) -> None:
        """Let go of the record as it is; it reads as interrupted and can be taken up again."""
        if self.recorder is not None and not self.over:
            self._guarded(lambda recorder: recorder.checkpoint(self.simulation.checkpoint()))
            self.recorder.leave()
            self._life = "finished"

    def fail(self, why: str) -> None:
        """Freeze it where it was last seen, the halt latched; its record is closed with the reason.

        For whoever advances it and finds that it cannot go on. `frame` is its last snapshot.
        """
        if not self.over:
            self._freeze(why, "invariant")

    def _command(self, kind: str, field: str = "", value: Any = None) -> Command:
        if self.over:
            raise SessionError(f"{kind}: the session is {self.state}")
        command = self.simulation.command(kind, field, value)
        if self.twin is not None:
            self.twin.command(kind, field, value)
        self._guarded(lambda recorder: recorder.command(command))
        return command

    def _move(self, dt_ns: int) -> Frame:
        if dt_ns < 0:
            raise ConfigError(f"advance: time runs forward, got {dt_ns} ns")
        target = self.simulation.now_ns + dt_ns
        ends = [self._until_ns, None if self.market is None else self.market.duration_ns]
        end_ns = min((end for end in ends if end is not None), default=t.FAR - 1)
        target = max(min(target, end_ns), self.simulation.now_ns)
        self.simulation.play(target)
        if self.twin is not None:
            self.twin.play(target)
        self.look()
        if target >= end_ns:
            self._end(FINISHED)
        return self.frame

    def _record(self, recorder: Recorder) -> None:
        recorder.append(self.frame.t_ns, {name: getattr(self.frame, name) for name in TABLES})
        if recorder.wants_checkpoint:
            recorder.checkpoint(self.simulation.checkpoint())

    def _record_to(self, path: Path) -> None:
        opening = opening_of(self.simulation, self._until_ns)
        self.recorder = Recorder.create(path, opening, quota_bytes=self._quota_bytes)

    def _end(self, status: str) -> None:
        self.look()
        self._guarded(lambda recorder: self._close(recorder, status))
        self._life = "finished"

    def _close(self, recorder: Recorder, status: str) -> None:
        recorder.checkpoint(self.simulation.checkpoint())
        how = HALTED if self.frame.halted and status == FINISHED else status
        recorder.close(Ending(status=how, digest=self.simulation.digest()))

    def _guarded(self, write: Callable[[Recorder], None]) -> None:
        """Write to the record, where there is one; where that fails the session does."""
        if self.recorder is None:
            return
        try:
            write(self.recorder)
        except ArchiveError as error:
            self._freeze(str(error), "record")
            raise SessionError(f"the session has failed: {error}") from error

    def _freeze(self, why: str, reason: str) -> None:
        self.failure, self._life = why, "failed"
        self.frame = replace(self.frame, halted=True, halt_reason=reason)
        if self.recorder is not None:
            if reason != "record":
                with suppress(ArchiveError):  # what it did up to then
                    self.recorder.flush()
            with suppress(ArchiveError):  # it then reads as interrupted
                self.recorder.close(Ending(status=FAILED, reason=why))

    def _seen(self) -> Frame:
        frame = self.simulation.frame()
        return frame if self.twin is None else replace(frame, twin=self.twin.frame())
