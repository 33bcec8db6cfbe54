"""Recordings that show the book whole, row by row: its touch, or some levels a side.

No message says what was added or taken: the difference of two rows does. A level that leaves the rows
shown leaves the book, since nobody can see whether it is still there. Knows no vendor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lablib.kernels.tables import BUY, FAR, NO_ASK, SELL
from lablib.tape.readers.capture import QUOTE, TRADE, WHEN, Capture
from lablib.tape.readers.levels import Change, History, LevelBook, Teller
from lablib.tape.readers.text import Ints, OnBad, Refusals, coarsest_step

SIDES = (BUY, SELL)


class Exact(NamedTuple):
    """Decimal numbers without a rounding: `values / 10 ** places`."""

    values: Ints
    places: int

    def at(self, rows: NDArray[Any]) -> Exact:
        """Those of some rows."""
        return Exact(self.values[rows], self.places)


class Rows(NamedTuple):
    """What a reader has found, before it is judged.

    `when` is n rows of WHEN. `prices` and `sizes` hold n x 2 x levels values: bids then asks, each from the
    touch outward; a size of 0 is no level. `trades` are rows of TRADE whose ticks and lots are still
    values of `prices` and `sizes`. `tick` is one in values of `prices`, where the reader can tell; it is the
    coarsest decimal step of the book's prices otherwise.
    """

    when: NDArray[Any]
    prices: Exact
    sizes: Exact
    trades: NDArray[Any] = np.zeros(0, TRADE)
    tick: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class StateCapture(Capture):
    """A recording with its books: `when` is n rows of WHEN, `ticks` and `lots` are n x 2 x levels.

    `between_ticks` counts trades at prices that the book does not have, such as a hidden order's in the middle.
    """

    when: NDArray[Any]
    ticks: Ints
    lots: Ints
    between_ticks: int = 0

    def figures(self) -> dict[str, int]:
        """Books told, how many levels a side each shows, and trades between two ticks."""
        return {
            "books": len(self.when),
            "levels": self.ticks.shape[2],
            "between_ticks": self.between_ticks,
        }


def capture_of(rows: Rows, refusals: Refusals, **about: Any) -> StateCapture:
    """Judge rows and lay out the tables.

    Parameters
    ----------
    rows
        In the order of the file.
    refusals
        Takes what no market can show: times that go back, prices that are none, a book that crosses
        itself or whose levels are out of order. A trade goes with the row it stands in.
    about
        Of `Capture`: symbol, sha256, lines, …
    """
    shape = (len(rows.when), 2, -1)
    prices, sizes = rows.prices.values.reshape(shape), rows.sizes.values.reshape(shape)
    seen = sizes > 0
    tick = rows.tick or coarsest_step(prices[seen & (prices > 0)], rows.prices.places)
    lot = coarsest_step(np.concatenate((sizes[seen], rows.trades["lots"])), rows.sizes.places)
    ticks, lots = np.where(seen, prices // tick, 0), np.where(seen, sizes // lot, 0)
    good = _judge(rows.when, ticks, lots, refusals)
    when, ticks, lots = rows.when[good], ticks[good], lots[good]
    quotes = _quotes(when, ticks, lots)
    if not len(quotes):
        raise refusals.stop("holds no row with both a bid and an ask, so its best quote is unknown")
    trades, between = _trades(rows.trades, tick, lot, rows.when["line"][~good], refusals)
    for table in (quotes, trades, when, ticks, lots):
        table.flags.writeable = False
    return StateCapture(
        source=refusals.source,
        tick_size=tick / 10**rows.prices.places,
        lot_size=lot / 10**rows.sizes.places,
        dropped=dict(sorted(refusals.counts.items())),
        quotes=quotes,
        trades=trades,
        when=when,
        ticks=ticks,
        lots=lots,
        between_ticks=between,
        **about,
    )


def rebuild(
    capture: StateCapture, *, start_ns: int = 0, reach_ticks: int = FAR, on_bad: OnBad = "raise"
) -> History:
    """Tell the books of a recording as changes; parameters as `binance_book.rebuild` has them.

    Nothing is left to refuse here, and nothing is there to compare with: `comparisons` is 0.
    """
    Refusals(capture.source, on_bad)
    teller, book = Teller(reach_ticks), LevelBook()
    times = capture.when["receive_ns"]
    first = max(0, int(np.searchsorted(times, start_ns, "right")) - 1)
    for at, levels in _books(capture, first):
        changes = book.apply(_difference(book, levels))
        if at == first:
            teller.whole(max(start_ns, int(times[first])), book)
        elif changes:
            teller.changed(int(times[at]), book, changes)
    return History(
        teller.events(),
        teller.touch(),
        {
            "messages": len(times),
            "applied": len(times) - first,
            "comparisons": 0,
            "equal": 0,
            "first_difference": 0,
            "gaps": 0,
            "crossed": 0,
            "window_moves": teller.moves,
            "levels": capture.ticks.shape[2],
        },
    )


def _judge(when: NDArray[Any], ticks: Ints, lots: Ints, refusals: Refusals) -> NDArray[np.bool_]:
    """Which rows a market can show; refuse each of the others once."""
    good = np.ones(len(when), bool)

    def refuse(bad: Any, reason: str, words: Callable[[Any], str]) -> None:
        for at in np.flatnonzero(bad & good):
            refusals.refuse(int(when["line"][at]), reason, words(at))
        good[bad] = False

    seen = lots > 0
    out = seen & ((ticks <= 0) | (ticks >= NO_ASK))
    refuse(out.any((1, 2)), "number", lambda at: f"price of {ticks[at][out[at]][0]} ticks")
    # From the touch outward bids fall and asks rise; what is absent comes after what is there.
    step = np.diff(ticks, axis=2) * np.array([-1, 1])[:, None]
    odd = (seen[:, :, 1:] & ((step <= 0) | ~seen[:, :, :-1])).any((1, 2))
    refuse(odd, "levels", lambda at: f"levels out of order: {ticks[at].tolist()} (ticks)")
    bid, ask = ticks[:, 0, 0], ticks[:, 1, 0]
    crossed = np.logical_and(*seen[:, :, 0].T) & (bid >= ask)
    refuse(crossed, "crossed_quote", lambda at: f"bid {bid[at]} is not below ask {ask[at]} (ticks)")
    times = when["receive_ns"]
    latest = np.maximum.accumulate(np.where(good, times, 0)) if len(times) else times
    back = times < latest
    refuse(back, "unsorted", lambda at: f"time {times[at]} after {latest[at]} (ns)")
    return good


def _trades(
    raw: NDArray[Any], tick: int, lot: int, refused: Ints, refusals: Refusals
) -> tuple[NDArray[Any], int]:
    """Trades of the rows that were not refused, in ticks and lots; and how many lie between two ticks."""
    trades = raw[~np.isin(raw["line"], refused)]
    values, lots = trades["ticks"], trades["lots"]
    good = (values > 0) & (values < NO_ASK * tick) & (lots > 0)
    for trade in trades[~good]:
        refusals.refuse(
            int(trade["line"]), "number", f"trade of {trade['lots']} at {trade['ticks']}"
        )
    trades, values = trades[good], values[good]
    # Nobody can rest between two ticks. Who buys there has gone through the tick below, and reached no other.
    trades["ticks"] = np.where(trades["side"] == BUY, values // tick, -(-values // tick))
    trades["lots"] //= lot
    return trades, int(np.count_nonzero(values % tick))


def _quotes(when: NDArray[Any], ticks: Ints, lots: Ints) -> NDArray[Any]:
    """The touch of every row that has both sides."""
    both = np.logical_and(*(lots[:, :, 0] > 0).T)
    quotes = np.zeros(int(both.sum()), QUOTE)
    for name, _ in WHEN:
        quotes[name] = when[name][both]
    quotes["update_id"] = np.flatnonzero(both)
    for side, name in enumerate(("bid", "ask")):
        quotes[f"{name}_ticks"] = ticks[both, side, 0]
        quotes[f"{name}_lots"] = lots[both, side, 0]
    return quotes


def _books(capture: StateCapture, first: int) -> Iterator[tuple[int, dict[tuple[int, int], int]]]:
    """From a row on, every book that differs from the one before: lots by side and price."""
    ticks, lots = capture.ticks[first:], capture.lots[first:]
    new = np.ones(len(ticks), bool)
    new[1:] = ((ticks[1:] != ticks[:-1]) | (lots[1:] != lots[:-1])).any((1, 2))
    for at in np.flatnonzero(new).tolist():
        yield (
            first + at,
            {
                (side, price): size
                for side, row, depth in zip(
                    SIDES, ticks[at].tolist(), lots[at].tolist(), strict=True
                )
                for price, size in zip(row, depth, strict=True)
                if size
            },
        )


def _difference(book: LevelBook, levels: dict[tuple[int, int], int]) -> list[Change]:
    """What makes a book show these levels and no others."""
    gone = [
        (side, price, 0)
        for side, half in ((BUY, book.bids), (SELL, book.asks))
        for price in half
        if (side, price) not in levels
    ]
    return gone + [(side, price, lots) for (side, price), lots in levels.items()]
