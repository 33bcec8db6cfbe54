"""Every record type of the engine: fields, units, sizes and the integer codes.

Pure NumPy, so that config, tape and faces may read it without numba. Each record is packed and holds
8-byte fields only (a padding byte would poison a digest). Units: time int64 nanoseconds since the
start of the run, price integer ticks, quantity integer lots, money integer *units* of which
``MONEY`` make one tick times one lot: half-tick marks and prices rounded to 1/1024 tick are exact.
"""

from __future__ import annotations

import numpy as np

i8 = np.int64
f8 = np.float64

Field = tuple[str, object] | tuple[str, object, tuple[int, ...]]


def table(*fields: Field) -> np.dtype:
    """A packed record type on ``np.record``, so that ``state.account.position`` works plain and compiled.

    A field named like a method of NumPy's scalars would read the method when plain: an error here.
    """
    for name, *_ in fields:
        if hasattr(np.record, name):
            raise TypeError(f"{name}: a record's field must not hide np.record.{name}")
    return np.dtype((np.record, list(fields)))


# Limits. What happens at each is decided in the room that owns it, counted, and tested.
N_LEVELS = 16_384  # price levels per side; a power of two, the ladder wraps
N_RESTING = 32_768  # orders resting in one book
N_MATCHES = 512  # matches one call of `match` reports before it hands back
N_WIRES = 7
N_MESSAGES = 2_048  # messages in flight on one wire; a power of two
N_OWN = 256  # own orders between creation and final acknowledgement
N_LADDER = 64  # levels a maker quotes on each side
N_MAKERS = 8
N_MEMORY = 16  # floats an own strategy may keep
N_PARAMETERS = 8  # floats it may be given
N_INTENTS = 8  # requests of one look
N_LOOKS = 64  # looks in one instant: without latency, what our own order moves would have us look for ever
N_QUANTILES = 64  # points of an empirical delay's quantile table
N_JUMPS = 8  # jumps of the external price within one of its intervals
N_DISTANCES = 16  # distances from the opposite best that order flow has rates for
N_STRANGERS = 4_096  # flow orders resting on one side; a power of two
N_METAORDERS = 16  # large orders being worked at once
N_RIVALS = 64
N_RATE = 1_024  # orders a rate may allow in one second; a power of two
SUB_BITS = 7  # histogram: 128 buckets per doubling, relative error below 1/128
N_BUCKETS = (62 - SUB_BITS) * (1 << SUB_BITS) + (1 << SUB_BITS)

FAR = 1 << 62  # a time that never comes
NO_BID = -(1 << 40)  # best bid of an empty side, in ticks
NO_ASK = 1 << 40
MONEY = 1_024  # money units in one tick of one lot
FEE_ONE = 10_000_000_000  # a fee rate of 1 (all of the notional); 1 bps is 1_000_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

# Sides. A book indexes its halves by `(1 - side) >> 1`: buy 0, sell 1.
BUY, SELL = 1, -1

# What a tape event is.
EXTERNAL = 0  # the external price moved: mark = price in ticks (never rounded), ticks = index, lots = regime
LEVEL = 1  # recorded book: the level (side, ticks) now shows `lots` in all, 0 removes it
TRADE = 2  # recorded trade: side of the aggressor, ticks, lots
CLEAR = 3  # recorded book starts over: a snapshot follows
SETTLED = 4  # the recorded message is complete: the touch may be read
END = 5  # nothing comes after this
# Candidates of order flow, thinned by their mark; in this order at one instant, after EXTERNAL.
FLOW_LIMIT = 6  # side, ticks from the opposite best, lots
FLOW_MARKET = 7  # side of the aggressor, lots
FLOW_CANCEL = 8  # side of the order that goes
FLOW_FOLLOW = 9  # somebody who knows the leader's price looks whether to trade on it; lots
COUNTERPARTY = 10  # somebody comes to trade with us: side, lots wanted (0: a whole order)
N_FLOWS = 5  # kinds of candidates, each with its own noise

# Sources of events; at one instant the smaller number goes first (design §2).
ROLL, TAPE, LAG, RIVAL, ARRIVAL, SEE_EXTERNAL, SEE_VENUE, LEARN, WATCH, LOOK, SEND = range(11)
N_SOURCES = 11

