"""The events of a ``.rtdc`` file: features, pictures and masks, of the file itself or of a basin beside it.

A basin holds features of the same events, or of more of them, in another file or another part of the file. Followed are
basins within the file and in files of the same folder, wherever else they may be said to lie; nothing is fetched.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

import h5py
import numpy as np

from bridge.formats.hdf5 import array, child, open_hdf5, read_rows, text
from bridge.records import DatasetError

_DEEPEST = 4  # basins of basins that are followed
_SPARSE = 4  # times more rows than wanted, up to which rows between are read as well
_PICTURES = ("image", "mask", "image_bg")


@dataclass(frozen=True)
class Events:
    """An opened ``.rtdc`` file.

    Attributes
    ----------
    path
        The file.
    count
        Number of events.
    arrays
        Array of each feature, and which of its rows belong to the events; None for all, in order.
    settings
        Metadata by ``section:key``, as text or number.
    notes
        What could not be followed.
    """

    path: Path
    count: int
    arrays: dict[str, tuple[h5py.Dataset, np.ndarray | None]]
    settings: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    def scalar(self, name: str) -> np.ndarray:
        """Return one value an event (count,) float64."""
        return self.rows(name, 0, self.count).astype(float)

    def rows(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return a feature of the events start to stop."""
        data, mapping = self.arrays[name]
        if mapping is None:
            return read_rows(data, start, stop)
        wanted = mapping[start:stop]
        low, high = int(wanted.min()), int(wanted.max()) + 1
        if high - low <= _SPARSE * len(wanted):
            return read_rows(data, low, high)[wanted - low]
        return np.concatenate([read_rows(data, int(i), int(i) + 1) for i in wanted])

    def number(self, key: str) -> float:
        """Return a setting, NaN where there is none or it is no number."""
        try:
            value = float(self.settings[key])
        except (KeyError, ValueError, TypeError):
            return math.nan
        return value if math.isfinite(value) else math.nan


@contextlib.contextmanager
def open_events(path: Path) -> Iterator[Events]:
    """Yield the events of a file.

    Raises
    ------
    DatasetError
        If it is none, damaged, empty, or refers to itself.
    """
    with contextlib.ExitStack() as files:
        yield _events(path, files, ())


def _events(path: Path, files: contextlib.ExitStack, above: tuple[Path, ...]) -> Events:
    remedy = "fetch it again; events of deformability cytometers are expected"
    file = files.enter_context(open_hdf5(path, ".rtdc file", remedy))
    group = child(file, "events", path)
    if not isinstance(group, h5py.Group):
        raise DatasetError(f"{path}: no group /events; {remedy}")
    settings = {str(key): _plain(value) for key, value in file.attrs.items()}
    own = _arrays(group, path)
    lengths = {name: data.shape[0] for name, data in own.items()}
    if len(set(lengths.values())) > 1:
        raise DatasetError(f"{path}: features of different lengths {lengths}; {remedy}")
    notes: list[str] = []
    basins = _basins(file, path)
    count = next(iter(lengths.values()), 0)
    arrays: dict[str, tuple[h5py.Dataset, np.ndarray | None]] = {name: (data, None) for name, data in own.items()}
    for basin in basins:
        try:
            other, inner = _followed(basin, path, file, files, (*above, path.resolve()))
        except DatasetError as error:
            notes.append(f"basin {text(basin.get('name', ''))!r} not followed: {error}")
            continue
        notes += inner
        count = _add(arrays, other, basin, path, count)
    if count == 0:
        why = f" ({'; '.join(notes)})" if notes else ""
        raise DatasetError(f"{path}: no events{why}; {remedy}")
    return Events(path, count, arrays, settings, notes)


def _arrays(group: h5py.Group, path: Path) -> dict[str, h5py.Dataset]:
    """Return the arrays of a group of events: scalars, pictures and masks; traces and contours are passed over."""
    found = {}
    for name in map(str, group):
        node = child(group, name, path)
        pictured = name in _PICTURES
        if isinstance(node, h5py.Dataset) and node.dtype.kind in "biuf" and len(node.shape) == (3 if pictured else 1):
            found[name] = array(group, name, path)
    return found


