"""Several Datasets as one: what one of them lacks is missing there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bridge.records import Dataset, DatasetError


def merge(datasets: Sequence[Dataset]) -> Dataset:
    """Return several datasets as one, with the views of all.

    Raises
    ------
    DatasetError
        If units or picture sizes differ, or a cell's name occurs twice.
    """
    if len(datasets) == 1:
        return datasets[0]
    units = common_units(datasets)
    table = pd.concat([dataset.table for dataset in datasets], ignore_index=True)
    twice = table.loc[table["cell_id"].duplicated(), "cell_id"].to_list()
    if twice:
        raise DatasetError(f"cell {twice[0]!r} occurs in two sources; rename it or give one source only")
    text = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    table[text] = table[text].fillna("")
    descriptions = {name: text for dataset in reversed(datasets) for name, text in dataset.descriptions.items()}
    pictured = [dataset for dataset in datasets if dataset.images is not None]
    views = tuple(dict.fromkeys(view for dataset in pictured or datasets for view in dataset.views))
    sources = [source for dataset in datasets for source in dataset.meta["sources"]]
    images, masks, present = _pictures(datasets, views) if pictured else (None, None, None)
    return Dataset(table, units, descriptions, images, masks, present, views, {"sources": sources})


def common_units(datasets: Sequence[Dataset]) -> dict[str, str]:
    """Return the unit of each column.

    Raises
    ------
    DatasetError
        If two datasets have one in different units.
    """
    units: dict[str, str] = {}
    for dataset in datasets:
        for name, unit in dataset.units.items():
            if units.setdefault(name, unit) != unit:
                raise DatasetError(
                    f"{name} is in {units[name]!r} in one source and {unit!r} in another; "
                    "ingest them into files of their own, and train on each alone"
                )
    return units


def _pictures(datasets: Sequence[Dataset], views: Sequence[str]) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Return pictures, masks and which pictures exist, the views being `views`."""
    shapes = {(d.images.shape[2:], str(d.images.dtype)) for d in datasets if d.images is not None}
    if len(shapes) > 1:
        listed = ", ".join(f"{dtype} {shape[1]} x {shape[0]} px" for shape, dtype in sorted(shapes))
        raise DatasetError(f"pictures of different sizes or depths: {listed}; bring all to one, or ingest apart")
    ((shape, dtype),) = shapes
    total = sum(map(len, datasets))
    images = np.zeros((total, len(views), *shape), dtype)
    present = np.zeros(images.shape[:2], bool)
    masks = np.zeros(images.shape, np.uint8) if any(d.masks is not None for d in datasets) else None
    start = 0
    for dataset in datasets:
        rows = slice(start, start + len(dataset))
        start = rows.stop
        if dataset.images is None or dataset.views_present is None:
            continue
        for j, view in enumerate(dataset.views):
            k = views.index(view)
            images[rows, k], present[rows, k] = dataset.images[:, j], dataset.views_present[:, j]
            if masks is not None and dataset.masks is not None:
                masks[rows, k] = dataset.masks[:, j]
    return images, masks, present
