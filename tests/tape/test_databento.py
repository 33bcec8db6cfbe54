"""Databento's DBN: books of one level, of ten, and of orders; two clocks; damage named by file and record."""

from __future__ import annotations

import datetime as dt
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import lablib as lab
from lablib.errors import DataError
from lablib.kernels.tables import BUY, NO_ASK, SELL
from lablib.tape.readers.capture import ABSENT
from lablib.tape.readers.databento import read_capture
from lablib.tape.readers.states import rebuild
from lablib.tape.readers.wrapping import exceeds, inflate
from lablib.tape.recorded import Recording

dbn = pytest.importorskip("databento_dbn")

SECOND = 1_000_000_000
START_NS = 1_719_878_280 * SECOND
FEED_NS = 90_000  # from the exchange to the recorder
UNIT = 1_000_000_000  # a price of 1
LAST, SNAPSHOT = 128, 32
ES, NQ = 118, 260

ACTION = {one.value: one for one in dbn.Action.variants()}
SIDE = {one.value: one for one in dbn.Side.variants()}

Level = tuple[float, int]


def head(schema: str | None) -> bytes:
    """What a file begins with; it knows two symbols and their numbers."""
    days = {"start_date": dt.date(2024, 7, 1), "end_date": dt.date(2024, 7, 9)}
    mappings = [
        SimpleNamespace(raw_symbol=name, intervals=[SimpleNamespace(symbol=str(number), **days)])
        for name, number in (("ESU4", ES), ("NQU4", NQ))
    ]
    about = dbn.Metadata(
        dataset="GLBX.MDP3",
        start=START_NS,
        stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID,
        schema=None if schema is None else dbn.Schema.from_str(schema),
        mappings=mappings,
    )
    return bytes(about)


def header(
    at_ns: int, instrument: int = ES, publisher: int = 1, event_ns: int | None = None
) -> dict[str, Any]:
    return {
        "publisher_id": publisher,
        "instrument_id": instrument,
        "ts_event": START_NS + at_ns - FEED_NS if event_ns is None else event_ns,
        "ts_recv": START_NS + at_ns,
        "sequence": 1,
    }


def mbp(
    at_ns: int,
    bids: list[Level],
    asks: list[Level],
    *,
    action: str = "A",
    side: str = "N",
    price: float = 0.0,
    size: int = 0,
    flags: int = LAST,
    levels: int = 1,
    **about: Any,
) -> Any:
    """A record of `mbp-1` or `mbp-10`; a level that is not given is undefined."""
    pairs = []
    for at in range(levels):
        pair = {}
        for name, half in (("bid", bids), ("ask", asks)):
            if at < len(half):
                px, pair[f"{name}_sz"] = half[at]
                pair[f"{name}_px"] = min(round(px * UNIT), dbn.UNDEF_PRICE)
        pairs.append(dbn.BidAskPair(**pair))
    return (dbn.MBP1Msg if levels == 1 else dbn.MBP10Msg)(
        price=round(price * UNIT),
        size=size,
        action=ACTION[action],
        side=SIDE[side],
        flags=flags,
        depth=0,
        levels=pairs if levels > 1 else pairs[0],
        **header(at_ns, **about),
    )


def mbo(
    at_ns: int,
    action: str,
    side: str = "N",
    order: int = 0,
    price: float | None = None,
    size: int = 0,
    flags: int = LAST,
    **about: Any,
) -> Any:
    return dbn.MBOMsg(
        order_id=order,
        price=dbn.UNDEF_PRICE if price is None else round(price * UNIT),
        size=size,
        action=ACTION[action],
        side=SIDE[side],
        flags=flags,
        **header(at_ns, **about),
    )


def write(folder: Path, schema: str | None, records: Iterable[Any], name: str = "es.dbn") -> Path:
    data = head(schema) + b"".join(bytes(record) for record in records)
    path = folder / name
    path.write_bytes(pa.compress(data, "zstd", asbytes=True) if name.endswith(".zst") else data)
    return path


