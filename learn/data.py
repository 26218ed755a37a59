"""From Datasets to arrays: labels to classes, pictures to one size."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from bridge.records import Dataset, DatasetError, read_dataset
from learn.config import TrainConfig

OWN_GROUP = "cell "
"""Before the name of a cell for which no group is recorded, it names the group of that cell alone."""


@dataclass(frozen=True)
class Cells:
    """Cells of one or several datasets, as arrays; row i of each is the same cell.

    Attributes
    ----------
    ids
        Name of the cell, after its dataset's where there are several (N,).
    labels
        Index into `classes` (N,); -1 where it is not known and need not be.
    classes
        Names of the classes.
    source
        Index into `datasets` (N,).
    datasets
        Names of the datasets.
    simulated
        Whether the cell was simulated (N,) bool.
    groups
        Run, donor, day or chip (N,); a cell without one is a group of its own.
    split, fold
        The dataset's own assignment (N,): train, test or empty; -1 or the number of the fold.
    features
        Measured features (N, features) float64 in `units`; no column where the model reads none. For a model with
        masks, NaN where a feature is missing.
    names, units
        Names and units of the features.
    own_units
        The same of each dataset (datasets, features), which differ only where they are aligned; empty where a dataset
        has no such feature.
    images
        Pictures (N, views, size, size) float32, black 0 to white 1; size 0 where the model reads none. For a model
        with masks, NaN throughout for a cell without pictures.
    notes
        What the user ought to know about how these arrays came about.
    """

    ids: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    source: np.ndarray
    datasets: tuple[str, ...]
    simulated: np.ndarray
    groups: np.ndarray
    split: np.ndarray
    fold: np.ndarray
    features: np.ndarray
    names: tuple[str, ...]
    units: tuple[str, ...]
    images: np.ndarray
    notes: tuple[str, ...] = ()
    own_units: tuple[tuple[str, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


def load_cells(paths: Sequence[Path | str], config: TrainConfig, labelled: bool = True) -> Cells:
    """Read datasets and pool their cells.

    Parameters
    ----------
    paths
        Dataset files; the order decides the order of the cells.
    config
        Says which features, views, picture size and classes.
    labelled
        Whether each cell must have one of the classes, and each class a cell.

    Raises
    ------
    DatasetError
        If a dataset cannot be read or lacks what the model needs; the text says what and what to do.
    """
    if not paths:
        raise DatasetError(
            "no dataset given: add --dataset cells.h5 (made by `python -m bridge.build` or bridge.ingest)"
        )
    names = [Path(path).stem for path in paths]
    if len(set(map(str, paths))) < len(paths):
        raise DatasetError(f"--dataset {' '.join(map(str, paths))}: a file stands twice; leave one out")
    if config.align != "no" and len(set(names)) < len(names):
        raise DatasetError(
            f"--dataset {' '.join(map(str, paths))}: aligned datasets are told apart by their files' names, "
            "and two have the same; rename one"
        )
    datasets = [read_dataset(path) for path in paths]
    if labelled and config.others == "leave-out":
        datasets = [_of_classes(data, name, config) for data, name in zip(datasets, names, strict=True)]
    return pool(datasets, names, config, labelled)


def pool(datasets: list[Dataset], names: list[str], config: TrainConfig, labelled: bool = True) -> Cells:
    """Pool the cells of datasets of these names; see `load_cells`."""
    if config.weights and len(config.weights) != len(datasets):
        raise DatasetError(
            f"--weights {' '.join(map(str, config.weights))}: give one for each of {len(datasets)} datasets"
        )
    classes, labels = _labels(datasets, names, config) if labelled else (config.classes, _known(datasets, config))
    units = _units(datasets, names, config, labelled) if config.uses_features else ()
    notes = _scale_notes(datasets, names, config)
    features = [_features(data, name, config) for name, data in zip(names, datasets, strict=True)]
    images = [_images(data, name, config) for name, data in zip(names, datasets, strict=True)]
    if config.masks:
        _check_known(np.concatenate(features), np.concatenate(images), _ids(datasets, names))
    return Cells(
        ids=_ids(datasets, names),
        labels=labels,
        classes=classes,
        source=np.repeat(np.arange(len(datasets)), [len(data) for data in datasets]),
        datasets=tuple(names),
        simulated=np.concatenate([(data.table["source"].astype(str) == "simulated").to_numpy() for data in datasets]),
        groups=np.concatenate([_groups(data) for data in datasets]),
        split=np.concatenate([data.table["split"].astype(str).to_numpy(dtype=str) for data in datasets]),
        fold=np.concatenate([data.table["fold"].to_numpy(dtype=int) for data in datasets]),
        features=np.concatenate(features),
        names=config.features if config.uses_features else (),
        units=units,
        images=np.concatenate(images),
        notes=notes,
        own_units=tuple(tuple(data.units.get(name, "") for name in config.features) for data in datasets),
    )


def with_columns(cells: Cells, paths: Sequence[Path | str], names: Sequence[str]) -> Cells:
    """Return the cells of datasets with more columns as features, to be looked at; what is missing is NaN.

    Raises
    ------
    DatasetError
        If one is in none of the datasets, or in different units.
    """
    datasets = [read_dataset(path) for path in paths]
    values, units = [], []
    for name in names:
        found = {data.units.get(name, "") for data in datasets if name in data.table}
        if len(found) != 1:
            known = sorted({column for data in datasets for column in data.units})
            what = "is in none of the datasets" if not found else f"has different units: {', '.join(sorted(found))}"
            raise DatasetError(f"column {name!r} {what}; they hold {', '.join(known)}")
        blank = [np.full(len(data), np.nan) if name not in data.table else data.table[name] for data in datasets]
        values.append(np.concatenate([np.asarray(column, float) for column in blank]))
        units.append(found.pop())
    features = np.column_stack([cells.features, *values])
    return replace(cells, features=features, names=(*cells.names, *names), units=(*cells.units, *units))


def subset(cells: Cells, rows: np.ndarray) -> Cells:
    """Return some of the cells, as of the datasets alone that hold any of them."""
    kept, source = np.unique(cells.source[rows], return_inverse=True)
    arrays = {
        name: getattr(cells, name)[rows]
        for name in ("ids", "labels", "simulated", "groups", "split", "fold", "features", "images")
    }
    own = {name: tuple(getattr(cells, name)[k] for k in kept) for name in ("datasets", "own_units")}
    return replace(cells, **arrays, source=source, **own)


def _of_classes(data: Dataset, name: str, config: TrainConfig) -> Dataset:
    known = {label.casefold() for label in config.classes}
    rows = np.flatnonzero([label.casefold() in known for label in data.table["label"].astype(str)])
    if not len(rows):
        raise DatasetError(f"{name}: no cell of {', '.join(config.classes)}; leave the dataset out or mend --classes")
    arrays = {key: getattr(data, key) for key in ("images", "masks", "views_present")}
    kept = {key: None if array is None else array[rows] for key, array in arrays.items()}
    return replace(data, table=data.table.iloc[rows].reset_index(drop=True), **kept)


def dataset_digest(path: Path | str) -> str:
    """Return 12 hex digits that name a dataset file's content."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]


