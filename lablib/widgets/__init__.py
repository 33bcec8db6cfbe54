"""The lab in a notebook or a browser: `live_lab()` is the one call."""

from __future__ import annotations

from lablib.widgets.live import LiveLab, live_lab

__all__ = ["LiveLab", "live_lab"]
