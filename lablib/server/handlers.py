"""The interface over HTTP: parse, call the manager, answer. No logic.

One list, mounted by two shells. Everything but `health` and `openapi.json` asks who it is and whether
they may: reading for viewers, changing for those with the control token.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from http.client import responses
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, stream_request_body
from tornado.websocket import WebSocketHandler

from lablib import __version__
from lablib.errors import ArchiveError, ConfigError, DataError, LabError, SessionError
from lablib.recording.record import open_record
from lablib.run import REPLAY_COLUMNS, write_replay
from lablib.server import gauges, news
from lablib.server.fanout import CHANNELS, Viewer
from lablib.server.line import Line
from lablib.server.manager import VERBS, LimitError, LiveRun, NoRunError
from lablib.server.models import BODY_LIMIT, ResetRun, StartRun, parse, read_object
from lablib.server.openapi import document
from lablib.server.roles import RESOURCE, Roles, holds, new_viewer, token_of
from lablib.server.service import SETTING, LabService

ROOT = "lablib/api"
STATUS: tuple[tuple[type[LabError], int], ...] = (
    (NoRunError, 404),
    (LimitError, 429),
    (SessionError, 409),
    (ConfigError, 400),
    (DataError, 400),
    (ArchiveError, 500),
    (LabError, 409),
)
_LONGEST_MESSAGE = 1_000
_CSV_ROWS = 5_000  # written at a time: the event loop waits for no more


class _Lab:
    """What every handler of ours has: the service, and who is asking."""

    auth_resource = RESOURCE
    settings: dict[str, Any]

    @property
    def service(self) -> LabService:
        """Manager and hub."""
        service: LabService = self.settings[SETTING]
        return service

    @property
    def authorizer(self) -> Any:
        """Roles, in front of the server's own authorizer."""
        return Roles(JupyterHandler.authorizer.fget(self))  # type: ignore[attr-defined]

    def admit_viewer(self) -> None:
        """Let the viewer token in, in whichever server this is."""
        handler: Any = self
        if holds(token_of(handler), self.service.viewer_token):
            handler._jupyter_current_user = new_viewer()
            handler._token_authenticated = True

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say what was wrong; never where in our code."""
        handler: Any = self
        error = (kwargs.get("exc_info") or (None, None))[1]
        message = responses.get(status_code, "error")
        if isinstance(error, LabError):
            status_code = next(code for kind, code in STATUS if isinstance(error, kind))
            handler.set_status(status_code)
            message = self.service.manager.told(error)
        elif isinstance(error, HTTPError) and error.log_message and status_code < 500:
            message = error.log_message
        if status_code == 429:
            handler.set_header("Retry-After", "5")
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[:_LONGEST_MESSAGE]} ..."
        handler.set_header("Content-Type", "application/json")
        handler.finish(json.dumps({"status": status_code, "message": message}))

    def refuse_strangers(self) -> None:
        """Nobody goes on without a name, whatever the server's own defaults are."""
        handler: Any = self
        method = getattr(handler, handler.request.method.lower())
        if handler.current_user is None and not getattr(method, "__allow_unauthenticated", False):
            raise HTTPError(403)

    def _request_summary(self) -> str:
        """What a log line says of a request: not its arguments, where a token may be."""
        request = self.request  # type: ignore[attr-defined]
        return f"{request.method} {request.path} ({request.remote_ip})"

    def log_exception(self, *about: Any) -> None:
        """A refusal is no news for the log; a fault of ours is."""
        is_refusal = isinstance(about[1], HTTPError) and about[1].status_code < 500
        if not is_refusal and not isinstance(about[1], LabError):
            super().log_exception(*about)  # type: ignore[misc]


