"""The teaching face of the book: a person's units, clear refusals, whole streams in one call."""

from __future__ import annotations

import doctest
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lablib.book
from lablib.book import End, Fill, OrderBook, Placed, Side
from lablib.errors import ConfigError, DataError, LabError
from lablib.kernels.jit import COMPILED
from lablib.kernels.tables import N_LEVELS, N_RESTING
from lablib.stream import MAX_IDS, check_stream


def test_its_examples_are_true() -> None:
    assert doctest.testmod(lablib.book).failed == 0


def test_importing_it_loads_no_compiler() -> None:
    code = "import sys, lablib.book; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---------------------------------------------------------------------------------- market orders
def test_a_market_order_walks_the_ladder_at_each_levels_price() -> None:
    book = OrderBook(mid=100.0, tick=0.01, levels=20)
    assert (book.best_bid, book.best_ask) == (99.99, 100.01)
    assert book.execute_market(Side.BUY, 2.0) == Fill(100.015, 2.0)
    assert book.execute_market(Side.SELL, 0.5) == Fill(99.99, 0.5)
    assert (book.best_bid, book.best_ask) == (99.99, 100.03)


def test_a_market_order_fills_in_part_when_the_book_runs_dry_and_then_not_at_all() -> None:
    book = OrderBook(mid=50.0, tick=0.5, levels=3, lot=0.1, level_lots=10)
    assert book.execute_market(Side.SELL, 100.0) == Fill(49.0, 3.0)
    assert book.execute_market(Side.SELL, 100.0) is None
    assert book.best_bid is None
    assert book.best_ask == 50.5


def test_a_market_order_larger_than_one_report_of_matches_fills_whole() -> None:
    book = OrderBook(mid=100.0, tick=0.01, levels=1_500, level_lots=1)
    fill = book.execute_market(Side.BUY, 1.5)
    assert fill is not None
    assert fill.filled_qty == 1.5
    assert fill.avg_price == pytest.approx(100.0 + 0.01 * 1_501 / 2)


def test_a_middle_between_two_ticks_has_a_spread_of_one_tick() -> None:
    book = OrderBook(mid=100.005, tick=0.01, levels=2)
    assert (book.best_bid, book.best_ask) == (100.0, 100.01)


@pytest.mark.parametrize(
    "qty", [0.0, -1.0, float("nan"), float("inf"), -float("inf"), 1e-9, 1e300, 0.0004]
)
def test_a_quantity_that_cannot_be_traded_is_refused_with_its_value(qty: float) -> None:
    book = OrderBook()
    with pytest.raises(ConfigError, match="qty") as error:
        book.execute_market(Side.BUY, qty)
    assert repr(qty) in str(error.value)
    assert book.execute_market(Side.BUY, 1.0) == Fill(100.01, 1.0)


