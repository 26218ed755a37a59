"""The paper's classifiers of features (section 2.2), and how well each tells the classes apart on held-out cells."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from learn.data import Cells
from learn.figures import spaced
from learn.folds import Fold
from learn.metrics import auc

NAMES = {
    "LR": "logistic regression",
    "SVM": "support vector machine",
    "DT": "decision tree",
    "RF": "random forest",
    "KNN": "k-nearest neighbours",
}
"""Short and long names, in the order of the paper's Fig. 3."""


@dataclass(frozen=True)
class Score:
    """A classifier on some features.

    Attributes
    ----------
    model
        Short name.
    features
        The features it sees.
    accuracies
        Accuracy on the test cells of each fold (folds,).
    auc
        Area under the ROC curve over all held-out cells, mean over the classes.
    """

    model: str
    features: tuple[str, ...]
    accuracies: np.ndarray
    auc: float


def make_classifier(name: str, seed: int) -> Any:
    """Return an untrained classifier behind a scaler to mean 0 and standard deviation 1.

    Notes
    -----
    scikit-learn's defaults but for the tree, which is cut at a depth of 5: an uncut one learns every cell by heart.
    The paper states no settings.
    """
    models = {
        "LR": LogisticRegression(max_iter=1000),
        "SVM": SVC(),
        "DT": DecisionTreeClassifier(max_depth=5, random_state=seed),
        "RF": RandomForestClassifier(n_estimators=100, random_state=seed),
        "KNN": KNeighborsClassifier(n_neighbors=5),
    }
    return make_pipeline(StandardScaler(), models[name])


def feature_sets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return each feature alone, each pair, and all, without repeating one."""
    sets = [(name,) for name in names] + list(itertools.combinations(names, 2)) + [tuple(names)]
    return list(dict.fromkeys(sets))


def cross_validate(name: str, cells: Cells, features: Sequence[str], folds: Sequence[Fold], seed: int) -> Score:
    """Train on all but the test cells of each fold and score on these."""
    columns = [cells.names.index(feature) for feature in features]
    values = cells.features[:, columns]
    accuracies, rows, scores = [], [], []
    for fold in folds:
        training = np.concatenate([fold.train, fold.validation])
        fitted = make_classifier(name, seed).fit(values[training], cells.labels[training])
        accuracies.append(np.mean(fitted.predict(values[fold.test]) == cells.labels[fold.test]))
        rows.append(fold.test)
        scores.append(_scores(fitted, values[fold.test]))
    held = np.concatenate(rows)
    area = auc(cells.labels[held], np.concatenate(scores), np.ones((1, len(held))))
    return Score(name, tuple(features), np.array(accuracies), float(area[0]))


def regions(name: str, cells: Cells, pair: Sequence[str], seed: int, points: int) -> dict[str, np.ndarray]:
    """Return a mesh over two features and the class predicted there, by a classifier trained on every cell.

    Returns
    -------
    dict
        ``x``, ``y`` (points,) in the features' units, and ``predicted`` (points, points), rows along y.
    """
    columns = [cells.names.index(feature) for feature in pair]
    values = cells.features[:, columns]
    x, y = (spaced(values[:, k], points) for k in (0, 1))
    mesh = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    fitted = make_classifier(name, seed).fit(values, cells.labels)
    return {"x": x, "y": y, "predicted": fitted.predict(mesh).reshape(points, points)}


def score_all(
    cells: Cells, folds: Sequence[Fold], seed: int, on_score: Callable[[float, str], None] = lambda part, what: None
) -> list[Score]:
    """Return every classifier on each feature, each pair and all features."""
    todo = list(itertools.product(NAMES, feature_sets(cells.names)))
    scores = []
    for number, (name, features) in enumerate(todo):
        on_score(number / len(todo), f"{name} on {', '.join(features)}")
        scores.append(cross_validate(name, cells, features, folds, seed))
    return scores


def _scores(fitted: Any, values: np.ndarray) -> np.ndarray:
    if hasattr(fitted, "predict_proba"):
        return fitted.predict_proba(values)
    decision = fitted.decision_function(values)
    return np.stack([-decision, decision], axis=1) if decision.ndim == 1 else decision
