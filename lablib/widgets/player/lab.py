"""The player: a record chosen from a shelf -> reel -> stage, moved by hand or by the clock, on one event loop.

Reading, running again and making files happen on threads; nothing but the loop's thread touches a widget.
"""

from __future__ import annotations

import os
import time
from functools import partial
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import ipywidgets as W  # noqa: N812 - the name its own manual uses

from lablib.errors import ConfigError, LabError
from lablib.widgets import readouts
from lablib.widgets.flow import Flow
from lablib.widgets.loop import Loop
from lablib.widgets.panels import assign, family
from lablib.widgets.permalink import LONGEST
from lablib.widgets.playback import Playback
from lablib.widgets.player import files
from lablib.widgets.player.catalogue import Catalogue, link
from lablib.widgets.player.check import Check, watch
from lablib.widgets.player.desk import Desk
from lablib.widgets.player.errands import Errands, aside
from lablib.widgets.player.reel import Reel
from lablib.widgets.player.stage import Stage, served
from lablib.widgets.player.transport import Transport
from lablib.widgets.shelf import Shelf

HANDS_OFF_S = 0.6  # after a hand on the slider, before playing moves it again

_current: PlayerLab | None = None


class PlayerLab(W.VBox):  # type: ignore[misc]
    """A player of records: the widget that `replay_lab` returns.

    What the buttons do are methods, so that a notebook can do it too.

    Attributes
    ----------
    desk
        The column of controls.
    shelf
        The records there are.
    reel
        The one that is open, or None.
    """

    def __init__(self, shelf: Shelf, asked: dict[str, str]) -> None:
        super().__init__()
        _take_over(self)
        self.add_class("lrl")
        self.shelf = shelf
        self.reel: Reel | None = None
        self._check: Check | None = None
        self._touched = 0.0
        self._catalogue = Catalogue(shelf)
        self._transport = Transport()
        self._loop = Loop(self._failed)
        self._flow = Flow(self._loop.call)
        self._errands = Errands(
            self._loop, say=self._say, failed=self._complain, settle=self._settle
        )
        self._playback = Playback(
            self._loop,
            self._flow,
            runs=lambda: self._transport.playing,
            turn=self._turn,
            ended=self._ended,
        )
        self.desk = Desk(self._asked)
        self.stage = Stage(self.desk, self._flow.widget)
        self.children = tuple(self.stage.widgets)
        self._begin(asked)

    def _begin(self, asked: dict[str, str]) -> None:
        """Open what the address asks for, else the newest; before the page stands, so that it misses nothing."""
        self._list()
        wanted = asked.get("record") or self._catalogue.newest
        complaints = []
        for name, show in ((wanted, self._show), (asked.get("compare", ""), self._beside)):
            if name:
                try:
                    show(self._catalogue.read(name))
                except LabError as error:
                    complaints.append(self.shelf.plain(error))
        if "t" in asked and self.reel is not None:
            try:
                self.go(float(asked["t"]))
            except (ValueError, OverflowError, ConfigError):
                complaints.append(f"t: seconds from the start, got {asked['t'][:40]!r}")
        self._say(*complaints, bad=True)
        self._settle()

    # ------------------------------------------------------------------------------------- actions
    def choose(self, name: str) -> None:
        """Open a record by its name."""
        if not name or (self.reel is not None and name == self.reel.name):
            self._list()
            return
        self._errands.run(partial(self._catalogue.read, name), self._show, f"Opening {name}")

    def compare(self, name: str) -> None:
        """Draw another record beside the one that is open; an empty name ends it."""
        if self.reel is None:
            raise ConfigError("compare: open a record first")
        if not name:
            self._beside(None)
            return
        self._errands.run(partial(self._catalogue.read, name), self._beside, f"Opening {name}")

    def look(self) -> None:
        """Read the list of records anew; open the newest where none is open."""
        self._say()
        self._list()
        if self.reel is None and self._catalogue.entries:
            self.choose(next(iter(self._catalogue.entries)))
        self._settle()

    def play(self) -> None:
        """Play on from here, by the wall clock; from the end, from the start."""
        _ = self._open_reel
        if not self._loop.runs:
            raise LabError("play: needs a running event loop, as a notebook has; go() needs none")
        self._transport.play()
        self._playback.start()
        self._settle()

    def pause(self) -> None:
        """Stand still."""
        self._transport.playing = False
        self._redraw()
        self._settle()

    def step(self) -> None:
        """Stand still at the next decision."""
        transport = self._transport
        transport.playing = False
        transport.stand(self._open_reel.after(self.now_ns))
        self._redraw()
        self._settle()

    def go(self, seconds: float) -> None:
        """Show the moment so many simulated seconds after the start."""
        _ = self._open_reel
        self._transport.go(seconds)
        self._redraw()

    def verify(self) -> None:
        """Run the record again and compare; with no event loop, until it is done."""
        if self._check is not None:
            return
        check = self._check = Check(self.shelf, self._open_reel.name)
        assign(self.desk.verdict, value="")
        self.desk.show_progress(0.0)
        self._settle()
        if aside(self._loop):
            self._loop.spawn(self._verify(check))
        else:
            check.work()
            self._judge(check)

    def cancel(self) -> None:
        """Stop verifying."""
        if self._check is not None:
            self._check.cancel()

    def save(self, ending: str) -> None:
        """Make a file of the chosen table, and offer it."""
        reel, table = self._open_reel, self.desk.table.value
        files.check(reel, table, ending)
        work = partial(files.encoded, reel, table, ending)
        offer = partial(self._offer, f"{reel.name}-{table}.{ending}")
        self._errands.run(work, offer, "Making the file")

    # ------------------------------------------------------------------------------------- opening
    def _show(self, reel: Reel) -> None:
        """Put a run on the stage, at its end."""
        if self._check is not None:
            self._check.cancel()
        if self.reel is not None:
            reel.compare(self.reel.other)
        self.reel = reel
        self._transport.load(reel.end_ns)
        assign(self.desk.verdict, value="")
        assign(self.desk.download, value="")
        self._lay_out()

    def _beside(self, other: Reel | None) -> None:
        self._open_reel.compare(other)
        self._lay_out()

    def _lay_out(self) -> None:
        self.stage.lay_out(self.reel, empty=not self._catalogue.entries)
        self._redraw()

    # ------------------------------------------------------------------------------------- showing
    @property
    def _open_reel(self) -> Reel:
        if self.reel is None:
            raise ConfigError("record: none is open")
        return self.reel

    @property
    def now_ns(self) -> int:
        """The moment that is shown."""
        return self._transport.now_ns

    @property
    def window_s(self) -> float:
        """Simulated seconds the charts show."""
        return self._transport.window_s

    def _turn(self) -> None:
        self._transport.turn()
        self._redraw(everything=not self._transport.playing)

    def _ended(self, unseen: bool) -> None:
        self._transport.playing = False
        if unseen:
            self._say("Paused, as nobody was watching.")
        self._settle()

    def _redraw(self, *, everything: bool = True) -> None:
        """Show the moment in every panel."""
        if self.reel is None:
            return
        if time.monotonic() - self._touched > HANDS_OFF_S:
            self.desk.place(self.stage.place(self.now_ns))
        self.stage.draw(self.reel, self.now_ns, self.window_s, everything=everything)
        self._flow.mark()

    def _settle(self) -> None:
        """Make the controls stand where the player stands."""
        there = self.reel is not None
        if not there:
            self.stage.lay_out(None, empty=not self._catalogue.entries)
        self._list_shown()
        self.desk.show_life(
            there=there,
            playing=self._transport.playing,
            busy=self._errands.busy,
            verifying=self._check is not None,
        )

    def _list(self) -> None:
        self._catalogue.look()
        self._list_shown()

    def _list_shown(self) -> None:
        reel = self.reel
        other = reel.other.name if reel is not None and reel.other is not None else ""
        self.desk.list(self._catalogue.pairs(), reel.name if reel else "", other)
        about = escape(self._catalogue.about(reel)) if reel is not None else ""
        address = link(reel.name, other) if reel is not None and served() else ""
        assign(self.desk.about, value=f'<div class="lrl-note">{about}</div>')
        assign(self.desk.link, value=f'<div class="lrl-note lrl-link">{address}</div>')

    def _say(self, *lines: str, bad: bool = False) -> None:
        assign(self.desk.status, value=readouts.status(lines, bad=bad))

    def _complain(self, error: LabError) -> None:
        self._say(self.shelf.plain(error), bad=True)

    def _failed(self, error: BaseException) -> None:
        self._transport.playing = self._errands.busy = False
        self._check = None
        self._say(f"{type(error).__name__}: {self.shelf.plain(error)}", bad=True)
        self._settle()

    # ------------------------------------------------------------------------ verifying and saving
    async def _verify(self, check: Check) -> None:
        try:
            await watch(check, self._loop, self.desk.show_progress)
        finally:
            self._judge(check)

    def _judge(self, check: Check) -> None:
        self._check = None
        self.desk.show_progress(None)
        if check.verdict is not None:
            assign(self.desk.verdict, value=check.verdict.html)
        self._settle()

    def _offer(self, name: str, data: bytes) -> None:
        assign(self.desk.download, value=files.link(name, data))

    # ------------------------------------------------------------------------------------ callbacks
    def _asked(self, name: str, value: Any) -> None:
        self._loop.call(partial(self._act, name, value))

    def _act(self, name: str, value: Any) -> None:
        """Do what a control asked for. What cannot be done is said, not raised."""
        try:
            if name == "place":
                self._touched = time.monotonic()
                self._placed(int(value))
            elif name in ("speed", "window"):
                self._tune(name, float(value))
            elif name == "record":
                self.choose(value)
            elif name in ("compare", "save"):
                getattr(self, name)(value)
            elif name == "reset":
                self._touched = 0.0
                self.go(0.0)
            else:
                getattr(self, name)()
        except LabError as error:
            self._complain(error)
            self._settle()

    def _placed(self, place: int) -> None:
        if self.reel is not None:
            self._transport.stand(self.stage.moment(place))
            self._redraw()

    def _tune(self, name: str, value: float) -> None:
        self._transport.tune(name, value)
        if not self._transport.playing:
            self._redraw()

    def close(self) -> None:
        """Stop, and give every widget back."""
        global _current
        if _current is self:
            _current = None
        self.cancel()
        self._loop.cancel()
        self._flow.close()
        for widget in family((self, *self.stage.parts)):
            if widget is not self:
                widget.close()
        super().close()


def replay_lab(folder: str | Path | None = None) -> PlayerLab:
    """The player of records, ready to be shown.

    Parameters
    ----------
    folder
        That holds records; what the server said (`LABLIB_RECORDS`) unless given, or `runs`.

    Notes
    -----
    A page's address may name a `record`, one to `compare` it with and a moment `t` in seconds. Making
    another closes the first. With `NOTEBOOK_TEST=1` nothing happens on threads.
    """
    words = dict(parse_qsl(os.environ.get("QUERY_STRING", "")[:LONGEST]))
    return PlayerLab(Shelf(folder), words)


def _take_over(lab: PlayerLab) -> None:
    """Close the player before: a cell run again must not leave another playing unseen."""
    global _current
    before, _current = _current, lab
    if before is not None:
        before.close()
