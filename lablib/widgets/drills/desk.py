"""The column of the drills' controls: what to break, how late the controls are, and what still passes.

It tells one function what a person asked for. What a browser may have written is read through
bounds of our own, since its bounds are a browser's to write, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as W  # noqa: N812 - the name its own manual uses

from lablib.config import SimConfig
from lablib.drills import FAULTS, Limits
from lablib.errors import ConfigError
from lablib.widgets.column import Act, Column, heading, row
from lablib.widgets.dials import Dial, end_of
from lablib.widgets.knobs import knobs
from lablib.widgets.panels import assign

SPEEDS = {
    "0.1 ×, slow motion": 0.1,
    "0.25 ×": 0.25,
    "0.5 ×": 0.5,
    "1 × real time": 1.0,
    "all at once": math.inf,
}
DIALS = {
    "How late you are": {
        "latency.order_entry_ms": "Order, on its way",
        "latency.ack_ms": "Answer, back",
        "latency.venue_feed_ms": "Quotes, to you",
        "latency.external_feed_ms": "Price, to you",
    },
    "Controls and limits": {
        "risk.stale_external_ms": "Silent price feed",
        "risk.stale_venue_ms": "Silent venue",
        "risk.order_timeout_ms": "Unanswered order",
        "risk.drawdown_cap_pct": "Loss limit",
        "risk.daily_loss_cap_pct": "Day’s loss limit",
        "risk.max_position_pct": "Size of an order",
    },
}
# label, unit, least, most, where it stands at first, what it does
SIZES = {
    "slide": ("Market against you", "bps/s", 0.0, 200.0, 40.0,
              "How fast the market goes against you while the fault lasts; 1 bps is a hundredth of a percent"),
    "lasts": ("Lasts at least", "s", 0.5, 5.0, 2.0,
              "How long it takes until the fault is repaired; longer where a delay that you set needs it"),
    "price_jump": ("The jump", "bps", 0.0, 200.0, FAULTS["price_jump"].size,
                   "How far the price jumps, in the drill of that name"),
    "late_switch": ("Switch later by", "ms", 0.0, 5_000.0, FAULTS["late_switch"].size,
                    "How much later the kill switch hears and speaks, in the drill of that name"),
    "slow_wires": ("Messages later by", "ms", 0.0, 1_000.0, FAULTS["slow_wires"].size,
                   "How much slower every message is, in the drill of that name"),
}  # fmt: skip
MARKS = {
    "late_ms": ("Halt late, at most", "ms", "How late a halt may be and still pass"),
    "fills_after": ("Fills after it, at most", "", "How many trades may still happen after the halt"),
    "overshoot": ("Beyond limit, at most", "", "How much may be lost beyond the limit (currency)"),
    "cost": ("Cost of it, at most", "", "How much being late may cost (currency)"),
}  # fmt: skip


class Desk(Column):
    """Everything a person can do to a drill.

    Parameters
    ----------
    config, seed
        Where the dials stand at first.
    act
        Called with `drill` and a fault's name, `set` (a pair of dotted field and value), `size` and its name,
        `seed`, `speed`, `marks`, `skip`, `many` or `clear`.
    """

    def __init__(self, config: SimConfig, seed: int, act: Act) -> None:
        super().__init__(act)
        self.drills = {name: self._drill(name) for name in FAULTS}
        self.buttons = {
            name: self._button(name, text, tip)
            for name, text, tip in (
                ("skip", "To the end", "Show how it ends, at once"),
                ("many", "On 20 other markets", "The same drill on twenty markets: is it luck?"),
                ("clear", "Clear the card", "Forget the drills run so far"),
            )
        }
        self.speed = W.Dropdown(
            options=list(SPEEDS.items()),
            value=1.0,
            description="Speed",
            tooltip="Simulated seconds per second",
            style={"description_width": "58px"},
        )
        self.speed.add_class("lrl-choose-speed")
        self.speed.observe(self._told("speed"), "value")
        self.seed = W.Text(
            str(seed),
            description="Market no.",
            tooltip="Which market is drawn, a whole number; the same number gives the same market again",
            continuous_update=False,
            style={"description_width": "70px"},
        )
        self.seed.observe(self._told("seed"), "value")
        style = W.SliderStyle(description_width="112px")
        known = {knob.path: knob for knob in knobs(type(config))}
        self.dials: dict[str, Dial] = {}
        for group in DIALS.values():
            for path, label in group.items():
                knob = known[path]
                dial = Dial(knob, config.get(path), style)
                dial.slider.description = f"{label}, {knob.unit}"
                dial.slider.tooltip = f"{knob.help}. Takes effect at the next drill. ({path})"
                dial.slider.observe(self._turned(dial), "value")
                self.dials[path] = dial
        self.sizes = {name: _slider(name, style) for name in SIZES}
        for name, slider in self.sizes.items():
            slider.observe(self._sized(name), "value")
        marks = Limits()
        self.marks = {name: self._mark(name, getattr(marks, name)) for name in MARKS}
        self.about, self.status, self.spread, self.download = (W.HTML() for _ in range(4))
        self.box = self._column()

    # ------------------------------------------------------------------------------------ building
    def _drill(self, name: str) -> Any:
        button = W.Button(description=FAULTS[name].title, tooltip=FAULTS[name].words)
        button.add_class(f"lrl-drill-{name.replace('_', '-')}")
        button.on_click(lambda _: self._act("drill", name))
        return button

    def _button(self, name: str, text: str, tooltip: str) -> Any:
        button = W.Button(description=text, tooltip=tooltip)
        button.add_class(f"lrl-{name}")
        button.on_click(lambda _: self._act(name, None))
        return button

    def _mark(self, name: str, value: float) -> Any:
        label, unit, tooltip = MARKS[name]
        text = f"{label}, {unit}" if unit else label
        field = W.FloatText(
            value,
            description=text,
            tooltip=tooltip,
            continuous_update=False,
            style={"description_width": "140px"},
        )
        field.add_class(f"lrl-mark-{name.replace('_', '-')}")
        field.observe(self._told("marks"), "value")
        return field

    def _turned(self, dial: Dial) -> Callable[[Any], None]:
        def tell(_: Any) -> None:
            if dial.turned() and not self._quiet:
                self._act("set", (dial.knob.path, dial.value))

        return tell

    def _sized(self, name: str) -> Callable[[Any], None]:
        def tell(_: Any) -> None:
            self._act("size", name)

        return tell

    def _column(self) -> Any:
        catalogue = W.VBox(list(self.drills.values()))
        catalogue.add_class("lrl-catalogue")
        pair = row((self.buttons["skip"], self.buttons["many"]), "lrl-pair")
        folds = {title: [self.dials[path].box for path in group] for title, group in DIALS.items()}
        folds["The market and the fault"] = [*self.sizes.values(), self.seed]
        folds["What still passes"] = [*self.marks.values(), self.buttons["clear"]]
        boxes = [W.VBox(parts) for parts in folds.values()]
        for box in boxes:
            box.add_class("lrl-rows")
        more = W.Accordion(boxes, titles=tuple(folds), selected_index=0)
        more.add_class("lrl-more")
        parts = [heading("Break something"), catalogue, self.about, self.speed, pair, self.status]
        column = W.VBox([*parts, self.spread, more, self.download])
        column.add_class("lrl-card")
        return column

    # ------------------------------------------------------------------------------------- reading
    @property
    def limits(self) -> Limits:
        """What still passes.

        Raises
        ------
        ConfigError
            A mark that is no number of at least 0.
        """
        values = {name: _number(field.value, name) for name, field in self.marks.items()}
        return Limits(**values)  # type: ignore[arg-type]

    def size(self, name: str) -> float:
        """Where a slider of `SIZES` stands, within its bounds."""
        _, _, low, high, _, _ = SIZES[name]
        return min(max(_number(self.sizes[name].value, name), low), high)

    def size_words(self, name: str) -> list[str]:
        """What a slider of `SIZES` stands at, and that this is as far as it goes where it is."""
        label, unit = SIZES[name][:2]
        told = f"{label}: {self.size(name):,.9g} {unit}; the next drill has it."
        end = end_of(self.sizes[name], unit)
        return [told, end] if end else [told]

    @property
    def pace(self) -> float:
        """Simulated seconds a second."""
        value = self.speed.value
        return value if value in SPEEDS.values() else 1.0

    # ------------------------------------------------------------------------------------- showing
    def put_back(self, path: str, value: Any) -> None:
        """Return a dial to what the config holds."""
        with self._quietly():
            self.dials[path].show(value)

    def show_seed(self, seed: int) -> None:
        """Show the market's number."""
        with self._quietly():
            assign(self.seed, value=str(seed))

    def show_life(self, fault: str, *, ready: bool, playing: bool, busy: bool, rows: int) -> None:
        """Enable what can be done now, and say what `fault` is about.

        Parameters
        ----------
        ready
            Whether the engine is there.
        busy
            Whether something is being computed.
        rows
            Drills on the card.
        """
        for name, button in self.drills.items():
            assign(button, disabled=not ready or busy)
            if (name == fault) != ("lrl-chosen-drill" in button._dom_classes):
                (button.add_class if name == fault else button.remove_class)("lrl-chosen-drill")
        able = {"skip": playing, "many": ready and not busy and bool(fault), "clear": rows > 0}
        for name, value in able.items():
            assign(self.buttons[name], disabled=not value)
        words = (
            FAULTS[fault].words
            if fault
            else "Press a drill. Nothing real is at stake: all of it is simulated."
        )
        assign(self.about, value=f'<div class="lrl-note lrl-about">{escape(words)}</div>')


def _slider(name: str, style: Any) -> Any:
    label, unit, low, high, at, tooltip = SIZES[name]
    slider = W.FloatSlider(
        at,
        min=low,
        max=high,
        step=(high - low) / 200 if high > 20 else 0.1,
        description=f"{label}, {unit}",
        tooltip=f"{tooltip}. {low:g} to {high:g} {unit}; takes effect at the next drill.",
        readout_format=".0f" if high > 20 else ".1f",
        style=style,
    )
    slider.add_class(f"lrl-size-{name.replace('_', '-')}")
    return slider


def _number(value: Any, name: str) -> float:
    """A finite number out of what a widget holds.

    Raises
    ------
    ConfigError
        It is none.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise ConfigError(f"{name}: a number, got {str(value)[:40]!r}")
    return number
