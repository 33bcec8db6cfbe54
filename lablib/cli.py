"""The command line: parse, call one function, print.

Exit codes: 0 done, 1 the run failed (or halted, with `--fail-on-halt`), 2 bad input, 130 Ctrl-C.
Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lablib import __version__
from lablib.errors import ConfigError, LabError

if TYPE_CHECKING:
    from lablib.config import SimConfig
    from lablib.engine import Market
    from lablib.run import Run

DEMO_DELAYS_MS = (0, 30, 60, 120, 240)

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


# ----------------------------------------------------------------------------------------- parsing
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

    add("demo", demo, "Trade one simulated hour and say what latency did to it.", _scenario("1h"))
    one = add("run", run, "Run one simulation and print its summary.", _scenario(None))
    one.add_argument(
        "--no-twin",
        action="store_true",
        help="leave out the same market met without latency, which tells what latency cost",
    )
    one.add_argument("--leader", type=Path, metavar="FILE", help="recorded external market")
    one.add_argument("--follower", type=Path, metavar="FILE", help="recorded venue to trade on")
    one.add_argument(
        "--output", type=Path, metavar="DIR", help="write the tables into a new folder"
    )
    one.add_argument("--fail-on-halt", action="store_true", help="exit with 1 if the run halted")

    many = add("sweep", sweep, "Run many settings on the same markets.", _scenario("10min"))
    many.add_argument(
        "--over",
        action="append",
        required=True,
        type=_over,
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

    lab = add("serve", serve, "Start the live lab in a browser, for this computer only.")
    lab.add_argument("--port", type=_port, help="port (8866, or the next free one); 0 takes any")
    lab.add_argument("--ip", default="127.0.0.1", help="address to listen on (%(default)s)")
    lab.add_argument("--token", help="what visitors must know (JUPYTER_TOKEN, or a random one)")
    lab.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another host name under which browsers reach this server; repeatable",
    )
    lab.add_argument("--no-browser", action="store_true", help="do not open a browser")

    listing = add(
        "presets", presets, "List the named scenarios and wires, and where their numbers come from."
    )
    listing.add_argument("--wires", action="store_true", help="only the named wires")
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    return top


def _scenario(until: str | None) -> argparse.ArgumentParser:
    """Options of every command that simulates."""
    options = argparse.ArgumentParser(add_help=False)
    start = options.add_mutually_exclusive_group()
    start.add_argument("--preset", default="classroom", help="named scenario (%(default)s)")
    start.add_argument(
        "--config", type=Path, metavar="FILE.toml", help='scenario; may name its own `preset = "…"`'
    )
    options.add_argument(
        "--wires", metavar="NAME", help="latencies of a named place or link; see lablib presets"
    )
    options.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        type=_change,
        metavar="SECTION.FIELD=VALUE",
        help="change one field, such as latency.order_entry_ms=20; repeatable",
    )
    options.add_argument("--seed", type=int, default=7, help="which market is drawn (%(default)s)")
    usual = until or "10min, or all of a recorded market"
    options.add_argument(
        "--until", default=until, help=f"simulated time: 50ms, 10min, 1h ({usual})"
    )
    options.add_argument("--json", action="store_true", help="print one JSON object")
    return options


def _change(text: str) -> tuple[str, Any]:
    """`section.field=value`, the value as JSON where it is JSON and as text where it is not."""
    path, equals, value = text.partition("=")
    if not path or not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: give section.field=value")
    try:
        return path.strip(), json.loads(value)
    except json.JSONDecodeError:
        return path.strip(), value.strip()


def _over(text: str) -> tuple[str, list[Any]]:
    """`section.field=a,b,c`, `=from:to:count`, `=from:to:count:log` or a JSON list."""
    path, equals, row = text.partition("=")
    path, row = path.strip(), row.strip()
    if not path or not equals or not row:
        raise argparse.ArgumentTypeError(f"{text!r}: give section.field=values")
    if row.startswith("["):
        try:
            return path, list(json.loads(row))
        except json.JSONDecodeError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    if ":" in row:
        return path, _spaced(text, row)
    return path, [_change(f"{path}={word}")[1] for word in row.split(",")]


def _spaced(text: str, row: str) -> list[float]:
    """Numbers from one end to the other, both included."""
    words = row.split(":")
    log = words[3:] == ["log"]
    try:
        low, high, count = float(words[0]), float(words[1]), int(words[2])
        if len(words) != 3 + log or count < 2 or not low < high or (log and low <= 0):
            raise ValueError
    except (ValueError, IndexError):
        form = "from:to:count or from:to:count:log, rising, with a count of 2 or more"
        raise argparse.ArgumentTypeError(f"{text!r}: give {form}") from None
    if count > 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r}: {count:,} values; the most are 1,000,000")
    shares = [k / (count - 1) for k in range(count)]
    if log:
        return [float(f"{low * (high / low) ** share:.6g}") for share in shares]
    return [float(f"{low + (high - low) * share:.12g}") for share in shares]


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r}: give a port from 0 to 65535")
    return int(text)


def _config(options: argparse.Namespace) -> SimConfig:
    from lablib.config import SimConfig

    if options.config:
        config = SimConfig.from_toml(options.config)
    else:
        config = SimConfig.preset(options.preset)
    if options.wires:
        config = config.wired(options.wires)
    return config.replace(dict(options.changes))


# ---------------------------------------------------------------------------------------- commands
def run(options: argparse.Namespace) -> int:
    """One simulation: its summary to stdout, its tables to `--output`."""
    from lablib.attribution import PARTS

    market, config = _market(options), _config(options)
    late = config.without_latency() != config
    result = _simulate(config, options, market=market, twin=late and not options.no_twin)
    if options.output:
        result.save(options.output)
    summary = {**_asked(options), **result.summary()}
    if result.twin:
        summary |= result.latency_cost()
    causes = result.attribution()[0]
    summary["attribution"] = {name: float(causes[name]) for name in PARTS}
    if options.json:
        about = {"market": result.market_report} if result.market_report else {}
        print(json.dumps({**summary, **about}))
    else:
        from lablib.report import outcome, recording

        if market is not None and result.market_report:
            print(recording(result.market_report))
        print(outcome(summary))
        if options.output:
            print(f"  config, summary and tables are in {options.output}")
    return 1 if options.fail_on_halt and summary["halts"] else 0


def demo(options: argparse.Namespace) -> int:
    """Simulate one hour, then the same market again with slower orders."""
    config = _config(options)
    summary = {**_asked(options), **_simulate(config, options).summary()}
    cost = []
    for delay in DEMO_DELAYS_MS:
        slower = config.replace({"latency.order_entry_ms": delay})
        other = _simulate(slower, options, label=f"orders {delay} ms late").summary()
        cost.append({"order_entry_ms": delay, "fills": other["fills"], "pnl": other["pnl"]})
    if options.json:
        print(json.dumps({**summary, "latency_cost": cost}))
        return 0
    from lablib.report import NEXT, latency_cost, outcome

    print(outcome(summary))
    print(latency_cost(cost))
    print(NEXT, end="")
    return 0


def sweep(options: argparse.Namespace) -> int:
    """Many settings: a table to stdout, and whole to `--output`."""
    from lablib.experiments.sweep import sweep as sweep_all
    from lablib.experiments.tables import check_path
    from lablib.report import swept

    fields = [field for field, _ in options.over]
    if len(set(fields)) < len(fields):
        twice = next(field for field in fields if fields.count(field) > 1)
        raise ConfigError(f"--over: {twice} is there twice")
    if options.output:
        check_path(options.output)
    config = _config(options)
    if options.seeds < 1:
        raise ConfigError(f"--seeds: at least 1, got {options.seeds}")
    _mention_compiling()
    try:
        table = sweep_all(
            config,
            dict(options.over),
            seeds=range(options.seed, options.seed + options.seeds),
            until=options.until,
            executor=options.threads,
            resume=options.resume,
        )
    except KeyboardInterrupt:
        if options.resume:
            print(f"lablib: what is done is in {options.resume}", file=sys.stderr)
        raise
    if options.output:
        table.save(options.output)
    rows = [table.row(index) for index in table.table["cell"].tolist()]
    if options.json:
        print(json.dumps({**_asked(options), "seeds": options.seeds, "cells": _plain(rows)}))
    else:
        print(swept(fields, rows))
        if options.output:
            print(f"  the table is in {options.output}")
    return 1 if table.errors else 0


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as JSON can hold them: no NaN."""
    return [{name: None if value != value else value for name, value in r.items()} for r in rows]


