"""The kernel decorator, and the one file that imports numba.

numba's cache does not see an edit in a kernel that a cached caller has inlined, and ignores the
bounds-check flag; so the cache lives in a folder named by a digest of every kernel source and of the
flags that change the machine code. ``NUMBA_DISABLE_JIT=1`` leaves every kernel plain Python.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import CellType, CodeType, FunctionType
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import config as _numba_config
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError, UnsupportedBytecodeError

from lablib.kernels import tables

F = TypeVar("F", bound=Callable[..., Any])

COMPILE_ERRORS = (NumbaError, UnsupportedBytecodeError)
COMPILED = not _numba_config.DISABLE_JIT


def _cache_dir() -> Path:
    digest = hashlib.sha256()
    home = Path(__file__).parent
    for source in sorted(home.rglob("*.py")):
        name = source.relative_to(home).as_posix()
        digest.update(name.encode() + b"\0" + source.read_bytes())
    flags = (_numba_config.BOUNDSCHECK, numba.__version__, np.__version__, sys.version_info[:3])
    digest.update(repr(flags).encode())
    root = os.environ.get("LABLIB_CACHE_DIR") or os.environ.get("NUMBA_CACHE_DIR")
    base = Path(root) if root else Path.home() / ".cache" / "lablib"
    return base / digest.hexdigest()[:16]


CACHE_DIR = _cache_dir()


def _decorate(decorator: Callable[[F], Any], function: F) -> Any:
    theirs = _numba_config.CACHE_DIR
    _numba_config.CACHE_DIR = str(CACHE_DIR)  # read while decorating: other packages keep theirs
    try:
        return decorator(function)
    finally:
        _numba_config.CACHE_DIR = theirs


def kernel(function: F) -> F:
    """Compile without the GIL, without fastmath, cached on disk; the only decorator for hot code.

    Without a face for C as well, which nobody calls: a cold start is a twelfth shorter.
    """
    options = {"nogil": True, "cache": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    compiled = _decorate(numba.njit(**options), function)
    if COMPILED:
        _compile_once(compiled)
    return compiled  # type: ignore[no-any-return]


def _compile_once(dispatcher: Any) -> None:
    """Take a constant argument as any number: numba would compile a version for each constant.

    LLVM inlines and folds them all the same, and a cold start is a fifth shorter.
    """
    general = dispatcher.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        return general(
            tuple(numba.types.unliteral(a) for a in args),
            {name: numba.types.unliteral(a) for name, a in kws.items()},
        )

    dispatcher.get_call_template = get_call_template


_STRATEGY = numba.int64(numba.from_dtype(tables.SEEN), numba.from_dtype(tables.MINE))


def checked(function: Callable[..., Any]) -> Any:
    """A user's strategy compiled so that an index outside an array raises, or itself where all is plain.

    Without that, one place too far in its memory writes over the state of the run. The compiled functions
    that it calls are compiled once more, as its own: theirs may not check. Where called from Python its
    `py_func` is the strategy in plain Python, with those.

    Raises one of `COMPILE_ERRORS` where numba cannot compile it.
    """
    if not COMPILED:
        return function
    options = {"error_model": "numpy", "no_cfunc_wrapper": True}
    return _rebuilt(function, options, {})


def compile_checked(asked: Any) -> None:
    """Compile what `checked` made, for a strategy's arguments."""
    if COMPILED:
        asked.compile(_STRATEGY)


def _rebuilt(function: Any, options: dict[str, Any], known: dict[int, Any]) -> Any:
    """A compiled copy of a function whose compiled helpers are such copies; `known` are those made."""
    names, given = dict(function.__globals__), function.__closure__ or ()
    cells = tuple(CellType() for _ in given)
    copy = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, cells or None
    )
    copy.__kwdefaults__, copy.__module__ = function.__kwdefaults__, function.__module__
    options = {**options, "boundscheck": True}
    known[id(function)] = compiled = _decorate(numba.njit(**options), copy)
    for name in named(function.__code__):
        if name in names:
            names[name] = _rebuilt_helper(names[name], known)
    for cell, old in zip(cells, given, strict=True):
        with suppress(ValueError):  # an empty one stays empty
            cell.cell_contents = _rebuilt_helper(old.cell_contents, known)
    return compiled


def _rebuilt_helper(value: Any, known: dict[int, Any]) -> Any:
    function = getattr(value, "py_func", value)
    if id(function) in known:
        return known[id(function)]
    if isinstance(value, Dispatcher):
        options = {name: told for name, told in value.targetoptions.items() if name != "nopython"}
        return _rebuilt(function, options, known)
    return value


def named(code: CodeType) -> set[str]:
    """Every name that a function's code speaks of, that of functions within it included."""
    within = (named(inner) for inner in code.co_consts if isinstance(inner, CodeType))
    return set(code.co_names).union(*within)


def guarded(asked: Any) -> Callable[[Any, Any], Any]:
    """A strategy that answers RAISED where `asked` raises: nothing can be raised through a kernel."""

    def guard(seen: Any, mine: Any) -> Any:
        answer = tables.RAISED
        try:
            answer = asked(seen, mine)
        except Exception:  # whatever somebody else's code may raise; it is told by the engine
            answer = tables.RAISED
        return answer

    return guard


def strategy_function(function: Callable[..., Any], *, cache: bool = False) -> Any:
    """A strategy as a first-class function of (seen, mine), or itself where all is plain.

    `advance` is compiled for functions of this type, not for one of them: a new strategy compiles by
    itself, in a fraction of a second, and a call costs a few nanoseconds.

    Raises one of `COMPILE_ERRORS` where numba cannot compile it.
    """
    if not COMPILED:
        return function
    return _decorate(numba.cfunc(_STRATEGY, cache=cache, error_model="numpy"), function)
