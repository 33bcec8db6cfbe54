"""The doors of `lablib serve`: who is let in, from where, and what a page may show.

Stock Voilà answers anybody, at any host name, and hands out files without a login. Here foreign host
names are refused before any handler runs, every page and file asks for the token, and a visitor can
change neither template nor theme, see neither sources nor tracebacks.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import parse_qsl, urlencode

import tornado.httputil
import tornado.web
import zmq
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from traitlets.config import Config
from voila.static_file_handler import AllowListFileHandler

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


class Home(JupyterHandler):
    """The root leads to the live lab; a scenario in the address goes along."""

    @tornado.web.authenticated
    def get(self) -> None:
        """Redirect; the token stays in the address for clients that keep no cookies."""
        page = url_path_join(self.base_url, "voila/render", HOME)
        query = urlencode(self.request.query_arguments, doseq=True)
        self.redirect(f"{page}?{query}" if query else page)


class PrivateFiles(JupyterHandler, AllowListFileHandler):
    """Voilà's few static files beside the notebooks, for those who are logged in."""

    write_error = tornado.web.RequestHandler.write_error


class GuardedApplication(tornado.web.Application):
    """Looks at every request before a handler is chosen.

    A foreign Host header is refused (DNS rebinding). Once its arguments are read, the token leaves
    the address, so that neither a log line nor the environment of a kernel can hold it.
    """

    def find_handler(self, request: tornado.httputil.HTTPServerRequest, **options: Any) -> Any:
        """Route the request, or refuse it."""
        name, _ = tornado.httputil.split_host_and_port(request.host.lower())
        if name.strip("[]") not in self.settings["lablib_hosts"]:
            logging.getLogger("lablib").warning("Host %r refused; --allow-host names it", name)
            return self.get_handler_delegate(
                request, tornado.web.ErrorHandler, {"status_code": 403}
            )
        words = parse_qsl(request.query, keep_blank_values=True)
        request.query = urlencode([word for word in words if word[0] != "token"])
        request.uri = f"{request.path}?{request.query}" if request.query else request.path
        return super().find_handler(request, **options)
