"""Writes a run's folder as the run goes: nothing is dropped, and nothing counts before it is on disk.

The one who advances the run also writes: while the disk is slow the run waits. A flush appends the new
rows to every stream and then a line to the journal that says how far they are whole, with a checksum of
what was added; a crash in between leaves bytes that no line speaks of, and that is all it leaves.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from lablib.commands import Command
from lablib.engine import TABLES, Checkpoint, Simulation
from lablib.errors import ArchiveError
from lablib.files import whole_file
from lablib.recording import columns
from lablib.recording.folder import (
    COMMANDS,
    FAILED,
    JOURNAL,
    STATE,
    Ending,
    Opening,
    stream,
    write_run,
)
from lablib.recording.journal import Journal, write_whole

FLUSH_BYTES = 1 << 20  # of rows that wait
FLUSH_S = 1.0  # and how long they may: what a power failure can take
CHECKPOINT_S = 10.0  # of work that `resume` may have to do again
QUOTA_BYTES = 4 << 30

Marks = dict[str, dict[str, int]]  # rows and bytes of every table


class Recorder:
    """A record being written; use `create` or `take_up`.

    Attributes
    ----------
    path
        The folder.
    rows
        Rows written or waiting, by table.
    flushed
        Rows on disk, by table.
    """

    def __init__(
        self,
        path: Path,
        opening: Opening,
        *,
        marks: Marks,
        whole: Mapping[str, int],
        flushes: int,
        now_ns: int,
        quota_bytes: int = QUOTA_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.opening = opening
        self.rows = dict(marks["rows"])
        self.flushed = dict(marks["rows"])
        self._bytes = dict(marks["bytes"])
        self._flushes = flushes
        self._now_ns = now_ns
        self._quota = quota_bytes
        self._clock = clock
        self._waiting: dict[str, list[np.ndarray]] = {name: [] for name in TABLES}
        self._waiting_bytes = 0
        self._flushed_at = self._checked_at = clock()
        self._files: dict[str, int] = {}
        try:
            self._lock = os.open(path / JOURNAL, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ArchiveError(f"{path}: is being written by another process") from None
            for name in TABLES:
                file = os.open(path / stream(name), os.O_WRONLY | os.O_CLOEXEC)
                os.ftruncate(file, self._bytes[name])
                self._files[name] = file
            self._journal = Journal(path / JOURNAL, whole[JOURNAL])
            self._commands = Journal(path / COMMANDS, whole[COMMANDS])
        except OSError as error:
            raise ArchiveError(f"{path}: {error.strerror}") from None

    @classmethod
    def create(cls, path: str | Path, opening: Opening, **options: Any) -> Recorder:
        """Begin a record in a new folder.

        Raises
        ------
        ArchiveError
            Where the folder exists and is not empty, or cannot be made; nothing was written.
        """
        target = Path(path)
        try:
            if target.exists() and (not target.is_dir() or any(target.iterdir())):
                raise ArchiveError(
                    f"{target}: exists and is not an empty folder; nothing was written"
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        except OSError as error:
            raise ArchiveError(f"{target}: {error.strerror}") from None
        marks: Marks = {"rows": dict.fromkeys(TABLES, 0), "bytes": {}}
        try:
            for name in TABLES:
                marks["bytes"][name] = (scratch / stream(name)).write_bytes(columns.head(name))
            journal = Journal(scratch / JOURNAL)
            journal.append(_line(0, 0, marks, dict.fromkeys(TABLES, 0)))
            journal.close()
            (scratch / COMMANDS).touch()
            write_run(scratch, opening, Ending(), versions())
            scratch.chmod(0o755)
            if target.exists():
                target.rmdir()
            scratch.rename(target)
        except (OSError, ArchiveError) as error:
            shutil.rmtree(scratch, ignore_errors=True)
            why = error.strerror if isinstance(error, OSError) else error
            raise ArchiveError(f"{target}: {why}") from None
        whole = {JOURNAL: journal.size, COMMANDS: 0}
        return cls(target, opening, marks=marks, whole=whole, flushes=0, now_ns=0, **options)

    # ------------------------------------------------------------------------------------- writing
    def reopen(self) -> None:
        """Take back how it ended, before rows are added that its digest would not cover.

        Raises
        ------
        ArchiveError
            It could not be written; the files are let go of.
        """
        try:
            write_run(self.path, self.opening, Ending(), versions())
        except ArchiveError:
            self.leave()
            raise

    def command(self, command: Command) -> None:
        """Put a command on disk; once this returns it will be played again.

        Raises
        ------
        ArchiveError
            It could not be written.
        """
        self._try(lambda: self._commands.append(asdict(command)))

    def append(self, now_ns: int, tables: Mapping[str, np.ndarray]) -> None:
        """Take the rows up to a simulated time; on disk within `FLUSH_S`, at the next call.

        Raises
        ------
        ArchiveError
            The disk or the quota is full; what was on it before is whole.
        """
        self._now_ns = now_ns
        for name, rows in tables.items():
            if rows.size:
                self._waiting[name].append(rows)
                self._waiting_bytes += rows.nbytes
                self.rows[name] += rows.size
        if self._waiting_bytes >= FLUSH_BYTES or self._clock() - self._flushed_at >= FLUSH_S:
            self.flush()

    @property
    def wants_checkpoint(self) -> bool:
        """Whether the last one is long ago."""
        return self._clock() - self._checked_at >= CHECKPOINT_S

    def flush(self) -> None:
        """Bring everything taken onto the disk.

        Raises
        ------
        ArchiveError
            As `append`.
        """
        self._try(self._flush)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint; flushes first, so that its rows are there.

        Raises
        ------
        ArchiveError
            As `append`; the one before is still there.
        """
        self.flush()
        save_checkpoint(self.path / STATE, checkpoint)
        self._checked_at = self._clock()

    def close(self, ending: Ending) -> None:
        """Say how the run ended. A failed one is closed as well as the disk allows."""
        try:
            if ending.status != FAILED:
                self.flush()
            write_run(self.path, self.opening, ending, versions())
        finally:
            self.leave()

    def leave(self) -> None:
        """Let go of the files, without a word on how the run ended."""
        self._journal.close()
        self._commands.close()
        for file in (*self._files.values(), self._lock):
            os.close(file)
        self._files = {}

    def _flush(self) -> None:
        added, ends, sums = {}, dict(self._bytes), dict.fromkeys(TABLES, 0)
        for name, parts in self._waiting.items():
            if parts:
                added[name] = columns.message(name, np.concatenate(parts))
                sums[name] = zlib.crc32(added[name])
                ends[name] += len(added[name])
        total = sum(ends.values())
        if total > self._quota:
            raise ArchiveError(f"{self.path}: full: {total:,} bytes, its quota is {self._quota:,}")
        for name, data in added.items():
            write_whole(self._files[name], data, self._bytes[name])
            os.fdatasync(self._files[name])
        marks = {"rows": self.rows, "bytes": ends}
        self._journal.append(_line(self._flushes + 1, self._now_ns, marks, sums))
        self._flushes += 1
        self._bytes = ends
        self.flushed = dict(self.rows)
        self._waiting = {name: [] for name in TABLES}
        self._waiting_bytes = 0
        self._flushed_at = self._clock()

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            raise ArchiveError(f"{self.path}: {error.strerror}") from None


