"""What pydantic found wrong, in words a person can act on."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from lablib.delays import MODELS


def explain(error: ValidationError) -> str:
    """One line per fault: field, what is wrong, the value."""
    lines = []
    for fault in error.errors(include_url=False, include_context=False):
        # A delay is a number or a model: drop the complaint of the alternative not meant.
        as_model = any(str(part).startswith("tagged-union") for part in fault["loc"])
        if as_model and fault["type"] == "model_attributes_type":
            continue
        if fault["type"] == "float_type" and isinstance(fault["input"], Mapping):
            continue
        parts = [str(part) for part in fault["loc"] if not _is_union_tag(str(part))]
        path = ".".join(parts) or "config"
        if fault["type"] == "extra_forbidden":
            lines.append(f"{path}: no such field (value {fault['input']!r})")
        elif fault["type"] == "truth":
            lines.append(".".join([*parts, fault["msg"]]))
        elif fault["type"] == "missing":
            lines.append(f"{path}: required")
        else:
            message = fault["msg"][0].lower() + fault["msg"][1:]
            lines.append(f"{path}: {message}, got {fault['input']!r}")
    return "; ".join(dict.fromkeys(lines))


def _is_union_tag(part: str) -> bool:
    return part in _UNION_TAGS or part.startswith("tagged-union")


_UNION_TAGS = frozenset({"float", "constrained-float", *MODELS})
