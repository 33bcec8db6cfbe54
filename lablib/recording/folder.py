"""What stands where in a record's folder, and the few facts that begin a run.

run.json         what began it, how it stands, its digest          replaced as a whole
commands.jsonl   what a hand did to it, a line each                grows; on disk before it is answered
samples.arrows   and orders, fills, risk_events: Arrow streams     grow
journal.jsonl    how far all of these were whole, a line a flush   grows; nothing counts before its line
state.npy        the latest checkpoint                             replaced as a whole
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lablib.errors import ArchiveError
from lablib.files import whole_file

FORMAT = "lablib.record/1"
RUN, COMMANDS, JOURNAL, STATE = "run.json", "commands.jsonl", "journal.jsonl", "state.npy"

RECORDING, FINISHED, STOPPED, HALTED, FAILED = (
    "recording",
    "finished",
    "stopped",
    "halted",
    "failed",
)


def stream(table: str) -> str:
    """Name of the file that holds a table."""
    return f"{table}.arrows"


def free(path: Path) -> Path:
    """A folder that is not there yet: the path, or `run-2`, `run-3`, … beside it."""
    stem, number = re.sub(r"-\d+$", "", path.name), 1
    while path.exists():
        number += 1
        path = path.with_name(f"{stem}-{number}")
    return path


@dataclass(frozen=True)
class Opening:
    """What a run is a function of, what a hand does to it apart, as JSON holds it.

    Attributes
    ----------
    config
        A whole `SimConfig`.
    until_ns
        Where it is to end; None where somebody steers it.
    market
        `{"name", "sha256", "sources"}` of a recorded market.
    strategy
        `{"name", "sha256"}` of an own strategy: its code is not kept, only named.
    commands
        Those known before it began, by their times: they are done when the run gets there, if it does.
    """

    config: dict[str, Any]
    seed: int
    until_ns: int | None = None
    market: dict[str, Any] | None = None
    strategy: dict[str, Any] | None = None
    commands: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Ending:
    """How a run stands: `status` is recording, finished, stopped, halted or failed (then with a `reason`).

    `summary` is `Run.summary()` where there is one.
    """

    status: str = RECORDING
    reason: str = ""
    digest: str = ""
    summary: dict[str, Any] | None = None


def write_run(folder: Path, opening: Opening, ending: Ending, versions: dict[str, str]) -> None:
    """Write run.json, whole."""
    content = {"format": FORMAT, "versions": versions, **asdict(ending), **asdict(opening)}
    with whole_file(folder / RUN, text=True, durable=True) as handle:
        json.dump(content, handle, indent=2)
        handle.write("\n")


def read_run(folder: Path) -> tuple[Opening, Ending, dict[str, str]]:
    """Read run.json.

    Raises
    ------
    ArchiveError
        None there, or not one of ours.
    """
    path = folder / RUN
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        why = f"{error.strerror}: no record of a run" if folder.is_dir() else "no such folder"
        raise ArchiveError(f"{path if folder.is_dir() else folder}: {why}") from None
    except ValueError as error:
        raise ArchiveError(f"{path}: damaged: {error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise ArchiveError(f"{path}: format is {found!r}, not {FORMAT!r}")
    try:
        opening = Opening(**{name: content[name] for name in Opening.__dataclass_fields__})
        ending = Ending(**{name: content[name] for name in Ending.__dataclass_fields__})
        versions = dict(content["versions"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArchiveError(f"{path}: damaged: {error!r}") from None
    return opening, ending, versions
