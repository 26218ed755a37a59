import dataclasses

import numpy as np
import pytest

from bridge.records import DatasetError
from learn.data import load_cells
from learn.folds import split_cells
from learn.scaling import Scaler
from learn.train import train_fold
from learn.trainer import Trainer


def test_missing_features_and_pictures_become_nan(dataset, save, configure):
    film = dataset(count=20, max_velocity=[np.nan] * 3 + [1.0] * 17)
    film.views_present[5] = False
    table = dataset(count=10, seed=1)
    bare = dataclasses.replace(
        table, table=table.table.drop(columns="transition_time"), images=None, views_present=None
    )
    cells = load_cells([save(film, name="a.h5"), save(bare, name="b.h5")], configure("miml", masks=True))
    assert np.isnan(cells.features[:, 1]).sum() == 3
    assert np.isnan(cells.features[20:, 2]).all()
    assert cells.units == ("1", "m/s", "s")
    assert np.isnan(cells.images[[5, *range(20, 30)]]).all()
    assert np.isfinite(cells.images[[4, 6]]).all()
    scaler = Scaler.fit(cells, np.arange(30))
    features, images = scaler.apply(cells)
    assert np.nanmin(features, axis=0).tolist() == [0, 0, 0]
    assert np.nanmean(images) == pytest.approx(0, abs=1e-4)
    with pytest.raises(DatasetError, match="no training cell has the feature 'transition_time'"):
        Scaler.fit(cells, np.arange(20, 30))
    with pytest.raises(DatasetError, match="no training cell has a picture"):
        Scaler.fit(dataclasses.replace(cells, features=np.ones((30, 3))), np.arange(20, 30))


def test_cells_of_which_nothing_is_known_are_refused(dataset, save, configure):
    nothing = {name: [np.nan] + [1.0] * 19 for name in ("deformation_index", "max_velocity", "transition_time")}
    with pytest.raises(DatasetError, match="1 cells have none of the features and no picture, such as 'c0_000'"):
        load_cells([save(dataset(count=20, **nothing))], configure(masks=True))
    assert len(load_cells([save(dataset(count=20, **nothing))], configure("miml", masks=True))) == 20


def test_one_model_serves_picture_alone_features_alone_and_both(save, configure):
    config = configure("miml", masks=True, epochs=30, hide=0.3)
    cells = load_cells([save()], config)
    fold = split_cells(cells, config).folds[0]
    trained = train_fold(Trainer(config, 2), cells, fold, 0)
    truth = cells.labels[fold.test]
    chances = {"both": trained.probabilities, **trained.alone}
    assert set(chances) == {"both", "picture", "features"}
    for which, found in chances.items():
        assert (found[fold.test].argmax(axis=1) == truth).mean() > 0.85, which


def test_masks_with_the_picture_alone_are_refused(configure):
    with pytest.raises(ValueError, match="nothing but the picture"):
        configure("image_only", masks=True)
