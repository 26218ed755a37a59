"""The flow kernels against their twin, exact solutions and conservation laws; each check is also seen to fail."""

import naive
import numpy as np
import pytest

from sim.boundary import Walls
from sim.channel import make_channel
from sim.config import ChannelConfig
from sim.fluid import Fluid, flow_rate, make_fluid_model, moments, set_pieces, step, wall_force
from sim.grid import make_grid
from sim.lattice import D2Q9, D3Q19

TOLERANCE = {"float64": 1e-13, "float32": 5e-7}


def plane(height, length=8):
    """Return a grid between two plane walls, periodic along x."""
    return make_grid(np.ones((length, height), dtype=bool), (True, False))


def rough(lattice, size, periodic, seed=0):
    """Return a grid with some solid nodes strewn in; edges without a period are walls."""
    return make_grid(np.random.default_rng(seed).random(size) < 0.9, periodic)


GRIDS = {
    "2-D walls": (D2Q9, (14, 9), (True, False)),
    "2-D box": (D2Q9, (14, 9), (False, False)),
    "2-D periodic": (D2Q9, (14, 9), (True, True)),
    "3-D duct": (D3Q19, (9, 6, 7), (True, False, False)),
    "3-D slab": (D3Q19, (9, 6, 7), (True, False, True)),
}


def with_walls(grid, mask):
    """Return the mask (x, …) with a solid layer added behind every axis that is not periodic, as the twin wants it."""
    return np.pad(mask, [(0, 0 if p else 1) for p in grid.periodic])


def populations(model, fluid):
    f = fluid.populations.astype(np.float64) + model.lattice.w[:, None]
    f[:, ~model.grid.fluid] = 0
    return np.pad(model.grid.box(f), [(0, 0)] + [(0, 0 if p else 1) for p in model.grid.periodic])


def in_pieces(fluid):
    """Return which nodes lie in the pieces of the runs (nodes,)."""
    inside = np.zeros(fluid.touched.size, dtype=bool)
    count = int(fluid.piece_row[-1])
    for start, stop in zip(fluid.piece_start[:count], fluid.piece_stop[:count], strict=True):
        assert not inside[start:stop].any()
        inside[start:stop] = True
    return inside


