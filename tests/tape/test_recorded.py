"""Two recordings become one market: one clock, exact ticks, a causal basis, the same bytes every time."""

from __future__ import annotations

import gzip
import json
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from tape.binance_fixture import OFFSET_NS, START_NS, Recording, recording

from lablib.errors import ConfigError, DataError
from lablib.kernels.tables import (
    CLEAR,
    END,
    EXTERNAL,
    FAR,
    LEVEL,
    NORMAL,
    SETTLED,
    TAPE_EVENT,
    TRADE,
)
from lablib.tape.readers.wrapping import exceeds
from lablib.tape.recorded import Market, load, load_pair

SECOND = 1_000_000_000
LAG_NS = 100_000_000


def files(
    folder: Path, leader: Recording | None = None, follower: Recording | None = None
) -> list[Path]:
    """USD-M leads COIN-M by 100 ms, at a premium of 40 ticks."""
    leader = leader or recording("usdm", steps=500, premium=40)
    follower = follower or recording("coinm", steps=500, lag_ns=LAG_NS)
    return [leader.write(folder / "leader.gz"), follower.write(folder / "follower.gz")]


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return load_pair(*files(tmp_path))


def of_kind(market: Market, kind: int) -> np.ndarray:
    return market.events[market.events["kind"] == kind]


def test_a_tape_begins_with_the_price_and_the_whole_book_and_never_ends(market: Market) -> None:
    events = market.events
    assert events.dtype == TAPE_EVENT
    first = events[: int(np.argmax(events["kind"] == SETTLED)) + 1]
    assert first["kind"].tolist() == [EXTERNAL, CLEAR] + [LEVEL] * 12 + [SETTLED]
    assert np.all(first["time_ns"] == 0)
    assert (int(events["kind"][-1]), int(events["time_ns"][-1])) == (END, FAR)
    assert np.all(np.diff(events["time_ns"]) >= 0)
    assert events["time_ns"][-2] <= market.duration_ns
    assert market.start_px == events["mark"][0] * market.tick_size


def test_at_one_instant_the_external_price_comes_first_and_groups_stay_whole(
    tmp_path: Path,
) -> None:
    # A line comes 700 ns after the one before: the leader's quotes meet the follower's depth.
    leader, follower = (
        recording("usdm", steps=300),
        recording("coinm", steps=300, start_ns=START_NS + 700),
    )
    market = load_pair(*files(tmp_path, leader, follower))
    events = market.events[:-1]
    shared = 0
    for time_ns in np.unique(events["time_ns"]):
        kinds = events["kind"][events["time_ns"] == time_ns].tolist()
        shared += EXTERNAL in kinds and SETTLED in kinds
        assert EXTERNAL not in kinds[1:]
        if LEVEL in kinds:
            assert kinds[-1] == SETTLED
    assert shared > 50


def test_the_external_price_is_told_when_it_changes_in_ticks_of_the_venue(tmp_path: Path) -> None:
    leader = recording("usdm", steps=500, premium=40)
    follower = recording("coinm", steps=500, lag_ns=LAG_NS)
    market = load_pair(*files(tmp_path, leader, follower), basis="none")
    external = of_kind(market, EXTERNAL)
    mids = {
        leader.times[at]: (max(bids) + min(asks)) / 2 for at, (bids, asks) in leader.books.items()
    }
    start_ns, end_ns = follower.seeded_ns, list(follower.times.values())[-1]
    quoted = [(time + 700, mid) for time, mid in mids.items()]  # bookTicker follows depth
    expected = [[0, [mid for time, mid in quoted if time <= start_ns][-1]]]
    for time, mid in quoted:
        if start_ns < time <= end_ns and mid != expected[-1][1]:
            expected.append([time - start_ns, mid])
    assert external["time_ns"].tolist() == [time for time, _ in expected]
    assert external["mark"].tolist() == [mid for _, mid in expected]
    assert external["ticks"].tolist() == list(range(len(expected)))
    assert np.all(external["lots"] == NORMAL)


