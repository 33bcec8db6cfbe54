"""Which configs an experiment visits: a grid, a Latin hypercube or random points over config fields.

Everything that can be refused is refused here, before anything runs. A point is made when it is asked
for, so that a large grid costs no memory.
"""

from __future__ import annotations

import difflib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from lablib.config import SimConfig, explain
from lablib.errors import ConfigError

MAX_CELLS = 1_000_000
MAX_RUNS = 10_000_000
DESIGNS = ("grid", "latin", "random")


@dataclass(frozen=True)
class Design:
    """Points over config fields.

    Attributes
    ----------
    fields
        Dotted config fields.
    axes
        For each field its values in the order given, on a grid; else its smallest and largest.
    points
        The points that are no grid's, one row each; None for a grid.
    """

    fields: tuple[str, ...]
    axes: tuple[tuple[Any, ...], ...]
    points: tuple[tuple[Any, ...], ...] | None = None

    @property
    def count(self) -> int:
        """Number of points."""
        if self.points is not None:
            return len(self.points)
        return math.prod(len(axis) for axis in self.axes)

    def point(self, index: int) -> tuple[Any, ...]:
        """The values of one point; on a grid the last field turns fastest."""
        if self.points is not None:
            return self.points[index]
        values = []
        for axis in reversed(self.axes):
            index, place = divmod(index, len(axis))
            values.append(axis[place])
        return tuple(reversed(values))

    def changes(self, index: int) -> dict[str, Any]:
        """One point as `SimConfig.replace` takes it."""
        return dict(zip(self.fields, self.point(index), strict=True))

    def column(self, field: str, indices: Iterable[int]) -> list[Any]:
        """A field's value at some points."""
        place = self.fields.index(field)
        return [self.point(index)[place] for index in indices]

    def describe(self) -> dict[str, Any]:
        """All that makes it another design, as JSON holds it."""
        about: dict[str, Any] = {"fields": list(self.fields), "axes": [list(a) for a in self.axes]}
        return about if self.points is None else {**about, "points": [list(p) for p in self.points]}


def grid(config: SimConfig, values: Mapping[str, Any]) -> Design:
    """Every combination of some values of some fields.

    Raises
    ------
    ConfigError
        Fields or values that cannot be had, or too many cells.
    """
    lists = {field: _listed(field, some) for field, some in _named(values).items()}
    _not_too_many(math.prod(len(some) for some in lists.values()), "the grid")
    axes = tuple(tuple(_checked(config, field, some)) for field, some in lists.items())
    return Design(tuple(lists), axes)


