"""The recorded lab in a process: real readers, the real engine, no browser."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import tempfile
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from tape.binance_fixture import recording

import lablib as lab
from lablib.cli import main
from lablib.config import SimConfig
from lablib.errors import ConfigError, LabError
from lablib.tape.recorded import load_pair
from lablib.widgets import RecordedLab, live_lab, recorded_lab
from lablib.widgets.knobs import knobs, switches
from lablib.widgets.panels import family
from lablib.widgets.plan import RECORDED
from lablib.widgets.recorded import stall
from lablib.widgets.recorded.survey import survey

pytestmark = (
    pytest.mark.compiled
)  # minutes in plain Python, where the run itself is tested elsewhere

STEPS = 200  # of 20 ms
CONFIG = {"latency.order_entry_ms": 20.0, "strategy.threshold": 0.0002}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """Two recordings of one recorder, a second follower, and one with a price that is none."""
    folder = tmp_path_factory.mktemp("market")
    leader = recording("usdm", steps=STEPS, premium=40)
    follower = recording("coinm", steps=STEPS, lag_ns=100_000_000)
    later = recording("coinm", steps=STEPS, lag_ns=200_000_000)
    bad = recording("coinm", steps=STEPS, lag_ns=100_000_000)
    at = bad.find("bookTicker", 40)
    bad.edit(at, lambda message: message.update(b="cheap"))
    files = {
        "leader": leader.write(folder / "leader.gz"),
        "follower": follower.write(folder / "follower.gz"),
        "later": later.write(folder / "later.gz"),
        "bad": bad.write(folder / "bad.txt"),
    }
    files["torn"] = folder / "torn.gz"
    files["torn"].write_bytes(files["follower"].read_bytes()[:-99])
    return files


BAD_LINE = next(
    at + 1 for at in [recording("coinm", steps=STEPS, lag_ns=100_000_000).find("bookTicker", 40)]
)


@pytest.fixture
def told(files, monkeypatch, tmp_path) -> dict[str, Path]:
    """As a server leaves it to its kernels: two markets by name."""
    monkeypatch.setenv("NOTEBOOK_TEST", "1")
    monkeypatch.setenv("QUERY_STRING", "")
    pairs = {
        "perp": [str(files["leader"]), str(files["follower"])],
        "late": [str(files["leader"]), str(files["later"])],
        "torn": [str(files["leader"]), str(files["torn"])],
    }
    monkeypatch.setenv(stall.MARKETS, json.dumps(pairs))
    monkeypatch.setenv(stall.ROOM, "1")
    monkeypatch.setenv("LABLIB_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return files


@pytest.fixture
def ours(told, wire):
    ours = recorded_lab()
    yield ours
    ours.close()


def status(ours: RecordedLab) -> str:
    return unescape(ours.controls.status.value)


def to_the_end(ours: RecordedLab) -> str:
    while not ours.session.over:
        ours.step()
    return ours.session.simulation.digest()


def sent(path: Path, name: str | None = None) -> list[dict]:
    """A file as a browser's upload hands it over."""
    return [{"name": name or path.name, "content": memoryview(path.read_bytes())}]


def hand_in(ours: RecordedLab, leader: Path, follower: Path) -> None:
    """As a browser does: the widget's own value, with all that comes along."""
    for role, path in (("leader", leader), ("follower", follower)):
        more = {"type": "", "size": path.stat().st_size, "last_modified": 0}
        ours.desk.files[role].set_state({"value": [{**sent(path)[0], **more}]})


# ------------------------------------------------------------------------------------- what it plays
def test_a_page_opens_with_the_first_market_held_at_its_start(ours):
    assert ours.taken.name == "perp"
    assert ours.session.state == "created"
    assert ours.session.market.sha256 == ours.taken.market.sha256
    assert ours.desk.market.value == "perp"
    assert "BTCUSDT" in ours._facts.value
    assert "BTCUSD_PERP" in ours._facts.value