def test_the_basis_takes_the_premium_out(market: Market, tmp_path: Path) -> None:
    raw = load_pair(*files(tmp_path), basis="none")
    late = of_kind(raw, EXTERNAL)["time_ns"] > 5 * SECOND
    taken = of_kind(raw, EXTERNAL)["mark"][late] - of_kind(market, EXTERNAL)["mark"][late]
    assert np.median(taken) == pytest.approx(40, abs=2)
    assert market.report["basis"]["follower_minus_leader_median_px"] == pytest.approx(-4, abs=0.2)
    np.testing.assert_array_equal(raw.events[raw.events["kind"] != EXTERNAL], told(market))


def told(market: Market) -> np.ndarray:
    return market.events[market.events["kind"] != EXTERNAL]


def test_the_external_price_does_not_know_the_future(tmp_path: Path) -> None:
    leader, follower = recording("usdm", steps=500), recording("coinm", steps=500, lag_ns=LAG_NS)
    whole = load_pair(*files(tmp_path, leader, follower))
    until_ns = 6 * SECOND
    last_ns = follower.seeded_ns + until_ns
    for made in (leader, follower):
        made.lines = [line for line in made.lines if int(line.partition(" ")[0]) <= last_ns]
    cut = load_pair(*files(tmp_path, leader, follower))
    np.testing.assert_array_equal(
        cut.events[:-1], whole.events[whole.events["time_ns"] <= cut.duration_ns]
    )
    assert until_ns - 50_000_000 < cut.duration_ns <= until_ns


def test_trades_of_the_venue_are_on_the_tape(tmp_path: Path) -> None:
    follower = recording("coinm", steps=500)
    market = load_pair(*files(tmp_path, None, follower))
    trades = of_kind(market, TRADE)
    assert len(trades) == follower.trades - 1  # one came before the book was known
    assert set(trades["side"].tolist()) == {1, -1}
    assert np.all(trades["lots"] == 2)


def test_a_contract_of_fixed_worth_is_linearised_at_the_first_mid(market: Market) -> None:
    levels = of_kind(market, LEVEL)[:12]
    mid = (levels["ticks"][0] + levels["ticks"][6]) / 2 * market.tick_size
    assert market.lot_size == pytest.approx(100 / mid)
    assert market.tick_size == 0.1


def test_a_linear_contract_keeps_its_quantity_step(tmp_path: Path) -> None:
    market = load_pair(
        *files(tmp_path, recording("coinm", steps=300), recording("usdm", steps=300))
    )
    assert (market.lot_size, market.tick_size) == (0.001, 0.1)


def test_a_leader_on_another_tick_is_told_in_ticks_of_the_venue(tmp_path: Path) -> None:
    market = load_pair(*files(tmp_path, recording("spot", steps=300), None), basis="none")
    # The fixture's spot price is 610.00 where the contracts' is 6,100.0.
    assert of_kind(market, EXTERNAL)["mark"][0] == pytest.approx(6_100, abs=5)


def test_the_same_files_give_the_same_bytes(market: Market, tmp_path: Path) -> None:
    again = load_pair(*files(tmp_path))
    assert again.events.tobytes() == market.events.tobytes()
    assert again.sha256 == market.sha256
    assert again.report == market.report
    assert again.sources == market.sources
    assert load_pair(*files(tmp_path), basis="none").sha256 != market.sha256


def test_a_market_cannot_be_written(market: Market) -> None:
    with pytest.raises(ValueError, match="read-only"):
        market.events["lots"] = 0
    with pytest.raises(FrozenInstanceError):
        market.tick_size = 1.0  # type: ignore[misc]


