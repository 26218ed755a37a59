"""The truth beside a film of simulated cells: a table for people, and an HDF5 file with the masks for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.command import write_text
from bridge.shot import TRUTH
from sim.files import new_hdf5, replacing

if TYPE_CHECKING:
    from bridge.shot import Shot

_SUFFIX = {"1": "", "m/s": "_m_per_s", "m²": "_m2"}


class Truth:
    """Collects what is true of each frame while a film is written.

    Masks are kept packed, one bit a pixel.
    """

    def __init__(self) -> None:
        self._rows: list[dict[str, float]] = []
        self._masks: list[np.ndarray] = []
        self._outlines: list[np.ndarray] = []
        self._shape = (0, 0)

    def watch(self, shots: Iterable[Shot]) -> Iterator[np.ndarray]:
        """Yield the pictures of some frames, remembering the rest."""
        for shot in shots:
            self._rows += shot.truth
            self._outlines += shot.outlines
            self._shape = shot.mask.shape
            self._masks.append(np.packbits(shot.mask > 0))
            yield shot.image

    def write(self, path: Path, about: Mapping[str, Any]) -> None:
        """Write ``path.csv`` (a row for each cell in each frame, units in the header) and ``path.h5``.

        Parameters
        ----------
        path
            Name without its ending.
        about
            Of the film as a whole, for the HDF5 file's attributes; SI.

        Notes
        -----
        ``path.h5`` holds ``/truth/<column>`` with the attributes ``unit`` and ``description``, ``/masks``
        (frames, rows, columns) uint8, 0 or 255, and the outlines one after the other: that of row i of the truth is
        ``/outlines/points[start[i]:start[i + 1]]``, x and y in m, with ``/outlines/start``.
        """
        columns = {name: np.array([row[name] for row in self._rows]) for name in TRUTH}
        # By name: with_suffix would take "film-0.5bar" for "film-0" with an ending.
        with replacing(path.with_name(f"{path.name}.h5")) as part, new_hdf5(part) as file:
            for name, value in about.items():
                file.attrs[name] = value
            group = file.create_group("truth", track_order=True)
            for name, (unit, meaning) in TRUTH.items():
                data = group.create_dataset(name, data=columns[name])
                data.attrs["unit"], data.attrs["description"] = unit, meaning
            outlines = file.create_group("outlines")
            start = np.cumsum([0, *map(len, self._outlines)])
            points = outlines.create_dataset("points", data=np.concatenate([np.zeros((0, 2)), *self._outlines]))
            points.attrs["unit"] = "m"
            outlines.create_dataset("start", data=start)
            rows, width = self._shape
            packed = {"compression": "gzip", "shuffle": True, "chunks": (1, rows, width)}
            masks = file.create_dataset("masks", (len(self._masks), rows, width), np.uint8, **packed)
            for number, mask in enumerate(self._masks):
                masks[number] = 255 * np.unpackbits(mask, count=rows * width).reshape(rows, width)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([name + _SUFFIX.get(unit, f"_{unit}") for name, (unit, _) in TRUTH.items()])
        writer.writerows([[f"{row[name]:.9g}" for name in TRUTH] for row in self._rows])
        write_text(path.with_name(f"{path.name}.csv"), text.getvalue())