def poiseuille_error(magic, tau, height, precision="float64", steps=6000, shift=0.0, half_force=True):
    """Return the largest velocity error over the velocity at the middle of a plane channel."""
    force = 1e-6
    model = make_fluid_model(D2Q9, plane(height), tau, (force, 0.0), precision, magic)
    fluid = Fluid(model)
    for _ in range(steps):
        step(model, fluid)
    y = np.arange(height) + 0.5 + shift
    viscosity = (tau - 0.5) / 3
    exact = force * y * (height + 2 * shift - y) / (2 * viscosity)
    u = model.grid.box(moments(model, fluid)[1].T)[0, 3, :]
    if not half_force:
        u = u - 0.5 * force
    return abs(u - exact).max() / (force * height**2 / 8 / viscosity)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("magic", [3 / 16, None], ids=["trt", "bgk"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kind", GRIDS)
def test_kernel_equals_twin(precision, magic, threads, kind):
    lattice, size, periodic = GRIDS[kind]
    grid = rough(lattice, size, periodic)
    force, wall = (3e-4, -1e-4, 2e-4)[: lattice.d], (0.01, 0.02, -0.01)[: lattice.d]
    model = make_fluid_model(
        lattice, grid, 0.8, force, precision, magic, Walls(velocity=lambda x: np.broadcast_to(wall, x.shape)), threads
    )
    fluid = Fluid(model)
    rng = np.random.default_rng(1)
    fluid.populations[:] = (1e-2 * rng.standard_normal((lattice.q, grid.nodes)) * lattice.w[:, None]).astype(precision)
    low, high = np.full(lattice.d, 3), np.full(lattice.d, 5)
    position = grid.coordinates(np.arange(grid.nodes))
    fluid.touched[:] = ((position >= low) & (position <= high)).all(axis=1)
    set_pieces(model, fluid)
    inside = in_pieces(fluid)
    assert (inside & ~grid.fluid).sum() == 0
    assert inside[fluid.touched & grid.fluid].all()
    pushes = np.where(inside, 1e-3 * rng.standard_normal((lattice.d, grid.nodes)), 0).astype(precision)
    field = np.array(force)[:, None] + pushes
    mask, box = with_walls(grid, grid.box(grid.fluid)), with_walls(grid, grid.box(inside))
    total = np.zeros((*mask.shape, lattice.d))
    total[tuple(slice(n) for n in size)] = np.moveaxis(grid.box(field), 0, -1)
    rest = lattice.w.reshape((-1,) + (1,) * lattice.d)
    f = populations(model, fluid)
    for _ in range(8):
        after, velocity = naive.collide(lattice, np.where(mask, f, rest), total, *model.omega)
        f, to_walls = naive.stream(lattice, np.where(mask, after, 0), mask, wall)
        for mine, push in zip(fluid.force, pushes, strict=True):
            mine[:] = push
        step(model, fluid)
        assert not np.any(fluid.force)
    assert abs(populations(model, fluid) - f).max() < TOLERANCE[precision]
    fast = grid.box(np.array(fluid.velocity))
    slow = np.moveaxis(velocity, -1, 0)[(slice(None), *(slice(n) for n in size))]
    inner = grid.box(inside)
    assert abs(fast - slow)[:, inner].max() < 10 * TOLERANCE[precision]
    assert (fast[:, ~inner] == 0).all()
    assert box.any()
    # The rest pressure on the walls cancels only over closed walls; the kernel's sum leaves it out.
    links = model.links
    at_wall = links.direction[links.wall]
    rest_pressure = 2 * (lattice.w[at_wall][:, None] * lattice.c[at_wall]).sum(axis=0)
    assert wall_force(model, fluid) == pytest.approx(to_walls - rest_pressure, abs=1e3 * TOLERANCE[precision])


def momentum_imbalance(half_force):
    """Return |dP/dt - (force - drag)| over the force, of the twin's flow in a rough channel."""
    grid = rough(D2Q9, (14, 9), (True, False))
    mask = with_walls(grid, grid.box(grid.fluid))
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
@pytest.mark.parametrize("kind", GRIDS)
def test_mass_is_conserved(precision, kind):
    lattice, size, periodic = GRIDS[kind]
    model = make_fluid_model(lattice, rough(lattice, size, periodic), 0.7, (1e-5, 0.0, 0.0)[: lattice.d], precision)
    fluid = Fluid(model)
    for _ in range(400):
        step(model, fluid)
    density, _ = moments(model, fluid, np.flatnonzero(model.grid.fluid))
    assert density.mean() - 1 == pytest.approx(0, abs=1e-14 if precision == "float64" else 1e-7)


@pytest.mark.parametrize("lattice", [D2Q9, D3Q19], ids=lambda s: s.name)
def test_steady_drag_balances_the_force(lattice):
    size, periodic = ((8, 6), (True, False)) if lattice.d == 2 else ((8, 6, 5), (True, False, False))
    force = (1e-5, 0.0, 0.0)[: lattice.d]
    model = make_fluid_model(lattice, make_grid(np.ones(size, dtype=bool), periodic), 1.0, force, "float64")
    fluid = Fluid(model)
    for _ in range(3000):
        step(model, fluid)
    total = np.array(force) * model.grid.fluid.sum()
    assert wall_force(model, fluid) == pytest.approx(total, abs=1e-9 * total[0])


def test_couette_flow_is_exact_and_sees_a_wall_out_of_place():
    height, speed = 8, 0.02
    walls = lambda x: np.stack([np.where(x[:, 1] > height / 2, speed, -speed), 0 * x[:, 1]], axis=1)  # noqa: E731
    model = make_fluid_model(D2Q9, plane(height), 1.0, (0.0, 0.0), "float64", walls=Walls(velocity=walls))
    fluid = Fluid(model)
    for _ in range(4000):
        step(model, fluid)
    u = model.grid.box(moments(model, fluid)[1].T)[0, 3, :]
    y = np.arange(height) + 0.5
    assert u == pytest.approx(speed * (2 * y / height - 1), abs=1e-10)
    assert abs(u - speed * (2 * (y + 0.5) / (height + 1) - 1)).max() > 0.01 * speed


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


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_results_do_not_depend_on_the_number_of_threads(precision):
    grid = rough(D3Q19, (20, 12, 11), (True, False, False))
    results = []
    for threads in (1, 2, 5):
        model = make_fluid_model(D3Q19, grid, 0.9, (1e-4, 0.0, 0.0), precision, threads=threads)
        fluid = Fluid(model)
        for _ in range(40):
            step(model, fluid)
        results.append(fluid.f)
    assert all(np.array_equal(results[0], other) for other in results[1:])


def interpolated_wall_error(delta, height, assumed):
    """Return the error of Poiseuille flow between walls `delta` outside the outer nodes, over the largest velocity."""
    force, tau = 1e-6, 1.0
    walls = Walls(fraction=lambda node, c: np.where(c[:, 1] != 0, assumed, np.nan))
    model = make_fluid_model(D2Q9, plane(height, 4), tau, (force, 0.0), "float64", walls=walls)
    fluid = Fluid(model)
    for _ in range(60 * height**2):
        step(model, fluid)
    assert wall_force(model, fluid)[0] == pytest.approx(force * model.grid.fluid.sum(), rel=1e-6)
    y, width = np.arange(height) + delta, height - 1 + 2 * delta
    exact = force * y * (width - y) / (2 * (tau - 0.5) / 3)
    u = model.grid.box(moments(model, fluid)[1].T)[0, 2, :]
    return abs(u - exact).max() / exact.max()


@pytest.mark.parametrize("delta", [0.05, 0.3, 0.7, 1.0])
def test_an_interpolated_wall_is_where_it_is_said_to_be(delta):
    coarse, fine = interpolated_wall_error(delta, 7, delta), interpolated_wall_error(delta, 14, delta)
    assert np.log2(coarse / fine) > 1.7
    assert fine < 0.02
    assert interpolated_wall_error(delta, 14, 0.5) > 4 * fine


def test_a_pressure_outlet_holds_its_density_and_lets_the_flow_out():
    # Inflow of a parabola at x = ½, outflow at density 1: the plane Poiseuille flow and its pressure gradient.
    length, height, tau, top = 30, 10, 1.0, 0.02

    def inlet(x):
        parabola = 4 * top * (x[:, 1] - 0.5) * (height + 0.5 - x[:, 1]) / height**2
        return np.stack([np.where(x[:, 0] < 1, parabola, 0.0), 0.0 * parabola], axis=1)

    def outlet(x):
        return np.where(x[:, 0] > length, 1.0, np.nan)

    grid = make_grid(np.ones((length, height), dtype=bool), (False, False))
    model = make_fluid_model(D2Q9, grid, tau, (0.0, 0.0), "float64", walls=Walls(velocity=inlet, outlet=outlet))
    fluid = Fluid(model)
    for _ in range(8000):
        step(model, fluid)
    density, velocity = moments(model, fluid)
    u, rho = grid.box(velocity.T)[0], grid.box(density)
    y = np.arange(height) + 0.5
    assert u[length // 2] == pytest.approx(4 * top * y * (height - y) / height**2, rel=0.03)
    gradient = 8 * (tau - 0.5) / 3 * top / height**2  # of the pressure; the density's is 3 times that
    assert np.diff(rho[5:25].mean(axis=1)).mean() / 3 == pytest.approx(-gradient, rel=0.03)
    assert rho[-1].mean() == pytest.approx(1 + 1.5 * gradient, abs=2 * gradient)


def test_flow_rate_is_the_same_in_every_column():
    geometry = ChannelConfig(
        gap=4, width=10, constriction_length=6, entry_taper=5, exit_taper=4, inlet_length=3, outlet_length=3
    )
    channel = make_channel(geometry, 0.5)
    model = make_fluid_model(D2Q9, channel.grid, 1.0, (1e-5, 0.0), "float64")
    fluid = Fluid(model)
    for _ in range(6000):
        step(model, fluid)
    rates = [flow_rate(model, fluid, channel.section(x)) for x in np.arange(-7.0, 13.0, 1.0)]
    assert np.ptp(rates) / np.mean(rates) < 2e-3


def test_moments_and_forces_are_refused_after_an_odd_step():
    model = make_fluid_model(D2Q9, plane(6), 1.0, (0.0, 0.0), "float64")
    fluid = Fluid(model)
    step(model, fluid)
    for read in (moments, wall_force):
        with pytest.raises(ValueError, match="even number"):
            read(model, fluid)
