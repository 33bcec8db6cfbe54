"""Whatever is wrong with a request is said: which field, which value, which bound; never a 500."""

from __future__ import annotations

import http.client

import pytest
from server.shells import API, CONTROL

from lablib.server.models import BODY_LIMIT

pytestmark = pytest.mark.compiled

POSTS = [
    (b"{", "not JSON"),
    (b"\xff{}", "not UTF-8, byte 0 is 0xff"),
    (b"null", "a JSON object is needed, got null"),
    (b"[]", "a JSON object is needed"),
    (b'{"seed": NaN}', "NaN is no number"),
    (b'{"config": {"strategy.threshold": Infinity}}', "Infinity is no number"),
    (b'{"seed": 1, "seed": 2}', '"seed" is there twice'),
    (b'{"seed": ' + b"9" * 5_000 + b"}", "limit"),
    (b'{"config": ' + b"[" * 30_000, "nested too deeply"),
    (b'{"sede": 1}', "sede: no such field (value 1)"),
    (b'{"seed": "7"}', "seed: input should be a valid integer, got '7'"),
    (b'{"seed": true}', "seed: true and false are no value here"),
    (b'{"seed": null}', "seed: "),
    (b'{"seed": -1}', "seed: input should be greater than or equal to 0, got -1"),
    (b'{"seed": 18446744073709551616}', "seed: input should be less than 18446744073709551616"),
    (b'{"seed": 1.5}', "seed: "),
    (b'{"until": "soon"}', "until: duration 'soon'"),
    (b'{"until": -1}', "until: duration -1"),
    (b'{"until": {}}', "until: "),
    (b'{"until": 1' + b"0" * 400 + b"}", "until: duration 1000"),
    (b'{"until": -1' + b"0" * 400 + b"}", "until: duration -1000"),
    (
        b'{"config": {"latency": {"order_entry_ms": 1}, "latency.order_entry_ms": 2}}',
        "latency.order_entry_ms: is there twice",
    ),
    (
        b'{"config": {"latency.ack_ms.sigma": 1, "latency": {"ack_ms": {"model": "fixed"}}}}',
        "latency.ack_ms: is there twice",
    ),
    (b'{"speed": 0}', "speed"),
    (b'{"speed": "warp"}', "speed"),
    (b'{"market": "../../etc/passwd"}', "market: no recorded market '../../etc/passwd'"),
    (b'{"config": "nowhere"}', "preset: no preset 'nowhere'"),
    (b'{"config": 7}', "config"),
    (b'{"config": {"strategy": {"treshold": 1}}}', "strategy.treshold: no such field (value 1"),
    (b'{"config": {"strategy": {"threshold": -1}}}', "strategy.threshold: input should be greater"),
    (b'{"config": {"strategy": {"threshold": "0.1"}}}', "strategy.threshold: a number is needed"),
    (b'{"config": {"strategy": {"threshold": true}}}', "strategy.threshold: true and false"),
    (b'{"config": {"strategy": {"threshold": null}}}', "strategy.threshold: "),
    (b'{"config": {"strategy": {"parameters": ["1"]}}}', "strategy.parameters.0: a number"),
    (
        b'{"config": {"latency.ack_ms": {"model": "uniform", "base_ms": "5", "jitter_ms": 1}}}',
        "latency.ack_ms.base_ms: a number is needed",
    ),
    (b'{"config": {"drills.stale_feed": 1}}', "drills.stale_feed: true or false is needed"),
    (b'{"config": {"latency.ack_ms": {"model": "warp"}}}', "latency.ack_ms"),
    (b'{"config": {"strategy.name": "own"}}', "strategy.name: 'own' needs a function"),
    (b'{"config": {"venue.model": "recorded"}}', "venue.model: 'recorded' needs a market"),
]


