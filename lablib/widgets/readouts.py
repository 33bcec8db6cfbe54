"""Numbers and words: the strip of key figures, the event tape, the status line. HTML, escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from lablib.kernels import tables as t
from lablib.report import apart

if TYPE_CHECKING:
    from lablib.config import SimConfig
    from lablib.frame import Frame

LINES = 8  # of the event tape that are shown
FEW = 10  # fills, below which a gain says nothing

_KINDS = dict(enumerate(("limit", "IOC", "market", "FOK", "post-only")))  # by LIMIT … POST_ONLY
_STATUS = {
    t.CREATED: "created",
    t.RECEIVED: "received",
    t.RESTING: "resting",
    t.FILLED: "filled",
    t.CANCELLED: "cancelled",
    t.REJECTED: "refused",
}


def clock(t_ns: int) -> str:
    """Simulated time.

    >>> clock(3_723_456_789_000)
    '1:02:03.456'
    """
    seconds, rest = divmod(t_ns, t.NS_PER_S)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}.{rest // t.NS_PER_MS:03}"


def milliseconds(value: float) -> str:
    """A latency with three digits.

    >>> milliseconds(0.04), milliseconds(12.345), milliseconds(2_500.0)
    ('40 µs', '12.3 ms', '2.50 s')
    """
    for unit, size in (("s", 1_000.0), ("ms", 1.0), ("µs", 0.001)):
        if value >= size or unit == "µs":
            scaled = value / size
            digits = (
                0
                if scaled >= 100 or (scaled == int(scaled) < 100 and unit == "µs")
                else 1
                if scaled >= 10
                else 2
            )
            return f"{scaled:.{digits}f} {unit}"
    raise AssertionError("unreachable")


def reason(code: int) -> str:
    """A reason code in words.

    >>> reason(t.DAILY_LOSS)
    'daily loss cap'
    """
    return t.REASONS[code].replace("_", " ") if 0 <= code < len(t.REASONS) else f"reason {code}"


def signed(value: float, digits: int = 2) -> str:
    """A number that always shows its sign, with a true minus.

    >>> signed(-1234.5), signed(0.0)
    ('−1,234.50', '0.00')
    """
    text = f"{value:+,.{digits}f}" if round(value, digits) else f"{0:.{digits}f}"
    return text.replace("-", "−")


def percent(value: float, digits: int = 2) -> str:
    """A fraction as a signed percentage."""
    return f"{signed(100 * value, digits)} %"


def tile(label: str, value: str, note: str = "", state: str = "") -> str:
    """One key figure."""
    return (
        f'<div class="lrl-kpi {state}"><span class="k">{escape(label)}</span>'
        f'<span class="v">{escape(value)}</span><span class="s">{escape(note) or "&nbsp;"}</span></div>'
    )


def kpis(frame: Frame, start: float, state: str) -> str:
    """The strip of key figures.

    Parameters
    ----------
    start
        Starting cash, currency.
    state
        The session's state.
    """
    pnl = frame.equity - start
    if frame.halted:
        at = f" at {clock(frame.halted_at_ns)}" if frame.halted_at_ns >= 0 else ""
        note = frame.halt_reason.replace("_", " ") + at
        last = tile("Kill switch", "HALTED", note, "halted whole")
    else:
        # An engine counts halts that a new day has released again.
        note = f"{frame.halts} halts so far" if frame.halts else "kill switch armed"
        last = tile("State", state.capitalize(), note)
    tiles = [
        tile("Simulated time", clock(frame.t_ns)[:-2], f"{frame.decisions:,} decisions"),
        tile("Equity", f"{frame.equity:,.2f}", f"fees {frame.fees:,.2f}"),
        tile("P&L since the start", signed(pnl), f"{percent(pnl / start)} of the start"),
        tile(
            "Drawdown from the peak",
            signed(-frame.drawdown),
            f"worst {signed(-frame.max_drawdown)}",
        ),
        tile(
            "Position",
            f"{signed(frame.position_lots, 0)} lots",
            f"worth {signed(frame.position_value)}",
        ),
        tile(
            "Orders",
            f"{frame.order_count:,}",
            f"{frame.fill_count:,} fills, {frame.open_orders} in flight",
        ),
        tile("News to fill, p50", *_latency(frame)),
        tile("Left of the edge", *edge_left(frame, start), "whole"),
        last,
    ]
    return f'<div class="lrl-kpis lrl-nine lrl-num">{"".join(tiles)}</div>'


def edge_left(frame: Frame, start: float) -> tuple[str, str]:
    """Our gain as a share of the gain without latency, and a note; a dash and why where there is none.

    A gain that is not beyond what that run has been down on its way is none that a share could be taken of.
    """
    twin = frame.twin
    if twin is None:
        return "–", "no run without latency is played beside it"
    why = apart((frame.halted, frame.halts), (twin.halted, twin.halts))
    if why:
        return "–", why
    ours, theirs = frame.equity - start, twin.equity - start
    if twin.fill_count < FEW:
        return "–", f"fewer than {FEW} fills without latency"
    if theirs <= twin.max_drawdown:
        return "–", f"no clear gain without latency either: {signed(theirs)}"
    share = signed(100 * ours / theirs, 0).removeprefix("+")
    return f"{share} %", f"{signed(ours - theirs)} against the run without latency"


def halted(frame: Frame) -> str:
    """What a halt is told with: reason, time, and how far beyond a limit it came at worst; empty without one.

    The loss that came to its limit may have been gained back since, as the last position was closed.
    """
    if not frame.halted:
        return ""
    why = frame.halt_reason.replace("_", " ")
    text = f"Halted: {why}, at {clock(max(0, frame.halted_at_ns))}"
    if frame.overshoot > 0:
        text += f"; at worst {frame.overshoot:,.2f} beyond the cap of {frame.day_loss_cap:,.2f} on the day’s loss"
        if round(frame.day_loss_cap + frame.overshoot - frame.day_loss, 2) > 0:
            text += f", realised, which is {frame.day_loss:,.2f} now".replace("-", "−")
    if frame.drawdown_overshoot > 0:
        text += f"; at worst {frame.drawdown_overshoot:,.2f} beyond the cap on the drawdown from the peak"
    return text


def verdict(frame: Frame, config: SimConfig) -> str:
    """What came of a recording that has been played to its end, in a sentence."""
    pnl = frame.equity - config.account.starting_cash
    text = f"The recording has ended: P&L {signed(pnl)} after {frame.fees:,.2f} of fees"
    if frame.twin is not None:
        why = apart((frame.halted, frame.halts), (frame.twin.halted, frame.twin.halts))
        ghost = frame.twin.equity - config.account.starting_cash
        text += f"; {why}" if why else f"; without latency it would be {signed(ghost)}"
    return f"{text}. Reset plays it again."


def _latency(frame: Frame) -> tuple[str, str]:
    if not frame.latency.count:
        return "no fill yet", ""
    return milliseconds(frame.latency.p50_ms), f"p99 {milliseconds(frame.latency.p99_ms)}"


def tape(events: Iterable[tuple[int, str, Any]], count: int) -> str:
    """The newest events, newest first, as a table.

    Parameters
    ----------
    events
        `(t_ns, what, row)` oldest first, as `view.View.events`.
    count
        How many there were in all.
    """
    newest = list(events)[-LINES:][::-1]
    rows = "".join(_row(*event) for event in newest)
    # Blank lines keep the height of the page.
    rows += '<tr><td colspan="7">&nbsp;</td></tr>' * (LINES - len(newest))
    head = "".join(
        f'<th class="{side}" style="width:{width}">{name}</th>'
        for name, side, width in (
            ("time", "", "11%"),
            ("event", "", "10%"),
            ("order", "r", "9%"),
            ("side", "", "8%"),
            ("lots", "r", "11%"),
            ("price", "r", "12%"),
            ("what happened", "", "39%"),
        )
    )
    title = f'<div class="lrl-title"><b>Event tape</b><span class="lrl-now">{count:,} events</span></div>'
    return f'{title}<table class="lrl-tape lrl-num"><tr>{head}</tr>{rows}</table>'


def _row(t_ns: int, what: str, row: Any) -> str:
    name, side, cells = what, "", ["", "", "", "", ""]
    if what == "order":
        side = _side(row)
        cells = [str(row["order_id"]), side, f"{int(row['lots']):,}", "", _fate(row)]
    elif what == "fill":
        side = _side(row)
        text = "exit" if row["is_exit"] else "entry"
        text += f", {'maker' if row['is_maker'] else 'taker'}, fee {row['fee']:.4f}"
        cells = [
            str(row["order_id"]),
            side,
            f"{int(row['lots']):,}",
            f"{row['price_px']:,.4f}",
            text,
        ]
    elif what == "risk":
        cells[-1] = _breach(row)
    else:
        cells[-1] = str(row)
    order, who, lots, price, text = map(escape, cells)
    return (
        f'<tr class="{what}"><td>{clock(t_ns)}</td><td>{escape(name)}</td><td class="r">{order}</td>'
        f'<td class="{side}">{who}</td><td class="r">{lots}</td><td class="r">{price}</td><td>{text}</td></tr>'
    )


def _side(row: Any) -> str:
    return "buy" if row["side"] == t.BUY else "sell"


def _fate(row: Any) -> str:
    text = f"{_KINDS.get(int(row['kind']), '?')} {_STATUS.get(int(row['status']), '?')}"
    if row["reason"]:
        text += f": {reason(int(row['reason']))}"
    if row["acted_at"] >= 0:
        text += (
            f", {milliseconds((row['acted_at'] - row['created_at']) / t.NS_PER_MS)} to the match"
        )
    return text


_UNITS = {
    **dict.fromkeys((t.STALE_FEED, t.STALE_VENUE, t.ORDER_TIMEOUT), " ms"),
    t.LOSS_STREAK: " round trips",
    t.FEED_GAP: " messages",
}


def _breach(row: Any) -> str:
    why = int(row["reason"])
    if why == t.MANUAL:
        return reason(why)
    unit = _UNITS.get(why, "")
    return f"{reason(why)}: {row['value']:,.2f}{unit} against a limit of {row['limit']:,.2f}{unit}"


def status(lines: Sequence[str], *, bad: bool = False) -> str:
    """The status line; errors stand out. No lines, no status."""
    if not lines:
        return ""
    text = "<br>".join(escape(line) for line in lines)
    return f'<div class="lrl-status {"bad" if bad else ""}" role="status">{text}</div>'
