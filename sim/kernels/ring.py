"""A step of a single ring in one call: what `sim.coupling` does kernel by kernel, with the same result bit by bit.

A call from Python takes some microseconds for its arrays, and a step of a ring of 150 nodes has nine of them.
"""

import numba

from sim.kernels.ibm import add_wall_forces, interpolate, spread, weights
from sim.kernels.membrane import advance, kink_velocity, ring_forces
from sim.kernels.pieces import displacement


@numba.njit(cache=True, nogil=True)
def move_ring(
    kernel, shape, low, high, marked, x, velocity, force, kink, base, weight, ux, uy, fx, fy,
    mobility, law, multiplier, distance, wall_force, wall_range, strength, share,
):  # fmt: skip
    """Move a ring with the flow and give the forces at its new place to the fluid.

    Parameters
    ----------
    kernel
        Width of the immersed-boundary kernel.
    shape
        Nodes of the grid along x and y.
    low, high, marked
        As in `sim.kernels.pieces.displacement`.
    x, velocity, force, kink
        Positions, velocities, forces and missed velocities of the nodes (V, 2), brought up to date.
    base, weight
        As `sim.kernels.ibm.weights` has left them for the present place; brought up to date.
    ux, uy, fx, fy
        Velocity and force density of the flow, flat.
    mobility
        1/γ of each node (V,).
    law
        l0, theta0, area0, ks, kb, ka, kv of the ring.
    multiplier
        λ of the area constraint.
    distance, wall_force, wall_range
        As in `sim.kernels.ibm.add_wall_forces`.
    strength, share
        As in `sim.kernels.membrane.kink_velocity`.

    Returns
    -------
    How far nodes have come, as `sim.kernels.pieces.displacement` says it (-1: nothing but `x` is up to date), the
    largest slip, the relative change of the area, and the smallest distance from a wall.
    """
    stride = shape[0]
    l0, theta0, area0, ks, kb, ka, kv = law
    interpolate(stride, base, weight, ux, uy, velocity)
    slip = advance(x, velocity, force, mobility, kink)
    came = displacement(x, marked, low, high)
    if came < 0:
        return came, slip, 0.0, 0.0
    strain = ring_forces(x, l0, theta0, ks, kb, kv, area0, multiplier, ka, force)
    nearest = add_wall_forces(x, distance, stride, wall_force, wall_range, force)
    kink_velocity(x, force, strength, l0, share, kink)
    weights(kernel, x, shape, base, weight)
    spread(force, stride, base, weight, fx, fy)
    return came, slip, strain, nearest
