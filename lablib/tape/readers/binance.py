"""Reads Binance's raw WebSocket capture: one `<receive time ns> <json>` a line, plain or gzip.

Spot, USD-M and COIN-M alike. Each channel becomes its own array, with the recorder's time and the
exchange's times kept apart: the two clocks may differ by a second and nothing here mixes them. Prices
and quantities stay exact: they become integers of the coarsest power of ten that divides every value
in the file (`tick_size`, `lot_size`; at most 1), because the vendor pads prices with zeros. What the
messages mean for a book is the business of `binance_book`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.kernels.tables import BUY, NO_ASK, SELL
from lablib.tape.readers.binance_wire import CHANNELS, Channel, Draft
from lablib.tape.readers.capture import ABSENT, QUOTE, TRADE, WHEN, Capture
from lablib.tape.readers.text import (
    Ints,
    OnBad,
    Refusals,
    coarsest_step,
    decimals,
    lines_of,
    read_bytes,
    sha256,
)

LAYOUT = (
    "Binance raw WebSocket capture ('<receive time, 19 digits of ns> {json}' a line, plain or gzip)"
)

i8 = np.int64
DEPTH = np.dtype(
    [
        *WHEN,
        ("first_id", i8),  # U
        ("final_id", i8),  # u
        ("previous_id", i8),  # pu; -1 on spot
        ("first_row", i8),  # its rows are rows[first_row : first_row + row_count]
        ("row_count", i8),
    ]
)
ROW = np.dtype([("side", i8), ("ticks", i8), ("lots", i8)])  # lots in all; 0 removes the level

_HEAD = re.compile(rb"[0-9]{19} \{")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A whole book, as the exchange's REST answer gave it (at most 1,000 levels a side)."""

    line: int
    receive_ns: int
    last_update_id: int
    rows: NDArray[Any]  # ROW


@dataclass(frozen=True, eq=False, kw_only=True)
class BinanceCapture(Capture):
    """A recording with its depth messages; `event_ns` is E and `transact_ns` T (spot quotes have neither)."""

    depth: NDArray[Any]  # DEPTH
    rows: NDArray[Any]  # ROW, of all depth messages
    snapshots: tuple[Snapshot, ...]

    def figures(self) -> dict[str, int]:
        """Depth messages and snapshots, and where the messages do not follow one another."""
        depth = self.depth
        before = np.where(
            depth["previous_id"] == ABSENT, depth["first_id"] - 1, depth["previous_id"]
        )
        return {
            "depth_messages": len(depth),
            "depth_rows": len(self.rows),
            "depth_gaps": int((before[1:] != depth["final_id"][:-1]).sum()),
            "snapshots": len(self.snapshots),
        }

    def times(self) -> tuple[Ints, Ints]:
        """As of every capture; its depth messages have times as well."""
        received, happened = super().times()
        return (
            np.concatenate((received, self.depth["receive_ns"])),
            np.concatenate((happened, self.depth["event_ns"])),
        )


def recognises(head: bytes) -> bool:
    """Whether a file that begins (unpacked) with these bytes has this layout."""
    return _HEAD.match(head) is not None


def read_capture(path: str | Path, on_bad: OnBad = "raise") -> BinanceCapture:
    """Read one recording.

    Parameters
    ----------
    path
        The file, gzip or plain.
    on_bad
        "raise" stops at the first bad line with a DataError; "skip" drops it and counts the reason
        in `dropped`. A skipped depth message leaves a gap that `rebuild` will meet. Messages
        of other channels and trades that are no ordinary trades (`X` other than MARKET) are dropped
        and counted in both cases.
    """
    refusals = Refusals(str(path), on_bad)
    data = read_bytes(path)
    lines = lines_of(data, refusals)
    if not lines or not recognises(lines[0].encode()):
        found = repr(lines[0][:60]) if lines else "nothing"
        raise refusals.stop(f"is no {LAYOUT}; it begins with {found}")
    if len(lines) < 2:
        raise refusals.stop("holds one message only: nothing to replay")
    draft = Draft(refusals)
    draft.gather(lines)
    return _capture(draft, sha256(data), len(lines))


