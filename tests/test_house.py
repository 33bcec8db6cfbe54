"""The house stands as it was planned: floors, doors, what an import costs, what is committed."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lablib
from lablib.kernels import jit

KERNELS = Path(lablib.__file__).parent / "kernels"


def loaded_by(code: str) -> set[str]:
    """Modules in a fresh interpreter that ran `code` with warnings as errors."""
    code += "\nimport sys; print('\\n'.join(sys.modules))"
    # numba compiled or not, an import must stay as cheap
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_imports_run_downhill_and_only_kernels_know_numba(root):
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    env = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_the_lab_loads_neither_numba_nor_a_screen():
    modules = loaded_by("import lablib")
    assert not modules & {"numba", "numpy", "pandas", "pydantic", "ipywidgets", "bqplot", "tornado"}


def test_making_a_config_does_not_load_numba():
    modules = loaded_by(
        "import lablib; c = lablib.SimConfig.preset('stress'); c.replace({'risk.day_length': '1h'})"
    )
    assert not modules & {"numba", "ipywidgets", "pandas"}


def test_making_a_configs_controls_does_not_load_numba():
    modules = loaded_by(
        "import warnings, lablib\n"
        "warnings.filterwarnings('ignore', 'metadata .* was set from')  # bqscales, at import\n"
        "from lablib.widgets.controls import Controls\n"
        "Controls(lablib.SimConfig(), 7, 'classroom', lambda *words: None)"
    )
    assert "ipywidgets" in modules
    assert "numba" not in modules


@pytest.mark.parametrize("name", lablib.__all__)
def test_every_public_name_is_there(name):
    assert getattr(lablib, name) is not None


def test_the_public_names_are_what_dir_shows():
    assert dir(lablib) == sorted(lablib.__all__)
    with pytest.raises(AttributeError, match="no attribute 'simulacrum'"):
        _ = lablib.simulacrum


def test_type_checkers_and_python_know_the_same_public_names():
    tree = ast.parse(Path(lablib.__file__).read_text(encoding="utf-8"))
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    names = {alias.asname for node in typed.body for alias in node.names}
    assert {"__version__", *names} == set(lablib.__all__)


@pytest.mark.parametrize(
    "path", sorted(KERNELS.rglob("*.py")), ids=lambda path: path.relative_to(KERNELS).as_posix()
)
def test_a_kernel_file_imports_only_kernels(path):
    """The decorator's own file may look around; the rest sees tables, rooms and `math`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    seen = {
        module.split(".")[0] if not module.startswith("lablib") else module
        for node in ast.walk(tree)
        for module in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    allowed = {"__future__", "math", "numpy"} | {m for m in seen if m.startswith("lablib.kernels")}
    if path.name == "jit.py":
        allowed |= {"collections", "contextlib", "hashlib", "numba", "os", "pathlib", "sys"}
        allowed |= {"types", "typing"}
        allowed |= {"lablib.errors"}
    assert seen <= allowed


@pytest.mark.parametrize("name", ["book.py", "tables/limits.py"])
def test_an_edit_in_any_kernel_source_turns_to_another_cache(tmp_path, monkeypatch, name):
    home = Path(shutil.copytree(KERNELS, tmp_path / "kernels"))
    monkeypatch.setattr(jit, "__file__", str(home / "jit.py"))
    before = jit._cache_dir()
    assert before.name == jit.CACHE_DIR.name
    with (home / name).open("a", encoding="utf-8") as source:
        source.write("# edited\n")
    assert jit._cache_dir().name != before.name


def test_only_pace_the_recorder_and_the_faces_read_the_wall_clock():
    package = KERNELS.parent
    faces = {package / name for name in ("pace.py", "cli", "widgets", "server")}
    faces.add(
        package / "recording" / "recorder.py"
    )  # when to flush; no byte of a run depends on it
    guilty = [
        path.name
        for path in package.rglob("*.py")
        if not faces & {path, *path.parents}
        and {"time", "datetime", "random"}
        & {
            alias.name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
    ]
    assert guilty == []
