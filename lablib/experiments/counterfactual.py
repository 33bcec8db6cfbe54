"""Would have filled at L − Δ: every order of a run, and what it would have got had it been faster.

The same market is played again with an order entry that is faster by Δ, and the orders of the two runs
are set side by side by what caused them: the instant at which the strategy looked, the side, entry or
exit, the kind. Delays are drawn by cause, so that such a pair has the same chance and differs by Δ alone.

It is a replay, not an order moved on paper: whoever fills sooner knows sooner, holds another position
and may decide otherwise. Orders that only one of the runs sent stand in the table as such.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lablib.attribution import parts_of
from lablib.commands import Command, listed
from lablib.config import SimConfig
from lablib.engine import Market, Simulation, Strategy, as_config, fitted, open_orders, span_ns
from lablib.errors import ConfigError
from lablib.experiments.precision import standard_error
from lablib.experiments.tables import structured
from lablib.kernels import tables as t
from lablib.performance import sent

if TYPE_CHECKING:
    import pandas as pd

ENTRY = "latency.order_entry_ms"
CAUSE = ("looked_at", "side", "is_exit", "kind")
BOTH, AS_IS, EARLIER = "both", "only as is", "only earlier"
_FLOORS = ("ms", "base_ms", "shift_ms")  # what a delay model cannot be faster than


@dataclass(frozen=True)
class Counterfactual:
    """A run, the same run faster by Δ, and their orders side by side.

    Attributes
    ----------
    config, seed, until_ns
        What was run as it is, with the tick and lot of a recorded market.
    less_ms
        Δ.
    earlier
        The config of the faster run.
    table
        One row an order, by the time of its cause. `where` is "both", "only as is" or "only earlier".
        `looked_at` (ns), `side`, `is_exit` and `kind` are the cause. The rest is told of the order as it
        is, and with `_earlier` of the one faster by Δ (NaN, no lots, or an `order_id` of -1, where there is none):
        `order_id`; `lots` sent and `filled`; the mean `price_px` of its fills; `edge_bps`, what the price
        left of the external price seen at the decision, before fees; `pnl`, what the order came to, fees
        counted and marked where its run ended (currency).
        Of orders that filled in both, `gain` is how much less the first lots cost the earlier one, or how
        much more they brought, on as many lots as both have (currency; fees are not in it), and
        `gain_bps` the same of their price as it is.
    """

    config: SimConfig
    seed: int
    until_ns: int
    less_ms: float
    earlier: SimConfig
    table: np.ndarray

    def summary(self) -> dict[str, Any]:
        """The table in a few numbers.

        Orders by `where`; among those of both runs how many `filled_both`, `filled_only_as_is` and
        `filled_only_earlier`; of those filled in both the `better`, `same` and `worse` prices of the
        earlier one, the mean `gain_bps` with its standard error as if orders were independent, and the sum
        `gain`. `pnl` and `pnl_earlier` are those of the runs; `rest` is what of their difference is not
        `gain`: other sizes, fees, and orders that only one of them sent.
        """
        table = self.table
        both = table[table["where"] == BOTH]
        as_is, earlier = both["filled"] > 0, both["filled_earlier"] > 0
        gains = both["gain_bps"][as_is & earlier]
        pnl, pnl_earlier = (float(np.nansum(table[name])) for name in ("pnl", "pnl_earlier"))
        gain = float(both["gain"][as_is & earlier].sum())
        return {
            "orders": {
                name: int((table["where"] == name).sum()) for name in (BOTH, AS_IS, EARLIER)
            },
            "filled_both": gains.size,
            "filled_only_as_is": int((as_is & ~earlier).sum()),
            "filled_only_earlier": int((earlier & ~as_is).sum()),
            "better": int((gains > 0).sum()),
            "same": int((gains == 0).sum()),
            "worse": int((gains < 0).sum()),
            "gain_bps": float(gains.mean()) if gains.size else math.nan,
            "gain_bps_se": float(standard_error(gains)) if gains.size > 1 else math.nan,
            "gain": gain,
            "pnl": pnl,
            "pnl_earlier": pnl_earlier,
            "rest": pnl_earlier - pnl - gain,
        }

    def to_pandas(self) -> pd.DataFrame:
        """The table as a data frame."""
        import pandas as pd

        return pd.DataFrame({name: self.table[name] for name in self.table.dtype.names or ()})

    def __str__(self) -> str:
        s = self.summary()
        counts = s["orders"]
        return "\n".join(
            (
                f"order entry {self.less_ms:g} ms faster, on the same market of {self.until_ns / 1e9:g} s:",
                f"  {counts[BOTH]:,} orders in both runs, {counts[AS_IS]:,} only as it is,"
                f" {counts[EARLIER]:,} only in the faster one",
                f"  of those in both {s['filled_both']:,} filled either way, {s['filled_only_earlier']:,}"
                f" only when faster, {s['filled_only_as_is']:,} only as it is",
                f"  their price: better {s['better']:,}, the same {s['same']:,}, worse {s['worse']:,};"
                f" {s['gain_bps']:+.3g} ± {s['gain_bps_se']:.1g} bps an order (standard error),"
                f" {s['gain']:+,.2f} in all",
                f"  P&L {s['pnl']:+,.2f} → {s['pnl_earlier']:+,.2f}: {s['gain']:+,.2f} by those prices,"
                f" {s['rest']:+,.2f} by other sizes, fees and other orders",
            )
        )

    __repr__ = __str__


def counterfactual(
    config: SimConfig | Mapping[str, Any] | str | None,
    less_ms: float,
    *,
    seed: int = 0,
    until: str | float | None = None,
    market: Market | None = None,
    commands: Iterable[Command] = (),
    strategy: Strategy | None = None,
) -> Counterfactual:
    """What every order of a run would have got, had order entry been faster by some milliseconds.

    Parameters
    ----------
    config, seed, until, market, commands, strategy
        The run, as in `lablib.run`.
    less_ms
        Δ, above 0 and at most what every order takes: a constant delay, or the floor of a delay model
        (`base_ms`, `shift_ms`). A model's spikes stay; its bursts stretch Δ as they stretch the delay.
        A cancel keeps pace unless `latency.cancel_ms` is given, which stays as it is.

    Raises
    ------
    ConfigError
        A Δ that cannot be had, naming what it was taken from; or what `lablib.run` refuses.
    """
    base = fitted(as_config(config), market, strategy).replace({"record.samples": False})
    faster = base.replace({ENTRY: _less(base, less_ms)})
    until_ns, asked = span_ns(until, market), listed(commands)
    as_is, sooner = (
        _Orders.of(
            Simulation(one, seed=seed, market=market, commands=asked, strategy=strategy), until_ns
        )
        for one in (base, faster)
    )
    table = _side_by_side(as_is, sooner, base.unit_value * t.MONEY)
    return Counterfactual(base, seed, until_ns, float(less_ms), faster, table)


def _less(config: SimConfig, less_ms: float) -> Any:
    """The order entry of a config, faster by so much."""
    if isinstance(less_ms, bool) or not isinstance(less_ms, int | float) or not less_ms > 0:
        raise ConfigError(f"less_ms: a number of milliseconds above 0, got {less_ms!r}")
    delay = config.model_dump()["latency"]["order_entry_ms"]
    if isinstance(delay, dict):
        floor = next((name for name in _FLOORS if name in delay), "")
        if delay.get(floor, 0.0) >= less_ms:
            return {**delay, floor: delay[floor] - less_ms}
        told = f"{delay['model']}, {floor} {delay.get(floor, 0.0):g}"
    elif delay >= less_ms:
        return delay - less_ms
    else:
        told = f"{delay:g}"
    raise ConfigError(f"less_ms: {less_ms:g} ms is more than every order takes: {ENTRY} is {told}")


@dataclass(frozen=True)
class _Orders:
    """The orders of a run with what became of them, a row each; and their fills, in order of time."""

    causes: list[tuple[int, ...]]
    columns: dict[str, NDArray[Any]]
    fills: np.ndarray
    place: NDArray[np.int64]  # of each fill's order

    @classmethod
    def of(cls, simulation: Simulation, until_ns: int) -> _Orders:
        last = simulation.advance(until_ns)
        orders = sent(np.concatenate((last.orders, open_orders(simulation.state))))
        orders.sort(order="order_id")
        config, fills = simulation.config, last.fills
        place = np.searchsorted(orders["order_id"], fills["order_id"])

        def total(values: NDArray[Any]) -> NDArray[np.int64]:
            out = np.zeros(orders.size, np.int64)
            np.add.at(out, place, values)
            return out

        lots = fills["lots"]
        filled, paid = total(lots), total(lots * fills["price_ticks"])
        kept = total(fills["side"] * lots * (fills["fair_seen"] - fills["price_ticks"] * t.MONEY))
        mark = round(2 * last.market_px / config.venue.tick_size)
        with np.errstate(invalid="ignore"):
            columns = {
                "order_id": orders["order_id"],
                "lots": orders["lots"],
                "filled": filled,
                "price_px": paid / filled * config.venue.tick_size,
                "edge_bps": 1e4 * kept / (paid * t.MONEY),
                "pnl": total(parts_of(fills, mark).sum(axis=1)) * config.unit_value,
            }
        return cls(_causes(orders), columns, fills, place)

    def paid(self, lots: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the first `lots` of each order cost, lots times ticks."""
        order = np.argsort(self.place, kind="stable")
        place, size = self.place[order], self.fills["lots"][order]
        ends = np.cumsum(size)
        begins = ends - size
        begins -= np.maximum.accumulate(np.where(np.diff(place, prepend=-1) > 0, begins, 0))
        out = np.zeros(lots.size, np.int64)
        taken = np.clip(lots[place] - begins, 0, size)
        np.add.at(out, place, taken * self.fills["price_ticks"][order])
        return out


