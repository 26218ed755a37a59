"""Rows about classifiers: classical models, small networks, pictures, both, controls, transfer, synthetic help."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats

from learn.metrics import compare
from learn.reproduction.claims import (
    ACCURACY,
    GAINS,
    MEASURED,
    SIMULATED,
    TEXT_ONLY,
    TRANSFER,
    Row,
    at_least,
    claim,
    fused_accuracy,
    shown,
    without,
)

SPLITS = {"day": "another day tests", "cell": "other cells test"}
CONTROL = "a control, which the paper has not"


def report_of(learn: Path, name: str) -> dict[str, Any]:
    """Return the report of a training or comparison."""
    return json.loads((learn / name / "report.json").read_text(encoding="utf-8"))


def scores(learn: Path, name: str) -> dict[str, Any]:
    """Return the scores on the dataset's test cells: of the folds' mean where there were folds."""
    report = report_of(learn, name)
    return report.get("test", report["held_out"])


def held_chances(learn: Path, name: str) -> pd.DataFrame:
    """Return the probabilities of the dataset's test cells, by cell."""
    table = pd.read_csv(learn / name / "predictions.csv", dtype={"cell_id": str})
    aside = table[table["fold"] == -1]
    return (aside if len(aside) else table).set_index("cell_id")


def difference(learn: Path, one: str, other: str, seed: int = 0) -> dict[str, Any]:
    """Return by how much one training scores above another on the test cells that both have, with paired intervals."""
    first, second = held_chances(learn, one), held_chances(learn, other)
    both = first.index.intersection(second.index)
    columns = [name for name in first.columns if name.startswith("p_")]
    labels = first.loc[both, "label"].map({name[2:]: k for k, name in enumerate(columns)}).to_numpy(int)
    one_chances, other_chances = (table.loc[both, columns].to_numpy(float) for table in (first, second))
    return compare(labels, one_chances, other_chances, np.random.default_rng(seed))


def rows_of_classical(learn: Path, whose: str) -> list[Row]:
    """Return the rows of the five classical models and the ablation, of ``simulated`` or ``measured`` cells."""
    source = SIMULATED if whose == "simulated" else MEASURED
    report = report_of(learn, f"baselines-{whose}")
    names = list(report["features"])
    whole = {score["model"]: score["accuracy"] for score in report["scores"] if len(score["features"]) == len(names)}
    network = report["network"]["accuracy"]
    listed = ", ".join(f"{name} {value:.3f}" for name, value in whole.items())
    best = all(network >= value for value in whole.values())
    rows = [
        claim(
            "4c",
            "the small network is the best model",
            source,
            "yes",
            f"NN {network:.3f}; {listed}",
            best,
            "mean accuracy over the folds",
        )
    ]
    pairs = [score for score in report["scores"] if len(score["features"]) == 2]
    for model in whole:
        own = [f"{_pair(score['features'])} {score['accuracy']:.3f}" for score in pairs if score["model"] == model]
        rows.append(
            without("3", f"accuracy of {model} on each pair of features", source, "picture", TEXT_ONLY, "; ".join(own))
        )
    return rows + _ablation(report_of(learn, f"ablation-{whose}"), source)


def _pair(names: list[str]) -> str:
    short = {"deformation_index": "DI", "max_velocity": "v", "transition_time": "t"}
    return "+".join(short.get(name, name) for name in names)


def _ablation(report: Mapping[str, Any], source: str) -> list[Row]:
    rows, folds = [], report["folds"]
    for network in report["networks"]:
        half = float(scipy.stats.t.ppf(0.975, folds - 1)) * network["sd"] / np.sqrt(folds)
        found = {"value": network["accuracy"], "low": network["accuracy"] - half, "high": network["accuracy"] + half}
        size = "-".join(map(str, network["hidden"]))
        rows.append(at_least("S1", f"accuracy of {network['network']} ({size})", source, network["printed"], found))
    first = next(network for network in report["networks"] if network["network"] == "M1")
    ours = f"{-100 * first['difference']:+.1f} points, p = {first['p']:.2g}"
    true = first["difference"] < 0 and first["p"] < 0.05
    rule = "positive and p < 0.05 (corrected resampled t-test)"
    rows.append(claim("S1", "32-16 neurons above one layer of 16", source, "+6.8 points", ours, true, rule))
    return rows


