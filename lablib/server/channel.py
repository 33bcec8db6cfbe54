"""The WebSocket of a viewer: let in, told what happens, never listened to."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.websocket import WebSocketHandler

from lablib.server.base import Lab
from lablib.server.fanout import Viewer
from lablib.server.line import Line


class Channel(Lab, WebSocketMixin, WebSocketHandler, JupyterHandler):
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
