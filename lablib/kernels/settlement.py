"""Each match settled before the next is looked at: the true account, the row, the other party's books."""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.account import fee_of, settle
from lablib.kernels.book import match
from lablib.kernels.flow import strike
from lablib.kernels.jit import kernel
from lablib.kernels.notices import acknowledge
from lablib.kernels.venue import finely, maker_hit, note_deal


@kernel
def fill(state, params, output, at, px, lots, is_maker):
    """One fill of an own order: the true account, the row, the acknowledgement."""
    own = state.own[at]
    value = px * lots * t.MONEY
    fee = fee_of(value, params.venue.fee_rate)
    settle(state.account, own.side, lots, value, fee)
    own.filled += lots
    own.held_lots += lots
    own.held_value += value
    own.held_fee += fee
    row = output.fills[output.cursor.fills]
    output.cursor.fills += 1
    row.order_id = own.order_id
    row.t_ns = state.now_ns
    row.side = own.side
    row.lots = lots
    row.price_ticks = px
    row.price_px = px * params.tick_px
    row.fee = fee * params.unit_value
    row.fee_units = fee
    row.is_maker = is_maker
    row.is_exit = own.is_exit
    quote = state.venue.quote
    touch = quote.ask if own.side > 0 else quote.bid
    row.touch = px if is_maker or touch == t.NO_ASK or touch == t.NO_BID else touch
    row.mid = state.account.mark
    row.fair = finely(state.external.px)
    row.fair_seen = own.fair_seen
    row.mid_seen = own.mid_seen
    acknowledge(state, params, at, t.FILL_ACK)


@kernel
def finish(state, params, at, status, reason):
    """An own order has met its end at the venue; we learn of it later."""
    own = state.own[at]
    own.status = status
    own.reason = reason
    own.slot = 0
    acknowledge(state, params, at, t.DONE_ACK)


@kernel
def note(state, party, side, deal):
    """Book a deal for a party beside us, and what it was worth at the external price of this moment."""
    fair = finely(state.external.px)
    return note_deal(state.venue.parties[party], side, deal.px, deal.lots, fair)


@kernel
def maker_traded(state, params, deal, half):
    """A maker's order was taken; it was picked off where the external price is through its own.

    That it has been, the maker learns when this external price reaches it.
    """
    ladder = state.venue.ladders[deal.tag]
    maker_hit(ladder, params.venue, half, deal.px, deal.left)
    if note(state, t.FIRST_MAKER + deal.tag, 1 - 2 * half, deal) < 0:
        ladder.picked_off += 1
        ladder.lesson = min(ladder.lesson, state.external.index)


@kernel
def settle_matches(state, params, output, taker):
    """Go through the last report of matches: both sides of each, ours or a party's beside us.

    `taker` is the place of our own order, or -1 - its party.
    """
    book = state.book
    for k in range(book.match_count):
        deal = book.matches[k]
        half = book.orders[deal.slot].half
        known = True
        if deal.owner == t.MAKER:
            maker_traded(state, params, deal, half)
        elif deal.owner == t.OWN:
            fill(state, params, output, deal.tag, deal.px, deal.lots, 1)
            if deal.left == 0:
                state.desk.resting -= 1
                finish(state, params, deal.tag, t.FILLED, t.OK)
        else:
            known = taker != -1 - t.CROWD
            if known:
                note(state, t.CROWD, 1 - 2 * half, deal)
            if deal.owner == t.STRANGER and deal.left == 0:
                strike(state.venue.flow, book, deal.slot)
        if taker >= 0:
            fill(state, params, output, taker, deal.px, deal.lots, 0)
        elif known:
            note(state, -1 - taker, 2 * half - 1, deal)


@kernel
def take(state, params, output, half, limit, lots, taker):
    """Match an aggressor as far as it goes; returns the lots left."""
    while True:
        lots = match(state.book, half, limit, lots)
        settle_matches(state, params, output, taker)
        if lots == 0 or state.book.match_count < t.N_MATCHES:
            return lots
