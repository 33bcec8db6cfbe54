"""The lab in a notebook or a browser: `live_lab()` or `frontier_lab()` is the one call.

`waterfall(run)` and `markout_chart(run)` draw what a finished run earned, and why.
"""

from __future__ import annotations

from lablib.widgets.frontier import FrontierLab, frontier_lab
from lablib.widgets.live import LiveLab, live_lab
from lablib.widgets.waterfall import markout_chart, waterfall

__all__ = [
    "FrontierLab",
    "LiveLab",
    "frontier_lab",
    "live_lab",
    "markout_chart",
    "waterfall",
]
