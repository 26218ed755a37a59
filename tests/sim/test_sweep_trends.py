"""Trends of a table: found where they are, and missed where they are not."""

import numpy as np
import pandas as pd
import pytest

from sim.command import InputError
from sim.sweeps.trends import describe, trends


def cells(count=120, ks_power=0.3, seed=0):
    random = np.random.default_rng(seed)
    diameter, ks = random.uniform(12e-6, 16e-6, count), 10 ** random.uniform(-3, -1.5, count)
    y = random.normal(0, 1e-6, count)
    noise = np.exp(random.normal(0, 0.05, count))
    time = 1e-4 * (diameter / 14e-6) ** 4 * (ks / 1e-2) ** ks_power * np.exp(0.1 * (1e6 * y) ** 2) * noise
    table = {"outcome": "EXITED", "cell.diameter": diameter, "cell.ks": ks, "cell.kb": 1e-16, "cell.start_y": y}
    table |= {"transition_time": time, "transit_time_full": 2 * time, "max_velocity": 1e-5 / time}
    return pd.DataFrame(table)


def test_exponents_are_those_of_the_law():
    found = {(one.feature, one.parameter): one for one in trends(cells())}
    for (_, parameter), exponent in {
        ("transition_time", "cell.ks"): 0.3,
        ("transition_time", "cell.diameter"): 4,
    }.items():
        one = found["transition_time", parameter]
        assert abs(one.exponent - exponent) < 2 * one.error
        assert one.error < 0.3
    stiff = [one for one in found.values() if one.parameter == "cell.ks"]
    assert [one.passed for one in stiff] == [True] * 3
    assert all((one.right, one.bins) == (6, 6) for one in stiff)
    assert found["max_velocity", "cell.ks"].exponent < 0
    assert ("transition_time", "cell.kb") not in found


@pytest.mark.parametrize("power", [-0.2, 0.0])
def test_a_trend_that_is_not_there_fails(power):
    found = trends(cells(ks_power=power))
    assert any(one.passed is False for one in found)
    assert "NO" in describe(found, cells())


def test_cells_that_did_not_come_through_are_counted_and_left_out():
    table = cells()
    table.loc[:9, ["outcome", "transition_time", "transit_time_full", "max_velocity"]] = [
        "STUCK",
        np.nan,
        np.nan,
        np.nan,
    ]
    assert "110 of 120 cells" in describe(trends(table), table)


def test_runs_that_end_behind_the_constriction_count_as_others_and_those_before_do_not():
    table, ended = cells(), cells().assign(outcome="REACHED")
    assert trends(ended) == trends(table)
    assert "120 of 120 cells" in describe(trends(ended), ended)
    ended.loc[:9, "transition_time"] = np.nan
    assert trends(ended) == trends(table.iloc[10:])


def test_too_few_cells_and_one_stiffness_are_refused():
    with pytest.raises(InputError, match="needs 20"):
        trends(cells(10))
    with pytest.raises(InputError, match="must differ"):
        trends(cells().assign(**{"cell.ks": 1e-2}))


def test_a_power_law_needs_numbers_above_zero():
    for odd in (0.0, np.nan):
        table = cells()
        table["cell.kb"] = np.where(np.arange(len(table)) < 5, odd, 1e-16 * (1 + np.arange(len(table))))
        with pytest.raises(InputError, match=r"cell\.kb is zero or not stated for some runs"):
            trends(table)
