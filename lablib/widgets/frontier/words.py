"""What a frontier says in words and numbers: a cell's facts, its tooltip, the key figures; plane in, HTML out."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import numpy as np

from lablib.widgets import readouts
from lablib.widgets.frontier.plane import Plane


def facts(plane: Plane, row: int, column: int, link: str) -> str:
    """A cell in words; `link` is the way into it, as HTML."""
    assert plane.sweep is not None
    assert plane.frontier is not None
    told = plane.sweep.row(int(plane.frontier.cells[row, column]))
    if told["error"]:
        body = f'<div class="lrl-status bad">{escape(told["error"])}</div>'
    elif math.isnan(told["pnl_mean"]):
        body = '<div class="lrl-note">not run yet</div>'
    else:
        body = _table(told)
    title = f'<div class="lrl-title"><b>{escape(plane.where(row, column))}</b></div>'
    return title + body + link + _notes(plane)


def _notes(plane: Plane) -> str:
    """What the closed form is worth here."""
    if plane.frontier is None or not np.isfinite(plane.zero["theory"]).any():
        return ""
    if not plane.frontier.caveats:
        return '<div class="lrl-note">The closed form’s assumptions hold here.</div>'
    why = "; ".join(plane.frontier.caveats)
    coarse = " Against a delay P&amp;L then falls in steps too." if "in steps" in why else ""
    return f'<div class="lrl-note">The closed form is a guide only: {escape(why)}.{coarse}</div>'


def tip(plane: Plane, row: int, column: int) -> str:
    """A cell under the pointer; nothing where none is."""
    frontier = plane.frontier
    if frontier is None or not plane.has(row, column):
        return ""
    lines = [f"<b>{escape(plane.where(row, column))}</b>"]
    pnl = frontier.pnl[row, column]
    if math.isfinite(pnl):
        se = frontier.pnl_se[row, column]
        lines.append(f"P&amp;L {readouts.signed(pnl)} ± {se:,.2f} (standard error)")
        halted, over = frontier.halt_share[row, column], frontier.overshoot[row, column]
        lines.append(f"P(halt) {100 * halted:.3g} %, overshoot {over:,.2f}")
        lines.append(f"{frontier.fills[row, column]:,.1f} fills")
    else:
        lines.append("not run yet")
    return f'<div class="lrl-tip lrl-num">{"<br>".join(lines)}</div>'


def key_figures(plane: Plane, chosen: tuple[int, int] | None, spent_s: float, running: bool) -> str:
    """The row of tiles above the maps.

    Parameters
    ----------
    chosen
        The cell whose row or column the zero is of.
    spent_s
        Real time the sweep has taken.
    """
    tiles = _planned(plane) if plane.sweep is None else _tiles(plane, chosen, spent_s, running)
    return f'<div class="lrl-kpis lrl-num">{"".join(tiles)}</div>'


def _planned(plane: Plane) -> list[str]:
    x, y = plane.xs.size, plane.ys.size
    names = ("Time left", "Best cell", "Zero at", "P(halt)")
    first = readouts.tile("Cells", f"{x * y:,}", f"{x} × {y}")
    return [first, *(readouts.tile(name, "–") for name in names)]


def _tiles(
    plane: Plane, chosen: tuple[int, int] | None, spent_s: float, running: bool
) -> list[str]:
    sweep, frontier = plane.sweep, plane.frontier
    assert sweep is not None
    done, count = len(sweep), sweep.design.count
    if running:
        left = "starting" if not done else span(spent_s / done * (count - done))
        clock = readouts.tile("Time left", left, f"{span(spent_s)} so far")
    else:
        state = "done" if sweep.complete else "cancelled"
        clock = readouts.tile("Time", span(spent_s), state)
    runs = f"{done * len(sweep.seeds):,} runs of {stretch(plane)}"
    tiles = [readouts.tile("Cells", f"{done:,} of {count:,}", runs), clock]
    if frontier is None or not np.isfinite(frontier.pnl).any():
        return tiles + [readouts.tile(name, "–") for name in ("Best cell", "Zero at", "P(halt)")]
    # Of cells that are as good, the one furthest to the left: nobody should be told that late is best.
    alike = frontier.best()
    column, row = np.argwhere(alike.T)[0].tolist()
    best = readouts.signed(frontier.pnl[row, column])
    others = f"; {alike.sum() - 1:,} more as good" if alike.sum() > 1 else ""
    halted = f"{100 * np.nanmean(frontier.halt_share):.3g} %"
    tiles.append(readouts.tile("Best cell", best, plane.where(row, column) + others))
    tiles.append(_zero_tile(plane, chosen))
    tiles.append(readouts.tile("P(halt)", halted, "mean of all cells"))
    return tiles


def _zero_tile(plane: Plane, chosen: tuple[int, int] | None) -> str:
    along = plane.along
    zero = plane.zero[(chosen or (0, 0))[0 if plane.upright else 1]]
    if math.isnan(zero["at"]):
        return readouts.tile("Zero at", "none here", "in the chosen row")
    low, high = (
        f"{along.scale * zero[end]:.4g}" if math.isfinite(zero[end]) else "…"
        for end in ("low", "high")
    )
    note = f"{low} to {high}"
    if math.isfinite(zero["theory"]):
        note += f"; closed form {along.scale * zero['theory']:.4g}"
    return readouts.tile("Zero at", f"{along.scale * zero['at']:.4g} {along.unit}", note)


def _table(told: dict[str, Any]) -> str:
    """A cell's numbers with their standard errors."""
    rows = (
        ("P&L", "pnl", readouts.signed), ("Fees", "fees", "{:,.2f}".format),
        ("Fills", "fills", "{:,.1f}".format), ("Overshoot", "overshoot", "{:,.2f}".format),
        ("Largest drawdown", "max_drawdown", "{:,.2f}".format),
    )  # fmt: skip
    cells = []
    for label, name, form in rows:
        mean, error = told[f"{name}_mean"], told[f"{name}_se"]
        spread = f" ± {error:,.2f}" if math.isfinite(error) else ""
        cells.append((label, f"{form(mean)}{spread}"))
    cells.append(("P(halt)", f"{100 * told['halt_share']:.3g} %"))
    for label, name in (("News to fill, p50", "latency_p50_ms"), ("p99", "latency_p99_ms")):
        value = told[name]
        cells.append((label, readouts.milliseconds(value) if math.isfinite(value) else "no fill"))
    body = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in cells)
    return f'<table class="lrl-facts lrl-num">{body}</table>'


def stretch(plane: Plane) -> str:
    """Simulated time of a run."""
    return f"{plane.until_s:,.6g} s"


def span(seconds: float) -> str:
    """Seconds of real time as a person says them.

    >>> span(0.4), span(75), span(4_000)
    ('0.4 s', '1 min 15 s', '1 h 06 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"
