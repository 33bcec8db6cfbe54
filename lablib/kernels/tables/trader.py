"""The state of the trader: what we have seen, own orders and account, the strategy, its risk."""

from __future__ import annotations

from lablib.kernels.tables.codes import N_REASONS
from lablib.kernels.tables.layout import f8, i8, table
from lablib.kernels.tables.limits import N_INTENTS, N_MEMORY, N_PARAMETERS, N_RATE

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
    # What it writes before it answers QUOTE_IT: where to stand, in ticks; 0 stands nowhere on that side,
    # and so does what is no price, counted: below 0, NO_ASK and above.
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
    (
        "nonsense",
        i8,
    ),  # answers of an own strategy that were no action, taken as hold; prices no book has
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
    ("sent", i8),  # new orders and replaces sent
    ("sent_at", i8, (N_RATE,)),  # when number k of them was sent: k & (N_RATE - 1)
    ("rejected", i8, (N_REASONS,)),
)
