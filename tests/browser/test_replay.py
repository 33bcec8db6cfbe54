"""From the live lab to its record and the proof of it, as a person meets them: served, in a real Chromium."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from browser.page import Page

pytestmark = [pytest.mark.browser, pytest.mark.compiled]

CLOCK = "document.querySelector('.lrl-kpi .v').innerText"
CHARTS = ("overview", "price", "divergence", "equity", "position")


@dataclass
class Player(Page):
    """The player in a tab."""

    @classmethod
    def at(cls, browser, server, **query) -> Player:
        return cls.visit(browser, server.url("replay", **query), ".lrl-look:not(:disabled)")


@dataclass(frozen=True)
class Kept:
    """What the live lab left: where its link leads, and the key figures of its last moment."""

    href: str
    equity: str
    clock: str


def figures(page: Page) -> tuple[str, str]:
    clock, equity = (page.tab.locator(".lrl-kpi .v").nth(index).inner_text() for index in range(2))
    return clock, equity


@pytest.fixture(scope="module")
def kept(browser, server) -> Kept:
    """A session of the live lab steered by hand: a slider, a drill, a pause, a halt."""
    page = Page.open(browser, server.url(preset="stress", seed=7, play=0))
    page.choose("speed", "5 ×")
    page.press("record")
    page.tab.wait_for_function("document.body.innerText.includes('Recording as')")
    page.play()
    time.sleep(1.5)
    page.nudge("strategy.threshold", "ArrowLeft", 12)
    time.sleep(1)
    page.pause()
    drills = page.tab.locator(".lrl-more .jupyter-widget-Collapse-header").last
    drills.click()
    page.tab.locator(".lrl-drills-stuck-exit input").check()
    page.play()
    time.sleep(1.5)
    page.press("halt")
    page.tab.locator(".lrl-banner").wait_for(state="visible")
    time.sleep(1)
    page.press("record")
    link = page.tab.locator(".lrl-kept a")
    link.wait_for()
    page.tab.wait_for_selector(".lrl-pause:disabled")
    href = link.get_attribute("href")
    clock, equity = page.steady(lambda: figures(page))
    assert page.errors == []
    with page.tab.context.expect_page() as opened:
        link.click()
    assert opened.value.url.endswith(href)
    opened.value.close()
    page.close()
    return Kept(href, equity, clock)


@pytest.fixture(scope="module")
def page(browser, server, kept) -> Iterator[Player]:
    page = Player.at(browser, server, record=kept.href.partition("record=")[2])
    yield page
    page.close()


def test_the_record_opens_at_the_moment_at_which_the_live_lab_was_left(page, kept):
    page.tab.wait_for_selector(".lrl-verify:not(:disabled)")
    page.shows(".lrl-kpi .v", kept.clock)
    assert figures(page) == (kept.clock, kept.equity)
    page.shows(".lrl-kpi.halted", "manual")
    page.shows(".lrl-banner", "manual")


def test_what_was_done_by_hand_stands_in_the_table(page):
    page.shows(".lrl-done", "Threshold", "Hold exits back", "Kill switch", "pulled by hand")
    assert page.tab.locator(".lrl-done tr.ahead").count() == 0


def test_verify_says_in_words_that_both_digests_are_equal(page):
    page.press("verify")
    page.tab.wait_for_selector(".lrl-verdict")
    page.shows(".lrl-verdict", "The same, to the last byte")
    recorded, again = page.read(".lrl-verdict .recorded"), page.read(".lrl-verdict .again")
    assert recorded == again
    assert len(recorded) == 64


def test_the_slider_moves_every_chart_and_leaves_nothing_behind(page):
    before, nodes = page.pictures(CHARTS), None
    page.tab.locator(".lrl-scrub .noUi-handle").focus()
    for turn in range(120):
        page.tab.keyboard.press("ArrowRight" if turn else "Home")
        if turn == 20:
            nodes = page.nodes()
    page.moves(before)
    page.tab.locator(".lrl-done tr.ahead").first.wait_for()
    assert page.nodes() - nodes < 100


def test_play_goes_on_from_there_and_pause_holds_it(page):
    page.press("reset")
    page.tab.wait_for_function(f"{CLOCK}.startsWith('0:00:00.0')")
    page.choose("speed", "1 × real time")
    page.play()
    seen = page.watch(3)
    assert seen["frames"] > 5
    assert sorted(seen["ages_ms"])[len(seen["ages_ms"]) // 2] < 1_500
    page.pause()
    held = page.pictures(CHARTS)
    clock = page.tab.evaluate(CLOCK)
    assert clock > "0:00:01"
    time.sleep(0.5)
    assert page.pictures(CHARTS) == held


def test_a_table_can_be_saved(page):
    for ending, start in (
        ("csv", b"t,external_px,market_px"),
        ("parquet", b"PAR1"),
        ("jsonl", b'{"t'),
    ):
        page.press(f"save-{ending}")
        link = page.tab.locator(f".lrl-get[download$='samples.{ending}']")
        link.wait_for()
        with page.tab.expect_download() as download:
            link.click()
        with open(download.value.path(), "rb") as file:
            assert file.read(len(start)) == start


def test_a_second_record_stands_beside_it(browser, server, page):
    live = Page.open(browser, server.url(preset="stress", seed=8, play=0))
    live.press("record")
    live.press("step")
    for _ in range(20):
        live.press("step")
    live.press("record")
    live.tab.locator(".lrl-kept a").wait_for()
    name = live.read(".lrl-kept b")
    live.close()
    page.press("look")
    before = page.picture("overview")
    option = page.tab.locator(f".lrl-choose-compare option:has-text('{name} ·')")
    option.wait_for(state="attached")
    page.choose("compare", option.inner_text())
    page.tab.wait_for_function("document.body.innerText.includes('Ahead by')")
    page.moves({"overview": before})


@pytest.mark.parametrize("name", ["../../etc/passwd", "gone", "<img src=x onerror=alert(1)>"])
def test_an_address_that_names_no_record_is_told_so_and_shows_the_list(browser, server, kept, name):
    page = Player.at(browser, server, record=name)
    page.shows(".lrl-status", f"there is no record '{name}'")
    page.tab.locator(".lrl-choose-record option").nth(1).wait_for(state="attached")
    assert page.tab.locator(".lrl-status img").count() == 0
    assert page.errors == []
    page.close()


def test_no_error_was_logged_and_nothing_was_asked_of_another_host(page):
    assert page.errors == []
    assert page.foreign == set()
