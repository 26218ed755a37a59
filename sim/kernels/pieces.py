"""Which lattice nodes lie near a membrane, as pieces of the runs of fluid nodes."""

import math

import numba
import numpy as np

LENGTH = 8
"""Pieces are made as long as a multiple of this where the run allows: what vectors of float32 take at a time."""
GAP = 8
"""Two pieces nearer to each other than this become one."""


@numba.njit(cache=True, nogil=True)
def displacement(x, marked, low, high):
    """Say how far nodes have come since their surroundings were marked.

    Parameters
    ----------
    x, marked
        Positions (V, d) now and then, lattice units.
    low, high
        Smallest and largest coordinates allowed (d,); infinite along periodic axes.

    Returns
    -------
    The largest displacement along an axis; -1 if a node has no finite position or is out of bounds.
    """
    largest = 0.0
    for k in range(x.shape[0]):
        for axis in range(x.shape[1]):
            if not low[axis] <= x[k, axis] <= high[axis] or abs(x[k, axis]) > 1e9:
                return -1.0
            largest = max(largest, abs(x[k, axis] - marked[k, axis]))
    return largest


@numba.njit(cache=True, nogil=True)
def mark(x, below, above, periodic, interior, shape, touched):
    """Mark the lattice nodes around membrane nodes, and no others.

    Parameters
    ----------
    x
        Positions (V, d), lattice units.
    below, above
        How many lattice nodes below and above the one at or below a membrane node's coordinate.
    periodic, interior, shape
        Of the grid, see `sim.grid.Grid`; (d,).
    touched
        Output (nodes,) bool.
    """
    touched[:] = False
    deep = x.shape[1] == 3
    for k in range(x.shape[0]):
        first, y, z = math.floor(x[k, 0]) - below, math.floor(x[k, 1]), math.floor(x[k, 2]) if deep else 0
        last = first + below + above
        for n in range(z - below if deep else 0, z + above + 1 if deep else 1):
            layer = _wrapped(n, interior[-1], periodic[-1]) if deep else 0
            if deep and not 0 <= layer < shape[-1]:
                continue
            for m in range(y - below, y + above + 1):
                row = _wrapped(m, interior[1], periodic[1])
                if not 0 <= row < shape[1]:
                    continue
                row = (layer * shape[1] + row) * shape[0]
                if periodic[0]:
                    for i in range(first, last + 1):
                        touched[row + _wrapped(i, interior[0], True)] = True
                else:
                    for i in range(max(first, 0), min(last + 1, shape[0])):
                        touched[row + i] = True


@numba.njit(cache=True, nogil=True, inline="always")
def _wrapped(i, interior, periodic):
    return (i - 1) % interior + 1 if periodic else i


@numba.njit(cache=True, nogil=True)
def find_pieces(start, stop, touched, piece_row, piece_start, piece_stop):
    """Write the pieces of the runs that hold all touched nodes of the fluid.

    Parameters
    ----------
    start, stop
        Runs of fluid nodes (runs,).
    touched
        Nodes wanted (nodes,) bool.
    piece_row, piece_start, piece_stop
        Output, see `sim.fluid.Fluid`.
    """
    count = 0
    for r in range(start.size):
        piece_row[r] = count
        first, last = np.int64(start[r]), np.int64(stop[r])
        end = -1
        for i in range(first, last):
            if not touched[i]:
                continue
            if end < 0 or i >= end + GAP:
                end = min(i + LENGTH, last)
                piece_start[count], piece_stop[count] = i, end
                count += 1
            elif i >= end:
                begin = np.int64(piece_start[count - 1])
                end = min(begin + ((i - begin) // LENGTH + 1) * LENGTH, last)
                piece_stop[count - 1] = end
    piece_row[start.size] = count
