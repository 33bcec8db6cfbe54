"""Event logs of real orders: when a request was sent, when its confirmation came; the pairs are round trips.

The layout is that of Hummingbot's latency logs: `Timestamp,Order_ID,Status`, milliseconds since 1970,
one clock. A row is an event, not a sample: requests and confirmations are paired by order, wherever
they stand in the file, which need not be in time order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.delays import Empirical
from lablib.errors import ConfigError
from lablib.tape.readers.text import OnBad, Refusals, lines_of, read_bytes, sha256

LAYOUT = "order latency log (Timestamp,Order_ID,Status)"
_HEADER = "Timestamp,Order_ID,Status"
_KINDS = {"CREATE": "create", "CANCEL": "cancel", "EXECUTE": "execute"}
_ASKED = {f"PENDING_{word}": kind for word, kind in _KINDS.items()}
_ANSWERED = {"CREATED": "create", "CANCELED": "cancel", "EXECUTED": "execute"}
_ID_MAX = 128


@dataclass(frozen=True, eq=False)
class Latencies:
    """Round trips of one log.

    Attributes
    ----------
    samples
        By kind ("create", "cancel", "execute"): milliseconds from the request to its confirmation,
        in the order of the requests' times.
    report
        What the file held beside them: requests without an answer, answers without a request
        (an order that is executed at once is also confirmed as created), repeated events (the
        earliest counts), rows that step back in time, rows dropped by reason.
    """

    name: str
    sha256: str
    samples: dict[str, NDArray[np.float64]] = field(repr=False)
    report: dict[str, Any] = field(repr=False)

    def percentiles(self, kind: str = "create") -> dict[str, float]:
        """How many round trips of a kind there are, and their p50, p95 and p99 (ms)."""
        sample = self._sample(kind)
        p50, p95, p99 = (float(value) for value in np.percentile(sample, (50, 95, 99)))
        return {"count": sample.size, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}

    def delay(self, kind: str = "create", scale: float = 0.5) -> Empirical:
        """The delay model of one leg: the round trips, each times `scale`."""
        return Empirical.of(self._sample(kind), scale=scale)

    def _sample(self, kind: str) -> NDArray[np.float64]:
        if kind not in self.samples:
            raise ConfigError(
                f"kind: {self.name} has round trips of {', '.join(self.samples)}, got {kind!r}"
            )
        return self.samples[kind]


def load_latency(path: str | Path, *, on_bad: OnBad = "raise") -> Latencies:
    """Read an event log of orders and pair requests with confirmations.

    Parameters
    ----------
    path
        A CSV with the header `Timestamp,Order_ID,Status`, plain or gzip.
    on_bad
        Stop at a row that cannot be read, or "skip" it and count why in the report.

    Raises
    ------
    DataError
        Another layout, no pair at all, or a bad row: names file, line and value.
    """
    data = read_bytes(path)
    refusals = Refusals(str(path), on_bad)
    lines = [line.rstrip("\r") for line in lines_of(data, refusals)]
    if not lines or lines[0].lstrip("\ufeff") != _HEADER:
        shown = lines[0][:60] if lines else ""
        raise refusals.stop(f"not an {LAYOUT}: the first line is {shown!r}")
    events = _events(lines, refusals)
    asked, answered, times, repeated = _earliest(events)
    samples, unanswered = {}, Counter[str]()
    for kind in _KINDS.values():
        sent = asked.get(kind, {})
        came = answered.get(kind, {})
        unanswered[kind] = sum(order not in came for order in sent)
        pairs = sorted((at, order) for order, at in sent.items() if order in came)
        trips = _trips(pairs, came, events, refusals)
        if trips:
            samples[kind] = np.array(trips, np.float64)
    if not samples:
        raise refusals.stop("no request has a confirmation")
    report = {
        "layout": LAYOUT,
        "rows": len(lines) - 1,
        "unanswered": {kind: n for kind, n in unanswered.items() if n},
        "unasked": {
            kind: n
            for kind, came in answered.items()
            if (n := sum(order not in asked.get(kind, {}) for order in came))
        },
        "repeated": repeated,
        "back_steps": int(np.sum(np.diff(times) < 0)),
        "dropped": dict(refusals.counts),
    }
    return Latencies(str(path), sha256(data), samples, report)


Event = tuple[int, int, str, str]  # line, time (ms), order, status


def _events(lines: list[str], refusals: Refusals) -> list[Event]:
    events = []
    for line, text in enumerate(lines[1:], 2):
        cells = text.split(",")
        if len(cells) != 3:
            refusals.refuse(line, "columns", f"3 columns are needed, got {text[:80]!r}")
            continue
        stamp, order, status = cells
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 15):
            refusals.refuse(line, "timestamp", f"Timestamp is not whole milliseconds: {stamp!r}")
        elif not 0 < len(order) <= _ID_MAX:
            refusals.refuse(line, "order", f"Order_ID is empty or too long: {order[:80]!r}")
        elif status not in _ASKED and status not in _ANSWERED:
            refusals.refuse(line, "status", f"Status is unknown: {status!r}")
        else:
            events.append((line, int(stamp), order, status))
    return events


Times = dict[str, dict[str, int]]  # kind -> order -> time (ms)


def _earliest(events: list[Event]) -> tuple[Times, Times, list[int], int]:
    """Requests and confirmations by kind and order, each at its first time; all times; repeats."""
    asked: Times = {}
    answered: Times = {}
    repeated = 0
    for _, at, order, status in events:
        side, kind = (asked, _ASKED) if status in _ASKED else (answered, _ANSWERED)
        known = side.setdefault(kind[status], {})
        repeated += order in known
        known[order] = min(at, known.get(order, at))
    return asked, answered, [at for _, at, _, _ in events], repeated


def _trips(
    pairs: list[tuple[int, str]], came: dict[str, int], events: list[Event], refusals: Refusals
) -> list[int]:
    trips = []
    for at, order in pairs:
        if came[order] < at:
            line = next(line for line, when, name, _ in events if (when, name) == (at, order))
            refusals.refuse(line, "answered before asked", f"confirmed before it was sent: {order}")
        else:
            trips.append(came[order] - at)
    return trips
