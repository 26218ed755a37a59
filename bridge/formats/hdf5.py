"""HDF5 files of other people, read without trusting them: no links, no data elsewhere, no sizes beyond bounds.

Arrays packed by Zstandard (filter 32015), as deformability cytometers write them, are unpacked here, since HDF5 itself
cannot.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zstandard

from bridge.records import MAX_BYTES, DatasetError

_ZSTD, _SHUFFLE, _FLETCHER = 32015, 2, 3
_BUILT_IN = (1, _SHUFFLE, _FLETCHER, 5, 6, 32000)
_MAX_CHUNK = 512 * 2**20
_ENTRY = 16  # bytes of a text's length and place
_UNWRITTEN = 64 * 2**20  # bytes that may be there without being stored
_DENSEST = 1100  # times that packing makes an array smaller, at most
_FAILURES = (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError, ArithmeticError)
_FAILURES += (IndexError, EOFError, zstandard.ZstdError)


@contextlib.contextmanager
def refused(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Turn whatever fails within into a `DatasetError` that names the file: it is hostile or damaged.

    Parameters
    ----------
    path
        The file.
    what
        What it should be, such as "dataset".
    remedy
        What to do.
    """
    try:
        yield
    except DatasetError:
        raise
    except _FAILURES as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if "unable to lock file" in reason:
            raise DatasetError(f"{path}: another process is writing to it; wait until it is done") from error
        raise DatasetError(f"{path}: not a readable {what} ({reason}); {remedy}") from error


@contextlib.contextmanager
def open_hdf5(path: Path, what: str, remedy: str) -> Iterator[h5py.File]:
    """Yield an HDF5 file opened for reading; whatever fails within is `refused`."""
    if not path.is_file():
        raise DatasetError(f"{path}: no such file")
    with refused(path, what, remedy), h5py.File(path, "r") as file:
        yield file


def child(group: h5py.Group, name: str, path: Path) -> h5py.Dataset | h5py.Group | None:
    """Return what a group holds by a name, None if nothing.

    Raises
    ------
    DatasetError
        If it would be read from elsewhere: a link, external storage, a virtual dataset.
    """
    link = group.get(name, getlink=True)
    if link is None:
        return None
    if isinstance(link, (h5py.ExternalLink, h5py.SoftLink)):
        raise DatasetError(f"{path}: {name} is a link; the file must hold its own data")
    node = group[name]
    if isinstance(node, h5py.Dataset) and (node.external or node.is_virtual):
        raise DatasetError(f"{path}: {node.name} keeps its data in another file; the file must hold its own data")
    return node if isinstance(node, (h5py.Dataset, h5py.Group)) else None


def array(group: h5py.Group, name: str, path: Path, kinds: str = "biuf", stored: bool = True) -> h5py.Dataset:
    """Return an array of a group, unread.

    Parameters
    ----------
    group, name
        Where it is.
    path
        Opens the message of a failure.
    kinds
        Kinds of values it may have, as in `numpy.dtype.kind`.
    stored
        Whether it will be read in one piece, and must not be larger than can be.

    Raises
    ------
    DatasetError
        If it is none, of another kind, or too large.
    """
    node = child(group, name, path)
    if not isinstance(node, h5py.Dataset):
        raise DatasetError(f"{path}: {name} is no array; write the file again")
    if node.dtype.kind not in kinds or node.shape is None:
        raise DatasetError(f"{path}: {name} holds {node.dtype}, which is not expected there; write the file again")
    if stored:
        check_size(node.shape, node.dtype, f"{path}: {name}")
        check_stored(node, path, _UNWRITTEN)
        check_words(node, path)
    return node


def check_stored(node: h5py.Dataset, path: Path, allowed: int) -> None:
    """Refuse an array of more than `allowed` bytes that is far larger than what is stored: made to fill the memory."""
    size = math.prod(node.shape) * node.dtype.itemsize
    held = node.id.get_storage_size()
    if size > allowed and size > _DENSEST * held:
        raise DatasetError(
            f"{path}: {node.name} {node.shape} takes {size / 2**30:.1f} GiB, of which {held} bytes are stored; "
            "write the file again"
        )