def _causes(orders: np.ndarray) -> list[tuple[int, ...]]:
    """What each order is told apart by: its cause, and its number among the orders of that cause."""
    seen: Counter[tuple[int, ...]] = Counter()
    causes = []
    for cause in zip(*(orders[name].tolist() for name in CAUSE), strict=True):
        causes.append((*cause, seen[cause]))
        seen[cause] += 1
    return causes


def _side_by_side(as_is: _Orders, earlier: _Orders, lot_value: float) -> np.ndarray:
    places = [{cause: k for k, cause in enumerate(one.causes)} for one in (as_is, earlier)]
    causes = sorted(places[0].keys() | places[1].keys())
    at = np.array([[one.get(cause, -1) for cause in causes] for one in places], np.int64)
    at = at.reshape(2, len(causes))
    where = np.where(at[0] < 0, EARLIER, np.where(at[1] < 0, AS_IS, BOTH))
    keys = np.array(causes, np.int64).reshape(len(causes), len(CAUSE) + 1)
    columns: dict[str, NDArray[Any]] = {"where": where}
    columns |= {name: keys[:, k] for k, name in enumerate(CAUSE)}
    for name in as_is.columns:
        for suffix, one, place in (("", as_is, at[0]), ("_earlier", earlier, at[1])):
            missing = {"order_id": -1, "lots": 0, "filled": 0}.get(name, np.nan)
            columns[name + suffix] = _taken(one.columns[name], place, missing)
    common = np.minimum(columns["filled"], columns["filled_earlier"])
    cost, cost_earlier = (
        _taken(one.paid(_given(common, place, len(one.causes))), place, 0)
        for one, place in ((as_is, at[0]), (earlier, at[1]))
    )
    ahead = columns["side"] * (cost - cost_earlier)
    with np.errstate(invalid="ignore"):
        columns["gain_bps"] = 1e4 * ahead / cost
    columns["gain"] = np.where(common > 0, ahead * lot_value, np.nan)
    return structured(columns)


def _taken(values: NDArray[Any], place: NDArray[np.int64], missing: float) -> NDArray[Any]:
    """Values at some places; -1 is nowhere, where the value is `missing`."""
    out = np.full(place.size, missing, values.dtype)
    out[place >= 0] = values[place[place >= 0]]
    return out


def _given(values: NDArray[np.int64], place: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The other way round: values put at some of `count` places; -1 is nowhere."""
    out = np.zeros(count, np.int64)
    out[place[place >= 0]] = values[place >= 0]
    return out
