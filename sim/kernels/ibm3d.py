"""Immersed boundary in 3-D: kernel weights, spreading, interpolation and the wall's repulsion; see `sim.kernels.ibm`.

A membrane node touches 4 × 4 rows of 4 lattice nodes. The sums run in the order of the membrane nodes.
"""

import math

import numba
import numpy as np

from sim.kernels.ibm import phi
from sim.kernels.rows import add_to_rows, sum_of_rows


@numba.njit(cache=True, nogil=True)
def weights(kind, x, shape, base, weight):
    """Find the lattice nodes around each membrane node and their weights.

    Parameters
    ----------
    kind
        Width of the kernel: 2, 3 or 4.
    x
        Positions (V, 3), lattice units, within the grid.
    shape
        Nodes of the grid along each axis. Where a kernel reaches beyond, into the walls, that part is left out.
    base, weight
        Output: flat index of the first of 4 × 4 × 4 nodes (V,), and weights along each axis (V, 3, 4).
    """
    for k in range(x.shape[0]):
        first = np.int64(0)
        stride = 1
        for axis in range(3):
            low = math.floor(x[k, axis]) - 1
            i = min(max(low, 0), shape[axis] - 4)
            first += i * stride
            stride *= shape[axis]
            if kind == 4 and i == low:
                # The four values of Peskin's kernel follow from one root (Peskin 2002, section 6).
                t = x[k, axis] - (i + 1)
                root = math.sqrt(1.0 + 4.0 * t * (1.0 - t))
                weight[k, axis, 0] = 0.125 * (3.0 - 2.0 * t - root)
                weight[k, axis, 1] = 0.125 * (3.0 - 2.0 * t + root)
                weight[k, axis, 2] = 0.125 * (1.0 + 2.0 * t + root)
                weight[k, axis, 3] = 0.125 * (1.0 + 2.0 * t - root)
            else:
                for m in range(4):
                    weight[k, axis, m] = phi(kind, x[k, axis] - (i + m))
        base[k] = first


@numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")
def spread(force, stride_y, stride_z, base, weight, fx, fy, fz):
    """Add the membrane's forces (V, 3) to the force field."""
    kind = fx.dtype.type
    for k in range(force.shape[0]):
        gx, gy, gz = kind(force[k, 0]), kind(force[k, 1]), kind(force[k, 2])
        # pyright counts the typing context, which Numba puts before the arguments of an intrinsic
        add_to_rows(fx, fy, fz, base[k], stride_y, stride_z, weight, k, gx, gy, gz)  # pyright: ignore[reportCallIssue]


@numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")
def interpolate(stride_y, stride_z, base, weight, ux, uy, uz, velocity):
    """Interpolate the flow to the membrane nodes: `velocity` (V, 3) is written."""
    for k in range(base.size):
        i = base[k]
        sums = sum_of_rows(ux, uy, uz, i, stride_y, stride_z, weight, k)  # pyright: ignore[reportCallIssue]
        velocity[k, 0], velocity[k, 1], velocity[k, 2] = sums


@numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")
def add_wall_forces(x, distance, stride_y, stride_z, strength, reach, force):
    """Add the wall's repulsion to `force` (V, 3); return the smallest wall distance of a node.

    Parameters
    ----------
    x
        Positions (V, 3), lattice units.
    distance
        Distance to the nearest wall at the grid's nodes, positive in the fluid, flat; it is interpolated trilinearly,
        and the force is the exact gradient of that.
    stride_y, stride_z
        Distance of neighbours along y and z in the flat grid.
    strength
        Largest force of each node (V,).
    reach
        d0, lattice units.
    """
    smallest = math.inf
    for k in range(x.shape[0]):
        ix, iy, iz = math.floor(x[k, 0]), math.floor(x[k, 1]), math.floor(x[k, 2])
        tx, ty, tz = x[k, 0] - ix, x[k, 1] - iy, x[k, 2] - iz
        i = ix + iy * stride_y + iz * stride_z
        d000, d100 = distance[i], distance[i + 1]
        d010, d110 = distance[i + stride_y], distance[i + stride_y + 1]
        i += stride_z
        d001, d101 = distance[i], distance[i + 1]
        d011, d111 = distance[i + stride_y], distance[i + stride_y + 1]
        d00, d10 = d000 + tx * (d100 - d000), d010 + tx * (d110 - d010)
        d01, d11 = d001 + tx * (d101 - d001), d011 + tx * (d111 - d011)
        low, high = d00 + ty * (d10 - d00), d01 + ty * (d11 - d01)
        d = low + tz * (high - low)
        smallest = min(smallest, d)
        if d < reach:
            push = strength[k] * (1.0 - d / reach) ** 2
            slope_low = (1 - ty) * (d100 - d000) + ty * (d110 - d010)
            slope_high = (1 - ty) * (d101 - d001) + ty * (d111 - d011)
            force[k, 0] += push * ((1 - tz) * slope_low + tz * slope_high)
            force[k, 1] += push * ((1 - tz) * (d10 - d00) + tz * (d11 - d01))
            force[k, 2] += push * (high - low)
    return smallest