@pytest.mark.parametrize("handed", [False, True])
def test_the_run_is_that_of_the_command_line_to_the_digest(told, wire, capsys, handed):
    ours = recorded_lab(config=CONFIG)
    if handed:
        hand_in(ours, told["leader"], told["follower"])
        assert ours.taken.is_own
        ours.set("strategy.threshold", CONFIG["strategy.threshold"])
    digest = to_the_end(ours)
    words = [f"--set={path}={value}" for path, value in CONFIG.items()]
    pair = ["--leader", str(told["leader"]), "--follower", str(told["follower"])]
    assert main(["run", *pair, *words, "--seed", "7", "--json"]) == 0
    told_by_the_command = json.loads(capsys.readouterr().out)
    assert told_by_the_command["fills"] > 0
    assert digest == told_by_the_command["digest"]
    ours.close()


def test_what_was_handed_in_plays_and_nothing_of_it_stays_on_disk_or_in_the_page(ours, told, wire):
    before = ours.taken.market.sha256
    ours.use("late")
    hand_in(ours, told["leader"], told["follower"])
    assert ours.taken.is_own
    assert ours.taken.market.sha256 == before
    assert list(Path(tempfile.gettempdir()).iterdir()) == []
    assert all(upload.value == () for upload in ours.desk.files.values())
    assert ours._handed == {}
    assert ours.desk.market.label == "leader.gz > follower.gz"


def test_played_to_its_end_it_says_what_is_left_and_reset_plays_it_again(ours):
    digest = to_the_end(ours)
    ours._ended(False)
    assert "The recording has ended: P&L" in status(ours)
    assert "without latency" in status(ours)
    assert ours.controls.buttons["play"].disabled
    ours.reset()
    assert ours.session.state == "created"
    assert to_the_end(ours) == digest


def test_the_settings_that_are_left_out_do_nothing_on_a_recorded_market(told):
    market = load_pair(told["leader"], told["follower"])
    config = SimConfig().replace(CONFIG)
    offered = {knob.path: knob for knob in knobs()}
    idle = [path for path in offered if path.startswith(RECORDED.idle)]
    assert len(idle) > 10
    changes = {"makers.investors": True}
    assert {one.path for one in switches() if one.path.startswith(RECORDED.idle)} == changes.keys()
    for path in idle:
        knob = offered[path]
        changes[path] = knob.meant(knob.shown(knob.low + (knob.high - knob.low) / 3))
    plain = lab.run(config, seed=7, market=market)
    other = lab.run(config.replace(changes), seed=7, market=market)
    assert plain.fills.size > 0
    for name in ("samples", "orders", "fills"):
        assert getattr(plain, name).tobytes() == getattr(other, name).tobytes()


def test_the_threshold_to_begin_with_is_exceeded_a_fiftieth_of_the_time(ours, told):
    market = load_pair(told["leader"], told["follower"])
    seen = survey(market)
    idle = {"strategy.name": "idle", "strategy.decision_interval_ms": 10}
    apart = np.abs(lab.run(idle, market=market).samples["divergence"])
    assert np.mean(apart > seen.threshold) == pytest.approx(0.02, abs=0.01)
    assert ours.session.config.strategy.threshold == seen.threshold
    assert f"{1e4 * seen.threshold:.3g} bps" in status(ours)


def test_the_live_lab_itself_takes_a_market(told, wire):
    market = load_pair(told["leader"], told["follower"])
    live = live_lab(CONFIG, seed=7, market=market)
    digest = to_the_end(live)
    assert digest == lab.run(CONFIG, seed=7, market=market).digest
    assert "external.volatility_bps" not in live.controls.dials
    live.close()


# ------------------------------------------------------------------------------------------ choosing
def test_another_market_keeps_what_a_person_set_and_gets_a_threshold_of_its_own(ours):
    ours.set("latency.order_entry_ms", 33.0)
    ours.step(5)
    ours.desk.market.value = "late"
    assert ours.taken.name == "late"
    assert ours.view.now_s == 0
    assert ours.session.config.latency.order_entry_ms == 33.0
    assert ours.session.config.strategy.threshold == ours.taken.seen.threshold
    assert ours.controls.dials["latency.order_entry_ms"].slider.value == 33.0


def test_a_named_market_that_cannot_be_read_is_said_without_a_path_and_the_other_plays_on(
    ours, told
):
    ours.step(3)
    before = ours.session
    ours.desk.market.value = "torn"
    assert "torn.gz" in status(ours)
    assert "truncated" in status(ours)
    assert str(told["torn"].parent) not in status(ours)
    assert ours.session is before
    assert ours.desk.market.value == "perp"
    ours.step(3)
    assert ours.session.simulation.now_ns == 6 * 50_000_000


