"""The microscope's configuration, and that each of its effects can be left out and is gone then."""

import json
from dataclasses import asdict, fields, replace

import h5py
import numpy as np
import pytest
from bridge_runs import UM, make_config, make_trace, write_run
from PIL import Image

from bridge.body import Grid
from bridge.camera import Lamp, camera
from bridge.command import InputError
from bridge.light import Look, change, empty_channel
from bridge.looks import OPTICS, CellOptics, optics_of
from bridge.microscope import EFFECTS, MICROSCOPES, Microscope, describe, read_microscope, to_toml
from bridge.optics import bright_field
from bridge.scene import draw_scene, pose
from sim.config import ChannelConfig

SCOPE = replace(MICROSCOPES["te2000"], defocus=1.5 * UM)
TRACE = make_trace(make_config(), samples=30)
CHANNEL = TRACE.config.channel


def without(*effects: str) -> Microscope:
    return replace(SCOPE, without=effects)


def crop_of(scope: Microscope, velocity=(0.0, 0.0)) -> np.ndarray:
    """The light around the cell ahead of the constriction, relative to the empty channel."""
    cell = pose(TRACE, 2)
    x, y = cell.nodes.mean(axis=0)
    grid = Grid.centred(x, y, scope.pixel_size, (140, 140))
    light, window = change(cell, draw_scene(TRACE, scope, 3), Look(CHANNEL, scope, grid), velocity)
    result = np.zeros(grid.shape)
    result[window] = light
    return result


def grating(scope: Microscope, period: float) -> float:
    """Contrast of a grating's picture."""
    pixel = period / 8
    field = 1 + 0.01 * np.cos(2 * np.pi * np.arange(160) / 8) * np.ones((160, 160))
    return float(np.ptp(bright_field(field + 0j, pixel, scope, 0.0))) / 0.04


def test_without_aperture_finer_detail_passes():
    fine = 0.5 * UM  # λ/n = 0.41 µm, λ/(NA + NA of the light) = 0.68 µm
    assert grating(SCOPE, fine) < 1e-3
    assert grating(without("aperture"), fine) > 0.3


def test_without_coherence_a_plane_wave_gives_more_and_farther_fringes():
    some, many = (crop_of(scope) for scope in (SCOPE, without("coherence")))
    y, x = np.indices(some.shape) - 69.5
    outside = np.hypot(x, y) * SCOPE.pixel_size > 5.5 * UM + 2.5 * UM
    assert np.abs(many[outside]).mean() > 3 * np.abs(some[outside]).mean()
    plain = replace(SCOPE, condenser_na=0.0, condenser_x=0.0, condenser_y=0.0)
    np.testing.assert_allclose(crop_of(plain), many, atol=1e-5)


def test_without_defocus_cell_and_walls_are_in_the_focal_plane():
    assert draw_scene(TRACE, without("defocus"), 3).defocus == 0
    assert draw_scene(TRACE, SCOPE, 3).defocus != 0
    grid = Grid.centred(0.0, 0.0, SCOPE.pixel_size, (64, 96))
    sharp, flat = (empty_channel(CHANNEL, s, grid)[0] for s in (without("defocus"), replace(SCOPE, defocus=0.0)))
    np.testing.assert_array_equal(sharp, flat)
    assert np.abs(sharp - empty_channel(CHANNEL, SCOPE, grid)[0]).max() > 0.05


def test_without_texture_only_rim_and_nucleus_are_left():
    smooth, grainy = (np.diff(crop_of(s)[50:90, 50:90], 2).std() for s in (without("texture", "nucleus"), SCOPE))
    assert smooth < 0.2 * grainy
    body = draw_scene(TRACE, without("texture"), 3).body
    assert len(body.granules) == 0
    assert body.fluctuation_path == 0


def test_without_nucleus_it_has_the_index_of_the_cytoplasm():
    body, other = (draw_scene(TRACE, scope, 3).body for scope in (without("nucleus"), SCOPE))
    assert body.nucleus == body.cytoplasm == other.cytoplasm
    assert other.nucleus < other.cytoplasm


def test_without_walls_the_channel_is_not_seen():
    grid = Grid.centred(0.0, 0.0, SCOPE.pixel_size, (64, 96))
    for part in empty_channel(CHANNEL, without("walls"), grid):
        np.testing.assert_allclose(part, 1.0, atol=1e-4)
    assert empty_channel(CHANNEL, SCOPE, grid)[0].min() < 0.7


def test_without_illumination_the_lamp_is_even():
    lamps = [Lamp.draw(scope, np.random.default_rng(0)) for scope in (without("illumination"), SCOPE)]
    grid = Grid.centred(0.0, 0.0, 10 * UM, (5, 9))
    np.testing.assert_array_equal(lamps[0].on(grid), 1.0)
    assert lamps[1].on(grid).std() > 0


