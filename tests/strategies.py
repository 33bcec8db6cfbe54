"""Random scenarios for hypothesis: short, busy, and fond of corners."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lablib.config import SimConfig
from lablib.kernels.jit import COMPILED

PLAIN = not COMPILED  # a hundred times slower: sizes shrink


def milliseconds(low: float, high: float) -> st.SearchStrategy[float]:
    """Whole microseconds, so that a failure reads well."""
    return st.integers(round(low * 1_000), round(high * 1_000)).map(lambda us: us / 1_000)


@st.composite
def delays(draw: st.DrawFn, *, least_ms: float = 0.0, most_ms: float = 40.0) -> Any:
    """A wire: nothing, a number or a model, perhaps with spikes; never below `least_ms`."""
    some = milliseconds(least_ms, most_ms)
    kind = draw(st.sampled_from(["least", "number", "constant", "uniform", "lognormal"]))
    if kind == "least":
        return least_ms
    if kind == "number":
        return draw(some)
    if kind == "constant":
        model = {"model": kind, "ms": draw(some)}
    elif kind == "uniform":
        model = {"model": kind, "base_ms": draw(some), "jitter_ms": draw(milliseconds(0, most_ms))}
    else:
        model = {"model": kind, "median_ms": draw(milliseconds(0.001, most_ms))}
        model |= {"sigma": draw(st.sampled_from([0.0, 0.3, 1.0])), "shift_ms": draw(some)}
    if draw(st.booleans()):
        model |= {"spike_probability": draw(st.sampled_from([0.01, 0.2, 1.0]))}
        model |= {"spike_ms": draw(milliseconds(0.1, most_ms)), "spike_alpha": 1.5}
    return model


@st.composite
def configs(draw: st.DrawFn, *, least_ms: float = 0.0, **fixed: Any) -> SimConfig:
    """A scenario of any synthetic venue that trades a lot within some hundred ticks of the external price.

    Parameters
    ----------
    least_ms
        Least delay of each of our own wires.
    fixed
        Dotted fields, with a double underscore for the dot, that are not drawn.
    """
    of = st.sampled_from
    model = fixed.get("venue__model") or draw(of(["delayed_copy", "makers", "flow", "intensity"]))
    changes: dict[str, Any] = {
        "external.volatility_bps": draw(of([200.0, 44.72, 1_000.0])),
        "external.interval_ms": draw(of([5.0, 1.0, 50.0])),
        "external.regimes.enabled": draw(st.booleans()),
        "external.regimes.mean_stay_s": 0.05,
        "external.burst.enabled": draw(st.booleans()),
        "external.burst.start_s": draw(of([0.0, 0.2])),
        "external.burst.duration_s": 0.2,
        "venue.model": model,
        "venue.tick_size": draw(of([0.001, 0.01, 0.05])),
        "venue.lot_size": draw(of([0.001, 0.1, 1.0])),
        "venue.half_spread_ticks": draw(st.integers(model == "makers", 3)),
        "venue.levels": draw(st.integers(1, 20)),
        "venue.fee_bps": draw(of([0.0, 2.0, -0.5, 37.1, -50.0])),
        "latency.market_lag_ms": draw(delays()),
        "strategy.name": draw(of(["divergence", "passive_divergence", "market_maker"])),
        "rivals.count": draw(of([0, 0, 3])),
        "rivals.reaction_ms": draw(delays()),
        "rivals.edge_ticks": draw(of([0.0, 1.5])),
        "rivals.lots": draw(of([1, 1_000])),
        "strategy.requote": draw(of(["replace", "cancel"])),
        "strategy.maker.risk_aversion": draw(of([0.1, 5.0])),
        "strategy.maker.arrival_decay": draw(of([20.0, 500.0])),
        "strategy.maker.horizon_s": draw(of([60.0, 0.03])),
        "strategy.maker.inventory": draw(st.booleans()),
        "strategy.maker.around": draw(of(["external", "mid"])),
        "strategy.maker.lots": draw(of([0, 1, 50])),
        "strategy.threshold": draw(of([1e-4, 0.0, 5e-4])),
        "strategy.decision_interval_ms": draw(of([5.0, 0.0, 1.0, 50.0])),
        "strategy.exit": draw(of(["opposite", "close", "time", "never"])),
        "strategy.exit_after_ms": draw(of([5.0, 0.0, 80.0])),
        "strategy.stack": draw(st.booleans()),
        "risk.max_position_pct": draw(of([0.1, 0.005, 1.0, 7.3])),
        "risk.max_gross_pct": draw(of([10.0, 1.0, 0.02])),
        "risk.daily_loss_cap_pct": draw(of([0.02, 1e-5, 5e-4, 1.0])),
        "risk.day_length": draw(of(["90ms", "1s", "24h"])),
        "risk.flatten_on_halt": draw(st.booleans()),
        "risk.rearm_each_day": draw(st.booleans()),
        "risk.check_notional": draw(st.booleans()),
        "drills.size_multiple": draw(of([1.0, 1.0, 10.0])),
    }
    # Depth as a share of an order: a quote source renews its depth for every order, so that a large
    # position leaving through a thin one would take a million of them.
    notional = changes["risk.max_position_pct"] * changes["drills.size_multiple"] * 100_000
    lots = notional / (100 * changes["venue.lot_size"])
    changes["venue.level_lots"] = max(1, round(lots / draw(of([0.01, 1, 7, 40]))))
    if model == "intensity":
        changes |= draw(counterparties())
    if model == "makers":
        changes |= draw(makers())
    if model == "flow" or changes.get("makers.investors"):
        changes |= draw(flows())
    for wire in ("external_feed_ms", "venue_feed_ms", "decision_ms", "order_entry_ms", "ack_ms"):
        changes[f"latency.{wire}"] = draw(delays(least_ms=least_ms))
    changes["latency.cancel_ms"] = draw(st.none() | delays(least_ms=least_ms))
    changes |= {name.replace("__", "."): value for name, value in fixed.items()}
    return SimConfig().replace(changes)


@st.composite
def counterparties(draw: st.DrawFn) -> dict[str, Any]:
    """Those who come by themselves, ten to a thousand a second."""
    of = st.sampled_from
    every_ms, rate = draw(of([(0.0, 1_000.0), (0.0, 10.0), (5.0, 200.0), (1.0, 300.0)]))
    return {
        "intensity.interval_ms": every_ms,
        "intensity.rate": rate,
        "intensity.premium": draw(of(["exponential", "fixed"])),
        "intensity.premium_px": draw(of([0.005, 0.1, 5.0])),
        "intensity.order_lots": draw(of([0, 1, 40])),
    }


@st.composite
def makers(draw: st.DrawFn) -> dict[str, Any]:
    """One maker as often as several; the widest stand a spread or more from the others."""
    of = st.sampled_from
    return {
        "makers.count": draw(of([1, 2, 5])),
        "makers.slower_ms": draw(of([0.0, 0.3, 7.0])),
        "makers.refresh_ticks": draw(of([1, 4])),
        "makers.lazier_ticks": draw(of([0, 3])),
        "makers.widen_ticks": draw(of([0, 2, 30])),
        "makers.calm_ms": draw(of([20.0, 0.0, 1_000.0])),
        "makers.investors": draw(st.booleans()),
    }


@st.composite
def flows(draw: st.DrawFn) -> dict[str, Any]:
    """Order flow of every kind, some hundred candidates a second to some ten thousand."""
    of = st.sampled_from
    distances = draw(st.integers(1, 6))
    rates = st.lists(st.floats(0.1, 3.0), min_size=distances, max_size=distances)
    return {
        "flow.limit_rates": draw(rates),
        "flow.cancel_rates": draw(rates),
        "flow.market_rate": draw(of([0.94, 0.0, 5.0])),
        "flow.follow_rate": draw(of([0.0, 4.0])),
        "flow.speed": draw(of([20.0, 300.0])),
        "flow.order_lots": draw(of([1, 100, 5_000])),
        "flow.mean_orders": draw(of([1.0, 2.5])),
        "flow.cancel_bound": draw(of([None, 3])),
        "flow.touch_orders": draw(st.tuples(st.integers(1, 6), st.integers(1, 6))),
        "flow.redraw": draw(of(["never", "fixed", "geometric"])),
        "flow.market_branching": draw(of([0.0, 0.7])),
        "flow.limit_branching": draw(of([0.0, 0.5])),
        "flow.headroom": draw(of([2.0, 20.0])),
        "flow.metaorders": draw(of([0, 1, 3])),
    }


def seeds() -> st.SearchStrategy[int]:
    """Every seed there is."""
    return st.integers(0, (1 << 64) - 1)
