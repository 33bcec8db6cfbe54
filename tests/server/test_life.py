"""A run's life over HTTP, in both shells."""

from __future__ import annotations

import io
import re

import pytest
from server.shells import API, LIMITS, VIEWER

import lablib as lab
from lablib.run import write_replay
from lablib.tape.recorded import load_pair

pytestmark = pytest.mark.compiled

COLD = {"strategy": {"threshold": 0.002}, "latency.order_entry_ms": 20}


def exported(run: lab.Run) -> bytes:
    page = io.StringIO()
    write_replay(page, run.samples)
    return page.getvalue().encode()


def test_a_run_lives_from_created_to_finished(shell):
    reply = shell.api("runs", "POST", {"config": COLD, "seed": 7, "start": False})
    assert reply.status == 201
    run = reply.json["run_id"]
    assert reply.headers["Location"] == f"{API}/runs/{run}"
    history = [reply.json["state"]]
    for verb in ("step", "resume", "pause", "resume", "halt", "release", "stop"):
        history.append(shell.act(run, verb))
    assert history == [
        "created",
        "paused",
        "running",
        "paused",
        "running",
        "halted",
        "running",
        "finished",
    ]
    told = shell.end(run)
    assert told["state"] == "finished"
    assert told["t_ns"] == told["frame"]["t_ns"] > 0
    assert [command["kind"] for command in told["commands"]] == ["halt", "release"]
    assert shell.ask(f"{API}/runs/{run}").json == told


def test_a_run_in_the_server_is_the_run_of_a_notebook_and_its_csv_is_the_export(shell):
    told = shell.end(shell.start(config=COLD, seed=7, until="20min", speed="max"))
    run = lab.run(lab.SimConfig().replace(COLD), seed=7, until="20min")
    assert (told["state"], told["digest"]) == ("finished", run.digest)
    reply = shell.api(f"runs/{told['run_id']}/replay.csv", token=VIEWER)
    assert reply.headers["Content-Type"].startswith("text/csv")
    assert reply.raw == exported(run)
    assert reply.raw.count(b"\n") == 1 + 20 * 60 * 20


def test_a_run_is_played_on_a_recorded_market_that_the_server_has_by_name(shell):
    reply = shell.api("runs", "POST", {"market": "perp", "seed": 7, "speed": "max"})
    assert reply.status == 201
    run = reply.json["run_id"]
    told = shell.end(run)
    market = load_pair(shell.home / "leader.gz", shell.home / "follower.gz")
    assert (told["state"], told["market"]) == ("finished", "perp")
    assert told["t_ns"] == market.duration_ns
    assert told["digest"] == lab.run(market=market, seed=7).digest
    shell.act(run, "reset")
    shell.act(run, "resume")
    assert shell.end(run)["digest"] == told["digest"]
    for path in ("runs", f"runs/{run}", f"runs/{run}/config", "state", "metrics", "openapi.json"):
        assert not re.search(rb"leader|follower|\.gz", shell.api(path).raw), path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("spot", "market: no recorded market 'spot' on this server; known: perp, torn"),
        ("torn", "market: 'torn' cannot be read on this server; its log says why"),
    ],
)
def test_a_market_that_is_not_there_or_torn_is_told_without_a_path(shell, name, words):
    reply = shell.api("runs", "POST", {"market": name})
    assert (reply.status, reply.message) == (400, words)
    assert shell.api("metrics").json["runs_under_way"] == 0
    assert name != "torn" or str(shell.home / "torn.gz") in shell.log.read_text(errors="replace")


def test_what_is_changed_on_the_way_is_recorded_and_can_be_played_again(shell):
    run = shell.start(seed=3, until="1min", speed="max", start=False)
    shell.act(run, "step")
    changes = {"strategy": {"threshold": 0.001}, "latency.ack_ms": 5}
    reply = shell.api(f"runs/{run}/config", "PATCH", changes)
    assert (reply.json["strategy"]["threshold"], reply.json["latency"]["ack_ms"]) == (0.001, 5)
    shell.act(run, "halt")
    shell.act(run, "release")
    shell.act(run, "resume")
    told = shell.end(run)
    commands = [lab.Command(**command) for command in told["commands"]]
    assert [command.kind for command in commands] == ["set", "set", "halt", "release"]
    again = lab.run(seed=3, until="1min", commands=commands)
    assert again.digest == told["digest"]


def test_a_change_that_is_refused_in_part_is_refused_as_a_whole(shell):
    run = shell.start()
    before = shell.api(f"runs/{run}/config").json
    changes = {"strategy.threshold": 0.001, "venue.tick_size": 0.5}
    reply = shell.api(f"runs/{run}/config", "PATCH", changes)
    assert reply.status == 400
    assert "venue.tick_size: cannot change" in reply.message
    assert shell.api(f"runs/{run}/config").json == before
    assert shell.api(f"runs/{run}").json["commands"] == []


def test_a_run_that_has_not_moved_takes_any_setting_without_a_command(shell):
    run = shell.start(start=False)
    reply = shell.api(f"runs/{run}/config", "PATCH", {"venue.tick_size": 0.5})
    assert reply.json["venue"]["tick_size"] == 0.5
    assert shell.api(f"runs/{run}").json["commands"] == []


