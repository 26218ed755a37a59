"""Membranes in three dimensions: exact gradients, no net force or torque, moduli, uniaxial stretch."""

import dataclasses

import naive
import naive_shell
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.spatial.transform import Rotation

from sim import mesh, shell
from sim.cases.reference import read_reference
from sim.command import InputError

TERMS = {
    "spring": {"ks": 0.7},
    "neo-hookean": {"ks": 0.7, "law": "neo-hookean"},
    "skalak": {"ks": 0.7, "law": "skalak", "skalak_c": 2.5},
    "bending": {"kb": 0.3},
    "local area": {"ka_local": 0.9},
    "global area": {"ka_global": 0.8},
    "volume": {"kv": 1.1},
    "multiplier": {"multiplier": 0.6},
    "all": {"ks": 0.7, "kb": 0.3, "ka_local": 0.9, "ka_global": 0.8, "kv": 1.1, "multiplier": -0.2, "law": "skalak"},
}


def deformed(seed, level=1):
    """Return a sphere at rest, and its nodes sheared and shaken."""
    rng = np.random.default_rng(seed)
    rest = mesh.icosphere(level, 2.0, rng)
    edge = 2.2 / 2**level
    x = rest.nodes @ (np.eye(3) + 0.2 * rng.standard_normal((3, 3))) + [3.0, -2.0, 5.0]
    return rest, x + 0.08 * edge * rng.standard_normal(x.shape)


def forces(nodes, faces, x, *, multiplier=0.0, velocity=None, **constants):
    s = shell.make_shell(nodes, faces, **{"ks": 0.0, "kb": 0.0} | constants)
    force = np.full_like(x, np.nan)
    shell.shell_forces(s, x, x if velocity is None else velocity, multiplier, force, shell.Workspace(s))
    return force


def energy(rest, x, *, law="spring", skalak_c=1.0, **constants):
    return naive_shell.shell_energy(x, rest.nodes, rest.faces, law=law, c=skalak_c, **constants)


def gradient_error(rest, x, constants, **other):
    """Return the largest difference of force and -dE/dx, E with some constants changed, over the largest force."""
    force = forces(*rest, x, **constants)
    exact = -naive.gradient(lambda y: energy(rest, y, **(constants | other)), x, 1e-5)
    return abs(force - exact).max() / abs(force).max()


