"""A served lab and a real Chromium looking at it. Used by the browser tests and by the benchmark."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlencode, urlparse

import psutil
from playwright.sync_api import Browser, TimeoutError, expect, sync_playwright
from playwright.sync_api import Page as BrowserPage

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
SIZE = (1_400, 900)
CHARTS = ("price", "divergence", "depth", "equity", "position", "latency", "waterfall", "markouts")
PATIENCE_S = 60  # a change is waited for, never slept for: a busy machine takes its time
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")

# Counts what reaches the page: frames as the hidden mark names them, how old each is when it is
# applied, bytes on the wire, and when a chart's line first has a shape.
WATCH = """
(() => {
  const w = window.watch = { first: null, frame: null, from: null, ages: [], bytes: 0, messages: 0 };
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...words) {
      super(...words);
      this.addEventListener('message', event => {
        w.messages += 1;
        w.bytes += event.data.length ?? event.data.byteLength ?? event.data.size ?? 0;
      });
    }
  };
  const look = () => {
    const mark = document.querySelector('.lrl-info[data-frame]');
    if (mark && +mark.dataset.frame !== w.frame) {
      w.frame = +mark.dataset.frame;
      w.ages.push(Date.now() - +mark.dataset.t);
    }
    if (w.first === null && [...document.querySelectorAll('.bqplot path.line')].some(
        path => (path.getAttribute('d') || '').length > 40)) w.first = performance.now();
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  w.restart = () => { w.from = w.frame; w.ages = []; w.bytes = 0; w.messages = 0; };
  // Milliseconds from the next key press until `line` has another shape and has been painted.
  w.answer = line => new Promise(resolve => {
    let begun = null;
    const watcher = new MutationObserver(() => {
      if (begun === null) return;
      finish();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun)));
    });
    const press = () => { begun = performance.now(); };
    const finish = () => { watcher.disconnect(); clearTimeout(limit); removeEventListener('keydown', press, true); };
    const limit = setTimeout(() => { finish(); resolve(null); }, 4000);
    addEventListener('keydown', press, { capture: true, once: true });
    watcher.observe(line, { attributes: true, attributeFilter: ['d'] });
  });
})();
"""


@dataclass
class Server:
    """`lablib serve` in a process of its own."""

    address: str
    process: psutil.Process

    def kernels(self) -> list[psutil.Process]:
        """The kernels it runs now."""
        return [
            child
            for child in self.process.children(recursive=True)
            if any("ipykernel_launcher" in word for word in _words(child))
        ]

    def url(self, app: str = "live", **query: Any) -> str:
        """The address of a dashboard, the live lab's in a scenario."""
        place = self.address.replace("live.ipynb", f"{app}.ipynb")
        return f"{place}?{urlencode({'token': 'opensesame', **query})}"


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextmanager
def served(log: Path, *options: str) -> Iterator[Server]:
    """A server on a free port, stopped at the end."""
    command = [sys.executable, "-m", "lablib", "serve", "--port", "0", "--no-browser", *options]
    env = {**os.environ, "JUPYTER_TOKEN": "opensesame"}
    env.pop("NOTEBOOK_TEST", None)
    with (
        log.open("w") as out,
        subprocess.Popen(command, stdout=out, stderr=out, env=env, cwd=ROOT) as process,
    ):
        try:
            yield Server(
                f"http://127.0.0.1:{_port(log, process)}/voila/render/live.ipynb",
                psutil.Process(process.pid),
            )
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def _port(log: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(1_800):  # a new machine compiles first
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", log.read_text())
        if found:
            return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


@contextmanager
def browsing(chromium: str) -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Page:
    """The live lab in a tab, and everything that went wrong there."""

    tab: BrowserPage
    errors: list[str] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)

    @classmethod
    def visit(cls, browser: Browser, url: str, ready: str, size: tuple[int, int] = SIZE) -> Self:
        """Open a page in a tab of its own and wait until what `ready` selects is there."""
        # A context of its own outlives the tab, as a browser does: a farewell needs somebody to send it.
        context = browser.new_context(viewport={"width": size[0], "height": size[1]})
        context.set_default_timeout(1e3 * PATIENCE_S)
        page = cls(context.new_page())
        page.listen(url)
        page.tab.add_init_script(WATCH)
        page.tab.goto(url, wait_until="commit")
        try:
            page.tab.wait_for_selector(ready, state="attached", timeout=2e3 * PATIENCE_S)
        except TimeoutError as error:
            told = f"it says {page.tab.inner_text('body')[:500]!r}, its console {page.errors}"
            raise AssertionError(f"no {ready} after {2 * PATIENCE_S} s: {told}") from error
        return page

    @classmethod
    def open(cls, browser: Browser, url: str, size: tuple[int, int] = SIZE) -> Self:
        """Open the live lab and wait until its engine is ready."""
        page = cls.visit(browser, url, ".lrl-info[data-frame]", size)
        page.tab.wait_for_selector(".lrl-reset:not(:disabled)", timeout=2e3 * PATIENCE_S)
        return page

    def listen(self, url: str) -> None:
        """Note every error, every failed request and every request to another host than that of `url`."""
        errors, host = self.errors, urlparse(url).netloc
        on = self.tab.on
        on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        on("pageerror", lambda error: errors.append(str(error)))
        on("requestfailed", lambda request: errors.append(f"failed: {request.url}"))
        on("response", lambda r: errors.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
        on("request", lambda request: self._note(request.url, host))

    def close(self) -> None:
        """Close the tab as a person does, with its farewell to the server."""
        self.tab.close(run_before_unload=True)

    def _note(self, url: str, host: str) -> None:
        place = urlparse(url)
        if place.scheme not in ("data", "blob") and place.netloc != host:
            self.foreign.add(url)

    def press(self, button: str) -> None:
        """Press one of the buttons by its name."""
        self.tab.locator(f".lrl-{button}").first.click()

    def play(self) -> None:
        """Let the market run, and wait until it does."""
        self.press("play")
        self.tab.wait_for_selector(".lrl-pause:not(:disabled)")

    def pause(self) -> None:
        """Hold the market, and wait until nothing is on its way any more."""
        self.press("pause")
        self.tab.wait_for_selector(".lrl-play:not(:disabled)")
        self.steady(lambda: self.look("frame"))

    def choose(self, name: str, label: str) -> None:
        """Take an option of the drop-down `speed`, `window` or `preset`."""
        self.tab.locator(f".lrl-choose-{name} select").select_option(label=label)

    def chosen(self, name: str) -> str:
        """The option a drop-down stands at."""
        options = self.tab.locator(f".lrl-choose-{name} select")
        text = str(options.evaluate("list => list.options[list.selectedIndex].text"))
        return text.replace("\xa0", " ")

    def stands(self, name: str, label: str) -> None:
        """Wait until a drop-down stands at an option."""
        self.until(
            lambda: self.chosen(name) == label, lambda: f"{name} is at {self.chosen(name)!r}"
        )

    def nudge(self, field_name: str, key: str = "ArrowRight", times: int = 1) -> None:
        """Move the slider of a dotted field with the keyboard."""
        self.handle(field_name).focus()
        for _ in range(times):
            self.tab.keyboard.press(key)

    def handle(self, field_name: str) -> Any:
        """The handle of a field's slider."""
        name = re.sub(r"[._]", "-", field_name)
        return self.tab.locator(f".lrl-{name} .noUi-handle").first

    def read(self, selector: str) -> str:
        """The text of an element."""
        return self.tab.locator(selector).first.inner_text()

    def shows(self, selector: str, *words: str) -> None:
        """Wait until the text of an element holds all these words."""
        place = self.tab.locator(selector).first
        for word in words:
            expect(place).to_contain_text(word, use_inner_text=True, timeout=1e3 * PATIENCE_S)

    def look(self, what: str) -> Any:
        """A value of the watcher in the page."""
        return self.tab.evaluate(f"window.watch.{what}")

    def picture(self, chart: str) -> bytes:
        """The pixels of a chart's drawing, without its words."""
        return self.tab.locator(f".lrl-{chart} .bqplot").first.screenshot()

    def pictures(self, charts: Iterable[str] = CHARTS) -> dict[str, bytes]:
        """The pixels of some charts, by name."""
        return {chart: self.picture(chart) for chart in charts}

    def moves(self, before: dict[str, bytes], *charts: str) -> None:
        """Wait until these charts, or all of `before`, have each looked otherwise than they did before."""
        still = set(charts or before)

        def moved() -> bool:
            still.difference_update([one for one in still if self.picture(one) != before[one]])
            return not still

        self.until(moved, lambda: f"{sorted(still)} look as they did")

    def steady(self, look: Callable[[], T]) -> T:
        """What `look` gives once it has come to rest."""
        seen = look()
        while seen != (seen := self._later(look)):
            pass
        return seen

    def _later(self, look: Callable[[], T]) -> T:
        self.tab.wait_for_timeout(400)
        return look()

    def until(self, holds: Callable[[], bool], why: Callable[[], str]) -> None:
        """Wait until something holds; `why` says what was wrong where it does not come to that."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, f"after {PATIENCE_S} s {why()}"
            self.tab.wait_for_timeout(100)

    def answers_ms(self, field_name: str, line: str, count: int) -> list[float]:
        """How long a line of a chart takes to answer the slider of a field, `count` times."""
        self.handle(field_name).focus()
        times = []
        for turn in range(count):
            self.tab.evaluate(
                "line => { window.answered = watch.answer(document.querySelector(line)) }", line
            )
            self.tab.keyboard.press("ArrowRight" if turn % 2 == 0 else "ArrowLeft")
            times.append(self.tab.evaluate("window.answered"))
            time.sleep(0.1)
        assert None not in times, f"{line} did not answer {field_name}: {times}"
        return times

    def watch(self, seconds: float) -> dict[str, Any]:
        """What reached the page in some seconds: frames, their ages, bytes, messages."""
        self.tab.evaluate("watch.restart()")
        begun = time.monotonic()
        time.sleep(seconds)
        seen = json.loads(self.tab.evaluate("JSON.stringify(watch)"))
        seconds = time.monotonic() - begun
        frames = (seen["frame"] or 0) - (seen["from"] or 0)
        return {
            "seconds": seconds,
            "frames": frames,
            "ages_ms": seen["ages"],
            "bytes": seen["bytes"],
            "messages": seen["messages"],
        }

    def nodes(self) -> int:
        """DOM nodes alive, the least of some collections of garbage: a running page always has some fresh."""
        protocol = self.tab.context.new_cdp_session(self.tab)
        protocol.send("Performance.enable")
        counts = []
        for _ in range(4):
            protocol.send("HeapProfiler.collectGarbage")
            metrics = protocol.send("Performance.getMetrics")["metrics"]
            counts.append(next(item["value"] for item in metrics if item["name"] == "Nodes"))
        protocol.detach()
        return int(min(counts))