@pytest.mark.parametrize("name", ["../perp", "/etc/passwd", "gone", "", 7, None, ["perp"]])
def test_a_name_that_is_no_market_is_refused_and_nothing_moves(ours, name):
    before = ours.session
    if name:
        ours._asked("market", name if isinstance(name, str) else str(name))
        assert "there is no market" in status(ours)
    assert ours.session is before
    with pytest.raises(ConfigError, match="there is no market"):
        ours.stall.load(str(name))


def test_wires_are_taken_from_a_place_while_it_runs_and_recorded(ours):
    ours.step(4)
    ours.controls.wires.value = "retail"
    legs = [command.field for command in ours.session.commands]
    assert "latency.order_entry_ms" in legs
    assert (
        ours.session.config.latency
        == SimConfig()
        .wired("retail")
        .replace({"latency.market_lag_ms": ours.session.config.latency.market_lag_ms})
        .latency
    )
    assert "home connection" in ours.controls._about.value
    ours.controls.dials["latency.order_entry_ms"].slider.value = 12.0
    assert ours.controls.wires.value == "custom"
    ours.controls.wires.value = "none"
    assert ours.session.config.latency.ack_ms == 0
    ours.step(4)


# ------------------------------------------------------------------------------------------- the link
def link(ours: RecordedLab) -> str:
    found = re.findall(r'href="\?([^"]+)"', ours.controls._link.value)
    return unescape(found[0]) if found else ""


def test_a_link_leads_back_to_market_wires_and_settings(ours, monkeypatch):
    ours.use("late")
    ours.wire("binance_london")
    ours.set("strategy.threshold", 0.0007)
    query = link(ours)
    assert "market=late" in query
    assert "wires=binance_london" in query
    assert len(query) < 200
    monkeypatch.setenv("QUERY_STRING", query)
    other = recorded_lab()
    assert other.taken.name == "late"
    assert other.session.config.to_json() == ours.session.config.to_json()
    assert "bad" not in status(other)
    other.close()


def test_files_of_ones_own_have_no_link_and_no_record(ours, told):
    hand_in(ours, told["leader"], told["follower"])
    assert link(ours) == ""
    assert ours.controls.buttons["record"].disabled
    ours._asked("record", None)
    assert "cannot" in status(ours) or "could not be" in status(ours)
    assert ours._helm.recording == ""
    ours.use("perp")
    assert link(ours) != ""
    assert not ours.controls.buttons["record"].disabled


def test_an_address_that_names_no_market_says_so_and_opens_the_first(told, wire, monkeypatch):
    monkeypatch.setenv("QUERY_STRING", "market=<b>gone</b>&seed=9")
    ours = recorded_lab()
    assert ours.taken.name == "perp"
    assert "there is no market '<b>gone</b>' here; known: perp, late, torn" in status(ours)
    assert "<b>gone" not in ours.controls.status.value
    assert ours.session.simulation.seed == 9
    ours.close()


def test_a_recorded_market_steered_by_hand_is_kept_and_verifies(ours):
    ours.record()
    ours.step(20)
    ours.set("latency.order_entry_ms", 40.0)
    ours.wire("colo")
    ours.step(20)
    ours.record()
    assert lab.replay(ours._shelf.path(ours._kept)).verify()


# --------------------------------------------------------------------------------------- handing in
def test_a_bad_row_is_told_with_file_line_and_value_and_nothing_is_half_taken(ours, told):
    ours.step(2)
    before, facts = ours.session, ours._facts.value
    hand_in(ours, told["leader"], told["bad"])
    words = status(ours)
    assert f"bad.txt, line {BAD_LINE}: price 'cheap'" in words
    assert "Nothing was taken. Leaving out bad rows may help." in words
    assert ours.session is before
    assert ours._facts.value == facts
    assert ours._handed == {}
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


def test_bad_rows_are_left_out_and_counted_where_a_person_says_so(ours, told):
    ours.desk.skip.value = True
    hand_in(ours, told["leader"], told["bad"])
    assert ours.taken.is_own
    assert '>1</span><span class="s">1 number' in ours._facts.value