def serve(options: argparse.Namespace) -> int:
    """The live lab, until Ctrl-C."""
    from lablib.server import voila_app

    voila_app.serve(
        port=options.port,
        ip=options.ip,
        token=options.token,
        hosts=options.allow_host,
        open_browser=not options.no_browser,
    )
    return 0


def presets(options: argparse.Namespace) -> int:
    """The named scenarios and wires."""
    from lablib.presets import SCENARIOS, WIRES

    named: dict[str, Any] = dict(WIRES if options.wires else SCENARIOS)
    if options.json:
        told = {
            name: {"title": one.title, "source": one.source, "changes": one.changes}
            for name, one in named.items()
        }
        print(json.dumps(told))
        return 0
    if not options.wires:
        for name, one in SCENARIOS.items():
            print(f"{name:<12} {one.title}\n{'':<12} {one.source}")
        print("\nWires, for --wires or for the latency of one leg:")
    for name, line in WIRES.items():
        print(f"{name:<27} {line.title}\n{'':<27} {line.source}")
    return 0


# ----------------------------------------------------------------------------------------- helpers
def _market(options: argparse.Namespace) -> Market | None:
    if bool(options.leader) != bool(options.follower):
        raise ConfigError("--leader, --follower: a recorded market needs both files")
    if not options.leader:
        return None
    from lablib.tape.recorded import load_pair

    return load_pair(options.leader, options.follower)


def _simulate(
    config: SimConfig,
    options: argparse.Namespace,
    *,
    market: Market | None = None,
    twin: bool = False,
    label: str = "",
) -> Run:
    """Run with a bar on a terminal, in silence in a pipe."""
    from tqdm import tqdm

    _mention_compiling()
    from lablib.run import run as run_all

    with tqdm(total=100, desc=label or "simulating", unit="%", disable=None, leave=False) as bar:
        return run_all(
            config,
            seed=options.seed,
            until=options.until,
            market=market,
            twin=twin,
            progress=lambda share: bar.update(round(100 * share) - bar.n),
        )


def _mention_compiling() -> None:
    """Say why the first run on this computer takes a while."""
    if not sys.stderr.isatty():
        return
    from lablib.kernels.jit import CACHE_DIR, COMPILED

    if COMPILED and not CACHE_DIR.exists():
        print("Compiling the engine, once for this computer …", file=sys.stderr)


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, to stand in front of what came out."""
    start = {"config": str(options.config)} if options.config else {"preset": options.preset}
    return {**start, "seed": options.seed}