def check_words(node: h5py.Dataset, path: Path) -> None:
    """Refuse texts of which one says that it is longer than the file: HDF5 would make room for it.

    Notes
    -----
    A text of variable length is stored as its length and a place, 16 bytes. Packed arrays are not looked into.
    """
    kind = h5py.check_string_dtype(node.dtype)
    if kind is None or kind.length is not None or node.id.get_create_plist().get_nfilters():
        return
    if node.chunks is None:
        spans = [(node.id.get_offset(), _ENTRY * math.prod(node.shape))]
    else:
        infos = (node.id.get_chunk_info(i) for i in range(node.id.get_num_chunks()))
        spans = [(info.byte_offset, info.size) for info in infos]
    limit = path.stat().st_size
    with path.open("rb") as file:
        for place, size in spans:
            if place is None:
                continue
            file.seek(place)
            held = file.read(min(size, limit)) + b"\0" * _ENTRY
            lengths = np.frombuffer(held[: len(held) // _ENTRY * _ENTRY], "<u4")[:: _ENTRY // 4]
            if lengths.max(initial=0) > limit:
                raise DatasetError(
                    f"{path}: {node.name}: a text of {lengths.max():,} bytes, the file has {limit:,}; write it again"
                )


def check_size(shape: Sequence[int], dtype: np.dtype, where: str) -> None:
    """Refuse an array of more than `MAX_BYTES`."""
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise DatasetError(
            f"{where} {tuple(shape)} takes {size / 2**30:.1f} GiB, more than {MAX_BYTES >> 30} GiB; divide the file"
        )


def text(value: Any) -> str:
    """Return an attribute or entry as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def read_rows(data: h5py.Dataset, start: int, stop: int) -> np.ndarray:
    """Return rows start to stop of an array, unpacking what HDF5 itself cannot.

    Raises
    ------
    DatasetError
        If it is packed in another way.
    ValueError, zstandard.ZstdError
        If it is damaged.
    """
    properties = data.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if data.chunks is not None and math.prod(data.chunks) * data.dtype.itemsize > _MAX_CHUNK:
        raise DatasetError(f"{data.file.filename}: {data.name} has chunks {data.chunks}, too large; repack it")
    if set(filters) <= set(_BUILT_IN):
        return data[start:stop]
    if not set(filters) <= {_ZSTD, _SHUFFLE, _FLETCHER}:
        other = ", ".join(map(str, set(filters) - {*_BUILT_IN, _ZSTD}))
        raise DatasetError(
            f"{data.file.filename}: {data.name} is packed by HDF5 filter {other}, which is not read here; "
            "repack it with h5repack -f GZIP=5 or dclab-compress"
        )
    rows = np.full((stop - start, *data.shape[1:]), data.fillvalue, data.dtype)
    edges: tuple[int, ...] = data.chunks or data.shape
    tops = range(start - start % edges[0], stop, edges[0])
    sides = (range(0, n, c) for n, c in zip(data.shape[1:], edges[1:], strict=True))
    for corner in itertools.product(tops, *sides):
        chunk = _chunk(data, corner, edges, filters)
        if chunk is None:
            continue
        first, last = max(start, corner[0]), min(stop, corner[0] + edges[0])
        beyond = tuple(slice(c, c + k) for c, k in zip(corner[1:], edges[1:], strict=True))
        target = rows[(slice(first - start, last - start), *beyond)]
        target[...] = chunk[(slice(first - corner[0], last - corner[0]), *(slice(n) for n in target.shape[1:]))]
    return rows


def _chunk(
    data: h5py.Dataset, corner: tuple[int, ...], edges: tuple[int, ...], filters: Sequence[int]
) -> np.ndarray | None:
    """Return one chunk of an array, None if it was never written."""
    where = data.id.get_chunk_info_by_coord(corner)
    if where.byte_offset is None:
        return None
    if where.size > 2 * _MAX_CHUNK:
        raise ValueError(f"chunk of {where.size} bytes")
    skipped, packed = data.id.read_direct_chunk(corner)
    raw: bytes = bytes(packed)
    size = math.prod(edges) * data.dtype.itemsize
    for i, code in reversed(list(enumerate(filters))):
        if skipped & (1 << i):
            continue
        if code == _FLETCHER:
            raw = _checked(raw)
        elif code == _ZSTD:
            raw = _unpacked(raw, size)
        else:
            width = data.dtype.itemsize
            raw = np.frombuffer(raw, np.uint8).reshape(width, -1).T.tobytes()
    if len(raw) != size:
        raise ValueError(f"chunk of {len(raw)} instead of {size} bytes")
    return np.frombuffer(raw, data.dtype).reshape(edges)


def _unpacked(raw: bytes, size: int) -> bytes:
    """Return what a Zstandard frame holds, at most `size` bytes, whatever it says of itself."""
    with zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(raw) as stream:
        return stream.read(size + 4)


def _checked(raw: bytes) -> bytes:
    """Return data without the Fletcher-32 sum at its end, which must be right."""
    body, stored = raw[:-4], int.from_bytes(raw[-4:], "little")
    words = np.frombuffer(body + b"\0" * (len(body) % 2), ">u2").astype(np.int64)
    low, high = 0, 0
    for block in range(0, len(words), 1 << 16):  # of such a length that no sum overflows
        part = words[block : block + (1 << 16)]
        high += low * len(part) + int((np.arange(len(part), 0, -1) * part).sum())
        low += int(part.sum())
    found = (high % 65535, low % 65535)
    if found != ((stored >> 16) % 65535, (stored & 0xFFFF) % 65535):
        raise ValueError("wrong checksum")
    return body
