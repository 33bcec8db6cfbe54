"""Files that tell a book row by row: Tardis, Binance's public CSV, and tables with columns of any name."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tape.binance_fixture import recording

import lablib as lab
from lablib.errors import ConfigError, DataError
from lablib.kernels.tables import BUY, CLEAR, EXTERNAL, LEVEL, NO_ASK, NO_BID, SELL, SETTLED
from lablib.tape.readers import binance_csv, plain, states, tardis
from lablib.tape.readers.binance import read_capture as read_raw
from lablib.tape.readers.wrapping import exceeds
from lablib.tape.recorded import Recording, load, load_pair

TARDIS = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount"
PLAIN = "time,bid,bid_size,ask,ask_size"
T0 = 1_723_161_256_000_000  # us


def quotes(
    count: int, step_us: int = 1_000, first: int = 0
) -> list[tuple[int, int, int, int, int]]:
    """Times in us, and a touch in ticks and lots that wanders as a fixed function of its row."""
    return [
        (T0 + first + k * step_us, 1_000 + (7 * k) % 13, 1 + k % 5, 1_001 + (7 * k) % 13, 1 + k % 3)
        for k in range(count)
    ]


def as_tardis(rows, exchange="binance-futures", late_us=150) -> str:
    lines = [
        f"{exchange},BTCUSDT,{time - late_us},{time},{ask_lots / 1000},{ask / 10},{bid / 10},{bid_lots / 1000}"
        for time, bid, bid_lots, ask, ask_lots in rows
    ]
    return "\n".join([TARDIS, *lines]) + "\n"


def as_plain(rows) -> str:
    lines = [
        f"{time},{bid / 10},{bid_lots / 1000},{ask / 10},{ask_lots / 1000}"
        for time, bid, bid_lots, ask, ask_lots in rows
    ]
    return "\n".join([PLAIN, *lines]) + "\n"


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def touches(capture) -> np.ndarray:
    names = ("receive_ns", "bid_ticks", "bid_lots", "ask_ticks", "ask_lots")
    return np.column_stack([capture.quotes[name] for name in names])


@pytest.mark.parametrize("wrapping", ["plain", "gz", "zip"])
def test_a_tardis_file_says_its_touch_to_the_tick_and_the_microsecond(tmp_path, wrapping) -> None:
    rows, name = quotes(50), "binance-futures_quotes_2024-08-08_BTCUSDT.csv"
    file = write(tmp_path / f"{name}{'.gz' if wrapping == 'gz' else ''}", as_tardis(rows))
    if wrapping == "zip":
        with zipfile.ZipFile(tmp_path / "q.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(file, name)
        file = tmp_path / "q.zip"
    capture = tardis.read_capture(file)
    assert (capture.symbol, capture.tick_size, capture.lot_size) == ("BTCUSDT", 0.1, 0.001)
    assert touches(capture).tolist() == [[1_000 * row[0], *row[1:]] for row in rows]
    assert (capture.quotes["receive_ns"] - capture.quotes["event_ns"] == 150_000).all()


def test_a_table_of_ones_own_says_the_same_as_the_vendors(tmp_path) -> None:
    rows = quotes(50)
    theirs = tardis.read_capture(write(tmp_path / "t.csv", as_tardis(rows)))
    ours = plain.read_capture(write(tmp_path / "p.csv", as_plain(rows)))
    assert touches(ours).tolist() == touches(theirs).tolist()
    assert ours.has_receive_time
    text = as_plain(rows).replace("time", "event_time", 1)
    assert not plain.read_capture(write(tmp_path / "e.csv", text)).has_receive_time


def test_parquet_says_what_its_csv_says(tmp_path) -> None:
    import pandas as pd

    rows = quotes(40)
    frame = pd.DataFrame(
        {
            "local_ns": [1_000 * row[0] for row in rows],
            "venue": ["a" if k % 2 else "b" for k in range(40)],
            "bid_px": [row[1] / 10 for row in rows],
            "bid_qty": [row[2] / 1000 for row in rows],
            "ask_px": [row[3] / 10 for row in rows],
            "ask_qty": [row[4] / 1000 for row in rows],
        }
    )
    frame.to_parquet(tmp_path / "q.parquet")
    frame.assign(local_ns=pd.to_datetime(frame["local_ns"])).to_parquet(tmp_path / "stamps.parquet")
    frame.to_csv(tmp_path / "q.csv", index=False)
    wanted = [[1_000 * row[0], *row[1:]] for row in rows[1::2]]
    for name in ("q.parquet", "q.csv", "stamps.parquet"):
        columns = {"symbol": "venue", "time": "local_ns"}
        capture = plain.read_capture(tmp_path / name, symbol="a", columns=columns)
        assert touches(capture).tolist() == wanted, name
    with pytest.raises(DataError, match=r"holds 2 symbols.*choose by symbol= among \['a', 'b'\]"):
        load(tmp_path / "q.parquet")
    with pytest.raises(DataError, match="holds no 'c' in venue"):
        load(Recording(tmp_path / "q.parquet", symbol="c"))
    bad = write(tmp_path / "bad.parquet", "PAR1 and nothing else")
    with pytest.raises(DataError, match="broken Parquet"):
        load(bad)


def test_a_public_csv_is_put_in_order_by_its_ids(tmp_path) -> None:
    rows = quotes(30, step_us=2_000)
    lines = [
        f"{k + 1},{bid / 10},{bid_lots},{ask / 10},{ask_lots},{time // 1000},{time // 1000 + 1}"
        for k, (time, bid, bid_lots, ask, ask_lots) in enumerate(rows)
    ]
    swapped = [lines[k ^ 1] for k in range(30)]
    head = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time"
    file = write(tmp_path / "BTCUSD_PERP-bookTicker-2024-08-08.csv", "\n".join([head, *swapped]))
    capture = binance_csv.read_capture(file)
    assert (capture.symbol, capture.is_inverse) == ("BTCUSD_PERP", True)
    assert not capture.has_receive_time
    assert touches(capture)[:, 1:].tolist() == [list(row[1:]) for row in rows]
    assert (capture.quotes["event_ns"] - capture.quotes["transact_ns"] == 1_000_000).all()


BOOK = st.lists(
    st.tuples(
        st.lists(st.integers(1, 40), max_size=3, unique=True),
        st.lists(st.integers(41, 80), max_size=3, unique=True),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=30,
)


@given(BOOK)
def test_told_as_changes_the_book_shows_every_row_again(books) -> None:
    books = [([20], [60], 1), *books]
    shape = (len(books), 2, 3)
    prices, sizes = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for k, (bids, asks, lots) in enumerate(books):
        for side, levels in enumerate((sorted(bids, reverse=True), sorted(asks))):
            prices[k, side, : len(levels)] = levels
            sizes[k, side, : len(levels)] = [lots + place for place in range(len(levels))]
    when = np.zeros(len(books), states.WHEN)
    when["receive_ns"] = when["line"] = np.arange(1, len(books) + 1)
    rows = states.Rows(when, states.Exact(prices, 0), states.Exact(sizes, 0))
    refusals = states.Refusals("drawn", "raise")
    capture = states.capture_of(rows, refusals, sha256="", symbol="", lines=len(books))
    assert (capture.ticks[capture.lots > 0] * capture.tick_size == prices[sizes > 0]).all()
    history = states.rebuild(capture)
    shown: dict[tuple[int, int], int] = {}
    at = {}
    for event in history.events:
        if event["kind"] == CLEAR:
            shown = {}
        elif event["kind"] == LEVEL:
            shown[int(event["side"]), int(event["ticks"])] = int(event["lots"])
        elif event["kind"] == SETTLED:
            at[int(event["time_ns"])] = {key: lots for key, lots in shown.items() if lots}
    seen: dict[tuple[int, int], int] = {}
    for k in range(len(books)):
        wanted = {
            (side, int(ticks)): int(lots)
            for half, side in enumerate((BUY, SELL))
            for ticks, lots in zip(capture.ticks[k, half], capture.lots[k, half], strict=True)
            if lots
        }
        seen = at.get(k + 1, seen)
        assert seen == wanted
    best = history.touch[-1]
    assert best["bid_ticks"] == max((p for s, p in seen if s == BUY), default=NO_BID)
    assert best["ask_ticks"] == min((p for s, p in seen if s == SELL), default=NO_ASK)


def test_levels_of_a_snapshot_file_stand_where_its_header_says(tmp_path) -> None:
    head = ["exchange,symbol,timestamp,local_timestamp"]
    head += [
        f"{side}[{k}].{what}"
        for k in range(2)
        for side in ("asks", "bids")
        for what in ("price", "amount")
    ]
    rows = [
        f"x,Y,{T0},{T0},10.1,1,10.0,2,10.2,3,9.9,4",
        f"x,Y,{T0 + 5},{T0 + 5},10.1,1,9.9,4,10.2,3,,",  # the best bid is gone, nothing follows it
    ]
    capture = tardis.read_capture(
        write(tmp_path / "s.csv", "\n".join([",".join(head), *rows]) + "\n")
    )
    assert capture.ticks.tolist() == [[[100, 99], [101, 102]], [[99, 0], [101, 102]]]
    assert capture.lots.tolist() == [[[2, 4], [1, 3]], [[4, 0], [1, 3]]]


TOUCH = st.tuples(
    st.dictionaries(st.integers(1, 40), st.integers(1, 9), min_size=1, max_size=4),
    st.dictionaries(st.integers(41, 80), st.integers(1, 9), min_size=1, max_size=4),
)


@given(st.lists(TOUCH, min_size=1, max_size=12), st.integers(0, 11))
def test_a_book_of_changes_shows_the_books_they_lead_to(tmp_path_factory, books, again) -> None:
    """From the first snapshot on; another one in the middle begins the book anew."""
    lines = ["exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"]
    lines.append(f"x,Y,{T0},{T0},false,bid,7,1")  # before the first snapshot: of no known book
    before: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for k, book in enumerate(books):
        fresh = k == 0 or k == again > 1  # two in a row are one, says the vendor
        for side, old, new in zip(("bid", "ask"), before, book, strict=True):
            gone = {} if fresh else dict.fromkeys(old.keys() - new.keys(), 0)
            for price, lots in {**gone, **new}.items():
                time = T0 + 1 + k
                flag = "true" if fresh else "false"
                lines.append(f"x,Y,{time},{time},{flag},{side},{price}.5,{lots}")
        before = book
    file = write(tmp_path_factory.mktemp("l2") / "l2.csv", "\n".join(lines) + "\n")
    capture = tardis.read_capture(file)
    assert capture.dropped == {"before_snapshot": 1}
    scale = round(capture.tick_size * 10)
    shown = [
        {
            (half, (int(ticks) * scale - 5) // 10): round(int(lots) * capture.lot_size)
            for half in (0, 1)
            for ticks, lots in zip(capture.ticks[k, half], capture.lots[k, half], strict=True)
            if lots
        }
        for k in range(len(capture.when))
    ]
    wanted = [
        {(half, price): lots for half in (0, 1) for price, lots in book[half].items()}
        for book in books
    ]
    changed = [book for k, book in enumerate(wanted) if not k or book != wanted[k - 1]]
    assert shown == changed


@pytest.mark.parametrize(
    ("row", "told", "reason"),
    [
        (f"x,BTCUSDT,{T0},{T0 + 9_000},1,100.2,1e2,1", "price '1e2' of bid_price", "number"),
        (f"x,BTCUSDT,{T0},{T0 + 9_000},-1,100.2,100.1,1", "amount '-1' of ask_amount", "number"),
        (f"x,BTCUSDT,{T0},then,1,100.2,100.1,1", "local_timestamp 'then' is no time", "time"),
        (f"x,BTCUSDT,{T0},{T0 + 9_000},1,100.1,100.1,1", "is not below ask", "crossed_quote"),
        (f"x,BTCUSDT,{T0},{T0 - 1},1,100.2,100.1,1", "after", "unsorted"),
        ("x,BTCUSDT,1,2", "4 fields, 8 are wanted", "columns"),
    ],
)
def test_a_bad_row_is_named_or_counted(tmp_path, row, told, reason) -> None:
    lines = as_tardis(quotes(10)).splitlines()
    file = write(tmp_path / "t.csv", "\n".join([*lines[:6], row, *lines[6:]]) + "\n")
    with pytest.raises(DataError, match=r"t\.csv, line 7: ") as error:
        load(file)
    assert told in str(error.value)
    capture = tardis.read_capture(file, on_bad="skip")
    assert capture.dropped == {reason: 1}
    assert len(capture.quotes) == 10


@pytest.mark.parametrize(
    ("recording", "error", "told"),
    [
        (Recording("t.csv", columns={"time": "x"}), ConfigError, "columns: .*t.csv is of a format"),
        (
            Recording("p.csv", columns={"mid": "x"}),
            ConfigError,
            "there is no 'mid'; known are time",
        ),
        (
            Recording("p.csv", columns={"bid": "x"}),
            DataError,
            "no column 'x' for 'bid'; there are time",
        ),
        (Recording("p.csv", symbol="x"), DataError, "has no column of symbols"),
        (Recording("late.csv"), DataError, "has no column for 'time'; there are bid, ask"),
        (Recording("trades.csv"), DataError, "of another type .id, side, price, amount."),
        (Recording("two.zip"), DataError, "a zip of 2 files"),
        (Recording("text.csv"), DataError, "unknown format: it begins with b'hello'"),
        (Recording("bare.csv"), DataError, "has no sizes, so nobody can trade on it"),
        (Recording("one.csv"), DataError, "has no row with both|holds no row with both"),
    ],
)
def test_what_cannot_be_used_says_why(tmp_path, monkeypatch, recording, error, told) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("t.csv"), as_tardis(quotes(3)))
    write(Path("p.csv"), as_plain(quotes(3)))
    write(Path("late.csv"), "bid,ask\n1,2\n")
    write(Path("bare.csv"), f"time,bid,ask\n{T0},1,2\n{T0 + 1},1,3\n")
    write(Path("one.csv"), f"{PLAIN}\n{T0},1,0,2,1\n")
    write(Path("text.csv"), "hello")
    write(Path("trades.csv"), "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n")
    with zipfile.ZipFile("two.zip", "w") as archive:
        archive.writestr("a", "1")
        archive.writestr("b", "2")
    with pytest.raises(error, match=told):
        load(recording)


def test_one_clock_or_a_warning(tmp_path) -> None:
    leader = write(tmp_path / "l.csv", as_plain(quotes(200)).replace("time", "event_time", 1))
    follower = write(tmp_path / "f.csv", as_tardis(quotes(200, first=300)))
    market = load_pair(leader, follower)
    assert any("two clocks" in line for line in market.report["warnings"])
    said = load_pair(Recording(leader, columns={"time": "event_time"}), follower)
    assert not any("two clocks" in line for line in said.report["warnings"])


def test_a_file_without_sizes_can_lead(tmp_path) -> None:
    rows = quotes(200)
    text = "\n".join(["time,bid,ask", *(f"{row[0]},{row[1] / 10},{row[3] / 10}" for row in rows)])
    market = load_pair(write(tmp_path / "l.csv", text), write(tmp_path / "f.csv", as_tardis(rows)))
    moves = market.events[market.events["kind"] == EXTERNAL]
    assert len(moves) > 100


@pytest.mark.compiled
def test_a_record_finds_its_market_again_with_all_that_was_said_of_it(tmp_path) -> None:
    rows = quotes(2_000, step_us=10_000)
    both = [f"{venue},{line}" for line in as_plain(rows).splitlines()[1:] for venue in ("a", "b")]
    file = write(tmp_path / "two.csv", "\n".join([f"venue,{PLAIN}", *both]) + "\n")
    columns = {"time": "time", "symbol": "venue"}
    market = load_pair(Recording(file, "a", columns), Recording(file, "b", columns))
    run = lab.run("colo", seed=3, market=market, record=tmp_path / "record")
    assert lab.replay(tmp_path / "record").verify() == run.digest


def test_what_is_packed_small_and_is_large_is_known_before_it_is_unpacked(tmp_path) -> None:
    import pandas as pd

    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.csv", bytes(20 << 20))
    pd.DataFrame({"a": np.zeros(1 << 20)}).to_parquet(tmp_path / "bomb.parquet")
    for name, size in (("bomb.zip", 20 << 20), ("bomb.parquet", 8 << 20)):
        data = (tmp_path / name).read_bytes()
        assert len(data) < size / 50
        assert exceeds(data, size - 1)
        assert not exceeds(data, size)


def test_quotes_of_a_capture_and_of_a_table_made_from_it_lead_by_the_same(tmp_path) -> None:
    """A follower by its quotes moves as its book does: the market's lead is that of the capture."""
    leader = recording("usdm", steps=1_500, premium=40).write(tmp_path / "l.gz")
    raw = read_raw(recording("coinm", steps=1_500, lag_ns=100_000_000).write(tmp_path / "f.gz"))
    lines = [
        f"{row['receive_ns']},{row['bid_ticks'] / 10},{row['bid_lots']},{row['ask_ticks'] / 10},{row['ask_lots']}"
        for row in raw.quotes
    ]
    text = "\n".join([PLAIN.replace("time", "receive_ns"), *lines])
    table = write(tmp_path / "f.csv", text)
    told, whole = (
        load_pair(leader, file).report["lead_lag"] for file in (table, tmp_path / "f.gz")
    )
    assert told == whole


@pytest.mark.slow
def test_the_real_pair_leads_by_the_same_whoever_tells_of_it(shared: Path) -> None:
    folder = shared / "data"
    raw = [
        folder / "binance_ws/usdm/btcusdt_20240808.gz",
        folder / "binance_ws/cm/btcusd_perp_20240808.gz",
    ]
    vendor = folder / "derived/binance-delivery_quotes_2024-08-08_BTCUSD_PERP.csv.gz"
    table = folder / "derived/btc_bbo_3venues_20240808.parquet"
    leads = [
        load_pair(*pair).report["lead_lag"]
        for pair in (
            raw,
            (raw[0], vendor),
            (Recording(table, "binance_usdm"), Recording(table, "binance_coinm")),
        )
    ]
    assert [lead["peak_ms"] for lead in leads] == [125, 125, 125]
    assert leads[0] == leads[2]
