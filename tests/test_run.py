"""run(): tables, the summary, what is written and what is not; and frames one by one."""

from __future__ import annotations

import csv
import json
import math
import os
import sys

import numpy as np
import pandas as pd
import pytest
from strategies import PLAIN

from lablib import ArchiveError, Command, ConfigError, SimConfig, run, simulate
from lablib.engine import TABLES
from lablib.kernels import tables as t
from lablib.run import REPLAY_COLUMNS
from lablib.tape.synthetic import SyntheticTape

SECONDS = 0.6 if PLAIN else 20.0
BUSY = SimConfig.preset("cloud").replace({"strategy.threshold": 0.0002})
HEADER = "t,external_px,market_px,divergence,action,equity,realized_pnl,position,halted"


@pytest.fixture(scope="module")
def done():
    return run(BUSY, seed=7, until=f"{SECONDS}s")


# --------------------------------------------------------------------------------------------- twin
WIRES = ("external_feed_ms", "venue_feed_ms", "decision_ms", "order_entry_ms", "ack_ms")


def test_a_twin_is_the_same_run_with_our_wires_at_zero(done):
    both = run(BUSY, seed=7, until=f"{SECONDS}s", twin=True)
    instant = BUSY.replace({f"latency.{wire}": 0.0 for wire in WIRES})
    assert instant != BUSY
    assert both.digest == done.digest
    assert both.twin.digest == run(instant, seed=7, until=f"{SECONDS}s").digest != done.digest
    cost = both.latency_cost()
    assert cost["pnl"] == done.last.equity - 100_000
    assert cost["pnl_without_latency"] == both.twin.last.equity - 100_000
    assert cost["latency_cost"] == cost["pnl_without_latency"] - cost["pnl"]


def test_who_has_no_latency_is_the_twin():
    both = run("classroom", seed=7, until="20s", twin=True)
    assert both.digest == both.twin.digest
    assert both.latency_cost()["latency_cost"] == 0


def test_a_wire_made_slower_while_running_slows_the_run_and_not_its_twin():
    slower = [Command(1_000_000_000, "set", "latency.order_entry_ms", 100.0)]
    config = {"strategy.threshold": 0.001}
    calm, late = (run(config, seed=7, until="10s", twin=True, commands=c) for c in ([], slower))
    assert late.digest != calm.digest
    assert late.twin.fills.tobytes() == calm.twin.fills.tobytes() == calm.fills.tobytes()
    assert late.fills.tobytes() != calm.fills.tobytes()


def test_the_spike_drill_slows_the_run_and_not_its_twin():
    """From the start, and thrown in later: the twin has no latency, whatever it is made of."""
    spike = "drills.latency_spike_ms"
    later = [Command(1_000_000_000, "set", spike, 500.0)]
    config = {"strategy.threshold": 0.001}
    calm = run(config, seed=7, until="10s")
    for begun, commands in (({spike: 500.0}, ()), ({}, later)):
        late = run({**config, **begun}, seed=7, until="10s", twin=True, commands=commands)
        assert late.fills.tobytes() != calm.fills.tobytes()
        assert late.twin.fills.tobytes() == calm.fills.tobytes()
        assert late.twin.last.latency.p99_ms == calm.last.latency.p99_ms < 500


def test_a_twin_draws_no_tape_of_its_own(monkeypatch):
    drawn = []
    draw = SyntheticTape._draw
    monkeypatch.setattr(SyntheticTape, "_draw", lambda *a: drawn.append(1) or draw(*a))
    counts = []
    for twin in (False, True):
        drawn.clear()
        run("flow" if PLAIN else "cloud", seed=7, until="500ms" if PLAIN else "120s", twin=twin)
        counts.append(len(drawn))
    assert counts[0] == counts[1] > 0


