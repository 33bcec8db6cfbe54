"""Who does the work: threads of our own, any `concurrent.futures.Executor`, or a Dask client.

Cells are handed out a few at a time and taken back as they come, so that neither tasks nor results
pile up. Nothing here knows what a cell is.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    ThreadPoolExecutor,
)
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

from lablib.errors import ConfigError, LabError

RETRIES = 3  # of a task that a cluster has lost
_AHEAD = 2  # tasks waiting for each worker
_LOOK_S = 0.1  # between two looks at whether to stop

Job = tuple[int, tuple[Any, ...]]


def gather(
    work: Callable[..., Any],
    jobs: Iterable[Job],
    executor: Any = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[tuple[int, Any]]:
    """Do every job and yield (index, result) as they come; a job that raised yields its exception.

    Parameters
    ----------
    work
        A function at the top of a module. On threads it is also given `stopped`, to ask now and then
        whether its result is still wanted; it may return None once it is not.
    jobs
        Pairs of an index and the function's arguments; taken one by one, as workers become free.
    executor
        None for a thread a processor, a number of threads, an executor, or a Dask client.
    cancelled
        Asked several times a second; once true no more results come.

    Raises
    ------
    LabError
        When the executor itself breaks, such as a pool that lost a process.
    """
    crew = _crew(executor)
    stop = threading.Event()
    done: SimpleQueue[tuple[int, Any]] = SimpleQueue()
    waiting: dict[int, Any] = {}
    source = iter(jobs)

    def hand_out(count: int) -> None:
        for index, arguments in islice(source, count):
            future = crew.submit(work, arguments, stop)
            waiting[index] = future
            future.add_done_callback(lambda future, index=index: done.put((index, future)))

    try:
        hand_out(_AHEAD * crew.size)
        while waiting:
            try:
                index, future = done.get(timeout=_LOOK_S)
            except Empty:
                future = None
            if cancelled is not None and cancelled():
                return
            if future is None:
                continue
            del waiting[index]
            result = _result(future)
            hand_out(1)
            yield index, result
    except BrokenExecutor as error:
        raise LabError(f"executor: it broke, and took its tasks along ({error})") from error
    finally:
        stop.set()
        for future in waiting.values():
            future.cancel()
        crew.leave()


def _result(future: Any) -> Any:
    try:
        return future.result()
    except (BrokenExecutor, KeyboardInterrupt):
        raise
    except CancelledError as error:
        return error
    except (
        Exception
    ) as error:  # a user's own strategy may raise anything: it becomes the cell's row
        return error


class _Executor:
    """Somebody's executor: used, and left as it was."""

    def __init__(self, executor: Executor, size: int) -> None:
        self._executor = executor
        self.size = size
        self._threads = isinstance(executor, ThreadPoolExecutor)

    def submit(
        self, work: Callable[..., Any], arguments: tuple[Any, ...], stop: threading.Event
    ) -> Any:
        if self._threads:
            return self._executor.submit(work, *arguments, stopped=stop.is_set)
        return self._executor.submit(work, *arguments)

    def leave(self) -> None:
        """Nothing to do: it is not ours."""


class _Threads(_Executor):
    """Threads of our own: the kernels let go of the interpreter's lock."""

    def __init__(self, size: int) -> None:
        super().__init__(ThreadPoolExecutor(size, thread_name_prefix="lablib-cell"), size)

    def leave(self) -> None:
        """Wait for what runs: told to stop, it does so within milliseconds."""
        self._executor.shutdown(wait=True, cancel_futures=True)


class _Dask:
    """A Dask client: a task whose worker died is done again by another."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.size = max(1, sum(client.nthreads().values()))

    def submit(
        self, work: Callable[..., Any], arguments: tuple[Any, ...], stop: threading.Event
    ) -> Any:
        return self._client.submit(work, *arguments, pure=False, retries=RETRIES)

    def leave(self) -> None:
        """Nothing to do: it is not ours."""


def _crew(executor: Any) -> Any:
    if executor is None:
        return _Threads(os.cpu_count() or 1)
    if isinstance(executor, int) and not isinstance(executor, bool):
        if not 1 <= executor <= 1_024:
            raise ConfigError(f"executor: give 1 to 1024 threads, got {executor}")
        return _Threads(executor)
    if isinstance(executor, Executor):
        return _Executor(executor, getattr(executor, "_max_workers", None) or os.cpu_count() or 1)
    if callable(getattr(executor, "submit", None)) and callable(
        getattr(executor, "nthreads", None)
    ):
        return _Dask(executor)
    raise ConfigError(
        "executor: give a number of threads, a concurrent.futures.Executor or a Dask client,"
        f" got {executor!r}"
    )
