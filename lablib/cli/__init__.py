"""The command line: parse, call one function, print.

Exit codes: 0 done, 1 the run failed (or halted, with `--fail-on-halt`), 2 bad input, 130 Ctrl-C.
Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lablib import __version__
from lablib.cli.faces import presets, serve
from lablib.cli.machine import bench, data
from lablib.cli.options import body, count, market, over, port, recorded, scenario
from lablib.cli.records import export, ls, replay, resume
from lablib.cli.simulate import demo, run, sweep
from lablib.errors import LabError

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(argv)
    try:
        command: Command = options.command
        code = command(options)
        sys.stdout.flush()  # a closed pipe shows itself here rather than at exit
    except LabError as error:
        print(f"lablib: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lablib: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def parser() -> argparse.ArgumentParser:
    """Every command, option and help text."""
    top = argparse.ArgumentParser(
        prog="lablib",
        description="Latency Risk Lab: what is left of a trading edge at your latency. "
        "Simulation only; no order ever leaves the process.",
        epilog="Start with `lablib demo`, then `lablib serve`.",
    )
    top.add_argument("--version", action="version", version=f"lablib {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, command: Command, text: str, *parents: argparse.ArgumentParser) -> Any:
        sub = commands.add_parser(name, help=text, description=text, parents=parents)
        sub.set_defaults(command=command)
        return sub

    add("demo", demo, "Trade one simulated hour and say what latency did to it.", scenario("1h"))
    one = add("run", run, "Run one simulation and print its summary.", scenario(None))
    one.add_argument(
        "--no-twin",
        action="store_true",
        help="leave out the same market met without latency, which tells what latency cost",
    )
    recorded(one)
    one.add_argument("--output", type=Path, metavar="DIR", help="record it in a new folder")
    one.add_argument("--fail-on-halt", action="store_true", help="exit with 1 if the run halted")

    many = add("sweep", sweep, "Run many settings on the same markets.", scenario("10min"))
    many.add_argument(
        "--over",
        action="append",
        required=True,
        type=over,
        metavar="SECTION.FIELD=VALUES",
        help="vary a field: 1,5,20,80 or 0.001:0.005:5 (from, to, how many; :log for a geometric row);"
        " repeatable, for every combination",
    )
    many.add_argument(
        "--seeds",
        type=int,
        default=16,
        metavar="N",
        help="markets a setting meets, from --seed on (%(default)s)",
    )
    many.add_argument("--threads", type=int, metavar="N", help="threads (one a processor)")
    many.add_argument(
        "--output", type=Path, metavar="FILE", help="write the table: .csv, .parquet or .jsonl"
    )
    many.add_argument(
        "--resume",
        type=Path,
        metavar="FILE",
        help="keep every setting here as it is done, and begin where the file ends",
    )

    again = add("replay", replay, "Run a record again and compare it, byte for byte.")
    again.add_argument(
        "--output", type=Path, metavar="DIR", help="write it to a new record instead"
    )
    on = add("resume", resume, "Go on with an interrupted record, to its end.")
    on.add_argument("--until", help="another end, such as 1h; needed where it had none")
    for sub in (again, on):
        sub.add_argument("record", type=Path, metavar="RECORD", help="folder of a record")
        recorded(sub)
        sub.add_argument("--json", action="store_true", help="print one JSON object")

    out = add("export", export, "Write a table of a record as CSV, Parquet or JSON lines.")
    out.add_argument("record", type=Path, metavar="RECORD", help="folder of a record")
    out.add_argument("output", type=Path, metavar="FILE", help="ends in .csv, .parquet or .jsonl")
    out.add_argument(
        "--table",
        default="samples",
        help="samples (as .csv the replay CSV), orders, fills or risk_events (%(default)s)",
    )
    shelf = add("ls", ls, "List the records in a folder.")
    shelf.add_argument(
        "folder", type=Path, nargs="?", default=Path(), metavar="FOLDER", help="(here)"
    )
    shelf.add_argument("--json", action="store_true", help="print one JSON list")

    look = add("data", data, "Look through a recording, or a pair of them, before running on it.")
    look.add_argument("leader", type=Path, metavar="FILE", help="a recording; alone, its own venue")
    look.add_argument(
        "follower", type=Path, nargs="?", metavar="FOLLOWER", help="the venue that follows it"
    )
    look.add_argument(
        "--on-bad",
        choices=("raise", "skip"),
        default="raise",
        help="stop at the first bad row and name it, or drop and count them (%(default)s)",
    )
    look.add_argument("--json", action="store_true", help="print one JSON object")
    speed = add("bench", bench, "Measure how fast this computer simulates.")
    speed.add_argument("--rounds", type=count, default=3, metavar="N", help="(%(default)s)")
    speed.add_argument("--json", action="store_true", help="print one JSON object")

    lab = add("serve", serve, "Start the live lab in a browser, for this computer only.")
    lab.add_argument("--port", type=port, help="port (8866, or the next free one); 0 takes any")
    lab.add_argument("--ip", default="127.0.0.1", help="address to listen on (%(default)s)")
    lab.add_argument("--token", help="what visitors must know (JUPYTER_TOKEN, or a random one)")
    lab.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another host name under which browsers reach this server; repeatable",
    )
    lab.add_argument(
        "--viewer-token", help="what those must know who only look (LABLIB_VIEWER_TOKEN, or random)"
    )
    lab.add_argument(
        "--records", metavar="DIR", help="keep the records of the server's runs here (nowhere)"
    )
    lab.add_argument(
        "--records-quota",
        dest="records_quota_mb",
        type=count,
        metavar="MB",
        help="what all records may take; beyond it the oldest ended go (8192)",
    )
    lab.add_argument(
        "--market",
        action="append",
        default=[],
        type=market,
        metavar="NAME=LEADER,FOLLOWER",
        help="recorded market that runs and pages may ask for by its name: two files; repeatable",
    )
    lab.add_argument(
        "--upload",
        dest="upload_mb",
        type=count,
        metavar="MB",
        help="how large a recording may be that a visitor hands in (16)",
    )
    lab.add_argument(
        "--run",
        type=body,
        metavar="PRESET",
        help="start a run at once, for all who watch: a scenario's name, or all that POST runs takes as"
        ' one JSON object, {"config": "cloud", "speed": 10, "until": "8h"}',
    )
    lab.add_argument("--max-runs", type=count, metavar="N", help="runs at once (4)")
    lab.add_argument("--max-viewers", type=count, metavar="N", help="WebSockets at once (200)")
    lab.add_argument("--max-pages", type=count, metavar="N", help="dashboards open at once (200)")
    lab.add_argument("--no-browser", action="store_true", help="do not open a browser")

    listing = add(
        "presets", presets, "List the named scenarios and wires, and where their numbers come from."
    )
    listing.add_argument("--wires", action="store_true", help="only the named wires")
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    return top
