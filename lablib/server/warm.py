"""Compile before anybody waits: in another process where it takes long, then loaded into this one."""

from __future__ import annotations

import subprocess
import sys

from lablib.errors import LabError


def compiling() -> subprocess.Popen[str]:
    """Fill the kernels' cache in another process: compiling would hold this one's event loop."""
    code = "from lablib.server.warm import exercise; exercise()"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code],  # -P: the package that serves, not one in this folder
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait(compiling: subprocess.Popen[str]) -> None:
    """Until the cache is full.

    Raises
    ------
    LabError
        When the engine does not start, with what it said last.
    """
    try:
        _, errors = compiling.communicate(timeout=3)
    except subprocess.TimeoutExpired:
        print(
            "Compiling the engine for this computer; only the first start waits.", file=sys.stderr
        )
        _, errors = compiling.communicate()
    if compiling.returncode:
        raise LabError(f"the engine does not start: {errors.strip().rpartition(chr(10))[2]}")


def exercise() -> None:
    """Do once everything a run can be asked for."""
    from lablib.config import SimConfig
    from lablib.experiments.cell import cell
    from lablib.kernels import tables as t
    from lablib.session import Session

    session = Session("classroom", seed=1)
    session.start()
    session.advance(t.NS_PER_S)
    session.set("latency.order_entry_ms", 1.0)
    session.halt()
    session.release()
    session.advance(t.NS_PER_S)
    session.simulation.digest()
    cell(SimConfig(), {}, (1,), t.NS_PER_S)  # of a sweep


def warm_up() -> None:
    """Make this process ready to run. Takes a second, and without a cache many: not for an event loop."""
    wait(compiling())
    exercise()
