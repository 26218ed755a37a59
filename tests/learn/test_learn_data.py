import dataclasses

import numpy as np
import pytest

from bridge.records import DatasetError
from learn.data import load_cells, resize
from learn.scaling import Scaler


def test_features_labels_and_pictures_of_a_dataset(dataset, save, configure):
    data = dataset(count=10)
    cells = load_cells([save(data)], configure("miml"))
    assert cells.classes == ("hct116", "wbc")
    assert cells.labels.tolist() == [0, 1] * 5
    assert cells.units == ("1", "m/s", "s")
    np.testing.assert_array_equal(cells.features[:, 2], data.table["transition_time"])
    np.testing.assert_allclose(cells.images, data.images / 255, atol=1e-6)


def test_scaler_never_sees_validation_or_test_cells(save, configure):
    cells = load_cells([save(count=20)], configure("miml"))
    rows = np.arange(10)
    fitted = Scaler.fit(cells, rows)
    features, images = cells.features.copy(), cells.images.copy()
    features[10:] *= 1000
    images[10:] += 5
    assert Scaler.fit(dataclasses.replace(cells, features=features, images=images), rows) == fitted
    features[0] *= 1000
    assert Scaler.fit(dataclasses.replace(cells, features=features, images=images), rows) != fitted


def test_training_cells_are_scaled_to_0_1_and_others_are_not_cut_off(save, configure):
    cells = load_cells([save(count=40)], configure("miml"))
    scaled, images = Scaler.fit(cells, np.arange(20)).apply(cells)
    assert scaled[:20].min(axis=0).tolist() == [0, 0, 0]
    assert scaled[:20].max(axis=0).tolist() == [1, 1, 1]
    assert scaled[20:].min() < 0 or scaled[20:].max() > 1
    assert images[:20].mean() == pytest.approx(0, abs=1e-4)
    assert images[:20].std() == pytest.approx(1, abs=1e-4)


def test_constant_feature_becomes_zero_not_nan(dataset, save, configure):
    cells = load_cells([save(dataset(count=10, max_velocity=2e-3))], configure())
    scaled, _ = Scaler.fit(cells, np.arange(10)).apply(cells)
    assert not scaled[:, 1].any()


def test_missing_view_is_filled_with_the_other_one(dataset, save, configure):
    data = dataset(count=4)
    data.views_present[1, 0] = False
    data.images[1, 0] = 0
    cells = load_cells([save(data)], configure("miml"))
    np.testing.assert_array_equal(cells.images[1, 0], cells.images[1, 1])
    assert not np.array_equal(cells.images[0, 0], cells.images[0, 1])


def test_resizing_centres_and_keeps_the_mean():
    picture = np.zeros((20, 40), np.float32)
    picture[8:12, 18:22] = 1
    small = resize(picture, 16)
    assert small.shape == (16, 16)
    y, x = np.average(np.mgrid[:16, :16].reshape(2, -1), axis=1, weights=small.ravel())
    assert (y, x) == pytest.approx((7.5, 7.5), abs=0.01)
    assert small.sum() * (40 / 16) ** 2 == pytest.approx(16, rel=0.02)


def test_pooled_datasets_keep_their_order_and_names(dataset, save, configure):
    paths = [save(dataset(count=6, seed=s), name=f"{name}.h5") for s, name in enumerate(("sim", "real"))]
    cells = load_cells(paths, configure())
    assert len(cells) == 12
    assert cells.ids[0].startswith("sim/")
    assert cells.ids[-1].startswith("real/")


def test_pictures_of_different_pixel_size_are_noted(dataset, save, configure):
    paths = [save(dataset(seed=s, pixel_size=p), name=f"{s}.h5") for s, p in ((0, 1e-7), (1, 2e-7))]
    assert "different pixel sizes" in load_cells(paths, configure("miml")).notes[0]
    assert load_cells(paths[:1], configure("miml")).notes == ()


@pytest.mark.parametrize(
    ("columns", "settings", "expected"),
    [
        ({}, {"features": ("transit_time",)}, "no feature 'transit_time'; did you mean 'transition_time'?"),
        (
            {"max_velocity": [np.nan] * 3 + [1.0] * 77},
            {},
            "of 80 cells: max_velocity in 3 (c0_000, c0_001, c0_002); train without",
        ),
        ({"label": "wbc"}, {}, "at least two classes are needed, found wbc 80"),
        ({"label": [""] * 5 + ["wbc"] * 75}, {}, "5 of 80 cells have no label"),
        ({}, {"classes": ("hct116", "rbc")}, "unknown class 'wbc'; known: hct116, rbc"),
        ({}, {"classes": ("hct116", "rbc", "wbc")}, "found hct116 40, rbc 0, wbc 40"),
        (
            {"cell_id": ["same"] * 2 + [f"c{i}" for i in range(78)]},
            {},
            "1 cell_id stand more than once, such as 'same'",
        ),
        ({}, {"model": "miml", "views": ("first", "last")}, "no view 'last'; it holds first, squeezed"),
    ],
)
def test_unusable_datasets_are_refused_with_a_remedy(dataset, save, configure, columns, settings, expected):
    with pytest.raises(DatasetError) as caught:
        load_cells([save(dataset(**columns))], configure(**settings))
    assert expected in str(caught.value)


def test_pictures_are_refused_where_there_are_none(dataset, save, configure):
    bare = dataclasses.replace(dataset(), images=None, views_present=None)
    with pytest.raises(DatasetError, match="holds no pictures"):
        load_cells([save(bare)], configure("image_only"))
    blind = dataset()
    blind.views_present[3:5] = False
    with pytest.raises(DatasetError, match="2 of 80 cells have no picture"):
        load_cells([save(blind)], configure("miml"))


def test_features_in_different_units_are_refused(dataset, save, configure):
    film = dataclasses.replace(dataset(seed=1), units={**dataset().units, "transition_time": "frame"})
    with pytest.raises(DatasetError, match="'transition_time' has different units: 's' in a, 'frame' in b"):
        load_cells([save(name="a.h5"), save(film, name="b.h5")], configure())


def test_no_dataset_and_the_same_dataset_twice_are_refused(save, configure):
    with pytest.raises(DatasetError, match="no dataset given"):
        load_cells([], configure())
    with pytest.raises(DatasetError, match="stands twice"):
        load_cells([save()] * 2, configure())


def test_cells_of_other_labels_are_left_out_if_asked(dataset, save, configure):
    labels = np.array(["hct116", "wbc", "debris", "HCT116"])[np.arange(80) % 4]
    path = save(dataset(count=80, label=labels))
    with pytest.raises(DatasetError, match=r"unknown class 'debris'.*--others leave-out"):
        load_cells([path], configure(classes=("wbc", "hct116")))
    cells = load_cells([path], configure("miml", classes=("wbc", "hct116"), others="leave-out"))
    assert np.bincount(cells.labels).tolist() == [20, 40]
    assert len(cells.images) == len(cells.features) == 60
    with pytest.raises(DatasetError, match="no cell of a, b"):
        load_cells([path], configure(classes=("a", "b"), others="leave-out"))
