"""Is a record true? It is run again on a thread of its own, and what came out is put into words."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from lablib.errors import LabError
from lablib.widgets.loop import Loop
from lablib.widgets.shelf import Shelf

LOOK_S = 0.2  # between two looks at a verification
_TITLES = {True: "The same, to the last byte", False: "Not the same", None: "Not checked"}


class StoppedError(Exception):
    """Nobody wants to know any more."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it.

    Attributes
    ----------
    same
        Whether every row came out equal, and the digest where the record has one; None where nobody
        can tell.
    recorded, again
        Digests; empty where there is none.
    """

    same: bool | None
    words: str
    recorded: str = ""
    again: str = ""

    @property
    def html(self) -> str:
        """The verdict as the page shows it."""
        title = _TITLES[self.same]
        digests = "".join(
            f'<span>{name}</span><code class="{kind}">{escape(digest)}</code>'
            for name, kind, digest in (
                ("digest in the record", "recorded", self.recorded),
                ("digest when run again", "again", self.again),
            )
            if digest and self.same is not None
        )
        bad = "" if self.same else " bad"
        return f'<div class="lrl-verdict{bad}" role="status"><b>{title}</b>{escape(self.words)}{digests}</div>'


class Check:
    """One verification: `work` on a thread, the rest from anywhere.

    Attributes
    ----------
    share
        How much of it is done, in [0, 1].
    verdict
        None until it is there.
    """

    def __init__(self, shelf: Shelf, name: str) -> None:
        self.share = 0.0
        self.verdict: Verdict | None = None
        self._shelf, self._name = shelf, name
        self._stop = threading.Event()

    def cancel(self) -> None:
        """Stop at the next opportunity."""
        self._stop.set()

    def work(self) -> None:
        """Run the record again and compare."""
        recorded = ""
        try:
            from lablib.replay import replay

            again = replay(self._shelf.path(self._name))
            recorded = again.record.ending.digest
            digest = again.verify(self._told)
            count = len(again.record.commands)
            rows = sum(again.record.marks["rows"].values())
            words = (
                f"Run again from its settings, its seed {again.record.opening.seed} and"
                f" {count} command{'' if count == 1 else 's'}: all {rows:,} rows came out equal"
            )
            if recorded:
                words += ", and so did the digest: the two below are equal."
            else:
                words += f". It is {again.record.status} and has no digest of its own yet."
            self.verdict = Verdict(True, words, recorded, digest)
        except StoppedError:
            self.verdict = Verdict(None, "Cancelled before the end.")
        except LabError as error:
            differs = False if self.share == 1.0 else None  # before, there was nothing to compare
            self.verdict = Verdict(differs, self._shelf.plain(error), recorded)

    def _told(self, share: float) -> None:
        self.share = share
        if self._stop.is_set():
            raise StoppedError


async def watch(check: Check, loop: Loop, tell: Callable[[float], None]) -> None:
    """Have a verification done on a thread, and `tell` its share meanwhile; it stops where this does."""
    work = asyncio.ensure_future(loop.aside(check.work))
    try:
        while not work.done():
            await asyncio.wait([work], timeout=LOOK_S)
            tell(check.share)
        await work
    finally:
        check.cancel()
