"""The column of controls: run, scenario, sliders, switches. It tells one function what a person asked for.

Nothing here validates or simulates. `show` makes the controls stand where the config stands without
being taken for a person's wish.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import urlencode

import ipywidgets as W  # noqa: N812 - the name its own manual uses

from lablib.config import SimConfig
from lablib.presets import SCENARIOS, WIRES
from lablib.widgets import places
from lablib.widgets.column import Act, Column, heading, row
from lablib.widgets.dials import Dial
from lablib.widgets.knobs import Knob, Switch, knobs, switches
from lablib.widgets.panels import assign
from lablib.widgets.plan import SYNTHETIC, Plan

SPEEDS = {
    "0.1 ×": 0.1,
    "0.5 ×": 0.5,
    "1 × real time": 1.0,
    "2 ×": 2.0,
    "5 ×": 5.0,
    "10 ×": 10.0,
    "60 × (a minute a second)": 60.0,
    "600 ×": 600.0,
    "3,600 × (an hour a second)": 3_600.0,
    "as fast as possible": math.inf,
}
WINDOWS = {
    "as fits the speed": 0.0,
    "15 s": 15.0,
    "1 min": 60.0,
    "15 min": 900.0,
    "1 h": 3_600.0,
    "6 h": 21_600.0,
    "1 day": 86_400.0,
}
CUSTOM = "custom"
RECORD, STOP = "Record", "Stop and keep"


class Controls(Column):
    """Everything a person can do.

    Parameters
    ----------
    config, seed, preset
        Where to stand at first; `preset` may be `CUSTOM`.
    act
        Called with what was asked for: `play`, `pause`, `step`, `reset`, `record` (which also ends it),
        `halt`, `release`, or with a value `preset`, `wires`, `seed`, `speed`, `window`, `set` (a pair of
        dotted field and value).
    plan
        Which settings there are.
    first
        Widgets that stand above all others.

    Attributes
    ----------
    status
        What came of a wish, and what went wrong; under `first` where there is one.
    notices
        What is to be placed by the page instead, where it is seen: the status, without `first`.
    """

    def __init__(
        self,
        config: SimConfig,
        seed: int,
        preset: str,
        act: Act,
        plan: Plan = SYNTHETIC,
        first: Sequence[Any] = (),
    ) -> None:
        super().__init__(act)
        self._plan = plan
        self._narrow = {"description_width": "52px"}
        self.buttons = {
            name: self._button(name, text, tip)
            for name, text, tip in (
                ("play", "Play", "Let the market run"),
                ("pause", "Pause", "Hold the market; time stands still"),
                ("step", "Step", "Move on by one decision"),
                ("reset", "Reset", "Begin again at time zero with these settings and this seed"),
                ("record", RECORD, "Begin again at time zero and write everything down"),
                ("halt", "Halt trading", "Pull the kill switch by hand"),
            )
        }
        self.speed = self._choice("Speed", SPEEDS, 1.0, "Simulated seconds per second")
        self.window = self._choice("Window", WINDOWS, 0.0, "Simulated time the charts show")
        self.preset = self.wires = None
        if plan.start == "preset":
            names = {name.replace("_", " "): name for name in (*SCENARIOS, CUSTOM)}
            self.preset = self._choice("Preset", names, preset, "Begin again in a named scenario")
        else:
            names = {name.replace("_", " "): name for name in (places.NONE, *WIRES, places.OWN)}
            tip = "Take every delay of ours from a place or a link"
            self.wires = self._choice("Wires", names, places.OWN, tip)
        self.seed = W.Text(
            str(seed),
            description="Seed",
            tooltip="What chance there is, a whole number; takes effect at the next reset",
            continuous_update=False,
            style=self._narrow,
        )
        self.seed.observe(self._told("seed"), "value")
        style = W.SliderStyle(description_width="104px")
        self.dials = {
            knob.path: Dial(self._spanned(knob), config.get(knob.path), style)
            for knob in knobs(type(config))
            if not knob.path.startswith(plan.idle)
        }
        for dial in self.dials.values():
            dial.slider.observe(self._turned(dial), "value")
        self.switches = {
            one.path: self._switch(one)
            for one in switches(type(config))
            if not one.path.startswith(plan.idle)
        }
        self._about = W.HTML()
        self._link, self._onward, self._kept = W.HTML(), W.HTML(), W.HTML()
        self.status = W.HTML()
        self.notices = () if first else (self.status,)
        self.box = self._column(first)
        self.show(config, seed, preset)

    # ------------------------------------------------------------------------------------ building
    def _spanned(self, knob: Knob) -> Knob:
        low, high = self._plan.spans.get(knob.path, (knob.low, knob.high))
        return replace(knob, low=low, high=high)

    def _button(self, name: str, text: str, tooltip: str) -> Any:
        button = W.Button(description=text, tooltip=tooltip)
        button.add_class(f"lrl-{name}")
        button.on_click(lambda _: self._act(self._halt_or_release(name), None))
        return button

    def _halt_or_release(self, name: str) -> str:
        released = name == "halt" and self.buttons["halt"].description != "Halt trading"
        return "release" if released else name

    def _choice(self, name: str, options: dict[str, Any], value: Any, tooltip: str) -> Any:
        choice = W.Dropdown(
            options=list(options.items()),
            value=value,
            description=name,
            tooltip=tooltip,
            style=self._narrow,
        )
        choice.add_class(f"lrl-choose-{name.lower()}")
        choice.observe(self._told(name.lower()), "value")
        return choice

    def _switch(self, switch: Switch) -> Any:
        box = W.Checkbox(False, description=switch.label, tooltip=switch.tooltip, indent=False)
        box.add_class("lrl-" + switch.path.replace(".", "-").replace("_", "-"))
        box.observe(self._flipped(switch.path), "value")
        return box

    def _flipped(self, path: str) -> Callable[[Any], None]:
        def tell(change: Any) -> None:
            if not self._quiet:
                self._act("set", (path, change["new"]))

        return tell

    def _turned(self, dial: Dial) -> Callable[[Any], None]:
        def tell(_: Any) -> None:
            if dial.turned() and not self._quiet:
                self._act("set", (dial.knob.path, dial.value))

        return tell

    def _column(self, first: Sequence[Any]) -> Any:
        four = row(
            (self.buttons[name] for name in ("play", "pause", "step", "reset")), "lrl-buttons"
        )
        two = row((self.buttons["record"], self.buttons["halt"]), "lrl-pair")
        plan, above = self._plan, [] if self.notices else [self.status]
        parts = [*first, *above, four, self.speed, self.window, two, self._kept]
        if self.wires is None:
            parts += [heading("Scenario"), self.preset]
        else:
            parts += [heading("Where we stand"), self.wires]
        parts += [self._about, self.seed, self._link, self._onward]
        for title, paths in plan.groups.items():
            parts += [heading(title), *(self.dials[path].box for path in paths)]
        main = {path for paths in plan.groups.values() for path in paths}
        boxes: dict[str, list[Any]] = {title: [] for title in ("More settings", *plan.folds)}
        everything = {path: dial.box for path, dial in self.dials.items()} | self.switches
        for path, box in everything.items():
            if path not in main:
                folds = (name for name, of in plan.folds.items() if path.startswith(tuple(of)))
                boxes[next(folds, "More settings")].append(box)
        more = W.Accordion([W.VBox(each) for each in boxes.values()], titles=tuple(boxes))
        more.add_class("lrl-more")
        column = W.VBox([*parts, more])
        column.add_class("lrl-card")
        return column

    # ------------------------------------------------------------------------------------- showing
    def show(self, config: SimConfig, seed: int, preset: str) -> None:
        """Stand where the run stands."""
        with self._quietly():
            for path, dial in self.dials.items():
                dial.show(config.get(path))
            for path, box in self.switches.items():
                assign(box, value=config.get(path))
            assign(self.seed, value=str(seed))
            self.name(preset, config)

    def name(self, preset: str, config: SimConfig) -> None:
        """Say which scenario this is, or whose wires."""
        known: Any = SCENARIOS.get(preset)
        title = known.title if known else "Settings of your own"
        with self._quietly():
            if self.wires is None:
                assign(self.preset, value=preset)
            else:
                place = places.name_of(config)
                assign(self.wires, value=place)
                known, title = WIRES.get(place), places.TITLES[place]
        tip = escape(known.source if known else "", quote=True)
        assign(self._about, value=f'<div class="lrl-note" title="{tip}">{escape(title)}</div>')

    def show_speed(self, speed: float) -> None:
        """Stand at a speed that nobody asked for."""
        with self._quietly():
            assign(self.speed, value=speed)

    def put_back(self, path: str, value: Any) -> None:
        """Return one slider or switch to what the config holds."""
        with self._quietly():
            if path in self.dials:
                self.dials[path].show(value)
            elif path in self.switches:
                assign(self.switches[path], value=value)

    def link(self, query: str) -> None:
        """Offer the scenario as an address, here and on the frontier’s page; none where it is empty."""
        text = f'<a href="?{escape(query, quote=True)}">Link to this scenario</a>' if query else ""
        assign(self._link, value=f'<div class="lrl-note lrl-link">{text}</div>')
        if self.wires is not None:  # recorded markets are not swept there
            return
        text = f'<a href="frontier.ipynb?{escape(query, quote=True)}">Sweep two of its settings</a>'
        assign(self._onward, value=f'<div class="lrl-note lrl-onward">{text}</div>')

    def show_record(self, writing: str, kept: str, page: str) -> None:
        """Say which record is being written, and which was kept last.

        Parameters
        ----------
        writing, kept
            Names, empty for none.
        page
            Address of the player, empty where there is none.
        """
        button = self.buttons["record"]
        assign(button, description=STOP if writing else RECORD)
        if ("lrl-recording" in button._dom_classes) != bool(writing):
            (button.add_class if writing else button.remove_class)("lrl-recording")
        lines = [f"Recording as <b>{escape(writing)}</b>"] if writing else []
        if kept and page:
            href = escape(f"{page}?{urlencode({'record': kept})}", quote=True)
            link = f'<a href="{href}" target="_blank">open it in the replay</a>'
            lines.append(f"Kept as <b>{escape(kept)}</b>: {link}")
        elif kept:
            lines.append(f"Kept as {escape(kept)}: replay_lab() plays it")
        text = f'<div class="lrl-note lrl-kept">{"<br>".join(lines)}</div>' if lines else ""
        assign(self._kept, value=text)

    def show_life(self, state: str, *, halted: bool) -> None:
        """Enable what can be done now."""
        running, over = state in ("running", "halted"), state in ("finished", "failed")
        able = {
            "play": not running and not over and state != "starting",
            "pause": running,
            "step": not running and not over and state != "starting",
            "reset": state != "starting",
            "record": state != "starting",
            "halt": not over and state != "starting",
        }
        for name, value in able.items():
            assign(self.buttons[name], disabled=not value)
        assign(self.buttons["halt"], description="Release the halt" if halted else "Halt trading")
