"""The player of records in a process, with real records and no browser."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import zlib
from html import unescape
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import lablib as lab
from lablib.errors import ArchiveError, LabError
from lablib.kernels import tables as t
from lablib.widgets import PlayerLab, live_lab, replay_lab
from lablib.widgets.panels import family
from lablib.widgets.player.catalogue import MOST_SAMPLES, Catalogue
from lablib.widgets.player.chart import PLACES
from lablib.widgets.player.reel import EQUITY, GHOST, Reel
from lablib.widgets.shelf import FOLDER, Entry, Shelf

CONFIG = lab.SimConfig.preset("stress").replace({"external.volatility_bps": 80})
S = t.NS_PER_S


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """A folder with `steered`, half a minute steered by hand and halted, and `plain`, ten seconds of it untouched."""
    folder = tmp_path_factory.mktemp("kept")
    session = lab.Session(CONFIG, seed=7, record=folder / "steered")
    session.start()
    for second in range(30):
        session.advance(S)
        if second == 4:
            session.set("strategy.threshold", 0.001)
        if second == 9:
            session.set("drills.stuck_exit", True)
        if second == 14:
            session.halt()
        if second == 19:
            session.release()
    session.stop()
    lab.run(CONFIG, seed=7, until="10s", record=folder / "plain")
    return folder


@pytest.fixture
def folder(kept, tmp_path, monkeypatch) -> Path:
    """A copy that may be hurt, where a server would have told its kernels of it."""
    monkeypatch.setenv("NOTEBOOK_TEST", "1")
    monkeypatch.delenv("QUERY_STRING", raising=False)
    place = tmp_path / "records"
    shutil.copytree(kept, place)
    monkeypatch.setenv(FOLDER, str(place))
    return place


@pytest.fixture
def ours(folder, wire, monkeypatch):
    monkeypatch.setenv("QUERY_STRING", "record=steered")
    ours = replay_lab()
    wire.clear()
    yield ours
    ours.close()


def opened(monkeypatch, query: str) -> PlayerLab:
    monkeypatch.setenv("QUERY_STRING", query)
    return replay_lab()


def press(ours: PlayerLab, name: str) -> None:
    ours.desk.buttons[name].click()


def status(ours: PlayerLab) -> str:
    return unescape(ours.desk.status.value)


def names(ours: PlayerLab) -> list[str]:
    return [name for _, name in ours.desk.record.options if name]


# ------------------------------------------------------------------------------------------ the shelf
def test_a_shelf_shows_records_newest_first_and_nothing_else(folder):
    (folder / "notes").mkdir()
    (folder / ".steered.x").mkdir()
    (folder / "elsewhere").symlink_to(folder / "plain")
    shelf = Shelf()
    assert sorted(shelf.names()) == ["plain", "steered"]
    told = {entry.name: entry for entry in shelf.entries()}
    assert told["steered"].commands == 4
    assert told["steered"].seconds == pytest.approx(30)
    assert told["steered"].status == "stopped"
    assert told["plain"].status == "finished"
    assert told["plain"].digest == lab.open_run(folder / "plain").digest


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../records/plain", "/etc", "plain/", "plain/..", "gone", "a\0b", "~"]
)
def test_a_name_that_is_no_record_of_the_folder_is_refused(folder, name):
    with pytest.raises(ArchiveError, match="there is no record"):
        Shelf().path(name)


def test_two_who_begin_a_record_at_once_get_two(folder):
    def late(path: Path) -> Path:
        if path.name == "live":  # somebody was faster
            shutil.copytree(folder / "plain", path)
            raise ArchiveError(f"{path}: exists and is not an empty folder; nothing was written")
        path.mkdir()
        return path

    assert Shelf().begin(late).name == "live-2"


@pytest.mark.parametrize("limit", ["ROOM_BYTES", "ROOM"])
def test_a_full_shelf_begins_no_other_record_and_a_recorded_run_goes_on(
    folder, monkeypatch, wire, limit
):
    live = live_lab("stress", seed=5)
    live.record()
    live.step(3)
    monkeypatch.setattr(f"lablib.widgets.shelf.{limit}", 2)
    with pytest.raises(ArchiveError, match="no room"):
        Shelf().begin(lambda path: path)
    live.controls.buttons["reset"].click()
    assert "no room" in status_of(live)
    live.step(3)
    assert live.view.frame.decisions == 6
    assert live.session.recorder.path.name == "live"
    live.close()


# ------------------------------------------------------------------------------------------- the reel
def test_a_moment_is_what_a_run_to_that_moment_ends_with(folder):
    reel = Reel("steered", lab.open_run(folder / "steered"))
    for seconds in (0.0, 3.0, 12.3, 17.0, 30.0):
        moment = reel.at(int(seconds * S))
        rows = reel.run.samples[reel.run.samples["t_ns"] <= seconds * S]
        last = rows[-1] if rows.size else None
        assert moment.decisions == rows.size
        assert moment.equity == (last["equity"] if rows.size else 100_000.0)
        assert moment.fills == np.count_nonzero(reel.run.fills["t_ns"] <= seconds * S)
        assert moment.halted == (15 <= seconds < 20)
        assert moment.halt_reason == ("manual" if moment.halted else "")
    ended = reel.at(reel.end_ns)
    last = lab.replay(folder / "steered").run().last
    assert (ended.equity, ended.decisions, ended.fills) == (
        last.equity,
        last.decisions,
        last.fill_count,
    )
    assert reel.story.config(4 * S).strategy.threshold == CONFIG.strategy.threshold
    assert reel.story.config(5 * S + 9).strategy.threshold == 0.001
    assert not reel.story.config(9 * S).drills.stuck_exit
    assert reel.story.config(10 * S + 9).drills.stuck_exit


def test_an_outline_loses_no_spike(folder, monkeypatch):
    run = lab.open_run(folder / "steered")
    fine = Reel("a", run)
    rows = fine.lines(25 * S, 25.0)
    monkeypatch.setattr("lablib.widgets.player.reel.MOST_ROWS", 10)
    coarse = Reel("b", run)
    outline = coarse.lines(25 * S, 25.0)
    known = np.isfinite(rows[1]) & np.isfinite(outline[1])
    assert known.mean() > 0.9
    for field in range(1, 8):
        assert outline[field][known].min() == rows[field][known].min()
        assert outline[field][known].max() == rows[field][known].max()
    for mine, theirs in zip(coarse.overview(30 * S), fine.overview(30 * S), strict=True):
        assert np.nanmax(mine) == np.nanmax(theirs)
        assert np.nanmin(mine) == np.nanmin(theirs)


def test_a_run_beside_itself_is_ahead_by_nothing(folder):
    run = lab.open_run(folder / "plain")
    reel, same = Reel("a", run), Reel("b", run)
    reel.compare(same)
    rows = reel.lines(10 * S, 10.0)
    np.testing.assert_array_equal(rows[GHOST], rows[EQUITY])
    mine, theirs = reel.overview(10 * S)[1], same.overview(10 * S)[1]
    assert np.nanmax(np.abs(mine - theirs)) == 0
    assert np.isnan(same.held(np.array([11 * S]))).all()


def test_a_run_without_samples_can_be_looked_at(folder):
    lab.run({"record.samples": False}, seed=7, until="5s", record=folder / "bare")
    ours = replay_lab()
    ours.choose("bare")
    assert "0 decisions" in ours.stage._kpis.value
    ours.desk.slider.value = 700
    press(ours, "step")
    assert ours.now_ns == 5 * S
    ours.close()


# ----------------------------------------------------------------------------------------- the player
def test_an_empty_folder_says_how_to_make_a_record(monkeypatch, wire, tmp_path):
    monkeypatch.setenv("NOTEBOOK_TEST", "1")
    monkeypatch.setenv(FOLDER, str(tmp_path / "none"))
    ours = replay_lab()
    assert "no record here yet" in ours.stage._notice.value
    assert "Stop and keep" in ours.stage._notice.value
    assert all(button.disabled for name, button in ours.desk.buttons.items() if name != "look")
    for name in (
        "play",
        "step",
        "reset",
        "verify",
        "save-csv",
    ):  # a page can press what is disabled
        press(ours, name)
        assert "none is open" in status(ours)
    lab.run(CONFIG, seed=7, until="2s", record=tmp_path / "none" / "first")
    press(ours, "look")
    assert ours.reel.name == "first"
    assert ours.stage._notice not in ours.stage._main.children
    ours.close()
    assert wire.open == set()


def test_the_newest_record_is_open_at_its_end_unless_the_address_names_another(
    folder, monkeypatch, wire
):
    ours = opened(monkeypatch, "")
    assert (ours.reel.name, ours.now_ns) == ("plain", 10 * S)
    other = opened(monkeypatch, "record=steered&compare=plain&t=12.5")
    assert (other.reel.name, other.reel.other.name, other.now_ns) == ("steered", "plain", 12.5 * S)
    assert ours.comm is None  # one player lives in a process
    other.close()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("record=../../etc", "no record '../../etc'"),
        ("record=%3Cscript%3E", "no record '<script>'"),
        ("record=steered&compare=/", "no record '/'"),
        ("record=steered&t=nan", "t: seconds"),
        ("record=steered&t=-1", "t: seconds"),
        ("record=steered&t=now", "t: seconds"),
        ("record=steered&t=1e999", ""),
    ],
)
def test_an_address_that_asks_for_what_is_not_there_is_told_so(
    folder, monkeypatch, wire, query, words
):
    ours = opened(monkeypatch, query)
    assert words in status(ours)
    assert "<script>" not in ours.desk.status.value
    ours.close()


def test_scrubbing_moves_the_marks_and_builds_nothing(ours, wire):
    before = {widget.comm.comm_id for widget in family(ours)}
    drawn = []
    for place in (200, 900, 1700):
        ours.desk.slider.value = place
        assert ours.now_ns == pytest.approx(30 * S * place / PLACES)
        assert ours.stage.overview.here.x[0] == pytest.approx(place / PLACES)
        marks = (ours.stage.prices.lines, ours.stage.equity.lines, ours.stage.position.lines)
        drawn.append([np.array(mark.y) for mark in marks])
    for one, other in pairwise(drawn):
        assert all(
            not np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True)
        )
    assert {widget.comm.comm_id for widget in family(ours)} == before
    assert not [kind for _, kind, _ in wire.sent if kind == "comm_open"]
    sizes = [
        np.asarray(mark.y).shape[-1]
        for mark in (ours.stage.prices.lines, ours.stage.overview.equity)
    ]
    assert max(sizes) <= 600


@pytest.mark.parametrize("place", [-5, 10**6])
def test_a_slider_pushed_over_its_end_stands_at_it(ours, place):
    ours.desk.slider.min, ours.desk.slider.max = -(10**9), 10**9  # what a page may claim
    ours.desk.slider.value = place
    assert ours.now_ns in (0, ours.reel.end_ns)


def test_the_halt_and_the_commands_stand_at_their_moments(ours):
    ours.go(16)
    assert "manual" in ours.stage._banner.value
    assert "HALTED" in ours.stage._kpis.value
    assert "3 of 4" in ours.stage._done.value
    assert "Hold exits back" in ours.stage._done.value
    assert ours.stage._done.value.count('class="ahead"') == 1
    assert "kill switch pulled by hand" in ours.stage._tape.value
    ours.go(22)
    assert ours.stage._banner.value == ""
    assert ours.stage._banner.layout.display == "none"
    assert "4 of 4" in ours.stage._done.value
    marks = np.asarray(ours.stage.overview.done.x)
    shares = np.unique(marks[np.isfinite(marks) & (marks > 0)])
    np.testing.assert_allclose(shares, np.array([5, 10, 15, 20]) / 30, atol=2e-3)


def test_the_threshold_is_the_one_in_effect_then(ours):
    ours.go(4)
    early = float(ours.stage.divergence.threshold.y[0][0])
    ours.go(6)
    assert float(ours.stage.divergence.threshold.y[0][0]) == 10.0 != early


def test_step_goes_to_the_next_decision_and_start_to_the_start(ours):
    press(ours, "reset")
    assert (ours.now_ns, ours.desk.slider.value) == (0, 0)
    press(ours, "step")
    press(ours, "step")
    assert ours.now_ns == ours.reel.run.samples["t_ns"][1]
    assert "2 decisions" in ours.stage._kpis.value


def test_two_records_stand_on_one_axis_with_their_difference(ours):
    ours.desk.compare.value = "plain"
    overview = ours.stage.overview
    gap, theirs = np.asarray(overview.gap.y)[0][:-1], np.asarray(overview.other.y)[:-1]
    known = np.isfinite(theirs)
    assert 0.3 < known.mean() < 0.37  # ten of thirty seconds
    assert np.flatnonzero(known).max() < 0.4 * known.size
    np.testing.assert_array_equal(np.isfinite(gap), known)
    ours.go(8)
    both = [lab.open_run(ours.shelf.folder / name).samples for name in ("steered", "plain")]
    lead = [rows["equity"][rows["t_ns"] <= 8 * S][-1] for rows in both]
    lead = f"{lead[0] - lead[1]:+,.2f}".replace("-", "−")
    assert f"ahead by {lead}" in ours.stage.equity._head.value
    assert "Ahead by" in ours.stage._kpis.value
    assert "compare=plain" in unescape(ours.desk.link.value)
    ours.desk.compare.value = ""
    assert not np.isfinite(np.asarray(overview.gap.y)[0][:-1]).any()


def test_verify_says_that_both_digests_are_the_same(ours):
    press(ours, "verify")
    words = ours.desk.verdict.value
    found = re.findall(r'<code class="(\w+)">([0-9a-f]{64})</code>', words)
    assert [name for name, _ in found] == ["recorded", "again"]
    digest = lab.open_run(ours.shelf.folder / "steered").digest
    assert {value for _, value in found} == {digest}
    assert "The same, to the last byte" in words
    assert "4 commands" in words


def test_verify_says_which_row_is_not_what_the_run_gives(folder, monkeypatch, wire):
    path = folder / "steered"
    lines = (path / "commands.jsonl").read_text().splitlines()
    first = json.loads(lines[0][9:])
    first["value"] = 0.002
    text = json.dumps(first, separators=(",", ":"))
    lines[0] = f"{zlib.crc32(text.encode()):08x} {text}"
    ours = opened(monkeypatch, "record=steered")
    (path / "commands.jsonl").write_text("\n".join(lines) + "\n")  # forged while it is open
    press(ours, "verify")
    words = unescape(ours.desk.verdict.value)
    assert "Not the same" in words
    assert re.search(r"steered: \w+ row \d+: \w+ was .*, now ", words)
    assert str(folder) not in words
    ours.close()


def damage(path: Path, how: str) -> None:
    if how == "missing":
        (path / "fills.arrows").unlink()
    elif how == "flipped":
        data = bytearray((path / "samples.arrows").read_bytes())
        data[len(data) // 2] ^= 1
        (path / "samples.arrows").write_bytes(data)
    elif how == "cut":
        data = (path / "orders.arrows").read_bytes()
        (path / "orders.arrows").write_bytes(data[:-40])
    else:
        (path / "run.json").write_text(how)


@pytest.mark.parametrize("how", ["missing", "flipped", "cut", "{", "[]", "{}", ""])
def test_a_damaged_record_is_told_in_a_sentence_and_the_page_goes_on(
    folder, monkeypatch, wire, how
):
    ours = opened(monkeypatch, "record=plain")
    damage(folder / "steered", how)
    press(ours, "look")
    ours.desk.record.value = "steered"
    assert "steered" in status(ours)
    assert 'bad"' in ours.desk.status.value
    assert str(folder) not in status(ours)
    assert ours.reel.name == ours.desk.record.value == "plain"
    ours.desk.slider.value = 300
    assert ours.now_ns == pytest.approx(1.5 * S)
    ours.close()


def test_a_torn_record_of_a_killed_run_opens_and_is_verified_as_far_as_it_goes(
    folder, monkeypatch, wire
):
    session = lab.Session(CONFIG, seed=3, record=folder / "torn")
    session.start()
    for _ in range(8):
        session.advance(S)
    session.flush()
    with open(folder / "torn" / "journal.jsonl", "ab") as file:
        file.write(b"0badc0de {")
    session.recorder.leave()  # as a killed process lets go
    ours = opened(monkeypatch, "record=torn")
    assert "not closed" in ours.desk.about.value
    press(ours, "verify")
    assert "The same, to the last byte" in ours.desk.verdict.value
    assert "interrupted and has no digest of its own" in ours.desk.verdict.value
    ours.close()


def test_a_record_that_is_gone_meanwhile_is_told(ours, folder):
    shutil.rmtree(folder / "plain")
    ours.desk.record.value = "plain"
    assert "no record 'plain'" in status(ours)
    assert ours.reel.name == "steered"
    shutil.rmtree(folder / "steered")
    press(ours, "verify")
    assert "Not checked" in ours.desk.verdict.value


def test_a_record_too_long_for_a_page_is_told_before_it_is_read(folder, monkeypatch, wire):
    monkeypatch.setattr("lablib.widgets.player.catalogue.MOST_SAMPLES", 300)
    ours = opened(monkeypatch, "record=steered")
    assert "a page shows 300 at most" in status(ours)
    ours.close()


def test_the_newest_record_is_one_that_a_page_can_open():
    class Listed:
        def entries(self):
            yield Entry("long", "complete", samples=MOST_SAMPLES + 1)
            yield Entry("hurt", "damaged")
            yield Entry("fits", "complete", samples=MOST_SAMPLES)
            yield Entry("old", "complete", samples=5)

    catalogue = Catalogue(Listed())
    assert catalogue.newest == ""
    catalogue.look()
    assert catalogue.newest == "fits"


@pytest.mark.parametrize("table", ["samples", "orders", "fills", "risk_events", "commands"])
@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_every_table_can_be_saved_and_is_the_export(ours, tmp_path, table, ending):
    ours.desk.table.value = table
    press(ours, f"save-{ending}")
    value = ours.desk.download.value
    assert f'download="steered-{table}.{ending}"' in value
    data = base64.b64decode(re.search(r"base64,([^\"]*)", value)[1])
    run = lab.open_run(ours.shelf.folder / "steered")
    if (table, ending) == ("samples", "csv"):
        run.to_csv(tmp_path / "x.csv")
    else:
        from lablib.exports import save

        save(getattr(run, table), tmp_path / f"x.{ending}")
    assert data == (tmp_path / f"x.{ending}").read_bytes()


def test_a_table_too_large_for_a_page_names_the_command_that_writes_it(ours, monkeypatch):
    monkeypatch.setattr("lablib.widgets.player.files.MOST_BYTES", 100)
    press(ours, "save-csv")
    assert "lablib export steered samples.csv --table samples" in status(ours)
    assert ours.desk.download.value == ""


def test_without_an_event_loop_nothing_plays_and_one_is_told_why(ours):
    with pytest.raises(LabError, match="event loop"):
        ours.play()


def test_a_closed_player_leaves_no_widget_open(folder, wire):
    ours = replay_lab()
    ours.go(3)
    assert wire.open
    ours.close()
    assert wire.open == set()


def answering(ours: PlayerLab) -> None:
    """Let the player's frames be acknowledged as a browser would."""
    flow = ours._flow
    flow._mark.observe(lambda change: setattr(flow.answer, "value", change["new"]), "value")
    flow.answer.value = flow._mark.value


