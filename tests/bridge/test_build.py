import json
import shutil

import numpy as np
import pytest
from bridge_runs import make_config, make_trace, write_run

import bridge.build
from bridge.build import find_runs, group_of
from bridge.check import check
from bridge.command import InputError
from bridge.records import read_dataset
from bridge.views import FIELD
from sim.features import FEATURES, compute_features


@pytest.fixture(scope="module")
def built(runs, tmp_path_factory, command):
    out = tmp_path_factory.mktemp("built") / "cells.h5"
    done = command("bridge.build", runs, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def test_dataset_holds_every_run_with_features_in_si(built, runs):
    dataset = read_dataset(built[0])
    assert sorted(dataset.table["run"]) == sorted(p.name for p in runs.iterdir())
    assert set(FEATURES) <= set(dataset.features)
    assert {dataset.units[name] for name in ("max_velocity", "transition_time")} == {"m/s", "s"}
    row = dataset.table[dataset.table["label"] == "wbc"].iloc[0]
    trace = make_trace(make_config("wbc", diameter=10e-6))
    for name, value in compute_features(trace.samples, trace.config.channel.constriction_length).items():
        assert row[name] == pytest.approx(np.nan if value is None else value, nan_ok=True)
    assert row["sim_ks"] == 1e-3
    assert row["sim_pressure_drop"] == 2000.0
    assert row["pixel_size"] == pytest.approx(FIELD / 64)
    assert dataset.meta["microscope"]["objective_na"] == 0.45
    assert "sphere" in dataset.meta["depth"]
    assert dataset.meta["cell_optics"]["wbc"]["cytoplasm"] == 1.370


def test_stuck_run_is_kept_with_its_missing_view_flagged(built):
    dataset = read_dataset(built[0])
    stuck = (dataset.table["outcome"] == "STUCK").to_numpy()
    assert stuck.sum() == 1
    assert dataset.views_present[stuck].tolist() == [[True, False]]
    assert dataset.views_present[~stuck].all()
    assert dataset.images[stuck][0, 1].max() == 0
    assert np.isnan(dataset.table.loc[stuck, "transition_time"]).all()
    assert built[1]["views_missing"] == 1
    assert built[1]["outcomes"] == {"EXITED": 2, "STUCK": 1}


def test_built_dataset_has_no_errors(built):
    assert [finding for finding in check(read_dataset(built[0])) if finding.level == "error"] == []


def test_same_seed_same_file_and_order_of_runs_does_not_change_a_cell(built, runs, tmp_path, command):
    again, other = tmp_path / "again.h5", tmp_path / "other.h5"
    folders = sorted(runs.iterdir())
    assert command("bridge.build", runs, "--out", again, "--quiet").returncode == 0
    assert command("bridge.build", *folders[::-1], "--out", other, "--seed", 7).returncode == 0
    assert again.read_bytes() == built[0].read_bytes()
    first, seventh = read_dataset(again), read_dataset(other)
    assert seventh.table["cell_id"].to_list() == first.table["cell_id"].to_list()[::-1]
    np.testing.assert_array_equal(seventh.masks[::-1], first.masks)
    assert (seventh.images[::-1] != first.images).any()


def test_processes_make_the_same_pictures(built, runs, monkeypatch):
    monkeypatch.setattr(bridge.build, "_FEW", 1)
    (dataset,) = bridge.build.build(find_runs([runs]), 64, 0, pytest.fail, lambda *_: None)
    known = read_dataset(built[0])
    assert dataset.table["cell_id"].to_list() == known.table["cell_id"].to_list()
    np.testing.assert_array_equal(dataset.images, known.images)


def test_unfinished_damaged_and_repeated_runs_are_skipped_with_a_line_each(runs, tmp_path, command):
    folders = sorted(runs.iterdir())
    unfinished, damaged, repeated = tmp_path / "unfinished", tmp_path / "damaged", tmp_path / "repeated"
    for copy in (unfinished, damaged, repeated):
        shutil.copytree(folders[0], copy)
    (unfinished / "provenance.json").unlink()
    (damaged / "result.h5").write_bytes(b"nothing")
    out = tmp_path / "cells.h5"
    done = command("bridge.build", folders[0], unfinished, damaged, repeated, "--out", out)
    assert done.returncode == 0
    assert done.stderr.count("skipped: ") == 3
    assert "3 of 4 runs skipped" in done.stderr
    assert len(read_dataset(out)) == 1


def test_no_usable_run_is_an_error(tmp_path, command):
    (tmp_path / "empty").mkdir()
    done = command("bridge.build", tmp_path / "empty", "--out", tmp_path / "cells.h5")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'empty'}: not a finished run folder")
    (tmp_path / "other").mkdir()
    done = command("bridge.build", tmp_path / "empty", tmp_path / "other", "--out", tmp_path / "cells.h5")
    assert done.returncode == 2
    assert "none of 2 run folders can be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "cells.h5").exists()


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        find_runs([tmp_path / "nowhere"])


def test_group_joins_runs_that_differ_in_seed_or_resolution_alone():
    config = make_config()
    seeded = config.model_copy(update={"seed": 5})
    finer = config.model_copy(update={"numerics": config.numerics.model_copy(update={"dx": 0.2e-6})})
    assert group_of(config) == group_of(seeded) == group_of(finer)
    assert group_of(config) != group_of(make_config(ks=2e-3))


def test_other_picture_size_keeps_the_field(tmp_path, command):
    run = write_run(tmp_path / "runs", make_trace(make_config()))
    out = tmp_path / "cells.h5"
    assert command("bridge.build", run, "--out", out, "--size", 96).returncode == 0
    dataset = read_dataset(out)
    assert dataset.images.shape[2:] == (96, 96)
    assert dataset.table["pixel_size"][0] * 96 == pytest.approx(FIELD)


def test_trainings_beside_runs_are_passed_over(runs, tmp_path, command):
    run = sorted(runs.iterdir())[0]
    shutil.copytree(run, tmp_path / "runs" / run.name)
    (tmp_path / "runs" / "learn-miml").mkdir()
    for sources in ([tmp_path / "runs"], sorted((tmp_path / "runs").iterdir())):
        done = command("bridge.build", *sources, "--out", tmp_path / "cells.h5")
        assert (done.returncode, "skipped: " in done.stderr) == (0, False)
    with pytest.raises(InputError, match="trainings only"):
        find_runs([tmp_path / "runs" / "learn-miml"])
