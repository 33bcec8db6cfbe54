"""Drills as a risk manager meets them: served, in a real Chromium, each pressed once."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

import pytest
from browser.page import Page
from playwright.sync_api import expect

from lablib.drills import FAULTS

pytestmark = [pytest.mark.browser, pytest.mark.compiled]

CHARTS = ("price", "equity", "position")
ROWS = ".lrl-scores tr[data-verdict]"


@dataclass
class Drills(Page):
    """The drills in a tab."""

    @classmethod
    def at(cls, browser, server) -> Drills:
        return cls.visit(browser, server.url("drills"), ".lrl-drill-stale-feed:not(:disabled)")

    @property
    def count(self) -> int:
        """Lines of the score card."""
        return self.tab.locator(ROWS).count()

    def drill(self, fault: str) -> None:
        """Press a drill and wait until it stands on the card."""
        before = self.count
        self.press(f"drill-{fault.replace('_', '-')}")
        self.ended(before + 1)

    def ended(self, count: int) -> None:
        """Wait until the card has so many lines."""
        wanted = f"document.querySelectorAll({ROWS!r}).length === {count}"
        self.tab.wait_for_function(wanted)

    def fold(self, title: str) -> None:
        """Open a fold of the column."""
        self.tab.locator(".lrl-more .jupyter-widget-Collapse-header", has_text=title).click()


@pytest.fixture(scope="module")
def page(browser, server) -> Drills:
    return Drills.at(browser, server)


def test_it_opens_with_a_word_on_how_to_read_it_and_a_drill_plays_live(page):
    assert "Choose a drill on the left" in page.read(".lrl-take")
    assert page.tab.locator(".bqplot").count() == 0
    page.press("drill-slow-wires")
    page.tab.wait_for_selector(".lrl-equity .bqplot path.line")
    page.tab.locator(".lrl-banner").wait_for(state="visible")
    assert page.read(".lrl-steps tr[data-step=known] td:nth-child(2)") == "…"
    early = page.pictures(CHARTS)
    page.ended(1)
    page.moves(early)
    page.shows(".lrl-take", "until the switch latched, 300 ms after the fault began")


def test_every_drill_can_be_pressed_and_fills_the_timeline_and_the_card(page):
    page.choose("speed", "all at once")
    for fault, what in FAULTS.items():
        page.drill(fault)
        page.shows(f"{ROWS} td", what.title)
        page.shows(".lrl-steps tr[data-step=fault] td:last-child", what.title)
        page.shows(".lrl-chosen-drill", what.title)
        assert page.tab.locator(".lrl-steps td:nth-child(2)").count() >= 3
        for place in (".lrl-steps", ".lrl-kpis"):  # no time is left open, no figure
            expect(page.tab.locator(place)).not_to_contain_text("…", timeout=60_000)
        assert page.tab.locator(".lrl-status.bad").count() == 0
    assert page.count == 1 + len(FAULTS)


def test_a_later_switch_costs_more_and_the_page_says_how_late(page):
    cost = []
    page.fold("The market and the fault")
    for presses in (0, 40):
        page.tab.locator(".lrl-size-late-switch .noUi-handle").focus()
        for _ in range(presses):
            page.tab.keyboard.press("ArrowRight")
        before = page.read(".lrl-take")
        page.drill("late_switch")
        expect(page.tab.locator(".lrl-take")).not_to_have_text(before, timeout=60_000)
        told = page.read(".lrl-take").replace(",", "")
        paid, late = re.search(
            r"Being late cost ([\d.]+): .* latched ([\d.]+) ms after", told
        ).groups()
        cost.append((float(late), float(paid)))
    (late, paid), (later, more) = cost
    assert late == 270
    assert later > late
    assert more > paid


def test_a_number_typed_beyond_a_slider_is_refused_aloud(page):
    readout = page.tab.locator(".lrl-size-late-switch .widget-readout")
    readout.click()
    page.tab.keyboard.press("Control+a")
    page.tab.keyboard.type("9000")
    page.tab.keyboard.press("Enter")
    page.shows(".lrl-status", "5,000 ms is the most this slider takes")
    page.drill("late_switch")
    page.shows(".lrl-take", "latched, 5,020 ms after")


def test_a_mark_that_moves_judges_the_card_anew(page):
    page.fold("What still passes")
    before = page.tab.locator(f"{ROWS}[data-verdict=pass]").count()
    for name in ("late-ms", "fills-after", "overshoot", "cost"):
        field = page.tab.locator(f".lrl-mark-{name} input")
        field.fill("1000000")
        field.press("Enter")
    page.tab.wait_for_function(
        f"document.querySelectorAll({(ROWS + '[data-verdict=fail]')!r}).length === 0"
    )
    assert page.tab.locator(f"{ROWS}[data-verdict=pass]").count() > before


def test_luck_is_told_from_lateness_on_other_markets(page):
    page.press("many")
    page.tab.wait_for_function("document.body.innerText.includes('on average')")
    assert "other markets" in page.read(".lrl-status")


def test_the_card_can_be_saved(page):
    with page.tab.expect_download() as download:
        page.press("get")
    assert download.value.suggested_filename == "drills.csv"
    with open(download.value.path(), newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == page.count
    assert {row["drill"] for row in rows} == set(FAULTS)
    assert {row["verdict"] for row in rows} == {"pass"}


def test_no_error_was_logged_and_nothing_was_asked_of_another_host(page):
    assert page.errors == []
    assert page.foreign == set()
