"""What a venue does by itself: a delayed copy, the ladders of makers on a real book, a replayed book."""

from __future__ import annotations

import math

from lablib.kernels import tables as t
from lablib.kernels.book import add, cancel, reduce
from lablib.kernels.jit import kernel
from lablib.kernels.ladder import farthest, nearest

_FAR_TICKS = t.N_LEVELS // 4  # a replayed level farther from the touch than this is left out


@kernel
def round_ticks(px):
    """The venue tick nearest to an external price, at least one."""
    return max(int(math.floor(px + 0.5)), 1)


@kernel
def finely(px):
    """A price in ticks as a whole number of 1/MONEY ticks."""
    return int(math.floor(px * t.MONEY + 0.5))


@kernel
def copy_quote(quote, params, px):
    """Set a delayed copy's quote from the external price that has just reached the venue."""
    mid = round_ticks(px)
    quote.bid = mid - params.half_spread_ticks
    quote.ask = mid + params.half_spread_ticks
    quote.bid_lots = params.level_lots
    quote.ask_lots = params.level_lots


@kernel
def accepts(rules, quote, half, px, mark):
    """Whether a counterparty takes an order of a half at `px`, by its mark.

    With d how far the price is from the mid on the order's own side, in ticks, the chance is
    likely * exp(-d / premium) (Avellaneda and Stoikov 2008), or likely as long as d is at most the
    premium (Moallemi and Saglam 2013).
    """
    mid = 0.5 * (quote.bid + quote.ask)
    away = (px - mid) * (2 * half - 1)
    if rules.fixed:
        return away <= rules.premium_ticks and mark < rules.likely
    return mark < rules.likely * math.exp(-away / rules.premium_ticks)


@kernel
def read_touch(quote, book):
    """Read the best quotes of a book; returns whether they changed."""
    bid = book.best[0]
    ask = book.best[1]
    bid_lots = 0 if bid == t.NO_BID else book.levels[0, bid & (t.N_LEVELS - 1)].lots
    ask_lots = 0 if ask == t.NO_ASK else book.levels[1, ask & (t.N_LEVELS - 1)].lots
    same = bid == quote.bid and ask == quote.ask
    if same and bid_lots == quote.bid_lots and ask_lots == quote.ask_lots:
        return False
    quote.bid = bid
    quote.ask = ask
    quote.bid_lots = bid_lots
    quote.ask_lots = ask_lots
    return True


@kernel
def note_deal(party, side, px, lots, fair):
    """Book one deal of somebody beside us; returns what it was worth, in units, at a fair price in 1/MONEY ticks."""
    value = px * lots * t.MONEY
    edge = side * (fair * lots - value)
    party.deals += 1
    party.lots += lots
    party.position += side * lots
    party.cash -= side * value
    party.edge += edge
    return edge


@kernel
def maker_hit(ladder, params, half, px, left):
    """A maker's order traded: the level is refilled at the next refresh."""
    ladder.dirty = 1
    if left == 0:
        ladder.slot[half, px % params.levels] = 0


@kernel
def rung_px(half, centre, away):
    """The price on a side of `centre` that is `away` from it."""
    return centre - away if half == 0 else centre + away


@kernel
def first_rung(params, half, centre, reach):
    """Lowest price a maker quotes on a side around `centre`; the others follow tick by tick."""
    if half == 0:
        return centre - reach - params.levels + 1
    return centre + reach


@kernel
def withdraw(ladder, book, params, centre, reach):
    """Cancel what a maker no longer wants once it quotes around `centre`, from `reach` ticks on.

    Levels still wanted stay, and keep their place in the queue; one that was hit is withdrawn too,
    and refilled at the back.
    """
    levels = params.levels
    for half in range(2):
        first = first_rung(params, half, centre, reach)
        start = first_rung(params, half, ladder.centre, ladder.reach)
        stop = start + levels
        if not ladder.dirty:  # only the prices that fall out of the ladder
            if first >= start:
                stop = min(stop, first)
            else:
                start = max(start, first + levels)
        for px in range(start, stop):
            slot = ladder.slot[half, px % levels]
            if slot == 0:
                continue
            order = book.orders[slot]
            whole = order.lots == params.level_lots
            if not (whole and first <= order.px < first + levels):
                cancel(book, slot)
                ladder.slot[half, px % levels] = 0