def test_it_plays_from_the_start_to_the_end_and_can_be_held_and_cancelled(
    folder, monkeypatch, wire
):
    monkeypatch.delenv("NOTEBOOK_TEST")
    monkeypatch.setenv("QUERY_STRING", "record=steered")

    async def watch() -> None:
        ours = replay_lab()
        answering(ours)
        ours.desk.speed.value = 10.0
        press(ours, "play")
        await asyncio.sleep(0.4)
        held = ours.now_ns
        assert 0 < held < 15 * S
        assert ours.desk.slider.value == pytest.approx(PLACES * held / (30 * S), abs=20)
        press(ours, "pause")
        held = ours.now_ns
        await asyncio.sleep(0.2)
        assert ours.now_ns == held
        ours.desk.speed.value = 600.0
        press(ours, "play")
        for _ in range(100):
            await asyncio.sleep(0.05)
            if not ours.desk.buttons["play"].disabled:
                break
        assert ours.now_ns == ours.reel.end_ns
        press(ours, "verify")
        assert ours.desk.buttons["verify"].disabled
        press(ours, "cancel")
        for _ in range(200):
            await asyncio.sleep(0.05)
            if ours._check is None:
                break
        assert "Cancelled" in ours.desk.verdict.value
        ours.desk.record.value = "plain"
        assert ours.desk.record.disabled
        for _ in range(200):
            await asyncio.sleep(0.05)
            if not ours._errands.busy:
                break
        assert ours.reel.name == "plain"
        ours.close()
        await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(watch())


