"""Designs: their points, and everything that is refused before anything runs."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from lablib.config import SimConfig
from lablib.errors import ConfigError
from lablib.experiments.design import arms, grid, scatter, seeds_of

ENTRY, THRESHOLD = "latency.order_entry_ms", "strategy.threshold"
BASE = SimConfig()


def test_a_grid_visits_every_combination_and_its_last_field_turns_fastest():
    design = grid(BASE, {ENTRY: [1, 5], THRESHOLD: [0.1, 0.2, 0.3]})
    assert [design.point(k) for k in range(design.count)] == [
        *((1.0, v) for v in (0.1, 0.2, 0.3)),
        *((5.0, v) for v in (0.1, 0.2, 0.3)),
    ]


def test_values_are_kept_as_the_config_holds_them():
    law = {"model": "lognormal", "median_ms": 20, "sigma": 0.5}
    design = grid(BASE, {ENTRY: [np.float64(3), law], "venue.levels": np.array([5, 6])})
    assert design.axes[1] == (5, 6)
    assert design.axes[0][0] == 3.0
    assert design.axes[0][1]["median_ms"] == 20.0
    for k in range(design.count):
        BASE.replace(design.changes(k))


def test_a_latin_hypercube_meets_every_stratum_once():
    design = scatter(BASE, {ENTRY: (0, 100), "venue.levels": (1, 30)}, "latin", 20, 3)
    assert design.points is not None
    entry = np.array([point[0] for point in design.points])
    assert sorted((entry // 5).astype(int).tolist()) == list(range(20))
    assert all(isinstance(point[1], int) for point in design.points)
    assert design == scatter(BASE, {ENTRY: (0, 100), "venue.levels": (1, 30)}, "latin", 20, 3)
    assert design != scatter(BASE, {ENTRY: (0, 100), "venue.levels": (1, 30)}, "latin", 20, 4)


BAD_GRIDS = [
    (
        {"latency.order_entry": [1]},
        r"latency.order_entry: no such field; did you mean latency.order_entry_ms\?",
    ),
    ({"nonsense": [1]}, "nonsense: no such field"),
    ({ENTRY: []}, f"{ENTRY}: the list of values is empty"),
    ({ENTRY: [1, -5]}, f"{ENTRY}: .*greater than or equal to 0, got -5"),
    ({ENTRY: [1, float("nan")]}, f"{ENTRY}: .*got nan"),
    ({ENTRY: [1, "soon"]}, f"{ENTRY}: no wires 'soon'"),
    ({ENTRY: [20, 5, 20.0]}, f"{ENTRY}: the same value twice, got 20.0"),
    ({ENTRY: 5}, f"{ENTRY}: give a list of values, got 5"),
    ({ENTRY: "5"}, f"{ENTRY}: give a list of values, got '5'"),
    ({THRESHOLD: range(10**9)}, f"{THRESHOLD}: 1,000,000,000 cells; the most are 1,000,000"),
    (
        {ENTRY: range(1000), THRESHOLD: range(1000), "venue.fee_bps": range(1000)},
        "the grid: 1,000,000,000 cells",
    ),
    ({ENTRY: count()}, "the grid: 1,000,001 cells"),
    ({"latency": [{}]}, "latency: a section has no values"),
    ({"record.samples": [True, False]}, "record.samples: an experiment keeps no samples"),
    ({"strategy.exit": ["close", "closed"]}, "strategy.exit: .*got 'closed'"),
    ({"strategy.stack": [True, 3]}, "strategy.stack: .*got 3"),
    ({THRESHOLD: [True]}, "strategy.threshold: true and false are no value here"),
    ({}, "fields: none given"),
    ([1, 2], "fields: give a dict"),
]


@pytest.mark.parametrize(
    ("values", "words"), BAD_GRIDS, ids=[str(k) for k in range(len(BAD_GRIDS))]
)
def test_a_bad_grid_is_refused_by_field_and_value(values, words):
    with pytest.raises(ConfigError, match=words):
        grid(BASE, values)


@pytest.mark.parametrize(
    ("ranges", "n", "words"),
    [
        ({ENTRY: (1, 2, 3)}, 5, f"{ENTRY}: design 'latin' needs a pair"),
        ({ENTRY: (2, 1)}, 5, f"{ENTRY}: design 'latin' needs a pair"),
        ({ENTRY: ("a", "b")}, 5, f"{ENTRY}: design 'latin' needs a pair"),
        ({ENTRY: (-1, 1)}, 5, f"{ENTRY}: .*got -1"),
        ({ENTRY: (1, 2)}, 0, "n: design 'latin' needs a number of points, got 0"),
        ({ENTRY: (1, 2)}, 10**9, "n: 1,000,000,000 cells"),
    ],
)
def test_a_bad_range_is_refused(ranges, n, words):
    with pytest.raises(ConfigError, match=words):
        scatter(BASE, ranges, "latin", n, 0)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({ENTRY: [20]}, "needs two values or more"),
        ({ENTRY: [1, 2], THRESHOLD: [0.1]}, "as many values as the others"),
        ({ENTRY: [1, 1], THRESHOLD: [0.1, 0.1]}, "the same setting twice"),
    ],
)
def test_settings_that_cannot_be_compared_are_refused(values, words):
    with pytest.raises(ConfigError, match=words):
        arms(BASE, values)


def test_the_kth_value_of_every_field_makes_the_kth_setting():
    design = arms(BASE, {ENTRY: [1, 1, 5], THRESHOLD: [0.1, 0.2, 0.2]})
    assert design.changes(1) == {ENTRY: 1.0, THRESHOLD: 0.2}


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        (0, "seeds: give 1 to"),
        (True, "seeds: give a number"),
        ("12", "seeds: give a number"),
        ([], "seeds: the list is empty"),
        ([1, 2, 1], "seeds: 1 is there twice"),
        ([-1], "seeds: a seed is a whole number .* got -1"),
        ([1.5], "seeds: a seed is a whole number .* got 1.5"),
        ([1 << 64], "seeds: a seed is a whole number"),
    ],
)
def test_bad_seeds_are_refused(seeds, words):
    with pytest.raises(ConfigError, match=words):
        seeds_of(seeds)


def test_a_number_of_seeds_counts_from_zero():
    assert seeds_of(3) == (0, 1, 2)
    assert seeds_of(range(5, 7)) == (5, 6)
