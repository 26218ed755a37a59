"""The microscope fitted to a frame: a made-up one whose values are known, and the paper's."""

import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from bridge_runs import UM, make_config, make_trace, write_run
from PIL import Image

from bridge.command import InputError
from bridge.look_file import look_text, read_look
from bridge.match import match
from bridge.microscope import MICROSCOPES, Microscope
from bridge.real_frame import across_wall, clear_columns, read_frame
from bridge.records import DatasetError
from bridge.scene import draw_scene
from bridge.views import frame

SCOPE = replace(
    MICROSCOPES["te2000"], background=0.62, defocus=-1.2 * UM, defocus_spread=0.0, unevenness=0.0, full_well=1500.0
)
PIXEL = SCOPE.pixel_size


@pytest.fixture(scope="module")
def picture():
    """A frame of a cell midway in the constriction, without texture."""
    trace = make_trace(make_config(diameter=10 * UM, start_x=-26 * UM), samples=400, lead=30 * UM)
    scope = replace(SCOPE, without=("texture", "nucleus"))
    scene = draw_scene(trace, scope, 0, {"cytoplasm": 1.372, "index_spread": 0.0})
    return frame(trace, "middle", scene, scope).image


def test_channel_and_noise_of_a_frame(picture):
    shown = read_frame(np.pad(picture, ((0, 1), (0, 2))), PIXEL, 20 * UM)
    assert shown.picture.shape == picture.shape  # the black rim of the file is cut off
    assert shown.channel.gap == pytest.approx(5.2 * UM, abs=0.3 * UM)
    assert shown.channel.width == pytest.approx(22.2 * UM, abs=0.3 * UM)
    assert shown.channel.constriction_length == pytest.approx(31.6 * UM, abs=1.0 * UM)
    electrons = 1500 * 0.62
    assert shown.noise == pytest.approx(255 / 1500 * np.sqrt(electrons + 13**2), rel=0.1)
    assert shown.noise_blur < 0.3
    columns = clear_columns(shown, [])
    for side in (-1, 1):
        profile = across_wall(shown.picture, shown.grid, columns, side * shown.channel.width / 2)
        assert abs(int(profile.argmin()) - len(profile) // 2) <= 2  # the line is in the middle


def test_a_tilted_frame_is_straightened(picture):
    turned = np.asarray(Image.fromarray(picture).rotate(0.4, Image.Resampling.BICUBIC, fillcolor=158))
    straight, found = (read_frame(one, PIXEL, 20 * UM) for one in (picture, turned))
    for name in ("gap", "width", "constriction_length"):
        assert getattr(found.channel, name) == pytest.approx(getattr(straight.channel, name), rel=0.03), name


@pytest.mark.slow
def test_values_of_a_made_up_frame_come_back(picture):
    found = match(read_frame(picture, PIXEL, 20 * UM), Microscope(), lambda share, what: None)
    assert set(found.correlation) == {"upper", "lower", "rear", "front"}
    assert min(found.correlation.values()) > 0.97, found.correlation
    scope = found.microscope
    assert scope.background == pytest.approx(0.62, rel=0.04)
    assert scope.full_well == pytest.approx(1500, rel=0.25)
    assert found.cell["cytoplasm"] == pytest.approx(1.372, abs=0.008)
    assert len(found.outlines) == 1


@pytest.mark.shared
def test_profiles_of_the_papers_frame(shared, tmp_path, command):
    real = shared / "miml_fig1_geometry" / "fig1b_iii_cell_in_constriction.png"
    done = command("bridge.render", "--match", real, "--out", tmp_path / "match.png", "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told["correlation"]) == {"upper", "lower", "rear", "front"}
    assert min(told["correlation"].values()) >= 0.9, told["correlation"]
    scope, cell = read_look(tmp_path / "match.toml", {})
    assert scope.background == pytest.approx(191 / 255, rel=0.06)
    assert 1.35 < cell["cytoplasm"] < 1.39
    with Image.open(tmp_path / "match.png") as figure:
        assert figure.width > 1000
    run = write_run(tmp_path, make_trace(make_config()))
    done = command("bridge.render", run, "--out", tmp_path / "a.png", "--look", tmp_path / "match.toml", "--json")
    assert done.returncode == 0, done.stderr


def test_a_look_is_read_by_render_and_build(tmp_path, command):
    look = tmp_path / "look.toml"
    look.write_text(
        look_text(replace(Microscope(), background=0.3, unevenness=0.0), {"cytoplasm": 1.4}, "made up\nhere")
    )
    assert tomllib.loads(look.read_text())["cell"] == {"cytoplasm": 1.4}
    scope, cell = read_look(look, {"read_noise": 0.0, "exposure": None})
    assert (scope.background, scope.read_noise, cell) == (0.3, 0.0, {"cytoplasm": 1.4})
    run = write_run(tmp_path, make_trace(make_config()))
    done = command("bridge.render", run, "--out", tmp_path / "a.png", "--look", look, "--moment", "first")
    assert done.returncode == 0, done.stderr
    assert np.median(np.asarray(Image.open(tmp_path / "a.png"))) == pytest.approx(0.3 * 255, abs=2)
    done = command("bridge.build", run, "--out", tmp_path / "a.h5", "--look", look, "--cell.nucleus", 1.39)
    assert done.returncode == 0, done.stderr
    from bridge.records import read_dataset

    meta = read_dataset(tmp_path / "a.h5").meta
    assert meta["microscope"]["background"] == 0.3
    assert [meta["cell_optics"]["hct116"][name] for name in ("cytoplasm", "nucleus")] == [1.4, 1.39]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[microscope]\nbackgruond = 0.3\n", "backgruond: unknown key; did you mean 'background'"),
        ("[microscope]\nbackground = 3.0\n", "background = 3.0: input should be less"),
        ("[cell]\ncolour = 1\n", "cell.colour: unknown key"),
        ("[cell]\ncytoplasm = 9\n", "cytoplasm = 9"),
        ("background = 0.3\n", "background: a look has the tables"),
        ("[cell\n", "not valid TOML"),
    ],
)
def test_a_broken_look_is_refused(tmp_path, text, message):
    path = tmp_path / "look.toml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        read_look(path, {})
    assert message in str(refused.value)


def test_frames_that_show_no_channel(tmp_path, command, monkeypatch):
    rng = np.random.default_rng(0)
    with pytest.raises(DatasetError, match="no constriction found"):
        read_frame(rng.integers(100, 200, (120, 600)).astype(np.uint8), PIXEL, 20 * UM)
    with pytest.raises(DatasetError, match="dark throughout"):
        read_frame(np.zeros((120, 600), np.uint8), PIXEL, 20 * UM)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(rng.integers(0, 255, (100, 400)).astype(np.uint8)).save("noise.png")
    for words, message in (
        (("--match", "noise.png", "--out", "a.png"), "no constriction found"),
        (("--match", "none.png", "--out", "a.png"), "none.png: no such file"),
        (("--match", "noise.png"), "nothing to write"),
        (("run", "--match", "noise.png", "--out", "a.png"), "takes no run"),
        (("--out", "a.png"), "no run given"),
    ):
        done = command("bridge.render", *words)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["noise.png"]