def rows_of_networks(learn: Path) -> list[Row]:
    """Return the rows of the small network, the pictures alone and MIML on simulated cells."""
    rows = []
    for split, how in SPLITS.items():
        for figure, name, stem in (("4b", "NN", "nn"), ("5f", "CNN", "cnn"), ("6a", "MIML", "miml")):
            found = scores(learn, f"{stem}-{split}")["accuracy"]
            rows.append(at_least(figure, f"accuracy of {name}, {how}", SIMULATED, ACCURACY[name], found))
        gains = difference(learn, f"miml-{split}", f"cnn-{split}")
        for name, printed in GAINS.items():
            quantity = f"{name} of MIML above pictures alone, {how}"
            rows.append(at_least("6a–e", quantity, SIMULATED, printed, gains[name]))
        rows.append(_fused(learn, split, how))
    found = scores(learn, "miml-rate")
    rows.append(
        at_least("2.4", "accuracy of MIML with DI rate", SIMULATED, ACCURACY["MIML with DI rate"], found["accuracy"])
    )
    rows.append(at_least("Table 1", "F1 of MIML with DI rate", SIMULATED, 0.963, found["f1"]))
    gain = difference(learn, "miml-rate", "miml-no-rate")["accuracy"]
    rows.append(at_least("2.4", "gain in accuracy from DI rate", SIMULATED, 0.0107, gain, 4))
    return rows


def _fused(learn: Path, split: str, how: str) -> Row:
    """Set the fused accuracy beside what independent evidence would give."""
    small, picture, both = (scores(learn, f"{stem}-{split}")["accuracy"] for stem in ("nn", "cnn", "miml"))
    predicted = fused_accuracy(small["value"], picture["value"])
    ours = f"NN {small['value']:.3f} and CNN {picture['value']:.3f} predict {predicted:.3f}; MIML {shown(both)}"
    if both["low"] > predicted:
        meaning = "fusion does better than independent evidence would"
    elif both["high"] < predicted:
        meaning = "fusion does worse than independent evidence would"
    else:
        meaning = "fusion does as independent evidence would"
    paper = f"88.7 % and 90.6 % predict {100 * fused_accuracy(0.887, 0.906):.1f} %; MIML 97.2 %"
    return without("6a", f"fused accuracy against d′² of independent evidence, {how}", SIMULATED, paper, meaning, ours)


def rows_of_controls(learn: Path) -> list[Row]:
    """Return what pictures and mechanics give where optics, or sizes, or both are equal."""
    names = {
        "same-optics": "all classes with the optics of hct116",
        "matched": "classes matched in diameter",
        "matched-same-optics": "matched in diameter, with the same optics",
    }
    rows = []
    found = scores(learn, "nn-matched")["accuracy"]
    rows.append(
        without("control", "accuracy of NN, classes matched in diameter", SIMULATED, "–", CONTROL, shown(found))
    )
    for data, how in names.items():
        for name, stem in (("CNN", "cnn"), ("MIML", "miml")):
            found = scores(learn, f"{stem}-{data}")["accuracy"]
            rows.append(without("control", f"accuracy of {name}, {how}", SIMULATED, "–", CONTROL, shown(found)))
    return rows


def rows_of_transfer(learn: Path) -> list[Row]:
    """Return the rows of the transfer to stiffened cells."""
    report = report_of(learn, "transfer")
    found = report["accuracy"]["transfer"]
    quantity = f"accuracy on stiffened cells after {report['training']} cells and {report['epochs']} epochs"
    rows = [at_least("8a", quantity, SIMULATED, TRANSFER, found)]
    gain = report["transfer_minus"]["scratch"]
    ours = f"{100 * gain['value']:+.1f} points ({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})"
    return [
        *rows,
        without("8a", "the same above training from scratch", SIMULATED, "–", "the paper does not compare", ours),
    ]


def rows_of_synthetic(learn: Path, real: bool) -> list[Row]:
    """Return the row about simulated cells that help to train on experimental ones (section 2.6)."""
    quantity = "simulated cells help training on measured ones"
    if not real:
        return [without("2.6", quantity, MEASURED, "yes", "no measured cells were given (--real)")]
    best = max(report_of(learn, "curve")["sizes"], key=lambda row: row["difference"]["value"])
    change = best["difference"]
    ours = f"at best {100 * change['value']:+.1f} points ({100 * change['low']:+.1f} to {100 * change['high']:+.1f})"
    ours += f" with {best['cells']} measured cells; features alone, aligned by rank"
    return [without("2.6", quantity, MEASURED, "yes", "the paper prints no number and no comparison", ours)]