@pytest.mark.parametrize("side", [0, 2, "buy", None])
def test_a_side_that_is_none_is_refused_with_its_value(side: Any) -> None:
    with pytest.raises(LabError, match=f"side {side!r}"):
        OrderBook().execute_market(side, 1.0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tick", {"tick": 0.0}),
        ("tick", {"tick": float("nan")}),
        ("lot", {"lot": -1.0}),
        ("mid", {"mid": float("inf")}),
        ("mid", {"mid": 0.1, "levels": 20}),
        ("levels", {"levels": -1}),
        ("levels", {"mid": 1e6, "levels": N_LEVELS // 2}),
        ("level_lots", {"level_lots": 0}),
    ],
)
def test_a_ladder_that_cannot_stand_is_refused_by_name(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^{name} "):
        OrderBook(**options)


# ---------------------------------------------------------------------------- limit orders, queues
def test_a_limit_order_waits_behind_who_came_first_and_moves_up_as_they_leave() -> None:
    book = OrderBook(mid=100.0, tick=0.01, levels=5)
    first = book.place_limit(Side.BUY, 99.99, 0.4).order_id
    second = book.place_limit(Side.BUY, 99.99, 0.3).order_id
    assert first is not None
    assert second is not None
    history = [book.queue_ahead(second)]
    book.execute_market(Side.SELL, 0.25)  # of the ladder's 1.0
    history.append(book.queue_ahead(second))
    assert book.reduce(first, 0.1) == 0.3
    history.append(book.queue_ahead(second))
    assert book.cancel(first) == 0.3
    history.append(book.queue_ahead(second))
    book.execute_market(Side.SELL, 0.75)
    history.append(book.queue_ahead(second))
    book.execute_market(Side.SELL, 0.3)
    history.append(book.queue_ahead(second))
    assert history == [1.4, 1.15, 1.05, 0.75, 0.0, None]
    assert [book.cancel(second), book.cancel(first), book.cancel(99), book.cancel(-1)] == [0] * 4


def test_a_replaced_order_keeps_its_place_only_where_it_asks_for_less() -> None:
    book = OrderBook(mid=100.0, tick=0.01, levels=5)
    book.place_limit(Side.BUY, 99.99, 0.4)
    mine = book.place_limit(Side.BUY, 99.99, 0.3).order_id
    book.place_limit(Side.BUY, 99.99, 0.2)
    assert mine is not None
    history = [book.queue_ahead(mine)]
    assert book.replace(mine) == Placed(mine, None)
    assert book.replace(mine, qty=0.1) == Placed(mine, None)
    history.append(book.queue_ahead(mine))
    more = book.replace(mine, qty=0.5)
    assert more == Placed(3, None)
    history.append(book.queue_ahead(3))
    away = book.replace(3, px=99.98)
    assert away == Placed(4, None)
    history.append(book.queue_ahead(4))
    back = book.replace(4, px=99.99)
    assert back == Placed(5, None)
    history.append(book.queue_ahead(5))
    assert history == [1.4, 1.4, 1.6, 1.0, 1.6]
    assert book.replace(5, px=100.01, qty=1.2) == Placed(6, Fill(100.01, 1.0))
    assert (book.best_bid, book.queue_ahead(6)) == (100.01, 0.0)
    assert [book.replace(5, qty=0.1), book.replace(99)] == [None, None]


def test_a_replace_that_is_refused_leaves_the_order_where_it_was() -> None:
    book = OrderBook(mid=100.0, tick=0.01, levels=5)
    mine = book.place_limit(Side.SELL, 100.01, 0.3).order_id
    assert mine is not None
    for changes in ({"px": 100.015}, {"qty": 0.0}, {"qty": 1e-9}, {"px": float("nan")}):
        with pytest.raises(ConfigError):
            book.replace(mine, **changes)
    assert book.queue_ahead(mine) == 1.0
    assert book.reduce(mine, 0.1) == 0.2


def test_a_crossing_limit_order_trades_first_and_rests_with_what_is_left() -> None:
    book = OrderBook(mid=100.0, tick=0.01, levels=5)
    assert book.place_limit(Side.BUY, 100.02, 2.5) == Placed(0, Fill(100.015, 2.0))
    assert (book.best_bid, book.best_ask) == (100.02, 100.03)
    assert book.place_limit(Side.SELL, 100.02, 0.2, ioc=True) == Placed(None, Fill(100.02, 0.2))
    assert book.place_limit(Side.SELL, 100.02, 0.7, ioc=True) == Placed(None, Fill(100.02, 0.3))
    assert book.place_limit(Side.BUY, 90.0, 0.7, ioc=True) == Placed(None, None)
    assert book.resting == 8


def test_a_price_between_two_ticks_is_refused_with_its_value() -> None:
    with pytest.raises(ConfigError, match=r"px 100\.005"):
        OrderBook().place_limit(Side.BUY, 100.005, 1.0)


def test_an_order_the_book_has_no_place_for_says_why() -> None:
    book = OrderBook(mid=100.0, tick=0.01, levels=5)
    far = 100.0 + 0.01 * N_LEVELS
    assert book.place_limit(Side.SELL, far, 1.0) == Placed(None, None, "price_out_of_range")
    full = OrderBook.empty()
    count = N_RESTING - 1
    ids = np.arange(count)
    full.apply(
        np.zeros(count, int), np.ones(count, int), np.full(count, 9), np.ones(count, int), ids
    )
    assert full.place_limit(Side.SELL, 9, 1) == Placed(None, None, "book_full")
    assert full.place_limit(Side.BUY, 9, 1) == Placed(None, Fill(9.0, 1.0))


def test_depth_is_cut_from_the_touch_outwards() -> None:
    book = OrderBook(mid=10.0, tick=0.1, levels=3, lot=0.5, level_lots=4)
    book.place_limit(Side.SELL, 10.2, 1.5)
    asks = book.depth(Side.SELL)
    assert asks.px.tolist() == [10.1, 10.2, 10.3]
    assert asks.qty.tolist() == [2.0, 3.5, 2.0]
    assert book.depth(Side.BUY, levels=2).px.tolist() == [9.9, 9.8]
    assert book.depth(Side.BUY, levels=0).qty.tolist() == []
    assert OrderBook.empty().depth(Side.BUY).px.size == 0


def test_it_shows_its_touch() -> None:
    assert repr(OrderBook()) == "OrderBook(bid 99.99, ask 100.01, 40 orders resting)"


# ----------------------------------------------------------------------------------------- streams
def rows(*each: tuple[int, int, int, int, int]) -> list[Any]:
    return [np.array(column) for column in zip(*each, strict=True)]


def test_the_common_stream_ends_where_its_reference_ends(shared: Path) -> None:
    spec = importlib.util.spec_from_file_location("stream", shared / "bench" / "stream.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stream = module.generate(20_000 if COMPILED else 1_000, 11)
    columns = [stream[name] for name in ("op", "side", "px", "qty", "oid")]
    wanted = End(*(int(stream[name]) for name in End._fields))
    assert OrderBook.empty(tick=1.0).apply(*columns) == wanted
    assert OrderBook.empty(tick=1.0).apply(*[c.astype(np.int64) for c in columns]) == wanted
    book = OrderBook.empty(tick=1.0)
    ends = [
        book.apply(*part) for part in zip(*[np.array_split(c, 7) for c in columns], strict=True)
    ]
    assert ends[-1] == wanted


def test_a_stream_of_every_kind_of_row_leaves_what_a_person_would_reckon() -> None:
    book = OrderBook.empty(tick=0.5)
    end = book.apply(
        *rows(
            (0, 1, 101, 5, 1),
            (0, 1, 102, 5, 2),
            (3, 0, 101, 7, 3),  # takes 5, drops 2
            (4, 0, 0, 2, 2),
            (0, 0, 100, 4, 4),
            (0, 0, 99, 1, 4),  # the name still rests: refused
            (2, 0, 0, 1, 5),
            (1, 0, 0, 0, 1),  # gone already
        )
    )
    assert end == (6, 2, 2, 100, 102)
    assert end == End(traded=6, fills=2, resting=2, bb=100, ba=102)
    assert book.refused == 1
    assert (book.best_bid, book.best_ask) == (50.0, 51.0)
    assert book.cancel(4) == 4.0
    assert book.place_limit(Side.BUY, 50.0, 1.0).order_id == 6


def test_an_empty_stream_leaves_an_empty_book() -> None:
    assert OrderBook.empty().apply([], [], [], [], []) == (0, 0, 0, 0, 0)


def test_lists_strides_foreign_bytes_and_locked_arrays_are_streams_too() -> None:
    plain = rows((0, 1, 101, 5, 1), (0, 0, 101, 2, 2), (0, 0, 99, 2, 3))
    locked = [column.copy() for column in plain]
    for column in locked:
        column.setflags(write=False)
    wanted = OrderBook.empty().apply(*plain)
    assert wanted == (2, 1, 2, 99, 101)
    for kind in (
        [column.tolist() for column in plain],
        [np.repeat(column, 2)[::2] for column in plain],
        [column.astype(">i4") for column in plain],
        [column.astype(np.uint64) for column in plain],
        locked,
    ):
        book = OrderBook.empty()
        assert book.apply(*kind) == wanted
        assert book.place_limit(Side.BUY, 1, 1).order_id == 4
        columns, _ = check_stream(*kind)
        assert all(column.flags.carray for column in columns)  # one compiled kernel serves all


def test_a_stream_in_the_narrow_layout_is_not_copied() -> None:
    layout = (np.int8, np.int8, np.int32, np.int32, np.int64)
    narrow = [x.astype(kind) for x, kind in zip(rows((0, 1, 9, 5, 1)), layout, strict=True)]
    columns, room = check_stream(*narrow)
    assert [np.shares_memory(a, b) for a, b in zip(narrow, columns, strict=True)] == [True] * 5
    assert room == 2
    wide, _ = check_stream(*(column.astype(np.int64) for column in narrow))
    assert [column.itemsize for column in wide] == [1, 1, 8, 8, 8]


@pytest.mark.parametrize(
    ("name", "row", "value", "kind"),
    [
        ("op", 1, 5, np.int8),
        ("op", 2, -1, np.int8),
        ("side", 0, 2, np.int64),
        ("side", 0, -1, np.int8),
        ("qty", 1, 0, np.int32),
        ("qty", 1, -3, np.int64),
        ("qty", 0, 2**62, np.int64),
        ("oid", 2, -7, np.int8),
        ("oid", 2, -7, np.int64),
        ("oid", 1, MAX_IDS, np.int64),
        ("oid", 1, 2**63 + 1, np.uint64),
        ("px", 0, 2**40, np.int64),
        ("px", 0, -(2**40), np.int64),
    ],
)
def test_a_row_that_makes_no_sense_is_named_and_the_book_stays_as_it_was(
    name: str, row: int, value: int, kind: Any
) -> None:
    book = OrderBook.empty()
    before = book.apply(*rows((0, 0, 90, 1, 0)))
    columns = dict(
        zip(
            ("op", "side", "px", "qty", "oid"),
            rows((0, 0, 95, 5, 1), (2, 1, 0, 2, 2), (0, 0, 96, 5, 3)),
            strict=True,
        )
    )
    broken = columns[name].astype(kind)
    broken[row] = value
    with pytest.raises(DataError, match=rf"^{name}\[{row}\] is {value}:"):
        book.apply(**(columns | {name: broken}))
    assert book.apply([], [], [], [], []) == before


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("px", np.array([95.5, 0.0]), "px holds float64, first .*95.5"),
        ("qty", np.array([True, False]), "qty holds bool"),
        ("op", ["limit", "cancel"], "op holds <U6"),
        ("oid", np.array([1]), "oid has 1 rows, op has 2"),
        ("side", np.array([[0, 1]]), r"side has shape \(1, 2\)"),
    ],
)
def test_an_array_that_is_no_column_is_refused_by_name(
    name: str, column: Any, message: str
) -> None:
    columns = dict.fromkeys(("op", "side", "px", "qty", "oid"), np.array([0, 0]))
    columns |= {"qty": np.array([1, 1]), "oid": np.array([1, 2])}
    with pytest.raises(DataError, match=message):
        OrderBook.empty().apply(**(columns | {name: column}))
