"""Forces of a closed triangulated membrane, each the exact gradient of an energy.

Energies, with edge lengths l, hinge angles θ, face areas A, total area S, volume V and their values at rest:

    stretching, spring       ½ ks (l - l0)²                                        per edge
    stretching, neo-Hookean  A0 Gs/2 (I1 - 1 + 1/(I2 + 1))                         per face
    stretching, Skalak       A0 Gs/4 (I1² + 2 I1 - 2 I2 + C I2²)                   per face
    bending                  4 kb (1 - cos((θ - θ0)/2)) ≈ ½ kb (θ - θ0)²           per edge
    local area               ½ ka_local (A - A0)²/A0                               per face
    global area              ½ ka_global (S - S0)²/S0                              once
    volume                   ½ kv (V - V0)²/V0 + λ (V - V0)                        once, λ being held

with Gs = √3/4 ks, I1 = λ1² + λ2² - 2, I2 = λ1² λ2² - 1. A dashpot along each edge adds membrane viscosity.

All forces in the plane of a face are tensions t_k of its edges and an isotropic tension σ of the face (I1 is a sum
of squared edge lengths, weighted with the cotangents of the face at rest; σ is such a sum with the cotangents of
now). All forces of bending are along the normals N: with μ = (dE/dθ)/l of the three edges e_k of a face, node i feels
N/|N|² e_i·Σ μ_k e_k. So a face needs its normal, its edge vectors and two numbers of each edge.

The bending energy has a torque that grows up to θ - θ0 = ±π, as the quadratic one, and needs no arc tangent.
"""

import math

import numba

from sim.kernels.membrane import flat_share

