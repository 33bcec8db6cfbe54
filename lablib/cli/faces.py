"""Commands that show: serve, presets."""

from __future__ import annotations

import argparse
import json
from typing import Any

from lablib.errors import ConfigError


def serve(options: argparse.Namespace) -> int:
    """The live lab, until Ctrl-C."""
    from lablib.server import voila_app
    from lablib.server.models import StartRun, parse

    names = ("records", "records_quota_mb", "max_runs", "max_viewers", "max_pages", "upload_mb")
    room = {name: getattr(options, name) for name in names}
    markets: dict[str, list[str]] = {}
    for name, files in options.market:
        if name in markets:
            raise ConfigError(f"--market: {name} is named twice")
        markets[name] = files
    voila_app.serve(
        port=options.port,
        ip=options.ip,
        token=options.token,
        viewer_token=options.viewer_token,
        hosts=options.allow_host,
        open_browser=not options.no_browser,
        markets=markets,
        run=None if options.run is None else parse(options.run, StartRun),
        **{name: value for name, value in room.items() if value is not None},
    )
    return 0


def presets(options: argparse.Namespace) -> int:
    """The named scenarios and wires."""
    from lablib.presets import SCENARIOS, WIRES

    named: dict[str, Any] = dict(WIRES if options.wires else SCENARIOS)
    if options.json:
        told = {
            name: {"title": one.title, "source": one.source, "changes": one.changes}
            for name, one in named.items()
        }
        print(json.dumps(told))
        return 0
    if not options.wires:
        for name, one in SCENARIOS.items():
            print(f"{name:<12} {one.title}\n{'':<12} {one.source}")
        print("\nWires, for --wires or for the latency of one leg:")
    for name, line in WIRES.items():
        print(f"{name:<27} {line.title}\n{'':<27} {line.source}")
    return 0
