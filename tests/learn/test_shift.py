import numpy as np
import pytest
import scipy.stats

from learn.shift import describe_shift, score_shift


def scores(labels, sure, rng):
    chances = np.clip(rng.normal(sure, 0.1, len(labels)), 0, 1)
    return np.stack([np.where(labels == 0, chances, 1 - chances), np.where(labels == 0, 1 - chances, chances)], axis=1)


def test_a_class_on_both_sides_is_compared_and_one_on_a_single_side_is_not():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    held, aside = (labels, scores(labels, 0.9, rng)), (np.zeros(100, int), scores(np.zeros(100, int), 0.6, rng))
    (row,) = score_shift(("a", "b"), held, aside)
    assert row["class"] == "a"
    assert row["held_out"]["cells"] == 200
    assert row["aside"]["recall"]["value"] == (aside[1][:, 0] > 0.5).mean()
    assert row["held_out"]["median"] > row["aside"]["median"] + 0.2
    expected = scipy.stats.ks_2samp(held[1][labels == 0, 0], aside[1][:, 0])
    assert (row["ks"], row["p"]) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    assert "of 100 cells set aside" in describe_shift([row])[0]


def test_no_shift_is_seldom_found_where_there_is_none():
    rng = np.random.default_rng(1)
    labels = np.zeros(100, int)
    found = [
        score_shift(("a",), *((labels, rng.random((100, 1))) for _ in range(2)))[0]["p"] < 0.05 for _ in range(200)
    ]
    assert np.mean(found) < 0.1
