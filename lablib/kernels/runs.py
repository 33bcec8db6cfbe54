"""play_runs(): many runs of one config, a seed each, without coming back in between.

What stands between two runs here takes microseconds and no lock, so that a sweep of short runs keeps
every thread busy. Only what came of a run is kept: its rows are written over.
"""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel
from lablib.kernels.step import advance, start


def _words_before(record, field):
    return record.fields[field][1] // 8


# Places in a STATE seen as 64-bit words. What is large there and seldom used stands at its end.
_WIRES, _BOOK = _words_before(t.STATE, "wires"), _words_before(t.STATE, "book")
_WIRE, _MESSAGE = t.WIRE.itemsize // 8, t.MESSAGE.itemsize // 8
_WIRE_HEAD, _BOOK_HEAD = _words_before(t.WIRE, "messages"), _words_before(t.BOOK, "matches")


@kernel
def blank(state, words):
    """All zeros again; `words` are the state's own. What was never used is zero and left alone."""
    for which in range(t.N_WIRES):
        at = _WIRES + which * _WIRE
        used = min(state.wires[which].tail, t.N_MESSAGES)
        words[at : at + _WIRE_HEAD + used * _MESSAGE] = 0
    end = words.size if state.book.fresh > 0 else _BOOK + _BOOK_HEAD
    words[_BOOK:end] = 0
    words[:_WIRES] = 0


@kernel
def drop_rows(cursor):
    """Make room by forgetting what was written."""
    cursor.samples = 0
    cursor.orders = 0
    cursor.fills = 0
    cursor.risk_events = 0


@kernel
def conclude(run, state, latency):
    """What came of a run, and its end-to-end latencies on top of those of the runs before it."""
    account = state.account
    run.equity = account.equity
    run.realized = account.realized
    run.fees = account.fees
    run.drawdown = account.drawdown
    run.fills = account.fills
    run.orders = state.desk.last_order_id
    run.halts = state.risk.halts
    run.overshoot = state.risk.overshoot
    own = state.latency[t.END_TO_END_LATENCY]
    latency.count += own.count
    latency.largest = max(latency.largest, own.largest)
    if own.count > 0:
        for bucket in range(t.N_BUCKETS):
            latency.buckets[bucket] += own.buckets[bucket]


@kernel
def play_runs(
    states, words, params, tape, outputs, runs, latencies, first, begun, until_ns, theirs
):
    """Play the runs from number `first` on to `until_ns`; the first goes on where it stands if `begun`.

    Returns how many runs are done: all of them, or those before the one whose tape is used up; -1 when
    the user's own strategy raised, in the run of `states`.
    `states`, `params`, `outputs` and `latencies` (HISTOGRAM) have shape (1,), `words` is `states` as
    64-bit integers, `runs` (RUN) has a row a run.
    """
    state = states[0]
    rules = params[0]
    cursor = outputs[0].cursor
    for k in range(first, runs.size):
        run = runs[k]
        if k > first or not begun:
            rules.key_low = run.key_low
            rules.key_high = run.key_high
            blank(state, words)
            drop_rows(cursor)
            start(state, rules, outputs[0])
            cursor.tape = run.tape
        code = t.NEED_ROOM
        while code == t.NEED_ROOM:
            drop_rows(cursor)
            code = advance(states, params, tape, outputs, until_ns, t.SEND, theirs)
        if code == t.NEED_TAPE:
            return k
        if code == t.STRATEGY_RAISED:
            return -1
        conclude(run, state, latencies[0])
    return runs.size
