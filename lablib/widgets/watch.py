"""A run of the server, watched by many: feed -> series -> sketches. Holds no engine and no plotting library.

Each viewer's page has a kernel of its own; this one is as light as a kernel can be, and it can change
nothing: what it has is a token to look with.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections import deque
from html import escape
from typing import Any
from urllib.parse import parse_qs

import ipywidgets as W  # noqa: N812 - the name its own manual uses

from lablib.errors import ConfigError
from lablib.widgets import readouts, sketch, theme
from lablib.widgets.feed import Feed
from lablib.widgets.flow import PATIENCE_S, Flow
from lablib.widgets.loop import Loop

POINTS = 400  # of a series
FRAME_S = 0.1  # between two pictures
_LINES = 8  # of the event tape


class Series:
    """The last frames of one run, the newest heard of; thinned: when they are too many, every other goes."""

    def __init__(self) -> None:
        self.dropped = 0
        self._follow((-math.inf, ""))

    def _follow(self, run: tuple[float, str]) -> None:
        self._run = run  # when it began, and its id
        self.state = ""
        self.failure: str | None = None
        self._begin()

    def _begin(self) -> None:
        self.frame: dict[str, Any] = {}
        self.latency: dict[str, Any] = {}
        self.events: deque[tuple[int, str, str]] = deque(maxlen=_LINES)
        self._rows: list[dict[str, Any]] = []
        self._every_ns = 0

    def hear(self, message: dict[str, Any]) -> None:
        """Take in one message. A newer run takes the page over; what older ones say is passed over."""
        self.dropped = message["dropped"]  # on this connection, of whichever run
        run = message["begun"], message["run_id"]
        if run < self._run:
            return
        if run > self._run:
            self._follow(run)
        elif message["event_type"] == "frame" and message["t_ns"] < self.frame.get("t_ns", 0):
            self._begin()  # it was reset; its state is told when it changes, and only then
        take = getattr(self, f"_{message['event_type']}", None)
        if take is not None:
            take(message)

    @property
    def run_id(self) -> str:
        """The run; empty while none was heard of."""
        return self._run[1]

    def column(self, name: str) -> list[float | None]:
        """One field of the frames kept."""
        return [row[name] for row in self._rows]

    @property
    def seconds(self) -> list[float]:
        """Simulated time of the frames kept."""
        return [row["t_ns"] / 1e9 for row in self._rows]

    def _frame(self, message: dict[str, Any]) -> None:
        self.frame = message
        if self._rows and message["t_ns"] - self._rows[-1]["t_ns"] < self._every_ns:
            return
        self._rows.append({name: message[name] for name in _KEPT})
        if len(self._rows) > POINTS:
            self._rows = self._rows[::2]
            span = self._rows[-1]["t_ns"] - self._rows[0]["t_ns"]
            self._every_ns = span // (POINTS // 2)

    def _latency(self, message: dict[str, Any]) -> None:
        self.latency = message["latency"]

    def _state(self, message: dict[str, Any]) -> None:
        self.state, self.failure = message["state"], message["failure"]

    def _fills(self, message: dict[str, Any]) -> None:
        for row in message["rows"][-_LINES:]:
            side = "buys" if row["side"] > 0 else "sells"
            words = f"{side} {row['lots']:,} lots at {row['price_px']:,.2f}"
            self.events.append((row["t_ns"], "buy" if row["side"] > 0 else "sell", words))

    def _risk(self, message: dict[str, Any]) -> None:
        for row in message["rows"][-_LINES:]:
            self.events.append((row["t_ns"], "risk", f"halt: {_words(row['reason'])}"))

    def _command(self, message: dict[str, Any]) -> None:
        what = f"{message['field']} = {message['value']}" if message["field"] else message["kind"]
        self.events.append((message["t_ns"], "command", what))


_KEPT = ("t_ns", "external_px", "market_px", "equity", "position_lots", "divergence")


class WatchLab(W.VBox):  # type: ignore[misc]
    """A run one can look at: the widget that `watch_lab` returns."""

    def __init__(self, feed: Feed | None, words: str = "Connecting to the server") -> None:
        super().__init__()
        self.add_class("lrl")
        self.series = Series()
        self._loop = Loop(lambda error: self._say(str(error)))
        self._flow = Flow(self._loop.call)
        self._status, self._picture = W.HTML(), W.HTML()
        style = W.HTML(f"<style>{theme.CSS}{sketch.CSS}</style>")
        self.children = (style, self._status, self._picture, self._flow.widget)
        self._say(words)
        self._picture.value = picture(self.series) if feed is not None else _HEAD
        self._news = asyncio.Event()
        if feed is not None and self._loop.runs:
            self._loop.spawn(self._watch(feed))

    def _hear(self, message: dict[str, Any]) -> None:
        self.series.hear(message)
        self._news.set()

    async def _watch(self, feed: Feed) -> None:
        """Follow the run while somebody looks.

        Whatever a kernel sends counts as its activity, and it would outlive a browser that crashed: so
        where nobody answers, nothing more is drawn, and the place among the viewers is given back.
        """
        while True:
            following = self._loop.spawn(feed.follow(self._hear, self._say))
            try:
                await self._paint()
            finally:
                following.cancel()
            await self._flow.room(None)

    async def _paint(self) -> None:
        """A picture when there is news, no faster than the browser applies them, until it does not answer."""
        while True:
            await self._news.wait()
            self._news.clear()
            if not await self._flow.room(PATIENCE_S):
                return
            self._draw()
            await asyncio.sleep(FRAME_S)

    def _draw(self) -> None:
        self._picture.value = picture(self.series)
        self._flow.mark()

    def _say(self, words: str) -> None:
        text = f'<div class="lrl-status">{escape(words)}</div>' if words else ""
        self._status.value = text


def picture(series: Series) -> str:
    """The page as HTML."""
    if not series.frame:
        return _HEAD + _EMPTY
    frame, at = series.frame, series.seconds
    lost = f" · {series.dropped} messages lost" if series.dropped else ""
    said = f"run {series.run_id} of this server, watched{lost}"
    failure = (
        f'<div class="lrl-status bad">{escape(series.failure)}</div>' if series.failure else ""
    )
    charts = [
        sketch.chart(
            "External and venue price",
            at,
            [
                sketch.Line("venue", theme.PALE, series.column("market_px")),
                sketch.Line("external", theme.INK, series.column("external_px")),
            ],
            "{:,.2f}".format,
        ),
        sketch.chart(
            "Equity",
            at,
            [sketch.Line("ours", theme.BLUE, series.column("equity"))],
            "{:,.1f}".format,
        ),
        sketch.chart(
            "Divergence we see",
            at,
            [sketch.Line("external over venue", theme.SLATE, series.column("divergence"))],
            lambda value: f"{100 * value:.2f} %",
        ),
        sketch.chart(
            "Position",
            at,
            [sketch.Line("lots", theme.BLUE, series.column("position_lots"), steps=True)],
            "{:,.0f}".format,
        ),
    ]
    grid = f'<div class="lrl-two">{"".join(charts)}</div>'
    tape = _tape(series)
    return f"{_head(said)}{failure}{_tiles(series, frame)}{grid}{tape}"


def _head(words: str) -> str:
    return f'<div class="lrl-head"><h1>Latency Risk Lab</h1><p>{escape(words)}</p></div>'


_HEAD = _head("A run of this server, for as many as want to look.")
_EMPTY = """
<div class="lrl-card lrl-empty"><h2>No run yet</h2>
<p>As soon as one is started on this server it appears here, live. Nothing has to be pressed, or loaded again.</p>
<p>Whoever holds its control token starts one, in a scenario of <code>lablib presets</code>:</p>
<p><code>curl -H "Authorization: token TOKEN" ADDRESS/lablib/api/runs -d '{"config": "cloud", "speed": 1}'</code></p>
<p>TOKEN and ADDRESS are those of <code>lablib serve</code>. With <code>--run cloud</code>
that starts one by itself.</p></div>
"""


def _tiles(series: Series, frame: dict[str, Any]) -> str:
    latency = series.latency
    tail = latency.get("p99_ms")
    median = latency.get("p50_ms")
    if frame["halted"]:
        last = readouts.tile("Kill switch", "HALTED", _words(frame["halt_reason"]), "halted")
    else:
        last = readouts.tile("State", series.state.capitalize(), f"{frame['halts']} halts so far")
    tiles = [
        readouts.tile(
            "Simulated time",
            readouts.clock(frame["t_ns"])[:-2],
            f"{frame['decisions']:,} decisions",
        ),
        readouts.tile("Equity", f"{frame['equity']:,.2f}", f"fees {frame['fees']:,.2f}"),
        readouts.tile("Drawdown", readouts.signed(-frame["drawdown"])),
        readouts.tile("Position", f"{readouts.signed(frame['position_lots'], 0)} lots"),
        readouts.tile("Fills", f"{frame['fill_count']:,}", f"from {frame['order_count']:,} orders"),
        readouts.tile(
            "Latency p99",
            "–" if tail is None else readouts.milliseconds(tail),
            "" if median is None else f"median {readouts.milliseconds(median)}",
        ),
        last,
    ]
    return f'<div class="lrl-kpis lrl-num">{"".join(tiles)}</div>'


def _tape(series: Series) -> str:
    rows = "".join(
        f'<tr class="{kind}"><td class="{kind}">{readouts.clock(t_ns)}</td><td>{escape(words)}</td></tr>'
        for t_ns, kind, words in reversed(series.events)
    )
    return f'<div class="lrl-card"><h2>Events</h2><table class="lrl-tape">{rows}</table></div>'


def _words(reason: str) -> str:
    return reason.replace("_", " ")


def watch_lab(
    run_id: str | None = None, *, url: str | None = None, token: str | None = None
) -> WatchLab:
    """Watch a run of a server; the newest one unless an id is given, here or as `run` in the page's address.

    Parameters
    ----------
    url, token
        Of the server's interface; what `lablib serve` left in the environment unless given.

    Raises
    ------
    ConfigError
        `run_id` is no id. What is wrong with the address is said on the page.
    """
    given = None if run_id is None else _id(run_id)
    try:
        asked = parse_qs(os.environ.get("QUERY_STRING", "")).get("run", [None])[0]
        feed = Feed(url, token, given or (asked and _id(asked)))
    except ConfigError as error:
        return WatchLab(None, str(error))
    return WatchLab(feed)


def _id(word: str) -> str:
    if len(word) == 12 and set(word) <= set("0123456789abcdef"):
        return word
    raise ConfigError(f"run: an id has 12 digits of 0-9 and a-f, got {word[:40]!r}")
