"""The reproduction: how claims are judged, how cells are shared out, split and matched, and the whole of it, once."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from bridge.command import InputError
from bridge.pool import run_all
from bridge.records import Dataset, DatasetError, read_dataset, write_dataset
from learn.metrics import compare
from learn.report import make_page
from learn.report_reproduction import separation
from learn.reproduce import VERDICTS, count, main
from learn.reproduction import datasets, films, rows_cells, rows_models
from learn.reproduction.claims import (
    ABSENT,
    CONTROL,
    MEASURED,
    SIMULATED,
    Claim,
    at_printed_size,
    fused_accuracy,
    mean_of,
    over_folds,
)
from learn.reproduction.costs import Costs
from learn.reproduction.plan import PLAN, Settings, begin, foresee, left, measured_cells, steps_of
from learn.reproduction.population import day_of, pressure_of, write_population, write_singles
from learn.reproduction.scales import CLASSES, PAIR, SCALES, TEST, days_of
from learn.reproduction.steps import Place, Step, StepFailed, alone, nothing

CLAIM = Claim("f", "c", SIMULATED, "p")


def test_independent_evidence_adds_in_d_prime_squared():
    assert fused_accuracy(0.887, 0.906) == pytest.approx(0.963, abs=5e-4)
    assert fused_accuracy(0.9) == pytest.approx(0.9)
    assert fused_accuracy(0.8, 0.5) == pytest.approx(0.8)
    assert fused_accuracy(0.8, 0.4) == pytest.approx(0.8)
    # The same from a drawn sample: two independent normal cues, their sum of log-likelihoods.
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=200_000)
    cues = rng.normal(labels[:, None] * np.array([2.4, 2.6]), 1)
    alone_ = [((cues[:, k] > cues[:, k].mean()) == labels).mean() for k in (0, 1)]
    both = ((cues @ [2.4, 2.6] > (2.4**2 + 2.6**2) / 2) == labels).mean()
    assert fused_accuracy(*alone_) == pytest.approx(both, abs=3e-3)


def test_scores_are_judged_on_their_interval():
    found = {"value": 0.93, "low": 0.90, "high": 0.95}
    assert CLAIM.at_least(0.94, found, 100).verdict == "holds"
    assert CLAIM.at_least(0.80, found, 100).verdict == "holds"
    short = CLAIM.at_least(0.96, found, 100)
    assert (short.verdict, short.ours) == ("falls short", "0.930 (0.900 to 0.950)")
    assert "3.0 points" in short.why
    assert CLAIM.within(0.91, found, 100).verdict == "holds"
    for outside in (0.96, 0.80):
        assert CLAIM.within(outside, found, 100).verdict == "falls short"


def test_what_can_tell_nothing_is_not_judged():
    found = {"value": 0.93, "low": 0.90, "high": 0.95}
    assert CLAIM.at_least(0.94, found, 19).verdict == "cannot be compared"
    wide = {"value": 0.8, "low": 0.5, "high": 0.97}
    for judge in (CLAIM.at_least, CLAIM.within):
        row = judge(0.94, wide, 100)
        assert (row.verdict, "wide" in row.why) == ("cannot be compared", True)
        # But it may well exclude a figure.
        assert judge(0.99, wide, 100).verdict == "falls short"
    assert CLAIM.gain(0.08, {"value": -0.1, "low": -0.2, "high": 0.07}, 80).verdict == "falls short"
    assert CLAIM.within(0.9, {"value": 0.9}, 100).verdict == "cannot be compared"
    assert CLAIM.says("no", False, True, "rule").verdict == "falls short"
    assert CLAIM.says("no", False, False, "rule").verdict == "cannot be compared"
    assert CLAIM.says("yes", True, False, "rule", 3).verdict == "cannot be compared"


def test_a_gain_must_be_one():
    assert CLAIM.gain(0.08, {"value": 0.06, "low": 0.02, "high": 0.09}, 80).verdict == "holds"
    assert CLAIM.gain(0.08, {"value": 0.05, "low": -0.01, "high": 0.09}, 80).verdict == "cannot be compared"
    assert CLAIM.gain(0.08, {"value": 0.03, "low": 0.01, "high": 0.06}, 80).verdict == "falls short"
    assert CLAIM.gain(0.08, {"value": -0.03, "low": -0.06, "high": 0.0}, 80).verdict == "falls short"
    for blunt in ({"value": 0.15, "low": 0.001, "high": 0.4}, {"value": 0.1, "low": np.nan, "high": np.nan}):
        assert CLAIM.gain(0.08, blunt, 80).verdict == "cannot be compared"


def test_what_is_not_significant_in_fewer_cells_is_left_open():
    assert at_printed_size(0.016, 2017) == pytest.approx(0.0071, abs=1e-4)
    assert at_printed_size(0.3, 2521) == pytest.approx(0.3)
    pair = {"x": "max_velocity", "y": "transition_time", "cells": "all", "count": 2017, "pearson": -0.05}
    pair |= {"slope": -0.02, "slope_se": 0.01}

    def verdict(p):
        return rows_cells.rows_of_correlations([pair | {"pearson_p": p}], MEASURED)[0].verdict

    assert [verdict(p) for p in (0.001, 0.016, 0.1)] == ["holds", "cannot be compared", "falls short"]


def test_the_slope_is_that_of_velocity_over_time_whichever_was_regressed():
    rng = np.random.default_rng(0)
    time = rng.normal(size=200)
    velocity = -0.5 * time + rng.normal(0, 0.6, 200)
    forwards, turned = scipy.stats.linregress(time, velocity), scipy.stats.linregress(velocity, time)
    rows = []
    for line, x, y in (
        (forwards, "transition_time", "max_velocity"),
        (turned, "max_velocity", "transition_time"),
    ):
        pair = {"x": x, "y": y, "cells": "all", "count": 200, "pearson": line.rvalue, "pearson_p": line.pvalue}
        pair |= {"slope": line.slope, "slope_se": line.stderr}
        rows.append(rows_cells.rows_of_correlations([pair], SIMULATED)[1])
    assert rows[0] == rows[1]
    assert rows[0].ours.startswith(f"{-forwards.slope:.2f} ({-forwards.slope - 1.96 * forwards.stderr:.2f}")


def test_targets_are_never_called_held():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"label": np.repeat(PAIR, 200), "deformation_index": rng.normal(0.7, 0.05, 400)})
    table["transition_time"] = np.where(table["label"] == "wbc", 2.0, 1.0) + rng.normal(0, 0.1, 400)
    table["max_velocity"] = -table["transition_time"]
    simulated = {row.claim: row.verdict for row in rows_cells.rows_of_cells(table, SIMULATED)}
    assert [verdict for claim, verdict in simulated.items() if "hct116, p" in claim] == ["fitted"] * 3
    measured = {row.claim: row.verdict for row in rows_cells.rows_of_cells(table, MEASURED)}
    assert measured["mean deformation index of wbc"] == "fitted"
    assert measured["transition time is shorter in hct116, p < 0.001"] == "holds"
    assert measured["deformation index is larger in hct116, p < 0.001"] == "fitted"
    verdicts = [row.facts() for row in rows_cells.rows_of_cells(table, SIMULATED)]
    assert sum(count(verdicts).values()) == 5
    assert set(count(verdicts)) == set(VERDICTS)


def test_intervals():
    values = np.random.default_rng(0).normal(3, 1, (2000, 25))
    hits = [(found := mean_of(one))["low"] <= 3 <= found["high"] for one in values]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.015)
    assert mean_of(values[0][:1])["high"] == np.inf
    found = over_folds(0.9, 0.02, 5)
    # Student's t of 4 degrees of freedom times sd √(1/5 + 1/4).
    assert found["high"] - found["value"] == pytest.approx(2.776 * 0.02 * np.sqrt(0.45), rel=1e-3)
    assert over_folds(0.99, 0.05, 5)["high"] == 1


def test_absent_data_is_said(tmp_path):
    place = Place(tmp_path)
    rows = rows_cells.rows_of_cells(None, MEASURED) + rows_cells.rows_of_correlations(None, MEASURED)
    rows += rows_models.rows_of_classical(place, "measured") + rows_models.rows_of_measured_network(place)
    rows += rows_models.rows_of_synthetic(place)
    assert len(rows) > 20
    assert {(row.verdict, row.why) for row in rows} == {("cannot be compared", ABSENT)}
    place.note("cnn-day").parent.mkdir()
    place.note("cnn-day").write_text(json.dumps({"nothing": "class 'wbc' has 1 cells"}))
    row = next(row for row in rows_models.rows_of_networks(place) if row.claim == "accuracy of CNN, another day tests")
    assert (row.verdict, row.why) == ("cannot be compared", "class 'wbc' has 1 cells")


def test_populations_hold_the_papers_numbers_and_every_day_has_every_class(tmp_path):
    assert SCALES["full"].pair == 2521
    assert sum(SCALES["standard"].cells.values()) >= 600
    assert sum(SCALES["standard"].solid.values()) >= 60
    for name, scale in SCALES.items():
        write_population(tmp_path / f"{name}.toml", scale)
        classes = tomllib.loads((tmp_path / f"{name}.toml").read_text())["class"]
        flat = [one for one in classes if one.get("numerics", {}).get("dimension") != 3]
        assert pd.DataFrame(flat).groupby("preset")["cells"].sum().to_dict() == scale.cells
        assert len(flat) == len(CLASSES) * (scale.days + 1)
        assert sum(one["cells"] for one in classes if one not in flat) == sum(scale.solid.values())
        assert all(one["cell"]["diameter"]["law"] == "lognormal" for one in classes)
        for content in classes:
            assert day_of(content["fluid"]["pressure_drop"], content["preset"], scale)
        test = sum(scale.per_day(label)[1] for label in PAIR) / sum(scale.cells[label] for label in PAIR)
        assert test == pytest.approx(0.2, abs=0.07)


def test_the_population_is_drawn_by_the_sweep(tmp_path):
    from sim.sweeps.design import read_rows
    from sim.sweeps.population import draw

    write_population(tmp_path / "population.toml", SCALES["smoke"])
    rows = draw(str(tmp_path / "population.toml")).rows
    assert len(rows) == sum(SCALES["smoke"].cells.values()) + sum(SCALES["smoke"].solid.values())
    write_singles(tmp_path / "singles.csv")
    assert len(read_rows(tmp_path / "singles.csv")) == 5


def test_the_test_day_lies_outside_the_others():
    days = days_of(SCALES["full"])
    assert days[-1] is TEST
    assert TEST.pressure < min(day.pressure for day in days[:-1])
    assert TEST.microscope["background"] < min(day.microscope["background"] for day in days[:-1])
    assert len({pressure_of(day, "hct116") for day in days}) == len(days)
    with pytest.raises(KeyError):
        day_of(1.0, "hct116", SCALES["full"])


def test_stiffened_cells_look_like_the_others_and_cameras_can_be_read(tmp_path):
    from bridge.looks import OPTICS
    from bridge.microscope import read_microscope

    assert OPTICS["hct116_stiffened"] == OPTICS["hct116"]
    place, scale = Place(tmp_path), SCALES["standard"]
    row = {"transition_time": 4e-4}
    seen = [films.Simulated(tmp_path / "r", "hct116", day.name, False, row) for day in days_of(scale)]
    rates = films.write_cameras(place, scale, seen)
    assert set(rates.values()) == {50e3}
    for day in days_of(scale):
        microscope = read_microscope(str(films.camera_of(place, day.name)))
        assert all(getattr(microscope, name) == value for name, value in day.microscope.items())


def cells(number=60, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.array(PAIR)[np.arange(number) % 2]
    table = pd.DataFrame(
        {
            "cell_id": [f"c{k}" for k in range(number)],
            "source": "simulated",
            "label": labels,
            "group": np.array(["day-1", "day-2", "day-6"])[np.arange(number) % 3],
            "split": "",
            "fold": -1,
            "diameter": np.where(labels == "wbc", 13.5e-6, 14.2e-6) + rng.normal(0, 1e-6, number),
        }
    )
    images = rng.integers(255, size=(number, 2, 8, 8), dtype=np.uint8)
    return Dataset(table, {"diameter": "m"}, images=images, views_present=np.ones((number, 2), bool))


def test_days_and_cells_are_split_as_said():
    data = cells()
    day = datasets.by_day(data).table
    assert set(day.loc[day["split"] == "test", "group"]) == {"day-6"}
    assert "day-6" not in set(day.loc[day["split"] == "train", "group"])
    cell = datasets.by_cell(data).table
    assert cell.loc[cell["split"] == "test", "label"].value_counts().to_dict() == dict.fromkeys(PAIR, 6)
    assert cell["group"].is_unique
    assert datasets.by_cell(data).table.equals(cell)


def test_what_the_transfer_sees_is_met_by_no_other_model():
    data = cells()
    kept, apart = datasets.set_apart(data, 0.4)
    assert set(apart.table["label"]) == {"hct116"}
    assert len(apart) == 12
    assert set(kept.table["cell_id"]) | set(apart.table["cell_id"]) == set(data.table["cell_id"])
    assert not set(kept.table["cell_id"]) & set(apart.table["cell_id"])


def test_matched_classes_are_equal_in_size_and_number():
    data, caliper = cells(200), 0.25e-6
    kept = datasets.matched(data, caliper)
    sizes = [kept.table.loc[kept.table["label"] == label, "diameter"].to_numpy() for label in PAIR]
    assert len(sizes[0]) == len(sizes[1]) > 40
    assert abs(sizes[0].mean() - sizes[1].mean()) < caliper
    before = [data.table.loc[data.table["label"] == label, "diameter"].mean() for label in PAIR]
    assert abs(before[0] - before[1]) > 2 * caliper
    row = int(kept.table.index[3])
    original = data.table.index[data.table["cell_id"] == kept.table["cell_id"][row]][0]
    assert np.array_equal(kept.images[row], data.images[original])
    with pytest.raises(DatasetError, match="no two cells"):
        datasets.matched(data, 0.0)


def measured_film(place, look, name, **changes):
    """Write what a film's measurement leaves."""
    data = datasets.chosen(cells(2), np.array([0]))
    features = dict.fromkeys((*datasets.FEATURES, datasets.RATE), 1.0)
    table = data.table.assign(**features | changes)
    folder = place.films(look)
    folder.mkdir(exist_ok=True)
    write_dataset(folder / f"{name}.h5", Dataset(table, {}, images=data.images, views_present=data.views_present))
    (folder / f"{name}.json").write_text(json.dumps({"lost": ""}))