def test_a_frame_carries_its_twin():
    late = BUSY.replace({"latency.order_entry_ms": 100.0})
    frames = list(simulate(late, seed=7, every="100ms", until=f"{SECONDS}s", twin=True))
    alone = list(simulate(late.without_latency(), seed=7, every="100ms", until=f"{SECONDS}s"))
    assert [f.twin.equity for f in frames] == [f.equity for f in alone]
    assert [f.t_ns for f in frames] == [f.twin.t_ns for f in frames]
    assert frames[-1].equity != frames[-1].twin.equity
    assert all(f.twin.twin is None for f in frames)


def test_a_run_without_a_twin_says_what_it_lacks(done):
    with pytest.raises(ConfigError, match="twin=True"):
        done.latency_cost()


def test_the_bar_of_a_run_with_a_twin_fills_once():
    told = []
    run("classroom", seed=7, until="1s", twin=True, progress=told.append)
    assert told[-1] == 1.0
    assert (np.diff(told) > 0).all()


# ------------------------------------------------------------------------------------------- tables
def test_tables_have_their_types_and_cannot_be_written(done):
    for name, dtype in TABLES.items():
        table = getattr(done, name)
        assert table.dtype == dtype
        assert not table.flags.writeable
    assert done.orders.size > 5
    assert done.fills.size > 5
    with pytest.raises(AttributeError):
        done.digest = ""


def test_tables_are_in_order(done):
    assert (np.diff(done.samples["t_ns"]) > 0).all()
    assert done.orders["order_id"].tolist() == list(range(1, done.orders.size + 1))
    assert (np.diff(done.fills["t_ns"]) >= 0).all()


def test_orders_whose_fate_is_not_known_are_shown_as_they_stand():
    slow = BUSY.replace({"latency.ack_ms": 60_000})
    done = run(slow, seed=7, until=f"{SECONDS}s")
    assert done.orders.size == done.last.order_count > 0
    assert done.last.open_orders >= done.orders.size
    assert (done.orders["filled_at"] == -1).all()
    assert (done.orders["filled_lots"] > 0).any()


def test_a_run_without_samples_keeps_none_and_does_the_same():
    kept, left = (
        run(BUSY.replace({"record.samples": k}), seed=7, until="500ms") for k in (True, False)
    )
    assert left.samples.size == 0
    assert kept.samples.size == left.last.decisions == kept.last.decisions
    assert left.fills.tobytes() == kept.fills.tobytes()


def test_commands_are_a_table_too():
    commands = [Command(5, "set", "venue.fee_bps", 3.5), Command(9, "halt")]
    table = run(seed=1, until="100ms", commands=commands).commands
    assert table["t_ns"].tolist() == [5, 9]
    assert table["kind"].tolist() == ["set", "halt"]
    assert table["field"].tolist() == ["venue.fee_bps", ""]
    assert [json.loads(value) for value in table["value"]] == [3.5, None]


def test_without_an_end_a_run_takes_ten_minutes():
    config = {"strategy.name": "idle", "external.interval_ms": 60_000}
    assert run({**config, "strategy.decision_interval_ms": 60_000}).last.t_ns == 600 * t.NS_PER_S


def test_progress_is_told_and_changes_nothing(done):
    told = []
    again = run(BUSY, seed=7, until=f"{SECONDS}s", progress=told.append)
    assert again.digest == done.digest
    assert again.orders.tobytes() == done.orders.tobytes()
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert 10 < len(told) <= 1_000


# ---------------------------------------------------------------------------------------- the summary
def test_the_summary_is_json_and_says_what_the_tables_say(done):
    summary = done.summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    promised = (
        "digest events decisions orders fills equity realized_pnl position halted halt_reason"
    )
    assert set(promised.split()) <= set(summary)
    assert summary["digest"] == done.digest
    assert summary["seconds"] == SECONDS
    assert summary["orders"] == done.orders.size
    assert summary["fills"] == done.fills.size
    assert summary["decisions"] == done.samples.size
    assert summary["rejected"] == (done.orders["status"] == t.REJECTED).sum()
    assert summary["position"] == (done.fills["side"] * done.fills["lots"]).sum()
    assert summary["fees"] == pytest.approx(done.fills["fee"].sum(), abs=1e-9)
    assert summary["pnl"] == pytest.approx(
        summary["realized_pnl"] + summary["unrealized_pnl"] - summary["fees"], abs=1e-6
    )
    assert summary["equity"] == pytest.approx(100_000 + summary["pnl"], abs=1e-9)
    assert not summary["halted"]
    assert summary["halted_at_s"] is None


