import numpy as np
import pytest
import scipy.stats

from learn.data import load_cells
from learn.statistics import corrected_t_test, correlate, mean_interval, over_cells_and_draws


def test_corrected_t_test_by_hand():
    # Mean 0.02, variance 0.0002 (n - 1): t = 0.02 / sqrt((1/5 + 1/4) * 0.0002), 4 degrees of freedom.
    differences = np.array([0.0, 0.01, 0.02, 0.03, 0.04]) + np.array([0.0, 0.005, 0.0, -0.005, 0.0])
    s2 = np.var(differences, ddof=1)
    t, p = corrected_t_test(differences, 400, 100)
    assert t == pytest.approx(0.02 / np.sqrt(0.45 * s2))
    assert p == pytest.approx(2 * scipy.stats.t.sf(t, 4))
    assert p > scipy.stats.ttest_1samp(differences, 0).pvalue


def test_models_that_never_differ_are_not_told_apart():
    assert corrected_t_test(np.zeros(5), 400, 100) == (0.0, 1.0)
    assert corrected_t_test(np.array([0.1]), 400, 100) == (0.0, 1.0)
    assert corrected_t_test(np.full(5, -0.125), 400, 100) == (-np.inf, 0.0)


def test_plain_t_test_finds_differences_where_there_are_none_and_the_corrected_one_seldom_does():
    # Differences of resampled folds share a common part, as those of overlapping training sets do.
    rng = np.random.default_rng(0)
    found = np.zeros(2)
    for _ in range(1000):
        differences = rng.normal(0, 1, 15) + rng.normal(0, 0.5)
        found += [scipy.stats.ttest_1samp(differences, 0).pvalue < 0.05, corrected_t_test(differences, 4, 1)[1] < 0.05]
    assert found[0] / 1000 > 0.2
    assert found[1] / 1000 < 0.06


def test_correlations_are_those_of_scipy_and_flip_between_pooled_and_within(dataset, save, configure):
    rng = np.random.default_rng(0)
    slow = np.arange(80) % 2 == 1
    common = rng.normal(size=80)
    data = dataset(transition_time=common + 5 * slow, max_velocity=common - 5 * slow)
    cells = load_cells([save(data)], configure())
    columns = correlate(cells)
    rows = {key: row for row, key in enumerate(zip(columns["x"], columns["y"], columns["cells"], strict=True))}
    pooled = rows["max_velocity", "transition_time", "all"]
    within = rows["max_velocity", "transition_time", "wbc"]
    assert columns["pearson"][pooled] < -0.5 < 0.9 < columns["pearson"][within]
    expected = scipy.stats.pearsonr(cells.features[:, 1], cells.features[:, 2])
    assert columns["pearson"][pooled] == pytest.approx(expected.statistic)
    assert columns["pearson_p"][pooled] == pytest.approx(expected.pvalue)
    assert columns["slope"][pooled] == pytest.approx(
        columns["pearson"][pooled] * np.std(_unit(cells.features[:, 2])) / np.std(_unit(cells.features[:, 1]))
    )


def test_constant_feature_has_no_correlation(dataset, save, configure):
    columns = correlate(load_cells([save(dataset(max_velocity=2e-3))], configure()))
    assert np.isnan(columns["pearson"][columns["y"].index("max_velocity")])


def test_mean_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = [low <= 0 <= high for _, low, high in (mean_interval(rng.normal(size=5), 0.0) for _ in range(2000))]
    assert 0.935 < np.mean(inside) < 0.965
    assert np.isnan(mean_interval(np.ones(1), 0.0)[1])


def test_interval_over_cells_and_draws_covers_as_often_as_it_says_where_two_draws_do_not():
    # Cells are hard or easy whoever trains; two draws test about two thirds of the same 150 cells.
    rng = np.random.default_rng(0)
    labels, inside = np.repeat([0, 1], 75), np.zeros(2)
    for _ in range(200):
        rate = rng.choice([0.6, 1.0], size=150)
        right = (rng.random((1, 2, 150)) < rate).astype(float)
        right[rng.random((1, 2, 150)) < 1 / 3] = np.nan
        low, high = np.quantile(over_cells_and_draws(right, labels, 400, rng), (0.025, 0.975))
        _, first, last = mean_interval(np.nanmean(right, axis=2)[0], 0.0)
        inside += [low <= 0.8 <= high, last - first < 0.2 and first <= 0.8 <= last]
    assert 0.92 < inside[0] / 200 < 0.99
    assert inside[1] / 200 < 0.9


def _unit(values):
    return (values - values.min()) / np.ptp(values)
