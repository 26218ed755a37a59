"""Videos and image stacks as files: MP4, GIF, TIFF and folders of pictures, one grey frame at a time."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bridge.records import DatasetError

SUFFIXES = (".mp4", ".gif", ".tif")
"""Endings of what `video_writer` writes."""
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm", ".gif")
"""Endings of the videos that are read."""
_STACKS = (".tif", ".tiff")
_PICTURES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
_MOST_PIXELS = 4096 * 4096
_UNREADABLE = (OSError, RuntimeError, ValueError, SyntaxError, KeyError, IndexError, TypeError, EOFError)
_EXACT = ["-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact"]
"""One thread and no version in the header: the same frames give the same bytes everywhere."""


@contextlib.contextmanager
def video_writer(path: Path, playback: float) -> Iterator[Callable[[np.ndarray], object]]:
    """Yield a function that appends a frame (rows, columns) uint8 to a new file.

    Parameters
    ----------
    path
        ``.mp4`` (H.264, nearly lossless: grey values within 3 or so), ``.gif`` or ``.tif`` (both lossless). MP4 wants
        even numbers of rows and columns.
    playback
        Frames per second of the player, not of the camera (Hz); a TIFF has none.
    """
    if path.suffix.lower() == ".tif":
        from tifffile import TiffWriter

        with TiffWriter(path) as writer:
            yield lambda frame: writer.write(frame, contiguous=True, photometric="minisblack", metadata=None)
        return
    if path.suffix.lower() == ".gif":
        with _gif_writer(path, playback) as append:
            yield append
        return
    import imageio.v2

    options: dict[str, Any] = {"codec": "libx264", "macro_block_size": 2, "quality": None, "pixelformat": "yuv420p"}
    options |= {"output_params": [*_EXACT, "-crf", "10", "-preset", "veryfast"], "ffmpeg_log_level": "error"}
    writer: Any
    with imageio.v2.get_writer(path, mode="I", format="FFMPEG", fps=playback, **options) as writer:
        yield writer.append_data


@contextlib.contextmanager
def _gif_writer(path: Path, playback: float) -> Iterator[Callable[[np.ndarray], object]]:
    """Yield a function that appends a frame to a GIF, through FFmpeg: imageio's own breaks where few greys occur."""
    import imageio_ffmpeg

    writer: Any = None

    def append(frame: np.ndarray) -> None:
        nonlocal writer
        if writer is None:
            rows, columns = frame.shape
            options: dict[str, Any] = {"codec": "gif", "fps": playback, "quality": None, "output_params": _EXACT}
            pixels: dict[str, Any] = {"pix_fmt_in": "gray", "pix_fmt_out": "gray", "macro_block_size": 1}
            pixels["ffmpeg_log_level"] = "error"
            writer = imageio_ffmpeg.write_frames(str(path), (columns, rows), **options, **pixels)
            writer.send(None)
        writer.send(np.ascontiguousarray(frame))

    try:
        yield append
    finally:
        if writer is not None:
            writer.close()


