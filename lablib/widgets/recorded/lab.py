"""The recorded lab: stall -> market -> live lab. The live lab plays it; here it is chosen, read and described.

Files are read and kernels compiled on a thread; nothing but the loop's thread touches a widget.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import ipywidgets as W  # noqa: N812 - the name its own manual uses

from lablib.errors import ConfigError, LabError
from lablib.kernels import tables as t
from lablib.tape.readers.text import OnBad
from lablib.widgets import helm, permalink, places
from lablib.widgets.controls import SPEEDS
from lablib.widgets.dashboard import Heading
from lablib.widgets.live import GREETING_S, LiveLab
from lablib.widgets.panels import assign
from lablib.widgets.plan import RECORDED
from lablib.widgets.recorded.desk import ROLES, Desk
from lablib.widgets.recorded.facts import EMPTY, facts
from lablib.widgets.recorded.stall import Markets, Stall, Upload
from lablib.widgets.recorded.survey import Survey, survey

if TYPE_CHECKING:
    from lablib.config import SimConfig
    from lablib.session import Session
    from lablib.tape.recorded import Market

TITLE = "Recorded markets"
TEXT = "A market as it was, your latency on top: what is left of the edge. Simulation only."
BEGIN = {**places.changes("cloud_same_region"), "risk.max_position_pct": 0.05}
WATCHED_S = 30.0  # real seconds a recording should take, as far as the speeds allow
SLOWEST, FASTEST = 1.0, 60.0  # of the speeds that are chosen for somebody

Load = Callable[[], "Market"]


@dataclass(frozen=True)
class Taken:
    """A market that was read and is ready to be played."""

    name: str
    is_own: bool  # handed in: nobody else can find it again
    market: Market
    seen: Survey
    scene: permalink.Scene
    session: Session


class RecordedLab(LiveLab):
    """The live lab on recorded markets: the widget that `recorded_lab` returns.

    Attributes
    ----------
    stall
        The markets there are.
    desk
        Where one is chosen.
    taken
        The one that plays, or None.
    """

    def __init__(
        self, stall: Stall, scene: permalink.Scene, asked: str, *, autoplay: bool, fits: bool
    ) -> None:
        self.stall = stall
        self.taken: Taken | None = None
        self._first_scene, self._wanted, self._fits = scene, asked, fits
        self._busy = False
        self._handed: dict[str, Upload] = {}
        most_mb = stall.upload_bytes >> 20
        self.desk = Desk(stall.names, most_mb, lambda name, value: self._asked(name, value))
        self._facts = W.HTML()
        self._nothing = W.HTML(EMPTY)
        self._spare = (self._nothing,)
        super().__init__(
            scene,
            autoplay=autoplay,
            plan=RECORDED,
            heading=Heading(TITLE, TEXT, (self._facts,)),
            first=(self.desk.box,),
        )

    # ------------------------------------------------------------------------------------- opening
    def _start(self, scene: permalink.Scene, market: object, autoplay: bool) -> None:
        name = self._wanted or next(iter(self.stall.names), "")
        if not name:
            self._dashboard.put(self._nothing)
            self._say(*scene.complaints, bad=True)
        work = partial(self._read, name, False, partial(self._load, name)) if name else None
        if self._threaded:
            if name:
                self._begin_reading(name)
            self._loop.spawn(self._open_first(work, autoplay))
        elif work is not None:
            self._settle(*_tried(work))

    async def _open_first(self, work: Callable[[], Taken] | None, autoplay: bool) -> None:
        if work is not None:
            taken, error = await self._loop.aside(_tried, work)
            await self._flow.watched(GREETING_S)
            self._busy = False
            self._settle(taken, error)
        await self._greet(autoplay and self.taken is not None)

    @property
    def _threaded(self) -> bool:
        return self._loop.runs and os.environ.get("NOTEBOOK_TEST") != "1"

    @property
    def _on_bad(self) -> OnBad:
        return "skip" if self.desk.skip.value else "raise"

    def _load(self, name: str) -> Market:
        return self.stall.load(name, self._on_bad)

    def _read(self, name: str, is_own: bool, load: Load) -> Taken:
        """Read a market and make a session of it, on whatever thread."""
        market = load()
        seen = survey(market)
        scene = self._scene_on(seen)
        session = helm.open_session(scene.config, scene.seed, market)
        return Taken(name, is_own, market, seen, scene, session)

    def _scene_on(self, seen: Survey) -> permalink.Scene:
        """The settings to meet a market with: those there are, and a threshold that it reaches."""
        if self._helm is None:
            scene = self._first_scene
            fits = self._fits
        else:
            ready = self._helm
            scene = permalink.Scene(ready.scenario, ready.seed, ready.preset)
            fits = True
        if fits:
            scene.config = scene.config.replace({"strategy.threshold": seen.threshold})
        return scene

    # ------------------------------------------------------------------------------------- actions
    def use(self, name: str) -> None:
        """Begin on another of the markets there are."""
        if self.taken is None or self.taken.is_own or name != self.taken.name:
            self._fetch(name, partial(self._read, name, False, partial(self._load, name)))

    def hand_in(self, leader: Upload, follower: Upload) -> None:
        """Begin on two files of one's own."""
        load = partial(self.stall.take, leader, follower, self._on_bad)
        name = f"{leader.name} > {follower.name}"
        self._fetch(name, partial(self._read, name, True, load))

    def _take_file(self, role: str, files: Any) -> None:
        """Keep one file until the other is there."""
        if role not in ROLES:
            raise ConfigError(f"file: leader or follower, got {role!r}")
        self._handed.pop(role, None)
        try:
            self._handed[role] = self.stall.accept(role, files)
        finally:
            self._show_handed()
        self._say()
        if len(self._handed) == len(ROLES):
            leader, follower = (self._handed.pop(role) for role in ROLES)
            try:
                self.hand_in(leader, follower)
            finally:
                self._show_handed()

    def _show_handed(self) -> None:
        self.desk.show_handed(
            {role: (one.name, len(one.data)) for role, one in self._handed.items()}
        )

    def record(self) -> None:
        """Begin again at time zero and write everything down; not on files that were handed in."""
        if self.taken is not None and self.taken.is_own:
            raise ConfigError(
                "record: files that were handed in are gone with this page, and a record could not be"
                " played again; a market that the server names can be recorded"
            )
        super().record()

    # ------------------------------------------------------------------------------------- reading
    def _begin_reading(self, name: str) -> None:
        self._busy = True
        self.desk.show_life(busy=True)
        self._say(f"Reading {name} … The first time, kernels are compiled too: some seconds.")

    def _fetch(self, name: str, work: Callable[[], Taken]) -> None:
        """Read on a thread, where there is a loop; one market at a time."""
        if self._busy:
            raise ConfigError(f"{name}: another market is still being read")
        if self._threaded:
            self._begin_reading(name)
            self._loop.spawn(self._await(work))
        else:
            self._settle(*_tried(work))

    async def _await(self, work: Callable[[], Taken]) -> None:
        try:
            taken, error = await self._loop.aside(_tried, work)
        finally:
            self._busy = False
        self._settle(taken, error)
        if taken is not None:
            self.play()

    def _settle(self, taken: Taken | None, error: LabError | None) -> None:
        """Play on what was read; where nothing could be, say why and leave all as it was."""
        self.desk.show_life(busy=self._busy)
        if taken is None:
            self._stand()
            if self.taken is None:
                self._dashboard.put(self._nothing)
            hint = "" if self.desk.skip.value else " Leaving out bad rows may help."
            nothing = "Nothing was taken." + (hint if ", line " in str(error) else "")
            self._say(str(error), nothing, bad=True)
            return
        if self._helm is not None:
            with suppress(LabError):  # what was recorded until now is kept
                self._kept = self._helm.keep() or self._kept
        self.taken = taken
        self.view.clear()
        self._dashboard.put(None)
        assign(self._facts, value=facts(taken.name, taken.market, taken.seen, is_own=taken.is_own))
        self._stand()
        self._choose_speed(taken.market.duration_ns / t.NS_PER_S)
        self._begin(taken.scene, taken.session)
        if not taken.scene.complaints:
            self._say(_opening_words(taken))

    def _stand(self) -> None:
        taken = self.taken
        own = taken.name if taken is not None and taken.is_own else ""
        self.desk.stand(None if taken is None or taken.is_own else taken.name, own)

    def _choose_speed(self, seconds: float) -> None:
        wanted = min(max(seconds / WATCHED_S, SLOWEST), FASTEST)
        speed = max(value for value in SPEEDS.values() if value <= wanted)
        self.controls.show_speed(speed)
        self._tempo.choose("speed", speed)

    # ------------------------------------------------------------------------------------- showing
    @property
    def _query(self) -> str:
        taken = self.taken
        if taken is None or taken.is_own:
            return ""
        return f"{urlencode({'market': taken.name})}&{super()._query}"

    def _show_life(self) -> None:
        super()._show_life()
        if self.taken is not None and self.taken.is_own:
            assign(self.controls.buttons["record"], disabled=True)

    def _failed(self, error: BaseException) -> None:
        self._busy = False
        self.desk.show_life(busy=False)
        super()._failed(error)

    def _act(self, name: str, value: Any) -> None:
        if name not in ("market", "file"):
            super()._act(name, value)
            return
        try:
            if name == "market":
                self.use(value)
            else:
                self._take_file(*value)
        except LabError as error:
            self._stand()
            self._say(str(error), bad=True)