def opening_of(simulation: Simulation, until_ns: int | None) -> Opening:
    """What a simulation is a function of, with the commands it knows of and has not done."""
    market, own = simulation.market, simulation.strategy
    sources = getattr(market, "sources", ())
    return Opening(
        config=simulation.first_config.model_dump(mode="json"),
        seed=simulation.seed,
        until_ns=until_ns,
        market=None
        if market is None
        else {
            "name": getattr(market, "name", ""),
            "sha256": market.sha256,
            "sources": [{"name": one.name, "sha256": one.sha256, **one.said} for one in sources],
        },
        strategy={"name": own.name, "sha256": own.source_sha256} if own.name else None,
        commands=[asdict(command) for command in simulation.coming],
    )


def versions() -> dict[str, str]:
    """What the last bit of a float may depend on."""
    from lablib import __version__

    return {
        "lablib": __version__,
        "numpy": np.__version__,
        "platform": f"{platform.machine()}-{platform.system()}",
    }


def _line(flush: int, now_ns: int, marks: Marks, sums: Mapping[str, int]) -> dict[str, Any]:
    return {"flush": flush, "now_ns": now_ns, **marks, "crc32": dict(sums)}


_CHECKPOINT = [("applied", np.int64), ("rows", np.int64, (len(TABLES),)), ("crc32", np.int64)]


def _checkpoint_type(state: np.dtype) -> np.dtype:
    return np.dtype([*_CHECKPOINT, ("state", state)])


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole.

    Raises
    ------
    ArchiveError
        It could not be written; the one before is still there.
    """
    content = np.zeros(1, _checkpoint_type(checkpoint.state.dtype))
    content["applied"] = checkpoint.applied
    content["rows"] = [checkpoint.rows[name] for name in TABLES]
    content["state"] = checkpoint.state
    content["crc32"] = _sum(content)
    with whole_file(path, durable=True) as handle:
        np.save(handle, content, allow_pickle=False)


def load_checkpoint(path: Path, state: np.dtype) -> Checkpoint | None:
    """The checkpoint in a file, or None where there is none or it is damaged or another version's."""
    try:
        content = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, TokenError):  # the last two by its header
        return None
    if content.dtype != _checkpoint_type(state) or content.shape != (1,):
        return None
    if content["crc32"][0] != _sum(content):
        return None
    rows = dict(zip(TABLES, content["rows"][0].tolist(), strict=True))
    return Checkpoint(content["state"].copy(), int(content["applied"][0]), rows)


def _sum(content: np.ndarray) -> int:
    """Of everything but the checksum itself."""
    facts = content["applied"].tobytes() + content["rows"].tobytes()
    return zlib.crc32(content["state"].tobytes(), zlib.crc32(facts))
