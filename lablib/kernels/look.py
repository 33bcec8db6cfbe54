"""A look at what we have seen: a decision with its sample, and the orders it asks for."""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.desk import GENERATION, amend, intend
from lablib.kernels.jit import kernel
from lablib.kernels.strategy import ask_theirs, decide

_TWICE = GENERATION // 2  # an entry sent twice is keyed this far behind itself


@kernel
def too_many_looks(strategy, now):
    """Count a look; whether it is one beyond N_LOOKS in this instant, and not the clock's."""
    if strategy.looked_ns != now:
        strategy.looked_ns = now
        strategy.looks = 0
    strategy.looks += 1
    return strategy.looks > t.N_LOOKS and now != strategy.next_clock_ns


@kernel
def look(state, params, output, theirs):
    """One look at what we have seen: on the clock a decision with its sample, else exits only.

    Returns whether the user's own strategy `theirs` raised: then nothing is decided.
    """
    strategy = state.strategy
    rules = params.strategy
    now = state.now_ns
    on_clock = now == strategy.next_clock_ns or strategy.fresh
    if strategy.exit_ns <= now:
        strategy.overdue = 1
    if too_many_looks(strategy, now):
        strategy.passed_over += 1
        strategy.look_ns = t.FAR
        strategy.fresh = 0
        if strategy.exit_ns <= now:
            strategy.exit_ns = t.FAR
        state.due[t.LOOK] = min(strategy.next_clock_ns, strategy.exit_ns)
        return False
    answer = t.HOLD
    if rules.name == t.OWN_STRATEGY:
        answer = ask_theirs(
            strategy, state.seen, state.desk, params, now, on_clock, theirs, output.memory
        )
        if answer == t.RAISED:
            return True
    decide(strategy, state.seen, state.own, state.desk, state.risk, params, now, on_clock, answer)
    cause = 2 * state.seen.cause + 1
    number = state.seen.number
    if on_clock:
        strategy.clock += 1
        cause = 2 * strategy.clock
        number = 0
        strategy.next_clock_ns = now + rules.decision_ns if rules.decision_ns > 0 else t.FAR
        if params.samples:
            sample(state, params, output)
    elif strategy.exit_ns == now:
        cause = strategy.exit_cause
        number = strategy.exit_number
    strategy.look_ns = t.FAR
    strategy.fresh = 0
    if strategy.exit_ns <= now:
        strategy.exit_ns = t.FAR
    for k in range(strategy.asked):
        intent = strategy.intents[k]
        if intent.act != t.NEW:
            amend(state, params, intent, cause, number + 1 + k)
        elif intent.is_exit:
            intend(state, params, intent, cause, number)
        else:
            intend(state, params, intent, cause, number + 1 + k)
            if params.drills.duplicate_order:
                intend(state, params, intent, cause, number + 1 + k + _TWICE)
    state.due[t.LOOK] = min(strategy.next_clock_ns, strategy.look_ns, strategy.exit_ns)
    return False


@kernel
def sample(state, params, output):
    """Write the row of a clock decision: what we saw, the raw signal, how we truly stand."""
    seen = state.seen
    row = output.samples[output.cursor.samples]
    output.cursor.samples += 1
    row.t_ns = state.now_ns
    row.external_px = seen.external_px * params.tick_px
    row.market_px = 0.5 * state.desk.account.mark * params.tick_px  # the last whole quote's
    row.divergence = state.strategy.divergence
    row.action = state.strategy.action
    row.equity = state.account.equity * params.unit_value
    row.realized_pnl = state.account.realized * params.unit_value
    row.position = state.account.position
    row.halted = state.risk.halted
    row.regime = seen.regime
    row.pending = state.desk.pending_buy + state.desk.pending_sell
