"""`lablib serve`: the dashboards in a hardened Voilà, and the interface for programs beside them.

A token is always needed, and no configuration file is read that could loosen what `doors` shuts. What
a page may do to the simulation is decided in its kernel, not here.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import socket
import tempfile
import webbrowser
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import tornado.ioloop
from jupyter_server.auth.logout import LogoutHandler
from jupyter_server.log import log_request
from jupyter_server.utils import url_path_join
from tornado.netutil import bind_sockets
from traitlets import Bool, Instance, List, Unicode
from voila.app import Voila
from voila.static_file_handler import AllowListFileHandler, TemplateStaticFileHandler
from voila.tornado.contentshandler import VoilaContentsHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler
from voila.tornado.treehandler import TornadoVoilaTreeHandler
from voila.voila_identity_provider import VoilaLoginHandler

from lablib.errors import ConfigError
from lablib.server import warm
from lablib.server.doors import (
    HOME,
    LOOPBACK,
    CarefulSocket,
    GuardedApplication,
    Home,
    Login,
    Logout,
    PrivateFiles,
    PrivateTemplates,
    RoomyPages,
    dashboards,
    shut_doors,
)
from lablib.server.entrance import Entrance, most_files, room_for
from lablib.server.handlers import default_handlers
from lablib.server.models import StartRun, config_of
from lablib.server.roles import TwoTokens
from lablib.server.service import SETTING, LabService, loader, usable

PORT = 8866
TEMPLATES = Path(__file__).parent / "templates"


def apps_dir() -> Path:
    """Where the dashboards are: beside the package in a checkout, inside it once installed."""
    package = Path(__file__).parents[1]
    for folder in (package / "apps", package.parent / "apps"):
        if (folder / HOME).is_file():
            return folder
    raise ConfigError(f"apps: no {HOME} in {package / 'apps'} or {package.parent / 'apps'}")


class LabVoila(Voila):
    """Voilà, serving one folder of dashboards to those who have the token."""

    name = "lablib"
    hosts = List(Unicode(), help="Host names a browser may use, besides those of this computer.")
    show_token = Bool(True, help="Print the address with the token in it.")
    viewer_token = Unicode(help="Token that reads and changes nothing.")
    first_run = Instance(StartRun, allow_none=True, help="Started before anybody is let in.")

    def _config_file_paths_default(self) -> list[str]:
        return []

    def _log_level_default(self) -> int:
        return logging.ERROR  # below it, Voilà remarks on every visit

    def setup_template_dirs(self) -> None:
        """Put the lab's own look in front of Voilà's."""
        super().setup_template_dirs()
        name = self.voila_configuration.template
        self.template_paths.insert(0, str(TEMPLATES / name))
        self.static_paths.insert(0, str(TEMPLATES / name / "static"))

    def init_settings(self) -> dict[str, Any]:
        """Voilà's settings, closed to the world."""
        settings: dict[str, Any] = super().init_settings()
        settings["lablib_hosts"] = {*LOOPBACK, socket.gethostname().lower(), self.ip, *self.hosts}
        settings["allow_remote_access"] = self.ip not in LOOPBACK  # Jupyter's own Host check
        settings["local_hostnames"] = list(settings["lablib_hosts"])
        settings["log_function"] = log_request  # leaves tokens out of the log
        self.service = LabService(lambda: None, parent=self, viewer_token=self.viewer_token)
        settings[SETTING] = self.service
        wanted = self.service.max_pages
        self.room = room_for(most_files(), viewers=self.service.max_viewers, pages=wanted)
        settings["lablib_pages"] = self.room.pages
        settings["lablib_upload_bytes"] = self.service.upload_mb << 20
        settings["lablib_apps"] = dashboards(Path(self.root_dir))
        settings["identity_provider"].viewer_token = self.service.viewer_token
        return settings

    def init_handlers(self) -> list[Any]:
        """Voilà's handlers without its file browser, with ours where ours are stricter."""
        swaps = {
            AllowListFileHandler: PrivateFiles,
            TemplateStaticFileHandler: PrivateTemplates,
            VoilaKernelWebsocketHandler: CarefulSocket,
            TornadoVoilaHandler: RoomyPages,
            VoilaLoginHandler: Login,
            LogoutHandler: Logout,
        }
        gone = (TornadoVoilaTreeHandler, VoilaContentsHandler)
        kept = [
            (path, swaps.get(kind, kind), *rest)
            for path, kind, *rest in super().init_handlers()
            if kind not in gone
        ]
        ours = [(url_path_join(self.server_url, path), kind) for path, kind in default_handlers]
        return [(self.server_url, Home), *ours, *kept]

    def start(self) -> None:
        """Serve until stopped."""
        self.connection_dir = tempfile.mkdtemp(prefix="lablib_")
        self.app = GuardedApplication(**self.init_settings())
        self.app.add_handlers(".*$", self.init_handlers())
        self.ioloop = tornado.ioloop.IOLoop.current()
        try:
            if self.first_run is not None:
                self.service.manager.create(self.first_run)
            self.listen()
            self.ioloop.start()
        except KeyboardInterrupt:
            print("\nStopped.", flush=True)
        finally:
            self.service.close()
            self.stop()

    def listen(self) -> None:
        """Take a port, say where the lab is, open a browser if wanted."""
        sockets = self._bind()
        self.port = sockets[0].getsockname()[1]
        Entrance(self.app, callers=self.room.callers).add_sockets(sockets)
        name = "127.0.0.1" if self.ip in ("0.0.0.0", "::", "localhost") else self.ip
        self.service.tell_kernels(self._url_at(name))
        shown = self.address() if self.show_token else f"{self.address('')} (log in with the token)"
        if self.room.pages < self.service.max_pages:
            few = f"{self.room.files} open files (ulimit -n): {self.room.pages} pages at most"
            print(f"This process may have {few}", flush=True)
        print(f"The live lab is at\n\n    {shown}\n\nCtrl-C stops it.", flush=True)
        if self.open_browser:
            self.launch_browser()

    def _bind(self) -> list[socket.socket]:
        last = self.port + self.port_retries
        for port in range(self.port, last + 1):
            try:
                return bind_sockets(port, self.ip)
            except OSError as error:
                if port == last or error.errno != errno.EADDRINUSE:
                    raise ConfigError(f"port {port} on {self.ip}: {error.strerror}") from None
        raise AssertionError("the last port either binds or raises")

    def address(self, token: str | None = None) -> str:
        """Where a browser finds the lab; with our token unless told otherwise."""
        name = socket.gethostname() if self.ip in ("0.0.0.0", "::") else self.ip
        token = self.token if token is None else token
        query = f"?{urlencode({'token': token})}" if token else ""
        return f"{self._url_at(name)}{query}"

    def _url_at(self, name: str) -> str:
        host = f"[{name}]" if ":" in name else name
        return f"http://{host}:{self.port}{self.base_url}"

    def launch_browser(self) -> None:
        """Open the lab through a file only we can read: an argument would show the token to all."""
        handle, path = tempfile.mkstemp(suffix=".html")
        with open(handle, "w", encoding="utf-8") as page:
            page.write(f'<meta http-equiv="refresh" content="0; url={escape(self.address())}">')
        with contextlib.suppress(webbrowser.Error):  # no browser here: the address is printed
            browser = webbrowser.get()
            self.ioloop.run_in_executor(None, browser.open, Path(path).as_uri())