def test_a_report_is_plain_numbers_and_says_what_was_found(market: Market) -> None:
    report = json.loads(json.dumps(market.report, allow_nan=False))
    assert report["book"]["equal"] == report["book"]["comparisons"] == report["book"]["applied"]
    assert report["book"]["crossed_when_settled"] == 0
    assert report["events"]["external"] == len(of_kind(market, EXTERNAL))
    assert report["events"]["level"] == len(of_kind(market, LEVEL))
    for role in ("leader", "follower"):
        clock = report[role]["clock"]
        assert clock["offset_s"] == pytest.approx(OFFSET_NS / SECOND, abs=1e-3)
        assert clock["negative"] == clock["messages"]
        assert report[role]["dropped"] == {}
    assert report["lead_lag"]["peak_ms"] == pytest.approx(LAG_NS / 1e6, abs=15)
    assert report["lead_lag"]["low_ms"] > 0
    told = " ".join(report["warnings"])
    assert "-1.27" in told
    assert "linearised" in told


def test_clocks_of_two_recorders_are_noticed(tmp_path: Path) -> None:
    leader = recording("usdm", steps=300)
    for at, line in enumerate(leader.lines):
        if '"E":' in line:
            leader.edit(at, lambda message: message.update(E=message["E"] + 400))
    market = load_pair(*files(tmp_path, leader, recording("coinm", steps=300)))
    assert any("clocks differ by -0.4" in warning for warning in market.report["warnings"])


def test_a_book_that_differs_from_bookticker_is_noticed(tmp_path: Path) -> None:
    follower = recording("coinm", steps=300)
    at = follower.find("@depth", 50)
    follower.edit(at, lambda depth: depth.update(b=depth["b"][:-1]))
    market = load_pair(*files(tmp_path, None, follower))
    assert any(f"first at line {at + 1}" in warning for warning in market.report["warnings"])


def test_skipped_rows_are_counted_in_the_report(tmp_path: Path) -> None:
    leader = recording("usdm", steps=300)
    leader.edit(leader.find("@bookTicker", 9), lambda quote: quote.update(b="NaN"))
    paths = files(tmp_path, leader)
    with pytest.raises(DataError, match=r"leader\.gz, line \d+: price 'NaN'"):
        load_pair(*paths)
    market = load_pair(*paths, on_bad="skip")
    assert market.report["leader"]["dropped"] == {"number": 1}
    assert any("dropped 1 number" in warning for warning in market.report["warnings"])


def test_a_gap_that_is_skipped_leaves_an_empty_book(tmp_path: Path) -> None:
    follower = recording("coinm", steps=300)
    del follower.lines[follower.find("@depth", 200)]
    paths = files(tmp_path, None, follower)
    with pytest.raises(DataError, match="sequence gap"):
        load_pair(*paths)
    market = load_pair(*paths, on_bad="skip")
    assert len(of_kind(market, CLEAR)) == 2
    assert market.report["book"]["gaps"] == market.report["follower"]["depth_gaps"] == 1
    assert any("until the next snapshot it is empty" in line for line in market.report["warnings"])


def test_recordings_that_do_not_overlap_are_refused(tmp_path: Path) -> None:
    later = recording("coinm", steps=50, start_ns=START_NS + 3_600 * SECOND)
    with pytest.raises(
        DataError, match=r"do not overlap: .*leader\.gz has quotes from 17231612560"
    ):
        load_pair(*files(tmp_path, recording("usdm", steps=50), later))


def test_a_leader_that_ends_before_the_book_is_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"follower\.gz: its book is known from .*nothing to replay"
    ):
        load_pair(*files(tmp_path, recording("usdm", steps=4), recording("coinm", steps=50)))


def test_a_follower_without_a_snapshot_is_refused_and_a_leader_needs_none(tmp_path: Path) -> None:
    bare = recording("usdm", steps=300)
    bare.lines = [line for line in bare.lines if "bookTicker" in line]
    assert load_pair(*files(tmp_path, bare)).duration_ns > 0
    follower = recording("coinm", steps=300)
    del follower.lines[follower.find("lastUpdateId")]
    with pytest.raises(DataError, match=r"follower\.gz: holds no depth snapshot"):
        load_pair(*files(tmp_path, None, follower))


