"""The film of a run."""

import dataclasses
import json
from typing import Any

import imageio.v2
import numpy as np
import pytest

from sim.movie import write_movie
from sim.run import main
from sim.trace import Trace


@pytest.fixture(scope="module")
def short(small_trace):
    """Every tenth outline of the small cell."""
    kept = slice(None, None, 10)
    return dataclasses.replace(
        small_trace, snapshot_time=small_trace.snapshot_time[kept], snapshots=small_trace.snapshots[kept]
    )


def solid(trace: Trace) -> Trace:
    """The same run with a sphere carried along in place of the outline."""
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=2, radius=2e-6)
    centre = np.interp(trace.snapshot_time, trace["time"], trace["x"])
    snapshots = np.asarray(ball.vertices) + centre[:, None, None] * [1, 0, 0]
    numerics = trace.config.numerics.model_copy(update={"dimension": 3})
    config = trace.config.model_copy(update={"numerics": numerics})
    return dataclasses.replace(trace, snapshots=snapshots, faces=np.asarray(ball.faces), config=config)


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_gif_has_a_frame_for_every_snapshot_and_the_same_bytes_again(short, tmp_path, dimension):
    trace = short if dimension == 2 else solid(short)
    for name in ("a.gif", "b.gif"):
        write_movie(tmp_path / name, trace)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    frames = np.array([frame[..., :3] for frame in imageio.v2.mimread(tmp_path / "a.gif")], dtype=float)
    assert len(frames) == len(trace.snapshots)
    above = frames[:, : frames.shape[1] // 3]
    coloured = np.ptp(above, axis=-1) > 40  # walls, frame and text are grey
    columns = np.arange(frames.shape[2])
    middle = [(columns * frame.sum(axis=0)).sum() / frame.sum() for frame in coloured]
    assert np.all(np.diff(middle[:-1]) > 0), "the cell goes from left to right"


def test_an_mp4_opens(short, tmp_path):
    write_movie(tmp_path / "film.mp4", short)
    reader: Any
    with imageio.v2.get_reader(tmp_path / "film.mp4") as reader:
        assert reader.count_frames() == len(short.snapshots)
        assert reader.get_data(0).shape[:2] == (512, 960)


def test_a_finished_run_gets_the_movie_it_lacks_and_keeps_its_folder(small, tmp_path, capsys):
    path = tmp_path / "small.toml"
    path.write_text(small.to_toml())
    arguments = [str(path), "--out", str(tmp_path), "--quiet", "--json"]
    assert main([*arguments, "--movie", "mp4"]) == 0
    first = json.loads(capsys.readouterr().out)["folder"]
    assert (tmp_path / first / "movie.mp4").stat().st_size > 1000
    assert not (tmp_path / first / "movie.gif").exists()
    before = (tmp_path / first / "result.h5").read_bytes()
    assert main([*arguments, "--movie", "gif"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == first
    assert (tmp_path / first / "movie.gif").read_bytes()[:4] == b"GIF8"
    assert (tmp_path / first / "result.h5").read_bytes() == before
