"""What every reader of text needs: the lines of a file however wrapped, exact decimals, one way to refuse.

Knows no vendor's layout. A file is read whole: a recording that does not fit in memory does not fit
this lab either.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lablib.errors import ConfigError, DataError
from lablib.tape.readers.wrapping import inflate

OnBad = Literal["raise", "skip"]
Ints = NDArray[np.int64]

# Twelve digits before the point leave room for six behind it in an int64; `decimals` checks the sum.
_DECIMAL = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")
_DECIMALS = re.compile(rf"(?:{_DECIMAL.pattern},)*+")
_MAX_DIGITS = 18


class Refusals:
    """What to do with a bad row: stop with its file, line and value, or drop it and count why.

    `counted` is what the file counts its rows in: lines, or records.
    """

    def __init__(self, source: str, on_bad: OnBad, counted: str = "line") -> None:
        if on_bad not in get_args(OnBad):
            raise ConfigError(f"on_bad must be 'raise' or 'skip', not {on_bad!r}")
        self.source = source
        self.counted = counted
        self.skip = on_bad == "skip"
        self.counts: Counter[str] = Counter()

    def refuse(self, line: int, reason: str, message: str) -> None:
        """Raise the message, or count the reason when bad rows are skipped."""
        if not self.skip:
            raise DataError(f"{self.source}, {self.counted} {line}: {message}")
        self.counts[reason] += 1

    def stop(self, message: str) -> DataError:
        """The error for a file that is bad as a whole, to be raised by the caller."""
        return DataError(f"{self.source}: {message}")


def read_bytes(path: str | Path) -> bytes:
    """The file as it lies on disk, or a DataError that says why not."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a directory, not a file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def sha256(data: bytes) -> str:
    """SHA-256 as hexadecimal text."""
    return hashlib.sha256(data).hexdigest()


def lines_of(data: bytes, refusals: Refusals) -> list[str]:
    """Lines of a file's bytes. A damaged wrapping is refused, or keeps the whole lines before it."""
    plain, damage = inflate(data)
    lines = plain.decode("utf-8", errors="replace").split("\n")
    if damage:
        refusals.refuse(len(lines), "truncated", damage)
        lines.pop()  # cut in the middle
    elif not lines[-1]:
        lines.pop()
    return lines


def decimals(texts: Sequence[object]) -> tuple[Ints, int, Ints]:
    """Exact integers of decimal strings.

    Parameters
    ----------
    texts
        Such as ``"61804.70"``: digits and at most one point, no sign, no exponent.

    Returns
    -------
    values
        ``int64``, the decimals times ``10 ** places``; 0 where a text is bad.
    places
        Digits behind the point, the most any text has.
    bad
        Indices of what is not such a string, or too long for an exact ``int64``.
    """
    if not len(texts):
        return np.zeros(0, np.int64), 0, np.zeros(0, np.int64)
    bad: list[int] = []
    joined = _joined(texts)
    if joined is None:
        bad = [i for i, text in enumerate(texts) if not _is_decimal(text)]
        gone = set(bad)
        joined = "".join("0," if i in gone else f"{text}," for i, text in enumerate(texts))
    raw = np.frombuffer(joined.encode(), np.uint8)
    ends = np.flatnonzero(raw == ord(","))
    starts = np.concatenate(([0], ends[:-1] + 1))[: len(ends)]
    points = np.flatnonzero(raw == ord("."))
    owner = np.searchsorted(ends, points)
    behind = np.zeros(len(ends), np.int64)
    behind[owner] = ends[owner] - points - 1
    places = int(behind.max(initial=0))
    before = ends - starts - behind - (behind > 0)
    long = before + places > _MAX_DIGITS
    values = np.fromstring(joined.replace(".", ""), dtype=np.int64, sep=",")
    values = np.where(long, 0, values * 10 ** np.where(long, 0, places - behind))
    return values, places, np.union1d(np.array(bad, np.int64), np.flatnonzero(long))


def _joined(texts: Sequence[object]) -> str | None:
    """All texts, each closed by a comma, or None when one of them is no decimal."""
    try:
        joined = ",".join(texts) + ","  # type: ignore[arg-type]
    except TypeError:
        return None
    whole = joined.count(",") == len(texts) and _DECIMALS.fullmatch(joined)
    return joined if whole else None


def _is_decimal(text: object) -> bool:
    return isinstance(text, str) and _DECIMAL.fullmatch(text) is not None


def coarsest_step(values: Ints, places: int) -> int:
    """Largest power of ten, at most one whole unit, that divides every value: undoes padding zeros."""
    step = 1
    while step < 10**places and not np.any(values % (step * 10)):
        step *= 10
    return step
