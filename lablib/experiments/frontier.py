"""Two fields of a sweep as maps, and where the money stops: the zero contour, beside theory's.

Theory speaks of the delayed copy only, and of order latency; see `lablib.theory.delayed_copy`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib import theory
from lablib.config import SimConfig
from lablib.delays import Constant
from lablib.errors import ConfigError
from lablib.experiments.design import Design
from lablib.experiments.precision import Root, root, standard_error, student

Floats = NDArray[np.float64]

ORDER_WIRES = ("latency.order_entry_ms", "latency.decision_ms")
CONTOUR = np.dtype([("other", "f8"), ("at", "f8"), ("low", "f8"), ("high", "f8"), ("theory", "f8")])


@dataclass(frozen=True)
class Frontier:
    """Maps over two fields, shape (len(ys), len(xs)); NaN where there is nothing.

    Attributes
    ----------
    x, y
        The fields; `xs`, `ys` their values, rising.
    pnl, pnl_se
        Mean P&L of a run and its standard error, currency.
    halt_share, halt_share_se
        Share of the runs whose kill switch latched.
    overshoot, overshoot_se
        Mean loss beyond the cap, currency.
    fills
        Mean number of fills of a run.
    cells
        Index of the cell in the sweep.
    runs
        P&L of every run, shape (len(ys), len(xs), seeds).
    config
        Of what is not on the two axes.
    """

    x: str
    y: str
    xs: Floats
    ys: Floats
    pnl: Floats
    pnl_se: Floats
    halt_share: Floats
    halt_share_se: Floats
    overshoot: Floats
    overshoot_se: Floats
    fills: Floats
    cells: NDArray[np.int64]
    runs: Floats
    config: SimConfig

    def zero(self, along: str | None = None, confidence: float = 0.95) -> np.ndarray:
        """Where mean P&L crosses zero along one axis, for every value of the other.

        Cells that never traded say nothing and are left out.

        Parameters
        ----------
        along
            `x` (as a rule) or `y`.

        Returns
        -------
        Rows of `other` (the value on the other axis), `at`, the interval `low` to `high` (infinite
        where it goes on beyond the grid) and `theory`, the break-even in closed form; NaN is none.
        """
        along = self.x if along is None else along
        if along not in (self.x, self.y):
            raise ConfigError(f"along: {self.x} or {self.y}, got {along!r}")
        flat = along == self.x
        places, others = (self.xs, self.ys) if flat else (self.ys, self.xs)
        runs = self.runs if flat else self.runs.swapaxes(0, 1)
        fills = self.fills if flat else self.fills.T
        contour = np.zeros(others.size, CONTOUR)
        for k, other in enumerate(others.tolist()):
            found = _root(places, runs[k], fills[k], confidence)
            contour[k] = (other, *found, self._theory(along, other))
        contour.flags.writeable = False
        return contour

    def best(self, confidence: float = 0.95) -> NDArray[np.bool_]:
        """Which cells are as good as the one of the highest mean P&L, shape (len(ys), len(xs)).

        Those from which it does not differ by a paired t-test on the common seeds; itself among them,
        and none where nothing is known yet.
        """
        if not np.isfinite(self.pnl).any():
            return np.zeros(self.pnl.shape, bool)
        top = self.runs[np.unravel_index(np.nanargmax(self.pnl), self.pnl.shape)]
        less = top - self.runs
        reach = student(confidence, top.size - 1) * standard_error(less)
        with np.errstate(invalid="ignore"):
            alike: NDArray[np.bool_] = less.mean(axis=-1) <= np.nan_to_num(reach)
        return alike

    def _theory(self, along: str, other: float) -> float:
        if along not in ORDER_WIRES:
            return math.nan
        field = self.y if along == self.x else self.x
        try:
            return break_even(
                self.config.replace({field: _whole(self.config, field, other)}), along
            )
        except ConfigError:  # the formula has no value here
            return math.nan

    @property
    def caveats(self) -> tuple[str, ...]:
        """What keeps the closed form from being exact here; empty where it is, or where there is none."""
        axes = {self.x: float(self.xs[0]), self.y: float(self.ys[0])}
        try:
            return caveats(
                self.config.replace({f: _whole(self.config, f, v) for f, v in axes.items()})
            )
        except ConfigError:
            return ()


def _root(places: Floats, runs: Floats, fills: Floats, confidence: float) -> Root:
    traded = np.where(fills[:, None] > 0, runs, np.nan)
    return root(places, traded.T, confidence)


def _whole(config: SimConfig, field: str, value: float) -> float | int:
    return int(value) if isinstance(config.get(field), int) else value


# ------------------------------------------------------------------------------------------- theory
def break_even(config: SimConfig, along: str = ORDER_WIRES[0]) -> float:
    """Theory's break-even of one order wire, the other as configured (ms); NaN where theory is silent.

    The cost of a round trip is two fees and the full spread.

    >>> config = SimConfig().replace({"strategy.threshold": 0.002, "venue.fee_bps": 2})
    >>> round(break_even(config), 1)
    102.4
    """
    delays = {name: _constant(getattr(config.latency, name)) for name in _DELAYS}
    external, venue = config.external, config.venue
    if (
        venue.model != "delayed_copy"
        or config.strategy.name != "divergence"
        or external.model != "gbm"
        or external.regimes.enabled
        or external.burst.enabled
        or config.drills != type(config.drills)()
        or any(math.isnan(delay) for delay in delays.values())
    ):
        return math.nan
    spread_bps = 2 * venue.half_spread_ticks * venue.tick_size / external.start_px * 1e4
    whole = theory.break_even_latency(
        theory.sigma_from_second(external.volatility_bps),
        delays["market_lag_ms"],
        config.strategy.threshold * 1e4,
        2 * venue.fee_bps + spread_bps,
        delays["external_feed_ms"],
        delays["venue_feed_ms"],
    )
    other = next(wire for wire in ORDER_WIRES if wire != along).rpartition(".")[2]
    return float(whole) - delays[other]


_DELAYS = ("market_lag_ms", "external_feed_ms", "venue_feed_ms", "decision_ms", "order_entry_ms")


def caveats(config: SimConfig) -> tuple[str, ...]:
    """Which of the closed form's assumptions a config of the delayed copy does not keep."""
    if math.isnan(break_even(config)):
        return ()
    lag = _constant(config.latency.market_lag_ms)
    feed = _constant(config.latency.venue_feed_ms)
    strategy, external = config.strategy, config.external
    found = []
    if strategy.decision_interval_ms < 2 * lag + feed:
        found.append(f"looks every {strategy.decision_interval_ms:g} ms overlap")
    if external.interval_ms > lag / 20:
        found.append(f"the price moves in steps of {external.interval_ms:g} ms")
    if strategy.exit != "time" or strategy.exit_after_ms < lag:
        found.append(f"exit {strategy.exit!r}")
    return tuple(found)


