"""Designs of a sweep: grids, values, rows and random points."""

import numpy as np
import pytest

from sim.command import InputError
from sim.sweeps.design import Case, cross, parse_axis, parse_range, parse_values, read_rows, sample_rows


def test_a_logarithmic_grid_has_equal_ratios_and_exact_ends():
    name, values = parse_axis("cell.ks=1e-4:1e-2:9:log")
    numbers = [float(value) for value in values]
    assert name == "cell.ks"
    assert (values[0], values[-1]) == ("0.0001", "0.01")
    np.testing.assert_allclose(np.diff(np.log(numbers)), np.log(100) / 8)


def test_grids_of_numbers_and_of_integers():
    assert parse_axis("cell.start_y=-1e-6:1e-6:3")[1] == ["-1e-06", "0.0", "1e-06"]
    assert parse_axis("seed=0:20")[1] == [str(n) for n in range(20)]
    assert parse_axis("channel.count=1:5:3")[1] == ["1", "3", "5"]
    assert parse_values("channel.kind=straight, constriction")[1] == ["straight", "constriction"]


@pytest.mark.parametrize(
    ("parse", "words", "told"),
    [
        (parse_axis, "cell.kss=1:2:3", "did you mean cell.ks"),
        (parse_axis, "cell.ks=1:2", "LOW:HIGH:N"),
        (parse_axis, "cell.ks=1e-3:2e-3", "LOW:HIGH:N"),
        (parse_axis, "cell.ks=1:2:0", "N ≥ 1"),
        (parse_axis, "cell.ks=2:1:3", "LOW ≤ HIGH"),
        (parse_axis, "cell.ks=0:1:3:log", "0 < LOW"),
        (parse_axis, "cell.ks=1:2:3:exp", "'exp'"),
        (parse_axis, "cell.ks=a:b:3", "two numbers"),
        (parse_axis, "seed=5:5", "raise the second"),
        (parse_axis, "cell.ks", "LOW:HIGH:N"),
        (parse_range, "cell.ks=1:nan", "finite"),
        (parse_values, "cell.ks=1,,2", "VALUE,VALUE"),
    ],
)
def test_a_wrong_axis_is_one_message(parse, words, told):
    with pytest.raises(InputError) as caught:
        parse(words)
    assert told in str(caught.value)
    assert words.split("=")[0] in str(caught.value)


@pytest.mark.parametrize("kind", ["lhs", "sobol"])
def test_random_designs_fill_their_ranges_and_are_the_same_for_the_same_seed(kind):
    ranges = [parse_range("cell.ks=1e-3:1e-1:log"), parse_range("cell.start_y=-1e-6:1e-6")]
    rows = sample_rows(kind, 64, ranges, 3)
    assert rows == sample_rows(kind, 64, ranges, 3)
    assert rows != sample_rows(kind, 64, ranges, 4)
    ks = np.log10([float(row["cell.ks"]) for row in rows])
    y = np.array([float(row["cell.start_y"]) for row in rows])
    # a point in each of 64 equal layers of either axis: what makes it a hypercube, and holds for Sobol' as well
    assert sorted(np.floor((ks + 3) / 2 * 64)) == list(range(64))
    assert sorted(np.floor((y + 1e-6) / 2e-6 * 64)) == list(range(64))


def test_random_designs_that_cannot_be():
    with pytest.raises(InputError, match="--range"):
        sample_rows("lhs", 4, [], 0)
    with pytest.raises(InputError, match="64 or 128"):
        sample_rows("sobol", 100, [parse_range("cell.ks=1:2")], 0)


def test_rows_of_a_table(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("preset,cell.ks,cell.kb\nwbc,1e-3,\n\n,2e-3,1e-16\n")
    rows = read_rows(path)
    assert rows == [{"preset": "wbc", "cell.ks": "1e-3"}, {"cell.ks": "2e-3", "cell.kb": "1e-16"}]
    assert cross(["hct116"], rows, []) == [
        Case("wbc", {"cell.ks": "1e-3"}),
        Case("hct116", {"cell.ks": "2e-3", "cell.kb": "1e-16"}),
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "empty"),
        ("cell.kss\n1\n", "did you mean"),
        ("cell.ks,cell.kb\n1\n", "line 2"),
        ("cell.ks,cell.ks\n1,2\n", "twice"),
    ],
)
def test_a_wrong_table_is_one_message(tmp_path, content, told):
    (tmp_path / "rows.csv").write_text(content)
    with pytest.raises(InputError, match=told):
        read_rows(tmp_path / "rows.csv")


def test_every_row_of_every_source_times_the_grid():
    axes = [parse_values("cell.kb=1e-16,2e-16"), parse_axis("seed=0:3")]
    cases = cross(["hct116", "wbc"], [{"cell.ks": "1e-3"}, {"cell.ks": "2e-3"}], axes)
    assert len(cases) == 2 * 2 * 2 * 3
    assert len({(case.source, *sorted(case.values.items())) for case in cases}) == 24


def test_no_field_is_set_twice():
    with pytest.raises(InputError, match=r"cell\.ks: is set twice"):
        cross(["hct116"], [{"cell.ks": "1"}], [parse_values("cell.ks=1,2")])
    with pytest.raises(InputError, match="set twice"):
        cross(["hct116"], [{}], [parse_values("cell.ks=1,2")] * 2)
    with pytest.raises(InputError, match="coarser"):
        cross(["hct116"], [{}], [parse_axis("cell.ks=1:2:2000"), parse_axis("cell.kb=1:2:2000")])


def test_random_designs_of_nothing_or_of_one_field_twice():
    with pytest.raises(InputError, match="at least one point"):
        sample_rows("lhs", 0, [parse_range("cell.ks=1:2")], 0)
    with pytest.raises(InputError, match=r"--range cell\.ks: stated twice"):
        sample_rows("lhs", 4, [parse_range("cell.ks=1:2"), parse_range("cell.ks=3:4")], 0)
