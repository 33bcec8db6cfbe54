"""A user's own strategy: looked at, tried in plain Python, compiled, and named by its source and values.

It is one function of `(seen, mine)`: what its wires have delivered (`tables.SEEN`) and what it has been
told of itself (`tables.MINE`, with its parameters and a memory it may write). It answers -1 sell, 0 hold,
+1 buy, 2 close, or 3 quote, having written into `mine` where it wants to stand. The true market is not
among its arguments, so it cannot peek. Sizing, exits by rule, risk and the wires stay the lab's. Where
it raises the run ends, with a `ConfigError` that says what and when; an index outside an array raises,
compiled as in plain Python.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lablib.errors import ConfigError
from lablib.fingerprint import fingerprint
from lablib.kernels import tables as t
from lablib.kernels.jit import (
    COMPILE_ERRORS,
    checked,
    compile_checked,
    guarded,
    strategy_function,
)


@dataclass(frozen=True)
class OwnStrategy:
    """A strategy ready to run; another process is sent its function, and compiles it there.

    Attributes
    ----------
    name
        The function's own name.
    source_sha256
        Names the code, with the values and functions it refers to, in a run's digest.
    compiled
        What the kernels call; it answers RAISED where the function raises.
    function
        As it was given.
    asked
        The function as it is compiled into `compiled`, to be called from Python.
    """

    name: str
    source_sha256: str
    compiled: Any
    function: Callable[[Any, Any], int]
    asked: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return prepare, (self.function,)

    def failure(self, state: Any, output: Any) -> ConfigError:
        """What it raised when it was last asked: it is asked the same again, in Python.

        Parameters
        ----------
        state, output
            Of the run, a `tables.STATE` and a `tables.OUTPUT`, as its kernels left them.
        """
        when = f" when asked at {state.now_ns / t.NS_PER_S:g} s"
        for again in (_plain(self.asked), self.asked):  # an overflow shows in compiled code only
            seen, mine = state.seen.copy(), state.strategy.mine.copy()
            mine.memory[:] = output.memory
            mine.bid_ticks = mine.ask_ticks = mine.quote_lots = 0
            try:
                again(seen, mine)
            except Exception as error:  # anything may go wrong in somebody else's code
                failure = ConfigError(f"strategy {self.name}: {_told(error, self.name)}{when}")
                failure.__cause__ = error  # with the way to its line, for a debugger
                return failure
        return ConfigError(
            f"strategy {self.name}: raised{when}, and not when asked the same again: it keeps something"
            " outside mine.memory"
        )


def _hold(seen: Any, mine: Any) -> int:
    """Stand in where no own strategy is configured; never asked."""
    return 0


NO_STRATEGY = OwnStrategy("", "", strategy_function(_hold, cache=True), _hold, _hold)


def prepare(function: Callable[[Any, Any], int]) -> OwnStrategy:
    """Check, try and compile a user's strategy.

    Raises
    ------
    ConfigError
        Not a function of two arguments, a mistake that shows at the first call, or code outside
        numba's subset: with the function's name, the line and what is wrong.
    """
    name, given = getattr(function, "__name__", repr(function)), function
    function = getattr(function, "py_func", function)  # a jitted one is compiled anew, as ours
    if not inspect.isfunction(function):
        raise ConfigError(f"strategy {name}: give a function of (seen, mine), got {function!r}")
    if len(inspect.signature(function).parameters) != 2:
        raise ConfigError(
            f"strategy {name}: takes {inspect.signature(function)}; it must take (seen, mine)"
        )
    asked = checked(function)
    for position in (0, 5, -5):
        _try(_plain(asked), name, position)
    _try(_plain(asked), name, 0, missing=True)
    named = fingerprint(function)
    try:
        compile_checked(asked)
        compiled = strategy_function(guarded(asked))
    except COMPILE_ERRORS as error:
        raise ConfigError(f"strategy {name}: {_gist(str(error))}") from None
    return OwnStrategy(name, named, compiled, given, asked)


def _plain(asked: Any) -> Callable[[Any, Any], Any]:
    """What `jit.checked` made, as plain Python."""
    function: Callable[[Any, Any], Any] = getattr(asked, "py_func", asked)
    return function


def _gist(message: str) -> str:
    """The telling lines of numba's report: what, and where in the user's own file."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    skip = (
        "Failed in",
        "During:",
        "- Resolution",
        "There are",
        "For more",
        "This error",
        "<source",
    )
    what = [line for line in lines if not line.startswith(skip)]
    where = [line for line in lines if line.startswith("File ")]
    return " ".join([*what[:2], *where[-1:]])


def _try(
    function: Callable[[Any, Any], int], name: str, position: int, *, missing: bool = False
) -> None:
    """Ask once in plain Python: most mistakes show at the first call, and with a line number.

    `missing` asks as where the venue has shown neither side: a NaN made whole raises in plain Python
    only, and compiled is any number.
    """
    seen: Any = np.zeros(1, t.SEEN)[0]
    mine: Any = np.zeros(1, t.MINE)[0]
    seen.external_px, seen.bid, seen.ask = 10_001.25, 9_999, 10_001
    seen.bid_lots = seen.ask_lots = 1_000
    mine.mid_ticks, mine.position, mine.on_clock = 10_000.0, position, 1
    mine.average_ticks = 9_990.0 if position else np.nan
    where = ""
    if missing:
        seen.bid, seen.ask, mine.mid_ticks = t.NO_BID, t.NO_ASK, np.nan
        seen.bid_lots = seen.ask_lots = 0
        where = ", asked while a side of the quote is missing and mine.mid_ticks is NaN"
    try:
        answer = function(seen, mine)
    except Exception as error:  # anything may go wrong in somebody else's code; all of it is told
        raise ConfigError(f"strategy {name}: {_told(error, name)}{where}") from None
    answers = (t.SELL_IT, t.HOLD, t.BUY_IT, t.CLOSE, t.QUOTE_IT)
    if isinstance(answer, float) or answer not in answers:
        raise ConfigError(
            f"strategy {name}: must answer -1 (sell), 0 (hold), 1 (buy), 2 (close) or 3 (quote),"
            f" got {answer!r}"
        )


def _told(error: Exception, name: str) -> str:
    """What was raised, in one line, with the line of the function it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.name == name]
    line = f" in line {inside[-1].lineno}: {inside[-1].line}" if inside else ""
    what = " ".join(str(error).split())
    return f"{type(error).__name__}: {what}{line}" if what else f"{type(error).__name__}{line}"
