"""Files damaged at random, the same for the same seed: what disks, mail programs, editors and people do to them."""

from __future__ import annotations

import re

import numpy as np

_NUMBERS = (b"nan", b"-1", b"1e400", b"0", b"99999999999999999999", b"", b"1,5", b"0x7f", b"\xff", b"-0.0", b"inf")


def mutate(data: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    """Return bytes with one to three kinds of damage.

    Parameters
    ----------
    data
        The file.
    rng
        Chooses the damage.
    others
        Files of other kinds, of which parts may get in.
    """
    for _ in range(int(rng.integers(1, 4))):
        data = _KINDS[int(rng.integers(len(_KINDS)))](data, rng, others)
    return data


def _cut(data, rng, others):
    return data[: int(rng.integers(0, len(data) + 1))]


def _behead(data, rng, others):
    return data[int(rng.integers(0, max(1, len(data) // 4))) :]


def _flip(data, rng, others):
    changed = bytearray(data)
    for at in rng.integers(0, max(1, len(data)), int(rng.integers(1, 12))):
        if changed:
            changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _scribble(data, rng, others):
    start, length = int(rng.integers(0, len(data) + 1)), int(rng.integers(1, 200))
    return data[:start] + rng.bytes(length) + data[start + length :]


def _blank(data, rng, others):
    start, length = int(rng.integers(0, len(data) + 1)), int(rng.integers(1, 2000))
    length = min(length, len(data) - start)
    return data[:start] + bytes([int(rng.choice([0, 255]))]) * length + data[start + length :]


def _repeat(data, rng, others):
    start, length = int(rng.integers(0, len(data) + 1)), int(rng.integers(1, 500))
    return data[: start + length] + data[start:]


def _leave_out(data, rng, others):
    start, length = int(rng.integers(0, len(data) + 1)), int(rng.integers(1, 500))
    return data[:start] + data[start + length :]


def _mix(data, rng, others):
    other = others[int(rng.integers(len(others)))]
    at = int(rng.integers(0, len(data) + 1))
    return data[:at] + other[int(rng.integers(0, len(other) + 1)) :][:5000]


def _number(data, rng, others):
    places = list(re.finditer(rb"\d+(\.\d+)?", data[:20000]))
    if not places:
        return data
    place = places[int(rng.integers(len(places)))]
    return data[: place.start()] + _NUMBERS[int(rng.integers(len(_NUMBERS)))] + data[place.end() :]


def _size(data, rng, others):
    """Write a huge or a negative number over some bytes, as a header's counts and sizes are."""
    at = int(rng.integers(0, max(1, min(len(data), 4000) - 8)))
    value = int(rng.choice([2**31 - 1, 2**32 - 1, 2**63 - 1, 2**40, 65535, 0]))
    width = int(rng.choice([2, 4, 8]))
    return data[:at] + (value % 2 ** (8 * width)).to_bytes(width, "little") + data[at + width :]


_KINDS = (_cut, _behead, _flip, _flip, _scribble, _blank, _repeat, _leave_out, _mix, _number, _number, _size, _size)
