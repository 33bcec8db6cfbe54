"""The runs of one server, by id: how many there may be, what may be done to them, what becomes of old ones.

Knows no HTTP. What takes longer than a moment is a future.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from lablib.config import SimConfig
from lablib.engine import Market
from lablib.errors import LabError
from lablib.pace import Pace
from lablib.recording.folder import free
from lablib.server import acts
from lablib.server.live_run import LimitError, LiveRun, NoRunError, without
from lablib.server.markets import Markets
from lablib.server.models import ResetRun, StartRun, config_of, until_ns
from lablib.server.runner import Runner, Turnstile
from lablib.server.shelf import Shelf
from lablib.session import Session


class Manager:
    """Runs by id.

    Parameters
    ----------
    max_runs
        Runs that may be under way at once.
    keep_runs
        Ended runs that can still be read; the oldest goes first, and its record with it.
    folder
        For the records of runs, one each; a temporary one that goes with the manager unless given.
    quota_bytes
        What the tables of one run may grow to; beyond it the run fails.
    records_bytes
        What all records may take: beyond it the oldest ended go, and where that is not enough no run
        is started.
    markets
        Recorded markets by name, each loaded when it is first asked for.
    warm
        Called once, on a thread, before the first run: compiles what has to be compiled.
    """

    def __init__(
        self,
        *,
        max_runs: int = 4,
        keep_runs: int = 16,
        folder: str | Path | None = None,
        quota_bytes: int = 1 << 30,
        records_bytes: int = 8 << 30,
        markets: Mapping[str, Callable[[], Market]] | None = None,
        warm: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = None if folder is None else Path(folder)
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._quota_bytes = quota_bytes
        self.records_bytes = records_bytes
        self._shelf: Shelf | None = None
        self._making: set[str] = set()  # records that nobody writes yet
        self.max_runs, self.keep_runs = max_runs, keep_runs
        self.refused = 0  # runs that were one too many
        self.started = 0
        self._markets = Markets(markets or {})
        self._runs: dict[str, LiveRun] = {}
        self._lock = threading.RLock()
        self._coming = 0  # runs that are being made
        self._next: SimConfig | None = None  # of the next run, where it was set
        self._slot = Turnstile(max(1, (os.cpu_count() or 2) - 1))
        self._warm, self._warmed = warm, threading.Lock()
        self._is_warm = False

    # ------------------------------------------------------------------------------------ reading
    def __iter__(self) -> Any:
        """Runs, the oldest first."""
        return iter(list(self._runs.values()))

    def __getitem__(self, run_id: str) -> LiveRun:
        """The run of that id.

        Raises
        ------
        NoRunError
            When there is none.
        """
        run = self._runs.get(run_id)
        if run is None:
            raise NoRunError(f"runs: no run {run_id[:40]!r}")
        return run

    @property
    def folder(self) -> Path:
        """Where records go; a temporary folder is made when it is first asked for."""
        with self._lock:
            if self._folder is None:
                self._scratch = tempfile.TemporaryDirectory(prefix="lablib_")
                self._folder = Path(self._scratch.name)
            return self._folder

    @property
    def shelf(self) -> Shelf:
        """The records, under their budget; watched from the first time it is asked for."""
        with self._lock:
            if self._shelf is None:
                self._shelf = Shelf(
                    self.folder, self.records_bytes, held=self._held, drop=self._drop
                )
                self._shelf.start()
            return self._shelf

    @property
    def newest(self) -> LiveRun:
        """The run that was started last."""
        runs = list(self._runs.values())
        if not runs:
            raise NoRunError("runs: none was started yet")
        return runs[-1]

    @property
    def config(self) -> SimConfig:
        """Of the newest run, or of the next one where it was set since."""
        if self._next is not None:
            return self._next
        return self.newest.session.config if self._runs else SimConfig()

    @property
    def under_way(self) -> int:
        """Runs that have not ended."""
        return sum(not run.runner.ended for run in self)

    @property
    def markets(self) -> list[str]:
        """Names of the recorded markets."""
        return self._markets.names

    def told(self, error: LabError) -> str:
        """What a client may know of an error: not where records are."""
        return str(error) if self._folder is None else without(self._folder, str(error))

    # ------------------------------------------------------------------------------------- acting
    def create(self, asked: StartRun) -> LiveRun:
        """Start a run. Takes a moment, and where the kernels are cold many: not for an event loop.

        Raises
        ------
        ConfigError
            What cannot be simulated.
        DataError
            The recorded market cannot be read.
        LimitError
            `max_runs` are under way, or their records fill the folder.
        """
        config = config_of(asked.config, self._next if asked.config == {} else None)
        market = self._markets.get(asked.market)
        self._reserve()
        try:
            self._make_room()
            self._be_warm()
            run = LiveRun(
                id=secrets.token_hex(6),
                seed=asked.seed,
                until_ns=until_ns(asked.until),
                speed=asked.speed,
                market=asked.market,
            )
            run.begin(self._runner(run, run.seed, config, market, start=asked.start))
            with self._lock:
                self._runs[run.id] = run
                self._next = None
                self.started += 1
        finally:
            with self._lock:
                self._coming -= 1
        self._forget_oldest()
        run.runner.start()
        return run

    def act(self, run_id: str, verb: str) -> Future[Any]:
        """Do one of `acts.VERBS` to a run; the future tells when it is done or why it was refused."""
        return self[run_id].runner.ask(lambda session: acts.act(session, verb))

    def reset(self, run_id: str, asked: ResetRun) -> Future[Any] | None:
        """Have a run begin again, as created; one that has ended gets a new thread, and None is returned."""
        run = self[run_id]
        config = None if asked.config is None else config_of(asked.config)
        if not run.runner.ended:

            def again(session: Session) -> None:
                session.reset(config, asked.seed)
                run.seed = session.simulation.seed

            return run.runner.ask(again)
        self._reserve()
        try:
            self._make_room()
            run = self[run_id]  # unless its record had to go
            config = config or run.session.config
            seed = run.seed if asked.seed is None else asked.seed
            run.begin(self._runner(run, seed, config, run.session.market, start=False))
            run.seed = seed
        finally:
            with self._lock:
                self._coming -= 1
        run.runner.start()
        return None

    def change(self, run_id: str, changes: Mapping[str, Any]) -> Future[Any]:
        """Change fields of a run's config: all of them or, where one is refused, none."""
        run = self[run_id]
        return run.runner.ask(lambda session: acts.change(session, changes))

    def configure(self, changes: Mapping[str, Any]) -> Future[Any]:
        """Change fields of the newest run's config, or of the next run's where none is under way."""
        if self._runs and self._next is None and not self.newest.runner.ended:
            return self.change(self.newest.id, changes)
        done: Future[Any] = Future()
        self._next = config_of(changes, self.config)
        done.set_result(None)
        return done

    def close(self) -> None:
        """End every run; the record of one that was under way can be resumed."""
        for run in self:
            run.runner.close(timeout=5)
        if self._shelf is not None:
            self._shelf.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    # -------------------------------------------------------------------------------------- inside
    def _runner(
        self, run: LiveRun, seed: int, config: SimConfig, market: Market | None, *, start: bool
    ) -> Runner:
        record = free(self.folder / run.id)
        self._making.add(record.name)
        try:
            session = Session(
                config,
                seed=seed,
                market=market,
                until=f"{run.until_ns}ns",
                record=record,
                quota_bytes=self._quota_bytes,
            )
        finally:
            self._making.discard(record.name)
        if start:
            session.start()
        pace = Pace(None if isinstance(run.speed, str) else run.speed)
        return Runner(session, pace, slot=self._slot)

    def _reserve(self) -> None:
        with self._lock:
            if self.under_way + self._coming >= self.max_runs:
                self.refused += 1
                raise LimitError(
                    f"runs: {self.under_way} are under way, and this server has room for"
                    f" {self.max_runs}; stop one first"
                )
            self._coming += 1

    def _make_room(self) -> None:
        total = self.shelf.tidy()
        if total > self.records_bytes:
            self.refused += 1
            raise LimitError(
                f"records: those of the runs under way take {total:,} bytes, and this server has"
                f" room for {self.records_bytes:,}; stop one first"
            )

    def _held(self) -> dict[str, bool]:
        listed = {run.record.name: run.runner.ended for run in self}
        return {**listed, **dict.fromkeys(list(self._making), False)}

    def _drop(self, record: str) -> None:
        with self._lock:
            for run in self:
                if run.record.name == record and run.runner.ended:
                    del self._runs[run.id]

    def _forget_oldest(self) -> None:
        with self._lock:
            ended = [run.id for run in self._runs.values() if run.runner.ended]
            for run_id in ended[: max(0, len(ended) - self.keep_runs)]:
                del self._runs[run_id]
                for path in (self.folder / run_id, *self.folder.glob(f"{run_id}-*")):
                    shutil.rmtree(path, ignore_errors=True)

    def _be_warm(self) -> None:
        with self._warmed:
            if not self._is_warm:
                self._warm()
                self._is_warm = True
