"""Forces of a closed ring of nodes, each the exact gradient of an energy.

Energies (per unit depth), with edge lengths l, turning angles θ, area A, perimeter L and their
values at rest l0, θ0, A0, L0:

    stretching  ½ (ks / l0) (l - l0)²        per edge
    bending     ½ (kb / l0) (θ - θ0)²        per node
    area        ½ kv (A - A0)² / A0 + λ (A - A0)    once, λ being held
    perimeter   ½ ka (L - L0)² / L0          once
"""

import math

import numba

BENT, FLAT = 0.8, 0.95
"""Flatness (size of the sum of vectors over the sum of their sizes) of the membrane around a node below which, and from
which on, the velocity that interpolation misses is none and all of that of a flat membrane."""


@numba.njit(cache=True, nogil=True)
def flat_share(flatness):
    """Return the part of a flat membrane's missed velocity that a node gets: none at an edge or in a fold."""
    return min(1.0, max(0.0, (flatness - BENT) / (FLAT - BENT)))


@numba.njit(cache=True, nogil=True)
def ring_forces(x, l0, theta0, ks, kb, kv, area0, multiplier, ka, force):
    """Write the internal forces (V, 2) of a ring of nodes `x` (V, 2), counter-clockwise; return (A - A0)/A0.

    All edges have the length `l0` at rest; `theta0` (V,) is the angle by which the ring turns at each node.
    """
    count = x.shape[0]
    area = 0.0
    perimeter = 0.0
    for i in range(count):
        j = i + 1 if i + 1 < count else 0
        area += 0.5 * (x[i, 0] * x[j, 1] - x[j, 0] * x[i, 1])
        perimeter += math.hypot(x[j, 0] - x[i, 0], x[j, 1] - x[i, 1])
        force[i, 0] = 0.0
        force[i, 1] = 0.0
    strain = (area - area0) / area0
    pressure = -kv * strain - multiplier
    rest = count * l0
    tension_global = ka * (perimeter - rest) / rest
    for i in range(count):
        j = i + 1 if i + 1 < count else 0
        ex, ey = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1]
        length = math.hypot(ex, ey)
        pull = (ks * (length - l0) / l0 + tension_global) / length
        # Half of the pressure on the edge acts on either node: the gradient of the polygon's area.
        px, py = 0.5 * pressure * ey, -0.5 * pressure * ex
        force[i, 0] += pull * ex + px
        force[i, 1] += pull * ey + py
        force[j, 0] += -pull * ex + px
        force[j, 1] += -pull * ey + py
    for j in range(count):
        i = j - 1 if j > 0 else count - 1
        k = j + 1 if j + 1 < count else 0
        ax, ay = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1]
        bx, by = x[k, 0] - x[j, 0], x[k, 1] - x[j, 1]
        theta = math.atan2(ax * by - ay * bx, ax * bx + ay * by)
        moment = kb / l0 * (theta - theta0[j])
        aa, bb = ax * ax + ay * ay, bx * bx + by * by
        # dθ/dx_i = a⊥/|a|², dθ/dx_k = b⊥/|b|² with (x, y)⊥ = (-y, x); node j takes the rest.
        gix, giy = -ay / aa, ax / aa
        gkx, gky = -by / bb, bx / bb
        force[i, 0] -= moment * gix
        force[i, 1] -= moment * giy
        force[k, 0] -= moment * gkx
        force[k, 1] -= moment * gky
        force[j, 0] += moment * (gix + gkx)
        force[j, 1] += moment * (giy + gky)
    return strain


@numba.njit(cache=True, nogil=True)
def kink_velocity(x, force, strength, least, share, kink):
    """Let the part of a ring's velocity that interpolation misses at the kink of the flow follow the forces.

    Parameters
    ----------
    x, force
        Positions and forces (V, 2), lattice units.
    strength
        c/μ, see `sim.coupling`.
    least
        Length of membrane that a node stands for at the least: that at rest.
    share
        Of the way to its steady value that the velocity goes in a step.
    kink
        The velocity (V, 2), brought up to date.
    """
    count = x.shape[0]
    for j in range(count):
        i = j - 1 if j > 0 else count - 1
        k = j + 1 if j + 1 < count else 0
        tx, ty = x[k, 0] - x[i, 0], x[k, 1] - x[i, 1]
        chord = math.hypot(tx, ty)
        length = math.hypot(x[j, 0] - x[i, 0], x[j, 1] - x[i, 1]) + math.hypot(x[k, 0] - x[j, 0], x[k, 1] - x[j, 1])
        along = flat_share(chord / length) * (force[j, 0] * tx + force[j, 1] * ty) / max(chord * chord, 1e-300)
        steady = strength * along / max(0.5 * chord, least)
        kink[j, 0] += share * (steady * tx - kink[j, 0])
        kink[j, 1] += share * (steady * ty - kink[j, 1])


@numba.njit(cache=True, nogil=True)
def advance(x, velocity, force, mobility, kink):
    """Move nodes (V, d) by one step of v = u + F/γ + kink; return the largest slip |F/γ|.

    Parameters
    ----------
    x, force
        Positions and forces.
    velocity
        Velocity of the flow u; that of the nodes v is written in its place.
    mobility
        1/γ of each node (V,).
    kink
        Velocity (V, d) that interpolation misses, see `kink_velocity`.
    """
    largest = 0.0
    for k in range(x.shape[0]):
        square = 0.0
        for axis in range(x.shape[1]):
            slip = mobility[k] * force[k, axis]
            square += slip * slip
            velocity[k, axis] += slip + kink[k, axis]
            x[k, axis] += velocity[k, axis]
        largest = max(largest, square)
    return math.sqrt(largest)