@pytest.mark.parametrize(("body", "words"), POSTS, ids=[words[:30] for _, words in POSTS])
def test_a_bad_request_for_a_run_is_told_what_is_wrong(shell, body, words):
    reply = shell.api("runs", "POST", body)
    assert reply.status == 400
    assert words in reply.message
    assert "config.seed" not in reply.message
    assert len(reply.raw) < 1_200
    assert shell.api("metrics").json["runs_under_way"] == 0


@pytest.mark.parametrize("path", ["config", "runs/{run}/config", "runs/{run}/reset"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\xff", "not UTF-8"),
        (b"null", "a JSON object"),
        (b'{"config": {"strategy.threshold": 9e9}, "strategy.threshold": 9e9}', "threshold"),
        (b'{"nonsense": 1}', "nonsense"),
    ],
)
def test_a_bad_change_is_told_what_is_wrong_and_changes_nothing(shell, path, body, words):
    run = shell.start()
    before = shell.api("config").json
    method = {"config": "PUT", "runs/{run}/config": "PATCH"}.get(path, "POST")
    reply = shell.api(path.format(run=run), method, body)
    assert reply.status == 400
    assert words in reply.message
    assert shell.api("config").json == before


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("runs/{id}", "GET"),
        ("runs/{id}/config", "GET"),
        ("runs/{id}/config", "PATCH"),
        ("runs/{id}/pause", "POST"),
        ("runs/{id}/reset", "POST"),
        ("runs/{id}/replay.csv", "GET"),
        ("ws/events?run_id={id}", "GET"),
    ],
)
@pytest.mark.parametrize("name", ["000000000000", "..%2f..%2fetc", "%00", "x" * 300])
def test_a_run_nobody_knows_is_not_found(shell, path, method, name):
    body = b"{}" if method in ("PATCH", "POST") else None
    reply = shell.api(path.format(id=name), method, body)
    assert reply.status == 404
    assert "%" in name or "no run" in reply.message  # the others are no names at all


def test_what_does_not_fit_a_runs_state_is_a_conflict_that_names_it(shell):
    run = shell.start(start=False)
    conflicts = []
    for verb in ("pause", "resume", "resume", "step", "stop", "stop", "pause", "halt"):
        reply = shell.api(f"runs/{run}/{verb}", "POST")
        if reply.status == 409:
            conflicts.append(reply.message)
        if verb == "stop":
            shell.end(run)
    states = [words.rpartition(" ")[2] for words in conflicts]
    assert states == ["created", "running", "running", "finished", "finished", "finished"]
    change = shell.api(f"runs/{run}/config", "PATCH", {"strategy.threshold": 0.001})
    assert change.status == 409


def test_a_body_has_its_limit(shell):
    padding = b'{"config": {}' + b" " * (BODY_LIMIT - 14) + b"}"
    assert len(padding) == BODY_LIMIT
    assert shell.api("runs", "POST", padding).status == 201
    assert shell.api("runs", "POST", padding + b" ").status == 413


def test_a_body_without_a_length_has_its_limit_too(shell):
    connection = http.client.HTTPConnection("127.0.0.1", shell.port, timeout=30)
    parts = [b'{"seed": 4', *[b" " * 20_000] * 4, b"}"]
    headers = {"Authorization": f"token {CONTROL}"}
    connection.request("POST", f"{API}/runs", iter(parts), headers, encode_chunked=False)
    assert connection.getresponse().status == 413
    connection.close()
    connection.request("POST", f"{API}/runs", iter(parts[::5]), headers, encode_chunked=False)
    assert connection.getresponse().status == 201
    connection.close()


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("runs", "DELETE", 405),
        ("runs", "PUT", 405),
        ("state", "POST", 405),
        ("health", "OPTIONS", 405),
        ("runs/000000000000/explode", "POST", 404),
        ("nothing/here", "GET", 404),
        ("metrics?format=xml", "GET", 400),
        ("ws/secrets", "GET", 404),
        ("ws/events", "GET", 400),
    ],
)
def test_what_is_not_there_is_a_plain_refusal(shell, path, method, status):
    assert shell.api(path, method, b"{}" if method in ("POST", "PUT") else None).status == status
