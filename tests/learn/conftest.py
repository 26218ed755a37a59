import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bridge.records import Dataset, write_dataset
from learn.config import TrainConfig, load_config

UNITS = {"deformation_index": "1", "max_velocity": "m/s", "transition_time": "s"}


def make_dataset(count: int = 80, seed: int = 0, size: int = 16, groups: int = 0, **columns) -> Dataset:
    """Two classes that differ in transition time and in the diameter of a bright disc; `columns` replace others."""
    rng = np.random.default_rng(seed)
    labels = np.array(["hct116", "wbc"])[np.arange(count) % 2]
    slow = labels == "wbc"
    table = pd.DataFrame(
        {
            "cell_id": [f"c{seed}_{i:03d}" for i in range(count)],
            "source": "simulated",
            "label": labels,
            "group": [f"day{i // 2 % groups}" if groups else "" for i in range(count)],
            "split": "",
            "fold": -1,
            "deformation_index": rng.normal(0.7, 0.05, count),
            "max_velocity": rng.normal(2e-3, 2e-4, count),
            "transition_time": np.where(slow, 0.03, 0.02) + rng.normal(0, 0.002, count),
        }
    ).assign(**columns)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    radius = size * np.where(slow, 0.40, 0.22)
    discs = np.hypot(x, y) < radius[:, None, None, None]
    images = np.clip(90 + 80 * discs + rng.normal(0, 15, (count, 2, size, size)), 0, 255).astype(np.uint8)
    return Dataset(table, UNITS, images=images, views_present=np.ones((count, 2), bool))


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Let the tests and the commands they start share compiled programs."""
    from learn.runtime import prepare

    prepare()


@pytest.fixture(scope="session")
def dataset() -> Callable[..., Dataset]:
    return make_dataset


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write a toy dataset, or the one given, and return its path."""

    def write(data: Dataset | None = None, name: str = "cells.h5", **options) -> Path:
        write_dataset(tmp_path / name, data or make_dataset(**options))
        return tmp_path / name

    return write


@pytest.fixture
def configure() -> Callable[..., TrainConfig]:
    """Return a preset with changes; pictures and picture branch as small as they may be."""

    def change(preset: str = "features_only", **values) -> TrainConfig:
        small = {"image_size": 16, "width": 4, "blocks": (1, 1, 1, 1), "batch": 16, "epochs": 3}
        return TrainConfig.model_validate(load_config(preset).model_dump() | small | values)

    return change


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = Path(os.environ.get("MIMLAB_SHARED", Path(__file__).parents[3] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared data folder at {folder}; set MIMLAB_SHARED")
    return folder
