"""Short-range repulsion between the nodes of two membranes, in two or three dimensions.

Energy ⅓ k r0 (1 - r/r0)³ per pair of nodes closer than r0, one of either membrane: the form of the walls' repulsion.
"""

import math

import numba


@numba.njit(cache=True, nogil=True)
def add_repulsion(first, second, strength, reach, head, following, force_first, force_second):
    """Add the repulsion of two membranes to their forces; return the smallest distance, inf if all are out of reach.

    The nodes of `second` that `first` can reach are sorted into boxes not smaller than `reach`; each node of `first`
    looks into the boxes next to its own. Nodes at the same place do not repel.

    Parameters
    ----------
    first, second
        Positions (V, d) and (W, d), d = 2 or 3.
    strength, reach
        k, the largest force of a pair, and r0.
    head, following
        Memory: any number of boxes, and (W,), both integer.
    force_first, force_second
        Added to (V, d) and (W, d).
    """
    dim = first.shape[1]
    low, high, scale, count = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (1, 1, 1)
    most = int(head.size ** (1.0 / dim) + 1e-9)
    for axis in range(dim):
        low_first, high_first = first[0, axis], first[0, axis]
        for k in range(first.shape[0]):
            low_first, high_first = min(low_first, first[k, axis]), max(high_first, first[k, axis])
        low_second, high_second = second[0, axis], second[0, axis]
        for k in range(second.shape[0]):
            low_second, high_second = min(low_second, second[k, axis]), max(high_second, second[k, axis])
        start, end = max(low_first - reach, low_second), min(high_first + reach, high_second)
        if not end >= start:
            return math.inf
        boxes = max(1, min(most, int((end - start) / reach)))
        inverse = boxes / (end - start) if boxes > 1 else 0.0  # one box may be smaller than the reach
        low, high = _with(low, axis, start), _with(high, axis, end)
        scale, count = _with(scale, axis, inverse), _with(count, axis, boxes)
    for box in range(count[0] * count[1] * count[2]):
        head[box] = -1
    for k in range(second.shape[0] - 1, -1, -1):
        box, inside = 0, True
        for axis in range(dim):
            inside = inside and low[axis] <= second[k, axis] <= high[axis]
            place = int((second[k, axis] - low[axis]) * scale[axis])
            box = box * count[axis] + min(place, count[axis] - 1)
        if inside:
            following[k] = head[box]
            head[box] = k
    return _add_pairs(first, second, strength, reach, low, scale, count, head, following, force_first, force_second)


@numba.njit(cache=True, nogil=True)
def _with(values, axis, value):
    """Return three numbers with one replaced."""
    return (
        value if axis == 0 else values[0],
        value if axis == 1 else values[1],
        value if axis == 2 else values[2],
    )


@numba.njit(cache=True, nogil=True)
def _range(x, low, scale, count):
    """Return the first box, and the one past the last, that a node at `x` looks into along an axis."""
    place = math.floor((x - low) * scale)
    return max(0, min(place - 1, count)), max(0, min(place + 2, count))


@numba.njit(cache=True, nogil=True)
def _add_pairs(first, second, strength, reach, low, scale, count, head, following, force_first, force_second):
    """Add the forces of all pairs, in the order of the nodes."""
    dim = first.shape[1]
    smallest = reach * reach
    for k in range(first.shape[0]):
        x_start, x_end = _range(first[k, 0], low[0], scale[0], count[0])
        y_start, y_end = _range(first[k, 1], low[1], scale[1], count[1])
        z_start, z_end = _range(first[k, 2], low[2], scale[2], count[2]) if dim == 3 else (0, 1)
        for bx in range(x_start, x_end):
            for by in range(y_start, y_end):
                for bz in range(z_start, z_end):
                    m = head[(bx * count[1] + by) * count[2] + bz]
                    while m >= 0:
                        square = 0.0
                        for axis in range(dim):
                            square += (first[k, axis] - second[m, axis]) ** 2
                        smallest = min(smallest, square)
                        if 0.0 < square < reach * reach:
                            r = math.sqrt(square)
                            push = strength * (1.0 - r / reach) ** 2 / r
                            for axis in range(dim):
                                part = push * (first[k, axis] - second[m, axis])
                                force_first[k, axis] += part
                                force_second[m, axis] -= part
                        m = following[m]
    return math.sqrt(smallest) if smallest < reach * reach else math.inf