# Wires.
MARKET_LAG, ORDER_ENTRY, EXTERNAL_FEED, VENUE_FEED, ACK, DECISION, RIVALS = range(N_WIRES)
CANCEL_ENTRY = N_WIRES  # its own delay, on the order-entry wire
N_DELAYS = N_WIRES + 1

# Delay models.
CONSTANT, UNIFORM, LOGNORMAL, GAMMA, EMPIRICAL = range(5)
LOST = -1  # the delay of a message that never arrives

# Laws of the external price, and of its jumps.
GBM, BACHELIER, MEAN_REVERSION, JUMPS = range(4)
NORMAL_JUMPS, DOUBLE_EXPONENTIAL_JUMPS = range(2)

# Venue models. Those up to QUOTES_ONLY quote without a book: an order rests by itself, in no queue.
DELAYED_COPY, INTENSITY, MAKERS, RECORDED, FLOW = range(5)
QUOTES_ONLY = INTENSITY

# Which queues order flow starts anew after a move of the touch, and how many orders it puts there.
REDRAW_NEVER, REDRAW_FIXED, REDRAW_GEOMETRIC = range(3)
# Kinds of flow that may excite themselves.
LIMITS, MARKETS = range(2)

# Strategy names and exits.
SELL_IT, HOLD, BUY_IT, CLOSE, QUOTE_IT = -1, 0, 1, 2, 3  # what an own strategy may answer
IDLE, DIVERGENCE, PASSIVE_DIVERGENCE, MARKET_MAKER, OWN_STRATEGY = range(5)
EXIT_NEVER, EXIT_OPPOSITE, EXIT_CLOSE, EXIT_TIME = range(4)

# Regimes, of the generator and as the strategy estimates them.
CALM, NORMAL, VOLATILE = range(3)

# Order kinds and what a message on the order-entry wire asks for.
LIMIT, IOC, MARKET, FOK, POST_ONLY = range(5)
NEW, CANCEL, HALT, REPLACE = range(4)
# What a message on the ack wire tells.
FILL_ACK, DONE_ACK, REPLACED_ACK, REFUSED_ACK = range(4)

# Order status.
CREATED, RECEIVED, RESTING, FILLED, CANCELLED, REJECTED = range(6)

# Why an order or a request was refused, why a run halted. 0 is "no reason".
(
    OK,
    HALTED,
    ORDER_NOTIONAL,
    GROSS_EXPOSURE,
    SIZE_ZERO,
    TOO_MANY_ORDERS,
    WIRE_FULL,
    NO_LIQUIDITY,
    PRICE_OUT_OF_RANGE,
    BOOK_FULL,
    UNKNOWN_ORDER,
    DAILY_LOSS,
    MANUAL,
    INVARIANT,
    WOULD_CROSS,
    NOT_ALL,
    SELF_TRADE,
    OPEN_ORDERS,
    ORDER_RATE,
    PRICE_COLLAR,
    DRAWDOWN,
    LOSS_STREAK,
    STALE_FEED,
    STALE_VENUE,
    FEED_GAP,
    CROSSED_QUOTES,
    ORDER_TIMEOUT,
) = range(27)
N_REASONS = 27
REASONS = (
    "",
    "halted",
    "order_notional",
    "gross_exposure",
    "size_zero",
    "too_many_orders",
    "wire_full",
    "no_liquidity",
    "price_out_of_range",
    "book_full",
    "unknown_order",
    "daily_loss_cap",
    "manual",
    "invariant",
    "would_cross",
    "not_all_at_once",
    "self_trade",
    "open_orders",
    "order_rate",
    "price_collar",
    "drawdown_cap",
    "loss_streak",
    "stale_feed",
    "stale_venue",
    "feed_gap",
    "crossed_quotes",
    "order_timeout",
)

# Whose order rests in the book.
STRANGER, MAKER, OWN, REPLAYED = range(4)


# Who trades at the venue beside us. The crowd is everybody without a name: strangers, investors, recorded
# orders. As a taker, we are the place of our order, and party p is -1 - p.
CROWD = 0
FIRST_MAKER = 1
FIRST_RIVAL = FIRST_MAKER + N_MAKERS
N_PARTIES = FIRST_RIVAL + N_RIVALS