# ---------------------------------------------------------------------------- from the live lab to it
def test_a_session_steered_by_hand_is_kept_and_replays_to_the_same_digest(
    folder, monkeypatch, wire
):
    monkeypatch.setenv("QUERY_STRING", "")
    live = live_lab("stress", seed=5)
    live.step(3)
    live.controls.buttons["record"].click()
    assert live.session.state == "created"
    assert "Recording as <b>live</b>" in live.controls._kept.value
    assert live.controls.buttons["record"].description == "Stop and keep"
    live.step(40)
    live.controls.dials["strategy.threshold"].slider.value = 12.0
    live.step(40)
    live.controls.switches["drills.stuck_exit"].value = True
    live.step(20)
    live.controls.buttons["halt"].click()
    live.step(20)
    live.controls.buttons["record"].click()
    assert live.session.state == "finished"
    digest = live.session.simulation.digest()
    link = re.search(r'href="([^"]+)"', live.controls._kept.value)[1]
    assert link == "replay.ipynb?record=live"
    ours = opened(monkeypatch, link.partition("?")[2])
    assert [c.kind for c in ours.reel.run.origin.commands] == ["set", "set", "halt"]
    press(ours, "verify")
    assert ours.desk.verdict.value.count(digest) == 2
    ours.close()
    live.close()


