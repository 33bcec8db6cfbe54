"""Who can do what, in both shells: A, the extension in a Jupyter server, and B, `lablib serve`.

The numbers are those of the checklist this follows: 1 routes, 2 forged requests, 3 kernels, 4 paths,
5 files, 6 limits (here and in test_refusals, test_life, test_channels, test_fanout), 7 secrets, 8 hidden
widgets, 9 strategies.

Two of them mean something else in A, where whoever has the login has a shell anyway. 3: not that a page's
visitor cannot execute code, but that a viewer's token reaches no kernel, terminal, file or page at all.
7: A prints its own address, with a token it made up in it; no line after that holds one.
"""

from __future__ import annotations

import ast
import http.client
import json
import re
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from hypothesis import find, settings
from hypothesis import strategies as st
from server.shells import API, CONTROL, EXTENSION, LIMITS, VIEWER, VOILA
from websocket import (
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketTimeoutException,
    create_connection,
)

import lablib.server
from lablib.cli import main
from lablib.recording.record import open_record
from lablib.server.acts import VERBS
from lablib.server.fanout import CHANNELS
from lablib.server.handlers import default_handlers

pytestmark = pytest.mark.compiled

PAGE = "/voila/render/live.ipynb"
OPEN = {f"{API}/health", f"{API}/openapi.json"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
RUN = "0123456789ab"


def example(pattern: str) -> str:
    """A path that a route's regular expression matches, as short as can be."""
    path = pattern.replace("([^/]+)", RUN).replace("(?:(?:/[^/]+)+|/?)", "/x")
    path = re.sub(r"\(\.\*\)|\.[*+]|\\w\+|\[.*?\]\+", "x", path)
    matching = st.from_regex(re.compile(path.removesuffix("$"), re.ASCII), fullmatch=True)
    return find(matching, bool, settings=settings(database=None, derandomize=True))


# ------------------------------------------------------------------------------------- 1 routes
@pytest.mark.parametrize("token", [None, "wrong", ""])
@pytest.mark.parametrize("method", METHODS)
def test_1_without_a_token_nothing_answers_but_health_and_the_description(shell, method, token):
    paths = {example(pattern) for pattern, _ in default_handlers}
    assert paths >= {*OPEN, f"{API}/runs/{RUN}/pause", f"{API}/ws/events", f"{API}/x"}
    answering = {path for path in paths if shell.ask(path, method, token=token).status != 403}
    expected = OPEN if method == "GET" else set()
    if method in ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
        answering -= {path for path in answering if shell.ask(path, method).status == 405}
    assert answering == expected


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("token", [None, "wrong"])
def test_1_no_channel_opens_without_a_token(shell, channel, token):
    with pytest.raises(WebSocketBadStatusException) as refused:
        shell.watch(channel, token=token)
    assert refused.value.status_code == 403


OURS = {r"/lablib/api/health", r"/lablib/api/openapi\.json"}
VOILAS = {r"/voila/static/(.*)", r"/voila/labextensions/(.*)", r"/voila/api/themes/(.*)"}
ENTRANCE = {"/login", "/logout", r"/voila/templates/(.*)"}
JUPYTERS = {
    r"/static/(.*)",
    r"/static/lab/(.*)",
    r"/lab/extensions/(.*)",
    r"/lab/api/themes/(.*)",
    r"/(robots\.txt)",
    r"/(favicon\.ico)",
    r"/(robots\.txt|favicon\.ico)",
    r"/.*/",  # sends away, to the path without the slash
    "/api",  # the version
    "/api/notebooks/?(.*)",  # sends on to the contents, which ask
    "/",  # leads to the default page, which asks
    "(.*)",  # nothing is there
}
MUTE = {"/lab/api/licenses/(.*)"}  # JupyterLab's own: it refuses, and then fails to say so
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def test_1_every_route_that_answers_a_stranger_is_known(any_shell):
    """A new route of another Voilà or Jupyter shows itself here."""
    routes = json.loads((any_shell.home / "routes.json").read_text())
    routes = [route for route in routes if route.removesuffix("$") not in MUTE]
    answering, shaking_hands = set(), set()
    for route in routes:
        path = example(route)
        reply = any_shell.ask(path, token=None)
        if reply.status == 405:  # it is not for reading
            reply = any_shell.ask(path, "POST", {}, token=None)
        is_shut = reply.status in (401, 403)
        where = reply.headers["Location"] or ""
        is_sent_away = reply.status == 302 and where.startswith("/login?")
        if not (is_shut or is_sent_away):
            answering.add(route.removesuffix("$"))
        if any_shell.ask(path, token=None, headers=UPGRADE).status == 101:
            shaking_hands.add(route)
    known = OURS | VOILAS | ENTRANCE | (JUPYTERS if any_shell.name == EXTENSION else set())
    assert answering <= known
    assert answering >= OURS
    assert shaking_hands == set()
    assert len(routes) > 20


def test_1_a_viewer_reads_everything_and_changes_nothing(shell):
    run = shell.start()
    reads = ["runs", f"runs/{run}", f"runs/{run}/config", f"runs/{run}/replay.csv", "state"]
    for path in (*reads, "config", "metrics"):
        assert shell.api(path, token=VIEWER).status == 200
    before = shell.api("runs").json["runs"][0]["seed"]
    changes = [(f"runs/{run}/{verb}", "POST") for verb in (*VERBS, "reset")]
    changes += [("runs", "POST"), (f"runs/{run}/config", "PATCH"), ("config", "PUT")]
    for path, method in changes:
        assert shell.api(path, method, {}, token=VIEWER).status == 403, path
    assert shell.api(f"runs/{run}").json["state"] == "running"
    assert shell.api("runs").json["runs"][0]["seed"] == before


# ----------------------------------------------------------------------------- 2 forged requests
def cookies(shell, token: str, path: str = f"{API}/runs") -> dict[str, str]:
    """What a browser that came once with the token in its address keeps."""
    reply = shell.ask(f"{path}?token={token}", token=None)
    jar = SimpleCookie("; ".join(reply.headers.get_all("Set-Cookie", [])))
    return {name: morsel.value for name, morsel in jar.items()}


def with_cookies(jar: dict[str, str], **headers: str) -> dict[str, str]:
    return {"Cookie": "; ".join(f'{name}="{value}"' for name, value in jar.items()), **headers}


@pytest.mark.parametrize(("path", "method"), [("runs", "POST"), ("config", "PUT")])
def test_2_a_cookie_alone_changes_nothing(shell, path, method):
    jar = cookies(shell, CONTROL)
    assert shell.api("runs", token=None, headers=with_cookies(jar)).status == 200
    forged = shell.api(path, method, {}, token=None, headers=with_cookies(jar))
    assert forged.status == 403
    signed = with_cookies(jar, **{"X-XSRFToken": jar["_xsrf"]})
    assert shell.api(path, method, {}, token=None, headers=signed).status in (200, 201)


def test_2_a_foreign_page_gets_nothing_out_of_a_cookie(shell):
    signed = with_cookies(jar := cookies(shell, CONTROL), **{"X-XSRFToken": jar["_xsrf"]})
    foreign = {**signed, "Origin": "http://evil.example"}
    assert shell.api("runs", token=None, headers=foreign).status == 404
    assert shell.api("runs", "POST", {}, token=None, headers=foreign).status in (403, 404)
    with pytest.raises(WebSocketBadStatusException) as refused:
        shell.watch("events", token=None, **foreign)
    assert refused.value.status_code == 403


@pytest.mark.parametrize("path", ["runs", "health", "openapi.json", "ws/events"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_2_a_foreign_host_name_is_refused_even_with_the_token(shell, path, host):
    assert shell.api(path, host=host).status == 403


def test_2_no_answer_invites_another_origin(shell):
    reply = shell.api("runs", token=None, headers=with_cookies(cookies(shell, CONTROL)))
    assert reply.headers["Access-Control-Allow-Origin"] is None
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]


def test_2_a_viewers_cookie_stays_a_viewers(voila_shell):
    jar = cookies(voila_shell, VIEWER, "/")
    signed = with_cookies(jar, **{"X-XSRFToken": jar.get("_xsrf", "")})
    assert voila_shell.api("runs", token=None, headers=signed).status == 200
    assert voila_shell.api("runs", "POST", {}, token=None, headers=signed).status == 403


# ------------------------------------------------------------------------------------- 3 kernels
@pytest.fixture(scope="module")
def page(voila_shell) -> str:
    """The live lab as a visitor gets it."""
    return voila_shell.ask(f"{PAGE}?token={CONTROL}", token=None).raw.decode()


def close(shell, page: str) -> None:
    """End the kernel of a page, as its tab does."""
    jar = cookies(shell, CONTROL)
    signed = with_cookies(jar, **{"X-XSRFToken": jar["_xsrf"]})
    path = f"/voila/api/shutdown/{kernel_of(page)}"
    assert shell.ask(path, "POST", {}, token=None, headers=signed).status == 204


def kernel_of(page: str) -> str:
    (kernel,) = set(re.findall(r'"kernelId": "([0-9a-f-]{36})"', page))
    return kernel


def converse(shell, page, requests, seconds=3.0):
    """Send messages down a kernel's socket; what comes back until it is silent for a while."""
    address = f"ws://127.0.0.1:{shell.port}/api/kernels/{kernel_of(page)}/channels"
    header = [f"Authorization: token {CONTROL}"]
    socket = create_connection(address, timeout=seconds, header=header, suppress_origin=True)
    for kind, content in requests:
        head = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "version": "5.3"}
        head |= {"session": "visitor", "username": "visitor", "date": "2024-01-01T00:00:00Z"}
        message = {"channel": "shell", "header": head, "content": content}
        socket.send(json.dumps({**message, "parent_header": {}, "metadata": {}}))
    answers = []
    try:
        while text := socket.recv():  # nothing is in the frame that closes it
            if isinstance(text, str):
                answers.append(json.loads(text))
    except (WebSocketTimeoutException, WebSocketConnectionClosedException):
        pass  # silent for a while, or gone
    finally:
        socket.close()
    return answers


def test_3_a_kernel_takes_nothing_but_what_widgets_need(voila_shell, page, tmp_path):
    sentinel = tmp_path / "sentinel"
    code = f"open({str(sentinel)!r}, 'w').close()"
    run = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    asked = [
        ("execute_request", run),
        ("execute_request", {**run, "code": "1", "user_expressions": {"x": code}}),
        ("complete_request", {"code": "imp", "cursor_pos": 3}),
        ("inspect_request", {"code": "print", "cursor_pos": 2, "detail_level": 1}),
        ("history_request", {"output": True, "raw": True, "hist_access_type": "tail", "n": 9}),
        ("debug_request", {"command": "evaluate", "arguments": {"expression": code}}),
        ("kernel_info_request", {}),
    ]
    kinds = {answer["header"]["msg_type"] for answer in converse(voila_shell, page, asked)}
    assert "kernel_info_reply" in kinds
    replies = ("execute_reply", "complete_reply", "inspect_reply", "history_reply", "debug_reply")
    assert not kinds & set(replies)
    assert not sentinel.exists()


JUPYTER_READS = [
    "/api/kernels",
    "/api/kernels/{kernel}",
    "/api/sessions",
    "/api/kernelspecs",
    "/api/contents",
    "/api/contents/live.ipynb",
    "/api/terminals",
    "/api/status",
    "/api/me",
    "/api/config/x",
    "/files/live.ipynb",
    "/view/live.ipynb",
    "/nbconvert/script/live.ipynb",
    "/voila",
    "/voila/tree",
    "/voila/render/live.ipynb",
    "/voila/files/picture.png",
    "/lab",
    "/lab/api/settings",
    "/metrics",
]
JUPYTER_CHANGES = [
    ("/api/kernels", "POST"),
    ("/api/kernels/{kernel}/restart", "POST"),
    ("/api/kernels/{kernel}", "DELETE"),
    ("/api/terminals", "POST"),
    ("/api/contents/mine.py", "PUT"),
    ("/api/contents/live.ipynb", "DELETE"),
    ("/api/contents/live.ipynb", "PATCH"),
    ("/api/contents", "POST"),
    ("/api/shutdown", "POST"),
    ("/voila/api/shutdown/{kernel}", "POST"),
    ("/lab/api/build", "POST"),
]
JUPYTER_SOCKETS = [
    "/api/kernels/{kernel}/channels",
    "/api/events/subscribe",
    "/terminals/websocket/{terminal}",
]


@pytest.fixture(scope="module")
def at_work(jupyter_shell) -> dict[str, str]:
    """A kernel and a terminal that the owner of the Jupyter server has open."""
    ids = {}
    for what in ("kernel", "terminal"):
        reply = jupyter_shell.ask(f"/api/{what}s", "POST", {})
        assert reply.status in (200, 201), reply.raw
        ids[what] = reply.json["id" if what == "kernel" else "name"]
    (jupyter_shell.home / "root" / "picture.png").touch()
    yield ids
    jupyter_shell.ask(f"/api/kernels/{ids['kernel']}", "DELETE")
    jupyter_shell.ask(f"/api/terminals/{ids['terminal']}", "DELETE")


def test_3_what_a_viewer_is_denied_beside_jupyterlab_is_there_for_its_owner(jupyter_shell, at_work):
    """The next tests would prove nothing if these addresses answered nobody."""
    for path in JUPYTER_READS:
        if "/render/" not in path:  # which starts a kernel
            assert jupyter_shell.ask(path.format(**at_work)).status in (200, 302), path
    for path in JUPYTER_SOCKETS:
        jupyter_shell.connect(path.format(**at_work), CONTROL).close()


@pytest.mark.parametrize("token", [VIEWER, None, "wrong"], ids=["viewer", "nobody", "wrong"])
@pytest.mark.parametrize("carried", ["header", "address"])
def test_3_beside_jupyterlab_a_viewer_reaches_no_kernel_terminal_file_or_page(
    jupyter_shell, at_work, token, carried
):
    header = token if carried == "header" else None
    query = f"?token={token}" if carried == "address" else ""
    asked = [(path, "GET") for path in JUPYTER_READS] + JUPYTER_CHANGES
    for path, method in asked:
        body = None if method == "GET" else {}
        reply = jupyter_shell.ask(path.format(**at_work) + query, method, body, token=header)
        where = (reply.headers["Location"] or "").split("?")[0]
        assert reply.status == 403 or (reply.status, where) == (302, "/login"), (path, method)
    for path in JUPYTER_SOCKETS:
        with pytest.raises(WebSocketBadStatusException) as refused:
            jupyter_shell.connect(path.format(**at_work) + query, header)
        assert refused.value.status_code == 403, path
    assert jupyter_shell.ask(f"/api/kernels/{at_work['kernel']}").status == 200


def test_3_beside_jupyterlab_nothing_a_viewer_is_sent_back_opens_more(jupyter_shell, at_work):
    jar = cookies(jupyter_shell, VIEWER)
    signed = with_cookies(jar, **{"X-XSRFToken": jar.get("_xsrf", "")})
    for path in JUPYTER_READS:
        reply = jupyter_shell.ask(path.format(**at_work), token=None, headers=signed)
        assert reply.status in (302, 403), path
    for path in JUPYTER_SOCKETS:
        with pytest.raises(WebSocketBadStatusException):
            jupyter_shell.connect(path.format(**at_work), None, **signed)


# ---------------------------------------------------------------------------------------- 4 paths
CLIMBS = [
    "../../pyproject.toml",
    "../../../../../../etc/passwd",
    "..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "%252e%252e%252f%252e%252e%252fetc%252fpasswd",
    "....//....//....//etc/passwd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "..\\..\\etc\\passwd",
    "%00/etc/passwd",
    "../appsecrets/x.png",  # a sibling folder whose name begins alike
]


@pytest.mark.parametrize("climb", CLIMBS)
@pytest.mark.parametrize(
    "base",
    [
        "/voila/files/",
        "/voila/files/public/",
        "/voila/static/",
        "/voila/templates/lab/",
        "/voila/labextensions/",
        "/voila/render/",
        f"{API}/runs/",
        f"{API}/",
    ],
)
def test_4_no_path_climbs_out(shell, base, climb):
    reply = shell.ask(f"{base}{climb}")
    # Voilà's own fault, for the owner of shell A alone; `lablib serve` asks before Voilà does.
    is_voilas = shell.name == EXTENSION and base == "/voila/render/" and "%00" in climb
    assert reply.status in {302, 400, 403, 404, 405} | ({500} if is_voilas else set())
    assert b"root:" not in reply.raw
    assert b"[project]" not in reply.raw


def test_4_a_replay_is_found_by_its_runs_id_alone(shell):
    for climb in CLIMBS:
        assert shell.api(f"runs/{climb}/replay.csv").status == 404
    reply = shell.api(f"runs/{shell.start()}/replay.csv?path=/etc/passwd&filename=x.html")
    disposition = reply.headers["Content-Disposition"]
    assert re.fullmatch(r'attachment; filename="[0-9a-f]{12}\.csv"', disposition)


# ---------------------------------------------------------------------------------------- 5 files
def test_5_files_beside_the_dashboards_need_a_login(any_shell):
    for path in ("/voila/files/public/live.png", "/voila/files/public/live.png?token=wrong"):
        reply = any_shell.ask(path, token=None)
        assert (reply.status, reply.headers["Location"].split("?")[0]) == (302, "/login")
    assert any_shell.ask("/voila/files/public/live.png").status == 200


@pytest.mark.parametrize("name", ["live.ipynb", "cli.py", "log", "config.json", "run.json"])
def test_5_neither_notebooks_nor_code_nor_logs_are_served(any_shell, name):
    for folder in ("/voila/files/", "/voila/files/public/", "/voila/static/"):
        assert any_shell.ask(f"{folder}{name}").status in (403, 404)


# --------------------------------------------------------------------------------------- 6 limits
UNRECORDED = {"record.samples": False, "strategy.threshold": 0.5}  # nothing fills the disk


def test_6_viewers_that_never_read_lose_messages_and_cost_little_memory(shell):
    for seed in range(LIMITS["max_runs"]):
        shell.start(seed=seed, speed="max", until="2000d", config=UNRECORDED)
    time.sleep(1)
    before = shell.process.memory_info().rss
    asked = {"token": VIEWER, "buffer": 4_096}  # so that little fits into the connection itself
    shell.sockets += [shell.connect(f"{API}/ws/events", **asked) for _ in range(5)]
    reading = shell.watch("events")
    lost = lambda: shell.api("metrics").json["messages_dropped_total"]  # noqa: E731
    lost_before, deadline = lost(), time.monotonic() + 60
    while lost() < lost_before + 200:
        for _ in range(20):
            told = json.loads(reading.recv())
        assert time.monotonic() < deadline, "nothing is lost"
    assert told["dropped"] == 0  # by the one who reads
    # A minute and more of it, and many more viewers, are in benchmarks/bench_server.py.
    assert shell.process.memory_info().rss - before < 64 << 20


def test_6_a_run_that_outgrows_its_quota_fails_with_a_reason_and_a_valid_record(shell):
    run = shell.start(seed=7, speed="max", until="2000d")
    told = shell.end(run)
    quota = LIMITS["quota_mb"] << 20
    assert (told["state"], told["digest"], told["halted"]) == ("failed", None, True)
    assert told["frame"]["halt_reason"] == "record"
    assert re.fullmatch(rf".*full: [\d,]+ bytes, its quota is {quota:,}", told["failure"])
    assert str(shell.home) not in json.dumps(told)  # where things stand is nobody's business
    record = open_record(shell.home / "records" / run)
    assert record.status == "failed"
    assert f"its quota is {quota:,}" in record.ending.reason
    rows = record.table("samples")
    assert rows.size > 100_000
    assert shell.api(f"runs/{run}/replay.csv").raw.count(b"\n") == 1 + rows.size
    assert shell.api("metrics").json["runs"]["failed"] >= 1
    assert shell.end(shell.start(seed=8, until="1s", speed="max"))["state"] == "finished"


def knock(shell, path: str, *heads: str, token: str | None = None) -> socket.socket:
    """A connection on which the head of a POST was sent, and nothing else yet."""
    caller = socket.create_connection(("127.0.0.1", shell.port), timeout=30)
    named = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{shell.port}", *heads]
    named += [] if token is None else [f"Authorization: token {token}"]
    caller.sendall("\r\n".join([*named, "", ""]).encode())
    return caller


def sent_until_cut_off(caller: socket.socket, part: bytes, most: int = 64 << 20) -> int:
    """Bytes that go out before the other side hangs up."""
    sent = 0
    with suppress(ConnectionError):
        while sent < most:
            caller.sendall(part)
            sent += len(part)
    caller.close()
    return sent


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is entered here is left at the test's end."""
    with ExitStack() as left_at_the_end:
        yield left_at_the_end


TYPED = "Content-Type: application/x-www-form-urlencoded"
CHUNK = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
SLACK = 24 << 20  # what the systems at both ends take before anybody reads


@pytest.mark.parametrize("path", ["/login", "/voila/static/x", "/nothing", PAGE, f"{API}/runs"])
@pytest.mark.parametrize("length", ["Content-Length: 62914560", "Transfer-Encoding: chunked"])
def test_6_no_strangers_body_is_kept(voila_shell, path, length):
    before = voila_shell.process.memory_info().rss
    part = CHUNK if "chunked" in length else b"a" * 0x10000
    assert sent_until_cut_off(knock(voila_shell, path, length, TYPED), part) < SLACK
    assert voila_shell.process.memory_info().rss - before < 8 << 20


@pytest.mark.parametrize("token", [None, CONTROL])
def test_6_nor_is_a_body_to_the_interface_in_either_shell(shell, token):
    caller = knock(shell, f"{API}/runs", "Transfer-Encoding: chunked", TYPED, token=token)
    assert sent_until_cut_off(caller, CHUNK) < SLACK


def test_6_a_body_that_does_not_come_is_not_waited_for(voila_shell):
    callers = [knock(voila_shell, path, "Content-Length: 9") for path in ("/login", "/nothing")]
    for caller in callers:
        caller.sendall(b"a=1")
    for caller in callers:
        with caller, suppress(ConnectionResetError):
            assert caller.recv(1) == b""  # cut off


def test_6_readers_of_a_replay_that_never_read_hold_little_and_are_cut_off(shell, stack):
    """Four are served at once whatever they do, and a reader that stalls keeps nobody out for long."""
    run = shell.start(seed=9, speed="max", until="2000d")
    shell.end(run)  # its quota is full
    whole = shell.api(f"runs/{run}/replay.csv").raw
    assert len(whole) > 24 << 20
    before = shell.process.memory_info().rss
    ask = (
        f"GET {API}/runs/{run}/replay.csv HTTP/1.1\r\nHost: 127.0.0.1:{shell.port}\r\n"
        f"Authorization: token {VIEWER}\r\n\r\n"
    )
    stalled = [stack.enter_context(socket.socket()) for _ in range(8)]
    for caller in stalled:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        caller.connect(("127.0.0.1", shell.port))
        caller.sendall(ask.encode())
    statuses = sorted(caller.recv(12)[-3:] for caller in stalled)
    assert statuses == [b"200"] * 4 + [b"429"] * 4
    refused = shell.api(f"runs/{run}/replay.csv")
    assert (refused.status, "room for 4" in refused.message) == (429, True)
    time.sleep(2)
    assert shell.process.memory_info().rss - before < 48 << 20
    deadline = time.monotonic() + 60
    while (reply := shell.api(f"runs/{run}/replay.csv")).status == 429:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert reply.raw == whole


def test_6_limits_are_told(shell):
    numbers = shell.api("metrics").json
    assert (numbers["runs_max"], numbers["viewers_max"]) == (
        LIMITS["max_runs"],
        LIMITS["max_viewers"],
    )


# -------------------------------------------------------------------------------------- 7 secrets
def test_7_no_token_is_in_a_page_an_answer_an_error_or_the_log(shell):
    run = shell.start()
    paths = ["runs", f"runs/{run}", "state", "metrics", "openapi.json", "nothing", "runs/nobody"]
    for token in (CONTROL, VIEWER):
        for path in paths:
            reply = shell.ask(f"{API}/{path}?token={token}", token=None)
            assert not any(secret.encode() in reply.raw for secret in (CONTROL, VIEWER))
            assert not any(secret in str(reply.headers) for secret in (CONTROL, VIEWER))
    for path in ("/voila/render/nowhere.ipynb", "/voila/files/x.py", "/api/kernels", "/files/x"):
        for token in (CONTROL, VIEWER):
            shell.ask(f"{path}?token={token}", token=None)  # not found, forbidden: logged
    log = shell.log.read_text()
    assert VIEWER not in log
    assert CONTROL not in log


def test_7_a_page_holds_no_token(any_shell):
    for token in (CONTROL, VIEWER) if any_shell.name == VOILA else (CONTROL,):
        page = any_shell.ask(f"/voila/render/watch.ipynb?token={token}", token=None)
        assert page.status == 200
        assert not any(secret.encode() in page.raw for secret in (CONTROL, VIEWER))
        close(any_shell, page.raw.decode())


def test_7_no_kernel_of_a_page_has_the_token_that_changes(voila_shell, page):
    for child in voila_shell.process.children(recursive=True):
        if any("ipykernel_launcher" in word for word in child.cmdline()):
            assert CONTROL not in child.environ().values()


def test_7_a_fault_of_ours_shows_no_traceback(shell):
    reply = shell.ask("/voila/render/missing.ipynb")
    assert reply.status == 404
    assert b"Traceback" not in reply.raw


@pytest.mark.parametrize("name", ["--token"])
def test_7_an_empty_token_refuses_to_start(name, capsys):
    assert main(["serve", "--ip", "0.0.0.0", name, " ", "--no-browser"]) == 2
    assert "would let everybody in" in capsys.readouterr().err


@pytest.mark.parametrize(("viewer", "words"), [(" ", "everybody"), ("same", "could change runs")])
def test_7_a_bad_viewer_token_refuses_to_start(viewer, words, capsys, monkeypatch):
    monkeypatch.setenv("LABLIB_VIEWER_TOKEN", viewer)
    assert main(["serve", "--token", "same", "--no-browser"]) == 2
    assert words in capsys.readouterr().err


# ------------------------------------------------------------------------------- 8 hidden widgets
JUNK = [
    None,
    True,
    -1,
    1e308,
    "<script>alert(1)</script>",
    "'; import os",
    [],
    {},
    [[1]],
    "x" * 999,
]


@pytest.mark.parametrize("app", ["live", "recorded"])
def test_8_no_nonsense_in_a_widget_breaks_a_kernel_or_is_echoed_as_a_traceback(any_shell, app):
    page = any_shell.ask(PAGE.replace("live", app)).raw.decode()
    asked = [("comm_info_request", {"target_name": "jupyter.widget"})]
    answers = converse(any_shell, page, asked)
    (info,) = [one for one in answers if one["header"]["msg_type"] == "comm_info_reply"]
    comms = list(info["content"]["comms"])
    assert len(comms) > 50
    names = ("value", "index", "options", "disabled", "min", "max", "_dom_classes", "layout", "x")
    fuzz = []
    for place, comm in enumerate(comms):
        state = {name: JUNK[(place + k) % len(JUNK)] for k, name in enumerate(names)}
        update = {"method": "update", "state": state, "buffer_paths": []}
        custom = {"method": "custom", "content": JUNK[place % len(JUNK)]}
        fuzz += [("comm_msg", {"comm_id": comm, "data": data}) for data in (update, custom)]
    answers = converse(any_shell, page, [*fuzz, ("kernel_info_request", {})], seconds=6.0)
    kinds = {one["header"]["msg_type"] for one in answers}
    assert "kernel_info_reply" in kinds  # it is alive
    assert any_shell.api("health").status == 200


# ----------------------------------------------------------------------------------- 9 strategies
def test_9_nothing_in_the_server_runs_code_that_somebody_sent():
    folder = Path(lablib.server.__file__).parent
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        names = {getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls}
        assert not names & {"eval", "exec", "__import__", "import_module", "prepare_strategy"}
        keywords = {word.arg for call in calls for word in call.keywords}
        assert "strategy" not in keywords


def test_9_a_strategy_of_ones_own_is_refused(shell):
    code = "def mine(seen, mine): return 1"
    for config in ({"strategy.name": "own"}, {"strategy": {"name": code}}, {"strategy": code}):
        assert shell.api("runs", "POST", {"config": config}).status == 400
    assert shell.api("runs", "POST", {"strategy": code}).status == 400


def test_the_connection_stays_usable_after_a_refusal(shell):
    connection = http.client.HTTPConnection("127.0.0.1", shell.port, timeout=30)
    for _ in range(3):
        connection.request(
            "POST", f"{API}/runs", b"nonsense", {"Authorization": f"token {CONTROL}"}
        )
        assert connection.getresponse().read()
    connection.close()
