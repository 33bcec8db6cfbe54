"""What the drills' page says: figures, sentences and tables, as escaped HTML. Plain words, units, no jargon."""

from __future__ import annotations

import math
from html import escape

from lablib.drills import Drill
from lablib.drills.exercise import Step
from lablib.drills.faults import AT_LIMIT, BEFORE
from lablib.drills.timeline import NEVER
from lablib.kernels import tables as t
from lablib.widgets import readouts

_BREACH_UNITS = {
    **dict.fromkeys((t.STALE_FEED, t.STALE_VENUE, t.ORDER_TIMEOUT), ("ms", 0)),
    t.DAILY_LOSS: ("of the day’s realised loss", 2),
    t.DRAWDOWN: ("below the peak", 2),
    t.LOSS_STREAK: ("round trips", 0),
    t.FEED_GAP: ("messages", 0),
}
REASONS = {
    t.STALE_FEED: "the price feed has been silent for too long",
    t.STALE_VENUE: "the venue has been silent for too long",
    t.ORDER_TIMEOUT: "an order has gone unanswered for too long",
    t.DRAWDOWN: "the loss has reached its limit",
    t.DAILY_LOSS: "the day’s loss has reached its limit",
    t.FEED_GAP: "messages of the venue are missing",
    t.LOSS_STREAK: "too many losing trades in a row",
    t.ORDER_NOTIONAL: "larger than one order may be",
    t.OPEN_ORDERS: "one open order too many",
    t.ORDER_RATE: "too many orders in a second",
    t.PRICE_COLLAR: "its price is too far from the price outside",
    t.GROSS_EXPOSURE: "it could take the position beyond its limit",
    t.CROSSED_QUOTES: "the quotes make no sense",
}


def ms(value: float) -> str:
    """A time since the fault, or that it never came.

    >>> ms(505.0), ms(0.25), ms(float("nan"))
    ('505 ms', '0.25 ms', 'never')
    """
    if math.isnan(value):
        return "never"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    text = f"{value:,.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if digits else text} ms"


def money(value: float) -> str:
    """An amount, or a dash where there is none."""
    return "–" if math.isnan(value) else readouts.signed(value)


def amount(value: float) -> str:
    """A loss or a cost: no sign where it is one.

    >>> amount(2_121.3), amount(-149.0)
    ('2,121.30', '−149.00')
    """
    return "–" if math.isnan(value) else f"{value:,.2f}".replace("-", "−")


def count(number: int, name: str) -> str:
    """So many of something.

    >>> count(1, "order"), count(2_000, "order")
    ('1 order', '2,000 orders')
    """
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"


def reason(code: int) -> str:
    """Why something stopped us, as one would say it."""
    return REASONS.get(code, readouts.reason(code))


# ------------------------------------------------------------------------------------- key figures
def tiles(drill: Drill | None, now_ns: int, *, over: bool) -> str:
    """The strip of key figures; what has not happened yet is left open."""
    if drill is None:
        names = ["Noticed after", "Halted after", "Nothing held after", "Fills after the halt"]
        names += ["Lost beyond the limit", "Lost since the fault", "Being late cost"]
        blank = [readouts.tile(name, "…") for name in names]
        return f'<div class="lrl-kpis lrl-whole lrl-num">{"".join(blank)}</div>'
    halt = drill.halt

    def when(value: float, at_ns: int) -> str:
        if at_ns != NEVER and at_ns <= now_ns:
            return ms(value)
        if not over:
            return "…"
        return (
            "no need"
            if drill.what.prompt == BEFORE and halt.refused and not halt.slipped
            else "never"
        )

    seen = min((at for at in (halt.t_ns, halt.refused_ns) if at != NEVER), default=NEVER)
    baseline = (
        "of the day’s realised loss, at worst" if _of_the_day(drill) else "from the peak, at worst"
    )
    lots = f"{halt.lots_after:,} lots, nobody could stop" if halt.lots_after else "none on its way"
    cost, note = ("…", "") if not over else _cost_tile(drill)
    figures = [
        readouts.tile("Noticed after", when(drill.noticed_ms, seen), "from the fault"),
        readouts.tile("Halted after", when(drill.halted_ms, halt.t_ns), "no new order from here"),
        readouts.tile(
            "Nothing held after", when(drill.flat_ms, halt.flat_ns), "the last trade at the venue"
        ),
        readouts.tile("Fills after the halt", f"{halt.fills_after:,}" if over else "…", lots if over else ""),
        readouts.tile(
            "Lost beyond the limit", f"{drill.overshoot:,.2f}" if over else "…", baseline
        ),
        readouts.tile("Lost since the fault", amount(drill.loss) if over else "…", "from the fault to the end"),
        readouts.tile("Being late cost", cost, note, "lrl-home" if over and drill.cost > 0 else ""),
    ]  # fmt: skip
    return f'<div class="lrl-kpis lrl-whole lrl-num">{"".join(figures)}</div>'