@pytest.mark.parametrize("term", TERMS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_force_is_minus_the_gradient_of_the_energy(term, seed):
    assert gradient_error(*deformed(seed), TERMS[term]) < 1e-6


def test_gradient_check_sees_a_wrong_constant():
    assert gradient_error(*deformed(3), TERMS["all"], ks=0.77) > 1e-3


@pytest.mark.parametrize("term", [t for t in TERMS if t != "multiplier"])
def test_energies_are_those_of_the_twin(term):
    rest, x = deformed(4)
    s = shell.make_shell(*rest, **{"ks": 0.0, "kb": 0.0} | {k: v for k, v in TERMS[term].items() if k != "multiplier"})
    expected = energy(rest, x, **TERMS[term] | {"multiplier": 0.0})
    assert sum(shell.shell_energy(s, x)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("term", TERMS)
def test_no_net_force_and_no_net_torque(term):
    rest, x = deformed(5, level=3)
    x -= x.mean(axis=0)
    force = forces(*rest, x, **TERMS[term])
    scale = abs(force).max()
    assert abs(force.sum(axis=0)).max() < 1e-12 * scale
    assert abs(np.cross(x, force).sum(axis=0)).max() < 1e-12 * scale


@pytest.mark.parametrize("term", TERMS)
def test_forces_and_energy_move_with_the_membrane(term):
    rest, x = deformed(6)
    turn = Rotation.from_rotvec([0.4, -1.1, 0.7]).as_matrix()
    moved = x @ turn.T + [0.3, -0.2, 0.5]
    force = forces(*rest, x, **TERMS[term])
    assert abs(forces(*rest, moved, **TERMS[term]) - force @ turn.T).max() < 1e-12 * abs(force).max()
    s = shell.make_shell(*rest, **{"ks": 0.0, "kb": 0.0} | {k: v for k, v in TERMS[term].items() if k != "multiplier"})
    assert shell.shell_energy(s, moved) == pytest.approx(shell.shell_energy(s, x), rel=1e-12)


def test_a_membrane_at_rest_feels_nothing():
    rest = mesh.biconcave(3, 7.8)
    force = forces(*rest, rest.nodes, ks=1.0, kb=1.0, kv=1.0, ka_local=1.0, ka_global=1.0)
    assert abs(force).max() < 1e-12


@pytest.mark.parametrize("angle", [0.0, 1e-9, np.pi - 1e-9, np.pi, -np.pi + 1e-9, -3.0, 2.0])
def test_bending_is_finite_and_exact_at_every_angle(angle):
    # The last node of a tetrahedron-like hinge turns about an edge; the others stay.
    nodes = np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -3.0]])
    faces = np.array([[0, 1, 2], [1, 0, 3], [0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4]], dtype=np.int32)
    s = shell.make_shell(nodes, faces, ks=0.0, kb=1.0)
    x = nodes.copy()
    x[3] = [np.cos(angle), 0.0, -np.sin(angle)]
    work, force = shell.Workspace(s), np.empty_like(x)
    shell.shell_forces(s, x, x, 0.0, force, work)
    edge = [tuple(e) for e in np.sort(s.topology.edges, axis=1)].index((0, 1))
    assert abs(work.pull[edge, 1]) == pytest.approx(abs(np.sin(angle / 2)), abs=1e-8)
    if abs(angle) < 3.0:
        exact = -naive.gradient(lambda y: shell.shell_energy(s, y).bending, x, 1e-6)
        assert force == pytest.approx(exact, abs=1e-6)
    assert np.isfinite(force).all()


def test_dashpots_agree_with_the_twin_and_cost_energy():
    rest, x = deformed(8)
    velocity = np.random.default_rng(9).standard_normal(x.shape)
    force = forces(*rest, x, viscosity=0.3, velocity=velocity)
    assert force == pytest.approx(naive_shell.dashpots(x, velocity, rest.faces, 0.3), abs=1e-12)
    assert (force * velocity).sum() < 0
    assert abs(force.sum(axis=0)).max() < 1e-12
    assert abs(np.cross(x - 3, force).sum(axis=0)).max() < 1e-11
    rigid = np.cross([0.3, -0.2, 0.9], x) + np.array([1.0, 2.0, 3.0])
    assert abs(forces(*rest, x, viscosity=0.3, velocity=rigid)).max() < 1e-12


NODES, FACES = naive_shell.pillow(6)
SHEET = naive_shell.areas(NODES, FACES).sum()
KS = 0.8
GS = np.sqrt(3) / 4 * KS
LAWS = [
    {"law": "spring"},
    {"law": "neo-hookean"},
    {"law": "skalak", "skalak_c": 1.0},
    {"law": "skalak", "skalak_c": 10.0},
    {"law": "spring", "ka_local": 0.4, "ka_global": 0.2},
]


def work_of(virtual, x, **constants):
    """Return dE over the sheet's area for a virtual displacement (V, 3)."""
    return -(forces(NODES, FACES, x, **constants) * virtual).sum() / SHEET


def measured_shear_modulus(**constants):
    gamma = 1e-4
    shear = np.outer(NODES[:, 1], [1.0, 0.0, 0.0])
    return work_of(shear, NODES + gamma * shear, **constants) / gamma


def measured_area_modulus(**constants):
    # W = ½ K (2 ε)²; either side of zero, so that the next order drops out.
    values = [work_of(NODES, (1 + e) * NODES, **constants) / (4 * e) for e in (1e-4, -1e-4)]
    return np.mean(values)


