"""Rebuilding a Binance book: the vendor's rules, and the proof by its own best quote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tape.binance_fixture import LEVELS, Book, Recording, recording

from lablib.errors import DataError
from lablib.kernels.tables import BUY, CLEAR, LEVEL, NO_ASK, NO_BID, SETTLED
from lablib.tape.readers.binance import BinanceCapture, read_capture
from lablib.tape.readers.binance_book import History, rebuild

VENUES = ["coinm", "usdm", "spot"]
COMPARISONS = {
    "usdm/btcusdt": 6_547,
    "spot/btcusdt": 3_449,
    "cm/btcusd_perp": 26_824,
}  # data/README.md


def read(made: Recording, folder: Path) -> BinanceCapture:
    return read_capture(made.write(folder / "capture.gz"))


def told(history: History) -> Iterator[tuple[int, int, Book]]:
    """Play the events the obvious way: time, kind and both sides after each one."""
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for time_ns, kind, side, ticks, lots, _ in history.events.tolist():
        if kind == CLEAR:
            bids, asks = {}, {}
        elif kind == LEVEL:
            half = bids if side == BUY else asks
            half[ticks] = lots
            if lots == 0:
                del half[ticks]
        yield time_ns, kind, (bids, asks)


def settled(history: History) -> dict[int, Book]:
    """Both sides after every complete message, by time."""
    return {
        time_ns: (dict(bids), dict(asks))
        for time_ns, kind, (bids, asks) in told(history)
        if kind == SETTLED
    }


@pytest.mark.parametrize("venue", VENUES)
def test_the_rebuilt_book_is_the_true_one_after_every_message(venue: str, tmp_path: Path) -> None:
    made = recording(venue)
    history = rebuild(read(made, tmp_path))
    truth = {
        made.times[at]: book for at, book in made.books.items() if made.times[at] > made.seeded_ns
    }
    heard_before = [at for at in made.books if made.times[at] <= made.seeded_ns]
    assert settled(history) == {made.seeded_ns: made.books[heard_before[-1]]} | truth


@pytest.mark.parametrize("venue", VENUES)
def test_every_comparable_update_equals_the_exchanges_own_best_quote(
    venue: str, tmp_path: Path
) -> None:
    made = recording(venue)
    report = rebuild(read(made, tmp_path)).report
    contained = [at for at in made.books if at < made.snapshot_id]
    assert report["messages"] == len(made.books)
    assert report["applied"] == len(made.books) - len(contained)
    assert report["comparisons"] == report["equal"] == report["applied"]
    assert report["first_difference"] == 0


def test_a_level_that_was_lost_on_the_way_shows_in_the_comparison(tmp_path: Path) -> None:
    made = recording()
    at = made.find("@depth", 50)
    made.edit(at, lambda depth: depth.update(b=depth["b"][:-1]))  # the best bid
    report = rebuild(read(made, tmp_path)).report
    assert report["equal"] < report["comparisons"]
    assert report["first_difference"] == at + 1


@pytest.mark.parametrize("venue", VENUES)
def test_a_book_never_crosses_even_inside_a_message(venue: str, tmp_path: Path) -> None:
    for _, _, (bids, asks) in told(rebuild(read(recording(venue), tmp_path))):
        assert max(bids, default=NO_BID) < min(asks, default=NO_ASK)


def test_only_what_changed_is_told_each_level_once_a_message(tmp_path: Path) -> None:
    made = recording()
    made.edit(made.find("@depth", 9), lambda depth: depth["b"].append(depth["b"][-1]))
    last: dict[tuple[int, int], int] = {}
    seen: set[tuple[int, int]] = set()
    for event in rebuild(read(made, tmp_path)).events:
        level = (int(event["side"]), int(event["ticks"]))
        if event["kind"] == LEVEL:
            assert last.get(level, 0) != event["lots"]
            assert level not in seen
            last[level] = int(event["lots"])
            seen.add(level)
        else:
            seen.clear()


def test_a_message_that_names_a_level_twice_means_its_last_word(tmp_path: Path) -> None:
    made = recording()
    made.edit(made.find("@depth", 9), lambda depth: depth["b"].insert(0, [depth["b"][-1][0], "77"]))
    report = rebuild(read(made, tmp_path)).report
    assert report["equal"] == report["comparisons"]


def test_the_book_may_be_told_from_a_later_time_on(tmp_path: Path) -> None:
    made = recording()
    capture = read(made, tmp_path)
    whole = settled(rebuild(capture))
    for start_ns in (list(whole)[60], list(whole)[60] + 5):  # at a message, and between two
        history = rebuild(capture, start_ns=start_ns)
        late = settled(history)
        assert late.pop(start_ns) == list(whole.values())[60]
        assert late == {time: book for time, book in whole.items() if time > start_ns}
        assert history.touch["time_ns"].tolist() == [start_ns, *late]


def test_a_window_follows_the_touch_and_tells_what_it_shows_exactly(tmp_path: Path) -> None:
    capture = read(recording(steps=600), tmp_path)
    reach = 36  # six levels reach 31 ticks from the middle, so most are inside, and some are not
    whole, seen = rebuild(capture), rebuild(capture, reach_ticks=reach)
    assert seen.report["window_moves"] > 10
    np.testing.assert_array_equal(whole.touch, seen.touch)
    for (bids, asks), (shown_bids, shown_asks) in zip(
        settled(whole).values(), settled(seen).values(), strict=True
    ):
        middle = (max(bids) + min(asks)) // 2
        for side, shown in ((bids, shown_bids), (asks, shown_asks)):
            assert shown.items() <= side.items()
            near = {price for price in side if abs(price - middle) <= reach - reach // 3}
            assert near <= shown.keys()
            assert all(abs(price - middle) <= reach + reach // 3 for price in shown)


def test_a_window_never_stretches_over_its_old_and_its_new_place(tmp_path: Path) -> None:
    made = recording()
    made.edit(made.find("lastUpdateId"), add_far_levels)
    reach = 300
    moves = rebuild(read(made, tmp_path), reach_ticks=reach)
    for _, _, (bids, asks) in told(moves):
        prices = bids.keys() | asks.keys()
        assert not prices or max(prices) - min(prices) <= 2 * reach


def add_far_levels(snapshot: dict[str, Any]) -> None:
    """Rest orders every tenth tick far and wide."""
    snapshot["bids"] += [[f"{price}.0", "1"] for price in range(5_000, 6_080)]
    snapshot["asks"] += [[f"{price}.0", "1"] for price in range(6_120, 7_000)]


@pytest.mark.parametrize("venue", VENUES)
def test_a_sequence_gap_stops_with_its_line_and_ids(venue: str, tmp_path: Path) -> None:
    made = recording(venue)
    at = made.find("@depth", 40)
    del made.lines[at]
    with pytest.raises(
        DataError, match=r"capture\.gz, line \d+: sequence gap: the message continues 1"
    ):
        rebuild(read(made, tmp_path))


@pytest.mark.parametrize("venue", VENUES)
def test_after_a_skipped_gap_the_book_is_empty_until_the_next_snapshot(
    venue: str, tmp_path: Path
) -> None:
    made = recording(venue, steps=120)
    ids = list(made.books)
    back_ns = made.add_snapshot(ids[80])
    gap = made.find("@depth", 40)
    del made.lines[gap]
    history = rebuild(read(made, tmp_path), on_bad="skip")
    books = settled(history)
    broken_ns = made.times[ids[41]]
    assert books[broken_ns] == ({}, {})
    assert not [time for time in books if broken_ns < time < back_ns]
    assert books[back_ns] == made.books[ids[80]]
    assert list(books)[-1] == made.times[ids[-1]]
    assert books[made.times[ids[100]]] == made.books[ids[100]]
    assert history.report["gaps"] == 1
    assert history.report["equal"] == history.report["comparisons"] == history.report["applied"]


def test_a_snapshot_taken_while_the_book_is_in_step_changes_nothing(tmp_path: Path) -> None:
    made = recording()
    capture = read(made, tmp_path)
    made.add_snapshot(list(made.books)[80])
    again = read(made, tmp_path)
    assert len(again.snapshots) == 2
    np.testing.assert_array_equal(rebuild(again).events, rebuild(capture).events)


@pytest.mark.parametrize("venue", VENUES)
def test_a_snapshot_the_stream_does_not_reach_back_to_is_a_gap(venue: str, tmp_path: Path) -> None:
    made = recording(venue)
    made.edit(made.find("lastUpdateId"), lambda snapshot: snapshot.update(lastUpdateId=900))
    first = made.find("@depth") + 1
    with pytest.raises(DataError, match=rf"line {first}: sequence gap: .*snapshot ends at 900"):
        rebuild(read(made, tmp_path))
    with pytest.raises(DataError, match="no snapshot that its depth messages continue"):
        rebuild(read(made, tmp_path), on_bad="skip")


def test_a_snapshot_between_two_messages_ids_is_continued(tmp_path: Path) -> None:
    made = recording("coinm")  # futures leave ids between pu and U unused
    ids = list(made.books)
    made.edit(made.find("lastUpdateId"), lambda snapshot: snapshot.update(lastUpdateId=ids[3] + 1))
    report = rebuild(read(made, tmp_path)).report
    assert report["applied"] == len(ids) - 4
    assert report["equal"] == report["comparisons"] == report["applied"]


def test_a_snapshot_that_comes_before_its_stream_waits_for_it(tmp_path: Path) -> None:
    made = recording()
    at = made.find("lastUpdateId")
    stamp = int(made.lines[0].partition(" ")[0])
    line = made.lines.pop(at)
    made.lines.insert(0, f"{stamp - 1} {line.partition(' ')[2]}")
    history = rebuild(read(made, tmp_path))
    ids = list(made.books)
    assert history.events["time_ns"][0] == stamp - 1
    assert settled(history)[made.times[ids[3]]] == made.books[ids[3]]
    assert len(history.touch) == 1 + history.report["applied"]


def test_a_book_that_crosses_stops_with_its_line_or_is_counted(tmp_path: Path) -> None:
    made = recording()
    at = made.find("@depth", 40)
    made.edit(at, lambda depth: depth["b"].append(["6500.0", "1"]))
    capture = read(made, tmp_path)
    with pytest.raises(DataError, match=rf"line {at + 1}: book crosses: bid 65000, ask"):
        rebuild(capture)
    history = rebuild(capture, on_bad="skip")
    assert history.report["crossed"] == 1
    assert list(settled(history).values())[-1] == ({}, {})


def test_a_capture_without_a_snapshot_has_no_book(tmp_path: Path) -> None:
    made = recording()
    del made.lines[made.find("lastUpdateId")]
    with pytest.raises(DataError, match=r"capture\.gz: holds no depth snapshot"):
        rebuild(read(made, tmp_path))


def test_the_whole_book_is_told_from_the_touch_outward(tmp_path: Path) -> None:
    events = rebuild(read(recording(), tmp_path)).events
    first = events[: int(np.argmax(events["kind"] == SETTLED)) + 1]
    assert first["kind"].tolist() == [CLEAR] + [LEVEL] * (2 * LEVELS) + [SETTLED]
    assert np.all(np.diff(first["ticks"][1 : 1 + LEVELS]) < 0)
    assert np.all(np.diff(first["ticks"][1 + LEVELS : -1]) > 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(COMPARISONS))
def test_the_real_books_equal_bookticker_at_every_comparable_update(
    name: str, shared: Path
) -> None:
    capture = read_capture(shared / f"data/binance_ws/{name}_20240808.gz")
    history = rebuild(capture)
    assert history.report["comparisons"] == COMPARISONS[name]
    assert history.report["equal"] == COMPARISONS[name]
    assert (history.report["gaps"], history.report["crossed"]) == (0, 0)
    touch = history.touch
    assert np.all(touch["bid_ticks"] < touch["ask_ticks"])
    assert np.all(np.diff(history.events["time_ns"]) >= 0)
    groups = np.flatnonzero(history.events["kind"] == SETTLED)
    assert history.events["time_ns"][groups].tolist() == touch["time_ns"].tolist()
    before = rebuild(capture, start_ns=int(touch["time_ns"][999]))
    assert before.events["time_ns"][0] == touch["time_ns"][999]