def test_films_become_one_dataset_and_losses_are_counted(tmp_path):
    place = Place(tmp_path)
    (tmp_path / "datasets").mkdir()
    runs = [
        films.Simulated(tmp_path / name, label, "day-2", False, {})
        for name, label in (("a", "hct116"), ("b", "wbc"), ("c", "wbc"), ("d", "hct116"))
    ]
    measured_film(place, "own", "a")
    measured_film(place, "own", "b")
    measured_film(place, "same", "b")
    measured_film(place, "own", "c", transition_time=np.nan)
    (place.films("own") / "d.json").write_text(json.dumps({"lost": "x.mp4: no cell moves"}))
    lost = datasets.gather(place, runs, "own")
    assert lost == {"not measured: transition_time": 1, "no cell moves": 1}
    table = read_dataset(place.dataset("own")).table
    assert table[["cell_id", "label", "group", "kind"]].to_numpy().tolist() == [
        ["a", "hct116", "day-2", "flat"],
        ["b", "wbc", "day-2", "flat"],
    ]
    assert len(datasets.chosen(read_dataset(place.dataset("own")), np.array([1])).table) == 1
    datasets.gather(place, runs[:2], "same")
    assert len(read_dataset(place.dataset("same"))) == 2


def test_paired_differences():
    rng = np.random.default_rng(1)
    labels = rng.integers(2, size=400)

    def chances(strength):
        score = 1 / (1 + np.exp(-strength * (labels - 0.5) + rng.normal(0, 1, 400)))
        return np.stack([1 - score, score], axis=1)

    weak, strong = chances(1.0), chances(4.0)
    same = compare(labels, weak, weak, rng)
    assert all(found == {"value": 0, "low": 0, "high": 0} for found in same.values())
    found = compare(labels, strong, weak, rng)
    right = [(p.argmax(1) == labels).mean() for p in (strong, weak)]
    assert found["accuracy"]["value"] == pytest.approx(right[0] - right[1])
    assert all(one["low"] > 0 for one in found.values())


