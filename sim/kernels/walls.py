"""What happens at walls, periodic faces and open faces, around the odd step of the AA pattern.

A slot outside the fluid (`ghost`) stands for a slot inside (`real`): before an odd step, the step reads from
the ghost what comes back from the wall; after it, what was scattered to the ghost goes to the real slot.
For half-way bounce-back the real slot is the opposite direction of the same node, for a periodic face the
same direction at the other end; both are copies, made by the kernels of the steps (`sim.kernels.lbm`) run by
run: into the ghosts at the end of an even step, out of them at the end of an odd one. All other rules are here.
"""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def combine_slots(f, target, near, other, near_weight, other_weight, gain):
    """Set each target slot to near_weight f[near] + other_weight f[other] + gain (moving and interpolated walls)."""
    for k in range(target.size):
        f[target[k]] = near_weight[k] * f[near[k]] + other_weight[k] * f[other[k]] + gain[k]


@numba.njit(cache=True, nogil=True)
def open_slots(f, target, near, slots, c, weight, opening):
    """Set each target slot by anti-bounce-back, which holds the density of an open face.

    f_opposite = -f_q + 2 w_q ρ (1 + 9/2 (c_q·u)² - 3/2 u²), with u of the node at the face; populations are
    deviations from the weights.

    Parameters
    ----------
    target, near
        Slot to be set and slot of f_q, per link (n,).
    slots
        Slots of all populations of the link's node (n, q).
    c, weight
        Velocity (n, d) and weight (n,) of direction q.
    opening
        Density at the face minus 1 (n,), then velocities of the lattice (q, d) as a pair.
    """
    density, velocities = opening
    dim = velocities.shape[1]
    u = np.zeros(dim)
    for k in range(target.size):
        rho = 1.0
        u[:] = 0.0
        for q in range(velocities.shape[0]):
            value = f[slots[k, q]]
            rho += value
            for a in range(dim):
                u[a] += velocities[q, a] * value
        cu, uu = 0.0, 0.0
        for a in range(dim):
            cu += c[k, a] * u[a] / rho
            uu += (u[a] / rho) ** 2
        square = (1.0 + density[k]) * (4.5 * cu * cu - 1.5 * uu)
        f[target[k]] = -f[near[k]] + 2.0 * weight[k] * (density[k] + square)
