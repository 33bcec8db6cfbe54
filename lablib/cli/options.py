"""What commands are given: words into values, options into configs."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lablib.errors import ConfigError

if TYPE_CHECKING:
    from lablib.config import SimConfig
    from lablib.engine import Market


def scenario(until: str | None) -> argparse.ArgumentParser:
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
        type=change,
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


def recorded(command: argparse.ArgumentParser) -> None:
    """Options of a command that may play on recorded data."""
    command.add_argument("--leader", type=Path, metavar="FILE", help="recorded external market")
    command.add_argument("--follower", type=Path, metavar="FILE", help="recorded venue to trade on")


def market(text: str) -> tuple[str, list[str]]:
    """`NAME=LEADER,FOLLOWER`: a name for two files that hold a recorded market."""
    name, equals, files = text.partition("=")
    both = [file.strip() for file in files.split(",")]
    if not re.fullmatch(r"[\w.-]{1,100}", name) or not equals:
        raise argparse.ArgumentTypeError(
            f"{text!r}: give NAME=LEADER,FOLLOWER, the name of letters, digits, dots and dashes"
        )
    if len(both) != 2 or not all(both):
        raise argparse.ArgumentTypeError(f"{text!r}: a leader's and a follower's file are needed")
    return name, both


def body(text: str) -> bytes:
    """What a client would send to start a run: a JSON object as it stands, or a preset's name for its config."""
    told = text.strip()
    return (told if told.startswith("{") else json.dumps({"config": told})).encode()


def change(text: str) -> tuple[str, Any]:
    """`section.field=value`, the value as JSON where it is JSON and as text where it is not."""
    path, equals, value = text.partition("=")
    if not path or not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: give section.field=value")
    try:
        return path.strip(), json.loads(value)
    except json.JSONDecodeError:
        return path.strip(), value.strip()


def over(text: str) -> tuple[str, list[Any]]:
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
    return path, [change(f"{path}={word}")[1] for word in row.split(",")]


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


def count(text: str) -> int:
    """A number from 1 on, as an argument."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1 on")
    return int(text)


def port(text: str) -> int:
    """A port, as an argument."""
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r}: give a port from 0 to 65535")
    return int(text)


def config_of(options: argparse.Namespace) -> SimConfig:
    """The config that the options of a scenario ask for."""
    from lablib.config import SimConfig

    if options.config:
        config = SimConfig.from_toml(options.config)
    else:
        config = SimConfig.preset(options.preset)
    if options.wires:
        config = config.wired(options.wires)
    return config.replace(dict(options.changes))


def market_of(options: argparse.Namespace) -> Market | None:
    """The recorded market that the options ask for."""
    if bool(options.leader) != bool(options.follower):
        raise ConfigError("--leader, --follower: a recorded market needs both files")
    if not options.leader:
        return None
    from lablib.tape.recorded import load_pair

    return load_pair(options.leader, options.follower)


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, to stand in front of what came out."""
    start = {"config": str(options.config)} if options.config else {"preset": options.preset}
    return {**start, "seed": options.seed}
