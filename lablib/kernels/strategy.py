"""What a look at the market asks for: the raw signal, an exit, an entry, and how large.

A strategy sees `seen` and `desk` only: what its wires have delivered, and what it has been told of
its own orders. The true market is out of its reach.
"""

from __future__ import annotations

import math

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
def size_of(seen, desk, params):
    """Lots of one entry: equity times the order's share, over the seen mid, rounded down."""
    notional = desk.account.equity * params.risk.max_position_pct * params.drills.size_multiple
    if seen.regime == t.VOLATILE:
        notional *= params.strategy.volatile_size
    lots = notional / (desk.account.mark * (t.MONEY // 2))
    if lots < 1.0:
        return 0
    return int(min(lots, 1073741824.0))


@kernel
def ask_new(strategy, kind, side, lots, limit_ticks, is_exit):
    """Ask for a new order."""
    intent = strategy.intents[strategy.asked]
    intent.act = t.NEW
    intent.kind = kind
    intent.side = side
    intent.lots = lots
    intent.limit_ticks = limit_ticks
    intent.is_exit = is_exit
    strategy.asked += 1


@kernel
def ask_change(strategy, act, at, lots, limit_ticks):
    """Ask for an own order to be cancelled or replaced."""
    intent = strategy.intents[strategy.asked]
    intent.act = act
    intent.at = at
    intent.lots = lots
    intent.limit_ticks = limit_ticks
    intent.is_exit = 0
    strategy.asked += 1


@kernel
def wants_exit(strategy, desk, risk, params, holding):
    """Whether a position should be closed now."""
    if holding == 0 or desk.exit_pending != 0:
        return False
    if risk.halted:
        return params.risk.flatten_on_halt != 0
    rule = params.strategy.exit
    if rule == t.EXIT_OPPOSITE:
        return strategy.action == -holding
    if rule == t.EXIT_CLOSE:
        return strategy.divergence * holding <= 0.0
    if rule == t.EXIT_TIME:
        return strategy.overdue != 0
    return False


@kernel
def may_enter(strategy, desk, params, holding, side):
    """No second entry on a side while a position or an entry is open, unless stacking."""
    if params.strategy.stack:
        return True
    entering = desk.pending_buy if side > 0 else desk.pending_sell
    if desk.exit_side == side:
        entering -= desk.exit_pending
    return holding != side and entering == 0


@kernel
def follow_edge(strategy, seen, own, desk, params, holding, on_clock):
    """Passive divergence: join the queue on the side of the signal, leave when the edge has gone."""
    for half in range(2):
        at = desk.quote[half] - 1
        side = 1 - 2 * half
        if at >= 0 and not own[at].amending and strategy.divergence * side <= 0.0:
            ask_change(strategy, t.CANCEL, at, 0, 0)
    side = strategy.action
    if on_clock and side != 0 and may_enter(strategy, desk, params, holding, side):
        touch = seen.bid if side > 0 else seen.ask
        ask_new(strategy, t.POST_ONLY, side, size_of(seen, desk, params), touch, 0)


@kernel
def stand_at(strategy, own, desk, params, half, kind, lots, px):
    """Have one order of a half stand at `px`, none where that is 0; one under change is left alone."""
    at = desk.quote[half] - 1
    if at >= 0:
        order = own[at]
        if order.amending or (order.limit_ticks == px and px > 0):
            return
        if px > 0 and params.strategy.replaces:
            ask_change(strategy, t.REPLACE, at, lots, px)
            return
        ask_change(strategy, t.CANCEL, at, 0, 0)
    if px > 0:
        ask_new(strategy, kind, 1 - 2 * half, lots, px, 0)


@kernel
def make_market(strategy, seen, own, desk, params, now_ns):
    """Quotes of Avellaneda and Stoikov (2008, Quant. Finance 8:217) around what we hold the price to be.

    The reservation price leaves it by q gamma sigma^2 (T - t), the quotes are
    gamma sigma^2 (T - t) + (2 / gamma) ln(1 + gamma / k) apart; q is what we hold, in orders.
    """
    rules = params.strategy.maker
    centre = seen.external_px
    if rules.around_mid:
        if seen.bid == t.NO_BID or seen.ask == t.NO_ASK:
            return
        centre = 0.5 * (seen.bid + seen.ask)
    lots = rules.lots if rules.lots > 0 else size_of(seen, desk, params)
    if lots == 0:
        return
    widening = rules.skew * (rules.horizon_ns - now_ns % rules.horizon_ns) / t.NS_PER_S
    if rules.inventory:
        centre -= desk.account.position / lots * widening
    half_spread = 0.5 * (widening + rules.spread_ticks)
    bid = int(math.floor(centre - half_spread))
    ask = int(math.ceil(centre + half_spread))
    stand_at(strategy, own, desk, params, 0, t.POST_ONLY, lots, max(bid, 0))
    stand_at(strategy, own, desk, params, 1, t.POST_ONLY, lots, max(ask, 1))


@kernel
def show(mine, seen, desk, params, now_ns, on_clock):
    """Lay out what an own strategy may know of itself."""
    account = desk.account
    mine.position = account.position
    mine.pending_buy = desk.pending_buy
    mine.pending_sell = desk.pending_sell
    mine.open_orders = desk.open_orders
    mine.now_ns = now_ns
    mine.on_clock = 1 if on_clock else 0
    missing = seen.bid == t.NO_BID or seen.ask == t.NO_ASK
    mine.mid_ticks = math.nan if missing else 0.5 * (seen.bid + seen.ask)
    mine.average_ticks = math.nan
    if account.position != 0:
        mine.average_ticks = account.basis / account.position / t.MONEY
    for k in range(t.N_PARAMETERS):
        mine.parameters[k] = params.strategy.parameters[k]
    mine.bid_ticks = 0
    mine.ask_ticks = 0
    mine.quote_lots = 0


@kernel
def ask_theirs(strategy, seen, desk, params, now_ns, on_clock, theirs, kept):
    """What the user's own strategy `theirs` answers, or RAISED; its memory before that is left in `kept`."""
    show(strategy.mine, seen, desk, params, now_ns, on_clock)
    for k in range(t.N_MEMORY):
        kept[k] = strategy.mine.memory[k]
    answer = theirs(seen, strategy.mine)
    if answer != t.RAISED and (answer < t.SELL_IT or answer > t.QUOTE_IT):
        strategy.nonsense += 1
        return t.HOLD
    return answer


@kernel
def price_told(strategy, ticks):
    """Where an own strategy wants to stand: what is no price, such as a NaN made whole, is nowhere."""
    if 0 <= ticks < t.NO_ASK:
        return ticks
    strategy.nonsense += 1
    return 0


@kernel
def stand_as_told(strategy, seen, own, desk, params):
    """Quote what an own strategy wrote before it answered QUOTE_IT."""
    mine = strategy.mine
    lots = mine.quote_lots if mine.quote_lots > 0 else size_of(seen, desk, params)
    bid = price_told(strategy, mine.bid_ticks)
    ask = price_told(strategy, mine.ask_ticks)
    stand_at(strategy, own, desk, params, 0, t.LIMIT, lots, bid)
    stand_at(strategy, own, desk, params, 1, t.LIMIT, lots, ask)


@kernel
def decide(strategy, seen, own, desk, risk, params, now_ns, on_clock, answer):
    """Fill in the raw signal and the requests of this look. `answer` is the user's own strategy's."""
    rules = params.strategy
    strategy.asked = 0
    strategy.divergence = divergence_of(seen)
    closing = False
    quoting = False
    if rules.name == t.OWN_STRATEGY:
        closing = answer == t.CLOSE
        quoting = answer == t.QUOTE_IT
        strategy.action = t.HOLD if closing or quoting else answer
    else:
        strategy.action = signal(strategy.divergence, rules.threshold)
    if rules.name == t.IDLE and not risk.halted:
        return
    held = desk.account.position
    holding = 1 if held > 0 else (-1 if held < 0 else 0)
    closing = closing and holding != 0 and desk.exit_pending == 0 and not risk.halted
    by_rule = rules.name != t.MARKET_MAKER or risk.halted  # a maker's exits are its quotes
    if closing or (by_rule and wants_exit(strategy, desk, risk, params, holding)):
        ask_new(strategy, t.MARKET, -holding, abs(held), 0, 1)
    if risk.halted:
        return
    if rules.name == t.MARKET_MAKER:
        if on_clock:
            make_market(strategy, seen, own, desk, params, now_ns)
    elif quoting:
        stand_as_told(strategy, seen, own, desk, params)
    elif rules.name == t.PASSIVE_DIVERGENCE:
        follow_edge(strategy, seen, own, desk, params, holding, on_clock)
    elif on_clock and strategy.action != 0:
        side = strategy.action
        if may_enter(strategy, desk, params, holding, side):
            ask_new(strategy, t.MARKET, side, size_of(seen, desk, params), 0, 0)
