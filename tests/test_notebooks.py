"""Notebooks and apps: committed without outputs, thin, of one language, and they run top to bottom."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PATHS = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("apps/*.ipynb")])
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LINES = 25  # of one code cell: longer ones hide what belongs into the library

each = pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")


def read(path: Path) -> dict[str, Any]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(notebook, dict)
    return notebook


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == kind]


def test_there_are_notebooks_and_apps() -> None:
    assert {path.parent.name for path in PATHS} == {"apps", "notebooks"}


@each
def test_it_is_committed_without_outputs_and_execution_counts(path: Path) -> None:
    dirty = [
        cell["id"]
        for cell in cells(path, "code")
        if cell["outputs"] or cell["execution_count"] is not None
    ]
    assert dirty == []


@each
def test_it_keeps_nothing_of_who_last_opened_it(path: Path) -> None:
    notebook = read(path)
    kept = [cell["id"] for cell in notebook["cells"] if cell["metadata"].keys() - {"tags"}]
    assert kept == []
    assert notebook["metadata"].keys() <= {"kernelspec", "language_info", "title"}


@each
def test_it_names_the_one_kernel_and_its_language_without_a_version(path: Path) -> None:
    metadata = read(path)["metadata"]
    assert metadata["kernelspec"] == KERNEL
    assert metadata["language_info"] == {"name": "python"}


@each
def test_its_cells_have_names_of_their_own(path: Path) -> None:
    names = [cell["id"] for cell in read(path)["cells"]]
    assert len(set(names)) == len(names)


@each
def test_its_code_cells_are_thin(path: Path) -> None:
    thick = [cell["id"] for cell in cells(path, "code") if len(cell["source"]) > LINES]
    assert thick == []


@pytest.mark.parametrize("path", [path for path in PATHS if path.parent.name == "apps"], ids=str)
def test_an_app_is_one_code_cell(path: Path) -> None:
    assert len(cells(path, "code")) == 1


@pytest.mark.parametrize(
    "path", [path for path in PATHS if path.parent.name == "notebooks"], ids=lambda path: path.stem
)
def test_a_notebook_checks_what_its_text_claims(path: Path) -> None:
    code = ["".join(cell["source"]) for cell in cells(path, "code")]
    assert sum("assert " in source for source in code) >= len(code) // 2


@each
@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.notebook
def test_it_runs_top_to_bottom(path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-q"]
    command += ["-p", "no:cacheprovider", "--nbval-cell-timeout", "300", str(path)]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
