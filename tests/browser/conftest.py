"""One server, one browser and one tab for the whole suite: a page takes seconds to open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser.page import Page, Server, browsing, served
from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def server(chromium, tmp_path_factory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("serve") / "log") as server:
        yield server


@pytest.fixture(scope="session")
def browser(chromium) -> Iterator[Browser]:
    with browsing(chromium) as browser:
        yield browser


@pytest.fixture(scope="session")
def only_page(server, browser) -> Page:
    return Page.open(browser, server.url(preset="stress", seed=7, play=0))


@pytest.fixture
def page(only_page) -> Page:
    """The page, held at time zero of the stress preset."""
    if only_page.tab.locator(".lrl-play:not(:disabled)").count() == 0:
        only_page.pause()
    only_page.choose("speed", "1 × real time")
    only_page.choose("preset", "classroom")
    only_page.choose("preset", "stress")
    only_page.tab.wait_for_function(
        "document.querySelector('.lrl-kpi .v').innerText.startsWith('0:00:00')"
    )
    return only_page
