"""run() and Run: all of a run at once, as tables and a summary."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.attribution import attribute
from lablib.commands import Command, commands_table
from lablib.config import SimConfig
from lablib.engine import TABLES, Checkpoint, Market, Simulation, Strategy, open_orders, span_ns
from lablib.errors import ConfigError
from lablib.files import whole_file
from lablib.frame import Frame
from lablib.kernels import tables as t
from lablib.performance import MARKOUTS_MS, markouts, performance
from lablib.recording.folder import FAILED, FINISHED, HALTED, STOPPED, Ending, Opening
from lablib.recording.recorder import Recorder, opening_of
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
class Origin:
    """What a run came from and where it ended: all that is needed to write it down, or to go on.

    Attributes
    ----------
    ended
        Rows of the orders that met their end, in that order.
    """

    opening: Opening
    commands: tuple[Command, ...]
    checkpoint: Checkpoint
    ended: np.ndarray


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
    origin
        What `save` writes down.
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
    origin: Origin = field(repr=False)
    market_report: dict[str, Any] | None = None
    twin: Run | None = None

    def summary(self) -> dict[str, Any]:
        """The run in plain numbers: money in currency, latencies in ms, nothing that JSON cannot hold.

        `nonsense` counts what an own strategy answered that was no action, and was taken as hold, and the
        prices it wrote that were none, and stood nowhere.
        """
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
            "nonsense": last.nonsense,
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

        While one of the two is halted and the other trades on, the difference tells of the halt: compare
        `halts_without_latency` with the run's own.

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
            "halted_without_latency": self.twin.last.halted,
            "halts_without_latency": self.twin.last.halts,
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
        with whole_file(path, text=True) as handle:
            write_replay(handle, self.samples)

    def save(self, directory: str | Path) -> None:
        """Write the run as a record: `lablib.open_run` reads it, `lablib.replay` runs it again.

        Raises
        ------
        ArchiveError
            Where the folder exists and is not empty, or cannot be written; then nothing is.
        """
        recorder = Recorder.create(directory, self.origin.opening)
        ending = Ending(status=FAILED, reason="was not written to its end")
        try:
            for command in self.origin.commands:
                recorder.command(command)
            tables = {name: getattr(self, name) for name in TABLES}
            recorder.append(self.last.t_ns, {**tables, "orders": self.origin.ended})
            recorder.checkpoint(self.origin.checkpoint)
            ending = self.ending()
        finally:
            recorder.close(ending)

    def ending(self) -> Ending:
        """How it ended, as a record says it."""
        status = HALTED if self.last.halted else FINISHED
        return Ending(status=status, digest=self.digest, summary=self.summary())


def write_replay(handle: Any, samples: np.ndarray) -> None:
    """Write samples as the replay CSV."""
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow(REPLAY_COLUMNS)
    seconds = samples["t_ns"] / t.NS_PER_S
    columns = [seconds.tolist(), *(samples[name].tolist() for name in REPLAY_COLUMNS[1:])]
    writer.writerows(zip(*columns, strict=True))


def run(
    config: SimConfig | Mapping[str, Any] | str | None = None,
    *,
    seed: int = 0,
    until: str | float | None = None,
    market: Market | None = None,
    commands: Iterable[Command] = (),
    strategy: Strategy | None = None,
    twin: bool = False,
    record: str | Path | None = None,
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
    record
        A new folder that is written while the run goes: whatever happens to the process, what is there
        opens, and `lablib.resume` goes on.
    progress
        Called now and then with the share done, in (0, 1].

    Raises
    ------
    ConfigError
        What cannot be simulated; or an own strategy raised, and its record says so.
    ArchiveError
        A record that cannot be written; what is there says so, and opens.
    """
    until_ns = span_ns(until, market)
    simulation = Simulation(config, seed=seed, market=market, commands=commands, strategy=strategy)
    recorder = None
    if record is not None:
        recorder = Recorder.create(record, opening_of(simulation, until_ns))
    return played(simulation, until_ns, recorder, twin=twin, progress=progress)


Parts = dict[str, list[np.ndarray]]


def played(
    simulation: Simulation,
    until_ns: int,
    recorder: Recorder | None = None,
    *,
    twin: bool = False,
    progress: Callable[[float], None] | None = None,
    before: Parts | None = None,
) -> Run:
    """Play a simulation to its end, and close its record.

    Parameters
    ----------
    before
        Rows of a simulation that did not begin at its start.
    """
    both = [simulation, simulation.twin()] if twin else [simulation]
    parts: list[Parts] = [{name: [] for name in TABLES} for _ in both]
    for name, rows in (before or {}).items():
        parts[0][name] += rows
    begun_ns = simulation.now_ns
    slices = _SLICES if progress or twin or recorder else 1
    with _closing(recorder):
        for k in range(1, slices + 1):
            at = begun_ns + (until_ns - begun_ns) * k // slices
            for one, tables in zip(both, parts, strict=True):
                frame = one.advance(at)
                new = {name: getattr(frame, name) for name in TABLES}
                for name, rows in new.items():
                    tables[name].append(rows)
                if recorder and one is simulation:
                    recorder.append(at, new)
                    if recorder.wants_checkpoint:
                        recorder.checkpoint(simulation.checkpoint())
            if progress:
                progress(k / slices)
        runs = [finished(one, tables, until_ns) for one, tables in zip(both, parts, strict=True)]
        if recorder:
            recorder.checkpoint(runs[0].origin.checkpoint)
            recorder.close(runs[0].ending())
    return replace(runs[0], twin=runs[1] if twin else None)


@contextmanager
def _closing(recorder: Recorder | None) -> Iterator[None]:
    """Leave a record that says why it ends where it does."""
    try:
        yield
    except BaseException as error:
        if recorder:
            stopped = isinstance(error, KeyboardInterrupt)
            why = "" if stopped else str(error) or type(error).__name__
            recorder.close(Ending(status=STOPPED if stopped else FAILED, reason=why))
        raise


def finished(simulation: Simulation, parts: Parts, until_ns: int | None) -> Run:
    """The run that a simulation has come to; it is not to be played on."""
    tables: dict[str, Any] = {name: np.concatenate(parts[name]) for name in TABLES}
    last = simulation.frame()
    origin = Origin(
        opening=opening_of(simulation, until_ns),
        commands=tuple(simulation.commands),
        checkpoint=simulation.checkpoint(last=True),
        ended=tables["orders"],
    )
    orders = np.concatenate((origin.ended, open_orders(simulation.state)))
    tables["orders"] = orders[np.argsort(orders["order_id"], kind="stable")]
    for table in (*tables.values(), origin.ended):
        table.flags.writeable = False
    return Run(
        config=simulation.config,
        seed=simulation.seed,
        commands=commands_table(simulation.commands),
        last=last,
        digest=simulation.digest(),
        parties=simulation.parties(),
        origin=origin,
        market_report=simulation.market_report(),
        **tables,
    )