@kernel
def rungs_to_fill(ladder, params, half, centre, reach):
    """The rungs, counted from the touch, that may lack an order after that move: (from, to)."""
    levels = params.levels
    if ladder.dirty:
        return 0, levels
    shift = centre - ladder.centre if half == 0 else ladder.centre - centre
    shift += ladder.reach - reach
    if shift >= 0:
        return 0, min(shift, levels)
    return max(levels + shift, 0), levels


@kernel
def rest_rung(venue, book, params, maker, half, px, lots):
    """Rest what is left of a maker's new order."""
    ladder = venue.ladders[maker]
    slot = add(book, half, px, lots, t.MAKER, maker)
    if slot > 0:
        ladder.slot[half, px % params.levels] = slot
    else:
        venue.refused += 1
        ladder.dirty = 1


@kernel
def replayed_lots(book, half, px):
    """Lots of a level that the recording put there."""
    level = book.levels[half, px & (t.N_LEVELS - 1)]
    total = 0
    slot = level.head
    while slot != 0:
        order = book.orders[slot]
        if order.owner == t.REPLAYED and order.px == px:
            total += order.lots
        slot = order.next
    return total


@kernel
def too_far(book, half, px):
    """Whether a recorded level is too far from the touch to be kept."""
    touch = book.best[half]
    if touch == t.NO_BID or touch == t.NO_ASK:
        touch = book.best[1 - half]
        if touch == t.NO_BID or touch == t.NO_ASK:
            return False
    return abs(px - touch) > _FAR_TICKS


@kernel
def shrink_level(book, half, px, lots):
    """Take lots off a replayed level, from the back of its queue: who leaves was behind us."""
    slot = book.levels[half, px & (t.N_LEVELS - 1)].tail
    while slot != 0 and lots > 0:
        order = book.orders[slot]
        ahead = order.prev
        if order.owner == t.REPLAYED and order.px == px:
            gone = min(lots, order.lots)
            lots -= gone
            reduce(book, slot, gone)
        slot = ahead


@kernel
def grow_level(venue, book, half, px, lots):
    """Put lots at the back of a replayed level."""
    if add(book, half, px, lots, t.REPLAYED, px) <= 0:
        venue.refused += 1


@kernel
def drop_better(book, half, px):
    """Take out the recorded lots of a half at prices better than `px`."""
    away = 2 * half - 1
    touch = book.best[half]
    last = farthest(book, half)
    while (px - touch) * away > 0:
        shrink_level(book, half, touch, replayed_lots(book, half, touch))
        if touch == last:
            return
        touch = nearest(book, half, touch + away)


@kernel
def before_ours(book, slot):
    """Whether an own order waits behind a resting one."""
    while slot != 0:
        order = book.orders[slot]
        if order.owner == t.OWN:
            return True
        slot = order.next
    return False


@kernel
def clear_replayed(book):
    """Take the recorded orders out: a snapshot follows, at once or after a gap.

    Those in front of an own order stay where they are until it comes, in doubt: nobody saw them leave,
    and a book told anew must not put us first.
    """
    for slot in range(1, book.fresh + 1):
        order = book.orders[slot]
        if order.lots > 0 and order.owner == t.REPLAYED:
            if before_ours(book, slot):
                order.tag = -order.px
            else:
                cancel(book, slot)


@kernel
def confirm_level(book, half, px):
    """A snapshot shows this level: what stood there in doubt is believed."""
    slot = book.levels[half, px & (t.N_LEVELS - 1)].head
    while slot != 0:
        order = book.orders[slot]
        if order.owner == t.REPLAYED:
            order.tag = px
        slot = order.next


@kernel
def drop_doubtful(book):
    """Take out what a snapshot has not shown."""
    for slot in range(1, book.fresh + 1):
        order = book.orders[slot]
        if order.lots > 0 and order.owner == t.REPLAYED and order.tag < 0:
            cancel(book, slot)