# ---------------------------------------------------------------------------------------------- tape
TAPE_EVENT = table(
    ("time_ns", i8),
    ("kind", i8),  # EXTERNAL … END
    ("side", i8),  # BUY or SELL, 0 where it has none
    ("ticks", i8),
    ("lots", i8),
    ("mark", f8),  # external price in ticks, or the uniform a candidate is thinned by
)

# ---------------------------------------------------------------------------------------------- book
OP_LIMIT, OP_CANCEL, OP_MARKET, OP_IOC, OP_REDUCE = range(5)  # rows of an order stream
N_OPS = 5
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

# ---------------------------------------------------------------------------------------------- wires
MESSAGE = table(
    ("due_ns", i8),
    ("sent_ns", i8),
    ("info_ns", i8),  # when the news it carries happened at its source
    ("cause", i8),  # the tape event or clock tick that caused it
    ("kind", i8),  # meaning depends on the wire
    ("ref", i8),  # own-order slot
    ("a", i8),
    ("b", i8),
    ("c", i8),
    ("d", i8),
    ("x", f8),
)
WIRE = table(
    ("head", i8),  # messages taken since the start
    ("tail", i8),  # messages put since the start; in flight = tail - head
    ("last_due_ns", i8),  # the latest arrival so far: a FIFO message does not come before it
    ("conflated", i8),  # messages that found the wire full and were merged into the last one
    ("peak", i8),  # most in flight at once
    ("lost", i8),  # messages sent during an outage that loses them
    ("messages", MESSAGE, (N_MESSAGES,)),
)

# --------------------------------------------------------------------------------------------- market
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
)

