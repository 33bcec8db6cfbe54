"""The recorded markets a page may play on: those it is told of by name, and files a visitor hands in.

Whoever starts the process says which markets there are, by `LABLIB_MARKETS`; a visitor chooses among
their names and never writes a path. What is handed in is bounded, lies in a folder of ours, and is gone
from there once it is read. Knows no widget.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lablib.errors import ConfigError, DataError
from lablib.tape.readers.text import OnBad
from lablib.tape.readers.wrapping import exceeds

if TYPE_CHECKING:
    from lablib.tape.recorded import Market

MARKETS, ROOM = "LABLIB_MARKETS", "LABLIB_UPLOAD_MB"  # as `lablib serve` leaves them to its pages
NOTEBOOK_MB = 9  # a Jupyter server takes 10 MB in one message
MB = 1 << 20
UNPACKED_BYTES = 96 * MB  # of a file that is handed in
_LONGEST_NAME = 60
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

Markets = Mapping[str, Sequence[str | Path]] | Sequence[str | Path]


@dataclass(frozen=True)
class Upload:
    """A file as a visitor handed it in: its name, to be shown and for nothing else, and its bytes."""

    name: str
    data: bytes


class Stall:
    """Markets to choose from.

    Parameters
    ----------
    markets
        Leader's and follower's file by name, or one such pair; from the environment unless given.

    Attributes
    ----------
    upload_bytes
        How large a file may be that is handed in.

    Raises
    ------
    ConfigError
        Not two files to a name.
    """

    def __init__(self, markets: Markets | None = None) -> None:
        self._files = _pairs(_told() if markets is None else markets)
        self.upload_bytes = _megabytes() * MB

    @property
    def names(self) -> list[str]:
        """The markets there are, in the order given."""
        return list(self._files)

    def load(self, name: str, on_bad: OnBad = "raise") -> Market:
        """Read one of them.

        Raises
        ------
        ConfigError
            There is none of that name.
        DataError
            It cannot be read; no path is told.
        """
        if name not in self._files:
            known = ", ".join(self._files) or "none"
            raise ConfigError(f"market: there is no market {str(name)[:60]!r} here; known: {known}")
        files = self._files[name]
        return _read(files, {str(file): file.name for file in files}, on_bad)

    def accept(self, role: str, files: Any) -> Upload:
        """One file as a browser sent it: a sequence of one mapping with `name` and `content`.

        Raises
        ------
        DataError
            It is none, is empty, or larger than may be; packed or not.
        """
        try:
            content, name = files[0]["content"], files[0]["name"]
            data = bytes(memoryview(content))
        except (TypeError, ValueError, LookupError):
            raise DataError(f"{role}: that was no file") from None
        shown = _clean(name) or f"{role}’s file"
        if not data:
            raise DataError(f"{shown}: is empty")
        if len(data) > self.upload_bytes:
            what = f"holds {len(data) / MB:,.1f} MB, the most is {self.upload_bytes / MB:g} MB"
            raise DataError(f"{shown}: {what}")
        if exceeds(data, UNPACKED_BYTES):
            raise DataError(f"{shown}: unpacks to more than {UNPACKED_BYTES / MB:g} MB")
        return Upload(shown, data)

    def take(self, leader: Upload, follower: Upload, on_bad: OnBad = "raise") -> Market:
        """Read what was handed in; nothing of it stays on disk.

        Raises
        ------
        DataError
            They are no market; the words name the file as its owner does.
        """
        with tempfile.TemporaryDirectory(prefix="lablib-") as folder:
            names, files = {}, []
            for role, one in (("leader", leader), ("follower", follower)):
                # Some readers take the symbol from the name: it is kept where it is harmless.
                name = one.name if _PLAIN_NAME.fullmatch(one.name) else role
                file = Path(folder) / role / name
                file.parent.mkdir()
                file.write_bytes(one.data)
                files.append(file)
                same = leader.name == follower.name
                names[str(file)] = f"{role} {one.name}" if same else one.name
            return _read(files, names, on_bad)


def _read(files: Sequence[Path], names: Mapping[str, str], on_bad: OnBad) -> Market:
    """Load a pair, and call its files in every word by the names that may be shown."""
    from lablib.tape.recorded import load_pair

    def told(words: str) -> str:
        for path, name in names.items():
            words = words.replace(path, name)
        return words

    try:
        market = load_pair(files[0], files[1], on_bad=on_bad)
    except DataError as error:
        raise DataError(told(str(error))) from None
    warnings = [told(line) for line in market.report["warnings"]]
    return replace(market, report={**market.report, "warnings": warnings})


def _pairs(markets: Any) -> dict[str, tuple[Path, Path]]:
    if not isinstance(markets, Mapping):
        pair = [Path(file) for file in markets] if not isinstance(markets, str | Path) else []
        markets = {" > ".join(file.name.partition(".")[0] for file in pair): pair}
    pairs: dict[str, tuple[Path, Path]] = {}
    for name, files in markets.items():
        if isinstance(files, str | Path) or len(files) != 2:
            raise ConfigError(
                f"markets: {name or 'a market'} needs a leader's and a follower's file, got {files!r}"
            )
        leader, follower = (Path(file).absolute() for file in files)
        pairs[str(name)] = (leader, follower)
    return pairs


def _told() -> Any:
    """What the server left us; nothing where there is none."""
    try:
        told = json.loads(os.environ.get(MARKETS, "{}"))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _megabytes() -> int:
    word = os.environ.get(ROOM, "")
    return int(word) if word.isdecimal() and len(word) < 5 else NOTEBOOK_MB


def _clean(name: object) -> str:
    """A visitor's name for a file: one line that can be read, and no folders."""
    text = str(name) if isinstance(name, str) else ""
    text = text.replace("\\", "/").rpartition("/")[2][:_LONGEST_NAME]
    return "".join(sign if sign.isprintable() else "?" for sign in text).strip()
