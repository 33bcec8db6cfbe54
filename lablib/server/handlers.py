"""The interface over HTTP: parse, call the manager, answer. No logic.

One list, mounted by two shells. Everything but `health` and `openapi.json` asks who it is and whether
they may: reading for viewers, changing for those with the control token.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Generator
from contextlib import closing, suppress
from functools import cache
from typing import Any

import numpy as np
from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.base.handlers import JupyterHandler
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from lablib import __version__
from lablib.engine import TABLES
from lablib.errors import ConfigError, LabError
from lablib.recording.record import open_record
from lablib.run import REPLAY_COLUMNS, write_replay
from lablib.server import gauges, news
from lablib.server.acts import VERBS
from lablib.server.base import Handler
from lablib.server.channel import Channel
from lablib.server.fanout import CHANNELS, STALLED_S
from lablib.server.live_run import LiveRun
from lablib.server.models import ResetRun, StartRun, parse, read_object
from lablib.server.openapi import document

ROOT = "lablib/api"
_CSV_ROWS = 5_000  # written at a time: the event loop waits for no more


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
        """Stream it to so many at once; who does not read is cut off, as viewers are.

        What is held for a reader is one block, whatever the record's size.
        """
        run = self.service.manager[run_id]
        with self.service.download():
            await self._send(run)

    async def _send(self, run: LiveRun) -> None:
        self.set_header("Content-Disposition", f'attachment; filename="{run.id}.csv"')
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        if not run.runner.ended:  # up to now, and not up to the last flush
            with suppress(LabError):
                await asyncio.wrap_future(run.runner.ask(lambda session: session.flush()))
        loop = asyncio.get_running_loop()
        parts = _csv(run)
        connection: Any = self.request.connection
        with suppress(StreamClosedError), closing(parts):  # the reader has left
            while (part := await loop.run_in_executor(None, next, parts, None)) is not None:
                self.write(part)
                try:
                    await asyncio.wait_for(self.flush(), STALLED_S)
                except TimeoutError:
                    connection.stream.close()
                    return
        self.finish(set_content_type="text/csv; charset=utf-8")


def _csv(run: LiveRun) -> Generator[str]:
    head = len(",".join(REPLAY_COLUMNS)) + 1
    page = io.StringIO()
    write_replay(page, np.empty(0, TABLES["samples"]))
    yield page.getvalue()
    for rows in open_record(run.record).blocks("samples", _CSV_ROWS):
        page = io.StringIO()
        write_replay(page, rows)
        yield page.getvalue()[head:]


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
