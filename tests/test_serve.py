"""`lablib serve`: who is let in, what they see, and that nobody can run code of their own."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.websocket import websocket_connect

from lablib.cli import main
from lablib.server import warm
from lablib.server.doors import GuardedApplication

TOKEN = "opensesame"
PAGE = "/voila/render/live.ipynb"

pytestmark = pytest.mark.compiled


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass
class Server:
    port: int
    log: Path

    def ask(self, path: str, method: str = "GET", host: str = "", **headers: str) -> Reply:
        """One request; redirects are answers too."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            connection.putrequest(method, path, skip_host=bool(host))
            if host:
                connection.putheader("Host", host)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read().decode("utf-8", "replace"))
        finally:
            connection.close()

    def enter(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """One request with the token."""
        return self.ask(path, method, Authorization=f"token {TOKEN}", **headers)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """The command itself, in a process of its own, with another `python3` kernel in the way."""
    home = tmp_path_factory.mktemp("home")
    decoy = home / "jupyter" / "kernels" / "python3"
    decoy.mkdir(parents=True)
    spec = {"argv": ["/bin/false"], "display_name": "Decoy", "language": "python"}
    (decoy / "kernel.json").write_text(json.dumps(spec))
    log = home / "log"
    command = [sys.executable, "-P", "-m", "lablib", "serve", "--port", "0", "--no-browser"]
    command += ["--run", '{"config": "stress", "seed": 5}']
    env = {**os.environ, "JUPYTER_PATH": str(home / "jupyter"), "JUPYTER_TOKEN": TOKEN}
    with (
        log.open("w") as out,
        subprocess.Popen(command, stdout=out, stderr=out, env=env) as process,
    ):
        try:
            yield Server(_port(log, process), log)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _port(log: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(1_800):
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", log.read_text())
        if found:
            return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


@pytest.fixture(scope="module")
def page(server) -> Reply:
    """The live lab as a visitor with the token gets it."""
    return server.enter(f"{PAGE}?{urlencode({'preset': 'stress', 'token': TOKEN})}")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 302),
        (PAGE, 302),
        ("/voila/files/public/a.png", 302),
        ("/api/kernels/00000000-0000-0000-0000-000000000000", 403),
        ("/?token=wrong", 302),
        (f"{PAGE}?token=wrong", 302),
    ],
)
def test_without_the_token_there_is_only_the_login_page(server, path, status):
    reply = server.ask(path)
    assert reply.status == status
    assert status != 302 or reply.headers["Location"].startswith("/login?")


def test_with_the_token_the_page_draws_the_live_lab(page):
    assert page.status == 200
    assert "application/vnd.jupyter.widget-view+json" in page.text
    assert "Latency Risk Lab" in page.text


def test_the_kernel_is_the_interpreter_that_serves_and_not_the_decoy(page, server):
    kernel = server.enter(f"/api/kernels/{_kernel_of(page)}")
    assert kernel.status == 200
    assert "widget-view" in page.text


def test_the_root_shows_every_dashboard_and_each_link_leads_to_one(server, root):
    reply = server.enter("/")
    assert reply.status == 200
    links = re.findall(r'href="(/voila/render/[^"]+)"', reply.text)
    apps = {f"/voila/render/{path.name}" for path in root.glob("apps/*.ipynb")}
    assert len(links) == len(apps)
    assert set(links) == apps
    assert TOKEN not in reply.text


def test_a_scenario_in_the_address_leads_to_the_live_lab(server):
    reply = server.enter("/?preset=stress&seed=3")
    assert (reply.status, reply.headers["Location"]) == (302, f"{PAGE}?preset=stress&seed=3")


def test_the_run_it_was_told_to_start_is_under_way(server):
    (run,) = json.loads(server.enter("/lablib/api/runs").text)["runs"]
    assert (run["state"], run["seed"], run["speed"]) == ("running", 5, 1)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("nonsense", "no preset 'nonsense'"),
        ('{"config": "cloud", "speed": -1}', "speed: a number above 0"),
        ('{"config":', "body: not JSON"),
        ('{"config": {"latency.order_ms": 3}}', "latency.order_ms: no such field"),
    ],
)
def test_a_run_that_cannot_be_started_is_refused_before_anything_is_served(body, words, capsys):
    assert main(["serve", "--no-browser", "--run", body]) == 2
    assert words in capsys.readouterr().err