def test_a_step_is_taken_once_and_a_failure_says_what_was_said(tmp_path):
    place = Place(tmp_path)
    (tmp_path / "datasets").mkdir()
    write_dataset(place.dataset("few"), cells(6))
    bad = Step("bad", ("learn.run", "many", "--workdir", str(tmp_path / "w")), 1)
    with pytest.raises(StepFailed, match="unknown preset 'many'"):
        bad.take(place)
    assert not bad.done(place)
    words = ("learn.run", "features_only", "--dataset", str(place.dataset("few")), "--features", "diameter", "--quiet")
    few = Step("few", (*words, "--workdir", str(tmp_path / "w")), 1)
    few.take(place)
    assert few.done(place)
    assert "each part needs one" in nothing(place, "few")
    assert nothing(place, "never") == ""
    with pytest.raises(StepFailed, match="absent"):
        Step("none", (*words[:3], str(tmp_path / "absent.h5"), "--workdir", str(tmp_path / "v")), 1).take(place)
    # What works on a result that is not there has none either, and is not tried.
    Step("later", ("learn.explain", str(tmp_path / "w")), 1, needs="few").take(place)
    assert nothing(place, "later") == nothing(place, "few")


def test_a_comparison_that_was_killed_before_it_was_marked_is_not_made_again(tmp_path):
    place = Place(tmp_path)
    folder = place.learned("curve")
    folder.mkdir(parents=True)
    step = Step("curve", ("learn.curve", "features_only", "--out", str(folder)), 1)
    with pytest.raises(StepFailed, match="no --synthetic"):
        step.take(place)
    (folder / "report.json").write_text("{}")
    step.take(place)
    assert step.done(place)
    assert nothing(place, "curve") == ""


