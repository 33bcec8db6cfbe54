"""What a person can choose for a frontier: scenario, two fields with their ranges, how many markets.

It tells one function what was asked for and validates nothing: the experiment's design does that.
"""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as W  # noqa: N812 - the name its own manual uses
import numpy as np

from lablib.presets import SCENARIOS
from lablib.widgets.column import Act, Column, bar, heading, row
from lablib.widgets.controls import CUSTOM
from lablib.widgets.knobs import Knob, knobs
from lablib.widgets.panels import assign

KNOBS = {knob.path: knob for knob in knobs()}
EQUAL, GEOMETRIC = "equal steps", "geometric"
MOST = 40  # values of a field
RANGES = {"latency.order_entry_ms": (0, 160, 17), "strategy.threshold": (10, 60, 11)}


class FieldChoice:
    """One axis: a field, its range in shown units, how many values, and in which steps."""

    def __init__(self, title: str, path: str) -> None:
        narrow = {"description_width": "52px"}
        names = {knob.label: path for path, knob in KNOBS.items()}
        self.field = W.Dropdown(
            options=names,
            value=path,
            description=title,
            style=narrow,
            tooltip="Which setting to vary",
        )
        self.field.add_class(f"lrl-choose-{title.lower()}")
        self.low = W.FloatText(description="from", style=narrow, tooltip="Smallest value")
        self.high = W.FloatText(description="to", style=narrow, tooltip="Largest value")
        self.count = W.BoundedIntText(
            11, min=1, max=MOST, description="values", style=narrow, tooltip="How many values"
        )
        self.steps = W.Dropdown(
            options=(EQUAL, GEOMETRIC), description="in", style={"description_width": "20px"},
            tooltip="How the values lie between the two ends",
        )  # fmt: skip
        pairs = [row(two, "lrl-pair") for two in ((self.low, self.high), (self.count, self.steps))]
        self.box = W.VBox([self.field, *pairs])
        self.box.add_class("lrl-rows")
        self.field.observe(lambda _: self._suggest(), "value")
        self._suggest()

    @property
    def knob(self) -> Knob:
        """The chosen field."""
        return KNOBS[self.field.value]

    @property
    def path(self) -> str:
        """Its dotted name."""
        return str(self.field.value)

    def _suggest(self) -> None:
        knob = self.knob
        low, high, count = RANGES.get(knob.path, (knob.shown(knob.low), knob.shown(knob.high), 11))
        assign(self.low, value=float(low))
        assign(self.high, value=float(high))
        assign(self.count, value=min(count, round(high - low) + 1) if knob.whole else count)
        assign(self.field, tooltip=knob.tooltip)

    def values(self) -> list[float | int]:
        """The values in the field's own unit; whole numbers each once."""
        low, high, count = self.low.value, self.high.value, int(self.count.value)
        if self.steps.value == GEOMETRIC and 0 < low < high:
            shown = [float(f"{value:.4g}") for value in np.geomspace(low, high, count)]
        else:
            shown = [float(f"{value:.6g}") for value in np.linspace(low, high, count)]
        meant = [self.knob.meant(value) for value in shown]
        return list(dict.fromkeys(meant)) if self.knob.whole else meant


class Choices(Column):
    """The column of a frontier's controls.

    Parameters
    ----------
    act
        Called with `run`, `cancel`, `png`, or with a value `preset`.
    """

    def __init__(self, preset: str, seed: int, act: Act) -> None:
        narrow = {"description_width": "52px"}
        names = {name.replace("_", " "): name for name in SCENARIOS} | {CUSTOM: CUSTOM}
        super().__init__(act)
        self.preset = W.Dropdown(
            options=names, value=preset, description="Preset", style=narrow,
            tooltip="The scenario in which two settings are varied",
        )  # fmt: skip
        self.preset.add_class("lrl-choose-preset")
        self.preset.observe(self._told("preset"), "value")
        self.about, self.link = W.HTML(), W.HTML()
        self.x = FieldChoice("Across", "latency.order_entry_ms")
        self.y = FieldChoice("Up", "strategy.threshold")
        self.seeds = W.BoundedIntText(
            8, min=1, max=256, description="markets", style=narrow,
            tooltip="How many markets every cell meets, the same for all",
        )  # fmt: skip
        self.seed = W.Text(str(seed), description="from seed", style={"description_width": "60px"})
        self.until = W.Text(
            "10min",
            description="each of",
            style=narrow,
            tooltip="Simulated time of a run: 10min, 1h",
        )
        self.buttons = {}
        for name, text, tip in (
            ("run", "Run", "Run every cell"),
            ("cancel", "Cancel", "Stop; what is done stays"),
            ("png", "PNG", "Save the map as a picture"),
        ):
            button = W.Button(description=text, tooltip=tip)
            button.add_class(f"lrl-{name}")
            button.on_click(lambda _, name=name: act(name, None))
            self.buttons[name] = button
        self.progress, self.downloads, self.status = W.HTML(), W.HTML(), W.HTML()
        self.downloads.add_class("lrl-save")
        self.box = self._column()
        self.show_life(running=False, done=False)

    def _column(self) -> Any:
        two = row((self.buttons["run"], self.buttons["cancel"]), "lrl-pair")
        markets = row((self.seeds, self.seed), "lrl-pair")
        save = W.VBox([self.downloads, self.buttons["png"]])
        save.add_class("lrl-rows")
        parts = [two, self.progress, heading("Scenario"), self.preset, self.about, self.link]
        parts += [heading("Two settings"), self.x.box, self.y.box]
        parts += [
            heading("Runs of a cell"),
            markets,
            self.until,
            heading("Save"),
            save,
            self.status,
        ]
        column = W.VBox(parts)
        column.add_class("lrl-card")
        return column

    def name(self, preset: str) -> None:
        """Say which scenario this is."""
        with self._quietly():
            assign(self.preset, value=preset)
        scenario = SCENARIOS.get(preset)
        title = scenario.title if scenario else "Settings of your own"
        assign(self.about, value=f'<div class="lrl-note">{escape(title)}</div>')

    def show_progress(self, share: float) -> None:
        """Move the bar."""
        assign(self.progress, value=bar(share))

    def show_life(self, *, running: bool, done: bool) -> None:
        """Enable what can be done now."""
        for name, able in (("run", not running), ("cancel", running), ("png", done)):
            assign(self.buttons[name], disabled=not able)
