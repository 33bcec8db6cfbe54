"""What every handler of ours has: who is asking, how much is read, how it is answered and refused."""

from __future__ import annotations

import json
from http.client import responses
from typing import Any

from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado.web import HTTPError, stream_request_body

from lablib.errors import ArchiveError, ConfigError, DataError, LabError, SessionError
from lablib.server.live_run import LimitError, NoRunError
from lablib.server.models import BODY_LIMIT
from lablib.server.roles import RESOURCE, Roles, holds, new_viewer, token_of
from lablib.server.service import SETTING, LabService

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
_LONGEST_READ = (
    16 * BODY_LIMIT
)  # and dropped: whoever sends too much is told so, where he ends soon


class Lab:
    """The service, and who is asking."""

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
class Handler(Lab, APIHandler):
    """One resource. A body is read up to its limit and no further."""

    def initialize(self) -> None:
        """Nothing is read yet."""
        self._parts: list[bytes] = []
        self._size = 0

    async def prepare(self, **options: Any) -> None:
        """Look at user and size before anything is read."""
        connection: Any = self.request.connection
        connection.set_max_body_size(_LONGEST_READ)
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
