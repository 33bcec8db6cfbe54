"""Both shells, one process each for the whole suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from server.shells import Shell, jupyter_server, voila


@pytest.fixture(scope="session")
def jupyter_shell(tmp_path_factory) -> Iterator[Shell]:
    with jupyter_server(tmp_path_factory.mktemp("jupyter")) as shell:
        yield shell


@pytest.fixture(scope="session")
def voila_shell(tmp_path_factory) -> Iterator[Shell]:
    with voila(tmp_path_factory.mktemp("voila")) as shell:
        yield shell


@pytest.fixture(scope="session", params=["jupyter_shell", "voila_shell"], ids=["A", "B"])
def any_shell(request) -> Shell:
    return request.getfixturevalue(request.param)


@pytest.fixture
def shell(any_shell) -> Iterator[Shell]:
    """A shell without a run under way."""
    any_shell.stop_all()
    yield any_shell
    any_shell.hang_up()
    any_shell.stop_all()