def test_latencies_of_the_summary_are_those_of_the_orders(done):
    orders = done.orders[done.orders["filled_at"] >= 0]
    legs = {
        "latency": orders["filled_at"] - orders["info_ns"],
        "decision_latency": done.orders["created_at"] - done.orders["info_ns"],
        "exchange_latency": (done.orders["acted_at"] - done.orders["created_at"])[
            done.orders["received_at"] >= 0
        ],
    }
    summary = done.summary()
    for name, ns in legs.items():
        for q, label in ((0.5, "p50"), (0.99, "p99"), (0.999, "p999")):
            exact = np.sort(ns)[math.ceil(q * ns.size - 1e-9) - 1] / t.NS_PER_MS
            assert exact <= summary[f"{name}_{label}_ms"] <= exact * 1.01


def test_a_run_that_traded_nothing_has_no_latency_and_says_so():
    summary = run({"strategy.name": "idle"}, until="1s").summary()
    assert summary["latency_p50_ms"] is None
    assert summary["orders"] == 0
    json.dumps(summary, allow_nan=False)


def test_a_halted_run_says_why_when_and_how_much():
    done = run(
        "late_brakes",
        seed=1,
        until="30s",
        commands=[Command(1, "set", "risk.rearm_each_day", False)],
    )
    summary = done.summary()
    assert summary["halted"]
    assert summary["halt_reason"] == "daily_loss_cap"
    assert summary["halts"] == done.risk_events.size == 1
    assert summary["halted_at_s"] == done.risk_events["t_ns"][0] / t.NS_PER_S
    assert summary["overshoot"] > 0


def test_the_drawdown_is_the_largest_fall_from_a_peak(done):
    equity = done.samples["equity"]
    seen = (np.maximum.accumulate(equity) - equity).max()
    assert done.last.max_drawdown >= seen - 1e-9
    assert 0 <= done.last.drawdown <= done.last.max_drawdown


# -------------------------------------------------------------------------------------- pandas and CSV
def test_the_samples_become_a_data_frame_by_simulated_time(done):
    frame = done.to_pandas()
    assert frame.index.name == "t"
    assert (frame.index == pd.to_timedelta(done.samples["t_ns"], unit="ns")).all()
    assert list(frame.columns) == [name for name in t.SAMPLE.names if name != "t_ns"]
    assert (frame["equity"].to_numpy() == done.samples["equity"]).all()
    assert frame.loc[: pd.Timedelta("1s")].shape[0] == (done.samples["t_ns"] <= t.NS_PER_S).sum()


def test_the_replay_csv_has_its_header_and_gives_every_number_back(done, tmp_path):
    path = tmp_path / "replay.csv"
    done.to_csv(path)
    with path.open(newline="") as handle:
        rows = list(csv.reader(handle))
    assert ",".join(rows[0]) == HEADER == ",".join(REPLAY_COLUMNS)
    assert len(rows) == 1 + done.samples.size
    columns = np.array(rows[1:], dtype=float).T
    assert (columns[0] == done.samples["t_ns"] / t.NS_PER_S).all()
    for name, column in zip(REPLAY_COLUMNS[1:], columns[1:], strict=True):
        assert (column == done.samples[name]).all()
    assert os.listdir(tmp_path) == ["replay.csv"]


def test_a_csv_is_written_whole_or_not_at_all(done, tmp_path, monkeypatch):
    path = tmp_path / "replay.csv"
    path.write_text("what was here")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys.modules["lablib.run"], "write_replay", full)
    with pytest.raises(ArchiveError, match=r"replay\.csv: No space left on device"):
        done.to_csv(path)
    assert path.read_text() == "what was here"
    assert os.listdir(tmp_path) == ["replay.csv"]


