"""Which config fields deserve a slider, and how their values read: all of it from the models themselves.

Fractions read as percent or basis points, and a delay model as its median and its law. Knows no widget.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lablib.config import SimConfig

LABELS = {
    "latency.order_entry_ms": "Order entry",
    "latency.external_feed_ms": "External feed",
    "latency.market_lag_ms": "Market lag",
    "latency.ack_ms": "Ack",
    "latency.venue_feed_ms": "Venue feed",
    "latency.decision_ms": "Decision",
    "strategy.threshold": "Threshold",
    "strategy.decision_interval_ms": "Decide every",
    "strategy.exit_after_ms": "Exit after",
    "risk.max_position_pct": "Order size",
    "risk.max_gross_pct": "Gross limit",
    "risk.daily_loss_cap_pct": "Daily loss cap",
    "drills.size_multiple": "Oversize drill",
    "external.volatility_bps": "Volatility",
    "external.interval_ms": "Price every",
    "venue.fee_bps": "Fee",
    "venue.half_spread_ticks": "Half spread",
}


@dataclass(frozen=True)
class Knob:
    """A field that deserves a slider, as its model describes it.

    Attributes
    ----------
    path
        Dotted name of the field.
    low, high
        Range worth moving in, in the field's own unit.
    scale
        What the field is multiplied by for showing.
    live
        Whether a running market takes it; otherwise it waits for the next reset.
    """

    path: str
    unit: str
    help: str
    low: float
    high: float
    log: bool
    live: bool
    whole: bool
    scale: float

    @property
    def label(self) -> str:
        """What stands beside the slider."""
        name = LABELS.get(self.path) or self.path.rpartition(".")[2].replace("_", " ").capitalize()
        return f"{name}, {self.unit}"

    @property
    def tooltip(self) -> str:
        """What the field means, its range, and when a change takes effect."""
        span = f"{self.scale * self.low:g} to {self.scale * self.high:g} {self.unit}"
        when = "at once" if self.live else "at the next reset"
        return f"{self.help}. {span}; takes effect {when}. ({self.path})"

    def shown(self, value: Any) -> float:
        """A field's value as the slider shows it."""
        return round(self.scale * typical(value), 9)

    def meant(self, shown: float) -> float | int:
        """The field's value where the slider stands."""
        value = round(round(shown, 9) / self.scale, 12)
        return round(value) if self.whole else value


def knobs(config: type[BaseModel] = SimConfig, prefix: str = "") -> Iterator[Knob]:
    """Every field that its model gives a range to, in the order of the models."""
    for name, info in config.model_fields.items():
        path = f"{prefix}{name}"
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from knobs(kind, f"{path}.")
        elif isinstance(info.json_schema_extra, dict) and "low" in info.json_schema_extra:
            yield _knob(path, info)


def _knob(path: str, info: FieldInfo) -> Knob:
    extra: dict[str, Any] = dict(info.json_schema_extra)  # type: ignore[arg-type]
    unit, scale = str(extra["unit"]), 1.0
    if not unit:  # a fraction: shares in percent, prices in basis points
        unit, scale = ("%", 100.0) if path.endswith("_pct") else ("bps", 1e4)
    return Knob(
        path=path,
        unit=unit,
        help=info.description or "",
        low=float(extra["low"]),
        high=float(extra["high"]),
        log=bool(extra["log"]),
        live=bool(extra["live"]),
        whole=info.annotation is int,
        scale=scale,
    )


def typical(value: Any) -> float:
    """A plain number for a delay: itself, or the median of its model."""
    if isinstance(value, BaseModel):
        data = value.model_dump()
        if "median_ms" in data:
            return float(data["shift_ms"] + data["median_ms"])
        if "base_ms" in data:
            return float(data["base_ms"] + data["jitter_ms"] / 2)
        return float(data["ms"])
    return float(value)


def law(value: Any) -> str:
    """A delay model in words, empty for a plain number.

    >>> from lablib.config import Lognormal
    >>> law(Lognormal(median_ms=20, sigma=0.5, shift_ms=5))
    'lognormal, median 25 ms, σ 0.5'
    """
    if not isinstance(value, BaseModel):
        return ""
    data = value.model_dump()
    text = f"{data['model']}, median {typical(value):g} ms"
    if data.get("sigma"):
        text += f", σ {data['sigma']:g}"
    if data.get("jitter_ms"):
        text += f", ±{data['jitter_ms'] / 2:g}"
    if data.get("spike_probability"):
        text += f", spikes {100 * data['spike_probability']:g} %"
    return text
