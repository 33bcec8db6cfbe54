"""Rebuilds the order book of a Binance capture and proves it right.

The vendor's rules: start at a REST snapshot, drop the messages it already contains, the first one
applied must reach back to it, and from then on each must follow the one before (`pu` on futures, `U`
on spot). After a break the book is unknown until the next snapshot. The proof: the touch after every
message equals the `bookTicker` of the same or the last smaller update id, which the exchange computed
by itself.
"""

from __future__ import annotations

from array import array

import numpy as np

from lablib.kernels.tables import FAR
from lablib.tape.readers.binance import BinanceCapture, Snapshot
from lablib.tape.readers.capture import ABSENT
from lablib.tape.readers.levels import TOUCH, History, LevelBook, Teller
from lablib.tape.readers.text import OnBad, Refusals


def rebuild(
    capture: BinanceCapture, *, start_ns: int = 0, reach_ticks: int = FAR, on_bad: OnBad = "raise"
) -> History:
    """Rebuild the book and compare it with bookTicker.

    Parameters
    ----------
    capture
        A recording with a snapshot and depth messages.
    start_ns
        Events begin with the whole book at this receive time, or when it is first known.
    reach_ticks
        Levels further than this from the middle are kept, but not told.
    on_bad
        At a gap or a crossed book "raise" stops; "skip" counts it, clears the book, and starts over
        from the next snapshot.
    """
    return _Rebuilding(capture, start_ns, reach_ticks, on_bad).run()


class _Rebuilding:
    """One pass over one capture."""

    def __init__(
        self, capture: BinanceCapture, start_ns: int, reach_ticks: int, on_bad: OnBad
    ) -> None:
        self.capture = capture
        self.depth = capture.depth
        self.refusals = Refusals(capture.source, on_bad)
        self.teller = Teller(reach_ticks)
        self.known_from_ns = start_ns  # nothing is told before
        self.applied = array("q")  # message, best bid, its lots, best ask, its lots
        rows = (capture.rows[name].tolist() for name in ("side", "ticks", "lots"))
        self.rows = list(zip(*rows, strict=True))

    def run(self) -> History:
        """Start at a snapshot, follow it to the end or to a break, start again."""
        if not self.capture.snapshots:
            raise self.refusals.stop("holds no depth snapshot, so its book cannot be rebuilt")
        at = 0
        for snapshot in self.capture.snapshots:
            first = self._first_after(snapshot)
            if first < at:
                continue  # taken while the book was still in step
            if self._continues(first, snapshot.last_update_id):
                at = self._follow(snapshot, first)
                if at == len(self.depth):
                    break
        events = self.teller.events()
        if not len(events):
            raise self.refusals.stop("holds no snapshot that its depth messages continue")
        return History(events, self.teller.touch(), self._report())

    def _first_after(self, snapshot: Snapshot) -> int:
        """Index of the first message the snapshot does not wholly contain."""
        newer = self.depth["final_id"] > snapshot.last_update_id
        # Futures keep the message that ends exactly at the snapshot; it changes nothing.
        is_futures = self.depth["previous_id"] != ABSENT
        same = is_futures & (self.depth["final_id"] == snapshot.last_update_id)
        found = np.flatnonzero(newer | same)
        return int(found[0]) if len(found) else len(self.depth)

    def _continues(self, at: int, last_id: int) -> bool:
        """Whether the first message to apply reaches back to the snapshot; refuse it otherwise.

        On futures, ids between `pu` and `U` belong to nobody: a snapshot taken there is continued.
        """
        if at == len(self.depth):
            return True
        message = self.depth[at]
        is_spot = message["previous_id"] == ABSENT
        reach = message["first_id"] - 1 if is_spot else message["previous_id"]
        if reach > last_id:
            what = f"sequence gap: the message continues {reach}, the snapshot ends at {last_id}"
            self.refusals.refuse(int(message["line"]), "gap", what)
            return False
        return True

    def _follow(self, snapshot: Snapshot, first: int) -> int:
        """Apply messages until one breaks the book; return its index, or how many there are."""
        columns = (
            "line",
            "receive_ns",
            "first_id",
            "final_id",
            "previous_id",
            "first_row",
            "row_count",
        )
        messages = zip(*(self.depth[name][first:].tolist() for name in columns), strict=True)
        book = LevelBook(tuple(level) for level in snapshot.rows.tolist())
        start_ns = max(self.known_from_ns, snapshot.receive_ns)
        told, last_id = False, None
        for at, (line, now_ns, first_id, final_id, previous_id, row, count) in enumerate(
            messages, first
        ):
            if not told and now_ns > start_ns:
                self.teller.whole(start_ns, book)
                told = True
            before = first_id - 1 if previous_id == ABSENT else previous_id
            problem = ""
            if last_id is not None and before != last_id:
                problem, what = (
                    "gap",
                    f"sequence gap: the message continues {before}, not {last_id}",
                )
            else:
                changes = book.apply(self.rows[row : row + count])
                if book.bid >= book.ask:
                    problem, what = (
                        "crossed_book",
                        f"book crosses: bid {book.bid}, ask {book.ask} (ticks)",
                    )
            if problem:
                self.refusals.refuse(line, problem, what)
                if told:
                    self.teller.lost(now_ns)
                self.known_from_ns = max(start_ns, now_ns)
                return at
            last_id = final_id
            self.applied.extend((at, *book.touch()))
            if told:
                self.teller.changed(now_ns, book, changes)
        if not told:
            self.teller.whole(start_ns, book)
        return len(self.depth)

    def _report(self) -> dict[str, int]:
        """Compare every applied message with bookTicker, and count."""
        integers = np.frombuffer(self.applied.tobytes(), np.int64).reshape(-1, 5)
        messages, quotes = self.depth[integers[:, 0]], self.capture.quotes
        newest = np.searchsorted(quotes["update_id"], messages["final_id"], "right") - 1
        comparable = newest >= 0
        quote = quotes[newest[comparable]]
        names = [name for name in TOUCH.names or () if name != "time_ns"]
        seen = np.column_stack([quote[name] for name in names])
        equal = (seen == integers[comparable, 1:]).all(axis=1)
        different = messages["line"][comparable][~equal]
        return {
            "messages": len(self.depth),
            "applied": len(messages),
            "comparisons": int(comparable.sum()),
            "equal": int(equal.sum()),
            "first_difference": int(different[0]) if len(different) else 0,
            "gaps": self.refusals.counts["gap"],
            "crossed": self.refusals.counts["crossed_book"],
            "window_moves": self.teller.moves,
        }
