"""The interface beside JupyterLab: the same handlers, in a researcher's own Jupyter server.

Whoever is logged in there has a shell anyway and may change runs; the viewer token reads.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Instance

from lablib import __version__
from lablib.server.handlers import default_handlers
from lablib.server.service import SETTING, LabService


class LabExtension(ExtensionApp):
    """Jupyter Server extension."""

    name = "lablib"
    version = __version__
    classes = [*ExtensionApp.classes, LabService]  # noqa: RUF012 - as its base class has it
    service = Instance(LabService, allow_none=True)

    def initialize_settings(self) -> None:
        """Make the service; the kernels are compiled when the first run asks for them."""
        self.service = LabService(parent=self)
        self.settings[SETTING] = self.service

    def initialize_handlers(self) -> None:
        """Mount the one list."""
        self.handlers.extend(default_handlers)

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Once all extensions are there: Voilà's asks for a login too, and the log keeps no token."""
        from lablib.server.doors import NoTokens, shut_routes

        shut_routes(serverapp.web_app)
        for handler in serverapp.log.handlers:
            handler.addFilter(NoTokens())

    async def stop_extension(self) -> None:
        """End the runs."""
        if self.service is not None:
            self.service.close()
