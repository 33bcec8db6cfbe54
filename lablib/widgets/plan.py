"""Which settings a column of controls has, and where they stand. Knows no widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

GROUPS = {
    "Latency": (
        "latency.order_entry_ms",
        "latency.external_feed_ms",
        "latency.market_lag_ms",
        "latency.ack_ms",
    ),
    "Market": ("external.volatility_bps", "venue.fee_bps"),
    "Strategy and risk": (
        "strategy.threshold",
        "risk.max_position_pct",
        "risk.daily_loss_cap_pct",
    ),
}
FOLDS = {
    "Makers and rivals": ("makers.", "rivals."),
    "Order flow": ("flow.",),
    "Counterparties": ("intensity.",),
    "Checks and guards": ("risk.",),
    "Drills": ("drills.",),
}  # by section


@dataclass(frozen=True)
class Plan:
    """Which settings the column has, and where.

    Attributes
    ----------
    groups, folds
        Dotted fields by heading; beginnings of fields by section that folds.
    idle
        Beginnings of fields that do nothing here and are left out.
    spans
        Ends of sliders where those of the model are too far apart, in the field's unit.
    start
        Drop-down of where the settings come from: `preset` or `wires`.
    """

    groups: Mapping[str, Sequence[str]] = field(default_factory=lambda: GROUPS)
    folds: Mapping[str, Sequence[str]] = field(default_factory=lambda: FOLDS)
    idle: tuple[str, ...] = ()
    spans: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    start: str = "preset"


SYNTHETIC = Plan()

# On recorded data the market is what it was: what would have made one is left out.
RECORDED = Plan(
    groups={
        "Latency": (
            "latency.order_entry_ms",
            "latency.external_feed_ms",
            "latency.venue_feed_ms",
            "latency.ack_ms",
        ),
        "Strategy and risk": (
            "strategy.threshold",
            "venue.fee_bps",
            "risk.max_position_pct",
            "risk.daily_loss_cap_pct",
        ),
    },
    folds={"Checks and guards": ("risk.",), "Drills": ("drills.",)},
    idle=(
        "external.",
        "flow.",
        "intensity.",
        "latency.market_lag_ms",
        "makers.",
        "rivals.",
        "venue.half_spread_ticks",
    ),
    spans={"strategy.threshold": (0.0, 0.001)},
    start="wires",
)
