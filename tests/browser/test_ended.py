"""A page that has lost its kernel, or only the way to it: what it says, in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import pytest
from browser.line import Line, line
from browser.page import Page, Server, served

pytestmark = [pytest.mark.browser, pytest.mark.compiled]

OVER = "#ended.over"
KERNEL = "JSON.parse(document.getElementById('jupyter-config-data').innerText).kernelId"


@pytest.fixture(scope="module")
def room(chromium, tmp_path_factory) -> Iterator[Server]:
    """A server whose visitors have a token of their own."""
    with served(tmp_path_factory.mktemp("room") / "log", "--viewer-token", "look-only") as server:
        yield server


def port(server: Server) -> int:
    found = urlparse(server.address).port
    assert found is not None
    return found


def ask(server: Server, path: str, method: str, body=None) -> None:
    address = f"http://127.0.0.1:{port(server)}/{path}"
    data = None if body is None else json.dumps(body).encode()
    head = {"Authorization": "token opensesame"}
    urlopen(Request(address, data, head, method=method), timeout=60).close()


def visit(browser, room: Server, over: Line | None = None) -> Page:
    """The watch page of a visitor who may only look."""
    url = room.url("watch", token="look-only")
    if over is not None:
        url = url.replace(f":{port(room)}/", f":{over.port}/")
    page = Page.visit(browser, url, ".lrl-card")
    page.steady(lambda: page.look("messages"))  # it stands
    return page


def test_a_page_whose_kernel_was_taken_away_says_so_and_can_be_loaded_again(browser, room):
    page = visit(browser, room)
    ask(room, f"api/kernels/{page.tab.evaluate(KERNEL)}", "DELETE")
    page.shows(OVER, "This page has ended")
    before = page.tab.evaluate(KERNEL)
    with page.tab.expect_navigation(wait_until="commit"):
        page.tab.locator(f"{OVER} button").click()
    page.tab.wait_for_selector(".lrl-card")
    assert page.tab.evaluate(KERNEL) != before
    assert page.tab.locator("#ended").count() == 0
    page.close()


def test_a_page_whose_kernel_died_says_so_though_another_takes_its_place(browser, room):
    others = {kernel.pid for kernel in room.kernels()}
    page = visit(browser, room)
    (kernel,) = (one for one in room.kernels() if one.pid not in others)
    kernel.kill()
    page.shows(OVER, "This page has ended")
    page.close()


def test_a_page_out_of_reach_says_so_and_comes_back_with_the_network(browser, room):
    with line(port(room)) as way:
        page = visit(browser, room, way)
        way.cut()
        page.shows("#ended", "No connection", "Trying again")
        way.mend()
        page.tab.locator("#ended").wait_for(state="detached")
        ask(room, "lablib/api/runs", "POST", {"config": "classroom", "speed": 1, "until": "1h"})
        page.tab.wait_for_selector(".lrl-two svg path.l", state="attached")
        assert page.tab.locator("#ended").count() == 0
        page.close()
