"""The OpenAPI 3.1 document: paths by hand, bodies from the models that check them."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from lablib import __version__
from lablib.config import SimConfig
from lablib.server.acts import VERBS
from lablib.server.fanout import CHANNELS, QUEUE, TICK_S
from lablib.server.models import BODY_LIMIT, ResetRun, StartRun
from lablib.server.runner import ROWS

_REF = "#/components/schemas/{model}"
_MEANING = {
    "pause": "Hold a running run",
    "resume": "Let a created or paused run play",
    "step": "Move a run that is held by one decision",
    "stop": "End a run where it stands; its record stays",
    "halt": "Pull the kill switch by hand; the market goes on",
    "release": "Open the kill switch",
}


def document() -> dict[str, Any]:
    """The whole document, as JSON holds it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Latency Risk Lab",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": ".", "description": "Beside this document"}],
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": '"token " and a viewer token (reads) or the control token (changes).',
                }
            },
            "parameters": {
                "run_id": {
                    "name": "run_id",
                    "in": "path",
                    "required": True,
                    "description": "As POST runs answered it",
                    "schema": {"type": "string", "pattern": "^[0-9a-f]{12}$"},
                }
            },
            "responses": {
                str(status): {
                    "description": text,
                    "content": {
                        "application/json": {"schema": {"$ref": _REF.format(model="Error")}}
                    },
                }
                for status, text in _REFUSALS.items()
            },
            "schemas": _schemas(),
        },
    }


_ABOUT = f"""Runs of the simulator, started, steered and read over HTTP, and watched over WebSockets.

Nothing but `health` and this document answers without a token. A viewer token reads; the control token
changes. Requests that carry a login cookie instead of a token need Jupyter's `X-XSRFToken` header to
change anything. Bodies are JSON of at most {BODY_LIMIT} bytes; a refusal names the field, the value and
the bound.

WebSockets are at `ws/` and one of {", ".join(CHANNELS)}; `?run_id=` asks for one run alone. Every message
is an object with `event_type`, `run_id`, `begun` (when that run was started, seconds since 1970), `seq`
(which counts the messages of one type of one run) and `dropped` (how many messages this viewer has lost
because it read too slowly: at most {QUEUE} wait for it). Messages come at most every
{round(TICK_S * 1000)} ms: `frame` is a whole snapshot, `latency` the percentiles, `orders`, `fills` and
`risk` carry the rows since the last one (the newest {ROWS}, `count` in all, `total` since the run
began), `command` is something that was done to the market, `state` a step in a run's life. `ws/events` has
all of them, the others the one they are named after.
"""

_REFUSALS = {
    400: "Something in the request is wrong: which field, which value, which bound",
    403: "No token, the wrong one, or one that may only read",
    404: "No such run",
    409: "The run's state does not allow it",
    413: "The body is too long",
    429: "A limit of this server is reached",
}