def test_the_login_is_one_field_on_a_page_of_ours(server):
    login = server.ask("/login?next=%2Fvoila%2Frender%2Flive.ipynb")
    assert login.status == 200
    assert "<title>Log in – Latency Risk Lab</title>" in login.text
    assert re.findall(r'<input type="(?!hidden)[^>]*name="(\w+)"', login.text) == ["password"]
    assert "Jupyter" not in login.text
    assert not re.search(r'(?:src|href)="(?!data:|/)', login.text)
    jar = "; ".join(login.headers.get_all("Set-Cookie", [])).split(";")[0]
    xsrf = jar.partition("=")[2].strip('"')
    statuses = []
    for typed in ("guess", "", TOKEN):
        body = urlencode({"_xsrf": xsrf, "password": typed}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=90)
        kind = {"Cookie": jar, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", f"/login?next={PAGE}", body, kind)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        statuses.append((answer.status, answer.headers["Location"], "not a token" in text))
    assert statuses == [(401, None, True)] * 2 + [(302, PAGE, False)]


def test_logging_out_forgets_who_it_was_and_says_so(server):
    entered = server.ask(f"/?token={TOKEN}")
    jar = SimpleCookie("; ".join(entered.headers.get_all("Set-Cookie", [])))
    (login,) = [name for name in jar if name.startswith("username")]
    for cookie in ("", f'{login}="{jar[login].value}"'):
        reply = server.ask("/logout", Cookie=cookie)
        assert (reply.status, "Logged out" in reply.text) == (200, True)
        assert 'href="/login"' in reply.text
        assert any(one.startswith(f'{login}="";') for one in reply.headers.get_all("Set-Cookie"))


def test_a_folder_for_records_that_cannot_be_written_is_refused_at_the_start(tmp_path, capsys):
    (tmp_path / "file").touch()
    for folder in ("/proc/nope", str(tmp_path / "file"), str(tmp_path / "file" / "below")):
        assert main(["serve", "--no-browser", "--records", folder]) == 2
        assert f"records: {folder!r}: " in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/", PAGE, "/voila/static/voila.js", "/login"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8866", "127.0.0.1.evil.example"])
def test_a_foreign_host_name_is_refused_even_with_the_token(server, path, host):
    assert server.ask(path, host=host, Authorization=f"token {TOKEN}").status == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1:80", "[::1]:8866"])
def test_this_computer_is_known_by_its_loopback_names(server, host):
    assert server.ask("/login", host=host).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/voila/tree",
        "/voila/api/contents",
        "/api/contents",
        "/api/kernels",
        "/api/terminals",
        "/voila/render/../../tests/test_serve.ipynb",
        "/voila/files/live.ipynb",
        "/voila/files/public/../live.ipynb",
        "/voila/files/public/%2e%2e/%2e%2e/pyproject.toml",
        "/voila/static/../../../pyproject.toml",
    ],
)
def test_what_is_no_dashboard_is_not_served(server, path):
    assert server.enter(path).status in (403, 404)


def test_neither_sources_nor_token_nor_another_template_reach_the_page(page, server):
    assert "live_lab" not in page.text
    assert TOKEN not in page.text
    other = server.enter(f"{PAGE}?template=reveal&theme=dark")
    assert "reveal.js" not in other.text
    assert "theme-dark" not in other.text


def test_nothing_is_asked_of_another_host(page):
    assert re.findall(r'(?:src|href)="(?:https?:)?//[^"]+', page.text) == []


