import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from bridge.formats.column_map import read_column_map
from bridge.formats.mapped import read_mapped
from bridge.ingest import read_source
from bridge.records import DatasetError, read_dataset

MAPS = Path(__file__).resolve().parents[2] / "examples/maps"

PLAIN = """
[label]
column = "dose"
values = { "0" = "control", "0.10" = "soft" }
others = "leave out"
[features.transition_time]
column = "t"
unit = "ms"
[features.volume]
column = "V"
unit = "um^3"
[conditions.dose]
column = "dose"
unit = "ug/ml"
"""


def a_map(folder, text=PLAIN):
    path = folder / "map.toml"
    path.write_text(text, encoding="utf-8")
    return path


def table(folder, text, name="day1.txt", encoding="utf-8"):
    path = folder / name
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


ROWS = "dose\tt\tV\n0.000\t1.5\t2\n0.1\t\t3\n0.05\t9\t9\n"


@pytest.mark.parametrize("name", ["day1.txt", "day1.tsv.gz", "day1.csv"])
def test_table_by_a_map(tmp_path, name):
    data = read_mapped(table(tmp_path, ROWS, name), read_column_map(a_map(tmp_path)))
    assert data.table["label"].to_list() == ["control", "soft"]
    assert data.table["group"].to_list() == ["day1", "day1"]
    assert data.table["cell_id"].to_list() == ["day1-000000", "day1-000001"]
    np.testing.assert_allclose(data.table["transition_time"], [1.5e-3, np.nan])
    np.testing.assert_allclose(data.table["volume"], [2e-18, 3e-18])
    np.testing.assert_allclose(data.table["condition_dose"], [0, 1e-4])
    assert data.features == ["transition_time", "volume"]
    assert data.units["condition_dose"] == "kg/m³"
    assert data.meta["sources"][0]["left_out"] == 1


@pytest.mark.parametrize(
    ("text", "layout", "encoding"),
    [
        (ROWS.replace("\t", ","), "", "utf-8"),
        (ROWS.replace("\t", ";").replace(".", ","), 'decimal = ","', "utf-8"),
        (ROWS.replace("\t", "|"), "", "utf-8-sig"),
        ("dose t   V\n0 1.5  2\n .1 nan 3\n0.05 9 9\n", "", "utf-8"),
        ("# dose\tt\tV\t\n# in words\t\n0 \t1.5\t2\n0.1\t -9\t3\n0.05\t9\t9\n\n", 'missing = ["-9"]', "utf-8"),
        ("dose;t;V\n0;1,5;2\n0,1;-999,0;3\n0,05;9;9\n", 'decimal = ","\nmissing = ["-999"]', "utf-8"),
        (ROWS, 'encoding = "utf-16"', "utf-16"),
        (ROWS, 'encoding = "latin-1"', "latin-1"),
        (ROWS.replace("\n", "\r\n"), 'separator = "tab"', "utf-8"),
        (ROWS.replace("\n", "\r"), "", "utf-8"),
        ('dose,t,V,"a, b"\n0,1.5,2,"x;y"\n0.1,,3,"1\n2"\n0.05,9,9,\n', "", "utf-8"),
    ],
)
def test_other_separators_encodings_and_decimal_signs(tmp_path, text, layout, encoding):
    path = a_map(tmp_path, f"[file]\n{layout}\n{PLAIN}")
    data = read_mapped(table(tmp_path, text, encoding=encoding), read_column_map(path))
    np.testing.assert_allclose(data.table["transition_time"], [1.5e-3, np.nan])
    np.testing.assert_allclose(data.table["volume"], [2e-18, 3e-18])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROWS.replace("V", "W"), "no column 'V'"),
        (ROWS.replace("1.5", "1,5"), r"row 2: t = '1,5' is no number with the decimal sign '\.'; correct it, or state"),
        (ROWS.replace("1.5", "fast"), "row 2: t = 'fast' is no number"),
        (ROWS.replace("1.5", "1.500,5"), "row 2: t = '1.500,5' is no number"),
        (ROWS.replace("1.5", "1e999"), "row 2: t = '1e999' is no number"),
        (ROWS.replace("\t1.5", ""), "row 2: 2 fields where the header has 3, separated by tab"),
        ("", "empty"),
        ("dose\tt\tV\n", "a header but no cell"),
        ("dose\tt\tV\n0.05\t9\t9\n", "no cell has one of the labels"),
        (ROWS + "\0", "zero bytes"),
        (ROWS + "0\t1\t\xb5\n", None),
    ],
)
def test_bad_table_is_refused_with_file_and_row(tmp_path, text, message):
    path = table(tmp_path, text, encoding="latin-1")
    with pytest.raises(DatasetError, match=message or "not UTF-8 text .byte 0xb5") as caught:
        read_mapped(path, read_column_map(a_map(tmp_path)))
    assert str(path) in str(caught.value)


