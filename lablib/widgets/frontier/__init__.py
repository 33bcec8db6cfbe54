"""The frontier dashboard: two settings varied, every cell on the same markets, and where the edge ends."""

from lablib.widgets.frontier.lab import FrontierLab, frontier_lab

__all__ = ["FrontierLab", "frontier_lab"]
