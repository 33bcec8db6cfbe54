"""Messages in flight on one wire: first in, first out, bounded.

Arrival is the later of the previous arrival and sent + delay: nothing overtakes on one wire. A wire
that is full does not grow: `post` hands back the newest message to be merged into (a feed's newest
news replaces it, an acknowledgement adds to it), and counts that.
"""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel

_MASK = t.N_MESSAGES - 1


@kernel
def room(wire):
    """Messages that still fit."""
    return t.N_MESSAGES - (wire.tail - wire.head)


@kernel
def post(wire, now_ns, delay):
    """Send one message: returns the index to write it at. Sets due and sent times only."""
    due = now_ns + delay
    if due < wire.last_due_ns:
        due = wire.last_due_ns
    wire.last_due_ns = due
    in_flight = wire.tail - wire.head
    if in_flight >= t.N_MESSAGES:
        wire.conflated += 1
        at = (wire.tail - 1) & _MASK
    else:
        at = wire.tail & _MASK
        wire.tail += 1
        if in_flight + 1 > wire.peak:
            wire.peak = in_flight + 1
    message = wire.messages[at]
    message.due_ns = due
    message.sent_ns = now_ns
    return at


@kernel
def front(wire):
    """Index of the message that arrives next; only when one is in flight."""
    return wire.head & _MASK


@kernel
def take(wire):
    """Drop the message at the front, which has been read."""
    wire.head += 1


@kernel
def next_due(wire):
    """When the next message arrives, FAR when none is in flight."""
    if wire.head == wire.tail:
        return t.FAR
    return wire.messages[wire.head & _MASK].due_ns