def serve(
    *,
    port: int | None = None,
    ip: str = "127.0.0.1",
    token: str | None = None,
    viewer_token: str | None = None,
    hosts: Sequence[str] = (),
    open_browser: bool = True,
    markets: Mapping[str, Sequence[str]] = MappingProxyType({}),
    run: StartRun | None = None,
    **room: str | int,
) -> None:
    """Serve the dashboards until stopped.

    Parameters
    ----------
    port
        TCP port; 0 takes any, None the first free one from 8866 on.
    ip
        Address to listen on. Off loopback the connection is plain text: put TLS in front.
    token
        What a visitor must know; None takes `JUPYTER_TOKEN` or makes a random one.
    viewer_token
        What those must know who may look and change nothing; None takes `LABLIB_VIEWER_TOKEN`, or
        makes a random one that the dashboards use among themselves.
    hosts
        Further names under which browsers may reach this server.
    open_browser
        Open the lab in a browser of this computer, if there is one.
    markets
        Recorded markets that runs may be played on: leader's and follower's file by name.
    run
        Started at once, before anybody has asked for one.
    room
        Of `lablib.server.service.LabService`: `max_runs`, `max_viewers`, `max_pages`, `records`, …
    """
    inherited = os.environ.pop("JUPYTER_TOKEN", None)  # kernels inherit the rest
    show_token = token is not None or inherited is None
    if token is None:
        token = secrets.token_urlsafe(24) if inherited is None else inherited
    viewing = os.environ.pop("LABLIB_VIEWER_TOKEN", None) if viewer_token is None else viewer_token
    for name, value in (("token", token), ("viewer token", viewing)):
        if value is not None and not value.strip():
            raise ConfigError(
                f"{name}: {value!r} would let everybody in; leave it out for a random one"
            )
    if token == viewing:
        raise ConfigError("viewer token: the same as the token, and viewers could change runs")
    for name, files in markets.items():
        loader(name, files)  # says what is wrong before anything is compiled
    if run is not None:
        config_of(run.config)
    if records := room.get("records"):
        usable(str(records))
    _share_checkout()
    # Before Voilà takes over SIGTERM: it needs a loop to answer it.
    warm.wait(warm.compiling())
    warm.exercise()
    config = shut_doors()
    config.LabService.update({**room, **({"markets": dict(markets)} if markets else {})})
    app = LabVoila.instance(  # the instance: what fails in a page is logged by it
        config=config,
        port=PORT if port is None else port,
        port_retries=50 if port is None else 0,
        ip=ip,
        token=token,
        viewer_token=viewing or "",
        identity_provider_class=TwoTokens,
        hosts=list(hosts),
        show_token=show_token,
        open_browser=open_browser,
        first_run=run,
        root_dir=str(apps_dir()),
    )
    logging.getLogger("tornado").setLevel(logging.ERROR)  # it warns of Jupyter's ping settings
    app.initialize(argv=[])
    app.start()


def _share_checkout() -> None:
    """Let kernels import the package that serves, also where it runs from a checkout."""
    root = Path(__file__).parents[2]
    if (root / "pyproject.toml").is_file():
        paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
