"""What a person asked for, applied to a session between frames.

Before the first moment of a run a setting simply changes the scenario. Later it is a command that the
session records, unless the run was built on it: then it waits for the next reset. Knows no widget.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lablib.config import SimConfig
from lablib.config.latency import LEGS
from lablib.errors import ConfigError, LabError, SessionError
from lablib.kernels import tables as t
from lablib.presets import SCENARIOS
from lablib.widgets import permalink
from lablib.widgets.knobs import knobs, switches
from lablib.widgets.shelf import QUOTA_BYTES

if TYPE_CHECKING:
    from lablib.engine import Market
    from lablib.session import Session
    from lablib.widgets.shelf import Shelf

MANY = 3  # settings that are told one by one
NEW, LIVE, WAITS, REFUSED = "new scenario", "live", "waits for the next reset", "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one setting: `NEW`, `LIVE`, `WAITS` or `REFUSED`, and the words to show."""

    path: str
    value: Any
    what: str
    text: str


@dataclass(slots=True)
class Helm:
    """A session and the wishes that stand against it.

    Attributes
    ----------
    preset
        The scenario the settings started from.
    seed
        Of the next run; the present one's is `session.simulation.seed`.
    staged
        Settings that wait for the next reset.
    """

    session: Session
    preset: str
    seed: int
    staged: dict[str, Any] = field(default_factory=dict)
    _asked: dict[str, Any] = field(default_factory=dict)
    _shelf: Shelf | None = None

    @property
    def config(self) -> SimConfig:
        """What the present run stands on."""
        return self.session.config

    @property
    def next_config(self) -> SimConfig:
        """What the next run will stand on."""
        return self.config.replace(self.staged)

    @property
    def scenario(self) -> SimConfig:
        """That without what a recorded market brings along: what a person has chosen."""
        market = self.session.market
        if market is None:
            return self.next_config
        from lablib.engine import brought

        base = SimConfig.preset(self.preset) if self.preset in SCENARIOS else SimConfig()
        return self.next_config.replace({path: base.get(path) for path in brought(market)})

    @property
    def fresh(self) -> bool:
        """Whether the run has not moved yet."""
        return self.session.state == "created" and not self.session.commands

    @property
    def query(self) -> str:
        """The address of the scenario as it would run after a reset."""
        return permalink.write(self.scenario, self.seed, self.preset)

    @property
    def changed(self) -> bool:
        """Whether the scenario differs from its preset."""
        return self.preset not in SCENARIOS or self.scenario != SimConfig.preset(self.preset)

    def ask(self, path: str, value: Any) -> None:
        """Remember a setting; the newest of each field counts."""
        self._asked[path] = value

    def apply(self) -> list[Outcome]:
        """Bring what was asked for into effect. Call between frames."""
        asked, self._asked = self._asked, {}
        return [self._apply(path, value) for path, value in asked.items()]

    def _apply(self, path: str, value: Any) -> Outcome:
        try:
            self.next_config.replace({path: value})  # alone it may fit, beside what waits not
            if self.fresh:
                self.session.reset(self.config.replace({path: value}))
                return Outcome(path, value, NEW, f"{path} = {_word(value)}")
            if path not in _LIVE or self.session.over:
                self.staged[path] = value
                return Outcome(
                    path, value, WAITS, f"{path} = {_word(value)} waits for the next reset"
                )
            command = self.session.set(path, value)
            self.staged.pop(path, None)
        except LabError as error:
            return Outcome(path, self._value(path), REFUSED, str(error))
        return Outcome(path, command.value, LIVE, f"{path} = {_word(value)}")

    def _value(self, path: str) -> Any:
        try:
            return self.next_config.get(path)
        except ConfigError:
            return None

    def sow(self, word: str) -> None:
        """Take a seed as typed; a run that has not moved begins with it at once."""
        self.seed = permalink.seed_of(word)
        if self.fresh:
            self.session.reset(seed=self.seed)

    def reset(self) -> None:
        """Begin again with everything that waited; where it is recorded, in another record."""
        self._restart(self.next_config)
        self.staged = {}

    def choose(self, preset: str) -> None:
        """Begin again in a named scenario."""
        self._restart(SimConfig.preset(preset))
        self.preset, self.staged = preset, {}

    def _restart(self, config: SimConfig) -> None:
        if self.recording:
            assert self._shelf is not None
            self._begin_record(self._shelf, config)
        elif self.session.over:  # a record that was closed is not gone on with
            self.session = _session(config, self.seed, self.session.market)
        else:
            self.session.reset(config, self.seed)
        self._asked.clear()

    # ---------------------------------------------------------------------------------- recording
    @property
    def recording(self) -> str:
        """Name of the record that is being written, empty where none is."""
        return "" if self.session.over else self.written

    @property
    def written(self) -> str:
        """Name of the record that is or was written, empty where none was."""
        recorder = self.session.recorder
        return recorder.path.name if recorder is not None else ""

    def record(self, shelf: Shelf) -> None:
        """Begin again with everything that waited, and write it down from the first moment.

        Raises
        ------
        ArchiveError
            There is no room, or it cannot be written; the run goes on as it was.
        """
        self._begin_record(shelf, self.next_config)
        self.staged = {}
        self._asked.clear()

    def _begin_record(self, shelf: Shelf, config: SimConfig) -> None:
        market = self.session.market
        fresh = shelf.begin(lambda path: _session(config, self.seed, market, path))
        with suppress(SessionError):  # the one before has failed, and its record says so
            self.keep()
        self._shelf, self.session = shelf, fresh

    def keep(self) -> str:
        """End a run that is recorded: the name of what is kept, empty where nothing had happened."""
        name, session = self.recording, self.session
        if not name:
            return ""
        session.stop()
        assert session.recorder is not None
        if self.untouched:
            shutil.rmtree(session.recorder.path, ignore_errors=True)
            return ""
        return name

    @property
    def untouched(self) -> bool:
        """Whether the run still stands at its start."""
        return self.session.simulation.now_ns == 0


