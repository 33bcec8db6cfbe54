"""When we trade."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lablib.config.knobs import knob
from lablib.delays import MS_MAX, Section
from lablib.kernels import tables as t


class MakerConfig(Section):
    """Quotes of the strategy "market_maker" (Avellaneda and Stoikov 2008)."""

    risk_aversion: float = Field(
        0.1, gt=0, le=1e6, description="gamma: how much holding is disliked (1/currency)"
    )
    arrival_decay: float = Field(
        20.0,
        gt=0,
        le=1e9,
        description="k: how fast arrivals thin out with the distance from the mid (1/currency)",
    )
    volatility_px: float = Field(
        0.4472,
        ge=0,
        le=1e6,
        description="sigma: standard deviation of the price over one second (currency)",
    )
    horizon_s: float = Field(
        60.0,
        gt=0,
        le=1e6,
        description="T: when holdings are to be gone; then it starts over (s)",
    )
    inventory: bool = Field(
        True, description="Lean against what is held; else the same quotes whatever it is"
    )
    around: Literal["external", "mid"] = Field(
        "external",
        description="What the price is taken to be: the external one, or the venue's mid",
    )
    lots: int = Field(
        0,
        ge=0,
        le=1 << 30,
        description="Size of a quote (lots), cut to one entry of risk.max_position_pct where it is more;"
        " 0 sizes it as any entry",
    )


class StrategyConfig(Section):
    """When we trade."""

    name: Literal["divergence", "passive_divergence", "market_maker", "own", "idle"] = Field(
        "divergence",
        description="Take the quote, join its queue, quote both sides, follow your own function, or do nothing",
    )
    threshold: float = Field(
        0.003,
        ge=0,
        le=1,
        description="Divergence that triggers an order (fraction of the price)",
        json_schema_extra=knob("", 0, 0.02),
    )
    decision_interval_ms: float = Field(
        50.0,
        ge=0,
        le=MS_MAX,
        description="Time between decisions (ms); 0 decides on every update seen",
        json_schema_extra=knob("ms", 0, 500, live=False),
    )
    exit: Literal["opposite", "close", "time", "never"] = Field(
        "opposite", description="What closes a position"
    )
    exit_after_ms: float = Field(
        1_000.0,
        ge=0,
        le=1e9,
        description='Holding time of exit "time", from the entry decision (ms)',
        json_schema_extra=knob("ms", 0, 5_000),
    )
    stack: bool = Field(False, description="Allow further entries on a side that is already open")
    parameters: tuple[float, ...] = Field(
        (), max_length=t.N_PARAMETERS, description="Numbers handed to your own strategy"
    )
    volatile_size: float = Field(
        0.5, gt=0, le=1, description="Size multiple while we estimate a volatile regime"
    )
    requote: Literal["replace", "cancel"] = Field(
        "replace",
        description="How a quote is moved: replaced by one message, with what is left of its lots until the"
        " last of them has traded, or cancelled and sent anew at once, whole",
    )
    maker: MakerConfig = Field(
        default_factory=MakerConfig, description='Quotes, of strategy "market_maker"'
    )
