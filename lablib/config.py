"""What a run is made of: one frozen model per room, in a person's units.

The one definition that Python, TOML, the command line, the API and the sliders read: every field has
a unit, a range and a description. `to_record` turns it into the kernels' integers and is the only
place where milliseconds, basis points and currency become nanoseconds, ticks and units.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from lablib.delays import MODELS, MS_MAX, Delay, Section
from lablib.errors import ConfigError, LabError
from lablib.kernels import tables as t
from lablib.params import to_record
from lablib.presets import SCENARIOS
from lablib.units import parse_duration
from lablib.wires import WIRES

UNITS_MAX = 1 << 52  # money stays exact in a float64 as well


def _knob(unit: str, low: float, high: float, *, log: bool = False, live: bool = True) -> Any:
    """How a slider shows a field: unit, the range worth moving in, and whether a running market takes it."""
    return {"unit": unit, "low": low, "high": high, "log": log, "live": live}


def _switch(*, live: bool = True) -> dict[str, Any]:
    """What a panel of switches wants to know about a field that is on or off."""
    return {"switch": True, "live": live}


# ---------------------------------------------------------------------------------------------- wires
FEEDS = ("market_lag_ms", "external_feed_ms", "venue_feed_ms")
LEGS = (*FEEDS, "decision_ms", "order_entry_ms", "cancel_ms", "ack_ms")


def _named(name: str, leg: str) -> dict[str, Any]:
    """The delay that a preset has for a leg."""
    if name not in WIRES:
        raise ConfigError(f"no wires {name!r}; there are {', '.join(WIRES)}")
    return WIRES[name].leg(leg)


class LatencyConfig(Section):
    """How long every message travels.

    Each leg takes a number of milliseconds, a delay model of `lablib.delays`, or the name of a preset
    of `lablib.wires`, which is replaced by that preset's delay for the leg. Cancels, replaces and the
    word that we halt share the order-entry wire with the orders: with a delay of their own they still
    overtake none of them, unless `fifo` is off in `cancel_ms`.
    """

    market_lag_ms: Delay = Field(
        120.0,
        description="External price move until the venue's makers act on it (ms)",
        json_schema_extra=_knob("ms", 0, 500),
    )
    external_feed_ms: Delay = Field(
        0.0,
        description="External price move until we see it (ms)",
        json_schema_extra=_knob("ms", 0, 200),
    )
    venue_feed_ms: Delay = Field(
        0.0,
        description="Change of the venue's quote until we see it (ms)",
        json_schema_extra=_knob("ms", 0, 200),
    )
    decision_ms: Delay = Field(
        0.0,
        description="Looking until the order leaves our process (ms)",
        json_schema_extra=_knob("ms", 0, 200),
    )
    order_entry_ms: Delay = Field(
        0.0,
        description="Order sent until the venue has it (ms)",
        json_schema_extra=_knob("ms", 0, 300),
    )
    cancel_ms: Delay | None = Field(
        None, description="Cancel sent until the venue has it (ms); as order entry unless given"
    )
    ack_ms: Delay = Field(
        0.0, description="Venue acted until we know (ms)", json_schema_extra=_knob("ms", 0, 300)
    )
    burst_memory_ms: float = Field(
        500.0,
        gt=0,
        le=MS_MAX,
        description="How far back the external log return of late reaches that bursts are tied to:"
        " a step's weight falls as exp(-age / this) (ms)",
    )

    @field_validator(*LEGS, mode="wrap")
    @classmethod
    def _leg(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        leg = str(info.field_name)
        try:
            if isinstance(value, str):
                value = _named(value, leg)
            delay = handler(value)
        except LabError as error:
            raise type(error)(f"latency.{leg}: {error}") from None
        if getattr(delay, "outage_loses", False) and leg not in FEEDS:
            raise ConfigError(
                f"latency.{leg}.outage_loses: only a feed may lose messages ({', '.join(FEEDS)})"
            )
        return delay


OWN_WIRES = tuple(leg for leg in LEGS if leg != "market_lag_ms")


# --------------------------------------------------------------------------------------------- market
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
        json_schema_extra=_knob("bps/√s", 0, 200),
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
        json_schema_extra=_knob("ms", 1, 500, live=False),
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
        json_schema_extra=_knob("ticks", 0, 20),
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
        json_schema_extra=_knob("bps", 0, 20),
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
        json_schema_extra=_knob("1/s", 0, 5),
    )
    follow_rate: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="Traders who know the lagged external price and take what is worth while (1/s)",
        json_schema_extra=_knob("1/s", 0, 20),
    )
    speed: float = Field(
        1.0,
        gt=0,
        le=1e5,
        description="Multiple of every rate of the flow",
        json_schema_extra=_knob("×", 1, 100),
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
        json_schema_extra=_knob("orders", 0, 0.95),
    )
    limit_branching: float = Field(
        0.0,
        ge=0,
        le=0.95,
        description="Limit orders that one excites (Hawkes; 0 is Poisson); the mean rate stays",
        json_schema_extra=_knob("orders", 0, 0.95),
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
        json_schema_extra=_knob("1/s", 0, 20),
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
        json_schema_extra=_knob("currency", 0.01, 1),
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


class MakersConfig(Section):
    """Who makes the price of venue model "makers".

    Each hears of the external price by the law of `latency.market_lag_ms`, with a draw of its own, and
    quotes `venue.levels` levels of `venue.level_lots` around it. A maker is picked off when an order of
    its own is taken at a price that the external price of that moment is through; it knows as soon as
    it has heard of that price.
    """

    count: int = Field(
        1,
        ge=1,
        le=t.N_MAKERS,
        description="Makers; at one instant, and so in the opening queues, the first is first",
        json_schema_extra=_knob("makers", 1, t.N_MAKERS, live=False),
    )
    slower_ms: float = Field(
        0.0,
        ge=0,
        le=MS_MAX,
        description="Each maker hears of the external price so much later than the one before it (ms)",
        json_schema_extra=_knob("ms", 0, 50),
    )
    refresh_ticks: int = Field(
        1,
        ge=1,
        le=1_000_000,
        description="A maker re-quotes once the price it hears is so far from the one it quotes around, or"
        " something of its quotes was taken (ticks)",
        json_schema_extra=_knob("ticks", 1, 20),
    )
    lazier_ticks: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Each maker lets the price move so much further than the one before it (ticks)",
        json_schema_extra=_knob("ticks", 0, 10),
    )
    widen_ticks: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="A maker that was picked off quotes so much wider on each side (ticks)",
        json_schema_extra=_knob("ticks", 0, 20),
    )
    calm_ms: float = Field(
        1_000.0,
        ge=0,
        le=1e9,
        description="How long it does, from when it knew of it last (ms)",
        json_schema_extra=_knob("ms", 0, 5_000),
    )
    investors: bool = Field(
        False,
        description="The market orders of `flow` come to the makers too: its market rate, speed, sizes,"
        " excitation and metaorders",
        json_schema_extra=_switch(),
    )


class RivalsConfig(Section):
    """Others who race us for stale quotes of a real book (venue models "makers" and "flow")."""

    count: int = Field(
        0,
        ge=0,
        le=t.N_RIVALS,
        description="Rivals",
        json_schema_extra=_knob("rivals", 0, 20),
    )
    reaction_ms: Delay = Field(
        5.0,
        description="External price move until a rival's order is at the venue (ms)",
        json_schema_extra=_knob("ms", 0, 100),
    )
    edge_ticks: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="They trade where the external price is further than this beyond the touch (ticks)",
        json_schema_extra=_knob("ticks", 0, 20),
    )
    lots: int = Field(1_000, ge=1, le=1 << 30, description="Size of a rival's order (lots)")


# -------------------------------------------------------------------------------------------------- us
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
        0, ge=0, le=1 << 30, description="Size of a quote (lots); 0 sizes it as any entry"
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
        json_schema_extra=_knob("", 0, 0.02),
    )
    decision_interval_ms: float = Field(
        50.0,
        ge=0,
        le=MS_MAX,
        description="Time between decisions (ms); 0 decides on every update seen",
        json_schema_extra=_knob("ms", 0, 500, live=False),
    )
    exit: Literal["opposite", "close", "time", "never"] = Field(
        "opposite", description="What closes a position"
    )
    exit_after_ms: float = Field(
        1_000.0,
        ge=0,
        le=1e9,
        description='Holding time of exit "time", from the entry decision (ms)',
        json_schema_extra=_knob("ms", 0, 5_000),
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
        description="How a quote is moved: replaced by one message, or cancelled and sent anew at once",
    )
    maker: MakerConfig = Field(
        default_factory=MakerConfig, description='Quotes, of strategy "market_maker"'
    )


class RiskConfig(Section):
    """What stops us. Limits count orders still in flight."""

    max_position_pct: float = Field(
        0.005,
        gt=0,
        le=100,
        description="Notional of one order (share of equity)",
        json_schema_extra=_knob("", 0.001, 0.1),
    )
    max_gross_pct: float = Field(
        10.0,
        gt=0,
        le=1_000,
        description="Worst-case exposure with every order in flight filled (share of equity)",
        json_schema_extra=_knob("", 0.005, 10),
    )
    daily_loss_cap_pct: float = Field(
        0.02,
        gt=0,
        le=1,
        description="Realised loss of a day, with fees, that halts trading (share of its first equity)",
        json_schema_extra=_knob("", 0.0005, 0.05),
    )
    day_length: str = Field("24h", description='Length of a trading day, such as "24h" or "30min"')
    flatten_on_halt: bool = Field(
        True,
        description="Close the position when the kill switch latches",
        json_schema_extra=_switch(),
    )
    rearm_each_day: bool = Field(
        False,
        description="Let a new day release the kill switch",
        json_schema_extra=_switch(),
    )
    check_notional: bool = Field(
        True,
        description="Refuse an order above max_position_pct",
        json_schema_extra=_switch(),
    )

    # Checks of an entry before it leaves. An exit is never held back by them.
    max_open_orders: int = Field(
        0,
        ge=0,
        le=t.N_OWN,
        description="Refuse an entry that would be one open order more, exits counted; 0 is off (orders)",
        json_schema_extra=_knob("orders", 0, 20),
    )
    max_orders_per_s: int = Field(
        0,
        ge=0,
        le=t.N_RATE,
        description="Refuse an entry beyond so many orders in any stretch of one second; 0 is off (orders/s)",
        json_schema_extra=_knob("orders/s", 0, 100),
    )
    price_collar_pct: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Refuse an entry whose price, or the touch it would take, is farther than this from the"
        " external price we see, either way; must be wider than the threshold; 0 is off (share of the price)",
        json_schema_extra=_knob("", 0, 0.1),
    )
    refuse_crossed: bool = Field(
        False,
        description="Refuse an entry while the quote we see is crossed, its bid above its ask",
        json_schema_extra=_switch(),
    )

    # Guards that latch the kill switch.
    drawdown_cap_pct: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Fall of our marked equity below its peak that latches the kill switch; the peak counts"
        " from when the switch was last opened; 0 is off (share of the peak)",
        json_schema_extra=_knob("", 0, 0.2),
    )
    max_loss_streak: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Round trips lost in a row, fees counted, that latch the kill switch; 0 is off",
        json_schema_extra=_knob("round trips", 0, 50),
    )
    stale_external_ms: float = Field(
        0.0,
        ge=0,
        le=1e9,
        description="Silence of the external feed that latches the kill switch; longer than the source ever"
        " pauses; 0 is off (ms)",
        json_schema_extra=_knob("ms", 0, 5_000),
    )
    stale_venue_ms: float = Field(
        0.0,
        ge=0,
        le=1e9,
        description="Silence of the venue feed that latches the kill switch, counted from the external price"
        " seen a tick away from where it was at the venue's last word: where nothing happens a venue is"
        " quiet, not silent; longer than market lag and feed together; 0 is off (ms)",
        json_schema_extra=_knob("ms", 0, 5_000),
    )
    max_lost_messages: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Messages missing in the venue feed's numbering, since the switch was last opened, that"
        " latch it; 0 is off",
        json_schema_extra=_knob("messages", 0, 100),
    )
    order_timeout_ms: float = Field(
        0.0,
        ge=0,
        le=1e9,
        description="Time from the decision that an order which cannot rest may stay unanswered before the"
        " kill switch latches; longer than a slow round trip; 0 is off (ms)",
        json_schema_extra=_knob("ms", 0, 5_000),
    )
    check_books: bool = Field(
        False,
        description="Latch the kill switch where the accounts do not add up to the last unit, or what is"
        " pending cannot be",
        json_schema_extra=_switch(),
    )

    @model_validator(mode="after")
    def _day(self) -> Self:
        try:
            parse_duration(self.day_length)
        except ConfigError as error:
            raise ConfigError(f"risk.day_length: {error}") from None
        return self


class DrillsConfig(Section):
    """Faults to be switched on while one watches what stops us. All off."""

    stale_feed: bool = Field(
        False,
        description="The external source stops sending us prices; for risk.stale_external_ms",
        json_schema_extra=_switch(),
    )
    feed_gap: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the venue feed's messages that are lost; for risk.max_lost_messages, and where"
        " all are lost for risk.stale_venue_ms",
        json_schema_extra=_knob("share", 0, 1),
    )
    duplicate_order: bool = Field(
        False,
        description="Every entry is sent twice; for risk.max_open_orders and risk.max_orders_per_s",
        json_schema_extra=_switch(),
    )
    stuck_exit: bool = Field(
        False,
        description="Exits do not leave us, until this is off again; for risk.order_timeout_ms and"
        " risk.drawdown_cap_pct",
        json_schema_extra=_switch(),
    )
    size_multiple: float = Field(
        1.0,
        gt=0,
        le=1_000,
        description="Orders are oversized by this factor; for risk.check_notional",
        json_schema_extra=_knob("×", 1, 100),
    )
    latency_spike_ms: float = Field(
        0.0,
        ge=0,
        le=MS_MAX,
        description="Added to the delay of every order and every acknowledgement; for risk.order_timeout_ms (ms)",
        json_schema_extra=_knob("ms", 0, 2_000),
    )
    crossed_quotes: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Quotes reach us with the bid so far above the ask; for risk.refuse_crossed (ticks)",
        json_schema_extra=_knob("ticks", 0, 200),
    )


class AccountConfig(Section):
    """What we start with."""

    starting_cash: float = Field(100_000.0, gt=0, le=1e12, description="Cash at time 0 (currency)")


class RecordConfig(Section):
    """What a run writes down."""

    samples: bool = Field(True, description="Keep one row of `samples` per decision")


class SimConfig(Section):
    """A whole scenario. The defaults are the `classroom` preset."""

    external: ExternalConfig = Field(default_factory=ExternalConfig)
    venue: VenueConfig = Field(default_factory=VenueConfig)
    flow: FlowConfig = Field(default_factory=FlowConfig)
    intensity: IntensityConfig = Field(default_factory=IntensityConfig)
    makers: MakersConfig = Field(default_factory=MakersConfig)
    rivals: RivalsConfig = Field(default_factory=RivalsConfig)
    latency: LatencyConfig = Field(default_factory=LatencyConfig)
    strategy: StrategyConfig = Field(default_factory=StrategyConfig)
    risk: RiskConfig = Field(default_factory=RiskConfig)
    drills: DrillsConfig = Field(default_factory=DrillsConfig)
    account: AccountConfig = Field(default_factory=AccountConfig)
    record: RecordConfig = Field(default_factory=RecordConfig)

    @model_validator(mode="wrap")
    @classmethod
    def _readable(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise ConfigError(explain(error)) from None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        unit_value = self.unit_value
        if self.account.starting_cash / unit_value > UNITS_MAX:
            raise ConfigError(
                f"account.starting_cash: {self.account.starting_cash} is more than money can count exactly"
                f" at venue.tick_size {self.venue.tick_size} and venue.lot_size {self.venue.lot_size}"
            )
        first_order = self.account.starting_cash * self.risk.max_position_pct
        lots = first_order / (self.external.start_px * self.venue.lot_size)
        if lots < 1:
            raise ConfigError(
                f"risk.max_position_pct: {self.risk.max_position_pct} of {self.account.starting_cash} is"
                f" {lots:.3g} lots of venue.lot_size {self.venue.lot_size}, which rounds to 0"
            )
        if self.venue.model == "makers" and self.venue.half_spread_ticks < 1:
            raise ConfigError(
                "venue.half_spread_ticks: 0; makers quote in a real book and need at least 1"
            )
        start_ticks = self.external.start_px / self.venue.tick_size
        if not 1 <= start_ticks <= 1 << 36:
            raise ConfigError(
                f"venue.tick_size: {self.venue.tick_size} makes external.start_px {start_ticks:.3g} ticks;"
                " it must be between 1 and 2**36"
            )
        return self

    @property
    def unit_value(self) -> float:
        """Currency of one money unit."""
        return self.venue.tick_size * self.venue.lot_size / t.MONEY

    @classmethod
    def preset(cls, name: str) -> SimConfig:
        """The configuration of a named scenario of `lablib.presets`.

        Raises
        ------
        ConfigError
            When no preset has that name.
        """
        if name not in SCENARIOS:
            raise ConfigError(f"preset: no preset {name!r}; there are {', '.join(SCENARIOS)}")
        return cls().replace(SCENARIOS[name].changes)

    @classmethod
    def from_toml(cls, path: str | Path) -> SimConfig:
        """Read a TOML file of sections.

        `preset = "name"` at its top starts from that preset, `wires = "name"` from those wires.
        """
        try:
            data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from None
        name = data.pop("preset", "classroom")
        wires = data.pop("wires", None)
        try:
            config = cls.preset(name)
            return (config if wires is None else config.wired(wires)).replace(data)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None

    def wired(self, name: str) -> SimConfig:
        """A copy with the delays of a preset of `lablib.wires`, on the legs that it has.

        >>> SimConfig().wired("human").latency.decision_ms.median_ms
        300.0
        """
        if name not in WIRES:
            raise ConfigError(f"wires: no wires {name!r}; there are {', '.join(WIRES)}")
        return self.replace(WIRES[name].changes)

    def replace(self, changes: Mapping[str, Any]) -> SimConfig:
        """A changed copy, validated anew; keys are sections or dotted fields.

        >>> SimConfig().replace({"latency.order_entry_ms": 20}).latency.order_entry_ms
        20.0
        """
        data = self.model_dump()
        for path, value in changes.items():
            _put(data, path, value)
        return SimConfig.model_validate(data)

    def without_latency(self) -> SimConfig:
        """The same with every wire of our own at zero; the market's lag stays.

        >>> SimConfig.preset("cloud").without_latency().latency.order_entry_ms
        0.0
        """
        instant = dict.fromkeys(OWN_WIRES, 0.0)
        return self.replace({"latency": {**instant, "cancel_ms": None}})

    def get(self, path: str) -> Any:
        """The value of a dotted field, such as `"latency.order_entry_ms"`."""
        node: Any = self
        for name in path.split("."):
            if not isinstance(node, BaseModel) or name not in type(node).model_fields:
                raise ConfigError(f"{path}: no such field")
            node = getattr(node, name)
        return node

    def to_json(self) -> str:
        """Canonical JSON: what a digest hashes and a record keeps."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def to_record(self) -> Any:
        """The kernels' view, a `tables.PARAMS` record; noise keys are left at 0 for the engine to set."""
        return to_record(self)


