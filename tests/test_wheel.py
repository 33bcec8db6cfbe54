"""The wheel has all that an installed lab needs, and nothing that belongs to a checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory) -> dict[str, bytes]:
    """Its files by name, as the build backend makes it."""
    folder = tmp_path_factory.mktemp("wheel")
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(folder / done.stdout.split()[-1]) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_jupyter_server_finds_the_extension_and_it_is_enabled(wheel):
    (config,) = [name for name in wheel if name.startswith("lablib-") and ".data/data/" in name]
    assert config.endswith(".data/data/etc/jupyter/jupyter_server_config.d/lablib.json")
    extensions = json.loads(wheel[config])["ServerApp"]["jpserver_extensions"]
    assert extensions == {"lablib.server": True}
    assert "lablib/server/extension.py" in wheel


def test_every_dashboard_is_in_it_with_its_pictures(wheel, root):
    beside = [path for path in (root / "apps").rglob("*") if path.is_file()]
    apps = {
        f"lablib/{path.relative_to(root).as_posix()}"
        for path in beside
        if path.suffix in (".ipynb", ".png", ".svg")
    }
    assert {"lablib/apps/live.ipynb", "lablib/apps/watch.ipynb"} <= apps
    assert apps <= wheel.keys()


def test_every_file_of_the_package_is_in_it(wheel, root):
    """Templates and the mark that it is typed as well as the modules."""
    files = {
        path.relative_to(root).as_posix()
        for path in (root / "lablib").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"lablib/py.typed", "lablib/server/templates/lab/home.html"} <= files
    assert files <= wheel.keys()


def test_neither_tests_nor_caches_nor_records_are_in_it(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.startswith("lablib-")} == {"lablib"}
    assert not [name for name in wheel if "__pycache__" in name or ".ipynb_checkpoints" in name]


def test_the_command_and_the_licence_come_with_it(wheel):
    (points,) = [name for name in wheel if name.endswith(".dist-info/entry_points.txt")]
    assert b"lablib = lablib.cli:main" in wheel[points]
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel)
