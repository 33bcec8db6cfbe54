"""Commands about records: replay, resume, export, ls."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from lablib.cli.options import market_of
from lablib.cli.simulate import bar, mention_compiling
from lablib.errors import ConfigError


def replay(options: argparse.Namespace) -> int:
    """Run a record again and compare, or write what it gives to a new one."""
    from lablib.replay import replay as of

    mention_compiling()
    again = of(options.record, market=market_of(options))
    with bar("replaying") as progress:
        if options.output:
            digest = again.run(record=options.output, progress=progress).digest
        else:
            digest = again.verify(progress)
    if options.json:
        print(json.dumps({"record": str(options.record), "digest": digest}))
    elif options.output:
        print(f"  made again in {options.output}\n  digest {digest}")
    else:
        print(f"  the same, to the last byte\n  digest {digest}")
    return 0


def resume(options: argparse.Namespace) -> int:
    """Go on with an interrupted record to its end."""
    from lablib.replay import resume as go_on
    from lablib.report import outcome

    mention_compiling()
    with bar("resuming") as progress:
        done = go_on(
            options.record, until=options.until, market=market_of(options), progress=progress
        )
    print(json.dumps(done.summary()) if options.json else outcome(done.summary()))
    return 0


def export(options: argparse.Namespace) -> int:
    """One table of a record as CSV, Parquet or JSON lines; of samples the CSV is the replay CSV."""
    from lablib.engine import TABLES
    from lablib.exports import check_path, save
    from lablib.files import whole_file
    from lablib.recording.record import open_record
    from lablib.run import write_replay

    target = check_path(options.output)
    if options.table not in TABLES:
        raise ConfigError(f"--table: one of {', '.join(TABLES)}, got {options.table!r}")
    rows = open_record(options.record).table(options.table)
    if options.table == "samples" and target.suffix == ".csv":
        with whole_file(target, text=True) as handle:
            write_replay(handle, rows)
    else:
        save(rows, target)
    print(f"  {rows.size:,} rows in {target}", file=sys.stderr)
    return 0


def ls(options: argparse.Namespace) -> int:
    """The records in a folder."""
    from lablib.replay import listing

    rows = listing(options.folder)
    if options.json:
        print(json.dumps(rows))
        return 0
    print("\n".join(_line(row) for row in rows) or f"  no record in {options.folder}")
    return 0


def _line(row: dict[str, Any]) -> str:
    head = f"  {row['name']:<24} {row['status']:<12}"
    if row["status"] == "damaged":
        return f"{head} {row['reason']}"
    told = (
        f"{row['seconds']:>10,.1f} s  seed {row['seed']:<6} {row['orders']:>8,} orders"
        f" {row['fills']:>8,} fills {row['commands']:>4} commands {row['bytes'] / 1e6:>9,.1f} MB"
    )
    return f"{head} {told}  {row['digest'][:12] or row['reason']}".rstrip()
