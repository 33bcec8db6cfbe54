"""Wires in whole runs: named delays, files, order and overtaking, outages, bursts, and what lag does to correlation."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lablib
from lablib.cli import main
from lablib.commands import Command
from lablib.config import FEEDS, LEGS, SimConfig
from lablib.delays import DelayModel, Empirical
from lablib.engine import Simulation
from lablib.errors import ConfigError, DataError
from lablib.kernels import tables as t
from lablib.kernels.delay import delay_ns
from lablib.measured import PROBABILITIES, no_files
from lablib.pieces import LagGenerator
from lablib.presets import WIRES
from lablib.run import run
from lablib.tape.noise import delay_key
from lablib.widgets.knobs import law, typical
from lablib.widgets.permalink import read

BUSY: dict[str, Any] = {
    "strategy.stack": True,
    "strategy.threshold": 0.0005,
    "strategy.decision_interval_ms": 0.0,
    "strategy.exit": "close",
    "external.interval_ms": 10.0,
    "risk.max_position_pct": 0.002,
}
BOOK: dict[str, Any] = {**BUSY, "venue.model": "makers", "venue.half_spread_ticks": 1}
JUMPY: dict[str, Any] = {"model": "lognormal", "median_ms": 20.0, "sigma": 1.0}


def legs(delay: Any, *names: str) -> dict[str, Any]:
    return {f"latency.{name}": delay for name in names or LEGS}


# ------------------------------------------------------------------------------------- named delays
@pytest.mark.parametrize("name", WIRES)
def test_every_named_wire_is_a_delay_of_every_leg(name: str):
    config = SimConfig().replace(legs(name))
    for leg in LEGS:
        model = config.get(f"latency.{leg}")
        assert typical(model) > 0
        assert model.model in law(model)
    assert config == SimConfig().replace({f"latency.{leg}": WIRES[name].leg(leg) for leg in LEGS})
    assert WIRES[name].source.endswith(".")


@pytest.mark.parametrize("name", WIRES)
def test_every_named_set_of_wires_runs(name: str):
    config = SimConfig().wired(name)
    assert {f"latency.{leg}" for leg in LEGS} >= set(WIRES[name].changes)
    assert run(config, seed=3, until="2s").last.t_ns == 2 * t.NS_PER_S


def quantile_ms(model: dict[str, Any], u: float) -> float:
    """What the kernel draws where its uniform is `u`: the key of a message that has about that luck."""
    params = SimConfig().replace({"latency.ack_ms": model}).to_record()
    sample = [delay_ns(params, t.ACK, t.ACK, cause, 0) for cause in range(4_000)]
    return float(np.quantile(sample, u)) / t.NS_PER_MS


def test_a_generator_of_any_model_draws_what_the_wire_draws():
    model = WIRES["retail"].leg("order_entry_ms")
    params = SimConfig().replace({"latency.market_lag_ms": model}).to_record()
    params.key_low, params.key_high = delay_key(5)
    wanted = [delay_ns(params, t.MARKET_LAG, t.MARKET_LAG, k, 0) for k in range(1, 101)]
    drawn = LagGenerator.of(model, seed=5)
    assert [round(ms * t.NS_PER_MS) for ms in drawn.lags_ms(99)] == wanted[:99]
    assert round(drawn.next_lag_ms() * t.NS_PER_MS) == wanted[99]
    named = LagGenerator.of("binance_tokyo", seed=5).lags_ms(500)
    assert 18 <= named.min() <= named.max() <= 224
    assert LagGenerator.of(7.5).lags_ms(3).tolist() == [7.5] * 3
    assert LagGenerator.of(7.5).lags_ms(0).size == 0


@pytest.mark.parametrize("delay", [-1, "no such wires", {"model": "lognormal", "median_ms": -3}])
def test_a_generator_refuses_what_a_leg_would_refuse(delay: Any):
    with pytest.raises(ConfigError, match=r"latency\.market_lag_ms"):
        LagGenerator.of(delay)


LOGNORMALS = [
    (name, leg)
    for name, wires in WIRES.items()
    for leg, model in wires.legs.items()
    if model["model"] == "lognormal"
]


@pytest.mark.parametrize(("name", "leg"), LOGNORMALS)
def test_a_lognormal_wires_p99_is_its_median_times_exp_of_2_326_sigma(name: str, leg: str):
    model = {**WIRES[name].legs[leg], "spike_probability": 0.0}
    shift, sigma = model["shift_ms"], model["sigma"]
    ratio = (quantile_ms(model, 0.99) - shift) / (quantile_ms(model, 0.5) - shift)
    # standard error of log quantiles: sqrt(p (1 - p) / n) over the density there
    error = sigma * math.sqrt(0.99 * 0.01 / 4_000) / 0.02665 + sigma * 0.5 / 63.2 / 0.3989
    assert abs(math.log(ratio) - 2.326 * sigma) <= 4 * error


@pytest.mark.parametrize(
    ("name", "kilometres", "low", "high"),
    [
        ("nj_metro_fibre", 56, 0.34, 0.36),
        ("nj_metro_microwave", 56, 0.185, 0.2),
        ("chicago_nj_microwave", 1_130, 3.96, 4.09),
        ("chicago_nj_fibre", 1_130, 6.5, 6.65),
        ("london_frankfurt_microwave", 636, 2.13, 2.15),
        ("london_frankfurt_fibre", 636, 4.2, 4.67),
        ("new_york_london", 5_570, 29.3, 29.6),
        ("cloud_cross_region", 10_900, 75, 82),
    ],
)
def test_a_links_median_is_as_published_and_no_faster_than_light(
    name: str, kilometres: float, low: float, high: float
):
    model = WIRES[name].one_way
    assert low <= quantile_ms(model, 0.5) <= high
    assert quantile_ms(model, 0.0) >= kilometres * 3.336e-3


def test_wires_are_listed_with_their_sources(capsys: pytest.CaptureFixture[str]):
    assert main(["presets"]) == 0
    listing = capsys.readouterr().out
    assert all(name in listing and wires.source in listing for name, wires in WIRES.items())
    assert main(["presets", "--wires", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["human"]["changes"] == WIRES["human"].changes
    assert lablib.WIRES is WIRES


def test_wires_are_taken_by_name_from_toml_and_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "scenario.toml"
    path.write_text('wires = "kucoin_hf"\n[latency]\nack_ms = "colo"\n', encoding="utf-8")
    config = SimConfig.from_toml(path)
    assert config.latency.ack_ms.model == "lognormal"
    assert config.latency.cancel_ms.quantiles_ms[0] == 20
    options = ["run", "--until", "1s", "--json", "--wires", "retail"]
    assert main([*options, "--set", "latency.ack_ms=human"]) == 0
    wired = SimConfig().wired("retail").replace({"latency.ack_ms": "human"})
    assert json.loads(capsys.readouterr().out)["digest"] == run(wired, seed=7, until="1s").digest


def test_an_unknown_wire_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"latency\.ack_ms: no wires 'moon'; there are colo"):
        SimConfig(latency={"ack_ms": "moon"})
    with pytest.raises(ConfigError, match="wires: no wires 'moon'"):
        SimConfig().wired("moon")


# ------------------------------------------------------------------------------------------- files
def test_a_file_of_delays_becomes_quantiles_and_leaves_no_path(tmp_path: Path):
    sample = np.random.default_rng(1).gamma(2.0, 10.0, 500)
    configs = []
    for name, text in (
        ("one.csv", "\n".join(map(str, sample))),
        ("two.csv", "at,ms\n" + "\n".join(f"{k},{v}" for k, v in enumerate(sample))),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        model = {"model": "empirical", "file": str(tmp_path / name)}
        configs.append(SimConfig().replace({"latency.order_entry_ms": model}))
    np.save(tmp_path / "three.npy", sample)
    model = {"model": "empirical", "file": str(tmp_path / "three.npy")}
    configs.append(SimConfig().replace({"latency.order_entry_ms": model}))
    configs.append(
        SimConfig().replace({"latency.order_entry_ms": Empirical.of(sample).model_dump()})
    )
    model = {"model": "empirical", "sample_ms": sample.tolist()}
    configs.append(SimConfig().replace({"latency.order_entry_ms": model}))
    for path in tmp_path.iterdir():
        path.unlink()
    assert len({config.to_json() for config in configs}) == 1
    assert len({run(config, seed=1, until="2s").digest for config in configs}) == 1
    kept = configs[0].latency.order_entry_ms
    assert kept.file is None
    assert kept.quantiles_ms == pytest.approx(np.quantile(sample, PROBABILITIES))
    assert SimConfig.model_validate(json.loads(configs[0].to_json())) == configs[0]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("1\n2\nx\n", "line 3: not a delay .* 'x'"),
        ("1\n-2\n", "line 2: not a delay .* '-2'"),
        ("ms\n1\nnan\n", "line 3"),
        ("a,b\n1,2\n", "no column ms, delay_ms, latency_ms among a, b"),
        ("Timestamp,Order_ID,Status\n1,a,CREATED\n", "load_latency"),
    ],
)
def test_a_bad_file_of_delays_is_refused_by_line_and_value(tmp_path: Path, text: str, word: str):
    path = tmp_path / "delays.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=rf"latency\.ack_ms: .*delays\.csv.*{word}"):
        SimConfig().replace({"latency.ack_ms": {"model": "empirical", "file": str(path)}})


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ({"sample_ms": [1.0]}, "at least 2"),
        ({"sample_ms": [1.0, -3.0]}, "number 1 .* -3"),
        ({"sample_ms": ["x", "y"]}, "give numbers"),
        ({"probabilities": [0, 1], "quantiles_ms": [2, 1]}, "must not fall"),
        ({"probabilities": [0, 0], "quantiles_ms": [1, 2]}, "must rise"),
        ({"probabilities": [0, 1], "quantiles_ms": [1, 2, 3]}, "3 of them, but 2"),
        ({"sample_ms": [1, 2], "probabilities": [0, 1]}, "one of"),
        ({"file": "nowhere.csv"}, "nowhere.csv"),
        ({}, "probabilities: required"),
    ],
)
def test_a_bad_table_is_refused_with_its_leg(model: dict[str, Any], word: str):
    with pytest.raises((ConfigError, DataError), match=rf"latency\.ack_ms.*{word}"):
        SimConfig().replace({"latency.ack_ms": {"model": "empirical", **model}})


def test_an_address_opens_no_file(tmp_path: Path):
    path = tmp_path / "delays.csv"
    path.write_text("1\n2\n", encoding="utf-8")
    model = {"model": "empirical", "file": str(path)}
    scene = read(f"latency.ack_ms={json.dumps(model)}", SimConfig(), 1, "classroom")
    assert scene.config == SimConfig()
    assert "own side" in scene.complaints[0]
    with no_files(), pytest.raises(ConfigError, match="own side"):
        SimConfig().replace({"latency.ack_ms": model})
    assert SimConfig().replace({"latency.ack_ms": model}).latency.ack_ms.typical_ms == 1.5


def test_a_delay_model_without_a_law_cannot_be_made():
    class Lawless(DelayModel):
        model: str = "lawless"

    with pytest.raises(TypeError, match="abstract"):
        Lawless()


def test_a_lost_order_cannot_be_asked_for():
    lossy = {"model": "constant", "ms": 1, "outage_s": 1, "outage_loses": True}
    for leg in LEGS:
        if leg in FEEDS:
            SimConfig().replace(legs(lossy, leg))
        else:
            with pytest.raises(ConfigError, match=rf"latency\.{leg}\.outage_loses: only a feed"):
                SimConfig().replace(legs(lossy, leg))
    with pytest.raises(ConfigError, match=r"latency\.ack_ms: outage_every_s: 1\.0 leaves no time"):
        SimConfig().replace(legs({**lossy, "outage_every_s": 1, "outage_loses": False}, "ack_ms"))


# -------------------------------------------------------------------------------- order, overtaking
def received(config: SimConfig) -> np.ndarray:
    orders = run(config, seed=5, until="20s").orders
    orders = orders[orders["received_at"] >= 0]
    orders.sort(order="order_id")
    return orders["received_at"]


@pytest.mark.compiled
def test_orders_reach_the_venue_in_the_order_sent_unless_the_wire_is_free():
    config = SimConfig().replace({**BUSY, **legs(JUMPY, "order_entry_ms")})
    arrivals = received(config)
    assert arrivals.size > 50
    assert np.all(np.diff(arrivals) >= 0)
    free = received(config.replace(legs({**JUMPY, "fifo": False}, "order_entry_ms")))
    assert np.any(np.diff(free) < 0)


@pytest.mark.compiled
def test_without_delay_a_free_wire_is_the_instant_itself():
    ours = LEGS[1:]
    config = SimConfig().replace({**BOOK, **legs(0.0, *ours)})
    free = config.replace(legs({"model": "constant", "ms": 0, "fifo": False}, *ours))
    first = run(config, seed=2, until="5s")
    second = run(free, seed=2, until="5s")
    assert first.orders.size > 20
    for name in ("samples", "orders", "fills"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    filled = second.orders[second.orders["filled_at"] >= 0]
    assert np.array_equal(filled["created_at"], filled["filled_at"])


@pytest.mark.compiled
@pytest.mark.parametrize("market", [BUSY, BOOK], ids=["delayed copy", "makers"])
@pytest.mark.parametrize("strategy", ["divergence", "passive_divergence"])
def test_what_overtakes_corrupts_no_account(market: dict[str, Any], strategy: str):
    free = {**JUMPY, "fifo": False}
    config = SimConfig().replace({**market, **legs(free), "strategy.name": strategy})
    simulation = Simulation(config, seed=4)
    for k in range(1, 40):
        simulation.play(k * 200_000_000)
        state = simulation.state
        for account in (state["account"], state["desk"]["account"]):
            value = int(account["position"] * account["mark"] * (t.MONEY // 2))
            realized = int(account["start"] + account["realized"] - account["fees"])
            assert int(account["cash"]) + value == realized + value - int(account["basis"])
        own = state["own"][state["own"]["used"] == 1]
        untold = int(np.sum(own["side"] * (own["filled"] - own["known"])))
        assert (
            int(state["account"]["position"]) == int(state["desk"]["account"]["position"]) + untold
        )
        pending = own["lots"] - own["known"] + own["gone_lots"]
        assert state["desk"]["pending_buy"] >= np.sum(
            (own["lots"] - own["filled"])[own["side"] > 0]
        )
        assert pending.min(initial=0) >= 0
        assert own["amending"].min(initial=0) >= 0
    assert simulation.frame().fill_count > 0
    simulation.command("halt")
    simulation.play(simulation.now_ns + 60 * t.NS_PER_S)
    last = simulation.frame()
    assert last.known_position_lots == last.position_lots == 0
    assert (last.open_orders, last.pending_buy_lots, last.pending_sell_lots) == (0, 0, 0)


@pytest.mark.compiled
@pytest.mark.parametrize("seed", range(10))
def test_nothing_of_ours_rests_once_a_halt_and_what_it_has_overtaken_have_arrived(seed):
    """A maker on a wire of up to 400 ms on which anything may overtake, halted by hand at 2 s."""
    config = {"venue.model": "flow", "strategy.name": "market_maker", "strategy.requote": "cancel"}
    wire = {"model": "uniform", "base_ms": 1, "jitter_ms": 400, "fifo": False}
    halt = Command(2 * t.NS_PER_S, "halt")
    config |= {"latency.order_entry_ms": wire}
    simulation = Simulation(config, seed=seed, commands=[halt])
    frame = simulation.advance(3 * t.NS_PER_S)
    assert simulation.waiting().size == 0
    late = frame.orders[(frame.orders["received_at"] > halt.t_ns) & (frame.orders["is_exit"] == 0)]
    assert late.size > 0
    withdrawn = late[late["reason"] == t.HALTED]
    assert (withdrawn["acted_at"] >= halt.t_ns).all()
    assert (late["acted_at"] <= halt.t_ns + 401 * t.NS_PER_MS).all()


def test_news_that_was_overtaken_is_dropped():
    config = SimConfig().replace({**BUSY, **legs({**JUMPY, "fifo": False}, "external_feed_ms")})
    simulation = Simulation(config, seed=4)
    newest = 0
    for k in range(1, 400):
        simulation.play(k * 10_000_000)
        state = simulation.state
        assert state["seen"]["external_index"] >= newest
        newest = int(state["seen"]["external_index"])
    assert state["seen"]["ticks"] < state["external"]["index"] * 0.8  # the start counts as one


@pytest.mark.compiled
def test_a_cancel_that_overtakes_its_order_is_refused_and_can_be_asked_again():
    changes = {
        **BOOK,
        "strategy.name": "passive_divergence",
        "latency.order_entry_ms": {"model": "constant", "ms": 80},
        "latency.cancel_ms": {"model": "constant", "ms": 1, "fifo": False},
        "strategy.threshold": 0.0002,
    }
    simulation = Simulation(SimConfig().replace(changes), seed=4)
    simulation.play(20 * t.NS_PER_S)
    refused = simulation.state["risk"]["rejected"][t.UNKNOWN_ORDER]
    orders = simulation.frame().orders
    assert refused > 0
    assert np.sum(orders["status"] == t.CANCELLED) > 0


# --------------------------------------------------------------------------------- outages, bursts
def test_orders_sent_in_an_outage_arrive_together_after_it():
    outage = {"model": "constant", "ms": 5, "outage_start_s": 5, "outage_s": 3}
    config = SimConfig().replace({**BUSY, **legs(outage, "order_entry_ms")})
    orders = run(config, seed=5, until="10s").orders
    orders = orders[orders["received_at"] >= 0]
    second = t.NS_PER_S
    held = (orders["created_at"] >= 5 * second) & (orders["created_at"] < 8 * second)
    assert held.sum() > 3
    assert np.all(orders["received_at"][held] == 8 * second + 5_000_000)
    assert np.all((orders["received_at"] - orders["created_at"])[~held] == 5_000_000)


@pytest.mark.compiled
def test_news_lost_in_an_outage_is_counted_and_never_seen():
    lossy = {
        "model": "constant",
        "ms": 1,
        "outage_start_s": 1,
        "outage_s": 1,
        "outage_loses": True,
    }
    config = SimConfig().replace({**BUSY, **legs(lossy, *FEEDS)})
    simulation = Simulation(config, seed=5)
    simulation.play(1_995_000_000)
    seen = simulation.state["seen"]
    assert seen["external_index"] == 99  # the last tick before the outage
    assert simulation.state["wires"]["lost"][t.EXTERNAL_FEED] == 100
    simulation.play(3 * t.NS_PER_S)
    assert simulation.state["seen"]["external_index"] > 290
    assert simulation.state["wires"]["lost"][t.MARKET_LAG] == 100


@pytest.mark.compiled
def test_a_long_outage_holds_no_more_than_a_wire_can():
    outage = {"model": "constant", "ms": 1, "outage_start_s": 0, "outage_s": 30}
    changes = {"external.interval_ms": 10.0, **legs(outage, "external_feed_ms")}
    simulation = Simulation(SimConfig().replace(changes), seed=5)
    simulation.play(29 * t.NS_PER_S)
    wire = simulation.state["wires"][t.EXTERNAL_FEED]
    assert wire["tail"] - wire["head"] == t.N_MESSAGES
    assert wire["conflated"] == 2_900 - t.N_MESSAGES
    simulation.play(30 * t.NS_PER_S + 5_000_000)
    assert simulation.state["seen"]["external_index"] == 3_000  # the newest news is not lost


BURSTY = {**JUMPY, "sigma": 0.3, "burst_factor": 8.0, "burst_bps": 25.0}


@pytest.mark.compiled
def test_both_arms_of_a_comparison_meet_the_same_bursts_on_the_same_tape():
    fast = SimConfig().replace({**BUSY, **legs(BURSTY, "external_feed_ms", "ack_ms")})
    slow = fast.replace({"latency.order_entry_ms": 30.0, "strategy.threshold": 0.002})
    arms = [Simulation(config, seed=6, hash_tape=True) for config in (fast, slow)]
    quiet = Simulation(SimConfig().replace(BUSY), seed=6, hash_tape=True)
    swings = []
    for k in range(1, 100):
        for arm in (*arms, quiet):
            arm.play(k * 100_000_000)
        first, second = (arm.state for arm in arms)
        assert first["external"] == second["external"]
        feeds = [state["wires"][t.EXTERNAL_FEED] for state in (first, second)]
        assert feeds[0].tobytes() == feeds[1].tobytes()
        swings.append(abs(first["external"]["swing"]))
    assert min(swings) < 25e-4 < max(swings)
    assert arms[0].tape_digest() == arms[1].tape_digest() == quiet.tape_digest()


def test_the_swing_is_the_faded_sum_of_the_tapes_returns():
    config = SimConfig().replace({**BUSY, **legs(BURSTY, "ack_ms"), "latency.burst_memory_ms": 80})
    simulation = Simulation(config, seed=6)
    prices = [10_000.0]
    for k in range(1, 200):
        simulation.play(k * 10_000_000)
        prices.append(float(simulation.state["external"]["px"]))
    fade = np.exp(-10.0 * np.arange(198, -1, -1) / 80)
    swing = float(np.sum(fade * np.diff(np.log(prices))))
    assert simulation.state["external"]["swing"] == pytest.approx(swing, rel=1e-9)


@pytest.mark.compiled
def test_latency_rises_with_the_external_move_and_only_then():
    config = SimConfig().replace({**BUSY, **legs(BURSTY, "order_entry_ms")})
    calm = config.replace(legs({**BURSTY, "burst_bps": 10_000}, "order_entry_ms"))
    slow, fast = (run(c, seed=6, until="30s").orders for c in (config, calm))
    delays = [o["received_at"] - o["created_at"] for o in (slow, fast)]
    assert np.quantile(delays[0], 0.9) > 3 * np.quantile(delays[1], 0.9)


# ---------------------------------------------------------------------------- what lag does to prices
def lagged_moves(lag_ms: float, horizon_ms: int, seed: int, seconds: int) -> np.ndarray:
    """Non-overlapping returns (external, venue) over a horizon, shape (windows, 2), by the engine."""
    config = SimConfig().replace(
        {
            "external.interval_ms": 1.0,
            "external.volatility_bps": 16.0,
            "venue.tick_size": 0.0001,
            "latency.market_lag_ms": lag_ms,
            "strategy.name": "idle",
            "strategy.decision_interval_ms": float(horizon_ms),
        }
    )
    samples = run(config, seed=seed, until=seconds).samples
    return np.diff(np.log([samples["external_px"], samples["market_px"]]), axis=1).T[3:]


@pytest.mark.compiled
@pytest.mark.parametrize("horizon_ms", [10, 20, 25, 40, 100, 400])
def test_a_delayed_copy_decorrelates_as_one_minus_lag_over_horizon(horizon_ms: int):
    moves = lagged_moves(20.0, horizon_ms, seed=8, seconds=120)
    scaled = moves / moves.std(axis=0)
    target = max(0.0, 1 - 20 / horizon_ms)
    products = scaled[:, 0] * scaled[:, 1] - target * (scaled**2).sum(axis=1) / 2
    # neighbouring windows share what is under way: count their covariance in
    error = math.sqrt(products.var() * 3 / products.size)
    assert abs(np.corrcoef(scaled.T)[0, 1] - target) <= 4 * error


@pytest.mark.compiled
def test_a_random_but_persistent_lag_decorrelates_by_its_mean_overlap():
    mean, horizon, runs = 20.0, 40, 120
    lags = [-mean * math.log(1 - (k + 0.5) / runs) for k in range(runs)]
    blocks = [lagged_moves(lag, horizon, seed=k, seconds=4) for k, lag in enumerate(lags)]
    target = 1 - mean / horizon * (1 - math.exp(-horizon / mean))
    moves = np.concatenate(blocks)
    variance = (moves**2).mean()
    gaps = np.array(
        [
            (b[:, 0] * b[:, 1]).mean() / variance - max(0.0, 1 - lag / horizon)
            for b, lag in zip(blocks, lags, strict=True)
        ]
    )
    correlation = (moves[:, 0] * moves[:, 1]).mean() / variance
    assert abs(correlation - target) <= 4 * gaps.std() / math.sqrt(runs) + 1e-3
