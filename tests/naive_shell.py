"""Slow, obvious NumPy twins of the membrane's kernels in three dimensions, and shapes to try them on."""

import functools

import numpy as np


def shell_energy(x, rest, faces, *, ks=0.0, kb=0.0, ka_local=0.0, ka_global=0.0, kv=0.0, multiplier=0.0, law, c=1.0):
    """Return the energy of a membrane with nodes at `x` (V, 3) that is at rest at `rest`."""
    a, a0, v0 = areas(x, faces), areas(rest, faces), volume(rest, faces)
    change = volume(x, faces) - v0
    return (
        (stretching(x, rest, faces, ks, law, c) if ks else 0.0)
        + (bending(x, rest, faces, kb) if kb else 0.0)
        + 0.5 * ka_local * ((a - a0) ** 2 / a0).sum()
        + 0.5 * ka_global * (a.sum() - a0.sum()) ** 2 / a0.sum()
        + 0.5 * kv * change**2 / v0
        + multiplier * change
    )


def stretching(x, rest, faces, ks, law, c):
    """Return the energy of springs, or of faces by the eigenvalues of their deformation."""
    if law == "spring":
        i, j = hinges(faces)[:, :2].T
        return 0.5 * ks * ((np.linalg.norm(x[j] - x[i], axis=1) - np.linalg.norm(rest[j] - rest[i], axis=1)) ** 2).sum()
    gs = np.sqrt(3) / 4 * ks
    squares = np.linalg.svd(flat(x, faces) @ np.linalg.inv(flat(rest, faces)), compute_uv=False) ** 2
    i1, i2 = squares.sum(axis=1) - 2, squares.prod(axis=1) - 1
    if law == "neo-hookean":
        density = gs / 2 * (i1 - 1 + 1 / (i2 + 1))
    else:
        density = gs / 4 * (i1**2 + 2 * i1 - 2 * i2 + c * i2**2)
    return (areas(rest, faces) * density).sum()


def flat(x, faces):
    """Return two sides of each face as columns (F, 2, 2), in the plane of the face."""
    first, second = x[faces[:, 1]] - x[faces[:, 0]], x[faces[:, 2]] - x[faces[:, 0]]
    along = first / np.linalg.norm(first, axis=1)[:, None]
    across = second - (second * along).sum(axis=1)[:, None] * along
    across /= np.linalg.norm(across, axis=1)[:, None]
    return np.array([[(side * axis).sum(axis=1) for side in (first, second)] for axis in (along, across)]).transpose(
        2, 0, 1
    )


def bending(x, rest, faces, kb):
    """Return the energy of the hinges."""
    off = angles(x, faces) - angles(rest, faces)
    off = (off + np.pi) % (2 * np.pi) - np.pi
    return 4 * kb * (1 - np.cos(off / 2)).sum()


