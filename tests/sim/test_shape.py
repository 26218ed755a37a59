"""Cells that are no spheres: their shape at rest, from a file or not, how they lie at the start; what is refused."""

import re
import tomllib

import numpy as np
import pytest
import trimesh

from sim import mesh, run
from sim.command import InputError
from sim.config import ConfigError, SimulationConfig, load_config, parse_config
from sim.preflight import preflight
from sim.shape import bodies, node_count, rest_mesh
from sim.simulation import at_rest, build, simulate


def shaped(config, dimension=3, **cell):
    values = config.model_dump(exclude_none=True)
    if dimension == 2:
        values["cell"] |= cell
        return SimulationConfig.model_validate(values)
    values["numerics"] |= {"dimension": dimension, "dx": 0.52e-6, "wall_range": 0.52e-6, "threads": 1}
    values["channel"] |= {"depth": 10.4e-6, "inlet_length": 12e-6}
    values["cell"] |= {"ka_local": 2e-3, "start_x": -11e-6} | cell
    return SimulationConfig.model_validate(values)


def spans(config):
    return np.ptp(bodies(config)[0][0].nodes, axis=0)


def write_surface(path, stretch=(1.0, 0.7, 0.7), level=3):
    """Write an ellipsoid of 7 µm, off the origin and with its faces inside out, in µm."""
    ball = mesh.icosphere(level, 7.0)
    trimesh.Trimesh(ball.nodes * stretch + [3.0, -2.0, 5.0], ball.faces[:, ::-1], process=False).export(path)
    return str(path)


def test_an_ellipsoid_lies_as_it_is_told(small):
    ellipsoid = {"rest_shape": "ellipsoid", "axes": [1.0, 0.7, 0.5]}
    along, across, deep = 7e-6 * np.array([1.0, 0.7, 0.5])
    assert spans(shaped(small, **ellipsoid, orientation=[0, 0, 0])) == pytest.approx([along, across, deep], rel=5e-3)
    assert spans(shaped(small, **ellipsoid, orientation=[0, 0, 90])) == pytest.approx([across, along, deep], rel=5e-3)
    # About x first, then about y: what was along y lies along x in the end.
    assert spans(shaped(small, **ellipsoid, orientation=[90, 90, 0])) == pytest.approx([across, deep, along], rel=5e-3)


def test_the_turn_is_right_handed(small):
    flat = mesh.Mesh(*rest_mesh(shaped(small, rest_shape="biconcave").cell, 0.52e-6))
    turned = bodies(shaped(small, rest_shape="biconcave", orientation=[90, 0, 0]))[0][0].nodes
    assert turned == pytest.approx(flat.nodes[:, [0, 2, 1]] * [1, -1, 1], abs=1e-18)


def test_else_the_seed_turns_it(small):
    def nodes(seed, **cell):
        values = shaped(small, rest_shape="biconcave", **cell).model_dump(exclude_none=True)
        return bodies(SimulationConfig.model_validate(values | {"seed": seed}))[0][0].nodes

    assert np.array_equal(nodes(1), nodes(1))
    assert abs(nodes(1) - nodes(2)).max() > 1e-6
    assert np.array_equal(nodes(1, orientation=[0, 0, 0]), nodes(2, orientation=[0, 0, 0]))


@pytest.mark.parametrize("cell", [
    {"rest_shape": "ellipsoid", "axes": [1.0, 0.7, 0.5]},
    {"rest_shape": "biconcave"},
])  # fmt: skip
def test_a_shape_at_rest_feels_nothing_and_is_meshed_like_a_sphere(small, cell):
    config = shaped(small, **cell)
    model = build(config)
    state = at_rest(model)
    scale = model.cells.membranes[0].law.ks
    assert abs(state.cell.force).max() < 1e-9 * scale
    edges = model.cells.membranes[0].law.length0
    assert 0.6 < edges.mean() < 1.5
    assert node_count(config.cell, config.numerics) == len(model.cells.start)


def test_an_ellipse_in_two_dimensions(small):
    ellipse = {"rest_shape": "ellipsoid", "axes": [1.0, 0.6, 1.0]}
    config = shaped(small, 2, **ellipse, orientation=[0, 0, 30])
    model = build(config)
    assert abs(at_rest(model).cell.force).max() < 1e-9 * model.cells.membranes[0].law.ks
    trace = simulate(config)
    assert trace.outcome.passed
    assert trace["area"][0] == pytest.approx(np.pi / 4 * 7e-6**2 * 0.6, rel=1e-9)
    assert trace["area"] == pytest.approx(trace["area"][0], rel=5e-3)
    assert trace["di_ellipse"][0] == pytest.approx(0.25, abs=0.01)
    assert spans(shaped(small, 2, **ellipse, orientation=[0, 0, 90])) == pytest.approx([4.2e-6, 7e-6], rel=5e-3)


def test_a_file_gives_the_shape(small, tmp_path):
    path = write_surface(tmp_path / "cell.stl")
    cell = {"mesh_file": path, "mesh_unit": "um", "orientation": [0, 0, 90]}
    config = preflight(shaped(small, **cell)).config
    body = bodies(config)[0][0]
    assert np.ptp(body.nodes, axis=0) == pytest.approx(7e-6 * np.array([0.7, 1.0, 0.7]), rel=5e-3)
    solid = mesh.Mesh(body.nodes, body.faces)
    assert mesh.volume(solid) == pytest.approx(np.pi / 6 * 0.49 * 7e-6**3, rel=1e-3)
    assert abs(mesh.centroid(solid)).max() < 1e-12
    assert len(config.cell.mesh_digest) == 64
    # Not where the file lies but what is in it makes the run.
    moved = write_surface(tmp_path / "elsewhere.stl")
    assert preflight(shaped(small, **cell | {"mesh_file": moved})).config.digest() == config.digest()
    other = write_surface(tmp_path / "other.stl", (1.0, 0.7, 0.6))
    assert preflight(shaped(small, **cell | {"mesh_file": other})).config.digest() != config.digest()
    write_surface(tmp_path / "cell.stl", (1.0, 0.8, 0.7))
    with pytest.raises(ConfigError, match=r"not the file of this configuration any more; remove cell\.mesh_digest"):
        preflight(config)


