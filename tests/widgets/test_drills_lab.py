"""The drills' page in a process, with real drills and no browser."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from traitlets import TraitError

from lablib.drills import CARD, FAULTS, card, desk, drill
from lablib.drills.moments import again
from lablib.drills.timeline import NEVER
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.widgets import DrillsLab, drills_lab
from lablib.widgets.drills import words
from lablib.widgets.panels import family

pytestmark = pytest.mark.compiled


@pytest.fixture
def ours(monkeypatch, wire) -> Iterator[DrillsLab]:
    monkeypatch.setenv("NOTEBOOK_TEST", "1")
    monkeypatch.delenv("QUERY_STRING", raising=False)
    ours = drills_lab()
    wire.clear()
    yield ours
    ours.close()


def text(widget: Any) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", widget.value))).strip()


def lines(ours: DrillsLab) -> dict[str, list[str]]:
    """The timeline: cells of each line that has happened, by the step's name."""
    found = {}
    for name, row in re.findall(r'data-step="(\w+)">(.*?)</tr>', ours.stage._steps.value):
        found[name] = [unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
    return found


def saved(ours: DrillsLab) -> pd.DataFrame:
    data = re.search(r'base64,([^"]+)"', ours.desk.download.value)[1]
    return pd.read_csv(io.BytesIO(base64.b64decode(data)), keep_default_na=False)


# ---------------------------------------------------------------------------------- pressing drills
@pytest.mark.parametrize("fault", FAULTS)
def test_a_press_fills_the_timeline_the_figures_and_the_card(ours, fault):
    ours.desk.drills[fault].click()
    told = ours.drill
    assert (told.fault, told.run.seed) == (fault, 3)
    shown = lines(ours)
    assert {step.name for step in told.steps} - {"end"} == shown.keys()
    for step in told.steps[:-1]:
        title, at, pnl, prompt, _ = shown[step.name]
        assert title
        if step.t_ns == NEVER:
            assert at == "never"
            continue
        assert at == words.ms((step.t_ns - told.begin_ns) / t.NS_PER_MS)
        assert (pnl, prompt) == (words.money(step.pnl), words.money(step.prompt_pnl))
    assert FAULTS[fault].title in text(ours.stage._card)
    assert card(ours.drills, ours.desk.limits)["verdict"][0] in text(ours.stage._card)
    assert ours.desk.status.value == ""
    assert len(ours.stage._main.children) == 4
    kpis = text(ours.stage._kpis)
    assert "…" not in kpis
    assert words.amount(told.loss) in kpis


def test_the_sentence_to_take_home_has_the_lateness_and_its_price(ours):
    ours.press("late_switch")
    told = ours.drill
    assert told.late_ms == 270
    by, after = f"{told.cost_by_halt:,.2f}", f"{told.cost_after_halt:,.2f}"
    take = text(ours.stage._take)
    assert f"Being late cost {told.cost:,.2f}: {by} until the switch latched, 270 ms after" in take
    assert f"and {after} while the close was under way, until the last trade, 310 ms later." in take
    assert f"{by} by the halt, {after} after it" in text(ours.stage._kpis)
    assert f"{told.cost:,.2f} {by} + {after}" in text(ours.stage._card)
    assert "no_delay" not in ours.stage._take.value
    ours.press("slow_wires")  # it was told in time, and its close took its time
    assert "−0.06 (a gain) until the switch latched, 300 ms after" in text(ours.stage._take)
    ours.press("stuck_exit")
    assert "Halting is not closing." in text(ours.stage._take)
    ours.press("oversize")
    assert "never late" in text(ours.stage._take)


def test_the_halt_stands_above_the_charts_with_its_reason_and_covers_none(ours):
    ours.press("slow_wires")
    banner = ours.stage._banner
    assert text(banner).startswith("Halted 300 ms after the fault: an order has gone")
    assert (banner.layout.display, banner.layout.visibility) == ("", "visible")
    assert ours.stage._main.children[0] is banner
    assert banner not in family(ours.stage.position.box)
    ours.press("oversize")
    assert banner.layout.display == "none"


def test_every_loss_says_from_where_it_is_counted(ours):
    ours.press("late_switch")
    kpis, told = text(ours.stage._kpis), lines(ours)
    assert f"Lost beyond the limit {ours.drill.overshoot:,.2f} from the peak, at worst" in kpis
    assert f"Lost since the fault {ours.drill.loss:,.2f} from the fault to the end" in kpis
    assert "against no delay: " in kpis
    limit = f"{ours.drill.halt.limit:,.2f}"
    assert told["limit"][-1].startswith(f"{limit} below the peak it stood at")
    notice = re.search(
        r"as far as it knows, ([\d,.]+) below the peak, ([\d,.]+) allowed", ours.stage._steps.value
    )
    assert notice[2] == limit
    by_day = replace(ours.drill, halt=replace(ours.drill.halt, reason=t.DAILY_LOSS))
    assert "of the day’s realised loss, at worst" in unescape(
        words.tiles(by_day, by_day.until_ns, over=True)
    )
    assert "of the day’s realised loss" in unescape(words.timeline(by_day, by_day.until_ns))


def test_what_is_drawn_is_the_run_the_figures_are_of(ours):
    ours.press("slow_wires")
    told, frame = ours.drill, ours.view.frame
    expected = again(told.run).advance(frame.t_ns)
    assert (frame.equity, frame.position_lots) == (expected.equity, expected.position_lots)
    assert frame.twin.equity == again(told.prompt).advance(frame.t_ns).equity
    lots = ours.stage.position.lines.y
    assert np.nanmin(lots) == pytest.approx(-told.halt.largest_lots, rel=1e-3)
    fault, halt = ours.stage._moments[0].x
    assert halt[0] - fault[0] == pytest.approx(told.halted_ms / 1e3 / ours.view.window_s, abs=1e-5)


def test_on_other_markets_says_what_luck_was(ours):
    with pytest.raises(ConfigError, match="run one first"):
        ours.many()
    ours.press("late_switch")
    ours.desk.buttons["many"].click()
    told = text(ours.desk.spread)
    assert re.search(r"on \d+ other markets: \d+ fail your marks", told)
    mean = float(
        re.search(r"cost (−?[\d,.]+) on average", told)[1].replace(",", "").replace("−", "-")
    )
    assert mean > 0


# ----------------------------------------------------------------------------------------- the card
def test_the_card_can_be_saved_and_is_judged_anew_when_a_mark_moves(ours):
    for fault in ("stale_feed", "slow_wires", "oversize"):
        ours.press(fault)
    before = saved(ours)
    assert list(before.columns) == list(CARD.names)
    assert before["drill"].tolist() == ["stale_feed", "slow_wires", "oversize"]
    for name in ("late_ms", "fills_after", "overshoot", "cost"):
        ours.desk.marks[name].value = 1e9
    assert set(saved(ours)["verdict"]) == {"pass"}
    ours.desk.marks["late_ms"].value = 1
    after = saved(ours)
    assert after["verdict"].tolist() == ["fail", "fail", "pass"]
    assert (
        "2" not in text(ours.stage._card).split("passed")[0].split("Score card")[1].split("of")[0]
    )
    ours.desk.buttons["clear"].click()
    assert ours.drills == []
    assert ours.desk.download.value == ""


def test_the_card_keeps_the_newest_fifty(ours, monkeypatch):
    monkeypatch.setattr("lablib.widgets.drills.lab.ROWS", 2)
    for fault in ("oversize", "double_order", "oversize"):
        ours.press(fault)
    assert [one.fault for one in ours.drills] == ["double_order", "oversize"]


# ------------------------------------------------------------------------------------------ settings
def test_a_dial_changes_the_desk_of_the_next_drill_only(ours):
    ours.press("stale_feed")
    before = ours.drill
    ours.desk.dials["risk.stale_external_ms"].slider.value = 100
    ours.desk.dials["latency.order_entry_ms"].slider.value = 30
    assert ours.drill is before
    ours.press("stale_feed")
    halt = ours.drill.halt
    assert halt.reason == t.STALE_FEED
    assert halt.limit == 100
    assert halt.flat_ns - halt.t_ns == 30 * t.NS_PER_MS
    assert ours.drill.begin_ns <= before.begin_ns + 10**9


def test_how_bad_it_is_can_be_set(ours):
    ours.desk.sizes["late_switch"].value = 100
    ours.desk.sizes["slide"].value = 60
    ours.press("late_switch")
    assert (ours.drill.size, ours.drill.slide_bps_s, ours.drill.late_ms) == (100, 60, 120)
    ours.desk.seed.value = "5"
    ours.press("late_switch")
    assert ours.drill.run.seed == 5


def test_a_switch_two_seconds_late_can_be_asked_for_and_the_fault_outlasts_it(ours):
    ours.desk.sizes["late_switch"].value = 2_000
    assert text(ours.desk.status) == "Switch later by: 2,000 ms; the next drill has it."
    ours.press("late_switch")
    told = ours.drill
    assert told.late_ms == 2_020
    assert not told.cut_short
    assert told.end_ns - told.begin_ns == 5 * t.NS_PER_S
    assert "the fault was over" not in text(ours.stage._take)


def test_a_fault_over_too_early_is_said_in_the_sentence_to_take_home():
    early = drill("late_switch", seed=3, size=2_000, slide_bps_s=40, lasts="2s")
    assert "But the fault was over 2,000 ms after it began" in words.headline(early)


def test_a_number_beyond_the_range_is_refused_aloud(ours):
    # A browser moves it to the end of the range before anybody hears of it.
    ours.desk.sizes["late_switch"].value = 9_000
    assert "5,000 ms is the most this slider takes" in text(ours.desk.status)
    dial = ours.desk.dials["latency.order_entry_ms"]
    dial.slider.value = 9_000
    assert f"{dial.slider.max:g} ms is the most this slider takes" in text(ours.desk.status)
    dial.slider.value = 20
    assert "this slider takes" not in text(ours.desk.status)


def test_what_cannot_be_drilled_is_said_and_the_page_goes_on(ours):
    ours.desk.seed.value = "minus one"
    assert "seed: a whole number" in text(ours.desk.status)
    assert ours.desk.seed.value == "3"
    ours.desk.marks["cost"].value = float("nan")
    assert "cost: a number" in text(ours.desk.status)
    ours.desk.marks["cost"].value = 5
    ours.set("strategy.threshold", 1.0)
    ours.desk.drills["stale_feed"].click()
    assert "nothing to break" in text(ours.desk.status)
    assert ours.drills == []
    ours.set("strategy.threshold", 0.0004)
    ours.desk.drills["stale_feed"].click()
    assert len(ours.drills) == 1
    with pytest.raises(ConfigError, match="no drill 'flood'"):
        ours.press("flood")


NONSENSE = (None, "x", "<img src=x>", -1e300, float("nan"), float("inf"), True, [], {}, 10**400)


def test_whatever_a_browser_writes_the_page_survives_and_a_drill_still_runs(ours):
    names = ("value", "index", "min", "max", "step", "description", "selected_index", "x", "y")
    for part in family(ours):
        for name in (name for name in names if name in part.keys):
            for nonsense in NONSENSE:
                with suppress(TraitError):  # the kernel logs it and goes on
                    part.set_state({name: nonsense})
    ours.desk.drills["slow_wires"].click()
    assert len(ours.drills) == 1 or "bad" in ours.desk.status.value
    assert "<img" not in ours.desk.status.value + ours.stage._card.value


# ------------------------------------------------------------------------------------- playing live
def answering(ours: DrillsLab) -> None:
    """A browser that applies every frame at once."""
    flow = ours._flow
    flow._mark.observe(lambda change: setattr(flow.answer, "value", change["new"]), "value")
    flow.answer.value = flow._mark.value


def test_it_plays_live_and_fills_line_by_line(monkeypatch, wire):
    monkeypatch.delenv("NOTEBOOK_TEST", raising=False)
    monkeypatch.delenv("QUERY_STRING", raising=False)

    async def until(what) -> None:
        for _ in range(400):
            await asyncio.sleep(0.02)
            if what():
                return
        raise AssertionError("it did not come to that")

    async def watch() -> None:
        ours = drills_lab()
        assert ours.desk.drills["slow_wires"].disabled  # the engine is still starting
        answering(ours)
        await until(lambda: not ours.desk.drills["slow_wires"].disabled)
        ours.desk.drills["slow_wires"].click()
        await until(lambda: ours.view.frame and ours.view.frame.halted)
        half = {name: cells[1] for name, cells in lines(ours).items()}
        assert half["fault"] == "0 ms"
        assert half["known"] == "…"
        assert ours.drills == []
        ours.desk.buttons["skip"].click()
        assert len(ours.drills) == 1
        assert lines(ours)["known"][1] != "…"
        ours.desk.drills["late_switch"].click()  # pressed while another plays: that one is ended
        await until(lambda: ours._playing)
        ours.desk.drills["oversize"].click()
        await until(lambda: len(ours.drills) == 3)
        assert [one.fault for one in ours.drills] == ["slow_wires", "late_switch", "oversize"]
        ours.close()
        await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(watch())


# --------------------------------------------------------------------------------------- the house
def test_another_one_closes_the_first(ours, wire):
    first = drills_lab(seed=5)
    assert ours.comm is None
    first.close()
    assert wire.open == set()


def test_it_takes_a_config_of_yours(monkeypatch, wire):
    monkeypatch.setenv("NOTEBOOK_TEST", "1")
    ours = drills_lab(desk({"latency.ack_ms": 5.0}), seed=4)
    assert ours.desk.dials["latency.ack_ms"].slider.value == 5
    ours.close()
    with pytest.raises(ConfigError):
        drills_lab(7)


def test_the_app_is_one_import_and_one_call(root: Path):
    book = json.loads((root / "apps" / "drills.ipynb").read_text(encoding="utf-8"))
    (cell,) = book["cells"]
    lines = [line for line in "".join(cell["source"]).splitlines() if line]
    assert lines == ["from lablib.widgets import drills_lab", "drills_lab()"]
