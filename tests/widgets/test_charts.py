"""Arrays in, traits out: only what differs travels, and the browser finds nothing to complain about."""

from __future__ import annotations

import numpy as np
import pytest

from lablib.widgets.charts import ACROSS, DivergenceChart, EquityChart, PositionChart, PriceChart
from lablib.widgets.panels import Clock, Panel, Ruler, assign, ended, same
from lablib.widgets.reduce import COLUMNS, step_outline
from lablib.widgets.snapshots import BINS, LEVELS, DepthChart, LatencyChart, outline

WAVE = np.sin(10 * ACROSS)
NONE = np.full(2 * COLUMNS, np.nan)


@pytest.fixture
def clock(wire):
    return Clock(30.0)


def arrays(panel: Panel):
    return [array for mark in panel.figure.marks for array in (mark.x, mark.y)]


def test_a_trait_that_holds_the_value_already_is_left_alone(clock, wire):
    wire.clear()
    scale = clock.scale
    assert not assign(scale, min=-1.0, max=0.0)
    assert wire.updates == []
    assert assign(scale, min=-2.0, max=0.0)
    assert wire.updates == [("LinearScaleModel", {"min": -2.0})]


@pytest.mark.parametrize(
    ("old", "new", "equal"),
    [
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), True),
        (np.array([1.0, 2.0]), np.array([1.0, np.nan]), False),
        (np.array([1.0]), np.array([1.0, 1.0]), False),
        (None, np.array([1.0]), False),
        ("a", "a", True),
        (1, 2, False),
    ],
)
def test_sameness_is_by_value(old, new, equal):
    assert same(old, new) is equal


def test_the_same_picture_twice_sends_nothing(clock, wire):
    price, equity = PriceChart(clock), EquityChart(clock)
    fills = np.array([[-0.5], [100.0]])
    for _ in range(2):
        wire.clear()
        price.draw(100 + WAVE, 99 + WAVE, fills, fills)
        equity.draw(WAVE, WAVE + 1, NONE)
    assert wire.updates == []


def test_a_new_picture_is_one_message_a_mark(clock, wire):
    chart = PriceChart(clock)
    empty = np.zeros((2, 0))
    chart.draw(100 + WAVE, 99 + WAVE, empty, empty)
    wire.clear()
    chart.draw(100 + 0.9 * WAVE, 99 + WAVE, np.array([[-0.5], [100.0]]), empty)
    assert [model for model, _ in wire.updates] == ["LinesModel", "LinesModel"]
    assert [set(state) for _, state in wire.updates] == [{"y"}, {"x", "y"}]


def test_what_travels_is_single_precision_and_of_constant_length(clock):
    chart = PriceChart(clock)
    lengths = set()
    for count in (0, 1, 40, 400):
        fills = np.array([np.linspace(-1, 0, count), np.full(count, 100.0)])
        chart.draw(100 + WAVE, 99 + WAVE, fills, fills)
        assert {array.dtype for array in arrays(chart)} == {np.dtype(np.float32)}
        lengths.add(tuple(array.shape for array in arrays(chart)))
    assert len(lengths) == 1


def test_every_curve_ends_in_a_point(clock):
    charts = [PriceChart(clock), DivergenceChart(clock), EquityChart(clock), PositionChart(clock)]
    charts += [LatencyChart(), DepthChart()]
    charts[0].draw(NONE, NONE, np.zeros((2, 0)), np.zeros((2, 0)))
    charts[1].draw(NONE, NONE, NONE, 0.003)
    charts[2].draw(NONE, NONE, NONE)
    charts[3].draw(NONE, 5_000.0, 1e7)
    for chart in charts:
        for array in arrays(chart):
            assert np.isfinite(array[..., -1]).all()


def test_a_curve_that_has_an_end_keeps_it():
    assert ended([1.0, np.nan, 3.0]).tolist()[2] == 3.0
    assert ended([[1.0, np.nan], [2.0, 5.0]])[:, 1].tolist() == [1.0, 5.0]


def test_a_curve_that_ended_before_draws_no_stroke_to_a_place_of_ours():
    assert ended([3.0, 4.0, np.nan]).tolist() == [3.0, 4.0, 4.0]
    assert ended([np.nan, np.nan]).tolist()[1] == ended([np.nan]).tolist()[0] == 0.0


