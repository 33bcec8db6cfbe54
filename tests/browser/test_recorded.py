"""Recorded markets as a person meets them: named by the server or handed in, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser.page import Page, served
from tape.binance_fixture import recording

pytestmark = [pytest.mark.browser, pytest.mark.compiled]

STEPS = 1_500  # of 20 ms
MOVING = ("price", "divergence", "depth", "equity", "position", "latency")


@dataclass
class Recorded(Page):
    """The recorded lab in a tab."""

    @classmethod
    def at(cls, browser, server, **query) -> Recorded:
        url = server.url("recorded", **query)
        return cls.visit(browser, url, ".lrl-hand-leader:not(:disabled)")

    def hand_in(self, role: str, path: Path) -> None:
        with self.tab.expect_file_chooser() as chooser:
            self.press(f"hand-{role}")
        chooser.value.set_files(path)

    def says(self, words: str) -> None:
        self.shows(".lrl-status", words)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("market")
    leader = recording("usdm", steps=STEPS, premium=40)
    follower = recording("coinm", steps=STEPS, lag_ns=100_000_000)
    bad = recording("coinm", steps=STEPS, lag_ns=100_000_000)
    bad.edit(bad.find("bookTicker", 40), lambda message: message.update(b="<b>cheap"))
    heavy, large = folder / "heavy.gz", folder / "large.gz"
    heavy.write_bytes(bytes(12 << 20))  # more than a stock server's socket takes
    large.write_bytes(bytes(17 << 20))
    return {
        "leader": leader.write(folder / "leader.gz"),
        "follower": follower.write(folder / "follower.gz"),
        "bad": bad.write(folder / "bad.gz"),
        "heavy": heavy,
        "large": large,
    }


@pytest.fixture(scope="module")
def shop(chromium, files, tmp_path_factory):
    """A server that names two markets."""
    pair = f"{files['leader']},{files['follower']}"
    options = ("--market", f"perp={pair}", "--market", f"again={pair}")
    with served(tmp_path_factory.mktemp("shop") / "log", *options) as server:
        yield server


@pytest.fixture(scope="module")
def page(browser, shop) -> Iterator[Recorded]:
    page = Recorded.at(browser, shop, market="perp")
    yield page
    page.close()


def test_it_opens_on_the_market_and_plays_it(page, files):
    page.tab.wait_for_selector(".lrl-pause:not(:disabled)")
    page.shows(".lrl-market", "perp", "BTCUSDT", "BTCUSD_PERP", "quotes/s", "95 % between")
    page.stands("market", "perp")
    before = page.pictures(MOVING)
    seen = page.watch(4)
    assert seen["frames"] > 8
    page.moves(before, "price", "divergence")
    assert str(files["leader"].parent) not in page.tab.content()


def test_other_wires_move_every_delay_and_the_market_runs_on(page):
    page.choose("wires", "retail")
    page.says("settings of latency changed")
    page.shows(".lrl-latency-order-entry-ms >> xpath=..", "median 80 ms")
    page.shows("body", "home connection")


def test_played_to_its_end_it_says_what_is_left_and_reset_begins_again(page):
    page.choose("speed", "60 × (a minute a second)")
    page.says("The recording has ended: P&L")
    page.shows(".lrl-kpis:not(.lrl-market)", "Finished")
    before = page.pictures(MOVING)
    page.press("reset")
    page.tab.wait_for_selector(".lrl-play:not(:disabled)")
    page.moves(before)


def test_its_link_opens_the_same_market_and_settings(browser, shop, page):
    query = page.tab.locator(".lrl-link a").get_attribute("href")
    assert query.startswith("?market=perp&")
    page.choose("market", "again")
    page.tab.wait_for_function("document.querySelector('.lrl-market .v').innerText === 'again'")
    again = Recorded.at(browser, shop, **dict(part.split("=") for part in query[1:].split("&")))
    again.tab.wait_for_selector(".lrl-pause:not(:disabled)")
    again.stands("wires", "retail")
    again.stands("market", "perp")
    assert again.errors == []
    again.close()


def test_a_bad_file_is_told_in_a_sentence_and_the_market_plays_on(page, files):
    page.tab.wait_for_selector(".lrl-pause:not(:disabled)")
    page.hand_in("leader", files["leader"])
    page.tab.locator(".lrl-handed:has-text('Now the follower')").wait_for()
    page.hand_in("follower", files["bad"])
    page.says("Nothing was taken")
    page.shows(".lrl-status", "bad.gz, line ", "price '<b>cheap'")
    assert page.read(".lrl-market .v") == "again"
    assert page.watch(1)["frames"] > 1


def test_two_files_handed_in_play(page, files):
    page.hand_in("leader", files["leader"])
    page.hand_in("follower", files["follower"])
    page.tab.wait_for_function(
        "document.querySelector('.lrl-market .v').innerText === 'Your own files'"
    )
    page.tab.wait_for_selector(".lrl-pause:not(:disabled)")
    before = page.pictures(MOVING)
    assert page.watch(3)["frames"] > 1
    page.moves(before, "price", "divergence")
    page.stands("market", "leader.gz > follower.gz")
    page.tab.locator(".lrl-link a").wait_for(state="detached")
    page.tab.wait_for_selector(".lrl-record:disabled")


def test_a_large_file_arrives_and_one_too_large_is_refused_before_it_is_sent(page, files):
    page.hand_in("leader", files["heavy"])
    page.tab.locator(".lrl-handed:has-text('heavy.gz, 12.0 MB')").wait_for()
    told = []
    page.tab.once("dialog", lambda dialog: (told.append(dialog.message), dialog.accept()))
    page.hand_in("leader", files["large"])
    page.until(lambda: bool(told), lambda: "nothing was said of a file too large")
    assert told == ["large.gz holds 17.0 MB, the most is 16 MB: nothing was taken."]
    assert page.watch(2)["frames"] > 1


def test_no_error_was_logged_and_nothing_was_asked_of_another_host(page):
    assert page.errors == []
    assert page.foreign == set()


def test_where_no_market_is_named_the_page_says_what_to_do(browser, server, files):
    page = Recorded.at(browser, server, market="gone")
    page.shows(".lrl-empty", "No recorded market yet")
    page.shows(".lrl-status", "there is no market 'gone' here")
    page.hand_in("follower", files["follower"])
    page.hand_in("leader", files["leader"])
    page.tab.wait_for_selector(".lrl-pause:not(:disabled)")
    assert page.watch(2)["frames"] > 1
    assert all(page.pictures(MOVING).values())
    assert page.errors == []
    page.close()