def _constant(delay: Any) -> float:
    """A delay in ms if it is always the same, else NaN."""
    if isinstance(delay, Constant):
        return delay.ms if delay == Constant(ms=delay.ms) else math.nan
    return float(delay) if isinstance(delay, int | float) else math.nan


# ------------------------------------------------------------------------------------------ building
def frontier_of(
    config: SimConfig,
    design: Design,
    pnl: Floats,
    stat: Callable[[str], Floats],
    x: str | None,
    y: str | None,
    where: Mapping[str, Any] | None,
) -> Frontier:
    """Two fields of a grid as maps; see `Sweep.frontier`."""
    if design.points is not None:
        raise ConfigError("frontier: only a grid has one; this design is scattered")
    fields = list(design.fields)
    if len(fields) < 2:
        raise ConfigError(f"frontier: needs two fields, the sweep has {fields[0]}")
    x = fields[0] if x is None else x
    y = next(field for field in fields if field != x) if y is None else y
    for field in (x, y):
        if field not in fields:
            raise ConfigError(f"frontier: {field} is not swept; there are {', '.join(fields)}")
    if x == y:
        raise ConfigError(f"frontier: x and y are both {x}")
    held = _held(design, [field for field in fields if field not in (x, y)], dict(where or {}))
    axes = dict(zip(fields, design.axes, strict=True))
    xs, ys = _rising(x, axes[x]), _rising(y, axes[y])
    shape = tuple(len(axis) for axis in design.axes)
    cells: NDArray[np.int64] = np.arange(design.count).reshape(shape)
    for place, field in reversed(list(enumerate(fields))):
        if field in held:
            cells = np.take(cells, [held[field]], axis=place).squeeze(place)
    if fields.index(x) < fields.index(y):
        cells = cells.T
    cells = cells[np.ix_(ys, xs)]
    maps = {name: stat(column)[cells] for name, column in _MAPS.items()}
    changes = {field: axes[field][place] for field, place in held.items()}
    return Frontier(
        x=x,
        y=y,
        xs=np.array([axes[x][k] for k in xs], np.float64),
        ys=np.array([axes[y][k] for k in ys], np.float64),
        cells=cells,
        runs=pnl[cells],
        config=config.replace(changes),
        **maps,
    )


_MAPS = {
    "pnl": "pnl_mean",
    "pnl_se": "pnl_se",
    "halt_share": "halt_share",
    "halt_share_se": "halt_share_se",
    "overshoot": "overshoot_mean",
    "overshoot_se": "overshoot_se",
    "fills": "fills_mean",
}


def _held(design: Design, others: list[str], where: dict[str, Any]) -> dict[str, int]:
    """The place of the value at which each further field is held."""
    held = {}
    for field in others:
        axis = design.axes[design.fields.index(field)]
        if field not in where:
            raise ConfigError(f"where: say at which {field} of {', '.join(map(repr, axis))}")
        value = where.pop(field)
        if value not in axis:
            raise ConfigError(
                f"where: {field} has no {value!r}; there are {', '.join(map(repr, axis))}"
            )
        held[field] = axis.index(value)
    if where:
        raise ConfigError(f"where: {next(iter(where))} is not a further field of the sweep")
    return held


def _rising(field: str, axis: tuple[Any, ...]) -> list[int]:
    """The order that makes an axis rise."""
    for value in axis:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{field}: a frontier needs numbers, got {value!r}")
    return sorted(range(len(axis)), key=lambda k: axis[k])
