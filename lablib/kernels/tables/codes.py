"""The integer codes: what an event, a wire, a model, an order, a reason and a party is."""

from __future__ import annotations

from lablib.kernels.tables.limits import N_MAKERS, N_RIVALS, N_WIRES

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

# A recorded book after a CLEAR: what it shows is not known, until the levels of a snapshot come.
KNOWN, FORGOTTEN, RETOLD = range(3)

# Which queues order flow starts anew after a move of the touch, and how many orders it puts there.
REDRAW_NEVER, REDRAW_FIXED, REDRAW_GEOMETRIC = range(3)
# Kinds of flow that may excite themselves.
LIMITS, MARKETS = range(2)

# Strategy names and exits.
SELL_IT, HOLD, BUY_IT, CLOSE, QUOTE_IT = -1, 0, 1, 2, 3  # what an own strategy may answer
RAISED = -(1 << 62)  # stands for the answer of one that raised
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

# Rows of an order stream.
OP_LIMIT, OP_CANCEL, OP_MARKET, OP_IOC, OP_REDUCE = range(5)
N_OPS = 5

# What is timed, each in a histogram of its own.
DECISION_LATENCY, EXCHANGE_LATENCY, END_TO_END_LATENCY = range(3)

# Why `advance` came back.
REACHED, NEED_TAPE, NEED_ROOM, STRATEGY_RAISED = range(4)
