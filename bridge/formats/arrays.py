"""Arrays of an ``.npz`` file, one by one, without trusting what it says of its sizes."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from bridge.records import DatasetError

MAX_ARRAY = 2 * 2**30
"""Largest array that is read (bytes)."""


class Arrays:
    """The arrays of an ``.npz`` file by name.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DatasetError
        If it is none, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self.names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise DatasetError(f"{path}: no .npz file ({error}); write one with numpy.savez_compressed") from error

    def __getitem__(self, name: str) -> np.ndarray:
        """Return an array.

        Raises
        ------
        DatasetError
            If it is not there, too large, damaged, or holds Python objects.
        """
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{name}.npy") as stream:
                return self._read(name, stream, archive.getinfo(f"{name}.npy").file_size)
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError) as error:
            if isinstance(error, DatasetError):
                raise
            raise DatasetError(f"{self.path}: array {name!r} cannot be read ({error}); write the file again") from error

    def _read(self, name: str, stream: IO[bytes], stored: int) -> np.ndarray:
        version = np.lib.format.read_magic(stream)  # type: ignore[arg-type]
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version}")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)  # type: ignore[arg-type]
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise DatasetError(f"{self.path}: array {name!r} holds Python objects, which are not read; store numbers")
        if not 0 <= size <= min(MAX_ARRAY, stored):
            raise DatasetError(
                f"{self.path}: array {name!r} of {dtype} {shape} takes {size / 2**20:.0f} MiB, the file holds "
                f"{stored / 2**20:.0f} MiB of it and at most {MAX_ARRAY >> 20} MiB are read; divide it"
            )
        content = stream.read(size)
        if len(content) < size:
            raise ValueError(f"ends after {len(content)} of {size} bytes")
        return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