# ----------------------------------------------------------------------------------------------- us
SEEN = table(
    ("external_px", f8),  # ticks; everything here has travelled a feed
    ("external_ns", i8),  # when that price was made
    ("external_index", i8),  # and which it was: where messages may overtake, older ones are dropped
    ("bid", i8),
    ("ask", i8),
    ("bid_lots", i8),
    ("ask_lots", i8),
    ("quote_ns", i8),  # when that quote was made
    ("quote_index", i8),  # and which change of the touch it was
    ("info_ns", i8),  # the newest of both
    ("fast_var", f8),  # squared return of the external price, mean over about 64 ticks
    ("slow_var", f8),  # and over about 4,096
    ("ticks", i8),
    ("regime", i8),  # our estimate
    ("cause", i8),  # of the newest news, and which of its messages it was
    ("number", i8),
    ("external_at", i8),  # when the external feed last brought anything, by our clock
    ("anchor_px", f8),  # external price seen when the venue feed last brought anything, ticks
    ("moved_at", i8),  # when the external price first stood a tick away from it since, FAR: not yet
    ("numbered", i8),  # the venue feed's own number of its newest message
)
ACCOUNT = table(
    ("start", i8),  # units; cash + position * mark == start + realized + unrealized - fees, always
    ("cash", i8),
    ("position", i8),  # lots, signed
    ("basis", i8),  # what the whole position cost, units, signed as the position
    ("realized", i8),  # before fees
    ("fees", i8),
    ("mark", i8),  # bid + ask in half ticks: the mark that equity below is taken at
    ("equity", i8),
    ("peak", i8),
    ("drawdown", i8),  # largest fall from a peak so far
    ("fills", i8),
    ("turnover", i8),  # lots
)
DESK = table(
    ("account", ACCOUNT),  # what the acknowledgements have told us so far
    ("pending_buy", i8),  # lots sent and not yet known filled or dead
    ("pending_sell", i8),
    ("exit_pending", i8),  # of those, lots meant to close: one exit at a time
    ("exit_side", i8),  # and its side, 0 when none
    ("quote", i8, (2,)),  # own order working as our bid, as our ask: its place + 1, 0 when none
    ("open_orders", i8),
    ("last_order_id", i8),  # ids count from 1
    ("last_intent", i8),
    ("resting", i8),  # own limit orders resting at the venue
    ("working", i8),  # own orders sent whose end we do not know
)
OWN_ORDER = table(
    ("order_id", i8),
    ("kind", i8),
    ("side", i8),
    ("lots", i8),
    ("limit_ticks", i8),
    ("is_exit", i8),
    ("status", i8),
    ("reason", i8),
    ("created_at", i8),
    ("received_at", i8),
    ("acted_at", i8),
    ("filled_at", i8),
    ("info_ns", i8),  # newest information the decision used
    ("looked_at", i8),
    ("fair_seen", i8),  # external price seen at the look, in 1/MONEY ticks
    ("mid_seen", i8),  # bid + ask seen then, half ticks
    ("cause", i8),  # of the decision; with `number` the key of every delay this order meets
    ("number", i8),
    ("acks", i8),  # acknowledgements sent
    ("heard", i8),  # of these, arrived
    ("done", i8),  # the last word has arrived; earlier ones may still be under way
    ("filled", i8),  # lots, at the venue
    ("known", i8),  # lots, as acknowledged
    ("held_lots", i8),  # filled while the ack wire was crowded: told with the next acknowledgement
    ("held_value", i8),
    ("held_fee", i8),
    ("gone_lots", i8),  # taken off by replaces and not told yet
    ("slot", i8),  # in the book, 0 when not resting
    ("used", i8),
    ("intent", i8),  # which wish it came from: tells an order from the next one in its place
    ("amending", i8),  # cancels and replaces in flight
    ("stuck", i8),  # the stuck-exit drill holds it back
)
MINE = table(  # what an own strategy is shown of itself; with SEEN all it can reach
    ("position", i8),  # lots, as acknowledged
    ("pending_buy", i8),  # lots in flight
    ("pending_sell", i8),
    ("open_orders", i8),
    ("now_ns", i8),
    ("on_clock", i8),  # 1 on a clock decision, 0 where only exits are looked at
    ("mid_ticks", f8),  # of the quote it has seen; NaN while a side is missing
    ("average_ticks", f8),  # what a lot of the position cost, NaN when flat
    ("parameters", f8, (N_PARAMETERS,)),
    ("memory", f8, (N_MEMORY,)),
    # What it writes before it answers QUOTE_IT: where to stand, in ticks; 0 stands nowhere on that side.
    ("bid_ticks", i8),
    ("ask_ticks", i8),
    ("quote_lots", i8),  # 0: as large as an entry
)
INTENT = table(
    ("act", i8),  # NEW, CANCEL, REPLACE
    ("at", i8),  # own order meant, of CANCEL and REPLACE
    ("kind", i8),
    ("side", i8),
    ("lots", i8),
    ("limit_ticks", i8),
    ("is_exit", i8),
)
STRATEGY = table(
    ("clock", i8),  # decisions so far
    ("next_clock_ns", i8),
    ("look_ns", i8),  # an update asks for a look at this time, FAR when none does
    ("exit_ns", i8),  # the timer of exit "time"
    ("overdue", i8),  # the timer has run out and the position is not closed yet
    ("fresh", i8),  # news since the last look, where every update is a decision
    ("looked_ns", i8),  # when the last look was
    ("looks", i8),  # how many there were in that instant
    ("passed_over", i8),  # asked for beyond N_LOOKS, and left until the next instant's news
    ("exit_cause", i8),  # what the timer's order is keyed by
    ("exit_number", i8),
    ("action", i8),  # raw signal at the last look
    ("asked", i8),  # requests of the last look
    ("intents", INTENT, (N_INTENTS,)),
    ("divergence", f8),
    ("mine", MINE),
    ("nonsense", i8),  # answers of an own strategy that were no action, taken as hold
)
RISK = table(
    ("halted", i8),
    ("reason", i8),
    ("halted_at", i8),
    ("halts", i8),
    ("day", i8),
    ("day_equity", i8),  # units, at the day's start
    ("day_realized", i8),
    ("day_fees", i8),
    ("cap", i8),  # units the day may lose
    ("overshoot", i8),  # units lost beyond the cap, the most so far on any halted day
    ("peak", i8),  # units, highest equity we knew of since the latch was last opened
    ("drawdown_overshoot", i8),  # units fallen beyond the drawdown cap, the most so far
    ("streak", i8),  # round trips lost in a row
    ("trip_realized", i8),  # units, when the present round trip began
    ("trip_fees", i8),
    ("lost", i8),  # messages of the venue feed found missing since the latch was last opened
    ("sent", i8),  # new orders sent
    ("sent_at", i8, (N_RATE,)),  # when order k was sent: k & (N_RATE - 1)
    ("rejected", i8, (N_REASONS,)),
)
HISTOGRAM = table(
    ("count", i8),
    ("largest", i8),
    ("buckets", i8, (N_BUCKETS,)),
)
DECISION_LATENCY, EXCHANGE_LATENCY, END_TO_END_LATENCY = range(3)

