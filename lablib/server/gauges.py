"""How the server is doing, as numbers: one list, told as JSON and as Prometheus text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lablib.server.fanout import Hub
from lablib.server.manager import Manager

STATES = ("created", "running", "paused", "halted", "finished", "failed")
PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Gauge:
    """One number: its name, what it is, whether it only grows, and the value by label."""

    name: str
    help: str
    kind: str
    values: dict[str, float]
    label: str = ""


def gauges(manager: Manager, hub: Hub) -> Iterator[Gauge]:
    """Everything that can be told of a server."""
    runs = list(manager)
    states = Counter(run.state for run in runs)
    yield Gauge(
        "runs", "Runs by state", "gauge", {name: states[name] for name in STATES}, label="state"
    )
    yield _one("runs_under_way", "Runs that have not ended", "gauge", manager.under_way)
    yield _one("runs_max", "Runs that may be under way at once", "gauge", manager.max_runs)
    yield _one("runs_started_total", "Runs started", "counter", manager.started)
    yield _one("runs_refused_total", "Runs that were one too many", "counter", manager.refused)
    for name, text in (
        ("events", "Market events consumed, of the runs still kept"),
        ("decisions", "Decisions taken, of the runs still kept"),
        ("order_count", "Orders sent, of the runs still kept"),
        ("fill_count", "Fills, of the runs still kept"),
        ("halts", "Halts latched, of the runs still kept"),
    ):
        total = sum(getattr(run.session.frame, name) for run in runs)
        yield _one(f"runs_{name}", text, "gauge", total)
    overlooked = sum(run.runner.overlooked for run in runs)
    yield _one("frames_overlooked", "Frames of kept runs that no tick fetched", "gauge", overlooked)
    yield _one("viewers", "Viewers watching", "gauge", len(hub.viewers))
    yield _one("viewers_max", "Viewers that may watch at once", "gauge", hub.max_viewers)
    yield _one("viewers_refused_total", "Viewers that were one too many", "counter", hub.refused)
    yield _one("viewers_aborted_total", "Viewers cut off as stalled", "counter", hub.aborted)
    yield _one("messages_sent_total", "Messages handed to viewers", "counter", hub.sent)
    yield _one("messages_dropped_total", "Messages viewers lost", "counter", hub.dropped)
    yield _one("ticks_total", "Rounds of telling viewers", "counter", hub.ticks)
    yield _one("ticks_late_total", "Rounds that began late", "counter", hub.late_ticks)
    shelf = manager.shelf
    yield _one("records_bytes", "What records take, when last looked", "gauge", shelf.bytes)
    yield _one("records_bytes_max", "What records may take", "gauge", shelf.budget_bytes)
    yield _one("records_removed_total", "Records that had to go", "counter", shelf.removed)
    yield Gauge(
        "restarts_total",
        "Times that a part broke and began again",
        "counter",
        {"hub": hub.backoff.restarts, "shelf": shelf.backoff.restarts},
        label="part",
    )


def _one(name: str, text: str, kind: str, value: float) -> Gauge:
    return Gauge(name, text, kind, {"": value})


def as_json(manager: Manager, hub: Hub) -> dict[str, object]:
    """Numbers by name; those with a label by label."""
    return {
        one.name: dict(one.values) if one.label else one.values[""] for one in gauges(manager, hub)
    }


def as_prometheus(manager: Manager, hub: Hub) -> str:
    """The text that a Prometheus scraper reads."""
    lines = []
    for one in gauges(manager, hub):
        name = f"lablib_{one.name}"
        lines += [f"# HELP {name} {one.help}", f"# TYPE {name} {one.kind}"]
        for label, value in one.values.items():
            where = f'{{{one.label}="{label}"}}' if one.label else ""
            lines.append(f"{name}{where} {value:g}" if value < 1e6 else f"{name}{where} {value}")
    return "\n".join([*lines, ""])
