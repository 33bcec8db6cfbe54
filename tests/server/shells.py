"""The interface in both its shells, each a server in a process of its own, and a client for them."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any

import psutil
import pytest
from tape.binance_fixture import recording
from websocket import WebSocket, create_connection

import lablib.server

ROOT = Path(__file__).parents[2]
CONTROL, VIEWER = "opensesame-control", "opensesame-viewer"
API = "/lablib/api"
LIMITS = {"max_runs": 3, "keep_runs": 4, "max_viewers": 12, "quota_mb": 32}
EXTENSION, VOILA = "Jupyter Server", "Voilà"


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def message(self) -> str:
        return self.json["message"]


@dataclass
class Shell:
    """A server, and ways to talk to it."""

    name: str
    port: int
    log: Path
    process: psutil.Process
    home: Path
    sockets: list[WebSocket] = field(default_factory=list)

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: Any = None,
        *,
        token: str | None = CONTROL,
        host: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """One request; a body that is not bytes goes as JSON, redirects are answers too."""
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=host is not None)
            sent = {} if token is None else {"Authorization": f"token {token}"}
            sent |= {} if host is None else {"Host": host}
            sent |= {} if raw is None else {"Content-Length": str(len(raw))}
            for name, value in {**sent, **(headers or {})}.items():
                connection.putheader(name, value)
            connection.endheaders(raw)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        except TimeoutError:
            self.process.send_signal(signal.SIGABRT)  # where does it hang?
            self.process.wait(10)
            raise AssertionError(f"{method} {path} hangs:\n{self.log.read_text()}") from None
        finally:
            connection.close()

    def api(self, path: str, method: str = "GET", body: Any = None, **options: Any) -> Reply:
        """One request under `lablib/api/`, with the control token unless told otherwise."""
        return self.ask(f"{API}/{path}", method, body, **options)

    def start(self, **asked: Any) -> str:
        """Start a run; its id."""
        reply = self.api("runs", "POST", asked)
        assert reply.status == 201, reply.raw
        return reply.json["run_id"]

    def act(self, run_id: str, verb: str, body: Any = None) -> str:
        """Do something to a run; its state then."""
        reply = self.api(f"runs/{run_id}/{verb}", "POST", body)
        assert reply.status == 200, reply.raw
        return reply.json["state"]

    def end(self, run_id: str) -> dict[str, Any]:
        """Wait for a run's end; all there is to know of it."""
        for _ in range(600):
            told = self.api(f"runs/{run_id}").json
            if told["digest"] or told["failure"]:
                return told
            time.sleep(0.05)
        raise AssertionError(f"the run does not end: {told}")

    def stop_all(self) -> None:
        """Leave no run under way."""
        for run in self.api("runs").json["runs"]:
            if run["state"] not in ("finished", "failed"):
                reply = self.api(f"runs/{run['run_id']}/stop", "POST")
                assert reply.status in (200, 409), reply.raw  # it may have ended by itself
                self.end(run["run_id"])

    def watch(
        self, channel: str, query: str = "", *, token: str | None = VIEWER, **headers: str
    ) -> WebSocket:
        """Open a channel."""
        return self.connect(f"{API}/ws/{channel}{query}", token, **headers)

    def connect(
        self, path: str, token: str | None, *, buffer: int = 0, **headers: str
    ) -> WebSocket:
        """Open a WebSocket, with so many bytes for what was not read yet where that is given."""
        sent = [] if token is None else [f"Authorization: token {token}"]
        sent += [f"{name}: {value}" for name, value in headers.items()]
        narrow = [(SOL_SOCKET, SO_RCVBUF, buffer)] if buffer else []
        socket = create_connection(
            f"ws://127.0.0.1:{self.port}{path}",
            timeout=20,
            header=sent,
            suppress_origin=True,
            sockopt=narrow,
        )
        self.sockets.append(socket)
        return socket

    def hang_up(self) -> None:
        """Leave no channel open."""
        while self.sockets:
            self.sockets.pop().shutdown()


