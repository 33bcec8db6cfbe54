"""LOBSTER's pairs of files: exact New York times, the book after every message, trades of the aggressor's side."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

import lablib as lab
from lablib.errors import DataError
from lablib.kernels.tables import BUY, EXTERNAL, NO_ASK, NO_BID, SELL, SETTLED, TRADE
from lablib.tape.readers import lobster
from lablib.tape.readers.capture import ABSENT
from lablib.tape.readers.states import StateCapture, rebuild

SECOND = 1_000_000_000
STEM = "ACME_2012-06-21_34200000_57600000_{}_2.csv"
# 09:30 of a summer's day in New York is 13:30 UTC.
OPEN_NS = np.datetime64("2012-06-21T13:30", "ns").astype(np.int64).item()
NO_ASKS, NO_BIDS = "9999999999,0", "-9999999999,0"

# Message, and the book after it: ask, size, bid, size, twice.
DAY = [
    ("34200.000000001,1,11,100,1000000,1", f"1000300,50,1000000,100,{NO_ASKS},{NO_BIDS}"),
    ("34200.5,1,12,40,999900,1", f"1000300,50,1000000,100,{NO_ASKS},999900,40"),
    ("34200.5,4,11,60,1000000,1", f"1000300,50,1000000,40,{NO_ASKS},999900,40"),
    ("34200.500000001,4,13,50,1000300,-1", f"{NO_ASKS},1000000,40,{NO_ASKS},999900,40"),
    ("34201,1,14,30,1000500,-1", f"1000500,30,1000000,40,{NO_ASKS},999900,40"),
    ("34202.123456789,5,0,7,1000250,-1", f"1000500,30,1000000,40,{NO_ASKS},999900,40"),
    ("34203.1,7,0,0,-1,-1", f"1000500,30,1000000,40,{NO_ASKS},999900,40"),
    ("34204.1,7,0,0,1,-1", f"1000500,30,1000000,40,{NO_ASKS},999900,40"),
    (
        "34205.1,6,-1,900,1000100,-1".replace("-1,900", "1,900"),
        f"1000500,30,1000000,40,{NO_ASKS},999900,40",
    ),
    ("34206.1,3,12,40,999900,1", f"1000500,30,1000000,40,{NO_ASKS},{NO_BIDS}"),
]


def write(
    folder: Path,
    messages: list[str] | None = None,
    books: list[str] | None = None,
    stem: str = STEM,
) -> tuple[Path, Path]:
    """Both files of a day."""
    told = {
        "message": [one for one, _ in DAY] if messages is None else messages,
        "orderbook": [one for _, one in DAY] if books is None else books,
    }
    for which, rows in told.items():
        (folder / stem.format(which)).write_text("".join(f"{row}\n" for row in rows))
    return folder / stem.format("message"), folder / stem.format("orderbook")


def changed(which: int, row: int, text: str) -> list[str]:
    """One file's rows, one of them replaced."""
    rows = [pair[which] for pair in DAY]
    rows[row] = text
    return rows


@pytest.fixture
def day(tmp_path: Path) -> StateCapture:
    return lobster.read_capture(write(tmp_path)[0])


def test_times_are_exact_to_the_nanosecond_and_no_receive_times(day: StateCapture) -> None:
    after_ns = [1, 500_000_000, 500_000_000, 500_000_001, SECOND, 2_123_456_789]
    after_ns += [3_100_000_000, 4_100_000_000, 5_100_000_000, 6_100_000_000]
    assert (day.when["receive_ns"] - OPEN_NS).tolist() == after_ns
    assert (day.when["event_ns"] == day.when["receive_ns"]).all()
    assert (day.when["transact_ns"] == ABSENT).all()
    assert not day.has_receive_time


@pytest.mark.parametrize(
    ("date", "utc"), [("2012-01-20", "T14:30"), ("2012-06-21", "T13:30"), ("2012-03-12", "T13:30")]
)
def test_new_york_has_winter_and_summer(tmp_path: Path, date: str, utc: str) -> None:
    message, _ = write(tmp_path, stem=STEM.replace("2012-06-21", date))
    open_ns = np.datetime64(date + utc, "ns").astype(np.int64).item()
    assert lobster.read_capture(message).when["receive_ns"][0] == open_ns + 1


def test_ticks_and_sizes_are_the_books_and_an_empty_level_is_none(day: StateCapture) -> None:
    assert (day.tick_size, day.lot_size, day.symbol, day.lines) == (0.01, 1.0, "ACME", len(DAY))
    assert day.ticks[1].tolist() == [[10_000, 9_999], [10_003, 0]]
    assert day.lots[1].tolist() == [[100, 40], [50, 0]]
    assert day.lots[3].tolist() == [[40, 40], [0, 0]]


