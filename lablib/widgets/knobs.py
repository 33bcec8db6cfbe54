"""Which config fields deserve a slider or a switch, and how their values read: all of it from the models themselves.

Fractions read as percent or basis points, and a delay model as its median and its law. Knows no widget.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lablib.config import SimConfig
from lablib.delays import DelayModel

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
    "risk.max_open_orders": "Open at most",
    "risk.max_orders_per_s": "Sent at most",
    "risk.price_collar_pct": "Price collar",
    "risk.drawdown_cap_pct": "Drawdown cap",
    "risk.max_loss_streak": "Lost in a row",
    "risk.stale_external_ms": "Silent source",
    "risk.stale_venue_ms": "Silent venue",
    "risk.max_lost_messages": "Lost at most",
    "risk.order_timeout_ms": "Answer within",
    "risk.flatten_on_halt": "Flatten on a halt",
    "risk.rearm_each_day": "Re-arm each day",
    "risk.check_notional": "Check each order's notional",
    "risk.refuse_crossed": "Refuse on crossed quotes",
    "risk.check_books": "Check the books",
    "drills.feed_gap": "Feed gap",
    "drills.size_multiple": "Oversize",
    "drills.latency_spike_ms": "Latency spike",
    "drills.crossed_quotes": "Cross quotes by",
    "drills.stale_feed": "Silence the external feed",
    "drills.duplicate_order": "Send every entry twice",
    "drills.stuck_exit": "Hold exits back",
    "flow.market_rate": "Market orders",
    "flow.follow_rate": "Followers",
    "flow.speed": "Flow speed",
    "flow.market_branching": "Markets excite",
    "flow.limit_branching": "Limits excite",
    "makers.count": "How many",
    "makers.slower_ms": "Each slower by",
    "makers.refresh_ticks": "Re-quote after",
    "makers.lazier_ticks": "Each lazier by",
    "makers.widen_ticks": "Widen by",
    "makers.calm_ms": "Calm after",
    "makers.investors": "Investors come",
    "rivals.count": "How many",
    "rivals.reaction_ms": "Their reaction",
    "rivals.edge_ticks": "Their edge",
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


@dataclass(frozen=True)
class Switch:
    """A field that is on or off and deserves a box to tick.

    Attributes
    ----------
    path
        Dotted name of the field.
    live
        Whether a running market takes it; otherwise it waits for the next reset.
    """

    path: str
    help: str
    live: bool

    @property
    def label(self) -> str:
        """What stands beside the box."""
        return LABELS.get(self.path) or self.path.rpartition(".")[2].replace("_", " ").capitalize()

    @property
    def tooltip(self) -> str:
        """What the field means, and when a change takes effect."""
        when = "at once" if self.live else "at the next reset"
        return f"{self.help}; takes effect {when}. ({self.path})"


def knobs(config: type[BaseModel] = SimConfig, prefix: str = "") -> Iterator[Knob]:
    """Every field that its model gives a range to, in the order of the models."""
    for path, info in _described(config, prefix):
        if "low" in info.json_schema_extra:
            yield _knob(path, info)


def switches(config: type[BaseModel] = SimConfig, prefix: str = "") -> Iterator[Switch]:
    """Every field that its model calls a switch, in the order of the models."""
    for path, info in _described(config, prefix):
        extra = info.json_schema_extra
        if "switch" in extra:
            yield Switch(path, info.description or "", bool(extra["live"]))


def _described(config: type[BaseModel], prefix: str) -> Iterator[tuple[str, Any]]:
    """Every field whose model says how to show it."""
    for name, info in config.model_fields.items():
        path = f"{prefix}{name}"
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _described(kind, f"{path}.")
        elif isinstance(info.json_schema_extra, dict):
            yield path, info


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
    """A plain number for a delay: itself, or what is typical of its model."""
    return float(value.typical_ms if isinstance(value, DelayModel) else value)


def law(value: Any) -> str:
    """A delay model in words, empty for a plain number.

    >>> from lablib.delays import Lognormal
    >>> law(Lognormal(median_ms=20, sigma=0.5, shift_ms=5))
    'lognormal, median 25 ms, σ 0.5'
    """
    if not isinstance(value, DelayModel):
        return ""
    data = value.model_dump()
    text = f"{data['model']}, {value.TYPICAL} {typical(value):g} ms"
    if data.get("sigma"):
        text += f", σ {data['sigma']:g}"
    if data.get("jitter_ms"):
        text += f", ±{data['jitter_ms'] / 2:g}"
    if data.get("spike_probability"):
        text += f", spikes {100 * data['spike_probability']:g} %"
    if value.burst_factor > 1:
        text += f", bursts × {value.burst_factor:g}"
    if value.outage_s:
        text += f", outages of {value.outage_s:g} s"
    return text
