"""The score card of the drills, and the same drill on many markets, as escaped HTML."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from lablib.drills import FAULTS
from lablib.drills.card import FAIL
from lablib.drills.faults import BEFORE
from lablib.widgets.drills.words import amount, count, ms

_HEADS = (
    ("drill", "", "22%", ""),
    ("noticed", "r", "7%", "From the fault to the first sign that something stands against it"),
    ("halted", "r", "7%", "From the fault until no new order could leave"),
    ("nothing held", "r", "8%", "From the fault to the last trade"),
    ("fills after", "r", "7%", "Trades after the halt of orders that were already on their way"),
    ("beyond limit", "r", "8%", "Lost beyond the limit on losses, the most there was (currency); from the"
                              " peak, or the day’s realised loss"),
    ("late by", "r", "8%", "The halt, against a switch pulled as soon as there was reason to"),
    ("late cost", "r", "8%", "What that switch, with no delay on any wire, would have saved (currency);"
                            " below it, what of this was there by the halt, and what came after it"),
    ("verdict", "", "25%", "Against the marks you set"),
)  # fmt: skip


def card(rows: np.ndarray) -> str:
    """The drills run so far, newest first."""
    lines = []
    for row in rows[::-1]:
        failed = row["verdict"] == FAIL
        times = [ms(float(row[name])) for name in ("noticed_ms", "halted_ms", "flat_ms")]
        if FAULTS[str(row["drill"])].prompt == BEFORE and not failed:
            times[1:] = ["no need"] * 2
        late = "–" if math.isnan(row["late_ms"]) else ms(float(row["late_ms"]))
        numbers = [*times, f"{row['fills_after']:,}", f"{row['overshoot']:,.2f}", late]
        cells = "".join(f'<td class="r">{escape(word)}</td>' for word in numbers)
        cells += f'<td class="r">{_cost(row)}</td>'
        why = escape(str(row["why"]), quote=True)
        verdict = (
            f'<td title="{why}"><b class="lrl-{row["verdict"]}">{row["verdict"]}</b> {why}</td>'
        )
        name = escape(FAULTS[str(row["drill"])].title)
        lines.append(
            f'<tr data-verdict="{row["verdict"]}" class="{"failed" if failed else ""}">'
            f'<td title="{name}, seed {row["seed"]}">{name}</td>{cells}{verdict}</tr>'
        )
    head = "".join(
        f'<th class="{side}" style="width:{width}" title="{escape(tip)}">{escape(name)}</th>'
        for name, side, width, tip in _HEADS
    )
    passed = int((rows["verdict"] != FAIL).sum()) if rows.size else 0
    told = f"{passed} of {rows.size} passed" if rows.size else "nothing run yet"
    title = f'<div class="lrl-title"><b>Score card</b><span class="lrl-now">{told}</span></div>'
    return (
        f'{title}<table class="lrl-tape lrl-num lrl-scores"><tr>{head}</tr>{"".join(lines)}</table>'
    )


def _cost(row: np.void) -> str:
    """What being late cost, and under it by the halt + after it: shown to the cent, they add up."""
    cost, by = (round(float(row[name]), 2) for name in ("cost", "cost_by_halt"))
    if math.isnan(cost):
        return amount(cost)
    parts = f"{amount(by + 0.0)} + {amount(cost - by + 0.0)}".replace("+ −", "− ")
    return f'{amount(cost + 0.0)}<span class="lrl-parts">{parts}</span>'


def spread(fault: str, rows: np.ndarray, asked: int) -> str:
    """The same drill on many markets, in two sentences."""
    costs = rows["cost"][np.isfinite(rows["cost"])]
    failed = int((rows["verdict"] == FAIL).sum())
    text = f"<b>{escape(FAULTS[fault].title)}</b>, on {rows.size} other markets: {failed} fail your marks."
    if costs.size > 1:
        error = costs.std(ddof=1) / math.sqrt(costs.size)
        text += (
            f" Being late cost <b>{amount(float(costs.mean()))}</b> on average"
            f" (95 % interval ± {1.96 * error:,.2f}), {amount(float(costs.max()))} at worst."
        )
    if rows.size < asked:
        text += f" {count(asked - rows.size, 'market')} had nothing to break."
    return f'<div class="lrl-status">{text}</div>'