def test_without_motion_blur_the_exposure_does_not_matter():
    fast = (0.1, 0.0)
    long = replace(SCOPE, exposure=2e-5)  # 2 µm of the way
    still = crop_of(replace(long, without=("motion-blur",)), fast)
    np.testing.assert_array_equal(still, crop_of(replace(long, exposure=0.0), fast))
    blurred = crop_of(long, fast)
    assert np.abs(np.diff(blurred, axis=1)).sum() < 0.7 * np.abs(np.diff(still, axis=1)).sum()
    assert blurred.sum() == pytest.approx(still.sum(), abs=0.02 * np.abs(still).sum())


def test_without_shot_noise_without_read_noise_and_without_both():
    def noise(scope: Microscope, level: float) -> float:
        deep = replace(scope, bit_depth=16, full_well=1000.0)
        picture = camera(np.full((200, 200), level), deep, np.random.default_rng(0))
        return float(picture.std()) * 1000 / 65535

    electrons = SCOPE.background * 1000
    assert noise(without("shot-noise"), 1.0) == pytest.approx(SCOPE.read_noise, rel=0.02)
    assert noise(without("shot-noise"), 0.25) == pytest.approx(SCOPE.read_noise, rel=0.02)
    assert noise(without("read-noise"), 1.0) == pytest.approx(np.sqrt(electrons), rel=0.02)
    assert noise(without("read-noise"), 0.25) == pytest.approx(np.sqrt(electrons / 4), rel=0.02)
    assert noise(without("shot-noise", "read-noise"), 1.0) == 0


@pytest.mark.parametrize("effect", EFFECTS)
def test_what_is_left_out_changes_nothing_else_that_is_drawn(effect):
    one, all_ = draw_scene(TRACE, without(effect), 3), draw_scene(TRACE, SCOPE, 3)
    assert one.body.cytoplasm == all_.body.cytoplasm
    assert one.body.nucleus_centre == all_.body.nucleus_centre
    assert effect == "texture" or one.body.granules.tobytes() == all_.body.granules.tobytes()
    assert effect == "defocus" or one.defocus == all_.defocus
    assert effect == "illumination" or one.lamp == all_.lamp


def test_bits_blur_flare_and_grain_of_the_camera():
    step = np.where(np.arange(64) < 32, 0.2, 1.0) * np.ones((64, 1))
    clean = without("shot-noise", "read-noise")
    eight, twelve = (camera(step, replace(clean, bit_depth=b), np.random.default_rng(0)) for b in (8, 12))
    assert (eight.dtype, twelve.dtype) == (np.uint8, np.uint16)
    np.testing.assert_allclose(twelve / 65535, eight / 255, atol=0.003)
    assert (twelve % 16 == 0).all()
    veiled = camera(step, replace(clean, flare=0.5), np.random.default_rng(0))
    assert np.ptp(veiled.astype(float)) == pytest.approx(np.ptp(eight.astype(float)) / 2, abs=1)
    even = np.ones((150, 150))
    for blur in (0.0, 0.6):
        grain = camera(even, replace(SCOPE, bit_depth=16, noise_blur=blur), np.random.default_rng(0)) / 65535.0
        assert grain.std() == pytest.approx(camera(even, SCOPE, np.random.default_rng(0)).std() / 255, rel=0.03)
        neighbours = np.corrcoef(grain[:, 1:].ravel(), grain[:, :-1].ravel())[0, 1]
        weight = np.exp(-0.5 * (np.arange(-2, 3) / max(blur, 0.01)) ** 2)
        assert neighbours == pytest.approx((weight[1:] * weight[:-1]).sum() / (weight**2).sum(), abs=0.03)
    edge = np.where(np.arange(128) < 64, 1.0, np.exp(2.0j)) * np.ones((96, 1))
    sharp, soft = (bright_field(edge, SCOPE.pixel_size, replace(SCOPE, blur=b), 0.0) for b in (0.0, 0.5 * UM))
    assert np.ptp(soft) < 0.7 * np.ptp(sharp)
    assert soft.mean() == pytest.approx(sharp.mean(), rel=1e-4)


def test_walls_shade_oblique_light_and_stand_as_deep_as_the_channel():
    grid = Grid.centred(15 * UM, 0.0, SCOPE.pixel_size, (240, 64))
    shades = [
        empty_channel(ChannelConfig(depth=depth), replace(SCOPE, wall_shade=0.8), grid)[1][:, 32]
        for depth in (8 * UM, 20 * UM)
    ]
    shallow, deep = ((1 - shade > 0.02).sum() for shade in shades)
    assert deep > 1.5 * shallow
    upper, lower = shades[1][:120].min(), shades[1][120:].min()
    assert upper < lower  # the light comes from below
    turned = empty_channel(CHANNEL, replace(SCOPE, wall_shade=0.8, condenser_y=-SCOPE.condenser_y), grid)[1][:, 32]
    np.testing.assert_allclose(turned, shades[1][::-1], atol=1e-3)


