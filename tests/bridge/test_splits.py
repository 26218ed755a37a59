import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_check import clean

from bridge.check import check
from bridge.command import InputError
from bridge.records import read_dataset, write_dataset
from bridge.splits import assign, divide


def cells(groups: list[int], per: int = 10) -> pd.DataFrame:
    """Cells of two classes in groups of growing size."""
    rows = [(f"g{g}-{i}", "ab"[i % 2], f"g{g}") for g, n in enumerate(groups) for i in range(n * per)]
    return pd.DataFrame(rows, columns=["cell_id", "label", "group"])


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=6, max_size=14), st.integers(0, 50))
def test_no_group_is_divided_and_every_part_has_every_class(groups, seed):
    table = cells(groups)
    try:
        columns = assign(table, "group", 0.2, 3, seed)
    except InputError:  # as it may be with few groups of very different sizes
        assume(False)
        return
    both = table.assign(split=columns["split"], fold=columns["fold"])
    assert both.groupby("group")["split"].nunique().max() == 1
    assert both.groupby("group")["fold"].nunique().max() == 1
    assert (both.loc[both["split"] == "test", "fold"] == -1).all()
    train = both[both["split"] == "train"]
    assert set(train["fold"]) == {0, 1, 2}
    assert train.groupby("fold")["label"].nunique().min() == both.groupby("split")["label"].nunique().min() == 2


def test_classes_and_the_share_of_the_test_are_kept():
    table = pd.DataFrame({"cell_id": [f"c{i}" for i in range(1000)], "group": ""})
    table["label"] = np.where(np.arange(1000) % 10 == 0, "rare", "common")
    columns = assign(table, "group", 0.25, 5, 0)
    assert (columns["split"] == "test").sum() == 250
    assert (table["label"][columns["split"] == "test"] == "rare").sum() == 25
    assert columns["fold"].value_counts().to_dict() == {-1: 250} | dict.fromkeys(range(5), 150)


def test_same_seed_same_division_and_another_another():
    table = cells([2] * 20)
    one, again, other = (assign(table, "group", 0.2, 4, seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one, again)
    assert (one["fold"] != other["fold"]).any()


def test_too_few_groups_and_missing_labels_are_refused_with_a_remedy():
    with pytest.raises(
        InputError, match=r"class 'a' has 3 groups to share among 5 parts; take fewer folds .*--by cell"
    ):
        assign(cells([1, 1, 1]), "group", 0.2, 0, 0)
    assert set(assign(cells([1, 1, 1]), "cell", 0.2, 0, 0)["split"]) == {"train", "test"}
    table = cells([1, 1, 1])
    with pytest.raises(InputError, match="10 of 30 cells have no label"):
        assign(table.assign(label=table["label"].where(table["group"] != "g0", "")), "cell", 0.2, 0, 0)
    labels, groups = np.array(["a"] * 99 + ["b"] * 3), np.array(["x"] * 98 + ["y", "x", "y", "z"])
    with pytest.raises(InputError, match="class 'a' has 2 groups"):
        divide(labels, groups, 3, 0)


def undivided(path):
    data = clean()
    table = data.table.assign(split="", group=[f"day{i // 2}" for i in range(16)])
    write_dataset(path, replace(data, table=table))
    return data


def test_division_is_kept_in_the_file(tmp_path, command):
    path = tmp_path / "cells.h5"
    data = undivided(path)
    done = command("bridge.splits", path, "--test", 0.25, "--folds", 3, "--seed", 2, "--json")
    assert done.returncode == 0, done.stderr
    parts = json.loads(done.stdout)["parts"]
    assert sum(parts[name]["cells"] for name in ("train", "test")) == 16
    assert parts["fold 0"]["labels"].keys() == {"a", "b"}
    read = read_dataset(path)
    assert read.meta["division"] == {"by": "group", "test": 0.25, "folds": 3, "seed": 2}
    np.testing.assert_array_equal(read.images, data.images)
    np.testing.assert_array_equal(read.table["max_velocity"], data.table["max_velocity"])
    assert [f for f in check(read) if f.level == "error"] == []
    before = path.read_bytes()
    done = command("bridge.splits", path)
    assert (done.returncode, path.read_bytes() == before) == (2, True)
    assert "--replace" in done.stderr
    assert command("bridge.splits", path, "--replace", "--folds", 0).returncode == 0
    assert set(read_dataset(path).table["fold"]) == {-1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--test", 0.9], "--test = 0.9"),
        (["--folds", 1], "--folds = 1"),
        (["--test", 0, "--folds", 0], "nothing to divide"),
        (["--seed", -1], "--seed = -1"),
        (["--folds", 20], "share among"),
    ],
)
def test_bad_options_are_one_message_and_change_nothing(tmp_path, command, options, message):
    path = tmp_path / "cells.h5"
    undivided(path)
    before = path.read_bytes()
    done = command("bridge.splits", path, *options)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr
    assert path.read_bytes() == before