def test_a_simulation_that_fails_says_what_it_said(tmp_path):
    place = Place(tmp_path)
    step = Step("sweep", ("sim.sweep", "--rows", str(tmp_path / "absent.csv"), "--out", str(tmp_path / "r")), 1)
    with pytest.raises(StepFailed, match=r"absent\.csv"):
        step.take(place)
    assert not step.done(place)


def test_jobs_are_done_in_processes_and_the_first_failure_ends_all():
    done = []
    run_all(int, ["1", "2", "3"], 2, lambda job, number: done.append((job, number)))
    assert sorted(job for job, _ in done) == ["1", "2", "3"]
    assert [number for _, number in done] == [1, 2, 3]
    with pytest.raises(ValueError, match="invalid literal"):
        run_all(int, ["x"], 1, lambda job, number: None)


def test_two_do_not_work_in_one_folder(tmp_path, monkeypatch):
    held = tmp_path / PLAN
    held.write_text("{}")
    monkeypatch.setattr("learn.reproduction.steps._PATIENCE", 0.1)
    with alone(held), pytest.raises(InputError, match="another reproduction is at work"), alone(held):
        pass


def test_time_foreseen_grows_with_the_machine_and_the_size(tmp_path):
    def seconds(name, costs, workers=2):
        return foresee(Settings(Place(tmp_path), name, None, None, workers), costs).seconds

    quick, slow = Costs(3.0, 6.0), Costs(6.0, 12.0)
    assert seconds("smoke", quick) < seconds("standard", quick) < seconds("full", quick)
    assert seconds("standard", slow) == pytest.approx(2 * seconds("standard", quick), rel=0.01)
    assert seconds("standard", quick) < 3 * 3600