@pytest.mark.parametrize("law", LAWS)
def test_moduli_of_a_flat_sheet(law):
    s = shell.make_shell(NODES, FACES, ks=KS, kb=0.0, **law)
    assert s.shear_modulus == pytest.approx(GS)
    assert measured_shear_modulus(ks=KS, **law) == pytest.approx(GS, rel=1e-3)
    assert measured_area_modulus(ks=KS, **law) == pytest.approx(s.area_modulus, rel=1e-3)


def test_area_moduli_are_those_of_the_laws():
    factors = [2.0, 3.0, 3.0, 21.0]
    for law, factor in zip(LAWS, factors, strict=False):
        assert measured_area_modulus(ks=KS, **law) == pytest.approx(factor * GS, rel=1e-3)


def test_the_modulus_test_sees_a_tenth_more_ks():
    assert measured_shear_modulus(ks=1.1 * KS) != pytest.approx(GS, rel=0.05)


def flat_at_rest(nodes, faces, kb):
    s = shell.make_shell(nodes, faces, ks=0.0, kb=kb)
    return dataclasses.replace(s, theta0=np.zeros_like(s.theta0))


def test_bending_rigidity_of_a_cylinder():
    # The caps of a long and a short tube cost the same.
    around, kb = 120, 0.6
    values = []
    for rows in (10, 30):
        nodes, faces, radius = naive_shell.tube(around, rows)
        s = flat_at_rest(nodes, faces, kb)
        values.append(shell.shell_energy(s, nodes).bending)
    sheet = 20 * np.sqrt(3) / 2 * around
    kappa = (values[1] - values[0]) / sheet * 2 * radius**2
    assert kappa == pytest.approx(s.bending_rigidity, rel=1e-3)
    assert s.bending_rigidity == pytest.approx(np.sqrt(3) / 2 * kb)


def uniaxial_tension(strain, **law):
    """Return tension over Gs at Green strain `strain`, the other direction free."""
    stretch = np.sqrt(1 + 2 * strain)

    def at(other):
        return NODES * [stretch, other, 1.0]

    across = NODES * [0.0, 1.0, 0.0]
    other = brentq(lambda w: work_of(across, at(w), ks=KS, **law), 0.4, 1.1, xtol=1e-12)
    return work_of(NODES * [1.0, 0.0, 0.0], at(other), ks=KS, **law) / other / GS


def closed_form(strain, law):
    """Return tension over Gs in uniaxial stretch, solved by hand."""
    square = 1 + 2 * strain
    if law == "neo-hookean":  # the other stretch is λ^-½
        return (square - square**-0.5) / square**0.25
    other = np.sqrt((1 + square) / (1 + square**2))  # C = 1
    area = np.sqrt(square) * other
    return (square * (square - 1) + area**2 * (area**2 - 1)) / area


@pytest.mark.parametrize("law", ["neo-hookean", "skalak"])
def test_uniaxial_stretch_against_closed_form_and_published_curve(law):
    table = read_reference("uniaxial_stretch").where(law=law)
    strain, published = table["green_strain"].astype(float), table["tension_over_gs"].astype(float)
    computed = np.array([uniaxial_tension(e, law=law) for e in strain[::4]])
    assert computed == pytest.approx(closed_form(strain[::4], law), rel=1e-6)
    # The plot's digits lie 3 % (neo-Hookean) and 1.8 % (Skalak) of the range above the law itself; with the
    # strain's axis stretched by one factor they agree within 1 %.
    factor = {"neo-hookean": 1.035, "skalak": 1.013}[law]
    error = closed_form(factor * strain, law) - published
    assert abs(error).max() < 0.01 * published.max()


