"""Units as people write them in tables and files, brought to SI.

``um``, ``µm²``, ``um^3``, ``mm/s``, ``1/ms``, ``uL/min``, ``mN/m``, ``%``: symbols with prefixes and whole powers.
Unscaled recordings keep ``px`` and ``frame``, grey values ``a.u.``; what is none of these is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from bridge.records import DatasetError

_PREFIXES = {"": 1.0, "G": 1e9, "M": 1e6, "k": 1e3, "d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12}
_PREFIXES |= {"f": 1e-15, "a": 1e-18}

_SYMBOLS: dict[str, tuple[float, dict[str, int]]] = {
    "1": (1.0, {}),
    "%": (1e-2, {}),
    "m": (1.0, {"m": 1}),
    "g": (1e-3, {"kg": 1}),
    "s": (1.0, {"s": 1}),
    "min": (60.0, {"s": 1}),
    "h": (3600.0, {"s": 1}),
    "Hz": (1.0, {"s": -1}),
    "K": (1.0, {"K": 1}),
    "mol": (1.0, {"mol": 1}),
    "Osm": (1.0, {"Osm": 1}),
    "l": (1e-3, {"m": 3}),
    "L": (1e-3, {"m": 3}),
    "N": (1.0, {"kg": 1, "m": 1, "s": -2}),
    "Pa": (1.0, {"kg": 1, "m": -1, "s": -2}),
    "bar": (1e5, {"kg": 1, "m": -1, "s": -2}),
    "J": (1.0, {"kg": 1, "m": 2, "s": -2}),
    "W": (1.0, {"kg": 1, "m": 2, "s": -3}),
    "rad": (1.0, {"rad": 1}),
    "deg": (0.017453292519943295, {"rad": 1}),
    "px": (1.0, {"px": 1}),
    "frame": (1.0, {"frame": 1}),
    "a.u.": (1.0, {"a.u.": 1}),
}
_WHOLE = ("1", "%", "min", "h", "px", "frame", "a.u.", "deg", "rad")
"""Symbols that take no prefix."""

_NAMED = {
    (("kg", 1), ("s", -2)): "N/m",
    (("kg", 1), ("m", -1), ("s", -2)): "Pa",
    (("kg", 1), ("m", -1), ("s", -1)): "Pa s",
    (("kg", 1), ("m", 1), ("s", -2)): "N",
    (("kg", 1), ("m", 2), ("s", -2)): "J",
    (("kg", 1), ("m", 2), ("s", -3)): "W",
}
_POWER = re.compile(r"(.*?)(?:\^?(-?\d+))?")
_RAISED = str.maketrans("⁻¹²³⁴⁵⁶", "-123456")
_SHOWN = {1: "", 2: "²", 3: "³"}


class Unit(NamedTuple):
    """What a unit text means."""

    name: str
    """The SI unit, as datasets write it."""
    factor: float
    """Brings a value to it."""


def parse_unit(text: str) -> Unit:
    """Return the SI unit of a unit text and the factor to it.

    Raises
    ------
    DatasetError
        If the text names no unit known here.
    """
    factor, powers = 1.0, Counter()
    plain = text.strip().replace("µ", "u").replace("μ", "u").translate(_RAISED)
    for i, part in enumerate(plain.split("/")):
        for word in re.split(r"[\s·*]+", part.strip()):
            symbol, power = _split(word, text)
            scale, dimensions = _symbol(symbol, text)
            signed = -power if i else power
            factor *= scale**signed
            for name, exponent in dimensions.items():
                powers[name] += exponent * signed
    return Unit(_name(powers), factor)


def same_kind(unit: str, other: str) -> bool:
    """Return whether two SI units measure the same, taking ``px`` for a length and ``frame`` for a time."""
    return unit == other or unit.replace("px", "m").replace("frame", "s") == other


def _split(word: str, text: str) -> tuple[str, int]:
    match = _POWER.fullmatch(word)
    if word == "1" or match is None or not match[1]:
        return word, 1
    if match[2] and abs(int(match[2])) > 9:
        raise DatasetError(f"unit {text!r}: a power of {match[2]}; write it as um^3, mm/s, 1/s")
    return match[1], int(match[2] or 1)


def _symbol(symbol: str, text: str) -> tuple[float, dict[str, int]]:
    if symbol in _SYMBOLS:
        return _SYMBOLS[symbol]
    prefix, base = symbol[:1], symbol[1:]
    if prefix in _PREFIXES and base in _SYMBOLS and base not in _WHOLE:
        scale, dimensions = _SYMBOLS[base]
        return _PREFIXES[prefix] * scale, dimensions
    known = ", ".join(name for name in _SYMBOLS if name not in ("h", "l"))
    raise DatasetError(f"unit {text!r}: {symbol!r} is unknown; known are {known} with prefixes, powers and /")


def _name(powers: Counter[str]) -> str:
    order = [*dict.fromkeys(["kg", "m", *sorted(powers)])]
    kept = [(name, powers[name]) for name in order if powers[name]]
    if tuple(kept) in _NAMED:
        return _NAMED[tuple(kept)]
    above, below = (
        " ".join(name + _SHOWN.get(abs(n), f"^{abs(n)}") for name, n in kept if n * sign > 0) for sign in (1, -1)
    )
    return (above or "1") + "".join(f"/{name}" for name in below.split())
