"""A scenario in an address: `?preset=cloud&wires=retail&seed=3&strategy.threshold=0.001`.

What a visitor writes there is checked like everything else. A number out of range is brought to the
nearest end of its slider; anything else that cannot be used is left out. Both are reported.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from lablib.config import SimConfig
from lablib.errors import ConfigError
from lablib.measured import no_files
from lablib.presets import SCENARIOS
from lablib.widgets import places
from lablib.widgets.knobs import knobs

SEED_END = 1 << 64
LONGEST = 4_096  # characters of an address that are read
FOREIGN = ("token", "voila-", "_")  # words of the server, not of the scenario


@dataclass(slots=True)
class Scene:
    """What an address asks for, as far as it can be had.

    Attributes
    ----------
    preset
        The scenario the settings start from.
    play
        Whether to start at once; None where the address does not say.
    complaints
        One line for each thing that was changed or left out.
    """

    config: SimConfig
    seed: int
    preset: str
    play: bool | None = None
    complaints: list[str] = field(default_factory=list)


def read(query: str, config: SimConfig, seed: int, preset: str) -> Scene:
    """Understand a query string on top of a config, seed and preset."""
    scene = Scene(config, seed, preset)
    words = dict(parse_qsl(query[:LONGEST], keep_blank_values=True))
    words = {name: word for name, word in words.items() if not name.startswith(FOREIGN)}
    name = words.pop("preset", None)
    if name is not None and name in SCENARIOS:
        scene.preset, scene.config = name, SimConfig.preset(name)
    elif name is not None:
        scene.complaints.append(f"preset: no preset {name!r}; there are {', '.join(SCENARIOS)}")
    if "wires" in words:
        _read_wires(scene, words.pop("wires"))
    if "play" in words:
        scene.play = words.pop("play") not in ("0", "false", "no")
    if "seed" in words:
        _read_seed(scene, words.pop("seed"))
    for path, word in words.items():
        _read_field(scene, path, word)
    return scene


def seed_of(word: str) -> int:
    """A seed as typed.

    Raises
    ------
    ConfigError
        When it is not a whole number in [0, 2**64).
    """
    text = word.strip()
    if text.isascii() and text.isdigit() and len(text) <= 20 and int(text) < SEED_END:
        return int(text)
    raise ConfigError(f"seed: a whole number from 0 to {SEED_END - 1}, got {word[:40]!r}")


def _read_seed(scene: Scene, word: str) -> None:
    try:
        scene.seed = seed_of(word)
    except ConfigError as error:
        scene.complaints.append(str(error))


def _read_wires(scene: Scene, word: str) -> None:
    try:
        scene.config = scene.config.replace(places.changes(word))
    except ConfigError as error:
        scene.complaints.append(str(error))


def _read_field(scene: Scene, path: str, word: str) -> None:
    try:
        value = json.loads(word)
    except (ValueError, RecursionError):
        value = word
    try:
        with no_files():
            scene.config = scene.config.replace({path: value})
    except ConfigError as error:
        if not _bring_in(scene, path, value):
            scene.complaints.append(f"left out: {error}")


def _bring_in(scene: Scene, path: str, value: Any) -> bool:
    """Use the nearer end of the slider for a number that is out of range."""
    knob = next((knob for knob in knobs() if knob.path == path), None)
    if knob is None or not isinstance(value, int | float) or knob.low <= value <= knob.high:
        return False
    if value != value:  # NaN lies on no side
        return False
    end = knob.low if value < knob.low else knob.high
    try:
        scene.config = scene.config.replace({path: round(end) if knob.whole else end})
    except ConfigError:
        return False
    scene.complaints.append(f"{path}: {str(value)[:20]} is out of range, {end:g} is used")
    return True


def write(config: SimConfig, seed: int, preset: str) -> str:
    """The query string that leads back to a scenario: its preset, its seed and what differs from the preset.

    Delays that are those of a named place are named: spelled out they may be longer than an address.
    """
    base = SimConfig.preset(preset) if preset in SCENARIOS else SimConfig()
    words = [("preset", preset)] if preset in SCENARIOS else []
    place = places.name_of(config)
    if place not in (places.OWN, places.name_of(base)):
        base = base.replace(places.changes(place))
        words.append(("wires", place))
    words.append(("seed", str(seed)))
    words += _differences(base.model_dump(mode="json"), config.model_dump(mode="json"), "")
    return urlencode(words)


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str) -> list[tuple[str, str]]:
    words = []
    for name, value in new.items():
        before, path = old.get(name), f"{prefix}{name}"
        if value == before:
            continue
        if isinstance(value, dict) and isinstance(before, dict) and value.keys() == before.keys():
            words += _differences(before, value, f"{path}.")
        else:
            words.append((path, json.dumps(value, separators=(",", ":"))))
    return words
