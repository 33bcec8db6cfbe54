"""What stops us, and the faults that show whether it does."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from lablib.config.knobs import knob, switch
from lablib.delays import MS_MAX, Section
from lablib.errors import ConfigError
from lablib.kernels import tables as t
from lablib.units import parse_duration


class RiskConfig(Section):
    """What stops us. Limits count orders still in flight."""

    max_position_pct: float = Field(
        0.005,
        gt=0,
        le=100,
        description="Notional of one order (share of equity)",
        json_schema_extra=knob("", 0.001, 0.1),
    )
    max_gross_pct: float = Field(
        10.0,
        gt=0,
        le=1_000,
        description="Worst-case exposure with every order in flight filled (share of equity)",
        json_schema_extra=knob("", 0.005, 10),
    )
    daily_loss_cap_pct: float = Field(
        0.02,
        gt=0,
        le=1,
        description="Realised loss of a day, with fees, that halts trading (share of its first equity)",
        json_schema_extra=knob("", 0.0005, 0.05),
    )
    day_length: str = Field("24h", description='Length of a trading day, such as "24h" or "30min"')
    flatten_on_halt: bool = Field(
        True,
        description="Close the position when the kill switch latches",
        json_schema_extra=switch(),
    )
    rearm_each_day: bool = Field(
        False,
        description="Let a new day release the kill switch where lost money alone has latched it",
        json_schema_extra=switch(),
    )
    check_notional: bool = Field(
        True,
        description="Refuse an order above max_position_pct",
        json_schema_extra=switch(),
    )

    # Checks of an entry before it leaves. An exit is never held back by them.
    max_open_orders: int = Field(
        0,
        ge=0,
        le=t.N_OWN,
        description="Refuse an entry that would be one open order more, exits counted; 0 is off (orders)",
        json_schema_extra=knob("orders", 0, 20),
    )
    max_orders_per_s: int = Field(
        0,
        ge=0,
        le=t.N_RATE,
        description="Refuse an entry or a replace beyond so many orders and replaces in any stretch of one"
        " second; 0 is off (orders/s)",
        json_schema_extra=knob("orders/s", 0, 100),
    )
    price_collar_pct: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Refuse an entry or a replace whose price, or the touch it would take, is farther than this"
        " from the external price we see, either way; must be wider than the threshold; 0 is off (share of the price)",
        json_schema_extra=knob("", 0, 0.1),
    )
    refuse_crossed: bool = Field(
        False,
        description="Refuse an entry or a replace while the quote we see is crossed, its bid above its ask",
        json_schema_extra=switch(),
    )

    # Guards that latch the kill switch.
    drawdown_cap_pct: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Fall of our marked equity below its peak that latches the kill switch; the peak counts"
        " from when the switch was last opened; 0 is off (share of the peak)",
        json_schema_extra=knob("", 0, 0.2),
    )
    max_loss_streak: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Round trips lost in a row, fees counted, that latch the kill switch; 0 is off",
        json_schema_extra=knob("round trips", 0, 50),
    )
    stale_external_ms: float = Field(
        0.0,
        ge=0,
        le=1e9,
        description="Silence of the external feed that latches the kill switch; longer than the source ever"
        " pauses; 0 is off (ms)",
        json_schema_extra=knob("ms", 0, 5_000),
    )
    stale_venue_ms: float = Field(
        0.0,
        ge=0,
        le=1e9,
        description="Silence of the venue feed that latches the kill switch, counted from the external price"
        " seen a tick away from where it was at the venue's last word: where nothing happens a venue is"
        " quiet, not silent; longer than market lag and feed together; 0 is off (ms)",
        json_schema_extra=knob("ms", 0, 5_000),
    )
    max_lost_messages: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Messages missing in the venue feed's numbering, since the switch was last opened, that"
        " latch it; 0 is off",
        json_schema_extra=knob("messages", 0, 100),
    )
    order_timeout_ms: float = Field(
        0.0,
        ge=0,
        le=1e9,
        description="Time from the decision that an order which cannot rest may stay unanswered before the"
        " kill switch latches; longer than a slow round trip; 0 is off (ms)",
        json_schema_extra=knob("ms", 0, 5_000),
    )
    check_books: bool = Field(
        False,
        description="Latch the kill switch where the accounts do not add up to the last unit, or what is"
        " pending cannot be",
        json_schema_extra=switch(),
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
        json_schema_extra=switch(),
    )
    feed_gap: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the venue feed's messages that are lost; for risk.max_lost_messages, and where"
        " all are lost for risk.stale_venue_ms",
        json_schema_extra=knob("share", 0, 1),
    )
    duplicate_order: bool = Field(
        False,
        description="Every entry is sent twice; for risk.max_open_orders and risk.max_orders_per_s",
        json_schema_extra=switch(),
    )
    stuck_exit: bool = Field(
        False,
        description="Exits do not leave us, until this is off again; for risk.order_timeout_ms and"
        " risk.drawdown_cap_pct",
        json_schema_extra=switch(),
    )
    size_multiple: float = Field(
        1.0,
        gt=0,
        le=1_000,
        description="Orders are oversized by this factor; for risk.check_notional",
        json_schema_extra=knob("×", 1, 100),
    )
    latency_spike_ms: float = Field(
        0.0,
        ge=0,
        le=MS_MAX,
        description="Added to the delay of every order and every acknowledgement; for risk.order_timeout_ms (ms)",
        json_schema_extra=knob("ms", 0, 2_000),
    )
    crossed_quotes: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Quotes reach us with the bid so far above the ask; for risk.refuse_crossed (ticks)",
        json_schema_extra=knob("ticks", 0, 200),
    )
