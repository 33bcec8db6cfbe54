"""The external price: a walk that can be cut anywhere, regimes that come and go, bursts on time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import PLAIN

from lablib.config import SimConfig
from lablib.kernels import tables as t
from lablib.kernels.price import external_path, next_regime
from lablib.tape import noise

TICKS = 1_500 if PLAIN else 60_000


def walk(changes: dict[str, Any], count: int = TICKS, seed: int = 3, px: float = 10_000.0) -> Any:
    """Events of the first `count` ticks under a changed default config."""
    params = SimConfig().replace(changes).to_record().external
    carry = np.zeros(1, t.EXTERNAL_STATE)[0]
    carry.px, carry.regime = px, t.NORMAL
    rng = np.random.default_rng(seed)
    events = np.zeros(count, t.TAPE_EVENT)
    normals, uniforms = rng.standard_normal(count), rng.random(count)
    external_path(params, carry, normals, uniforms, uniforms, uniforms, events)
    assert (carry.px, carry.index) == (events["mark"][-1], count)
    assert carry.at_ns == events["time_ns"][-1]
    return events


def test_a_tick_is_an_external_event_on_its_grid():
    events = walk({"external.interval_ms": 7})
    assert (events["kind"] == t.EXTERNAL).all()
    assert (events["time_ns"] == 7 * t.NS_PER_MS * np.arange(1, TICKS + 1)).all()
    assert (events["ticks"] == np.arange(1, TICKS + 1)).all()
    assert (events["lots"] == t.NORMAL).all()


def test_moves_have_the_volatility_asked_for():
    events = walk({"external.volatility_bps": 30, "external.interval_ms": 250})
    moves = np.diff(np.log(events["mark"]))
    sigma = 30e-4 * 0.5
    assert abs(moves.std() / sigma - 1) < 4 / (2 * TICKS) ** 0.5
    assert abs(moves.mean()) < 4 * sigma / TICKS**0.5


def test_without_volatility_the_price_stands_still():
    assert set(walk({"external.volatility_bps": 0}, 50)["mark"].tolist()) == {10_000.0}


@given(cuts=st.lists(st.integers(0, 300), max_size=6))
def test_a_path_drawn_in_pieces_is_the_path_drawn_at_once(cuts):
    changes = {"external.regimes.enabled": True, "external.regimes.mean_stay_s": 0.4}
    changes |= {"external.burst.enabled": True, "external.burst.start_s": 2}
    params = SimConfig().replace(changes).to_record().external
    normals, uniforms = noise.normals(1, 0, 0)[:300], noise.uniforms(1, 1, 0)[:300]
    paths = []
    for bounds in ([0, 300], [0, *sorted(cuts), 300]):
        carry = np.zeros(1, t.EXTERNAL_STATE)[0]
        carry.px, carry.regime = 10_000.0, t.NORMAL
        events = np.zeros(300, t.TAPE_EVENT)
        for low, high in pairwise(bounds):
            some = uniforms[low:high]
            external_path(params, carry, normals[low:high], some, some, some, events[low:high])
        paths.append(events.tobytes())
    assert paths[0] == paths[1]


def test_regimes_stay_as_long_as_asked_and_scale_the_volatility():
    stay = 25  # ticks
    events = walk({"external.regimes.enabled": True, "external.regimes.mean_stay_s": stay * 0.05})
    regime = events["lots"]
    changes = np.flatnonzero(np.diff(regime))
    spells = np.diff(changes)
    expected = 1 / (1 - np.exp(-1 / stay))
    assert abs(spells.mean() - expected) < 5 * expected / spells.size**0.5
    before, after = regime[changes], regime[changes + 1]
    assert (after[before != t.NORMAL] == t.NORMAL).all()  # no way from calm to volatile at once
    wild = (after[before == t.NORMAL] == t.VOLATILE).mean()
    assert abs(wild - 0.5) < 5 * 0.5 / (changes.size / 2) ** 0.5
    moves = np.diff(np.log(events["mark"]))
    normal = moves[regime[1:] == t.NORMAL].std()
    assert moves[regime[1:] == t.CALM].std() / normal == pytest.approx(
        0.5, rel=0.2 if PLAIN else 0.05
    )
    assert moves[regime[1:] == t.VOLATILE].std() / normal == pytest.approx(
        2.5, rel=0.2 if PLAIN else 0.05
    )


@pytest.mark.parametrize(
    ("regime", "u", "then"),
    [
        (t.NORMAL, 0.0, t.NORMAL),
        (t.NORMAL, 0.899, t.NORMAL),
        (t.NORMAL, 0.901, t.CALM),
        (t.NORMAL, 0.949, t.CALM),
        (t.NORMAL, 0.951, t.VOLATILE),
        (t.CALM, 0.95, t.NORMAL),
        (t.VOLATILE, 0.95, t.NORMAL),
        (t.VOLATILE, 0.5, t.VOLATILE),
    ],
)
def test_the_chain_moves_by_its_uniform(regime, u, then):
    assert next_regime(regime, 0.9, u) == then


def test_a_burst_starts_and_ends_on_time():
    """From its start up to, not including, its end: ticks at 1.0 … 1.45 s of a burst of half a second."""
    still = {"external.burst.enabled": True, "external.burst.start_s": 1}
    still |= {"external.burst.duration_s": 0.5, "external.burst.volatility": 0}
    marks = walk(still, 40)["mark"]
    quiet = np.flatnonzero(np.diff(marks) == 0) + 1
    assert ((quiet + 1) * 50).tolist() == list(range(1_000, 1_500, 50))


def test_the_wildest_move_leaves_a_finite_positive_price():
    params = np.zeros(1, t.EXTERNAL_PARAMS)[0]
    params.interval_ns, params.sigma = 1, 1e6
    carry = np.zeros(1, t.EXTERNAL_STATE)[0]
    carry.px = 10_000.0
    events = np.zeros(3, t.TAPE_EVENT)
    unread = np.zeros(3)
    external_path(params, carry, np.array([1.0, -1.0, 1.0]), unread, unread, unread, events)
    assert np.isfinite(events["mark"]).all()
    assert (events["mark"] > 0).all()
    assert events["mark"].max() < t.NO_ASK
