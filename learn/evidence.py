"""A finished training opened again: its cells, folds and models, and what each model says of every cell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from bridge.command import InputError
from learn.attribution import Network
from learn.calibration import Calibration
from learn.checkpoint import load_model
from learn.config import TrainConfig, load_config
from learn.data import Cells, dataset_digest, load_cells
from learn.folds import Fold, split_cells
from learn.runtime import prepare
from learn.scaling import Scaler
from learn.summary import Result
from learn.trainer import Trainer, softmax
from learn.workdir import CONFIG, PROVENANCE, Workdir, WorkdirError


@dataclass(frozen=True)
class Evidence:
    """Everything that the figures of a training show.

    Attributes
    ----------
    config, cells, folds
        The training.
    results
        What each fold left.
    probabilities
        Of every cell by each fold's model (folds, N, classes), not calibrated.
    calibrations
        Of each fold's model.
    network, scaler
        The first fold's model.
    """

    config: TrainConfig
    cells: Cells
    folds: tuple[Fold, ...]
    results: list[Result]
    probabilities: np.ndarray
    calibrations: list[Calibration]
    network: Network
    scaler: Scaler

    def side(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return true classes and probabilities of the cells of ``train``, ``validation`` or ``test``, all folds."""
        rows = [getattr(fold, name) for fold in self.folds]
        chances = [self.probabilities[index][part] for index, part in enumerate(rows)]
        return self.cells.labels[np.concatenate(rows)], np.concatenate(chances)

    def calibrated(self) -> tuple[np.ndarray, np.ndarray]:
        """Return true classes and calibrated probabilities of the test cells of all folds."""
        parts = [
            calibration.apply(self.probabilities[index][fold.test])
            for index, (fold, calibration) in enumerate(zip(self.folds, self.calibrations, strict=True))
        ]
        return self.side("test")[0], np.concatenate(parts)

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return scaled features and pictures of all cells, as the first fold's model reads them."""
        return self.scaler.apply(self.cells)


def gather(path: Path, datasets: Sequence[Path] = ()) -> Evidence:
    """Open a finished training and let its models predict every cell.

    Parameters
    ----------
    path
        Folder of the training.
    datasets
        Its datasets, in order, where they are not where they were.

    Raises
    ------
    InputError
        If the training is not finished or its datasets are missing or others.
    """
    if not (path / CONFIG).is_file():
        raise WorkdirError(f"{path}: no {CONFIG}; give a folder in which `python -m learn.run` finished")
    config = load_config(path / CONFIG)
    workdir = Workdir(path, config.folds)
    if workdir.report() is None:
        raise WorkdirError(f"{path}: the training is not finished; run `python -m learn.run` again to finish it")
    provenance = json.loads((path / PROVENANCE).read_text(encoding="utf-8"))
    paths = [Path(name) for name in datasets or provenance["datasets"]]
    if [_digest(name) for name in paths] != list(provenance["datasets"].values()):
        raise InputError(f"{', '.join(map(str, paths))}: other cells than those of the training in {path}")
    prepare()
    cells = load_cells(paths, config)
    folds = split_cells(cells, config).folds
    trainer = Trainer(config, len(cells.classes))
    results, probabilities, calibrations, first = [], [], [], None
    for index in range(len(folds)):
        _, scaler, weights, card = load_model(workdir.fold(index))
        network = Network(trainer, weights)
        first = first or (network, scaler)
        data = tuple(jnp.asarray(array) for array in scaler.apply(cells))
        logits = trainer.predict(network.parameters, network.statistics, data, np.arange(len(cells)))
        probabilities.append(softmax(logits))
        calibrations.append(Calibration(card["calibration"]["temperature"], tuple(card["calibration"]["scores"])))
        results.append(workdir.result(index))
    assert first is not None
    return Evidence(config, cells, folds, results, np.array(probabilities), calibrations, *first)


def _digest(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: the dataset of the training is not there; say where it is with --dataset")
    return dataset_digest(path)
