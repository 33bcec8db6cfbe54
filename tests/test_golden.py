"""Golden digests: what each preset's run comes to, on the platform that `golden.json` names.

A digest that changed is a decision: renew them on purpose, and let the commit say why.

    PYTHONPATH=. python tests/test_golden.py --update
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lablib.config import SimConfig
from lablib.presets import SCENARIOS
from lablib.run import run

GOLDEN = Path(__file__).with_name("golden.json")
SEED, TICKS = 7, 400  # of the external price: short enough for plain Python


def here() -> dict[str, str]:
    """What the last bit of a float may depend on."""
    libc = "-".join(part for part in platform.libc_ver() if part)
    return {"numpy": np.__version__, "platform": f"{platform.machine()}-{libc or sys.platform}"}


def digest_of(name: str) -> str:
    config = SimConfig.preset(name)
    return run(config, seed=SEED, until=f"{TICKS * config.external.interval_ms}ms").digest


def golden() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_preset_s_run_has_the_digest_it_had(name):
    known, now = golden(), here()
    made_on = {key: known[key] for key in now}
    if made_on != now:
        pytest.skip(f"the golden digests are of {made_on}, this is {now}")
    assert digest_of(name) == known["digests"][name]


def test_every_preset_and_nothing_else_has_a_golden_digest():
    assert list(golden()["digests"]) == sorted(SCENARIOS)


def update() -> None:
    """Write the digests of this tree, on this platform."""
    digests = {name: digest_of(name) for name in sorted(SCENARIOS)}
    GOLDEN.write_text(json.dumps({**here(), "digests": digests}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        raise SystemExit(__doc__)
    update()
