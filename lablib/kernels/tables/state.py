"""The whole state of a run, in one record: market, trader, the wires between them, how long things took."""

from __future__ import annotations

from lablib.kernels.tables.codes import N_SOURCES
from lablib.kernels.tables.layout import f8, i8, table
from lablib.kernels.tables.limits import N_BUCKETS, N_MESSAGES, N_OWN, N_WIRES
from lablib.kernels.tables.market import BOOK, EXTERNAL_STATE, VENUE
from lablib.kernels.tables.trader import ACCOUNT, DESK, OWN_ORDER, RISK, SEEN, STRATEGY

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

HISTOGRAM = table(
    ("count", i8),
    ("largest", i8),
    ("buckets", i8, (N_BUCKETS,)),
)

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
