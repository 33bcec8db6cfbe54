"""Where a recorded market is chosen: a list of names, and room for two files of one's own.

It tells one function what a person asked for and knows no market.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets as W  # noqa: N812 - the name its own manual uses

from lablib.widgets.column import Act, Column, heading, row
from lablib.widgets.panels import assign

ROLES = ("leader", "follower")
OWN = ""  # chosen where what plays is nobody's but the visitor's
_TIPS = {
    "leader": "The recording whose price moves first",
    "follower": "The recording of the venue to trade on, with its depth and a snapshot",
}


class Desk(Column):
    """Everything a person can do to choose a market.

    Parameters
    ----------
    names
        Markets there are.
    most_mb
        How large a file may be.
    act
        Called with `market` and a name, or `file` and a pair of role and what the browser sent.
    """

    def __init__(self, names: Sequence[str], most_mb: int, act: Act) -> None:
        super().__init__(act)
        self._names = tuple(names)
        narrow = {"description_width": "52px"}
        self.market = W.Dropdown(
            options=self._options(""),
            value=None if names else OWN,
            description="Market",
            style=narrow,
            tooltip="Which recording to play on",
        )
        self.market.add_class("lrl-choose-market")
        self.market.observe(lambda change: self._chosen(change["new"]), "value")
        self.files = {role: self._file(role) for role in ROLES}
        self.skip = W.Checkbox(
            False,
            description="Leave out bad rows, and count them",
            tooltip="Otherwise the first bad row is named, and nothing is taken",
            indent=False,
        )
        self.skip.add_class("lrl-skip")
        self._handed = W.HTML()
        # The page's own script reads the number: more than it would only break the connection.
        self._about = (
            "Two recordings of one recorder, in one of the forms the README lists (.gz, .zip or plain), up to"
            f' <span class="lrl-most" data-bytes="{most_mb << 20}">{most_mb} MB</span> each.'
        )
        pair = row(self.files.values(), "lrl-pair")
        self.box = W.VBox(
            [
                heading("Recorded market"),
                self.market,
                heading("Or files of your own"),
                pair,
                self._handed,
                self.skip,
            ]
        )
        self.box.add_class("lrl-rows")
        self.show_handed({})

    def _options(self, own: str) -> list[tuple[str, str | None]]:
        """The list: what is there, and what a visitor handed in while that plays."""
        if not self._names and not own:
            return [("none yet", OWN)]
        first: list[tuple[str, str | None]] = [] if own else [("choose a market", None)]
        return [*first, *((name, name) for name in self._names), *([(own, OWN)] if own else [])]

    def _file(self, role: str) -> Any:
        upload = W.FileUpload(description=role.capitalize(), tooltip=_TIPS[role], multiple=False)
        upload.add_class(f"lrl-hand-{role}")
        upload.observe(lambda change: self._handed_in(role, change["new"]), "value")
        return upload

    def _chosen(self, name: Any) -> None:
        if not self._quiet and name:
            self._act("market", name)

    def _handed_in(self, role: str, files: Any) -> None:
        if files:
            self._act("file", (role, files))
            self.files[role].value = ()  # nothing of it stays in what the page and we share

    # ------------------------------------------------------------------------------------- showing
    def stand(self, name: str | None, own: str = "") -> None:
        """Stand at the market that plays: one of the list, None before any, or one's own by what it is called."""
        options = self._options(own)
        known = {value for _, value in options}
        with self._quietly():
            if list(self.market.options) != options:
                self.market.options = options
            assign(self.market, value=name if name in known else OWN if OWN in known else None)

    def show_handed(self, handed: dict[str, tuple[str, int]]) -> None:
        """Say what was handed in and waits for the other file: name and bytes by role."""
        lines = [
            f"{role.capitalize()}: <b>{escape(name)}</b>, {size / (1 << 20):,.1f} MB"
            for role, (name, size) in handed.items()
        ]
        missing = [role for role in ROLES if role not in handed]
        if handed and missing:
            lines.append(f"Now the {missing[0]}.")
        text = "<br>".join([*lines, self._about] if missing else lines)
        assign(self._handed, value=f'<div class="lrl-note lrl-handed">{text}</div>')

    def show_life(self, *, busy: bool) -> None:
        """Enable what can be done now."""
        for widget in (self.market, self.skip, *self.files.values()):
            assign(widget, disabled=busy)
