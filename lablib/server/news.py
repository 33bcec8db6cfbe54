"""Runs in the words of JSON: what a state, a frame or a row of a table says. Knows no HTTP.

NaN is null here, codes are words, times are ns and prices currency, as everywhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from lablib.frame import Frame
from lablib.kernels import tables as t
from lablib.metrics import Latency
from lablib.server.live_run import LiveRun
from lablib.server.runner import ROWS

ORDER_KINDS = ("limit", "ioc", "market", "fok", "post_only")
ORDER_STATUS = ("created", "received", "resting", "filled", "cancelled", "rejected")
LATENCIES = ("latency", "decision_latency", "exchange_latency")
_LEVELS = 10  # of the book, in a frame
_TABLES = (  # event type, table, and what in a frame counts it since the run began
    ("orders", "orders", "order_count"),
    ("fills", "fills", "fill_count"),
    ("risk", "risk_events", "halts"),
)
_APART = {"samples", "orders", "fills", "risk_events", "book", "twin", "rejected", *LATENCIES}
SCALARS = tuple(field.name for field in fields(Frame) if field.name not in _APART)


def plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def frame(one: Frame) -> dict[str, Any]:
    """A frame: its scalars, the touch and some depth, what was refused and why."""
    told = {name: plain(getattr(one, name)) for name in SCALARS}
    told["rejected"] = dict(one.rejected)
    told["book"] = {side: getattr(one.book, side)[:_LEVELS].tolist() for side in ("bids", "asks")}
    told["latency_p50_ms"] = plain(one.latency.p50_ms)
    told["latency_p99_ms"] = plain(one.latency.p99_ms)
    return told


def latency(one: Frame) -> dict[str, Any]:
    """The percentiles of a frame's three latencies."""
    return {name: _percentiles(getattr(one, name)) for name in LATENCIES}


def _percentiles(one: Latency) -> dict[str, Any]:
    names = ("p50_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms")
    return {"count": one.count, **{name: plain(getattr(one, name)) for name in names}}


def rows(table: np.ndarray) -> list[dict[str, Any]]:
    """Rows of a table as objects; kinds, states and reasons in words."""
    names = table.dtype.names or ()
    words: dict[str, tuple[str, ...]] = {"reason": t.REASONS}
    if "status" in names:
        words |= {"status": ORDER_STATUS, "kind": ORDER_KINDS}
    columns = [_column(table[name], words.get(name)) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _column(values: np.ndarray, words: tuple[str, ...] | None) -> list[Any]:
    if words is not None:
        return [words[code] for code in values.tolist()]
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return [plain(value) for value in values.tolist()]
    return list(values.tolist())


def brief(run: LiveRun) -> dict[str, Any]:
    """A run in a list."""
    return {
        "run_id": run.id,
        "state": run.state,
        "seed": run.seed,
        "t_ns": run.session.frame.t_ns,
        "until_ns": run.until_ns,
        "speed": run.speed,
        "market": run.market,
        "equity": plain(run.session.frame.equity),
        "halted": run.session.frame.halted,
        "begun": run.begun,
        "failure": run.failure,
        "digest": run.runner.digest,
    }


def whole(run: LiveRun) -> dict[str, Any]:
    """A run with its config, its last frame and what was done to it."""
    session = run.session
    return {
        **brief(run),
        "config": session.config.model_dump(mode="json"),
        "frame": frame(session.frame),
        "latency": latency(session.frame),
        "commands": [command(one) for one in list(session.commands)],
    }


def command(one: Any) -> dict[str, Any]:
    """What was done to a market, and when in simulated time."""
    return {"t_ns": one.t_ns, "kind": one.kind, "field": one.field, "value": one.value}


class Teller:
    """What is new of one run since the last time it was asked.

    A message is numbered within its `event_type`, so that each channel's numbers have no gaps but
    those of what was dropped.
    """

    def __init__(self, run: LiveRun) -> None:
        self.run = run
        self._seq: dict[str, int] = {}
        self._told: tuple[str, str | None] | None = None
        self._commands = 0
        self._latencies = -1

    def news(self) -> Iterator[tuple[str, str]]:
        """Messages as (event type, JSON without its opening brace)."""
        run = self.run
        glimpses = []
        while run.runner.glimpses:
            glimpses.append(run.runner.glimpses.popleft())
        yield from self._commanded()
        for event_type, name, total in _TABLES:
            count = sum(glimpse.counts[name] for glimpse in glimpses)
            if count:
                new = np.concatenate([getattr(glimpse.frame, name) for glimpse in glimpses])
                so_far = getattr(glimpses[-1].frame, total)
                told = {"total": so_far, "count": count, "rows": rows(new[-ROWS:])}
                yield self.message(event_type, told)
        if glimpses:
            last = glimpses[-1].frame
            yield self.message("frame", frame(last))
            if last.latency.count != self._latencies:
                self._latencies = last.latency.count
                yield self.message("latency", latency(last))
        life = (run.state, run.runner.digest)
        if life != self._told:
            self._told = life
            yield self.message("state", self._life())

    def greeting(self) -> Iterator[tuple[str, str]]:
        """What somebody who has just come needs to know; its numbers are those of the last messages."""
        one = self.run.session.frame
        for event_type, body in (
            ("state", self._life()),
            ("frame", frame(one)),
            ("latency", latency(one)),
        ):
            yield event_type, self._text(event_type, self._seq.get(event_type, 0), body)

    def message(self, event_type: str, body: dict[str, Any]) -> tuple[str, str]:
        """The next message of a type."""
        seq = self._seq[event_type] = self._seq.get(event_type, 0) + 1
        return event_type, self._text(event_type, seq, body)

    def _text(self, event_type: str, seq: int, body: dict[str, Any]) -> str:
        run = self.run
        head = {"event_type": event_type, "run_id": run.id, "begun": run.begun, "seq": seq}
        return json.dumps({**head, **body}, allow_nan=False, separators=(",", ":"))[1:]

    def _life(self) -> dict[str, Any]:
        run = self.run
        return {
            "state": run.state,
            "t_ns": run.session.frame.t_ns,
            "halt_reason": run.session.frame.halt_reason,
            "failure": run.failure,
            "digest": run.runner.digest,
        }

    def _commanded(self) -> Iterator[tuple[str, str]]:
        commands = list(self.run.session.commands)
        if len(commands) < self._commands:  # the run began again
            self._commands = 0
        for one in commands[self._commands :]:
            yield self.message("command", command(one))
        self._commands = len(commands)
