"""What a run writes: the rows of its tables, where a call stands in them, what came of one of many runs."""

from __future__ import annotations

from lablib.kernels.tables.layout import f8, i8, table
from lablib.kernels.tables.limits import N_MEMORY, N_RESTING

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
    ("memory", f8, (N_MEMORY,)),  # an own strategy's, as it was last asked: to ask the same again
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
