"""The records of a shelf as a page lists them, and one of them read."""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode

from lablib.errors import ConfigError
from lablib.widgets.player.reel import Reel
from lablib.widgets.shelf import Entry, Shelf

MOST_SAMPLES = 4_000_000  # of a record that a page opens


class Catalogue:
    """What was on a shelf when it was last looked at.

    Attributes
    ----------
    entries
        By name, the newest first.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.entries: dict[str, Entry] = {}

    def look(self) -> None:
        """Look at the shelf."""
        self.entries = {one.name: one for one in self._shelf.entries()}

    @property
    def newest(self) -> str:
        """The newest record that a page can open; empty for none."""
        names = (
            one.name
            for one in self.entries.values()
            if one.status != "damaged" and one.samples <= MOST_SAMPLES
        )
        return next(names, "")

    def read(self, name: str) -> Reel:
        """Read a record, on whatever thread.

        Raises
        ------
        LabError
            None of that name, one that cannot be read, or more than a page shows.
        """
        from lablib.replay import open_run

        path = self._shelf.path(name)
        known = self.entries.get(name)
        if known is not None and known.samples > MOST_SAMPLES:
            raise ConfigError(
                f"{name}: has {known.samples:,} decisions, a page shows {MOST_SAMPLES:,} at most;"
                " lab.open_run in a notebook opens it"
            )
        return Reel(name, open_run(path))

    def pairs(self) -> list[tuple[str, str]]:
        """Words and name of every record."""
        return [(one.words, one.name) for one in self.entries.values()]

    def about(self, reel: Reel) -> str:
        """A record that is open, in a line of plain text."""
        known = self.entries.get(reel.name)
        told = [known.about] if known is not None else []
        return " · ".join([*told, f"seed {reel.run.seed}", f"digest {reel.run.digest[:12]}…"])


def link(name: str, other: str) -> str:
    """The address of a record, and of the one beside it where there is one."""
    words = {"record": name, **({"compare": other} if other else {})}
    return f'<a href="?{escape(urlencode(words), quote=True)}">Link to this record</a>'
