"""The reproduction: how claims are judged, how cells are shared out, split and matched, and the whole of it, once."""

import json
import subprocess
import sys
import tomllib

import numpy as np
import pandas as pd
import pytest

from bridge.command import InputError
from bridge.records import Dataset
from learn.metrics import compare
from learn.reproduce import count, main
from learn.reproduction.cells import Place
from learn.reproduction.claims import SIMULATED, at_least, claim, fitted, fused_accuracy, within, without
from learn.reproduction.datasets import CALIPER, by_cell, by_day, chosen, matched
from learn.reproduction.population import day_of, days_of, pressure_of, write_population
from learn.reproduction.scales import CLASSES, PAIR, SCALES, TEST
from learn.reproduction.steps import Pool, Step, StepFailed, run_step


def test_independent_evidence_adds_in_d_prime_squared():
    assert fused_accuracy(0.887, 0.906) == pytest.approx(0.963, abs=5e-4)
    assert fused_accuracy(0.9) == pytest.approx(0.9)
    assert fused_accuracy(0.8, 0.5) == pytest.approx(0.8)
    # The same from a drawn sample: two independent normal cues, their sum of log-likelihoods.
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=200_000)
    cues = rng.normal(labels[:, None] * np.array([2.4, 2.6]), 1)
    alone = [((cues[:, k] > cues[:, k].mean()) == labels).mean() for k in (0, 1)]
    both = ((cues @ [2.4, 2.6] > (2.4**2 + 2.6**2) / 2) == labels).mean()
    assert fused_accuracy(*alone) == pytest.approx(both, abs=3e-3)


def test_verdicts():
    found = {"value": 0.93, "low": 0.90, "high": 0.95}
    assert at_least("f", "q", SIMULATED, 0.94, found).verdict == "holds"
    assert at_least("f", "q", SIMULATED, 0.80, found).verdict == "holds"
    short = at_least("f", "q", SIMULATED, 0.96, found)
    assert (short.verdict, short.ours) == ("falls short", "0.930 (0.900 to 0.950)")
    assert "3.0 points" in short.why
    assert within("f", "q", SIMULATED, 0.91, found).verdict == "holds"
    assert within("f", "q", SIMULATED, 0.96, found).verdict == "falls short"
    assert within("f", "q", SIMULATED, 0.96, {"value": 0.9}).verdict == "cannot be compared"
    assert claim("f", "q", SIMULATED, "yes", "no", False, "rule").verdict == "falls short"
    rows = [fitted("f", "q", SIMULATED, "1", "1").facts(), without("f", "q", SIMULATED, "1", "why").facts()]
    assert count(rows) == {"holds": 0, "falls short": 0, "cannot be compared": 1, "fitted": 1}


def test_populations_hold_the_papers_numbers_and_every_day_has_every_class(tmp_path):
    assert sum(SCALES["full"].cells[label] for label in PAIR) == 2521
    for name, scale in SCALES.items():
        write_population(tmp_path / f"{name}.toml", scale)
        classes = tomllib.loads((tmp_path / f"{name}.toml").read_text())["class"]
        drawn = pd.DataFrame(classes)
        assert drawn.groupby("preset")["cells"].sum().to_dict() == scale.cells
        assert len(classes) == len(CLASSES) * (scale.days + 1)
        for content in classes:
            assert day_of(content["fluid"]["pressure_drop"], content["preset"], scale)
        test = sum(scale.per_day(label)[1] for label in PAIR) / sum(scale.cells[label] for label in PAIR)
        assert test == pytest.approx(0.2, abs=0.06)


def test_the_test_day_lies_outside_the_others():
    days = days_of(SCALES["full"])
    assert days[-1] is TEST
    assert TEST.pressure < min(day.pressure for day in days[:-1])
    assert TEST.microscope["background"] < min(day.microscope["background"] for day in days[:-1])
    assert len({pressure_of(day, "hct116") for day in days}) == len(days)
    with pytest.raises(KeyError):
        day_of(1.0, "hct116", SCALES["full"])


def test_stiffened_cells_look_like_the_others():
    from bridge.looks import OPTICS

    assert OPTICS["hct116_stiffened"] == OPTICS["hct116"]