SPRING, NEO_HOOKEAN, SKALAK = 0, 1, 2


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def face_geometry(x, faces, normal):
    """Write the unit normal and 1/(2 A) of each face (F, 4); return volume and area."""
    volume = 0.0
    area = 0.0
    ox, oy, oz = x[0, 0], x[0, 1], x[0, 2]
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = x[i, 0], x[i, 1], x[i, 2]
        bx, by, bz = x[j, 0] - ax, x[j, 1] - ay, x[j, 2] - az
        cx, cy, cz = x[k, 0] - ax, x[k, 1] - ay, x[k, 2] - az
        nx, ny, nz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        size = math.sqrt(nx * nx + ny * ny + nz * nz)
        inverse = 1.0 / size
        normal[f, 0], normal[f, 1], normal[f, 2], normal[f, 3] = nx * inverse, ny * inverse, nz * inverse, inverse
        volume += (ax - ox) * nx + (ay - oy) * ny + (az - oz) * nz
        area += size
    return volume / 6.0, 0.5 * area


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def edge_moments(x, edges, edge_faces, normal, rest, ks, kb, pull):
    """Write half the spring tension over length and dE/dθ over length of each edge (E, 2).

    Parameters
    ----------
    x, edges, edge_faces
        Nodes (V, 3), and nodes and faces of the edges (E, 2).
    normal
        Of the faces, as `face_geometry` writes it.
    rest
        l0, cos θ0, sin θ0 of each edge (E, 3).
    ks, kb
        Stretching and bending constant.
    pull
        Output (E, 2).
    """
    for e in range(edges.shape[0]):
        i, j, f, g = edges[e, 0], edges[e, 1], edge_faces[e, 0], edge_faces[e, 1]
        ex, ey, ez = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
        ax, ay, az = normal[f, 0], normal[f, 1], normal[f, 2]
        bx, by, bz = normal[g, 0], normal[g, 1], normal[g, 2]
        inverse = 1.0 / math.sqrt(ex * ex + ey * ey + ez * ez)
        cosine = ax * bx + ay * by + az * bz
        sine = inverse * (ex * (ay * bz - az * by) + ey * (az * bx - ax * bz) + ez * (ax * by - ay * bx))
        sin_off = sine * rest[e, 1] - cosine * rest[e, 2]
        cos_off = cosine * rest[e, 1] + sine * rest[e, 2]
        # sin(φ/2), by the one of two forms that keeps its digits
        if cos_off > 0.0:
            half = sin_off / math.sqrt(2.0 + 2.0 * cos_off)
        else:
            half = math.copysign(math.sqrt(0.5 - 0.5 * cos_off), sin_off)
        pull[e, 0] = 0.5 * ks * (1.0 - rest[e, 0] * inverse)
        pull[e, 1] = 2.0 * kb * half * inverse


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def add_dashpots(x, velocity, edges, viscosity, pull):
    """Add half of c (dl/dt)/l to the tension over length of each edge; `viscosity` is c."""
    for e in range(edges.shape[0]):
        i, j = edges[e, 0], edges[e, 1]
        ex, ey, ez = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
        rate = ex * (velocity[j, 0] - velocity[i, 0])
        rate += ey * (velocity[j, 1] - velocity[i, 1]) + ez * (velocity[j, 2] - velocity[i, 2])
        pull[e, 0] += 0.5 * viscosity * rate / (ex * ex + ey * ey + ez * ez)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def face_tensions(x, faces, normal, rest, law, gs, skalak_c, ka_local, tension_global, plane):
    """Write dW/dI1 and the isotropic tension of each face (F, 2).

    Parameters
    ----------
    x, faces, normal
        As of `face_geometry`.
    rest
        Area and cotangents of the angles at rest (F, 4).
    law
        SPRING leaves dW/dI1 zero.
    gs, skalak_c, ka_local
        Shear modulus, Skalak's C, constant of the local area.
    tension_global
        Isotropic tension of all faces.
    plane
        Output (F, 2).
    """
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        area = 0.5 / normal[f, 3]
        ratio = area / rest[f, 0]
        tension = tension_global + ka_local * (ratio - 1.0)
        slope = 0.0
        if law == NEO_HOOKEAN:
            slope = 0.5 * gs
            tension -= gs / (ratio * ratio * ratio)
        elif law == SKALAK:
            sum_squares = 0.0
            for d in range(3):
                a, b, c = x[k, d] - x[j, d], x[i, d] - x[k, d], x[j, d] - x[i, d]
                sum_squares += rest[f, 1] * a * a + rest[f, 2] * b * b + rest[f, 3] * c * c
            i1 = 0.5 * sum_squares / rest[f, 0] - 2.0
            i2 = ratio * ratio - 1.0
            slope = 0.5 * gs * (i1 + 1.0)
            tension += gs * ratio * (skalak_c * i2 - 1.0)
        plane[f, 0] = slope
        plane[f, 1] = tension


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def node_forces(x, faces, face_edges, normal, pull, in_plane, plane, rest, pressure, force):
    """Write the forces of the membrane (V, 3).

    Parameters
    ----------
    x, faces, face_edges
        Nodes (V, 3), nodes of the faces and the edges opposite to them (F, 3).
    normal, pull, plane
        As the functions above write them.
    in_plane
        Whether `plane` is to be used.
    rest
        As of `face_tensions`.
    pressure
        Of the inside over the outside, as the volume's energy gives it.
    force
        Output (V, 3).
    """
    force[:] = 0.0
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        p, q, r = face_edges[f, 0], face_edges[f, 1], face_edges[f, 2]
        ax, ay, az = x[k, 0] - x[j, 0], x[k, 1] - x[j, 1], x[k, 2] - x[j, 2]
        bx, by, bz = x[i, 0] - x[k, 0], x[i, 1] - x[k, 1], x[i, 2] - x[k, 2]
        cx, cy, cz = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
        ab, bc, ca = ax * bx + ay * by + az * bz, bx * cx + by * cy + bz * cz, cx * ax + cy * ay + cz * az
        ta, tb, tc = pull[p, 0], pull[q, 0], pull[r, 0]
        if in_plane:
            isotropic = -0.5 * plane[f, 1] * normal[f, 3]
            ta += plane[f, 0] * rest[f, 1] + isotropic * bc
            tb += plane[f, 0] * rest[f, 2] + isotropic * ca
            tc += plane[f, 0] * rest[f, 3] + isotropic * ab
        ma, mb, mc = pull[p, 1], pull[q, 1], pull[r, 1]
        push = pressure / (6.0 * normal[f, 3])
        na = push + normal[f, 3] * (ab * (mb - ma) + ca * (mc - ma))
        nb = push + normal[f, 3] * (ab * (ma - mb) + bc * (mc - mb))
        nc = push + normal[f, 3] * (ca * (ma - mc) + bc * (mb - mc))
        nx, ny, nz = normal[f, 0], normal[f, 1], normal[f, 2]
        force[i, 0] += na * nx + tc * cx - tb * bx
        force[i, 1] += na * ny + tc * cy - tb * by
        force[i, 2] += na * nz + tc * cz - tb * bz
        force[j, 0] += nb * nx + ta * ax - tc * cx
        force[j, 1] += nb * ny + ta * ay - tc * cy
        force[j, 2] += nb * nz + ta * az - tc * cz
        force[k, 0] += nc * nx + tb * bx - ta * ax
        force[k, 1] += nc * ny + tb * by - ta * ay
        force[k, 2] += nc * nz + tb * bz - ta * az


