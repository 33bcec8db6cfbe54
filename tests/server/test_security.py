"""Who can do what, in both shells: A, the extension in a Jupyter server, and B, `lablib serve`.

The numbers are those of the checklist this follows: 1 routes, 2 forged requests, 3 kernels, 4 paths,
5 files, 6 limits (here and in test_refusals, test_channels, test_fanout), 7 secrets, 8 hidden widgets,
9 strategies.
"""

from __future__ import annotations

import ast
import http.client
import json
import re
import time
import uuid
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from server.shells import API, CONTROL, EXTENSION, LIMITS, VIEWER
from websocket import WebSocketBadStatusException, create_connection

import lablib.server
from lablib.cli import main
from lablib.server.fanout import CHANNELS
from lablib.server.handlers import default_handlers
from lablib.server.manager import VERBS

pytestmark = pytest.mark.compiled

PAGE = "/voila/render/live.ipynb"
OPEN = {f"{API}/health", f"{API}/openapi.json"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
RUN = "0123456789ab"


def example(pattern: str) -> str:
    """A path that a route's regular expression matches."""
    path = pattern.removesuffix("$").removesuffix("/?")
    path = re.sub(r"\(\?P<kernel_id>[^)]*\)", str(uuid.UUID(int=0)), path)
    path = re.sub(r"\(\?P<path>.*\)$", "/x", path)
    path = path.replace(r"([^/]+)", RUN).replace("(.*)", "x").replace(r"\.", ".")
    return re.sub(r"\((\w+)(\|\w+)*\)", r"\1", path)


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


def test_1_every_route_of_the_voila_shell_is_ours_or_known(voila_shell):
    """A new route of another Voilà shows itself here."""
    known_open = {"/login", "/voila/templates/x", "/voila/static/x", "/voila/labextensions/x"}
    known_open |= {"/voila/api/themes/x", "/logout", *OPEN}
    routes = json.loads((voila_shell.home / "routes.json").read_text())
    answering = set()
    for route in routes:
        path = example(route)
        reply = voila_shell.ask(path, token=None)
        is_shut = reply.status in (401, 403)
        is_sent_away = reply.status == 302 and reply.headers["Location"].startswith("/login?")
        if not (is_shut or is_sent_away):
            answering.add(path)
    assert answering <= known_open
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
        while True:
            text = socket.recv()
            if isinstance(text, str):
                answers.append(json.loads(text))
    except Exception:
        return answers
    finally:
        socket.close()


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


@pytest.mark.parametrize(
    "path", ["/api/kernels", "/api/contents", "/api/terminals", "/api/sessions", "/files/x", "/lab"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_3_a_viewer_has_neither_kernels_nor_files(jupyter_shell, path, method):
    body = {} if method == "POST" else None
    assert jupyter_shell.ask(path, method, body, token=VIEWER).status in (302, 403, 404, 405)


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
    # Voilà itself, in shell A, answers some of them with a fault, though with nothing else.
    faults = {500} if shell.name == EXTENSION and base.startswith("/voila/") else set()
    assert reply.status in {302, 400, 403, 404, 405} | faults
    assert b"root:" not in reply.raw
    assert b"[project]" not in reply.raw


def test_4_a_replay_is_found_by_its_runs_id_alone(shell):
    for climb in CLIMBS:
        assert shell.api(f"runs/{climb}/replay.csv").status == 404
    reply = shell.api(f"runs/{shell.start()}/replay.csv?path=/etc/passwd&filename=x.html")
    disposition = reply.headers["Content-Disposition"]
    assert re.fullmatch(r'attachment; filename="[0-9a-f]{12}\.csv"', disposition)


# ---------------------------------------------------------------------------------------- 5 files
def test_5_files_beside_the_dashboards_need_a_login(voila_shell):
    assert voila_shell.ask("/voila/files/public/live.png", token=None).status == 302
    assert voila_shell.ask("/voila/files/public/live.png").status == 200


@pytest.mark.parametrize("name", ["live.ipynb", "cli.py", "log", "config.json", "run.json"])
def test_5_neither_notebooks_nor_code_nor_logs_are_served(shell, name):
    for folder in ("/voila/files/", "/voila/files/public/", "/voila/static/"):
        assert shell.ask(f"{folder}{name}").status in (403, 404)


# --------------------------------------------------------------------------------------- 6 limits
def test_6_viewers_that_never_read_cost_little_memory(shell):
    shell.start(speed="max", until="300h")
    sockets = [shell.watch("events") for _ in range(5)]
    time.sleep(1)
    before = shell.process.memory_info().rss
    time.sleep(4)
    # A minute and more of it is in benchmarks/bench_server.py. A message is some 2 kB.
    assert shell.process.memory_info().rss - before < 400 * (1 << 20)
    for socket in sockets:
        socket.close()


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
    log = shell.log.read_text()
    assert VIEWER not in log
    assert shell.name == EXTENSION or CONTROL not in log  # a Jupyter server prints its own address


def test_7_a_page_holds_no_token_and_no_kernel_has_the_one_that_changes(voila_shell, page):
    assert CONTROL not in page
    assert VIEWER not in page
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


def test_8_no_nonsense_in_a_widget_breaks_a_kernel_or_is_echoed_as_a_traceback(voila_shell):
    page = voila_shell.ask(PAGE).raw.decode()
    asked = [("comm_info_request", {"target_name": "jupyter.widget"})]
    answers = converse(voila_shell, page, asked)
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
    answers = converse(voila_shell, page, [*fuzz, ("kernel_info_request", {})], seconds=6.0)
    kinds = {one["header"]["msg_type"] for one in answers}
    assert "kernel_info_reply" in kinds  # it is alive
    assert voila_shell.api("health").status == 200


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
