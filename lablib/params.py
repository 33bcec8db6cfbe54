"""From a person's units to the kernels' integers: the only place where they are converted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.kernels import tables as t
from lablib.units import ns, parse_duration

if TYPE_CHECKING:
    from lablib.config import DrillsConfig, MakerConfig, MakersConfig, RiskConfig, SimConfig

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
    params: Any = np.zeros(1, t.PARAMS)[0]
    _external(params.external, config)
    _flow(params.flow, config)
    _intensity(params.intensity, config)
    _makers(params.makers, config.makers)
    params.rivals.count = config.rivals.count
    params.rivals.edge_ticks = config.rivals.edge_ticks
    params.rivals.lots = config.rivals.lots
    venue, risk, strategy = config.venue, config.risk, config.strategy
    params.venue.model = _VENUES[venue.model]
    params.venue.half_spread_ticks = venue.half_spread_ticks
    params.venue.levels = venue.levels
    params.venue.level_lots = venue.level_lots
    params.venue.fee_rate = round(venue.fee_bps * t.FEE_ONE / 10_000)
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
    ):
        _delay(params.delays[wire], delay)
    _delay(params.delays[t.RIVALS], config.rivals.reaction_ms)
    params.delays[t.RIVALS].free = 1  # nobody waits behind somebody else's order
    if np.any(params.delays["burst_factor"] > 1):
        params.burst_memory_ns = latency.burst_memory_ms * t.NS_PER_MS
    params.strategy.name = _STRATEGIES[strategy.name]
    params.strategy.threshold = strategy.threshold
    params.strategy.decision_ns = ns(strategy.decision_interval_ms)
    params.strategy.exit = _EXITS[strategy.exit]
    params.strategy.exit_after_ns = ns(strategy.exit_after_ms)
    params.strategy.stack = strategy.stack
    params.strategy.volatile_size = strategy.volatile_size
    params.strategy.replaces = strategy.requote == "replace"
    _maker(params.strategy.maker, strategy.maker, config.venue.tick_size)
    params.strategy.parameters[: len(strategy.parameters)] = strategy.parameters
    params.risk.max_position_pct = risk.max_position_pct
    params.risk.max_gross_pct = risk.max_gross_pct
    params.risk.daily_loss_cap_pct = risk.daily_loss_cap_pct
    params.risk.check_notional = risk.check_notional
    params.risk.day_ns = parse_duration(risk.day_length)
    params.risk.flatten_on_halt = risk.flatten_on_halt
    params.risk.rearm_each_day = risk.rearm_each_day
    _guards(params.risk, risk)
    _drills(params.drills, config.drills)
    params.starting_cash = round(config.account.starting_cash / config.unit_value)
    params.tick_px = venue.tick_size
    params.unit_value = config.unit_value
    params.samples = config.record.samples
    return params


def _external(params: Any, config: SimConfig) -> None:
    external = config.external
    seconds = external.interval_ms / 1_000
    params.model = _LAWS[external.model]
    params.interval_ns = max(1, ns(external.interval_ms))
    params.start_ticks = external.start_px / config.venue.tick_size
    params.sigma = external.volatility_bps * 1e-4 * seconds**0.5
    if external.model == "bachelier":
        params.sigma = external.volatility_px / config.venue.tick_size * seconds**0.5
    elif external.model == "mean_reversion":
        rate = math.log(2) / external.half_life_s
        params.decay = math.exp(-rate * seconds)
        spread = -math.expm1(-2 * rate * seconds) / (2 * rate)
        params.sigma = external.volatility_bps * 1e-4 * spread**0.5
    elif external.model == "jumps":
        _jumps(params, external.jumps, seconds)
    regimes, burst = external.regimes, external.burst
    params.regimes = regimes.enabled
    params.regime_sigma[:] = (regimes.calm_volatility, 1.0, regimes.volatile_volatility)
    params.regime_stay[:] = 0.5 ** (seconds / (regimes.mean_stay_s * 0.6931471805599453))
    if burst.enabled:
        params.burst_from_ns = ns(burst.start_s * 1_000)
        params.burst_until_ns = params.burst_from_ns + ns(burst.duration_s * 1_000)
    params.burst_sigma = burst.volatility


def _jumps(params: Any, jumps: Any, seconds: float) -> None:
    params.jump_rate = jumps.per_hour / 3_600 * seconds
    params.jump_none = math.exp(-params.jump_rate)
    params.jump_law = t.NORMAL_JUMPS if jumps.law == "normal" else t.DOUBLE_EXPONENTIAL_JUMPS
    params.jump_mean = jumps.mean_bps * 1e-4
    params.jump_sigma = jumps.sd_bps * 1e-4
    params.jump_up_share = jumps.up_share
    params.jump_up = jumps.up_bps * 1e-4
    params.jump_down = jumps.down_bps * 1e-4


def _flow(params: Any, config: SimConfig) -> None:
    flow = config.flow
    limits, cancels = (flow.speed * np.array(x) for x in (flow.limit_rates, flow.cancel_rates))
    distances = params.distances = limits.size
    params.limit_rate[:distances] = limits
    params.cancel_rate[:distances] = cancels
    params.cancel_most = cancels.max()
    params.market_rate = flow.speed * flow.market_rate
    params.follow_rate = flow.speed * flow.follow_rate
    params.order_lots = flow.order_lots
    params.mean_orders = flow.mean_orders
    # What a level holds in the long run; one without cancellations would grow for ever.
    settled = limits / np.where(cancels > 0, cancels, np.inf)
    params.depth_orders[:distances] = np.minimum(np.rint(settled), t.N_STRANGERS // (4 * distances))
    params.touch_orders[:] = flow.touch_orders
    # Beyond that, eight standard deviations of a Poisson law, wider where orders come in clusters.
    held = (settled.sum() + max(flow.touch_orders)) / (1 - flow.limit_branching)
    params.cancel_bound = flow.cancel_bound or min(t.N_STRANGERS, int(held + 8 * held**0.5 + 8))
    params.branching[:] = (flow.limit_branching, flow.market_branching)
    params.decay = flow.speed * flow.excitation_decay / t.NS_PER_S
    for which, rate in ((t.LIMITS, limits.sum()), (t.MARKETS, params.market_rate)):
        if params.branching[which] > 0 and rate > 0:
            decay = flow.speed * flow.excitation_decay
            params.kick[which] = params.branching[which] * decay / (2 * rate)
    params.headroom = flow.headroom
    params.metaorders = flow.metaorders
    params.meta_power = -1 / flow.metaorder_tail
    params.redraw = _REDRAWS[flow.redraw]
    if config.venue.model == "makers":  # of the crowd, only investors may come there
        params.limit_rate[:] = 0
        params.cancel_most = params.follow_rate = 0
        params.market_rate *= config.makers.investors


def _makers(params: Any, makers: MakersConfig) -> None:
    behind = np.arange(t.N_MAKERS)
    params.count = makers.count
    params.late_ns[:] = behind * ns(makers.slower_ms)
    params.refresh_ticks[:] = makers.refresh_ticks + behind * makers.lazier_ticks
    params.widen_ticks = makers.widen_ticks
    params.calm_ns = ns(makers.calm_ms)


def _intensity(params: Any, config: SimConfig) -> None:
    rules = config.intensity
    params.interval_ns = ns(rules.interval_ms)
    params.candidates = rules.rate
    params.likely = 1.0
    params.premium_ticks = rules.premium_px / config.venue.tick_size
    params.fixed = rules.premium == "fixed"
    params.order_lots = rules.order_lots
    if rules.interval_ms > 0:
        params.candidates = 1_000 / rules.interval_ms
        params.likely = rules.rate / params.candidates
    elif rules.premium == "exponential":
        params.likely = math.exp(-rules.reach_px / rules.premium_px)
        params.candidates = rules.rate / params.likely


def _maker(params: Any, maker: MakerConfig, tick_size: float) -> None:
    gamma, variance = maker.risk_aversion, maker.volatility_px**2
    params.around_mid = maker.around == "mid"
    params.lots = maker.lots
    params.horizon_ns = ns(maker.horizon_s * 1_000)
    params.skew = gamma * variance / tick_size
    params.spread_ticks = 2 / gamma * math.log1p(gamma / maker.arrival_decay) / tick_size
    params.inventory = maker.inventory


def _guards(params: Any, risk: RiskConfig) -> None:
    params.max_open_orders = risk.max_open_orders
    params.max_orders_per_s = risk.max_orders_per_s
    params.price_collar_pct = risk.price_collar_pct
    params.refuse_crossed = risk.refuse_crossed
    params.drawdown_cap_pct = risk.drawdown_cap_pct
    params.max_loss_streak = risk.max_loss_streak
    params.max_lost_messages = risk.max_lost_messages
    params.stale_external_ns = ns(risk.stale_external_ms)
    params.stale_venue_ns = ns(risk.stale_venue_ms)
    params.order_timeout_ns = ns(risk.order_timeout_ms)
    params.check_books = risk.check_books


def _drills(params: Any, drills: DrillsConfig) -> None:
    params.stale_feed = drills.stale_feed
    params.feed_gap = drills.feed_gap
    params.duplicate_order = drills.duplicate_order
    params.stuck_exit = drills.stuck_exit
    params.size_multiple = drills.size_multiple
    params.latency_spike_ns = ns(drills.latency_spike_ms)
    params.crossed_quotes = drills.crossed_quotes


def _delay(record: Any, delay: Any) -> None:
    """Fill one `tables.DELAY` from a number of milliseconds or a model of `lablib.delays`."""
    if isinstance(delay, int | float):
        record.model = t.CONSTANT
        record.shift_ns = ns(delay)
        record.steady = 1
        return
    _law(record, delay)
    record.spike_probability = delay.spike_probability
    record.spike_ns = delay.spike_ms * t.NS_PER_MS
    record.spike_alpha = delay.spike_alpha
    record.burst_factor = delay.burst_factor
    record.burst_swing = delay.burst_bps * 1e-4
    if delay.outage_s > 0:
        record.outage_from_ns = round(delay.outage_start_s * t.NS_PER_S)
        record.outage_ns = round(delay.outage_s * t.NS_PER_S)
        record.outage_every_ns = round(delay.outage_every_s * t.NS_PER_S)
        record.outage_loses = delay.outage_loses
    record.free = not delay.fifo
    record.disturbed = delay.burst_factor > 1 or delay.outage_s > 0
    drawn = delay.model != "constant" or delay.spike_probability > 0
    record.steady = not (drawn or record.disturbed or record.free)


def _law(record: Any, delay: Any) -> None:
    """The random part of a delay model."""
    if delay.model == "constant":
        record.model = t.CONSTANT
        record.shift_ns = ns(delay.ms)
    elif delay.model == "uniform":
        record.model = t.UNIFORM
        record.shift_ns = ns(delay.base_ms)
        record.scale_ns = ns(delay.jitter_ms)
    elif delay.model == "gamma":
        record.model = t.GAMMA
        record.shift_ns = ns(delay.shift_ms)
        record.scale_ns = delay.mean_ms * t.NS_PER_MS / delay.shape
        record.gamma_shape = delay.shape
        record.log_gamma = math.lgamma(delay.shape)
    elif delay.model == "empirical":
        record.model = t.EMPIRICAL
        record.shift_ns = ns(delay.shift_ms)
        record.points = len(delay.probabilities)
        record.probability[: record.points] = delay.probabilities
        scale = delay.scale * t.NS_PER_MS
        record.quantile_ns[: record.points] = np.array(delay.quantiles_ms) * scale
    else:
        record.model = t.LOGNORMAL
        record.shift_ns = ns(delay.shift_ms)
        record.scale_ns = delay.median_ms * t.NS_PER_MS
        record.sigma = delay.sigma