@stream_request_body
class Handler(_Lab, APIHandler):
    """One resource. A body is read up to its limit and no further."""

    def initialize(self) -> None:
        """Nothing is read yet."""
        self._parts: list[bytes] = []
        self._size = 0

    async def prepare(self, **options: Any) -> None:
        """Look at user and size before anything is read."""
        self.admit_viewer()
        await super().prepare()
        self.refuse_strangers()
        length = self.request.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > BODY_LIMIT:
            raise HTTPError(413, f"body: at most {BODY_LIMIT} bytes, got {length[:20]}")

    def data_received(self, chunk: bytes) -> None:
        """Collect the body; one without a length is cut off where it is too long."""
        self._size += len(chunk)
        if self._size <= BODY_LIMIT:
            self._parts.append(chunk)

    @property
    def body(self) -> bytes:
        """The request's body."""
        if self._size > BODY_LIMIT:
            raise HTTPError(413, f"body: at most {BODY_LIMIT} bytes")
        return b"".join(self._parts)

    def answer(self, value: Any, status: int = 200) -> None:
        """Reply with JSON."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(value, allow_nan=False))

    def options(self, *args: str) -> None:
        """No other origin has business here."""
        raise HTTPError(405)


# ------------------------------------------------------------------------------------------- open
class Health(Handler):
    """Whether anybody is here."""

    @allow_unauthenticated
    def get(self) -> None:
        """Answer, and nothing a stranger should not know."""
        self.answer({"status": "ok", "version": __version__})


@cache
def _described() -> str:
    return json.dumps(document())


class OpenApi(Handler):
    """What this interface is, for machines."""

    @allow_unauthenticated
    def get(self) -> None:
        """The OpenAPI document."""
        self.finish(_described())


# ------------------------------------------------------------------------------------------- runs
class Runs(Handler):
    """All runs."""

    @authorized
    async def get(self) -> None:
        """List them."""
        _ = self.xsrf_token  # reading it sets the cookie that a page's own requests must show
        self.answer({"runs": [news.brief(run) for run in self.service.manager]})

    @authorized
    async def post(self) -> None:
        """Start one."""
        asked = parse(self.body, StartRun)
        manager = self.service.manager
        run = await asyncio.get_running_loop().run_in_executor(None, manager.create, asked)
        self.set_header("Location", f"{self.base_url}{ROOT}/runs/{run.id}")
        self.answer(news.whole(run), 201)


class OneRun(Handler):
    """One run."""

    @authorized
    async def get(self, run_id: str) -> None:
        """How it stands."""
        self.answer(news.whole(self.service.manager[run_id]))


class Verb(Handler):
    """Something done to a run."""

    @authorized
    async def post(self, run_id: str, verb: str) -> None:
        """Do it, and say how the run stands then."""
        manager = self.service.manager
        if verb == "reset":
            answer = manager.reset(run_id, parse(self.body, ResetRun))
            if answer is not None:
                await asyncio.wrap_future(answer)
        else:
            if self.body.strip() and read_object(self.body):
                raise ConfigError(f"body: {verb} takes none")
            await asyncio.wrap_future(manager.act(run_id, verb))
        self.answer(news.brief(manager[run_id]))


class RunConfig(Handler):
    """The configuration of one run."""

    @authorized
    async def get(self, run_id: str) -> None:
        """As it stands now."""
        run = self.service.manager[run_id]
        self.answer(run.session.config.model_dump(mode="json"))

    @authorized
    async def patch(self, run_id: str) -> None:
        """Change some fields."""
        manager = self.service.manager
        await asyncio.wrap_future(manager.change(run_id, read_object(self.body)))
        self.answer(manager[run_id].session.config.model_dump(mode="json"))


class Replay(Handler):
    """The replay CSV of one run."""

    @authorized
    async def get(self, run_id: str) -> None:
        """Stream it."""
        run = self.service.manager[run_id]
        self.set_header("Content-Disposition", f'attachment; filename="{run.id}.csv"')
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        if not run.runner.ended:  # up to now, and not up to the last flush
            with suppress(LabError):
                await asyncio.wrap_future(run.runner.ask(lambda session: session.flush()))
        loop = asyncio.get_running_loop()
        parts = _csv(run)
        with suppress(StreamClosedError):  # the reader has left
            while (part := await loop.run_in_executor(None, next, parts, None)) is not None:
                self.write(part)
                await self.flush()
        self.finish(set_content_type="text/csv; charset=utf-8")


def _csv(run: LiveRun) -> Iterator[str]:
    samples = open_record(run.record).table("samples")
    head = len(",".join(REPLAY_COLUMNS)) + 1
    for first in range(0, max(1, samples.size), _CSV_ROWS):
        page = io.StringIO()
        write_replay(page, samples[first : first + _CSV_ROWS])
        yield page.getvalue()[head if first else 0 :]


# ------------------------------------------------------------------------- of the newest run
class State(Handler):
    """The newest run, as it stands."""

    @authorized
    async def get(self) -> None:
        """State, frame and latencies."""
        run = self.service.manager.newest
        frame = run.session.frame
        told = {**news.brief(run), "frame": news.frame(frame), "latency": news.latency(frame)}
        self.answer(told)


class Config(Handler):
    """The configuration of the newest run, or of the next."""

    @authorized
    async def get(self) -> None:
        """As it stands now."""
        self.answer(self.service.manager.config.model_dump(mode="json"))

    @authorized
    async def put(self) -> None:
        """Change what is given; what is left out keeps its value."""
        manager = self.service.manager
        await asyncio.wrap_future(manager.configure(read_object(self.body)))
        self.answer(manager.config.model_dump(mode="json"))


class Metrics(Handler):
    """How the server is doing."""

    @authorized
    async def get(self) -> None:
        """As JSON, or as Prometheus text to those who ask for text."""
        service = self.service
        accepts = self.request.headers.get("Accept", "")
        wanted = self.get_query_argument("format", "")
        if wanted not in ("", "json", "prometheus"):
            raise ConfigError(f"format: json or prometheus, got {wanted[:40]!r}")
        if wanted == "prometheus" or (not wanted and "text/plain" in accepts):
            text = gauges.as_prometheus(service.manager, service.hub)
            self.finish(text, set_content_type=gauges.PROMETHEUS_TYPE)
        else:
            self.answer(gauges.as_json(service.manager, service.hub))


class Nothing(Handler):
    """Whatever else is asked for."""

    @authorized
    async def get(self, path: str) -> None:
        """There is nothing."""
        raise HTTPError(404, f"nothing is at {path[:80]!r}; see openapi.json")

    post = put = patch = delete = get


# --------------------------------------------------------------------------------------- channels
class Channel(_Lab, WebSocketMixin, WebSocketHandler, JupyterHandler):
    """A WebSocket on which a viewer is told what happens. What it says is not listened to."""

    max_message_size = 1_024

    async def prepare(self, **options: Any) -> None:
        """Look at the user before shaking hands."""
        self._viewer: Viewer | None = None
        self.admit_viewer()
        await super().prepare()
        self.refuse_strangers()

    @authorized
    async def get(self, channel: str) -> None:
        """Shake hands, if there is room."""
        wanted = self.get_query_argument("run_id", None)
        if wanted is not None:
            _ = self.service.manager[wanted]
        self.service.hub.make_room()
        await super().get(channel, wanted)

    def open(self, channel: str, run_id: str | None) -> None:
        """Join those who watch."""
        connection: Any = self.ws_connection
        super().open()  # which keeps the connection alive by pings
        self._viewer = Viewer(Line(connection.stream), channel, run_id)
        self.service.hub.join(self._viewer)

    def on_message(self, message: str | bytes) -> None:
        """Nobody is listening."""

    def on_close(self) -> None:
        """Leave."""
        if self._viewer is not None:
            self.service.hub.leave(self._viewer)

    def get_compression_options(self) -> None:
        """No compression: a frame is built once for all."""


_RUN = r"runs/([^/]+)"
default_handlers: list[tuple[str, type[JupyterHandler]]] = [
    (rf"/{ROOT}/health", Health),
    (rf"/{ROOT}/openapi\.json", OpenApi),
    (rf"/{ROOT}/runs", Runs),
    (rf"/{ROOT}/{_RUN}", OneRun),
    (rf"/{ROOT}/{_RUN}/({'|'.join((*VERBS, 'reset'))})", Verb),
    (rf"/{ROOT}/{_RUN}/config", RunConfig),
    (rf"/{ROOT}/{_RUN}/replay\.csv", Replay),
    (rf"/{ROOT}/state", State),
    (rf"/{ROOT}/config", Config),
    (rf"/{ROOT}/metrics", Metrics),
    (rf"/{ROOT}/ws/({'|'.join(CHANNELS)})", Channel),
    (rf"/{ROOT}/(.*)", Nothing),
]