def test_a_run_begins_again_under_way_and_after_its_end(shell):
    run = shell.start(seed=5, until="10s", speed="max")
    first = shell.end(run)["digest"]
    assert shell.act(run, "reset") == "created"
    assert shell.act(run, "step") == "paused"
    assert shell.act(run, "reset", {"seed": 6, "config": "cloud"}) == "created"
    shell.act(run, "resume")
    other = shell.end(run)
    assert (other["seed"], other["digest"]) == (6, lab.run("cloud", seed=6, until="10s").digest)
    shell.act(run, "reset", {"seed": 5, "config": {}})
    shell.act(run, "resume")
    assert shell.end(run)["digest"] == first


def test_a_reset_that_is_refused_leaves_the_seed_as_it_was(shell):
    run = shell.start(seed=1, until="1s", speed="max")
    ended = shell.end(run)
    for _ in range(LIMITS["max_runs"]):
        shell.start(start=False)
    assert shell.api(f"runs/{run}/reset", "POST", {"seed": 99}).status == 429
    assert shell.api(f"runs/{run}").json == ended
    shell.stop_all()
    waiting = shell.start(seed=2, start=False)
    refused = {"seed": 99, "config": {"venue.model": "recorded"}}
    assert shell.api(f"runs/{waiting}/reset", "POST", refused).status == 400
    assert shell.api(f"runs/{waiting}").json["seed"] == 2
    shell.act(waiting, "reset", {"seed": 3})
    assert shell.api(f"runs/{waiting}").json["seed"] == 3


@pytest.mark.parametrize("held", ["created", "paused"])
def test_a_halt_of_a_held_run_shows_at_once_and_so_does_its_release(shell, held):
    run = shell.start(start=False)
    if held == "paused":
        shell.act(run, "step")
    history = []
    for verb in ("halt", "release"):
        answer = shell.api(f"runs/{run}/{verb}", "POST").json
        told = shell.api(f"runs/{run}").json
        history += [(one["state"], one["halted"]) for one in (answer, told)]
    assert history == [(held, True)] * 2 + [(held, False)] * 2


def test_a_run_at_a_pace_keeps_to_it(shell):
    run = shell.start(speed=1000.0, until="1000s")
    told = shell.end(run)
    assert told["t_ns"] == 1_000_000_000_000
    assert told["digest"] == lab.run(until="1000s").digest


def test_state_and_config_speak_of_the_newest_run(shell):
    shell.start(seed=1)
    run = shell.start(config="cloud", seed=2, start=False)
    state = shell.api("state", token=VIEWER).json
    assert (state["run_id"], state["state"], state["seed"]) == (run, "created", 2)
    assert state["frame"]["equity"] == pytest.approx(100_000)
    assert shell.api("config").json == lab.SimConfig.preset("cloud").model_dump(mode="json")


def test_config_changes_the_newest_run_and_the_next_where_none_is_under_way(shell):
    run = shell.start(start=False)
    reply = shell.api("config", "PUT", {"strategy": {"threshold": 0.004}})
    assert reply.status == 200
    assert shell.api(f"runs/{run}/config").json["strategy"]["threshold"] == 0.004
    shell.act(run, "stop")
    shell.end(run)
    shell.api("config", "PUT", {"strategy.threshold": 0.005})
    assert shell.api("config").json["strategy"]["threshold"] == 0.005
    assert shell.api(f"runs/{run}/config").json["strategy"]["threshold"] == 0.004
    following = shell.start(start=False)
    assert shell.api(f"runs/{following}/config").json["strategy"]["threshold"] == 0.005


def test_one_run_too_many_is_refused_and_there_is_room_again_when_one_has_ended(shell):
    runs = [shell.start() for _ in range(LIMITS["max_runs"])]
    refused = shell.api("runs", "POST", {})
    assert refused.status == 429
    assert refused.headers["Retry-After"]
    assert str(LIMITS["max_runs"]) in refused.message
    shell.act(runs[0], "stop")
    shell.end(runs[0])
    shell.start()
    assert shell.api(f"runs/{runs[0]}/reset", "POST").status == 429


def test_old_runs_are_forgotten_and_the_newest_kept(shell):
    runs = []
    for seed in range(LIMITS["keep_runs"] + 2):
        runs.append(shell.start(seed=seed, until="1s", speed="max"))
        shell.end(runs[-1])
    shell.start()
    kept = [run["run_id"] for run in shell.api("runs").json["runs"]]
    assert kept[:-1] == runs[-LIMITS["keep_runs"] :]
    assert shell.api(f"runs/{runs[0]}").status == 404


def test_metrics_are_json_and_text_for_prometheus(shell):
    shell.start()
    numbers = shell.api("metrics", token=VIEWER).json
    assert numbers["runs"]["running"] == 1
    assert numbers["runs_under_way"] == 1
    for reply in (
        shell.api("metrics?format=prometheus"),
        shell.api("metrics", headers={"Accept": "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"}),
    ):
        assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = reply.raw.decode().splitlines()
        assert 'lablib_runs{state="running"} 1' in lines
        told = {line.split("{")[0].split()[0] for line in lines if not line.startswith("#")}
        assert told == {f"lablib_{name}" for name in numbers}


def test_health_and_the_description_answer_anybody(shell):
    assert shell.api("health", token=None).json["status"] == "ok"
    assert shell.api("openapi.json", token=None).json["openapi"] == "3.1.0"