def test_every_row_is_a_state_and_the_rebuilt_touch_is_the_files(day: StateCapture) -> None:
    touch = [tuple(row)[1:] for row in rebuild(day).touch.tolist()]
    expected = []
    for _, book in DAY:
        ask, offered, bid, wanted = map(int, book.split(",")[:4])
        expected.append(
            (
                bid // 100 if wanted else NO_BID,
                wanted,
                ask // 100 if offered else NO_ASK,
                offered,
            )
        )
    assert touch == [row for at, row in enumerate(expected) if at not in (5, 6, 7, 8)]  # no change
    times = (rebuild(day).touch["time_ns"] - OPEN_NS).tolist()
    assert times[1] == times[2] == 500_000_000  # two states of one instant


def test_executions_are_trades_of_who_came_and_nothing_else_is(day: StateCapture) -> None:
    told = [tuple(row) for row in day.trades[["line", "side", "ticks", "lots"]].tolist()]
    # Who meets a resting buy sold. Who bought at 100.025 had passed 100.02, and not reached 100.03.
    assert told == [(3, SELL, 10_000, 60), (4, BUY, 10_003, 50), (6, BUY, 10_002, 7)]
    assert day.figures()["between_ticks"] == 1
    assert day.dropped == {"cross": 1, "halt": 2}


def test_a_seller_between_two_ticks_is_told_at_the_upper_one(tmp_path: Path) -> None:
    message, _ = write(tmp_path, changed(0, 5, "34202.123456789,5,0,7,1000250,1"))
    assert lobster.read_capture(message).trades[["side", "ticks"]].tolist()[-1] == (SELL, 10_003)


def test_either_file_gives_the_same_market(tmp_path: Path) -> None:
    message, orderbook = write(tmp_path)
    one, other = lab.load(message), lab.load(orderbook)
    assert one.sha256 == other.sha256
    both = hashlib.sha256(message.read_bytes() + orderbook.read_bytes()).hexdigest()
    for market, path in ((one, message), (other, orderbook)):
        assert [tuple(source)[:2] for source in market.sources] == [(str(path), both)]
        told = " ".join(market.report["warnings"])
        assert f"{path}: has no receive times" in told
        assert "dropped 1 cross, 2 halt" in told
        assert "shows the book 2 deep" in told


def test_a_market_of_one_file_tells_book_trades_and_its_own_mid(tmp_path: Path) -> None:
    market = lab.load(write(tmp_path)[0])
    counts = {
        kind: int((market.events["kind"] == kind).sum()) for kind in (EXTERNAL, SETTLED, TRADE)
    }
    assert counts == {EXTERNAL: 2, SETTLED: 6, TRADE: 3}
    assert market.duration_ns == 6_100_000_000 - 1
    assert market.name == "ACME"


def test_packed_and_saved_on_windows_it_is_the_same(tmp_path: Path, day: StateCapture) -> None:
    for path in write(tmp_path):
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(path.read_bytes().replace(b"\n", b"\r\n")))
    again = lobster.read_capture(packed)
    for name in ("when", "ticks", "lots", "trades"):
        np.testing.assert_array_equal(getattr(again, name), getattr(day, name))


def test_the_other_file_and_the_day_must_be_there(tmp_path: Path) -> None:
    message, orderbook = write(tmp_path)
    orderbook.unlink()
    with pytest.raises(
        DataError, match=r"message_2\.csv: the file that belongs .*orderbook_2\.csv"
    ):
        lab.load(message)
    bare = message.rename(tmp_path / "messages.csv")
    with pytest.raises(
        DataError, match=r"messages\.csv: its name does not tell the day: TICKER_DATE"
    ):
        lab.load(bare)
    wrong, _ = write(tmp_path, stem=STEM.replace("06-21", "06-31"))
    with pytest.raises(DataError, match="its name says 2012-06-31, which is no day"):
        lab.load(wrong)


def test_files_of_other_lengths_do_not_belong_together(tmp_path: Path) -> None:
    message, _ = write(tmp_path, books=[book for _, book in DAY][:-1])
    for on_bad in ("raise", "skip"):
        with pytest.raises(DataError, match=r"message_2\.csv: holds 10 rows, and .*book_2\.csv 9"):
            lab.load(message, on_bad=on_bad)


