"""The frontier as a person meets it: served, in a real Chromium, with real pixels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser.page import Page

pytestmark = [pytest.mark.browser, pytest.mark.compiled]


BAR = "document.querySelector('.lrl-progress div').getBoundingClientRect().width"


class Frontier(Page):
    """The frontier in a tab."""

    @classmethod
    def at(cls, browser, server, **query) -> Frontier:
        return cls.visit(browser, server.url("frontier", **query), ".lrl-run:not(:disabled)")

    def idle(self) -> None:
        """Wait until nothing runs."""
        self.tab.wait_for_selector(".lrl-run:not(:disabled)", timeout=120_000)

    def write(self, label: str, value: object) -> None:
        """Fill the number or text that follows a label; the first of that name."""
        place = self.tab.locator(
            f".lrl-card .widget-inline-hbox:has(label:text-is('{label}')) input"
        )
        place.first.fill(str(value))
        place.first.press("Enter")

    def run(self) -> None:
        self.press("run")
        self.tab.wait_for_selector(".lrl-cancel:not(:disabled)")

    def done(self) -> int:
        """Cells done, as the page says it."""
        return int(self.read(".lrl-kpi .v").split(" of ")[0].replace(",", ""))

    def cell(self, index: int):
        return self.tab.locator(".lrl-map .heatmapcell").nth(index)


@pytest.fixture(scope="module")
def page(browser, server) -> Iterator[Frontier]:
    page = Frontier.at(browser, server, preset="late_brakes", seed=7)
    yield page
    page.close()


def test_a_run_moves_its_bar_and_its_map_and_can_be_cancelled(page):
    page.write("each of", "2h")
    page.run()
    page.tab.wait_for_function("parseInt(document.querySelector('.lrl-kpi .v').innerText) >= 3")
    first, width, picture = page.done(), page.tab.evaluate(BAR), page.picture("map")
    page.tab.wait_for_function(
        f"parseInt(document.querySelector('.lrl-kpi .v').innerText) > {first + 3}"
    )
    assert width > 0
    page.tab.wait_for_function(f"{BAR} > {width}")
    page.moves({"map": picture})
    page.press("cancel")
    page.idle()
    page.tab.wait_for_function("document.body.innerText.includes('Cancelled')")
    assert first < page.steady(page.done) < 187


def test_it_runs_again_to_the_end(page):
    page.write("each of", "1min")
    page.write("markets", 4)
    page.run()
    page.idle()
    page.tab.wait_for_function("document.querySelector('.lrl-kpi .v').innerText == '187 of 187'")
    assert page.tab.locator(".lrl-status").count() == 0
    page.tab.wait_for_function(
        "new Set([...document.querySelectorAll('.lrl-map .heatmapcell')]"
        ".map(cell => getComputedStyle(cell).fill)).size > 20"
    )


def test_a_cell_under_the_pointer_is_described_and_one_clicked_leads_into_the_live_lab(page):
    tip = page.tab.locator(".lrl-tip:visible")
    page.cell(61).hover()
    page.cell(60).hover()  # through the tooltip of the cell beside it
    tip.wait_for()
    assert "standard error" in tip.inner_text()
    page.cell(60).click()
    where = tip.locator("b").inner_text()
    page.tab.wait_for_function(
        "where => document.querySelector('.lrl-chosen b').innerText == where", arg=where
    )
    with page.tab.context.expect_page() as opened:
        page.press("go")
    live = Page(opened.value)
    live.listen(page.tab.url)
    live.tab.wait_for_selector(".lrl-link a[href*='order_entry_ms=90']")
    assert "latency.order_entry_ms=90" in live.tab.url
    live.stands("preset", "custom")
    assert live.tab.locator(".lrl-status").count() == 0
    way_back = live.tab.locator(".lrl-onward a").get_attribute("href")
    assert way_back.startswith("frontier.ipynb?preset=late_brakes")
    assert live.errors == []
    live.close()


def test_tables_and_a_picture_can_be_saved(page):
    for what, ending, start in (
        (".lrl-get:text-is('CSV')", ".csv", b"cell,latency.order_entry_ms"),
        (".lrl-get:text-is('Parquet')", ".parquet", b"PAR1"),
        (".lrl-png", ".png", b"\x89PNG"),
    ):
        with page.tab.expect_download() as download:
            page.tab.locator(what).first.click()
        assert download.value.suggested_filename == f"frontier{ending}"
        with open(download.value.path(), "rb") as file:
            assert file.read(len(start)) == start


def test_no_error_was_logged_and_nothing_was_asked_of_another_host(page):
    assert page.errors == []
    assert page.foreign == set()
