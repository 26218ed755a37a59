"""Forces of ESPResSo's object-in-fluid model, as its version 4.1.2 computes them; no gradients of an energy.

With edge lengths l (λ = l/l0), hinge angles θ (positive where convex), face areas A, their centroids h and normals n,
total area S and volume V:

    stretching   ks (λ^½ + λ^-2.5)/(λ + λ^-3) (l - l0), or kslin (l - l0)              along the edge
    viscous      kvisc dl/dt                                                           along the edge
    bending      kb (θ - θ0) n on the third node of a face, -½ of it on the edge's     per face of a hinge
    local area   kal (A - A0) m_i/Σ|m|², m_i = h - x_i                                 per node of a face
    global area  kag A (S - S0)/S0 m_i/Σ|m|²                                           per node of a face
    volume       -⅓ kv (V - V0)/V0 A n                                                 per node of a face
    wall         a n d^-(n+1) along the wall's normal                                  per node closer than the cutoff

The bending forces sum to zero but turn an irregular mesh. The viscous force is `sim.kernels.shell.add_dashpots`.
"""

import math

import numba


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def edge_forces(x, edges, edge_faces, normal, length0, theta0, ks, kslin, kb, pull):
    """Write half the tension over length and the bending force of each edge (E, 2).

    Parameters
    ----------
    x, edges, edge_faces, normal
        As of `sim.kernels.shell.edge_moments`.
    length0, theta0
        At rest (E,).
    ks, kslin, kb
        Stretching constants (force per length) and bending constant (force per rad).
    pull
        Output (E, 2).
    """
    for e in range(edges.shape[0]):
        i, j, f, g = edges[e, 0], edges[e, 1], edge_faces[e, 0], edge_faces[e, 1]
        ex, ey, ez = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
        ax, ay, az = normal[f, 0], normal[f, 1], normal[f, 2]
        bx, by, bz = normal[g, 0], normal[g, 1], normal[g, 2]
        length = math.sqrt(ex * ex + ey * ey + ez * ez)
        ratio = length / length0[e]
        root = math.sqrt(ratio)
        # λ^-2.5 and λ^-3 multiplied through by λ^3
        stiffening = root * (ratio * ratio * ratio + 1.0) / (ratio * ratio * ratio * ratio + 1.0)
        cosine = ax * bx + ay * by + az * bz
        sine = (ex * (ay * bz - az * by) + ey * (az * bx - ax * bz) + ez * (ax * by - ay * bx)) / length
        pull[e, 0] = 0.5 * (ks * stiffening + kslin) * (length - length0[e]) / length
        pull[e, 1] = kb * (math.atan2(sine, cosine) - theta0[e])


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def node_forces(x, faces, face_edges, normal, pull, area0, kal, area_strain, pressure, force):
    """Write the forces on the nodes (V, 3).

    Parameters
    ----------
    x, faces, face_edges, normal, pull
        As of `sim.kernels.shell.node_forces`, `pull` as `edge_forces` writes it.
    area0
        Of the faces at rest (F,).
    kal, area_strain
        Constant of the local area, and kag (S - S0)/S0.
    pressure
        -kv (V - V0)/V0.
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
        squares = ax * ax + ay * ay + az * az + bx * bx + by * by + bz * bz + cx * cx + cy * cy + cz * cz
        area = 0.5 / normal[f, 3]
        # m_i is a third of the difference of the two edges at node i, Σ|m|² a third of the sum of squares.
        central = (kal * (area - area0[f]) + area_strain * area) / squares
        ta, tb, tc = pull[p, 0] + central, pull[q, 0] + central, pull[r, 0] + central
        push = pressure * area / 3.0 - 0.5 * (pull[p, 1] + pull[q, 1] + pull[r, 1])
        na, nb, nc = push + 1.5 * pull[p, 1], push + 1.5 * pull[q, 1], push + 1.5 * pull[r, 1]
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
def add_walls(x, planes, prisms, period, energy, exponent, cutoff, force):
    """Add the repulsion of all walls to the forces; return the smallest distance of a node, negative within a wall.

    Parameters
    ----------
    x
        Positions (V, 3).
    planes
        Axis, position and direction (±1) into the fluid of planes (P, 3).
    prisms
        Corners, counter-clockwise in the x-y plane, of convex prisms along z (B, 4, 2).
    period
        Length after which the prisms repeat themselves along x.
    energy, exponent, cutoff
        a, n and the distance at which the force drops to zero.
    force
        Added to (V, 3).
    """
    smallest = math.inf
    for w in range(planes.shape[0]):
        axis, at, side = int(planes[w, 0]), planes[w, 1], planes[w, 2]
        for k in range(x.shape[0]):
            d = side * (x[k, axis] - at)
            smallest = min(smallest, d)
            if 0.0 < d < cutoff:
                force[k, axis] += side * energy * exponent * d ** -(exponent + 1.0)
    for b in range(prisms.shape[0]):
        corner = prisms[b]
        left, right = corner[:, 0].min(), corner[:, 0].max()
        low, high = corner[:, 1].min(), corner[:, 1].max()
        middle = 0.5 * (left + right)
        for k in range(x.shape[0]):
            px, py = x[k, 0] - period * math.floor((x[k, 0] - middle) / period + 0.5), x[k, 1]
            if max(max(left - px, px - right), max(low - py, py - high)) > max(smallest, cutoff):
                continue
            d, nx, ny = _polygon_distance(px, py, corner)
            smallest = min(smallest, d)
            if 0.0 < d < cutoff:
                push = energy * exponent * d ** -(exponent + 1.0)
                force[k, 0] += push * nx
                force[k, 1] += push * ny
    return smallest


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _polygon_distance(x, y, corner):
    """Return distance and direction of a point from a convex polygon (4, 2), negative and outwards within."""
    nearest, nx, ny = math.inf, 0.0, 0.0
    deepest, inner_x, inner_y = -math.inf, 0.0, 0.0
    for a in range(4):
        ax, ay = corner[a, 0], corner[a, 1]
        ex, ey = corner[(a + 1) % 4, 0] - ax, corner[(a + 1) % 4, 1] - ay
        square = ex * ex + ey * ey
        if square == 0.0:
            continue
        px, py = x - ax, y - ay
        length = math.sqrt(square)
        across = (px * ey - py * ex) / length  # from the edge's line, outwards
        if across > deepest:
            deepest, inner_x, inner_y = across, ey / length, -ex / length
        t = min(max((px * ex + py * ey) / square, 0.0), 1.0)
        qx, qy = px - t * ex, py - t * ey
        distance = math.sqrt(qx * qx + qy * qy)
        if distance < nearest:
            nearest, nx, ny = distance, qx, qy
    if deepest <= 0.0:
        return deepest, inner_x, inner_y
    return nearest, nx / nearest, ny / nearest
