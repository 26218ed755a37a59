"""Videos and image stacks as files: MP4, GIF, TIFF and folders of pictures, one grey frame at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SUFFIXES = (".mp4", ".gif", ".tif")
"""Endings of what `video_writer` writes."""


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
    import imageio.v2

    # One thread and no version in the header: the same frames give the same bytes everywhere
    exact = ["-threads", "1", "-crf", "10", "-preset", "veryfast", "-fflags", "+bitexact", "-flags:v", "+bitexact"]
    options: dict[str, Any] = (
        {"format": "FFMPEG", "fps": playback, "codec": "libx264", "macro_block_size": 2, "quality": None}
        | {"pixelformat": "yuv420p", "output_params": exact, "ffmpeg_log_level": "error"}
        if path.suffix.lower() == ".mp4"
        else {"format": "GIF-PIL", "duration": 1000 / playback, "loop": 0}
    )
    writer: Any
    with imageio.v2.get_writer(path, mode="I", **options) as writer:
        yield writer.append_data
