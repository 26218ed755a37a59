"""Rows about classifiers: classical models, small networks, pictures, both, controls, transfer, synthetic help."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from learn.metrics import compare, resample
from learn.reproduction.claims import (
    ABSENT,
    ACCURACY,
    CONTROL,
    GAINS,
    MEASURED,
    RATE_F1,
    RATE_GAIN,
    SIMULATED,
    TEXT_ONLY,
    TRANSFER,
    Claim,
    Row,
    fused_accuracy,
    over_folds,
    points,
    shown,
)
from learn.reproduction.rows_cells import SHORT
from learn.reproduction.steps import Place, nothing
from learn.reproduction.trainings import CONTROLS, control, smaller

SPLITS = {"day": "another day tests", "cell": "other cells test"}
OPTICS = {
    "cell": "as drawn",
    "same-optics": "both classes with the optics of hct116",
    "matched": "classes matched in diameter",
    "matched-same-optics": "matched in diameter, with the same optics",
}
"""The datasets of the controls in words."""
_NONE_IN_PAPER = "a control, which the paper does not have"
_RESAMPLES = 2000
_NAMES = {"auc": "AUC", "f1": "F1"}
LARGER_GAIN = 0.068
"""32-16 neurons over one layer of 16, Table S1."""
TRANSFER_CELLS = 102
LEAST_RESAMPLES = 5
"""Fewer tell nothing of what simulated cells add."""


def report_of(place: Place, name: str) -> dict[str, Any] | None:
    """Return the report of a training or comparison, or None where nothing came of it."""
    path = place.learned(name) / "report.json"
    if nothing(place, name) or not path.is_file():
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def scores(place: Place, name: str) -> dict[str, Any] | None:
    """Return the scores on the dataset's test cells, of the mean of the folds' models where there were folds."""
    report = report_of(place, name)
    if report is None:
        return None
    return report.get("test", report["held_out"])


def chances(place: Place, *names: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return labels and each training's probabilities of the dataset's test cells that all of them have."""
    tables = []
    for name in names:
        table = pd.read_csv(place.learned(name) / "predictions.csv", dtype={"cell_id": str})
        aside = table[table["fold"] == -1]
        tables.append((aside if len(aside) else table).set_index("cell_id"))
    both = tables[0].index
    for table in tables[1:]:
        both = both.intersection(table.index)
    columns = [name for name in tables[0].columns if name.startswith("p_")]
    labels = tables[0].loc[both, "label"].map({name[2:]: k for k, name in enumerate(columns)}).to_numpy(int)
    return labels, [table.loc[both, columns].to_numpy(float) for table in tables]


def difference(place: Place, one: str, other: str) -> tuple[dict[str, Any], int]:
    """Return by how much one training scores above another on the same test cells, and how many those are."""
    labels, (first, second) = chances(place, one, other)
    return compare(labels, first, second, np.random.default_rng(0)), len(labels)


def rows_of_classical(place: Place, whose: str) -> list[Row]:
    """Return the rows of the five classical models and the ablation, of ``simulated`` or ``measured`` cells."""
    source = SIMULATED if whose == "simulated" else MEASURED
    return _classical(place, whose, source) + _ablation(place, whose, source)


def why_not(place: Place, name: str, source: str) -> str:
    """Return why there is no report of a step."""
    return nothing(place, name) or (ABSENT if source == MEASURED else "not computed")


def _classical(place: Place, whose: str, source: str) -> list[Row]:
    best = Claim("4c", "the small network is the best of six models on three features", source, "yes")
    claims = {
        name: Claim("3", f"accuracy of {name} on each pair of features and on all", source, "picture")
        for name in ("LR", "SVM", "DT", "RF", "KNN")
    }
    report = report_of(place, f"baselines-{whose}")
    if report is None:
        why = why_not(place, f"baselines-{whose}", source)
        return [claim.without(why) for claim in (best, *claims.values())]
    every, network = len(report["features"]), report["network"]["accuracy"]
    whole = {score["model"]: score["accuracy"] for score in report["scores"] if len(score["features"]) == every}
    tests = [test for test in report["comparison"] if "NN" in (test["one"], test["other"])]
    above = [test["difference"] * (1 if test["one"] == "NN" else -1) for test in tests]
    sure = [test["p"] < 0.05 for test in tests]
    first = all(gain > 0 and known for gain, known in zip(above, sure, strict=True))
    beaten = any(gain < 0 and known for gain, known in zip(above, sure, strict=True))
    listed = ", ".join(f"{name} {value:.3f}" for name, value in whole.items())
    rule = "above every other with p < 0.05 (corrected resampled t-test); denied if below one with p < 0.05"
    cells = min(report["cells"].values())
    rows = [best.says(f"NN {network:.3f}; {listed}", first, beaten, rule, cells)]
    for name, claim in claims.items():
        own = [score for score in report["scores"] if score["model"] == name and len(score["features"]) in (2, every)]
        rows.append(claim.without(TEXT_ONLY, "; ".join(_on(score, report["folds"], every) for score in own)))
    return rows


