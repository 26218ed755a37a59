"""Channels drawn by the user are the same channels; what cannot be one is refused with a remedy."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from sim.channel import make_channel
from sim.config import ChannelConfig, ConfigError, load_config
from sim.describe import describe
from sim.outline import outline, wall_distance, walls
from sim.preflight import preflight, require
from sim.simulation import simulate
from sim.trace import Outcome

UM = 1e-6
DX = 0.65 * UM


def ring(config):
    """Return the closed outline (points, 2) of a parametric channel in m."""
    upper = outline(config)
    return np.vstack([upper, (upper * [1, -1])[::-1]])


def draw_table(path, config):
    np.savetxt(path, ring(config) / UM, delimiter=",", header="x,y", comments="")
    return {"kind": "polygon", "file": str(path), "unit": "um"}


def draw_dxf(path, config):
    ezdxf = pytest.importorskip("ezdxf")
    drawing = ezdxf.new()
    drawing.units = ezdxf.units.MM
    drawing.modelspace().add_lwpolyline(ring(config) * 1e3, close=True)
    drawing.saveas(path)
    return {"kind": "polygon", "file": str(path)}


def draw_stl(path, config):
    """Write the channel's solid: strips between the walls for floor and ceiling, strips along the outline."""
    points = ring(config) / UM
    n, half = len(points), len(points) // 2
    vertices = np.vstack([np.column_stack([points, np.full(n, z)]) for z in (-10.0, 10.0)])
    faces = []
    for k in range(half - 1):
        a, b, c, d = k, k + 1, n - 2 - k, n - 1 - k
        faces += [[a, c, b], [a, d, c], [a + n, b + n, c + n], [a + n, c + n, d + n]]
    for k in range(n):
        a, b = k, (k + 1) % n
        faces += [[a, b, b + n], [a, b + n, a + n]]
    solid = trimesh.Trimesh(vertices, faces)
    assert solid.is_watertight
    solid.export(path)
    return {"kind": "stl", "file": str(path), "unit": "um"}


def draw_mask(path, config):
    pixel = 0.1 * UM
    x = config.x_start + pixel * (np.arange(round(config.length / pixel)) + 0.5)
    y = pixel * (np.arange(280) - 139.5)
    half = np.interp(x, *outline(config).T)
    Image.fromarray(np.where(abs(y[:, None]) < half, 255, 0).astype(np.uint8)).save(path)
    return {"kind": "mask", "file": str(path), "pixel_size": pixel}


DRAWINGS = {"table.csv": draw_table, "drawing.dxf": draw_dxf, "solid.stl": draw_stl, "mask.png": draw_mask}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawn_channel_is_the_parametric_one(name, tmp_path):
    config = ChannelConfig()
    drawn = config.model_copy(update=DRAWINGS[name](tmp_path / name, config))
    one, other = make_channel(config, DX), make_channel(drawn, DX)
    difference = np.count_nonzero(one.grid.fluid != other.grid.fluid) / np.count_nonzero(one.grid.fluid)
    assert difference < (0.01 if name == "mask.png" else 1e-6)
    close = abs(one.distance) < 4
    assert abs(one.distance - other.distance)[close].max() < (0.35 if name == "mask.png" else 1e-4)


def test_a_shifted_drawing_is_another_channel(tmp_path):
    config = ChannelConfig()
    shifted = config.model_copy(update={"width": 20.9 * UM})
    drawn = config.model_copy(update=draw_table(tmp_path / "table.csv", shifted))
    one, other = make_channel(config, DX), make_channel(drawn, DX)
    assert np.count_nonzero(one.grid.fluid != other.grid.fluid) > 50


def test_a_solid_in_three_dimensions_is_the_extruded_outline(tmp_path):
    config = ChannelConfig()
    drawn = config.model_copy(update=draw_stl(tmp_path / "solid.stl", config))
    one, other = make_channel(config, DX, 3), make_channel(drawn, DX, 3)
    assert (one.grid.fluid == other.grid.fluid).all()
    close = (abs(one.distance) < 2) & one.grid.fluid
    assert abs(one.distance - other.distance)[close].max() < 1e-4
    with pytest.raises(ConfigError, match=r"20 µm deep.*channel\.depth"):
        make_channel(drawn.model_copy(update={"depth": 12 * UM}), DX, 3)


def test_several_constrictions_in_a_row():
    config = ChannelConfig(count=3, spacing=10 * UM)
    channel = make_channel(config, DX)
    narrow = [len(channel.section(k * config.period + 15 * UM)) for k in range(3)]
    wide = [len(channel.section(k * config.period + 52 * UM)) for k in range(3)]
    assert narrow == [8, 8, 8]
    assert min(wide) >= 34
    assert config.x_end == pytest.approx(3 * config.period - 10 * UM - 16.7 * UM + 50 * UM)


