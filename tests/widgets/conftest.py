"""A comm that collects what would travel to the browser, and a lab without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import comm
import pytest

from lablib.widgets import LiveLab, live_lab


class Wire:
    """Every message sent, as (name of the widget's class, kind, state)."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self.open: set[str] = set()
        self.to: dict[str, list[dict[str, Any]]] = {}  # updates by the name of their comm

    def clear(self) -> None:
        self.sent.clear()
        self.to.clear()

    @property
    def updates(self) -> list[tuple[str, dict[str, Any]]]:
        """State updates, as (model name, state)."""
        return [(model, state) for model, kind, state in self.sent if kind == "comm_msg"]

    def create(self, *args: Any, **kwargs: Any) -> comm.base_comm.BaseComm:
        wire = self

        class Collecting(comm.base_comm.BaseComm):
            model = "?"

            def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
                state = (data or {}).get("state", {})
                if msg_type == "comm_open":
                    self.model = state.get("_model_name", "?")
                    wire.open.add(self.comm_id)
                if msg_type == "comm_close":
                    wire.open.discard(self.comm_id)
                if msg_type == "comm_msg":
                    wire.to.setdefault(self.comm_id, []).append(state)
                wire.sent.append((self.model, msg_type, state))

        return Collecting(*args, **kwargs)


@pytest.fixture
def wire(monkeypatch) -> Wire:
    wire = Wire()
    monkeypatch.setattr(comm, "create_comm", wire.create)
    return wire


@pytest.fixture
def lab(monkeypatch, wire) -> Iterator[LiveLab]:
    """The live lab held at time zero of the classroom, steered by hand."""
    monkeypatch.setenv("NOTEBOOK_TEST", "1")
    monkeypatch.delenv("QUERY_STRING", raising=False)
    lab = live_lab(seed=7)
    wire.clear()
    yield lab
    lab.close()
