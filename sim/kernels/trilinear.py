"""Friction between membrane nodes with mass and the fluid: trilinear interpolation of the flow and its adjoint.

The velocity is that of the populations before a collision, j/ρ without half of the force, as ESPResSo takes it.
"""

import math

import numba
import numpy as np

AT_REST = -1
"""Stamp of a node whose velocity is known for good: it lies in a wall."""


@numba.njit(cache=True, nogil=True)
def find_corners(x, interior, periodic, stride_y, stride_z, corner, share):
    """Find the 8 lattice nodes around each membrane node and their weights.

    Parameters
    ----------
    x
        Positions (V, 3), lattice units; along the axes that are not periodic within the grid.
    interior, periodic
        Nodes of the box along each axis, and whether it repeats itself.
    stride_y, stride_z
        Distance of neighbours along y and z in the flat grid.
    corner, share
        Output: flat indices (V, 8) and weights (V, 8), which sum to 1.
    """
    for k in range(x.shape[0]):
        for m in range(8):
            index, weight = np.int64(0), 1.0
            for axis in range(3):
                low = math.floor(x[k, axis])
                t = x[k, axis] - low
                upper = (m >> axis) & 1
                i = np.int64(low) + upper
                if periodic[axis]:
                    i = (i - 1) % interior[axis] + 1
                weight *= t if upper else 1.0 - t
                index += i if axis == 0 else i * stride_y if axis == 1 else i * stride_z
            corner[k, m] = index
            share[k, m] = weight


@numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")
def read_flow(f, slot, c, corner, stamp, now, ux, uy, uz):
    """Write the velocity j/ρ of the lattice nodes around the membrane, each once.

    Parameters
    ----------
    f
        Populations minus the rest weights, flat.
    slot
        Where the population of direction q that arrives at node 0 lies (q,): that of node i is i further.
    c
        Velocities of the directions (q, 3); 2k-1 and 2k are opposite.
    corner
        As `find_corners` writes it.
    stamp, now
        Step in which the velocity of each node was written last (nodes,), and this step; nodes `AT_REST` are left.
    ux, uy, uz
        Output (nodes,).
    """
    for k in range(corner.shape[0]):
        for m in range(8):
            i = corner[k, m]
            if stamp[i] == now or stamp[i] == AT_REST:
                continue
            stamp[i] = now
            density, jx, jy, jz = 1.0 + np.float64(f[i + slot[0]]), 0.0, 0.0, 0.0
            for q in range(1, slot.size, 2):
                value, opposite = np.float64(f[i + slot[q]]), np.float64(f[i + slot[q + 1]])
                density += value + opposite
                jx += c[q, 0] * (value - opposite)
                jy += c[q, 1] * (value - opposite)
                jz += c[q, 2] * (value - opposite)
            ux[i], uy[i], uz[i] = jx / density, jy / density, jz / density


@numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy", fastmath={"contract"})
def rub(corner, share, ux, uy, uz, velocity, friction, damping, force, fx, fy, fz):
    """Add the fluid's friction to the forces of the nodes, and its opposite to the fluid; return the largest slip.

    Parameters
    ----------
    corner, share
        As `find_corners` writes them.
    ux, uy, uz
        Flow (nodes,).
    velocity
        Of the membrane nodes (V, 3).
    friction
        γ; the explicit friction is γ (u - v).
    damping
        g: of the whole force F + γ (u - v) a node feels g times as much over a step. It is 1 for explicit friction,
        and (1 - exp(-γ/m)) m/γ where the motion under constant forces and flow is solved exactly.
    force
        Other forces F on the nodes (V, 3); the friction, and with it what g leaves of F, is added.
    fx, fy, fz
        Force field (nodes,), added to.
    """
    kind = fx.dtype.type
    largest = 0.0
    for k in range(corner.shape[0]):
        slip_x, slip_y, slip_z = -velocity[k, 0], -velocity[k, 1], -velocity[k, 2]
        for m in range(8):
            i, weight = corner[k, m], share[k, m]
            slip_x += weight * ux[i]
            slip_y += weight * uy[i]
            slip_z += weight * uz[i]
        largest = max(largest, slip_x * slip_x + slip_y * slip_y + slip_z * slip_z)
        gx = damping * friction * slip_x - (1.0 - damping) * force[k, 0]
        gy = damping * friction * slip_y - (1.0 - damping) * force[k, 1]
        gz = damping * friction * slip_z - (1.0 - damping) * force[k, 2]
        force[k, 0] += gx
        force[k, 1] += gy
        force[k, 2] += gz
        for m in range(8):
            i, weight = corner[k, m], share[k, m]
            fx[i] -= kind(weight * gx)
            fy[i] -= kind(weight * gy)
            fz[i] -= kind(weight * gz)
    return math.sqrt(largest)
