"""Slow twins of `bridge.kernels`."""

import itertools

import numpy as np


def cast_rays(place, faces, rows, columns):
    """Heights through a mesh at whole places, by solving for each triangle; no ray may pass through an edge."""
    through, hit = np.zeros((rows, columns)), np.zeros((rows, columns), bool)
    for y, x in itertools.product(range(rows), range(columns)):
        for face in faces:
            a, b, c = place[face]
            sides = np.array([b[:2] - a[:2], c[:2] - a[:2]]).T
            if abs(np.linalg.det(sides)) < 1e-12:
                continue
            u, v = np.linalg.solve(sides, np.array([x, y]) - a[:2])
            if u >= 0 and v >= 0 and u + v <= 1:
                through[y, x] += np.sign(np.linalg.det(sides)) * (a[2] + u * (b[2] - a[2]) + v * (c[2] - a[2]))
                hit[y, x] = True
    return through, hit


def cover(x, y, shape):
    """Area of the polygon within each pixel: cut along the pixel's four sides, one after the other."""

    def cut(corners, inward, level):
        kept = []
        for a, b in zip(corners, [*corners[1:], *corners[:1]], strict=True):
            here, there = a @ inward - level, b @ inward - level
            if here >= 0:
                kept.append(a)
            if here * there < 0:
                kept.append(a + here / (here - there) * (b - a))
        return kept

    covered = np.zeros(shape)
    for row, column in itertools.product(range(shape[0]), range(shape[1])):
        corners = [np.array(corner) for corner in zip(x, y, strict=True)]
        for inward, level in (((1, 0), column), ((-1, 0), -column - 1), ((0, 1), row), ((0, -1), -row - 1)):
            corners = cut(corners, np.array(inward), level) if corners else []
        if corners:
            cx, cy = np.array(corners).T
            covered[row, column] = abs(cx @ np.roll(cy, -1) - cy @ np.roll(cx, -1)) / 2
    return covered


def stamp(x, y, sigma, peak, window, shape):
    """Gaussians cut off at `window` standard deviations along either axis."""
    rows, columns = np.indices(shape)
    path = np.zeros(shape)
    for cx, cy, s, p in zip(x, y, sigma, peak, strict=True):
        near = (np.abs(columns - cx) <= window * s) & (np.abs(rows - cy) <= window * s)
        path += near * p * np.exp(-0.5 * ((columns - cx) ** 2 + (rows - cy) ** 2) / s**2)
    return path


def scatter(x, y, value, shape):
    """Each value shared among the four pixels around its place by area."""
    weight, total = np.zeros(shape), np.zeros(shape)
    for px, py, v in zip(x, y, value, strict=True):
        for row, column in itertools.product(range(shape[0]), range(shape[1])):
            share = max(0.0, 1 - abs(row - py)) * max(0.0, 1 - abs(column - px))
            weight[row, column] += share
            total[row, column] += share * v
    return weight, total


def expose(light, noise, flare, electrons, shot, read, scale, levels):
    """Grey values: electrons with their noise, scaled, rounded and cut off."""
    count = electrons * (flare + (1 - flare) * np.maximum(light, 0))
    count = count + np.sqrt(shot * count + read) * noise
    return np.clip(np.rint(scale * count), 0, levels)


def torsion_root(x, y, harmonic, profile):
    """The profile times the root of the torsion function."""
    z = x + 1j * y[:, None]
    value = sum(c * z**n for n, c in enumerate(harmonic)).real - np.abs(z) ** 2 / 4
    return profile * np.sqrt(np.maximum(value, 0))


def best_closed_gain(gain, price):
    """The most that a closed path can gain less what its moves cost, by trying every start."""
    points, steps = gain.shape
    moves = np.abs(np.subtract.outer(np.arange(steps), np.arange(steps)))
    cost = np.where(moves <= 2, 0.25 * price * moves**2, np.inf)
    best = -np.inf
    for start in range(steps):
        total = np.where(np.arange(steps) == start, gain[0], -np.inf)
        for row in range(1, points):
            total = (total[:, None] - cost).max(axis=0) + gain[row]
        best = max(best, float((total - cost[start]).max()))
    return best