def test_file_and_preset_give_the_same_microscope(tmp_path):
    path = tmp_path / "mine.toml"
    scope = replace(MICROSCOPES["rtdc"], without=("walls", "aperture"), blur=1.23e-7)
    path.write_text(to_toml(scope, "fitted\non a Monday"), encoding="utf-8")
    assert read_microscope(str(path)) == scope
    assert read_microscope(str(path), {"blur": 0.0, "defocus": None}) == replace(scope, blur=0.0)
    assert read_microscope("rtdc") == MICROSCOPES["rtdc"]
    path.write_text("objective_na = 0.6\n")
    assert read_microscope(str(path)) == replace(Microscope(), objective_na=0.6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("objectiv_na = 0.5", "unknown key; did you mean 'objective_na'?"),
        ("blur = -1", "blur = -1 m: input should be greater than or equal to 0"),
        ("condenser_na = 0.6", "the field would be dark"),
        ("objective_na = 1.4", "must stay below medium_index"),
        ("blur = ", "not valid TOML"),
        ('without = ["walls", "floor"]', "without = 'floor'"),
    ],
)
def test_wrong_files_are_refused(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        read_microscope(str(path))
    with pytest.raises(InputError, match="did you mean 'te2000'"):
        read_microscope("te200")


def test_every_value_states_its_meaning_and_unit():
    for kind in (Microscope, CellOptics):
        for field in fields(kind):
            assert describe(kind, field.name).endswith((").", "Effects left out.")), field.name


def test_stiffened_cells_differ_from_untreated_ones_in_no_optical_value():
    assert OPTICS["hct116_stiffened"] == OPTICS["hct116"]
    assert optics_of("hct116_stiffened", {"nucleus": 1.37}) == optics_of("hct116", {"nucleus": 1.37})
    with pytest.raises(InputError, match="cytoplasm = 3"):
        optics_of("wbc", {"cytoplasm": 3})


def test_command_takes_values_and_writes_the_truth(tmp_path, command):
    run = write_run(tmp_path, make_trace(make_config()))
    scope = tmp_path / "scope.toml"
    scope.write_text(to_toml(replace(Microscope(), unevenness=0.0)))
    out = tmp_path / "picture.png"
    left_out = ("shot-noise", "read-noise", "walls")
    words = ("--without", *left_out, "--bit-depth", 12, "--cell.cytoplasm", 1.38)
    done = command("bridge.render", run, "--out", out, "--microscope", scope, "--moment", "first", *words, "--json")
    assert done.returncode == 0, done.stderr
    assert "sphere" in json.loads(done.stdout)["depth"]
    assert "2-D" in done.stderr
    pixels = np.asarray(Image.open(out))
    assert pixels.dtype == np.uint16
    corner = pixels[:40, :40]
    assert (corner == corner[0, 0]).all()
    with h5py.File(tmp_path / "picture.h5") as file:
        outline = file["outlines/points"][()]
        assert file["outlines/start"][()].tolist() == [0, len(outline)]
        mask = file["masks"][0] > 0
        truth = {name: values[0] for name, values in file["truth"].items()}
        assert (file.attrs["ks"], file.attrs["kb"], file.attrs["run"]) == (1e-3, 1e-16, run.name)
        used = json.loads(file.attrs["microscope"])
        assert json.loads(file.attrs["cell_optics"])["cytoplasm"] == 1.38
        x0, pixel_size = file.attrs["x0"], file.attrs["pixel_size"]
    assert used == json.loads(json.dumps(asdict(read_microscope(str(scope), {"bit_depth": 12, "without": left_out}))))
    assert outline[:, 0].mean() == pytest.approx(truth["x"], abs=0.05 * UM)
    assert x0 + (np.argwhere(mask)[:, 1].mean() + 0.5) * pixel_size == pytest.approx(truth["x"], abs=0.05 * UM)
    assert truth["major_axis"] == pytest.approx(11 * UM, rel=0.01)
    assert truth["vx"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--condenser-na", "-0.1"), "condenser_na = -0.1: input should be greater"),
        (("--without", "fog"), "fog"),
        (("--microscope", "none.toml"), "none.toml: no such file"),
        (("--cell.granule-density", "-1"), "granule_density = -1.0 1/m³"),
        (("--video", "a.mp4", "--bit-depth", "12"), "holds 8 bits, not 12; choose a .tif"),
    ],
)
def test_command_refuses(tmp_path, command, words, message, monkeypatch):
    run = write_run(tmp_path / "runs", make_trace(make_config()))
    monkeypatch.chdir(tmp_path)
    done = command("bridge.render", run, "--out", "b.png", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
