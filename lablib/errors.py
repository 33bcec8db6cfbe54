"""The errors a person can meet. Each says what was wrong, where, and the value."""

from __future__ import annotations


class LabError(Exception):
    """Anything the lab refuses, with a message meant to be read."""


class ConfigError(LabError):
    """A configuration that cannot be simulated: names field, bound and value."""


class DataError(LabError):
    """Recorded data that cannot be trusted: names file, row and value."""


class SessionError(LabError):
    """A call that does not fit the life a session is in."""


class ArchiveError(LabError):
    """A record on disk that is missing, torn or altered."""
