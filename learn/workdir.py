"""The folder of a training: configuration first, report last; what is there is resumed or reported, never mixed."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.command import InputError, software, write_text
from learn.config import TrainConfig, load_config
from learn.summary import Result

CONFIG, PROVENANCE, METRICS, REPORT = "config.toml", "provenance.json", "metrics.jsonl", "report.json"
PREDICTIONS, SUMMARY = "predictions.csv", "summary.png"
CHECKPOINT, RESULT = "checkpoint.safetensors", "result.json"


class WorkdirError(InputError):
    """A folder that holds something else than this training."""


@dataclass(frozen=True)
class Workdir:
    """Names of what a training leaves in its folder.

    Attributes
    ----------
    path
        The folder.
    folds
        Number of folds; a single split has no folder of its own.
    """

    path: Path
    folds: int

    def fold(self, index: int) -> Path:
        """Return the folder of a fold's model, result and checkpoint."""
        return self.path if self.folds == 1 else self.path / f"fold-{index}"

    def report(self) -> dict[str, Any] | None:
        """Return the report of a finished training, or None."""
        return _read(self.path / REPORT)

    def result(self, index: int) -> Result | None:
        """Return the result of a finished fold, or None."""
        return _read(self.fold(index) / RESULT)

    def write_result(self, index: int, result: Result) -> None:
        """Write a fold's result, which marks it as finished, and drop its checkpoint."""
        write_json(self.fold(index) / RESULT, result)
        (self.fold(index) / CHECKPOINT).unlink(missing_ok=True)

    def rewrite_metrics(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Replace the log of epochs."""
        write_text(self.path / METRICS, "".join(json.dumps(record) + "\n" for record in records))

    def log(self, record: Mapping[str, Any]) -> None:
        """Append the record of an epoch."""
        with (self.path / METRICS).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")


def find_workdir(path: Path, config: TrainConfig, datasets: Mapping[str, str]) -> Workdir:
    """Return the folder for this training: not there yet, empty, or one that holds this very training.

    Parameters
    ----------
    path
        The folder; nothing is written.
    config
        The resolved configuration.
    datasets
        Digest of each dataset file by its path.

    Raises
    ------
    WorkdirError
        If the folder holds another training or other files.
    """
    if (path / CONFIG).is_file():
        _check_same(path, config, list(datasets.values()))
    elif path.is_dir() and any(item for item in path.iterdir() if item.name != PROVENANCE):
        raise WorkdirError(f"{path}: the folder is not empty and holds no training; choose another --workdir")
    return Workdir(path, config.folds)


def start_workdir(workdir: Workdir, config: TrainConfig, datasets: Mapping[str, str]) -> None:
    """Make the folder and write what is going to be trained, unless that is there already.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if (workdir.path / CONFIG).is_file():
        return
    workdir.path.mkdir(parents=True, exist_ok=True)
    provenance = {
        "digest": config.digest(list(datasets.values())),
        "datasets": dict(datasets),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **software(("numpy", "jax", "flax", "optax", "scikit-learn")),
    }
    write_json(workdir.path / PROVENANCE, provenance)
    # The configuration last: a folder that has it is a training.
    write_text(workdir.path / CONFIG, config.to_toml())


@contextlib.contextmanager
def alone(workdir: Workdir) -> Iterator[None]:
    """Keep other processes out of a folder that has been started, until the block or the process ends.

    Raises
    ------
    WorkdirError
        If another process trains there.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows, where two processes would only compute the same twice
        yield
        return
    with (workdir.path / CONFIG).open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            replaced = os.fstat(held.fileno()).st_ino != (workdir.path / CONFIG).stat().st_ino
        except BlockingIOError:
            replaced = True
        if replaced:
            raise WorkdirError(f"{workdir.path}: another process trains there; wait for it or choose another --workdir")
        # What a killed process was writing.
        for part in workdir.path.rglob(".*.part.*"):
            part.unlink()
        yield


def write_json(path: Path, value: Any) -> None:
    """Write JSON in one piece."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _check_same(path: Path, config: TrainConfig, datasets: list[str]) -> None:
    provenance = _read(path / PROVENANCE)
    if provenance is not None and provenance.get("digest") == config.digest(datasets):
        return
    earlier = load_config(path / CONFIG)
    changes = [
        f"{key} = {getattr(earlier, key)!r}, now {getattr(config, key)!r}"
        for key in TrainConfig.model_fields
        if key != "name" and getattr(earlier, key) != getattr(config, key)
    ]
    if provenance is not None and list(provenance.get("datasets", {}).values()) != datasets:
        changes.append("other cells in the datasets")
    listed = "; ".join(changes) or "an earlier version of the training"
    raise WorkdirError(f"{path}: holds another training ({listed}); choose another --workdir or delete this one")


def _read(path: Path) -> Any:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WorkdirError(f"{path}: damaged ({error}); delete it to compute it again") from error