def _ids(datasets: list[Dataset], names: list[str]) -> np.ndarray:
    before = [f"{name}/" if len(datasets) > 1 else "" for name in names]
    ids = [f"{start}{cell}" for start, data in zip(before, datasets, strict=True) for cell in data.table["cell_id"]]
    values, counts = np.unique(ids, return_counts=True)
    if len(values) < len(ids):
        raise DatasetError(
            f"{', '.join(names)}: {np.count_nonzero(counts > 1)} cell_id stand more than once, "
            f"such as {str(values[counts > 1][0])!r}; "
            "a cell in training and test at once would be recognised, not classified: give each cell one row"
        )
    return np.array(ids)


def _labels(datasets: list[Dataset], names: list[str], config: TrainConfig) -> tuple[tuple[str, ...], np.ndarray]:
    for name, data in zip(names, datasets, strict=True):
        unlabelled = np.count_nonzero(data.table["label"].astype(str).to_numpy(dtype=str) == "")
        if unlabelled:
            raise DatasetError(f"{name}: {unlabelled} of {len(data)} cells have no label; label them or leave them out")
    text = np.concatenate([data.table["label"].astype(str).to_numpy(dtype=str) for data in datasets])
    # HCT116 in a recording and hct116 in a simulation are one class, spelled as asked for or as it comes first.
    spelling: dict[str, str] = {}
    for name in (*config.classes, *text.tolist()):
        spelling.setdefault(name.casefold(), name)
    text = np.array([spelling[name.casefold()] for name in text.tolist()])
    classes = config.classes or tuple(np.unique(text).tolist())
    unknown = sorted(set(text.tolist()) - set(classes))
    if unknown:
        raise DatasetError(
            f"{', '.join(names)}: unknown class {', '.join(map(repr, unknown))}; known: {', '.join(classes)}; "
            "add it to --classes, or leave these cells out (--others leave-out)"
        )
    counts = {name: int((text == name).sum()) for name in classes}
    if min(counts.values()) == 0 or len(classes) < 2:
        held = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise DatasetError(
            f"{', '.join(names)}: cells of at least two classes are needed, found {held}; "
            "add a dataset with the other class (--dataset) or mend --classes"
        )
    return classes, np.array([classes.index(name) for name in text])