STATE = table(
    ("now_ns", i8),
    ("events", i8),
    ("tape_events", i8),  # of these, taken from the tape
    ("due", i8, (N_SOURCES,)),  # when each source has its next event
    ("day_end_ns", i8),
    ("external", EXTERNAL_STATE),
    ("venue", VENUE),
    ("seen", SEEN),
    ("desk", DESK),
    ("account", ACCOUNT),  # the truth, as the venue settles it
    ("strategy", STRATEGY),
    ("risk", RISK),
    ("latency", HISTOGRAM, (3,)),
    ("own", OWN_ORDER, (N_OWN,)),
    ("wires", WIRE, (N_WIRES,)),
    ("book", BOOK),
)

# ------------------------------------------------------------------------------------- configuration
DELAY = table(
    ("model", i8),
    ("steady", i8),  # constant, undisturbed and in order: shift_ns is all there is
    ("disturbed", i8),  # has bursts or outages
    ("free", i8),  # its messages may overtake
    ("shift_ns", f8),
    ("scale_ns", f8),  # uniform: width; lognormal: median; gamma: mean / shape
    ("sigma", f8),  # lognormal: sd of the log
    ("gamma_shape", f8),
    ("log_gamma", f8),  # ln Γ(shape); here, since math.lgamma is not the same compiled and plain
    ("spike_probability", f8),
    ("spike_ns", f8),  # smallest spike
    ("spike_alpha", f8),  # tail exponent of its Pareto law
    ("burst_factor", f8),  # the delay is multiplied by this; up to 1: no bursts
    ("burst_swing", f8),  # while the external log return of late is larger than this
    ("outage_from_ns", i8),
    ("outage_ns", i8),  # 0: no outage
    ("outage_every_ns", i8),  # 0: once
    ("outage_loses", i8),  # what is sent then is lost, else it waits
    ("points", i8),  # empirical: points of the table
    ("probability", f8, (N_QUANTILES,)),  # ascending
    ("quantile_ns", f8, (N_QUANTILES,)),
)
EXTERNAL_PARAMS = table(
    ("model", i8),
    ("interval_ns", i8),
    ("start_ticks", f8),
    ("sigma", f8),  # sd over one interval: of the log price; bachelier: of the price in ticks
    ("decay", f8),  # mean reversion: share of the distance that is left after one interval
    ("jump_rate", f8),  # jumps expected in one interval
    ("jump_none", f8),  # chance of none: exp(-jump_rate)
    ("jump_law", i8),
    ("jump_mean", f8),  # normal: of the log
    ("jump_sigma", f8),
    ("jump_up_share", f8),  # double exponential
    ("jump_up", f8),  # mean of an upward jump
    ("jump_down", f8),  # and of a downward one, without its sign
    ("regimes", i8),  # 0: always normal
    ("regime_sigma", f8, (3,)),  # multiplier of sigma
    ("regime_stay", f8, (3,)),  # probability of staying over one interval
    ("burst_from_ns", i8),
    ("burst_until_ns", i8),
    ("burst_sigma", f8),
)
VENUE_PARAMS = table(
    ("model", i8),
    ("half_spread_ticks", i8),
    ("levels", i8),
    ("level_lots", i8),
    ("fee_rate", i8),  # of FEE_ONE
)
FLOW_PARAMS = table(
    ("distances", i8),
    ("limit_rate", f8, (N_DISTANCES,)),  # per second and side, by ticks from the opposite best - 1
    ("cancel_rate", f8, (N_DISTANCES,)),  # per second and order, likewise; the last holds beyond
    ("cancel_most", f8),  # the largest of them
    ("cancel_bound", i8),  # orders a side that cancel candidates are drawn for
    ("market_rate", f8),  # per second and side
    ("follow_rate", f8),  # per second
    ("order_lots", i8),  # one order
    ("mean_orders", f8),  # sizes: geometric with this mean, in orders; 1: always one
    ("branching", f8, (2,)),  # events an event begets, LIMITS and MARKETS; 0: Poisson
    ("kick", f8, (2,)),  # what one event adds to the excitement
    ("decay", f8),  # of the excitement, per ns
    ("headroom", f8),  # candidates come at this multiple of the mean rate
    ("metaorders", i8),  # being worked at once; 0: independent signs
    ("meta_power", f8),  # -1 / tail exponent of their length
    ("redraw", i8),
    ("touch_orders", i8, (2,)),  # at the first bid, at the first ask when queues are laid
    ("depth_orders", i8, (N_DISTANCES,)),  # at the levels behind
)
LADDER_PARAMS = table(
    ("count", i8),  # makers
    ("late_ns", i8, (N_MAKERS,)),  # on top of what the market's lag is to each
    ("refresh_ticks", i8, (N_MAKERS,)),  # how far the price it hears moves before it re-quotes
    ("widen_ticks", i8),  # after being picked off
    ("calm_ns", i8),  # and for how long
)
RIVAL_PARAMS = table(
    ("count", i8),
    ("edge_ticks", f8),  # how far beyond the touch the external price must be
    ("lots", i8),
)
INTENSITY_PARAMS = table(
    ("interval_ns", i8),  # one candidate a side at each multiple; 0: at random times
    ("candidates", f8),  # per second and side
    ("likely", f8),  # chance that a candidate trades at the mid
    ("premium_ticks", f8),  # how far from the mid it goes: fixed, or the mean of an exponential
    ("fixed", i8),
    ("order_lots", i8),  # 0: a whole order
)
MAKER_PARAMS = table(
    ("around_mid", i8),  # quote around the venue's mid, not the external price
    ("lots", i8),  # of a quote; 0: as large as an entry
    ("horizon_ns", i8),
    ("skew", f8),  # gamma sigma^2: ticks per order held and second left
    ("spread_ticks", f8),  # of the quotes at the horizon's end: (2 / gamma) ln(1 + gamma / k)
    ("inventory", i8),  # 0: quote the same on both sides whatever is held
)
STRATEGY_PARAMS = table(
    ("name", i8),
    ("threshold", f8),
    ("decision_ns", i8),
    ("exit", i8),
    ("exit_after_ns", i8),
    ("stack", i8),
    ("volatile_size", f8),  # size multiplier in a volatile regime
    ("replaces", i8),  # a quote is moved by one message, else cancelled and sent anew
    ("maker", MAKER_PARAMS),
    ("parameters", f8, (N_PARAMETERS,)),
)
RISK_PARAMS = table(
    ("max_position_pct", f8),
    ("max_gross_pct", f8),
    ("daily_loss_cap_pct", f8),
    ("check_notional", i8),
    ("day_ns", i8),
    ("flatten_on_halt", i8),
    ("rearm_each_day", i8),
    # Checks of an entry before it leaves; 0 is off.
    ("max_open_orders", i8),
    ("max_orders_per_s", i8),  # at most N_RATE
    ("price_collar_pct", f8),
    ("refuse_crossed", i8),
    # Guards that latch; 0 is off.
    ("drawdown_cap_pct", f8),
    ("max_loss_streak", i8),
    ("max_lost_messages", i8),
    ("stale_external_ns", i8),
    ("stale_venue_ns", i8),
    ("order_timeout_ns", i8),
    ("check_books", i8),
)
DRILL_PARAMS = table(
    ("stale_feed", i8),  # the external source sends us nothing
    ("feed_gap", f8),  # share of the venue feed's messages that are lost
    ("duplicate_order", i8),  # every entry goes out twice
    ("stuck_exit", i8),  # exits do not leave us
    ("size_multiple", f8),  # sizing goes wrong by this factor, the notional check does not
    ("latency_spike_ns", i8),  # on top of every order-entry and acknowledgement delay
    ("crossed_quotes", i8),  # ticks by which the bid reaches us above the ask
)
PARAMS = table(
    ("external", EXTERNAL_PARAMS),
    ("venue", VENUE_PARAMS),
    ("flow", FLOW_PARAMS),
    ("intensity", INTENSITY_PARAMS),
    ("makers", LADDER_PARAMS),
    ("rivals", RIVAL_PARAMS),
    ("delays", DELAY, (N_DELAYS,)),
    ("burst_memory_ns", f8),  # how long the return of late reaches back; 0: no delay has bursts
    ("strategy", STRATEGY_PARAMS),
    ("risk", RISK_PARAMS),
    ("drills", DRILL_PARAMS),
    ("starting_cash", i8),  # units
    ("tick_px", f8),  # currency of one tick
    ("unit_value", f8),  # currency of one money unit
    ("samples", i8),  # write a row of `samples` per decision
    ("key_low", i8),  # 32-bit words the delays' noise is keyed by; two fields, since numba counts
    ("key_high", i8),  # references to an array it hands to a function, even inside a record
)

