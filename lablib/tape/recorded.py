"""Recorded markets: vendor files become the one tape the engine plays.

Two recordings of one recorder make a lead-lag market: the leader's best quote is the external price,
the follower's book is the venue. All times are the recorder's receive times, because a delay between
two streams means something on one clock only. What had to be assumed or was found odd is said in the
market's report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from lablib.errors import ConfigError, DataError
from lablib.kernels.tables import (
    END,
    EXTERNAL,
    FAR,
    N_LEVELS,
    NORMAL,
    NS_PER_S,
    TAPE_EVENT,
    TRADE,
)
from lablib.tape.alignment import Basis, measure_basis
from lablib.tape.findings import findings
from lablib.tape.readers import binance, binance_csv, databento, lobster, plain, states, tardis
from lablib.tape.readers.binance_book import rebuild
from lablib.tape.readers.capture import Capture
from lablib.tape.readers.levels import History
from lablib.tape.readers.text import OnBad, read_bytes, sha256
from lablib.tape.readers.wrapping import inflate

BasisMethod = Literal["trailing", "none"]

# The kernel keeps a level within a quarter of its ladder from the touch. A window of a sixth, whose
# middle is never more than a third of that from the touch, stays inside, with room for a jump.
REACH_TICKS = N_LEVELS // 6
# USD one COIN-M contract is worth, by coin; any other coin's is worth 10.
CONTRACT_USD = {"BTC": 100}
OTHER_CONTRACT_USD = 10

MOST_DAYS = 31  # of a recording
MOST_NS = MOST_DAYS * 86_400 * NS_PER_S

_HEAD_BYTES = 1 << 18  # more than the largest piece of Zstandard, which unpacks whole or not at all
_SHOWN_BYTES = 60


@dataclass(frozen=True)
class Recording:
    """A file, and what has to be said of it.

    `symbol` chooses where a file has several; `columns` says what a CSV or Parquet of one's own calls its
    columns, as `readers.plain` has them: time, exchange_time, bid, bid_size, ask, ask_size, symbol.
    """

    path: str | Path
    symbol: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


class Format(NamedTuple):
    """One vendor's files: what they look like, who reads them, and how their book is told."""

    layout: str
    recognises: Callable[[bytes], bool]  # of the first bytes, unpacked
    read: Callable[..., Any]  # path, on_bad and options -> Capture
    rebuild: Callable[..., History]  # the capture, start_ns, reach_ticks, on_bad
    options: tuple[str, ...] = ()  # of `Recording`, which the reader knows
    named: Callable[[str], bool] = lambda _: False  # of its name, where the bytes alone do not tell


_FORMATS = (
    Format(binance.LAYOUT, binance.recognises, binance.read_capture, rebuild),
    *(
        Format(vendor.LAYOUT, vendor.recognises, vendor.read_capture, states.rebuild)
        for vendor in (tardis, binance_csv)
    ),
    Format(
        databento.LAYOUT,
        databento.recognises,
        databento.read_capture,
        states.rebuild,
        ("symbol",),
    ),
    Format(
        plain.LAYOUT, plain.recognises, plain.read_capture, states.rebuild, ("symbol", "columns")
    ),
    Format(
        lobster.LAYOUT,
        lobster.recognises,
        lobster.read_capture,
        states.rebuild,
        named=lobster.named,
    ),
)


class Source(NamedTuple):
    """One input file: its name as the caller gave it, what it held, and what was said of it."""

    name: str
    sha256: str
    said: dict[str, Any]  # symbol, columns


@dataclass(frozen=True, eq=False)
class Market:
    """A recorded market as the engine takes it.

    `events` (TAPE_EVENT, read-only) begin with the external price and the whole book at time 0 and end
    with an END at time FAR. Times are ns since both venues were known, prices ticks of the venue, sizes
    its lots. `lot_size` is the base coin of a lot. A COIN-M contract is worth a fixed sum of USD, so
    its coin varies with the price: it is linearised at the first mid, and profit and loss of this market
    are those of a linear contract of that size.
    """

    name: str
    tick_size: float  # currency
    lot_size: float  # base coin
    start_px: float  # external price at time 0, currency
    events: NDArray[Any] = field(repr=False)
    duration_ns: int
    sha256: str  # of the events' bytes
    sources: tuple[Source, ...]
    report: dict[str, Any] = field(repr=False)  # plain numbers, in named groups; and `warnings`