QUOTES = [
    mbp(0, [(5528.5, 29)], [(5528.75, 6)], flags=LAST | SNAPSHOT, event_ns=START_NS - 10**15),
    mbp(10, [(5528.5, 29)], [(5528.75, 6)], action="T", side="B", price=5528.75, size=2, flags=0),
    mbp(10, [(5528.5, 29)], [(5528.75, 4)], action="C", side="A", price=5528.75, size=2),
    mbp(40, [(5528.5, 29)], [], action="C", side="A"),
    mbp(50, [(5528.5, 29)], [(5529.0, 3)], side="A", event_ns=dbn.UNDEF_TIMESTAMP),
    mbp(60, [(5528.5, 29)], [(5529.0, 3)], action="T", side="A", price=5528.5, size=29, flags=0),
    mbp(60, [(5528.25, 7)], [(5529.0, 3)], action="C", side="B"),
    mbp(70, [(5528.25, 7)], [(5529.0, 3)], action="T", side="N", price=5528.5, size=1, flags=0),
    mbp(80, [(5528.25, 7)], [(5529.0, 3)], action="T", side="A", price=5528.625, size=1, flags=0),
    mbp(90, [(5528.25, 8)], [(5529.0, 3)]),
]


def test_a_touch_is_told_as_it_stood_on_the_recorders_clock(tmp_path: Path) -> None:
    capture = read_capture(write(tmp_path, "mbp-1", QUOTES))
    touch = [tuple(row) for row in rebuild(capture).touch.tolist()]
    bid = (4 * 5_528 + 2, 29)
    assert touch == [
        (START_NS, *bid, 22_115, 6),
        (START_NS + 10, *bid, 22_115, 4),
        (START_NS + 40, *bid, NO_ASK, 0),
        (START_NS + 50, *bid, 22_116, 3),
        (START_NS + 60, 22_113, 7, 22_116, 3),
        (START_NS + 90, 22_113, 8, 22_116, 3),
    ]
    assert (capture.symbol, capture.tick_size, capture.lot_size) == ("ESU4", 0.25, 1.0)
    assert (capture.lines, capture.has_receive_time) == (len(QUOTES), True)


def test_trades_are_the_aggressors_and_one_without_a_side_is_counted(tmp_path: Path) -> None:
    capture = read_capture(write(tmp_path, "mbp-1", QUOTES))
    told = [tuple(row) for row in capture.trades[["line", "side", "ticks", "lots"]].tolist()]
    # Who sold at 5,528.625 had passed 5,528.75, and not reached 5,528.50.
    assert told == [(2, BUY, 22_115, 2), (6, SELL, 22_114, 29), (9, SELL, 22_115, 1)]
    assert capture.dropped == {"no_side": 1}
    assert capture.figures()["between_ticks"] == 1


def test_the_two_clocks_are_apart_and_a_stale_or_undefined_time_is_none(tmp_path: Path) -> None:
    when = read_capture(write(tmp_path, "mbp-1", QUOTES)).when
    delays = (when["receive_ns"] - when["event_ns"]).tolist()
    stale = [0, 4]  # the snapshot's, and the undefined one
    assert (when["event_ns"][stale] == ABSENT).all()
    assert {delay for at, delay in enumerate(delays) if at not in stale} == {FEED_NS}
    # And where there is no receive time the row is none.
    bad = [
        *QUOTES,
        mbp(dbn.UNDEF_TIMESTAMP - START_NS, [(5528.25, 9)], [(5529.0, 3)], event_ns=START_NS),
    ]
    path = write(tmp_path, "mbp-1", bad)
    with pytest.raises(DataError, match=r"es\.dbn, record 11: ts_recv is undefined"):
        lab.load(path)
    assert read_capture(path, "skip").dropped == {"no_side": 1, "time": 1}


def test_ten_levels_are_told_and_absent_ones_are_none(tmp_path: Path) -> None:
    bids = [(100 - at / 4, 10 + at) for at in range(10)]
    asks = [(100.25 + at / 4, 20 + at) for at in range(10)]
    records = [mbp(0, bids, asks, levels=10), mbp(5, bids[2:], asks[:3], levels=10)]
    capture = read_capture(write(tmp_path, "mbp-10", records))
    assert capture.ticks[0].tolist() == [
        [400 - at for at in range(10)],
        [401 + at for at in range(10)],
    ]
    assert capture.lots[0].tolist() == [
        [10 + at for at in range(10)],
        [20 + at for at in range(10)],
    ]
    assert capture.lots[1].tolist() == [
        [12 + at for at in range(8)] + [0, 0],
        [20, 21, 22] + [0] * 7,
    ]
    odd = mbp(9, bids, [(dbn.UNDEF_PRICE / UNIT, 5)], levels=10)
    assert read_capture(write(tmp_path, "mbp-10", [*records, odd])).lots[2, 1].sum() == 0
    market = lab.load(write(tmp_path, "mbp-10", records, "es.dbn.zst"))
    assert market.report["book"]["levels"] == 10


