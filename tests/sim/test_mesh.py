"""Meshes: volumes, winding, neighbours, and what is read from files."""

import meshio
import numpy as np
import pytest
import trimesh

from sim import mesh
from sim.command import InputError


def euler(topology, nodes):
    return len(nodes) - len(topology.edges) + len(topology.faces)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_icosphere_encloses_the_volume_of_its_sphere(level):
    sphere = mesh.icosphere(level, 14.2, np.random.default_rng(2))
    assert sphere.nodes.shape == (10 * 4**level + 2, 3)
    assert mesh.volume(sphere) == pytest.approx(np.pi / 6 * 14.2**3, rel=1e-12)
    assert np.ptp(np.linalg.norm(sphere.nodes, axis=1)) < 1e-12
    outward = np.einsum("fd,fd->f", mesh._normals(sphere), sphere.nodes[sphere.faces].sum(axis=1))
    assert (outward > 0).all()


def test_a_kept_sphere_is_the_one_made_and_a_damaged_file_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("MIMLAB_CACHE", str(tmp_path))
    made = mesh.icosphere(2, 2.0)
    (kept,) = tmp_path.rglob("icosphere-2-*.npz")
    whole = kept.read_bytes()
    for content in (whole, whole[: len(whole) // 2], whole.replace(b"faces.npy", b"facez.npy"), b""):
        kept.write_bytes(content)
        again = mesh.icosphere(2, 2.0)
        assert (again.nodes == made.nodes).all()
        assert (again.faces == made.faces).all()
        assert kept.read_bytes() == whole


def test_rotation_is_that_given_or_drawn():
    plain = mesh.icosphere(2, 2.0)
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert mesh.icosphere(2, 2.0, turn).nodes == pytest.approx(plain.nodes @ turn.T)
    first, again = (mesh.icosphere(2, 2.0, np.random.default_rng(5)).nodes for _ in range(2))
    assert (first == again).all()
    assert first @ first.T == pytest.approx(plain.nodes @ plain.nodes.T)
    assert abs(first - plain.nodes).max() > 0.1


@pytest.mark.parametrize("level", [2, 3, 4])
def test_level_is_chosen_by_the_edge(level):
    sphere = mesh.icosphere(level, 14.2)
    edges = mesh.topology(sphere.faces).edges
    length = np.linalg.norm(sphere.nodes[edges[:, 1]] - sphere.nodes[edges[:, 0]], axis=1).mean()
    for factor in (0.75, 1.0, 1.35):
        assert mesh.icosphere_level(14.2, factor * length) == level


def test_ellipsoid_and_biconcave_disc():
    ellipsoid = mesh.ellipsoid(3, (2.0, 3.0, 5.0))
    assert mesh.volume(ellipsoid) == pytest.approx(np.pi / 6 * 30, rel=1e-12)
    assert np.ptp(ellipsoid.nodes, axis=0) == pytest.approx([2.0, 3.0, 5.0], rel=0.02)
    disc = mesh.biconcave(4, 7.82)
    volume, area = mesh.volume(disc), mesh.area(disc)
    # Evans & Fung 1972: 94 µm³ and 135 µm² on average.
    assert volume == pytest.approx(94, rel=0.01)
    assert area == pytest.approx(135, rel=0.015)
    assert 6 * np.sqrt(np.pi) * volume / area**1.5 == pytest.approx(0.64, abs=0.01)
    rim = np.hypot(disc.nodes[:, 0], disc.nodes[:, 1])
    assert rim.max() == pytest.approx(7.82 / 2, rel=2e-3)
    assert 2 * abs(disc.nodes[rim < 0.2, 2]).max() == pytest.approx(0.81, rel=0.05)


def test_topology_of_a_closed_mesh():
    sphere = mesh.icosphere(2, 2.0)
    t = mesh.topology(sphere.faces)
    assert euler(t, sphere.nodes) == 2
    assert {a.dtype for a in t} == {np.dtype(np.int32)}
    for e, (i, j, k, m) in enumerate(t.hinges.tolist()):
        assert t.edges[e].tolist() == [i, j]
        first, second = (t.faces[f].tolist() for f in t.edge_faces[e])
        assert (i, j, k) in [(first[n], first[n - 2], first[n - 1]) for n in range(3)]
        assert (j, i, m) in [(second[n], second[n - 2], second[n - 1]) for n in range(3)]
    for f, face in enumerate(t.faces.tolist()):
        for n in range(3):
            assert set(t.edges[t.face_edges[f, n]].tolist()) == set(face) - {face[n]}


def test_topology_refuses_what_is_not_closed_or_consistent():
    faces = mesh.icosphere(1, 2.0).faces
    with pytest.raises(InputError, match="3 edges have one face"):
        mesh.topology(faces[1:])
    turned = faces.copy()
    turned[4] = turned[4, ::-1]
    with pytest.raises(InputError, match="3 edges have faces of opposite winding"):
        mesh.topology(turned)


def write(path, nodes, faces):
    if path.suffix in (".vtk", ".vtu"):
        meshio.write_points_cells(path, nodes, [("triangle", faces)])
    else:
        trimesh.Trimesh(nodes, faces, process=False).export(path)
    return path


@pytest.mark.parametrize("suffix", [".stl", ".obj", ".ply", ".vtk", ".vtu"])
def test_meshes_are_read_in_their_unit_and_wound_outwards(tmp_path, suffix):
    sphere = mesh.icosphere(2, 14.2, np.random.default_rng(1))
    faces = sphere.faces.copy()
    faces[::3] = faces[::3, ::-1]
    read = mesh.load_mesh(write(tmp_path / f"cell{suffix}", sphere.nodes, faces), "um")
    assert read.nodes.shape == (162, 3)
    assert mesh.volume(read) == pytest.approx(np.pi / 6 * 14.2e-6**3, rel=1e-6)
    assert euler(mesh.topology(read.faces), read.nodes) == 2


def test_solids_with_sharp_edges_are_read(tmp_path):
    box = trimesh.creation.box((1.0, 2.0, 3.0))
    assert mesh.volume(mesh.load_mesh(write(tmp_path / "box.stl", box.vertices, box.faces), "m")) == pytest.approx(6)


def fan(sphere):
    """Add a fin to an edge."""
    i, j = sphere.faces[0, :2]
    return np.vstack([sphere.nodes, 2 * sphere.nodes[i]]), np.vstack([sphere.faces, [i, j, len(sphere.nodes)]])


def pieces(sphere):
    count = len(sphere.nodes)
    return np.vstack([sphere.nodes, sphere.nodes + 20]), np.vstack([sphere.faces, sphere.faces + count])


def turned_over(sphere):
    nodes = sphere.nodes.copy()
    i, j, k = sphere.faces[7]
    nodes[i] += 1.5 * (0.5 * (nodes[j] + nodes[k]) - nodes[i])
    return nodes, sphere.faces


def pinched(sphere):
    nodes = sphere.nodes.copy()
    i, j, k = sphere.faces[7]
    nodes[i] = 0.5 * (nodes[j] + nodes[k])
    return nodes, sphere.faces


BROKEN = {
    "the surface is open: 3 edges have one face": lambda s: (s.nodes, s.faces[1:]),
    "the surface branches: 1 edges have more than two faces": fan,
    "the surface has 2 pieces": pieces,
    "triangles are folded over, triangle": turned_over,
    "1 triangles have no area": pinched,
    "not all finite": lambda s: (s.nodes * [1.0, np.nan, 1.0], s.faces),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_broken_meshes_are_refused_with_the_number(tmp_path, reason):
    path = write(tmp_path / "cell.vtu", *BROKEN[reason](mesh.icosphere(2, 14.2)))
    with pytest.raises(InputError, match=reason) as caught:
        mesh.load_mesh(path, "um")
    assert str(path) in str(caught.value)


def test_bad_files_are_refused(tmp_path):
    path = write(tmp_path / "cell.stl", *mesh.icosphere(1, 2.0))
    with pytest.raises(InputError, match="unit 'ft' is unknown; give one of m, mm, um"):
        mesh.load_mesh(path, "ft")
    with pytest.raises(InputError, match="No such file"):
        mesh.load_mesh(tmp_path / "missing.stl", "um")
    with pytest.raises(InputError, match="No such file"):
        mesh.load_mesh(tmp_path / "missing.vtu", "um")
    for name in ("noise.stl", "noise.obj", "noise.ply", "noise.vtk", "noise.vtu"):
        (tmp_path / name).write_bytes(b"this is no mesh\n" * 20)
        with pytest.raises(InputError, match=name):
            mesh.load_mesh(tmp_path / name, "um")
    (tmp_path / "cell.step").write_text("")
    with pytest.raises(InputError, match=r"read from \.stl, \.obj"):
        mesh.load_mesh(tmp_path / "cell.step", "um")
    meshio.write_points_cells(tmp_path / "line.vtk", np.eye(3), [("line", np.array([[0, 1]]))])
    with pytest.raises(InputError, match="0 triangles"):
        mesh.load_mesh(tmp_path / "line.vtk", "um")
