"""The records a page may see and add to: one folder, and names within it.

Whoever starts the process says which folder, by `LABLIB_RECORDS`; a visitor chooses among the names that
stand there and never writes a path. Knows no widget.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lablib.errors import ArchiveError
from lablib.recording.folder import COMMANDS, JOURNAL, RECORDING, RUN, free, read_run
from lablib.recording.journal import read_lines

FOLDER = "LABLIB_RECORDS"  # as `lablib serve` leaves it to its pages
HERE = "runs"  # where nobody has said otherwise
SHOWN = 200  # records of a list
QUOTA_BYTES = 256 << 20  # of the tables of one record kept from a page
ROOM_BYTES = 4 << 30  # of all records; beyond it a page begins no other
ROOM = 2_000  # of them, likewise
_TRIES = 8  # for a name that somebody else may take at the same moment
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
_ABSOLUTE = re.compile(r"(?<![\w.])/(?:[^/\s:]+/)+([^/\s:]+)")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """What can be told of a record without reading its tables.

    `status` is that of the record, or damaged, then with a `reason`.
    """

    name: str
    status: str
    reason: str = ""
    seconds: float = 0.0
    seed: int = 0
    commands: int = 0
    samples: int = 0
    digest: str = ""

    @property
    def words(self) -> str:
        """The record in one line."""
        if self.status == "damaged":
            return f"{self.name} · damaged"
        return f"{self.name} · {span(self.seconds)} · {self._done}"

    @property
    def about(self) -> str:
        """The rest of it."""
        status = (
            "not closed: interrupted, or still running" if self.status == RECORDING else self.status
        )
        return " · ".join(filter(None, [status, self.reason, span(self.seconds), self._done]))

    @property
    def _done(self) -> str:
        return f"{self.commands} command{'' if self.commands == 1 else 's'}"


class Shelf:
    """The folder of records.

    Parameters
    ----------
    folder
        From the environment unless given; without either `runs` where the process stands.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder or os.environ.get(FOLDER) or HERE)

    def names(self) -> list[str]:
        """Names of the records there, the newest first."""
        try:
            aged = [
                ((path / RUN).stat().st_mtime_ns, path.name)
                for path in self.folder.iterdir()
                if _NAME.fullmatch(path.name) and _is_record(path)
            ]
        except OSError:  # no folder yet, or a record that went while we looked
            return []
        return [name for _, name in sorted(aged, reverse=True)][:SHOWN]

    def entries(self) -> list[Entry]:
        """Every record there, the newest first."""
        return [self._entry(name) for name in self.names()]

    def _entry(self, name: str) -> Entry:
        path = self.folder / name
        try:
            opening, ending, _ = read_run(path)
            lines, _ = read_lines(path / JOURNAL)
            commands, _ = read_lines(path / COMMANDS)
            last = lines[-1]
            return Entry(
                name=name,
                status=ending.status,
                reason=ending.reason,
                seconds=max([last["now_ns"], *(line["t_ns"] for line in commands[-1:])]) / 1e9,
                seed=opening.seed,
                commands=len(commands),
                samples=last["rows"]["samples"],
                digest=ending.digest,
            )
        except (ArchiveError, LookupError, TypeError) as error:
            return Entry(name, "damaged", self.plain(error))

    def path(self, name: str) -> Path:
        """The folder of a record.

        Raises
        ------
        ArchiveError
            No record of that name stands here.
        """
        path = self.folder / name
        if not (_NAME.fullmatch(name) and _is_record(path)):
            raise ArchiveError(f"record: there is no record {name[:60]!r} here")
        return path

    def begin(self, make: Callable[[Path], T], name: str = "live") -> T:
        """Have a record made at a path that is free, `live`, `live-2` and so on, and give what `make` gave.

        Raises
        ------
        ArchiveError
            The folder is full, or cannot be written.
        """
        count, held = self._held()
        if count >= ROOM or held > ROOM_BYTES:
            raise ArchiveError(
                f"record: no room: there are {count:,} records of {held >> 20:,} MB here, the most"
                f" is {ROOM:,} of {ROOM_BYTES >> 20:,} MB"
            )
        for turn in range(_TRIES):
            path = free(self.folder / name)
            try:
                return make(path)
            except ArchiveError as error:
                if turn == _TRIES - 1 or not path.exists():
                    raise ArchiveError(self.plain(error)) from None
        raise AssertionError("the last turn either makes or raises")

    def plain(self, error: object) -> str:
        """An error's words, without saying where on this computer a file is."""
        words = str(error).replace(f"{self.folder}/", "")
        return _ABSOLUTE.sub(r"\1", words)

    def _held(self) -> tuple[int, int]:
        """Folders there, and bytes in them."""
        try:
            sizes = [file.stat().st_size for file in self.folder.glob("*/*") if file.is_file()]
            return sum(1 for _ in self.folder.glob("*/")), sum(sizes)
        except OSError:  # a record that went while we looked
            return 0, 0


def _is_record(path: Path) -> bool:
    return (path / RUN).is_file() and not path.is_symlink()


def span(seconds: float) -> str:
    """Simulated time as a person says it.

    >>> span(4.25), span(75), span(3_720)
    ('4.2 s', '1 min 15 s', '1 h 02 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60:,} h {minutes % 60:02} min"