def test_what_is_kept_ends_with_a_reset_or_the_page_and_an_untouched_run_is_not_kept(
    folder, monkeypatch, wire
):
    live = live_lab("stress", seed=5)
    live.record()
    live.record()
    assert "Nothing had happened" in status_of(live)
    assert sorted(Shelf().names()) == ["plain", "steered"]
    live.record()
    live.step(5)
    live.reset()
    assert "live" in live.controls._kept.value
    assert "Recording as <b>live-2</b>" in live.controls._kept.value
    live.step(5)
    live.close()
    told = {entry.name: entry.status for entry in Shelf().entries()}
    assert (told["live"], told["live-2"]) == ("stopped", "stopped")
    for name in ("live", "live-2"):
        lab.replay(folder / name).verify()


def test_after_it_was_kept_a_reset_begins_a_run_that_is_not_written_down(folder, wire):
    live = live_lab("stress", seed=5)
    live.record()
    live.step(5)
    live.record()
    live.set("strategy.threshold", 0.001)
    live.reset()
    assert live.session.recorder is None
    assert live.session.config.strategy.threshold == 0.001
    live.step(5)
    assert live.session.state == "paused"
    live.close()


def test_where_nothing_can_be_written_the_lab_says_so_and_goes_on(folder, monkeypatch, wire):
    monkeypatch.setenv(FOLDER, str(folder / "plain" / "run.json"))
    live = live_lab("stress", seed=5)
    live.step(2)
    live.controls.buttons["record"].click()
    assert "bad" in live.controls.status.value
    assert live.session.recorder is None
    live.step(2)
    assert live.view.frame.decisions == 4
    live.close()


