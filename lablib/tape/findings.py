"""What recordings are like: the report that comes with every recorded market.

Plain numbers in named groups, and warnings in words. It changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablib.kernels.tables import END
from lablib.tape.alignment import Basis, fit_clock
from lablib.tape.leadlag import lead_lag
from lablib.tape.readers.capture import Capture
from lablib.tape.readers.levels import History

ODD_OFFSET_S = 0.1  # a recorder's clock this wrong is worth a warning
ODD_DRIFT_US_PER_S = 1.0
ODD_DIFFERENCE_S = 0.05  # two recordings whose clocks differ so much were not made by one recorder


def findings(
    captures: dict[str, Capture],
    history: History,
    basis: Basis | None,
    method: str,
    events: NDArray[Any],
) -> dict[str, Any]:
    """Assemble the report.

    Parameters
    ----------
    captures
        By role, `leader` and `follower`, or `follower` alone.
    history
        Of the follower's book.
    basis, method
        Distance of the two prices, and whether it was subtracted ("trailing") or not ("none").
    events
        The tape.

    Returns
    -------
    Groups `leader`, `follower`, `book`, `events`; of a pair also `basis` and `lead_lag` (None when a
    price never changes); and `warnings`, a list of sentences.
    """
    report: dict[str, Any] = {role: _of_file(capture) for role, capture in captures.items()}
    report["book"] = {**history.report, "crossed_when_settled": _crossed(history)}
    counts = np.bincount(events["kind"], minlength=END + 1).tolist()
    names = ("external", "level", "trade", "clear", "settled")
    report["events"] = dict(zip(names, counts, strict=False))
    if basis is not None:
        leader, follower = captures["leader"], captures["follower"]
        ours, theirs = leader.quotes["receive_ns"], follower.quotes["receive_ns"]
        tick = follower.tick_size
        lead = lead_lag(ours, leader.mid_ticks(tick), theirs, follower.mid_ticks(tick))
        report["basis"] = {"method": method, **basis.report(tick)}
        report["lead_lag"] = None if lead is None else lead.report()
    report["warnings"] = [
        *(line for role, capture in captures.items() for line in _of_clock(capture, report[role])),
        *_of_book(captures["follower"], report["book"]),
        *_of_pair(captures, report),
    ]
    return report


def _of_file(capture: Capture) -> dict[str, Any]:
    return {
        "lines": capture.lines,
        "quotes": len(capture.quotes),
        "trades": len(capture.trades),
        **capture.figures(),
        "dropped": capture.dropped,
        "clock": fit_clock(*capture.times()) if capture.has_receive_time else {"messages": 0},
    }


def _crossed(history: History) -> int:
    touch = history.touch
    both = (touch["bid_lots"] > 0) & (touch["ask_lots"] > 0)
    return int((both & (touch["bid_ticks"] >= touch["ask_ticks"])).sum())


def _of_clock(capture: Capture, figures: dict[str, Any]) -> list[str]:
    warnings = []
    if not capture.has_receive_time:
        warnings.append(
            f"{capture.source}: has no receive times; the exchange's stand in for them, and what the feed"
            " takes has to come from `latency`"
        )
    clock = figures["clock"]
    offset_s, drift = clock.get("offset_s", 0.0), clock.get("drift_us_per_s", 0.0)
    if abs(offset_s) > ODD_OFFSET_S or abs(drift) > ODD_DRIFT_US_PER_S or clock.get("negative", 0):
        warnings.append(
            f"{capture.source}: the recorder's clock runs {offset_s:+.4f} s from the exchange's and "
            f"drifts {drift:+.2f} us/s; {clock['negative']} of {clock['messages']} delays are negative. "
            "Receive times are used throughout; never subtract one clock from the other."
        )
    if capture.dropped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in capture.dropped.items())
        warnings.append(f"{capture.source}: dropped {reasons}")
    return warnings


def _of_book(follower: Capture, book: dict[str, int]) -> list[str]:
    warnings = []
    if "levels" in book:
        warnings.append(
            f"{follower.source}: shows the book {book['levels']} deep; what lies deeper is not there, and"
            " a level that leaves the view counts as gone"
        )
    if book["equal"] < book["comparisons"]:
        warnings.append(
            f"{follower.source}: the rebuilt touch differs from bookTicker at "
            f"{book['comparisons'] - book['equal']} of {book['comparisons']} updates, first at line "
            f"{book['first_difference']}"
        )
    if book["gaps"] or book["crossed"]:
        warnings.append(
            f"{follower.source}: the book broke at {book['gaps']} gaps and {book['crossed']} crossings; "
            "until the next snapshot it is empty"
        )
    if follower.is_inverse:
        warnings.append(f"{follower.source}: contracts of fixed worth, linearised at the first mid")
    return warnings


def _of_pair(captures: dict[str, Capture], report: dict[str, Any]) -> list[str]:
    if "basis" not in report:
        return []
    warnings = []
    ours_too, theirs_too = (captures[role].has_receive_time for role in ("leader", "follower"))
    if ours_too != theirs_too:
        warnings.append(
            "one recording has the recorder's time and the other the exchange's alone: two clocks, and a"
            " lead between them means nothing"
        )
    ours, theirs = (report[role]["clock"].get("offset_s") for role in ("leader", "follower"))
    if ours is not None and theirs is not None and abs(ours - theirs) > ODD_DIFFERENCE_S:
        warnings.append(
            f"the two recorders' clocks differ by {ours - theirs:+.4f} s: recorded apart, no lead can be read"
        )
    lead = report["lead_lag"]
    if lead is None:
        warnings.append("a price never changes: no lead can be estimated")
    elif lead["low_ms"] <= 0:
        warnings.append(
            f"the leader's lead is not distinguishable from none: {lead['low_ms']:g} to "
            f"{lead['high_ms']:g} ms"
        )
    return warnings
