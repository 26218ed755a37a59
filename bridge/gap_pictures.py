"""How well pictures of two datasets can be told apart: a two-sample classifier, and nearest neighbours.

If no classifier does better than chance (AUC 0.5) on pictures it has not seen, the two sets look the same to it. Groups
are kept whole between its folds, so that near copies of a run do not give it away.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bridge.records import Dataset, DatasetError

SIZE = 32
"""Edge of the pictures that are compared (px)."""

_COMPONENTS = 20
_BINS = 8  # rings of the spectrum
_FOLDS = 5
_DRAWS = 1000  # of the bootstrap


class Pictures(NamedTuple):
    """Pictures of one dataset, brought to the size at which they are compared."""

    images: np.ndarray
    """(cells, SIZE, SIZE) float32, black 0 to white 1."""
    groups: np.ndarray
    """What each belongs to (cells,)."""


def take(dataset: Dataset, view: str, most: int, field: float, seed: int) -> Pictures:
    """Return pictures of one view.

    Parameters
    ----------
    dataset
        In memory or on disk.
    view
        Its name.
    most
        Cells drawn, if there are more.
    field
        Edge of what is shown of each (m); NaN: the whole picture, where a pixel size is not known.
    seed
        Draws the cells.

    Raises
    ------
    DatasetError
        If no cell has this view.
    """
    if dataset.images is None or dataset.views_present is None or view not in dataset.views:
        raise DatasetError(
            f"no view {view!r}; it holds {', '.join(dataset.views) if dataset.images is not None else 'none'}"
        )
    place = list(dataset.views).index(view)
    rows = np.flatnonzero(dataset.views_present[:, place])
    if len(rows) == 0:
        raise DatasetError(f"no cell has the view {view!r}")
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    scale = np.float32(np.iinfo(dataset.images.dtype).max)
    pixels = (
        dataset.table["pixel_size"].to_numpy(float) if "pixel_size" in dataset.table else np.full(len(dataset), np.nan)
    )
    images = np.stack([_brought(np.asarray(dataset.images[int(i), place]) / scale, pixels[i], field) for i in rows])
    named = [group or cell for group, cell in zip(dataset.table["group"], dataset.table["cell_id"], strict=True)]
    return Pictures(images, np.array(named)[rows])


def common_field(one: Dataset, other: Dataset) -> float:
    """Return the edge of the square that the pictures of both show (m), NaN if a pixel size is not known."""
    edges = []
    for dataset in (one, other):
        if dataset.images is None or "pixel_size" not in dataset.table:
            return np.nan
        edges.append(float(np.min(dataset.table["pixel_size"])) * min(dataset.images.shape[2:]))
    return min(edges)


def _brought(picture: np.ndarray, pixel: float, field: float) -> np.ndarray:
    """Return the middle of a picture at the common size."""
    from PIL import Image

    height, width = picture.shape
    edge = min(height, width) if np.isnan(field) else min(max(2.0, field / pixel), height, width)
    left, top = (width - edge) / 2, (height - edge) / 2
    grey = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    # a reducing filter, so that the finer pictures are averaged and not merely thinned out
    kind = Image.Resampling.BOX if edge > SIZE else Image.Resampling.BILINEAR
    return np.asarray(grey.resize((SIZE, SIZE), kind, box=(left, top, left + edge, top + edge)))


def normalised(images: np.ndarray) -> np.ndarray:
    """Return pictures of mean 0 and standard deviation 1 each: without their brightness and contrast."""
    flat = images.reshape(len(images), -1)
    spread = np.maximum(flat.std(axis=1), 1e-6)
    return ((flat - flat.mean(axis=1, keepdims=True)) / spread[:, None]).reshape(images.shape)


def describe(images: np.ndarray) -> np.ndarray:
    """Return simple features of pictures (cells, features): grey values, gradients, and the spectrum in rings."""
    flat = images.reshape(len(images), -1)
    along, across = np.gradient(images, axis=(1, 2))
    steep = np.hypot(along, across).reshape(len(images), -1)
    power = np.abs(np.fft.rfft2(images - images.mean(axis=(1, 2), keepdims=True))) ** 2
    radius = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None, :])
    ring = np.minimum((radius / 0.5 * _BINS).astype(int), _BINS - 1)
    rings = np.stack([np.log10(power[:, ring == k].mean(axis=1) + 1e-9) for k in range(_BINS)], axis=1)
    grey = np.percentile(flat, [5, 25, 50, 75, 95], axis=1).T
    return np.column_stack([flat.mean(1), flat.std(1), grey, steep.mean(1), steep.std(1), rings])


def separability(one: Pictures, other: Pictures, seed: int) -> dict[str, Any]:
    """Return the AUC of a classifier that tells pictures of one dataset from those of another.

    Returns
    -------
    dict
        ``auc``, ``low``, ``high`` (95 % bootstrap interval over groups), ``pictures`` of each; AUC None if there are
        too few groups for two folds.

    Notes
    -----
    Features of `describe` and 20 principal components of the grey values, fitted on the training folds; the mean of the
    probabilities of a logistic regression and of a random forest, each on cells it has not seen.
    """
    from sklearn.metrics import roc_auc_score

    images = np.concatenate([one.images, other.images])
    target = np.repeat([0, 1], [len(one.images), len(other.images)])
    groups = np.concatenate([np.char.add("a ", one.groups.astype(str)), np.char.add("b ", other.groups.astype(str))])
    counts = {"pictures": [len(one.images), len(other.images)]}
    fewest = min(len(np.unique(groups[target == k])) for k in (0, 1))
    if fewest < 2:
        return {"auc": None, "low": None, "high": None, **counts}
    scores = _unseen_scores(images, target, groups, min(_FOLDS, fewest), seed)
    low, high = _interval(scores, target, groups, seed)
    return {"auc": float(roc_auc_score(target, scores)), "low": low, "high": high, **counts}


def _unseen_scores(images: np.ndarray, target: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from bridge.splits import divide

    simple, flat = describe(images), images.reshape(len(images), -1)
    parts = divide(target.astype(str), groups, folds, seed)
    scores = np.empty(len(images))
    for part in range(folds):
        train, test = parts != part, parts == part
        count = min(_COMPONENTS, int(train.sum()) - 1)
        components = PCA(count, svd_solver="randomized", random_state=seed).fit(flat[train])
        rows = [np.column_stack([simple[side], components.transform(flat[side])]) for side in (train, test)]
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, class_weight="balanced"))
        forest = RandomForestClassifier(100, min_samples_leaf=3, class_weight="balanced", random_state=seed)
        fitted = [model.fit(rows[0], target[train]).predict_proba(rows[1])[:, 1] for model in (linear, forest)]
        scores[test] = np.mean(fitted, axis=0)
    return scores


def _interval(scores: np.ndarray, target: np.ndarray, groups: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the AUC where groups are drawn anew, each dataset on its own."""
    rng = np.random.default_rng(seed)
    members = [[np.flatnonzero(groups == name) for name in np.unique(groups[target == k])] for k in (0, 1)]
    values = []
    for _ in range(_DRAWS):
        drawn = [np.concatenate([side[i] for i in rng.integers(0, len(side), len(side))]) for side in members]
        values.append(_auc(scores[drawn[0]], scores[drawn[1]]))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _auc(low: np.ndarray, high: np.ndarray) -> float:
    """Return the chance that a score of `high` is above one of `low`, ties counting half."""
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, side="left") + np.searchsorted(ordered, high, side="right")
    return float(below.mean() / (2 * len(low)))


