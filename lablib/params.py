"""From a person's units to the kernels' integers: the only place where they are converted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.kernels import tables as t
from lablib.units import ns, parse_duration

if TYPE_CHECKING:
    from lablib.config import MakersConfig, RiskConfig, SimConfig

_VENUES = {
    "delayed_copy": t.DELAYED_COPY,
    "intensity": t.INTENSITY,
    "makers": t.MAKERS,
    "flow": t.FLOW,
    "recorded": t.RECORDED,
}
_REDRAWS = {
    "never": t.REDRAW_NEVER,
    "fixed": t.REDRAW_FIXED,
    "geometric": t.REDRAW_GEOMETRIC,
}
_STRATEGIES = {
    "idle": t.IDLE,
    "divergence": t.DIVERGENCE,
    "passive_divergence": t.PASSIVE_DIVERGENCE,
    "market_maker": t.MARKET_MAKER,
    "own": t.OWN_STRATEGY,
}
_LAWS = {
    "gbm": t.GBM,
    "bachelier": t.BACHELIER,
    "mean_reversion": t.MEAN_REVERSION,
    "jumps": t.JUMPS,
}
_EXITS = {
    "never": t.EXIT_NEVER,
    "opposite": t.EXIT_OPPOSITE,
    "close": t.EXIT_CLOSE,
    "time": t.EXIT_TIME,
}


def to_record(config: SimConfig) -> Any:
    """The kernels' view of a configuration, one `tables.PARAMS` record; the noise keys stay 0 for the engine to set."""
    whole = np.zeros(1, t.PARAMS)
    # Taken from the array, since NumPy takes a record from a record through Python.
    part: dict[str, Any] = {name: whole[name][0] for name in t.PARAMS.names or ()}
    venue, latency = config.venue, config.latency
    _external(part["external"], config)
    _flow(part["flow"], config)
    _intensity(part["intensity"], config)
    _makers(part["makers"], config.makers)
    _copy(part["rivals"], config.rivals)
    _fill(
        part["venue"],
        model=_VENUES[venue.model],
        half_spread_ticks=venue.half_spread_ticks,
        levels=venue.levels,
        level_lots=venue.level_lots,
        fee_rate=round(venue.fee_bps * t.FEE_ONE / 10_000),
    )
    _delays(part["delays"], config)
    if np.any(whole["delays"]["burst_factor"] > 1):
        whole["burst_memory_ns"] = latency.burst_memory_ms * t.NS_PER_MS
    _strategy(part["strategy"], whole["strategy"]["maker"][0], config)
    _risk(part["risk"], config.risk)
    _copy(part["drills"], config.drills)
    _fill(part["drills"], latency_spike_ns=ns(config.drills.latency_spike_ms))
    params = whole[0]
    _fill(
        params,
        starting_cash=round(config.account.starting_cash / config.unit_value),
        tick_px=venue.tick_size,
        unit_value=config.unit_value,
        samples=config.record.samples,
    )
    return params


def _fill(record: Any, **fields: Any) -> None:
    """Set fields of a record. To set one as an attribute takes NumPy ten times as long."""
    for name, value in fields.items():
        record[name] = value


def _copy(record: Any, section: Any) -> None:
    """Set every field that the section has by the same name, and so, as names bear units, in the same unit."""
    known = type(section).model_fields
    for name in record.dtype.names:
        if name in known:
            record[name] = getattr(section, name)


def _external(params: Any, config: SimConfig) -> None:
    external = config.external
    seconds = external.interval_ms / 1_000
    _fill(
        params,
        model=_LAWS[external.model],
        interval_ns=max(1, ns(external.interval_ms)),
        start_ticks=external.start_px / config.venue.tick_size,
        sigma=external.volatility_bps * 1e-4 * seconds**0.5,
    )
    if external.model == "bachelier":
        params["sigma"] = external.volatility_px / config.venue.tick_size * seconds**0.5
    elif external.model == "mean_reversion":
        rate = math.log(2) / external.half_life_s
        spread = -math.expm1(-2 * rate * seconds) / (2 * rate)
        params["decay"] = math.exp(-rate * seconds)
        params["sigma"] = external.volatility_bps * 1e-4 * spread**0.5
    elif external.model == "jumps":
        _jumps(params, external.jumps, seconds)
    regimes, burst = external.regimes, external.burst
    _fill(
        params,
        regimes=regimes.enabled,
        regime_sigma=(regimes.calm_volatility, 1.0, regimes.volatile_volatility),
        regime_stay=0.5 ** (seconds / (regimes.mean_stay_s * 0.6931471805599453)),
        burst_sigma=burst.volatility,
    )
    if burst.enabled:
        begin = ns(burst.start_s * 1_000)
        end = begin + ns(burst.duration_s * 1_000)
        _fill(params, burst_from_ns=begin, burst_until_ns=end)


