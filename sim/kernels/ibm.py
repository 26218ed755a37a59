"""Immersed boundary: kernel weights, spreading and interpolation, adjoint to each other.

Kernels: 2-point hat, 3-point of Roma et al. 1999, 4-point of Peskin 2002. Positions are in lattice
units, node (i, j) of the grid at (i, j). The sums run in the order of the membrane nodes, so that
results do not depend on anything else.

The wall's repulsion of a node closer than d0 has the energy ⅓ kw d0 (1 - d/d0)³, kw being the node's largest force.
"""

import math

import numba
import numpy as np

KINK = {2: 0.167, 3: 0.266, 4: 0.381}
"""½ Σᵢ Σⱼ φ(X - i) φ(X - j) |i - j| of each kernel, averaged over X."""
SQUARE = {2: 2 / 3, 3: 1 / 2, 4: 3 / 8}
"""Σᵢ φ(X - i)² of each kernel, averaged over X."""


def missed_velocity(kernel, magic):
    """Return by how much spreading and interpolation fall short of the velocity of a membrane, in f dx/μ.

    Parameters
    ----------
    kernel
        Width of the kernel.
    magic
        Λ of the collision operator; (τ - ½)² with a single relaxation time.

    Notes
    -----
    A tangential force f per area of membrane puts a kink of f/μ into the slope of the velocity. Spread and interpolated
    with the same kernel, the velocity of the membrane comes out too small by c f dx/μ: a membrane feels more drag than
    it should, as if it were c dx thicker, and a film of fluid along a wall as if it were c dx thinner. The first
    part of c is that of the exact, piecewise linear velocity, averaged over the place of a flat membrane along the
    lattice (the correction for a known jump of the immersed interface method: Tan, Le, Li, Lim & Khoo 2008,
    J. Comput. Phys. 227). The second is what a force that varies from node to node adds in the lattice-Boltzmann
    solution, (¼ - ⅔ Λ) F/μ; measured here for four Λ.
    """
    return KINK[kernel] + (0.25 - 2 / 3 * magic) * SQUARE[kernel]


@numba.njit(cache=True, nogil=True)
def phi(kind, r):
    """Return the kernel of width `kind` (2, 3 or 4) at the distance `r` in lattice units."""
    r = abs(r)
    if kind == 4:
        if r < 1.0:
            return 0.125 * (3.0 - 2.0 * r + math.sqrt(1.0 + 4.0 * r - 4.0 * r * r))
        if r < 2.0:
            return 0.125 * (5.0 - 2.0 * r - math.sqrt(max(0.0, -7.0 + 12.0 * r - 4.0 * r * r)))
        return 0.0
    if kind == 3:
        if r < 0.5:
            return (1.0 + math.sqrt(1.0 - 3.0 * r * r)) / 3.0
        if r < 1.5:
            return (5.0 - 3.0 * r - math.sqrt(max(0.0, 1.0 - 3.0 * (1.0 - r) * (1.0 - r)))) / 6.0
        return 0.0
    return max(0.0, 1.0 - r)


@numba.njit(cache=True, nogil=True)
def weights(kind, x, shape, base, weight):
    """Find the lattice nodes around each membrane node and their weights.

    Parameters
    ----------
    kind
        Width of the kernel: 2, 3 or 4.
    x
        Positions (V, 2), lattice units.
    shape
        Nodes of the grid along each axis.
    base, weight
        Output: flat index of the first of 4 × 4 nodes (V,), and weights along each axis (V, 2, 4);
        narrower kernels have zeros.
    """
    for k in range(x.shape[0]):
        ix, iy = math.floor(x[k, 0]) - 1, math.floor(x[k, 1]) - 1
        base[k] = iy * shape[0] + ix
        for m in range(4):
            weight[k, 0, m] = phi(kind, x[k, 0] - (ix + m))
            weight[k, 1, m] = phi(kind, x[k, 1] - (iy + m))


@numba.njit(cache=True, nogil=True)
def spread(force, stride, base, weight, fx, fy):
    """Add the membrane's forces (V, 2) to the force field."""
    for k in range(force.shape[0]):
        for n in range(4):
            row = base[k] + n * stride
            for m in range(4):
                share = weight[k, 0, m] * weight[k, 1, n]
                fx[row + m] += share * force[k, 0]
                fy[row + m] += share * force[k, 1]


@numba.njit(cache=True, nogil=True)
def interpolate(stride, base, weight, ux, uy, velocity):
    """Interpolate the flow to the membrane nodes: `velocity` (V, 2) is written."""
    for k in range(base.size):
        sum_x = np.float64(0.0)
        sum_y = np.float64(0.0)
        for n in range(4):
            row = base[k] + n * stride
            for m in range(4):
                share = weight[k, 0, m] * weight[k, 1, n]
                sum_x += share * ux[row + m]
                sum_y += share * uy[row + m]
        velocity[k, 0] = sum_x
        velocity[k, 1] = sum_y


@numba.njit(cache=True, nogil=True)
def add_wall_forces(x, distance, stride, strength, reach, force):
    """Add the wall's repulsion to `force` (V, 2); return the smallest wall distance of a node.

    Parameters
    ----------
    x
        Positions (V, 2), lattice units.
    distance
        Distance to the nearest wall at the grid's nodes, positive in the fluid, flat; it is
        interpolated bilinearly, and the force is the exact gradient of that.
    stride
        Row length of the flat grid.
    strength
        kw: largest force of each node (V,).
    reach
        d0, lattice units.
    """
    smallest = math.inf
    for k in range(x.shape[0]):
        ix, iy = math.floor(x[k, 0]), math.floor(x[k, 1])
        tx, ty = x[k, 0] - ix, x[k, 1] - iy
        i = iy * stride + ix
        d00, d10 = distance[i], distance[i + 1]
        d01, d11 = distance[i + stride], distance[i + stride + 1]
        d = (1 - ty) * ((1 - tx) * d00 + tx * d10) + ty * ((1 - tx) * d01 + tx * d11)
        smallest = min(smallest, d)
        if d < reach:
            push = strength[k] * (1.0 - d / reach) ** 2
            force[k, 0] += push * ((1 - ty) * (d10 - d00) + ty * (d11 - d01))
            force[k, 1] += push * ((1 - tx) * (d01 - d00) + tx * (d11 - d10))
    return smallest