def test_damaged_and_exploding_archives_are_refused(tmp_path, monkeypatch):
    column_map = read_column_map(a_map(tmp_path))
    path = table(tmp_path, ROWS * 200, "a.txt.gz")
    whole = path.read_bytes()
    for damaged in (whole[:-9], whole[:20], b"no gzip", whole[:30] + b"\xff\xff" + whole[32:]):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"a\.txt\.gz"):
            read_mapped(path, column_map)
    monkeypatch.setattr("bridge.formats.text.MAX_TEXT", 1000)
    for name in ("a.txt.gz", "a.txt"):
        with pytest.raises(DatasetError, match="a table of more than"):
            read_mapped(table(tmp_path, ROWS * 200, name), column_map)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[label\n", "not valid TOML"),
        ("[" * 5000, "not valid TOML"),
        ("[features.a]\ncolumn='x'\n", r"features\.a\.unit: field required"),
        ("[features.a]\ncolumn='x'\nunit='furlong'\n", "'furlong' is unknown"),
        ("[features.max_velocity]\ncolumn='x'\nunit='ms'\n", "max_velocity in 'ms': its unit is m/s"),
        ("[features.label]\ncolumn='x'\nunit='1'\n", r"features\.label: choose another name"),
        ("[features.sim_ks]\ncolumn='x'\nunit='1'\n", r"features\.sim_ks: choose another name"),
        ("[features.a]\ncolum='x'\nunit='1'\n", r"features\.a\.colum: unknown entry; did you mean 'column'"),
        ("[label]\nconstant='a'\ncolumn='b'\n[features.a]\ncolumn='x'\nunit='1'\n", "exactly one of column, constant"),
        ("[label]\nconstant='a'\nvalues={a='b'}\n[features.a]\ncolumn='x'\nunit='1'\n", "belong to a column"),
        ("[label]\nconstant='a'\n", "neither features nor images"),
        ("[images.first]\narray='x'\nblack=1\n", "both black and white"),
        ("[images.first]\narray='x'\nblack=3\nwhite=2\n", "black = 3 must be below"),
        ("pixel_size='3 s'\n[images.first]\narray='x'\n", "pixel_size = '3 s': a length"),
        ("[file]\nencoding='klingon'\n[images.first]\narray='x'\n", "encoding 'klingon' is unknown"),
        ("[file]\ndecimal=','\nseparator='comma'\n[images.first]\narray='x'\n", "both a comma"),
    ],
)
def test_bad_map_is_refused_by_entry(tmp_path, text, message):
    with pytest.raises(DatasetError, match=message) as caught:
        read_column_map(a_map(tmp_path, text))
    assert "map.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "labels", "message"),
    [
        ("column = 'dose'", ["0.000", "0.1", "0.05"], None),
        ("constant = 'hl60'", ["hl60"] * 3, None),
        ("file = {'day2*' = 'a', 'day*' = 'b'}", ["b"] * 3, None),
        ("file = {'night*' = 'a'}", None, "no pattern fits the file's name"),
        ("column = 'dose'\nvalues = {'0' = 'a'}", None, "dose = '0.05|dose = '0.1"),
        ("column = 'dose'\nvalues = {'0' = 'a'}\nothers = 'keep'", ["a", "0.1", "0.05"], None),
        ("column = 'dose'\nnames = 'classes'", None, "a table has no array 'classes'"),
    ],
)
def test_where_labels_come_from(tmp_path, entry, labels, message):
    path = a_map(tmp_path, f"[label]\n{entry}\n[features.volume]\ncolumn='V'\nunit='fl'\n")
    if message:
        with pytest.raises(DatasetError, match=message):
            read_mapped(table(tmp_path, ROWS), read_column_map(path))
    else:
        assert read_mapped(table(tmp_path, ROWS), read_column_map(path)).table["label"].to_list() == labels


