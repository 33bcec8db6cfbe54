"""sweep(): many configs on common noise -> one tidy table, a row a cell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib import __version__, exports, own_strategy
from lablib.config import SimConfig
from lablib.engine import Market, Strategy, as_config, span_ns
from lablib.errors import ConfigError
from lablib.experiments import tables
from lablib.experiments.cell import Outcome, cell
from lablib.experiments.crew import gather
from lablib.experiments.design import DESIGNS, Design, check_runs, grid, scatter, seeds_of
from lablib.experiments.frontier import Frontier, frontier_of
from lablib.experiments.ledger import Ledger
from lablib.experiments.rows import COLUMNS, numbers, settled

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]


class Sweep:
    """Cells of a design, each run under the same seeds: what is done so far, and what is not.

    Made by `sweep`. Several threads may read it while one fills it.

    Attributes
    ----------
    config, design, seeds, until_ns
        What is run.
    pnl
        P&L of every run, shape (cells, seeds); NaN where there is none.
    errors
        Of the cells that failed, by index.
    """

    def __init__(
        self,
        config: SimConfig,
        design: Design,
        seeds: tuple[int, ...],
        until_ns: int,
        market: Market | None = None,
        strategy: Strategy | None = None,
    ) -> None:
        self.config, self.design, self.seeds, self.until_ns = config, design, seeds, until_ns
        self._market = market
        self._own = None if strategy is None else own_strategy.prepare(strategy)
        self._stats = np.full((design.count, len(COLUMNS)), np.nan)
        self._done = np.zeros(design.count, bool)
        self.pnl = np.full((design.count, len(seeds)), np.nan)
        self.errors: dict[int, str] = {}

    # ------------------------------------------------------------------------------------- reading
    def __len__(self) -> int:
        return int(np.count_nonzero(self._done))

    @property
    def complete(self) -> bool:
        """Whether every cell has its row."""
        return bool(self._done.all())

    @property
    def table(self) -> np.ndarray:
        """One row a cell that is done: `cell`, the fields, `runs`, `COLUMNS` and `error`."""
        done = np.flatnonzero(self._done)
        columns: dict[str, np.ndarray] = {"cell": done}
        for field in self.design.fields:
            columns[field] = tables.column(self.design.column(field, done.tolist()))
        errors = [self.errors.get(index, "") for index in done.tolist()]
        runs = np.array([0 if error else len(self.seeds) for error in errors], np.int64)
        columns["runs"] = runs
        columns |= {name: self._stats[done, k] for k, name in enumerate(COLUMNS)}
        columns["error"] = np.array(errors, np.str_) if errors else np.zeros(0, "U1")
        return tables.structured(columns)

    def row(self, index: int) -> Row:
        """One cell's row as a dict."""
        stats = dict(zip(COLUMNS, self._stats[index].tolist(), strict=True))
        error = self.errors.get(index, "")
        runs = 0 if error else len(self.seeds)
        return {"cell": index, **self.design.changes(index), "runs": runs, **stats, "error": error}

    def to_pandas(self) -> pd.DataFrame:
        """The table as a data frame."""
        import pandas as pd

        table = self.table
        return pd.DataFrame({name: table[name] for name in table.dtype.names or ()})

    def save(self, path: str | Path) -> None:
        """Write the table as `.csv`, `.parquet` or `.jsonl`, by the name's ending; whole or not at all.

        Raises
        ------
        ConfigError
            Another ending.
        ArchiveError
            Where the file cannot be written.
        """
        exports.save(self.table, path)

    def encoded(self, suffix: str) -> bytes:
        """The table as the bytes of a `.csv`, `.parquet` or `.jsonl` file."""
        return exports.encoded(self.table, suffix)

    def frontier(
        self, x: str | None = None, y: str | None = None, where: Mapping[str, Any] | None = None
    ) -> Frontier:
        """Two fields of a grid as maps, shape (values of y, values of x).

        Parameters
        ----------
        x, y
            Fields; the first two of the sweep unless given.
        where
            The value at which every other field of the sweep is held.
        """
        return frontier_of(self.config, self.design, self.pnl, self._stat, x, y, where)

    def _stat(self, name: str) -> np.ndarray:
        return self._stats[:, COLUMNS.index(name)]

    def __str__(self) -> str:
        failed = f", {len(self.errors):,} failed" if self.errors else ""
        fields = " × ".join(self.design.fields)
        return (
            f"sweep over {fields}: {len(self):,} of {self.design.count:,} cells{failed},"
            f" {len(self.seeds):,} seeds each, {self.until_ns / 1e9:g} s simulated"
        )

    __repr__ = __str__

    # ------------------------------------------------------------------------------------- filling
    def fill(
        self,
        executor: Any = None,
        on_result: Callable[[Row], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        progress: Callable[[int, int], None] | None = None,
        resume: str | Path | None = None,
    ) -> None:
        """Run the cells that are not done; see `sweep`."""
        ledger = None if resume is None else Ledger(resume, self.header())
        tell = progress or (lambda done, cells: None)
        try:
            for index, line in ledger.lines.items() if ledger else ():
                # A failure gets another chance.
                if 0 <= index < self.design.count and "error" not in line:
                    self._put(index, line)
            tell(len(self), self.design.count)
            for index, result in gather(cell, self._jobs(), executor, cancelled):
                outcome = settled(result)
                if outcome is None:
                    continue
                self._put(index, outcome)
                if ledger:
                    ledger.write({"cell": index, **outcome})
                if on_result:
                    on_result(self.row(index))
                tell(len(self), self.design.count)
        finally:
            if ledger:
                ledger.close()

    def _jobs(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        rest = self.seeds, self.until_ns, self._market, self._own
        for index in np.flatnonzero(~self._done).tolist():
            yield index, (self.config, self.design.changes(index), *rest)

    def _put(self, index: int, outcome: Outcome) -> None:
        if "error" in outcome:
            self.errors[index] = outcome["error"]
        else:
            self._stats[index] = numbers(outcome)
            self.pnl[index] = outcome["pnl"]
        self._done[index] = True

    def header(self) -> dict[str, Any]:
        """What makes it this sweep and no other."""
        design = self.design.describe()
        return {
            "lablib": __version__,
            "config": self.config.model_dump(mode="json"),
            "design": design,
            "design_sha256": hashlib.sha256(json.dumps(design).encode()).hexdigest(),
            "seeds": list(self.seeds),
            "until_ns": self.until_ns,
            "market_sha256": self._market.sha256 if self._market else None,
            "strategy_sha256": self._own.source_sha256 if self._own else None,
        }


def sweep(
    config: SimConfig | Mapping[str, Any] | str | None,
    values: Mapping[str, Any],
    *,
    seeds: int | Iterable[int] = 16,
    until: str | float | None = None,
    design: str = "grid",
    n: int | None = None,
    design_seed: int = 0,
    market: Market | None = None,
    strategy: Strategy | None = None,
    executor: Any = None,
    on_result: Callable[[Row], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    progress: bool | Callable[[int, int], None] | None = None,
    resume: str | Path | None = None,
) -> Sweep:
    """Run many configs on the same markets.

    Every cell meets the same seeds, so that two cells differ by their settings alone. The table does
    not depend on who computes it, nor on whether it was interrupted.

    Parameters
    ----------
    config
        What is not varied: a `SimConfig`, a preset's name, a partial dict, or None for the defaults.
    values
        For each dotted field a list of values; for a "latin" or "random" design a pair (smallest, largest).
    seeds
        A number of them (0, 1, …) or a list.
    until
        Simulated time of a run, such as "1h"; None is ten minutes, or all of a recorded market.
    design, n, design_seed
        "grid", every combination; "latin" or "random", `n` points drawn from `design_seed`.
    market, strategy
        As `lablib.simulate`.
    executor
        None for threads, one a processor; a number of threads; any `concurrent.futures.Executor`; a
        Dask client, whose lost tasks are done again.
    on_result
        Called with each row as it comes, on this thread.
    cancelled
        Asked several times a second: once true, the sweep returns with what is done.
    progress
        None shows a bar on a terminal and in a notebook; False none; or a function of (done, cells).
    resume
        A file that keeps every cell as it is done. Where it exists, its cells are not run again.

    Returns
    -------
    A `Sweep`: `table`, `to_pandas()`, `frontier()`, `save()`. A cell that failed is a row with its error.

    Raises
    ------
    ConfigError
        Fields, values, seeds or sizes that cannot be had: before anything runs.
    ArchiveError
        When `resume` is another sweep's file.
    """
    result = prepare(
        config,
        values,
        seeds=seeds,
        until=until,
        design=design,
        n=n,
        design_seed=design_seed,
        market=market,
        strategy=strategy,
    )
    with tables.bar(progress, result.design.count) as tell:
        result.fill(executor, on_result, cancelled, tell, resume)
    return result


def prepare(
    config: SimConfig | Mapping[str, Any] | str | None,
    values: Mapping[str, Any],
    *,
    seeds: int | Iterable[int] = 16,
    until: str | float | None = None,
    design: str = "grid",
    n: int | None = None,
    design_seed: int = 0,
    market: Market | None = None,
    strategy: Strategy | None = None,
) -> Sweep:
    """A sweep that is checked and has run nothing yet; `Sweep.fill` runs it. See `sweep`."""
    base = as_config(config)
    if design not in DESIGNS:
        raise ConfigError(f"design: one of {', '.join(DESIGNS)}, got {design!r}")
    if design == "grid":
        if n is not None:
            raise ConfigError(f"n: a grid has as many cells as its values make, got {n!r}")
        points = grid(base, values)
    else:
        points = scatter(base, values, design, n if n is not None else 0, design_seed)
    chosen = seeds_of(seeds)
    check_runs(points.count, len(chosen))
    return Sweep(base, points, chosen, span_ns(until, market), market, strategy)
