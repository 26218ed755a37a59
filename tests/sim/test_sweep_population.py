"""Populations of cells: distributions, what is cut off, correlations."""

import numpy as np
import pytest
from scipy import stats

from sim.command import InputError
from sim.config import load_config
from sim.sweeps.population import draw, shipped

HEAD = """
seed = 5
[[class]]
preset = "hct116"
cells = 4000
"""
BODY = """
correlations = [["cell.diameter", "cell.ks", 0.5]]
[class.cell]
diameter = { law = "lognormal", mean = 14.2e-6, sd = 2.5e-6, min = 9e-6, max = 19e-6 }
ks = { law = "lognormal", median = 7.3e-3, sigma = 0.5 }
kb = { law = "loguniform", min = 5e-17, max = 5e-16 }
ka_local = { law = "multiple", of = "cell.ks", factor = 0.41 }
start_y = { law = "normal", mean = 0.0, sd = 1e-6, min = -1.5e-6, max = 1.5e-6 }
start_x = -22e-6
[class.fluid]
pressure_drop = { law = "uniform", min = 2e3, max = 4e3 }
"""


def drawn(tmp_path, text):
    (tmp_path / "population.toml").write_text(text)
    return draw(str(tmp_path / "population.toml"))


def column(population, name):
    return np.array([float(row[name]) for row in population.rows])


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("population"), HEAD + BODY)


def test_values_follow_their_distributions(population):
    sigma = np.sqrt(np.log1p((2.5 / 14.2) ** 2))
    whole = stats.lognorm(sigma, scale=14.2e-6 * np.exp(-(sigma**2) / 2))
    assert whole.mean() == pytest.approx(14.2e-6)
    assert whole.std() == pytest.approx(2.5e-6)
    low, high = whole.cdf(9e-6), whole.cdf(19e-6)
    diameter = column(population, "cell.diameter")
    assert stats.kstest(diameter, lambda x: (whole.cdf(x) - low) / (high - low)).pvalue > 0.01
    assert stats.kstest(np.log(column(population, "cell.ks") / 7.3e-3) / 0.5, "norm").pvalue > 0.01
    assert stats.kstest(column(population, "fluid.pressure_drop"), stats.uniform(2e3, 2e3).cdf).pvalue > 0.01
    assert stats.kstest(column(population, "cell.kb"), stats.loguniform(5e-17, 5e-16).cdf).pvalue > 0.01
    assert diameter.min() > 9e-6
    assert diameter.max() < 19e-6


def test_the_share_that_is_cut_off_is_told(population):
    cut = {name: share for _, name, share in population.cut}
    assert cut["cell.start_y"] == pytest.approx(2 * stats.norm.cdf(-1.5))
    assert cut["cell.ks"] == 0
    assert 0.03 < cut["cell.diameter"] < 0.06
    assert "cell.ka_local" not in cut


def test_correlations_are_those_of_the_normal_scores(population):
    diameter, ks = column(population, "cell.diameter"), column(population, "cell.ks")
    # Spearman of a Gaussian copula with Pearson r: 6/pi asin(r/2)
    assert stats.spearmanr(diameter, ks)[0] == pytest.approx(6 / np.pi * np.arcsin(0.25), abs=0.03)
    assert abs(stats.spearmanr(diameter, column(population, "cell.kb"))[0]) < 0.04
    np.testing.assert_allclose(column(population, "cell.ka_local"), 0.41 * ks, rtol=1e-11)


def test_fixed_values_and_seeds(population):
    assert {row["cell.start_x"] for row in population.rows} == {"-2.2e-05"}
    assert [row["seed"] for row in population.rows] == [str(n) for n in range(4000)]
    config = load_config("hct116", "draft", {k: v for k, v in population.rows[7].items() if k != "preset"})
    assert config.seed == 7


def test_the_same_file_gives_the_same_cells_and_classes_do_not_depend_on_each_other(population, tmp_path):
    assert drawn(tmp_path, HEAD + BODY).rows == population.rows
    both = drawn(tmp_path, HEAD + BODY + '[[class]]\npreset = "wbc"\ncells = 2\n')
    assert both.rows[:4000] == population.rows
    assert [row["preset"] for row in both.rows[4000:]] == ["wbc"] * 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seed = 1", "[[class]]"),
        ("seed = 1\nnumber = 2\n[[class]]\npreset = 'a'\ncells = 1", "number"),
        (HEAD.replace("4000", "0"), "cells = 0"),
        (HEAD + "[class.cell]\nkss = 3", "did you mean cell.ks"),
        (HEAD + '[class.cell]\nks = { law = "normal", mean = 1.0 }', "takes mean and sd"),
        (HEAD + '[class.cell]\nks = { law = "cauchy", mean = 1.0 }', "cauchy"),
        (HEAD + '[class.cell]\nks = { law = "uniform", min = 2.0, max = 1.0 }', "below max"),
        (
            HEAD + '[class.cell]\nks = { law = "normal", mean = 1.0, sd = 0.1, min = 9.0 }',
            "nothing of its distribution",
        ),
        (HEAD + '[class.cell]\nks = { law = "multiple", of = "cell.kb", factor = 2.0 }', "no distribution of its own"),
        (HEAD + 'correlations = [["cell.ks", "cell.kb", 0.5]]', "no distribution of its own"),
        ("[[class", "not valid TOML"),
        ("class = ['a']", "one [[class]] or more"),
        ("seed = -1\n[[class]]\npreset = 'wbc'\ncells = 1", "from 0"),
        (HEAD + '[class.cell]\nks = { law = "lognormal", mean = 0.0, sd = 1.0 }', "positive numbers"),
    ],
)
def test_a_wrong_population_is_one_message(tmp_path, text, told):
    with pytest.raises(InputError) as caught:
        drawn(tmp_path, text)
    assert told in str(caught.value)


def test_contradictory_correlations(tmp_path):
    laws = "\n".join(f'{name} = {{ law = "lognormal", median = 1.0, sigma = 0.1 }}' for name in ("ks", "kb", "kv"))
    pairs = '[["cell.ks", "cell.kb", 0.9], ["cell.kb", "cell.kv", 0.9], ["cell.ks", "cell.kv", -0.9]]'
    with pytest.raises(InputError, match="contradict"):
        drawn(tmp_path, f"{HEAD}correlations = {pairs}\n[class.cell]\n{laws}")


def test_a_population_that_does_not_ship():
    with pytest.raises(InputError, match="no population"):
        draw("cells")


@pytest.mark.parametrize("name", shipped())
def test_those_that_ship_can_be_drawn(name):
    population = draw(name)
    assert len(population.rows) >= 200
    for row in population.rows[:: len(population.rows) // 10]:
        load_config(row["preset"], "quick", {key: value for key, value in row.items() if key != "preset"})


def test_lists_are_as_on_a_command_line(tmp_path):
    text = "[[class]]\npreset = 'hct116'\ncells = 1\n[class.cell]\norientation = [10.0, 20.0, 30.0]\n"
    (row,) = drawn(tmp_path, text).rows
    fields = {name: value for name, value in row.items() if name != "preset"}
    assert load_config("hct116", "smoke", fields).cell.orientation == (10.0, 20.0, 30.0)
