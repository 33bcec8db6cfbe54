"""Durations as people write them, and milliseconds as integer nanoseconds."""

from __future__ import annotations

import math

from lablib.errors import ConfigError
from lablib.kernels import tables as t

_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "m": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
}


def ns(milliseconds: float) -> int:
    """Milliseconds as integer nanoseconds, rounded."""
    return round(milliseconds * t.NS_PER_MS)


def parse_duration(text: str | int | float) -> int:
    """`"50ms"`, `"10min"`, `"1h"`, or a plain number of seconds, as integer nanoseconds.

    >>> parse_duration("50ms"), parse_duration("1.5h"), parse_duration(2)
    (50000000, 5400000000000, 2000000000)
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        # An integer may have more digits than a float can say.
        seconds, factor = (float(text), 1.0) if abs(text) < t.FAR else (math.inf, 1.0)
    else:
        body = str(text).strip().lower().replace(" ", "")
        number = body.rstrip("abcdefghijklmnopqrstuvwxyz")
        factor = _SECONDS.get(body[len(number) :] or "s", math.nan)
        try:
            seconds = float(number)
        except ValueError:
            seconds = math.nan
    nanoseconds = seconds * factor * 1e9
    if not 1 <= nanoseconds < t.FAR:
        raise ConfigError(
            f"duration {text!r}: give a positive time such as 50ms, 10s, 5min, 1h or 1d"
        )
    return round(nanoseconds)
