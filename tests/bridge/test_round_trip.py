"""A simulated squeeze, filmed with noise and blur and read back: what the camera loses of the three features."""

import numpy as np
import pytest
from bridge_runs import UM
from films import errors, film_of, record

from bridge.recording import Recorder, read_recording
from bridge.video import video_writer
from sim.config import load_config
from sim.simulation import simulate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trace():
    return simulate(load_config("hct116", quality="draft"))


@pytest.fixture(scope="module")
def other():
    return simulate(load_config("wbc", quality="draft", overrides={"cell.diameter": "12e-6"}))


def read(film, path, **more):
    return read_recording(path, Recorder(film.grid.pixel_size, film.frame_rate, **more))[1]


def report(case, apart):
    print(
        f"{case}: DI {apart['di']:+.4f}, velocity {100 * apart['velocity']:+.2f} %, time {apart['frames']:+.2f} frames"
    )


def check(apart):
    assert abs(apart["di"]) < 0.02
    assert abs(apart["velocity"]) < 0.03
    assert abs(apart["frames"]) < 1


@pytest.mark.parametrize("defocus", [-0.8 * UM, 0.1 * UM, 1.2 * UM])
def test_forty_frames(trace, tmp_path, defocus):
    film = film_of([trace], 40, defocus=defocus)
    record(film, tmp_path / "film.mp4")
    (cell,) = read(film, tmp_path / "film.mp4")
    apart = errors(cell.features, trace, film.frame_rate)
    report(f"40 frames, focus {defocus * 1e6:+.2f} µm", apart)
    check(apart)


@pytest.mark.parametrize(("inside", "limits"), [(15, (0.03, 0.05)), (5, (0.06, 0.1))])
def test_fewer_frames_lose_the_peaks_but_not_the_time(trace, tmp_path, inside, limits):
    film = film_of([trace], inside)
    record(film, tmp_path / "film.mp4")
    (cell,) = read(film, tmp_path / "film.mp4")
    apart = errors(cell.features, trace, film.frame_rate)
    report(f"{inside} frames", apart)
    assert abs(apart["di"]) < limits[0]
    assert abs(apart["velocity"]) < limits[1]
    assert abs(apart["frames"]) < 1


def test_camera_twice_as_coarse(trace, tmp_path):
    film = film_of([trace], 40, pixel_size=UM / 3)
    record(film, tmp_path / "film.mp4")
    (cell,) = read(film, tmp_path / "film.mp4")
    apart = errors(cell.features, trace, film.frame_rate)
    report("pixels of 1/3 µm", apart)
    check(apart)


def test_two_cells_in_view_and_dropped_frames(trace, other, tmp_path):
    film = film_of([trace, other], 40, delays=(0.0, 0.65e-3))
    shots = list(film.shots())
    assert sum(len(shot.truth) == 2 for shot in shots) > 60
    dropped = sorted(np.random.default_rng(0).choice(np.arange(5, len(shots)), len(shots) // 12, replace=False))
    with video_writer(tmp_path / "film.mp4", 25) as append:
        for number, shot in enumerate(shots):
            if number not in dropped:
                append(shot.image)
    record(film, tmp_path / "whole.mp4")
    for cell, one in zip(read(film, tmp_path / "whole.mp4"), (trace, other), strict=True):
        apart = errors(cell.features, one, film.frame_rate)
        report("two cells", apart)
        check(apart)
    cells = read(film, tmp_path / "film.mp4", times=np.delete(film.times, dropped))
    assert len(cells) == 2
    for cell, one, name in zip(cells, (trace, other), ("first", "second"), strict=True):
        apart = errors(cell.features, one, film.frame_rate)
        report(f"two cells, one frame in 12 dropped, {name}", apart)
        check(apart)  # the frames at the peak of the velocity may be among the dropped ones