def _of_the_day(drill: Drill) -> bool:
    """Whether the limit on losses that counts is the day's; the other one counts from the peak."""
    if drill.halt.reason in (t.DAILY_LOSS, t.DRAWDOWN):
        return drill.halt.reason == t.DAILY_LOSS
    return drill.run.last.overshoot > drill.run.last.drawdown_overshoot


def _cost_tile(drill: Drill) -> tuple[str, str]:
    if drill.what.prompt == BEFORE:
        stopped = drill.halt.refused and not drill.halt.slipped
        return ("0.00", "stopped before it left") if stopped else ("–", "it was not stopped")
    if math.isnan(drill.cost):
        return "–", "no limit was crossed"
    if math.isnan(drill.late_ms):
        return amount(drill.cost), "nothing stopped it"
    return amount(drill.cost), "against no delay: {} by the halt, {} after it".format(*split(drill))


def headline(drill: Drill) -> str:
    """The one sentence to take home."""
    halt, late, cost = drill.halt, ms(drill.late_ms), f"{abs(drill.cost):,.2f}"
    parts = "" if math.isnan(drill.late_ms) else _parts(drill)
    since = "the loss crossed the limit" if drill.what.prompt == AT_LIMIT else "the fault began"
    if drill.what.prompt == BEFORE:
        text = (
            f"The check held the first wrong order back <b>{ms(drill.noticed_ms)}</b> after the fault began,"
            f" before it left, and {count(halt.refused, 'order')} in all. A check that stands before the order is"
            " never late."
            if halt.refused and not halt.slipped
            else f"<b>The check came too late:</b> {count(halt.slipped, 'order')} left before one was held back."
            if halt.refused
            else "<b>Nothing held the orders back.</b> The check that is meant to is off, or too wide."
        )
    elif drill.due_ns == NEVER:
        text = (
            "The loss never crossed the limit, so there was nothing to stop. Let the market fall faster, or"
            " draw the limit closer."
        )
    elif halt.t_ns == NEVER:
        text = f"<b>Nothing stopped it.</b> A switch pulled at once would have saved <b>{cost}</b>."
    elif drill.halt.closing_ns >= drill.end_ns:
        text = (
            f"<b>Halting is not closing.</b> The switch latched {late} after {since}, but the closing order could"
            f" not leave before the fault was over: {drill.loss:,.2f} lost since it began. An earlier halt would"
            f" have changed that by {cost}."
        )
    elif drill.cost > 0:
        text = (
            f"<b>Being late cost {cost}:</b> {parts}. A switch pulled at once, with no delay on any wire,"
            " would have saved all of it."
        )
    else:
        text = (
            f"<b>You were {late} late, and lucky:</b> the market came back, and being late earned {cost}. What it"
            f" cost: {parts}. See what it does on other markets."
        )
    if drill.cut_short:
        end = ms((drill.end_ns - drill.begin_ns) / t.NS_PER_MS)
        text += (
            f" <b>But the fault was over {end} after it began, before all that it made late had come:</b> from then"
            " on nothing was late and the market no longer went against you. So long a delay may cost more; let"
            " the fault last longer."
        )
    if halt.t_ns != NEVER and halt.held_lots:
        text += f" At the end {abs(halt.held_lots):,} lots are still held."
    return f'<div class="lrl-take">{text}</div>'


def split(drill: Drill) -> tuple[str, str]:
    """What being late had cost by the latch, and what came after it: to the cent, they add up to the cost."""
    by = round(drill.cost_by_halt, 2)
    return amount(by + 0.0), amount(round(drill.cost, 2) - by + 0.0)


def _parts(drill: Drill) -> str:
    """What being late cost until the latch, and what the slow close added."""
    halt = drill.halt
    since = "the loss crossed the limit" if drill.what.prompt == AT_LIMIT else "the fault began"
    until = "the end"
    if halt.flat_ns != NEVER:
        until = f"the last trade, {ms((halt.flat_ns - halt.t_ns) / t.NS_PER_MS)} later"
    by, after = (f"{part} (a gain)" if part.startswith("−") else part for part in split(drill))
    return (
        f"<b>{by}</b> until the switch latched, {ms(drill.late_ms)} after {since}, and <b>{after}</b> while the"
        f" close was under way, until {until}"
    )


