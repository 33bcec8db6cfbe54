"""A market steered by hand, and the folder it left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from strategies import PLAIN

from lablib import Session, SimConfig
from lablib.kernels import tables as t

CONFIG = SimConfig.preset("cloud").replace({"strategy.threshold": 0.0002})
STEPS = 6 if PLAIN else 40
STEP_NS = 100 * t.NS_PER_MS


def steer(session: Session, step: int) -> None:
    """What a hand does to a market: sliders, a drill, the brake, a pause."""
    if step == 1:
        session.set("latency.order_entry_ms", 35.0)
    if step == 2:
        session.set("drills.stuck_exit", True)
        session.set("latency.ack_ms", {"model": "lognormal", "median_ms": 8.0, "sigma": 0.5})
    if step == 3:
        session.pause()
        session.step()
        session.halt()
        session.resume()
    if step == 4:
        session.release()
        session.set("external.volatility_bps", 80.0)
        session.set("drills.stuck_exit", False)


def steered(path: Path | None, after: Callable[[Session, int], None] | None = None) -> Session:
    """A session steered by hand for `STEPS` steps; stopped unless `after` says otherwise."""
    session = Session(CONFIG, seed=7, record=path)
    session.start()
    for step in range(STEPS):
        session.advance(STEP_NS)
        steer(session, step)
        if after:
            after(session, step)
    return session


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """A finished record, with a flush and a checkpoint in every other step; copy it before you hurt it."""
    path = tmp_path_factory.mktemp("records") / "steered"

    def write(session: Session, step: int) -> None:
        if step % 2:
            session.recorder.flush()
        if step in (1, STEPS // 2):
            session.recorder.checkpoint(session.simulation.checkpoint())

    steered(path, write).stop()
    return path
