"""The replay dashboard: a record opened, moved through, compared with another, and proved."""

from lablib.widgets.player.lab import PlayerLab, replay_lab

__all__ = ["PlayerLab", "replay_lab"]
