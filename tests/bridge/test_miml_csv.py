import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from miml_folders import BAD, ROWS, make_folder
from PIL import Image

from bridge.formats.miml_csv import FEATURES, HEADER, read_csv, read_miml, write_miml
from bridge.formats.tables import SCALE_LOST, UNKNOWN, read_table
from bridge.records import Dataset, DatasetError


def test_two_crops_become_one_record(tmp_path):
    dataset = read_miml(make_folder(tmp_path / "demo"))
    assert dataset.table["cell_id"].to_list() == ["T4_Day1_Cell1", "T8_Day2_Cell2"]
    assert dataset.table["group"].to_list() == ["Day1", "Day2"]
    assert dataset.table["split"].to_list() == ["train", "train"]
    assert dataset.images.shape == (2, 2, 10, 12)
    assert dataset.views_present.all()
    with Image.open(tmp_path / "demo/Train/T8_Day2_Cell2_Lastcrop.png") as image:
        np.testing.assert_array_equal(dataset.images[1, 1], np.asarray(image)[:, :, 0])
    assert dataset.units["max_velocity"] == SCALE_LOST
    assert dataset.units["deformation_index"] == "1"


def test_missing_crop_row_is_a_missing_view(tmp_path):
    dataset = read_miml(make_folder(tmp_path / "demo", ROWS[:3]))
    assert dataset.views_present.tolist() == [[True, True], [True, False]]


def test_unscaled_features_have_an_unknown_unit(tmp_path):
    rows = [row.replace("1.0", "17.5") for row in ROWS]
    assert read_miml(make_folder(tmp_path / "demo", rows)).units["max_velocity"] == UNKNOWN


def example() -> Dataset:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "cell_id": ["a_Day3_1", "b", "c"],
            "source": "experimental",
            "label": ["x", "y", "x"],
            "group": ["Day3", "", ""],
            "split": ["train", "train", "test"],
            "fold": -1,
            "max_velocity": [0.1 + 0.2, 1 / 3, np.nan],
            "transition_time": [1e-3, 2e-300, 5.0],
            "deformation_index": [0.1, -0.2, 0.3],
            "entry_time": [1.0, 2.0, 3.0],
        }
    )
    units = {"max_velocity": "m/s", "transition_time": "s", "deformation_index": "1", "entry_time": "s"}
    present = np.array([[True, True], [True, False], [True, True]])
    images = rng.integers(0, 256, (3, 2, 6, 7), dtype=np.uint8) * present[:, :, None, None].astype(np.uint8)
    return Dataset(table, units, images=images, views_present=present)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_round_trip(tmp_path, dtype):
    written = example()
    scale = 257 if dtype is np.uint16 else 1
    written = replace(written, images=written.images.astype(dtype) * scale)
    write_miml(tmp_path / "out", written, (*FEATURES, "entry_time"))
    assert (tmp_path / "out/train_data.csv").read_text().startswith(",".join(HEADER) + ",entry_time\n")
    assert json.loads((tmp_path / "out/dataset.meta.json").read_text())["units"]["max_velocity"] == "m/s"
    read = read_miml(tmp_path / "out")
    pd.testing.assert_frame_equal(read.table[written.table.columns], written.table, check_dtype=False)
    np.testing.assert_array_equal(read.images.astype(dtype) * scale, written.images)
    np.testing.assert_array_equal(read.views_present, written.views_present)
    assert read.units == written.units