def scatter(config: SimConfig, ranges: Mapping[str, Any], kind: str, n: int, seed: int) -> Design:
    """`n` points between a smallest and a largest value of each field.

    Parameters
    ----------
    kind
        "latin": each field's range in n equal strata, each met once; "random": uniform.
    seed
        Of the points, not of any market.

    Raises
    ------
    ConfigError
        As `grid`; also a range that is no pair of rising numbers.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ConfigError(f"n: design {kind!r} needs a number of points, got {n!r}")
    _not_too_many(n, "n")
    noise = np.random.Generator(np.random.Philox(seed))
    columns, ends = [], []
    for field, some in _named(ranges).items():
        pair = _listed(field, some)
        if len(pair) != 2 or not all(_is_number(end) for end in pair) or not pair[0] < pair[1]:
            message = f"design {kind!r} needs a pair (smallest, largest), got {some!r}"
            raise ConfigError(f"{field}: {message}")
        low, high = ends_of = tuple(_checked(config, field, pair))
        share = noise.random(n)
        if kind == "latin":
            share = (noise.permutation(n) + share) / n
        column = low + (high - low) * share
        whole = isinstance(config.get(field), int)
        columns.append([int(v) for v in np.rint(column)] if whole else column.tolist())
        ends.append(ends_of)
    points = tuple(zip(*columns, strict=True))
    return Design(tuple(ranges), tuple(ends), points)


def arms(config: SimConfig, values: Mapping[str, Any]) -> Design:
    """Settings to be set against each other: the k-th value of every field makes the k-th.

    Raises
    ------
    ConfigError
        As `grid`; also fields with different numbers of values, or less than two.
    """
    lists = {field: _listed(field, some) for field, some in _named(values).items()}
    counts = {len(some) for some in lists.values()}
    if len(counts) > 1:
        said = ", ".join(f"{field} {len(some)}" for field, some in lists.items())
        raise ConfigError(f"compare: every field needs as many values as the others, got {said}")
    if counts == {1}:
        raise ConfigError(f"compare: needs two values or more, got {dict(lists)!r}")
    unique = len(lists) == 1  # with several fields a value may stand still while another moves
    axes = tuple(tuple(_checked(config, f, some, unique=unique)) for f, some in lists.items())
    points = tuple(zip(*axes, strict=True))
    if len({json.dumps(point, sort_keys=True) for point in points}) < len(points):
        raise ConfigError(f"compare: the same setting twice, got {dict(lists)!r}")
    return Design(tuple(lists), axes, points)


def seeds_of(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """Seeds as given, or 0, 1, … for a number of them.

    Raises
    ------
    ConfigError
        None, too many, the same twice, or something that is no seed.
    """
    if isinstance(seeds, bool | str):
        raise ConfigError(f"seeds: give a number of them or a list, got {seeds!r}")
    if isinstance(seeds, int | np.integer):
        if not 1 <= seeds <= MAX_RUNS:
            raise ConfigError(f"seeds: give 1 to {MAX_RUNS:,}, got {seeds}")
        return tuple(range(int(seeds)))
    listed = tuple(islice(seeds, MAX_RUNS + 1))
    for seed in listed:
        if (
            isinstance(seed, bool)
            or not isinstance(seed, int | np.integer)
            or not 0 <= seed < 1 << 64
        ):
            raise ConfigError(f"seeds: a seed is a whole number from 0 to 2**64 - 1, got {seed!r}")
    plain = tuple(int(seed) for seed in listed)
    if not plain:
        raise ConfigError("seeds: the list is empty")
    if len(set(plain)) < len(plain):
        twice = next(seed for seed, count in Counter(plain).items() if count > 1)
        raise ConfigError(f"seeds: {twice} is there twice")
    return plain


def check_runs(cells: int, seeds: int) -> None:
    """Refuse more runs than a table can hold."""
    if cells * seeds > MAX_RUNS:
        raise ConfigError(
            f"seeds: {cells:,} cells × {seeds:,} seeds are {cells * seeds:,} runs; the most are {MAX_RUNS:,}"
        )


# ----------------------------------------------------------------------------------------- checking
def _named(values: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise ConfigError(f"fields: give a dict of field and values, got {values!r}")
    if not values:
        raise ConfigError("fields: none given; name one such as latency.order_entry_ms")
    return values


def _not_too_many(cells: int, where: str) -> None:
    if cells > MAX_CELLS:
        raise ConfigError(f"{where}: {cells:,} cells; the most are {MAX_CELLS:,}")


def _listed(field: str, values: Any) -> list[Any]:
    """The values of a field as a list; of an endless iterable no more than can be used."""
    if isinstance(values, str | Mapping | BaseModel) or not isinstance(values, Iterable):
        raise ConfigError(f"{field}: give a list of values, got {values!r}")
    if isinstance(values, Sized):
        _not_too_many(len(values), field)
    listed = list(islice(values, MAX_CELLS + 1))
    if not listed:
        raise ConfigError(f"{field}: the list of values is empty")
    return listed


def _checked(
    config: SimConfig, field: str, values: Iterable[Any], *, unique: bool = True
) -> Iterator[Any]:
    """The values as the config holds them, each in its field's range, none twice.

    Only the field's own room is asked: whether two fields fit together is found out cell by cell.
    """
    parent, name = _room(config, field)
    seen: dict[str, Any] = {}
    for value in values:
        plain = value.item() if isinstance(value, np.generic) else value
        try:
            room = type(parent).model_validate({**parent.model_dump(), name: plain})
        except ValidationError as error:
            prefix = field.rpartition(".")[0]
            raise ConfigError(f"{prefix}.{explain(error).removeprefix('config.')}") from None
        except ConfigError as error:  # a delay's own words do not know whose they are
            message = str(error)
            raise ConfigError(message if field in message else f"{field}: {message}") from None
        kept = getattr(room, name)
        kept = kept.model_dump(mode="json") if isinstance(kept, BaseModel) else kept
        mark = json.dumps(kept, sort_keys=True)
        if unique and mark in seen:
            raise ConfigError(f"{field}: the same value twice, got {value!r}")
        seen[mark] = kept
        yield kept


def _room(config: SimConfig, field: str) -> tuple[BaseModel, str]:
    """The model that holds a field, and its name there."""
    prefix, _, name = str(field).rpartition(".")
    try:
        parent = config.get(prefix) if prefix else config
        config.get(str(field))
    except ConfigError:
        near = difflib.get_close_matches(str(field), list(field_names(config)), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"{field}: no such field{hint}") from None
    kind = type(parent).model_fields[name].annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        raise ConfigError(f"{field}: a section has no values; name one of its fields")
    if prefix == "record":
        raise ConfigError(f"{field}: an experiment keeps no samples, so there is nothing to vary")
    return parent, name


def field_names(model: BaseModel, prefix: str = "") -> Iterator[str]:
    """Every dotted field below a model."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        yield f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from field_names(value, f"{prefix}{name}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
