"""From measured values to the network's inputs; every scale is fitted on training cells alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.records import DatasetError
from learn.data import Cells

KNOTS = 101
"""Quantiles kept of each feature for alignment by rank: every per cent."""


@dataclass(frozen=True)
class Scaler:
    """The map from measured values to the network's inputs, fitted on training cells alone.

    Attributes
    ----------
    low, high
        Smallest and largest value of each feature (features,), mapped to 0 and 1 (paper, section 2.2).
    mean, std
        Mean and standard deviation of the pictures' pixels, mapped to 0 and 1.
    knots
        For datasets that are aligned: values of each feature in each dataset (datasets, features, knots) that are
        mapped to evenly spaced numbers from 0 to 1; empty otherwise. Two knots are the ends of a linear map.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    mean: float
    std: float
    knots: tuple[tuple[tuple[float, ...], ...], ...] = ()

    @classmethod
    def fit(cls, cells: Cells, rows: np.ndarray, align: str = "no") -> Scaler:
        """Fit the scales on the cells of `rows`; `align` is ``no``, ``minmax`` or ``rank``.

        Raises
        ------
        DatasetError
            If a feature or the pictures are missing of all of them.
        """
        features, images = cells.features[rows], cells.images[rows]
        _check_known(cells.names, features, "training cell")
        mean, std = 0.0, 1.0
        if images.size:
            images = images[np.isfinite(images[:, 0, 0, 0])]
            if not len(images):
                raise DatasetError("no training cell has a picture; use the preset features_only")
            mean, std = float(images.mean(dtype=float)), float(images.std(dtype=float)) or 1.0
        low, high = np.nanmin(features, axis=0), np.nanmax(features, axis=0)
        knots = () if align == "no" else tuple(_knots(cells, rows, k, align) for k in range(len(cells.datasets)))
        return cls(tuple(low.tolist()), tuple(high.tolist()), mean, std, knots)

    def apply(self, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
        """Return scaled features (N, features) and pictures (N, views, size, size), float32.

        Values beyond the training cells' range fall outside 0 to 1 and are not cut off; ranks end at 0 and 1.
        """
        images = (cells.images - np.float32(self.mean)) / np.float32(self.std)
        if not self.knots:
            return _linear(cells.features, np.array(self.low), np.array(self.high)).astype(np.float32), images
        features = np.empty_like(cells.features)
        for source, knots in enumerate(self.knots):
            rows = cells.source == source
            for column, values in enumerate(knots):
                features[rows, column] = _aligned(cells.features[rows, column], np.array(values))
        return features.astype(np.float32), images


def _linear(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return (values - low) / np.where(high > low, high - low, 1.0)


def _aligned(values: np.ndarray, knots: np.ndarray) -> np.ndarray:
    if len(knots) == 2:
        return _linear(values, knots[0], knots[1])
    level = np.linspace(0, 1, len(knots))
    # Equal knots stand for many equal cells: these get the middle of their ranks.
    unique, first, count = np.unique(knots, return_index=True, return_counts=True)
    ends = (np.interp(values, unique, level[first]), np.interp(values, unique, level[first + count - 1]))
    return (ends[0] + ends[1]) / 2


def _knots(cells: Cells, rows: np.ndarray, source: int, align: str) -> tuple[tuple[float, ...], ...]:
    features = cells.features[rows[cells.source[rows] == source]]
    name = cells.datasets[source]
    if not len(features):
        raise DatasetError(f"{name}: no cell of this dataset is trained on, so that it cannot be aligned")
    _check_known(cells.names, features, f"training cell of {name}")
    levels = np.linspace(0, 1, 2 if align == "minmax" else KNOTS)
    return tuple(tuple(np.nanquantile(column, levels).tolist()) for column in features.T)


def _check_known(names: tuple[str, ...], features: np.ndarray, whose: str) -> None:
    for name, column in zip(names, features.T, strict=True):
        if not np.isfinite(column).any():
            raise DatasetError(f"no {whose} has the feature {name!r}; leave it out of --features")