def _known(datasets: list[Dataset], config: TrainConfig) -> np.ndarray:
    place = {name.casefold(): k for k, name in enumerate(config.classes)}
    labels = [label for data in datasets for label in data.table["label"].astype(str)]
    return np.array([place.get(label.casefold(), -1) for label in labels])


def _units(datasets: list[Dataset], names: list[str], config: TrainConfig, labelled: bool) -> tuple[str, ...]:
    units = []
    for feature in config.features:
        found = {}
        for name, data in zip(names, datasets, strict=True):
            if feature in data.features:
                found.setdefault(data.units.get(feature, ""), name)
            elif not config.masks or (labelled and not any(feature in other.features for other in datasets)):
                close = difflib.get_close_matches(feature, data.features, 1)
                hint = f"did you mean {close[0]!r}? " if close else ""
                raise DatasetError(
                    f"{name}: no feature {feature!r}; {hint}it holds {', '.join(data.features) or 'none'}"
                )
        if len(found) > 1 and config.align == "no":
            listed = ", ".join(f"{unit!r} in {name}" for unit, name in found.items())
            raise DatasetError(
                f"feature {feature!r} has different units: {listed}; align them (--align rank or minmax), train on "
                "one of the datasets, or ingest the recording with its scale (pixel size and frame rate)"
            )
        units.append(" or ".join(found))
    return tuple(units)


def check_units(cells: Cells, expected: Sequence[str], whose: str) -> None:
    """Check that features of which there are values are in the units that a model was trained on.

    Raises
    ------
    DatasetError
        If one is not.
    """
    known = np.atleast_1d(np.isfinite(cells.features).any(axis=0))
    for name, unit, trained, any_value in zip(cells.names, cells.units, expected, known, strict=True):
        if any_value and unit != trained:
            raise DatasetError(f"{whose}: {name} is in {unit!r}, the model was trained on {trained!r}; convert it")


def _scale_notes(datasets: list[Dataset], names: list[str], config: TrainConfig) -> tuple[str, ...]:
    if not config.uses_images:
        return ()
    sizes = {}
    for name, data in zip(names, datasets, strict=True):
        for size in np.unique(data.table["pixel_size"]) if "pixel_size" in data.table else [np.nan]:
            sizes.setdefault(None if np.isnan(size) else float(f"{size:.6g}"), name)
    if len(sizes) == 1:
        return ()
    listed = ", ".join(f"{'unknown' if size is None else f'{size:g} m'} in {name}" for size, name in sizes.items())
    return (
        f"pictures have different pixel sizes ({listed}) and are not brought to one: sizes of cells are not comparable",
    )


