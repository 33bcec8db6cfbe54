"""Numbers in, words out: what happened in a run, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ROLES = ("leader", "follower")  # of the files of a recorded market

_CAUSES = {"latency": "latency's part of our fills"}  # another figure than that of the two runs

NEXT = """
  What to try next
    lablib serve                                      watch it live, and move the sliders
    lablib demo --set external.volatility_bps=80      a wilder market
    lablib run --preset late_brakes --until 1h        a kill switch that comes too late
    lablib presets                                    the other scenarios
"""


def outcome(summary: Mapping[str, Any]) -> str:
    """What happened: activity, money, latency and whether the kill switch latched.

    Parameters
    ----------
    summary
        `Run.summary()`: money in currency, latencies in ms.
    """
    seconds = summary["seconds"]
    lines = [
        f"{_span(seconds)} simulated: {summary['events']:,} events, {summary['decisions']:,} decisions,"
        f" {summary['orders']:,} orders, {summary['fills']:,} fills",
        f"P&L {summary['pnl']:+,.2f}: realised {summary['realized_pnl']:+,.2f},"
        f" unrealised {summary['unrealized_pnl']:+,.2f}, fees {-summary['fees']:+,.2f}",
        f"equity {summary['equity']:,.2f}, largest drawdown {summary['max_drawdown']:,.2f},"
        f" position {summary['position']:,} lots",
    ]
    if summary.get("attribution") and summary["fills"]:
        told = ", ".join(
            f"{_CAUSES.get(name, name.replace('_', ' '))} {value:+,.2f}"
            for name, value in summary["attribution"].items()
        )
        lines.insert(2, f"which is {told}")
    if summary.get("nonsense"):
        lines.append(
            f"{summary['nonsense']:,} answers or prices of the strategy were none: taken as hold, as nowhere"
        )
    if summary["latency_p50_ms"] is None:
        lines.append("no order was filled, so there is no latency to tell")
    else:
        lines.append(
            f"from news to fill {summary['latency_p50_ms']:,.3g} ms in the median,"
            f" {summary['latency_p99_ms']:,.3g} ms at the 99th percentile"
        )
    if "latency_cost" in summary:
        lines.append(_without_latency(summary))
    lines.append(_halt(summary))
    lines.append(f"digest {summary['digest']}")
    return "\n".join(f"  {line}" for line in lines)


def apart(ours: tuple[bool, int], theirs: tuple[bool, int]) -> str:
    """Why a run and its twin without latency cannot be compared; empty where they can.

    While one is halted and the other trades on, the difference of their profits is that of being there.

    Parameters
    ----------
    ours, theirs
        Whether the run is halted, and how often it was.

    Examples
    --------
    >>> apart((True, 1), (False, 0)), apart((True, 1), (True, 1))
    ('halted; the run without latency traded on', '')
    """
    if ours == theirs:
        return ""
    if ours[0] != theirs[0]:
        late = "halted; the run without latency traded on"
        return late if ours[0] else "the run without latency is halted; ours traded on"
    late = "was halted for a time; the run without latency traded on"
    return (
        late if ours[1] > theirs[1] else "the run without latency was halted for a time; ours not"
    )


def _without_latency(summary: Mapping[str, Any]) -> str:
    why = apart(
        (summary["halted"], summary["halts"]),
        (summary["halted_without_latency"], summary["halts_without_latency"]),
    )
    if why:
        return f"the same market met without latency is no comparison: {why}"
    return (
        f"the same market met without latency: P&L {summary['pnl_without_latency']:+,.2f} with"
        f" {summary['fills_without_latency']:,} fills; ours is {-summary['latency_cost']:+,.2f} against"
        " the run without latency"
    )


def recording(report: Mapping[str, Any]) -> str:
    """What a recorded market is worth: its book against its own quotes, who leads, what to mind.

    Parameters
    ----------
    report
        `Market.report`, of one venue or two.
    """
    book, lead = report["book"], report.get("lead_lag")
    who = "the leader" if "leader" in report else "its own quote"
    whose = "the follower" if "leader" in report else "the venue"
    lines = [
        f"recorded market: {report['events']['external']:,} moves of {who},"
        f" {report['events']['level']:,} level changes and {report['events']['trade']:,} trades of"
        f" {whose}",
        f"its book is told row by row, {book['levels']} deep"
        if "levels" in book
        else f"the rebuilt book shows the recorded best quote at {book['equal']:,} of"
        f" {book['comparisons']:,} comparable updates",
    ]
    if lead is not None:
        lines.append(
            f"the leader is ahead by {lead['peak_ms']:g} ms"
            f" ({lead['low_ms']:g} to {lead['high_ms']:g} ms, bootstrap)"
        )
    for role in ROLES:
        for reason, count in report.get(role, {}).get("dropped", {}).items():
            lines.append(f"left out of the {role}: {count:,} × {reason}")
    lines += [
        *(f"mind: {warning}" for warning in report["warnings"]),
    ]
    return "\n".join(f"  {line}" for line in lines)


def _halt(summary: Mapping[str, Any]) -> str:
    if not summary["halts"]:
        return "the kill switch stayed open"
    times = _times(summary["halts"])
    beyond = ""
    if summary["overshoot"]:
        beyond = f"; at worst {summary['overshoot']:,.2f} beyond the cap on the day's loss"
    if not summary["halted"]:
        return f"the kill switch latched {times}{beyond}; trading goes on"
    return (
        f"the kill switch latched {times}, last at {_span(summary['halted_at_s'])}:"
        f" {summary['halt_reason']}{beyond}"
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def latency_cost(rows: Iterable[Mapping[str, Any]]) -> str:
    """A small table: the same market met with slower and slower orders.

    Parameters
    ----------
    rows
        Of `order_entry_ms`, `fills`, `pnl` (currency) and, where it was halted, `halts`.
    """
    lines = ["", "  The same market, met with orders that travel longer:", ""]
    lines.append(f"    {'order entry':>11} {'fills':>9} {'P&L':>13} {'P&L per fill':>13}")
    for row in rows:
        each = f"{row['pnl'] / row['fills']:+,.3f}" if row["fills"] else "none"
        lines.append(
            f"    {row['order_entry_ms']:>8g} ms {row['fills']:>9,} {row['pnl']:>+13,.2f} {each:>13}"
            + (f"  halted {_times(row['halts'])}" if row.get("halts") else "")
        )
    return "\n".join(lines)


ROWS = 40  # of a sweep that are printed


def swept(fields: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """A sweep's cells as a table: settings, P&L with its standard error, halts, overshoot, fills.

    Parameters
    ----------
    fields
        The settings.
    rows
        As `Sweep.row`; of a long table the first and the last are shown.
    """
    names = [field.rpartition(".")[2] for field in fields]
    head = [*names, "P&L", "± se", "P(halt)", "overshoot", "fills", "p50 ms"]
    half = ROWS // 2
    shown = [*rows[:half], None, *rows[-half:]] if len(rows) > ROWS else list(rows)
    cells = [head, *(_swept_row(fields, row) for row in shown)]
    widths = [
        max(len(line[k]) for line in cells if len(line) == len(head)) for k in range(len(head))
    ]
    lines = []
    for line in cells:
        padded = [word.rjust(width) for word, width in zip(line, widths, strict=False)]
        rest = line[len(padded) :]
        lines.append("  " + "  ".join([*padded, *rest]).rstrip())
    return "\n".join(lines)


def _swept_row(fields: Sequence[str], row: Mapping[str, Any] | None) -> list[str]:
    if row is None:
        return ["…"]
    settings = [f"{row[f]:.6g}" if isinstance(row[f], int | float) else str(row[f]) for f in fields]
    if row["error"]:
        return [*settings, "failed", "", "", "", "", "", row["error"]]
    return [
        *settings,
        f"{row['pnl_mean']:+,.2f}",
        f"{row['pnl_se']:,.2f}" if row["runs"] > 1 else "–",
        f"{row['halt_share']:.1%}",
        f"{row['overshoot_mean']:,.2f}",
        f"{row['fills_mean']:,.1f}",
        f"{row['latency_p50_ms']:,.3g}" if row["fills_mean"] else "–",
    ]


def _span(seconds: float) -> str:
    """Seconds as a person says them.

    >>> _span(3600.0), _span(754.0), _span(0.25)
    ('1 h', '12 min 34 s', '0.25 s')
    """
    hours, rest = divmod(seconds, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [(f"{hours:.0f} h", hours), (f"{minutes:.0f} min", minutes), (f"{left:.3g} s", left)]
    return " ".join(text for text, value in parts if value) or "0 s"