class Clip:
    """A recording on disk, read frame by frame, as often as one likes.

    Parameters
    ----------
    path
        A video (`VIDEOS`), a TIFF stack, or a folder of pictures, taken in the order of their names.

    Raises
    ------
    DatasetError
        If it is none of these, empty, or its frames are too large.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pictures = _pictures(path) if path.is_dir() else []
        first = next(iter(self), None)
        if first is None:
            raise DatasetError(f"{path}: holds no frame that can be read; export it again")
        self.shape: tuple[int, int] = first.shape
        """Rows, columns."""

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the frames (rows, columns) uint8 or uint16; colours become grey."""
        from PIL.Image import DecompressionBombError

        suffix = self.path.suffix.lower()
        read = self._stack if suffix in _STACKS else self._folder if self._pictures else self._video
        shape = None
        try:
            for frame in read():
                shape = shape or frame.shape
                if frame.shape != shape:
                    raise DatasetError(f"{self.path}: frames of different sizes; bring all to one")
                yield frame
        except DatasetError:
            raise
        except (*_UNREADABLE, DecompressionBombError) as error:
            reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            raise DatasetError(f"{self.path}: not a readable recording ({reason[0][:200]}); export it again") from error

    def _video(self) -> Iterator[np.ndarray]:
        import imageio.v2

        reader: Any
        options = {"format": "FFMPEG"} if self.path.suffix.lower() != ".gif" else {"format": "GIF-PIL"}
        with imageio.v2.get_reader(self.path, mode="I", **options) as reader:
            size = reader.get_meta_data().get("size")
            if size:
                self._check(*size)
            for frame in reader:
                yield self._grey(np.asarray(frame))

    def _stack(self) -> Iterator[np.ndarray]:
        from tifffile import TiffFile

        with TiffFile(self.path) as file:
            for page in file.pages:
                self._check(*page.shape[:2])
                yield self._grey(page.asarray())

    def _folder(self) -> Iterator[np.ndarray]:
        from bridge.formats.miml_csv import read_picture

        for path in self._pictures:
            yield read_picture(path, str(self.path))

    def _check(self, *size: int) -> None:
        if np.prod(size, dtype=float) > _MOST_PIXELS:
            raise DatasetError(f"{self.path}: frames of {' x '.join(map(str, size))} px; crop them to the channel")

    def _grey(self, frame: np.ndarray) -> np.ndarray:
        if frame.ndim == 3:
            frame = _mean_of_bytes(frame) if frame.dtype == np.uint8 else frame[..., :3].mean(axis=2)
        if frame.ndim != 2 or frame.dtype.kind not in "uif":
            raise DatasetError(f"{self.path}: frames {frame.dtype} {frame.shape} are no pictures")
        if frame.dtype.kind == "f" and 0 < float(frame.max()) <= 1:
            raise DatasetError(f"{self.path}: grey values of 0 … 1; write them as whole numbers of 8 or 16 bits")
        # By the file's type, not by what a frame holds: all frames of a recording have one scale.
        return np.clip(frame, 0, 65535).astype(np.uint8 if frame.dtype.itemsize == 1 else np.uint16)


def _mean_of_bytes(frame: np.ndarray) -> np.ndarray:
    """Return the mean of a frame's colours uint8, rounded down; plane by plane, ten times as fast as along an axis."""
    red, green, blue = (frame[..., i] for i in range(3))
    return np.asarray((red.astype(np.uint16) + green + blue) // 3)


def first_frame(path: Path) -> np.ndarray:
    """Return the first frame (rows, columns) of a recording, or a single picture, uint8 or uint16.

    Raises
    ------
    DatasetError
        If it cannot be read.
    """
    if path.suffix.lower() in _PICTURES and path.suffix.lower() not in _STACKS and path.is_file():
        from bridge.formats.miml_csv import read_picture

        return read_picture(path, str(path))
    if not path.exists():
        raise DatasetError(f"{path}: no such file")
    return next(iter(Clip(path)))


def is_recording(path: Path) -> bool:
    """Return whether a path is what `Clip` reads: a video, a stack, or a folder of pictures without a table."""
    if path.is_dir():
        return bool(_pictures(path)) and not any(p.suffix.lower() == ".csv" for p in path.iterdir())
    return path.suffix.lower() in (*VIDEOS, *_STACKS)


def _pictures(folder: Path) -> list[Path]:
    pictures = [p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in _PICTURES]
    return sorted(pictures, key=lambda path: in_order(path.name))


def in_order(name: str) -> tuple[list[str], list[int], str]:
    """Return a key by which names are sorted as people number them: frame_2 before frame_10."""
    parts = re.split(r"([0-9]+)", name)
    return parts[::2], [int(number) for number in parts[1::2]], name
