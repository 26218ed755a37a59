"""Files that are either whole or not there, and where caches live."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` if the block succeeds.

    Works for files and for folders. A failure leaves an earlier `path` as it was and
    removes what was half written. The temporary name keeps the suffix of `path`.

    Raises
    ------
    OSError
        If the folder does not exist or may not be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        if part.is_file():
            with part.open("rb+") as stream:
                os.fsync(stream.fileno())
        os.replace(part, path)
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8 to `path` in one piece."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


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
