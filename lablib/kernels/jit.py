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
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import config as _numba_config
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


def strategy_function(function: Callable[..., Any], *, cache: bool = False) -> Any:
    """A user's strategy as a first-class function of (seen, mine), or itself where all is plain.

    `advance` is compiled for functions of this type, not for one of them: a new strategy compiles by
    itself, in a fraction of a second, and a call costs a few nanoseconds.

    Raises one of `COMPILE_ERRORS` where numba cannot compile it.
    """
    if not COMPILED:
        return function
    return _decorate(numba.cfunc(_STRATEGY, cache=cache, error_model="numpy"), function)
