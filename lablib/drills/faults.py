"""What a drill can break, as data; and the desk on which it is broken.

A fault begins and ends by commands, as if somebody turned the knobs by hand, so that a drill is a run
like any other: (config, seed, commands) give the same bytes again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lablib.config import SimConfig
from lablib.delays import DelayModel
from lablib.errors import ConfigError
from lablib.kernels import tables as t

# When a control without delay would have acted.
AT_ONCE = "as the fault begins"
AT_LIMIT = "as the loss crosses the limit"
BEFORE = "before the order leaves"

# The worst moment for it to begin.
HOLDING = "while a position is held and nothing is on its way"
SENDING = "as an opening order is about to leave"

FALL_MS = 100.0  # how long a price takes to jump: a few ticks, so that some of it is left to chance
LASTS_MS = 2_000.0  # of a fault, unless told otherwise
_ROOM_MS = (
    1_000.0  # beyond what a fault adds: for the loss to reach its limit, and for our own wires
)
_FALLS = 0.4  # jumps expected in one tick of that time; the config allows 0.5
_RATE = 0.25  # and in one tick of a market that slides

DESK: Mapping[str, Any] = MappingProxyType(
    {
        "external.model": "jumps",
        "external.jumps.per_hour": 0.0,
        "external.jumps.sd_bps": 0.0,
        "external.volatility_bps": 8.0,
        "external.interval_ms": 10.0,
        "venue.half_spread_ticks": 1,
        "venue.level_lots": 1_000_000_000,
        "venue.fee_bps": 0.5,
        "latency.market_lag_ms": 30.0,
        "latency.external_feed_ms": 5.0,
        "latency.venue_feed_ms": 20.0,
        "latency.order_entry_ms": 60.0,
        "latency.ack_ms": 60.0,
        "strategy.threshold": 0.0004,
        "strategy.decision_interval_ms": 10.0,
        "strategy.exit": "never",
        "risk.max_position_pct": 3.0,
        "risk.max_gross_pct": 10.0,
        "risk.price_collar_pct": 0.0007,
        "risk.order_timeout_ms": 300.0,
        "risk.drawdown_cap_pct": 0.01,
    }
)  # on top of the preset "drill": three times the equity, constant wires of a round number


def desk(changes: Mapping[str, Any] | None = None) -> SimConfig:
    """The desk of the drills: every guard on, three times the equity, wires one can add up by hand."""
    return SimConfig.preset("drill").replace({**DESK, **(changes or {})})


@dataclass(frozen=True)
class Fault:
    """Something that breaks.

    Attributes
    ----------
    title, words
        What a visitor reads: a name, and what happens and who is meant to notice.
    moment
        When it begins: `HOLDING` or `SENDING`.
    prompt
        When a control without delay acts: `AT_ONCE`, `AT_LIMIT` or `BEFORE`.
    guard
        The field of the guard meant for it.
    size, unit
        How bad it is unless told otherwise, and in what.
    changes
        From (config, direction, size, begin, lasts; both ns) to the fields that break, with their
        values. The direction is +1 where the market rises, -1 where it falls: against what we hold.
    lasts_ms
        How long it always lasts; 0 leaves it to the drill.
    waits
        Where the size is a delay: how many messages, one after the other, it makes later before the
        close is done.
    """

    title: str
    words: str
    moment: str
    prompt: str
    guard: str
    size: float
    unit: str
    changes: Callable[[SimConfig, int, float, int, int], dict[str, Any]]
    lasts_ms: float = 0.0
    waits: int = 0

    def least_ms(self, size: float) -> float:
        """How long it has to last to be there still when what it makes late has come; 0 where nothing waits.

        >>> FAULTS["late_switch"].least_ms(2_000), FAULTS["stale_feed"].least_ms(1)
        (5000.0, 0.0)
        """
        return _ROOM_MS + self.waits * size if self.waits else 0.0


def later(delay: Any, ms: float) -> Any:
    """A delay and so much more of it; a model keeps its law.

    >>> later(5.0, 100.0)
    105.0
    """
    if not isinstance(delay, DelayModel):
        return float(delay) + ms
    data = delay.model_dump(mode="json")
    floor = next(name for name in ("ms", "base_ms", "shift_ms") if name in data)
    return {**data, floor: data[floor] + ms}


def moving(config: SimConfig, bps: float, ns: int, share: float = _RATE) -> dict[str, Any]:
    """An external price that goes by so many bps in so many ns, in jumps of one size.

    Raises
    ------
    ConfigError
        Where `external.model` knows no jumps.
    """
    if config.external.model != "jumps":
        raise ConfigError(
            f'external.model: a drill that moves the market needs "jumps", got {config.external.model!r}'
        )
    ticks = ns / (config.external.interval_ms * t.NS_PER_MS)
    per_hour = share * 3_600_000 / config.external.interval_ms
    return {
        "external.jumps": {
            "per_hour": min(per_hour, 360_000.0),
            "law": "normal",
            "mean_bps": bps / (ticks * share),
            "sd_bps": 0.0,
        }
    }


def _fixed(**drills: Any) -> Callable[..., dict[str, Any]]:
    """A switch of the section `drills`; `None` stands for the size."""

    def changes(config: SimConfig, direction: int, size: float, begin: int, lasts: int) -> Any:
        return {
            f"drills.{name}": size if value is None else value for name, value in drills.items()
        }

    return changes


def _silent_acks(
    config: SimConfig, direction: int, size: float, begin: int, lasts: int
) -> dict[str, Any]:
    ack = config.latency.ack_ms
    model = (
        ack.model_dump(mode="json")
        if isinstance(ack, DelayModel)
        else {"model": "constant", "ms": ack}
    )
    outage = {"outage_start_s": begin / t.NS_PER_S, "outage_s": lasts / t.NS_PER_S}
    return {"latency.ack_ms": {**model, **outage}}


def _jump(config: SimConfig, direction: int, size: float, begin: int, lasts: int) -> dict[str, Any]:
    return moving(config, direction * size, lasts, _FALLS)


def _late(config: SimConfig, direction: int, size: float, begin: int, lasts: int) -> dict[str, Any]:
    wires: dict[str, Any] = {"drills.stale_feed": True, "risk.stale_external_ms": 0.0}
    wires |= {
        f"latency.{leg}": later(getattr(config.latency, leg), size)
        for leg in ("venue_feed_ms", "order_entry_ms", "ack_ms")
    }
    if config.latency.cancel_ms is not None:
        wires["latency.cancel_ms"] = later(config.latency.cancel_ms, size)
    # Its clock on unanswered orders is as late as itself: else that would see the delay, and step in.
    if config.risk.order_timeout_ms > 0:
        wires["risk.order_timeout_ms"] = config.risk.order_timeout_ms + 2 * size
    return wires


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "stale_feed": Fault(
            "The price feed goes silent",
            "The outside price stops reaching you while the market goes on. A watch on the feed’s silence is"
            " meant to notice.",
            HOLDING,
            AT_ONCE,
            "risk.stale_external_ms",
            1.0,
            "",
            _fixed(stale_feed=True),
        ),
        "silent_venue": Fault(
            "The venue’s quotes stop",
            "No quote of the venue reaches you: you no longer see where you can trade. A watch on the venue’s"
            " silence is meant to notice.",
            HOLDING,
            AT_ONCE,
            "risk.stale_venue_ms",
            1.0,
            "share lost",
            _fixed(feed_gap=None),
        ),
        "no_answer": Fault(
            "The venue stops answering",
            "Your orders arrive and trade, but no confirmation comes back until the fault is over. A clock on"
            " every unanswered order is meant to notice.",
            SENDING,
            AT_ONCE,
            "risk.order_timeout_ms",
            1.0,
            "",
            _silent_acks,
        ),
        "slow_wires": Fault(
            "Every message becomes slow",
            "Orders and confirmations take much longer each way, closing orders too. A clock on every"
            " unanswered order is meant to notice.",
            SENDING,
            AT_ONCE,
            "risk.order_timeout_ms",
            300.0,
            "ms",
            _fixed(latency_spike_ms=None),
            waits=3,  # the order, its confirmation, the closing order
        ),
        "stuck_exit": Fault(
            "The halt cannot close what you hold",
            "The price feed goes silent, and orders that close a position do not leave until the fault is over."
            " The watch on the feed halts you, and halting is not closing.",
            HOLDING,
            AT_ONCE,
            "risk.stale_external_ms",
            1.0,
            "",
            _fixed(stale_feed=True, stuck_exit=True),
        ),
        "price_jump": Fault(
            "The price jumps through the loss limit",
            "The market moves against what you hold within a tenth of a second. The limit on losses is meant"
            " to stop you.",
            HOLDING,
            AT_LIMIT,
            "risk.drawdown_cap_pct",
            60.0,
            "bps",
            _jump,
            FALL_MS,
        ),
        "late_switch": Fault(
            "The kill switch itself is late",
            "You trade on a price that stands still, and only the limit on losses is left to stop you; what it"
            " hears and says takes longer by the time you set.",
            HOLDING,
            AT_LIMIT,
            "risk.drawdown_cap_pct",
            250.0,
            "ms",
            _late,
            waits=2,  # the quote that tells of the loss, the closing order
        ),
        "double_order": Fault(
            "Every order is sent twice",
            "A bug repeats each opening order. The check on open orders is meant to hold the second one back.",
            SENDING,
            BEFORE,
            "risk.max_open_orders",
            1.0,
            "",
            _fixed(duplicate_order=True),
        ),
        "oversize": Fault(
            "Orders are a hundred times too large",
            "A slip of the decimal point. The check on an order’s size is meant to hold them back.",
            SENDING,
            BEFORE,
            "risk.check_notional",
            100.0,
            "×",
            _fixed(size_multiple=None),
        ),
    }
)
