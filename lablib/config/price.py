"""The price the world sees first."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from lablib.config.knobs import knob
from lablib.delays import MS_MAX, Section
from lablib.errors import ConfigError
from lablib.kernels import tables as t


class RegimeConfig(Section):
    """Calm, normal and volatile spells of the external price: a Markov chain over its ticks."""

    enabled: bool = Field(False, description="Let volatility switch between regimes")
    calm_volatility: float = Field(
        0.5, ge=0, le=20, description="Multiple of the volatility while calm"
    )
    volatile_volatility: float = Field(
        2.5, ge=0, le=20, description="Multiple of the volatility while volatile"
    )
    mean_stay_s: float = Field(30.0, gt=0, le=86_400, description="Mean time in a regime (s)")


class BurstConfig(Section):
    """One scheduled stretch of stress."""

    enabled: bool = Field(False, description="Have a stress burst")
    start_s: float = Field(60.0, ge=0, le=1e7, description="When it starts (s)")
    duration_s: float = Field(30.0, gt=0, le=1e6, description="How long it lasts (s)")
    volatility: float = Field(
        4.0, ge=0, le=50, description="Multiple of the volatility during the burst"
    )


class JumpConfig(Section):
    """Compound-Poisson jumps of the log price; read where `external.model` is "jumps"."""

    per_hour: float = Field(
        60.0,
        ge=0,
        le=360_000,
        description="Jumps expected in an hour",
    )
    law: Literal["normal", "double_exponential"] = Field(
        "normal",
        description="Law of a jump of the log price: normal (Merton) or double exponential (Kou)",
    )
    mean_bps: float = Field(
        0.0, ge=-5_000, le=5_000, description="Mean of a normal jump (bps); nothing compensates it"
    )
    sd_bps: float = Field(
        20.0,
        ge=0,
        le=5_000,
        description="Standard deviation of a normal jump (bps)",
    )
    up_share: float = Field(
        0.5, gt=0, lt=1, description="Share of double-exponential jumps that go up"
    )
    up_bps: float = Field(15.0, ge=0, le=5_000, description="Mean size of those (bps)")
    down_bps: float = Field(
        15.0, ge=0, le=5_000, description="Mean size of those that go down (bps)"
    )


class ExternalConfig(Section):
    """The price the world sees first.

    Over an interval D, with z a standard normal and no drift: "gbm" moves the log price by
    volatility_bps √D z; "bachelier" the price by volatility_px √D z; "mean_reversion" lets the log
    price's distance from start_px halve in half_life_s on average (Ornstein-Uhlenbeck, exact in D, of
    stationary sd volatility_bps · √(half_life_s / 2 ln 2)); "jumps" is gbm with compound-Poisson jumps.
    Regimes and the burst multiply the volatility under each of them.
    """

    model: Literal["gbm", "bachelier", "mean_reversion", "jumps"] = Field(
        "gbm",
        description="Law of the external price: geometric or arithmetic (bachelier) Brownian motion,"
        " mean reversion of the log price, geometric with jumps",
    )
    start_px: float = Field(100.0, gt=0, le=1e7, description="External price at time 0 (currency)")
    volatility_bps: float = Field(
        44.72,
        ge=0,
        le=5_000,
        description="Standard deviation of the log price over one second (bps)",
        json_schema_extra=knob("bps/√s", 0, 200),
    )
    volatility_px: float = Field(
        0.4472,
        ge=0,
        le=1e6,
        description='Under "bachelier": standard deviation of the price over one second (currency)',
    )
    half_life_s: float = Field(
        60.0,
        gt=0,
        le=1e7,
        description='Under "mean_reversion": time in which the distance from start_px halves (s)',
    )
    jumps: JumpConfig = Field(default_factory=JumpConfig, description='Jumps, under "jumps"')
    interval_ms: float = Field(
        50.0,
        gt=0,
        le=MS_MAX,
        description="Time between external ticks (ms)",
        json_schema_extra=knob("ms", 1, 500, live=False),
    )
    regimes: RegimeConfig = Field(
        default_factory=RegimeConfig, description="Calm, normal, volatile spells"
    )
    burst: BurstConfig = Field(default_factory=BurstConfig, description="A scheduled stress burst")

    @model_validator(mode="after")
    def _jumps_fit(self) -> Self:
        expected = self.jumps.per_hour * self.interval_ms / 3_600_000
        if self.model == "jumps" and expected > 0.5:
            raise ConfigError(
                f"external.jumps.per_hour: {self.jumps.per_hour} is {expected:.3g} jumps in each"
                f" external.interval_ms of {self.interval_ms}; at most 0.5, so that {t.N_JUMPS} suffice"
            )
        return self
