"""Lines that are there or not: appended whole, each behind the checksum of its text.

A crash can tear the last line; it then was never there. A line that is damaged before others that are
whole is no crash: somebody or something changed the file, and that is said.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

from lablib.errors import ArchiveError

_HEX = 8


class Journal:
    """A file of lines, open for appending.

    Parameters
    ----------
    path
        Made where it does not exist.
    whole
        Bytes that hold whole lines; what follows was torn, and is cut off.
    """

    def __init__(self, path: Path, whole: int = 0) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.ftruncate(self._file, whole)
        self.size = os.lseek(self._file, 0, os.SEEK_END)

    def append(self, content: dict[str, Any]) -> None:
        """Write a line; once this returns it survives a power failure.

        Raises
        ------
        OSError
            It could not be written; nothing of it counts.
        """
        text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        write_whole(self._file, line, self.size)
        os.fdatasync(self._file)
        self.size += len(line)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def write_whole(file: int, data: bytes | memoryview, at: int) -> None:
    """Write all of `data` at a place; where the disk has no room, leave the file as it was before."""
    view = memoryview(data)
    done = 0
    try:
        while done < len(view):
            done += os.pwrite(file, view[done:], at + done)
    except OSError:
        os.ftruncate(file, at)
        raise


def read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The whole lines of a file, and how many bytes they are.

    Raises
    ------
    ArchiveError
        No such file, or a line that is damaged though others follow it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArchiveError(f"{path}: {error.strerror}") from None
    lines: list[dict[str, Any]] = []
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        content = None if end < 0 else _content(data[at:end])
        if content is None:
            if 0 <= end < len(data) - 1:
                raise ArchiveError(
                    f"{path}: line {len(lines) + 1} is damaged: {data[at : at + 60]!r}"
                )
            break
        lines.append(content)
        at = end + 1
    return lines, at


def _content(line: bytes) -> dict[str, Any] | None:
    check, text = line[:_HEX], line[_HEX + 1 :]
    if b"%08x" % zlib.crc32(text) != check:
        return None
    content = json.loads(text)
    return content if isinstance(content, dict) else None
