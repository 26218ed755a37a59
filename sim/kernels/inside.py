"""Where the inside of a membrane is on the lattice: its normals, spread and summed up along the rows of nodes.

The indicator I is 1 within and 0 without; its gradient is -n at the membrane (Unverdi & Tryggvason 1992, who solve a
Poisson equation for it). Spread with a kernel whose weights on the nodes of a row add up to 1, the x component can be
summed up along the row: no equation is to be solved, and I goes from 0 to 1 over the kernel's width about the membrane.
"""

import math

import numba

from sim.kernels.ibm import phi

BEFORE = 0.5 - 0.5 / math.sqrt(3.0)
"""First of Gauss's two points on an edge of unit length."""


@numba.njit(cache=True, nogil=True)
def spread_normals(kind, x, faces, shape, mark):
    """Add -n_x dA of a membrane, spread, to the nodes of the grid.

    Parameters
    ----------
    kind
        Width of the kernel: 2, 3 or 4.
    x
        Positions (V, d), lattice units.
    faces
        Outward-wound triangles (F, 3), in 2-D edges in counter-clockwise order (F, 2).
    shape
        Nodes of the grid along x, y and z, 1 in 2-D.
    mark
        Added to, flat.

    Notes
    -----
    Three points in each triangle (exact for quadratics), Gauss's two on each edge.
    """
    deep = x.shape[1] == 3
    for t in range(faces.shape[0]):
        a, b, c = faces[t, 0], faces[t, 1], faces[t, 2] if deep else faces[t, 1]
        if deep:
            area = 0.5 * ((x[b, 1] - x[a, 1]) * (x[c, 2] - x[a, 2]) - (x[b, 2] - x[a, 2]) * (x[c, 1] - x[a, 1]))
            area /= 3.0
        else:
            area = 0.5 * (x[b, 1] - x[a, 1])
        for q in range(3 if deep else 2):
            if deep:
                wa, wb, wc = 1 / 6 + 0.5 * (q == 0), 1 / 6 + 0.5 * (q == 1), 1 / 6 + 0.5 * (q == 2)
                z = wa * x[a, 2] + wb * x[b, 2] + wc * x[c, 2]
            else:
                wa, wc, z = BEFORE if q == 0 else 1.0 - BEFORE, 0.0, 0.0
                wb = 1.0 - wa
            px, py = wa * x[a, 0] + wb * x[b, 0] + wc * x[c, 0], wa * x[a, 1] + wb * x[b, 1] + wc * x[c, 1]
            _spread_point(kind, px, py, z, deep, -area, shape, mark)


@numba.njit(cache=True, nogil=True)
def _spread_point(kind, px, py, pz, deep, value, shape, mark):
    ix, iy, iz = math.floor(px) - 1, math.floor(py) - 1, math.floor(pz) - 1 if deep else 0
    for n in range(iz, iz + 4 if deep else 1):
        if deep and not 0 <= n < shape[2]:
            continue
        wz = phi(kind, pz - n) if deep else 1.0
        for m in range(iy, iy + 4):
            if not 0 <= m < shape[1]:
                continue
            row = (n * shape[1] + m) * shape[0]
            wy = value * wz * phi(kind, py - m)
            for k in range(max(ix, 0), min(ix + 4, shape[0])):
                mark[row + k] += wy * phi(kind, px - k)


@numba.njit(cache=True, nogil=True)
def add_inside(low, high, shape, share, mark, total):
    """Add `share` times the indicator to `total`, and clear the marks that it is summed up from.

    Parameters
    ----------
    low, high
        First and last nodes of the box in which the marks are (d,).
    shape
        Nodes of the grid along x, y and z, 1 in 2-D.
    share
        Factor on the indicator.
    mark
        As `spread_normals` left it for one membrane; zero afterwards, flat.
    total
        Added to, flat.
    """
    deep = low.size == 3
    for n in range(low[2] if deep else 0, high[2] + 1 if deep else 1):
        for m in range(low[1], high[1] + 1):
            row = (n * shape[1] + m) * shape[0]
            behind = 0.0
            for i in range(row + low[0], row + high[0] + 1):
                here = mark[i]
                # Where rows graze the membrane, points on it stand for it to some per cent.
                total[i] += share * min(1.0, max(0.0, behind + 0.5 * here))
                behind += here
                mark[i] = 0.0


@numba.njit(cache=True, nogil=True)
def set_rates(low, high, shape, slow, magic, fluidity, even, odd):
    """Set the relaxation rates of a box of nodes by their fluidity.

    Parameters
    ----------
    low, high, shape
        As in `add_inside`.
    slow
        τ - ½ of the fluid outside.
    magic
        Λ of two relaxation times; 0 for a single one.
    fluidity
        Viscosity outside over that at the node, flat.
    even, odd
        Output: rates of the even and of the odd moments, flat.
    """
    deep = low.size == 3
    for n in range(low[2] if deep else 0, high[2] + 1 if deep else 1):
        for m in range(low[1], high[1] + 1):
            row = (n * shape[1] + m) * shape[0]
            for i in range(row + low[0], row + high[0] + 1):
                here = slow / fluidity[i]
                even[i] = 1.0 / (0.5 + here)
                odd[i] = 1.0 / (0.5 + magic / here) if magic > 0.0 else even[i]
