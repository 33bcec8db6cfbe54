"""The market that follows late: its books, and the flow of orders through them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lablib.config.knobs import knob
from lablib.delays import MS_MAX, Section
from lablib.errors import ConfigError
from lablib.kernels import tables as t

Rate = Annotated[float, Field(ge=0, le=1e6)]
Queue = Annotated[int, Field(ge=1, le=1_000)]


class VenueConfig(Section):
    """The market that follows late, and what trading there costs."""

    model: Literal["delayed_copy", "intensity", "makers", "flow", "recorded"] = Field(
        "delayed_copy", description="How the venue forms its price"
    )
    tick_size: float = Field(0.01, gt=0, le=1e6, description="Price step (currency)")
    lot_size: float = Field(0.001, gt=0, le=1e6, description="Quantity step (units of the asset)")
    half_spread_ticks: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Half the quoted spread (ticks); a real book needs at least 1",
        json_schema_extra=knob("ticks", 0, 20),
    )
    levels: int = Field(20, ge=1, le=t.N_LADDER, description="Price levels quoted on each side")
    level_lots: int = Field(
        1_000_000, ge=1, le=1 << 40, description="Depth of a level, of each maker's (lots)"
    )
    fee_bps: float = Field(
        2.0,
        ge=-50,
        le=500,
        description="Fee of a trade, negative for a rebate (bps of notional)",
        json_schema_extra=knob("bps", 0, 20),
    )


Rates = Annotated[tuple[Rate, ...], Field(min_length=1, max_length=t.N_DISTANCES)]


class FlowConfig(Section):
    """Strangers whose orders are the market of venue model "flow".

    The defaults are the rates per minute of Cont, Stoikov and Talreja (2010) for Sky Perfect
    Communications, read per second. The venue's price moves by this flow alone; where `follow_rate`
    is above 0, some strangers hear of the external price after `latency.market_lag_ms` and trade on it.
    Where `makers.investors` is on, the same market orders come to venue model "makers".
    """

    limit_rates: Rates = Field(
        (1.85, 1.51, 1.09, 0.88, 0.77),
        description="Limit orders on each side at 1, 2, … ticks from the opposite best quote (1/s)",
    )
    cancel_rates: Rates = Field(
        (0.71, 0.81, 0.68, 0.56, 0.47),
        description="Cancellations of each order there, the last one also beyond (1/s)",
    )
    market_rate: float = Field(
        0.94,
        ge=0,
        le=1e6,
        description="Market orders on each side (1/s)",
        json_schema_extra=knob("1/s", 0, 5),
    )
    follow_rate: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="Traders who know the lagged external price and take what is worth while (1/s)",
        json_schema_extra=knob("1/s", 0, 20),
    )
    speed: float = Field(
        1.0,
        gt=0,
        le=1e5,
        description="Multiple of every rate of the flow",
        json_schema_extra=knob("×", 1, 100),
    )
    order_lots: int = Field(5_000, ge=1, le=1 << 30, description="Size of one order (lots)")
    mean_orders: float = Field(
        1.0, ge=1, le=1_000, description="Mean size, geometric (orders); 1 has all sizes alike"
    )
    cancel_bound: int | None = Field(
        None,
        ge=1,
        le=t.N_STRANGERS,
        description="Live orders a side that cancel candidates are drawn for; ample unless given",
    )
    touch_orders: tuple[Queue, Queue] = Field(
        (2, 2),
        description="Orders at the best bid and ask at the start, and where redrawn (orders)",
    )
    redraw: Literal["never", "fixed", "geometric"] = Field(
        "never",
        description="Move by one tick when a best queue is empty and lay all queues anew: the best"
        " ones as `touch_orders` says, or geometric with those means",
    )
    market_branching: float = Field(
        0.0,
        ge=0,
        le=0.95,
        description="Market orders that one excites (Hawkes; 0 is Poisson); the mean rate stays",
        json_schema_extra=knob("orders", 0, 0.95),
    )
    limit_branching: float = Field(
        0.0,
        ge=0,
        le=0.95,
        description="Limit orders that one excites (Hawkes; 0 is Poisson); the mean rate stays",
        json_schema_extra=knob("orders", 0, 0.95),
    )
    excitation_decay: float = Field(
        5.0, gt=0, le=1e6, description="Decay of the excitation, exponential (1/s)"
    )
    headroom: float = Field(
        20.0,
        ge=1,
        le=1_000,
        description="Intensity that excited flow can reach (multiple of its mean rate); cut beyond",
    )
    metaorders: int = Field(
        0,
        ge=0,
        le=t.N_METAORDERS,
        description="Large orders being worked at once by market orders; 0 has independent signs",
    )
    metaorder_tail: float = Field(
        1.5, gt=1, le=10, description="Tail exponent of their length; signs then decay by one less"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if len(self.limit_rates) != len(self.cancel_rates):
            raise ConfigError(
                f"flow.cancel_rates: {len(self.cancel_rates)} rates for"
                f" {len(self.limit_rates)} distances of flow.limit_rates"
            )
        return self


class IntensityConfig(Section):
    """Counterparties of venue model "intensity": they come by themselves and trade with our orders alone.

    Its quote copies the external price like a delayed copy's; our market orders take it. An order that
    rests meets whoever comes to the other side and goes as far from the mid as it stands.
    """

    rate: float = Field(
        2.0,
        ge=0,
        le=1e6,
        description="Counterparties on each side who would trade at the mid (1/s)",
        json_schema_extra=knob("1/s", 0, 20),
    )
    interval_ms: float = Field(
        0.0,
        ge=0,
        le=MS_MAX,
        description="At most one a side, just after each multiple of this, with chance rate × interval (ms);"
        " 0 has them come at random times (Poisson)",
    )
    premium: Literal["exponential", "fixed"] = Field(
        "exponential",
        description="How far from the mid a counterparty goes: exponential (Avellaneda-Stoikov), or"
        " always the same (Moallemi-Saglam)",
    )
    premium_px: float = Field(
        0.05,
        gt=0,
        le=1e6,
        description="How far, in the mean or always (currency)",
        json_schema_extra=knob("currency", 0.01, 1),
    )
    reach_px: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="How far beyond the mid the exponential still grows for a quote that gives money away, at"
        " random times (currency)",
    )
    order_lots: int = Field(
        0, ge=0, le=1 << 30, description="Lots one counterparty wants; 0 takes a whole order"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.rate * self.interval_ms > 1_000:
            raise ConfigError(
                f"intensity.rate: {self.rate} is more than one counterparty in each"
                f" intensity.interval_ms of {self.interval_ms}"
            )
        if self.reach_px > 20 * self.premium_px:
            raise ConfigError(
                f"intensity.reach_px: {self.reach_px} is more than 20 times intensity.premium_px"
                f" of {self.premium_px}"
            )
        return self