def test_time_left_falls_by_what_a_finished_run_takes(tmp_path):
    settings, costs = Settings(Place(tmp_path), "standard", None, None, 2), Costs(cell=3.0, film=5.0)
    seconds = [left(settings, costs)]
    for dimension in (2, 3):
        run = settings.place.population / f"run-{dimension}"
        run.mkdir(parents=True)
        (run / "config.toml").write_text(f"[numerics]\ndimension = {dimension}\n")
        (run / "result.h5").touch()
        seconds.append(left(settings, costs))
    assert -np.diff(seconds) == pytest.approx([3.0 / 2, costs.solid(settings.scale) / 2])


def test_measured_cells_are_found_or_not(tmp_path, monkeypatch):
    monkeypatch.delenv("MIMLAB_SHARED", raising=False)
    assert measured_cells(None) is None
    table = tmp_path / "data" / "miml_cells" / "miml_cells.csv"
    monkeypatch.setenv("MIMLAB_SHARED", str(tmp_path))
    assert measured_cells(None) is None
    table.parent.mkdir(parents=True)
    table.write_text("x")
    assert measured_cells(None) == table
    settings = Settings(Place(tmp_path), "smoke", table, None, 2)
    names = {step.name for step in steps_of(settings, Costs(3, 6))[1]}
    assert {"curve", "nn-measured", "baselines-measured", "ablation-measured"} <= names


