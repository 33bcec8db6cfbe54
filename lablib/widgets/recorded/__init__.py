"""The recorded lab: a market chosen by name or handed in as two files, and played in the live lab's way."""

from lablib.widgets.recorded.lab import RecordedLab as RecordedLab
from lablib.widgets.recorded.lab import recorded_lab as recorded_lab

__all__ = ["RecordedLab", "recorded_lab"]
