"""The live lab: controls -> config -> session -> pace -> view -> charts, on one event loop.

What a person does is applied between frames. Only the loop's thread touches widgets and session; the
engine's first call, which may compile for seconds, happens on a thread of its own.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as W  # noqa: N812 - the name its own manual uses

from lablib.errors import LabError, SessionError
from lablib.widgets import helm, permalink, places, readouts
from lablib.widgets.controls import CUSTOM, Controls
from lablib.widgets.dashboard import LIVE, Dashboard, Heading
from lablib.widgets.flow import Flow
from lablib.widgets.knobs import law
from lablib.widgets.loop import Loop
from lablib.widgets.panels import assign, family, tell_again
from lablib.widgets.plan import RECORDED, SYNTHETIC, Plan
from lablib.widgets.playback import Playback
from lablib.widgets.shelf import Shelf
from lablib.widgets.tempo import Tempo
from lablib.widgets.view import View

if TYPE_CHECKING:
    from lablib.engine import Market
    from lablib.session import Session

WORDS_S = 0.25  # between two readouts of how the frames flow
FIRST_LOOK_S = 180.0  # how long a page may take to appear
GREETING_S = 20.0  # of these, before the first frame is drawn for whoever comes later
BUILT_S = 1.0  # from a page's first sign to its last panel
PLAYER = "replay.ipynb"
STARTING = "Starting the engine. On a new machine its kernels are compiled first: some seconds."

_current: LiveLab | None = None


class LiveLab(W.VBox):  # type: ignore[misc]
    """A run one can watch and steer: the widget that `live_lab` returns.

    What the buttons do are methods, so that a notebook can do it too.

    Attributes
    ----------
    view
        What the charts draw from.
    controls
        The column of controls.
    """

    _spare: tuple[Any, ...] = ()  # widgets that are not always on the page

    def __init__(
        self,
        scene: permalink.Scene,
        *,
        autoplay: bool,
        market: Market | None = None,
        plan: Plan = SYNTHETIC,
        heading: Heading = LIVE,
        first: Sequence[Any] = (),
    ) -> None:
        super().__init__()
        _take_over(self)
        self.add_class("lrl")
        self._helm: helm.Helm | None = None
        self._early: dict[str, Any] = {}  # asked for before there was an engine
        self._shelf = Shelf()
        self._kept = ""  # name of the record that was kept last
        self._loop = Loop(self._failed)
        self._tempo = Tempo()
        self._told = 0.0
        self.view = View(window_s=self._tempo.window_s)
        self.controls = Controls(scene.config, scene.seed, scene.preset, self._asked, plan, first)
        self._flow = Flow(self._loop.call)
        self._playback = Playback(
            self._loop, self._flow, runs=lambda: self._runs, turn=self._turn, ended=self._ended
        )
        self._dashboard = Dashboard(self.view, self.controls, self._flow.widget, heading)
        self.children = tuple(self._dashboard.widgets)
        self.controls.show_life("starting", halted=False)
        self._start(scene, market, autoplay)

    # ------------------------------------------------------------------------------------- opening
    def _start(self, scene: permalink.Scene, market: Market | None, autoplay: bool) -> None:
        if self._loop.runs and not _testing():
            self._loop.spawn(self._open(scene, market, autoplay))
        else:
            self._begin(scene, helm.open_session(scene.config, scene.seed, market))

    async def _open(self, scene: permalink.Scene, market: Market | None, autoplay: bool) -> None:
        self._say(STARTING)
        session = await self._loop.aside(helm.open_session, scene.config, scene.seed, market)
        await self._flow.watched(GREETING_S)
        self._begin(scene, session)
        await self._greet(autoplay)

    async def _greet(self, autoplay: bool) -> None:
        """Once a page stands, tell it what it may have missed while it was built, and play."""
        if await self._flow.watched(FIRST_LOOK_S):
            tell_again(self, but=self._flow.answer)
            if autoplay:
                self.play()
            await asyncio.sleep(BUILT_S)
            tell_again(self, but=self._flow.answer)

    def _begin(self, scene: permalink.Scene, session: Session) -> None:
        self._helm = helm.Helm(session, scene.preset, scene.seed)
        self._say(*scene.complaints, bad=True)
        self._show_scenario()
        if self._early:
            self._wish(self._early)
            self._early = {}
        self._redraw()

    @property
    def session(self) -> Session:
        """The run being watched."""
        return self._ready.session

    @property
    def _ready(self) -> helm.Helm:
        if self._helm is None:
            raise LabError("the lab is still starting")
        return self._helm

    @property
    def _runs(self) -> bool:
        return self._helm is not None and self.session.state in ("running", "halted")

    # ------------------------------------------------------------------------------------- actions
    def play(self) -> None:
        """Let the market run, by the wall clock."""
        if not self._loop.runs:
            raise LabError("play: needs a running event loop, as a notebook has; step() needs none")
        if self.session.state in ("created", "paused"):
            self.session.start()
            self._tempo.restart()
        self._playback.start()
        self._show_life()

    def pause(self) -> None:
        """Hold the market."""
        if self._runs:
            self.session.pause()
        self._redraw()

    def step(self, count: int = 1) -> None:
        """Hold the market and move it on by `count` decisions."""
        if self._runs:
            self.session.pause()
        for _ in range(count):
            self.view.push(self.session.step())
        self._redraw()

    def reset(self) -> None:
        """Begin again at time zero, with every setting in effect; a running market runs on."""
        self._anew(self._ready.reset)

    def choose(self, preset: str) -> None:
        """Begin again in a named scenario; a running market runs on."""
        if preset != CUSTOM:
            self._anew(partial(self._ready.choose, preset))

    def set(self, path: str, value: Any) -> None:
        """Change a dotted config field of the running market."""
        self._wish({path: value})

    def _wish(self, changes: Mapping[str, Any]) -> None:
        if self._helm is None:
            self._early.update(changes)
            return
        for path, value in changes.items():
            self._helm.ask(path, value)
        self._playback.wake()
        if not self._runs:  # otherwise the next frame takes it along
            self._apply()
            self._redraw()

    def wire(self, place: str) -> None:
        """Take every delay from a named place or link, or "none"; a running market takes it too."""
        if place != places.OWN:
            self._wish(places.changes(place))

    def sow(self, word: str | int) -> None:
        """Give the next run a seed."""
        self._ready.sow(str(word))
        waits = "" if self._ready.fresh else f" {helm.WAITS}"
        self._say(f"seed {self._ready.seed}{waits}")
        self._show_scenario()
        self._redraw()

    def record(self) -> None:
        """Begin again at time zero and write everything down; pressed again, end the run and keep it."""
        ready = self._ready
        if not ready.recording:
            self._anew(partial(ready.record, self._shelf))
            return
        self._kept = ready.keep()
        self.view.push(self.session.frame)
        words = "This run has ended and is kept." if self._kept else "Nothing had happened yet."
        self._say(f"{words} Reset begins another, Record one that is written down.")
        self._draw(everything=True)

    def halt(self) -> None:
        """Pull the kill switch by hand."""
        self._command(self.session.halt, "kill switch pulled by hand")

    def release(self) -> None:
        """Open the kill switch by hand."""
        self._command(self.session.release, "kill switch released by hand")

    def _command(self, give: Callable[[], Any], text: str) -> None:
        self.view.note(give().t_ns, text)
        self._redraw()

    def _anew(self, begin: Callable[[], None]) -> None:
        again, writing = self._runs, "" if self._ready.untouched else self._ready.recording
        begin()
        self._kept = writing or self._kept
        self.view.clear()
        self._say()
        self._show_scenario()
        self._redraw()
        if again:
            self.play()

    def _apply(self) -> None:
        """Bring what was asked for into effect, and say what became of it."""
        outcomes = self._ready.apply()
        for outcome in outcomes:
            dial = self.controls.dials.get(outcome.path)
            if outcome.what == helm.LIVE:
                self.view.note(self.session.simulation.now_ns, outcome.text)
            if outcome.what == helm.REFUSED:
                self.controls.put_back(outcome.path, outcome.value)
            elif dial is not None:
                waits = outcome.what == helm.WAITS
                dial.settle(helm.WAITS if waits else law(outcome.value), waits=waits)
        if outcomes:
            bad = any(outcome.what == helm.REFUSED for outcome in outcomes)
            dials = (self.controls.dials.get(outcome.path) for outcome in outcomes)
            ends = [dial.end for dial in dials if dial is not None and dial.end]
            self._say(*helm.words(outcomes), *ends, bad=bad)
            self._show_scenario(dials=any(isinstance(one.value, dict | None) for one in outcomes))

    def _turn(self) -> None:
        self._apply()
        try:
            with self._tempo.computing() as due_ns:
                self.session.advance(due_ns)
        except (
            SessionError
        ) as error:  # its record is full, or the disk: it stands still, and is kept
            self._kept = self._ready.written
            self._say(self._shelf.plain(error), bad=True)
        self.view.push(self.session.frame)
        self._draw()

    def _ended(self, unseen: bool) -> None:
        self.pause()
        if unseen:
            self._say("Paused, as nobody was watching.")
        elif self.session.state == "finished" and self.session.market is not None:
            self._say(readouts.verdict(self.session.frame, self.session.config))

    def _failed(self, error: BaseException) -> None:
        self._say(f"{type(error).__name__}: {error}", bad=True)
        self.controls.show_life("failed", halted=False)

    # ------------------------------------------------------------------------------------- showing
    def _draw(self, *, everything: bool = False) -> None:
        self._tempo.fit(self.view)
        self._dashboard.draw(self._ready.config, self.session.state, everything=everything)
        if everything or time.monotonic() - self._told >= WORDS_S:
            self._told = time.monotonic()
            words = f"{self._flow.words} · {self._tempo.words}" if self._runs else ""
            self._dashboard.say(words)
            self._show_life()
        self._flow.mark()

    def _redraw(self) -> None:
        """Show the present moment in every panel, with what commands have done to it."""
        if self._helm is not None:
            if not self.session.over:  # the last moment was taken in when it ended
                self.view.push(self.session.look())
            self._draw(everything=True)

    def _show_life(self) -> None:
        frame = self.view.frame
        self.controls.show_life(self.session.state, halted=frame is not None and frame.halted)
        self.controls.show_record(self._ready.recording, self._kept, PLAYER if _served() else "")

    def _show_scenario(self, *, dials: bool = True) -> None:
        ready = self._ready
        name = CUSTOM if ready.changed else ready.preset
        if dials:
            self.controls.show(ready.next_config, ready.seed, name)
        else:
            self.controls.name(name, ready.next_config)
        if _served():
            self.controls.link(self._query)

    @property
    def _query(self) -> str:
        """The address of what is shown, empty where none leads back to it."""
        return self._ready.query

    def _say(self, *lines: str, bad: bool = False) -> None:
        assign(self.controls.status, value=readouts.status(lines, bad=bad))

    # ------------------------------------------------------------------------------------ callbacks
    def _asked(self, name: str, value: Any) -> None:
        self._loop.call(partial(self._act, name, value))

    def _act(self, name: str, value: Any) -> None:
        """Do what a control asked for. What cannot be done is said, not raised."""
        try:
            if name == "set":
                self.set(*value)
            elif name in ("speed", "window"):
                self._tempo.choose(name, value)
                if not self._runs:
                    self._redraw()
            elif name in ("preset", "seed", "wires"):
                {"preset": self.choose, "seed": self.sow, "wires": self.wire}[name](value)
            else:
                getattr(self, name)()
        except LabError as error:
            self._complain(error)
            if name in ("seed", "preset") and self._helm is not None:
                self._show_scenario()

    def _complain(self, error: LabError) -> None:
        """Say what went wrong; what was recorded until then is kept."""
        self._say(self._shelf.plain(error), bad=True)
        if self._helm is not None:
            if self.session.state == "failed":
                self._kept = self._helm.written or self._kept
            self._show_life()

    def close(self) -> None:
        """Stop, and give every widget back."""
        global _current
        if _current is self:
            _current = None
        self._loop.cancel()
        if self._helm is not None:
            with suppress(LabError):  # nobody is left to be told
                self._helm.keep()
        self._flow.close()
        for widget in family((self, *self._dashboard.panels, *self._spare)):
            if widget is not self:
                widget.close()
        super().close()


def live_lab(config: Any = None, seed: int = 7, market: Market | None = None) -> LiveLab:
    """The live lab, ready to be shown.

    Parameters
    ----------
    config
        A `SimConfig`, a partial dict, a preset's name, or None for the classroom.
    seed
        Of the market's chance.
    market
        A recorded market to play on, as `lablib.load_pair` gives it; without one it is synthetic.

    Notes
    -----
    A scenario in the page's address (`QUERY_STRING`) stands above both. Only one lab lives in a
    process: making another closes the first. With `NOTEBOOK_TEST=1` nothing starts by itself.
    """
    base, preset = helm.scenario_of(config)
    scene = permalink.read(os.environ.get("QUERY_STRING", ""), base, seed, preset)
    autoplay = not _testing() and scene.play is not False
    plan = SYNTHETIC if market is None else RECORDED
    return LiveLab(scene, autoplay=autoplay, market=market, plan=plan)


def _take_over(lab: LiveLab) -> None:
    """Close the lab before: a cell run again must not leave another market running unseen."""
    global _current
    before, _current = _current, lab
    if before is not None:
        before.close()


def _served() -> bool:
    """Whether the page's address is ours, so that links can lead from it."""
    return "QUERY_STRING" in os.environ


def _testing() -> bool:
    return os.environ.get("NOTEBOOK_TEST") == "1"