def test_one_of_several_instruments_is_chosen_by_symbol_or_number(tmp_path: Path) -> None:
    others = [
        mbp(at, [(20_000.5, 1)], [(20_000.75 + at, 1)], instrument=NQ) for at in range(5, 95, 9)
    ]
    mixed = sorted([*QUOTES, *others], key=lambda record: record.ts_recv)
    path = write(tmp_path, "mbp-1", mixed)
    with pytest.raises(
        DataError,
        match=r"holds 2 instruments, .* choose by symbol= among ESU4 \(118\), NQU4 \(260\)",
    ):
        lab.load(path)
    with pytest.raises(
        DataError, match=r"holds no 'CLU4': choose by symbol= among ESU4 \(118\), NQU4"
    ):
        lab.load(Recording(path, symbol="CLU4"))
    alone = lab.load(write(tmp_path, "mbp-1", QUOTES, "alone.dbn"))
    for symbol in ("ESU4", "118"):
        market = lab.load(Recording(path, symbol=symbol))
        assert (market.name, market.sha256) == ("ESU4", alone.sha256)
    pair = lab.load_pair(Recording(path, symbol="NQU4"), Recording(path, symbol="ESU4"))
    assert pair.name == "NQU4 > ESU4"
    two = [*QUOTES, mbp(95, [(5528.25, 8)], [(5529.0, 3)], publisher=2)]
    with pytest.raises(DataError, match=r"holds 2 publishers, where one is wanted: \[1, 2\]"):
        lab.load(write(tmp_path, "mbp-1", two))


def orders() -> list[Any]:
    """A snapshot, then a little of everything."""
    whole = LAST | SNAPSHOT
    return [
        mbo(0, "R", flags=SNAPSHOT),
        mbo(0, "A", "B", 1, 99.75, 5, SNAPSHOT, event_ns=START_NS - 10**15),
        mbo(0, "A", "B", 2, 99.75, 3, SNAPSHOT),
        mbo(0, "A", "B", 3, 99.50, 9, SNAPSHOT),
        mbo(0, "A", "A", 4, 100.25, 4, whole),
        mbo(10, "T", "B", 0, 100.25, 3, 0),  # a buyer takes three of the four
        mbo(10, "F", "A", 4, 100.25, 3, 0),
        mbo(10, "C", "A", 4, 100.25, 3, LAST),
        mbo(20, "A", "A", 5, 100.50, 6, 0),  # half an event: not told yet
        mbo(21, "M", "B", 3, 99.75, 2, LAST),
        mbo(30, "C", "A", 4, 100.25, 1, LAST),
        mbo(35, "A", "A", 4, 101.0, 1, LAST),  # a number that is free again
        mbo(40, "N", "N", 0, None, 0, LAST),
        mbo(50, "R", flags=0),
        mbo(50, "A", "B", 9, 98.0, 1, LAST),
    ]  # fmt: skip


def test_orders_make_levels_and_whole_events_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, "mbo", orders())
    capture = read_capture(path)
    touch = [tuple(row) for row in rebuild(capture).touch.tolist()]
    assert touch == [
        (START_NS, 399, 8, 401, 4),
        (START_NS + 10, 399, 8, 401, 1),
        (START_NS + 21, 399, 10, 401, 1),
        (START_NS + 30, 399, 10, 402, 6),
        (START_NS + 35, 399, 10, 402, 6),
        (START_NS + 50, 392, 1, NO_ASK, 0),
    ]
    assert [tuple(row) for row in capture.trades[["side", "ticks", "lots"]].tolist()] == [
        (BUY, 401, 3)
    ]
    assert capture.lots[0, :, :3].tolist() == [[8, 9, 0], [4, 0, 0]]
    assert capture.lots[2, :, :3].tolist() == [[10, 0, 0], [1, 6, 0]]  # the third order has moved
    assert capture.ticks[4, :, :3].tolist() == [[399, 0, 0], [402, 404, 0]]
    assert lab.load(path).report["events"]["clear"] == 1


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (mbo(60, "C", "B", 77, 98.0, 1), "cancels order 77, which is not there"),
        (mbo(60, "C", "B", 9, 98.0, 2), "cancels 2 of order 9, which has 1"),
        (mbo(60, "A", "B", 9, 98.0, 2), "adds order 9, which is there already"),
        (mbo(60, "A", "B", 10, None, 2), "order 10 of 2 at 0 on no side or of no worth"),
        (mbo(60, "A", "N", 10, 98.0, 2), "order 10 of 2 at .* on no side"),
    ],
)
def test_an_order_that_cannot_be_is_named_or_dropped(
    tmp_path: Path, record: Any, told: str
) -> None:
    path = write(tmp_path, "mbo", [*orders(), record])
    with pytest.raises(DataError, match=rf"es\.dbn, record 16: {told}"):
        lab.load(path)
    capture = read_capture(path, "skip")
    assert capture.dropped == {"order": 1}
    np.testing.assert_array_equal(
        capture.lots, read_capture(write(tmp_path, "mbo", orders(), "w.dbn")).lots
    )