def _groups(data: Dataset) -> np.ndarray:
    # A group of the same name in two datasets counts as one: two halves of a recording must not be told apart.
    pairs = zip(data.table["group"].astype(str), data.table["cell_id"].astype(str), strict=True)
    return np.array([group or OWN_GROUP + cell for group, cell in pairs])


def _features(data: Dataset, name: str, config: TrainConfig) -> np.ndarray:
    if not config.uses_features:
        return np.zeros((len(data), 0))
    values = data.table.reindex(columns=list(config.features)).to_numpy(dtype=float)
    missing = ~np.isfinite(values)
    if config.masks:
        return np.where(missing, np.nan, values)
    if missing.any():
        counts = dict(zip(config.features, missing.sum(axis=0), strict=True))
        listed = ", ".join(f"{feature} in {count}" for feature, count in counts.items() if count)
        kept = [feature for feature, count in counts.items() if not count]
        choice = (
            f"train without it (--features {' '.join(kept)}), with --masks, or " if kept else "train with --masks, or "
        )
        cells = [str(data.table["cell_id"].iloc[row]) for row in np.flatnonzero(missing.any(axis=1))]
        shown = ", ".join(cells[:3]) + (", …" if len(cells) > 3 else "")
        raise DatasetError(
            f"{name}: values missing of {len(data)} cells: {listed} ({shown}); {choice}"
            "build or ingest the dataset without these cells"
        )
    return values


def _images(data: Dataset, name: str, config: TrainConfig) -> np.ndarray:
    if not config.uses_images:
        return np.zeros((len(data), 0, 0, 0), np.float32)
    if data.images is None or data.views_present is None:
        if config.masks:
            return np.full((len(data), len(config.views), config.image_size, config.image_size), np.nan, np.float32)
        raise DatasetError(
            f"{name}: holds no pictures, model {config.model!r} needs them; use the preset features_only"
        )
    unknown = [view for view in config.views if view not in data.views]
    if unknown:
        raise DatasetError(
            f"{name}: no view {', '.join(map(repr, unknown))}; it holds {', '.join(data.views)} (--views …)"
        )
    columns = [list(data.views).index(view) for view in config.views]
    present = data.views_present[:, columns].astype(bool)
    blind = int((~present.any(axis=1)).sum())
    if blind and not config.masks:
        raise DatasetError(
            f"{name}: {blind} of {len(data)} cells have no picture ({', '.join(config.views)}); leave them out"
        )
    scale = np.float32(np.iinfo(data.images.dtype).max)
    result = np.empty((len(data), len(columns), config.image_size, config.image_size), np.float32)
    for row in range(len(data)):
        if not present[row].any():
            result[row] = np.nan
            continue
        for view, column in enumerate(columns):
            # A missing view is filled with the cell's other one: the mean over both is then that of the one present.
            source = column if present[row, view] else columns[int(np.argmax(present[row]))]
            result[row, view] = resize(data.images[row, source] / scale, config.image_size)
    return result


def _check_known(features: np.ndarray, images: np.ndarray, ids: np.ndarray) -> None:
    blank = ~np.isfinite(features).any(axis=1)
    if images.size:
        blank &= ~np.isfinite(images[:, 0, 0, 0])
    if blank.any():
        raise DatasetError(
            f"{int(blank.sum())} cells have none of the features and no picture, such as {str(ids[blank][0])!r}; "
            "leave them out"
        )


def resize(picture: np.ndarray, size: int) -> np.ndarray:
    """Centre a picture (H, W) in a square of its edge pixels and bring it to (size, size), float32."""
    height, width = picture.shape
    side = max(height, width)
    if height != width:
        top, left = (side - height) // 2, (side - width) // 2
        picture = np.pad(picture, ((top, side - height - top), (left, side - width - left)), mode="edge")
    picture = np.ascontiguousarray(picture, np.float32)
    if side == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR))