def test_a_record_that_has_grown_to_its_quota_ends_the_run_and_what_is_there_can_be_replayed(
    folder, monkeypatch, wire
):
    monkeypatch.setattr("lablib.widgets.helm.QUOTA_BYTES", 60_000)
    monkeypatch.setattr("lablib.recording.recorder.FLUSH_BYTES", 1_000)
    live = live_lab("stress", seed=5)
    live.record()
    for _ in range(600):
        if live.session.over:
            break
        live.controls.buttons["step"].click()
    assert live.session.state == "failed"
    assert "full" in status_of(live)
    assert str(folder) not in status_of(live)
    assert "Kept as live" in live.controls._kept.value
    assert live.controls.buttons["step"].disabled
    live.controls.buttons["reset"].click()
    live.step(3)
    assert live.session.recorder is None
    live.close()
    ours = opened(monkeypatch, "record=live")
    press(ours, "verify")
    assert "The same, to the last byte" in ours.desk.verdict.value
    ours.close()


def status_of(live) -> str:
    return unescape(live.controls.status.value)


def test_the_app_is_one_import_and_one_call(root: Path):
    book = json.loads((root / "apps" / "replay.ipynb").read_text(encoding="utf-8"))
    (cell,) = book["cells"]
    lines = [line for line in "".join(cell["source"]).splitlines() if line]
    assert lines == ["from lablib.widgets import replay_lab", "replay_lab()"]