def _capture(draft: Draft, digest: str, lines: int) -> BinanceCapture:
    """Turn text into exact integers, refuse what no market can show, and lay out the arrays."""
    refusals = draft.refusals
    prices, price_places, bad_price = _numbers({n: c.prices for n, c in draft.channels.items()})
    lots, lot_places, bad_lots = _numbers({n: c.lots for n, c in draft.channels.items()})
    tick = coarsest_step(np.concatenate(list(prices.values())), price_places)
    lot = coarsest_step(np.concatenate(list(lots.values())), lot_places)
    kept, rows = {}, {}
    for name, channel in draft.channels.items():
        messages, ticks = channel.messages(), prices[name] // tick
        bad_price[name] |= (ticks <= 0) | (ticks >= NO_ASK)
        if name != "depth":
            bad_lots[name] |= lots[name] == 0
        good = _judge(messages, channel, bad_price[name], bad_lots[name], refusals)
        kept[name] = messages[good]
        rows[name] = _rows(messages, ticks, lots[name] // lot)
    quotes = _quotes(kept["quote"], rows["quote"], refusals)
    if not len(quotes):
        raise refusals.stop("holds no usable bookTicker message, so its best quote is unknown")
    return BinanceCapture(
        source=refusals.source,
        sha256=digest,
        symbol=draft.symbol.upper(),
        is_inverse="USD_" in draft.symbol.upper(),
        tick_size=tick / 10**price_places,
        lot_size=lot / 10**lot_places,
        quotes=_frozen(quotes),
        trades=_frozen(_trades(kept["trade"], rows["trade"])),
        depth=_frozen(_depth(kept["depth"])),
        rows=_frozen(rows["depth"]),
        snapshots=_snapshots(kept["snapshot"], rows["snapshot"], refusals),
        lines=lines,
        dropped=dict(sorted(refusals.counts.items())),
    )


def _numbers(
    texts: dict[str, list[Any]],
) -> tuple[dict[str, Ints], int, dict[str, NDArray[np.bool_]]]:
    """Integers of all channels on one scale, its decimal places, and which are no numbers."""
    values, places, bad = decimals([text for name in CHANNELS for text in texts[name]])
    wrong = np.zeros(len(values), bool)
    wrong[bad] = True
    cuts = np.cumsum([len(texts[name]) for name in CHANNELS])[:-1]
    split = dict(zip(CHANNELS, np.split(values, cuts), strict=True))
    return split, places, dict(zip(CHANNELS, np.split(wrong, cuts), strict=True))


def _judge(
    messages: NDArray[Any],
    channel: Channel,
    bad_price: NDArray[np.bool_],
    bad_lots: NDArray[np.bool_],
    refusals: Refusals,
) -> NDArray[np.bool_]:
    """Which messages have good numbers only; refuse each of the others once."""
    good = np.ones(len(messages), bool)
    for row in np.flatnonzero(bad_price | bad_lots):
        message = np.searchsorted(messages["first_row"], row, "right") - 1
        if good[message]:
            what, text = (
                ("price", channel.prices[row])
                if bad_price[row]
                else ("quantity", channel.lots[row])
            )
            line = int(messages["line"][message])
            refusals.refuse(line, "number", f"{what} {text!r} is no positive decimal number")
        good[message] = False
    return good


def _rows(messages: NDArray[Any], ticks: Ints, lots: Ints) -> NDArray[Any]:
    """Rows of one channel, bids told from asks."""
    rows = np.zeros(len(ticks), ROW)
    rows["ticks"], rows["lots"] = ticks, lots
    place = np.arange(len(ticks)) - np.repeat(messages["first_row"], messages["row_count"])
    rows["side"] = np.where(place < np.repeat(messages["bids"], messages["row_count"]), BUY, SELL)
    return rows


def _copy_when(messages: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    table = np.zeros(len(messages), dtype)
    for name, _ in WHEN:
        table[name] = messages[name]
    return table


def _quotes(messages: NDArray[Any], rows: NDArray[Any], refusals: Refusals) -> NDArray[Any]:
    """Best quotes, without those that cross themselves or come after a later update."""
    quotes = _copy_when(messages, QUOTE)
    quotes["update_id"] = messages["ids"][:, 0]
    bid, ask = rows[messages["first_row"]], rows[messages["first_row"] + 1]
    quotes["bid_ticks"], quotes["bid_lots"] = bid["ticks"], bid["lots"]
    quotes["ask_ticks"], quotes["ask_lots"] = ask["ticks"], ask["lots"]
    crossed = quotes["bid_ticks"] >= quotes["ask_ticks"]
    for quote in quotes[crossed]:
        what = f"bid {quote['bid_ticks']} is not below ask {quote['ask_ticks']} (ticks)"
        refusals.refuse(int(quote["line"]), "crossed_quote", what)
    quotes = quotes[~crossed]
    newest = np.maximum.accumulate(quotes["update_id"])
    stale = np.zeros(len(quotes), bool)
    stale[1:] = quotes["update_id"][1:] <= newest[:-1]
    for quote, after in zip(quotes[stale], newest[stale], strict=True):
        what = f"bookTicker update {quote['update_id']} after {after}"
        refusals.refuse(int(quote["line"]), "stale_quote", what)
    return quotes[~stale]


def _trades(messages: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    trades = _copy_when(messages, TRADE)
    trades["trade_id"], trades["side"] = messages["ids"][:, 0], messages["ids"][:, 1]
    row = rows[messages["first_row"]]
    trades["ticks"], trades["lots"] = row["ticks"], row["lots"]
    return trades


def _depth(messages: NDArray[Any]) -> NDArray[Any]:
    depth = _copy_when(messages, DEPTH)
    for column, name in enumerate(("first_id", "final_id", "previous_id")):
        depth[name] = messages["ids"][:, column]
    depth["first_row"], depth["row_count"] = messages["first_row"], messages["row_count"]
    return depth


def _snapshots(
    messages: NDArray[Any], rows: NDArray[Any], refusals: Refusals
) -> tuple[Snapshot, ...]:
    """Whole books; one that crosses itself or lacks a side is refused."""
    snapshots = []
    for message in messages:
        line, first = int(message["line"]), message["first_row"]
        book = rows[first : first + message["row_count"]]
        bids, asks = book["ticks"][book["side"] == BUY], book["ticks"][book["side"] == SELL]
        if not len(bids) or not len(asks):
            what = f"snapshot of {len(bids)} bids and {len(asks)} asks: a side is missing"
            refusals.refuse(line, "crossed_snapshot", what)
        elif bids.max() >= asks.min():
            what = f"crossed snapshot, bid {bids.max()} is not below ask {asks.min()} (ticks)"
            refusals.refuse(line, "crossed_snapshot", what)
        else:
            update_id = int(message["ids"][0])
            snapshots.append(Snapshot(line, int(message["receive_ns"]), update_id, _frozen(book)))
    return tuple(snapshots)


def _frozen(table: NDArray[Any]) -> NDArray[Any]:
    table.flags.writeable = False
    return table