def banner(drill: Drill, now_ns: int) -> str:
    """What stands across the position while trading is halted."""
    halt = drill.halt
    if halt.t_ns == NEVER or now_ns < halt.t_ns:
        return ""
    return f"Halted {ms(drill.halted_ms)} after the fault: {reason(halt.reason)}"


# --------------------------------------------------------------------------------------- timeline
def timeline(drill: Drill, now_ns: int) -> str:
    """What happened, when, and what it had cost by then; with the run without delay beside it."""
    rows = []
    for step in drill.steps[:-1]:  # the last is the end of the run: nothing happens there
        for title, text in _told(drill, step):
            rows.append(_line(drill, step, title, text, now_ns))
    head = "".join(
        f'<th class="{side}" style="width:{width}" title="{escape(tip)}">{escape(name)}</th>'
        for name, side, width, tip in (
            ("what happened", "", "22%", ""),
            ("after the fault", "r", "88px", "Simulated time since the fault began"),
            ("since the fault", "r", "88px", "Profit or loss since the fault began, at the venue’s prices"),
            (
                "no delay",
                "r",
                "88px",
                "The same run, its switch pulled as soon as there was reason to, no wire taking any time",
            ),
            ("", "", "auto", ""),
        )
    )  # fmt: skip
    return f'<table class="lrl-tape lrl-num lrl-steps"><tr>{head}</tr>{"".join(rows)}</table>'


def _line(drill: Drill, step: Step, title: str, text: str, now_ns: int) -> str:
    if step.t_ns > now_ns:
        kind, at, pnl, prompt, text = "ahead", "…", "", "", ""
    elif step.t_ns == NEVER:
        kind, at, pnl, prompt = "ahead", "never", "", ""
    else:
        kind = "risk" if step.name == "halt" else ""
        at = ms((step.t_ns - drill.begin_ns) / t.NS_PER_MS)
        pnl, prompt = money(step.pnl), money(step.prompt_pnl)
    cells = "".join(f'<td class="r">{escape(word)}</td>' for word in (at, pnl, prompt))
    words = f'<td title="{escape(text, quote=True)}">{escape(text)}</td>'
    return f'<tr class="{kind}" data-step="{step.name}"><td>{escape(title)}</td>{cells}{words}</tr>'


def _told(drill: Drill, step: Step) -> list[tuple[str, str]]:
    """Title and words of a step; two lines where two things happen within one instant."""
    halt, what = drill.halt, drill.what
    never = step.t_ns == NEVER
    if step.name == "fault":
        return [("The fault begins", what.title)]
    if step.name == "limit":
        known = halt.reason in (t.DRAWDOWN, t.DAILY_LOSS)
        told = f"{halt.limit:,.2f} " if known else ""
        told += "of the day’s realised loss" if _of_the_day(drill) else "below the peak it stood at"
        told += ", at the venue; nobody here knows yet"
        return [("The loss crosses the limit", "not reached" if never else told)]
    if step.name == "refusal":
        told = f"{reason(halt.refused_for)}; {halt.refused:,} held back in all"
        return [("A check holds an order back", "no check held one back" if never else told)]
    if step.name == "halt":
        if never:
            return [("The control notices", "nothing noticed")]
        flying = count(halt.in_flight, "order")
        left = f"on their way, beyond recall: {flying}, {count(halt.in_flight_lots, 'lot')}"
        left = left if halt.in_flight else "no order is on its way"
        return [
            ("The control notices", f"{reason(halt.reason)}: {_breach(drill)}"),
            ("The switch latches, the stop leaves", f"no new order from here; {left}"),
        ]
    words = {
        "leave": ("The closing order leaves", "to give back what is held"),
        "unstopped": (
            "The last of those on their way trades",
            f"{count(halt.fills_after, 'fill')} after the halt, {count(halt.lots_after, 'lot')}",
        ),
        "flat": ("The last trade: nothing is held", "the loss stops moving here"),
        "known": ("You know that it is over", "the venue’s confirmation has arrived"),
        "repair": ("The fault is over", ""),
    }
    missing = {
        "leave": "there was nothing to close, or it could not leave",
        "unstopped": "no order was on its way",
        "flat": f"{abs(halt.held_lots):,} lots are still held",
        "known": "",
    }
    title, text = words[step.name]
    return [(title, missing.get(step.name, "") if never else text)]


def _breach(drill: Drill) -> str:
    unit, digits = _BREACH_UNITS.get(drill.halt.reason, ("", 2))
    known = "as far as it knows, " if drill.halt.reason in (t.DAILY_LOSS, t.DRAWDOWN) else ""
    told = f"{drill.halt.value:,.{digits}f} {unit}, {drill.halt.limit:,.{digits}f} allowed"
    return known + told
