"""Checks before an order and guards behind it: what each stops, what it lets pass, and when."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markets import MS, recorded
from stepping import values, watch

from lablib.commands import Command
from lablib.config import SimConfig
from lablib.engine import Simulation
from lablib.frame import Frame
from lablib.kernels import account as books
from lablib.kernels import risk as rules
from lablib.kernels import tables as t
from lablib.run import Run, run

SECOND = t.NS_PER_S
QUICK = {"external.interval_ms": 5.0, "strategy.decision_interval_ms": 5.0}
QUICK |= {"strategy.threshold": 0.0005, "strategy.exit": "close", "venue.fee_bps": 5.0}
WIRED = {f"latency.{wire}_ms": 2.0 for wire in ("external_feed", "venue_feed", "order_entry")}
WIRED |= {"latency.ack_ms": 2.0, "latency.decision_ms": 0.5}


def halts(told: Run | Frame) -> list[tuple[float, str, float, float]]:
    """What latched: ms, reason, value, limit."""
    return [
        (int(row["t_ns"]) / MS, t.REASONS[row["reason"]], float(row["value"]), float(row["limit"]))
        for row in told.risk_events
    ]


def record(of: np.dtype, /, **fields: Any) -> Any:
    """An all-zero record but for these fields."""
    made: Any = np.zeros(1, of)[0]
    for name, value in fields.items():
        made[name] = value
    return made


# --------------------------------------------------------------------------------- checks before
@given(gaps=st.lists(st.integers(0, SECOND // 2), min_size=1, max_size=60), most=st.integers(1, 5))
def test_no_stretch_of_one_second_has_more_orders_than_allowed(gaps, most):
    risk = record(t.RISK)
    sent: list[int] = []
    for now in np.cumsum(gaps).tolist():
        refused = rules.too_fast(risk, most, now)
        assert refused == (sum(now - at < SECOND for at in sent) >= most)
        if not refused:
            rules.count_sent(risk, now)
            sent.append(now)


def test_the_highest_rate_that_can_be_asked_for_is_kept_too():
    risk = record(t.RISK)
    for k in range(3 * t.N_RATE):
        assert rules.too_fast(risk, t.N_RATE, k) == (k >= t.N_RATE)
        if k < t.N_RATE:
            rules.count_sent(risk, k)
    assert not rules.too_fast(risk, t.N_RATE, SECOND)


@pytest.mark.compiled
def test_a_faster_strategy_is_cut_to_its_rate():
    fast = QUICK | {"strategy.stack": True, "strategy.exit": "never", "risk.max_gross_pct": 1_000}
    free = run(fast, seed=3, until="5s")
    held = run(fast | {"risk.max_orders_per_s": 7}, seed=3, until="5s")
    at = held.orders["created_at"][held.orders["status"] == t.FILLED]
    assert (at[7:] - at[:-7] >= SECOND).all()
    assert held.summary()["rejected_by_reason"] == {"order_rate": free.orders.size - at.size}
    assert at.size > 20


@pytest.mark.compiled
def test_orders_under_way_count_against_the_open_ones():
    slow = QUICK | {"strategy.stack": True, "strategy.exit": "never", "risk.max_gross_pct": 1_000}
    slow |= {"latency.order_entry_ms": 20.0, "latency.ack_ms": 20.0}
    free = run(slow, seed=3, until="5s")
    held = run(slow | {"risk.max_open_orders": 3}, seed=3, until="5s")

    def most_open(done: Run) -> int:
        sent = done.orders[done.orders["status"] != t.REJECTED]
        known = np.where(sent["filled_at"] < 0, t.FAR, sent["filled_at"])
        return max(int(np.sum(known[:k] > at)) + 1 for k, at in enumerate(sent["created_at"]))

    assert most_open(free) > 3
    assert most_open(held) == 3
    assert set(held.summary()["rejected_by_reason"]) == {"open_orders"}


@pytest.mark.compiled
def test_the_collar_holds_back_exactly_the_prices_beyond_it():
    collar = 0.0035
    done = run({"risk.price_collar_pct": collar}, seed=5, until="5min")
    entries = done.orders[done.orders["is_exit"] == 0]
    seen = done.samples[np.searchsorted(done.samples["t_ns"], entries["looked_at"])]
    off = np.abs(seen["market_px"] - seen["external_px"]) > collar * seen["external_px"]
    assert 10 < off.sum() < off.size
    assert ((entries["reason"] == t.PRICE_COLLAR) == off).all()


@pytest.mark.parametrize(
    ("kind", "side", "limit", "refused"),
    [
        (t.MARKET, t.BUY, 0, False),  # takes the ask, 101
        (t.MARKET, t.SELL, 0, True),  # takes the bid, 97
        (t.LIMIT, t.BUY, 98, False),
        (t.LIMIT, t.BUY, 97, True),  # too good is wrong too
        (t.POST_ONLY, t.SELL, 102, False),
        (t.IOC, t.SELL, 103, True),
    ],
)
def test_the_collar_goes_by_the_price_an_order_names_or_the_touch_it_takes(
    kind, side, limit, refused
):
    seen = record(t.SEEN, bid=97, ask=101, external_px=100.0)
    order = record(t.OWN_ORDER, kind=kind, side=side, limit_ticks=limit)
    assert rules.off_collar(seen, 0.02, rules.price_of(seen, order)) == refused


def test_a_market_order_without_a_touch_has_no_price():
    seen = record(t.SEEN, bid=99, ask=t.NO_ASK, external_px=100.0)
    order = record(t.OWN_ORDER, kind=t.MARKET, side=t.BUY)
    assert rules.off_collar(seen, 1.0, rules.price_of(seen, order))


@pytest.mark.compiled
@pytest.mark.parametrize("guard", [{"max_orders_per_s": 20}, {"price_collar_pct": 0.004}])
def test_what_an_order_may_not_be_it_may_not_become(guard):
    """A maker who moves his quotes by replaces: whatever leaves us, new or moved, is within the limit."""
    config = (
        QUICK | WIRED | {"venue.model": "flow", "flow.speed": 20.0, "risk.max_gross_pct": 1_000}
    )
    config |= {"strategy.name": "market_maker", "strategy.requote": "replace"}
    config |= {"strategy.maker.around": "mid"}  # which the external price leaves behind
    config |= {f"risk.{name}": limit for name, limit in guard.items()}
    moved = refused = tail = 0
    at: list[int] = []
    for state, params, _source in watch(SimConfig().replace(config), 5, 20_000):
        wire = state.wires[t.ORDER_ENTRY]
        for k in range(tail, int(wire.tail)):
            message = wire.messages[k & (t.N_MESSAGES - 1)]
            if message.kind not in (t.NEW, t.REPLACE) or state.own[message.ref].is_exit:
                continue
            own = state.own[message.ref]
            px = int(message.b if message.kind == t.REPLACE else own.limit_ticks)
            moved += message.kind == t.REPLACE
            at.append(int(message.sent_ns))
            if collar := params.risk.price_collar_pct:
                assert abs(px - state.seen.external_px) <= collar * state.seen.external_px
        tail = int(wire.tail)
        refused = int(state.risk.rejected[[t.ORDER_RATE, t.PRICE_COLLAR]].sum())
    if most := guard.get("max_orders_per_s"):
        assert (np.subtract(at[most:], at[:-most]) >= SECOND).all()
    assert moved > 5
    assert refused > 5


def test_no_check_holds_back_an_exit():
    strict = record(
        t.RISK_PARAMS,
        max_open_orders=1,
        max_orders_per_s=1,
        price_collar_pct=1e-9,
        refuse_crossed=1,
        max_gross_pct=1e-9,
        check_notional=1,
    )
    desk = record(t.DESK, working=5)
    seen = record(t.SEEN, bid=12, ask=9, external_px=100.0)
    risk = record(t.RISK, halted=1, sent=1)
    order = record(t.OWN_ORDER, kind=t.MARKET, side=t.SELL, lots=7, is_exit=1)
    assert rules.may_send(risk, desk, seen, strict, order, 0) == t.OK
    order.is_exit = 0
    assert rules.may_send(risk, desk, seen, strict, order, 0) == t.HALTED


@pytest.mark.compiled
def test_checks_and_guards_that_never_trip_change_nothing():
    wide = {
        "risk.max_open_orders": 256,
        "risk.max_orders_per_s": t.N_RATE,
        "risk.price_collar_pct": 1.0,
        "risk.refuse_crossed": True,
        "risk.drawdown_cap_pct": 1.0,
        "risk.max_loss_streak": 1_000_000,
        "risk.max_lost_messages": 1,
        "risk.stale_external_ms": 60_000.0,
        "risk.stale_venue_ms": 60_000.0,
        "risk.order_timeout_ms": 60_000.0,
        "risk.check_books": True,
    }
    for preset in ("classroom", "retail"):
        off = run(preset, seed=2, until="3s")
        on = run(SimConfig.preset(preset).replace(wide), seed=2, until="3s")
        for name in ("samples", "orders", "fills", "risk_events"):
            assert getattr(on, name).tobytes() == getattr(off, name).tobytes()
        assert off.orders.size > 0


@pytest.mark.compiled
# -------------------------------------------------------------------------------- money guards
@pytest.mark.parametrize("seed", range(3))
def test_the_drawdown_cap_latches_at_the_first_mark_that_reaches_it(seed):
    cap = 0.001
    config = SimConfig().replace(
        QUICK | WIRED | {"risk.max_position_pct": 2.0, "risk.drawdown_cap_pct": cap}
    )
    peak = worst = 0
    for state, _params, _source in watch(config, seed, 20_000):
        equity = int(state.desk.account.equity)
        peak = max(peak, equity)
        fallen = peak - equity >= int(peak * cap)
        if fallen:
            worst = max(worst, peak - equity - int(peak * cap))
        assert bool(state.risk.halted) == (fallen or worst > 0)
        assert state.risk.drawdown_overshoot == worst
        if state.risk.halted and state.desk.account.position == 0 and not state.desk.open_orders:
            break
    assert t.REASONS[state.risk.reason] == "drawdown_cap"


@pytest.mark.compiled
def test_a_drawdown_is_told_in_currency_with_what_went_beyond_it():
    config = QUICK | WIRED | {"risk.max_position_pct": 2.0, "risk.drawdown_cap_pct": 0.001}
    done = run(config, seed=0, until="20s")
    ((_, reason, value, limit),) = halts(done)
    assert reason == "drawdown_cap"
    assert 100 <= limit <= value < 300
    assert limit == pytest.approx((done.samples["equity"].max()) * 0.001, rel=0.01)
    assert done.summary()["drawdown_overshoot"] >= value - limit
    assert done.last.position_lots == 0


def trips(fills: np.ndarray) -> list[tuple[int, int]]:
    """Money each round trip made, fees paid, where every trip ends flat; and which fill ended it."""
    made, ends, cash, position = [], [], 0, 0
    for k, fill in enumerate(map(values, fills)):
        cash -= fill.side * fill.lots * fill.price_ticks * t.MONEY + fill.fee_units
        before, position = position, position + fill.side * fill.lots
        assert before * position >= 0, "a flip"
        if position == 0:
            made.append(cash)
            ends.append(k)
            cash = 0
    return list(zip(made, ends, strict=True))


@pytest.mark.compiled
@pytest.mark.parametrize("most", [2, 3, 4])
def test_the_streak_latches_at_the_trip_that_makes_it_full(most):
    config = QUICK | {"latency.ack_ms": 1.0, "venue.fee_bps": 2.5}
    free = run(config, seed=1, until="20s")
    streak = end = 0
    for made, last in trips(free.fills):
        streak = streak + 1 if made < 0 else 0
        if streak == most:
            end = last
            break
    assert end > 2 * most
    done = run(config | {"risk.max_loss_streak": most}, seed=1, until="20s")
    at = free.fills["t_ns"][end] / MS + 1.0
    assert halts(done) == [(at, "loss_streak", most, most)]
    assert not (done.fills["t_ns"] > at * MS + 1).any()


def test_a_round_trip_ends_flat_or_on_the_other_side():
    risk, account = record(t.RISK), record(t.ACCOUNT)
    streaks = []
    for side, lots, px, fee in (
        (1, 10, 100, 5),  # opens
        (-1, 4, 90, 0),  # loses, but the trip goes on
        (-1, 6, 90, 0),  # lost: 1
        (-1, 5, 90, 0),
        (1, 8, 89, 0),  # won and turned: 0
        (-1, 3, 89, 1),  # neither won nor lost but for its fee: 1
        (1, 2, 50, 0),
        (-1, 2, 50, 0),  # nothing at all is not a loss: 0
        (1, 2, 50, 0),
        (-1, 3, 49, 0),  # lost and turned: 1
        (1, 1, 50, 0),  # lost: 2
    ):
        before = account.position
        books.settle(account, side, lots, lots * px, fee)
        rules.count_trip(risk, account, before)
        streaks.append(int(risk.streak))
    assert streaks == [0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 2]


@pytest.mark.compiled
def test_an_opened_latch_does_not_shut_again_for_the_same_past():
    config = QUICK | WIRED | {"risk.max_position_pct": 1.0, "risk.drawdown_cap_pct": 0.004}
    first = run(config, seed=0, until="20s").risk_events[0]["t_ns"]
    opened = Command(int(first) + SECOND, "release")
    done = run(config, seed=0, until=(int(first) + SECOND) / SECOND + 0.05, commands=[opened])
    assert len(halts(done)) == 1
    assert not done.last.halted
    later = run(config, seed=0, until="60s", commands=[opened])
    assert [reason for _, reason, *_ in halts(later)] == ["drawdown_cap"] * 2
    assert later.risk_events["t_ns"][1] > opened.t_ns


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("guard", "rearmed"),
    [
        ({"risk.drawdown_cap_pct": 1e-5}, True),
        ({"risk.max_loss_streak": 1}, True),
        ({"risk.stale_external_ms": 3.0}, False),
    ],
)
def test_a_new_day_opens_what_money_shut_and_nothing_else(guard, rearmed):
    day = {"risk.day_length": "5s", "risk.rearm_each_day": True}
    done = run(QUICK | WIRED | day | guard, seed=1, until="30s")
    assert (done.last.halts > 1) == rearmed
    assert done.last.halts >= 1


@pytest.mark.compiled
def test_who_is_halted_by_hand_stays_halted_whatever_had_halted_us_before():
    """A loss has shut the latch, which the next day would open: then somebody pulls the brake."""
    config = QUICK | WIRED | {"risk.day_length": "5s", "risk.rearm_each_day": True}
    config |= {"risk.max_loss_streak": 1}
    day = 5 * SECOND
    first = int(run(config, seed=1, until="5s").risk_events["t_ns"][0])
    by_hand = Command((first + day) // 2, "halt")
    done = run(config, seed=1, until="20s", commands=[by_hand])
    told = [(at, reason) for at, reason, *_ in halts(done)]
    assert told == [(first / MS, "loss_streak"), (by_hand.t_ns / MS, "manual")]
    assert done.last.halts == 2
    entries = done.orders[done.orders["is_exit"] == 0]
    assert not (entries["created_at"] > by_hand.t_ns).any()
    assert (done.last.halt_reason, done.last.halted_at_ns) == ("manual", first)


# ------------------------------------------------------------------------------------- silence
def silent(guard: dict[str, Any], market: Any) -> list[tuple[float, str, float, float]]:
    return halts(run({"strategy.name": "idle"} | guard, market=market))


@given(gaps=st.lists(st.integers(1, 25), min_size=1, max_size=30), limit=st.integers(1, 25))
def test_the_external_feed_may_be_silent_up_to_its_limit_and_not_longer(gaps, limit):
    at = np.cumsum(gaps).tolist()
    market = recorded([(ms, 10_000 + ms) for ms in at], until_ms=at[-1] + 1)
    told = silent({"risk.stale_external_ms": limit}, market)
    late = [a for a, b in pairwise([0, *at]) if b - a > limit]
    if late:
        assert told == [(late[0] + limit + 1 / MS, "stale_feed", limit + 1 / MS, limit)]
    else:
        assert told == []


def test_silence_itself_is_found_where_nothing_happens_any_more():
    market = recorded([(10, 10_000), (20, 10_000)], until_ms=60_000)
    assert silent({"risk.stale_external_ms": 100.0}, market) == [
        (120 + 1 / MS, "stale_feed", 100 + 1 / MS, 100)
    ]


def test_a_quiet_venue_is_not_a_silent_one():
    still = [(10 * k, 10_000.0 + 0.9 * (k % 2)) for k in range(1, 100)]
    assert silent({"risk.stale_venue_ms": 50.0}, recorded(still)) == []
    moved = [*still[:30], (305, 10_001.0), *still[30:]]
    assert silent({"risk.stale_venue_ms": 50.0}, recorded(moved)) == [
        (355 + 1 / MS, "stale_venue", 50 + 1 / MS, 50)
    ]


def test_a_venue_that_answers_in_time_starts_a_new_silence():
    external = [(100, 10_003.0), (200, 10_005.0), (300, 10_020.0)]
    quotes = [(0, 9_999, 10_001), (150, 10_002, 10_004), (251, 10_004, 10_006)]
    assert silent({"risk.stale_venue_ms": 51.0}, recorded(external, quotes)) == [
        (351 + 1 / MS, "stale_venue", 51 + 1 / MS, 51)
    ]
    assert silent({"risk.stale_venue_ms": 50.0}, recorded(external, quotes)) == [
        (250 + 1 / MS, "stale_venue", 50 + 1 / MS, 50)
    ]


def test_each_feed_is_watched_by_its_own_limit():
    market = recorded([(100, 10_003.0), (150, 10_003.0), (190, 10_003.0)], until_ms=230)
    assert silent({"risk.stale_external_ms": 100.0}, market) == []
    both = {"risk.stale_external_ms": 100.0, "risk.stale_venue_ms": 100.0}
    assert [reason for _, reason, *_ in silent(both, market)] == ["stale_venue"]


def test_a_limit_changed_while_the_market_runs_is_looked_at_at_once():
    market = recorded([(10, 10_000)], until_ms=1_000)
    command = Command(300 * MS, "set", "risk.stale_external_ms", 200.0)
    done = run({"strategy.name": "idle"}, market=market, commands=[command])
    assert halts(done) == [(300, "stale_feed", 290, 200)]


@pytest.mark.compiled
def test_a_feed_still_silent_shuts_an_opened_latch_again():
    market = recorded([(10, 10_000)], until_ms=1_000)
    idle = {"strategy.name": "idle", "risk.stale_external_ms": 200.0}
    done = run(idle, market=market, commands=[Command(500 * MS, "release")])
    assert [reason for _, reason, *_ in halts(done)] == ["stale_feed", "stale_feed"]
    assert 500 < halts(done)[1][0] <= 701


# --------------------------------------------------------------------------- orders, messages, books
def test_an_order_may_be_unanswered_for_its_limit_and_not_longer():
    slow = {"latency.order_entry_ms": 100.0, "latency.ack_ms": 100.0, "latency.decision_ms": 7.0}
    assert halts(run(slow | {"risk.order_timeout_ms": 207.0}, seed=1, until="1min")) == []
    done = run(slow | {"risk.order_timeout_ms": 206.0}, seed=1, until="1min")
    first = int(done.orders["looked_at"][0]) / MS
    assert halts(done) == [(first + 206 + 1 / MS, "order_timeout", 206 + 1 / MS, 206)]


@pytest.mark.compiled
def test_an_order_that_rests_is_not_late():
    config = {"strategy.name": "passive_divergence", "strategy.threshold": 1e-4}
    config |= {"risk.order_timeout_ms": 10.0, "venue.half_spread_ticks": 30}
    done = run(config, seed=1, until="20s")
    assert (done.orders["acted_at"] - done.orders["received_at"] > 10 * MS).any()
    assert halts(done) == []


@pytest.mark.compiled
@pytest.mark.parametrize("most", [1, 5])
def test_missing_numbers_of_the_venue_feed_latch_when_there_are_too_many(most):
    config = SimConfig().replace(
        QUICK | WIRED | {"drills.feed_gap": 0.1, "risk.max_lost_messages": most}
    )
    heard = 0
    for state, _params, source in watch(config, 4, 3_000):
        heard += source == t.SEE_VENUE
        lost = int(state.seen.numbered) - heard
        assert state.risk.lost == lost
        assert bool(state.risk.halted) == (lost >= most)
    assert t.REASONS[state.risk.reason] == "feed_gap"


def spoiled(path: str, by: int, config: dict[str, Any]) -> Simulation:
    """A run with one number of its state moved at ten seconds, played on to twenty."""
    simulation = Simulation(config, seed=2)
    simulation.play(10 * SECOND)
    *way, name = path.split(".")
    place = simulation._state
    for step in way:
        place = place[step]
    place[name] += by
    simulation.play(20 * SECOND)
    return simulation


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["cash", "realized", "fees", "basis", "start"])
@pytest.mark.parametrize("whose", ["account", "desk.account"])
def test_one_unit_astray_in_either_account_latches(whose, name):
    config = QUICK | WIRED | {"risk.check_books": True}
    simulation = spoiled(f"{whose}.{name}", 1, config)
    ((at, reason, value, limit),) = halts(simulation.frame())
    assert (reason, limit) == ("invariant", 0.0)
    assert value == simulation.config.unit_value
    assert at > 10_000


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["pending_buy", "pending_sell", "exit_pending"])
def test_lots_that_cannot_be_latch(name):
    simulation = spoiled(f"desk.{name}", -(1 << 40), QUICK | WIRED | {"risk.check_books": True})
    ((_, reason, value, _),) = halts(simulation.frame())
    assert reason == "invariant"
    assert value > 1 << 39


def test_a_cost_without_a_position_cannot_be():
    desk = record(t.DESK)
    assert rules.impossible_lots(desk) == 0
    desk.account.basis = -3
    assert rules.impossible_lots(desk) == 1
    desk.account.position = -1
    assert rules.impossible_lots(desk) == 0


@pytest.mark.compiled
def test_books_in_order_and_books_nobody_checks_do_not_latch():
    assert (
        halts(spoiled("account.cash", 0, QUICK | WIRED | {"risk.check_books": True}).frame()) == []
    )
    assert halts(spoiled("account.cash", 1, QUICK | WIRED).frame()) == []


# ------------------------------------------------------------------------------------ what is told
def test_a_guards_halt_travels_withdraws_what_rests_and_flattens():
    config = QUICK | WIRED | {"strategy.exit": "never", "latency.cancel_ms": 30.0}
    config |= {"risk.stale_external_ms": 100.0, "latency.order_entry_ms": 30.0}
    done = run(
        config, seed=1, until="2s", commands=[Command(SECOND, "set", "drills.stale_feed", True)]
    )
    ((at, reason, *_),) = halts(done)
    assert (at, reason) == (1_102 + 1 / MS, "stale_feed")  # the last price left at 1 s
    last = done.orders[-1]
    assert last["is_exit"] == 1
    assert (last["created_at"] - last["looked_at"], last["looked_at"]) == (MS // 2, 1_102 * MS + 1)
    assert last["received_at"] == last["created_at"] + 30 * MS
    assert done.last.position_lots == 0
    passive = {"strategy.name": "passive_divergence", "venue.half_spread_ticks": 300}
    waiting = run(config | passive, seed=1, until="2s", commands=[Command(SECOND, "halt")])
    withdrawn = waiting.orders[waiting.orders["reason"] == t.HALTED]
    assert withdrawn["status"].tolist() == [t.CANCELLED]
    assert withdrawn["acted_at"].tolist() == [SECOND + 30 * MS]


def test_refusals_are_counted_by_reason_and_shared_until_there_is_a_new_one():
    simulation = Simulation({"risk.price_collar_pct": 0.0035}, seed=5)
    before = simulation.frame()
    assert dict(before.rejected) == {}
    new = set()
    for k in range(1, 400):
        frame = simulation.advance(k * 100 * MS)
        refused = int(np.sum(frame.orders["reason"] == t.PRICE_COLLAR))
        assert sum(frame.rejected.values()) == sum(before.rejected.values()) + refused
        assert (frame.rejected is before.rejected) == (refused == 0)
        new.add(refused)
        before = frame
    assert len(new) > 1
    assert list(frame.rejected) == ["price_collar"]
    with pytest.raises(TypeError, match="does not support item assignment"):
        frame.rejected["price_collar"] = 0


@pytest.mark.compiled
def test_a_summary_counts_rejected_orders_by_reason_those_of_the_venue_too():
    config = {"strategy.name": "passive_divergence", "risk.price_collar_pct": 0.0035}
    told = run(config, seed=1, until="1min").summary()
    assert set(told["rejected_by_reason"]) == {"would_cross", "price_collar"}
    assert sum(told["rejected_by_reason"].values()) == told["rejected"]
