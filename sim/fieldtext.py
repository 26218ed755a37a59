"""Fields of a configuration for people: their names and help, and what is wrong with a value."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError


def explain(error: ValidationError, where: str, root: type[BaseModel]) -> str:
    """Return a validation error as text: field, value with unit, rule and remedy.

    Parameters
    ----------
    error
        Of a configuration of the type `root`.
    where
        A file's name, say, which opens the message.
    root
        The whole configuration.
    """
    items = error.errors()
    if any(item["loc"][:1] == ("cells",) for item in items):
        items = [item for item in items if item["loc"][:1] != ("cell",)]  # the first of them once more
    return "\n  ".join(f"{where}: {_explain_one(item, root)}" for item in items)


def _explain_one(item: Any, root: type[BaseModel]) -> str:
    location = [str(part) for part in item["loc"]]
    # Places in a list are counted from 1.
    field = ".".join(str(part + 1) if isinstance(part, int) else part for part in item["loc"])
    if item["type"] == "extra_forbidden":
        known = _known_keys(location[:-1], root)
        close = difflib.get_close_matches(location[-1], known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
        return f"{field}: unknown key; {hint}"
    if item["type"] == "missing":
        return f"{field} is missing: state it"
    message = item["msg"].removeprefix("Value error, ")
    if isinstance(item["input"], (dict, BaseModel)):
        return f"{field}: {message}" if field else message
    unit = _unit(location, root)
    return f"{field} = {item['input']!r}{f' {unit}' if unit else ''}: {message[0].lower()}{message[1:]}"


def fields_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted name and help of every field of a configuration, in order."""
    for name, info in model.model_fields.items():
        inner = _section(info.annotation)
        if _section_of_list(info.annotation) is not None:
            continue  # has no names of its own
        if inner is None:
            yield prefix + name, info.description or ""
        else:
            yield from fields_of(inner, f"{prefix}{name}.")


def _section(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field is or may be."""
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _section_of_list(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field may be a list of."""
    for part in (annotation, *get_args(annotation)):
        if get_origin(part) is tuple:
            return _section(part)
    return None


def _known_keys(location: list[str], root: type[BaseModel]) -> list[str]:
    model = _model(location, root)
    return sorted(model.model_fields) if model else []


def _unit(location: list[str], root: type[BaseModel]) -> str:
    model = _model(location[:-1], root)
    info = model.model_fields.get(location[-1]) if model else None
    text = (info.description or "").rstrip(".") if info else ""
    unit = text[text.rfind("(") + 1 : -1] if text.endswith(")") else ""
    return "" if unit == "-" else unit


def _model(location: list[str], root: type[BaseModel]) -> type[BaseModel] | None:
    model: type[BaseModel] | None = root
    for part in location:
        if part.isdecimal():
            continue
        info = model.model_fields.get(part) if model else None
        model = (_section(info.annotation) or _section_of_list(info.annotation)) if info else None
    return model
