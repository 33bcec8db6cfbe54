"""A sweep's file: one JSON line a cell, written as it is done, so that a stopped sweep can go on.

The first line says which sweep it is; the file of another is refused. Lines are only ever appended, and
a last line that was torn by a crash is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lablib.errors import ArchiveError

FORMAT = "lablib.sweep/1"

Line = dict[str, Any]


class Ledger:
    """A sweep's file, open for appending.

    Parameters
    ----------
    path
        Made where it does not exist.
    header
        What makes it this sweep and no other, as JSON holds it.

    Attributes
    ----------
    lines
        What the file had when it was opened; of several lines of a cell the last one.

    Raises
    ------
    ArchiveError
        A file that is another sweep's, none at all, damaged, or cannot be written.
    """

    def __init__(self, path: str | Path, header: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.lines: dict[int, Line] = {}
        header = json.loads(json.dumps({"format": FORMAT, **header}))
        try:
            self._handle = self.path.open("a+b")
            self._handle.seek(0)
            whole = self._read(header)
            self._handle.truncate(whole)
            if not whole:
                self._append(header)
        except OSError as error:
            raise ArchiveError(f"{self.path}: {error.strerror}") from None

    def _read(self, header: Mapping[str, Any]) -> int:
        """Take in every whole line; how many bytes they are."""
        whole = 0
        for number, line in enumerate(self._handle, 1):
            if not line.endswith(b"\n"):
                if number == 1:
                    self._refuse("is no sweep's file")
                break
            whole += len(line)
            try:
                content = json.loads(line)
            except ValueError:
                content = None
            if number == 1:
                self._compare(content, header)
            elif not isinstance(content, dict) or not isinstance(content.get("cell"), int):
                self._refuse(f"line {number} is damaged: {line[:40]!r}")
            else:
                self.lines[content["cell"]] = content
        return whole

    def _compare(self, found: Any, header: Mapping[str, Any]) -> None:
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            self._refuse("is no sweep's file")
        differing = [name for name in header if found.get(name) != header[name]]
        if differing:
            name = differing[0]
            name, old, new = _first_difference(found.get(name), header[name], name)
            self._refuse(
                f"holds another sweep: {name} is {_brief(old)} there and {_brief(new)} here"
            )

    def _refuse(self, why: str) -> None:
        self._handle.close()
        raise ArchiveError(f"{self.path}: {why}; nothing was written")

    def write(self, line: Line) -> None:
        """Append a cell's line, whole."""
        try:
            self._append(line)
        except OSError as error:
            raise ArchiveError(f"{self.path}: {error.strerror}") from None

    def _append(self, line: Mapping[str, Any]) -> None:
        self._handle.write(
            json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        )
        self._handle.flush()

    def close(self) -> None:
        """Close the file."""
        self._handle.close()


def _first_difference(old: Any, new: Any, path: str) -> tuple[str, Any, Any]:
    """The first leaf in which two nested values differ: its path, and both."""
    if isinstance(old, dict) and isinstance(new, dict):
        steps = [(f".{name}", old.get(name), new.get(name)) for name in {**old, **new}]
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return f"the length of {path}", len(old), len(new)
        steps = [(f"[{k}]", *pair) for k, pair in enumerate(zip(old, new, strict=True))]
    else:
        return path, old, new
    step, one, other = next(step for step in steps if step[1] != step[2])
    return _first_difference(one, other, f"{path}{step}")


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