def load(recording: str | Path | Recording, on_bad: OnBad = "raise") -> Market:
    """Load one recording: its own best quote is the external price.

    Parameters
    ----------
    recording
        The file, or a `Recording` that says more of it; its format is recognised by its first bytes.
    on_bad
        "raise" stops at the first bad row and names it; "skip" drops it and counts why.
    """
    only = _read(recording, on_bad)
    return _market(only.capture.symbol, only, only, "none", on_bad)


def load_pair(
    leader: str | Path | Recording,
    follower: str | Path | Recording,
    basis: BasisMethod = "trailing",
    on_bad: OnBad = "raise",
) -> Market:
    """Load two recordings of one recorder as leader and follower.

    Parameters
    ----------
    leader
        The recording whose best quote becomes the external price.
    follower
        The recording whose book becomes the venue: of levels with their changes, or of quotes, a book
        one level deep.
    basis
        "trailing" subtracts the slowly moving distance of the two prices from the external price,
        strictly causally (see `alignment.Basis`); "none" leaves it in, and a divergence open.
    on_bad
        "raise" stops at the first bad row and names it; "skip" drops it and counts why.
    """
    if basis not in get_args(BasisMethod):
        raise ConfigError(f"basis must be 'trailing' or 'none', not {basis!r}")
    first, second = _read(leader, on_bad), _read(follower, on_bad)
    name = f"{first.capture.symbol} > {second.capture.symbol}"
    return _market(name, first, second, basis, on_bad)


class _Loaded(NamedTuple):
    capture: Capture
    book: Callable[..., History]
    said: dict[str, Any]


def _read(recording: str | Path | Recording, on_bad: OnBad) -> _Loaded:
    """Read a file with the reader that recognises it."""
    asked = recording if isinstance(recording, Recording) else Recording(recording)
    path = asked.path
    options = {name: value for name in ("symbol", "columns") if (value := getattr(asked, name))}
    start = read_bytes(path)[:_HEAD_BYTES]
    head, damage = inflate(start)
    if damage and not head:
        raise DataError(f"{path}: {damage}")
    for one in _FORMATS:
        if one.recognises(head) or one.named(Path(path).name):
            unknown = sorted(set(options).difference(one.options))
            if unknown:
                raise ConfigError(
                    f"{unknown[0]}: {path} is of a format that says so by itself: {one.layout}"
                )
            capture = one.read(path, on_bad, **options)
            return _Loaded(capture, partial(one.rebuild, capture), options)
    known = "; ".join(one.layout for one in _FORMATS)
    odd = (
        ", is not gzip in spite of its name" if Path(path).suffix == ".gz" and head is start else ""
    )
    raise DataError(
        f"{path}: unknown format: it begins with {head[:_SHOWN_BYTES]!r}{odd}. Known: {known}"
    )


def _market(
    name: str,
    first: _Loaded,
    second: _Loaded,
    method: BasisMethod,
    on_bad: OnBad,
) -> Market:
    """Put a leader's quotes and a follower's book on one tape."""
    leader, follower = first.capture, second.capture
    if not follower.has_sizes:
        raise DataError(
            f"{follower.source}: has no sizes, so nobody can trade on it; it can lead another market"
        )
    both_ns = _overlap_from(leader, follower)
    history = second.book(start_ns=both_ns, reach_ticks=REACH_TICKS, on_bad=on_bad)
    start_ns, last_ns = (int(history.touch["time_ns"][at]) for at in (0, -1))
    end_ns = min(last_ns, int(leader.quotes["receive_ns"][-1]))
    if end_ns <= start_ns:
        what = f"its book is known from {start_ns} on, but {leader.source} ends at {end_ns}"
        raise DataError(f"{follower.source}: {what}: nothing to replay")
    basis = None
    if first is not second:
        basis = measure_basis(
            leader.quotes["receive_ns"],
            leader.mid_ticks(follower.tick_size),
            follower.quotes["receive_ns"],
            follower.mid_ticks(follower.tick_size),
        )
    subtract = basis if method == "trailing" else None
    external = _external_events(leader, follower.tick_size, start_ns, subtract)
    events = _merge(external, history, follower, start_ns, end_ns)
    captures = (
        {"follower": follower} if first is second else {"leader": leader, "follower": follower}
    )
    return Market(
        name=name,
        tick_size=follower.tick_size,
        lot_size=follower.lot_size * _coin_per_unit(follower, history),
        start_px=float(events["mark"][0]) * follower.tick_size,
        events=events,
        duration_ns=end_ns - start_ns,
        sha256=sha256(events.tobytes()),
        sources=tuple(
            Source(one.capture.source, one.capture.sha256, one.said)
            for one in ((second,) if first is second else (first, second))
        ),
        report=findings(captures, history, basis, method, events),
    )


