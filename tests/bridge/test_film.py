"""Films of simulated cells: where the cell is, what a frame holds, the truth beside them."""

import csv
from dataclasses import replace

import h5py
import imageio.v2
import numpy as np
import pytest
from bridge_runs import UM, make_config, make_solid_trace, make_trace, write_run

from bridge.body import outline_area
from bridge.camera import camera
from bridge.field import add_cell, wall_field
from bridge.film import Actor, Film
from bridge.microscope import MICROSCOPES, Microscope
from bridge.motion import Motion
from bridge.optics import bright_field
from bridge.path import optical_path
from bridge.render import make_film
from bridge.scene import draw_scene
from bridge.views import whole_channel
from sim.trace import Trace

TRACE = make_trace(make_config(), samples=400)
STILL = replace(Microscope(), exposure=0.0)
CLEAN = replace(STILL, without=("shot-noise", "read-noise"))


def sparse(trace: Trace, every: int) -> Trace:
    return replace(trace, snapshot_time=trace.snapshot_time[::every], snapshots=trace.snapshots[::every])


def test_motion_goes_through_every_snapshot_and_close_to_those_left_out():
    motion = Motion(sparse(TRACE, 4))
    for index in (0, 4, 200, 396):
        np.testing.assert_allclose(motion.pose(TRACE.snapshot_time[index]).nodes, TRACE.snapshots[index], atol=1e-12)
    for index in (50, 121, 202, 333):
        nodes = motion.pose(TRACE.snapshot_time[index]).nodes
        np.testing.assert_allclose(nodes, TRACE.snapshots[index], atol=0.1 * UM)
    assert motion.velocity(0.01)[0] == pytest.approx(np.interp(0.01, TRACE["time"], TRACE["vx"]))


def pictured_at_once(film, cell):
    """The whole frame with the cell, propagated in one piece and with many more directions of the light."""
    grid, scope, scene = film.grid, film.microscope, film.actors[0].scene
    walls = wall_field(film.channel, grid, scope)
    path = optical_path(scene.body, cell, grid, scope.medium_index)
    fields = np.stack([add_cell(walls, path, scope.wavelength), walls])
    cell_in, cell_out = bright_field(fields, grid.pixel_size, scope, scene.defocus, 200)
    return (film._empty[0] + cell_in - cell_out) * film._empty[1]


@pytest.mark.parametrize("make", [make_trace, make_solid_trace])
def test_patch_over_background_is_the_whole_picture_in_all_directions_of_the_light_within_the_noise(make):
    trace = make(make_config(), samples=40)
    film = make_film(trace, CLEAN, None, 0)
    for number in (20, 100, 150):
        cell = film.actors[0].motion.pose(film.times[number])
        whole = camera(pictured_at_once(film, cell), film.microscope, np.random.default_rng(0))
        apart = film.shot(number).image.astype(float) - whole
        assert np.sqrt((apart**2).mean()) < 1.0
        changed = np.abs(whole - film.background()) > 4  # by more than the noise, 4.1
        assert np.sqrt((apart[changed] ** 2).mean()) < 4.1


def test_motion_blur_moves_light_along_the_way_only_and_keeps_its_sum():
    still, moving = (make_film(TRACE, replace(CLEAN, exposure=e), 1e3, 0) for e in (0.0, 4e-4))
    a, b = (film.shot(10).image.astype(float) - film.shot(0).image for film in (still, moving))
    a, b = a[:, 250:], b[:, 250:]  # where no cell was at the start
    assert abs(b.sum() - a.sum()) < 0.02 * np.abs(a).sum()
    along, across = (lambda p: np.abs(np.diff(p, axis=1)).sum()), (lambda p: np.abs(np.diff(p, axis=0)).sum())
    assert along(b) < 0.9 * along(a)
    assert abs(across(b) / across(a) - 1) < abs(along(b) / along(a) - 1)


