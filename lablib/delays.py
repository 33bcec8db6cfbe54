"""Delay models: how long a message travels, in a person's units.

A leg's delay is a plain number of milliseconds, one of these models, or the name of a preset of
`lablib.wires`. Every model may have rare spikes, bursts while the external price moves fast, and
scheduled outages; its messages keep their order unless `fifo` is off.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from lablib.errors import ConfigError
from lablib.kernels.tables import N_QUANTILES
from lablib.measured import LONGEST_MS, quantile_table, read_sample

MS_MAX = 60_000.0


class Section(BaseModel):
    """One room's settings. Frozen; an unknown key, NaN or infinity is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    @model_validator(mode="before")
    @classmethod
    def _no_truth(cls, data: Any) -> Any:
        """Python counts True as 1; a person who writes `threshold = true` means something else."""
        if isinstance(data, Mapping):
            fields = cls.model_fields
            for name, value in data.items():
                if not isinstance(value, bool) or name not in fields:
                    continue
                if fields[name].annotation is not bool:
                    message = "{field}: true and false are no value here, got {value}"
                    raise PydanticCustomError(
                        "truth", message, {"field": name, "value": repr(value)}
                    )
        return data


class DelayModel(Section, ABC):
    """What every delay model may have on top of its law; all of it off by default.

    An outage is a stretch in which what is sent waits: it leaves when the outage ends, and then takes
    its own delay. With `outage_loses` it never arrives instead, which only a feed can bear: a lost
    order or acknowledgement would never be heard of again. What was sent before arrives as usual.
    """

    TYPICAL: ClassVar[str] = "median"  # what `typical_ms` is

    spike_probability: float = Field(
        0.0, ge=0, le=1, description="Chance that a message is hit by a spike"
    )
    spike_ms: float = Field(
        10.0, gt=0, le=MS_MAX, description="Smallest spike, added to the delay (ms)"
    )
    spike_alpha: float = Field(
        2.5, gt=1, le=20, description="Tail exponent of the spikes' Pareto law"
    )
    burst_factor: float = Field(
        1.0,
        ge=1,
        le=1_000,
        description="The delay is multiplied by this in a burst; 1 has no bursts",
    )
    burst_bps: float = Field(
        20.0,
        gt=0,
        le=10_000,
        description="A burst lasts while the external log return of late, see latency.burst_memory_ms,"
        " is larger than this, up or down (bps)",
    )
    outage_s: float = Field(
        0.0, ge=0, le=86_400, description="How long an outage lasts (s); 0 has none"
    )
    outage_start_s: float = Field(
        60.0, ge=0, le=1e7, description="When the first outage begins (s)"
    )
    outage_every_s: float = Field(
        0.0, ge=0, le=1e7, description="From one outage's beginning to the next (s); 0 has one only"
    )
    outage_loses: bool = Field(
        False, description="Lose what is sent in an outage instead of holding it back (feeds only)"
    )
    fifo: bool = Field(
        True,
        description="Messages keep their order; off, one may overtake, and news older than what is"
        " known already is dropped where it arrives",
    )

    @model_validator(mode="after")
    def _outages_end(self) -> Self:
        if 0 < self.outage_every_s <= self.outage_s:
            raise ConfigError(
                f"outage_every_s: {self.outage_every_s} leaves no time between outages of"
                f" outage_s {self.outage_s}"
            )
        return self

    @property
    @abstractmethod
    def typical_ms(self) -> float:
        """The delay a slider shows (ms): the median, or what `TYPICAL` says, without spikes."""


class Constant(DelayModel):
    """Always the same delay."""

    model: Literal["constant"] = "constant"
    ms: float = Field(ge=0, le=MS_MAX, description="Delay (ms)")

    @property
    def typical_ms(self) -> float:
        """The delay (ms)."""
        return self.ms


class Uniform(DelayModel):
    """Uniform jitter on top of a floor."""

    model: Literal["uniform"] = "uniform"
    base_ms: float = Field(ge=0, le=MS_MAX, description="Smallest delay (ms)")
    jitter_ms: float = Field(ge=0, le=MS_MAX, description="Width of the jitter (ms)")

    @property
    def typical_ms(self) -> float:
        """The median (ms)."""
        return self.base_ms + self.jitter_ms / 2


