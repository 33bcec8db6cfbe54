"""A run of a server, watched: what is kept of it, how it is drawn, and what such a page costs."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html import escape
from itertools import pairwise
from urllib.parse import urlencode

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from lablib.errors import ConfigError
from lablib.server.handlers import ROOT
from lablib.server.models import StartRun
from lablib.widgets import feed as feeds
from lablib.widgets import sketch, watch
from lablib.widgets.feed import Feed
from lablib.widgets.flow import IN_FLIGHT
from lablib.widgets.watch import POINTS, Series, picture, watch_lab


def message(event_type="frame", run_id="a", seq=1, dropped=0, **body):
    return {
        "event_type": event_type,
        "run_id": run_id,
        "begun": float(ord(run_id)),  # in the order of their names
        "seq": seq,
        "dropped": dropped,
        **body,
    }


def frame(second=1.0, run_id="a", **changes):
    values = {
        "t_ns": int(second * 1e9),
        "external_px": 100 + second,
        "market_px": 100.0,
        "equity": 100_000.0 - second,
        "position_lots": 3,
        "divergence": 0.001,
        "halted": False,
        "halt_reason": "",
        "halts": 0,
        "decisions": 20,
        "fees": 1.0,
        "drawdown": 2.0,
        "fill_count": 1,
        "order_count": 2,
    }
    return message(run_id=run_id, **(values | changes))


def test_series_keep_the_whole_run_in_few_points_evenly_spread():
    series = Series()
    for k in range(20 * POINTS):
        series.hear(frame(0.05 * k))
    seconds = series.seconds
    assert POINTS // 4 <= len(seconds) <= POINTS
    assert seconds[0] == 0
    assert seconds[-1] > 0.98 * 0.05 * 20 * POINTS
    gaps = [b - a for a, b in pairwise(seconds)]
    assert max(gaps) < 4 * min(gaps)
    assert series.frame["t_ns"] == round(0.05 * (20 * POINTS - 1) * 1e9)


def test_a_newer_run_or_one_that_begins_again_takes_the_page_over():
    series = Series()
    series.hear(frame(5.0))
    series.hear(frame(1.0, run_id="b"))
    assert (series.run_id, series.seconds) == ("b", [1.0])
    series.hear(frame(0.5, run_id="b"))
    assert series.seconds == [0.5]


def test_of_several_runs_the_newest_is_followed_and_the_others_leave_it_alone():
    series = Series()
    series.hear(message("state", run_id="b", state="running", failure=None))
    for second in (1.0, 2.0, 3.0):
        series.hear(frame(second, run_id="b"))
        series.hear(frame(2 * second, run_id="a", dropped=int(second)))
        series.hear(message("state", run_id="a", state="paused", failure="disk", dropped=3))
    assert (series.run_id, series.seconds) == ("b", [1.0, 2.0, 3.0])
    assert (series.state, series.failure, series.dropped) == ("running", None, 3)


def test_a_run_that_is_reset_keeps_its_state_which_is_told_only_when_it_changes():
    series = Series()
    series.hear(message("state", state="running", failure=None))
    series.hear(frame(5.0))
    series.hear(frame(0.5))
    assert (series.state, series.seconds) == ("running", [0.5])


def test_a_page_without_a_run_says_how_one_is_started():
    page = picture(Series())
    asked = json.loads(re.search(r"-d '(.*?)'", page)[1])
    assert StartRun(**asked).speed == 1
    assert f"/{ROOT}/runs " in page


def test_a_page_says_what_happened_and_escapes_what_it_is_told():
    series = Series()
    series.hear(frame(2.0, halted=True, halt_reason="daily_loss_cap"))
    series.hear(frame(3.0, halted=True, halt_reason="daily_loss_cap", dropped=4))
    fill = {"t_ns": 10**9, "side": -1, "lots": 1200, "price_px": 101.5}
    series.hear(message("fills", rows=[fill], dropped=4))
    series.hear(message("risk", rows=[{"t_ns": 2 * 10**9, "reason": "daily_loss_cap"}], dropped=4))
    series.hear(
        message("command", t_ns=3 * 10**9, kind="set", field="x", value="<script>", dropped=4)
    )
    series.hear(message("state", state="failed", failure="<b>disk</b>", t_ns=3 * 10**9, dropped=4))
    page = picture(series)
    for words in ("HALTED", "daily loss cap", "sells 1,200 lots at 101.50", "4 messages lost"):
        assert words in page
    assert "<script>" not in page
    assert "&lt;b&gt;disk" in page


def test_a_sketch_is_a_line_through_its_points_with_a_gap_where_there_is_none():
    image = sketch.chart(
        "Price", [0, 1, 2, 3], [sketch.Line("a", "#111", [1.0, 2.0, None, 1.0])], str
    )
    svg = ET.fromstring(re.search(r"<svg.*</svg>", image)[0])
    (line,) = [one for one in svg.iter("path") if one.get("class") == "l"]
    assert line.get("d").count("M") == 2
    assert line.get("d").count("L") == 1
    heights = [float(word) for word in re.findall(r" ([\d.]+)", line.get("d"))]
    assert heights[1] < heights[0] == heights[2]  # up is more


@pytest.mark.parametrize("values", [[], [None, None], [5.0, 5.0], [float("nan"), 1.0], [0, 0]])
def test_a_sketch_of_nothing_much_is_still_a_picture(values):
    lines = [sketch.Line("a", "#111", values, steps=True)]
    assert "<svg" in sketch.chart("Price", list(range(len(values))), lines, str)


def test_a_page_that_watches_loads_neither_the_engine_nor_a_plotting_library():
    code = (
        "from lablib.widgets import watch_lab\nlab = watch_lab()\n"
        "assert 'server' in lab.children[1].value, lab.children[1].value\n"
        "import sys; print('\\n'.join(sys.modules))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=None)
    modules = set(done.stdout.split())
    assert "ipywidgets" in modules
    assert not modules & {"numba", "llvmlite", "bqplot", "pandas", "pyarrow", "lablib.engine"}


@pytest.mark.parametrize("url", ["", "ftp://x", "javascript:alert(1)"])
def test_a_feed_needs_a_servers_address(url, monkeypatch):
    monkeypatch.delenv(feeds.URL, raising=False)
    with pytest.raises(ConfigError, match="url: where is the server"):
        Feed(url)


def test_an_id_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="an id has 12 digits"):
        watch_lab("../../x", url="http://127.0.0.1:1")


@pytest.mark.parametrize("asked", ["xyz", "<b>00000000000", "0123456789AB"])
def test_an_address_that_names_no_run_opens_a_page_that_says_so(asked, monkeypatch):
    monkeypatch.setenv("QUERY_STRING", urlencode({"run": asked}))
    lab = watch_lab(url="http://127.0.0.1:1")
    assert "run: an id has 12 digits" in lab.children[1].value
    assert escape(repr(asked)) in lab.children[1].value
    assert "Latency Risk Lab" in lab.children[2].value
    assert "appears here" not in lab.children[2].value  # nothing is waited for


def test_a_feed_hands_on_messages_and_comes_back_when_the_connection_breaks(monkeypatch):
    class Told(WebSocketHandler):
        async def open(self, *args):
            assert self.request.headers["Authorization"] == "token looking"
            await self.write_message(json.dumps({"n": len(seen)}))
            self.close()

        def get_compression_options(self):
            return None

    seen, said = [], []
    real = asyncio.sleep
    monkeypatch.setattr(feeds.asyncio, "sleep", lambda seconds: real(0.01))

    async def watch_it():
        socket, port = bind_unused_port()
        server = HTTPServer(Application([("/lablib/api/ws/events", Told)]))
        server.add_socket(socket)
        feed = Feed(f"http://127.0.0.1:{port}/lablib/api/", "looking")
        task = asyncio.create_task(feed.follow(seen.append, said.append))
        for _ in range(500):
            if len(seen) >= 3:
                break
            await real(0.01)
        task.cancel()
        server.stop()
        await server.close_all_connections()

    asyncio.run(watch_it())
    assert seen[:3] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert said[:2] == ["", "the server has closed the connection"]


@pytest.mark.filterwarnings(
    "ignore:Unclosed WebSocketClientConnection:ResourceWarning"
)  # tornado's own, after a refusal
def test_a_feed_that_is_not_let_in_says_so_and_gives_up():
    class Shut(WebSocketHandler):
        def prepare(self):
            self.set_status(403)
            self.finish()

    said = []

    async def watch_it():
        socket, port = bind_unused_port()
        server = HTTPServer(Application([("/lablib/api/ws/events", Shut)]))
        server.add_socket(socket)
        await Feed(f"http://127.0.0.1:{port}/lablib/api").follow(lambda one: None, said.append)
        server.stop()
        await server.close_all_connections()

    asyncio.run(asyncio.wait_for(watch_it(), 60))
    gc.collect()  # here, where its warning is expected
    assert len(said) == 1
    assert "viewer token" in said[0]


def test_the_lab_shows_what_it_hears():
    lab = watch.WatchLab(None, "hello")
    lab._hear(frame(1.0))
    lab._hear(frame(2.0))
    lab._draw()
    assert "run a of this server" in lab.children[2].value
    assert "hello" in lab.children[1].value


class Fed:
    """A feed that tells of a frame whenever it is asked to, and notes who listens."""

    def __init__(self):
        self.listeners = 0
        self.followed = 0
        self.hear = None

    async def follow(self, hear, say):
        self.followed += 1
        self.listeners += 1
        self.hear = hear
        say("")
        try:
            await asyncio.Event().wait()
        finally:
            self.listeners -= 1


async def comes(holds):
    """Wait until something holds."""
    for _ in range(2_000):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it does not come to that")


def test_a_page_that_nobody_answers_for_sends_nothing_and_gives_its_place_back(monkeypatch, wire):
    monkeypatch.setattr(watch, "FRAME_S", 0.001)
    monkeypatch.setattr(watch, "PATIENCE_S", 0.02)
    feed = Fed()

    async def live():
        lab = watch.WatchLab(feed)
        flow, second = lab._flow, 0

        def told():
            nonlocal second
            second += 1
            feed.hear(frame(float(second)))

        def answer():
            flow.answer.value = flow._mark.value

        await comes(lambda: feed.listeners == 1)
        for _ in range(20):  # somebody looks
            before = flow.sent
            told()
            await comes(lambda: flow.sent > before)  # noqa: B023 - it is awaited here
            answer()
        await comes(lambda: told() or not feed.listeners)  # the browser has crashed
        sent, drawn = len(wire.sent), flow.sent
        for _ in range(50):
            told()
            await asyncio.sleep(0.002)
        assert (len(wire.sent), flow.sent, feed.followed) == (sent, drawn, 1)
        assert flow.in_flight == IN_FLIGHT
        answer()  # it was but asleep
        await comes(lambda: feed.listeners == 1)
        before = flow.sent
        told()
        await comes(lambda: flow.sent > before)
        assert feed.followed == 2
        lab._loop.cancel()

    asyncio.run(live())
