"""Numbers and words: right, readable, and harmless."""

from __future__ import annotations

import pytest
from widgets.frames import S, frame, latency, rows

from lablib.kernels import tables as t
from lablib.widgets import readouts


def test_key_figures_tell_the_state_of_the_run():
    text = readouts.kpis(
        frame(
            3_661.5,
            equity=101_000.0,
            drawdown=250.0,
            max_drawdown=900.0,
            position_lots=-1_500,
            order_count=12,
            fill_count=15,
            latency=latency(10.0, 10.0, 250.0),
        ),
        100_000.0,
        "running",
    )
    for words in (
        "1:01:01.5",
        "101,000.00",
        "+1,000.00",
        "+1.00 %",
        "−250.00",
        "worst −900.00",
        "−1,500 lots",
        "15 fills",
        "Running",
    ):
        assert words in text
    assert "10.0 ms" in text
    assert "p99 250 ms" in text


def test_a_halt_stands_out_with_its_reason_and_time():
    text = readouts.kpis(
        frame(9, halted=True, halt_reason="daily_loss_cap", halted_at_ns=5 * S), 1e5, "halted"
    )
    assert "HALTED" in text
    assert "daily loss cap at 0:00:05.000" in text
    assert 'class="lrl-kpi halted whole"' in text


def twins(ours: float, theirs: float, halted: bool = False, **of_theirs):
    twin = frame(9, equity=1e5 + theirs, **({"fill_count": 50} | of_theirs))
    return frame(9, equity=1e5 + ours, halted=halted, halts=int(halted), twin=twin)


@pytest.mark.parametrize(
    ("moment", "value", "note"),
    [
        (twins(350.0, 1_000.0), "35 %", "−650.00 against the run without latency"),
        (twins(-200.0, 1_000.0), "−20 %", "−1,200.00 against the run without latency"),
        (twins(-998.84, 6e6, halted=True), "–", "halted; the run without latency traded on"),
        (twins(5.0, -5.0), "–", "no clear gain without latency either: −5.00"),
        (twins(5.0, 40.0, max_drawdown=50.0), "–", "no clear gain without latency either: +40.00"),
        (twins(5.0, 40.0, fill_count=3), "–", "fewer than 10 fills without latency"),
        (frame(9), "–", "no run without latency is played beside it"),
    ],
)
def test_what_is_left_of_the_edge_is_a_share_where_there_is_one_and_says_why_not(
    moment, value, note
):
    assert readouts.edge_left(moment, 1e5) == (value, note)
    text = readouts.kpis(moment, 1e5, "running")
    assert f'Left of the edge</span><span class="v">{value}</span><span class="s">{note}<' in text


def test_a_halt_says_how_far_beyond_its_cap_it_came_at_worst_and_what_is_left_of_it():
    halt = {"halted": True, "halt_reason": "daily_loss_cap", "halted_at_ns": 5 * S}
    halt |= {"overshoot": 866.09, "day_loss_cap": 2_000.0}
    told = readouts.halted(frame(9, day_loss=2_866.09, **halt))
    assert told == (
        "Halted: daily loss cap, at 0:00:05.000; at worst 866.09 beyond the cap of 2,000.00 on the day’s loss"
    )
    assert readouts.halted(frame(9, day_loss=998.84, **halt)).endswith(
        ", realised, which is 998.84 now"
    )
    halt = {"halted": True, "halt_reason": "drawdown_cap", "drawdown_overshoot": 5.0}
    assert readouts.halted(frame(9, **halt)).endswith(
        "; at worst 5.00 beyond the cap on the drawdown from the peak"
    )
    assert readouts.halted(frame(9, overshoot=5.0)) == ""


def test_without_a_fill_there_is_no_latency_to_show():
    assert "no fill yet" in readouts.kpis(frame(), 1e5, "created")


def test_the_tape_shows_the_newest_events_first_and_keeps_its_height():
    events = [(second * S, "command", f"event {second}") for second in range(40)]
    text = readouts.tape(events, 40)
    assert text.index("event 39") < text.index("event 38")
    assert "event 10<" not in text
    assert text.count("<tr") == readouts.tape([], 0).count("<tr") == readouts.LINES + 1
    assert "40 events" in text


def test_every_kind_of_event_is_told_in_words():
    order = {
        "order_id": 3,
        "kind": t.MARKET,
        "side": t.SELL,
        "lots": 1_200,
        "status": t.REJECTED,
        "reason": t.GROSS_EXPOSURE,
        "created_at": S,
        "acted_at": S + 2_500_000,
    }
    fill = {"order_id": 4, "side": t.BUY, "lots": 7, "price_px": 101.25, "fee": 0.5, "is_exit": 1}
    risk = {"reason": t.DAILY_LOSS, "value": 2_100.0, "limit": 2_000.0}
    events = [
        (S, "order", rows(t.ORDER, order)[0]),
        (S, "fill", rows(t.FILL, fill)[0]),
        (S, "risk", rows(t.RISK_EVENT, risk)[0]),
    ]
    text = readouts.tape(events, 3)
    assert "market refused: gross exposure, 2.50 ms to the match" in text
    assert "101.2500" in text
    assert "exit, taker, fee 0.5000" in text
    assert "daily loss cap: 2,100.00 against a limit of 2,000.00" in text
    assert 'class="sell">sell' in text


def test_codes_the_page_does_not_know_are_named_not_hidden():
    assert readouts.reason(99) == "reason 99"
    order = rows(t.ORDER, {"kind": 77, "status": 88, "side": 1})[0]
    assert "? ?" in readouts.tape([(0, "order", order)], 1)


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=1>', "a & b"])
def test_what_a_person_typed_is_shown_and_never_run(text):
    for html in (
        readouts.status([text], bad=True),
        readouts.tape([(0, "command", text)], 1),
        readouts.tile(text, text, text),
    ):
        assert text not in html
        assert "<script" not in html
        assert "<img" not in html


def test_nothing_to_say_is_no_status():
    assert readouts.status([]) == ""
    assert "bad" not in readouts.status(["fine"])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 µs"), (0.0004, "0.40 µs"), (0.999, "999 µs"), (1.0, "1.00 ms"), (60_000.0, "60.0 s")],
)
def test_latencies_have_about_three_digits(value, text):
    assert readouts.milliseconds(value) == text


@pytest.mark.parametrize("kind", range(t.POST_ONLY + 1))
@pytest.mark.parametrize("status", range(t.REJECTED + 1))
def test_every_kind_and_fate_of_an_order_has_a_word(kind, status):
    row = rows(t.ORDER, {"order_id": 1, "side": t.BUY, "kind": kind, "status": status})[0]
    assert "?" not in readouts.tape([(0, "order", row)], 1)
