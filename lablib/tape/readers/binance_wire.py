"""Sorts the lines of a Binance capture into channels, numbers still as the text they came in.

Refuses a line that is no message; what its numbers are worth is judged in `binance`.
"""

from __future__ import annotations

import json
import re
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.kernels.tables import BUY, NS_PER_MS, SELL
from lablib.tape.readers.capture import ABSENT, WHEN
from lablib.tape.readers.text import Refusals

CHANNELS = ("quote", "trade", "depth", "snapshot")

i8 = np.int64
MESSAGE = np.dtype(
    [
        *WHEN,
        ("ids", i8, (3,)),  # quote: u; trade: t, aggressor; depth: U, u, pu; snapshot: lastUpdateId
        ("bids", i8),  # of its rows the first so many are bids
        ("first_row", i8),
        ("row_count", i8),
    ]
)

_STAMP = re.compile(r"[0-9]{19}")
_AGGRESSOR = {True: SELL, False: BUY}  # m: the buyer was the maker
_MALFORMED = (AttributeError, KeyError, OverflowError, TypeError, ValueError)


class Channel:
    """Messages of one kind: integers, and the decimals of their rows as text."""

    def __init__(self) -> None:
        self._integers = array("q")
        self.prices: list[Any] = []
        self.lots: list[Any] = []

    def add(
        self,
        line: int,
        receive_ns: int,
        body: dict[str, Any],
        ids: tuple[int, int, int],
        bids: Any,
        asks: Any,
    ) -> None:
        """Append one message, whole or not at all."""
        levels = [*bids, *asks]
        prices = [price for price, _ in levels]
        lots = [quantity for _, quantity in levels]
        event_ns = body["E"] * NS_PER_MS if "E" in body else ABSENT
        transact_ns = body["T"] * NS_PER_MS if "T" in body else ABSENT
        where = (len(bids), len(self.prices), len(levels))
        # array("q") refuses what is no integer, where numpy would quietly truncate it.
        self._integers += array("q", (line, receive_ns, event_ns, transact_ns, *ids, *where))
        self.prices += prices
        self.lots += lots

    def messages(self) -> NDArray[Any]:
        """All messages so far, as MESSAGE."""
        return np.frombuffer(self._integers.tobytes(), MESSAGE)


class Draft:
    """One capture, channel by channel."""

    def __init__(self, refusals: Refusals) -> None:
        self.refusals = refusals
        self.symbol = ""
        self.channels = {name: Channel() for name in CHANNELS}

    def gather(self, lines: list[str]) -> None:
        """Put every line into its channel, or refuse it."""
        refuse = self.refusals.refuse
        last_ns = 0
        for line, text in enumerate(lines, 1):
            stamp, _, payload = text.partition(" ")
            if not _STAMP.fullmatch(stamp):
                refuse(line, "layout", f"no receive time of 19 digits: {text[:40]!r}")
                continue
            receive_ns = int(stamp)
            if receive_ns < last_ns:
                refuse(line, "unsorted", f"receive time {receive_ns} after {last_ns}")
                continue
            try:
                message = json.loads(payload)
            except ValueError as error:
                refuse(line, "json", f"broken JSON ({error}): {payload[:40]!r}")
                continue
            try:
                self._take(line, receive_ns, message)
                last_ns = receive_ns
            except _MALFORMED as error:
                what = f"{type(error).__name__}: {error}"
                refuse(line, "fields", f"missing or malformed field ({what}): {payload[:80]!r}")

    def _take(self, line: int, receive_ns: int, message: dict[str, Any]) -> None:
        ids: tuple[int, int, int]
        stream = message.get("stream")
        if stream is None:
            if "lastUpdateId" not in message:
                self.refusals.counts["other_message"] += 1
                return
            ids = (message["lastUpdateId"], ABSENT, ABSENT)
            bids, asks = message["bids"], message["asks"]
            self.channels["snapshot"].add(line, receive_ns, message, ids, bids, asks)
            return
        symbol, _, channel = stream.partition("@")
        body = message["data"]
        self.symbol = self.symbol or symbol
        if symbol != self.symbol:
            raise ValueError(f"symbol {symbol} in a capture of {self.symbol}")
        if channel == "bookTicker":
            ids = (body["u"], ABSENT, ABSENT)
            bids, asks = ((body["b"], body["B"]),), ((body["a"], body["A"]),)
            self.channels["quote"].add(line, receive_ns, body, ids, bids, asks)
        elif channel.startswith("depth"):
            ids = (body["U"], body["u"], body.get("pu", ABSENT))
            self.channels["depth"].add(line, receive_ns, body, ids, body["b"], body["a"])
        elif channel != "trade":
            self.refusals.counts["other_channel"] += 1
        elif body.get("X", "MARKET") != "MARKET":
            self.refusals.counts["trade_not_market"] += 1
        else:
            ids = (body["t"], _AGGRESSOR[body["m"]], ABSENT)
            self.channels["trade"].add(line, receive_ns, body, ids, ((body["p"], body["q"]),), ())