def _basins(file: h5py.File, path: Path) -> list[dict[str, Any]]:
    """Return what the file says of its basins."""
    group = child(file, "basins", path)
    if not isinstance(group, h5py.Group):
        return []
    found = []
    for name in sorted(map(str, group)):
        lines = array(group, name, path, kinds="OS")
        try:
            basin = json.loads(" ".join(text(line) for line in lines[:10000].tolist()))
        except (ValueError, RecursionError) as error:
            raise DatasetError(
                f"{path}: basin {name!r} is damaged ({error}); remove it, or fetch the file again"
            ) from error
        if not isinstance(basin, dict):
            raise DatasetError(f"{path}: basin {name!r} is damaged (no entries); remove it, or fetch the file again")
        found.append(basin)
    return found


def _followed(
    basin: dict[str, Any], path: Path, file: h5py.File, files: contextlib.ExitStack, above: tuple[Path, ...]
) -> tuple[dict[str, tuple[h5py.Dataset, np.ndarray | None]], list[str]]:
    """Return the arrays of a basin, and what could not be followed from there.

    Raises
    ------
    DatasetError
        If it cannot be followed.
    """
    stated = basin.get("paths")
    places = [place for place in stated if isinstance(place, str)] if isinstance(stated, list) else []
    if basin.get("type") == "internal":
        group = child(file, places[0], path) if places else None
        if not isinstance(group, h5py.Group):
            raise DatasetError(f"the file has no group {places[:1]}")
        return {name: (data, None) for name, data in _arrays(group, path).items()}, []
    if basin.get("type") != "file" or basin.get("format") != "hdf5":
        raise DatasetError(f"it is of type {basin.get('type')!r}; fetch it, and export the events with dclab-compress")
    names = list(dict.fromkeys(PureWindowsPath(place).name for place in places))
    beside = next((path.parent / name for name in names if name and (path.parent / name).is_file()), None)
    if beside is None:
        raise DatasetError(f"no file {' or '.join(names) or 'named'} in {path.parent}; put it there")
    if beside.resolve() in above:
        raise DatasetError(f"{beside.name} refers back to itself")
    if len(above) >= _DEEPEST:
        raise DatasetError(f"more than {_DEEPEST} files refer to each other")
    inner = _events(beside, files, above)
    return inner.arrays, inner.notes


def _add(
    arrays: dict[str, tuple[h5py.Dataset, np.ndarray | None]],
    other: dict[str, tuple[h5py.Dataset, np.ndarray | None]],
    basin: dict[str, Any],
    path: Path,
    count: int,
) -> int:
    """Add the features of a basin that the file has not itself; return the number of events."""
    mapping, allowed = basin.get("mapping", "same"), basin.get("features")
    rows = None
    if mapping != "same":
        if mapping not in arrays:
            raise DatasetError(f"{path}: basin {basin.get('name')!r} needs the feature {mapping!r}, which is missing")
        data, _ = arrays[str(mapping)]
        rows = read_rows(data, 0, data.shape[0]).astype(np.int64)
        count = count or len(rows)
    for name, (data, inner) in other.items():
        if name in arrays or (isinstance(allowed, list) and name not in allowed):
            continue
        length = data.shape[0] if inner is None else len(inner)
        chosen = inner if rows is None else rows if inner is None else inner[rows.clip(0, max(length - 1, 0))]
        if rows is not None and rows.size and not 0 <= rows.min() <= rows.max() < length:
            raise DatasetError(
                f"{path}: basin {basin.get('name')!r} has {length} events, event {rows.max()} is asked for"
            )
        count = count or length
        if (length if rows is None else len(rows)) != count:
            raise DatasetError(f"{path}: basin {basin.get('name')!r} has {length} events, the file {count}")
        arrays[name] = (data, chosen)
    return count


def _plain(value: Any) -> Any:
    value = value[()] if isinstance(value, np.ndarray) and value.size == 1 else value
    if isinstance(value, np.ndarray):
        return ", ".join(map(text, value.ravel()[:20].tolist()))
    return text(value) if isinstance(value, (bytes, str)) else value