def test_writing_does_not_touch_what_is_there(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("x")
    with pytest.raises(DatasetError, match="not empty"):
        write_miml(tmp_path / "out", example())
    with pytest.raises(DatasetError, match="file name"):
        write_miml(tmp_path / "new", replace(example(), table=example().table.assign(cell_id=["../a", "b", "c"])))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(("spoil", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_folder_is_refused_with_file_row_and_remedy(tmp_path, spoil, message):
    folder = make_folder(tmp_path / "demo")
    spoil(folder)
    with pytest.raises(DatasetError, match=message) as caught:
        read_miml(folder)
    assert str(folder) in str(caught.value) or "pictures differ" in str(caught.value)


def test_enforced_classes(tmp_path):
    folder = make_folder(tmp_path / "demo")
    assert len(read_miml(folder, ("T4", "T8"))) == 2
    with pytest.raises(DatasetError, match="row 4: Cell Type = 'T8' is none of T4, WBC"):
        read_miml(folder, ("T4", "WBC"))


def write_table(tmp_path, text):
    path = tmp_path / "cells.csv"
    path.write_bytes(text.encode("utf-8"))
    return path


@pytest.mark.parametrize(
    ("header", "name", "unit", "value"),
    [
        ("Max Velocity", "max_velocity", UNKNOWN, 2.0),
        (" VMAX ", "max_velocity", UNKNOWN, 2.0),
        ("max_velocity_px_per_frame_above_min", "max_velocity", "px/frame above minimum", 2.0),
        ("Max Velocity (mm/s)", "max_velocity", "m/s", 2e-3),
        ("transition_time_s", "transition_time", "s", 2.0),
        ("Transition Time [ms]", "transition_time", "s", 2e-3),
        ("Transition Time (µs)", "transition_time", "s", 2e-6),
        ("transition_time_us", "transition_time", "s", 2e-6),
        ("Max Velocity (cm/s)", "max_velocity", "m/s", 2e-2),
        ("Max Velocity (µm/s)", "max_velocity", "m/s", 2e-6),
        ("DI", "deformation_index", "1", 2.0),
    ],
)
def test_header_is_matched_and_brought_to_si(tmp_path, header, name, unit, value):
    table = read_table(write_table(tmp_path, f"\ufeffCELL-ID,cell  type,{header}\r\na,x,2\r\n"))
    assert table.cells[0].values == {name: pytest.approx(value)}
    assert table.columns[0].unit == unit


def test_deform_is_not_taken_for_the_deformation_index(tmp_path):
    path = write_table(tmp_path, "cell_id,label,deform,max_velocity_m_per_s\na,x,0.1,0.2\n")
    dataset = read_csv(path)
    assert "deformation_index" not in dataset.table
    assert dataset.features == ["max_velocity"]
    assert dataset.table["deform"].to_list() == [0.1]


def test_unknown_columns_keep_their_name_and_empty_values_are_missing(tmp_path):
    path = write_table(tmp_path, "cell_id,label,DI,Brightness,note\na,x,0.1,3,ok\nb,y,,4,bad\n")
    dataset = read_csv(path)
    assert dataset.table["brightness"].to_list() == [3.0, 4.0]
    assert dataset.table["note"].to_list() == ["ok", "bad"]
    assert np.isnan(dataset.table["deformation_index"][1])
    assert "brightness" not in dataset.units


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cell_id,label,DI\na,x,0.1\na,x,0.1\n", "row 3: cell 'a' stands in cells.csv row 2 too"),
        ("cell_id,label,size\na,x,0.1\n", "no feature among the columns"),
        ("cell_id,label,DI,deformability\na,x,0.1,0.1\n", "mean the same"),
        ("cell_id,label,DI,split\na,x,0.1,Val\n", "split = 'Val'; write train, test"),
        ("cell_id,label,DI\na,x,\x00\n", "zero bytes"),
    ],
)
def test_bad_table_is_refused(tmp_path, text, message):
    with pytest.raises(DatasetError, match=message):
        read_csv(write_table(tmp_path, text))


def test_a_unit_that_is_none_is_refused_and_not_lost(tmp_path):
    with pytest.raises(DatasetError, match=r"column 'Max Velocity \(knots\)': unit 'knots'"):
        read_table(write_table(tmp_path, "cell_id,label,Max Velocity (knots)\na,x,2\n"))


def test_tables_of_one_folder_in_two_units_are_refused(tmp_path):
    folder = make_folder(tmp_path / "demo")
    text = (folder / "train_data.csv").read_text().replace("T8_Day2", "T8_Day3").replace("T4_Day1", "T4_Day3")
    (folder / "val_data.csv").write_text(text.replace("Max Velocity", "Max Velocity (m/s)"))
    (folder / "Val").mkdir()
    for path in (folder / "Train").iterdir():
        name = path.name.replace("T8_Day2", "T8_Day3").replace("T4_Day1", "T4_Day3")
        (folder / "Val" / name).write_bytes(path.read_bytes())
    with pytest.raises(DatasetError, match=r"'Max Velocity \(m/s\)' is in 'm/s', in another table"):
        read_miml(folder)


def test_a_missing_value_does_not_hide_a_lost_scale(tmp_path):
    rows = [*ROWS, "T8_Day2_Cell3_Firstcrop.png,T8,,0.5,0.1"]
    assert read_miml(make_folder(tmp_path / "demo", rows)).units["max_velocity"] == SCALE_LOST
