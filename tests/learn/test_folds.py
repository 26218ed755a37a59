import numpy as np
import pytest

from bridge.records import DatasetError
from learn.data import load_cells
from learn.folds import split_cells


def splits_of(save, configure, data=None, settings=None, **options):
    config = configure(**(settings or {}))
    cells = load_cells([save(data, **options)], config)
    return cells, split_cells(cells, config)


def sides(fold):
    return [set(rows.tolist()) for rows in (fold.train, fold.validation, fold.test)]


@pytest.mark.parametrize("folds", [1, 2, 5])
@pytest.mark.parametrize("groups", [0, 12])
def test_no_cell_and_no_group_stands_on_two_sides(save, configure, folds, groups):
    cells, splits = splits_of(save, configure, settings={"folds": folds}, count=240, groups=groups)
    assert splits.groups_whole
    for fold in splits.folds:
        parts = sides(fold)
        assert set.union(*parts) == set(range(240))
        assert sum(map(len, parts)) == 240
        names = [set(cells.groups[list(part)]) for part in parts]
        assert sum(map(len, names)) == len(set.union(*names)) == len(np.unique(cells.groups))


def test_folds_hold_each_cell_once_and_each_class_in_proportion(save, configure):
    cells, splits = splits_of(save, configure, settings={"folds": 5}, count=100)
    tests = np.concatenate([fold.test for fold in splits.folds])
    assert sorted(tests.tolist()) == list(range(100))
    for fold in splits.folds:
        assert np.bincount(cells.labels[fold.test]).tolist() == [10, 10]
    assert "no groups recorded" in splits.notes[-1]


def test_the_seed_draws_the_split(save, configure):
    path = save(count=60)
    drawn = []
    for seed in (0, 0, 1):
        config = configure(folds=1, seed=seed)
        drawn.append(split_cells(load_cells([path], config), config).folds[0])
    assert sides(drawn[0]) == sides(drawn[1])
    assert sides(drawn[0]) != sides(drawn[2])


def test_groups_that_cannot_be_kept_whole_are_reported(dataset, save, configure):
    days_of_one_class = dataset().table["label"]
    _, splits = splits_of(save, configure, dataset(group=days_of_one_class), {"folds": 3})
    assert not splits.groups_whole
    assert "could NOT be kept whole (2 groups" in splits.notes[-1]


def test_the_datasets_own_split_and_folds_are_used(dataset, save, configure):
    split = ["test"] * 20 + ["train"] * 60
    data = dataset(count=80, split=split, fold=[-1] * 20 + [i // 2 % 3 for i in range(60)])
    _, splits = splits_of(save, configure, data, {"folds": 3})
    assert splits.aside.tolist() == list(range(20))
    assert [sorted(fold.test.tolist()) for fold in splits.folds] == [
        [20 + i for i in range(60) if i // 2 % 3 == k] for k in range(3)
    ]
    assert all(not set(range(20)) & set.union(*sides(fold)) for fold in splits.folds)
    _, single = splits_of(save, configure, data, {"folds": 1})
    assert single.folds[0].test.tolist() == list(range(20))
    assert len(single.aside) == 0


def test_a_group_cut_by_the_datasets_own_split_is_reported(dataset, save, configure):
    data = dataset(count=80, groups=10, split=["test"] * 9 + ["train"] * 71)
    _, splits = splits_of(save, configure, data, {"folds": 1})
    assert not splits.groups_whole


@pytest.mark.parametrize(
    ("columns", "folds", "expected"),
    [
        ({"split": ["val"] * 80}, 1, "column split holds 'val'"),
        ({"split": ["test"] * 10 + [""] * 70}, 1, "filled for 10 of 80 cells"),
        ({"split": ["test"] * 80}, 1, "names 80 of 80 cells as test"),
        ({"split": ["train", "test"] * 40}, 1, "class 'wbc' has 0 cells"),
        ({"fold": [0] * 40 + [1, 2] * 20}, 3, "the test cells of a fold hold no 'wbc'"),
        ({"fold": [0, 1, 2, 3] * 20}, 5, "own folds [0, 1, 2, 3], --folds is 5; use --folds 4"),
        ({"fold": [0] * 40 + [-1] * 40}, 2, "column fold is filled for 40 of 80 cells"),
        ({"label": ["a"] * 3 + ["b"] * 77}, 5, "class 'a' has 3 cells to share among 5 parts"),
    ],
)
def test_impossible_splits_are_refused(dataset, save, configure, columns, folds, expected):
    with pytest.raises(DatasetError) as caught:
        splits_of(save, configure, dataset(**columns), {"folds": folds})
    assert expected in str(caught.value)


def test_a_group_to_each_cell_is_not_called_unknown(save, configure, dataset):
    cells = load_cells([save(dataset(group=[f"run{i}" for i in range(80)]))], configure())
    assert split_cells(cells, configure(folds=2)).notes == ("no two cells share a group: split by cell",)


def test_days_of_the_test_are_whole_where_they_are_too_few_for_validation_too(save, configure, dataset):
    config = configure(folds=3)
    cells = load_cells([save(dataset(count=90, groups=3))], config)
    splits = split_cells(cells, config)
    assert splits.groups_whole
    assert "groups kept whole in the test" in splits.notes[-1]
    for fold in splits.folds:
        assert len(set(cells.groups[fold.test])) == 1
        assert not set(cells.groups[fold.test]) & set(cells.groups[fold.train])
        assert set(cells.groups[fold.validation]) & set(cells.groups[fold.train])


def test_the_datasets_own_split_is_set_aside_if_asked(dataset, save, configure):
    data = dataset(split=["test"] * 20 + ["train"] * 60, fold=np.arange(80) % 4)
    config = configure(folds=5, split="new")
    splits = split_cells(load_cells([save(data)], config), config)
    assert sorted(np.concatenate([fold.test for fold in splits.folds])) == list(range(80))
    assert not len(splits.aside)