class Lognormal(DelayModel):
    """Shifted lognormal: p99/median of the random part = exp(2.326 sigma)."""

    model: Literal["lognormal"] = "lognormal"
    median_ms: float = Field(gt=0, le=MS_MAX, description="Median of the random part (ms)")
    sigma: float = Field(ge=0, le=3, description="Standard deviation of its logarithm")
    shift_ms: float = Field(
        0.0, ge=0, le=MS_MAX, description="Floor below which no message arrives (ms)"
    )

    @property
    def typical_ms(self) -> float:
        """The median (ms)."""
        return self.shift_ms + self.median_ms


class Gamma(DelayModel):
    """Shifted gamma: the random part has this mean and the variance mean² / shape."""

    TYPICAL: ClassVar[str] = "mean"

    model: Literal["gamma"] = "gamma"
    mean_ms: float = Field(gt=0, le=MS_MAX, description="Mean of the random part (ms)")
    shape: float = Field(
        2.0, ge=0.1, le=100, description="Shape: 1 is exponential, larger ones gather at the mean"
    )
    shift_ms: float = Field(
        0.0, ge=0, le=MS_MAX, description="Floor below which no message arrives (ms)"
    )

    @property
    def typical_ms(self) -> float:
        """The mean (ms)."""
        return self.shift_ms + self.mean_ms


class Empirical(DelayModel):
    """Measured delays: a table of quantiles, linear between its points, its ends beyond them.

    Given by a `file` of delays, by a `sample_ms`, or by the table itself. File and sample are read
    once, when the config is made; what it keeps is the table.
    """

    model: Literal["empirical"] = "empirical"
    file: str | None = Field(
        None, description="File of delays in ms (CSV or .npy); read once, then forgotten"
    )
    sample_ms: tuple[float, ...] | None = Field(
        None, description="Delays (ms); read once, then forgotten"
    )
    probabilities: tuple[float, ...] = Field(
        min_length=2,
        max_length=N_QUANTILES,
        description="Where the table has its points, from 0 to 1",
    )
    quantiles_ms: tuple[float, ...] = Field(
        min_length=2, max_length=N_QUANTILES, description="The delays there (ms), never falling"
    )
    scale: float = Field(
        1.0, gt=0, le=100, description="Multiplies the delays: 0.5 is one leg of a round trip"
    )
    shift_ms: float = Field(0.0, ge=0, le=MS_MAX, description="Added to every delay (ms)")

    @model_validator(mode="before")
    @classmethod
    def _tabulate(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        data = dict(data)
        file, sample = data.pop("file", None), data.pop("sample_ms", None)
        given = [name for name in ("probabilities", "quantiles_ms") if name in data]
        if (file is not None) + (sample is not None) + bool(given) > 1:
            raise ConfigError(
                "empirical: give one of file, sample_ms, or probabilities with quantiles_ms"
            )
        if file is not None:
            data.update(quantile_table(read_sample(file)))
        elif sample is not None:
            try:
                data.update(quantile_table(sample))
            except (TypeError, ValueError):
                raise ConfigError(f"sample_ms: give numbers (ms), got {sample!r:.60}") from None
        return data

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        p, q = self.probabilities, self.quantiles_ms
        if len(p) != len(q):
            raise ConfigError(f"quantiles_ms: {len(q)} of them, but {len(p)} probabilities")
        if p[0] < 0 or p[-1] > 1 or any(b <= a for a, b in pairwise(p)):
            raise ConfigError(f"probabilities: they must rise within 0 and 1, got {list(p)}")
        if q[0] < 0 or q[-1] > LONGEST_MS or any(b < a for a, b in pairwise(q)):
            raise ConfigError(
                f"quantiles_ms: they must not fall and lie within 0 and a day, got {list(q)}"
            )
        return self

    @classmethod
    def of(cls, sample_ms: ArrayLike, **changes: Any) -> Empirical:
        """The model of measured delays (ms); `changes` are its other fields."""
        return cls(**quantile_table(sample_ms), **changes)

    @property
    def typical_ms(self) -> float:
        """The median (ms)."""
        p, q = self.probabilities, self.quantiles_ms
        after = next((k for k, at in enumerate(p) if at > 0.5), len(p))
        if after in (0, len(p)):
            median = q[0] if after == 0 else q[-1]
        else:
            share = (0.5 - p[after - 1]) / (p[after] - p[after - 1])
            median = q[after - 1] + share * (q[after] - q[after - 1])
        return self.shift_ms + self.scale * median


AnyModel = Annotated[
    Constant | Uniform | Lognormal | Gamma | Empirical, Field(discriminator="model")
]
Delay = Annotated[float, Field(ge=0, le=MS_MAX)] | AnyModel
MODELS = ("constant", "uniform", "lognormal", "gamma", "empirical")
