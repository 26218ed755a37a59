"""Walls and periodic faces as a list of pairs of slots.

Around the odd step of the AA pattern a slot outside the fluid (`ghost`) stands for a slot inside
(`real`): before it, the odd step reads from the ghost what the real slot holds; after it, what was
scattered to the ghost comes back to the real slot. For half-way bounce-back the real slot is the
opposite direction of the same node, for a periodic face the same direction at the other end.
"""

import numba


@numba.njit(cache=True, nogil=True)
def fill_ghosts(f, ghost, real, moving, gain):
    """Copy real slots to ghost slots (before an odd step); a moving wall adds `gain` at the links `moving`."""
    for k in range(ghost.size):
        f[ghost[k]] = f[real[k]]
    for k in range(moving.size):
        f[ghost[moving[k]]] += gain[k]


@numba.njit(cache=True, nogil=True)
def drain_ghosts(f, ghost, real, moving, gain):
    """Copy ghost slots to real slots (after an odd step); a moving wall adds `gain` at the links `moving`."""
    for k in range(ghost.size):
        f[real[k]] = f[ghost[k]]
    for k in range(moving.size):
        f[real[moving[k]]] += gain[k]
