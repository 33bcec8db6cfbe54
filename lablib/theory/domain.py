"""Where a formula holds: every argument's domain is declared beside it and checked before it runs.

A formula is written for arrays of one shape, or for plain floats; the two decorators here bring the
caller's numbers into that form and the answer back. Nothing here knows any finance.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lablib.errors import ConfigError

Values: TypeAlias = float | NDArray[Any]
"""What an argument may be: a number, or anything NumPy turns into an array of numbers."""

Result: TypeAlias = Any
"""A float where every argument was a number, else an array of the arguments' common shape."""

P = ParamSpec("P")


def require(holds: Any, name: str, value: Any, rule: str) -> None:
    """Refuse `value` unless the rule holds for all of it; the message shows the first that breaks it.

    >>> require(np.array([True, False]), "lag_ms", np.array([5.0, -3.0]), "must be above 0")
    Traceback (most recent call last):
    lablib.errors.ConfigError: lag_ms[1] must be above 0, got -3.0
    """
    broken = np.argwhere(~np.asarray(holds))
    if broken.size or (np.ndim(holds) == 0 and not holds):
        index = tuple(int(i) for i in broken[0])
        where = f"[{', '.join(map(str, index))}]" if index else ""
        found = np.broadcast_to(value, np.shape(holds))[index]
        raise ConfigError(f"{name}{where} {rule}, got {found}")


@dataclass(frozen=True)
class Domain:
    """An interval of the real line, or the whole numbers in it."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = True
    open_high: bool = True
    whole: bool = False

    def __str__(self) -> str:
        low = f"{'above' if self.open_low else 'at least'} {self.low:g}"
        high = f"{'below' if self.open_high else 'at most'} {self.high:g}"
        ends = [t for t, end in ((low, self.low), (high, self.high)) if math.isfinite(end)]
        kind = "a whole number" if self.whole else "" if ends else "a finite number"
        return " ".join(filter(None, (kind, " and ".join(ends))))

    def check(self, name: str, value: Any) -> NDArray[np.float64]:
        """The value as an array of floats; ConfigError names the argument and what it was.

        >>> SHARE.check("informed", 1.5)
        Traceback (most recent call last):
        lablib.errors.ConfigError: informed must be at least 0 and at most 1, got 1.5
        """
        try:
            x = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise ConfigError(f"{name} must be a number or an array, got {value!r}") from None
        # An end at infinity is open: neither NaN nor infinity passes.
        holds = (x > self.low) if self.open_low else (x >= self.low)
        holds &= (x < self.high) if self.open_high else (x <= self.high)
        if self.whole:
            holds &= x == np.rint(x)
        require(holds, name, x, f"must be {self}")
        return x

    def number(self, name: str, value: Any) -> float:
        """As `check`, for what has to be one number.

        >>> POSITIVE.number("tick", [0.1, 0.2])
        Traceback (most recent call last):
        lablib.errors.ConfigError: tick must be one number, got 2 of them
        """
        x = self.check(name, value)
        if x.ndim:
            raise ConfigError(f"{name} must be one number, got {x.size} of them")
        return float(x)


FINITE = Domain()
POSITIVE = Domain(low=0.0)
NOT_NEGATIVE = Domain(low=0.0, open_low=False)
SHARE = Domain(low=0.0, high=1.0, open_low=False, open_high=False)
COUNT = Domain(low=1.0, open_low=False, whole=True)


def plain(result: Any) -> Any:
    """Arrays without a dimension as floats, also inside a tuple with names; others as they are."""
    if isinstance(result, tuple):
        return type(result)(*map(plain, result))
    return float(result) if np.ndim(result) == 0 else result


def _bind(
    formula: Callable[..., Any], domains: dict[str, Domain]
) -> Callable[..., dict[str, NDArray[np.float64]]]:
    signature = inspect.signature(formula)
    assert set(domains) == set(signature.parameters), f"{formula.__name__}: a domain for each"

    def arrays(*args: Any, **kwargs: Any) -> dict[str, NDArray[np.float64]]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        checked = {name: domains[name].check(name, x) for name, x in bound.arguments.items()}
        try:
            spread = np.broadcast_arrays(*checked.values())
        except ValueError:
            shapes = ", ".join(f"{name} {x.shape}" for name, x in checked.items() if x.ndim)
            raise ConfigError(f"{formula.__name__}: shapes do not fit together: {shapes}") from None
        return dict(zip(checked, spread, strict=True))

    return arrays


def elementwise(**domains: Domain) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """For a formula over arrays: checked, broadcast to one shape; numbers in, a float out."""

    def decorate(formula: Callable[P, Result]) -> Callable[P, Result]:
        bind = _bind(formula, domains)

        @wraps(formula)
        def checked(*args: P.args, **kwargs: P.kwargs) -> Result:
            return plain(formula(**bind(*args, **kwargs)))  # type: ignore[arg-type, call-arg]

        return checked

    return decorate


def pointwise(**domains: Domain) -> Callable[[Callable[..., float]], Callable[..., Result]]:
    """For a formula of plain floats, such as a root: called once for every point of the shape."""

    def decorate(formula: Callable[..., float]) -> Callable[..., Result]:
        bind = _bind(formula, domains)

        @wraps(formula)
        def checked(*args: Any, **kwargs: Any) -> Result:
            arrays = bind(*args, **kwargs)
            shape = next(iter(arrays.values())).shape
            points = zip(*(x.ravel().tolist() for x in arrays.values()), strict=True)
            values = [formula(**dict(zip(arrays, x, strict=True))) for x in points]
            return plain(np.array(values, dtype=np.float64).reshape(shape))

        return checked

    return decorate
