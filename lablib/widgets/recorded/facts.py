"""What a recorded market holds, in words and numbers. HTML, escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from lablib.kernels import tables as t
from lablib.widgets import theme
from lablib.widgets.readouts import signed, tile
from lablib.widgets.recorded.survey import Survey
from lablib.widgets.shelf import span

if TYPE_CHECKING:
    from lablib.tape.recorded import Market

EMPTY = """
<div class="lrl-card lrl-empty"><h2>No recorded market yet</h2>
<p>Here a recording of a real market is played again, with your latency between it and you: what is left of the
edge, and what did the way cost?</p>
<ol><li><b>Hand in two files</b> on the left: a leader, whose price moves first, and a follower, the venue to trade on.
Both from one recorder, so that their clocks are one clock. Captures of Binance with depth and a snapshot give a whole
book; quotes (Tardis, Binance's public bookTicker, any CSV or Parquet with time, bid, ask, sizes) one a level deep.</li>
<li>Whoever runs this server can name markets for everybody:
<code>lablib serve --market NAME=LEADER,FOLLOWER</code>.</li>
<li>In a notebook: <code>lablib.widgets.recorded_lab(("leader.gz", "follower.gz"))</code>.</li></ol>
<p>What the files must hold is in the README, under <b>Recorded markets</b>; <code>lablib data LEADER
FOLLOWER</code> looks them through on a command line.</p></div>
"""


def facts(name: str, market: Market, seen: Survey, *, is_own: bool) -> str:
    """The strip above the key figures: what the files hold, and what is odd about them."""
    report = market.report
    title = "Your own files" if is_own else name
    seconds = market.duration_ns / t.NS_PER_S
    symbols = [part.strip() for part in market.name.partition(">")[::2]]
    book = report["book"]
    gaps = book["gaps"] + report["leader"].get("depth_gaps", 0)
    dropped = sum(sum(report[role]["dropped"].values()) for role in ("leader", "follower"))
    tiles = [
        tile("Market", title, f"{span(seconds)}, tick {market.tick_size:g}"),
        *(_venue(role, symbol, report[role], seconds) for role, symbol in _roles(symbols)),
        tile("Gaps", f"{gaps:,}" if gaps else "none", _agreement(book)),
        tile("Rows left out", f"{dropped:,}" if dropped else "none", _reasons(report)),
        tile("Lead", *_lead(report["lead_lag"])),
        tile(
            "Prices apart",
            f"{_bps(seen.median)} bps",
            f"median; p95 {_bps(seen.p95)}, most {_bps(seen.most)}",
        ),
        tile("Follower above leader", *_basis(report["basis"])),
    ]
    strip = f'<div class="lrl-kpis lrl-num lrl-market">{"".join(tiles)}</div>'
    return f"<style>{CSS}</style>{strip}{_warnings(report['warnings'])}"


def _roles(symbols: list[str]) -> list[tuple[str, str]]:
    return list(zip(("leader", "follower"), symbols, strict=True))


def _venue(role: str, symbol: str, figures: dict[str, Any], seconds: float) -> str:
    rate, deals = (figures[what] / seconds for what in ("quotes", "trades"))
    return tile(
        role.capitalize(),
        symbol,
        f"{figures['lines']:,} rows; {rate:,.0f} quotes/s, {deals:,.1f} trades/s",
    )


def _agreement(book: dict[str, int]) -> str:
    if "levels" in book:
        return f"book told row by row, {book['levels']} deep"
    if not book["comparisons"]:
        return "book never compared with quotes"
    if book["equal"] == book["comparisons"]:
        return f"book matches quotes, all {book['equal']:,} times"
    return f"book matches quotes {book['equal']:,} of {book['comparisons']:,} times"


def _reasons(report: dict[str, Any]) -> str:
    reasons: dict[str, int] = {}
    for role in ("leader", "follower"):
        for reason, count in report[role]["dropped"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    return ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in reasons.items())


def _lead(lead: dict[str, float] | None) -> tuple[str, str]:
    if lead is None:
        return "unknown", "a price never changes"
    low, high = (f"{lead[end]:g}".replace("-", "−") for end in ("low_ms", "high_ms"))
    peak = f"{lead['peak_ms']:g} ms".replace("-", "−")
    return peak, f"95 % between {low} and {high} ms"


def _basis(basis: dict[str, Any]) -> tuple[str, str]:
    return signed(basis["follower_minus_leader_median_px"]), "median; the slow part is taken off"


def _bps(fraction: float) -> str:
    return f"{1e4 * fraction:.2g}"


def _warnings(lines: list[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    count = f"{len(lines)} thing{'' if len(lines) == 1 else 's'} to know about these recordings"
    return f'<details class="lrl-odd"><summary>{count}</summary><ul>{items}</ul></details>'


CSS = f"""
.lrl .lrl-market .lrl-kpi {{ background: #fbfcfe; }}
.lrl .lrl-market .v {{ font-size: 14px; }}
.lrl .lrl-market .s {{ white-space: normal; line-height: 1.3; }}
.lrl-odd {{ font-size: 12px; color: {theme.SLATE}; margin-top: 4px; }}
.lrl-odd summary {{ cursor: pointer; color: {theme.MUTED}; }}
.lrl-odd ul {{ margin: 4px 0 0; padding-left: 20px; }}
.lrl-odd li {{ margin: 2px 0; overflow-wrap: anywhere; }}
"""
