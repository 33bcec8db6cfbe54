"""How a field is shown to those who move it."""

from __future__ import annotations

from typing import Any


def knob(unit: str, low: float, high: float, *, log: bool = False, live: bool = True) -> Any:
    """How a slider shows a field: unit, the range worth moving in, and whether a running market takes it."""
    return {"unit": unit, "low": low, "high": high, "log": log, "live": live}


def switch(*, live: bool = True) -> dict[str, Any]:
    """What a panel of switches wants to know about a field that is on or off."""
    return {"switch": True, "live": live}
