"""What deformability cytometry measures of a mask: contour and convex contour through the centres of its outer pixels.

The definitions are those of dclab and dcnum (area, circularity and position of the convex contour), so that numbers
written into a ``.rtdc`` file mean what its readers take them for. They are not the deformation index of this project.
"""

from __future__ import annotations

import numpy as np


def contour_features(mask: np.ndarray, pixel_size: float) -> dict[str, float]:
    """Return features of a mask by their names in ``.rtdc`` files; none for a mask without extent.

    Parameters
    ----------
    mask
        Rows, columns; true within.
    pixel_size
        Pixel at the sample (µm).

    Returns
    -------
    dict
        ``area_um`` (µm²), ``deform`` (1 - circularity), ``pos_x``, ``pos_y``, ``size_x``, ``size_y`` (µm), ``aspect``.
    """
    from scipy.spatial import ConvexHull, QhullError

    rows, columns = np.nonzero(mask)
    if rows.size < 3:
        return {}
    # the leftmost and rightmost pixels of each row are all that the convex contour can touch
    first = np.diff(rows, prepend=-1) != 0
    last = np.diff(rows, append=-1) != 0
    points = np.stack([columns, rows], axis=1)[first | last].astype(float)
    try:
        hull = ConvexHull(points)
    except QhullError:
        return {}
    ring = points[hull.vertices]
    after = np.roll(ring, -1, axis=0)
    cross = ring[:, 0] * after[:, 1] - after[:, 0] * ring[:, 1]
    area, perimeter = float(hull.volume), float(hull.area)  # Qhull's names are those of a solid
    centre = ((ring + after) * cross[:, None]).sum(axis=0) / (6 * cross.sum() / 2)
    length, height = int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1
    return {
        "area_um": area * pixel_size**2,
        "deform": 1 - 2 * np.sqrt(np.pi * area) / perimeter,
        "pos_x": float(centre[0]) * pixel_size,
        "pos_y": float(centre[1]) * pixel_size,
        "size_x": length * pixel_size,
        "size_y": height * pixel_size,
        "aspect": length / height,
    }
