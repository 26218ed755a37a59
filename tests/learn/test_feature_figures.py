import csv

import numpy as np
import pytest

from learn.data import load_cells, with_columns
from learn.feature_figures import largest_index, write_densities, write_scatters, write_violins


@pytest.mark.parametrize(
    ("diameter", "gap", "expected"),
    # Computed independently: a stadium of the circle's area (2-D, area kept).
    [
        (13.5, 5.2, 0.6927),
        (14.2, 5.2, 0.7172),
        (14.2, 4.4, 0.7871),
        (9.8, 4.8, 0.5544),
        (18.6, 5.2, 0.8224),
        (5, 5.2, 0),
    ],
)
def test_limit_of_geometry(diameter, gap, expected):
    assert largest_index(np.array([diameter]), gap)[0] == pytest.approx(expected, abs=5e-5)


@pytest.fixture
def cells(dataset, save, configure):
    data = dataset(count=60)
    data.table["sim_diameter"] = np.where(data.table["label"] == "wbc", 13.5e-6, 14.2e-6) + np.arange(60) * 1e-8
    data.table.loc[3, "sim_diameter"] = np.nan
    data = type(data)(
        data.table, {**data.units, "sim_diameter": "m"}, images=data.images, views_present=data.views_present
    )
    path = save(data)
    return with_columns(load_cells([path], configure()), [path], ["sim_diameter"])


def test_pairs_densities_and_violins_are_drawn_and_written(tmp_path, cells):
    assert cells.names[-1] == "sim_diameter"
    write_scatters(tmp_path, cells, 5.2e-6)
    write_densities(tmp_path, cells)
    write_violins(tmp_path, cells)
    for name in ("scatter", "density", "violins"):
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    rows = list(csv.DictReader((tmp_path / "scatter.csv").open()))
    assert [row["sim_diameter"] == "" for row in rows] == [number == 3 for number in range(60)]
    curves = list(csv.DictReader((tmp_path / "density.csv").open()))
    for name in cells.names[:3]:
        for label in cells.classes:
            x, y = np.array(
                [(r["value"], r["density"]) for r in curves if (r["feature"], r["class"]) == (name, label)], float
            ).T
            # The axis ends at the outermost cell, so that a little of the area lies beyond.
            assert 0.8 < np.trapezoid(y, x) < 1.001
    violins = {(row["feature"], row["class"]): row for row in csv.DictReader((tmp_path / "violins.csv").open())}
    found = cells.features[cells.labels == 1, 2]
    assert float(violins["transition_time", "wbc"]["median"]) == pytest.approx(np.median(found))
    assert violins["sim_diameter", "wbc"]["cells"] == "29"
