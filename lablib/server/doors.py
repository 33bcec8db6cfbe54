"""The doors of `lablib serve`: who is let in, from where, and what a page may show.

Stock Voilà answers anybody, at any host name, and hands out files without a login. Here foreign host
names are refused before any handler runs, every page and file asks for the token, and a visitor can
change neither template nor theme, see neither sources nor tracebacks.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import tornado.httputil
import tornado.web
import zmq
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.login import LoginFormHandler
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from traitlets.config import Config
from voila.static_file_handler import AllowListFileHandler, TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

HOME = "live.ipynb"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def give_xsrf_cookie(request: Any, notebook: Any, cwd: str) -> None:
    """Set the cookie that the page's farewell must show, or its kernel would outlive the tab."""
    _ = request.xsrf_token  # reading it sets it


class OwnKernel(KernelSpecManager):
    """One kernel: the interpreter that serves, whatever else is registered as `python3`."""

    def _kernel_dirs_default(self) -> list[str]:
        return []


def shut_doors() -> Config:
    """Everything of Voilà that is not left to its defaults."""
    config = Config()
    config.VoilaConfiguration.template = "lab"
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "NO"
    config.VoilaConfiguration.strip_sources = True
    config.VoilaConfiguration.show_tracebacks = False
    config.VoilaConfiguration.file_allowlist = [r"public/.*\.(png|svg|css)"]
    config.VoilaConfiguration.prelaunch_hook = give_xsrf_cookie
    config.VoilaConfiguration.kernel_spec_manager_class = OwnKernel
    encryption = "auto" if zmq.has("curve") else "disabled"  # kernels listen on TCP
    config.KernelManager.transport_encryption = encryption
    config.MappingKernelManager.cull_idle_timeout = 60  # a crashed browser says no farewell
    config.MappingKernelManager.cull_interval = 10
    config.MappingKernelManager.cull_connected = False
    return config


class Login(LoginFormHandler):
    """One field, on a page of ours: Jupyter's own speaks of commands and passwords that are not here."""

    def get_template(self, name: str) -> Any:
        """Ours."""
        return self.settings["voila_jinja2_env"].get_template(name)


class Logout(JupyterHandler):
    """The way out; Jupyter's own page needs files that Voilà does not have."""

    @allow_unauthenticated
    def get(self) -> None:
        """Forget who it was, and say so."""
        self.identity_provider.clear_login_cookie(self)
        template = self.settings["voila_jinja2_env"].get_template("notice.html")
        told = {"head": "Logged out", "words": "This browser has forgotten the token."}
        self.finish(template.render(base_url=self.base_url, to="login", on="Log in again", **told))


class Home(JupyterHandler):
    """The landing page; with a scenario in the address, the way to the live lab."""

    @tornado.web.authenticated
    def get(self) -> None:
        """Show the dashboards, or redirect; the token stays in the address for clients without cookies."""
        if set(self.request.query_arguments) - {"token"}:
            page = url_path_join(self.base_url, "voila/render", HOME)
            query = urlencode(self.request.query_arguments, doseq=True)
            self.redirect(f"{page}?{query}")
            return
        template = self.settings["voila_jinja2_env"].get_template("home.html")
        self.finish(template.render(base_url=self.base_url, apps=self.settings["lablib_apps"]))


def dashboards(folder: Path) -> list[dict[str, str]]:
    """The notebooks of a folder as the landing page shows them: those it has words for come first."""
    names = sorted(path.stem for path in folder.glob("*.ipynb"))
    ordered = [name for name in _WORDS if name in names]
    ordered += [name for name in names if name not in _WORDS]
    shown = []
    for name in ordered:
        notebook = json.loads((folder / f"{name}.ipynb").read_text(encoding="utf-8"))
        title = notebook["metadata"].get("title", name).rpartition(": ")[2]
        words = _WORDS.get(name, (title[:1].upper() + title[1:], ""))
        shown.append({"name": name, "title": words[0], "text": words[1]})
    return shown


_WORDS = {
    "live": (
        "The live lab",
        "One market that runs, all of it in sight, every setting under your hand.",
    ),
    "frontier": ("The frontier", "Two settings swept against each other: where the edge ends."),
    "drills": ("Drills", "Break something and watch what stops the loss, and when."),
    "replay": ("Replay", "Open a record, play it, compare two, verify it to the byte."),
    "recorded": ("Recorded markets", "Real data, with your own latency on top."),
    "watch": ("Watch", "A run of this server, for as many as want to look."),
}


class PrivateFiles(JupyterHandler, AllowListFileHandler):
    """Voilà's few static files beside the notebooks, for those who are logged in."""

    write_error = tornado.web.RequestHandler.write_error

    @tornado.web.authenticated
    def get(self, path: str, include_body: bool = True) -> Any:
        """Hand out a file."""
        return super().get(path, include_body)


