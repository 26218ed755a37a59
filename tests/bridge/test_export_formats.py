import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from test_check import clean

from bridge.formats.contour import contour_features
from bridge.formats.rtdc import read_rtdc
from bridge.formats.rtdc_write import write_rtdc
from bridge.ingest import read_source
from bridge.records import write_dataset
from bridge.stored import open_dataset


class ReferenceLoader:
    """What the reference's `MyDataset` does, step by step, without torch."""

    def __init__(self, csv_file, img_dir, class_mapping):
        data_frame = pd.read_csv(csv_file)
        self.image_names = data_frame.iloc[:, 0]
        self.csv_data = data_frame.iloc[:, 2:]
        self.targets = data_frame.iloc[:, 1]
        self.img_dir = img_dir
        self.class_mapping = class_mapping

    def __len__(self):
        return len(self.csv_data)

    def __getitem__(self, idx):
        image = Image.open(os.path.join(self.img_dir, self.image_names[idx]))
        values = np.array(self.csv_data.iloc[idx].values, dtype=np.float32)
        return (image, values), self.class_mapping.get(self.targets[idx], -1)


def masked(sizes=(15, 9), count=16):
    """The clean set with ellipses for masks, and tracks of a few cells."""
    rows, columns = np.mgrid[:24, :32]
    mask = ((columns - 15) / sizes[0]) ** 2 + ((rows - 11) / sizes[1]) ** 2 <= 1
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 2, 24, 32), np.uint8)
    masks = np.repeat(mask[None, None] * np.uint8(255), 2, axis=1).repeat(count, axis=0)
    tracks = {"cell": np.repeat([0, 3, 4], [3, 2, 4]), "time": np.linspace(0, 1e-3, 9), "di": np.linspace(0, 0.7, 9)}
    tracks |= {name: np.linspace(1e-6, 9e-6, 9) for name in ("x", "y", "length", "height", "perimeter")}
    tracks |= {"area": np.full(9, 1e-14)}
    table = clean().table.assign(split=np.where(np.arange(count) < 12, "train", "test"), condition_flow_rate=4e-11)
    units = {**clean().units, "condition_flow_rate": "m³/s"}
    return replace(clean(), table=table, units=units, images=images, masks=masks, tracks=tracks)


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "cells.h5"
    write_dataset(path, masked())
    return path


