"""What can be taken along from a frontier: its table as files inside the page, a cell as a scenario's address."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

from lablib.errors import ConfigError
from lablib.widgets import permalink

if TYPE_CHECKING:
    from lablib.experiments.sweep import Sweep

LIVE = "live.ipynb"


def downloads(sweep: Sweep) -> str:
    """Links that hold what is done."""
    links = []
    for suffix, name in ((".csv", "CSV"), (".parquet", "Parquet")):
        try:
            data = base64.b64encode(sweep.encoded(suffix)).decode()
        except ConfigError:  # Parquet needs what may not be installed
            continue
        href = f"data:application/octet-stream;base64,{data}"
        links.append(f'<a class="lrl-get" download="frontier{suffix}" href="{href}">{name}</a>')
    return f'<div class="w">{"".join(links)}</div>'


def live_link(sweep: Sweep, cell: int, preset: str) -> str:
    """The way from a cell into the live lab."""
    config = sweep.config.replace(sweep.design.changes(cell))
    query = permalink.write(config, sweep.seeds[0], preset)
    return (
        f'<a class="lrl-go" href="{LIVE}?{escape(query, quote=True)}" target="_blank">'
        "Open this scenario in the live lab</a>"
    )
