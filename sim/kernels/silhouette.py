"""The outline of a closed surface seen along z."""

import math

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def envelope(x, edges, bottom, top):
    """Find the smallest and the largest y of a surface at stations evenly spaced from its least to its greatest x.

    Parameters
    ----------
    x
        Nodes (V, 3).
    edges
        Node indices (E, 2).
    bottom, top
        Output (stations,).

    Notes
    -----
    Exact for an outline that every line along y cuts twice; a notch in its front or rear is filled.
    """
    count = top.size
    first, last = x[:, 0].min(), x[:, 0].max()
    spacing = (last - first) / (count - 1)
    bottom[:] = math.inf
    top[:] = -math.inf
    for k in range(edges.shape[0]):
        a, b = edges[k, 0], edges[k, 1]
        if x[a, 0] > x[b, 0]:
            a, b = b, a
        left, right = x[a, 0], x[b, 0]
        begin = max(0, math.ceil((left - first) / spacing - 1e-9))
        end = min(count - 1, math.floor((right - first) / spacing + 1e-9))
        for s in range(begin, end + 1):
            share = 0.0
            if right > left:
                share = min(max((first + s * spacing - left) / (right - left), 0.0), 1.0)
            y = x[a, 1] + share * (x[b, 1] - x[a, 1])
            bottom[s] = min(bottom[s], y)
            top[s] = max(top[s], y)
    return np.linspace(first, last, count)
