"""run() and Run: all of a run at once, as tables and a summary."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.attribution import attribute
from lablib.config import SimConfig
from lablib.engine import COMMAND, TABLES, Command, Market, Simulation, Strategy
from lablib.errors import ArchiveError, ConfigError
from lablib.frame import Frame
from lablib.kernels import tables as t
from lablib.performance import MARKOUTS_MS, markouts, performance
from lablib.units import parse_duration

if TYPE_CHECKING:
    import pandas as pd

REPLAY_COLUMNS = (
    "t",
    "external_px",
    "market_px",
    "divergence",
    "action",
    "equity",
    "realized_pnl",
    "position",
    "halted",
)
_SLICES = 200  # how often a long run reports its progress


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    samples, orders, fills, risk_events
        Structured arrays of the dtypes in `lablib.kernels.tables`; times int64 ns, `_px` in currency.
    commands
        What was done to the market while it ran, with simulated times.
    last
        The last frame.
    digest
        SHA-256 of the run; the same (config, seed, market, commands) give the same digest.
    parties
        What makers, rivals and the crowd have traded, a row each; see `lablib.parties`.
    twin
        The same run with every wire of our own at zero, where it was asked for.
    """

    config: SimConfig
    seed: int
    samples: np.ndarray
    orders: np.ndarray
    fills: np.ndarray
    risk_events: np.ndarray
    commands: np.ndarray
    last: Frame
    digest: str
    parties: np.ndarray
    market_report: dict[str, Any] | None = None
    twin: Run | None = None

    def summary(self) -> dict[str, Any]:
        """The run in plain numbers: money in currency, latencies in ms, nothing that JSON cannot hold."""
        last = self.last
        reasons = self.orders["reason"][self.orders["status"] == t.REJECTED]
        rejected = {
            t.REASONS[reason]: int(count)
            for reason, count in zip(*np.unique(reasons, return_counts=True), strict=True)
        }
        result: dict[str, Any] = {
            "digest": self.digest,
            "seconds": last.t_ns / t.NS_PER_S,
            "events": last.events,
            "decisions": last.decisions,
            "orders": last.order_count,
            "fills": last.fill_count,
            "rejected": sum(rejected.values()),
            "rejected_by_reason": rejected,
            "equity": last.equity,
            "pnl": last.equity - self.config.account.starting_cash,
            "realized_pnl": last.realized_pnl,
            "unrealized_pnl": last.unrealized_pnl,
            "fees": last.fees,
            "position": last.position_lots,
            "max_drawdown": last.max_drawdown,
            "halted": last.halted,
            "halt_reason": last.halt_reason,
            "halted_at_s": last.halted_at_ns / t.NS_PER_S if last.halted else None,
            "halts": last.halts,
            "overshoot": last.overshoot,
            "drawdown_overshoot": last.drawdown_overshoot,
        }
        for name, view in (
            ("latency", last.latency),
            ("decision_latency", last.decision_latency),
            ("exchange_latency", last.exchange_latency),
        ):
            for q, label in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"), (0.999, "p999")):
                result[f"{name}_{label}_ms"] = view.quantile_ms(q) if view.count else None
        return result

    def latency_cost(self) -> dict[str, float]:
        """What our own latency did to the P&L (currency): that of the run, of its twin, and the difference.

        Raises
        ------
        ConfigError
            Where the run was made without a twin.
        """
        if self.twin is None:
            raise ConfigError("twin: latency_cost() needs a run made with twin=True, got False")
        ours, theirs = (
            one.last.equity - self.config.account.starting_cash for one in (self, self.twin)
        )
        return {
            "pnl": ours,
            "pnl_without_latency": theirs,
            "latency_cost": theirs - ours,
            "fills": self.last.fill_count,
            "fills_without_latency": self.twin.last.fill_count,
        }

    def attribution(self, by: str = "total") -> np.ndarray:
        """What earned and what cost: see `lablib.attribution.attribute`; `pnl` is the run's to the last unit."""
        mark = round(2 * self.last.market_px / self.config.venue.tick_size)
        day_ns = parse_duration(self.config.risk.day_length)
        return attribute(self.fills, mark, self.config.unit_value, by, day_ns)

    def performance(self) -> dict[str, Any]:
        """Fill rate, slippage, round trips, hit rate, time in position: see `lablib.performance`."""
        seconds = self.last.t_ns / t.NS_PER_S
        return performance(self.orders, self.fills, seconds, self.config.unit_value)

    def markouts(self, horizons_ms: Sequence[float] = MARKOUTS_MS) -> np.ndarray:
        """How the mid we saw stood to our fills some time later: see `lablib.performance.markouts`."""
        return markouts(self.fills, self.samples["t_ns"], self.samples["market_px"], horizons_ms)

    def to_pandas(self) -> pd.DataFrame:
        """The samples as a data frame indexed by simulated time."""
        import pandas as pd

        frame = pd.DataFrame({name: self.samples[name] for name in self.samples.dtype.names or ()})
        return frame.set_index(pd.to_timedelta(frame.pop("t_ns"), unit="ns").rename("t"))

    def to_csv(self, path: str | Path) -> None:
        """Write the replay CSV (t in seconds, one row a decision); whole or not at all.

        Raises
        ------
        ArchiveError
            Where the file cannot be written.
        """
        with _whole_file(Path(path)) as handle:
            write_replay(handle, self.samples)

    def save(self, directory: str | Path) -> None:
        """Write `summary.json`, `config.json`, `replay.csv` and the tables into a new folder.

        Raises
        ------
        ArchiveError
            Where the folder exists and is not empty, or cannot be written.
        """
        target = Path(directory)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ArchiveError(f"{target}: exists and is not an empty folder; nothing was written")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        except OSError as error:
            raise ArchiveError(f"{target}: {error.strerror}") from None
        try:
            with (scratch / "replay.csv").open("w", newline="", encoding="utf-8") as handle:
                write_replay(handle, self.samples)
            for name in (*TABLES, "commands"):
                np.save(scratch / f"{name}.npy", getattr(self, name), allow_pickle=False)
            (scratch / "config.json").write_text(self.config.to_json() + "\n", encoding="utf-8")
            summary = {"seed": self.seed, **self.summary()}
            (scratch / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
            if target.exists():
                target.rmdir()
            scratch.chmod(0o755)
            scratch.rename(target)
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise ArchiveError(f"{target}: {error.strerror}") from None


class _whole_file:  # noqa: N801 - a context manager read as a verb
    """A text file that appears under its name only when it is complete."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Any:
        try:
            number, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        except OSError as error:
            raise ArchiveError(f"{self.path}: {error.strerror}") from None
        self._scratch = Path(name)
        self._handle = os.fdopen(number, "w", newline="", encoding="utf-8")
        return self._handle

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._handle.close()
            if error is None:
                self._scratch.chmod(0o644)
                self._scratch.replace(self.path)
        except OSError as late:  # what was buffered found no room, or the name is a folder's
            error = error or late
        if error is not None:
            self._scratch.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ArchiveError(f"{self.path}: {error.strerror}") from None


def write_replay(handle: Any, samples: np.ndarray) -> None:
    """Write samples as the replay CSV."""
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow(REPLAY_COLUMNS)
    seconds = samples["t_ns"] / t.NS_PER_S
    columns = [seconds.tolist(), *(samples[name].tolist() for name in REPLAY_COLUMNS[1:])]
    writer.writerows(zip(*columns, strict=True))


def commands_table(commands: Iterable[Command]) -> np.ndarray:
    """Commands as a structured array; values as JSON."""
    rows = [(c.t_ns, c.kind, c.field, json.dumps(c.value)) for c in commands]
    return np.array(rows, COMMAND)


def run(
    config: SimConfig | Mapping[str, Any] | str | None = None,
    *,
    seed: int = 0,
    until: str | float | None = None,
    market: Market | None = None,
    commands: Iterable[Command] = (),
    strategy: Strategy | None = None,
    twin: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Run:
    """Simulate from start to end.

    Parameters
    ----------
    config, seed, market, commands, strategy
        As `lablib.engine.Simulation`.
    until
        Where to stop, such as "1h"; None is ten minutes, or the end of a recorded market.
    twin
        Run the same market again with every wire of our own at zero, for `Run.latency_cost`.
    progress
        Called now and then with the share done, in (0, 1].
    """
    if until is None:
        until_ns = market.duration_ns if market is not None else parse_duration("10min")
    else:
        until_ns = parse_duration(until)
    if market is not None:
        until_ns = min(until_ns, market.duration_ns)
    simulation = Simulation(config, seed=seed, market=market, commands=commands, strategy=strategy)
    played = [simulation, simulation.twin()] if twin else [simulation]
    parts: list[dict[str, list[np.ndarray]]] = [{name: [] for name in TABLES} for _ in played]
    slices = _SLICES if progress or twin else 1
    for k in range(1, slices + 1):
        for one, tables in zip(played, parts, strict=True):
            frame = one.advance(until_ns * k // slices)
            for name in TABLES:
                tables[name].append(getattr(frame, name))
        if progress:
            progress(k / slices)
    runs = [_finished(one, tables) for one, tables in zip(played, parts, strict=True)]
    return replace(runs[0], twin=runs[1] if twin else None)


def _finished(simulation: Simulation, parts: dict[str, list[np.ndarray]]) -> Run:
    tables: dict[str, Any] = {name: np.concatenate(parts[name]) for name in TABLES}
    orders = np.concatenate((tables["orders"], simulation.open_orders()))
    tables["orders"] = orders[np.argsort(orders["order_id"], kind="stable")]
    for table in tables.values():
        table.flags.writeable = False
    return Run(
        config=simulation.config,
        seed=simulation.seed,
        commands=commands_table(simulation.commands),
        last=simulation.frame(),
        digest=simulation.digest(),
        parties=simulation.parties(),
        market_report=simulation.market_report(),
        **tables,
    )
