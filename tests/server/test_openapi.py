"""The OpenAPI document: complete, true, and what is made up from it finds no fault."""

from __future__ import annotations

import json
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, GenerationMode
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
DOCUMENT = {**document(), "security": []}
schema = schemathesis.openapi.from_dict(DOCUMENT)


def narrow() -> dict:
    """The document with two settings in requests instead of all: every bound of each is tried.

    All of them are minutes, and tests/test_config.py has them.
    """
    whole = json.loads(json.dumps(DOCUMENT))
    schemas = whole["components"]["schemas"]
    asked = {"type": "object", "additionalProperties": False, "properties": {}}
    for room, section, name in (
        ("strategy", "StrategyConfig", "threshold"),
        ("drills", "DrillsConfig", "stale_feed"),
    ):
        one = {name: schemas[section]["properties"][name]}
        asked["properties"][room] = {**asked, "properties": one}
    schemas["Changes"] = asked
    for body in ("StartRun", "ResetRun"):
        text = json.dumps(schemas[body])
        schemas[body] = json.loads(text.replace("schemas/SimConfig", "schemas/Changes"))
    schemas["StartRun"]["properties"]["market"]["enum"] = ["", "perp"]
    return whole


bounds = schemathesis.openapi.from_dict(narrow())
lives = schemathesis.openapi.from_dict(narrow())
lives.config.generation.update(modes=[GenerationMode.POSITIVE])


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


UNHURRIED = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@schema.parametrize()
@settings(max_examples=10, phases=[Phase.generate], **UNHURRIED)
@pytest.mark.compiled
def test_no_request_made_up_from_it_breaks_the_server(case: Case, voila_shell):
    try_it(case, voila_shell)


@bounds.parametrize()
@settings(phases=[Phase.explicit], **UNHURRIED)
@pytest.mark.compiled
def test_no_bound_of_a_parameter_or_a_setting_breaks_the_server(case: Case, voila_shell):
    try_it(case, voila_shell)


@pytest.mark.compiled
def test_no_life_of_a_run_made_up_from_its_links_breaks_the_server(voila_shell):
    steps = []

    class Life(lives.as_state_machine()):
        def setup(self) -> None:
            voila_shell.stop_all()

        def get_call_kwargs(self, case: Case) -> dict:
            address = f"http://127.0.0.1:{voila_shell.port}{API}"
            return {"base_url": address, "headers": {"Authorization": f"token {CONTROL}"}}

        def validate_response(self, response, case: Case, **options) -> None:
            steps.append((case.operation.label, response.status_code))
            case.validate_response(response, checks=CHECKS_OF_A_LIFE)

    Life.run(settings=settings(max_examples=40, stateful_step_count=12, **UNHURRIED))
    told = {label for label, status in steps if status == 200 and "{run_id}" in label}

    assert len(told) >= 6  # links were followed, to runs that are there


def try_it(case: Case, voila_shell) -> None:
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

CHECKS_OF_A_LIFE = (not_a_server_error, status_code_conformance, response_schema_conformance)
