"""The live lab: controls -> config -> session -> pace -> view -> charts, on one event loop.

What a person does is applied between frames. Only the loop's thread touches widgets and session; the
engine's first call, which may compile for seconds, happens on a thread of its own.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as W  # noqa: N812 - the name its own manual uses

from lablib.config import SimConfig
from lablib.errors import LabError
from lablib.kernels import tables as t
from lablib.widgets import helm, permalink, readouts
from lablib.widgets.controls import CUSTOM, Controls
from lablib.widgets.dashboard import Dashboard
from lablib.widgets.flow import Flow
from lablib.widgets.knobs import law
from lablib.widgets.panels import assign
from lablib.widgets.tempo import Tempo
from lablib.widgets.view import View

if TYPE_CHECKING:
    from lablib.session import Session

FRAME_S = 1 / 30  # between two frames at least
FIRST_LOOK_S = 180.0  # how long a page may take to appear

_current: LiveLab | None = None


class LiveLab(W.VBox):  # type: ignore[misc]
    """A run one can watch and steer: the widget that `live_lab` returns.

    What the buttons do are methods, so that a notebook can do it too.
    """

    def __init__(self, scene: permalink.Scene, *, autoplay: bool) -> None:
        super().__init__()
        _take_over(self)
        self.add_class("lrl")
        self._thread, self._loop = threading.get_ident(), _running_loop()
        self._helm: helm.Helm | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._playing: asyncio.Task[None] | None = None
        self._tempo = Tempo()
        self._told = 0.0
        self.view = View(window_s=self._tempo.window_s)
        self.controls = Controls(scene.config, scene.seed, scene.preset, self._asked)
        self._flow = Flow(self._on_thread)
        self._dashboard = Dashboard(self.view, self.controls, self._flow.widget)
        self.children = tuple(self._dashboard.widgets)
        self.controls.show_life("starting", halted=False)
        if self._loop is None or _testing():
            self._begin(scene, open_session(scene.config, scene.seed))
        else:
            self._spawn(self._open(scene, autoplay))

    # ------------------------------------------------------------------------------------- opening
    async def _open(self, scene: permalink.Scene, autoplay: bool) -> None:
        assert self._loop is not None
        self._say(["Starting the engine. A new machine compiles its kernels first: some seconds."])
        session = await self._loop.run_in_executor(None, open_session, scene.config, scene.seed)
        self._begin(scene, session)
        if autoplay and await self._flow.watched(FIRST_LOOK_S):
            self.play()

    def _begin(self, scene: permalink.Scene, session: Session) -> None:
        self._helm = helm.Helm(session, scene.preset, scene.seed)
        self._say(scene.complaints or ["Ready."], bad=bool(scene.complaints))
        self._show_scenario()
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

    # ------------------------------------------------------------------------------------- actions
    def play(self) -> None:
        """Let the market run, by the wall clock."""
        if self._loop is None:
            raise LabError("play: needs a running event loop, as a notebook has; step() needs none")
        if self.session.state in ("created", "paused"):
            self.session.start()
        if self._playing is None or self._playing.done():
            self._flow.forget()
            self._tempo.restart()
            self._say(["Running."])
            self._playing = self._spawn(self._play())
        self._show_life()

    def pause(self) -> None:
        """Hold the market."""
        if self.session.state in ("running", "halted"):
            self.session.pause()
            self._say(["Paused."])
        self._redraw()

    def step(self, count: int = 1) -> None:
        """Move a market that is held by `count` decisions."""
        if self.session.state in ("running", "halted"):
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
        self._ready.ask(path, value)
        if not self._runs:  # otherwise the next frame takes it along
            self._apply()
            self._redraw()

    def sow(self, word: str | int) -> None:
        """Give the next run a seed."""
        self._ready.sow(str(word))
        waits = "" if self._ready.fresh else " waits for the next reset"
        self._say([f"seed {self._ready.seed}{waits}"])
        self._show_scenario()
        self._redraw()

    def halt(self) -> None:
        """Pull the kill switch by hand."""
        self._command(self.session.halt, "kill switch pulled by hand")

    def release(self) -> None:
        """Open the kill switch by hand."""
        self._command(self.session.release, "kill switch released by hand")

    def _command(self, give: Callable[[], Any], text: str) -> None:
        self.view.note(give().t_ns, text)
        self._say([text[0].upper() + text[1:] + "."])
        self._redraw()

    def _anew(self, begin: Callable[[], None]) -> None:
        again = self._runs
        begin()
        self.view.clear()
        self._say(["At time zero."])
        self._show_scenario()
        self._redraw()
        if again:
            self.session.start()
            self._tempo.restart()
            self._show_life()

    # ---------------------------------------------------------------------------------------- loop
    @property
    def _runs(self) -> bool:
        return self._helm is not None and self.session.state in ("running", "halted")

    async def _play(self) -> None:
        due_s = time.monotonic()
        while self._runs:
            if not await self._flow.room():
                self.pause()
                self._say(["Paused: nobody was watching. Play goes on."])
                return
            if not self._runs:  # paused meanwhile
                return
            self._apply()
            with self._tempo.computing() as due_ns:
                frame = self.session.advance(due_ns)
            self.view.push(frame)
            self._draw()
            # Lost time is dropped, never made up for in a burst.
            due_s = max(due_s + FRAME_S, time.monotonic())
            await asyncio.sleep(max(0.001, due_s - time.monotonic()))
        self._redraw()

    def _apply(self) -> None:
        outcomes = self._ready.apply()
        for outcome in outcomes:
            dial = self.controls.dials.get(outcome.path)
            if outcome.what == helm.REFUSED:
                self.controls.put_back(outcome.path, outcome.value)
            elif outcome.what == helm.LIVE:
                self.view.note(self.session.simulation.now_ns, outcome.text)
            if dial is not None:
                waits = outcome.what == helm.WAITS
                dial.settle(helm.WAITS if waits else law(outcome.value))
        if outcomes:
            bad = any(outcome.what == helm.REFUSED for outcome in outcomes)
            self._say([outcome.text for outcome in outcomes], bad=bad)
            self._show_scenario(dials=False)

    # ------------------------------------------------------------------------------------- showing
    def _draw(self, *, everything: bool = False) -> None:
        self._tempo.fit(self.view)
        state = self.session.state
        self._dashboard.draw(self._ready.config, state, everything=everything)
        if everything or time.monotonic() - self._told >= 0.25:
            self._told = time.monotonic()
            self._dashboard.say(self._flow_words())
            self._show_life()
        self._flow.mark()

    def _redraw(self) -> None:
        """Show the present moment in every panel, with what commands have done to it."""
        if self._helm is not None:
            self.view.push(self.session.simulation.frame())
            self._draw(everything=True)

    def _flow_words(self) -> str:
        flow = self._flow
        if not self._runs:
            return f"{self.session.state} · {flow.sent:,} frames sent"
        return (
            f"{flow.frames_per_s:.0f} frames/s · lag {1e3 * flow.lag_s:.0f} ms"
            f" · {flow.in_flight} in flight · {self._tempo.words}"
        )

    def _show_life(self) -> None:
        frame = self.view.frame
        self.controls.show_life(self.session.state, halted=frame is not None and frame.halted)

    def _show_scenario(self, *, dials: bool = True) -> None:
        ready = self._ready
        name = CUSTOM if ready.changed else ready.preset
        if dials:
            self.controls.show(ready.next_config, ready.seed, name)
        else:
            self.controls.name(name)
        self.controls.link(ready.query)

    def _say(self, lines: list[str], *, bad: bool = False) -> None:
        assign(self.controls.status, value=readouts.status(lines, bad=bad))

    # ------------------------------------------------------------------------------------- threads
    def _asked(self, name: str, value: Any) -> None:
        self._on_thread(partial(self._act, name, value))

    def _act(self, name: str, value: Any) -> None:
        acts: dict[str, Callable[[], None]] = {
            "preset": partial(self.choose, value),
            "seed": partial(self.sow, value),
            "speed": partial(self._tempo.choose_speed, value),
            "window": partial(self._tempo.choose_window, value),
            "set": partial(self.set, *value) if name == "set" else self.pause,
        }
        try:
            (acts.get(name) or getattr(self, name))()
            if name == "window" and not self._runs:
                self._redraw()
        except LabError as error:
            self._say([str(error)], bad=True)
            if name == "seed":
                self._show_scenario(dials=False)

    def _on_thread(self, do: Callable[[], None]) -> None:
        """Run a callback where widgets and session may be touched, whatever thread it came on."""
        if self._loop is None or threading.get_ident() == self._thread:
            do()
        else:
            self._loop.call_soon_threadsafe(do)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        assert self._loop is not None
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task's error must not pass in silence: it is shown, and the loop is told."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._loop is not None:
            self._say([f"{type(error).__name__}: {error}"], bad=True)
            self.controls.show_life("failed", halted=False)
            self._loop.call_exception_handler({"message": "live lab", "exception": error})

    def close(self) -> None:
        """Stop and give back every widget."""
        global _current
        if _current is self:
            _current = None
        for task in tuple(self._tasks):
            task.cancel()
        for widget in _family(self):
            if widget is not self:
                widget.close()
        super().close()


def live_lab(config: Any = None, seed: int = 7) -> LiveLab:
    """The live lab, ready to be shown.

    Parameters
    ----------
    config
        A `SimConfig`, a partial dict, a preset's name, or None for the classroom.
    seed
        Of the market's chance.

    Notes
    -----
    A scenario in the page's address (`QUERY_STRING`) stands above both. Only one lab lives in a
    process: making another closes the first. With `NOTEBOOK_TEST=1` nothing starts by itself.
    """
    base, preset = helm.scenario_of(config)
    scene = permalink.read(os.environ.get("QUERY_STRING", ""), base, seed, preset)
    return LiveLab(scene, autoplay=not _testing() and scene.play is not False)


def open_session(config: SimConfig, seed: int) -> Session:
    """A session whose kernels are ready: what has to be compiled is compiled here."""
    from lablib.session import Session

    rehearsal = Session(config, seed=seed)
    rehearsal.start()
    rehearsal.advance(t.NS_PER_S)
    return Session(config, seed=seed)


def _take_over(lab: LiveLab) -> None:
    """Close the lab before: a cell run again must not leave another market running unseen."""
    global _current
    before, _current = _current, lab
    if before is not None:
        before.close()


def _testing() -> bool:
    return os.environ.get("NOTEBOOK_TEST") == "1"


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _family(widget: Any) -> list[Any]:
    """A widget and all that hang on it, each once."""
    found: dict[int, Any] = {}
    waiting = [widget]
    while waiting:
        item = waiting.pop()
        if isinstance(item, W.Widget):
            if id(item) not in found:
                found[id(item)] = item
                waiting += [getattr(item, name) for name in item.keys]
        elif isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list | tuple):
            waiting += item
    return list(found.values())
