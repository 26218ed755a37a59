import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bridge.check import check
from bridge.check_pictures import picture_key, shown_pictures
from bridge.formats.tables import SCALE_LOST, UNKNOWN
from bridge.ingest import read_source
from bridge.records import Dataset, write_dataset


def clean() -> Dataset:
    """Sixteen cells of two classes on four days, divided by day: nothing to complain of."""
    rng = np.random.default_rng(0)
    count = 16
    day = np.arange(count) // 4
    table = pd.DataFrame(
        {
            "cell_id": [f"cell{i}" for i in range(count)],
            "source": "experimental",
            "label": ["a", "b"] * (count // 2),
            "group": [f"day{d}" for d in day],
            "split": np.where(day < 3, "train", "test"),
            "fold": -1,
            "max_velocity": rng.uniform(0.01, 0.1, count),
            "transition_time": rng.uniform(1e-3, 1e-1, count),
            "deformation_index": rng.uniform(0.3, 0.8, count),
            "pixel_size": 1e-6,
            "sim_ks": 1e-3,
        }
    )
    units = {
        "max_velocity": "m/s",
        "transition_time": "s",
        "deformation_index": "1",
        "pixel_size": "m",
        "sim_ks": "N/m",
    }
    images = rng.integers(0, 256, (count, 2, 9, 9), dtype=np.uint8)
    return Dataset(table, units, images=images, views_present=np.ones((count, 2), bool))


def found(dataset: Dataset, level: str | None = None) -> list[str]:
    return [finding.check for finding in check(dataset) if level is None or finding.level == level]


def distinct_pictures(dataset: Dataset) -> tuple[int, int]:
    shown = shown_pictures(dataset)
    return len({one.likeness for one in shown}), len(shown)


def with_table(**columns) -> Dataset:
    return replace(clean(), table=clean().table.assign(**columns))


def with_picture(target: tuple[int, int], picture: np.ndarray) -> Dataset:
    images = clean().images.copy()
    images[target] = picture
    return replace(clean(), images=images)


def test_clean_set_is_silent():
    assert check(clean()) == []


def test_picture_key_is_the_same_for_all_flips_and_turns_only():
    image = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
    same = [np.rot90(flipped, k) for flipped in (image, image[::-1], image.T) for k in range(4)]
    assert {picture_key(other) for other in same} == {picture_key(image)}
    assert picture_key(np.roll(image, 1, axis=0)) != picture_key(image)
    assert picture_key(image.reshape(7, 5)) != picture_key(image)


@pytest.mark.parametrize("turn", [lambda a: a, np.fliplr, np.rot90, np.transpose])
def test_picture_shared_by_two_cells(turn):
    dataset = with_picture((0, 1), turn(clean().images[15, 0]))
    (finding,) = check(dataset)
    assert (finding.level, finding.check) == ("error", "picture-shared")
    assert finding.cells == ("cell0", "cell15")
    assert "splits train and test" in finding.what
    assert "classes a and b" in finding.what
    assert ("mirrored" in finding.what) == (turn(clean().images[15, 0]).tobytes() != clean().images[15, 0].tobytes())
    assert distinct_pictures(dataset) == (31, 32)


def test_view_that_mirrors_the_other():
    (finding,) = check(with_picture((3, 1), np.flipud(clean().images[3, 0])))
    assert (finding.level, finding.check, finding.cells) == ("warning", "picture-repeated", ("cell3",))


def test_blank_picture_and_missing_view():
    (finding,) = check(with_picture((2, 0), 7))
    assert (finding.level, finding.check, finding.cells) == ("error", "picture-blank", ("cell2",))
    present = clean().views_present.copy()
    present[4, 1] = False
    (finding,) = check(replace(clean(), views_present=present))
    assert (finding.level, finding.check, finding.cells) == ("info", "view-missing", ("cell4",))


LABEL = np.array(clean().table["label"])
SPLIT = np.array(clean().table["split"])
VELOCITY = np.array(clean().table["max_velocity"])
FIRST = np.arange(16) == 0
DAY = np.arange(16) // 4

PLANTED = [
    ({"label": "a"}, "warning", "one-class"),
    ({"label": np.where(SPLIT == "train", "a", LABEL)}, "error", "one-class-training"),
    ({"label": np.where(SPLIT == "train", "a", LABEL)}, "error", "class-missing"),
    ({"label": np.where(SPLIT == "test", "a", LABEL)}, "warning", "class-missing"),
    ({"split": np.where(FIRST, "", SPLIT)}, "error", "split-partial"),
    ({"split": np.where(FIRST, "test", SPLIT)}, "error", "group-divided"),
    ({"fold": np.arange(16) % 2}, "error", "group-divided"),
    ({"fold": np.where(FIRST, -1, DAY)}, "error", "fold-partial"),
    ({"fold": np.where(DAY == 1, 3, DAY)}, "error", "fold-empty"),
    ({"fold": DAY, "label": np.where(DAY == 2, "a", LABEL)}, "warning", "fold-class-missing"),
    ({"fold": DAY, "label": np.where(DAY == 2, LABEL, "a")}, "error", "fold-class-missing"),
    ({"split": "train"}, "warning", "split-empty"),
    ({"split": "test"}, "warning", "split-empty"),
    ({"group": ""}, "info", "group-unknown"),
    ({"group": LABEL}, "warning", "group-is-class"),
    ({"cell_id": np.where(FIRST, "cell15", clean().table["cell_id"])}, "error", "cell-twice"),
    ({"max_velocity": 0.05}, "warning", "feature-constant"),
    ({"max_velocity": np.nan}, "error", "feature-empty"),
    ({"max_velocity": np.where(FIRST, np.nan, VELOCITY)}, "warning", "feature-missing"),
    ({"max_velocity": np.where(FIRST, 85.0, VELOCITY)}, "error", "feature-impossible"),
    ({"transition_time": -1.0 - VELOCITY}, "error", "feature-impossible"),
    ({"deformation_index": 1.0 + VELOCITY}, "error", "feature-impossible"),
    ({"max_velocity": np.linspace(0, 1, 16).round(3)[::-1] * (SPLIT == "train")}, "warning", "scale-lost"),
    ({"max_velocity": 9.0 + VELOCITY}, "warning", "unit-unlikely"),
    ({"transition_time": 1000.0 + VELOCITY}, "warning", "unit-unlikely"),
    ({"transition_time": 5e-9 + 1e-9 * VELOCITY}, "warning", "unit-unlikely"),
    ({"pixel_size": 0.25}, "error", "feature-impossible"),
    ({"brightness": VELOCITY}, "warning", "unit-unknown"),
]


@pytest.mark.parametrize(
    ("columns", "level", "name"), PLANTED, ids=[f"{name}-{i}" for i, (_, _, name) in enumerate(PLANTED)]
)
def test_planted_defect_is_found(columns, level, name):
    assert name in found(with_table(**columns), level)


@pytest.mark.parametrize(
    ("unit", "values", "level"),
    [
        ("m", np.linspace(10, 20, 16), "error"),  # µm taken for m
        ("m", np.linspace(10e-6, 20e-6, 16), None),
        ("m²", np.linspace(50, 90, 16), "error"),
        ("m³", np.linspace(500, 900, 16), "error"),
        ("m³", np.linspace(5e-16, 9e-16, 16), None),
        ("m³", np.linspace(5e-9, 9e-9, 16), "warning"),
        ("Pa", np.linspace(0.5e-3, 2e-3, 16), "warning"),  # kPa taken for Pa, and the wrong way
    ],
)
def test_sizes_that_cannot_be_in_their_unit(unit, values, level):
    dataset = with_table(size=values)
    levels = {f.level for f in check(replace(dataset, units={**dataset.units, "size": unit}))}
    assert levels == ({level} if level else set())


def test_mirrored_picture_in_another_fold_is_named():
    images = clean().images.copy()
    images[15, 0] = images[0, 1][:, ::-1]
    dataset = replace(clean(), images=images, table=clean().table.assign(split="", fold=DAY))
    (finding,) = [f for f in check(dataset) if f.check == "picture-shared"]
    assert "mirrored or turned, in the folds 0 and 3" in finding.what


@pytest.mark.parametrize(
    ("unit", "level", "name"),
    [
        (SCALE_LOST, "warning", "scale-lost"),
        (UNKNOWN, "warning", "unit-unknown"),
        ("px/frame", "info", "unit-not-si"),
        ("s", "error", "unit-wrong"),
    ],
)
def test_unit_is_looked_at(unit, level, name):
    dataset = replace(clean(), units={**clean().units, "max_velocity": unit})
    assert found(dataset, level) == [name]


def test_scaled_within_each_split_is_found():
    scaled = VELOCITY.copy()
    for split in ("train", "test"):
        part = scaled[split == SPLIT]
        scaled[split == SPLIT] = (part - part.min()) / (part.max() - part.min())
    assert found(with_table(max_velocity=scaled)) == ["scale-lost"]


@pytest.mark.parametrize(("dataset", "code"), [(clean(), 0), (with_table(fold=np.arange(16) % 2), 1)])
def test_command(tmp_path, command, dataset, code):
    path = tmp_path / "cells.h5"
    write_dataset(path, dataset)
    done = command("bridge.check", path, "--json")
    assert done.returncode == code
    result = json.loads(done.stdout)
    assert (result["errors"] > 0) == bool(code)
    assert {"level", "check", "what", "cells", "remedy"} == set().union(*map(set, result["findings"])) or not code


def test_command_refuses_what_is_no_dataset(tmp_path, command):
    (tmp_path / "x.h5").write_bytes(b"no")
    done = command("bridge.check", tmp_path / "x.h5")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["render", "build", "ingest", "check"])