ARRAYS = """
pixel_size = "0.5 um"
[label]
column = "y"
names = "classes"
[group]
column = "run"
[features.area]
column = "area"
unit = "um^2"
[images.first]
array = "pictures"
"""


def save(folder, **changes):
    rng = np.random.default_rng(0)
    arrays = {
        "y": np.array([0, 1, 1], np.int8),
        "classes": np.array(["a", "b"]),
        "run": np.array([1, 1, 2]),
        "area": np.array([1.0, np.nan, np.inf]),
        "pictures": rng.integers(0, 256, (3, 5, 6), np.uint8),
    }
    arrays = {name: array for name, array in (arrays | changes).items() if array is not None}
    np.savez_compressed(folder / "a.npz", **arrays)
    return folder / "a.npz"


def test_arrays_by_a_map(tmp_path):
    path = save(tmp_path)
    data = read_mapped(path, read_column_map(a_map(tmp_path, ARRAYS)))
    assert data.table["label"].to_list() == ["a", "b", "b"]
    assert data.table["group"].to_list() == ["1", "1", "2"]
    np.testing.assert_allclose(data.table["area"], [1e-12, np.nan, np.nan])
    assert data.views == ("first",)
    np.testing.assert_array_equal(data.images[:, 0], np.load(path)["pictures"])
    assert data.table["pixel_size"].to_list() == [5e-7] * 3


def test_grey_values_are_stretched_to_black_and_white(tmp_path):
    path = save(tmp_path, pictures=np.array([[[0.0, 0.25]], [[0.5, 0.75]], [[2.0, np.nan]]]))
    data = read_mapped(path, read_column_map(a_map(tmp_path, ARRAYS + "black = 0.25\nwhite = 0.75\n")))
    assert data.images.dtype == np.uint16
    assert data.images[:, 0, 0].tolist() == [[0, 0], [32768, 65535], [65535, 0]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pictures": None}, "no array 'pictures'"),
        ({"pictures": np.zeros((3, 5, 6))}, "float64; state its black and white"),
        ({"pictures": np.zeros((2, 5, 6), np.uint8)}, r"is \(3,\); expected \(2,\)"),
        ({"pictures": np.zeros((3, 5), np.uint8)}, "pictures are numbers of shape"),
        ({"pictures": np.zeros((0, 5, 6), np.uint8)}, "is empty"),
        ({"pictures": np.array(["x", None, 3], object)}, "holds Python objects"),
        ({"y": np.array([0, 1, 2])}, "y = '2' is none of the 2 classes"),
        ({"y": np.array([0, 1, -1])}, "y = '-1' is none of the 2 classes"),
        ({"area": np.array(["x", "y", "z"])}, "no numbers"),
        ({"area": np.zeros((3, 2))}, r"expected \(3,\)"),
    ],
)
def test_bad_arrays_are_refused_by_name(tmp_path, changes, message):
    path = save(tmp_path, **changes)
    with pytest.raises(DatasetError, match=message) as caught:
        read_mapped(path, read_column_map(a_map(tmp_path, ARRAYS)))
    assert str(path) in str(caught.value)


def test_an_array_that_claims_to_be_huge_is_refused_before_it_is_read(tmp_path):
    path = save(tmp_path)
    data = path.read_bytes()
    column_map = read_column_map(a_map(tmp_path, ARRAYS))
    np.savez(path, **dict(np.load(path)))
    data = path.read_bytes().replace(b"'shape': (3, 5, 6), }" + b" " * 12, b"'shape': (3, 500000, 600000), }  ")
    assert b"500000" in data
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"takes 858307 MiB|cannot be read"):
        read_mapped(path, column_map)


