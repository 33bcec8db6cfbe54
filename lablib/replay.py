"""Records brought back: opened as a run, run again, gone on with, forked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lablib.commands import Command
from lablib.engine import TABLES, Market, Strategy
from lablib.errors import ArchiveError, ConfigError
from lablib.recording.record import Record, differing, first_difference, open_record, told
from lablib.run import Run, finished, played, run
from lablib.units import parse_duration

Progress = Callable[[float], None]


def open_run(
    path: str | Path, *, market: Market | None = None, strategy: Strategy | None = None
) -> Run:
    """The run in a record; of an interrupted one what there is of it.

    Parameters
    ----------
    path
        The folder, as `Run.save`, `run(record=…)`, a recorded `Session` or `lablib run --output` wrote it.
    market, strategy
        Where it was played on recorded data that have moved, or with an own strategy.

    Raises
    ------
    ArchiveError
        It is no record, or what is there is not what was written: which file, where.
    """
    return _opened(open_record(path), market, strategy)


def _opened(record: Record, market: Market | None, strategy: Strategy | None) -> Run:
    simulation, kept, fresh = record.restore(market, strategy)
    parts = {name: [kept[name], fresh[name]] for name in TABLES}
    opened = finished(simulation, parts, record.opening.until_ns)
    if record.ending.digest not in ("", opened.digest):
        raise ArchiveError(
            f"{record.path}: its digest is {record.ending.digest[:12]}…, what is there gives"
            f" {opened.digest[:12]}… (made by {told(record.versions)})"
        )
    return opened


@dataclass(frozen=True)
class Replay:
    """A record, to be run again from its config, seed, market and commands."""

    record: Record
    market: Market | None = None
    strategy: Strategy | None = None

    def run(self, record: str | Path | None = None, progress: Progress | None = None) -> Run:
        """All of it again, from the start.

        Parameters
        ----------
        record
            A new folder to write it to.
        """
        return self._again(self.record.commands, record, progress)

    def verify(self, progress: Progress | None = None) -> str:
        """Run it again and compare.

        Returns
        -------
        The digest, which is that of the record.

        Raises
        ------
        ArchiveError
            It is another: with the first row that differs.
        """
        again = self.run(progress=progress)
        kept = {**self.record.tables()}
        new = {**{name: getattr(again, name) for name in TABLES}, "orders": again.origin.ended}
        for name, rows in kept.items():
            fresh = new[name][: rows.size] if self.record.status == "interrupted" else new[name]
            at = first_difference(rows, fresh)
            if at is not None:
                raise ArchiveError(
                    f"{self.record.path}: {name} row {at}: {differing(rows, fresh, at)}"
                    f" (made by {told(self.record.versions)})"
                )
        if self.record.ending.digest not in ("", again.digest):
            raise ArchiveError(
                f"{self.record.path}: its digest is {self.record.ending.digest[:12]}…,"
                f" run again it is {again.digest[:12]}… (made by {told(self.record.versions)})"
            )
        return again.digest

    def fork(
        self, at: str | float, changes: Mapping[str, Any], progress: Progress | None = None
    ) -> Run:
        """The same run up to a moment, and from there under other settings.

        Commands that come later are given all the same.

        Parameters
        ----------
        at
            Simulated time of the fork.
        changes
            Dotted config fields, as a slider would set them in the running market.

        Raises
        ------
        ConfigError
            No change, a moment beyond the run's end, or a field that cannot change while it runs.
        """
        at_ns = parse_duration(at)
        if not changes:
            raise ConfigError(
                "fork: give at least one change, such as {'latency.order_entry_ms': 20}"
            )
        if at_ns >= self.record.reached_ns:
            raise ConfigError(
                f"fork: at {at} is not before the run's end, {self.record.reached_ns / 1e9:g} s"
            )
        turns = [Command(at_ns + 1, "set", field, value) for field, value in changes.items()]
        before = [c for c in self.record.commands if c.t_ns <= at_ns]
        after = self.record.commands[len(before) :]
        return self._again((*before, *turns, *after), None, progress)

    def _again(
        self,
        commands: tuple[Command, ...],
        record: str | Path | None,
        progress: Progress | None,
    ) -> Run:
        first = self.record.simulation(self.market, self.strategy)
        return run(
            first.first_config,
            seed=first.seed,
            until=self.record.reached_ns / 1e9,
            market=first.market,
            commands=commands,
            strategy=self.strategy,
            record=record,
            progress=progress,
        )


def replay(
    path: str | Path, *, market: Market | None = None, strategy: Strategy | None = None
) -> Replay:
    """A record, to be run again: `replay(path).verify()`.

    Raises
    ------
    ArchiveError
        As `open_run`.
    """
    return Replay(open_record(path), market, strategy)


def resume(
    path: str | Path,
    *,
    until: str | float | None = None,
    market: Market | None = None,
    strategy: Strategy | None = None,
    progress: Progress | None = None,
) -> Run:
    """Go on with a record that was interrupted, to the same bytes as if it had not been.

    Parameters
    ----------
    until
        Where to end, needed where the run had no end of its own.

    Raises
    ------
    ArchiveError
        The record is damaged, ended by itself, or being written.
    ConfigError
        There is no end to go to, or it is behind.
    """
    record = open_record(path)
    if record.status not in ("interrupted", "stopped", "failed"):
        raise ArchiveError(f"{path}: is {record.status}; there is nothing to go on with")
    end_ns = record.opening.until_ns if until is None else parse_duration(until)
    if end_ns is None:
        raise ConfigError(f"until: {path} was steered by hand and has no end of its own; give one")
    if end_ns < record.reached_ns:
        at = record.reached_ns / 1e9
        raise ConfigError(f"until: {end_ns / 1e9:g} s is behind, the record is at {at:g} s")
    simulation, kept, fresh = record.restore(market, strategy)
    recorder = record.recorder(end_ns)
    recorder.append(simulation.now_ns, fresh)
    before = {name: [kept[name], fresh[name]] for name in TABLES}
    return played(simulation, end_ns, recorder, progress=progress, before=before)


def listing(folder: str | Path) -> list[dict[str, Any]]:
    """Every record in a folder, oldest first: name, status, seconds, rows, bytes, seed, digest.

    Raises
    ------
    ArchiveError
        No such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ArchiveError(f"{root}: no such folder")
    found = [root] if (root / "run.json").exists() else sorted(root.iterdir())
    rows = []
    for path in found:
        if not (path / "run.json").is_file():
            continue
        row: dict[str, Any] = {"name": path.name}
        try:
            record = open_record(path)
        except ArchiveError as error:
            rows.append({**row, "status": "damaged", "reason": str(error)})
            continue
        rows.append(
            {
                **row,
                "status": record.status,
                "reason": record.ending.reason,
                "seconds": record.now_ns / 1e9,
                "seed": record.opening.seed,
                "market": (record.opening.market or {}).get("name", ""),
                "commands": len(record.commands),
                **{name: record.marks["rows"][name] for name in TABLES},
                "bytes": sum(file.stat().st_size for file in path.iterdir()),
                "digest": record.ending.digest,
            }
        )
    return rows


def described(record: Record) -> str:
    """A record's commands as JSON, for those who want to see what was done."""
    return json.dumps([(c.t_ns, c.kind, c.field, c.value) for c in record.commands])