class Neighbours(NamedTuple):
    """Pictures and those of the other dataset that are nearest to them."""

    asked: np.ndarray
    """Indices of the pictures looked up (pictures,)."""
    nearest: np.ndarray
    """Index of the nearest in the other dataset (pictures,)."""
    distance: np.ndarray
    """How far the nearest of the other dataset is, for all pictures (cells,)."""
    own: np.ndarray
    """How far the nearest of the same dataset and another group is, for all pictures (cells,)."""


def neighbours(one: Pictures, other: Pictures, count: int, seed: int) -> Neighbours:
    """Return nearest neighbours in `other` of pictures of `one`, in principal components of the normalised pictures."""
    from sklearn.decomposition import PCA

    both = normalised(np.concatenate([one.images, other.images])).reshape(len(one.images) + len(other.images), -1)
    size = min(_COMPONENTS, len(both) - 1)
    places = PCA(size, svd_solver="randomized", random_state=seed).fit_transform(both)
    mine, theirs = places[: len(one.images)], places[len(one.images) :]
    near, own = np.empty(len(mine), int), np.full(len(mine), np.nan)
    distance = np.empty(len(mine))
    for i, place in enumerate(mine):
        apart = np.linalg.norm(theirs - place, axis=1)
        near[i], distance[i] = int(apart.argmin()), float(apart.min())
        others = one.groups != one.groups[i]
        if others.any():
            own[i] = np.linalg.norm(mine[others] - place, axis=1).min()
    asked = np.random.default_rng(seed).choice(len(mine), min(count, len(mine)), replace=False)
    return Neighbours(np.sort(asked), near[np.sort(asked)], distance, own)