def _on(score: Mapping[str, Any], folds: int, every: int) -> str:
    features: list[str] = score["features"]
    pair = "+".join(SHORT.get(name, name) for name in features)
    names = "all" if len(score["features"]) == every else pair
    return f"{names} {shown(over_folds(score['accuracy'], score['sd'], folds))}"


def _ablation(place: Place, whose: str, source: str) -> list[Row]:
    from learn.ablation import NETWORKS

    larger = Claim("S1", "32-16 neurons score above one layer of 16", source, f"+{100 * LARGER_GAIN:.1f} points")
    claims = {
        name: Claim("S1", f"accuracy of {name} ({'-'.join(map(str, hidden))})", source, f"{printed / 100:.3f}")
        for name, (hidden, printed) in NETWORKS.items()
    }
    report = report_of(place, f"ablation-{whose}")
    if report is None:
        why = why_not(place, f"ablation-{whose}", source)
        return [claim.without(why) for claim in (*claims.values(), larger)]
    rows, cells = [], report["cells"] // len(report["classes"])
    for network in report["networks"]:
        found = over_folds(network["accuracy"], network["sd"], report["folds"])
        rows.append(claims[network["network"]].within(network["printed"], found, cells))
    first = next(network for network in report["networks"] if network["network"] == "M1")
    found = over_folds(-first["difference"], first["difference_sd"], report["folds"])
    return [*rows, larger.gain(LARGER_GAIN, found, cells)]


def rows_of_networks(place: Place) -> list[Row]:
    """Return the rows of the small network, the pictures alone and MIML on simulated cells, and of DI rate."""
    rows = []
    for split, how in SPLITS.items():
        for figure, name, stem in (("4b", "NN", "nn"), ("5f", "CNN", "cnn"), ("6a", "MIML", "miml")):
            printed = f"{ACCURACY[name]:.3f}" + (" (0.983 less what DI rate gave)" if name == "MIML" else "")
            claim = Claim(figure, f"accuracy of {name}, {how}", SIMULATED, printed)
            rows.append(_score(place, claim, f"{stem}-{split}", "accuracy", ACCURACY[name]))
        # The paper's 98.3 % and its 8 points above pictures alone are those of MIML with DI rate.
        name, best = ("MIML with DI rate", "miml-rate") if split == "cell" else ("MIML", f"miml-{split}")
        for metric, gained in GAINS.items():
            text = f"{_NAMES.get(metric, metric)} of {name} above pictures alone, {how}"
            claim = Claim("6a–e", text, SIMULATED, f"+{100 * gained:.1f} points")
            rows.append(_gain(place, claim, (best, f"cnn-{split}"), metric, gained))
        rows.append(_fused(place, split, how))
    claim = Claim("2.4", "accuracy of MIML with DI rate", SIMULATED, f"{ACCURACY['MIML with DI rate']:.3f}")
    rows.append(_score(place, claim, "miml-rate", "accuracy", ACCURACY["MIML with DI rate"]))
    claim = Claim("Table 1", "F1 of MIML with DI rate", SIMULATED, f"{RATE_F1:.3f}")
    rows.append(_score(place, claim, "miml-rate", "f1", RATE_F1))
    claim = Claim("2.4", "accuracy gained by DI rate", SIMULATED, "+1.1 points")
    return [*rows, _gain(place, claim, ("miml-rate", "miml-cell"), "accuracy", RATE_GAIN)]


def rows_of_measured_network(place: Place) -> list[Row]:
    """Return the row of the small network on measured cells."""
    claim = Claim("4b", "accuracy of NN, other cells test", MEASURED, f"{ACCURACY['NN']:.3f}")
    return [_score(place, claim, "nn-measured", "accuracy", ACCURACY["NN"])]


def _score(place: Place, claim: Claim, name: str, metric: str, printed: float) -> Row:
    found = scores(place, name)
    if found is None:
        return claim.without(why_not(place, name, claim.source))
    return claim.at_least(printed, found[metric], found["cells"])


def _gain(place: Place, claim: Claim, names: tuple[str, str], metric: str, printed: float) -> Row:
    absent = next((name for name in names if report_of(place, name) is None), None)
    if absent:
        return claim.without(why_not(place, absent, claim.source))
    found, cells = difference(place, *names)
    return claim.gain(printed, found[metric], cells)