def _jumps(params: Any, jumps: Any, seconds: float) -> None:
    rate = jumps.per_hour / 3_600 * seconds
    _fill(
        params,
        jump_rate=rate,
        jump_none=math.exp(-rate),
        jump_law=t.NORMAL_JUMPS if jumps.law == "normal" else t.DOUBLE_EXPONENTIAL_JUMPS,
        jump_mean=jumps.mean_bps * 1e-4,
        jump_sigma=jumps.sd_bps * 1e-4,
        jump_up_share=jumps.up_share,
        jump_up=jumps.up_bps * 1e-4,
        jump_down=jumps.down_bps * 1e-4,
    )


def _flow(params: Any, config: SimConfig) -> None:
    flow = config.flow
    limits, cancels = (flow.speed * np.array(x) for x in (flow.limit_rates, flow.cancel_rates))
    distances, markets = limits.size, flow.speed * flow.market_rate
    decay = flow.speed * flow.excitation_decay
    # What a level holds in the long run; one without cancellations would grow for ever.
    settled = limits / np.where(cancels > 0, cancels, np.inf)
    # Beyond that, eight standard deviations of a Poisson law, wider where orders come in clusters.
    held = (settled.sum() + max(flow.touch_orders)) / (1 - flow.limit_branching)
    _fill(
        params,
        distances=distances,
        cancel_most=cancels.max(),
        cancel_bound=flow.cancel_bound or min(t.N_STRANGERS, int(held + 8 * held**0.5 + 8)),
        market_rate=markets,
        follow_rate=flow.speed * flow.follow_rate,
        order_lots=flow.order_lots,
        mean_orders=flow.mean_orders,
        branching=(flow.limit_branching, flow.market_branching),
        decay=decay / t.NS_PER_S,
        headroom=flow.headroom,
        metaorders=flow.metaorders,
        meta_power=-1 / flow.metaorder_tail,
        redraw=_REDRAWS[flow.redraw],
        touch_orders=flow.touch_orders,
    )
    depth = np.minimum(np.rint(settled), t.N_STRANGERS // (4 * distances))
    for name, values in (("limit_rate", limits), ("cancel_rate", cancels), ("depth_orders", depth)):
        params[name][:distances] = values
    for which, branching, rate in (
        (t.LIMITS, flow.limit_branching, limits.sum()),
        (t.MARKETS, flow.market_branching, markets),
    ):
        if branching > 0 and rate > 0:
            params["kick"][which] = branching * decay / (2 * rate)
    if config.venue.model == "makers":  # of the crowd, only investors may come there
        investors = markets * config.makers.investors
        _fill(params, limit_rate=0, cancel_most=0, follow_rate=0, market_rate=investors)


def _makers(params: Any, makers: MakersConfig) -> None:
    behind = np.arange(t.N_MAKERS)
    _fill(
        params,
        count=makers.count,
        late_ns=behind * ns(makers.slower_ms),
        refresh_ticks=makers.refresh_ticks + behind * makers.lazier_ticks,
        widen_ticks=makers.widen_ticks,
        calm_ns=ns(makers.calm_ms),
    )


def _intensity(params: Any, config: SimConfig) -> None:
    rules = config.intensity
    candidates, likely = rules.rate, 1.0
    if rules.interval_ms > 0:
        candidates = 1_000 / rules.interval_ms
        likely = rules.rate / candidates
    elif rules.premium == "exponential":
        likely = math.exp(-rules.reach_px / rules.premium_px)
        candidates = rules.rate / likely
    _fill(
        params,
        interval_ns=ns(rules.interval_ms),
        candidates=candidates,
        likely=likely,
        premium_ticks=rules.premium_px / config.venue.tick_size,
        fixed=rules.premium == "fixed",
        order_lots=rules.order_lots,
    )


def _strategy(params: Any, quotes: Any, config: SimConfig) -> None:
    strategy, maker, tick_size = config.strategy, config.strategy.maker, config.venue.tick_size
    _fill(
        params,
        name=_STRATEGIES[strategy.name],
        threshold=strategy.threshold,
        decision_ns=ns(strategy.decision_interval_ms),
        exit=_EXITS[strategy.exit],
        exit_after_ns=ns(strategy.exit_after_ms),
        stack=strategy.stack,
        volatile_size=strategy.volatile_size,
        replaces=strategy.requote == "replace",
    )
    gamma = maker.risk_aversion
    _fill(
        quotes,
        around_mid=maker.around == "mid",
        lots=maker.lots,
        horizon_ns=ns(maker.horizon_s * 1_000),
        skew=gamma * maker.volatility_px**2 / tick_size,
        spread_ticks=2 / gamma * math.log1p(gamma / maker.arrival_decay) / tick_size,
        inventory=maker.inventory,
    )
    params["parameters"][: len(strategy.parameters)] = strategy.parameters


def _risk(params: Any, risk: RiskConfig) -> None:
    _copy(params, risk)
    _fill(
        params,
        day_ns=parse_duration(risk.day_length),
        stale_external_ns=ns(risk.stale_external_ms),
        stale_venue_ns=ns(risk.stale_venue_ms),
        order_timeout_ns=ns(risk.order_timeout_ms),
    )


def _delays(params: Any, config: SimConfig) -> None:
    latency = config.latency
    cancel = latency.order_entry_ms if latency.cancel_ms is None else latency.cancel_ms
    for wire, delay in (
        (t.MARKET_LAG, latency.market_lag_ms),
        (t.EXTERNAL_FEED, latency.external_feed_ms),
        (t.VENUE_FEED, latency.venue_feed_ms),
        (t.DECISION, latency.decision_ms),
        (t.ORDER_ENTRY, latency.order_entry_ms),
        (t.ACK, latency.ack_ms),
        (t.CANCEL_ENTRY, cancel),
        (t.RIVALS, config.rivals.reaction_ms),
    ):
        _delay(params[wire], delay)
    params["free"][t.RIVALS] = 1  # nobody waits behind somebody else's order


def _delay(record: Any, delay: Any) -> None:
    """Fill one `tables.DELAY` from a number of milliseconds or a model of `lablib.delays`."""
    if isinstance(delay, int | float):
        _fill(record, model=t.CONSTANT, shift_ns=ns(delay), steady=1)
        return
    _law(record, delay)
    disturbed = delay.burst_factor > 1 or delay.outage_s > 0
    drawn = delay.model != "constant" or delay.spike_probability > 0
    _fill(
        record,
        spike_probability=delay.spike_probability,
        spike_ns=delay.spike_ms * t.NS_PER_MS,
        spike_alpha=delay.spike_alpha,
        burst_factor=delay.burst_factor,
        burst_swing=delay.burst_bps * 1e-4,
        free=not delay.fifo,
        disturbed=disturbed,
        steady=delay.fifo and not (drawn or disturbed),
    )
    if delay.outage_s > 0:
        _fill(
            record,
            outage_from_ns=round(delay.outage_start_s * t.NS_PER_S),
            outage_ns=round(delay.outage_s * t.NS_PER_S),
            outage_every_ns=round(delay.outage_every_s * t.NS_PER_S),
            outage_loses=delay.outage_loses,
        )


def _law(record: Any, delay: Any) -> None:
    """The random part of a delay model."""
    if delay.model == "constant":
        _fill(record, model=t.CONSTANT, shift_ns=ns(delay.ms))
        return
    if delay.model == "uniform":
        _fill(record, model=t.UNIFORM, shift_ns=ns(delay.base_ms), scale_ns=ns(delay.jitter_ms))
        return
    record["shift_ns"] = ns(delay.shift_ms)
    if delay.model == "gamma":
        _fill(
            record,
            model=t.GAMMA,
            scale_ns=delay.mean_ms * t.NS_PER_MS / delay.shape,
            gamma_shape=delay.shape,
            log_gamma=math.lgamma(delay.shape),
        )
    elif delay.model == "empirical":
        points = len(delay.probabilities)
        _fill(record, model=t.EMPIRICAL, points=points)
        record["probability"][:points] = delay.probabilities
        scale = delay.scale * t.NS_PER_MS
        record["quantile_ns"][:points] = np.array(delay.quantiles_ms) * scale
    else:
        scale = delay.median_ms * t.NS_PER_MS
        _fill(record, model=t.LOGNORMAL, scale_ns=scale, sigma=delay.sigma)
