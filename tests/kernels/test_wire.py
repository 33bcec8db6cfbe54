"""A wire: first in, first out, bounded; what finds no room is merged into the newest message."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lablib.kernels import tables as t
from lablib.kernels.wire import front, next_due, post, room, take


def wire() -> Any:
    return np.zeros(1, t.WIRE)[0]


def test_an_empty_wire_has_room_and_nothing_due():
    empty = wire()
    assert room(empty) == t.N_MESSAGES
    assert next_due(empty) == t.FAR


def test_nothing_overtakes():
    """A message that is faster than the one before waits for it."""
    line = wire()
    history = []
    for now, delay in ((10, 100), (20, 5), (30, 90), (200, 0)):
        message = line.messages[post(line, now, delay)]
        history.append((int(message.sent_ns), int(message.due_ns)))
    assert history == [(10, 110), (20, 110), (30, 120), (200, 200)]
    assert next_due(line) == 110
    assert room(line) == t.N_MESSAGES - 4
    assert line.peak == 4


def test_messages_are_read_in_the_order_they_were_sent():
    line = wire()
    for k in range(3 * t.N_MESSAGES):  # round the ring
        line.messages[post(line, k, 7)].ref = k
        if k >= 5:
            message = line.messages[front(line)]
            assert (message.ref, message.due_ns) == (k - 5, k + 2)
            take(line)
    assert line.conflated == 0


def test_a_full_wire_merges_into_the_newest_and_counts_it():
    line = wire()
    for k in range(t.N_MESSAGES):
        line.messages[post(line, k, 10_000)].ref = k
    assert room(line) == 0
    at = post(line, 50_000, 10_000)
    assert line.messages[at].ref == t.N_MESSAGES - 1
    assert line.messages[at].due_ns == 60_000
    assert (int(line.conflated), room(line), int(line.peak)) == (1, 0, t.N_MESSAGES)
    assert next_due(line) == 10_000
    take(line)
    assert room(line) == 1
    line.messages[post(line, 50_001, 0)].ref = 77
    assert line.messages[(line.tail - 1) & (t.N_MESSAGES - 1)].ref == 77
    assert line.conflated == 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 500), st.booleans()), max_size=200))
def test_arrivals_are_the_later_of_the_previous_one_and_sent_plus_delay(steps):
    line, now, sent, expected, last = wire(), 0, [], [], 0
    for pause, delay, read in steps:
        now += pause
        line.messages[post(line, now, delay)].ref = len(sent)
        last = max(last, now + delay)
        sent.append((now, last))
        if read:
            message = line.messages[front(line)]
            expected.append((int(message.ref), int(message.sent_ns), int(message.due_ns)))
            take(line)
    assert expected == [(k, *sent[k]) for k in range(len(expected))]
    left = len(sent) - len(expected)
    assert room(line) == t.N_MESSAGES - left
    assert next_due(line) == (sent[len(expected)][1] if left else t.FAR)
