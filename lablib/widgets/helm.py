"""What a person asked for, applied to a session between frames.

Before the first moment of a run a setting simply changes the scenario. Later it is a command that the
session records, unless the run was built on it: then it waits for the next reset. Knows no widget.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lablib.config import SimConfig
from lablib.errors import ConfigError, LabError
from lablib.kernels import tables as t
from lablib.presets import SCENARIOS
from lablib.widgets import permalink
from lablib.widgets.knobs import knobs, switches

if TYPE_CHECKING:
    from lablib.session import Session

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

    @property
    def config(self) -> SimConfig:
        """What the present run stands on."""
        return self.session.config

    @property
    def next_config(self) -> SimConfig:
        """What the next run will stand on."""
        return self.config.replace(self.staged)

    @property
    def fresh(self) -> bool:
        """Whether the run has not moved yet."""
        return self.session.state == "created" and not self.session.commands

    @property
    def query(self) -> str:
        """The address of the scenario as it would run after a reset."""
        return permalink.write(self.next_config, self.seed, self.preset)

    @property
    def changed(self) -> bool:
        """Whether the scenario differs from its preset."""
        return self.preset not in SCENARIOS or self.next_config != SimConfig.preset(self.preset)

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
            if path not in _LIVE:
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
        """Begin again with everything that waited."""
        config, self.staged = self.next_config, {}
        self._restart(config)

    def choose(self, preset: str) -> None:
        """Begin again in a named scenario."""
        config = SimConfig.preset(preset)
        self.preset, self.staged = preset, {}
        self._restart(config)

    def _restart(self, config: SimConfig) -> None:
        self._asked.clear()
        self.session.reset(config, self.seed)


def _word(value: float | bool) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}"


_LIVE = frozenset(knob.path for knob in knobs() if knob.live) | frozenset(
    switch.path for switch in switches() if switch.live
)


def open_session(config: SimConfig, seed: int) -> Session:
    """A session whose kernels are ready: what has to be compiled is compiled here."""
    from lablib.session import Session

    rehearsal = Session(config, seed=seed)
    rehearsal.start()
    rehearsal.advance(t.NS_PER_S)
    return Session(config, seed=seed, twin=True)


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
