"""What all tests share: recordings, a browser, and how long hypothesis may take."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
PLAIN = os.environ.get("NUMBA_DISABLE_JIT") == "1"
IN_CI = os.environ.get("CI", "").lower() == "true"

# A first example may compile for seconds, and plain Python is a hundred times slower: no deadline.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("compiled", max_examples=50, derandomize=IN_CI, **_COMMON)
settings.register_profile("plain", max_examples=5, derandomize=True, **_COMMON)
settings.load_profile("plain" if PLAIN else "compiled")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright's loop stays open, and others bring loops of their own."""
    items.sort(key=lambda item: "/browser/" in item.path.as_posix())


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout: README, notebooks, apps."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Recordings and yardsticks that stand beside the checkout, where there are any."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no recordings beside this checkout")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of an installed Chromium; its absence is a failure where CI=true."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        reason = "no Chromium on the path, and none named by CHROMIUM"
        pytest.fail(reason) if IN_CI else pytest.skip(reason)
    return found