def test_areal_strain_and_mean_tension_of_an_inflated_sphere():
    rest = mesh.icosphere(3, 2.0)
    for law in LAWS:
        s = shell.make_shell(*rest, ks=KS, kb=0.0, **law)
        x = 1.001 * rest.nodes
        assert shell.areal_strain(s, x) == pytest.approx(1.001**2 - 1, rel=1e-9)
        assert shell.mean_tension(s, x).mean() == pytest.approx(s.area_modulus * (1.001**2 - 1), rel=0.02)
        # Laplace: 2 T/R times the area is the radial force.
        force = forces(*rest, x, ks=KS, **law)
        inward = -(force * x).sum() / np.linalg.norm(x, axis=1).mean()
        tension = np.average(shell.mean_tension(s, x), weights=naive_shell.areas(x, rest.faces))
        assert inward == pytest.approx(2 * tension * mesh.area(mesh.Mesh(x, rest.faces)), rel=5e-3)


def test_a_preinflated_membrane_is_under_tension():
    start = mesh.icosphere(3, 2.1)
    s = shell.make_shell(*start, ks=KS, kb=0.1, inflation=1.05)
    assert shell.areal_strain(s, start.nodes) == pytest.approx(1.05**2 - 1)
    assert s.volume0 == pytest.approx(np.pi / 6 * 2.1**3)
    assert (shell.mean_tension(s, start.nodes) > 0).all()


def test_volume_and_area_are_returned():
    rest, x = deformed(10, level=2)
    s = shell.make_shell(*rest, ks=1.0, kb=0.0)
    volume, area = shell.shell_forces(s, x, x, 0.0, np.empty_like(x), shell.Workspace(s))
    assert volume == pytest.approx(naive_shell.volume(x, rest.faces), rel=1e-12)
    assert area == pytest.approx(naive_shell.areas(x, rest.faces).sum(), rel=1e-12)


def broken(change):
    rest = mesh.icosphere(3, 2.0)
    s, x = shell.make_shell(*rest, ks=1.0, kb=1.0), rest.nodes.copy()
    work = shell.Workspace(s)
    change(x, rest.faces)
    shell.shell_forces(s, x, x, 0.0, np.empty_like(x), work)
    return shell.broken_face(s, work)


def test_broken_faces_are_named():
    assert broken(lambda x, faces: None) is None
    assert broken(lambda x, faces: x.__imul__([1.7, 0.8, 0.8])) is None

    def tear(x, faces):
        x[faces[7]] *= [[3.0], [-3.0], [1.0]]

    def shrink(x, faces):
        x[faces[7]] = x[faces[7]].mean(axis=0) + 0.01 * (x[faces[7]] - x[faces[7]].mean(axis=0))

    def turn_over(x, faces):
        i, j, k = faces[7]
        x[i] += 1.5 * (0.5 * (x[j] + x[k]) - x[i])

    def lose(x, faces):
        x[faces[7, 0]] = np.nan

    assert "is torn" in broken(tear)
    assert "triangle 7 has collapsed" in broken(shrink)
    assert "is inverted" in broken(turn_over)
    assert "no finite area" in broken(lose)


def test_an_inward_mesh_is_refused():
    rest = mesh.icosphere(1, 2.0)
    with pytest.raises(InputError, match="wind inwards"):
        shell.make_shell(rest.nodes, rest.faces[:, ::-1], ks=1.0, kb=1.0)


def test_overdamped_motion_loses_energy_down_to_rest():
    rest = mesh.icosphere(2, 2.0)
    s = shell.make_shell(*rest, ks=1.0, kb=0.02, kv=1.0, ka_global=0.5)
    x, work, force = rest.nodes * [1.3, 0.9, 0.85], shell.Workspace(s), np.empty((162, 3))
    energies = []
    for k in range(2500):
        shell.shell_forces(s, x, x, 0.0, force, work)
        x += 0.1 * force
        if k % 10 == 0:
            energies.append(sum(shell.shell_energy(s, x)))
    assert (np.diff(energies) <= 1e-15).all()
    assert energies[-1] < 1e-9 * energies[0]
