"""A slider for a config field, with room to say what the field really holds."""

from __future__ import annotations

import math
from typing import Any

import ipywidgets as W  # noqa: N812 - the name its own manual uses

from lablib.widgets.knobs import Knob, law
from lablib.widgets.panels import assign
from lablib.widgets.scales import tick_step

STEPS = 200  # of a slider over its range


class Dial:
    """A slider and, where the field holds a law or waits for a reset, a line under it that says so.

    Nothing is validated here; the config does that.

    Attributes
    ----------
    knob
        The field.
    slider
        Stands in shown units.
    box
        The widget to place.
    """

    def __init__(self, knob: Knob, value: Any, style: Any) -> None:
        self.knob = knob
        self._low, self._high = knob.shown(knob.low), knob.shown(knob.high)
        traits: dict[str, Any] = {
            "description": knob.label,
            "tooltip": knob.tooltip,
            "style": style,
        }
        if knob.log:
            low, high = math.log10(self._low), math.log10(self._high)
            self.slider = W.FloatLogSlider(
                self._low, min=low, max=high, step=(high - low) / STEPS, **traits
            )
        else:
            self._step = max(tick_step(self._high - self._low, STEPS), float(knob.whole))
            self.slider = W.FloatSlider(self._low, min=self._low, max=self._high, **traits)
        self.slider.add_class("lrl-" + knob.path.replace(".", "-").replace("_", "-"))
        self._known: float | int = math.nan
        self._note = W.HTML(layout={"display": "none"})
        self.box = W.VBox([self.slider, self._note])
        self.show(value)

    @property
    def value(self) -> float | int:
        """The field's value where the slider stands."""
        return self.knob.meant(self.slider.value)

    def turned(self) -> bool:
        """Whether the slider stands elsewhere than when last asked or set.

        A browser reports back what it was sent, rounded its own way: that is nobody's wish.
        """
        before, self._known = self._known, self.value
        return before != self._known

    def show(self, value: Any) -> None:
        """Stand where the config stands; a value beyond the usual range widens the slider."""
        shown = self.knob.shown(value)
        log = self.knob.log
        at = math.log10(shown) if log and shown > 0 else shown
        ends = (math.log10(self._low), math.log10(self._high)) if log else (self._low, self._high)
        low = min(ends[0], at)
        high = ends[1] if at <= ends[1] else 2 * at if at > 0 else at / 2
        slider = self.slider
        with slider.hold_sync():
            if not log:
                slider.step = self._fine(shown - low)
            slider.min, slider.max = min(slider.min, low), max(slider.max, high)
            assign(slider, value=shown)
            slider.min, slider.max = low, high
        self._known = self.value
        self.settle(law(value))

    def _fine(self, value: float) -> float:
        """A step that has `value` on its grid: a browser moves what is off it, and reports that as a wish."""
        if math.isclose(value / self._step, round(value / self._step), abs_tol=1e-9):
            return self._step
        return min(self._step, 10.0 ** -_decimals(value))

    def settle(self, text: str) -> None:
        """Show as many digits as the value has, and write the line under the slider; none hides it."""
        assign(self.slider, readout_format=f".{min(4, _decimals(self.slider.value))}f")
        assign(self._note, value=f'<div class="lrl-note">{text}</div>' if text else "")
        assign(self._note.layout, display="" if text else "none")


def _decimals(value: float) -> int:
    return len(f"{value:.9f}".rstrip("0").partition(".")[2])
