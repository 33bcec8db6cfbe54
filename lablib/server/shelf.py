"""The folder in which a server keeps records: how large it may grow, and what has to go when it does.

Only records that a server made are touched, known by their names; never one that is being written.
"""

from __future__ import annotations

import logging
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from lablib.errors import ArchiveError
from lablib.recording.folder import RUN
from lablib.recording.record import is_being_written
from lablib.server.backoff import Backoff

WATCH_S = 5.0  # between two looks
_NAME = re.compile(r"[0-9a-f]{12}(-\d+)?")

Held = Callable[[], dict[str, bool]]  # records of the runs that are listed: has the run ended?


class Shelf:
    """Records under a budget.

    Parameters
    ----------
    folder
        Where they are.
    budget_bytes
        What all of them together may take.
    held
        The records, by name, of runs that can still be read: they go last, those of runs under way never.
    drop
        Called with the name of a record that goes.
    """

    def __init__(
        self, folder: Path, budget_bytes: int, *, held: Held, drop: Callable[[str], None]
    ) -> None:
        self.folder, self.budget_bytes = folder, budget_bytes
        self.bytes = 0  # at the last look
        self.removed = 0
        self.backoff = Backoff()
        self._held, self._drop = held, drop
        self._looking = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lablib-shelf", daemon=True)

    def start(self) -> None:
        """Look every few seconds from now on."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def tidy(self) -> int:
        """Take records away, the oldest that ended first, until the rest fits; the bytes there are then.

        Those of runs that nobody can ask for any more go before those that are listed.
        """
        with self._looking:
            sizes = {path: _bytes(path) for path in self._records()}
            total = sum(sizes.values())
            if total > self.budget_bytes:
                for path in self._may_go(list(sizes)):
                    logging.getLogger("lablib").info("No room: the record %s goes", path.name)
                    self._drop(path.name)
                    shutil.rmtree(path, ignore_errors=True)
                    self.removed += 1
                    total -= sizes[path]
                    if total <= self.budget_bytes:
                        break
            self.bytes = total
            return total

    def _records(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        named = (path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))
        return [path for path in named if (path / RUN).is_file()]

    def _may_go(self, records: list[Path]) -> list[Path]:
        held = self._held()
        ended = [
            (path.name in held, (path / RUN).stat().st_mtime_ns, path)
            for path in records
            if held.get(path.name, True) and not is_being_written(path)
        ]
        return [path for _, _, path in sorted(ended)]

    def _watch(self) -> None:
        """Not critical: where looking fails it begins again, later each time."""
        wait_s = WATCH_S
        while not self._closing.wait(wait_s):
            try:
                self.tidy()
                wait_s = WATCH_S
            except (OSError, ArchiveError):
                logging.getLogger("lablib").exception("Watching the records failed; again later")
                wait_s = self.backoff.wait_s()


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # replaced or removed meanwhile
            continue
    return total
