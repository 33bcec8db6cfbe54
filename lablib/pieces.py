"""Small pieces for teaching: each stands alone, and each is a face over the engine's own kernels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lablib.config import SimConfig
from lablib.engine import Market, Simulation, as_config
from lablib.errors import ConfigError
from lablib.kernels import delay, histogram, price, risk, strategy
from lablib.kernels import tables as t
from lablib.metrics import Latency
from lablib.tape import noise


class Action(IntEnum):
    """The raw signal."""

    SELL = -1
    HOLD = 0
    BUY = 1


class Stage(Enum):
    """What one decision goes through, in this order."""

    PREDICTION_TICK = "prediction tick"
    MARKET_TICK = "market tick"
    SIGNAL = "signal"
    RISK_CHECK = "risk check"
    ORDER = "order"
    FILL = "fill"
    METRICS = "metrics"
    PORTFOLIO_UPDATED = "portfolio updated"


class PriceGenerator:
    """A geometric Brownian path, one tick at a time.

    Parameters
    ----------
    seed
        The same seed gives the same path as a run's external price.
    start
        Price before the first tick.
    sigma
        Standard deviation of the log price over one tick.
    """

    def __init__(self, seed: int = 0, start: float = 100.0, sigma: float = 0.001) -> None:
        self._seed = noise.check_seed(seed)
        _check("start", start, start > 0)
        _check("sigma", sigma, sigma >= 0)
        self._params: Any = np.zeros(1, t.EXTERNAL_PARAMS)[0]
        self._params.interval_ns = 1
        self._params.sigma = sigma
        self._carry: Any = np.zeros(1, t.EXTERNAL_STATE)[0]
        self._carry.px = start
        self._event = np.zeros(1, t.TAPE_EVENT)
        self._block = -1

    def next_tick(self) -> float:
        """The next price."""
        block, offset = divmod(int(self._carry.index), noise.BLOCK)
        if block != self._block:
            self._block, self._normals = block, noise.normals(self._seed, noise.PRICE, block)
        one = self._normals[offset : offset + 1]
        price.external_path(self._params, self._carry, one, one, one, one, self._event)
        return float(self._carry.px)


class LagGenerator:
    """Delays of a wire, one at a time: uniform jitter here, any delay model by `of`.

    Parameters
    ----------
    seed
        The same seed gives the same delays.
    base_ms
        Smallest delay (ms).
    jitter_ms
        Width of the jitter (ms).
    """

    def __init__(self, seed: int = 0, base_ms: float = 120.0, jitter_ms: float = 0.0) -> None:
        _check("base_ms", base_ms, base_ms >= 0)
        _check("jitter_ms", jitter_ms, jitter_ms >= 0)
        self._params: Any = np.zeros(1, t.PARAMS)[0]
        self._params.key_low, self._params.key_high = noise.delay_key(noise.check_seed(seed))
        wire = self._params.delays[t.MARKET_LAG]
        wire.model = t.UNIFORM
        wire.shift_ns = base_ms * t.NS_PER_MS
        wire.scale_ns = jitter_ms * t.NS_PER_MS
        self._drawn = 0

    @classmethod
    def of(cls, delay: Any, seed: int = 0) -> Self:
        """Delays by whatever a leg of `latency` takes: a number (ms), a model, the name of wires.

        Spikes are part of them. Bursts and outages are not: they depend on the market and the time.

        >>> LagGenerator.of(20).next_lag_ms()
        20.0
        """
        drawn = cls(seed)
        config = SimConfig().replace({"latency.market_lag_ms": delay})
        drawn._params.delays = config.to_record().delays
        return drawn

    def next_lag_ms(self) -> float:
        """The next delay (ms)."""
        self._drawn += 1
        lag = delay.delay_ns(self._params, t.MARKET_LAG, t.MARKET_LAG, self._drawn, 0)
        return float(lag) / t.NS_PER_MS

    def lags_ms(self, count: int) -> NDArray[np.float64]:
        """The next `count` delays (ms)."""
        _check("count", count, count >= 0)
        return np.array([self.next_lag_ms() for _ in range(count)], np.float64)


def compute_signal(
    external_px: float, market_px: float, config: SimConfig | Mapping[str, Any] | str | None = None
) -> Action:
    """What the divergence strategy would do at these two prices.

    >>> compute_signal(101.0, 100.0).name
    'BUY'
    """
    _check("external_px", external_px, external_px > 0)
    _check("market_px", market_px, market_px > 0)
    divergence = (external_px - market_px) / market_px
    return Action(strategy.signal(divergence, as_config(config).strategy.threshold))


class RiskState:
    """The daily loss cap and its latch.

    Parameters
    ----------
    equity
        The day's first equity (currency).
    daily_loss_cap_pct
        Share of it that may be lost.
    """

    def __init__(self, equity: float, daily_loss_cap_pct: float = 0.02) -> None:
        _check("equity", equity, equity > 0)
        _check("daily_loss_cap_pct", daily_loss_cap_pct, 0 < daily_loss_cap_pct <= 1)
        self._unit = 1e-6  # currency of one unit here
        self._risk: Any = np.zeros(1, t.RISK)[0]
        self._account: Any = np.zeros(1, t.ACCOUNT)[0]
        limits: Any = np.zeros(1, t.RISK_PARAMS)[0]
        limits.daily_loss_cap_pct = daily_loss_cap_pct
        self._account.equity = round(equity / self._unit)
        risk.open_day(self._risk, self._account, limits)

    def apply_realized_pnl(self, pnl: float) -> None:
        """Book a realised profit or loss (currency) and look at the cap."""
        _check("pnl", pnl, math.isfinite(pnl))
        self._account.realized += round(pnl / self._unit)
        if risk.breached(self._risk, self._account):
            risk.latch(self._risk, t.DAILY_LOSS, 0)

    @property
    def halted(self) -> bool:
        """Whether the kill switch has latched."""
        return bool(self._risk.halted)

    @property
    def reason(self) -> str:
        """Why, or ""."""
        return t.REASONS[int(self._risk.reason)]

    @property
    def overshoot(self) -> float:
        """Loss beyond the cap (currency)."""
        return float(self._risk.overshoot) * self._unit


class Metrics:
    """The latency histogram by itself: constant memory, percentiles off by under 1 %, upwards."""

    def __init__(self) -> None:
        self._histogram: Any = np.zeros(1, t.HISTOGRAM)[0]

    def record_decision_latency_ms(self, value: float) -> None:
        """Count one decision latency (ms)."""
        _check("value", value, 0 <= value < 1e12)
        histogram.record(self._histogram, round(value * t.NS_PER_MS))

    def _view(self) -> Latency:
        return Latency(self._histogram["buckets"], int(self._histogram["largest"]))

    def p50_decision_latency_ms(self) -> float:
        """Median (ms); NaN before the first value."""
        return self._view().p50_ms

    def p99_decision_latency_ms(self) -> float:
        """99th percentile (ms); NaN before the first value."""
        return self._view().p99_ms


class SimEngine:
    """A run walked one decision at a time, with the stages it went through.

    Parameters
    ----------
    config, seed, market
        As `lablib.engine.Simulation`.
    """

    def __init__(
        self,
        config: SimConfig | Mapping[str, Any] | str | None = None,
        *,
        seed: int = 0,
        market: Market | None = None,
    ) -> None:
        self.simulation = Simulation(config, seed=seed, market=market)
        interval = self.simulation.config.strategy.decision_interval_ms
        self._interval_ns = round((interval or 50.0) * t.NS_PER_MS)
        self.frame = self.simulation.frame()

    def step_once(self) -> list[Stage]:
        """Move on by one decision; the stages that happened, in order, ending with the portfolio.

        Stages are read off what the state counted: an order that risk refused shows a risk check and
        no order; one still in flight shows no fill.
        """
        before, rejected = self.frame, self._refused()
        self.frame = after = self.simulation.advance(before.t_ns + self._interval_ns)
        refused = self._refused() - rejected
        stages = [Stage.PREDICTION_TICK, Stage.MARKET_TICK, Stage.SIGNAL]
        checked = after.order_count - before.order_count
        if checked or refused:
            stages.append(Stage.RISK_CHECK)
        if checked > refused:
            stages.append(Stage.ORDER)
        if after.fill_count > before.fill_count:
            stages.append(Stage.FILL)
        return [*stages, Stage.METRICS, Stage.PORTFOLIO_UPDATED]

    def _refused(self) -> int:
        return int(self.simulation.state.risk.rejected.sum())


def _check(name: str, value: object, holds: bool) -> None:
    if not holds:
        raise ConfigError(f"{name}: out of range, got {value!r}")
