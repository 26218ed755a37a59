"""The flow kernels against their twin, exact solutions and conservation laws; each check is also seen to fail."""

import naive
import numpy as np
import pytest

from sim.channel import make_channel
from sim.config import ChannelConfig
from sim.fluid import Fluid, flow_rate, make_fluid_model, moments, set_box, step
from sim.lattice import D2Q9

TOLERANCE = {"float64": 1e-13, "float32": 5e-7}


def straight(height, length=12):
    return ChannelConfig(
        kind="straight", gap=height, inlet_length=length / 4, entry_taper=0, exit_taper=0,
        outlet_length=length / 4, constriction_length=length / 2,
    )  # fmt: skip


def tapered():
    return ChannelConfig(
        gap=4, width=10, constriction_length=6, entry_taper=5, exit_taper=4, inlet_length=3, outlet_length=3
    )


def as_grid(channel, flat):
    """Return a flat array as (…, X, Y) without padding outside nx."""
    nx, ny = channel.shape
    return np.swapaxes(flat.reshape(*flat.shape[:-1], ny, nx), -1, -2)[..., 1 : channel.nx + 1, :]


def populations(model, fluid):
    f = fluid.f.reshape(D2Q9.q, -1).astype(np.float64) + D2Q9.w[:, None]
    f[:, ~model.channel.fluid] = 0
    return as_grid(model.channel, f)


def poiseuille_error(magic, tau, height, precision="float64", steps=6000, shift=0.0, half_force=True):
    """Return the largest velocity error over the velocity at the middle of a plane channel."""
    channel = make_channel(straight(height), 1.0)
    force = 1e-6
    model = make_fluid_model(D2Q9, channel, tau, (force, 0.0), precision, magic)
    fluid = Fluid(model)
    for _ in range(steps):
        step(model, fluid)
    y = np.arange(height) + 0.5 + shift
    exact = force * y * (height + 2 * shift - y) / (2 * (tau - 0.5) / 3)
    u = moments(model, fluid, channel.column(0.0))[1][:, 0]
    if not half_force:
        u = u - 0.5 * force
    return abs(u - exact).max() / (force * height**2 / 8 / ((tau - 0.5) / 3))


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("magic", [3 / 16, None], ids=["trt", "bgk"])
@pytest.mark.parametrize("geometry", [straight(6), tapered()], ids=["straight", "tapered"])
def test_kernel_equals_twin(precision, magic, geometry):
    channel = make_channel(geometry, 1.0)
    force = (3e-4, -1e-4)
    model = make_fluid_model(D2Q9, channel, 0.8, force, precision, magic)
    fluid = Fluid(model)
    rng = np.random.default_rng(1)
    fluid.f += (1e-2 * rng.standard_normal(fluid.f.size) * np.repeat(D2Q9.w, channel.nodes)).astype(precision)
    field = rng.standard_normal((2, channel.nodes)) * 1e-3
    low, high = np.array([4, 3]), np.array([9, 7])
    set_box(model, fluid, low, high)
    i, j = np.arange(channel.nodes) % channel.shape[0], np.arange(channel.nodes) // channel.shape[0]
    inside = (i >= low[0]) & (i <= high[0]) & (j >= low[1]) & (j <= high[1]) & channel.fluid
    for axis in range(2):
        fluid.force[axis][:] = field[axis]
    total = np.array(force)[:, None] + np.where(inside, fluid.force, 0)
    total = np.moveaxis(as_grid(channel, total), 0, -1)
    f, mask = populations(model, fluid), as_grid(channel, channel.fluid)
    for _ in range(8):
        safe = np.where(mask, f, D2Q9.w[:, None, None])
        after, velocity = naive.collide(D2Q9, safe, total, *model.omega)
        f, _ = naive.stream(D2Q9, np.where(mask, after, 0), mask)
        step(model, fluid)
    assert abs(populations(model, fluid) - f).max() < TOLERANCE[precision]
    fast = np.moveaxis(as_grid(channel, np.array(fluid.velocity)), 0, -1)
    box = as_grid(channel, inside)
    assert abs(fast - velocity)[box].max() < 10 * TOLERANCE[precision]
    assert (fast[~box] == 0).all()


