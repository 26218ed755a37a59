"""Appending to a file in place, and yet all or nothing.

What is added lies behind the file's end, where readers do not look; what changes before it is kept in memory and
written to a journal beside the file first. Whoever opens the file next brings a complete journal to its end, and drops
an incomplete one: a process that is killed at any moment leaves the file as it was, or as it should be.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bridge.command import InputError, replacing

_PAGE = 4096
_MAGIC = b"mimlab-journal-1\n"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_END_AT = {0: 40, 1: 44, 2: 28, 3: 28}
"""Where the superblock of each version holds the end of the file."""


class Overlay(io.RawIOBase):
    """A file whose first `end` bytes stay as they are until `commit`; what lies behind is written at once.

    HDF5 crashes the process if a write fails while it closes a file. A failure is therefore kept, and raised by
    `commit`.
    """

    def __init__(self, raw: IO[bytes], end: int) -> None:
        self._raw, self._end, self._at = raw, end, 0
        self._size = max(end, 0)
        self._pages: dict[int, bytearray] = {}
        self.error: OSError | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Set the length, never below what is there already."""
        self._size = max(self._at if size is None else size, self._end)
        self._try(lambda: self._raw.truncate(self._size))
        return self._size

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read as much as there is."""
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._size - self._at))
        self._raw.seek(self._at)
        view[:count] = self._raw.read(count).ljust(count, b"\0")
        for number in range(self._at // _PAGE, (self._at + count - 1) // _PAGE + 1 if count else 0):
            page = self._pages.get(number)
            if page is not None:
                first, last = max(self._at, number * _PAGE), min(self._at + count, number * _PAGE + len(page))
                view[first - self._at : last - self._at] = page[first - number * _PAGE : last - number * _PAGE]
        self._at += count
        return count

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        """Write at the position: to memory before `end`, to the file behind it."""
        view = memoryview(data).cast("B")
        inside = max(0, min(len(view), self._end - self._at))
        done = 0
        while done < inside:
            number, offset = divmod(self._at + done, _PAGE)
            page = self._page(number)
            count = min(inside - done, len(page) - offset)
            page[offset : offset + count] = view[done : done + count]
            done += count
        if done < len(view):
            self._try(lambda: (self._raw.seek(self._at + done), self._raw.write(view[done:])))
        self._at += len(view)
        self._size = max(self._size, self._at)
        return len(view)

    def _page(self, number: int) -> bytearray:
        if number not in self._pages:
            self._raw.seek(number * _PAGE)
            self._pages[number] = bytearray(self._raw.read(min(_PAGE, self._end - number * _PAGE)))
        return self._pages[number]

    def _try(self, action) -> None:
        if self.error is None:
            try:
                action()
            except OSError as error:
                self.error = error

    def commit(self, path: Path) -> None:
        """Make all changes, or raise what went wrong and make none.

        Raises
        ------
        OSError
            Such as a full disk, now or at an earlier write.
        """
        if self.error is not None:
            raise OSError(self.error.errno, self.error.strerror, str(path))
        self._raw.flush()
        os.fsync(self._raw.fileno())
        if self._pages:
            with replacing(_journal(path)) as part:
                part.write_bytes(_packed(self._pages))
            _apply(self._raw, self._pages)
            _journal(path).unlink(missing_ok=True)


@contextlib.contextmanager
def appending(path: Path) -> Iterator[Overlay]:
    """Yield an HDF5 file as an `Overlay`; changes are made if the block succeeds.

    Raises
    ------
    InputError
        If another process has the file open.
    OSError
        If it cannot be written.
    """
    with path.open("r+b") as raw:
        try:
            fcntl.flock(raw, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{path}: another process has it open; wait until it is done") from None
        _finish(raw, path)
        end = _stored_end(raw)
        raw.truncate(end)
        overlay = Overlay(raw, end)
        try:
            yield overlay
            overlay.commit(path)
        except BaseException:
            # With its journal in place an append is decided, and whoever opens the file next brings it to its end.
            if not _journal(path).is_file():
                with contextlib.suppress(OSError):
                    raw.truncate(end)
            raise


def recover(path: Path) -> None:
    """Bring an append to its end that was interrupted after all was decided; drop one that was not.

    The journal of a process that is at work is left to it.

    Raises
    ------
    OSError
        If the file needs it and cannot be written.
    """
    if not _journal(path).is_file():
        return
    with path.open("r+b") as raw:
        try:
            fcntl.flock(raw, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _finish(raw, path)


def _finish(raw: IO[bytes], path: Path) -> None:
    """Apply the journal of a locked file, if there is a whole one, and remove it."""
    journal = _journal(path)
    if journal.is_file():
        _apply(raw, _unpacked(journal.read_bytes()))
        journal.unlink(missing_ok=True)


def _journal(path: Path) -> Path:
    return path.with_name(f".{path.name}.journal")


def _packed(pages: dict[int, bytearray]) -> bytes:
    body = b"".join(struct.pack("<QI", number, len(page)) + page for number, page in sorted(pages.items()))
    return _MAGIC + hashlib.sha256(body).digest() + body


def _unpacked(data: bytes) -> dict[int, bytearray]:
    """Return the pages of a journal; none if it is not whole."""
    head = len(_MAGIC) + 32
    body = data[head:]
    if not data.startswith(_MAGIC) or hashlib.sha256(body).digest() != data[len(_MAGIC) : head]:
        return {}
    pages, at = {}, 0
    while at < len(body):
        number, length = struct.unpack_from("<QI", body, at)
        pages[number] = bytearray(body[at + 12 : at + 12 + length])
        at += 12 + length
    return pages


def _apply(raw: IO[bytes], pages: dict[int, bytearray]) -> None:
    for number, page in pages.items():
        raw.seek(number * _PAGE)
        raw.write(page)
    raw.flush()
    os.fsync(raw.fileno())


def _stored_end(raw: IO[bytes]) -> int:
    """Return where the HDF5 file ends by its own account; what lies behind was never finished."""
    raw.seek(0)
    head = raw.read(64)
    size = raw.seek(0, os.SEEK_END)
    if not head.startswith(_SIGNATURE) or len(head) < 64 or head[8] not in _END_AT:
        return size
    (end,) = struct.unpack_from("<Q", head, _END_AT[head[8]])
    return end if 64 <= end <= size else size
