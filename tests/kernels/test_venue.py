"""The venue moved by the tape: a copy one lag late, makers on a real book, a recorded book."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import PLAIN

from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.kernels import tables as t
from lablib.kernels.book import add, depth, match, open_book
from lablib.kernels.makers import requote
from lablib.kernels.passive import set_level
from lablib.kernels.venue import (
    clear_replayed,
    copy_quote,
    drop_doubtful,
    read_touch,
    replayed_lots,
    round_ticks,
    too_far,
)

BID, ASK = 0, 1
MS = t.NS_PER_MS


def zero(dtype: np.dtype) -> Any:
    return np.zeros(1, dtype)[0]


def params_of(**changes: Any) -> Any:
    fields = {name.replace("__", "."): value for name, value in changes.items()}
    return SimConfig().replace(fields).to_record()


def book_of() -> Any:
    book = zero(t.BOOK)
    open_book(book)
    return book


def levels(book: Any, half: int) -> list[tuple[int, int]]:
    """Price and lots from the touch outwards."""
    px, lots = np.zeros(80, np.int64), np.zeros(80, np.int64)
    found = depth(book, half, px, lots)
    return list(zip(px[:found].tolist(), lots[:found].tolist(), strict=True))


# --------------------------------------------------------------------------------------- delayed copy
@given(px=st.floats(0.001, 1e9))
def test_a_price_is_rounded_to_the_nearest_tick_and_is_at_least_one(px):
    ticks = round_ticks(px)
    assert ticks >= 1
    assert abs(ticks - px) <= 0.5 or ticks == 1


def test_half_a_tick_goes_up():
    assert [round_ticks(px) for px in (2.4999, 2.5, 3.5, 0.0)] == [2, 3, 4, 1]


@pytest.mark.parametrize("half_spread", [0, 3])
def test_the_copy_quotes_around_the_price_it_has_heard(half_spread):
    quote, params = zero(t.QUOTE), params_of(venue__half_spread_ticks=half_spread)
    copy_quote(quote, params.venue, 10_000.4)
    assert (quote.bid, quote.ask) == (10_000 - half_spread, 10_000 + half_spread)
    assert quote.bid_lots == quote.ask_lots == params.venue.level_lots


def test_the_copy_is_the_external_price_one_lag_ago():
    simulation = Simulation({"strategy.name": "idle"}, seed=4)
    prices = {0: round(simulation.state.external.px)}
    for k in range(1, 60):
        simulation.play(50 * k * MS)
        prices[50 * k] = round_ticks(float(simulation._state.external.px))
        for late in (0, 19, 20, 49):
            simulation.play((50 * k + late) * MS)
            heard = max(at for at in prices if at + 120 <= 50 * k + late or at == 0)
            assert simulation._state.venue.quote.bid == prices[heard]


def fills_of(**changes: Any) -> list[tuple[int, int]]:
    """Price above the touch and lots of the first order's fills."""
    fields = {name.replace("__", "."): value for name, value in changes.items()}
    base = {"strategy.threshold": 0.001, "venue.half_spread_ticks": 2}
    simulation = Simulation({**base, **fields}, seed=4)
    while True:
        quote = simulation._state.venue.quote
        frame = simulation.advance(simulation.now_ns + 50 * MS)
        if frame.fills.size:
            side = int(frame.fills["side"][0])
            touch = int(quote.ask if side > 0 else quote.bid)
            return [
                (int(row["price_ticks"] - touch) * side, int(row["lots"])) for row in frame.fills
            ]


def test_an_order_larger_than_a_level_walks_down_the_quoted_depth():
    # 0.5 % of 100,000 at about 100 is just under or over 5,000 lots of 0.001
    walked = fills_of(venue__level_lots=2_000)
    assert walked[:2] == [(0, 2_000), (1, 2_000)]
    assert walked[2][0] == 2
    assert 900 < walked[2][1] < 1_100


def test_an_order_larger_than_the_whole_depth_gets_all_of_it_and_no_more():
    assert fills_of(venue__level_lots=100, venue__levels=3) == [(0, 100), (1, 100), (2, 100)]