def markets(home: Path) -> dict[str, list[str]]:
    """Recorded markets of a server: one that is whole, one whose follower is torn."""
    leader, follower, torn = (home / f"{name}.gz" for name in ("leader", "follower", "torn"))
    recording("usdm", steps=500, premium=40).write(leader)
    recording("coinm", steps=500, lag_ns=100_000_000).write(follower)
    torn.write_bytes(follower.read_bytes()[:-99])
    return {"perp": [str(leader), str(follower)], "torn": [str(leader), str(torn)]}


@contextmanager
def jupyter_server(home: Path) -> Iterator[Shell]:
    """Shell A: the extension in a Jupyter server, enabled by the file that the wheel installs."""
    folder = home / "config" / "jupyter_server_config.d"
    folder.mkdir(parents=True)
    config = Path(lablib.server.__file__).with_name("jupyter_config.json")
    shutil.copy(config, folder / "lablib.json")
    knobs = {**LIMITS, "records": str(home / "records"), "markets": markets(home)}
    (home / "config" / "jupyter_server_config.json").write_text(json.dumps({"LabService": knobs}))
    shutil.copytree(ROOT / "apps", home / "root")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "import json\n"
        "from jupyter_server.serverapp import ServerApp\n"
        "class Told(ServerApp):\n"
        "    name = 'jupyter-server'\n"
        "    def start_app(self):\n"
        "        hosts = self.web_app.default_router.rules\n"
        "        rules = [rule for host in hosts for rule in getattr(host.target, 'rules', ())]\n"
        "        with open('routes.json', 'w') as file:\n"
        "            json.dump([rule.matcher.regex.pattern for rule in rules], file)\n"
        "        super().start_app()\n"
        "Told.launch_instance()"
    )
    command = [sys.executable, "-P", "-c", code, "--no-browser", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={home / 'root'}"]
    command += ["--allow-root"]
    with _running(EXTENSION, command, home, r"is running at:[\s\S]*?:(\d+)/") as shell:
        yield shell


@contextmanager
def voila(home: Path, files: int = 0, **limits: int) -> Iterator[Shell]:
    """Shell B: `lablib serve`, where wanted with other limits and with so many open files."""
    knobs = {**LIMITS, **limits, "records": str(home / "records"), "markets": markets(home)}
    code = (
        "from traitlets.config import Config\n"
        "from lablib.server import doors, voila_app\n"
        "shut = doors.shut_doors\n"
        f"voila_app.shut_doors = lambda: Config({{**shut(), 'LabService': {knobs!r}}})\n"
        "import json\n"
        "class Told(voila_app.LabVoila):\n"
        "    def init_handlers(self):\n"
        "        handlers = super().init_handlers()\n"
        "        with open('routes.json', 'w') as file:\n"
        "            json.dump([one[0] for one in handlers], file)\n"
        "        return handlers\n"
        "voila_app.LabVoila = Told\n"
        "voila_app.serve(port=0, open_browser=False)"
    )
    command = [sys.executable, "-P", "-c", code]
    if files:
        command = ["sh", "-c", f'ulimit -n {files}; exec "$0" "$@"', *command]
    with _running(VOILA, command, home, r"http://127\.0\.0\.1:(\d+)/") as shell:
        yield shell


@contextmanager
def _running(name: str, command: list[str], home: Path, ready: str) -> Iterator[Shell]:
    log = home / "log"
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONFAULTHANDLER": "1",
        "JUPYTER_TOKEN": CONTROL,
        "LABLIB_VIEWER_TOKEN": VIEWER,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
    }
    env.pop("NOTEBOOK_TEST", None)
    with (
        log.open("w") as out,
        subprocess.Popen(command, stdout=out, stderr=out, env=env, cwd=home) as process,
    ):
        try:
            yield Shell(name, _port(log, process, ready), log, psutil.Process(process.pid), home)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def _port(log: Path, process: subprocess.Popen[bytes], ready: str) -> int:
    for _ in range(1_800):  # a new machine compiles first
        found = re.search(ready, log.read_text(errors="replace"))
        if found and _listens(int(found[1])):  # a Jupyter server says so a moment before it does
            return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0
