"""Named scenarios, each with its source: what it changes against the defaults.

Their wires, and many more, are those of `lablib.wires`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lablib.wires import WIRES as WIRES


@dataclass(frozen=True)
class Scenario:
    """A preset: what it changes against the defaults, what it shows, and where its numbers come from."""

    title: str
    source: str
    changes: dict[str, Any] = field(default_factory=dict)


def _lognormal(
    median_ms: float, sigma: float, shift_ms: float = 0.0, **spikes: float
) -> dict[str, Any]:
    return {
        "model": "lognormal",
        "median_ms": median_ms,
        "sigma": sigma,
        "shift_ms": shift_ms,
        **spikes,
    }


_BOOK = {
    "venue.model": "makers",
    "venue.half_spread_ticks": 1,
    "venue.levels": 20,
    "venue.level_lots": 2_000,
    "venue.fee_bps": 0.3,
    "external.volatility_bps": 20.0,
    "external.interval_ms": 5.0,
    "latency.market_lag_ms": _lognormal(20, 0.4, 5),
    "strategy.decision_interval_ms": 5.0,
    "strategy.threshold": 0.0005,
    "strategy.exit": "close",
}

SCENARIOS: dict[str, Scenario] = {
    "classroom": Scenario(
        "The simplest race: a venue that copies the external price 120 ms late",
        "The defaults: 10 bps per 50 ms, 2 bps fee, no latency of our own; has closed forms.",
    ),
    "stress": Scenario(
        "Regimes, a one-minute burst and jittery wires",
        "Classroom market with volatility spells ×0.5 to ×2.5 and a ×4 burst; delays with a Pareto tail (judgement).",
        {
            "external.regimes.enabled": True,
            "external.burst.enabled": True,
            "external.burst.start_s": 120,
            "external.burst.duration_s": 60,
            "venue.half_spread_ticks": 2,
            "latency.market_lag_ms": _lognormal(90, 0.5, 20),
            "latency.external_feed_ms": _lognormal(5, 0.5),
            "latency.venue_feed_ms": _lognormal(8, 0.5),
            "latency.order_entry_ms": _lognormal(15, 0.6, spike_probability=0.01, spike_ms=50),
            "latency.ack_ms": _lognormal(15, 0.6),
            "risk.max_position_pct": 0.05,
        },
    ),
    "colo": Scenario(
        "In the exchange's own building, racing makers who re-quote a real book",
        "Order to acknowledgement about 0.05-0.15 ms (LSE 2015 median ~0.15, minimum reaction 0.029); lognormal 0.3.",
        {
            **_BOOK,
            **WIRES["colo"].changes,
        },
    ),
    "cloud": Scenario(
        "The same race from a server in the same cloud region",
        "Venue API 2-12 ms end to end (vendor statements); lognormal 0.5 with spikes of 1 in 1,000 (judgement).",
        {
            **_BOOK,
            **WIRES["cloud_same_region"].changes,
        },
    ),
    "retail": Scenario(
        "The same race from a home connection through a broker",
        "Internet 8-40 ms one way plus broker 20-150 ms; lognormal 0.6-0.8 with a Pareto tail (judgement).",
        {
            **_BOOK,
            **WIRES["retail"].changes,
        },
    ),
    "rivals": Scenario(
        "The same building with five rivals as fast as we are: who is second finds the quote gone",
        "Colo wires; rivals' reaction lognormal around our own way to the venue; races on the LSE have 3.3"
        " participants and five fast firms win most (Aquilina, Budish and O'Neill 2022).",
        {
            **_BOOK,
            **WIRES["colo"].changes,
            "rivals.count": 5,
            "rivals.reaction_ms": _lognormal(0.1, 0.3, 0.03),
            "rivals.lots": 2_000,
        },
    ),
    "crowded": Scenario(
        "Four makers, each slower than the one before, who quote wider once picked off; investors who pay for"
        " it, and three rivals as fast as we",
        "Colo wires; roles as in Budish, Cramton and Shim (2015), numbers judgement: makers live on 40 investors a"
        " second and side, the slowest hardly. Alone against makers who never widen our rule earns, here it loses.",
        {
            **_BOOK,
            **WIRES["colo"].changes,
            "external.volatility_bps": 30.0,
            "latency.market_lag_ms": _lognormal(5.0, 0.4, 1.0),
            "venue.half_spread_ticks": 2,
            "venue.levels": 10,
            "venue.level_lots": 500,
            "venue.fee_bps": 0.1,
            "makers.count": 4,
            "makers.slower_ms": 4.0,
            "makers.widen_ticks": 4,
            "makers.calm_ms": 250.0,
            "makers.investors": True,
            "flow.market_rate": 40.0,
            "flow.order_lots": 200,
            "flow.mean_orders": 2.0,
            "rivals.count": 3,
            "rivals.reaction_ms": _lognormal(0.1, 0.3, 0.03),
            "rivals.edge_ticks": 0.5,
            "rivals.lots": 500,
            "risk.max_position_pct": 0.001,
        },
    ),
    "maker": Scenario(
        "Quoting both sides to those who come by themselves, and leaning against what one holds",
        "Avellaneda and Stoikov (2008): their rule at a price of 100 that moves 5 bps a second; two"
        " counterparties a second and side (judgement).",
        {
            "external.volatility_bps": 5.0,
            "venue.model": "intensity",
            "venue.half_spread_ticks": 20,
            "venue.fee_bps": 0.0,
            "intensity.rate": 2.0,
            "intensity.premium_px": 0.05,
            "latency.market_lag_ms": 0.0,
            "latency.external_feed_ms": _lognormal(2.0, 0.4, 0.5),
            "latency.venue_feed_ms": _lognormal(2.0, 0.4, 0.5),
            "latency.order_entry_ms": _lognormal(5.0, 0.5, 1.0),
            "latency.ack_ms": _lognormal(5.0, 0.5, 1.0),
            "strategy.name": "market_maker",
            "strategy.maker.risk_aversion": 1.0,
            "strategy.maker.arrival_decay": 20.0,
            "strategy.maker.volatility_px": 0.05,
            "strategy.maker.horizon_s": 60.0,
        },
    ),
    "flow": Scenario(
        "Strangers' orders make the price on a real book; some of them follow the external price",
        "Cont, Stoikov and Talreja (2010), Sky Perfect Communications: rates per minute, 20 times per second;"
        " half of the market orders' rate again from followers 20 ms behind (judgement).",
        {
            "venue.model": "flow",
            "venue.levels": 10,
            "venue.fee_bps": 0.1,
            "flow.speed": 20.0,
            "flow.follow_rate": 4.0,
            "external.volatility_bps": 3.0,
            "external.interval_ms": 5.0,
            "latency.market_lag_ms": _lognormal(20, 0.4, 5),
            "latency.external_feed_ms": _lognormal(0.5, 0.4, 0.2),
            "latency.venue_feed_ms": _lognormal(0.5, 0.4, 0.2),
            "latency.order_entry_ms": _lognormal(1.0, 0.4, 0.5),
            "latency.ack_ms": _lognormal(1.0, 0.4, 0.5),
            "strategy.decision_interval_ms": 5.0,
            "strategy.threshold": 0.0003,
            "strategy.exit": "close",
        },
    ),
    "late_brakes": Scenario(
        "Five times leveraged with late orders and acknowledgements: the loss cap binds, and overshoots",
        "With sane sizes a 2 % cap needs 40,000 losing trades; leverage makes the kill switch do its work.",
        {
            "external.volatility_bps": 60.0,
            "strategy.threshold": 0.002,
            "strategy.exit": "close",
            "latency.order_entry_ms": _lognormal(140, 0.4, 40),
            "latency.ack_ms": _lognormal(140, 0.4, 40),
            "risk.max_position_pct": 5.0,
            "risk.day_length": "10min",
            "risk.rearm_each_day": True,
        },
    ),
    "drill": Scenario(
        "Every check and guard is on and none is tripped: switch a drill on and watch what stops it",
        "Classroom market at 10 bps and four ticks of half spread, 5 ms wires, half of the equity an order;"
        " limits are a few times what a quiet hour comes to (judgement).",
        {
            "venue.half_spread_ticks": 4,
            "venue.fee_bps": 10.0,
            "latency.external_feed_ms": _lognormal(2, 0.3),
            "latency.venue_feed_ms": _lognormal(2, 0.3),
            "latency.order_entry_ms": _lognormal(5, 0.4, 1),
            "latency.ack_ms": _lognormal(5, 0.4, 1),
            "strategy.exit": "close",
            "risk.max_position_pct": 0.5,
            "risk.max_gross_pct": 2.0,
            "risk.max_open_orders": 1,
            "risk.max_orders_per_s": 40,
            "risk.price_collar_pct": 0.05,
            "risk.refuse_crossed": True,
            "risk.drawdown_cap_pct": 0.01,
            "risk.max_loss_streak": 20,
            "risk.max_lost_messages": 1,
            "risk.stale_external_ms": 500.0,
            "risk.stale_venue_ms": 1_000.0,
            "risk.order_timeout_ms": 250.0,
            "risk.check_books": True,
        },
    ),
}
