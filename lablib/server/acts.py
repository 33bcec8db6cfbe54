"""What may be done to a run, on its own thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lablib.commands import Command
from lablib.engine import Simulation
from lablib.errors import SessionError
from lablib.server.models import config_of, leaves
from lablib.session import Session

VERBS = ("pause", "resume", "step", "stop", "halt", "release")


def act(session: Session, verb: str) -> None:
    """Do one of `VERBS`."""
    getattr(session, verb)()
    if verb in ("halt", "release"):
        session.look()  # so that whoever asked sees what came of it, also where nothing moves


def change(session: Session, changes: Mapping[str, Any]) -> None:
    """Change fields of the config: what has not moved yet gets another scenario, the rest is commands.

    Raises
    ------
    ConfigError
        One that cannot be changed; then none is.
    SessionError
        The run has ended.
    """
    config = config_of(changes, session.config)
    if session.state == "created" and not session.commands and session.frame.t_ns == 0:
        session.reset(config)
        return
    if session.state in ("finished", "failed"):
        raise SessionError(f"config: the run is {session.state}")
    asked = [Command(0, "set", path, value) for path, value in leaves(changes)]
    market = session.market
    Simulation(session.config, market=market, commands=asked)  # refuses all of them or none
    for command in asked:
        session.set(command.field, command.value)
