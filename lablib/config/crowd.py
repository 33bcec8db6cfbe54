"""The others by name: makers who quote late, rivals who race us."""

from __future__ import annotations

from pydantic import Field

from lablib.config.knobs import knob, switch
from lablib.delays import MS_MAX, Delay, Section
from lablib.kernels import tables as t


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
        json_schema_extra=knob("makers", 1, t.N_MAKERS, live=False),
    )
    slower_ms: float = Field(
        0.0,
        ge=0,
        le=MS_MAX,
        description="Each maker hears of the external price so much later than the one before it (ms)",
        json_schema_extra=knob("ms", 0, 50),
    )
    refresh_ticks: int = Field(
        1,
        ge=1,
        le=1_000_000,
        description="A maker re-quotes once the price it hears is so far from the one it quotes around, or"
        " something of its quotes was taken (ticks)",
        json_schema_extra=knob("ticks", 1, 20),
    )
    lazier_ticks: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Each maker lets the price move so much further than the one before it (ticks)",
        json_schema_extra=knob("ticks", 0, 10),
    )
    widen_ticks: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="A maker that was picked off quotes so much wider on each side (ticks)",
        json_schema_extra=knob("ticks", 0, 20),
    )
    calm_ms: float = Field(
        1_000.0,
        ge=0,
        le=1e9,
        description="How long it does, from when it knew of it last (ms)",
        json_schema_extra=knob("ms", 0, 5_000),
    )
    investors: bool = Field(
        False,
        description="The market orders of `flow` come to the makers too: its market rate, speed, sizes,"
        " excitation and metaorders",
        json_schema_extra=switch(),
    )


class RivalsConfig(Section):
    """Others who race us for stale quotes of a real book (venue models "makers" and "flow")."""

    count: int = Field(
        0,
        ge=0,
        le=t.N_RIVALS,
        description="Rivals",
        json_schema_extra=knob("rivals", 0, 20),
    )
    reaction_ms: Delay = Field(
        5.0,
        description="External price move until a rival's order is at the venue (ms)",
        json_schema_extra=knob("ms", 0, 100),
    )
    edge_ticks: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="They trade where the external price is further than this beyond the touch (ticks)",
        json_schema_extra=knob("ticks", 0, 20),
    )
    lots: int = Field(1_000, ge=1, le=1 << 30, description="Size of a rival's order (lots)")
