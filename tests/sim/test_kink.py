"""What interpolation misses of the velocity of a membrane that pulls at the flow along itself."""

import naive
import numpy as np
import pytest

from sim import mesh
from sim.cases.flow import Flow, viscosity
from sim.fluid import set_pieces, step
from sim.kernels import ibm, membrane, shell
from sim.lattice import D2Q9

LENGTH, HEIGHT, PULL = 4, 16, 1e-6
OFFSETS = np.linspace(4, 5, 4, endpoint=False)


def sheet(kernel, height, tau, magic):
    """Return interpolated velocity and exact one of a sheet at `height` that is pulled along a channel, in f dx/μ."""
    flow = Flow(D2Q9, np.ones((LENGTH, HEIGHT), dtype=bool), (True, False), tau, magic=magic)
    grid = flow.model.grid
    x = np.column_stack([np.arange(1.0, LENGTH + 1.0), np.full(LENGTH, height + 0.5)])
    base, weight = np.zeros(LENGTH, dtype=np.int64), np.zeros((LENGTH, 2, 4))
    # all nodes of the sheet are alike: one of them is spread to a whole row, and that is read by one
    ibm.weights(kernel, x, grid.shape, base, weight)
    flow.fluid.touched[:] = True
    set_pieces(flow.model, flow.fluid)
    rows = np.floor(x[0, 1]).astype(int) - 1 + np.arange(4)
    field, speed = grid.box(flow.fluid.force[0]), grid.box(flow.fluid.velocity[0])
    for _ in range(round(1.2 * HEIGHT**2 / viscosity(tau))):
        for row, share in zip(rows, weight[0, 1], strict=True):
            field[:, row - 1] = PULL * share
        step(flow.model, flow.fluid)
    read = sum(share * speed[0, row - 1] for row, share in zip(rows, weight[0, 1], strict=True))
    return read * viscosity(tau) / PULL, height * (HEIGHT - height) / HEIGHT


@pytest.mark.parametrize(
    ("kernel", "tau", "magic"), [(2, 1.0, 3 / 16), (3, 1.0, 1 / 12), (4, 0.8, 3 / 16), (4, 1.0, None)]
)
def test_a_sheet_along_a_wall_moves_as_the_film_lets_it(kernel, tau, magic):
    read, exact = np.array([sheet(kernel, height, tau, magic) for height in OFFSETS]).T
    missed = ibm.missed_velocity(kernel, (tau - 0.5) ** 2 if magic is None else magic)
    # averaged over the place between lattice nodes, on which the narrow kernels depend
    assert (exact - read).mean() == pytest.approx(missed, abs=0.01)


def test_the_constants_are_those_of_the_kernels():
    i = np.arange(-3, 5)
    for kernel in (2, 3, 4):
        shares = np.array([[ibm.phi(kernel, place - k) for k in i] for place in np.linspace(0, 1, 200, endpoint=False)])
        kinks = 0.5 * np.einsum("pi,pj,ij->p", shares, shares, abs(i[:, None] - i))
        assert kinks.mean() == pytest.approx(ibm.KINK[kernel], abs=5e-4)
        assert (shares**2).sum(axis=1).mean() == pytest.approx(ibm.SQUARE[kernel], abs=5e-4)


def test_ring_agrees_with_the_twin():
    rng = np.random.default_rng(5)
    x = mesh.ring(14.0, 1.0, 0.2) + rng.normal(0, 0.15, (44, 2))
    force, kink = rng.normal(size=(2, *x.shape))
    expected = kink + 0.1 * (naive.ring_kink(x, force, 2.0) - kink)
    membrane.kink_velocity(x, force, 2.0, 0.1, 0.1, kink)
    assert kink == pytest.approx(expected)


def test_shell_agrees_with_the_twin():
    rng = np.random.default_rng(6)
    shape = mesh.icosphere(2, 8.0, rng)
    x = shape.nodes + rng.normal(0, 0.1, shape.nodes.shape)
    force, kink = rng.normal(size=(2, *x.shape))
    expected = kink + 0.1 * (naive.shell_kink(x, shape.faces, force, 2.0) - kink)
    normal = np.zeros((len(shape.faces), 4))
    shell.face_geometry(x, shape.faces, normal)
    shell.kink_velocity(shape.faces, normal, force, 2.0, 1e-3, 0.1, np.zeros((len(x), 4)), kink)
    assert kink == pytest.approx(expected)


def test_forces_across_the_membrane_leave_no_kink():
    ring = mesh.ring(14.0, 1.0, 0.2)
    kink = np.zeros_like(ring)
    membrane.kink_velocity(ring, ring.copy(), 2.0, 0.1, 1.0, kink)
    assert abs(kink).max() < 1e-12


def test_a_node_in_a_fold_is_left_alone():
    ring = mesh.ring(14.0, 1.0, 0.2)
    ring[1] = ring[3]  # the neighbours of node 2 coincide
    force, kink = np.ones_like(ring), np.zeros_like(ring)
    membrane.kink_velocity(ring, force, 2.0, 1.0, 1.0, kink)
    assert (kink[2] == 0).all()
    assert np.linalg.norm(kink, axis=1).max() <= 2.0 * np.sqrt(2)