def momentum_imbalance(half_force):
    """Return |dP/dt - (force - drag)| over the force, of the twin's flow in a tapered channel."""
    channel = make_channel(tapered(), 1.0)
    mask = as_grid(channel, channel.fluid)
    f = np.where(mask, D2Q9.w[:, None, None], 0.0)
    force = np.where(mask[..., None], [1e-3, 0.0], 0.0)
    worst = 0.0
    for _ in range(200):
        before = np.einsum("qd,qxy->d", D2Q9.c, f)
        after, _ = naive.collide(D2Q9, np.where(mask, f, D2Q9.w[:, None, None]), force, 1.2, 0.9, half_force)
        f, to_walls = naive.stream(D2Q9, np.where(mask, after, 0), mask)
        change = np.einsum("qd,qxy->d", D2Q9.c, f) - before
        worst = max(worst, abs(change - (force.sum(axis=(0, 1)) - to_walls)).max())
    return worst / force.sum()


def test_momentum_changes_by_force_minus_drag():
    assert momentum_imbalance(half_force=True) < 1e-12


def test_momentum_balance_sees_a_missing_half_force():
    assert momentum_imbalance(half_force=False) > 1e-3


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_mass_is_conserved(precision):
    model = make_fluid_model(D2Q9, make_channel(tapered(), 1.0), 0.7, (1e-5, 0.0), precision)
    fluid = Fluid(model)
    for _ in range(400):
        step(model, fluid)
    density, _ = moments(model, fluid, np.flatnonzero(model.channel.fluid))
    assert density.mean() - 1 == pytest.approx(0, abs=1e-14 if precision == "float64" else 1e-7)


@pytest.mark.parametrize("tau", [0.6, 1.0, 2.0])
def test_poiseuille_is_exact_with_two_relaxation_times(tau):
    assert poiseuille_error(3 / 16, tau, 8, steps=12000) < 1e-8


def test_poiseuille_in_single_precision():
    assert poiseuille_error(3 / 16, 1.0, 8, "float32") < 1e-5


@pytest.mark.parametrize(("tau", "height"), [(1.0, 8), (2.0, 8)])
def test_bgk_error_is_as_predicted(tau, height):
    # |16 Λ - 3|/(3 h²) with Λ = (τ - ½)²: wrong relaxation of the odd moments moves the wall.
    predicted = abs(16 * (tau - 0.5) ** 2 - 3) / (3 * height**2)
    assert poiseuille_error(None, tau, height) == pytest.approx(predicted, rel=0.01)


def test_poiseuille_sees_a_wall_shifted_by_half_a_node():
    assert poiseuille_error(3 / 16, 1.0, 8, shift=0.5) > 0.1


def test_poiseuille_sees_a_missing_half_force():
    assert poiseuille_error(3 / 16, 1.0, 8, half_force=False) > 1e-3


def test_flow_rate_is_the_same_in_every_column():
    model = make_fluid_model(D2Q9, make_channel(tapered(), 0.5), 1.0, (1e-5, 0.0), "float64")
    fluid = Fluid(model)
    for _ in range(6000):
        step(model, fluid)
    rates = [flow_rate(model, fluid, model.channel.column(x)) for x in np.arange(-7.0, 13.0, 1.0)]
    assert np.ptp(rates) / np.mean(rates) < 2e-3


def test_moments_are_refused_after_an_odd_step():
    model = make_fluid_model(D2Q9, make_channel(straight(6), 1.0), 1.0, (0.0, 0.0), "float64")
    fluid = Fluid(model)
    step(model, fluid)
    with pytest.raises(ValueError, match="even number"):
        moments(model, fluid)