def test_orders_that_are_levels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="tell price levels, not orders"):
        lab.load(write(tmp_path, "mbo", [*orders(), mbo(60, "A", "B", 0, 98.0, 2, LAST | 64)]))


def test_a_crossed_book_is_named_or_dropped(tmp_path: Path) -> None:
    path = write(tmp_path, "mbp-1", [*QUOTES, mbp(95, [(5529.0, 1)], [(5529.0, 3)])])
    with pytest.raises(DataError, match=r"es\.dbn, record 11: bid 22116 is not below ask 22116"):
        lab.load(path)
    assert read_capture(path, "skip").dropped == {"crossed_quote": 1, "no_side": 1}


def test_what_is_no_book_is_refused_and_a_live_recording_is_taken(tmp_path: Path) -> None:
    trade = dbn.TradeMsg(
        price=UNIT, size=1, action=ACTION["T"], side=SIDE["A"], depth=0, **header(0)
    )
    for schema, records, told in (
        ("trades", [trade], "holds trades; one of mbp-1, mbp-10, mbo is wanted"),
        ("tbbo", QUOTES, "holds tbbo; one of"),
        ("mbp-1", [], "holds no records"),
        (None, [*QUOTES, *orders()], "holds mbp-1 and mbo; one of"),
    ):
        with pytest.raises(DataError, match=told):
            lab.load(write(tmp_path, schema, records))
    live = read_capture(write(tmp_path, None, [*QUOTES, trade]))
    assert live.dropped == {"no_side": 1, "other_record": 1}
    assert len(live.when) == len(QUOTES)


@pytest.mark.parametrize("name", ["es.dbn", "es.dbn.zst"])
def test_a_cut_file_is_named_and_its_whole_records_may_be_kept(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "mbp-1", QUOTES * 1_000 if name.endswith("zst") else QUOTES, name)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"record \d+: .*truncated"):
        lab.load(path)
    if not name.endswith("zst"):  # of this one the tail alone is lost
        capture = read_capture(path, "skip")
        assert capture.dropped == {"no_side": 1, "truncated": 1}
        assert len(capture.when) == len(QUOTES) - 1


def test_what_only_begins_like_dbn_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path, "mbp-1", QUOTES).read_bytes()
    for data, told in (
        (whole[:200], "ends within its head"),
        (b"DBN\x63" + whole[4:], "broken DBN: .*version"),
        (whole + b"\0" * 80, "broken DBN: .*length 0"),
        (
            pa.compress(b"price,size\n" * 90, "zstd", asbytes=True),
            "unknown format: it begins with b'price",
        ),
    ):
        path = tmp_path / "odd.dbn"
        path.write_bytes(data)
        with pytest.raises(DataError, match=rf"odd\.dbn.*{told}"):
            lab.load(path)


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "mbp-1", QUOTES)
    monkeypatch.setitem(sys.modules, "databento_dbn", None)
    with pytest.raises(DataError, match=r"es\.dbn: .*pip install 'lablib\[databento\]'"):
        lab.load(path)


def test_zstandard_is_measured_before_it_is_unpacked() -> None:
    packed = pa.compress(bytes(5_000_000), "zstd", asbytes=True)
    assert len(packed) < 1_000
    assert not exceeds(packed, 5_000_000)
    assert exceeds(packed, 4_999_999)
    assert inflate(packed * 2) == (bytes(10_000_000), "")
    assert not exceeds(packed[:-3], 5_000_000)  # cut: whoever reads it says so
    assert "truncated zstd" in inflate(packed[:-3])[1]


REAL = {
    "mbp-1": "futures_mbp-1_2024-07-01T23-58_2024-07-02T00-02.dbn.zst",
    "trades": "futures_trades_2024-07-01T23-58_2024-07-02T00-02.dbn.zst",
    "mbo": "orderbooks_mbo_2024-05-08T00-00-00_2024-05-08T00-00-02.dbn.zst",
}