def test_code_sent_down_the_kernels_own_socket_is_not_run(page, server, tmp_path):
    sentinel = tmp_path / "sentinel"
    code = f"open({str(sentinel)!r}, 'w').close()"
    execute = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    answers = asyncio.run(
        _converse(
            f"ws://127.0.0.1:{server.port}/api/kernels/{_kernel_of(page)}/channels",
            [("execute_request", execute), ("kernel_info_request", {})],
        )
    )
    assert "kernel_info_reply" in answers
    assert "execute_reply" not in answers
    assert not sentinel.exists()


def test_the_kernels_socket_is_closed_to_strangers(page, server):
    address = f"ws://127.0.0.1:{server.port}/api/kernels/{_kernel_of(page)}/channels"
    with pytest.raises(HTTPClientError, match="403"):
        asyncio.run(_connect(address, {}))


def test_the_farewell_of_a_closing_tab_ends_its_kernel(server):
    visit = server.enter(PAGE)
    cookies = SimpleCookie("; ".join(visit.headers.get_all("Set-Cookie", [])))
    xsrf = cookies["_xsrf"].value
    jar = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
    farewell = f"/voila/api/shutdown/{_kernel_of(visit)}"
    assert server.ask(farewell, "POST", Cookie=jar).status == 403
    signed = f"{farewell}?{urlencode({'_xsrf': xsrf})}"
    assert server.ask(signed, "POST", Cookie=jar, **{"Content-Length": "0"}).status == 204
    assert server.enter(f"/api/kernels/{_kernel_of(visit)}").status == 404


def test_the_token_leaves_the_address_before_a_handler_is_chosen():
    application = GuardedApplication([], lablib_hosts={"127.0.0.1"})
    line = RequestStartLine("GET", f"/x?seed=3&token={TOKEN}&preset=", "HTTP/1.1")
    headers = HTTPHeaders({"Host": "127.0.0.1:8866"})
    request = HTTPServerRequest(start_line=line, headers=headers)
    application.find_handler(request)
    assert (request.uri, request.query) == ("/x?seed=3&preset=", "seed=3&preset=")
    assert request.arguments["token"] == [TOKEN.encode()]


def test_the_log_holds_no_token(server):
    server.ask(f"/voila/render/nowhere.ipynb?token={TOKEN}")
    server.ask(f"/voila/files/nowhere.py?token={TOKEN}")
    assert TOKEN not in server.log.read_text()


def test_what_is_compiled_ahead_is_the_package_that_serves(tmp_path, monkeypatch):
    (tmp_path / "lablib.py").write_text("raise SystemExit('another lablib, in this folder')")
    monkeypatch.chdir(tmp_path)
    assert warm.compiling().communicate() == (None, "")


def test_an_empty_token_is_refused(capsys):
    assert main(["serve", "--token", " ", "--no-browser"]) == 2
    assert "would let everybody in" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(server):
    command = [
        sys.executable,
        "-P",
        "-m",
        "lablib",
        "serve",
        "--no-browser",
        "--port",
        str(server.port),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"lablib: error: port {server.port} on 127.0.0.1: ")


def _kernel_of(reply: Reply) -> str:
    (kernel,) = set(re.findall(r'"kernelId": "([0-9a-f-]{36})"', reply.text))
    return kernel


async def _connect(address: str, headers: dict[str, str]):
    return await websocket_connect(HTTPRequest(address, headers=headers))


async def _converse(address: str, requests: list[tuple[str, dict[str, object]]]) -> list[str]:
    """Send shell requests; the types of what comes back within a few seconds."""
    socket = await _connect(address, {"Authorization": f"token {TOKEN}"})
    for kind, content in requests:
        header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "version": "5.3"}
        header |= {"session": "visitor", "username": "visitor", "date": "2024-01-01T00:00:00Z"}
        message = {"channel": "shell", "header": header, "content": content}
        await socket.write_message(json.dumps({**message, "parent_header": {}, "metadata": {}}))
    kinds = []
    try:
        while True:
            text = await asyncio.wait_for(socket.read_message(), 3)
            kinds.append(json.loads(text)["header"]["msg_type"])
    except (TimeoutError, TypeError, UnicodeDecodeError):
        return kinds
    finally:
        socket.close()