def test_one_recording_is_a_market_of_its_own(tmp_path: Path) -> None:
    made = recording("usdm", steps=300)
    market = load(made.write(tmp_path / "alone.gz"))
    assert market.name == "BTCUSDT"
    assert len(market.sources) == 1
    assert market.sources[0].name == str(tmp_path / "alone.gz")
    assert "lead_lag" not in market.report
    assert of_kind(market, EXTERNAL)["mark"][0] * 2 == sum(of_kind(market, LEVEL)["ticks"][[0, 6]])


def test_an_unknown_format_is_told_what_was_looked_for_and_found(tmp_path: Path) -> None:
    path = tmp_path / "ticks.csv"
    path.write_text("34200010,1.39265,1.39273\n")
    known = r"begins with b'34200010,1.*Known: Binance raw WebSocket capture"
    with pytest.raises(DataError, match=known):
        load(path)
    with pytest.raises(DataError, match=known):
        load_pair(path, path)


def test_a_name_in_gz_that_is_not_gzip_says_so(tmp_path: Path) -> None:
    path = tmp_path / "renamed.gz"
    path.write_bytes(b"7z\xbc\xaf another archive")
    with pytest.raises(DataError, match=r"renamed\.gz: unknown format: .*7z.*is not gzip in spite"):
        load(path)
    path.write_bytes(b"\x1f\x8b no deflate stream")
    with pytest.raises(DataError, match=r"renamed\.gz: broken gzip"):
        load(path)


def test_a_missing_file_a_directory_and_a_cut_file_are_named(tmp_path: Path) -> None:
    leader, follower = files(tmp_path)
    with pytest.raises(DataError, match=r"absent\.gz: no such file"):
        load_pair(leader, tmp_path / "absent.gz")
    with pytest.raises(DataError, match="is a directory"):
        load_pair(tmp_path, follower)
    follower.write_bytes(follower.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"follower\.gz, line \d+: truncated gzip"):
        load_pair(leader, follower)
    assert load_pair(leader, follower, on_bad="skip").report["follower"]["dropped"] == {
        "truncated": 1
    }


def test_an_unknown_choice_is_refused(tmp_path: Path) -> None:
    leader, follower = files(tmp_path)
    with pytest.raises(ConfigError, match="'trailing' or 'none', not 'ewma'"):
        load_pair(leader, follower, basis="ewma")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="'raise' or 'skip', not 'drop'"):
        load_pair(leader, follower, on_bad="drop")  # type: ignore[arg-type]


def test_recordings_longer_than_a_month_are_refused_before_they_are_sampled(tmp_path: Path) -> None:
    leader, follower = recording("usdm", steps=20), recording("coinm", steps=20)
    for one in (leader, follower):
        at = one.find("bookTicker", 15)
        for line in range(at, len(one.lines)):
            stamp, _, rest = one.lines[line].partition(" ")
            one.lines[line] = f"{int(stamp) + 40 * 86_400 * 10**9} {rest}"
    files = (leader.write(tmp_path / "leader.gz"), follower.write(tmp_path / "follower.gz"))
    with pytest.raises(DataError, match=r"leader\.gz have 40 days in common, the most is 31"):
        load_pair(*files)


def test_how_large_a_file_is_unpacked_is_told_without_unpacking_it() -> None:
    plain = b"0123456789" * 1_000
    packed = gzip.compress(plain[:6_000]) + gzip.compress(plain[6_000:]) + b"\0\0"
    for data in (plain, packed):
        assert not exceeds(data, 10_000)
        assert exceeds(data, 9_999)
    assert not exceeds(packed[:-20], 10_000)  # torn: whoever reads it says so
    assert not exceeds(b"\x1f\x8bnonsense", 10)
    assert exceeds(gzip.compress(b"") * 2_000, 10)
