"""Slow, obvious NumPy twins of the kernels in sim.kernels."""

import numpy as np


def equilibrium(lattice, rho, u):
    """Return f_eq (q, …) for density (…) and velocity (…, d)."""
    cu = np.einsum("qd,...d->q...", lattice.c, u)
    uu = (u**2).sum(axis=-1)
    shape = (lattice.q,) + (1,) * rho.ndim
    return lattice.w.reshape(shape) * rho * (1 + 3 * cu + 4.5 * cu**2 - 1.5 * uu)


def guo_source(lattice, u, force):
    """Return the Guo source (q, …) before the factor 1 - ω/2, for velocity and force (…, d)."""
    cu = np.einsum("qd,...d->q...", lattice.c, u)
    cf = np.einsum("qd,...d->q...", lattice.c, force)
    uf = (u * force).sum(axis=-1)
    shape = (lattice.q,) + (1,) * uf.ndim
    return lattice.w.reshape(shape) * (3 * cf + 9 * cu * cf - 3 * uf)


def collide(lattice, f, force, omega_even, omega_odd, half_force=True):
    """Return populations (q, …) after a two-relaxation-time collision with Guo forcing, and the velocity used."""
    rho = f.sum(axis=0)
    momentum = np.einsum("qd,q...->...d", lattice.c, f) + (0.5 * force if half_force else 0)
    u = momentum / rho[..., None]
    opposite = lattice.opposite

    def even(a):
        return (a + a[opposite]) / 2

    def odd(a):
        return (a - a[opposite]) / 2

    off, source = f - equilibrium(lattice, rho, u), guo_source(lattice, u, force)
    after = f - omega_even * even(off) - omega_odd * odd(off)
    after += (1 - omega_even / 2) * even(source) + (1 - omega_odd / 2) * odd(source)
    return after, u


def stream(lattice, f, fluid, wall_velocity=None):
    """Return streamed populations (q, X, Y[, Z]) and the momentum given to the walls (d,).

    All axes are periodic; where the node upstream is not `fluid` (X, Y[, Z]), the population comes back
    from the node itself: half-way bounce-back off a wall of velocity `wall_velocity` (d,).
    """
    axes = tuple(range(lattice.d))
    velocity = np.zeros(lattice.d) if wall_velocity is None else np.asarray(wall_velocity)
    new = np.empty_like(f)
    to_walls = np.zeros(lattice.d)
    for q, opposite in enumerate(lattice.opposite):
        shift = tuple(lattice.c[q])
        new[q] = np.roll(f[q], shift, axis=axes)
        upstream_solid = ~np.roll(fluid, shift, axis=axes) & fluid
        back = f[opposite][upstream_solid] + 6 * lattice.w[q] * (lattice.c[q] @ velocity)
        new[q][upstream_solid] = back
        to_walls += (f[opposite][upstream_solid] + back).sum() * lattice.c[opposite]
    new[:, ~fluid] = 0
    return new, to_walls


def phi(kind, r):
    """Return the immersed-boundary kernel of width `kind` at distance `r`."""
    r = np.abs(r)
    if kind == 2:
        return np.maximum(0, 1 - r)
    if kind == 3:
        near = (1 + np.sqrt(np.maximum(0, 1 - 3 * r**2))) / 3
        far = (5 - 3 * r - np.sqrt(np.maximum(0, 1 - 3 * (1 - r) ** 2))) / 6
        return np.where(r < 0.5, near, np.where(r < 1.5, far, 0))
    near = (3 - 2 * r + np.sqrt(np.maximum(0, 1 + 4 * r - 4 * r**2))) / 8
    far = (5 - 2 * r - np.sqrt(np.maximum(0, -7 + 12 * r - 4 * r**2))) / 8
    return np.where(r < 1, near, np.where(r < 2, far, 0))


def weight_matrix(kind, x, shape):
    """Return the weight of every grid node (V, X, Y[, Z]) for membrane nodes `x` (V, d)."""
    result = np.ones((len(x), *(1,) * len(shape)))
    for axis, count in enumerate(shape):
        along = phi(kind, x[:, axis, None] - np.arange(count))
        result = result * along.reshape(len(x), *(count if a == axis else 1 for a in range(len(shape))))
    return result


def ring_energy(x, l0, theta0, ks, kb, kv, area0, multiplier, ka):
    """Return the energy of a ring of nodes (V, 2), per unit depth."""
    edge = np.roll(x, -1, axis=0) - x
    length = np.linalg.norm(edge, axis=1)
    before = np.roll(edge, 1, axis=0)
    cross = before[:, 0] * edge[:, 1] - before[:, 1] * edge[:, 0]
    theta = np.arctan2(cross, (before * edge).sum(axis=1))
    nxt = np.roll(x, -1, axis=0)
    area = (x[:, 0] * nxt[:, 1] - nxt[:, 0] * x[:, 1]).sum() / 2
    rest = len(x) * l0
    return (
        0.5 * ks / l0 * ((length - l0) ** 2).sum()
        + 0.5 * kb / l0 * ((theta - theta0) ** 2).sum()
        + 0.5 * kv * (area - area0) ** 2 / area0
        + multiplier * (area - area0)
        + 0.5 * ka * (length.sum() - rest) ** 2 / rest
    )


def wall_energy(x, distance, strength, reach):
    """Return the energy of nodes (V, d) near walls; `distance` (X, Y[, Z]) is interpolated (bi- or tri)linearly."""
    base = np.floor(x).astype(int)
    t = x - base
    d = np.zeros(len(x))
    for corner in np.ndindex(*(2,) * x.shape[1]):
        share = np.prod(np.where(corner, t, 1 - t), axis=1)
        d += share * distance[tuple((base + corner).T)]
    return (strength * reach / 3 * np.where(d < reach, 1 - d / reach, 0) ** 3).sum()


def gradient(energy, x, step):
    """Return dE/dx (V, 2) by central differences."""
    result = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        result[index] = (energy(up) - energy(down)) / (2 * step)
    return result


def flat_share(flatness):
    """Return how much of a flat membrane's missed velocity a node gets: all from a flatness of 0.95, none below 0.8."""
    return np.interp(flatness, [0.8, 0.95], [0.0, 1.0])


def ring_kink(x, force, strength):
    """Return the velocity that interpolation misses at the nodes of a ring: strength × tangential force per length."""
    before, after = x - np.roll(x, 1, axis=0), np.roll(x, -1, axis=0) - x
    chord = before + after
    length = np.linalg.norm(chord, axis=1, keepdims=True)
    share = flat_share(length / np.linalg.norm([before, after], axis=2).sum(axis=0)[:, None])
    tangent = chord / length
    return share * strength * (force * tangent).sum(axis=1, keepdims=True) * tangent / (length / 2)


def shell_kink(x, faces, force, strength):
    """Return the velocity that interpolation misses at the nodes of a shell: strength × tangential force per area."""
    velocity = np.zeros_like(x)
    for node in range(len(x)):
        own = faces[(faces == node).any(axis=1)]
        vectors = np.array([np.cross(x[j] - x[i], x[k] - x[i]) for i, j, k in own]) / 6
        area = np.linalg.norm(vectors.sum(axis=0))
        normal = vectors.sum(axis=0) / area
        share = flat_share(area / np.linalg.norm(vectors, axis=1).sum())
        velocity[node] = share * strength * (force[node] - (force[node] @ normal) * normal) / area
    return velocity