def test_command_says_what_is_left_out_and_asks_for_a_map(tmp_path, command):
    source, out = table(tmp_path, ROWS), tmp_path / "cells.h5"
    done = command("bridge.ingest", source, "--out", out)
    assert done.returncode == 2
    assert "--columns" in done.stderr
    assert not out.exists()
    done = command("bridge.ingest", source, "--columns", a_map(tmp_path), "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["labels"] == {"control": 1, "soft": 1}
    assert "1 cells with other labels are left out" in done.stderr
    assert read_dataset(out).meta["sources"][0]["map"]["label"]["column"] == "dose"


def test_a_map_is_looked_for_before_anything_is_read(tmp_path, command):
    done = command("bridge.ingest", tmp_path / "x", "--columns", tmp_path / "none.toml", "--out", tmp_path / "c.h5")
    assert done.returncode == 2
    assert "none.toml" in done.stderr


@pytest.mark.parametrize("path", sorted(MAPS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_is_valid(path):
    assert read_column_map(path)


SHARED = [
    ("ifc_jurkat/ifc_jurkat_brightfield.npz", "ifc_jurkat", 3455, {"G1": 1440, "S_phase": 720, "Telophase": 22}),
    ("metadeformability/Data_Raw/LatB/SMR/SMR_LatB_set1*", "hl60_constriction", 2251, {"control": 1182}),
    ("metadeformability/Data_Raw/LatB/RT-DC/RTDC_LatB_set1*", "hl60_shear", 3435, {"softened": 920}),
    ("metadeformability/Data_Raw/LatB/DC/DC_LatB_set3*", "hl60_extension", 4468, {"control": 2655}),
]


@pytest.mark.shared
@pytest.mark.parametrize(("pattern", "name", "cells", "labels"), SHARED, ids=[name for _, name, _, _ in SHARED])
def test_published_data_come_in_by_the_examples(shared, pattern, name, cells, labels):
    (path,) = shared.glob(pattern)
    data = read_source(path, column_map=read_column_map(MAPS / f"{name}.toml"))
    assert len(data) == cells
    counts = data.table["label"].value_counts()
    assert {label: counts[label] for label in labels} == labels
    if "volume" in data.table:
        assert 5e-16 < data.table["volume"].median() < 2e-15  # 500 to 2000 µm³: a cell of 10 to 16 µm


@pytest.mark.shared
def test_constrictions_of_other_files_of_the_same_source(shared, tmp_path):
    raw = shared / "metadeformability/Data_Raw"
    text = "[features.deform]\ncolumn='deform'\nunit='1'\n[features.volume]\ncolumn='volume'\nunit='um3'\n"
    (strain,) = raw.glob("Strain/RTDC/*.tsv.gz")
    data = read_source(strain, column_map=read_column_map(a_map(tmp_path, text)), label="hl60")
    assert len(data) == 2188
    assert data.table["volume"].isna().any()
    text = "[label]\ncolumn='Osm_mOsm'\n[features.passage_time]\ncolumn='PassageTime_s'\nunit='s'\n"
    (osm,) = raw.glob("Osm/SMR/SMR_Osm_set1*")
    assert len(read_source(osm, column_map=read_column_map(a_map(tmp_path, text)))) == 2713
    text = "[features.deform]\ncolumn='MedD'\nunit='1'\n"
    (summary,) = raw.glob("LatB_FlowRate/20151213*")
    assert len(read_source(summary, column_map=read_column_map(a_map(tmp_path, text)))) == 28
    (contours,) = raw.glob("Strain/RTDC/*contours*")
    with pytest.raises(DatasetError, match="fields where the header has"):
        read_source(contours, column_map=read_column_map(a_map(tmp_path, text)))


def test_points_are_no_decimal_signs_where_commas_are(tmp_path):
    path = a_map(tmp_path, f"[file]\ndecimal = ','\n{PLAIN}")
    with pytest.raises(DatasetError, match=r"t = '1\.234' is no number with the decimal sign ','"):
        read_mapped(table(tmp_path, "dose;t;V\n0;1.234;2\n0,1;2;3\n"), read_column_map(path))
