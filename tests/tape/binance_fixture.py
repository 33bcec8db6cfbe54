"""Small recordings in Binance's wire format whose every book is known.

A recorder hears one venue: depth messages, best quotes, trades, and one REST snapshot that arrives in
the middle of them, as in a real capture. The recorder's clock is slow by `OFFSET_NS`. A run of the
script is a pure function of its arguments.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_NS = 1_723_161_256_000_000_000
STEP_NS = 20_000_000
OFFSET_NS = -1_270_000_000
SEEDED_AT_STEP = 5  # the snapshot was taken two steps before
LEVELS = 6

Book = tuple[dict[int, int], dict[int, int]]  # bids, asks: lots by ticks

# Digits behind the point of price and quantity, and those of them that carry information.
SYMBOLS = {"usdm": "BTCUSDT", "coinm": "BTCUSD_PERP", "spot": "BTCUSDT"}
DIGITS = {"usdm": ((2, 1), (3, 3)), "coinm": ((1, 1), (0, 0)), "spot": ((8, 2), (8, 6))}


def text(value: int, digits: tuple[int, int]) -> str:
    """A decimal as the vendor writes it, padded with zeros."""
    written, carried = digits
    if written == 0:
        return str(value)
    whole, part = divmod(value, 10**carried)
    return f"{whole}.{part:0{carried}d}".ljust(len(str(whole)) + 1 + written, "0")


def row(venue: str, price: int, lots: int) -> list[str]:
    """One level, as the vendor writes it."""
    price_digits, lot_digits = DIGITS[venue]
    return [text(price, price_digits), text(lots, lot_digits)]


def snapshot(venue: str, book: Book, update_id: int) -> str:
    """A book as the REST interface answers."""
    bids, asks = ([row(venue, price, side[price]) for price in sorted(side)] for side in book)
    answer = {"lastUpdateId": update_id, "bids": bids[::-1], "asks": asks}
    return json.dumps(answer, separators=(",", ":"))


@dataclass
class Recording:
    """Lines of one file, and what is true about them."""

    venue: str
    lines: list[str] = field(default_factory=list)
    books: dict[int, Book] = field(default_factory=dict)  # by update id, after each depth message
    times: dict[int, int] = field(default_factory=dict)  # receive time of each, ns
    trades: int = 0
    quotes: int = 0
    seeded_ns: int = 0
    snapshot_id: int = 0

    def write(self, path: Path) -> Path:
        """The file, packed if its name ends in .gz."""
        data = "".join(f"{line}\n" for line in self.lines).encode()
        path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
        return path

    def find(self, channel: str, number: int = 0) -> int:
        """Index of a line by its channel ("lastUpdateId" finds the snapshot)."""
        return [at for at, line in enumerate(self.lines) if channel in line][number]

    def add_snapshot(self, update_id: int) -> int:
        """Put a snapshot right behind the depth message of this id; return its receive time."""
        named = f'"u":{update_id},'
        at = next(i for i, line in enumerate(self.lines) if named in line and "@depth" in line)
        time_ns = self.times[update_id] + 1
        answer = snapshot(self.venue, self.books[update_id], update_id)
        self.lines.insert(at + 1, f"{time_ns} {answer}")
        return time_ns

    def edit(self, at: int, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the message of one line; a streamed one is handed over without its envelope."""
        stamp, _, payload = self.lines[at].partition(" ")
        message = json.loads(payload)
        change(message.get("data", message))
        self.lines[at] = f"{stamp} {json.dumps(message, separators=(',', ':'))}"


