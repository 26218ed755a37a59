from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest

from bridge.records import VIEWS, Dataset, DatasetError, read_dataset, write_dataset


def example(count: int = 3) -> Dataset:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "cell_id": [f"µ{i}" for i in range(count)],
            "source": "experimental",
            "label": ["a", "b", "a"][:count],
            "group": "",
            "split": "",
            "fold": -1,
            "max_velocity": [0.1, np.nan, 1 / 3][:count],
        }
    )
    images = rng.integers(0, 256, (count, 2, 8, 9), dtype=np.uint8)
    present = np.array([[True, True], [True, False], [True, True]])[:count]
    return Dataset(
        table, {"max_velocity": "m/s"}, {"max_velocity": "d"}, images, None, present, VIEWS, {"sources": ["x"]}
    )


def test_round_trip(tmp_path):
    path, written = tmp_path / "cells.h5", example()
    write_dataset(path, written)
    read = read_dataset(path)
    pd.testing.assert_frame_equal(read.table, written.table, check_dtype=False)
    np.testing.assert_array_equal(read.images, written.images)
    np.testing.assert_array_equal(read.views_present, written.views_present)
    assert read.masks is None
    assert (read.units, read.descriptions, read.views, read.meta) == (
        written.units,
        written.descriptions,
        written.views,
        written.meta,
    )
    assert read.features == ["max_velocity"]


def test_same_cells_same_bytes(tmp_path):
    for name in "ab":
        write_dataset(tmp_path / name, example())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_failed_write_keeps_the_earlier_file(tmp_path):
    path = tmp_path / "cells.h5"
    write_dataset(path, example())
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_dataset(path, replace(example(), meta={"sources": object()}))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"table": example().table.drop(columns="group")}, "lacks the columns group"),
        ({"table": example().table.iloc[:0]}, "no cell"),
        ({"images": np.zeros((3, 1, 8, 9), np.uint8)}, "images are uint8"),
        ({"images": np.zeros((3, 2, 8, 9))}, "images are float64"),
        ({"views_present": None}, "views_present"),
        ({"masks": np.zeros((3, 2, 4, 4), np.uint8)}, "masks"),
    ],
)
def test_wrong_shapes_are_refused(change, message):
    with pytest.raises(DatasetError, match=message):
        replace(example(), **change)


def spoil(path, how):
    """Write a dataset and damage it."""
    write_dataset(path, example())
    with h5py.File(path, "r+") as file:
        how(file)


def external_link(file):
    del file["images"]
    file["images"] = h5py.ExternalLink("/etc/passwd", "/x")


def external_column(file):
    file["table/more"] = h5py.ExternalLink("other.h5", "/x")


def external_storage(file):
    del file["images"]
    file.create_dataset("images", (3, 2, 8, 9), np.uint8, external=[("/etc/passwd", 0, 432)])


def virtual(file):
    layout = h5py.VirtualLayout((3, 2, 8, 9), np.uint8)
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 2, 8, 9))
    del file["images"]
    file.create_virtual_dataset("images", layout)


def huge_pictures(file):
    del file["images"]
    file.create_dataset("images", (3, 2, 1 << 20, 1 << 20), np.uint8, chunks=(1, 1, 64, 64))


def huge_column(file):
    file.create_dataset("table/more", (1 << 40,), np.float64, chunks=(1024,))


def other_schema(file):
    del file["meta"]
    file["meta"] = '{"schema_version": 99, "views": []}'


def no_json(file):
    del file["meta"]
    file["meta"] = "{"


def list_json(file):
    del file["meta"]
    file["meta"] = "[]"


def short_column(file):
    del file["table/fold"]
    file["table/fold"] = np.zeros(2)


def group_for_column(file):
    file.create_group("table/more")


def no_column(file):
    del file["table/label"]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (external_link, "is a link"),
        (external_column, "is a link"),
        (external_storage, "another file"),
        (virtual, "another file"),
        (huge_pictures, "GiB"),
        (huge_column, "GiB"),
        (other_schema, "schema version 99"),
        (no_json, "not a readable dataset"),
        (list_json, "not a readable dataset"),
        (short_column, "different lengths"),
        (group_for_column, "is no array"),
        (no_column, "lacks the columns label"),
    ],
)
def test_hostile_or_damaged_file_is_refused_by_name(tmp_path, how, message):
    path = tmp_path / "bad.h5"
    spoil(path, how)
    with pytest.raises(DatasetError, match=message) as caught:
        read_dataset(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all" * 100])
def test_what_is_no_hdf5_is_refused(tmp_path, content):
    path = tmp_path / "bad.h5"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"bad\.h5"):
        read_dataset(path)


def test_truncated_file_is_refused(tmp_path):
    path = tmp_path / "bad.h5"
    write_dataset(path, example())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DatasetError, match=r"bad\.h5"):
        read_dataset(path)


def test_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(DatasetError, match=r"bridge\.build"):
        read_dataset(tmp_path / "none.h5")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"fold": [0.0, np.nan, 1.0]}, "column fold holds 0.0; it must be whole numbers"),
        ({"fold": "x"}, "column fold holds 'x'"),
        ({"split": "training"}, "column split holds 'training'; it must be one of 'train', 'test', ''"),
        ({"source": "guessed"}, "column source holds 'guessed'; it must be one of 'simulated', 'experimental'"),
        ({"label": 3}, "column label holds .*3.*; it must be text"),
        ({"max_velocity": "fast"}, "column max_velocity has a unit but holds 'fast'"),
    ],
)
def test_columns_of_the_wrong_kind_are_refused(columns, message):
    with pytest.raises(DatasetError, match=message):
        replace(example(), table=example().table.assign(**columns))


def test_a_flipped_byte_in_a_picture_is_noticed(tmp_path):
    path = tmp_path / "cells.h5"
    write_dataset(path, example())
    with h5py.File(path) as file:
        chunk = file["images"].id.get_chunk_info(1)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="not a readable dataset"):
        read_dataset(path)
