"""A line between browser and server that can be cut and mended."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Line:
    """A port that hands on what comes to another port of this computer.

    Attributes
    ----------
    port
        Where it listens.
    to
        Where it leads.
    """

    def __init__(self, to: int) -> None:
        self.port, self.to = 0, to
        self._open: set[socket.socket] = set()
        self._ear: socket.socket | None = None
        self.mend()

    def mend(self) -> None:
        """Take connections (again)."""
        self._ear = socket.create_server(("127.0.0.1", self.port))
        self.port = self._ear.getsockname()[1]
        threading.Thread(target=self._listen, args=(self._ear,), daemon=True).start()

    def cut(self) -> None:
        """Break what goes over it, and take nothing more."""
        for one in (self._ear, *self._open):
            _end(one)
        self._open.clear()

    def _listen(self, ear: socket.socket) -> None:
        with suppress(OSError):  # it was cut
            while True:
                near, _ = ear.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.to))
                except OSError:
                    near.close()
                    continue
                self._open |= {near, far}
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for one in (source, sink):
            self._open.discard(one)
            _end(one)


def _end(one: socket.socket | None) -> None:
    if one is not None:
        with suppress(OSError):  # wakes whoever waits for it
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextmanager
def line(to: int) -> Iterator[Line]:
    """A line that is cut at the end."""
    one = Line(to)
    yield one
    one.cut()