def recording(
    venue: str = "coinm",
    *,
    steps: int = 200,
    lag_ns: int = 0,
    premium: int = 0,
    start_ns: int = START_NS,
) -> Recording:
    """Record one venue.

    Parameters
    ----------
    venue
        "coinm", "usdm" or "spot".
    steps
        Depth messages, 20 ms apart.
    lag_ns
        How much later than the common price this venue's book moves.
    premium
        Ticks added to the common price.
    """
    script = _Script(venue, start_ns)
    price = random.Random(7)
    mids = [61_000]
    for _ in range(steps):
        mids.append(mids[-1] + price.choice((-7, -2, 0, 0, 0, 3, 6)))
    for step in range(steps):
        mid = mids[max(0, step - lag_ns // STEP_NS)] + premium
        script.step(step, mid)
    return script.out


class _Script:
    def __init__(self, venue: str, start_ns: int) -> None:
        self.out = Recording(venue)
        self.symbol = SYMBOLS[venue]
        self.now_ns = start_ns
        self.random = random.Random(11)
        self.book: Book = ({}, {})
        self.last_id = 1_000
        self.pending: str | None = None

    def step(self, step: int, mid: int) -> None:
        """One change of the book and the messages it causes; sometimes a trade."""
        self.now_ns += STEP_NS
        bids = {mid - 1 - k * (k + 1): 1 + self.random.randrange(50) for k in range(LEVELS)}
        asks = {mid + 1 + k * (k + 1): 1 + self.random.randrange(50) for k in range(LEVELS)}
        rows = [self._changes(old, new) for old, new in zip(self.book, (bids, asks), strict=True)]
        before, first = self.last_id, self.last_id + (1 if self.out.venue == "spot" else 3)
        self.last_id = first + 4
        self.book = (bids, asks)
        depth: dict[str, Any] = {"e": "depthUpdate", "U": first, "u": self.last_id}
        if self.out.venue != "spot":
            depth["pu"] = before
        self._stream("depth@0ms", depth | {"b": rows[0], "a": rows[1]})
        self.out.books[self.last_id] = (dict(bids), dict(asks))
        self.out.times[self.last_id] = self.now_ns
        self._quote()
        if step % 7 == 3:
            self._trade(mid + 1 if step % 2 else mid - 1, bool(step % 2))
        if step == SEEDED_AT_STEP - 2:
            self.out.snapshot_id = self.last_id - 2  # within the message that made it
            self.pending = snapshot(self.out.venue, self.book, self.last_id - 2)
        if step == SEEDED_AT_STEP:
            self.now_ns += 1_000
            self.out.lines.append(f"{self.now_ns} {self.pending}")
            self.out.seeded_ns = self.now_ns

    def _changes(self, old: dict[int, int], new: dict[int, int]) -> list[list[str]]:
        """Rows of one side, in order of price, with a removal of a level that was never there."""
        rows = {price: 0 for price in old if price not in new}
        rows |= {price: lots for price, lots in new.items() if old.get(price) != lots}
        rows.setdefault(min(new) - 40_000, 0)
        return [self._row(price, rows[price]) for price in sorted(rows)]

    def _row(self, price: int, lots: int) -> list[str]:
        return row(self.out.venue, price, lots)

    def _stream(self, channel: str, body: dict[str, Any]) -> None:
        """One message; spot bookTicker carries no time and spot depth no T, as at the vendor."""
        self.now_ns += 700  # no two lines share a time
        spot = self.out.venue == "spot"
        event_ms = (self.now_ns - OFFSET_NS) // 1_000_000
        if not (spot and channel == "bookTicker"):
            body["E"] = event_ms
            if not (spot and channel.startswith("depth")):
                body["T"] = event_ms - 1
        body["s"] = self.symbol
        message = {"stream": f"{self.symbol.lower()}@{channel}", "data": body}
        self.out.lines.append(f"{self.now_ns} {json.dumps(message, separators=(',', ':'))}")

    def _quote(self) -> None:
        bids, asks = self.book
        bid, ask = self._row(max(bids), bids[max(bids)]), self._row(min(asks), asks[min(asks)])
        quote = {"u": self.last_id, "b": bid[0], "B": bid[1], "a": ask[0], "A": ask[1]}
        self._stream("bookTicker", quote)
        self.out.quotes += 1

    def _trade(self, price: int, buyer_is_maker: bool) -> None:
        px, lots = self._row(price, 2)
        trade = {"e": "trade", "t": 9_000 + self.out.trades, "p": px, "q": lots}
        if self.out.venue != "spot":
            trade["X"] = "MARKET"
        self._stream("trade", trade | {"m": buyer_is_maker})
        self.out.trades += 1