def climbs(path: str) -> bool:
    """Whether a path could mean another folder than it says, read once or twice decoded.

    >>> climbs("/voila/files/public/live.png"), climbs("/voila/files/%252e%252e/x")
    (False, True)
    """
    plain = unquote(unquote(path))
    odd = "\\" in plain or "//" in plain or any(ord(sign) < 32 for sign in plain)
    return odd or ".." in plain.split("/")


class RoomyPages(TornadoVoilaHandler):
    """Voilà's dashboards, a kernel each, as many as there is room for."""

    opening = 0  # visits whose kernel is not listed yet

    @tornado.web.authenticated
    async def get(self, path: str | None = None) -> None:
        """Open a page."""
        most = self.settings["lablib_pages"]
        if len(self.kernel_manager) + RoomyPages.opening < most:
            await super().get(path)
            return
        self.set_status(429)
        self.set_header("Retry-After", "60")
        template = self.settings["voila_jinja2_env"].get_template("notice.html")
        words = f"This server has room for {most} open pages, and all are taken."
        self.finish(template.render(base_url=self.base_url, head="No page is free", words=words))

    async def get_generator(self, path: str | None = None) -> Any:
        """The page, part by part: before the first one its kernel is made."""
        RoomyPages.opening += 1
        is_opening = True
        try:
            async for part in super().get_generator(path):
                RoomyPages.opening -= is_opening
                is_opening = False
                yield part
        finally:
            RoomyPages.opening -= is_opening


class PrivateTemplates(TemplateStaticFileHandler):
    """Voilà's template files; an address that is none is not found, rather than a fault."""

    def parse_url_path(self, path: str) -> str:
        """The path below the template's folder."""
        if not re.fullmatch(r"[\w.-]+/static/.+", path):
            raise tornado.web.HTTPError(404)
        found: str = super().parse_url_path(path)
        return found


def shut_routes(application: tornado.web.Application) -> None:
    """In a Jupyter server, put ours where Voilà's extension has handlers that ask nobody who it is."""
    stricter = {
        AllowListFileHandler: PrivateFiles,
        TemplateStaticFileHandler: PrivateTemplates,
    }
    for host in application.default_router.rules:
        for rule in getattr(host.target, "rules", ()):
            if rule.target in stricter:
                rule.target = stricter[rule.target]


class NoTokens(logging.Filter):
    """Takes tokens out of addresses in log lines: tornado writes them as they came where a request fails."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the line through, without tokens."""
        told = record.getMessage()
        if "token=" in told:
            record.msg, record.args = re.sub(r"(token=)[^&\s'\"]+", r"\1[secret]", told), ()
        return True


class CarefulSocket(VoilaKernelWebsocketHandler):
    """A kernel's socket whose other side chose the old protocol cannot stop the server.

    Voilà reads every binary message as one of the new protocol; in the old one the same eight bytes
    say something else, and it would count to some 10**16 on the event loop, for everybody.
    """

    @property
    def max_message_size(self) -> int:
        """Room for one file that a visitor hands in, and some for the words around it."""
        return int(self.settings["lablib_upload_bytes"]) + (1 << 20)

    def write_message(self, message: Any, binary: bool = False) -> Any:
        """Send, and look into a message only where it is what it is taken for."""
        is_old = isinstance(message, bytes) and self.selected_subprotocol is None
        if not is_old:
            return super().write_message(message, binary)
        return super(VoilaKernelWebsocketHandler, self).write_message(message, binary)


class GuardedApplication(tornado.web.Application):
    """Looks at every request before a handler is chosen.

    A foreign Host header is refused (DNS rebinding), and a path that climbs is not found. Once its
    arguments are read, the token leaves the address, so that neither a log line nor the environment of
    a kernel can hold it.
    """

    def find_handler(self, request: tornado.httputil.HTTPServerRequest, **options: Any) -> Any:
        """Route the request, or refuse it."""
        name, _ = tornado.httputil.split_host_and_port(request.host.lower())
        if name.strip("[]") not in self.settings["lablib_hosts"]:
            logging.getLogger("lablib").warning("Host %r refused; --allow-host names it", name)
            return self.get_handler_delegate(
                request, tornado.web.ErrorHandler, {"status_code": 403}
            )
        if climbs(request.path):
            return self.get_handler_delegate(
                request, tornado.web.ErrorHandler, {"status_code": 404}
            )
        words = parse_qsl(request.query, keep_blank_values=True)
        request.query = urlencode([word for word in words if word[0] != "token"])
        request.uri = f"{request.path}?{request.query}" if request.query else request.path
        return super().find_handler(request, **options)
