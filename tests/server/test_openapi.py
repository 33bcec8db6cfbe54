"""The OpenAPI document: complete, true, and what is made up from it finds no fault."""

from __future__ import annotations

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from server.shells import API, CONTROL

import lablib as lab
from lablib.server.handlers import Nothing, default_handlers
from lablib.server.openapi import document

# Without its security, so that no case is made whose only fault is a missing token.
schema = schemathesis.openapi.from_dict({**document(), "security": []})


def test_every_handler_is_described_and_nothing_else():
    described = set()
    for path, item in document()["paths"].items():
        (handler,) = [
            kind
            for pattern, kind in default_handlers
            if re.fullmatch(pattern, f"{API}{path.replace('{run_id}', '0' * 12)}")
            and kind is not Nothing
        ]
        for method in item.keys() - {"parameters"}:
            assert method in vars(handler), (path, method)
            described.add((handler, method))
    written = {
        (kind, method)
        for _, kind in default_handlers
        if kind is not Nothing
        for method in ("get", "post", "put", "patch", "delete")
        if method in vars(kind)
    }
    assert described == written


def test_every_reference_leads_somewhere():
    whole = document()
    for reference in set(re.findall(r"'\$ref': '#/([^']+)'", str(whole))):
        node = whole
        for name in reference.split("/"):
            node = node[name]
        assert node


def test_every_setting_is_in_it_with_its_bounds():
    threshold = document()["components"]["schemas"]["StrategyConfig"]["properties"]["threshold"]
    field = lab.SimConfig.model_json_schema()["$defs"]["StrategyConfig"]["properties"]["threshold"]
    assert threshold == field


@schema.parametrize()
@settings(
    max_examples=10,
    # Its `explicit` phase tries every bound of every setting: minutes, and tests/test_config.py has them.
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.compiled
def test_no_request_made_up_from_it_breaks_the_server(case: Case, voila_shell):
    # Both shells have the one list of handlers. Runs wait as created, so that none computes; ids that
    # are there are tried as well, and then a made-up path is no fault any more.
    shell, checks = voila_shell, [*CHECKS]
    shell.stop_all()
    if "run_id" in (case.path_parameters or {}):
        runs = shell.api("runs").json["runs"]
        if runs and len(str(case.body)) % 2:
            case.path_parameters["run_id"] = runs[-1]["run_id"]
        checks.remove(negative_data_rejection)
    response = case.call(
        base_url=f"http://127.0.0.1:{shell.port}{API}",
        headers={"Authorization": f"token {CONTROL}"},
    )
    case.validate_response(response, checks=checks)


CHECKS = (
    not_a_server_error,
    status_code_conformance,
    response_schema_conformance,
    negative_data_rejection,
)
