"""One run on a thread of its own: chunks of about ten milliseconds, and between them what was asked.

Knows no HTTP and no viewer. What a viewer may want is left in a short deque from which the oldest falls
out: nobody who looks can hold the run up.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from lablib.errors import LabError, SessionError
from lablib.frame import Frame
from lablib.kernels import tables as t
from lablib.pace import Pace
from lablib.session import Session

CHUNK_S = 0.01  # a command waits no longer than this
_TURN_S = 0.02  # between two chunks of a run that keeps pace with a clock
_BACKLOG_S = 0.25  # time a run may owe before it is simply late
_FIRST_CHUNK_NS = 50 * t.NS_PER_MS
_LONGEST_CHUNK_NS = 3_600 * t.NS_PER_S
GLIMPSES = 16  # kept for the next look
ROWS = 20  # of a table, kept in a glimpse: more than anybody reads before the next
TOLD = ("orders", "fills", "risk_events")
ENDED = frozenset({"finished", "failed"})

Ask = Callable[[Any], Any]  # of the session


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What can be told of one chunk: a frame without samples and with the last few rows of its other tables.

    `counts` are the rows the chunk brought in all.
    """

    frame: Frame
    counts: dict[str, int]


class Runner:
    """A session that plays by itself.

    Parameters
    ----------
    session
        Not to be touched by anybody else once `start` was called.
    pace
        How much simulated time is due.
    slot
        Held while computing, so that a few processors are left to others.
    """

    def __init__(self, session: Session, pace: Pace, *, slot: Turnstile) -> None:
        self.session, self.pace = session, pace
        self.glimpses: deque[Glimpse] = deque(maxlen=GLIMPSES)
        self.overlooked = 0  # glimpses that nobody fetched in time
        self.chunks = 0
        self.digest: str | None = None  # of a run that has ended
        self._slot = slot
        self._shown = session.frame
        session.on_frame = self._show
        self._asked: deque[tuple[Ask, Future[Any]]] = deque()
        self._change = threading.Condition()
        self._closing = False
        self._gone = False
        self._owed_ns = 0
        self._chunk_ns = _FIRST_CHUNK_NS
        self._thread = threading.Thread(target=self._live, name="lablib-run", daemon=True)

    def start(self) -> None:
        """Begin to live; the session plays when it is told to."""
        self._thread.start()

    @property
    def failure(self) -> str | None:
        """Why it failed, else None."""
        return self.session.failure

    @property
    def state(self) -> str:
        """The session's."""
        return self.session.state

    @property
    def ended(self) -> bool:
        """Whether nothing moves this run any more."""
        return self._gone or self.state in ENDED

    def ask(self, act: Ask) -> Future[Any]:
        """Have something done to the session between two chunks; the future tells what came of it."""
        answer: Future[Any] = Future()
        with self._change:
            if self._gone:
                answer.set_exception(SessionError(f"the run is {self.state}"))
            else:
                self._asked.append((act, answer))
                self._change.notify()
        return answer

    def close(self, timeout: float | None = None) -> None:
        """End the thread where the run stands; what is still asked is refused."""
        with self._change:
            self._closing = True
            self._change.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)

    # ------------------------------------------------------------------------------ the run's thread
    def _live(self) -> None:
        _step_back()
        try:
            while not self._closing and self.session.state not in ENDED:
                self._obey()
                if self.session.state in ("running", "halted"):
                    self._move()
                elif self.session.state not in ENDED:
                    self._wait()
            if self.session.failure is None:
                self.digest = self.session.simulation.digest()
        except Exception as error:  # the run fails, with its reason; the server lives on
            self.session.fail(f"{type(error).__name__}: {error}")
            logging.getLogger("lablib").exception("A run failed")
        finally:
            with suppress(LabError):  # where it failed, its record has said so
                self.session.close()
            if self.session.failure is not None:  # the last that is told of it: where it froze
                frame = self.session.frame
                none: dict[str, Any] = {name: getattr(frame, name)[:0] for name in TOLD}
                self._show(replace(frame, **none))
            with self._change:
                self._gone = True
                left, self._asked = self._asked, deque()
            for _, answer in left:
                answer.set_exception(SessionError(f"the run is {self.state}"))

    def _obey(self) -> None:
        while self._asked:
            act, answer = self._asked.popleft()
            before = self.session.state
            try:
                answer.set_result(act(self.session))
            except LabError as error:  # the asker's to answer
                answer.set_exception(error)
            except Exception as error:  # ours: who knows what it left behind
                answer.set_exception(error)
                raise
            if self.session.state != before:
                self.pace.restart()  # time spent paused is not due
                self._owed_ns = 0
            self._show(self.session.frame)

    def _move(self) -> None:
        due_ns = self.pace.due_ns()
        if due_ns is None:
            self._advance(self._chunk_ns)
            return
        most_ns = int((self.pace.speed or 0) * _BACKLOG_S * t.NS_PER_S)
        self._owed_ns = min(self._owed_ns + due_ns, most_ns)
        dt_ns = min(self._owed_ns, self._chunk_ns)
        if dt_ns > 0:
            self._owed_ns -= dt_ns
            self._advance(dt_ns)
        if self._owed_ns == 0:
            self._wait(_TURN_S)

    def _advance(self, dt_ns: int) -> None:
        with self._slot:
            begun = time.perf_counter()
            self.session.advance(dt_ns)
            took_s = time.perf_counter() - begun
        if dt_ns == self._chunk_ns or took_s > CHUNK_S:
            change = min(2.0, max(0.25, CHUNK_S / max(took_s, 1e-6)))
            self._chunk_ns = min(max(int(dt_ns * change), t.NS_PER_MS), _LONGEST_CHUNK_NS)
        self.chunks += 1

    def _show(self, frame: Frame) -> None:
        if frame is self._shown:
            return
        self._shown = frame
        tables = {name: getattr(frame, name) for name in TOLD}
        last: dict[str, Any] = {name: table[-ROWS:].copy() for name, table in tables.items()}
        self.overlooked += len(self.glimpses) == GLIMPSES
        self.glimpses.append(
            Glimpse(
                replace(frame, samples=frame.samples[:0].copy(), **last),
                {name: table.size for name, table in tables.items()},
            )
        )

    def _wait(self, seconds: float | None = None) -> None:
        with self._change:
            if not self._asked and not self._closing:
                self._change.wait(seconds)


class Turnstile:
    """Lets so many through at once, in the order in which they came: no run may starve another."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        with self._lock:
            if self._free and not self._queue:
                self._free -= 1
                return
            mine = threading.Event()
            self._queue.append(mine)
        mine.wait()

    def __exit__(self, *about: object) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._free += 1


def _step_back() -> None:
    """Let the server's own thread go first: viewers notice, the run hardly does."""
    if hasattr(os, "setpriority"):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
