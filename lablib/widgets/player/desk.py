"""The column of a player's controls: which record, how it plays, is it true, what to save.

It tells one function what a person asked for and knows neither records nor runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as W  # noqa: N812 - the name its own manual uses

from lablib.widgets.column import Act, Column, bar, heading, row
from lablib.widgets.controls import WINDOWS
from lablib.widgets.panels import assign
from lablib.widgets.player.chart import scrubber

WHOLE_S = 30.0  # of real time, in which the default speed plays a whole record
SPEEDS = {
    f"all of it in {WHOLE_S:.0f} s": 0.0,
    "0.1 ×": 0.1,
    "1 × real time": 1.0,
    "2 ×": 2.0,
    "5 ×": 5.0,
    "10 ×": 10.0,
    "60 × (a minute a second)": 60.0,
    "600 ×": 600.0,
    "3,600 × (an hour a second)": 3_600.0,
}
TABLES = {
    "samples, a row a decision": "samples",
    "orders": "orders",
    "fills": "fills",
    "halts and breaches": "risk_events",
    "commands": "commands",
}
FILES = {"csv": "CSV", "parquet": "Parquet", "jsonl": "JSON lines"}


class Desk(Column):
    """Everything a person can do to a record: look, play, compare, verify, save.

    Parameters
    ----------
    act
        Called with `play`, `pause`, `step`, `start`, `look`, `verify`, `cancel`, or with a value `record`,
        `compare` (names), `speed`, `window`, `place` (of the slider), `save` (a file's ending).
    """

    def __init__(self, act: Act) -> None:
        super().__init__(act)
        self._narrow = {"description_width": "58px"}
        self.record = self._choice("Record", {"none yet": ""}, "Which run to look at")
        self.compare = self._choice(
            "Compare", {"with no other": ""}, "Another record, on the same axes"
        )
        self.speed = self._choice("Speed", SPEEDS, "Simulated seconds per second")
        self.window = self._choice("Window", WINDOWS, "Simulated time the charts below show")
        self.table = W.Dropdown(
            options=list(TABLES.items()),
            description="Table",
            style=self._narrow,
            tooltip="What to save",
        )
        self.table.add_class("lrl-choose-table")
        self.slider = scrubber()
        self.slider.observe(self._told("place"), "value")
        self.buttons = {
            name: self._button(name, text, tip)
            for name, text, tip in (
                ("play", "Play", "Play on from here; at the end, from the start"),
                ("pause", "Pause", "Stand still"),
                ("step", "Step", "Go to the next decision"),
                ("reset", "Start", "Go to the start"),
                ("look", "Look again", "Read the list of records anew"),
                ("verify", "Verify", "Run it again and compare every row, and the digest"),
                ("cancel", "Cancel", "Stop verifying"),
                *((f"save-{end}", text, f"Make a {text} file of the table") for end, text in FILES.items()),
            )
        }  # fmt: skip
        self.about, self.link, self.status = W.HTML(), W.HTML(), W.HTML()
        self.progress, self.verdict, self.download = W.HTML(), W.HTML(), W.HTML()
        self.box = self._column()

    # ------------------------------------------------------------------------------------ building
    def _button(self, name: str, text: str, tooltip: str) -> Any:
        button = W.Button(description=text, tooltip=tooltip)
        button.add_class(f"lrl-{name}")
        word, _, value = name.partition("-")
        button.on_click(lambda _: self._act(word, value or None))
        return button

    def _choice(self, name: str, options: dict[str, Any], tooltip: str) -> Any:
        choice = W.Dropdown(
            options=list(options.items()),
            description=name,
            tooltip=tooltip,
            style=self._narrow,
        )
        choice.add_class(f"lrl-choose-{name.lower()}")
        choice.observe(self._told(name.lower()), "value")
        return choice

    def _column(self) -> Any:
        four, two, three = (
            row((self.buttons[name] for name in names), style)
            for names, style in (
                (("play", "pause", "step", "reset"), "lrl-buttons"),
                (("verify", "cancel"), "lrl-pair"),
                ([f"save-{end}" for end in FILES], "lrl-three"),
            )
        )
        note = "Runs it again from its settings, seed and commands, and compares every byte."
        parts = [four, self.speed, self.window, heading("Record"), self.record, self.about]
        parts += [self.compare, self.buttons["look"], self.link, self.status]
        parts += [heading("Is it true?"), W.HTML(f'<div class="lrl-note">{note}</div>'), two]
        parts += [self.progress, self.verdict, heading("Save"), self.table, three, self.download]
        column = W.VBox(parts)
        column.add_class("lrl-card")
        return column

    # ------------------------------------------------------------------------------------- showing
    def list(self, records: Sequence[tuple[str, str]], chosen: str, compared: str) -> None:
        """Offer records, pairs of words and name, and stand at two of them."""
        named = {name for _, name in records}
        with self._quietly():
            for choice, none, value in (
                (self.record, "choose a record" if records else "none yet", chosen),
                (self.compare, "with no other", compared),
            ):
                options = [(none, ""), *records]
                if list(choice.options) != options:
                    choice.options = options
                assign(choice, value=value if value in named else "")

    def place(self, place: int) -> None:
        """Move the slider without being asked back."""
        with self._quietly():
            assign(self.slider, value=place)

    def show_life(self, *, there: bool, playing: bool, busy: bool, verifying: bool) -> None:
        """Enable what can be done now.

        Parameters
        ----------
        there
            Whether a record is open.
        busy
            Whether one is being opened.
        """
        still = there and not busy
        able = {
            "play": still and not playing,
            "pause": still and playing,
            "step": still,
            "reset": still,
            "look": not busy,
            "verify": still and not verifying,
            "cancel": verifying,
            **{f"save-{end}": still for end in FILES},
        }
        for name, value in able.items():
            assign(self.buttons[name], disabled=not value)
        for choice in (self.record, self.compare):
            assign(choice, disabled=busy)
        assign(self.slider, disabled=not still)

    def show_progress(self, share: float | None) -> None:
        """Move the bar; None takes it away."""
        assign(self.progress, value="" if share is None else bar(share))