@pytest.mark.parametrize(
    ("which", "row", "text", "told"),
    [
        (0, 4, "34201.0000000001,1,14,30,1000500,-1", r"message_2\.csv, line 5: '34201\.0000000001"),
        (0, 4, "3.42E+04,1,14,30,1000500,-1", r"line 5: '3\.42E\+04,1,.* is no message"),
        (0, 0, "Time,Type,OrderID,Size,Price,Direction", r"message_2\.csv, line 1: 'Time,Type"),
        (0, 4, "34201,9,14,30,1000500,-1", r"line 5: '34201,9,14"),
        (0, 4, "34201,1,14,30,1000500", r"line 5: '34201,1,14,30,1000500' is no message"),
        (0, 2, "34200.5,4,11,0,1000000,1", r"line 3: trade of 0 at 1000000"),
        (0, 4, "34200.1,1,14,30,1000500,-1", r"line 5: time 1340285400100000000 after 1340285400500000001"),
        (1, 4, "1000500,30,1000000,40", r"orderbook_2\.csv, line 5: '1000500,30,1000000,40' is no book of 2"),
        (1, 2, f"1000000,50,1000000,40,{NO_ASKS},999900,40", r"orderbook_2\.csv, line 3: bid 10000 is not below"),
        (1, 4, "1000500,nan,1000000,40,1,1,1,1", r"orderbook_2\.csv, line 5: '1000500,nan"),
        (1, 4, f"999900,30,1000000,40,{NO_ASKS},999900,40", r"orderbook_2\.csv, line 5: bid 10000 is not below"),
        (1, 4, f"1000500,30,1000000,40,{NO_ASKS},1000100,40", r"orderbook_2\.csv, line 5: levels out of order"),
        (1, 4, f"1000500,30,-9999999999,40,{NO_ASKS},{NO_BIDS}", r"line 5: price of -100000000 ticks"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_or_dropped_in_both_files(
    tmp_path: Path, which: int, row: int, text: str, told: str
) -> None:
    rows = {("messages", "books")[which]: changed(which, row, text)}
    message, _ = write(tmp_path, **rows)
    with pytest.raises(DataError, match=told):
        lab.load(message)
    capture = lobster.read_capture(message, "skip")
    refused = {
        name: count for name, count in capture.dropped.items() if name not in ("cross", "halt")
    }
    assert list(refused.values()) == [1]
    lines = capture.when["line"].tolist()
    kept_book = "trade of" in told  # the book of a trade that is none stands
    assert lines == [line for line in range(1, 11) if line != row + 1 or kept_book]
    assert not np.isin(row + 1, capture.trades["line"])


REAL = {
    "GOOG_2012-06-21_34200000_57600000_{}_1.csv": (1, {4: 7_765, 5: 3_913}),
    "first_49s/AAPL_2012-06-21_34200000_57600000_{}_10.csv": (10, {4: 98, 5: 61}),
}


IDLE = {"strategy.name": "idle", "risk.max_position_pct": 0.5}  # a lot is a share of 580 USD


@pytest.mark.slow
@pytest.mark.parametrize("stem", REAL)
def test_a_real_day_is_what_its_files_say(shared: Path, stem: str) -> None:
    levels, executions = REAL[stem]
    paths = [shared / "data/lobster" / stem.format(which) for which in ("message", "orderbook")]
    # Another way to the same numbers; a double holds 34,200.123456789 to a hundredth of a nanosecond.
    messages, books = (np.loadtxt(path, delimiter=",") for path in paths)
    capture = lobster.read_capture(paths[0])
    assert (capture.lines, capture.tick_size, capture.lot_size) == (len(messages), 0.01, 1.0)
    assert capture.dropped == {}
    assert capture.ticks.shape == (len(messages), 2, levels)
    midnight_ns = OPEN_NS - 34_200 * SECOND
    after = (capture.when["receive_ns"] - midnight_ns) / SECOND
    np.testing.assert_allclose(after, messages[:, 0], rtol=0, atol=2e-11)
    for side, column in ((1, 0), (0, 2)):
        for what, off in ((capture.ticks * 100, 0), (capture.lots, 1)):
            np.testing.assert_array_equal(what[:, side], books[:, column + off :: 4])
    traded = np.isin(messages[:, 1], (4, 5))
    assert {kind: int((messages[:, 1] == kind).sum()) for kind in (4, 5)} == executions
    assert len(capture.trades) == traded.sum()
    np.testing.assert_array_equal(capture.trades["side"], -messages[traded, 5])
    np.testing.assert_array_equal(capture.trades["lots"], messages[traded, 3])
    apart = capture.trades["ticks"] * 100 - messages[traded, 4]
    assert np.all(apart * capture.trades["side"] <= 0)  # never further than the aggressor went
    assert np.count_nonzero(apart) == capture.figures()["between_ticks"] < 60
    assert np.abs(apart).max() <= 50
    # A visible order is executed at the touch of the row before.
    visible = np.flatnonzero(messages[:, 1] == 4)
    visible = visible[visible > 0]
    before = np.where(messages[visible, 5] > 0, books[visible - 1, 2], books[visible - 1, 0])
    assert (before == messages[visible, 4]).all()


@pytest.mark.slow
def test_a_real_day_is_played_as_it_was(shared: Path) -> None:
    stem = next(iter(REAL))
    paths = [shared / "data/lobster" / stem.format(which) for which in ("message", "orderbook")]
    market = lab.load(paths[1])
    messages, books = (np.loadtxt(path, delimiter=",") for path in paths)
    assert market.duration_ns == pytest.approx((messages[-1, 0] - messages[0, 0]) * SECOND, abs=1)
    after_ns = np.rint((messages[:, 0] - messages[0, 0]) * SECOND).astype(np.int64)
    frames = lab.simulate(IDLE, market=market, every="1s", until="60s")
    seen = 0
    for frame in frames:
        at = np.searchsorted(after_ns, frame.t_ns, "right") - 1
        assert frame.ask_px == pytest.approx(books[at, 0] / 10_000)
        assert frame.bid_px == pytest.approx(books[at, 2] / 10_000)
        assert frame.book.bids[0][1] == books[at, 3]
        seen += 1
    assert seen >= 60
