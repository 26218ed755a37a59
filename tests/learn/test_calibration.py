import numpy as np
import pytest

from learn.calibration import Calibration, calibration_error, cooled, reliability


def sure(count, seed, boldness):
    """True classes drawn from known probabilities, and those of a model whose logits are `boldness` times too large."""
    rng = np.random.default_rng(seed)
    honest = cooled(rng.dirichlet(np.ones(3), count), 1.0)
    labels = (rng.random((count, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    return labels, honest, cooled(honest, 1 / boldness)


@pytest.mark.parametrize("boldness", [0.5, 1.0, 3.0])
def test_temperature_undoes_what_made_the_model_too_sure(boldness):
    labels, honest, bold = sure(20_000, 0, boldness)
    fitted = Calibration.fit(labels, bold)
    assert fitted.temperature == pytest.approx(boldness, rel=0.05)
    np.testing.assert_allclose(fitted.apply(bold), honest, atol=0.03)
    np.testing.assert_array_equal(fitted.apply(bold).argmax(axis=1), bold.argmax(axis=1))
    assert calibration_error(labels, fitted.apply(bold)) < 0.015
    if boldness != 1:
        assert calibration_error(labels, bold) > 0.05


def test_a_model_that_is_always_right_is_not_made_sure_without_bound():
    chances = np.linspace(0.70, 0.98, 16)
    fitted = Calibration.fit(np.zeros(16, int), np.stack([chances, 1 - chances], axis=1))
    assert 0.3 < fitted.temperature < 2
    assert fitted.apply(np.array([[0.6, 0.4]]))[0, 0] < 0.85


def test_calibration_error_by_hand():
    # Two cells at 0.95 of which one is right, two at 0.65 both right: (2 * 0.45 + 2 * 0.35) / 4.
    chances = np.array([[0.95, 0.05], [0.95, 0.05], [0.35, 0.65], [0.35, 0.65]])
    labels = np.array([0, 1, 1, 1])
    assert calibration_error(labels, chances) == pytest.approx(0.4)
    bins = reliability(labels, chances)
    assert bins["low"].tolist() == pytest.approx([0.6, 0.9])
    assert bins["cells"].tolist() == [2, 2]
    assert bins["accuracy"].tolist() == [1.0, 0.5]
    assert reliability(labels, np.eye(2)[labels])["high"].tolist() == [1.0]


@pytest.mark.parametrize("risk", [0.05, 0.2])
def test_true_class_is_left_open_as_often_as_promised_by_a_badly_calibrated_model_too(risk):
    covered = []
    for seed in range(200):
        labels, _, bold = sure(300, seed, 4.0)
        fitted = Calibration.fit(labels[:100], bold[:100])
        sets = fitted.sets(fitted.apply(bold[100:]), risk)
        covered.append(sets[np.arange(200), labels[100:]].mean())
    # Between 1 - risk and 1 - risk + 1 / (n + 1), up to the temperature, which is fitted on the same cells.
    assert np.mean(covered) == pytest.approx(1 - risk + 0.005, abs=0.012)


def test_threshold_is_a_rank_and_too_few_cells_promise_nothing():
    fitted = Calibration(1.0, tuple(np.arange(1, 10) / 10))
    assert fitted.threshold(0.5) == 0.5
    assert fitted.threshold(0.1) == 0.9
    assert fitted.threshold(0.05) == np.inf
    assert fitted.sets(np.array([[0.99, 0.01]]), 0.05).all()
    assert fitted.sets(np.array([[0.6, 0.4]]), 0.5).tolist() == [[True, False]]
