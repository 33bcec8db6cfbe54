"""What every chart is made of: a title line, a readout and a figure whose marks are reused.

Arrays in, traits out. Nothing here knows the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import bqplot as bq
import ipywidgets as W  # noqa: N812 - the name its own manual uses
import numpy as np
from numpy.typing import NDArray

from lablib.widgets import theme
from lablib.widgets.scales import Span, tick_format

HEIGHT = "196px"
MARGIN = {"top": 6, "bottom": 36, "left": 57, "right": 12}
UNITS = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}  # an axis of three or more reads in it


def same(old: Any, new: Any) -> bool:
    """Whether a trait already holds a value; arrays are compared by value, NaN equal to NaN."""
    if isinstance(old, np.ndarray) or isinstance(new, np.ndarray):
        if old is None or new is None:
            return False
        old, new = np.asarray(old), np.asarray(new)
        return old.shape == new.shape and np.array_equal(old, new, equal_nan=new.dtype.kind == "f")
    return bool(old == new)


def assign(widget: Any, **values: Any) -> bool:
    """Set the traits that differ, in one message; True when there was any."""
    changed = {name: new for name, new in values.items() if not same(getattr(widget, name), new)}
    if changed:
        with widget.hold_sync():
            for name, new in changed.items():
                setattr(widget, name, new)
    return bool(changed)


def f32(values: Any) -> NDArray[np.float32]:
    """As it travels: half the bytes, and finer than a pixel."""
    return np.ascontiguousarray(values, np.float32)


def ended(values: Any) -> NDArray[np.float32]:
    """Curves that end in a point: without one the browser has no place for their label, and complains.

    One that ended before repeats its last but one, so that no stroke is drawn to a place of ours.
    """
    out = np.array(values, np.float32)
    before = out[..., -2] if out.shape[-1] > 1 else np.zeros_like(out[..., -1])
    last = np.where(np.isfinite(out[..., -1]), out[..., -1], before)
    out[..., -1] = np.where(np.isfinite(last), last, 0.0)
    return out


def axis(scale: Any, side: str, label: str, **traits: Any) -> Any:
    """An axis in the house style."""
    return bq.Axis(
        scale=scale,
        side=side,
        label=label,
        label_offset="43px" if side == "left" else "26px",
        label_color=theme.MUTED,
        grid_color=theme.GRID,
        color="#cfd7e1",
        tick_style=theme.TICKS,
        grid_lines="solid",
        **traits,
    )


def lines(x: Any, y: Any, colors: Sequence[str], scales: dict[str, Any], **traits: Any) -> Any:
    """A set of curves, one colour each."""
    return bq.Lines(
        x=ended(x),
        y=ended(y),
        colors=list(colors),
        scales=scales,
        **{"stroke_width": 1.5, **traits},
    )


def key(text: str, color: str, shape: str = "") -> str:
    """A legend entry for the title line."""
    return f'<i class="{shape}" style="--c:{color}">{escape(text)}</i>'


class Panel:
    """A chart: title with legend, readout, a sentence on how to read it, figure.

    Attributes
    ----------
    box
        The widget to place.
    """

    def __init__(
        self,
        name: str,
        title: str,
        legend: Sequence[str],
        axes: Sequence[Any],
        marks: Sequence[Any],
        how: str = "",
        margin: Mapping[str, int] | None = None,
    ) -> None:
        self._title = f'<div class="lrl-title"><b>{escape(title)}</b><span class="lrl-now lrl-num">'
        self._legend = f'</span></div><div class="lrl-key">{"".join(legend)}</div>'
        if how:
            self._legend += f'<div class="lrl-how">{escape(how)}</div>'
        self._head = W.HTML(self._title + self._legend)
        self.figure = bq.Figure(
            marks=list(marks),
            axes=list(axes),
            fig_margin={**MARGIN, **(margin or {})},
            padding_x=0.0,
            padding_y=0.0,
            display_toolbar=False,
            background_style={"fill": "#ffffff"},
            layout=W.Layout(width="100%", height=HEIGHT, min_width="0"),
        )
        self.box = W.VBox([self._head, self.figure])
        self.box.add_class("lrl-panel")
        self.box.add_class(f"lrl-{name}")

    def say(self, readout: str) -> None:
        """Show the newest numbers beside the title; plain text."""
        assign(self._head, value=f"{self._title}{escape(readout)}{self._legend}")


class Ruler:
    """A scale and its axis that follow the data with hysteresis; vertical unless a `side` is named."""

    def __init__(
        self,
        label: str,
        floor: float,
        *,
        symmetric: bool = False,
        from_zero: bool = False,
        side: str = "left",
        count: int = 6,
    ) -> None:
        self.span = Span(floor, symmetric, from_zero, count)
        self.span.follow(np.empty(0))
        self.scale = bq.LinearScale(min=self.span.low, max=self.span.high, allow_padding=False)
        self.axis = axis(self.scale, side, label)
        self._draw()

    def follow(self, values: Any) -> None:
        """Make room for `values`."""
        if self.span.follow(np.asarray(values)):
            self._draw()

    def _draw(self) -> None:
        assign(self.scale, min=self.span.low, max=self.span.high)
        # The format goes first, by itself: ticks that move take along the format they find.
        assign(self.axis, tick_format=tick_format(self.span.step))
        assign(self.axis, tick_values=self.span.ticks)


class Clock:
    """The horizontal axis the time charts share: the window as [-1, 0], which never moves."""

    AT = (-1.0, -2 / 3, -1 / 3, 0.0)

    def __init__(self, window_s: float) -> None:
        self.scale = bq.LinearScale(min=-1.0, max=0.0, allow_padding=False)
        self.axis = axis(
            self.scale, "bottom", "simulated time before now", tick_values=np.array(self.AT)
        )
        self.show(window_s)

    def show(self, window_s: float) -> None:
        """Write the window's length on the ticks."""
        name, unit = next((name, unit) for name, unit in UNITS.items() if window_s >= 3 * unit)
        texts = [f"−{-at * window_s / unit:.3g} {name}" for at in self.AT[:-1]]
        # A browser writes the number 0.0 as "0".
        labels = dict(zip(map(str, self.AT), texts, strict=False))
        assign(self.axis, tick_labels={**labels, "-1": texts[0], "0": "now"})


def family(widget: Any) -> list[Any]:
    """A widget and all that hang on it, each once."""
    found: dict[int, Any] = {}
    waiting = [widget]
    while waiting:
        item = waiting.pop()
        if isinstance(item, W.Widget):
            if id(item) not in found:
                found[id(item)] = item
                waiting += [getattr(item, name) for name in item.keys]
        elif isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list | tuple):
            waiting += item
    return list(found.values())


def tell_again(widget: Any, but: Any) -> None:
    """Send the state of a widget and of all that hang on it, `but` one, to the page once more.

    While a page is being built it drops what comes for a widget it does not have yet.
    """
    for part in family(widget):
        if part is not but and not isinstance(part, W.Layout | W.Style):
            part.send_state()
