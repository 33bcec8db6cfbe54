"""compare(): settings set against each other on the same markets, difference by difference.

Two runs on one market share its luck, and it cancels in their difference. How much is said beside the
result: the correlation, and how many runs on separate markets the same interval would have taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lablib.config import SimConfig
from lablib.engine import Market, Strategy, as_config, span_ns
from lablib.errors import ConfigError, LabError
from lablib.experiments.cell import MEASURES, cell
from lablib.experiments.crew import gather
from lablib.experiments.design import Design, arms, check_runs, seeds_of
from lablib.experiments.precision import standard_error, student
from lablib.experiments.tables import column, structured
from lablib.own_strategy import prepare

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Settings on common noise, the first of them the yardstick.

    Attributes
    ----------
    config, design, seeds, until_ns
        What was run.
    confidence
        Of the intervals.
    runs
        For each of `MEASURES` the value of every run, shape (settings, seeds).
    """

    config: SimConfig
    design: Design
    seeds: tuple[int, ...]
    until_ns: int
    confidence: float
    runs: Mapping[str, Floats]

    def table(self, measure: str = "pnl") -> np.ndarray:
        """One row a setting.

        The fields; `mean` and `se` of the measure; then against the first setting `difference` with
        `low` and `high` of its interval (Student's t over the seeds, paired), the `correlation` of the
        two, `variance_ratio` (of the difference on separate markets to that on common ones) and
        `unpaired_runs`, the runs each setting would need on separate markets for the same interval.
        """
        if measure not in self.runs:
            raise ConfigError(f"measure: one of {', '.join(self.runs)}, got {measure!r}")
        runs = self.runs[measure]
        numbers = np.array([_against(runs[0], other, self.confidence) for other in runs])
        columns = {
            field: column(self.design.column(field, range(len(runs))))
            for field in self.design.fields
        }
        columns |= {"mean": runs.mean(axis=1), "se": standard_error(runs, 1)}
        columns |= {name: numbers[:, k] for k, name in enumerate(_AGAINST)}
        return structured(columns)

    def to_pandas(self, measure: str = "pnl") -> pd.DataFrame:
        """The table as a data frame."""
        import pandas as pd

        table = self.table(measure)
        return pd.DataFrame({name: table[name] for name in table.dtype.names or ()})

    def _name(self, index: int) -> str:
        changes = self.design.changes(index).items()
        said = ((f, f"{v:g}" if isinstance(v, int | float) else str(v)) for f, v in changes)
        return ", ".join(f"{field.rpartition('.')[2]} {value}" for field, value in said)

    def __str__(self) -> str:
        table = self.table()
        days, stretch = len(self.seeds), f"{self.until_ns / 1e9:g} s"
        names = [self._name(index) for index in range(len(table))]
        lines = [f"{days:,} markets of {stretch}, the same for every setting; P&L of a run:"]
        lines += [
            f"  {name}: {row['mean']:+,.4g} ± {row['se']:.2g} (standard error)"
            for name, row in zip(names, table, strict=True)
        ]
        for name, row in list(zip(names, table, strict=True))[1:]:
            lines.append(
                f"{names[0]} → {name}: {row['difference']:+,.4g}, {100 * self.confidence:g} % interval"
                f" {row['low']:+,.4g} to {row['high']:+,.4g}"
            )
            lines.append(_saved(row, days))
        return "\n".join(lines)

    __repr__ = __str__


_AGAINST = ("difference", "low", "high", "correlation", "variance_ratio", "unpaired_runs")


def _against(first: Floats, other: Floats, confidence: float) -> tuple[float, ...]:
    difference = other - first
    mean, error = float(difference.mean()), float(standard_error(difference))
    reach = student(confidence, difference.size - 1) * error
    paired, separate = difference.var(ddof=1), first.var(ddof=1) + other.var(ddof=1)
    both = math.sqrt(first.var(ddof=1) * other.var(ddof=1))
    correlation = float(np.cov(first, other)[0, 1]) / both if both else math.nan
    ratio = float(separate / paired) if paired else math.inf if separate else math.nan
    return mean, mean - reach, mean + reach, correlation, ratio, first.size * ratio


def _saved(row: Any, runs: int) -> str:
    ratio, correlation = row["variance_ratio"], row["correlation"]
    if not math.isfinite(ratio):
        return "  the two do not differ by anything that chance decides"
    return (
        f"  correlation {correlation:.4f}; on separate markets the same interval takes"
        f" {row['unpaired_runs']:,.0f} runs of each instead of {runs:,} ({ratio:,.1f} × as many)"
    )


def compare(
    config: SimConfig | Mapping[str, Any] | str | None,
    values: Mapping[str, Any],
    *,
    seeds: int | Iterable[int] = 32,
    until: str | float | None = None,
    confidence: float = 0.95,
    market: Market | None = None,
    strategy: Strategy | None = None,
    executor: Any = None,
) -> Comparison:
    """Set two or more settings against each other, market by market.

    Parameters
    ----------
    config
        What the settings share, as in `lablib.run`.
    values
        For each dotted field its value in every setting: the k-th of all fields make the k-th setting.
        The first is what the others are compared with.
    seeds
        Markets: a number of them or a list; two at least.
    until
        Simulated time of a run: a day of an interval "over days" is one run.
    confidence
        Of the intervals, between 0 and 1.
    market, strategy, executor
        As `lablib.sweep`.

    Raises
    ------
    ConfigError
        Fields, values or seeds that cannot be had.
    LabError
        When a setting cannot be run.
    """
    base = as_config(config)
    design, chosen = arms(base, values), seeds_of(seeds)
    if len(chosen) < 2:
        raise ConfigError(f"seeds: an interval needs two markets at least, got {len(chosen)}")
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence: between 0 and 1, got {confidence}")
    check_runs(design.count, len(chosen))
    until_ns = span_ns(until, market)
    theirs = None if strategy is None else prepare(strategy)
    # A seed is a job of its own, so that two settings keep more than two threads busy; all settings meet
    # it before the next one, while its tape is at hand.
    jobs = (
        (
            k,
            (
                base,
                design.changes(k % design.count),
                (chosen[k // design.count],),
                until_ns,
                market,
                theirs,
            ),
        )
        for k in range(design.count * len(chosen))
    )
    runs = {name: np.full((design.count, len(chosen)), np.nan) for name in MEASURES}
    for k, outcome in gather(cell, jobs, executor):
        if isinstance(outcome, BaseException):
            raise outcome
        place, arm = divmod(k, design.count)
        if "error" in outcome:
            raise LabError(f"compare: {design.changes(arm)!r}: {outcome['error']}")
        for name in MEASURES:
            runs[name][arm, place] = outcome[name][0]
    for values_of in runs.values():
        values_of.flags.writeable = False
    return Comparison(base, design, chosen, until_ns, confidence, runs)