def test_a_tube_in_three_dimensions():
    config = ChannelConfig(kind="cylinder", gap=13 * UM, constriction_length=5 * UM, outlet_length=1 * UM)
    channel = make_channel(config, DX, 3)
    area = len(channel.section(2 * UM)) * DX**2
    assert area == pytest.approx(np.pi * (6.5 * UM) ** 2, rel=0.02)


def run(tmp_path, name="table.csv", **channel):
    config = load_config("hct116", "draft")
    values = DRAWINGS[name](tmp_path / name, config.channel) | channel
    return config.model_copy(update={"channel": config.channel.model_copy(update=values)})


def test_a_drawn_channel_passes_the_preflight_check_with_its_numbers(tmp_path):
    flight = preflight(run(tmp_path))
    require(flight)
    assert flight.config.channel.file_digest
    assert "channel (polygon, 2-D)" in describe(flight)
    assert flight.gap_velocity == pytest.approx(preflight(load_config("hct116", "draft")).gap_velocity, rel=1e-6)
    assert preflight(run(tmp_path)).config.digest() == flight.config.digest()


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ({"unit": None}, ["states no unit", "channel.unit"]),
        ({"unit": "mm"}, ["reaches from x", "channel.unit"]),
        ({"inlet_length": 30 * UM}, ["reaches from x", "inlet_length"]),
        ({"gap": 7.8 * UM}, ["smallest height of the outline", "channel.gap"]),
        ({"file": "missing.csv"}, ["missing.csv", "cannot be read"]),
        ({"file_digest": "0" * 64}, ["not the file of this configuration"]),
    ],
)
def test_a_drawing_that_does_not_fit_is_refused(tmp_path, channel, words):
    with pytest.raises(ConfigError) as error:
        preflight(run(tmp_path, **channel))
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("bad.csv", b"x,y\n1,2\n3\n", ["bad.csv", "two columns"]),
        ("bad.csv", b"", ["bad.csv", "at least 4 points"]),
        ("bad.csv", b"1,2\n3,nan\n5,6\n7,8\n", ["bad.csv", "at least 4 points"]),
        ("bad.dxf", b"not a drawing", ["bad.dxf", "DXF"]),
        ("bad.stl", b"solid nothing\nendsolid", ["bad.stl"]),
        ("bad.stl", b"\x00\x01garbage", ["bad.stl"]),
        ("bad.png", b"\x89PNG garbage", ["bad.png", "not a readable image"]),
    ],
)
def test_a_broken_drawing_is_named(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    kind = {"csv": "polygon", "dxf": "polygon", "stl": "stl", "png": "mask"}[name[-3:]]
    config = ChannelConfig(kind=kind, file=str(path), unit="um", pixel_size=UM)  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as error:
        wall_distance(config, np.zeros(1), np.zeros(1))
    assert all(word in str(error.value) for word in words), str(error.value)


def test_an_open_solid_is_refused(tmp_path):
    config = ChannelConfig()
    values = draw_stl(tmp_path / "solid.stl", config)
    solid = trimesh.load(tmp_path / "solid.stl", force="mesh")
    trimesh.Trimesh(solid.vertices, solid.faces[:-1]).export(tmp_path / "solid.stl")
    with pytest.raises(ConfigError, match="not watertight"):
        walls(config.model_copy(update=values))


def test_a_ring_in_shear_tilts_and_lengthens():
    overrides = {
        "fluid.shear_rate": "2e4", "channel.kind": "couette", "channel.gap": "31.2e-6", "channel.entry_taper": "0",
        "channel.exit_taper": "0", "channel.inlet_length": "15e-6", "channel.constriction_length": "1e-6",
        "channel.outlet_length": "15e-6", "cell.diameter": "8e-6", "cell.start_x": "0", "cell.ks": "2e-3",
        "numerics.max_time": "2e-4",
    }  # fmt: skip
    trace = simulate(load_config("hct116", "draft", overrides))
    assert trace.outcome is Outcome.SHEARED
    assert trace["time"][-1] == pytest.approx(2e-4, rel=0.02)
    # ½ (major - minor)/(major + minor) of the spectral boundary-integral value is 0.357 at G = μγa/Ks = 0.04.
    index = (trace["major_axis"] - trace["minor_axis"]) / (trace["major_axis"] + trace["minor_axis"])
    assert 0.25 < index[-1] < 0.45
    assert abs(trace["x"][-1]) < 0.5 * UM
    centred = trace.snapshots[-1] - trace.snapshots[-1].mean(axis=0)
    assert (centred[:, 0] * centred[:, 1]).sum() > 0  # leans with the shear
