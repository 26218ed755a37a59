"""The record of each epoch as event files for TensorBoard, in ``WORKDIR/tensorboard``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.command import InputError

FOLDER = "tensorboard"


def check_board() -> None:
    """Refuse, before anything is computed, what needs a package that is not installed.

    Raises
    ------
    InputError
        If it is not.
    """
    try:
        import tensorboardX  # noqa: F401
    except ImportError:
        raise InputError("--tensorboard: the package is not installed: pip install 'mimlab[tensorboard]'") from None


class Board:
    """Writer of event files, one series for each fold.

    Parameters
    ----------
    workdir
        Folder of the training; events of an earlier attempt are replaced.
    records
        Epochs that are over already.
    """

    def __init__(self, workdir: Path, records: Sequence[Mapping[str, Any]] = ()) -> None:
        self._folder = workdir / FOLDER
        self._writers: dict[int, Any] = {}
        shutil.rmtree(self._folder, ignore_errors=True)
        for record in records:
            self.log(record)

    def log(self, record: Mapping[str, Any]) -> None:
        """Write the record of an epoch: ``fold``, ``epoch`` and numbers by name."""
        from tensorboardX import SummaryWriter

        fold = record["fold"]
        if fold not in self._writers:
            self._writers[fold] = SummaryWriter(str(self._folder / f"fold-{fold}"))
        for name, value in record.items():
            if name not in ("fold", "epoch"):
                self._writers[fold].add_scalar(name, value, record["epoch"])

    def close(self) -> None:
        """Finish the files."""
        for writer in self._writers.values():
            writer.close()