def decoded(shared: Path, schema: str) -> list[Any]:
    """Every record, as the package has it."""
    decoder = dbn.DBNDecoder()
    decoder.write(pa.input_stream(shared / "data/databento" / REAL[schema], "zstd").read())
    return decoder.decode()[1:]


def played(market: Any, every: str, times: list[int], touches: list[tuple[float, float]]) -> int:
    """Play a market, compare the touch of every frame with the file's; how many frames."""
    idle = {"strategy.name": "idle", "risk.max_position_pct": 1.0}
    seen = 0
    for frame in lab.simulate(idle, market=market, every=every):
        at = np.searchsorted(times, frame.t_ns, "right") - 1
        assert (frame.bid_px, frame.ask_px) == pytest.approx(touches[at])
        seen += 1
    return seen


@pytest.mark.slow
def test_a_real_touch_is_what_the_package_reads_and_plays(shared: Path) -> None:
    records = decoded(shared, "mbp-1")
    path = shared / "data/databento" / REAL["mbp-1"]
    capture = read_capture(path)
    assert (capture.symbol, capture.tick_size, capture.lines) == ("ESU4", 0.25, 2_288)
    tops = [record.levels[0] for record in records]
    np.testing.assert_array_equal(capture.ticks[:, 0, 0] * UNIT // 4, [top.bid_px for top in tops])
    np.testing.assert_array_equal(capture.ticks[:, 1, 0] * UNIT // 4, [top.ask_px for top in tops])
    np.testing.assert_array_equal(capture.lots[:, 0, 0], [top.bid_sz for top in tops])
    np.testing.assert_array_equal(capture.lots[:, 1, 0], [top.ask_sz for top in tops])
    np.testing.assert_array_equal(capture.when["receive_ns"], [one.ts_recv for one in records])
    delays = [one.ts_recv - one.ts_event for one in records if not int(one.flags) & SNAPSHOT]
    told = capture.when[capture.when["event_ns"] != ABSENT]
    np.testing.assert_array_equal(told["receive_ns"] - told["event_ns"], delays)
    # The vendor's own file of trades of the same minutes.
    sides = {"B": BUY, "A": SELL}
    trades = [
        (one.ts_recv, sides[one.side], one.price * 4 // UNIT, one.size)
        for one in decoded(shared, "trades")
    ]
    ours = capture.trades[["receive_ns", "side", "ticks", "lots"]].tolist()
    assert [tuple(row) for row in ours] == trades
    market = lab.load(path)
    start = records[0].ts_recv
    times = [one.ts_recv - start for one in records]
    touches = [(top.bid_px / UNIT, top.ask_px / UNIT) for top in tops]
    assert played(market, "100ms", times, touches) > 2_000


@pytest.mark.slow
def test_a_real_book_of_orders_is_the_slow_books_and_plays(shared: Path) -> None:
    path = shared / "data/databento" / REAL["mbo"]
    capture = read_capture(path)
    resting: dict[int, list[Any]] = {}
    expected = []
    for one in decoded(shared, "mbo"):
        if one.action == "R":
            resting.clear()
        elif one.action in ("A", "M"):
            resting[one.order_id] = [one.side, one.price, one.size]
        elif one.action == "C":
            resting[one.order_id][2] -= one.size
            if not resting[one.order_id][2]:
                del resting[one.order_id]
        if int(one.flags) & LAST:
            lots = {"B": Counter(), "A": Counter()}
            for side, price, size in resting.values():
                lots[side][price] += size
            book = tuple(
                [
                    (price, lots[side][price])
                    for price in sorted(lots[side], reverse=side == "B")[:10]
                ]
                for side in ("B", "A")
            )
            if not expected or book != expected[-1][1]:
                expected.append((one.ts_recv, book))
    assert len(expected) == len(capture.when) > 100
    for at, (time, book) in enumerate(expected):
        assert capture.when["receive_ns"][at] == time
        for side, half in enumerate(book):
            prices, sizes = zip(*half, strict=True)
            assert (capture.ticks[at, side] * UNIT // 4).tolist() == list(prices)
            assert capture.lots[at, side].tolist() == list(sizes)
    times = [time - expected[0][0] for time, _ in expected]
    touches = [(bids[0][0] / UNIT, asks[0][0] / UNIT) for _, (bids, asks) in expected]
    assert played(lab.load(path), "20ms", times, touches) > 90
