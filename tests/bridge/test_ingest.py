import json

import pytest
from miml_folders import BAD, make_folder

from bridge.command import InputError
from bridge.ingest import read_source
from bridge.records import DatasetError, read_dataset


def test_folder_and_table_become_one_dataset(tmp_path, command):
    folder = make_folder(tmp_path / "demo", [row.replace("1.0", "3") for row in ["a_Firstcrop.png,T4,0.5,1.0,0.2"]])
    table = tmp_path / "more.csv"
    table.write_text("cell_id,label,DI,extra\nb,T8,0.1,5\n")
    out = tmp_path / "cells.h5"
    done = command("bridge.ingest", folder, table, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["labels"] == {"T4": 1, "T8": 1}
    assert summary["pictures"] == 1
    dataset = read_dataset(out)
    assert dataset.views_present.tolist() == [[True, False], [False, False]]
    assert [source["name"] for source in dataset.meta["sources"]] == ["demo", "more.csv"]
    assert dataset.meta["sources"][0]["sha256"].keys() == {"train_data.csv"}


def test_sources_in_different_units_are_not_mixed(tmp_path, command):
    for name, unit in (("a", "m_per_s"), ("b", "px_per_frame")):
        (tmp_path / f"{name}.csv").write_text(f"cell_id,label,max_velocity_{unit}\n{name},x,1\n")
    done = command("bridge.ingest", tmp_path / "a.csv", tmp_path / "b.csv", "--out", tmp_path / "c.h5")
    assert done.returncode == 2
    assert "'m/s' in one source and 'px/frame' in another" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_a_cell_in_two_sources_is_refused(tmp_path, command):
    path = tmp_path / "a.csv"
    path.write_text("cell_id,label,DI\na,x,0.1\n")
    done = command("bridge.ingest", path, path, "--out", tmp_path / "c.h5")
    assert done.returncode == 2
    assert "'a' occurs in two sources" in done.stderr


def test_sources_can_be_added_later(tmp_path, command):
    out = tmp_path / "c.h5"
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(f"cell_id,label,DI\n{name},x,0.1\n")
        assert command("bridge.ingest", tmp_path / f"{name}.csv", "--out", out, "--append").returncode == 0
    before = out.read_bytes()
    assert read_dataset(out).table["cell_id"].to_list() == ["a", "b"]
    assert [source["name"] for source in read_dataset(out).meta["sources"]] == ["a.csv", "b.csv"]
    done = command("bridge.ingest", tmp_path / "b.csv", "--out", out, "--append")
    assert (done.returncode, out.read_bytes() == before) == (2, True)


@pytest.mark.parametrize(("name", "message"), [("none", "no such file"), ("video.avi", "unknown kind of file")])
def test_source_of_no_known_kind_is_refused(tmp_path, name, message):
    (tmp_path / "video.avi").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=message):
        read_source(tmp_path / name)


def test_pictures_that_no_row_names_are_counted(tmp_path, command):
    folder = make_folder(tmp_path / "demo")
    first = next((folder / "Train").iterdir())
    (folder / "Train/other_Firstcrop.png").write_bytes(first.read_bytes())
    done = command("bridge.ingest", folder, "--out", tmp_path / "cells.h5", "--quiet")
    assert done.stderr == "demo: 1 pictures that no row names are left out\n"


@pytest.mark.parametrize("number", [0, 1, 6, 15, 17])
def test_bad_input_is_one_message_and_no_file(tmp_path, command, number):
    folder = make_folder(tmp_path / "demo")
    BAD[number][0](folder)
    out = tmp_path / "cells.h5"
    out.write_bytes(b"earlier")
    done = command("bridge.ingest", folder, "--out", out, "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert out.read_bytes() == b"earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells.h5", "demo"]


@pytest.mark.shared
def test_demo_set_of_the_reference(shared):
    dataset = read_source(shared / "miml_demo_t4t8/dataset/T4vsT8")
    assert dict(dataset.table.groupby(["split", "label"]).size()) == {
        ("train", "T4"): 10,
        ("test", "T4"): 2,
        ("test", "T8"): 3,
    }
    assert dataset.images.shape == (15, 2, 100, 100)
    assert set(dataset.table["group"]) == {"Day1", "Day2"}


@pytest.mark.shared
def test_table_of_the_papers_cells(shared):
    dataset = read_source(shared / "miml_cells/miml_cells.csv")
    assert len(dataset) == 2017
    assert dataset.units == {
        "max_velocity": "px/frame above minimum",
        "transition_time": "frame above minimum",
        "deformation_index": "1",
    }
    assert dataset.images is None


@pytest.mark.parametrize("text", ["8_5", "٨٥", "0x55", "1e999", "inf", "fast"])
def test_what_is_no_number_in_a_table_is_refused(tmp_path, text):
    (tmp_path / "a.csv").write_text(f"cell_id,label,DI\na,x,{text}\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=f"a.csv: row 2: DI = '{text}' is no number"):
        read_source(tmp_path / "a.csv")


def test_numbers_in_a_table_are_read(tmp_path):
    (tmp_path / "a.csv").write_text("cell_id,label,DI\n" + "".join(f"{t},x,{t}\n" for t in ("1", "-.5", "+2.", "1E-3")))
    assert read_source(tmp_path / "a.csv").table["deformation_index"].to_list() == [1, -0.5, 2, 1e-3]
