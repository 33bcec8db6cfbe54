"""A message leaves: its delay, and its place on the wire.

Most wires are steady, and a market sends several messages a tick: they are served first, and what else
a delay may be, a draw, a burst, an outage, a message that overtakes, is kept out of their way.
"""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.delay import travel_ns
from lablib.kernels.jit import kernel
from lablib.kernels.wire import post, post_free


@kernel
def transmit(state, params, on, which, cause, number, more_ns):
    """Send a message now on wire `on`; returns where to write it, or LOST if it never arrives.

    `which` is its delay model, and with `cause` and `number` the key of the draw; `more_ns` comes on top.
    """
    delay = params.delays[which]
    if delay.steady:
        return post(state.wires[on], state.now_ns, int(delay.shift_ns) + more_ns)
    return transmit_drawn(state, params, on, which, cause, number, more_ns)


@kernel
def transmit_drawn(state, params, on, which, cause, number, more_ns):
    """The same on a wire that is not steady."""
    wire = state.wires[on]
    now = state.now_ns
    ns = travel_ns(params, state.external, now, which, which, cause, number)
    if ns < 0:
        wire.lost += 1
        return t.LOST
    if params.delays[which].free:
        return post_free(wire, now, ns + more_ns)
    return post(wire, now, ns + more_ns)


@kernel
def tell_px(message, now, cause, px):
    """Write a message that tells an external price."""
    message.info_ns = now
    message.cause = cause
    message.x = px