def _fused(place: Place, split: str, how: str) -> Row:
    """Set the fused accuracy beside what independent evidence of mechanics and pictures would give."""
    paper = f"MIML 0.972; 0.887 and 0.906 predict {fused_accuracy(0.887, 0.906):.3f}"
    claim = Claim("6a", f"MIML is above what independent evidence gives (d′² adds), {how}", SIMULATED, paper)
    names = [f"{stem}-{split}" for stem in ("nn", "cnn", "miml")]
    absent = next((name for name in names if report_of(place, name) is None), None)
    if absent:
        return claim.without(why_not(place, absent, SIMULATED))
    labels, found = chances(place, *names)
    right = np.stack([one.argmax(axis=1) == labels for one in found]).astype(float)
    small, picture, both = right.mean(axis=1)
    counts = resample(labels, _RESAMPLES, np.random.default_rng(0))
    drawn = counts @ right.T / len(labels)
    low, high = np.quantile(drawn[:, 2] - fused_accuracy(drawn[:, 0], drawn[:, 1]), (0.025, 0.975))
    predicted = fused_accuracy(small, picture)
    above = points({"value": both - predicted, "low": low, "high": high})
    ours = f"MIML {both:.3f}; NN {small:.3f} and CNN {picture:.3f} predict {predicted:.3f}: {above}"
    return claim.says(ours, low > 0, high < 0, "our interval of the difference is above 0 (bootstrap)", len(labels))


def rows_of_controls(place: Place) -> list[Row]:
    """Return what mechanics, pictures and both give where optics, or sizes, or both are equal."""
    rows = []
    for data in CONTROLS:
        for stem in ("nn", "cnn", "miml"):
            name = control(place, stem, data)
            small = "small " if stem != "nn" and smaller(place) else ""
            claim = Claim("control", f"accuracy of {small}{stem.upper()}, {OPTICS[data]}", CONTROL, "–")
            found = scores(place, name)
            if found is None:
                rows.append(claim.without(why_not(place, name, CONTROL)))
            else:
                rows.append(claim.without(_NONE_IN_PAPER, f"{shown(found['accuracy'])}, {found['cells']} test cells"))
    return rows


def rows_of_transfer(place: Place) -> list[Row]:
    """Return the rows of the transfer to stiffened cells."""
    text = f"accuracy on stiffened against other hct116 after {TRANSFER_CELLS} cells and 30 epochs"
    claim = Claim("8a", text, SIMULATED, f"{TRANSFER:.3f}")
    gained = Claim("8a", "the same above training from scratch", SIMULATED, "–")
    report = report_of(place, "transfer")
    if report is None:
        return [one.without(why_not(place, "transfer", SIMULATED)) for one in (claim, gained)]
    found, cells = report["accuracy"]["transfer"], report["training"] + report["validation"]
    if cells == TRANSFER_CELLS:
        row = claim.at_least(TRANSFER, found, report["test"])
    else:
        row = claim.without(f"{cells} cells, not {TRANSFER_CELLS}", shown(found))
    held = f"{report['training']} cells train, {report['validation']} choose the epoch, {report['test']} test"
    row = replace(row, ours=f"{row.ours}; {held}, {100 * report['largest']:.0f} % of them of one class")
    return [row, gained.without("the paper does not compare", points(report["transfer_minus"]["scratch"]))]


def rows_of_synthetic(place: Place) -> list[Row]:
    """Return the row about simulated cells that help to train on experimental ones (section 2.6)."""
    claim = Claim("2.6", "simulated cells help training on measured ones", MEASURED, "yes")
    report = report_of(place, "curve")
    if report is None:
        return [claim.without(why_not(place, "curve", MEASURED))]
    sizes, resamples = report["sizes"], report["resamples"]
    listed = "; ".join(f"{row['cells']} cells {points(row['difference'])}" for row in sizes)
    if resamples < LEAST_RESAMPLES:
        return [claim.without(f"{resamples} resamples are too few", listed)]
    # One of several sizes is enough: the level is shared among them (Bonferroni).
    wider = t.ppf(1 - 0.025 / len(sizes), resamples - 1) / t.ppf(0.975, resamples - 1)
    changes = [row["difference"] for row in sizes]
    sure = any(one["value"] > wider * (one["value"] - one["low"]) for one in changes)
    harm = all(one["high"] < 0 for one in changes)
    rule = "above 0 at some number of measured cells, the level of 5 % shared among them; features aligned by rank"
    return [claim.says(listed, sure, harm, rule, report["test"])]
