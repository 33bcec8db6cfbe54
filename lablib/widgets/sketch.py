"""Light charts: series in, one SVG text out. For pages that many open at once; knows no widget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from lablib.widgets import theme

WIDTH, HEIGHT = 640, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 8, 8, 20


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its name, colour and values; a value that is None leaves a gap."""

    name: str
    colour: str
    values: Sequence[float | None]
    steps: bool = False


def chart(
    title: str, seconds: Sequence[float], lines: Sequence[Line], label: Callable[[float], str]
) -> str:
    """A titled panel with its lines over simulated seconds.

    Parameters
    ----------
    label
        Writes a value of the vertical axis.
    """
    values = [v for line in lines for v in line.values if v is not None and math.isfinite(v)]
    keys = "".join(f'<i style="--c:{line.colour}">{escape(line.name)}</i>' for line in lines)
    head = f'<div class="lrl-title"><b>{escape(title)}</b></div><div class="lrl-key">{keys}</div>'
    if len(seconds) < 2 or not values:
        return f'<div class="lrl-panel lrl-sketch">{head}<svg viewBox="0 0 {WIDTH} {HEIGHT}"></svg></div>'
    low, high = _span(min(values), max(values))
    first, last = seconds[0], max(seconds[-1], seconds[0] + 1e-9)

    def x(second: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (second - first) / (last - first)

    def y(value: float) -> float:
        return _TOP + (HEIGHT - _TOP - _BOTTOM) * (high - value) / (high - low)

    parts = []
    for value in _ticks(low, high):
        at = f"{y(value):.1f}"
        parts.append(
            f'<path class="g" d="M{_LEFT} {at}H{WIDTH - _RIGHT}"/>'
            f'<text x="{_LEFT - 6}" y="{at}" dy="3.5" text-anchor="end">{escape(label(value))}</text>'
        )
    for second, anchor in ((first, "start"), (last, "end")):
        parts.append(
            f'<text x="{x(second):.0f}" y="{HEIGHT - 5}" text-anchor="{anchor}">{_time(second)}</text>'
        )
    for line in lines:
        path = _path([x(s) for s in seconds], line.values, y, steps=line.steps)
        parts.append(f'<path class="l" stroke="{line.colour}" d="{path}"/>')
    image = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    return f'<div class="lrl-panel lrl-sketch">{head}{image}{"".join(parts)}</svg></div>'


def _path(
    places: list[float],
    values: Sequence[float | None],
    y: Callable[[float], float],
    *,
    steps: bool,
) -> str:
    """The line, pen up where a value is missing."""
    words, down = [], False
    for place, value in zip(places, values, strict=True):
        if value is None or not math.isfinite(value):
            down = False
            continue
        at = f"{y(value):.1f}"
        if not down:
            words.append(f"M{place:.1f} {at}")
        else:
            words.append(f"H{place:.1f}V{at}" if steps else f"L{place:.1f} {at}")
        down = True
    return "".join(words)


def _span(low: float, high: float) -> tuple[float, float]:
    room = 0.06 * (high - low) or 0.001 * abs(high) or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers within a span."""
    rough = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * k for k in (1, 2, 2.5, 5, 10) if unit * k >= rough)
    first = math.ceil(low / step)
    return [step * k for k in range(first, math.floor(high / step) + 1)]


def _time(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


CSS = f"""
.lrl-head + .lrl-kpis, .lrl-head + .lrl-card {{ margin-top: 10px; }}
.lrl-sketch {{ padding: 8px 10px; }}
.lrl-sketch svg {{ display: block; width: 100%; height: auto; min-height: 150px; }}
.lrl-sketch text {{ font: 10.5px {theme.FONT.replace('"', "'")}; fill: {theme.MUTED}; }}
.lrl-sketch .g {{ stroke: {theme.GRID}; fill: none; }}
.lrl-sketch .l {{ fill: none; stroke-width: 1.6; stroke-linejoin: round; vector-effect: non-scaling-stroke; }}
.lrl-two {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: 10px;
  margin: 10px 0; }}
.lrl-two ~ .lrl-card .lrl-tape td:first-child {{ width: 110px; }}
"""
