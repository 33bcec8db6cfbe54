"""The state of the market: its tape's events, the book, the external price, the venue and who trades there."""

from __future__ import annotations

from lablib.kernels.tables.codes import N_FLOWS, N_PARTIES
from lablib.kernels.tables.layout import f8, i8, table
from lablib.kernels.tables.limits import (
    N_LADDER,
    N_LEVELS,
    N_MAKERS,
    N_MATCHES,
    N_METAORDERS,
    N_RESTING,
    N_STRANGERS,
)

TAPE_EVENT = table(
    ("time_ns", i8),
    ("kind", i8),  # EXTERNAL … END
    ("side", i8),  # BUY or SELL, 0 where it has none
    ("ticks", i8),
    ("lots", i8),
    ("mark", f8),  # external price in ticks, or the uniform a candidate is thinned by
)

WORD_BITS = 32  # levels one word of `occupied` tells of; fits an i8 with room for a multiplication

RESTING_ORDER = table(
    ("px", i8),  # ticks
    ("lots", i8),  # left; 0 marks a free slot
    ("next", i8),  # slot behind in the queue, 0 at its end; of a freed slot: the next freed one
    ("prev", i8),  # slot in front, 0 at the head
    ("half", i8),  # 0 bid, 1 ask; stays readable after the order is gone
    ("owner", i8),  # STRANGER, MAKER, OWN, REPLAYED
    ("tag", i8),  # the owner's own name for it
)
BOOK_LEVEL = table(
    ("lots", i8),
    ("head", i8),  # slot first in the queue, 0 when empty
    ("tail", i8),
    ("count", i8),  # orders in the queue
)
MATCH = table(
    ("px", i8),
    ("lots", i8),
    ("slot", i8),  # of the resting order
    ("owner", i8),
    ("tag", i8),
    ("left", i8),  # lots the resting order has left
)
# Slot 0 is nobody: a queue's ends point at it and may write to it, which spares a branch.
BOOK = table(
    ("best", i8, (2,)),  # best bid, best ask in ticks; NO_BID, NO_ASK
    ("low", i8),  # every resting price lies in [low, high]; both may be wider than need be
    ("high", i8),
    ("free", i8),  # slot freed last, 0 when none: zeroed memory is an empty book but for `best`
    ("fresh", i8),  # slots ever used; slots count from 1
    ("resting", i8),  # orders resting, at most N_RESTING - 1
    ("traded", i8),  # lots, since the start
    ("fills", i8),  # matches, since the start
    ("refused", i8),  # orders of a stream that had no room, or the name of one still resting
    ("match_count", i8),  # of the last call
    ("matches", MATCH, (N_MATCHES,)),
    (
        "occupied",
        i8,
        (2, N_LEVELS // WORD_BITS),
    ),  # a bit per level that has a queue, touch outwards
    ("levels", BOOK_LEVEL, (2, N_LEVELS)),  # price px stands at px & (N_LEVELS - 1)
    ("orders", RESTING_ORDER, (N_RESTING,)),
)

EXTERNAL_STATE = table(
    ("px", f8),  # ticks, never rounded
    ("at_ns", i8),
    ("index", i8),  # ticks of the external price since the start
    ("regime", i8),
    ("swing", f8),  # log return of late, older ones forgotten exponentially; 0 where no delay asks
)
QUOTE = table(
    ("bid", i8),  # ticks
    ("ask", i8),
    ("bid_lots", i8),
    ("ask_lots", i8),
    ("at_ns", i8),  # when it became true at the venue
    ("info_ns", i8),  # when the external tick it reflects happened
)
LADDER = table(
    ("centre", i8),  # ticks the maker quotes around
    ("reach", i8),  # ticks from there to its best bid and ask
    ("dirty", i8),  # a level may lack lots: the next refresh looks at every one
    ("heard", i8),  # index of the newest external price it knows
    ("told_ns", i8),  # when the last news sent to it arrives, where several makers share a wire
    ("picked_off", i8),  # deals at a price that the external one was through
    ("lesson", i8),  # the external price that will tell it of the first of these; FAR: none
    ("wide_until_ns", i8),  # it has learned, and quotes wider
    ("slot", i8, (2, N_LADDER)),  # book slot of the level at price p: p % levels; 0 none
)
PARTY = table(  # what somebody beside us has traded; the crowd's deals with itself are left out
    ("deals", i8),
    ("lots", i8),
    ("position", i8),  # lots, signed
    ("cash", i8),  # units, no fees
    ("edge", i8),  # units: its deals at the external price of their moment, less what they cost
)
ORDER_FLOW = table(
    ("at_ns", i8, (N_FLOWS,)),  # the last candidate of each kind: where its tape goes on
    ("reference", i8, (2,)),  # best bid and best ask, or the last there was
    ("touch", i8, (2,)),  # where the queues were laid that an empty one replaces
    ("live", i8, (2,)),  # orders resting, by side
    ("excitement", f8, (2,)),  # of LIMITS and MARKETS: share of the mean rate owed to past events
    ("excited_ns", i8, (2,)),  # as of when
    ("leader_px", f8),  # ticks: the external price as the venue's own traders know it
    ("mid", i8),  # best bid + best ask, half ticks
    ("ups", i8),  # moves of the mid
    ("downs", i8),
    ("accepted", i8),  # candidates that were events
    ("thinned", i8),  # and those that were not
    ("bought", i8),  # market orders, by side
    ("sold", i8),
    ("overrun", i8),  # candidates met by an intensity beyond its bound
    ("crowded", i8),  # cancel candidates met by more orders than their bound
    ("meta_side", i8, (N_METAORDERS,)),
    ("meta_left", i8, (N_METAORDERS,)),  # market orders until it is worked off
    ("slot", i8, (2, N_STRANGERS)),  # book slots of the live orders, dense; their tag is the place
)
VENUE = table(
    ("quote", QUOTE),
    ("ladders", LADDER, (N_MAKERS,)),
    ("parties", PARTY, (N_PARTIES,)),
    ("flow", ORDER_FLOW),
    ("updates", i8),  # changes of the touch
    ("heard", i8),  # newest external price known there; what makers know is on their ladders
    ("trades", i8),  # trades between others
    ("rival_wins", i8),  # rivals' orders that traded
    ("rival_misses", i8),  # and those that came too late
    ("refused", i8),  # makers' or replayed orders the book had no room for
    ("known", i8),  # what a recorded book is: KNOWN, FORGOTTEN, RETOLD
    ("halted_id", i8),  # our orders up to this number were sent before a HALT that has arrived
    ("forgotten_ns", i8),  # since when it has not been known, the last time
)
