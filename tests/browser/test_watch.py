"""A run of the server as a class meets it: served, in a real Chromium, with the viewer's token alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest
from browser.page import Page, served

pytestmark = [pytest.mark.browser, pytest.mark.compiled]

CLOCK = "document.querySelector('.lrl-kpi .v').innerText"


def ask(server, path, body=None):
    """One question to the interface, with the control token."""
    address = server.address.replace("voila/render/live.ipynb", f"lablib/api/{path}")
    data = None if body is None else json.dumps(body).encode()
    request = Request(address, data, {"Authorization": "token opensesame"})
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def room(chromium, tmp_path_factory):
    """A server whose class has a token of its own."""
    with served(tmp_path_factory.mktemp("room") / "log", "--viewer-token", "look-only") as server:
        yield server


@pytest.fixture(scope="module")
def page(browser, room) -> Iterator[Page]:
    page = Page.visit(browser, room.url("watch", token="look-only"), ".lrl-empty")
    yield page
    page.close()


def test_before_there_is_a_run_it_says_how_one_is_started(page):
    page.shows(".lrl-empty", "No run yet", "curl")
    assert page.tab.locator(".lrl-kpi").count() == 0


def test_a_run_appears_by_itself_and_its_lines_move(page, room):
    run = ask(room, "runs", {"config": "stress", "speed": 20})
    page.shows(".lrl-head", run["run_id"])
    page.shows(".lrl-kpis", "Running")
    line = "document.querySelector('.lrl-two svg path.l').outerHTML"
    page.tab.wait_for_selector(".lrl-two svg path.l", state="attached")
    before = page.tab.evaluate(line)
    page.tab.wait_for_function(f"before => {line} !== before", arg=before)
    page.shows(".lrl-tape", "lots at")


def test_what_the_teacher_does_is_seen(page, room):
    run = ask(room, "runs")["runs"][-1]["run_id"]
    ask(room, f"runs/{run}/halt", {})
    page.shows(".lrl-kpi.halted", "HALTED", "manual")
    page.shows(".lrl-tape", "halt: manual")
    ask(room, f"runs/{run}/pause", {})
    page.tab.wait_for_timeout(500)
    held = page.steady(lambda: page.tab.evaluate(CLOCK))
    page.tab.wait_for_timeout(500)
    assert page.tab.evaluate(CLOCK) == held


def test_no_error_was_logged_and_nothing_was_asked_of_another_host(page):
    assert page.errors == []
    assert page.foreign == set()


def test_a_link_leads_to_the_list_of_pages(page):
    with page.tab.expect_navigation(wait_until="commit"):
        page.tab.locator("#pages a").click()
    page.shows("h1", "Latency Risk Lab")
    assert page.tab.locator("main li a").count() == 6