def _overlap_from(leader: Capture, follower: Capture) -> int:
    """Receive time from which both quotes are known; DataError when the recordings do not overlap."""
    ours, theirs = leader.quotes["receive_ns"], follower.quotes["receive_ns"]
    start_ns, end_ns = int(max(ours[0], theirs[0])), int(min(ours[-1], theirs[-1]))
    if end_ns - start_ns > MOST_NS:  # what is sampled along the way would not fit in memory
        days = (end_ns - start_ns) / 86_400e9
        what = f"and {leader.source} have {days:,.0f} days in common, the most is {MOST_DAYS}"
        raise DataError(f"{follower.source}: {what}")
    if start_ns >= end_ns:
        spans = f"{ours[0]} to {ours[-1]}, and {follower.source} {theirs[0]} to {theirs[-1]}"
        raise DataError(f"recordings do not overlap: {leader.source} has quotes from {spans} (ns)")
    return start_ns


def _external_events(
    leader: Capture, tick_size: float, start_ns: int, basis: Basis | None
) -> NDArray[Any]:
    """The leader's mid whenever it changes, in the follower's ticks; the first holds at time 0."""
    first = np.searchsorted(leader.quotes["receive_ns"], start_ns, "right") - 1
    mid = leader.mid_ticks(tick_size)[first:]
    changed = np.concatenate(([True], np.diff(mid) != 0))
    time_ns = np.maximum(leader.quotes["receive_ns"][first:], start_ns)[changed]
    events = np.zeros(len(time_ns), TAPE_EVENT)
    events["time_ns"] = time_ns - start_ns
    events["kind"] = EXTERNAL
    events["ticks"] = np.arange(len(events))
    events["lots"] = NORMAL
    events["mark"] = mid[changed] if basis is None else mid[changed] - basis.at(time_ns)
    return events


def _merge(
    external: NDArray[Any], history: History, follower: Capture, start_ns: int, end_ns: int
) -> NDArray[Any]:
    """One tape in time order; at one instant the external price first, then the book, then trades."""
    book = history.events.copy()
    book["time_ns"] -= start_ns
    heard = follower.trades[follower.trades["receive_ns"] > start_ns]
    trades = np.zeros(len(heard), TAPE_EVENT)
    trades["time_ns"] = heard["receive_ns"] - start_ns
    trades["kind"] = TRADE
    for name in ("side", "ticks", "lots"):
        trades[name] = heard[name]
    events = np.concatenate((external, book, trades))
    events = events[np.argsort(events["time_ns"], kind="stable")]
    end = np.zeros(1, TAPE_EVENT)
    end["time_ns"], end["kind"] = FAR, END
    events = np.concatenate((events[events["time_ns"] <= end_ns - start_ns], end))
    events.flags.writeable = False
    return events


def _coin_per_unit(follower: Capture, history: History) -> float:
    """Base coin of one unit of quantity: 1, or of a COIN-M contract its worth at the first mid."""
    if not follower.is_inverse:
        return 1.0
    two_sided = history.touch["bid_lots"] * history.touch["ask_lots"] > 0
    touch = history.touch[np.argmax(two_sided)]
    mid_px = (touch["bid_ticks"] + touch["ask_ticks"]) / 2 * follower.tick_size
    return float(CONTRACT_USD.get(follower.symbol[:3], OTHER_CONTRACT_USD) / mid_px)
