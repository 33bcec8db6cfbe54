"""The live lab as a person meets it: served, in a real Chromium, with real pixels."""

from __future__ import annotations

import time

import pytest
from browser.page import CHARTS, PATIENCE_S, SIZE, Page

pytestmark = [pytest.mark.browser, pytest.mark.compiled]

THRESHOLD = ".lrl-divergence .bqplot .curve:first-child path.line"


def test_play_moves_the_pixels_of_every_chart_and_pause_stops_them(page):
    before = page.pictures()
    page.play()
    page.moves(before)  # the last are those that wait for fills
    page.moves(page.pictures(), "price", "divergence", "depth", "equity")
    page.pause()
    held = page.pictures()
    time.sleep(1)
    assert [chart for chart in CHARTS if page.picture(chart) != held[chart]] == []


def test_step_moves_a_held_market_by_one_decision(page):
    page.press("step")
    page.press("step")
    page.tab.wait_for_function("document.querySelector('.lrl-kpi .s').innerText == '2 decisions'")


def test_a_slider_changes_a_running_chart_and_is_recorded(page):
    page.play()
    times = page.answers_ms("strategy.threshold", THRESHOLD, 5)
    assert len(times) == 5
    page.nudge("latency.order_entry_ms", "ArrowRight", 3)
    page.tab.wait_for_function(
        "[...document.querySelectorAll('.lrl-tape tr.command')]"
        ".some(row => row.innerText.includes('latency.order_entry_ms'))"
    )
    page.stands("preset", "custom")


def test_a_scenario_that_is_chosen_stays_as_it_is(page):
    for preset in ("late brakes", "cloud", "classroom", "colo", "stress"):
        page.choose("preset", preset)
        time.sleep(0.7)  # a browser that rounds a slider reports it at once
        assert page.chosen("preset") == preset
        assert page.tab.locator(".lrl-status").count() == 0


def test_a_setting_the_run_is_built_on_says_that_it_waits_and_comes_with_the_reset(page):
    page.play()
    page.tab.locator(".lrl-more .jupyter-widget-Collapse-header").first.click()
    page.nudge("strategy.decision_interval_ms")
    page.tab.wait_for_function("document.body.innerText.includes('waits for the next reset')")
    page.press("reset")
    page.tab.wait_for_function("!document.body.innerText.includes('waits for the next reset')")
    page.tab.wait_for_selector(".lrl-link a[href*='strategy.decision_interval_ms']")
    page.tab.locator(".lrl-more .jupyter-widget-Collapse-header").first.click()


def test_every_slider_has_a_name_that_says_what_it_moves(page):
    nameless = ".widget-slider [role=slider]:not([aria-label])"
    page.tab.wait_for_function(f"!document.querySelector('{nameless}')")
    assert page.handle("latency.order_entry_ms").get_attribute("aria-label") == "Order entry, ms"
    names = page.tab.locator(".widget-slider [role=slider]").evaluate_all(
        "all => all.map(one => one.getAttribute('aria-label'))"
    )
    assert len(names) > 20
    assert "" not in names


@pytest.mark.parametrize("width", [400, 600, 900, 1_400])
def test_charts_have_room_at_every_width(page, width):
    page.tab.set_viewport_size({"width": width, "height": 900})
    wide = "document.querySelector('.lrl-price').getBoundingClientRect().width"
    page.tab.wait_for_function(f"{wide} > 260")
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
    page.tab.set_viewport_size({"width": SIZE[0], "height": SIZE[1]})


def test_a_halt_by_hand_shows_a_banner_with_its_reason_and_can_be_released(page):
    page.play()
    page.press("halt")
    banner = page.tab.locator(".lrl-banner")
    banner.wait_for(state="visible")
    page.shows(".lrl-banner", "manual")
    page.shows(".lrl-kpi.halted", "manual")
    page.press("halt")
    banner.wait_for(state="hidden")


def test_frames_keep_their_age_and_leave_nothing_behind(page):
    page.play()
    page.watch(3)
    nodes = page.nodes()
    seen = page.watch(20)
    ages = seen["ages_ms"]
    early, late = sorted(ages[: len(ages) // 2]), sorted(ages[len(ages) // 2 :])
    assert seen["frames"] > 60
    # Unbounded queues lag by seconds within such a time; a busy machine by no more than this.
    assert late[int(0.95 * len(late))] < 1_500
    assert late[len(late) // 2] < 2 * early[len(early) // 2] + 250
    assert page.nodes() - nodes <= seen["frames"]


def test_an_address_opens_its_scenario_and_says_what_it_could_not_use(browser, server):
    page = Page.open(
        browser,
        server.url(preset="late_brakes", seed=11, **{"venue.fee_bps": 9_999, "risk.nonsense": 1}),
    )
    page.tab.wait_for_selector(".lrl-pause:not(:disabled)")  # it plays by itself
    assert page.tab.locator(".lrl .widget-text input").first.input_value() == "11"
    page.shows(".lrl-status", "venue.fee_bps", "risk.nonsense")
    assert page.errors == []
    page.close()


def test_a_page_that_is_not_there_asks_nothing_of_another_host(browser, server):
    page = Page(browser.new_page())
    page.listen(server.address)
    answer = page.tab.goto(server.url().replace("live.ipynb", "missing.ipynb"))
    assert answer.status == 404
    assert "404" in page.tab.inner_text("body")
    assert page.foreign == set()
    page.tab.close()


def test_the_kernel_is_gone_soon_after_its_tab_is_closed(browser, server, only_page):
    before = {kernel.pid for kernel in server.kernels()}
    page = Page.open(browser, server.url(play=0))
    mine = {kernel.pid for kernel in server.kernels()} - before
    assert len(mine) == 1
    page.close()
    begun = time.monotonic()
    while mine & {kernel.pid for kernel in server.kernels()}:
        assert time.monotonic() - begun < PATIENCE_S  # how soon is measured in benchmarks/
        time.sleep(0.1)


def test_no_error_was_logged_and_nothing_was_asked_of_another_host(page):
    assert page.errors == []
    assert page.foreign == set()
