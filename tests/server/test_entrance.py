"""The port by itself and before a whole server: who comes in where many stand and ask for nothing."""

from __future__ import annotations

import http.client
import re
import resource
import socket
import subprocess
import sys
from contextlib import ExitStack

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from server.shells import API, Shell, voila

from lablib.server.entrance import (
    FILES_OF_A_PAGE,
    FILES_OF_OURS,
    MOST_FILES,
    most_files,
    room_for,
)

pytestmark = pytest.mark.compiled

WATCH = "/voila/render/watch.ipynb"


def idle(port: int, count: int, stack: ExitStack) -> list[socket.socket]:
    """Connections that ask for nothing."""
    return [
        stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        for _ in range(count)
    ]


def health(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", f"{API}/health")
        return connection.getresponse().status
    finally:
        connection.close()


@given(
    st.integers(256, MOST_FILES),
    st.integers(1, 100),
    st.integers(1, 1_000),
)
def test_what_is_shared_out_is_never_more_than_there_is(files, viewers, pages):
    room = room_for(files, viewers=viewers, pages=pages)
    shared = FILES_OF_OURS + room.callers + viewers + room.pages * FILES_OF_A_PAGE
    assert 1 <= room.pages <= pages
    assert room.callers >= 16
    assert shared <= files or room.pages == 1


def test_the_files_that_the_system_grants_are_taken():
    code = (
        "import resource as r; from lablib.server.entrance import most_files\n"
        "_, hard = r.getrlimit(r.RLIMIT_NOFILE)\n"
        "r.setrlimit(r.RLIMIT_NOFILE, (200, hard)); print(most_files(), r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    assert told.stdout.split() == [str(most)] * 2
    assert most_files() <= MOST_FILES


PORT = """
import asyncio, os, sys, tornado.web
from tornado.netutil import bind_sockets
from lablib.server.entrance import Entrance
class Health(tornado.web.RequestHandler):
    def get(self):
        self.finish("well")
async def main():
    (bound,) = bind_sockets(0, "127.0.0.1")
    print(bound.getsockname()[1], flush=True)
    Entrance(tornado.web.Application([("/.*", Health)]), callers=int(sys.argv[1])).add_sockets([bound])
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.parametrize("callers", [20, 10_000], ids=["bounded", "no file is left"])
def test_idle_connections_keep_nobody_out_and_cost_neither_time_nor_log(callers, tmp_path):
    """Where callers are bounded the oldest goes; where they are not, the system's own bound is met."""
    log = tmp_path / "log"
    command = ["sh", "-c", 'ulimit -n 64; exec "$0" "$@"', sys.executable, "-c", PORT, str(callers)]
    with (
        log.open("w") as err,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True) as process,
        ExitStack() as stack,
    ):
        stack.callback(process.kill)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        if callers == 20:
            idle(port, 300, stack)
            assert health(port) == 200
        else:
            standing = idle(port, 300, stack)
            assert process.poll() is None
            for one in standing:
                one.close()
            assert health(port) == 200
        used = sum(psutil.Process(process.pid).cpu_times()[:2])
        assert used < 10
        assert log.stat().st_size < 2_000


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """`lablib serve` with few files, and room for two pages."""
    with voila(tmp_path_factory.mktemp("narrow"), files=300, max_pages=2, max_viewers=40) as shell:
        yield shell


def test_a_server_with_few_files_answers_however_many_stand_at_its_port(narrow: Shell):
    with ExitStack() as stack:
        idle(narrow.port, 400, stack)
        before = sum(narrow.process.cpu_times()[:2])
        for _ in range(20):
            assert narrow.api("health", token=None).status == 200
        assert narrow.api("runs").status == 200
        assert sum(narrow.process.cpu_times()[:2]) - before < 5
    assert narrow.log.stat().st_size < 20_000


def test_there_are_as_many_pages_as_there_is_room_for_and_one_more_is_told_so(narrow: Shell):
    files = narrow.process.num_fds()
    pages = [narrow.ask(WATCH) for _ in range(2)]
    assert [page.status for page in pages] == [200, 200]
    assert narrow.process.num_fds() - files <= 2 * FILES_OF_A_PAGE
    refused = narrow.ask(WATCH)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "60")
    assert b"room for 2 open pages" in refused.raw
    assert narrow.ask(WATCH, token=None).status == 302  # strangers learn nothing
    (kernel,) = set(re.findall(r'"kernelId": "([0-9a-f-]{36})"', pages[0].raw.decode()))
    assert narrow.ask(f"/api/kernels/{kernel}", "DELETE").status == 204
    assert narrow.ask(WATCH).status == 200
