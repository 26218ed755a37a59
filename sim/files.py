"""Files that are either whole or not there, and where caches live."""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import io
import os
import platform
import re
import secrets
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import h5py

_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    RuntimeError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy raises over a damaged archive; the compression it does not know is a RuntimeError."""


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` if the block succeeds.

    Works for files and for folders. A failure leaves an earlier `path` as it was and
    removes what was half written. The temporary name keeps the suffix of `path` and says who writes: host and process.

    Raises
    ------
    OSError
        If the folder may not be written, the disk is full or something is in the way; it names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Neither a process on another machine nor one before this of the same number may have the same name.
    part = path.with_name(f".{path.stem}.{here()}-{os.getpid()}-{secrets.token_hex(3)}.part{path.suffix}")
    try:
        yield part
        for file in [part] if part.is_file() else [inner for inner in part.rglob("*") if inner.is_file()]:
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
        os.replace(part, path)
    except OSError as error:
        error.filename = str(error.filename or path).replace(str(part), str(path))
        raise
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def here() -> str:
    """Return a name of the host and, where there are such, of the name space within which process numbers are known."""
    try:
        return f"{platform.node()}-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return platform.node()


def abandoned(folder: Path) -> Iterator[Path]:
    """Yield what `replacing` had not finished in `folder` when its process, of this host, was killed."""
    for part in folder.glob(".*.part*"):
        owner = re.search(rf"\.{re.escape(here())}-(\d+)-[0-9a-f]{{6}}\.part", part.name)
        if owner and not _exists(int(owner[1])):
            yield part


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_text(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8 to `path` in one piece."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def check_writable(path: Path | str) -> None:
    """Raise before anything is computed what writing the file `path` would raise afterwards; write nothing.

    Raises
    ------
    OSError
        If `path` is a folder, lies below a file, or its folder may not be written.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    if not os.access(parent, os.W_OK | os.X_OK):
        why = errno.EROFS if os.statvfs(parent).f_flag & os.ST_RDONLY else errno.EACCES
        raise OSError(why, os.strerror(why), str(path))


@contextlib.contextmanager
def new_hdf5(path: Path | str) -> Iterator[h5py.File]:
    """Yield an HDF5 file in memory and write it to `path` if the block succeeds.

    On a full disk HDF5 fails while it closes a file, and then crashes the process; a plain write raises OSError.
    """
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        yield file
    Path(path).write_bytes(buffer.getbuffer())


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """Return the arrays of an ``.npz`` file of the project's own, None where there is none that is whole."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except _DAMAGE:
        return None


def cache_dir(kind: str) -> Path:
    """Return the folder for caches of `kind`, made if needed: under ``MIMLAB_CACHE`` or the user's cache.

    Where neither can be written it is a private temporary folder of this process.
    """
    root = os.environ.get("MIMLAB_CACHE")
    if root is None:
        import platformdirs

        root = platformdirs.user_cache_dir("mimlab")
    path = Path(root).expanduser().absolute() / kind
    try:
        path.mkdir(parents=True, exist_ok=True)
        if os.access(path, os.W_OK):
            return path
    except OSError:
        pass
    path = Path(_private_dir()) / kind
    path.mkdir(parents=True, exist_ok=True)
    return path


@functools.cache
def _private_dir() -> str:
    path = tempfile.mkdtemp(prefix="mimlab-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