def test_one_file_waits_for_the_other_and_may_be_replaced(ours, told):
    before = ours.session
    ours._asked("file", ("follower", sent(told["later"], "wrong one.gz")))
    assert "Follower: <b>wrong one.gz</b>" in ours.desk._handed.value
    assert "Now the leader" in ours.desk._handed.value
    assert ours.session is before
    ours._asked("file", ("follower", sent(told["follower"])))
    ours._asked("file", ("leader", sent(told["leader"])))
    assert ours.taken.market.sha256 == load_pair(told["leader"], told["follower"]).sha256


@pytest.mark.parametrize(
    "junk",
    [
        None,
        7,
        "text",
        [None],
        [{}],
        [{"name": "a"}],
        [{"name": "a", "content": "text"}],
        [{"name": "a", "content": 10**9}],
        [{"name": "a", "content": []}],
        [{"name": "a", "content": b""}],
        {"content": b"1"},
    ],
)
def test_what_is_no_file_is_refused_and_the_lab_goes_on(ours, junk):
    for role in ("leader", "follower"):
        ours._asked("file", (role, junk))
        assert "that was no file" in status(ours) or "is empty" in status(ours)
    assert ours._handed == {}
    ours.step(2)


def test_a_role_that_is_none_is_refused(ours, told):
    ours._asked("file", ("judge", sent(told["leader"])))
    assert "leader or follower" in status(ours)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.gz", "a.gz"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("a\n\x1b[31mb\u202e.gz", "a??[31mb?.gz"),
        ("x" * 500, "x" * 60),
        (7, "leader’s file"),
        ("", "leader’s file"),
        ("/", "leader’s file"),
    ],
)
def test_a_visitors_name_is_shown_and_nothing_else(ours, told, name, shown):
    sending = [{"name": name, "content": memoryview(b"no market at all\n" * 3)}]
    ours._asked("file", ("leader", sending))
    assert ours._handed["leader"].name == shown
    assert "<img" not in ours.desk._handed.value
    ours._asked("file", ("follower", sent(told["follower"])))
    assert shown in status(ours)
    assert "<img" not in ours.controls.status.value
    assert "unknown format" in status(ours)


def test_two_files_of_one_name_are_told_apart(ours, told):
    ours._asked("file", ("leader", sent(told["leader"], "same.gz")))
    ours._asked("file", ("follower", sent(told["bad"], "same.gz")))
    assert f"follower same.gz, line {BAD_LINE}" in status(ours)


def test_a_file_too_large_is_refused_packed_and_unpacked(ours, monkeypatch):
    assert ours.stall.upload_bytes == 1 << 20
    big = np.random.default_rng(1).bytes((1 << 20) + 1)
    ours._asked("file", ("leader", [{"name": "big.bin", "content": memoryview(big)}]))
    assert "big.bin: holds 1.0 MB, the most is 1 MB" in status(ours)
    monkeypatch.setattr(stall, "UNPACKED_BYTES", 20 << 20)
    bomb = gzip.compress(b"0" * (64 << 20))
    assert len(bomb) < 1 << 20
    ours._asked("file", ("leader", [{"name": "bomb.gz", "content": memoryview(bomb)}]))
    assert "bomb.gz: unpacks to more than 20 MB" in status(ours)
    crumbs = gzip.compress(b"") * 40_000
    ours._asked("file", ("leader", [{"name": "crumbs.gz", "content": memoryview(crumbs)}]))
    assert "crumbs.gz: unpacks to more" in status(ours)
    assert ours._handed == {}


def test_no_path_of_this_computer_reaches_the_page(told, wire):
    ours = recorded_lab()
    ours.use("late")
    ours.desk.market.value = "torn"
    hand_in(ours, told["leader"], told["bad"])
    ours.step(2)
    page = repr(wire.sent)
    assert "leader.gz" in page
    for secret in (str(told["leader"].parent), tempfile.gettempdir()):
        assert secret not in page
    ours.close()