# ------------------------------------------------------------------------------------------- outputs
SAMPLE = table(
    ("t_ns", i8),
    ("external_px", f8),  # as seen, currency
    ("market_px", f8),
    ("divergence", f8),
    ("action", i8),
    ("equity", f8),  # true, currency
    ("realized_pnl", f8),
    ("position", i8),  # lots
    ("halted", i8),
    ("regime", i8),
    ("pending", i8),  # lots in flight, both sides
)
ORDER = table(
    ("order_id", i8),
    ("kind", i8),
    ("side", i8),
    ("lots", i8),
    ("limit_ticks", i8),
    ("is_exit", i8),
    ("status", i8),
    ("reason", i8),
    ("created_at", i8),
    ("received_at", i8),
    ("acted_at", i8),
    ("filled_at", i8),
    ("info_ns", i8),
    ("looked_at", i8),
    ("filled_lots", i8),
)
FILL = table(
    ("order_id", i8),
    ("t_ns", i8),
    ("side", i8),
    ("lots", i8),
    ("price_ticks", i8),
    ("price_px", f8),
    ("fee", f8),  # currency
    ("is_maker", i8),
    ("is_exit", i8),
    ("fee_units", i8),
    # What the fill's profit or loss is attributed by, see `lablib.attribution`.
    ("fair_seen", i8),  # external price at the decision, as we saw it, in 1/MONEY ticks
    ("mid_seen", i8),  # the venue's mid then, as we saw it: bid + ask, half ticks
    ("mid", i8),  # and its true mid just before the match
    ("touch", i8),  # best quote of the other side just before the match, ticks
    ("fair", i8),  # external price at the match, in 1/MONEY ticks
)
# What latched, and how far it had come. Value and limit are in currency of DAILY_LOSS and DRAWDOWN, in
# milliseconds of STALE_FEED, STALE_VENUE and ORDER_TIMEOUT, a count of LOSS_STREAK and FEED_GAP, of
# INVARIANT the currency the books are off by, or where they agree the lots that cannot be; 0 of MANUAL.
RISK_EVENT = table(("t_ns", i8), ("reason", i8), ("value", f8), ("limit", f8))


