"""What a function is, as a digest: its source, and what the source does not say.

Two functions of one source may act differently: by what they close over, by globals, by defaults, by
the functions they call. All of that is looked through and hashed. What came with Python, NumPy, numba
or the lab goes by its name: their versions stand beside a digest. A number, a text, an array and any
nesting of them go by their value, a thing of any other kind by its type alone.
"""

from __future__ import annotations

import dis
import enum
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

_COMMON = sys.stdlib_module_names | {"numpy", "numba", "llvmlite", "scipy", "lablib"}
_OUTER = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF")
_MEMBER = ("LOAD_ATTR", "LOAD_METHOD")


def fingerprint(function: Callable[..., Any]) -> str:
    """SHA-256 over a function's source and all that it refers to.

    Parameters
    ----------
    function
        A Python function; a jitted one stands for the function it was made of, here and among helpers.

    Returns
    -------
    64 hex digits; of a function that refers to nothing those of its source.
    """
    return hashlib.sha256(_Look().of_function(function).encode()).hexdigest()


class _Look:
    """One look through a function and what it refers to."""

    def __init__(self) -> None:
        self._met: dict[int, int] = {}  # functions, by what was met when: they may call each other

    def of_function(self, function: Any) -> str:
        if id(function) in self._met:
            return f"function {self._met[id(function)]}"
        self._met[id(function)] = len(self._met)
        code = function.__code__
        try:
            text = inspect.getsource(function)
        except (OSError, TypeError):  # typed at a prompt: its bytecode names it
            text = self._of_code(code)
        told = dict(_referred(code, {**function.__globals__, **_closed_over(function)}))
        defaults = inspect.signature(function).parameters.values()
        told |= {f"{p.name}=": p.default for p in defaults if p.default is not p.empty}
        return text + "".join(f"\0{name} {self._of(told[name])}" for name in sorted(told))

    def _of_code(self, code: CodeType) -> str:
        consts = [self._of(value) for value in code.co_consts]
        return repr((code.co_code, consts, code.co_names))

    def _of(self, value: Any) -> str:
        function = getattr(value, "py_func", value)
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        if isinstance(function, FunctionType) and not _is_common(function.__module__):
            return f"[{self.of_function(function)}]"
        if isinstance(value, CodeType):
            return self._of_code(value)
        if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
            array = np.asarray(value)
            described = array.dtype.descr if array.dtype.names else array.dtype.str
            return f"{kind} {described} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
        if isinstance(value, enum.EnumMeta):
            members: Mapping[str, Any] = value.__members__
            return (
                f"{value.__qualname__} {[(key, self._of(members[key].value)) for key in members]}"
            )
        if isinstance(value, enum.Enum):
            return f"{kind} {value.name} {self._of(value.value)}"
        if isinstance(value, bool | int | float | complex | str | bytes | None):
            return f"{kind} {value!r}"
        if isinstance(value, Mapping):
            pairs = sorted((self._of(key), self._of(told)) for key, told in value.items())
            return f"{kind} {pairs}"
        if isinstance(value, tuple | list):
            return f"{kind} {[self._of(one) for one in value]}"
        if isinstance(value, set | frozenset):
            return f"{kind} {sorted(self._of(one) for one in value)}"
        if isinstance(value, np.dtype | slice):
            return f"{kind} {value!r}"
        name = getattr(function, "__qualname__", None) or getattr(function, "__name__", "")
        return f"{kind} {getattr(function, '__module__', '')} {name}"


def _is_common(module: str | None) -> bool:
    return (module or "").partition(".")[0] in _COMMON


def _closed_over(function: Any) -> dict[str, Any]:
    """What a function closes over, by name; a cell that is still empty is left out."""
    told = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            told[name] = cell.cell_contents
        except ValueError:
            continue
    return told


def _referred(code: CodeType, names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Which of `names` a code reads, that of functions within it included: of a module, its members."""
    path, value = "", None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "EXTENDED_ARG":
            continue
        if instruction.opname in _OUTER and instruction.argval in names:
            path, value = instruction.argval, names[instruction.argval]
        elif instruction.opname in _MEMBER and isinstance(value, ModuleType):
            path, value = f"{path}.{instruction.argval}", getattr(value, instruction.argval, None)
        else:
            path, value = "", None
        if path and not isinstance(value, ModuleType):
            yield path, value
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _referred(inner, names)