# --------------------------------------------------------------------------------------------- makers
class Makers:
    """Makers who quote three levels of ten lots, two ticks off the centre."""

    def __init__(self, centre: int = 1_000, **changes: Any) -> None:
        fields = {"venue__half_spread_ticks": 2, "venue__levels": 3, "venue__level_lots": 10}
        self.simulation = Simulation(
            SimConfig().replace(
                {
                    name.replace("__", "."): value
                    for name, value in {
                        **fields,
                        "venue__model": "makers",
                        "external__start_px": centre / 100,
                        "external__volatility_bps": 0.0,
                        "strategy__name": "idle",
                        "risk__max_position_pct": 1.0,
                        **changes,
                    }.items()
                }
            )
        )
        self.state, self.params = self.simulation._state, self.simulation._params
        self.book = self.state.book

    def hear(self, px: int) -> None:
        reach = self.params.venue.half_spread_ticks
        requote(self.state, self.params, self.simulation._output, 0, px, reach)
        read_touch(self.state.venue.quote, self.book)

    def quotes(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        return levels(self.book, BID), levels(self.book, ASK)


def ladder(centre: int, lots: int = 10) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    return (
        [(centre - 2 - k, lots) for k in range(3)],
        [(centre + 2 + k, lots) for k in range(3)],
    )


def test_makers_open_with_their_ladder():
    assert Makers().quotes() == ladder(1_000)


@given(centres=st.lists(st.integers(900, 1_100), max_size=12))
def test_after_hearing_of_a_price_the_ladder_stands_around_it(centres):
    makers = Makers()
    for centre in centres:
        makers.hear(centre)
        assert makers.quotes() == ladder(centre)
    assert makers.state.venue.refused == 0


def test_levels_still_wanted_keep_their_place_in_the_queue():
    makers = Makers()
    before = {int(o.px): slot for slot in range(1, 7) for o in [makers.book.orders[slot]]}
    behind = add(makers.book, BID, 998, 5, t.STRANGER, 1)
    makers.hear(1_001)  # bids 999, 998, 997: 998 and 997 stay
    assert makers.book.levels[BID, 998].head == before[998]
    assert makers.book.orders[before[998]].next == behind
    assert makers.book.levels[BID, 997].head == before[997]
    assert levels(makers.book, BID) == [(999, 10), (998, 15), (997, 10)]


@pytest.mark.parametrize("again", [1_000, 1_001])
def test_a_level_that_was_hit_is_refilled_at_the_back_at_the_next_news(again):
    makers = Makers()
    behind = add(makers.book, ASK, 1_003, 5, t.STRANGER, 1)
    assert match_all(makers, 1_003, 14) == 0  # the 10 at 1002 and 4 of the 10 at 1003
    assert levels(makers.book, ASK) == [(1_003, 11), (1_004, 10)]
    makers.hear(again)
    assert makers.book.levels[ASK, 1_003].head == behind
    first = {1_000: [(1_002, 10)], 1_001: []}[again]
    last = {1_000: [], 1_001: [(1_005, 10)]}[again]
    assert levels(makers.book, ASK) == [*first, (1_003, 15), (1_004, 10), *last]


def match_all(makers: Makers, limit: int, lots: int) -> int:
    """A stranger buys; the makers notice as they would after an order of ours."""
    from lablib.kernels.settlement import take

    return int(take(makers.state, makers.params, makers.simulation._output, BID, limit, lots, -1))


def test_makers_who_quote_through_a_stranger_trade_with_him_first():
    makers = Makers()
    add(makers.book, BID, 999, 4, t.STRANGER, 1)
    makers.hear(996)  # the new ask at 998 meets the bid at 999
    assert makers.quotes() == (
        ladder(996)[0],
        [(998, 6), (999, 10), (1_000, 10)],
    )
    assert makers.book.best[0] < makers.book.best[1]


def test_nobody_bids_less_than_a_tick():
    makers = Makers(centre=8, venue__lot_size=10)
    makers.hear(4)
    assert makers.quotes() == ([(2, 10), (1, 10)], ladder(4)[1])
    makers.hear(2)
    assert makers.quotes() == ([], ladder(2)[1])
    makers.hear(8)
    assert makers.quotes() == ladder(8)


def test_the_touch_is_news_only_when_it_changes():
    makers = Makers()
    quote = makers.state.venue.quote
    assert not read_touch(quote, makers.book)
    add(makers.book, BID, 997, 3, t.STRANGER, 1)
    assert not read_touch(quote, makers.book)
    add(makers.book, BID, 998, 3, t.STRANGER, 1)
    assert read_touch(quote, makers.book)
    assert (quote.bid, quote.bid_lots) == (998, 13)
    match(makers.book, ASK, 990, 1_000)
    assert read_touch(quote, makers.book)
    assert (quote.bid, quote.bid_lots) == (t.NO_BID, 0)


def test_a_full_book_refuses_a_maker_counts_it_and_serves_him_later():
    makers = Makers()
    slots = []
    while makers.book.resting < t.N_RESTING - 1:
        slots.append(add(makers.book, BID, 500, 1, t.STRANGER, 1))
        if PLAIN and len(slots) > 200:
            pytest.skip("the book takes a while to fill in plain Python")
    makers.hear(1_010)  # its own cancels make the room it needs
    assert makers.state.venue.refused == 0
    match_all(makers, 1_012, 10)
    add(makers.book, BID, 500, 1, t.STRANGER, 1)
    makers.hear(1_010)
    assert makers.state.venue.refused == 1
    assert levels(makers.book, ASK) == [(1_013, 10), (1_014, 10)]
    match(makers.book, ASK, 500, 31)
    makers.hear(1_010)
    assert makers.quotes()[1] == ladder(1_010)[1]


# ------------------------------------------------------------------------------------- a recorded book
class Recorded(Makers):
    """The rooms of a recorded book, moved level by level."""

    def __init__(self) -> None:
        super().__init__()
        self.book = self.state.book
        for slot in range(1, 7):
            self.book.orders[slot].owner = t.REPLAYED
        self.state.venue.ladders[0].slot[:] = 0

    def shows(self, half: int, px: int, lots: int) -> None:
        set_level(self.state, self.params, self.simulation._output, half, px, lots)


def test_a_recorded_level_shows_what_the_recording_says():
    venue = Recorded()
    for lots in (25, 3, 0, 7):
        venue.shows(BID, 998, lots)
        assert replayed_lots(venue.book, BID, 998) == lots
        assert dict(levels(venue.book, BID)).get(998, 0) == lots


def test_who_leaves_a_recorded_level_was_behind_us():
    """Ten lots, ours, then five more: what shrinks goes from the back, and ours moves up only at the end."""
    venue = Recorded()
    ours = add(venue.book, BID, 998, 2, t.STRANGER, 1)
    venue.shows(BID, 998, 15)
    queue = []
    for lots in (12, 10, 4, 0):
        venue.shows(BID, 998, lots)
        slot, line = int(venue.book.levels[BID, 998].head), []
        while slot:
            line.append("ours" if slot == ours else int(venue.book.orders[slot].lots))
            slot = int(venue.book.orders[slot].next)
        queue.append(line)
    assert queue == [[10, "ours", 2], [10, "ours"], [4, "ours"], ["ours"]]


def test_a_recorded_level_that_crosses_trades_with_who_stands_there():
    venue = Recorded()
    venue.shows(BID, 1_002, 14)  # ten asked there: four are left to bid
    assert levels(venue.book, BID)[0] == (1_002, 4)
    assert levels(venue.book, ASK)[0] == (1_003, 10)


def test_a_level_far_from_the_touch_is_left_out():
    venue = Recorded()
    far = 998 - t.N_LEVELS // 4
    assert not too_far(venue.book, BID, far)
    assert too_far(venue.book, BID, far - 1)
    venue.shows(BID, far - 1, 9)
    assert replayed_lots(venue.book, BID, far - 1) == 0


def test_a_snapshot_clears_the_recorded_and_leaves_the_others_and_who_stands_before_us():
    venue = Recorded()
    add(venue.book, BID, 998, 2, t.OWN, 1)
    add(venue.book, BID, 998, 7, t.REPLAYED, 998)
    add(venue.book, BID, 990, 3, t.STRANGER, 1)
    clear_replayed(venue.book)
    assert (levels(venue.book, BID), levels(venue.book, ASK)) == ([(998, 12), (990, 3)], [])
    drop_doubtful(venue.book)
    assert (levels(venue.book, BID), levels(venue.book, ASK)) == ([(998, 2), (990, 3)], [])
