"""Messages in flight on one wire: in order of arrival, bounded.

Arrival is the later of the previous arrival and sent + delay: nothing overtakes on one wire. A free
message arrives at sent + delay whatever else is under way; the ring stays in order of arrival, and
equals keep the order they were sent in. A wire that is full does not grow: `post` hands back the
message that would arrive last to be written over (a feed's newest news replaces it), and counts that.
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
    due = max(now_ns + delay, wire.last_due_ns)
    wire.last_due_ns = due
    at = last_place(wire)
    message = wire.messages[at]
    message.due_ns = due
    message.sent_ns = now_ns
    return at


@kernel
def post_free(wire, now_ns, delay):
    """Send one message that may overtake others."""
    due = now_ns + delay
    wire.last_due_ns = max(due, wire.last_due_ns)
    last_place(wire)
    at = make_way(wire, due)
    message = wire.messages[at]
    message.due_ns = due
    message.sent_ns = now_ns
    return at


@kernel
def last_place(wire):
    """Index behind every message in flight; of the last one where the wire is full."""
    in_flight = wire.tail - wire.head
    if in_flight >= t.N_MESSAGES:
        wire.conflated += 1
    else:
        wire.tail += 1
        if in_flight + 1 > wire.peak:
            wire.peak = in_flight + 1
    return (wire.tail - 1) & _MASK


@kernel
def make_way(wire, due):
    """Move every message that arrives after `due` back one place; returns the place this leaves.

    The last place is written over. At most N_MESSAGES moves, in practice as many as are overtaken.
    """
    at = wire.tail - 1
    while at > wire.head and wire.messages[(at - 1) & _MASK].due_ns > due:
        wire.messages[at & _MASK] = wire.messages[(at - 1) & _MASK]
        at -= 1
    return at & _MASK


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