def angles(x, faces):
    """Return the angles of the hinges (E,), positive where convex."""
    i, j, k, m = (x[n] for n in hinges(faces).T)
    first, second = np.cross(j - i, k - i), np.cross(m - i, j - i)
    cosine = (first * second).sum(axis=1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    # Convex where the other face's third node lies below this face.
    return np.copysign(np.arccos(np.clip(cosine, -1, 1)), -(first * (m - i)).sum(axis=1))


def hinges(faces):
    """Return for each edge its nodes, as one face runs along it, and the third nodes of that and the other face."""
    return _hinges(tuple(map(tuple, faces.tolist())))


@functools.cache
def _hinges(faces):
    apex = {(f[k], f[(k + 1) % 3]): f[(k + 2) % 3] for f in faces for k in range(3)}
    return np.array([(i, j, k, apex[j, i]) for (i, j), k in apex.items() if i < j])


def areas(x, faces):
    """Return the areas of the faces (F,)."""
    return np.linalg.norm(np.cross(x[faces[:, 1]] - x[faces[:, 0]], x[faces[:, 2]] - x[faces[:, 0]]), axis=1) / 2


def volume(x, faces):
    """Return the enclosed volume."""
    return np.linalg.det(x[faces]).sum() / 6


def dashpots(x, velocity, faces, viscosity):
    """Return the forces (V, 3) of a dashpot of 4/√3 times the surface viscosity along each edge."""
    force = np.zeros_like(x)
    for i, j in hinges(faces)[:, :2]:
        along = (x[j] - x[i]) / np.linalg.norm(x[j] - x[i])
        pull = 4 / np.sqrt(3) * viscosity * ((velocity[j] - velocity[i]) @ along) * along
        force[i] += pull
        force[j] -= pull
    return force


def pillow(count, thickness=1e-7):
    """Return nodes and faces of two hexagonal sheets of equilateral triangles, joined at the rim, almost flat.

    The sides of the hexagon are `count` edges of length 1.
    """
    rim = {}
    nodes, faces = [], []
    for side in (1, -1):
        place = {}
        for q in range(-count, count + 1):
            for r in range(-count, count + 1):
                if abs(q + r) <= count:
                    edge = max(abs(q), abs(r), abs(q + r)) == count
                    if edge and (q, r) in rim:
                        place[q, r] = rim[q, r]
                        continue
                    place[q, r] = len(nodes)
                    if edge:
                        rim[q, r] = len(nodes)
                    nodes.append([q + r / 2, np.sqrt(3) / 2 * r, 0.0 if edge else side * thickness])
        for q, r in place:
            for other in ([(q + 1, r), (q, r + 1)], [(q, r + 1), (q - 1, r + 1)]):
                if all(n in place for n in other):
                    face = [place[q, r], place[other[0]], place[other[1]]]
                    faces.append(face[::side])
    return np.array(nodes), np.array(faces, dtype=np.int32)


def tube(around, rows):
    """Return nodes and faces of a closed tube of equilateral triangles of edge 1, and its radius.

    Parameters
    ----------
    around, rows
        Edges around and rows of triangles along the tube.
    """
    radius = around / (2 * np.pi)
    nodes = [[0.0, 0.0, 0.0], [0.0, 0.0, rows * np.sqrt(3) / 2]]
    for row in range(rows + 1):
        phi = 2 * np.pi * (np.arange(around) + row / 2) / around
        nodes += [[radius * np.cos(p), radius * np.sin(p), row * np.sqrt(3) / 2] for p in phi]
    faces = []
    for k in range(around):
        nxt = (k + 1) % around
        faces += [[0, 2 + nxt, 2 + k], [1, 2 + rows * around + k, 2 + rows * around + nxt]]
        for row in range(rows):
            here, above = 2 + row * around, 2 + (row + 1) * around
            faces += [[here + k, here + nxt, above + k], [here + nxt, above + nxt, above + k]]
    return np.array(nodes), np.array(faces, dtype=np.int32), radius


def oif_forces(x, velocity, rest, faces, *, ks=0.0, kslin=0.0, kb=0.0, kal=0.0, kag=0.0, kv=0.0, kvisc=0.0):
    """Return the forces (V, 3) of ESPResSo's object-in-fluid model, bond by bond; normals point inwards."""
    force = np.zeros_like(x)
    for i, j, k, m in hinges(faces):
        along, length, length0 = x[i] - x[j], np.linalg.norm(x[i] - x[j]), np.linalg.norm(rest[i] - rest[j])
        ratio = length / length0
        stiffening = (ratio**0.5 + ratio**-2.5) / (ratio + ratio**-3)
        pull = -(ks * stiffening + kslin) * (length - length0) * along / length
        pull += kvisc * (along @ (velocity[j] - velocity[i])) * along / length**2
        force[i] += pull
        force[j] -= pull
        first, second = _inward(x, k, i, j), _inward(x, m, j, i)
        moment = kb * (_oif_angle(x, i, j, k, m) - _oif_angle(rest, i, j, k, m))
        force[k] += moment * first
        force[m] += moment * second
        force[[i, j]] -= 0.5 * moment * (first + second)
    now, before = areas(x, faces), areas(rest, faces)
    strain = volume(x, faces) / volume(rest, faces) - 1
    for face, area, area0 in zip(faces, now, before, strict=True):
        to_centre = x[face].mean(axis=0) - x[face]
        change = kal * (area - area0) + kag * area * (now.sum() / before.sum() - 1)
        force[face] += change * to_centre / (to_centre**2).sum() + kv * strain * area / 3 * _inward(x, *face)
    return force


def _inward(x, i, j, k):
    normal = np.cross(x[k] - x[i], x[j] - x[i])
    return normal / np.linalg.norm(normal)


def _oif_angle(x, i, j, k, m):
    first, second = _inward(x, k, i, j), _inward(x, m, j, i)
    theta = np.pi - np.arccos(first @ second)
    return theta if first @ (x[m] - x[k]) >= 0 else 2 * np.pi - theta


def repulsion_energy(positions, strength, reach):
    """Return the energy of all pairs of nodes of different membranes, and their smallest distance."""
    total, smallest = 0.0, np.inf
    for a in range(len(positions)):
        for b in range(a):
            r = np.linalg.norm(positions[a][:, None] - positions[b], axis=2)
            total += (strength * reach / 3 * np.maximum(0, 1 - r / reach) ** 3).sum()
            smallest = min(smallest, r.min())
    return total, smallest if smallest < reach else np.inf