# --------------------------------------------------------------------------------------- with nothing
def test_with_no_market_the_page_says_what_to_do_and_a_file_begins_it(files, monkeypatch, wire):
    monkeypatch.setenv("NOTEBOOK_TEST", "1")
    monkeypatch.setenv("QUERY_STRING", "market=perp")
    monkeypatch.delenv(stall.MARKETS, raising=False)
    ours = recorded_lab()
    assert "there is no market 'perp' here; known: none" in status(ours)
    main_column = ours._dashboard._main
    assert [child.value.count("No recorded market yet") for child in main_column.children] == [1]
    for name in ("play", "step", "reset", "record", "halt"):
        ours.controls.buttons[name].click()
    ours.controls.dials["latency.order_entry_ms"].slider.value = 50.0
    ours.controls.wires.value = "retail"
    assert ours.taken is None
    ours.controls.dials["latency.order_entry_ms"].slider.value = 60.0
    hand_in(ours, files["leader"], files["follower"])
    assert ours.taken.is_own
    assert len(main_column.children) == 2
    assert ours.session.config.latency.order_entry_ms == 60.0
    assert ours.stall.upload_bytes == stall.NOTEBOOK_MB << 20
    ours.step(3)
    ours.close()
    assert wire.open == set()


def test_markets_are_given_by_name_or_as_one_pair(files, monkeypatch, wire):
    monkeypatch.setenv("NOTEBOOK_TEST", "1")
    monkeypatch.delenv("QUERY_STRING", raising=False)
    one = recorded_lab((files["leader"], files["follower"]))
    assert one.stall.names == ["leader > follower"]
    other = recorded_lab({"a": (str(files["leader"]), files["later"])}, "cloud", seed=3)
    assert other.session.config.strategy.threshold == SimConfig.preset("cloud").strategy.threshold
    assert other.session.simulation.seed == 3
    other.close()
    for bad in ("leader.gz", [files["leader"]], {"a": "leader.gz"}, {"a": ["x", "y", "z"]}):
        with pytest.raises(ConfigError, match="leader's and a follower's file"):
            recorded_lab(bad)


@pytest.mark.parametrize("words", ["nonsense", "[]", "7", "null"])
def test_a_broken_environment_is_no_market(monkeypatch, words):
    monkeypatch.setenv(stall.MARKETS, words)
    monkeypatch.setenv(stall.ROOM, words)
    assert stall.Stall().names == []
    assert stall.Stall().upload_bytes == (7 if words == "7" else stall.NOTEBOOK_MB) << 20


def test_making_another_lab_closes_the_one_before_with_its_desk(ours, wire):
    before = {widget.comm.comm_id for widget in family(ours)}
    assert ours.desk.files["leader"].comm.comm_id in before
    other = live_lab()
    assert not before & wire.open
    other.close()


def test_without_an_event_loop_nothing_plays(ours):
    with pytest.raises(LabError, match="event loop"):
        ours.play()


def test_on_a_loop_it_opens_plays_is_handed_files_and_refuses_two_at_once(told, wire, monkeypatch):
    monkeypatch.delenv("NOTEBOOK_TEST", raising=False)

    async def watch():
        ours = recorded_lab()
        assert ours.desk.market.disabled
        mark = ours._flow._mark
        mark.observe(lambda change: setattr(ours._flow.answer, "value", change["new"]), "value")
        ours._flow.answer.value = mark.value
        for _ in range(1_200):
            await asyncio.sleep(0.05)
            if ours.taken is not None and ours.view.now_s > 0.2:
                break
        assert ours.session.state == "running"
        hand_in(ours, told["leader"], told["later"])
        ours._asked("market", "late")
        assert "another market is still being read" in status(ours)
        for _ in range(1_200):
            await asyncio.sleep(0.05)
            if ours.taken.is_own and ours.view.now_s > 0.2:
                break
        assert ours.session.state == "running"
        assert not ours.desk.market.disabled
        hand_in(ours, told["leader"], told["bad"])
        before = ours.view.now_s
        for _ in range(200):
            await asyncio.sleep(0.05)
            if "Nothing was taken" in status(ours):
                break
        assert ours.session.state == "running"
        assert ours.view.now_s > before
        ours.close()
        await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(watch())


def test_the_app_is_one_import_and_one_call(root):
    book = json.loads((root / "apps" / "recorded.ipynb").read_text(encoding="utf-8"))
    (cell,) = book["cells"]
    lines = [line for line in "".join(cell["source"]).splitlines() if line]
    assert lines == ["from lablib.widgets import recorded_lab", "recorded_lab()"]
