"""Kill a recording run at random moments, take it up again, and compare it with the undisturbed one.

    python benchmarks/kill_recording.py 200

Every time: the record opens, every command that was answered and every row that a flush had reported is
there, and going on ends in the digest of the run that nobody killed. Prints a count, and exits with 1
where it is not all of them.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from lablib import Session, SimConfig, open_run
from lablib.kernels import tables as t
from lablib.recording import recorder
from lablib.recording.record import open_record

CONFIG = SimConfig.preset("cloud").replace({"strategy.threshold": 0.0002})
STEP_NS, STEPS = 500 * t.NS_PER_MS, 400
recorder.FLUSH_S, recorder.CHECKPOINT_S = 0.002, 0.02  # so that a kill falls between many of them


def play(path: Path, tell: int | None) -> None:
    """Steer a recorded session from its start to its end; tell what was answered, a line each."""
    session = Session(CONFIG, seed=11, record=path)
    session.start()
    for step in range(STEPS):
        session.advance(STEP_NS)
        if step % 7 == 3:
            session.set("latency.order_entry_ms", float(5 + step % 50))
        if tell is not None:
            rows = open_rows(session)
            os.write(tell, json.dumps([len(session.commands), rows]).encode() + b"\n")
    session.stop()


def open_rows(session: Session) -> int:
    """Samples that the last flush of a session has reported."""
    assert session.recorder is not None
    return session.recorder.flushed["samples"]


def killed(path: Path, after_s: float) -> tuple[int, int]:
    """Play in a process of its own and kill it; commands and samples it had answered for."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        play(path, writing)
        os._exit(0)
    os.close(writing)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading) as lines:
        told = [json.loads(line) for line in lines if line.endswith("\n")]
    return tuple(told[-1]) if told else (0, 0)


def go_on(path: Path, commands: list[tuple[int, str, float]], end_ns: int) -> str:
    """Take up a record, give the commands that are still to come, and end it: the digest."""
    done = len(open_record(path).commands)
    session = Session.of_record(path)
    session.start()
    for at_ns, field, value in commands[done:]:
        session.advance(at_ns - 1 - session.simulation.now_ns)
        session.set(field, value)
    session.advance(end_ns - session.simulation.now_ns)
    session.stop()
    return session.simulation.digest()


def main(count: int) -> int:
    """Kill until `count` recordings were under way when it came."""
    luck, seen = random.Random(1), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        play(Path(folder) / "whole", None)
        lasts_s = time.monotonic() - begun
        whole = open_run(Path(folder) / "whole")
        commands = [(c.t_ns, c.field, c.value) for c in whole.origin.commands]
        number = 0
        while seen["interrupted"] < count:
            number += 1
            path = Path(folder) / f"{number}"
            told_commands, told_rows = killed(path, luck.uniform(0, 0.8 * lasts_s))
            if not path.exists():
                seen["killed before there was a folder"] += 1
                continue
            record = open_record(path)
            seen[record.status] += 1
            seen["answered and missing"] += len(record.commands) < told_commands
            seen["reported and missing"] += record.marks["rows"]["samples"] < told_rows
            if record.status == "interrupted":
                same = go_on(path, commands, whole.last.t_ns) == whole.digest
                seen["went on to the same digest" if same else "went on to ANOTHER digest"] += 1
            shutil.rmtree(path)
    print(json.dumps({"killed": number, "run_s": round(lasts_s, 2), **seen}))
    bad = seen["answered and missing"] + seen["reported and missing"]
    return int(bad or seen["interrupted"] != seen["went on to the same digest"])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
