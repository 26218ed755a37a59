"""Velocity Verlet for nodes of equal mass; a step lasts one lattice unit of time."""

import numba


@numba.njit(cache=True, nogil=True)
def kick(velocity, force, half):
    """Add half a step's change to the velocities (V, 3): the forces (V, 3) times `half`, 1/(2 m)."""
    for k in range(velocity.shape[0]):
        for axis in range(3):
            velocity[k, axis] += half * force[k, axis]


@numba.njit(cache=True, nogil=True)
def drift(x, velocity):
    """Move the nodes (V, 3) by a step's way."""
    for k in range(x.shape[0]):
        for axis in range(3):
            x[k, axis] += velocity[k, axis]
