"""A viewer's connection: what the system takes at once never passes through tornado's buffers."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

_SEND_BUFFER = 1 << 17  # bytes the system keeps for one viewer


class Line:
    """Writes to an IOStream, past it where nothing waits in it.

    A future, a copy and a look at the event loop for each message of each viewer would cost several times
    what sending does.
    """

    def __init__(self, stream: IOStream) -> None:
        self._stream = stream
        self._is_plain = not isinstance(stream, SSLIOStream)
        with suppress(OSError):
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    def write(self, data: bytes) -> Any:
        """Send; a future for what the system did not take, None where it took all.

        Raises
        ------
        StreamClosedError
            The other side has left.
        """
        stream = self._stream
        if stream.closed():
            raise StreamClosedError
        rest = memoryview(data)
        if self._is_plain and not stream.writing():
            with suppress(BlockingIOError):
                rest = rest[stream.socket.send(rest) :]
            if not rest:
                return None
        return stream.write(rest)

    def writing(self) -> bool:
        """Whether something waits."""
        return bool(self._stream.writing())

    def close(self) -> None:
        """Cut the connection."""
        self._stream.close()