def cells(count=60, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.array(PAIR)[np.arange(count) % 2]
    table = pd.DataFrame(
        {
            "cell_id": [f"c{k}" for k in range(count)],
            "source": "simulated",
            "label": labels,
            "group": np.array(["day-1", "day-2", "day-6"])[np.arange(count) % 3],
            "split": "",
            "fold": -1,
            "diameter": np.where(labels == "wbc", 13.5e-6, 14.2e-6) + rng.normal(0, 1e-6, count),
        }
    )
    images = rng.integers(255, size=(count, 2, 8, 8), dtype=np.uint8)
    return Dataset(table, {"diameter": "m"}, images=images, views_present=np.ones((count, 2), bool))


def test_days_and_cells_are_split_as_said():
    data = cells()
    day = by_day(data).table
    assert set(day.loc[day["split"] == "test", "group"]) == {"day-6"}
    assert "day-6" not in set(day.loc[day["split"] == "train", "group"])
    cell = by_cell(data).table
    assert cell.loc[cell["split"] == "test", "label"].value_counts().to_dict() == dict.fromkeys(PAIR, 6)
    assert cell["group"].is_unique
    assert by_cell(data).table.equals(cell)


def test_matched_classes_are_equal_in_size_and_number():
    data = cells(200)
    kept = matched(data)
    sizes = [kept.table.loc[kept.table["label"] == label, "diameter"].to_numpy() for label in PAIR]
    assert len(sizes[0]) == len(sizes[1]) > 40
    assert abs(sizes[0].mean() - sizes[1].mean()) < CALIPER
    before = [data.table.loc[data.table["label"] == label, "diameter"].mean() for label in PAIR]
    assert abs(before[0] - before[1]) > 2 * CALIPER
    row = int(kept.table.index[3])
    original = data.table.index[data.table["cell_id"] == kept.table["cell_id"][row]][0]
    assert np.array_equal(kept.images[row], data.images[original])
    assert len(chosen(data, np.array([5, 2])).table) == 2


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
    turned = compare(labels, weak, strong, rng)
    assert turned["auc"]["value"] == pytest.approx(-found["auc"]["value"])


def test_a_step_is_taken_once_and_a_failure_says_what_was_said(tmp_path):
    step = Step("good", ("bridge.check", "--help"), tmp_path / "logs" / "good.txt", 1)
    assert not step.finished
    run_step(step, tmp_path / "logs")
    assert step.finished
    bad = Step("bad", ("bridge.check", str(tmp_path / "absent.h5")), tmp_path / "never", 1)
    with pytest.raises(StepFailed, match=r"absent\.h5: no such file"):
        run_step(bad, tmp_path / "logs")
    done = []
    Pool(2).run([lambda k=k: done.append(k) for k in range(5)], lambda number: None)
    assert sorted(done) == list(range(5))


def test_other_folders_and_scales_are_refused(tmp_path, capsys):
    assert main(["--out", str(tmp_path / "r"), "--scale", "smoke", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cells"] == 24
    with pytest.raises(InputError, match="another scale"):
        main(["--out", str(tmp_path / "r"), "--scale", "full", "--dry-run"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        main(["--out", str(tmp_path / "mine")])
    with pytest.raises(InputError, match="no such file"):
        main(["--out", str(tmp_path / "r"), "--real", str(tmp_path / "absent.csv")])


@pytest.mark.slow
def test_smoke(tmp_path):
    call = [sys.executable, "-m", "learn.reproduce", "--out", str(tmp_path / "r"), "--scale", "smoke", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert sum(report["verdicts"].values()) == len(report["rows"]) > 40
    figures = {row["figure"] for row in report["rows"]}
    assert {"2a", "2d", "2e", "3", "4b", "4c", "S1", "S2a", "5f", "6a", "6a–e", "8a", "9e, f", "2.4", "2.6"} <= figures
    assert all(row["verdict"] != "holds" for row in report["rows"] if "order" in row["why"])
    page = (Place(tmp_path / "r").out / "report.html").read_text(encoding="utf-8")
    assert page.count("<figure") > 15
    again = subprocess.run(call, capture_output=True, text=True, timeout=300)
    assert json.loads(again.stdout)["rows"] == report["rows"]