def _put(data: dict[str, Any], path: str, value: Any, section: str = "") -> None:
    """Set a dotted path in nested dicts, merging where the value is a mapping but no delay model."""
    *parents, last = path.split(".")
    node: Any = data
    for name in parents:
        node = node.get(name) if isinstance(node, dict) else None
    if not isinstance(node, dict) or last not in node:
        known = f"; there: {', '.join(sorted(node))}" if isinstance(node, dict) else ""
        raise ConfigError(f"{section}{path}: no such field (value {value!r}{known})")
    is_model = isinstance(value, Mapping) and "model" in value and bool(section or parents)
    if isinstance(value, Mapping) and isinstance(node[last], dict) and not is_model:
        for key, inner in value.items():
            _put(node[last], str(key), inner, f"{section}{path}.")
    else:
        node[last] = value


def explain(error: ValidationError) -> str:
    """One line per fault: field, what is wrong, the value."""
    lines = []
    for fault in error.errors(include_url=False, include_context=False):
        # A delay is a number or a model: drop the complaint of the alternative not meant.
        as_model = any(str(part).startswith("tagged-union") for part in fault["loc"])
        if as_model and fault["type"] == "model_attributes_type":
            continue
        if fault["type"] == "float_type" and isinstance(fault["input"], Mapping):
            continue
        parts = [str(part) for part in fault["loc"] if not _is_union_tag(str(part))]
        path = ".".join(parts) or "config"
        if fault["type"] == "extra_forbidden":
            lines.append(f"{path}: no such field (value {fault['input']!r})")
        elif fault["type"] == "truth":
            lines.append(f"{path}.{fault['msg']}")
        elif fault["type"] == "missing":
            lines.append(f"{path}: required")
        else:
            message = fault["msg"][0].lower() + fault["msg"][1:]
            lines.append(f"{path}: {message}, got {fault['input']!r}")
    return "; ".join(dict.fromkeys(lines))


def _is_union_tag(part: str) -> bool:
    return part in _UNION_TAGS or part.startswith("tagged-union")


_UNION_TAGS = frozenset({"float", "constrained-float", *MODELS})
