import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import ks_2samp

from bridge.gap import compare_features
from bridge.gap_pictures import SIZE, Pictures, common_field, describe, neighbours, normalised, separability, take
from bridge.records import Dataset, DatasetError, write_dataset


def blobs(count, seed, width=5.0, edge=40, noise=0.02):
    """Pictures of a bright blob at a random place on noise (count, edge, edge), 0 to 1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:edge, :edge]
    centre = edge / 2 + rng.normal(0, 1, (count, 2))
    size = width * edge / 40 * rng.uniform(0.8, 1.2, count)
    apart = (x - centre[:, :1, None]) ** 2 + (y - centre[:, 1:, None]) ** 2
    return np.exp(-apart / (2 * size[:, None, None] ** 2)) * 0.5 + 0.2 + rng.normal(0, noise, (count, edge, edge))


def dataset(count=60, seed=0, images=None, pixel=0.5e-6, shift=0.0, group="") -> Dataset:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"cell_id": [f"s{seed}-{i}" for i in range(count)], "source": "simulated"})
    table["label"], table["group"] = np.where(np.arange(count) % 2, "a", "b"), group
    table["split"], table["fold"], table["pixel_size"] = "", -1, pixel
    table["max_velocity"] = rng.normal(0.1 + shift, 0.02, count)
    table["deformation_index"] = rng.uniform(0, 1, count)
    images = blobs(count, seed) if images is None else images
    grey = (images.clip(0, 1) * 255).astype(np.uint8)[:, None]
    units = {"max_velocity": "m/s", "deformation_index": "1", "pixel_size": "m"}
    return Dataset(table, units, images=grey, views_present=np.ones((count, 1), bool), views=("first",))


def test_features_are_compared_in_their_units():
    one, other = dataset(400, 0), dataset(300, 1, shift=0.03)
    rows = {row["feature"]: row for row in compare_features(one, other)}
    velocity = rows["max_velocity"]
    expected = ks_2samp(one.table["max_velocity"], other.table["max_velocity"])
    assert (velocity["ks"], velocity["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert velocity["wasserstein"] == pytest.approx(0.03, abs=0.004)  # a shift moves each cell by itself
    assert velocity["wasserstein_sd"] == pytest.approx(1.5, abs=0.25)
    assert rows["deformation_index"]["ks"] < 0.12
    assert velocity["cells"] == [400, 300]
    assert compare_features(one, other, "a")[0]["cells"] == [200, 150]


def test_missing_values_and_other_units_are_left_out():
    one, other = dataset(), dataset(seed=1)
    table = one.table.assign(max_velocity=np.where(np.arange(60) < 50, np.nan, 0.1))
    assert compare_features(replace(one, table=table), other)[0]["cells"] == [10, 60]
    changed = replace(one, units={**one.units, "max_velocity": "px/frame"})
    assert [row["feature"] for row in compare_features(changed, other)] == ["deformation_index"]


def pair(one, other, field=np.nan):
    return [take(data, "first", 1000, field, 0) for data in (one, other)]


@pytest.mark.parametrize(
    ("other", "low", "high"),
    [
        (blobs(120, 9), 0.4, 0.6),
        (gaussian_filter(blobs(120, 9), (0, 1, 1)), 0.95, 1.0),
        pytest.param(blobs(120, 9, width=6.5), 0.85, 1.0, marks=pytest.mark.slow),
        pytest.param(blobs(120, 9) + 0.05, 0.95, 1.0, marks=pytest.mark.slow),
    ],
    ids=["alike", "blurred", "larger", "brighter"],
)
def test_pictures_are_told_apart_only_where_they_differ(other, low, high):
    found = separability(*pair(dataset(120), dataset(120, 9, other)), 0)
    assert low <= found["auc"] <= high
    assert found["low"] <= found["auc"] <= found["high"]
    assert (found["low"] <= 0.5 <= found["high"]) == (high < 0.7)


@pytest.mark.slow
def test_brightness_and_contrast_can_be_removed():
    one, other = pair(dataset(120), dataset(120, 9, blobs(120, 9) * 0.8 + 0.1))
    assert separability(one, other, 0)["auc"] > 0.95
    same = [shown._replace(images=normalised(shown.images)) for shown in (one, other)]
    assert 0.35 < separability(*same, 0)["auc"] < 0.65


@pytest.mark.slow
def test_copies_within_a_group_do_not_give_a_dataset_away():
    rng = np.random.default_rng(0)
    parts = []
    for seed in (0, 1):
        runs = blobs(12, seed)
        copies = np.repeat(runs, 10, axis=0) + rng.normal(0, 1e-3, (120, 40, 40))
        parts.append(Pictures(copies[:, 4:36, 4:36].astype(np.float32), np.repeat([f"run{i}" for i in range(12)], 10)))
    assert separability(*parts, 0)["auc"] < 0.75
    alone = [shown._replace(groups=np.arange(120).astype(str)) for shown in parts]
    assert separability(*alone, 0)["auc"] > 0.95


def test_one_group_alone_gives_no_number():
    one, other = pair(dataset(20, group="x"), dataset(20, 1, group="y"))
    assert separability(one, other, 0)["auc"] is None


def test_pictures_of_other_scales_show_the_same_field():
    coarse = dataset(60, 0)
    fine = dataset(60, 9, blobs(60, 9, edge=80, noise=0.04), pixel=0.25e-6)
    field = common_field(coarse, fine)
    assert field == pytest.approx(20e-6)
    one, other = pair(coarse, fine, field)
    assert one.images.shape[1:] == other.images.shape[1:] == (SIZE, SIZE)
    # the blob has the same size in both
    width = [(shown.images.mean(axis=0) > 0.45).sum() for shown in (one, other)]
    assert width[0] == pytest.approx(width[1], rel=0.1)
    wide = dataset(60, 3, blobs(60, 3, edge=80)[:, :, :60], pixel=0.5e-6)
    assert common_field(coarse, wide) == pytest.approx(20e-6)
    assert np.isnan(common_field(coarse, replace(wide, table=wide.table.drop(columns="pixel_size"))))


def test_neighbours_are_the_nearest_and_not_of_the_own_group():
    one, other = pair(dataset(30), dataset(30, 1))
    planted = Pictures(np.concatenate([other.images, one.images[4:5]]), np.append(other.groups, "x"))
    found = neighbours(one, planted, 30, 0)
    assert found.nearest[list(found.asked).index(4)] == 30
    assert found.distance[4] == pytest.approx(0, abs=1e-3)
    assert np.isnan(neighbours(one._replace(groups=np.full(30, "g")), other, 3, 0).own).all()


def test_features_of_pictures_are_finite():
    assert np.isfinite(describe(np.zeros((3, SIZE, SIZE), np.float32))).all()


@pytest.fixture
def files(tmp_path):
    paths = []
    for name, data in (("sim", dataset(40)), ("real", dataset(40, 5, shift=0.05))):
        write_dataset(tmp_path / f"{name}.h5", data)
        paths.append(tmp_path / f"{name}.h5")
    return paths


def test_command(files, tmp_path, command):
    figure = tmp_path / "gap.png"
    done = command("bridge.gap", *files, "--out", figure, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {row["label"] for row in result["features"]} == {None, "a", "b"}
    assert result["pictures"][0]["views"] == ["first", "first"]
    assert 0.2 < result["pictures"][0]["as_they_are"]["auc"] < 0.8
    assert "max_velocity" in done.stderr
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_same_datasets_give_the_same_numbers_and_figure(files, tmp_path, command):
    once, again = (command("bridge.gap", *files, "--out", tmp_path / f"{name}.png", "--json") for name in "ab")
    assert json.loads(once.stdout)["pictures"] == json.loads(again.stdout)["pictures"]
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_datasets_without_pictures_or_without_common_features(tmp_path, command):
    bare = replace(dataset(20), images=None, views_present=None)
    other = replace(dataset(20, 1), units={"pixel_size": "m"})
    write_dataset(tmp_path / "a.h5", bare)
    write_dataset(tmp_path / "b.h5", other)
    write_dataset(tmp_path / "c.h5", replace(dataset(20, 2), views=("event",)))
    done = command("bridge.gap", tmp_path / "a.h5", tmp_path / "a.h5", "--json", "--out", tmp_path / "f.png")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pictures"] == []
    assert json.loads(done.stdout)["features"][0]["ks"] == 0
    done = command("bridge.gap", tmp_path / "a.h5", tmp_path / "b.h5")
    assert (done.returncode, "--views" in done.stderr) == (2, True)
    done = command(
        "bridge.gap", tmp_path / "b.h5", tmp_path / "c.h5", "--views", "first", "event", "--json", "--label", "a"
    )
    assert json.loads(done.stdout)["pictures"][0]["as_they_are"]["pictures"] == [10, 10]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label", "z"], "both must have it; common are a, b"),
        (["--views", "first", "event"], "no view 'event'"),
        (["--most", 3], "--most = 3"),
        (["--out", "x.txt"], "must end in .png"),
    ],
)
def test_bad_options_are_one_message(files, command, options, message):
    done = command("bridge.gap", *files, *options)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr


def test_a_view_that_no_cell_has_is_refused():
    data = dataset(10)
    with pytest.raises(DatasetError, match="no cell has the view"):
        take(replace(data, views_present=np.zeros((10, 1), bool)), "first", 10, np.nan, 0)
    with pytest.raises(DatasetError, match="no view 'event'; it holds first"):
        take(data, "event", 10, np.nan, 0)