def _tried(work: Callable[[], Taken]) -> tuple[Taken | None, LabError | None]:
    try:
        return work(), None
    except LabError as error:
        return None, error


def _opening_words(taken: Taken) -> str:
    threshold = taken.scene.config.strategy.threshold
    words = f"Threshold {1e4 * threshold:.3g} bps"
    if threshold == taken.seen.threshold:
        words += ": the prices stand further apart 2 % of the time"
    return f"{words}. Your latency is below; the dashed equity line is the same run without it."


def recorded_lab(
    markets: Markets | None = None, config: SimConfig | Any = None, seed: int = 7
) -> RecordedLab:
    """The live lab on recorded markets, ready to be shown.

    Parameters
    ----------
    markets
        Leader's and follower's file by name, `{"perp": ("leader.gz", "follower.gz")}`, or one such pair;
        what the server said (`LABLIB_MARKETS`) unless given. Files can be handed in on the page as well.
    config
        As `live_lab`. Without one: the defaults, a server in the venue's cloud region, orders of 5 % of
        the equity, and a threshold that the market exceeds 2 % of the time.
    seed
        Of what chance there is: the delays.

    Notes
    -----
    A page's address may name a `market` and, as in the live lab, any setting. Making another lab closes
    the one before. With `NOTEBOOK_TEST=1` nothing starts by itself and nothing happens on threads.

    Raises
    ------
    ConfigError
        `markets` names other than two files to a name, or `config` is none.
    """
    base, preset = helm.scenario_of(config)
    if config is None:
        base = base.replace(BEGIN)
    words = dict(parse_qsl(os.environ.get("QUERY_STRING", "")[: permalink.LONGEST]))
    stall, asked = Stall(markets), words.pop("market", "")
    scene = permalink.read(urlencode(words), base, seed, preset)
    fits = config is None and not {"preset", "strategy.threshold"} & words.keys()
    if asked and asked not in stall.names:
        known = ", ".join(stall.names) or "none"
        scene.complaints.append(f"market: there is no market {asked[:60]!r} here; known: {known}")
        asked = ""
    testing = os.environ.get("NOTEBOOK_TEST") == "1"
    autoplay = not testing and scene.play is not False
    return RecordedLab(stall, scene, asked, autoplay=autoplay, fits=fits)
