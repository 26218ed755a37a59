"""``.rtdc`` files written with h5py alone: ellipses in a channel, as masks and pictures."""

from __future__ import annotations

import json

import h5py
import numpy as np
import zstandard

PIXEL = 0.34  # µm
HEIGHT, WIDTH = 40, 120


def ellipses(count=6, seed=0):
    """Masks (count, rows, columns) of ellipses along the channel, and their half axes (px)."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(9, 14, count), rng.uniform(5, 9, count)
    x, y = rng.uniform(30, 90, count), rng.uniform(17, 23, count)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return (
        ((columns - x[:, None, None]) / a[:, None, None]) ** 2 + ((rows - y[:, None, None]) / b[:, None, None]) ** 2
    ) < 1


def write_rtdc(path, count=6, change=None, **features):
    """Write a file with `features` besides image, mask, deform, area_um and pos_x; None leaves one out."""
    masks = ellipses(count)
    rng = np.random.default_rng(1)
    images = np.where(masks, 90, 150).astype(np.uint8) + rng.integers(0, 9, masks.shape, np.uint8)
    known = {
        "image": images,
        "mask": masks.astype(np.uint8) * 255,
        "deform": rng.uniform(0.01, 0.2, count),
        "area_um": rng.uniform(50, 90, count),
        "pos_x": (np.argwhere(masks.any(axis=1))[:, 1].mean() * PIXEL).repeat(count),
        "userdef3": np.arange(count),
    }
    with h5py.File(path, "w") as file:
        for name, values in (known | features).items():
            if values is not None:
                file[f"events/{name}"] = values
        file.attrs.update(
            {
                "experiment:event count": count,
                "experiment:date": "2026-01-01",
                "experiment:sample": "ellipses",
                "imaging:pixel size": PIXEL,
                "imaging:frame rate": 2000.0,
                "setup:channel width": 20.0,
                "setup:flow rate": 0.04,
                "setup:temperature": 23.0,
            }
        )
        if change:
            change(file)
    return path


def add_basin(file, name="b", **entries):
    """Write what a file says of a basin, in lines as dclab does."""
    basin = {"name": name, "type": "file", "format": "hdf5", "mapping": "same", "features": None} | entries
    lines = json.dumps(basin, indent=2).split("\n")
    file.create_dataset(f"basins/{name}", data=np.array(lines, dtype="S200"))


def zstd_array(group, name, values, chunk, shuffle=False, spoil=False):
    """Write an array packed by Zstandard with HDF5's own checksum, as cytometers do, without an HDF5 filter for it."""
    space = h5py.h5s.create_simple(values.shape)
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(chunk)
    if shuffle:
        properties.set_shuffle()
    # declared optional, so that HDF5 lets an array be made whose filter it does not have
    properties.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    kind = h5py.h5t.py_create(values.dtype, logical=True)
    data = h5py.h5d.create(group.id, name.encode(), kind, space, properties)
    grid = [range(0, n, c) for n, c in zip(values.shape, chunk, strict=True)]
    for corner in np.stack(np.meshgrid(*grid, indexing="ij"), -1).reshape(-1, values.ndim):
        part = np.zeros(chunk, values.dtype)
        piece = values[tuple(slice(c, c + k) for c, k in zip(corner, chunk, strict=True))]
        part[tuple(slice(n) for n in piece.shape)] = piece
        raw = part.tobytes()
        if shuffle:
            raw = np.frombuffer(raw, np.uint8).reshape(-1, values.dtype.itemsize).T.tobytes()
        packed = zstandard.ZstdCompressor().compress(raw)
        data.write_direct_chunk(tuple(map(int, corner)), packed[:-3] if spoil else packed)
    return h5py.Dataset(data)
