"""What a look at the market asks for: the raw signal, an exit, an entry, and how large.

A strategy sees `seen` and `desk` only: what its wires have delivered, and what it has been told of
its own orders. The true market is out of its reach.
"""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel

_FAST = 1.0 / 64.0
_WARM = 4_096
_SLOW = 1.0 / _WARM


@kernel
def divergence_of(seen):
    """(external - venue mid) / venue mid of what we have seen; 0 while a side is missing."""
    if seen.bid == t.NO_BID or seen.ask == t.NO_ASK:
        return 0.0
    mid = 0.5 * (seen.bid + seen.ask)
    return (seen.external_px - mid) / mid


@kernel
def signal(divergence, threshold):
    """+1 buy above the threshold, -1 sell below its negative, else 0."""
    if divergence > threshold:
        return 1
    if divergence < -threshold:
        return -1
    return 0


@kernel
def observe(seen, px):
    """Take in a seen external price: estimates of its variance and, from their ratio, the regime."""
    if seen.ticks > 0:
        change = (px - seen.external_px) / seen.external_px
        square = change * change
        fast = _FAST
        slow = _SLOW
        if seen.ticks < _WARM:
            # Means over the first ticks, exponential ones later: the estimate starts unbiased.
            slow = 1.0 / seen.ticks
            fast = max(_FAST, slow)
        seen.fast_var += fast * (square - seen.fast_var)
        seen.slow_var += slow * (square - seen.slow_var)
        if seen.ticks > 256:
            if seen.fast_var > 3.0 * seen.slow_var:
                seen.regime = t.VOLATILE
            elif 3.0 * seen.fast_var < seen.slow_var:
                seen.regime = t.CALM
            else:
                seen.regime = t.NORMAL
    seen.ticks += 1
    seen.external_px = px


@kernel
def decide(strategy, seen, desk, risk, params, on_clock):
    """Fill in `action`, `want_exit` and `want_entry` for this look."""
    rules = params.strategy
    strategy.divergence = divergence_of(seen)
    action = signal(strategy.divergence, rules.threshold)
    strategy.action = action
    strategy.want_exit = 0
    strategy.want_entry = 0
    held = desk.account.position
    holding = 1 if held > 0 else (-1 if held < 0 else 0)
    if risk.halted:
        if params.risk.flatten_on_halt and holding != 0 and desk.exit_pending == 0:
            strategy.want_exit = 1
        return
    if rules.name == t.IDLE:
        return
    if holding != 0 and desk.exit_pending == 0:
        if rules.exit == t.EXIT_OPPOSITE:
            leave = action == -holding
        elif rules.exit == t.EXIT_CLOSE:
            leave = strategy.divergence * holding <= 0.0
        elif rules.exit == t.EXIT_TIME:
            leave = strategy.overdue != 0
        else:
            leave = False
        strategy.want_exit = 1 if leave else 0
    if on_clock and action != 0:
        entering = desk.pending_buy if action > 0 else desk.pending_sell
        if desk.exit_side == action:
            entering -= desk.exit_pending
        if rules.stack or (holding != action and entering == 0):
            strategy.want_entry = action


@kernel
def size_of(seen, desk, params):
    """Lots of one entry: equity times the order's share, over the seen mid, rounded down."""
    notional = desk.account.equity * params.risk.max_position_pct * params.risk.size_multiple
    if seen.regime == t.VOLATILE:
        notional *= params.strategy.volatile_size
    lots = notional / (desk.account.mark * (t.MONEY // 2))
    if lots < 1.0:
        return 0
    return int(min(lots, 1073741824.0))