def test_a_csv_cannot_take_the_name_of_a_folder(done, tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(ArchiveError, match=r"taken: Is a directory"):
        done.to_csv(tmp_path / "taken")
    assert os.listdir(tmp_path) == ["taken"]


def test_a_csv_in_no_folder_is_refused_with_its_name(done, tmp_path):
    with pytest.raises(ArchiveError, match=r"nowhere/replay\.csv: No such file"):
        done.to_csv(tmp_path / "nowhere" / "replay.csv")


def test_a_folder_that_is_not_empty_is_left_alone(done, tmp_path):
    (tmp_path / "mine").write_text("x")
    for target in (tmp_path, tmp_path / "mine"):
        with pytest.raises(ArchiveError, match="not an empty folder; nothing was written"):
            done.save(target)
    assert os.listdir(tmp_path) == ["mine"]
    empty = tmp_path / "empty"
    empty.mkdir()
    done.save(empty)
    assert (empty / "run.json").exists()


# -------------------------------------------------------------------------------------------- frames
def test_the_rows_of_all_frames_are_the_rows_of_the_run(done):
    rows: dict[str, list[np.ndarray]] = {name: [] for name in TABLES}
    for frame in simulate(BUSY, seed=7, every="130ms", until=f"{SECONDS}s"):
        for name, parts in rows.items():
            parts.append(getattr(frame, name))
        assert (frame.samples["t_ns"] <= frame.t_ns).all()
        assert (frame.samples["t_ns"] > frame.t_ns - 130 * t.NS_PER_MS).all()
    for name in ("samples", "fills", "risk_events"):
        assert np.concatenate(rows[name]).tobytes() == getattr(done, name).tobytes()


def test_a_frame_s_money_adds_up():
    for frame in simulate(BUSY, seed=7, every="300ms", until=f"{SECONDS}s"):
        assert frame.equity == pytest.approx(frame.cash + frame.position_value, abs=1e-6)
        assert frame.equity == pytest.approx(
            100_000 + frame.realized_pnl + frame.unrealized_pnl - frame.fees, abs=1e-6
        )
        value = frame.position_lots * BUSY.venue.lot_size * frame.market_px
        assert frame.position_value == pytest.approx(value, abs=1e-6)
        assert frame.day_loss <= frame.day_loss_cap
        gross = frame.gross_limit_lots * BUSY.venue.lot_size * frame.market_px
        assert gross <= frame.equity * BUSY.risk.max_gross_pct * 1.001


@pytest.mark.parametrize("preset", ["classroom", "cloud"])
def test_a_frame_s_book_shows_levels_from_the_touch_outwards(preset):
    config = SimConfig.preset(preset)
    for frame in simulate(preset, seed=7, every="100ms", until="500ms"):
        for view, away, touch in (
            (frame.book.bids, -1, frame.bid_px),
            (frame.book.asks, 1, frame.ask_px),
        ):
            assert 0 < view.shape[0] <= config.venue.levels
            assert view.shape[1] == 2
            assert view[0, 0] == pytest.approx(touch, abs=1e-9)
            assert (np.diff(view[:, 0]) * away > 0).all()
            assert (view[:, 1] > 0).all()
        assert frame.bid_px <= frame.ask_px
        assert frame.market_px == pytest.approx((frame.bid_px + frame.ask_px) / 2, abs=1e-9)


def test_frames_go_on_for_ever_where_no_end_is_given():
    slow = {"external.interval_ms": 60_000, "strategy.decision_interval_ms": 60_000}
    frames = simulate({**slow, "strategy.name": "idle"}, every="1h")
    assert [next(frames).t_ns for _ in range(3)] == [k * 3_600 * t.NS_PER_S for k in (1, 2, 3)]


def test_a_bad_argument_is_told_before_the_first_frame_is_asked_for():
    for bad in ({"every": "0s"}, {"until": "soon"}, {"seed": -1}, {"config": {"foo": 1}}):
        with pytest.raises(ConfigError):
            simulate(**bad)