def test_the_loader_of_the_reference_reads_what_is_written(stored, tmp_path, command):
    out = tmp_path / "out"
    done = command("bridge.export", stored, out, "--to", "miml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"] == ["train_data.csv", "val_data.csv"]
    data, mapping = masked(), {"a": 0, "b": 1}
    for part, table, rows in (("Train", "train_data.csv", range(12)), ("Val", "val_data.csv", range(12, 16))):
        loader = ReferenceLoader(out / table, out / part, mapping)
        assert len(loader) == 2 * len(rows)
        for i in range(len(loader)):
            (image, values), target = loader[i]
            row, view = rows[i // 2], i % 2
            assert (image.size, image.mode) == ((32, 24), "RGB")
            np.testing.assert_array_equal(np.asarray(image)[:, :, 1], data.images[row, view])
            names = ["max_velocity", "transition_time", "deformation_index"]
            np.testing.assert_allclose(values, data.table[names].iloc[row].to_numpy(float), rtol=1e-6)
            assert target == mapping[data.table["label"][row]]
    again = read_source(out)
    np.testing.assert_array_equal(again.images, data.images)
    meta = json.loads((out / "dataset.meta.json").read_text())
    assert meta["units"]["transition_time"] == "s"


def test_miml_needs_a_split_for_the_fixed_names_of_the_reference(tmp_path, command):
    path = tmp_path / "cells.h5"
    write_dataset(path, replace(clean(), table=clean().table.assign(split="", max_velocity=np.nan)))
    done = command("bridge.export", path, tmp_path / "out", "--to", "miml", "--features", "transition_time")
    assert done.returncode == 0
    assert "no split: all cells are in All/" in done.stderr
    assert (tmp_path / "out/all_data.csv").read_text().startswith("cell ID,Cell Type,Transition Time\n")
    done = command("bridge.export", path, tmp_path / "two", "--to", "miml")
    assert "16 of 16 cells lack a feature" in done.stderr


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"images": None, "masks": None, "views_present": None}, ["--to", "miml"], "needs pictures"),
        ({}, ["--to", "miml", "--features", "size"], "no feature size; name others"),
        ({}, ["--to", "rtdc", "--features", "size"], "--features are for --to miml"),
        ({"images": None, "masks": None, "views_present": None, "tracks": None}, ["--to", "rtdc"], "neither pictures"),
        ({"table": masked().table.assign(pixel_size=np.arange(16) * 1e-7)}, ["--to", "rtdc"], "pixel sizes"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_nothing_is_written(tmp_path, command, change, options, message):
    path = tmp_path / "cells.h5"
    write_dataset(path, replace(masked(), **change))
    done = command("bridge.export", path, tmp_path / "out", *options)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["cells.h5"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("x")
    done = command("bridge.export", path, tmp_path / "out", *options)
    assert done.returncode == 2
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["all", "16 bits, no masks", "no tracks"])
def test_dclab_finds_no_violation(tmp_path, command, kind):
    from dclab.rtdc_dataset.check import IntegrityChecker

    data = masked()
    if kind == "16 bits, no masks":
        data = replace(data, images=data.images.astype(np.uint16) * 257, masks=None)
    if kind == "no tracks":
        table = data.table.assign(max_velocity=np.nan, pixel_size=np.nan)
        data = replace(data, tracks=None, table=table)
    write_dataset(tmp_path / "cells.h5", data)
    done = command("bridge.export", tmp_path / "cells.h5", tmp_path / "out", "--to", "rtdc", "--json")
    assert done.returncode == 0, done.stderr
    names = json.loads(done.stdout)["files"]
    assert names == ["cells_first.rtdc", "cells_squeezed.rtdc"] + ["frames.rtdc"] * (kind != "no tracks")
    for name in names:
        with IntegrityChecker(tmp_path / "out" / name) as checker:
            assert [cue for cue in checker.check() if cue.level == "violation"] == []


@pytest.mark.filterwarnings("ignore")
def test_dclab_shows_the_deformation_index_of_the_plugin_and_the_tracks(stored, tmp_path):
    import dclab

    with open_dataset(stored) as data:
        write_rtdc(tmp_path / "out", data)
    table = masked().table
    plugins = dclab.load_plugin_feature(tmp_path / "out/miml_features.py")
    try:
        with dclab.new_dataset(tmp_path / "out/cells_squeezed.rtdc") as events:
            np.testing.assert_allclose(events["miml_di"], table["deformation_index"])
            np.testing.assert_allclose(events["miml_transition_time"], table["transition_time"])
            np.testing.assert_allclose(events["miml_di_event"], (31 - 19) / (31 + 19), atol=0.03)
            assert np.abs(events["deform"] - events["miml_di_event"]).min() > 0.05
            assert events["image"][5].shape == (24, 32)
            assert events.config["setup"]["flow rate"] == pytest.approx(0.04)
            assert events.config["user"]["miml classes"] == "1 a, 2 b"
            tracks = events.tables["tracks"]
            di = np.asarray(tracks["di"])[np.asarray(tracks["cell"]) == 4]
            np.testing.assert_allclose(di, masked().tracks["di"][5:], rtol=1e-6)
            assert np.asarray(events.tables["cells"]["cell_id"])[4] == b"cell4"
        with dclab.new_dataset(tmp_path / "out/frames.rtdc") as events:
            assert np.asarray(events["frame"]).tolist() == [1, 2, 3, 1, 2, 1, 2, 3, 4]
            np.testing.assert_allclose(events["userdef0"], masked().tracks["di"], rtol=1e-6)
            np.testing.assert_allclose(events["pos_x"], masked().tracks["x"] * 1e6, rtol=1e-6)
            assert np.asarray(events.tables["tracks"]["count"])[:5].tolist() == [3, 0, 0, 2, 4]
    finally:
        for plugin in plugins:
            dclab.rtdc_dataset.feat_anc_plugin.plugin_feature.remove_plugin_feature(plugin)


def test_what_is_exported_comes_back(stored, tmp_path):
    with open_dataset(stored) as data:
        write_rtdc(tmp_path / "out", data)
    back = read_rtdc(tmp_path / "out/cells_squeezed.rtdc", crop=24)
    data = masked()
    assert len(back) == 16
    assert back.table["pixel_size"][0] == pytest.approx(data.table["pixel_size"][0])
    assert back.table["condition_flow_rate"][0] == pytest.approx(4e-11)
    frames = read_rtdc(tmp_path / "out/frames.rtdc", pictures=False)
    np.testing.assert_allclose(frames.table["area_contour"], 1e-14, rtol=1e-6)


def test_the_same_dataset_gives_the_same_files(stored, tmp_path):
    for name in "ab":
        with open_dataset(stored) as data:
            write_rtdc(tmp_path / name, data)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_cell_without_a_view_is_left_out_of_it(tmp_path):
    present = np.ones((16, 2), bool)
    present[[2, 9], 1] = False
    write_dataset(tmp_path / "cells.h5", replace(masked(), views_present=present))
    with open_dataset(tmp_path / "cells.h5") as data:
        write_rtdc(tmp_path / "out", data)
    with h5py.File(tmp_path / "out/cells_squeezed.rtdc") as file:
        ids = [name.decode() for name in file["tables/cells"]["cell_id"]]
        assert ids == [f"cell{i}" for i in range(16) if i not in (2, 9)]
        np.testing.assert_array_equal(file["events/image"][8], masked().images[10, 1])
        assert set(file["tables/tracks"]["cell"]) == {0, 2, 3}  # cells 0, 3 and 4


@pytest.mark.parametrize("mask", [np.zeros((5, 5), bool), np.eye(5, dtype=bool), np.ones((1, 9), bool)])
def test_contour_without_extent_has_no_features(mask):
    assert contour_features(mask, 0.3) == {}


def test_contour_of_a_rectangle():
    mask = np.zeros((20, 30), bool)
    mask[4:9, 7:18] = True
    found = contour_features(mask, 0.5)
    assert found["area_um"] == pytest.approx(10 * 4 * 0.25)  # between the centres of the outer pixels
    assert found["deform"] == pytest.approx(1 - 2 * np.sqrt(np.pi * 40) / 28)
    assert (found["pos_x"], found["pos_y"]) == pytest.approx((6, 3))
    assert (found["size_x"], found["size_y"], found["aspect"]) == pytest.approx((5.5, 2.5, 2.2))


@pytest.mark.shared
def test_contour_features_are_those_of_the_cytometer(shared):
    names = ("area_um", "deform", "pos_x", "pos_y", "size_x", "size_y", "aspect")
    from bridge.formats.rtdc_events import open_events

    with open_events(shared / "rtdc_dcnum_mit/dcnum_thresh_example.rtdc") as events:
        masks = events.rows("mask", 0, events.count) != 0
        found = [contour_features(mask, events.number("imaging:pixel size")) for mask in masks]
        for name in names:
            np.testing.assert_allclose([one[name] for one in found], events.scalar(name), rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_dclab_verify_dataset_as_a_user_calls_it(stored, tmp_path):
    with open_dataset(stored) as data:
        write_rtdc(tmp_path / "out", data)
    for path in (tmp_path / "out").glob("*.rtdc"):
        verify = Path(sys.executable).with_name("dclab-verify-dataset")
        done = subprocess.run([verify, path], capture_output=True, text=True, check=False)
        assert "Check Complete: 0 violations" in done.stdout, done.stdout