def test_buys_point_up_from_below_their_price_and_sells_down_from_above(clock):
    chart = PriceChart(clock)
    chart.draw(100 + WAVE, 99 + WAVE, np.array([[-0.5], [100.0]]), np.array([[-0.4], [99.0]]))
    buy, sell = chart.marks.y[0], chart.marks.y[1]
    assert np.nanmax(buy[:4]) == 100.0
    assert np.nanmin(buy[:4]) < 100.0
    assert np.nanmin(sell[:4]) == 99.0
    assert np.nanmax(sell[:4]) > 99.0


def test_the_threshold_is_drawn_in_basis_points_and_stays_in_sight(clock):
    chart = DivergenceChart(clock)
    chart.draw(1e-5 * WAVE, NONE, NONE, 0.02)
    assert chart.threshold.y.tolist() == [[200.0, 200.0], [-200.0, -200.0]]
    assert chart.ruler.span.high > 200


def test_the_axis_makes_room_for_a_gross_limit_that_is_near_and_not_for_one_far_off(clock):
    chart = PositionChart(clock)
    chart.draw(1_000 * WAVE, 1_000.0, 1e7)
    assert chart.ruler.span.high < 10_000
    chart.draw(1_000 * WAVE, 1_000.0, 2_500.0)
    assert chart.ruler.span.high > 2_500


def test_a_tick_format_travels_before_the_ticks_that_use_it(wire):
    ruler = Ruler("lots", 1.0)
    wire.clear()
    ruler.follow(np.array([0.0, 9e6]))
    names = [next(iter(state)) for model, state in wire.updates if model == "AxisModel"]
    assert names == ["tick_format", "tick_values"]


@pytest.mark.parametrize(
    ("window", "first"), [(30, "−30 s"), (900, "−15 min"), (86_400, "−24 h"), (7_776_000, "−90 d")]
)
def test_the_clock_reads_in_a_unit_that_fits(window, first, wire):
    clock = Clock(float(window))
    assert clock.axis.tick_labels["-1"] == first
    assert clock.axis.tick_labels["0"] == "now"


def test_a_histogram_becomes_stairs_scaled_to_its_peak():
    out = outline(np.array([1.0, 10.0, 100.0]), np.array([2, 4]))
    assert out.shape == (2, 2 * BINS + 2)
    assert out[0, :6].tolist() == [0, 0, 1, 1, 2, 2]
    assert out[1, :6].tolist() == [0, 0.5, 0.5, 1, 1, 0]
    assert np.isnan(outline(np.array([1.0, 2.0]), np.array([0]))).all()


def test_a_constant_latency_is_a_bar_that_can_be_seen():
    out = outline(np.array([19.9, 20.1]), np.array([7]))
    known = out[0][np.isfinite(out[0])]
    assert known.max() - known.min() > 0.05


def test_the_latency_axis_holds_everything_that_is_drawn(wire):
    chart = LatencyChart()
    edges, counts = np.geomspace(0.02, 5_000.0, 11), np.ones(10, np.int64)
    chart.draw((edges, counts), (edges, counts), (1.0, 20.0, 400.0))
    assert chart.x.min <= np.log10(0.02)
    assert chart.x.max >= np.log10(5_000)
    assert chart.marks.x[:, 0].tolist() == pytest.approx(np.log10([1.0, 20.0, 400.0]))


def test_the_book_stays_in_the_picture_while_the_price_wanders(wire):
    chart = DepthChart()
    for middle in np.linspace(100, 103, 50):
        steps = 0.01 * np.arange(20)[:, None]
        bids, asks = (
            step_outline(np.hstack([middle + side * (0.01 + steps), np.full((20, 1), 5.0)]), LEVELS)
            for side in (-1, 1)
        )
        chart.draw(bids, asks, middle + 0.3, 0.01)
        assert chart.x.min <= bids[0].min()
        assert max(asks[0].max(), middle + 0.3) <= chart.x.max
        assert chart.ruler.span.high >= 100


def test_an_empty_book_is_drawn_as_such(wire):
    chart = DepthChart()
    nothing = step_outline(np.zeros((0, 2)), LEVELS)
    chart.draw(nothing, nothing, 100.0, 0.01)
    assert chart.x.min < 100 < chart.x.max


def test_the_run_without_latency_is_drawn_only_where_it_is_another(clock):
    chart = EquityChart(clock)
    chart.draw(WAVE, WAVE, WAVE)
    assert np.isnan(chart.ghost.y[:-1]).all()
    chart.draw(WAVE, WAVE, WAVE + 1_000.0)
    np.testing.assert_allclose(chart.ghost.y, WAVE + 1_000.0, rtol=1e-6)
    assert chart.ruler.scale.max > 1_000.0  # and it is in sight