def test_help_loads_nothing_heavy(module):
    import subprocess
    import sys

    code = (
        f"import sys, bridge.{module}\n"
        f"try: bridge.{module}.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(str({'pandas', 'scipy', 'skimage', 'h5py', 'matplotlib', 'jax'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "usage" in done.stdout
    assert done.stderr.strip() == ""


@pytest.mark.shared
def test_every_fact_about_the_demo_set_is_found(shared):
    dataset = read_source(shared / "miml_demo_t4t8/dataset/T4vsT8")
    findings = check(dataset)
    assert distinct_pictures(dataset) == (22, 30)
    short = {name: f"{name[:2]} {name.split('_')[4]}" for name in dataset.table["cell_id"]}
    sets = {tuple(sorted(short[c] for c in f.cells)): f for f in findings if f.check == "picture-shared"}
    assert ("T4 Cell126", "T8 Cell151") in sets
    assert ("T4 Cell120", "T8 Cell110") in sets
    same_class = [f for f in sets.values() if "classes" not in f.what]
    assert len(same_class) == 3
    assert sum("splits" in f.what for f in same_class) == 1
    mirrored = {short[f.cells[0]] for f in findings if f.check == "picture-repeated"}
    assert mirrored == {"T8 Cell151", "T8 Cell100", "T8 Cell110"}
    names = [f.check for f in findings]
    assert {"one-class-training", "class-missing", "group-divided", "group-is-class"} <= set(names)
    assert names.count("scale-lost") == 2


def test_cells_without_a_label():
    findings = check(with_table(label=["", *clean().table["label"][1:]]))
    (finding,) = [finding for finding in findings if finding.check == "label-missing"]
    assert (finding.level, finding.cells) == ("error", ("cell0",))
    assert not [finding for finding in findings if finding.check == "class-missing"]
