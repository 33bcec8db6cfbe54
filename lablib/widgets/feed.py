"""A server's run as it is told to viewers: messages of a WebSocket, and again when it breaks. Read only."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable
from typing import Any

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from lablib.errors import ConfigError

URL, TOKEN = "LABLIB_API_URL", "LABLIB_VIEWER_TOKEN"  # as `lablib serve` leaves them to its pages
_LONGEST_WAIT_S = 20.0


class Feed:
    """What a server tells of its runs.

    Parameters
    ----------
    url, token
        Of the interface, ending in `lablib/api`, and of somebody who may look; from the environment
        unless given.
    run_id
        Only this run; None follows whichever is newest.

    Raises
    ------
    ConfigError
        No address, and none in the environment.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, run_id: str | None = None
    ) -> None:
        address = (url or os.environ.get(URL, "")).rstrip("/")
        if not address.startswith(("http://", "https://")):
            raise ConfigError(f"url: where is the server? give its address, or set {URL}")
        query = f"?run_id={run_id}" if run_id else ""
        self._address = f"ws{address.removeprefix('http')}/ws/events{query}"
        given = os.environ.get(TOKEN, "") if token is None else token
        self._headers = {"Authorization": f"token {given}"} if given else {}
        self.connections = 0

    async def follow(
        self, hear: Callable[[dict[str, Any]], None], say: Callable[[str], None]
    ) -> None:
        """Hand every message to `hear`, for ever; `say` why there is none, or "" when there are."""
        wait_s = 0.5
        while True:
            try:
                request = HTTPRequest(self._address, headers=self._headers)
                socket = await websocket_connect(request, ping_interval=30, ping_timeout=20)
            except HTTPClientError as error:
                say(_WHY.get(error.code, f"the server answered {error.code}"))
                if error.code == 403:
                    return
            except OSError as error:
                say(f"no connection to the server ({error.strerror or type(error).__name__})")
            else:
                self.connections += 1
                wait_s = 0.5
                say("")
                try:
                    while (text := await socket.read_message()) is not None:
                        hear(json.loads(text))
                finally:
                    socket.close()
                say("the server has closed the connection")
            # With jitter: a class that lost its server must not come back in one instant.
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.5))
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


_WHY = {
    403: "the server does not let us look: the viewer token is missing or wrong",
    404: "the server has no such run",
    429: "the server has as many viewers as it has room for; trying again",
}