def test_truth_of_a_frame_is_that_of_the_run():
    film = make_film(TRACE, STILL, None, 0)
    shot = film.shot(120)
    (row,) = shot.truth
    sample = int(np.argmin(np.abs(TRACE["time"] - row["time"])))
    for name in ("x", "front_x", "rear_x"):
        assert row[name] == pytest.approx(TRACE[name][sample], abs=0.1 * UM)
    assert row["di"] == pytest.approx(TRACE["di"][sample], abs=0.01)
    assert row["vx"] == pytest.approx(TRACE["vx"][sample], rel=0.01)
    area = outline_area(film.actors[0].motion.pose(row["time"]).nodes)
    assert row["area"] == pytest.approx(area)
    assert row["mask_area"] * film.grid.pixel_size**2 == pytest.approx(area, rel=0.03)
    assert (shot.mask > 0).sum() == row["mask_area"]
    middle = np.argwhere(shot.mask > 0).mean(axis=0)
    assert film.grid.x0 + (middle[1] + 0.5) * film.grid.pixel_size == pytest.approx(row["x"], abs=0.1 * UM)


def test_same_seed_same_frames_whatever_the_threads_and_noise_differs_from_frame_to_frame():
    film, other = (make_film(TRACE, STILL, 3e3, seed) for seed in (0, 1))
    one, three = ([shot.image for shot in film.shots(threads)] for threads in (1, 3))
    np.testing.assert_array_equal(one, three)
    assert (next(other.shots()).image != one[0]).any()
    corner = np.diff(np.array(one, float)[:4, :20, :50].reshape(4, -1), axis=0)
    assert corner.std() > 3
    assert abs(np.corrcoef(corner[0], corner[2])[0, 1]) < 0.1


def test_two_cells_and_a_coarser_camera():
    scope = replace(STILL, pixel_size=UM / 3)
    motion, scene = Motion(TRACE), draw_scene(TRACE, scope, 0)
    grid = whole_channel(TRACE.config.channel, scope.pixel_size)
    film = Film((Actor(motion, scene), Actor(motion, scene, 0.008)), TRACE.config.channel, scope, grid, 1e3, (0,))
    shots = list(film.shots())
    assert [len(shot.truth) for shot in shots] == [1] * 8 + [2] * 13 + [1] * 8
    assert shots[15].image.shape == (82, 402)
    assert scope.oversampling == 2


def test_pixels_of_a_cytometer_are_averages_of_finer_ones():
    film = make_film(TRACE, replace(MICROSCOPES["rtdc"], exposure=0.0), 1e3, 0)
    shot = film.shot(5)
    assert shot.image[shot.mask > 0].std() > 2 * shot.image[:3].std()


@pytest.mark.parametrize("suffix", [".mp4", ".tif", ".gif"])
def test_command_writes_film_and_truth(tmp_path, command, suffix):
    run = write_run(tmp_path, make_trace(make_config()))
    out = tmp_path / f"film{suffix}"
    line = (
        "bridge.render",
        run,
        "--video",
        out,
        "--frame-rate",
        800,
        "--pixel-size",
        0.5e-6,
        "--exposure",
        1e-4,
    )
    done = command(*line, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    frames = [np.asarray(f) for f in imageio.v2.mimread(out)]
    assert len(frames) == 17
    scope = replace(STILL, pixel_size=0.5e-6, exposure=1e-4)
    first = make_film(make_trace(make_config()), scope, 800, 0).shot(0).image
    assert np.abs(frames[0].reshape(*first.shape, -1)[..., 0].astype(float) - first).mean() < 1.5
    with h5py.File(tmp_path / "film.h5") as file:
        assert file["masks"].shape == (17, *first.shape)
        assert file.attrs["frame_rate"] == 800
        assert file.attrs["ks"] == 1e-3
        di = file["truth/di"][()]
    with (tmp_path / "film.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    np.testing.assert_allclose([float(row["di"]) for row in rows], di, rtol=1e-8, atol=1e-12)
    before = out.read_bytes()
    assert command(*line).returncode == 0
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to write"),
        (("--video", "a.avi"), "must end in .mp4 or .gif or .tif"),
        (("--video", "a.mp4", "--frame-rate", "1e9"), "20,000 frames are the most"),
        (("--video", "a.mp4", "--frame-rate", "1e4", "--exposure", "1e-3"), "longer than a frame of 0.0001 s"),
        (("--video", "a.mp4", "--pixel-size", "0.2"), "pixel_size = 0.2 m: input should be less than"),
        (("--video", "a.mp4", "--pixel-size", "1e-8"), "pixels a frame; choose larger ones"),
    ],
)
def test_command_refuses(tmp_path, command, words, message, monkeypatch):
    run = write_run(tmp_path / "runs", make_trace(make_config()))
    monkeypatch.chdir(tmp_path)
    done = command("bridge.render", run, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
