"""Parts of the cases in shear flow: the ellipsoid of equal inertia, the flow a run begins in, and a broken ring."""

import dataclasses

import numpy as np
import pytest

from sim import mesh
from sim.cases import shear
from sim.fluid import moments, step


def turned(x, angle):
    c, s = np.cos(angle), np.sin(angle)
    plane = np.eye(x.shape[1])
    plane[:2, :2] = [[c, -s], [s, c]]
    return x @ plane.T


def test_an_ellipse_is_its_own():
    phi = 2 * np.pi * np.arange(400) / 400
    x = np.stack([3 * np.cos(phi), np.sin(phi)], axis=1)
    edges = np.stack([np.arange(400), np.roll(np.arange(400), -1)], axis=1)
    assert shear.ellipsoid(turned(x, 0.5) + 7.0, edges) == pytest.approx((0.5, 0.5 / np.pi), abs=1e-6)


def test_an_ellipsoid_is_its_own():
    sphere = mesh.icosphere(4, 2.0)
    x = turned(sphere.nodes * [2.0, 1.0, 1.4], 0.3) + 6.0
    assert shear.ellipsoid(x, sphere.faces) == pytest.approx((1 / 3, 0.3 / np.pi), abs=1e-4)


@pytest.mark.parametrize("law", [None, "spring"])
def test_a_run_begins_in_the_steady_flow_and_keeps_it(law):
    run = shear.Shear(0.3, law, 5.0, 20 if law else 40, reynolds=0.05)
    model, state = shear.start(run)
    grid = model.fluid.grid
    for _ in range(2):
        _, velocity = moments(model.fluid, state.fluid)
        u = grid.box(velocity.T)[0]
        profile = run.rate * (np.arange(run.box) + 0.5 - run.box / 2)
        error = abs(u - profile.reshape((1, -1, 1)[: u.ndim])).max()
        assert error < 1e-3 * profile[-1]
        state.cell.force[:] = 0
        for axis in state.fluid.force:
            axis[:] = 0
        for _ in range(10):
            step(model.fluid, state.fluid)


def test_capillary_number_and_reynolds_number_are_those_asked_for():
    run = shear.Shear(0.3, "skalak", 8.0, 64)
    config = run.config()
    a, rate = config.cell.diameter / 2, config.fluid.shear_rate
    assert rate is not None
    assert config.fluid.viscosity * rate * a / (np.sqrt(3) / 4 * config.cell.ks) == pytest.approx(0.3)
    assert config.fluid.density * rate * a**2 / config.fluid.viscosity == pytest.approx(0.1)
    ring = dataclasses.replace(run, law=None).config()
    assert ring.fluid.viscosity * rate * a / ring.cell.ks == pytest.approx(0.3)
