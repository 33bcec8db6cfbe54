"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lablib.errors import ArchiveError


@contextmanager
def whole_file(path: str | Path, *, text: bool = False, durable: bool = False) -> Iterator[IO[Any]]:
    """A file to write, which appears under its name only once all of it is there.

    Parameters
    ----------
    text
        Write UTF-8 text, line ends as given, instead of bytes.
    durable
        Wait until it would survive a power failure.

    Raises
    ------
    ArchiveError
        Where it cannot be written; what stood under the name still does.
    """
    target = Path(path)
    scratch: Path | None = None
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        scratch = Path(name)
        options: dict[str, Any] = {"newline": "", "encoding": "utf-8"} if text else {}
        with os.fdopen(number, "w" if text else "wb", **options) as handle:
            yield handle
            if durable:
                handle.flush()
                os.fsync(handle.fileno())
        scratch.chmod(0o644)
        scratch.replace(target)
    except OSError as error:
        raise ArchiveError(f"{target}: {error.strerror}") from None
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)
