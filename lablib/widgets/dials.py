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
        low, high = knob.shown(knob.low), knob.shown(knob.high)
        traits = {"description": knob.label, "tooltip": knob.tooltip, "style": style}
        if knob.log:
            self._low, self._high = math.log10(low), math.log10(high)
            self._step = (self._high - self._low) / STEPS
            kind = W.FloatLogSlider
        else:
            self._low, self._high = low, high
            self._step = max(tick_step(high - low, STEPS), float(knob.whole))
            kind = W.FloatSlider
        self.slider = kind(low, min=self._low, max=self._high, step=self._step, **traits)
        self.slider.add_class("lrl-" + knob.path.replace(".", "-").replace("_", "-"))
        self._known: float | int = math.nan
        self._note = W.HTML(layout={"display": "none"})
        self.box = W.VBox([self.slider, self._note])
        self.show(value)

    @property
    def value(self) -> float | int:
        """The field's value where the slider stands."""
        return self.knob.meant(self.slider.value)

    @property
    def end(self) -> str:
        """What is to be said where the slider stands at an end of its range; else nothing."""
        return end_of(self.slider, self.knob.unit)

    def turned(self) -> bool:
        """Whether the slider stands elsewhere than when last asked or set.

        A browser reports back what it was sent, rounded its own way: that is nobody's wish.
        """
        before, self._known = self._known, self.value
        return before != self._known

    def show(self, value: Any) -> None:
        """Stand where the config stands; a value beyond the usual range widens the slider.

        A browser that moves a value to fit range and grid reports that as a person's wish, unless it
        was told to report nothing but the end of a movement.
        """
        shown = self.knob.shown(value)
        slider = self.slider
        low, high, step = self._range(shown)
        if (slider.min, slider.max, slider.step, slider.value) != (low, high, step, shown):
            slider.continuous_update = False
            with slider.hold_sync():
                slider.min, slider.max = min(slider.min, low), max(slider.max, high)
                slider.value = shown
                slider.min, slider.max, slider.step = low, high, step
            slider.continuous_update = True
        self._known = self.value
        self.settle(law(value))

    def _range(self, shown: float) -> tuple[float, float, float]:
        """Ends and step of the slider for a value; on a logarithmic one, of its exponent."""
        low, high, step = self._low, self._high, self._step
        at = math.log10(shown) if self.knob.log and shown > 0 else shown
        low, high = min(low, at), high if at <= high else 2 * at if at > 0 else at / 2
        on_grid = math.isclose((at - low) / step, round((at - low) / step), abs_tol=1e-9)
        if not on_grid and not self.knob.log:
            step = 10.0 ** -max(_decimals(at), _decimals(low))
        return low, high, step

    def settle(self, text: str, *, waits: bool = False) -> None:
        """Show as many digits as the value has, and write the line under the slider; none hides it.

        A slider that `waits` for a reset is marked: its label is orange.
        """
        if ("lrl-staged" in self.slider._dom_classes) != waits:
            (self.slider.add_class if waits else self.slider.remove_class)("lrl-staged")
        assign(self.slider, readout_format=f".{min(4, _decimals(self.slider.value))}f")
        assign(self._note, value=f'<div class="lrl-note">{text}</div>' if text else "")
        assign(self._note.layout, display="" if text else "none")


def end_of(slider: Any, unit: str) -> str:
    """What is to be said of a slider that stands at an end of its range; nothing elsewhere.

    A browser moves a number typed beyond the range to its end, and tells nobody: so we do.
    """
    at = slider.value
    if isinstance(slider, W.FloatLogSlider):
        at = math.log10(at) if at > 0 else math.nan
    for end, name, beyond in ((slider.min, "least", "smaller"), (slider.max, "most", "larger")):
        if math.isclose(at, end, rel_tol=1e-9, abs_tol=1e-9):
            told = f"{slider.value:,.6g} {unit} is the {name} this slider takes"
            return f"{told}; a {beyond} number typed there is not taken."
    return ""


def _decimals(value: float) -> int:
    return len(f"{value:.9f}".rstrip("0").partition(".")[2])
