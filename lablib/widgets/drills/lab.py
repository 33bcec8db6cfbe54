"""The drills: press one, watch what stops it, take home what being late cost.

A drill is computed first, which takes milliseconds, and then played: two simulations side by side, the
same to the last byte until a control without delay would have acted. All that is told of it comes from
its tables. Only the loop's thread touches widgets; what is computed stands on a thread of its own.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import ipywidgets as W  # noqa: N812 - the name its own manual uses
import numpy as np

from lablib.config import SimConfig
from lablib.drills import FAULTS, Drill, card, desk, drill
from lablib.drills.moments import again
from lablib.drills.timeline import NEVER
from lablib.engine import Simulation, as_config
from lablib.errors import ConfigError, LabError
from lablib.exports import encoded
from lablib.kernels import tables as t
from lablib.pace import Pace
from lablib.widgets import permalink, readouts
from lablib.widgets.drills import scores
from lablib.widgets.drills.desk import Desk
from lablib.widgets.drills.stage import Stage
from lablib.widgets.flow import Flow
from lablib.widgets.loop import Loop
from lablib.widgets.panels import assign, family, tell_again
from lablib.widgets.playback import Playback
from lablib.widgets.player.files import link
from lablib.widgets.view import NS, View

SEED = 3
MARKETS = 20  # that "on other markets" asks
ROWS = 50  # drills the card keeps
BEFORE_NS = 700 * t.NS_PER_MS  # of the market that is shown before the fault
AFTER_NS = 500 * t.NS_PER_MS  # and after all has come to rest
FIRST_LOOK_S = 180.0
BUILT_S = 1.0
STARTING = "Starting the engine. On a new machine its kernels are compiled first: some seconds."

T = TypeVar("T")

_current: DrillsLab | None = None


class DrillsLab(W.VBox):  # type: ignore[misc]
    """Drills one can press: the widget that `drills_lab` returns.

    What the buttons do are methods, so that a notebook can do it too.

    Attributes
    ----------
    config
        The desk on which things are broken.
    desk
        The column of controls.
    drills
        Those run so far, oldest first.
    drill
        The one on the stage, or None.
    """

    def __init__(self, config: SimConfig, seed: int) -> None:
        super().__init__()
        _take_over(self)
        self.add_class("lrl")
        self.config, self.seed = config, seed
        self.drills: list[Drill] = []
        self.drill: Drill | None = None
        self.view = View()
        self._pair: list[Simulation] = []
        self._end_ns = 0
        self._playing = False
        self._busy = True
        self._pace = Pace(1.0)
        self._loop = Loop(self._failed)
        self._flow = Flow(self._loop.call)
        self._playback = Playback(
            self._loop, self._flow, runs=lambda: self._playing, turn=self._turn, ended=self._ended
        )
        self.desk = Desk(config, seed, self._asked)
        self.stage = Stage(self.desk.box, self._flow.widget)
        self.children = tuple(self.stage.widgets)
        self._show_card()
        self._settle()
        if self._loop.runs and not _testing():
            self._loop.spawn(self._open())
        else:
            self._ready()

    async def _open(self) -> None:
        self._say(STARTING)
        await self._loop.aside(_warm, self.config, self.seed)
        self._say()
        self._ready()
        if await self._flow.watched(FIRST_LOOK_S):
            tell_again(self, but=self._flow.answer)
            await asyncio.sleep(BUILT_S)
            tell_again(self, but=self._flow.answer)

    def _ready(self) -> None:
        self._busy = False
        self._settle()
        self._flow.mark()

    # ------------------------------------------------------------------------------------- actions
    def press(self, fault: str) -> None:
        """Run a drill of that name and play it; where no event loop runs, to its end at once."""
        if fault not in FAULTS:
            raise ConfigError(f"drill: no drill {str(fault)[:40]!r}")
        self._finish()
        self._aside(partial(drill, fault, self.config, **self._severity(fault)), self._show)

    def skip(self) -> None:
        """Show how it ends."""
        if self._playing:
            self._finish()

    def many(self) -> None:
        """Run the drill on the stage on twenty other markets, and say what being late cost there."""
        if self.drill is None:
            raise ConfigError("drill: run one first")
        self._finish()
        work = partial(_many, self.drill.fault, self.config, self._severity(self.drill.fault))
        self._say(f"Running it on {MARKETS} other markets …")
        self._aside(work, partial(self._show_spread, self.drill.fault))

    def clear(self) -> None:
        """Forget the drills run so far."""
        self._finish()
        self.drills.clear()
        assign(self.desk.spread, value="")
        self._show_card()
        self._settle()

    def set(self, path: str, value: Any) -> None:
        """Change a dotted field of the desk; the next drill has it."""
        try:
            self.config = self.config.replace({path: value})
        except LabError:
            if path in self.desk.dials:
                self.desk.put_back(path, self.config.get(path))
            raise
        end = self.desk.dials[path].end if path in self.desk.dials else ""
        self._say(f"{path} = {value:g}; the next drill has it.", *([end] if end else []))

    def sow(self, word: str | int) -> None:
        """Choose another market for the next drill."""
        try:
            self.seed = permalink.seed_of(str(word))
        finally:
            self.desk.show_seed(self.seed)
        self._say(f"The next drill meets market no. {self.seed}.")

    @property
    def rows(self) -> np.ndarray:
        """The card, rows of `drills.CARD`, against the marks as they stand."""
        return card(self.drills, self.desk.limits)

    def _severity(self, fault: str) -> dict[str, Any]:
        what = FAULTS[fault]
        size = self.desk.size(fault) if fault in self.desk.sizes else what.size
        return {
            "seed": self.seed,
            "size": size,
            "slide_bps_s": self.desk.size("slide"),
            "lasts": max(self.desk.size("lasts"), what.least_ms(size) / 1e3),
        }

    # ------------------------------------------------------------------------------------- playing
    def _aside(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Have something computed on a thread and go on with what it gives; one thing at a time."""
        if self._busy:
            raise ConfigError("drill: another one is still being computed")
        if self._loop.runs and not _testing():
            self._busy = True
            self._settle()
            self._loop.spawn(self._await(work, done))
        else:
            self._say()
            done(work())
            self._settle()

    async def _await(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        try:
            result = await self._loop.aside(work)
        except LabError as error:
            self._say(str(error), bad=True)
        else:
            self._say()
            self._busy = False
            done(result)
        finally:
            self._busy = False
            self._settle()

    def _show(self, told: Drill) -> None:
        """Put a drill on the stage and let it play."""
        self.drill = told
        rest = [step.t_ns for step in told.steps if step.name != "end" and step.t_ns != NEVER]
        self._end_ns = min(max(rest) + AFTER_NS, told.until_ns)
        begin_ns = told.begin_ns - BEFORE_NS
        self.view = View(window_s=(self._end_ns - begin_ns) * NS)
        self._pair = [again(run) for run in (told.run, told.prompt) if run is not None]
        assign(self.desk.spread, value="")
        self.stage.lay_out(told, begin_ns, self._end_ns)
        self._playing = True
        self._move(begin_ns)
        pace = self.desk.pace
        if math.isinf(pace) or not self._loop.runs or _testing():
            self._finish()
        else:
            self._pace = Pace(pace)
            self._playback.start()

    def _move(self, t_ns: int) -> None:
        frames = [one.advance(t_ns) for one in self._pair]
        twin = frames[1] if len(frames) > 1 else None
        self.view.push(replace(frames[0], twin=twin))

    def _turn(self) -> None:
        now_ns = self._pair[0].now_ns
        self._move(min(now_ns + max(1, self._pace.due_ns() or 0), self._end_ns))
        if self._pair[0].now_ns >= self._end_ns:
            self._finish()
        else:
            self._draw(over=False)

    def _finish(self) -> None:
        """Bring the drill that plays to its end, onto the card."""
        if not self._playing:
            return
        assert self.drill is not None
        self._playing = False
        self._move(self._end_ns)
        self.drills = [*self.drills, self.drill][-ROWS:]
        self._draw(over=True)
        self._show_card()
        self._settle()

    def _ended(self, unseen: bool) -> None:
        if unseen:
            self._finish()

    # ------------------------------------------------------------------------------------- showing
    def _draw(self, *, over: bool) -> None:
        assert self.drill is not None
        self.stage.draw(self.drill, self.view, self._pair[0].config, over=over)
        self._flow.mark()

    def _show_card(self) -> None:
        rows = self.rows
        self.stage.show_card(rows)
        made = link("drills.csv", encoded(rows, ".csv")) if rows.size else ""
        assign(self.desk.download, value=made)

    def _show_spread(self, fault: str, found: list[Drill]) -> None:
        rows = card(found, self.desk.limits)
        assign(self.desk.spread, value=scores.spread(fault, rows, MARKETS))

    def _settle(self) -> None:
        """Make the controls stand where the lab stands."""
        self.desk.show_life(
            self.drill.fault if self.drill else "",
            ready=not self._busy or self.drill is not None,
            playing=self._playing,
            busy=self._busy,
            rows=len(self.drills),
        )

    def _say(self, *lines: str, bad: bool = False) -> None:
        assign(self.desk.status, value=readouts.status(lines, bad=bad))

    def _failed(self, error: BaseException) -> None:
        self._playing = self._busy = False
        self._say(f"{type(error).__name__}: {error}", bad=True)
        self._settle()

    # ------------------------------------------------------------------------------------ callbacks
    def _asked(self, name: str, value: Any) -> None:
        self._loop.call(partial(self._act, name, value))

    def _act(self, name: str, value: Any) -> None:
        """Do what a control asked for. What cannot be done is said, not raised."""
        try:
            if name == "drill":
                self.press(value)
            elif name == "set":
                self.set(*value)
            elif name == "seed":
                self.sow(value)
            elif name == "speed":
                self._pace = Pace(None if math.isinf(self.desk.pace) else self.desk.pace)
                if math.isinf(self.desk.pace):
                    self.skip()
            elif name == "size":
                self._say(*self.desk.size_words(value))
            elif name == "marks":
                self._show_card()
            else:
                getattr(self, name)()
        except LabError as error:
            self._say(str(error), bad=True)
            self._settle()

    def close(self) -> None:
        """Stop, and give every widget back."""
        global _current
        if _current is self:
            _current = None
        self._playing = False
        self._loop.cancel()
        self._flow.close()
        for widget in family((self, *self.stage.parts)):
            if widget is not self:
                widget.close()
        super().close()


def drills_lab(config: Any = None, seed: int = SEED) -> DrillsLab:
    """The drills, ready to be shown.

    Parameters
    ----------
    config
        The desk on which things are broken: a `SimConfig`, a preset's name, a partial dict, or None for
        `lablib.drills.desk()`, where every guard is on. Moving the market needs `external.model` "jumps".
    seed
        Of the market's chance.

    Notes
    -----
    Only one lives in a process: making another closes the first. With `NOTEBOOK_TEST=1` nothing happens
    on threads, and a drill is shown at its end.
    """
    return DrillsLab(desk() if config is None else as_config(config), permalink.seed_of(str(seed)))


def _warm(config: SimConfig, seed: int) -> None:
    """Have compiled what a drill needs."""
    simulation = Simulation(config, seed=seed)
    simulation.advance(t.NS_PER_S)


def _many(fault: str, config: SimConfig, severity: dict[str, Any]) -> list[Drill]:
    """The same drill on the markets that follow; those that have nothing to break are left out."""
    found = []
    for number in range(1, MARKETS + 1):
        try:
            found.append(drill(fault, config, **{**severity, "seed": severity["seed"] + number}))
        except ConfigError:
            continue
    return found


def _take_over(lab: DrillsLab) -> None:
    """Close the one before: a cell run again must not leave another playing unseen."""
    global _current
    before, _current = _current, lab
    if before is not None:
        before.close()


def _testing() -> bool:
    return os.environ.get("NOTEBOOK_TEST") == "1"