def _schemas() -> dict[str, Any]:
    models = [(one, "validation") for one in (StartRun, ResetRun, SimConfig)]
    _, top = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    schemas: dict[str, Any] = top["$defs"]
    changes = {
        "type": "object",
        "description": "Fields that change: nested, or dotted such as latency.order_entry_ms",
    }
    return {
        **schemas,
        "Changes": {"allOf": [{"$ref": _REF.format(model="SimConfig")}], **changes},
        "Error": _object(status={"type": "integer"}, message={"type": "string"}),
        "Run": _object(
            run_id={"type": "string"},
            state={"enum": ["created", "running", "paused", "finished", "halted", "failed"]},
            seed={"type": "integer"},
            t_ns={"type": "integer"},
            until_ns={"type": "integer"},
            speed={"type": ["number", "string"]},
            equity={"type": ["number", "null"]},
            halted={"type": "boolean"},
            failure={"type": ["string", "null"]},
            digest={"type": ["string", "null"]},
        ),
        "Runs": _object(runs={"type": "array", "items": {"$ref": _REF.format(model="Run")}}),
        "Health": _object(status={"const": "ok"}, version={"type": "string"}),
    }


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _paths() -> dict[str, Any]:
    run: dict[str, Any] = {"parameters": [{"$ref": "#/components/parameters/run_id"}]}
    config = _json("The configuration as it stands then", "SimConfig")
    paths: dict[str, Any] = {
        "/health": {"get": {**_get("Is anybody here?", "Health"), "security": []}},
        "/openapi.json": {
            "get": {**_get("This document", None), "security": []},
        },
        "/runs": {
            "get": _get("All runs, the oldest first", "Runs", 403),
            "post": {
                "summary": "Start a run",
                "requestBody": _body("StartRun", required=False),
                "responses": {
                    "201": {
                        **_json("The run", "Run"),
                        "headers": {"Location": {"schema": {"type": "string"}}},
                        "links": _links(),
                    },
                    **_refusals(400, 403, 409, 413, 429),
                },
            },
        },
        "/runs/{run_id}": {
            **run,
            "get": _get("A run: its state, config, last frame and commands", "Run", 403, 404),
        },
        "/runs/{run_id}/config": {
            **run,
            "get": _get("Its configuration as it stands now", "SimConfig", 403, 404),
            "patch": {
                "summary": "Change fields of a run: all that are given, or none",
                "requestBody": _body("Changes"),
                "responses": {"200": config, **_refusals(400, 403, 404, 409, 413)},
            },
        },
        "/runs/{run_id}/replay.csv": {
            **run,
            "get": {
                "summary": "One row a decision, as the export writes it",
                "responses": {
                    "200": {
                        "description": "The replay CSV",
                        "content": {"text/csv": {"schema": {"type": "string"}}},
                    },
                    **_refusals(403, 404),
                },
            },
        },
        "/runs/{run_id}/reset": {
            **run,
            "post": {
                "summary": "Begin again, as created",
                "requestBody": _body("ResetRun", required=False),
                "responses": {
                    "200": _json("The run", "Run"),
                    **_refusals(400, 403, 404, 409, 413, 429),
                },
            },
        },
        "/state": {"get": _get("The newest run: state, frame, latencies", "Run", 403, 404)},
        "/config": {
            "get": _get("Configuration of the newest run, or of the next", "SimConfig", 403),
            "put": {
                "summary": "Change it; what is left out keeps its value",
                "requestBody": _body("Changes"),
                "responses": {"200": config, **_refusals(400, 403, 409, 413)},
            },
        },
        "/metrics": {"get": _metrics()},
    }
    for verb in VERBS:
        paths[f"/runs/{{run_id}}/{verb}"] = {
            **run,
            "post": {
                "summary": _MEANING[verb],
                "responses": {
                    "200": _json("The run", "Run"),
                    **_refusals(400, 403, 404, 409),
                },
            },
        }
    for channel in CHANNELS:
        paths[f"/ws/{channel}"] = {
            "get": {
                "summary": f"WebSocket: {'everything' if channel == 'events' else channel}",
                "parameters": [
                    {
                        "name": "run_id",
                        "in": "query",
                        "description": "Only this run",
                        "schema": {"type": "string", "pattern": "^[0-9a-f]{12}$"},
                    }
                ],
                "responses": {
                    "101": {"description": "The channel is open"},
                    "426": {"description": "Another version of the WebSocket protocol is needed"},
                    **_refusals(400, 403, 404, 429),
                },
            }
        }
    for path, item in paths.items():
        for method in item.keys() - {"parameters"}:
            item[method]["operationId"] = _name(path, method)
    return paths


def _name(path: str, method: str) -> str:
    """What a generated client may call it.

    >>> _name("/runs/{run_id}/replay.csv", "get")
    'get_run_replay_csv'
    """
    return method + path.replace("s/{run_id}", "").replace("/", "_").replace(".", "_")


def _links() -> dict[str, Any]:
    """What can be done with a run once it is there."""
    steps = [("get", ""), ("get", "/config"), ("patch", "/config"), ("get", "/replay.csv")]
    steps += [("post", f"/{verb}") for verb in (*VERBS, "reset")]
    return {
        _name(f"/runs/{{run_id}}{path}", method): {
            "operationId": _name(f"/runs/{{run_id}}{path}", method),
            "parameters": {"run_id": "$response.body#/run_id"},
        }
        for method, path in steps
    }


def _metrics() -> dict[str, Any]:
    formats: dict[str, Any] = {"type": "string", "enum": ["json", "prometheus"]}
    return {
        "summary": "How the server is doing: JSON, or text for Prometheus",
        "parameters": [
            {
                "name": "format",
                "in": "query",
                "description": "Instead of the Accept header",
                "schema": formats,
            }
        ],
        "responses": {
            "200": {
                "description": "Numbers by name",
                "content": {
                    "application/json": {"schema": {"type": "object"}},
                    "text/plain": {"schema": {"type": "string"}},
                },
            },
            **_refusals(400, 403),
        },
    }


def _get(summary: str, model: str | None, *refusals: int) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _json(summary, model), **_refusals(*refusals)}}


def _json(text: str, model: str | None) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": _REF.format(model=model)} if model else {"type": "object"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _body(model: str, *, required: bool = True) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=model)}
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _refusals(*statuses: int) -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}
