"""Reads a run's folder, whatever happened to the process that wrote it, and brings the run back to life."""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lablib.commands import Command
from lablib.config import SimConfig
from lablib.engine import TABLES, Market, Simulation, Strategy
from lablib.errors import ArchiveError
from lablib.kernels import tables as t
from lablib.recording import columns
from lablib.recording.folder import (
    COMMANDS,
    JOURNAL,
    RECORDING,
    STATE,
    Ending,
    Opening,
    read_run,
    stream,
)
from lablib.recording.journal import read_lines
from lablib.recording.recorder import QUOTA_BYTES, Recorder, load_checkpoint
from lablib.tape.recorded import Recording, load, load_pair

REMEDY = "`lablib replay FOLDER --output NEW` makes it again from its config, seed and commands"
INTERRUPTED = "interrupted"  # what a run whose writer has gone is called


@dataclass(frozen=True)
class Record:
    """A folder that was read and found whole.

    Attributes
    ----------
    opening, ending
        What began the run, and how it stands.
    commands
        What was done to it, or was to be, by time.
    now_ns
        Simulated time up to which its rows are there.
    reached_ns
        Simulated time it had come to: later, where a hand did something after the last rows.
    marks
        Rows and bytes of every table that are there.
    versions
        Of what wrote it.
    """

    path: Path
    opening: Opening
    ending: Ending
    commands: tuple[Command, ...]
    now_ns: int
    reached_ns: int
    marks: dict[str, dict[str, int]]
    versions: dict[str, str]
    whole: Mapping[str, int]
    flushes: int

    @property
    def config(self) -> SimConfig:
        """The configuration it began with."""
        return SimConfig.model_validate(self.opening.config)

    @property
    def status(self) -> str:
        """finished, stopped, halted, failed; recording while somebody writes, else interrupted."""
        if self.ending.status != RECORDING or is_being_written(self.path):
            return self.ending.status
        return INTERRUPTED

    def table(self, name: str) -> np.ndarray:
        """The rows of a table that are there; dtype as in `lablib.engine.TABLES`.

        Raises
        ------
        ArchiveError
            Its file is no longer what was written.
        """
        path = self.path / stream(name)
        try:
            return columns.rows(
                name, _bytes(path, self.marks["bytes"][name]), self.marks["rows"][name]
            )
        except ArchiveError as error:
            raise ArchiveError(f"{path}: {error}. {REMEDY}") from None

    def blocks(self, name: str, most: int) -> Iterator[np.ndarray]:
        """The rows of a table, `most` at a time: for tables larger than one wants to hold.

        Raises
        ------
        ArchiveError
            As `table`.
        """
        path = self.path / stream(name)
        try:
            with path.open("rb") as file:
                for block in columns.blocks(name, file, self.marks["rows"][name]):
                    for first in range(0, block.size, most):
                        yield block[first : first + most]
        except OSError as error:
            raise ArchiveError(f"{path}: {error.strerror}. {REMEDY}") from None
        except ArchiveError as error:
            raise ArchiveError(f"{path}: {error}. {REMEDY}") from None

    def tables(self) -> dict[str, np.ndarray]:
        """Every table."""
        return {name: self.table(name) for name in TABLES}

    def market(self, market: Market | None = None) -> Market | None:
        """The recorded market it was played on, read again from its files unless given.

        Raises
        ------
        ArchiveError
            The market is not the one it was played on.
        """
        known = self.opening.market
        if known is None:
            if market is not None:
                raise ArchiveError(f"{self.path}: was played without a recorded market, got one")
            return None
        if market is None:
            files = [
                Recording(one["name"], one.get("symbol", ""), one.get("columns", {}))
                for one in known["sources"]
            ]
            market = load(files[0]) if len(files) == 1 else load_pair(files[0], files[1])
        if market.sha256 != known["sha256"]:
            told = f"{market.sha256[:12]}… for {known['sha256'][:12]}…"
            raise ArchiveError(
                f"{self.path}: another market than {known['name']!r} it was played on: {told}"
            )
        return market

    def simulation(
        self, market: Market | None = None, strategy: Strategy | None = None
    ) -> Simulation:
        """The run at its very beginning, with its commands to come.

        Raises
        ------
        ArchiveError
            The market or the strategy is not the one it was played with.
        """
        known = self.opening.strategy
        if known is not None and strategy is None:
            raise ArchiveError(
                f"{self.path}: was played with the strategy {known['name']!r}, whose code is not in the"
                " record: pass strategy="
            )
        simulation = Simulation(
            self.config,
            seed=self.opening.seed,
            market=self.market(market),
            commands=self.commands,
            strategy=strategy,
        )
        if known is not None and simulation.strategy.source_sha256 != known["sha256"]:
            raise ArchiveError(
                f"{self.path}: the strategy {known['name']!r} has another source than it had then, or"
                " other values of what it refers to"
            )
        return simulation

    def restore(
        self, market: Market | None = None, strategy: Strategy | None = None
    ) -> tuple[Simulation, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The run where its record ends.

        Goes from the checkpoint where there is a sound one, else from the start, and holds what it does
        again against the rows that are there.

        Returns
        -------
        The simulation; the rows on disk; and those of its present moment that never reached the disk.

        Raises
        ------
        ArchiveError
            A file is damaged, or doing it again gives something else.
        """
        kept = self.tables()
        simulation = self.simulation(market, strategy)
        checkpoint = load_checkpoint(self.path / STATE, t.STATE)
        begun = dict.fromkeys(TABLES, 0)
        if checkpoint is not None and self._covers(checkpoint.rows, checkpoint.applied):
            begun = dict(checkpoint.rows)
            simulation.go_on_from(checkpoint, {n: rows[: begun[n]] for n, rows in kept.items()})
        frame = simulation.advance(self.reached_ns)
        fresh = {}
        for name, rows in kept.items():
            again: np.ndarray = getattr(frame, name)
            old = rows[begun[name] :]
            fresh[name] = again[old.size :]
            at = first_difference(old, again[: old.size])
            if at is not None:
                raise ArchiveError(
                    f"{self.path / stream(name)}: row {begun[name] + at} is not what the run gives"
                    f" again: {differing(old, again, at)} (made by {told(self.versions)})"
                )
        return simulation, kept, fresh

    def _covers(self, rows: Mapping[str, int], applied: int) -> bool:
        """Whether the rows and commands that a checkpoint counts are there."""
        return applied <= len(self.commands) and all(
            count <= self.marks["rows"][name] for name, count in rows.items()
        )

    def recorder(self, until_ns: int | None = None, quota_bytes: int = QUOTA_BYTES) -> Recorder:
        """Take up the writing where it ended; from here on the record counts as being written.

        Parameters
        ----------
        until_ns
            Where the run is to end now; None leaves it where it was to.

        Raises
        ------
        ArchiveError
            Somebody else is writing, or it cannot be written.
        """
        known = self.opening
        recorder = Recorder(
            self.path,
            known if until_ns is None else replace(known, until_ns=until_ns),
            marks=self.marks,
            whole=self.whole,
            flushes=self.flushes,
            now_ns=self.now_ns,
            quota_bytes=quota_bytes,
        )
        recorder.reopen()
        return recorder


def open_record(path: str | Path) -> Record:
    """Read a folder's facts and hold its files against its journal.

    Raises
    ------
    ArchiveError
        It is no record, or a file is missing, cut short or altered: which, and where.
    """
    folder = Path(path)
    opening, ending, versions = read_run(folder)
    lines, journal_bytes = read_lines(folder / JOURNAL)
    if not lines:
        raise ArchiveError(f"{folder / JOURNAL}: has no line. {REMEDY}")
    done, commands_bytes = read_lines(folder / COMMANDS)
    try:
        _check_streams(folder, lines)
        last = lines[-1]
        commands = [Command(**line) for line in (*opening.commands, *done)]
        return Record(
            path=folder,
            opening=opening,
            ending=ending,
            commands=tuple(sorted(commands, key=lambda command: command.t_ns)),
            now_ns=last["now_ns"],
            reached_ns=max(last["now_ns"], *(line["t_ns"] for line in done), 0),
            marks={"rows": last["rows"], "bytes": last["bytes"]},
            versions=versions,
            whole={JOURNAL: journal_bytes, COMMANDS: commands_bytes},
            flushes=last["flush"],
        )
    except (KeyError, TypeError) as error:
        raise ArchiveError(f"{folder}: its lines are not those of a record: {error!r}") from None


def _check_streams(folder: Path, lines: list[dict[str, Any]]) -> None:
    """Every byte the journal speaks of is there and as it was written; a flush is held at a time."""
    for name in TABLES:
        path = folder / stream(name)
        with _opened(path, lines[-1]["bytes"][name]) as file:
            if file.read(lines[0]["bytes"][name]) != columns.head(name):
                raise ArchiveError(f"{path}: does not begin as the table of this version does")
            for before, after in pairwise(lines):
                start, end = before["bytes"][name], after["bytes"][name]
                if end > start and zlib.crc32(file.read(end - start)) != after["crc32"][name]:
                    raise ArchiveError(
                        f"{path}: bytes {start:,} to {end:,} are not what was written. {REMEDY}"
                    )


def _bytes(path: Path, count: int) -> bytes:
    with _opened(path, count) as file:
        return file.read(count)


@contextmanager
def _opened(path: Path, count: int) -> Iterator[BinaryIO]:
    """A file in which so many bytes are to be there."""
    try:
        with path.open("rb") as file:
            there = os.fstat(file.fileno()).st_size
            if there < count:
                raise ArchiveError(
                    f"{path}: has {there:,} bytes, its journal counts {count:,}. {REMEDY}"
                )
            yield file
    except OSError as error:
        raise ArchiveError(f"{path}: {error.strerror}. {REMEDY}") from None


def is_being_written(folder: Path) -> bool:
    """Whether some process, this one or another, is writing the record."""
    try:
        lock = os.open(folder / JOURNAL, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def first_difference(old: np.ndarray, new: np.ndarray) -> int | None:
    """Index of the first row that is not byte for byte the same, None where all are."""
    if old.tobytes() == new.tobytes():
        return None
    both = min(old.size, new.size)
    row = old.dtype.itemsize
    one, other = (
        np.frombuffer(rows[:both].tobytes(), np.uint8).reshape(both, row) for rows in (old, new)
    )
    unlike = np.flatnonzero((one != other).any(axis=1))
    return int(unlike[0]) if unlike.size else both


def differing(old: np.ndarray, new: np.ndarray, at: int) -> str:
    """The first field in which a row differs, in words."""
    if at >= min(old.size, new.size):
        return f"{old.size} rows, then {new.size}"
    for name in old.dtype.names or ():
        if old[name][at].tobytes() != new[name][at].tobytes():
            return f"{name} was {old[name][at]}, now {new[name][at]}"
    raise AssertionError("rows that differ have a field that does")


def told(versions: Mapping[str, str]) -> str:
    """Versions in words."""
    return ", ".join(f"{name} {value}" for name, value in versions.items())
