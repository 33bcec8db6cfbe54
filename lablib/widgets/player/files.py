"""Tables of a record as files that a page hands over, inside the page itself."""

from __future__ import annotations

import base64
import io
from html import escape

from lablib.errors import ConfigError
from lablib.widgets.player.desk import FILES, TABLES
from lablib.widgets.player.reel import Reel

MOST_BYTES = 48 << 20  # of a table that a page hands over


def check(reel: Reel, table: str, ending: str) -> None:
    """Whether a page hands it over.

    Raises
    ------
    ConfigError
        No such table or file, or one that is too large for a page.
    """
    if ending not in FILES or table not in TABLES.values():
        raise ConfigError(f"save: no such file, {ending[:20]!r} of {str(table)[:20]!r}")
    size = getattr(reel.run, table).nbytes
    if size > MOST_BYTES:
        raise ConfigError(
            f"save: {table} holds {size >> 20:,} MB, a page hands over {MOST_BYTES >> 20} MB at most;"
            f" `lablib export {reel.name} {table}.{ending} --table {table}` writes it"
        )


def encoded(reel: Reel, table: str, ending: str) -> bytes:
    """A table as a file; of samples the CSV is the replay CSV."""
    from lablib.exports import encoded
    from lablib.run import write_replay

    rows = getattr(reel.run, table)
    if (table, ending) == ("samples", "csv"):
        page = io.StringIO(newline="")
        write_replay(page, rows)
        return page.getvalue().encode()
    return encoded(rows, f".{ending}")


def link(name: str, data: bytes) -> str:
    """A download as HTML."""
    href = f"data:application/octet-stream;base64,{base64.b64encode(data).decode()}"
    size = f"{len(data) / 1e6:,.1f} MB" if len(data) > 1e5 else f"{len(data) / 1e3:,.1f} kB"
    text = f"Save {escape(name)}, {size}"
    return f'<div class="lrl-note"><a class="lrl-get" download="{escape(name)}" href="{href}">{text}</a></div>'
