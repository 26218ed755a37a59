"""Damaged files of every kind that is read: a message and exit code 2, no traceback, no hang, nothing half-written.

A damage may be harmless; then the exit code is 0, or that of a failed check.
"""

import contextlib
import io
import resource
import shutil
import signal
import zlib

import h5py
import numpy as np
import pytest
from miml_folders import make_folder
from mutations import mutate
from rtdc_files import write_rtdc

from bridge import build, check, export, ingest
from bridge.command import InputError, run_command
from bridge.look_file import look_text, read_look
from bridge.microscope import Microscope
from bridge.video import first_frame, video_writer

SECONDS = 60  # for one file; they take hundredths, on a busy machine tenths
MEMORY = 2**31  # bytes that the largest of all may need in addition
SCALE = ("--pixel-size", "0.25e-6", "--frame-rate", "1e4", "--constriction", "40", "80")
MAP = """
[features.max_velocity]
column = "velocity"
unit = "mm/s"
[label]
column = "label"
"""
ARRAYS = """
[label]
column = "labels"
[images.first]
array = "images"
black = 0
white = 255
"""


@pytest.fixture(scope="module")
def sound(tmp_path_factory, runs):
    """One small sound file or folder of each kind."""
    folder = tmp_path_factory.mktemp("sound")
    rng = np.random.default_rng(0)
    frames = rng.integers(120, 140, (12, 40, 120)).astype(np.uint8)
    for number, frame in enumerate(frames):
        frame[12:28, 8 * number : 8 * number + 20] = 60
    for suffix in (".tif", ".gif", ".mp4"):
        with video_writer(folder / f"clip{suffix}", 25) as append:
            for frame in frames:
                append(frame)
    make_folder(folder / "miml")
    shutil.copy(folder / "miml" / "train_data.csv", folder / "cells.csv")
    (folder / "map.toml").write_text(MAP)
    (folder / "arrays.toml").write_text(ARRAYS)
    (folder / "table.tsv").write_text("label\tvelocity\n" + "".join(f"a\t{v:.3f}\n" for v in rng.uniform(1, 9, 9)))
    images = rng.integers(0, 256, (6, 12, 12)).astype(np.uint8)
    np.savez_compressed(folder / "arrays.npz", images=images, labels=np.array(["a", "b"] * 3))
    write_rtdc(folder / "events.rtdc")
    (folder / "boxes.csv").write_text(
        "frame,x_min,y_min,x_max,y_max\n" + "".join(f"{n},{8 * n},12,{8 * n + 20},28\n" for n in range(12))
    )
    (folder / "look.toml").write_text(look_text(Microscope(), {"cytoplasm": 1.37}, "a look"))
    assert command(build, *sorted(runs.iterdir()), "--out", folder / "cells.h5", "--size", "32")[0] == 0
    return folder


def command(module, *words):
    """Exit code and message of a command, run in this process."""
    err = io.StringIO()
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as leaving,
    ):
        run_command(module.main, [*map(str, words)])
    return leaving.value.code, err.getvalue()


def ingested(path, *more):
    out = path.parent / "out.h5"
    out.unlink(missing_ok=True)
    code, message = command(ingest, path, "--out", out, "--label", "a", *more)
    assert (code == 0) == out.exists(), message
    assert code in (0, 2), message
    return code, message


def in_folder(name, target):
    """A reader of a folder of which one file is damaged."""

    def read(path):
        folder = path.parent / name
        shutil.copytree(path.parents[1] / "sound" / name, folder)
        shutil.copy(path, folder / target)
        return ingested(folder)

    return read


def dataset(path):
    code, message = command(check, path)
    assert code in (0, 1, 2), message
    out = path.parent / "out"
    exported, message = command(export, path, out, "--to", "miml")
    assert exported in (0, 2), message
    assert exported == 0 or not out.exists() or not any(out.iterdir()), message
    return (code or exported), message


def library(reader):
    """A reader that a command calls once more is known."""

    def read(path):
        try:
            reader(path)
        except InputError as error:
            return 2, f"error: {error}"
        return 0, ""

    return read


READERS = {
    "cells.csv": ingested,
    "table.tsv": lambda path: ingested(path, "--columns", path.parents[1] / "sound" / "map.toml"),
    "arrays.npz": lambda path: ingested(path, "--columns", path.parents[1] / "sound" / "arrays.toml"),
    "map.toml": lambda path: ingested(path.parents[1] / "sound" / "table.tsv", "--columns", path),
    "events.rtdc": ingested,
    "miml/Train/T4_Day1_Cell1_Firstcrop.png": in_folder("miml", "Train/T4_Day1_Cell1_Firstcrop.png"),
    "cells.h5": dataset,
    "look.toml": library(lambda path: read_look(path, {})),
    "clip.tif": lambda path: ingested(path, *SCALE),
    "clip.gif": lambda path: ingested(path, *SCALE),
    "boxes.csv": lambda path: ingested(path.parents[1] / "sound" / "clip.tif", *SCALE, "--detections", path),
    "clip.mp4": library(first_frame),
}
"""What reads each file; a path as `ingested` writes its dataset beside it."""


class LateError(BaseException):
    """A file took too long; no reader may take this for a fault of the file."""


@contextlib.contextmanager
def limited():
    """Fail if what is inside takes longer than `SECONDS`."""

    def late(*_):
        raise LateError(f"still reading after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def damage(name, sound, base, seeds):
    """Read damaged files; return how many were refused, and what went wrong with others."""
    others = [path.read_bytes() for path in sorted(sound.iterdir()) if path.is_file()]
    shutil.copytree(sound, base / "sound")
    refused, wrong = 0, []
    for seed in seeds:
        rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
        case = base / "case"
        case.mkdir()
        path = case / name.rsplit("/", maxsplit=1)[-1]
        path.write_bytes(mutate((sound / name).read_bytes(), rng, others))
        try:
            with limited():
                code, message = READERS[name](path)
        except (Exception, LateError) as error:
            code, message = 0, f"Traceback: {type(error).__name__}: {error}"
        if "Traceback" in message or (code == 2 and "error: " not in message):
            wrong.append((seed, message))
        refused += code == 2
        shutil.rmtree(case)
    return refused, wrong


@pytest.mark.parametrize("name", READERS)
def test_sound_files_are_read(name, sound, tmp_path):
    shutil.copytree(sound, tmp_path / "sound")
    (tmp_path / "case").mkdir()
    path = tmp_path / "case" / name.rsplit("/", maxsplit=1)[-1]
    shutil.copy(sound / name, path)
    code, message = READERS[name](path)
    assert code in (0, 1), message


def test_a_text_that_claims_four_gigabytes_is_refused(sound, tmp_path):
    path = tmp_path / "cells.h5"
    shutil.copy(sound / "cells.h5", path)
    with h5py.File(path) as file:
        place = file["table/cell_id"].id.get_chunk_info(0).byte_offset
    with path.open("r+b") as file:
        file.seek(place + 16)
        file.write((2**32 - 1).to_bytes(4, "little"))
    code, message = command(check, path)
    assert (code, "a text of 4,294,967,295 bytes" in message) == (2, True), message


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_refused_or_read(name, sound, tmp_path):
    _, wrong = damage(name, sound, tmp_path, range(5))
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_many_damaged_files_are_refused_or_read(name, sound, tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused, wrong = damage(name, sound, tmp_path, range(170))
    assert wrong == []
    print(f"{name}: {refused} of 170 refused")
    assert refused > 10
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY
