import numpy as np
import pytest
from sklearn import metrics as reference

from learn.metrics import auc, evaluate, feature_auc, roc, wilson


def predictions(classes, count=300, seed=0, decimals=2):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % classes)
    scores = rng.random((count, classes)) + 0.6 * np.eye(classes)[labels]
    # Rounded, so that ties occur.
    return labels, np.round(scores / scores.sum(axis=1, keepdims=True), decimals)


@pytest.mark.parametrize("classes", [2, 3])
def test_metrics_are_those_of_scikit_learn(classes):
    labels, scores = predictions(classes)
    predicted = scores.argmax(axis=1)
    ours = evaluate(labels, scores, np.random.default_rng(0))
    macro = {"average": "macro", "zero_division": 0.0}
    expected = {
        "accuracy": reference.accuracy_score(labels, predicted),
        "precision": reference.precision_score(labels, predicted, **macro),
        "recall": reference.recall_score(labels, predicted, **macro),
        "f1": reference.f1_score(labels, predicted, **macro),
        "auc": np.mean([reference.roc_auc_score(labels == k, scores[:, k]) for k in range(classes)]),
    }
    for name, value in expected.items():
        assert ours[name]["value"] == pytest.approx(value, abs=1e-12), name
        assert ours[name]["low"] <= value <= ours[name]["high"], name
    assert ours["confusion"] == reference.confusion_matrix(labels, predicted).tolist()


def test_weights_repeat_cells():
    labels, scores = predictions(2, 40)
    weights = np.random.default_rng(1).integers(0, 4, (3, 40))
    for row, value in zip(weights, auc(labels, scores, weights), strict=True):
        repeated = np.repeat(np.arange(40), row)
        assert value == pytest.approx(auc(labels[repeated], scores[repeated], np.ones((1, len(repeated))))[0])


def test_wilson_by_hand():
    # 8 of 10: (0.8 + 0.19207) / 1.38415 -+ 1.95996 * sqrt(0.016 + 0.0096036) / 1.38415
    interval = wilson(8, 10)
    assert (interval.low, interval.high) == pytest.approx((0.49016, 0.94332), abs=1e-5)
    assert wilson(10, 10).high == pytest.approx(1.0)
    assert wilson(0, 10).low == 0.0


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = rng.binomial(200, 0.9, 2000)
    covered = [wilson(int(h), 200).low <= 0.9 <= wilson(int(h), 200).high for h in hits]
    assert 0.93 < np.mean(covered) < 0.97


def test_a_class_never_predicted_gives_numbers():
    labels = np.array([0, 1, 0, 1])
    ours = evaluate(labels, np.tile([0.9, 0.1], (4, 1)), np.random.default_rng(0))
    assert ours["precision"]["value"] == 0.25
    assert ours["auc"]["value"] == 0.5


def test_feature_auc_does_not_mind_the_direction():
    labels = np.array([0] * 5 + [1] * 5)
    values = np.arange(10.0)
    assert feature_auc(labels, values, 2) == feature_auc(labels, -values, 2) == 1.0
    assert feature_auc(labels, np.ones(10), 2) == 0.5


def test_roc_encloses_the_auc():
    labels, scores = predictions(2)
    alarms, hits = roc(labels == 1, scores[:, 1])
    expected = reference.roc_curve(labels == 1, scores[:, 1], drop_intermediate=False)
    np.testing.assert_allclose(alarms, expected[0])
    np.testing.assert_allclose(hits, expected[1])
