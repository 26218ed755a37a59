"""Ways to break the physics under the reference cases, each as a test would meet it in a broken solver."""

import importlib

import numpy as np

from sim import coupling, shell
from sim.cases import flow
from sim.fluid import make_fluid_model, moments
from sim.grid import make_grid


def wrong_viscosity(monkeypatch, module, factor=1.05):
    """The relaxation time is off, so that ν is `factor` times what it should be."""

    def broken(lattice, grid, tau, *arguments, **options):
        return make_fluid_model(lattice, grid, 0.5 + factor * (tau - 0.5), *arguments, **options)

    monkeypatch.setattr(flow, "make_fluid_model", broken)


def missing_half_force(monkeypatch, module):
    """The velocity is Σ c f/ρ, without half the force of the step."""

    def broken(model, fluid, *index):
        density, velocity = moments(model, fluid, *index)
        return density, velocity - 0.5 * np.asarray(model.force) / density[:, None]

    monkeypatch.setattr(flow, "moments", broken)


def shifted_walls(monkeypatch, module):
    """Everything is taken to lie half a node further than half-way bounce-back puts it (just inside the far wall)."""
    target = importlib.import_module(f"sim.cases.{module}")
    monkeypatch.setattr(target, "centres", lambda nodes: np.arange(nodes) + 0.99)


def receding_walls(monkeypatch, module):
    """Every solid node next to the fluid inside the box is fluid."""

    def broken(inside, periodic):
        wider = inside.copy()
        for axis in range(inside.ndim):
            for side in (-1, 1):
                wider |= np.roll(inside, side, axis)
        return make_grid(wider, periodic)

    monkeypatch.setattr(flow, "make_grid", broken)


def careless_cuts(monkeypatch, module):
    """Interpolated walls take every cut link for cut at its far end."""
    target = importlib.import_module(f"sim.cases.{module}")
    right = target.cut
    monkeypatch.setattr(target, "cut", lambda *arguments: np.where(np.isfinite(right(*arguments)), 1.0, np.nan))


def slow_walls(monkeypatch, module):
    """Moving walls move at 0.95 of their speed."""
    right = flow.Walls

    def broken(velocity=None, fraction=None, outlet=None):
        return right(velocity and (lambda x: 0.95 * velocity(x)), fraction, outlet)

    monkeypatch.setattr(flow, "Walls", broken)


def stiff_membrane(monkeypatch, module):
    """The shear modulus is 1.6 times what it should be."""
    target = importlib.import_module(f"sim.cases.{module}")
    monkeypatch.setattr(target, "SHEAR_MODULUS", 1.6 * target.SHEAR_MODULUS)


def swollen_rest(monkeypatch, module):
    """Membranes are at rest 2 % larger than they should be."""
    right = shell.measure
    monkeypatch.setattr(shell, "measure", lambda nodes, faces: right(1.02 * nodes, faces))


def nearest_node(monkeypatch, module):
    """Membranes feel and push the flow at the nearest lattice node instead of where they are."""
    right = coupling.ibm.weights
    monkeypatch.setattr(coupling.ibm, "weights", lambda kernel, x, *rest: right(kernel, np.round(x), *rest))
    monkeypatch.setattr(coupling, "_move_ring", _move_ring_in_parts)


def _move_ring_in_parts(model, law, cell, fluid_model, fluid):
    """Do what the compiled call does, through the functions that can be broken."""
    stride = fluid_model.grid.strides[1]
    coupling.ibm.interpolate(stride, cell.base, cell.weight, *fluid.velocity, cell.velocity)
    cell.slip = coupling.membrane.advance(cell.x, cell.velocity, cell.force, model.mobility, cell.kink)
    coupling.follow(cell, fluid_model, fluid)
    coupling._add_up_forces(model, cell, fluid_model)
    coupling.spread(model, cell, fluid_model, fluid)


def rough_nodes(monkeypatch, module):
    """Nodes rub on the fluid by a twentieth more than they should."""
    target = importlib.import_module(f"sim.cases.{module}")
    relaxation_time = target.relaxation_time(target.STEP)
    monkeypatch.setattr(target, "STEP", 1.05 * target.STEP)
    monkeypatch.setattr(target, "relaxation_time", lambda _: relaxation_time)


def stiff_springs(monkeypatch, module, factor=1.1):
    """Membranes in shear are `factor` times as stiff as they should be."""
    target = importlib.import_module(f"sim.cases.{module}")
    right = target.build

    def broken(config):
        cell = config.cell.model_copy(update={"ks": factor * config.cell.ks})
        return right(config.model_copy(update={"cell": cell}))

    monkeypatch.setattr(target, "build", broken)