@pytest.mark.slow
def test_a_cell_from_a_file_passes(small, tmp_path):
    path = write_surface(tmp_path / "cell.ply")
    trace = simulate(shaped(small, mesh_file=path, mesh_unit="um", orientation=[0, 0, 0]))
    assert trace.outcome.passed
    assert trace["volume"] == pytest.approx(trace["volume"][0], rel=5e-3)
    assert trace["di"][-1] == pytest.approx(trace["di"][0], abs=0.05)


def refusal(config, **change):
    """Return why a mesh is refused."""
    with pytest.raises(InputError) as caught:
        preflight(shaped(config, **{"mesh_unit": "um"} | change))
    return str(caught.value)


def test_files_that_are_refused(small, tmp_path):
    path = write_surface(tmp_path / "cell.stl")
    assert "states no unit: set cell.mesh_unit" in refusal(small, mesh_file=path, mesh_unit=None)
    too_large = refusal(small, mesh_file=path, diameter=8e-6)
    assert re.search(r"is 7.02e-06 m across .* set cell\.diameter to 7.02e-06", too_large)
    assert "is 0.00702 m across" in refusal(small, mesh_file=path, mesh_unit="mm")
    assert "cannot be read" in refusal(small, mesh_file=str(tmp_path / "none.stl"))
    coarse = write_surface(tmp_path / "coarse.stl", level=1)
    edges = r"the longest 4\.\d+; they must be .* edges of about 5\.2e-07 m"
    assert re.search(edges, refusal(small, mesh_file=coarse, diameter=7.323e-6))
    solid = trimesh.load(path)
    solid.update_faces(np.arange(len(solid.faces)) > 1)
    solid.export(tmp_path / "open.stl")
    assert "is open: 4 edges have one face; fill" in refusal(small, mesh_file=str(tmp_path / "open.stl"))
    ball = mesh.icosphere(3, 7.0)
    i, j, k = ball.faces[7]
    ball.nodes[i] += 1.5 * (0.5 * (ball.nodes[j] + ball.nodes[k]) - ball.nodes[i])
    trimesh.Trimesh(*ball, process=False).export(tmp_path / "folded.ply")
    folded = refusal(small, mesh_file=str(tmp_path / "folded.ply"))
    assert re.search("triangles are folded over, triangle .* smooth", folded)


def test_shapes_that_are_refused(small):
    ellipsoid = {"rest_shape": "ellipsoid", "axes": [1.0, 0.5, 0.5]}
    with pytest.raises(ConfigError, match='rest_shape = "biconcave" is a surface in three dimensions'):
        preflight(shaped(small, 2, rest_shape="biconcave"))
    with pytest.raises(ConfigError, match=r"out of the plane .* set it to 0,0,30"):
        preflight(shaped(small, 2, **ellipsoid, orientation=[10, 0, 30]))
    with pytest.raises(ConfigError, match=r"m of a wall .* or turn it \(cell\.orientation\)"):
        preflight(shaped(small, **ellipsoid, diameter=10.2e-6, orientation=[0, 0, 90]))
    nucleus = {"diameter": 4.5e-6, "ks": 1e-2, "kb": 5e-17}
    with pytest.raises(ConfigError, match=r"cell\.nucleus\.diameter = 4\.5e-06 m must lie between .* 1\.\d+e-06 m"):
        preflight(shaped(small, **ellipsoid, nucleus=nucleus))
    for wrong, match in [
        ({"axes": [1.0, 0.5, 0.5]}, "an ellipsoid, and nothing else, needs axes"),
        ({"rest_shape": "ellipsoid"}, "needs axes"),
        ({"rest_shape": "ellipsoid", "axes": [8e-6, 4e-6, 4e-6]}, "the largest is 1; divide them by 8e-06"),
        ({"rest_shape": "biconcave", "mesh_file": "x.stl"}, "give one of mesh_file"),
        ({"orientation": [0.0, 1.0]}, "three numbers are expected"),
        ({"rest_shape": "ellipsoid", "axes": "1,0.5"}, "three numbers are expected"),
        ({"rest_shape": "ellipsoid", "axes": [1.0, -0.5, 0.5]}, "greater than 0"),
        ({"orientation": [True, 0, 0]}, "true and false are no numbers"),
    ]:  # fmt: skip
        values = small.model_dump(exclude_none=True)
        with pytest.raises(ConfigError, match=match):
            parse_config(values | {"cell": values["cell"] | wrong}, "test")


def test_toml_and_command_line(small):
    config = shaped(small, rest_shape="ellipsoid", axes=[1.0, 0.5, 0.25], orientation=[0, 45, 0])
    assert parse_config(tomllib.loads(config.to_toml()), "round trip") == config
    given = ["--cell.rest_shape", "ellipsoid", "--cell.axes", "1,0.8,0.8", "--cell.orientation", "0,0,-30"]
    _, config = run.parse(["hct116", *given, "--quality", "draft"])
    assert config.cell.axes == (1.0, 0.8, 0.8)
    assert config.cell.orientation == (0.0, 0.0, -30.0)
    assert load_config("hct116").cell.orientation is None
