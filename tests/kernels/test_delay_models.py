"""Delay models, disturbances and the ring of messages: closed forms, a sorted list, the same bits in both modes."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.config import LEGS, SimConfig
from lablib.kernels import delay, quantiles, wire
from lablib.kernels import tables as t

SHAPES = (0.1, 0.5, 1.0, 2.0, 7.0, 100.0)
PROBABILITIES = (1e-12, 1e-6, 1e-3, 0.1, 0.4, 0.5, 0.6, 0.9, 0.999, 1 - 1e-6, 1 - 1e-12)


def params_of(model: Any, leg: str = "order_entry_ms", **latency: Any) -> Any:
    changes = {f"latency.{name}": value for name, value in latency.items()}
    params = SimConfig().replace({f"latency.{leg}": model, **changes}).to_record()
    params.key_low = 5
    return params


def draws(params: Any, count: int, which: int = t.ORDER_ENTRY) -> np.ndarray:
    """Delays in ms of messages caused by ticks 1, 2, …"""
    ns = [delay.delay_ns(params, which, t.ORDER_ENTRY, cause, 0) for cause in range(1, count + 1)]
    return np.array(ns) / t.NS_PER_MS


def uniforms(params: Any, count: int) -> np.ndarray:
    key = t.ORDER_ENTRY
    return np.array([delay.uniform(params, key, cause, 0) for cause in range(1, count + 1)])


def gamma(p: float, shape: float) -> float:
    return float(quantiles.gamma_quantile(p, shape, math.lgamma(shape)))


# ------------------------------------------------------------------------------------------- gamma
@pytest.mark.parametrize("p", PROBABILITIES)
def test_a_gamma_of_shape_one_is_exponential(p: float):
    assert gamma(p, 1.0) == pytest.approx(-math.log1p(-p), rel=1e-11)


@pytest.mark.parametrize("p", PROBABILITIES)
def test_a_gamma_of_shape_one_half_is_half_a_squared_normal(p: float):
    exact = NormalDist().inv_cdf((1 - p) / 2) ** 2 / 2 if p > 0.1 else None
    if exact is None:  # the middle of the normal, where its cdf is linear: x = (p Γ(3/2))²
        root = p * math.gamma(1.5)
        exact = root**2 * (1 + 2 * root**2 / 3)
    assert gamma(p, 0.5) == pytest.approx(exact, rel=1e-4 if p == 0.1 else 1e-8)


@pytest.mark.parametrize("shape", [2, 7, 30, 100])
@pytest.mark.parametrize("p", PROBABILITIES)
def test_a_gamma_of_whole_shape_waits_for_that_many_poisson_events(shape: int, p: float):
    x = gamma(p, float(shape))
    terms = [math.exp(k * math.log(x) - x - math.lgamma(k + 1)) for k in range(shape)]
    later = [math.exp(k * math.log(x) - x - math.lgamma(k + 1)) for k in range(shape, shape + 400)]
    if p <= 0.5:
        assert math.fsum(later) == pytest.approx(p, rel=1e-9)
    else:
        assert math.fsum(terms) == pytest.approx(1 - p, rel=1e-9)


@given(
    shape=st.floats(0.1, 100),
    p=st.floats(1e-9, 1 - 1e-9),
    q=st.floats(1e-9, 1 - 1e-9),
)
def test_gamma_quantiles_rise(shape: float, p: float, q: float):
    low, high = sorted((p, q))
    assert gamma(low, shape) <= gamma(high, shape) * (1 + 1e-12)


def test_quantiles_are_the_same_bits_compiled_and_plain():
    found = [gamma(p, shape).hex() for shape in (0.3, 2.5, 40.0) for p in (1e-9, 0.3, 0.97)]
    assert found == GAMMA_BITS


GAMMA_BITS = [
    "0x1.c48dd5e788201p-101",
    "0x1.a106f17464651p-7",
    "0x1.c220b1078be99p+0",
    "0x1.a9dfa8f490641p-12",
    "0x1.7ffcfd5c9aa70p+0",
    "0x1.8bfcdfe54f694p+2",
    "0x1.9a5771f0d2659p+3",
    "0x1.23a94f7edaf91p+5",
    "0x1.a5b038e37cb19p+5",
]


@pytest.mark.parametrize("shape", [0.5, 2.0, 20.0])
def test_drawn_gamma_delays_have_their_mean_and_variance(shape: float):
    count = 4_000
    sample = draws(
        params_of({"model": "gamma", "mean_ms": 8.0, "shape": shape, "shift_ms": 3.0}), count
    )
    assert sample.min() >= 3.0
    sd = 8.0 / math.sqrt(shape)
    assert abs(sample.mean() - 11.0) <= 4 * sd / math.sqrt(count)
    kurtosis = 3 + 6 / shape
    assert abs(sample.var() / sd**2 - 1) <= 4 * math.sqrt((kurtosis - 1) / count)


# --------------------------------------------------------------------------------------- empirical
TABLE = {"model": "empirical", "probabilities": [0.1, 0.5, 0.9], "quantiles_ms": [2, 4, 20]}


def test_an_empirical_delay_passes_through_its_table_and_is_linear_between():
    record = params_of({**TABLE, "scale": 0.5}).delays[t.ORDER_ENTRY]
    at = [float(delay.table_ns(record, u)) / 1e6 for u in (0.0, 0.1, 0.3, 0.5, 0.6, 0.9, 0.99)]
    assert at == pytest.approx([1, 1, 1.5, 2, 4, 10, 10])


def test_an_empirical_table_may_be_as_long_as_it_can_be():
    p = [k / 63 for k in range(64)]
    record = params_of(
        {"model": "empirical", "probabilities": p, "quantiles_ms": [k * k for k in range(64)]}
    ).delays[t.ORDER_ENTRY]
    for k, u in enumerate(p):
        assert delay.table_ns(record, u) == pytest.approx(k * k * 1e6, rel=1e-9)


def test_drawn_empirical_delays_fall_below_each_quantile_as_often_as_it_says():
    p, q = (0.0, 0.25, 0.5, 0.95, 0.99, 1.0), (1.0, 2.0, 4.0, 9.0, 50.0, 90.0)
    sample = draws(params_of({"model": "empirical", "probabilities": p, "quantiles_ms": q}), 4_000)
    for chance, at in zip(p[1:-1], q[1:-1], strict=True):
        error = math.sqrt(chance * (1 - chance) / sample.size)
        assert abs(np.mean(sample <= at) - chance) <= 4 * error
    assert 1.0 <= sample.min() <= sample.max() <= 90.0


# ------------------------------------------------------------------------------------ shared luck
MODELS: dict[str, Any] = {
    "uniform": {"model": "uniform", "base_ms": 1.0, "jitter_ms": 5.0},
    "lognormal": {"model": "lognormal", "median_ms": 4.0, "sigma": 0.7},
    "gamma": {"model": "gamma", "mean_ms": 4.0, "shape": 1.5},
    "empirical": TABLE,
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_the_inverse_cdf_of_one_uniform_per_message(name: str):
    params = params_of(MODELS[name])
    order = np.argsort(uniforms(params, 300))
    assert np.all(np.diff(draws(params, 300)[order]) >= 0)


@pytest.mark.parametrize("name", MODELS)
def test_a_delay_depends_on_its_cause_alone(name: str):
    params = params_of(MODELS[name])
    forth = draws(params, 50)
    back = [
        delay.delay_ns(params, t.ORDER_ENTRY, t.ORDER_ENTRY, cause, 0) for cause in range(50, 0, -1)
    ]
    assert np.array_equal(forth[::-1], np.array(back) / t.NS_PER_MS)


def test_the_slower_of_two_settings_is_slower_for_every_message():
    fast = draws(params_of({"model": "gamma", "mean_ms": 4.0, "shape": 2.0}), 300)
    slow = draws(params_of({"model": "gamma", "mean_ms": 5.0, "shape": 2.0}), 300)
    np.testing.assert_allclose(slow / fast, 1.25, rtol=1e-5)


# ------------------------------------------------------------------------------- bursts and outages
def travel(params: Any, now: int, external: Any, leg: int = t.ORDER_ENTRY) -> int:
    return int(delay.travel_ns(params, external, now, leg, leg, 1, 0))


def external_at(swing: float, at_ns: int = 0) -> Any:
    record: Any = np.zeros(1, t.EXTERNAL_STATE)[0]
    record.swing, record.at_ns = swing, at_ns
    return record


@pytest.mark.parametrize("side", [1, -1])
def test_a_burst_multiplies_the_delay_until_the_swing_has_faded(side: int):
    model = {"model": "constant", "ms": 10, "burst_factor": 5, "burst_bps": 20}
    params = params_of(model, burst_memory_ms=100.0)
    swing = external_at(side * 40e-4)
    half = round(100e6 * math.log(2))  # by then 40 bps count as 20
    assert travel(params, 0, swing) == 50_000_000
    assert travel(params, half - 1_000, swing) == 50_000_000
    assert travel(params, half + 1_000, swing) == 10_000_000
    assert travel(params, 0, external_at(side * 19.9e-4)) == 10_000_000


def test_an_outage_holds_messages_until_it_ends_and_comes_again():
    outages = {"outage_s": 1.0, "outage_start_s": 2.0, "outage_every_s": 5.0}
    params = params_of({"model": "constant", "ms": 10, **outages})
    arrivals = {
        sent: sent + travel(params, round(sent * 1e9), external_at(0.0)) / 1e9
        for sent in (1.999, 2.0, 2.75, 3.0, 6.9, 7.2, 12.999)
    }
    assert list(arrivals.values()) == pytest.approx([2.009, 3.01, 3.01, 3.01, 6.91, 8.01, 13.01])


def test_one_outage_comes_once_and_may_lose():
    outage = {"outage_s": 1.0, "outage_start_s": 0.0, "outage_loses": True}
    params = params_of({"model": "constant", "ms": 10, **outage}, leg="venue_feed_ms")
    found = [travel(params, at, external_at(0.0), t.VENUE_FEED) for at in (0, 999_999_999, 10**9)]
    assert found == [t.LOST, t.LOST, 10_000_000]
    assert travel(params, 5 * 10**9, external_at(0.0), t.VENUE_FEED) == 10_000_000


# -------------------------------------------------------------------------------------------- rings
class Ring:
    """A wire and the obvious list that it must agree with."""

    def __init__(self) -> None:
        self.wire: Any = np.zeros(1, t.WIRE)[0]
        self.list: list[tuple[int, int]] = []  # (due, name)
        self.last_due = 0
        self.name = 0

    def send(self, now: int, ns: int, free: int) -> None:
        self.name += 1
        at = (wire.post_free if free else wire.post)(self.wire, now, ns)
        self.wire.messages[at].ref = self.name
        due = now + ns if free else max(now + ns, self.last_due)
        self.last_due = max(self.last_due, due)
        if len(self.list) == t.N_MESSAGES:
            self.list.pop()
        after = sum(when <= due for when, _ in self.list)
        self.list.insert(after if free else len(self.list), (due, self.name))

    def take(self) -> int:
        message = self.wire.messages[wire.front(self.wire)]
        assert (message.due_ns, message.ref) == self.list[0]
        wire.take(self.wire)
        return self.list.pop(0)[0]

    def check(self) -> None:
        at = np.arange(self.wire["head"], self.wire["tail"]) & (t.N_MESSAGES - 1)
        held = self.wire["messages"][at]
        assert list(zip(held["due_ns"].tolist(), held["ref"].tolist(), strict=True)) == self.list
        assert wire.next_due(self.wire) == (self.list[0][0] if self.list else t.FAR)


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 30), st.booleans(), st.integers(0, 3)),
        max_size=60,
    )
)
def test_a_wire_is_the_list_of_its_messages_sorted_by_arrival(
    steps: list[tuple[int, int, bool, int]],
):
    ring, now = Ring(), 0
    for wait, ns, free, takes in steps:
        now += wait
        ring.send(now, ns, int(free))
        for _ in range(takes):
            if ring.list and ring.list[0][0] <= now:
                ring.take()
        ring.check()


@pytest.mark.compiled
@pytest.mark.parametrize("free", [0, 1])
def test_a_full_wire_writes_over_what_would_arrive_last(free: int):
    ring = Ring()
    for k in range(t.N_MESSAGES + 40):
        ring.send(k, (k * 7_919) % 5_000, free)
    ring.check()
    assert ring.wire.conflated == 40
    assert ring.wire.peak == t.N_MESSAGES
    while ring.list:
        ring.take()


def test_fifo_messages_never_overtake_and_free_ones_do():
    for free, order in ((0, [1, 2, 3]), (1, [3, 2, 1])):
        ring = Ring()
        for ns in (30, 20, 10):
            ring.send(0, ns, free)
        assert [name for _, name in ring.list] == order
        ring.check()


def test_every_leg_of_the_journey_reaches_its_own_delay():
    wires = (t.MARKET_LAG, t.EXTERNAL_FEED, t.VENUE_FEED, t.DECISION, t.ORDER_ENTRY)
    legs = dict(zip(LEGS, (*wires, t.CANCEL_ENTRY, t.ACK), strict=True))
    changes = {f"latency.{leg}": 1.0 + k for k, leg in enumerate(legs)}
    params = SimConfig().replace(changes).to_record()
    found = [delay.delay_ns(params, which, which, 1, 0) for which in legs.values()]
    assert found == [1_000_000 * (1 + k) for k in range(len(legs))]
