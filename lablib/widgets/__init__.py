"""The lab in a notebook or a browser: `live_lab()` or `frontier_lab()` is the one call."""

from __future__ import annotations

from lablib.widgets.frontier import FrontierLab, frontier_lab
from lablib.widgets.live import LiveLab, live_lab

__all__ = ["FrontierLab", "LiveLab", "frontier_lab", "live_lab"]