def words(outcomes: Sequence[Outcome]) -> list[str]:
    """What became of some settings, a line each; many that are in effect share one."""
    if len(outcomes) > MANY and all(one.what in (NEW, LIVE) for one in outcomes):
        sections = {one.path.partition(".")[0] for one in outcomes}
        return [f"{len(outcomes)} settings of {' and '.join(sorted(sections))} changed"]
    return [one.text for one in outcomes]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return f"{value.get('model')} law"
    return "as order entry" if value is None else f"{value:g}"


_LIVE = frozenset(knob.path for knob in knobs() if knob.live) | frozenset(
    switch.path for switch in switches() if switch.live
)
_LIVE |= {f"latency.{leg}" for leg in LEGS}  # with no slider of its own a leg is still live


def open_session(config: SimConfig, seed: int, market: Market | None = None) -> Session:
    """A session whose kernels are ready: what has to be compiled is compiled here."""
    from lablib.session import Session

    rehearsal = Session(config, seed=seed, market=market)
    rehearsal.start()
    rehearsal.advance(t.NS_PER_S)
    return _session(config, seed, market)


def _session(
    config: SimConfig, seed: int, market: Market | None, record: Path | None = None
) -> Session:
    from lablib.session import Session

    return Session(
        config, seed=seed, market=market, twin=True, record=record, quota_bytes=QUOTA_BYTES
    )


def scenario_of(preset_or_config: Any) -> tuple[SimConfig, str]:
    """A config and the preset it started from, out of what `live_lab` may be given.

    Raises
    ------
    ConfigError
        Nothing that can be simulated.
    """
    if preset_or_config is None:
        return SimConfig(), "classroom"
    if isinstance(preset_or_config, str):
        return SimConfig.preset(preset_or_config), preset_or_config
    if isinstance(preset_or_config, dict):
        return SimConfig().replace(preset_or_config), "classroom"
    if isinstance(preset_or_config, SimConfig):
        same = (name for name in SCENARIOS if SimConfig.preset(name) == preset_or_config)
        return preset_or_config, next(same, "classroom")
    raise ConfigError(
        f"config: give a SimConfig, a dict or a preset's name, got {preset_or_config!r}"
    )
