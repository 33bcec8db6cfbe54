"""The lab over HTTP: dashboards and an interface for programs. Simulation only, as everywhere."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from lablib.server.extension import LabExtension

    return [{"module": "lablib.server.extension", "app": LabExtension}]