@numba.njit(cache=True, nogil=True, error_model="numpy")
def find_extremes(edge_faces, face_edges, normal, area0, worst):
    """Find the most stretched, the most shrunk and the most folded face.

    A face is folded by the middle one of the cosines between its normal and its neighbours': near -1 it lies upside
    down against two of them at least, as a triangle does that is turned over alone or with one other; along a sharp
    fold of the membrane it does not.

    Parameters
    ----------
    edge_faces, face_edges
        Faces of each edge (E, 2), edges of each face (F, 3).
    normal
        As `face_geometry` writes it.
    area0
        At rest (F,).
    worst
        Output: A/A0 of the most stretched and most shrunk face and the cosine of the most folded one (3,); NaN
        where a face is not finite.

    Returns
    -------
    stretched, shrunk, folded
        Indices of the faces.
    """
    worst[0], worst[1], worst[2] = 0.0, math.inf, math.inf
    stretched, shrunk, folded = 0, 0, 0
    for f in range(face_edges.shape[0]):
        ratio = 0.5 / (normal[f, 3] * area0[f])
        if not math.isfinite(ratio):
            worst[:] = math.nan
            return f, f, f
        least, most, total = math.inf, -math.inf, 0.0
        for m in range(3):
            e = face_edges[f, m]
            g = edge_faces[e, 0] + edge_faces[e, 1] - f
            cosine = normal[f, 0] * normal[g, 0] + normal[f, 1] * normal[g, 1] + normal[f, 2] * normal[g, 2]
            least, most, total = min(least, cosine), max(most, cosine), total + cosine
        if ratio > worst[0]:
            worst[0], stretched = ratio, f
        if ratio < worst[1]:
            worst[1], shrunk = ratio, f
        if total - least - most < worst[2]:
            worst[2], folded = total - least - most, f
    return stretched, shrunk, folded


@numba.njit(cache=True, nogil=True)
def kink_velocity(faces, normal, force, strength, least, share, area, kink):
    """Let the part of a membrane's velocity that interpolation misses at the kink of the flow follow the forces.

    Parameters
    ----------
    faces, normal
        Nodes of the faces (F, 3), and what `face_geometry` wrote of them.
    force
        On the nodes (V, 3), lattice units.
    strength
        c/μ, see `sim.coupling`.
    least
        Area that a node stands for at the least: that at rest.
    share
        Of the way to its steady value that the velocity goes in a step.
    area
        Memory (V, 4).
    kink
        The velocity (V, 3), brought up to date.
    """
    area[:] = 0.0
    for f in range(faces.shape[0]):
        third = 1.0 / (6.0 * normal[f, 3])
        for corner in range(3):
            node = faces[f, corner]
            for d in range(3):
                area[node, d] += third * normal[f, d]
            area[node, 3] += third
    for k in range(force.shape[0]):
        square = area[k, 0] ** 2 + area[k, 1] ** 2 + area[k, 2] ** 2
        across = (force[k, 0] * area[k, 0] + force[k, 1] * area[k, 1] + force[k, 2] * area[k, 2]) / square
        size = math.sqrt(square)
        factor = strength * flat_share(size / area[k, 3]) / max(size, least)
        for d in range(3):
            kink[k, d] += share * (factor * (force[k, d] - across * area[k, d]) - kink[k, d])