def test_other_folders_and_scales_are_refused(tmp_path):
    place = Place(tmp_path / "r")
    begin(Settings(place, "smoke", None, None, 2))
    begin(Settings(place, "smoke", None, None, 1))
    measured = tmp_path / "measured.csv"
    for content in ("a", "b"):
        measured.write_text(content)
        other = Settings(Place(tmp_path / "other"), "smoke", measured, None, 1)
        if content == "a":
            begin(other)
        else:
            with pytest.raises(InputError, match="other measured cells"):
                begin(other)
    with pytest.raises(InputError, match="another scale"):
        begin(Settings(place, "full", None, None, 2))
    with pytest.raises(InputError, match="not finished"):
        make_page(tmp_path / "r")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        main(["--out", str(tmp_path / "mine")])
    with pytest.raises(InputError, match="no such file"):
        main(["--out", str(tmp_path / "r"), "--real", str(tmp_path / "absent.csv")])
    with pytest.raises(InputError, match="tcp"):
        main(["--out", str(tmp_path / "r"), "--scheduler", "nowhere"])


def kill_when(call, environment, ready):
    """Start the command and kill it, as the system would, as soon as `ready`."""
    with subprocess.Popen(call, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while not ready() and process.poll() is None:
            time.sleep(0.2)
        assert process.poll() is None, "finished before it could be killed"
        process.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_smoke_killed_in_every_stage(tmp_path):
    out = tmp_path / "r"
    environment = {key: value for key, value in os.environ.items() if key != "MIMLAB_SHARED"}
    call = [sys.executable, "-m", "learn.reproduce", "--out", str(out), "--scale", "smoke", "--json"]
    for pattern, number in (
        ("singles/*/result.h5", 2),
        ("runs/*/result.h5", 3),
        ("films-own/*.json", 3),
        ("learn/cnn-day/config.toml", 1),
        ("done/miml-control-matched.json", 1),
    ):
        kill_when(call, environment, lambda p=pattern, n=number: len(list(out.glob(p))) >= n)
    kept = {path: path.stat().st_mtime_ns for path in [*out.glob("runs/*/result.h5"), *out.glob("films-own/*.json")]}
    done = subprocess.run(call, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    report = json.loads(done.stdout)
    assert sum(report["verdicts"].values()) == len(report["rows"]) > 60
    figures = {row["figure"] for row in report["rows"]}
    assert figures >= {"2a", "2d", "2e", "3", "4b", "4c", "S1", "S2a", "5f", "6a", "6a–e", "8a", "9e, f", "2.4", "2.6"}
    assert report["verdicts"]["holds"] == 0, "25 cells show nothing"
    assert {row["source"] for row in report["rows"]} == {SIMULATED, MEASURED, CONTROL}
    table = pd.read_csv(out / "cells.csv")
    assert len(table) > 15
    assert np.isfinite(table["transition_time"]).all()
    # Measured from films, so near the run's numbers and not equal to them.
    apart = table["transition_time"] / table["true_transition_time"] - 1
    assert 0 < apart.abs().median() < 0.1
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<figure") > 25
    again = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=300)
    assert json.loads(again.stdout)["rows"] == report["rows"]


def test_classes_lie_apart_by_the_area_under_the_curve():
    assert separation(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0])) == 1
    assert separation(np.array([4.0, 5.0]), np.array([1.0, 2.0, 3.0])) == 1
    assert separation(np.array([1.0, 3.0]), np.array([2.0, 2.0])) == 0.5
