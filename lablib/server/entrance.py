"""The port of `lablib serve`: how many may stand at it, and what happens when the system has no file left.

Every connection and every page costs the server open files, of which the system grants so many. What
strangers can take of them is bounded here, so that those who are let in find the rest. Knows no token.
"""

from __future__ import annotations

import errno
import logging
import os
import resource
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from lablib.server.models import BODY_LIMIT

BODY_S = 10.0  # a request's body is here by then, or the connection is cut
IDLE_S = 60.0  # so long may a connection stand without a request
MOST_FILES = 1 << 14  # we never ask the system for more
FILES_OF_OURS = 96  # the server without anybody in it, its records and its threads
FILES_OF_A_PAGE = 16  # its kernel's pipes and sockets, and its own connections
_SAY_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Room:
    """What fits into the files the system grants.

    `callers` are connections that are no WebSocket, `pages` kernels of dashboards.
    """

    files: int
    callers: int
    pages: int


def room_for(files: int, *, viewers: int, pages: int) -> Room:
    """Share out files: first to ourselves, callers and viewers, what is left to as many pages as wanted.

    >>> room_for(4_096, viewers=200, pages=200)
    Room(files=4096, callers=512, pages=200)
    >>> room_for(1_024, viewers=200, pages=200)
    Room(files=1024, callers=128, pages=37)
    """
    callers = max(16, files // 8)
    left = files - FILES_OF_OURS - callers - viewers
    return Room(files, callers, max(1, min(pages, left // FILES_OF_A_PAGE)))


def most_files() -> int:
    """Open as many files as the system lets us, within reason; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # some systems have a lower one that they do not tell
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_FILES if soft == resource.RLIM_INFINITY else min(soft, MOST_FILES)


class Seldom:
    """A warning that could come a thousand times a second, once a minute."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._next = 0.0

    def __call__(self) -> None:
        """Say it, unless it was said just now."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _SAY_AGAIN_S
            logging.getLogger("lablib").warning(self._words)


class Entrance(HTTPServer):
    """An HTTP server at which so many connections may stand: for one more, the oldest has to go.

    A connection is as old as its last request's beginning. WebSockets do not count: who may open one is
    asked, and how many is decided, elsewhere.
    """

    def initialize(self, application: Any, callers: int) -> None:  # type: ignore[override]
        """Tornado's constructor.

        Parameters
        ----------
        application
            What answers.
        callers
            Connections that may stand here at once.
        """
        super().initialize(
            application,
            max_body_size=BODY_LIMIT,
            body_timeout=BODY_S,
            idle_connection_timeout=IDLE_S,
        )
        self._most = callers
        self._callers: dict[IOStream, None] = {}  # the oldest first
        self._is_full = Seldom(f"More than {callers} connections: the oldest are cut")

    def add_sockets(self, sockets: Any) -> None:
        """Listen, in the place of these sockets."""
        super().add_sockets([Door(bound) for bound in sockets])

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Somebody comes."""
        self._callers[stream] = None
        while len(self._callers) > self._most:
            oldest = next(iter(self._callers))
            del self._callers[oldest]
            oldest.close()
            self._is_full()
        super().handle_stream(stream, address)

    def start_request(self, server_conn: Any, request_conn: Any) -> Any:
        """Somebody asks, or asks again."""
        if server_conn.stream in self._callers:
            del self._callers[server_conn.stream]
            self._callers[server_conn.stream] = None
        return super().start_request(server_conn, request_conn)

    def on_close(self, server_conn: Any) -> None:
        """Somebody has left, or goes on as a WebSocket."""
        self._callers.pop(server_conn.stream, None)
        super().on_close(server_conn)


class Door(socket.socket):
    """A listening socket that turns callers away when no file is left, instead of leaving them to stand.

    Whoever waits in the system's queue keeps the socket readable: the event loop would turn round and
    round, and write a traceback each time. So one file is kept in hand, for those who have to go.
    """

    def __init__(self, bound: socket.socket) -> None:
        super().__init__(bound.family, bound.type, bound.proto, fileno=bound.detach())
        self.setblocking(False)
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._is_full = Seldom("No file is left for another connection: callers are turned away")

    def accept(self) -> tuple[socket.socket, Any]:
        """The next caller.

        Raises
        ------
        BlockingIOError
            There is none, or there is no file for one.
        """
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
        self._is_full()
        os.close(self._spare)
        with suppress(OSError):
            super().accept()[0].close()
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        raise BlockingIOError(errno.EAGAIN, "no file is left")
