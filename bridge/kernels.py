"""Loops over triangles, granules, waves and paths, compiled; the slow twins are in ``tests/naive_pictures.py``."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _left(ax, ay, bx, by, turned, x, y):  # pragma: no cover
    """Return twice the area between a point and the edge a → b, given from its lower node on, and if it lies left."""
    area = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    return -area if turned else area, (area >= 0.0) != turned


@njit(cache=True, nogil=True)
def cast_rays(place, faces, through, hit):  # pragma: no cover
    """Add to `through` the heights at which vertical rays leave a mesh less those at which they enter it.

    Parameters
    ----------
    place
        Nodes (V, 3): x and y in samples, the first sample at 0, and height (m).
    faces
        Triangles (F, 3).
    through
        Rays (rows, columns), m; added to.
    hit
        Rays that meet the mesh (rows, columns) bool; set.
    """
    rows, columns = through.shape
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        x0, x1, x2 = place[i, 0], place[j, 0], place[k, 0]
        y0, y1, y2 = place[i, 1], place[j, 1], place[k, 1]
        left, right = max(0, math.ceil(min(x0, x1, x2))), min(columns - 1, math.floor(max(x0, x1, x2)))
        top, bottom = max(0, math.ceil(min(y0, y1, y2))), min(rows - 1, math.floor(max(y0, y1, y2)))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                if i < j:
                    a, first = _left(x0, y0, x1, y1, False, x, y)
                else:
                    a, first = _left(x1, y1, x0, y0, True, x, y)
                if j < k:
                    b, second = _left(x1, y1, x2, y2, False, x, y)
                else:
                    b, second = _left(x2, y2, x1, y1, True, x, y)
                if first != second:
                    continue
                if k < i:
                    c, third = _left(x2, y2, x0, y0, False, x, y)
                else:
                    c, third = _left(x0, y0, x2, y2, True, x, y)
                if third != first:
                    continue
                area = a + b + c
                if area != 0.0:
                    height = (a * place[k, 2] + b * place[i, 2] + c * place[j, 2]) / area
                    through[y, x] += height if first else -height
                hit[y, x] = True


@njit(cache=True, nogil=True)
def _rise(xa, xb, rise, line):  # pragma: no cover
    """Add to a row of pixels what an edge from `xa` to `xb` ≥ `xa` covers on its right, as the change along the row."""
    last = len(line) - 1
    if xb > xa and xa < 0.0:
        inside = max(xb, 0.0) / (xb - xa)
        line[0] += rise * (1.0 - inside)
        rise *= inside
    xa, xb = max(xa, 0.0), max(xb, 0.0)
    if xb > last:
        rise *= 0.0 if xa >= last else (last - xa) / (xb - xa)
        xa, xb = min(xa, last), float(last)
    before = 0.0  # of the rise, covered in the pixel on the left
    for column in range(int(xa), min(last, int(xb)) + 1):
        low, high = max(xa, column), min(xb, column + 1.0)
        if xb > xa:
            share = (high - low) * (column + 1.0 - 0.5 * (low + high)) + max(0.0, low - xa)
            covered = share / (xb - xa)
        else:
            covered = column + 1.0 - xa
        line[column] += rise * (covered - before)
        before = covered
    column = min(last, int(xb)) + 1
    if column <= last:
        line[column] += rise * (1.0 - before)


@njit(cache=True, nogil=True)
def cover(x, y, covered):  # pragma: no cover
    """Write how much of each pixel lies within a polygon, 0 to 1.

    Parameters
    ----------
    x, y
        Corners (V,), px; the first pixel spans 0 to 1.
    covered
        Pixels (rows, columns + 1), zero; the last column is used on the way.
    """
    rows = covered.shape[0]
    for i in range(len(x)):
        j = i + 1 if i + 1 < len(x) else 0
        ax, ay, bx, by = x[i], y[i], x[j], y[j]
        turned = ay > by
        if turned:
            ax, ay, bx, by = bx, by, ax, ay
        if ay == by:
            continue
        lean = (bx - ax) / (by - ay)
        for row in range(max(0, math.floor(ay)), min(rows, math.ceil(by))):
            low, high = max(ay, row), min(by, row + 1.0)
            begin, end = ax + (low - ay) * lean, ax + (high - ay) * lean
            rise = low - high if turned else high - low
            _rise(min(begin, end), max(begin, end), rise, covered[row])
    for row in range(rows):
        total = 0.0
        for column in range(covered.shape[1]):
            total += covered[row, column]
            covered[row, column] = min(abs(total), 1.0)


@njit(cache=True, nogil=True, fastmath={"contract"})
def weighted_sums(weight, basis, sums):  # pragma: no cover
    """Write the sums of functions (terms, P) times pairs of weights (terms, 2) to `sums` (2, P)."""
    sums[:] = 0.0
    for term in range(basis.shape[0]):
        u, v = weight[term, 0], weight[term, 1]
        for p in range(basis.shape[1]):
            sums[0, p] += u * basis[term, p]
            sums[1, p] += v * basis[term, p]


@njit(cache=True, nogil=True)
def stamp(x, y, sigma, peak, window, path):  # pragma: no cover
    """Add Gaussians to `path`.

    Parameters
    ----------
    x, y
        Middles (G,), px; the middle of the first pixel is at 0.
    sigma
        Standard deviations (G,), px.
    peak
        Heights (G,).
    window
        Half-width of a stamp in standard deviations.
    path
        Pixels (rows, columns); added to.
    """
    rows, columns = path.shape
    along = np.empty(columns)
    for g in range(len(x)):
        reach = window * sigma[g]
        left, right = max(0, math.ceil(x[g] - reach)), min(columns - 1, math.floor(x[g] + reach))
        top, bottom = max(0, math.ceil(y[g] - reach)), min(rows - 1, math.floor(y[g] + reach))
        for column in range(left, right + 1):
            along[column] = peak[g] * math.exp(-0.5 * ((column - x[g]) / sigma[g]) ** 2)
        for row in range(top, bottom + 1):
            across = math.exp(-0.5 * ((row - y[g]) / sigma[g]) ** 2)
            for column in range(left, right + 1):
                path[row, column] += across * along[column]


@njit(cache=True, nogil=True)
def scatter(x, y, value, weight, total):  # pragma: no cover
    """Add values (P,) at places `x`, `y` (px) to the four pixels around in `total`, their shares to `weight`."""
    rows, columns = weight.shape
    for p in range(len(x)):
        left, top = math.floor(x[p]), math.floor(y[p])
        if left < 0 or top < 0 or left + 1 >= columns or top + 1 >= rows:
            continue
        right, lower = x[p] - left, y[p] - top
        for row, v in ((top, 1.0 - lower), (top + 1, lower)):
            for column, u in ((left, 1.0 - right), (left + 1, right)):
                weight[row, column] += u * v
                total[row, column] += u * v * value[p]


@njit(cache=True, nogil=True)
def add_power(waves, intensity):  # pragma: no cover
    """Add the squared moduli of waves (n, k, rows, columns) to intensities (k, rows, columns)."""
    for n in range(waves.shape[0]):
        for k in range(waves.shape[1]):
            for row in range(waves.shape[2]):
                for column in range(waves.shape[3]):
                    wave = waves[n, k, row, column]
                    intensity[k, row, column] += wave.real * wave.real + wave.imag * wave.imag


@njit(cache=True, nogil=True)
def expose(light, noise, flare, electrons, shot, read, scale, levels, grey):  # pragma: no cover
    """Write the grey values of a picture.

    Parameters
    ----------
    light
        Intensity (rows, columns) float32; 1 = nothing in the way.
    noise
        Of unit variance (rows, columns) float32.
    flare
        Share of the light that carries no picture.
    electrons
        Of a pixel that nothing shades.
    shot, read
        Variance of the noise: a share of the electrons, and of the reading (electrons²).
    scale, levels
        Grey values per electron, and the highest one.
    grey
        Grey values (rows, columns), unsigned; written to.
    """
    for row in range(light.shape[0]):
        for column in range(light.shape[1]):
            bright = flare + (np.float32(1.0) - flare) * max(light[row, column], np.float32(0.0))
            count = bright * electrons
            count += np.sqrt(shot * count + read) * noise[row, column]
            grey[row, column] = int(min(max(np.rint(count * scale), np.float32(0.0)), levels))


@njit(cache=True, nogil=True)
def torsion_root(x, y, harmonic, profile):  # pragma: no cover
    """Multiply a profile by √(w - r²/4), where that is positive, with w the real part of a polynomial.

    Parameters
    ----------
    x, y
        Middles of the columns and of the rows.
    harmonic
        Coefficients of the polynomial of x + iy, lowest first (terms,) complex.
    profile
        Pixels (rows, columns); changed in place, zeros stay.
    """
    for row in range(profile.shape[0]):
        for column in range(profile.shape[1]):
            if profile[row, column] == 0.0:
                continue
            z = complex(x[column], y[row])
            value = harmonic[-1]
            for term in range(len(harmonic) - 2, -1, -1):
                value = value * z + harmonic[term]
            height = value.real - 0.25 * (z.real * z.real + z.imag * z.imag)
            profile[row, column] *= math.sqrt(max(height, 0.0))


@njit(cache=True, nogil=True)
def closed_path(gain, price):  # pragma: no cover
    """Return, for each row of `gain` (points, steps), the step of a closed path of most gain.

    From one point to the next the path may move by two steps; a move costs `price` (Δstep)² / 4. Dynamic programming
    (Bellman) over three turns; the middle one is kept, whose ends have met.
    """
    points, steps = gain.shape
    total = np.zeros(steps)
    came = np.zeros((3 * points, steps), np.int64)
    new = np.zeros(steps)
    for row in range(3 * points):
        for step in range(steps):
            best = -np.inf
            for before in range(max(0, step - 2), min(steps, step + 3)):
                value = total[before] - 0.25 * price * (before - step) ** 2
                if value > best:
                    best = value
                    came[row, step] = before
            new[step] = best + gain[row % points, step]
        total[:] = new
    path = np.empty(3 * points, np.int64)
    step = np.argmax(total)
    for row in range(3 * points - 1, -1, -1):
        path[row] = step
        step = came[row, step]
    return path[points : 2 * points]
