"""Reading Binance's raw capture: exact numbers, two clocks apart, and a clear word about what is bad."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tape.binance_fixture import OFFSET_NS, Recording, recording

from lablib.errors import ConfigError, DataError
from lablib.kernels.tables import BUY, SELL
from lablib.tape.readers.binance import BinanceCapture, read_capture
from lablib.tape.readers.text import decimals

REAL = {  # lines, bookTicker, trade, depth, tick, lot: data/README.md, counted by wc and grep
    "usdm/btcusdt": (93_954, 66_089, 21_313, 6_551, 0.1, 0.001),
    "spot/btcusdt": (41_249, 28_040, 9_757, 3_451, 0.01, 1e-6),
    "cm/btcusd_perp": (48_270, 19_136, 2_286, 26_847, 0.1, 1.0),
}


def read(made: Recording, folder: Path, on_bad: str = "raise") -> BinanceCapture:
    return read_capture(made.write(folder / "capture.gz"), on_bad)


@pytest.mark.parametrize("venue", ["coinm", "usdm", "spot"])
def test_every_channel_arrives_whole(venue: str, tmp_path: Path) -> None:
    made = recording(venue)
    capture = read(made, tmp_path)
    assert capture.lines == len(made.lines)
    assert (len(capture.quotes), len(capture.trades)) == (made.quotes, made.trades)
    assert capture.depth["final_id"].tolist() == list(made.books)
    assert capture.depth["receive_ns"].tolist() == list(made.times.values())
    (snapshot,) = capture.snapshots
    assert (snapshot.last_update_id, snapshot.receive_ns) == (made.snapshot_id, made.seeded_ns)
    assert capture.dropped == {}
    assert capture.is_inverse == (venue == "coinm")
    assert set(capture.trades["side"].tolist()) == {BUY, SELL}


@pytest.mark.parametrize("venue", ["coinm", "usdm", "spot"])
def test_prices_and_quantities_are_exact_integers_whatever_the_padding(
    venue: str, tmp_path: Path
) -> None:
    made = recording(venue)
    capture = read(made, tmp_path)
    bids, asks = zip(*made.books.values(), strict=True)
    assert capture.quotes["bid_ticks"].tolist() == [max(book) for book in bids]
    assert capture.quotes["ask_ticks"].tolist() == [min(book) for book in asks]
    assert capture.quotes["ask_lots"].tolist() == [book[min(book)] for book in asks]
    tick, lot = {"coinm": (0.1, 1.0), "usdm": (0.1, 0.001), "spot": (0.01, 1e-6)}[venue]
    assert (capture.tick_size, capture.lot_size) == (tick, lot)


def test_the_two_clocks_are_kept_apart_and_absent_times_say_so(tmp_path: Path) -> None:
    future, spot = read(recording("usdm"), tmp_path), read(recording("spot"), tmp_path)
    delay = future.quotes["receive_ns"] - future.quotes["event_ns"]
    assert np.all(
        np.abs(delay - OFFSET_NS) < 1_000_000
    )  # the vendor's times are whole milliseconds
    assert np.all(future.quotes["event_ns"] - future.quotes["transact_ns"] == 1_000_000)
    assert np.all(spot.quotes["event_ns"] == -1)
    assert np.all(spot.depth["transact_ns"] == -1)
    assert np.all(spot.depth["event_ns"] > 0)


def test_the_aggressor_is_who_did_not_make_the_price(tmp_path: Path) -> None:
    made = recording()
    at = made.find("@trade")
    made.edit(at, lambda trade: trade.update(m=True))
    assert read(made, tmp_path).trades["side"][0] == SELL


def test_a_plain_file_reads_like_a_packed_one(tmp_path: Path) -> None:
    made = recording()
    packed, plain = read(made, tmp_path), read_capture(made.write(tmp_path / "capture.txt"))
    for name in ("quotes", "trades", "depth", "rows"):
        np.testing.assert_array_equal(getattr(packed, name), getattr(plain, name))
    assert packed.sha256 != plain.sha256  # of the bytes on disk


def test_several_gzip_members_are_one_file(tmp_path: Path) -> None:
    made = recording()
    parts = ["".join(f"{line}\n" for line in half) for half in (made.lines[:99], made.lines[99:])]
    path = tmp_path / "capture.gz"
    path.write_bytes(b"".join(gzip.compress(part.encode()) for part in parts))
    assert read_capture(path).lines == len(made.lines)


def test_what_is_no_ordinary_trade_and_foreign_channels_are_dropped_and_counted(
    tmp_path: Path,
) -> None:
    made = recording()
    # An adjustment has no price: it must be recognised before its numbers are judged.
    made.edit(made.find("@trade"), lambda trade: trade.update(X="NA", p="0", q="0"))
    stamp = made.lines[-1].partition(" ")[0]
    made.lines.append(f'{stamp} {{"stream":"btcusd_perp@markPrice","data":{{}}}}')
    made.lines.append(f'{stamp} {{"result":null,"id":1}}')
    capture = read(made, tmp_path)
    assert capture.dropped == {"other_channel": 1, "other_message": 1, "trade_not_market": 1}
    assert len(capture.trades) == made.trades - 1


def test_arrays_cannot_be_written(tmp_path: Path) -> None:
    capture = read(recording(), tmp_path)
    tables = (
        capture.quotes,
        capture.trades,
        capture.depth,
        capture.rows,
        capture.snapshots[0].rows,
    )
    for table in tables:
        with pytest.raises(ValueError, match="read-only"):
            table[0] = table[1]


def spoil(field: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda message: message.update({field: value})


def drop(field: str) -> Callable[[dict[str, Any]], None]:
    def change(message: dict[str, Any]) -> None:
        del message[field]

    return change


BAD_FIELDS = [
    ("@bookTicker", spoil("b", "NaN"), "number", "price 'NaN'"),
    ("@bookTicker", spoil("a", "inf"), "number", "price 'inf'"),
    ("@bookTicker", spoil("b", "-6100.1"), "number", "price '-6100.1'"),
    ("@bookTicker", spoil("b", "0.0"), "number", "price '0.0'"),
    ("@bookTicker", spoil("B", "-3"), "number", "quantity '-3'"),
    ("@bookTicker", spoil("B", "1e3"), "number", "quantity '1e3'"),
    ("@bookTicker", spoil("A", "0"), "number", "quantity '0'"),
    ("@bookTicker", spoil("A", 5), "number", "quantity 5"),
    ("@bookTicker", spoil("b", "1234567890123456789.5"), "number", "price '1234567890123456789.5'"),
    ("@bookTicker", spoil("b", "9999.9"), "crossed_quote", "bid 99999 is not below ask"),
    ("@bookTicker", spoil("u", 7.5), "fields", "TypeError"),
    ("@bookTicker", spoil("u", 1 << 70), "fields", "OverflowError"),
    ("@bookTicker", spoil("E", "soon"), "fields", "malformed"),
    ("@bookTicker", drop("u"), "fields", "KeyError: 'u'"),
    ("@trade", spoil("p", "nan"), "number", "price 'nan'"),
    ("@trade", spoil("q", "0"), "number", "quantity '0'"),
    ("@trade", spoil("m", "yes"), "fields", "KeyError: 'yes'"),
    ("@depth", spoil("b", [["6100.1", "-1"]]), "number", "quantity '-1'"),
    ("@depth", spoil("a", [["", "1"]]), "number", "price ''"),
    ("@depth", spoil("a", [["6100.1"]]), "fields", "ValueError"),
    ("@depth", spoil("a", None), "fields", "TypeError"),
    (
        "lastUpdateId",
        spoil("bids", [["9999.9", "1"]]),
        "crossed_snapshot",
        "crossed snapshot, bid 99999",
    ),
    ("lastUpdateId", spoil("asks", []), "crossed_snapshot", "0 asks: a side is missing"),
    ("lastUpdateId", spoil("bids", [["nan", "1"]]), "number", "price 'nan'"),
]


@pytest.mark.parametrize(("channel", "change", "reason", "words"), BAD_FIELDS)
def test_a_bad_message_is_named_by_file_line_and_value_or_dropped_and_counted(
    channel: str, change: Callable[[dict[str, Any]], None], reason: str, words: str, tmp_path: Path
) -> None:
    made = recording()
    at = made.find(channel, 0 if channel == "lastUpdateId" else 2)
    made.edit(at, change)
    with pytest.raises(DataError) as caught:
        read(made, tmp_path)
    assert f"capture.gz, line {at + 1}: " in str(caught.value)
    assert words in str(caught.value)
    capture = read(made, tmp_path, "skip")
    assert capture.dropped == {reason: 1}
    kept = len(capture.quotes) + len(capture.trades) + len(capture.depth) + len(capture.snapshots)
    assert kept == len(made.lines) - 1
    assert capture.tick_size == 0.1


BAD_LINES = [
    (lambda line: line[:-20], "json", "broken JSON"),
    (lambda line: "", "layout", "no receive time of 19 digits: ''"),
    (lambda line: line[6:], "layout", "no receive time of 19 digits"),
    (lambda line: str(int(line[:19]) - 10**9) + line[19:], "unsorted", "receive time"),
    (lambda line: line.replace("btcusd_perp@", "ethusd_perp@"), "fields", "ethusd_perp"),
    (lambda line: line[:20] + "[]", "fields", "malformed"),
    (lambda line: line[:20] + '{"stream":5,"data":{}}', "fields", "malformed"),
]


@pytest.mark.parametrize(("change", "reason", "words"), BAD_LINES)
def test_a_bad_line_is_named_or_dropped_and_counted(
    change: Callable[[str], str], reason: str, words: str, tmp_path: Path
) -> None:
    made = recording()
    at = made.find("@bookTicker", 4)
    made.lines[at] = change(made.lines[at])
    with pytest.raises(DataError, match=rf"capture\.gz, line {at + 1}: .*{words}"):
        read(made, tmp_path)
    capture = read(made, tmp_path, "skip")
    assert len(capture.quotes) == made.quotes - 1
    assert capture.dropped == {reason: 1}


def test_an_older_best_quote_after_a_newer_one_is_refused(tmp_path: Path) -> None:
    made = recording()
    at = made.find("@bookTicker", 4)
    made.edit(at, spoil("u", 1_000))
    with pytest.raises(DataError, match=rf"line {at + 1}: bookTicker update 1000 after 1\d\d\d"):
        read(made, tmp_path)
    assert read(made, tmp_path, "skip").dropped == {"stale_quote": 1}


def test_a_truncated_file_is_refused_or_keeps_its_whole_lines(tmp_path: Path) -> None:
    path = recording().write(tmp_path / "cut.gz")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match=r"cut\.gz, line \d+: truncated gzip"):
        read_capture(path)
    capture = read_capture(path, "skip")
    assert capture.dropped == {"truncated": 1}
    assert len(capture.quotes) > 50


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    path = recording().write(tmp_path / "torn.gz")
    data = bytearray(path.read_bytes())
    data[-6] ^= 0xFF  # its checksum
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"torn\.gz.*broken gzip"):
        read_capture(path)


def test_what_is_no_capture_at_all_is_told_what_it_begins_with(tmp_path: Path) -> None:
    path = tmp_path / "message_1.csv"
    path.write_text("34200.01,3,16085616,100,2238200,-1\n34200.02,1,1,1,1,1\n")
    with pytest.raises(DataError, match=r"message_1\.csv: is no Binance.*begins with '34200\.01,3"):
        read_capture(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="begins with nothing"):
        read_capture(path)


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.gz: no such file"):
        read_capture(tmp_path / "absent.gz")
    with pytest.raises(DataError, match="is a directory"):
        read_capture(tmp_path)


def test_one_message_or_no_best_quote_is_too_little(tmp_path: Path) -> None:
    made = recording()
    whole = list(made.lines)
    made.lines = whole[:1]
    with pytest.raises(DataError, match="one message only"):
        read(made, tmp_path)
    made.lines = [line for line in whole if "@bookTicker" not in line]
    with pytest.raises(DataError, match="no usable bookTicker"):
        read(made, tmp_path)


def test_there_are_two_ways_to_treat_a_bad_row(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'raise' or 'skip', not 'ignore'"):
        read(recording(), tmp_path, "ignore")


@given(
    st.lists(
        st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,8})?", fullmatch=True)
        | st.sampled_from(
            ["", ".", "1.", ".5", "-1", "+1", "1,2", " 1", "1e5", "٣", "nan", None, 3, 2.5]
        ),
        max_size=30,
    )
)
def test_decimals_are_exact_and_everything_else_is_bad(texts: list[object]) -> None:
    values, places, bad = decimals(texts)
    good = [isinstance(text, str) and text.isascii() and text[:1].isdigit() for text in texts]
    good = [
        ok and text[-1:].isdigit() and set(text) <= set("0123456789.")
        for ok, text in zip(good, texts, strict=True)
    ]
    assert bad.tolist() == [at for at, ok in enumerate(good) if not ok]
    exact = [
        int(Decimal(text) * 10**places) if ok else 0 for ok, text in zip(good, texts, strict=True)
    ]
    assert values.tolist() == exact


@pytest.mark.slow
@pytest.mark.parametrize("name", list(REAL))
def test_the_real_recordings_hold_what_their_readme_says(name: str, shared: Path) -> None:
    capture = read_capture(shared / f"data/binance_ws/{name}_20240808.gz")
    counts = (capture.lines, len(capture.quotes), len(capture.trades), len(capture.depth))
    assert (*counts, capture.tick_size, capture.lot_size) == REAL[name]
    assert capture.dropped == {}
    assert [len(snapshot.rows) for snapshot in capture.snapshots] == [2_000]
    for table in (capture.quotes, capture.trades, capture.depth):
        assert np.all(np.diff(table["receive_ns"]) > 0)
        assert np.all(np.diff(table["event_ns"]) >= 0)
    assert np.all(capture.quotes["bid_ticks"] < capture.quotes["ask_ticks"])
    with gzip.open(capture.source) as file:
        first = json.loads(file.readline().partition(b" ")[2])["data"]
    assert int(capture.depth["final_id"][0]) == first["u"]