# Where one call of `advance` stands in the arrays it was lent. Not part of the state: a digest must
# not know how a run was cut into calls.
CURSOR = table(
    ("tape", i8),
    ("samples", i8),
    ("orders", i8),
    ("fills", i8),
    ("risk_events", i8),
)
N_SAMPLES, N_ORDERS, N_FILLS, N_RISK_EVENTS = 16_384, 4_096, N_RESTING + 4_096, 1_024

# The rows `advance` may write between two calls; faces drain them. One record, not a tuple of arrays:
# numba counts references to arrays at every call, and that cost more than the events themselves.
OUTPUT = table(
    ("cursor", CURSOR),
    ("samples", SAMPLE, (N_SAMPLES,)),
    ("orders", ORDER, (N_ORDERS,)),
    ("fills", FILL, (N_FILLS,)),
    ("risk_events", RISK_EVENT, (N_RISK_EVENTS,)),
)

# One of many runs of a config: what it starts from, and what came of it.
RUN = table(
    ("key_low", i8),  # words of its seed, as in PARAMS
    ("key_high", i8),
    ("tape", i8),  # place of its first event on the tape lent
    ("equity", i8),  # units, as all money here
    ("realized", i8),
    ("fees", i8),
    ("fills", i8),
    ("orders", i8),
    ("halts", i8),
    ("overshoot", i8),
    ("drawdown", i8),
)

# Why `advance` came back.
REACHED, NEED_TAPE, NEED_ROOM = range(3)
