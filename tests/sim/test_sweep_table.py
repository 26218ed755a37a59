"""The table of a sweep: rebuilt from run folders, written and read back the same."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from sweep_runs import make_config, write_fake_run

from sim.command import InputError
from sim.config import PHYSICS_VERSION
from sim.features import FEATURES
from sim.sweep_table import PROVENANCE, make_table, read_sweep, write_table
from sim.sweeps.collect import collect
from sim.sweeps.ledger import entries, forget, make_entry, record
from sim.sweeps.report import tabulate
from sim.trace import Outcome


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    write_fake_run(folder, ks=1e-3)
    write_fake_run(folder, ks=2e-3, start_y=1e-6)
    write_fake_run(folder, ks=3e-2, outcome=Outcome.STUCK)
    write_fake_run(folder, name="wbc", ks=4e-3)
    where = {"wall_time_s": 1.5, "host": "a", "physics_version": PHYSICS_VERSION}
    reason = "at t = 1 ms,\n  in the wall"
    record(folder, make_entry("hct116-000000000000", "UNSTABLE", reason, make_config(ks=0.4), where))
    write_table(folder, make_table(collect(folder)[0]))
    return folder


@pytest.fixture
def sweep(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "sweep"))


def test_every_run_is_a_row_with_its_outcome(sweep):
    table, columns = read_sweep(sweep)
    assert list(table["class"]) == ["hct116"] * 4 + ["wbc"]
    assert sorted(table["outcome"]) == ["EXITED", "EXITED", "EXITED", "STUCK", "UNSTABLE"]
    unstable = table[table["outcome"] == "UNSTABLE"].iloc[0]
    assert unstable["reason"] == "at t = 1 ms, in the wall"
    assert unstable["cell.ks"] == 0.4
    assert np.isnan(unstable[list(FEATURES)].astype(float)).all()
    stuck = table[table["outcome"] == "STUCK"].iloc[0]
    assert np.isnan(stuck["transition_time"])
    assert stuck["reason"] == ""
    passed = table[table["cell.ks"] == 2e-3].iloc[0]
    features = json.loads((sweep / passed["run"] / "features.json").read_text())["features"]
    assert all(passed[name] == features[name]["value"] for name in FEATURES if features[name]["value"] is not None)
    assert passed["drift_area"] == 0
    assert columns["transition_time"].unit == "s"


def test_columns_are_what_differs_and_what_everyone_needs(sweep):
    _, columns = read_sweep(sweep)
    parameters = {name: one.unit for name, one in columns.items() if one.role == "parameter"}
    assert parameters == {
        "fluid.pressure_drop": "Pa",
        "cell.diameter": "m",
        "cell.ks": "N/m",
        "cell.kb": "J",
        "cell.start_y": "m",
        "seed": "1",
    }
    assert set(PROVENANCE) == {name for name, one in columns.items() if one.role == "provenance"}


def test_both_files_hold_the_same(sweep):
    table, columns = read_sweep(sweep / "sweep.csv")
    other, others = read_sweep(sweep / "sweep.h5")
    assert table.equals(other)
    assert columns == others
    with h5py.File(sweep / "sweep.h5") as file:
        assert file["table/cell.ks"].attrs["unit"] == "N/m"


def test_the_same_folders_give_the_same_bytes(sweep):
    before = [(sweep / name).read_bytes() for name in ("sweep.csv", "sweep.units.csv", "sweep.h5")]
    write_table(sweep, make_table(collect(sweep)[0]))
    assert before == [(sweep / name).read_bytes() for name in ("sweep.csv", "sweep.units.csv", "sweep.h5")]


def test_awkward_text_comes_back(sweep):
    write_fake_run(sweep, name="NA", ks=1e-3)
    record(sweep, make_entry("x-1", "REFUSED", 'a "quoted", reason', make_config(), {}))
    write_table(sweep, make_table(collect(sweep)[0]))
    for name in ("sweep.csv", "sweep.h5"):
        table, _ = read_sweep(sweep / name)
        assert "NA" in list(table["class"])
        assert 'a "quoted", reason' in list(table["reason"])


def test_runs_of_another_physics_are_left_out(sweep):
    folder = next(path for path in sweep.iterdir() if path.name.startswith("wbc"))
    provenance = json.loads((folder / "provenance.json").read_text())
    (folder / "provenance.json").write_text(json.dumps(provenance | {"physics_version": PHYSICS_VERSION - 1}))
    rows, left_out = collect(sweep)
    assert {row["class"] for row in rows} == {"hct116"}
    assert left_out == 1


@pytest.mark.parametrize("name", ["features.json", "provenance.json", "config.toml"])
def test_a_damaged_run_is_a_failed_row(sweep, name):
    folder = next(path for path in sweep.iterdir() if path.name.startswith("wbc"))
    (folder / name).write_text("{")
    rows, _ = collect(sweep)
    (row,) = (row for row in rows if row["run"] == folder.name)
    assert (row["class"], row["outcome"]) == ("wbc", "FAILED")
    assert "damaged" in row["reason"]
    make_table(rows)


def test_a_finished_run_outweighs_the_ledger(sweep):
    folder = next(path for path in sweep.iterdir() if path.name.startswith("wbc"))
    record(sweep, make_entry(folder.name, "FAILED", "worker died", make_config(), {}))
    assert [row["outcome"] for row in collect(sweep)[0] if row["run"] == folder.name] == ["EXITED"]
    forget(sweep, folder.name)
    assert folder.name not in entries(sweep)


def test_several_numbers_in_one_field_are_a_column_of_text(tmp_path):
    rows = [
        {"class": "a", "run": name, "cell.orientation": turned}
        for name, turned in (("a-1", [0.0, 90.0, 0.0]), ("a-2", None))
    ]
    write_table(tmp_path, make_table(rows))
    table, _ = read_sweep(tmp_path)
    assert table["cell.orientation"].fillna("").tolist() == ["0.0,90.0,0.0", ""]


def test_an_empty_sweep_has_a_table_and_a_figure(tmp_path):
    assert "0 runs" in tabulate(tmp_path)
    assert (tmp_path / "sweep.png").stat().st_size > 1000
    for name in ("sweep.csv", "sweep.h5"):
        assert len(read_sweep(tmp_path / name)[0]) == 0


@pytest.mark.parametrize("name", ["sweep.csv", "sweep.h5"])
def test_what_is_no_table_is_one_message(sweep, name):
    (sweep / name).write_bytes((sweep / name).read_bytes()[:300])
    with pytest.raises(InputError, match=name):
        read_sweep(sweep / name)
    (sweep / name).unlink()
    with pytest.raises(InputError, match="no such table"):
        read_sweep(sweep / name)
