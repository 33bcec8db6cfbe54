"""Tape events from noise drawn in advance: candidates of order flow, and all sources on one tape."""

from __future__ import annotations

import math

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel

_CELL = 31  # the highest five bits of a word pick a cell of the alias table
_SHARE = (1 << 27) - 1  # the next 27 decide between the cell and its alias
_MARK = (1 << 32) - 1  # the lowest 32 are the mark


@kernel
def candidates(kind, start_ns, span_ns, rules, gaps, words, sizes, share, alias, events):
    """Write the candidates of one window, one per 64-bit word, at strictly increasing times.

    `gaps` are exponentials, one more than there are candidates; `sizes` uniforms, read only where
    orders differ in size.
    """
    total = 0.0
    for k in range(gaps.size):
        total += gaps[k]
    # A nanosecond is kept for each candidate, so that no two fall together.
    scale = (span_ns - words.size) / total
    shrink = 0.0
    if rules.mean_orders > 1.0:
        shrink = 1.0 / math.log(1.0 - 1.0 / rules.mean_orders)
    passed = 0.0
    for k in range(words.size):
        passed += gaps[k]
        word = words[k]
        outcome = (word >> 59) & _CELL
        if ((word >> 32) & _SHARE) >= share[outcome] * (_SHARE + 1):
            outcome = alias[outcome]
        event = events[k]
        event.time_ns = start_ns + 1 + k + int(passed * scale)
        event.kind = kind
        event.side = 1 - 2 * (outcome & 1)
        event.ticks = 1 + (outcome >> 1) if kind == t.FLOW_LIMIT else 0
        orders = 1
        if shrink != 0.0:
            orders += int(math.log(1.0 - sizes[k]) * shrink)
        event.lots = orders * rules.order_lots
        event.mark = ((word & _MARK) + 0.5) * 2.3283064365386963e-10  # 2**-32


@kernel
def merge(first, second, out):
    """Two sorted pieces of tape into one; at one instant the first goes first."""
    i = 0
    j = 0
    for k in range(out.size):
        if j == second.size or (i < first.size and first[i].time_ns <= second[j].time_ns):
            out[k] = first[i]
            i += 1
        else:
            out[k] = second[j]
            j += 1


@kernel
def follow(events, external, at_ns):
    """Stand where a run stands after these events: its EXTERNAL_STATE, and its last candidate of each kind."""
    for k in range(events.size):
        event = events[k]
        if event.kind == t.EXTERNAL:
            external.px = event.mark
            external.at_ns = event.time_ns
            external.index = event.ticks
            external.regime = event.lots
        else:
            at_ns[event.kind - t.FLOW_LIMIT] = event.time_ns
