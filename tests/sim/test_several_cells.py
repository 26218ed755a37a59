"""Several cells in one channel."""

import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest

from sim.config import ConfigError, SimulationConfig, parse_config
from sim.runfolder import write_run
from sim.simulation import advance, at_rest, build, simulate
from sim.trace import Outcome, read_trace

UM = 1e-6


def values_of(small, *cells, dimension=2, **channel):
    """A configuration with a cell for each of the changes to that of `small`."""
    values = small.model_dump(exclude_none=True)
    cell = values.pop("cell") | {"orientation": [0, 0, 0]}
    values["channel"] |= {"inlet_length": 18 * UM, "outlet_length": 26 * UM, "depth": 10.4 * UM} | channel
    values["numerics"]["dimension"] = dimension
    return values | {"cells": [cell | changes for changes in cells]}


def several(small, *cells, dimension=2, numerics=(), **channel):
    values = values_of(small, *cells, dimension=dimension, **channel)
    values["numerics"] |= dict(numerics)
    return parse_config(values, "several")


FIRST, SECOND = {}, {"start_x": -15.2 * UM, "ks": 8e-3, "name": "stiff"}


@pytest.fixture(scope="module")
def trace(small):
    return simulate(several(small, FIRST, SECOND))


def nearest(one, other):
    return min(np.linalg.norm(a[:, None] - b[None], axis=2).min() for a, b in zip(one, other, strict=True))


def test_both_come_through_and_keep_apart(trace):
    first, second = trace.together
    assert first.outcome.passed
    assert second.outcome.passed
    assert first["x"][0] > second["x"][0]
    assert (first["time"] == second["time"]).all()
    for one in (first, second):
        assert one["area"] == pytest.approx(one["area"][0], rel=5e-3)
    assert nearest(first.snapshots, second.snapshots) > 0.2 * trace.config.numerics.dx


def test_one_feels_the_other(small, trace):
    alone = simulate(several(small, FIRST))
    assert alone.config.cells is None
    time = alone["time"][: min(len(alone["time"]), len(trace["time"]))]
    here, there = (np.interp(time, one["time"], one["x"]) for one in (trace, alone))
    # The second one blocks the flow that drives the first.
    assert abs(here - there).max() > 0.5 * UM


def test_the_order_in_the_file_changes_no_byte(small, trace):
    other = simulate(several(small, SECOND, FIRST))
    for a, b in zip(trace.together, other.together[::-1], strict=True):
        assert a.outcome == b.outcome
        assert (a.number, b.number) in ((0, 1), (1, 0))
        assert all(np.array_equal(a[name], b[name]) for name in a.samples)
        assert np.array_equal(a.snapshots, b.snapshots)


def test_the_order_in_the_file_changes_no_drawn_orientation(small):
    cells = [{"orientation": None, "start_x": x, "diameter": 6 * UM} for x in (-5.5 * UM, -14 * UM)]
    one, other = (build(several(small, *order, dimension=3)).cells for order in (cells, cells[::-1]))
    assert np.array_equal(one.start, other.start)
    assert [m.cell for m in one.membranes] == [m.cell for m in other.membranes][::-1]
    half = len(one.start) // 2
    assert not np.allclose(np.ptp(one.start[:half], axis=0), np.ptp(one.start[half:], axis=0), rtol=1e-9, atol=0)


@pytest.mark.parametrize("dimension", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_mirrored_cells_stay_mirrored(small, dimension):
    pair = [{"start_x": 0.0, "start_y": y, "diameter": 6.5 * UM, "ks": 2e-3} for y in (4.2 * UM, -4.2 * UM)]
    channel = {"kind": "straight", "gap": 20.8 * UM, "constriction_length": 24 * UM}
    numerics = {"precision": "float64", "max_time": 1.5e-4 if dimension == 2 else 5e-5}
    upper, lower = simulate(several(small, *pair, dimension=dimension, numerics=numerics, **channel)).together
    assert len(upper["time"]) > 5
    assert upper["x"][-1] - upper["x"][0] > 1 * UM
    scale = {"x": UM, "y": UM, "di": 1.0}
    for name, sign in (("x", 1), ("y", -1), ("di", 1)):
        assert upper[name] == pytest.approx(sign * lower[name], abs=1e-4 * scale[name])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_results_do_not_depend_on_threads(small, precision):
    def run(threads):
        numerics = {"threads": threads, "max_time": 3e-5, "precision": precision}
        return simulate(several(small, FIRST, SECOND, dimension=3, numerics=numerics))

    for a, b in zip(run(1).together, run(2).together, strict=True):
        assert all(np.array_equal(a[name], b[name]) for name in a.samples)


@pytest.mark.parametrize("dimension", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_within_reach_they_push_each_other_apart(small, dimension):
    pair = [{"start_x": x, "diameter": 6 * UM} for x in (-9 * UM, -16.2 * UM)]
    model = build(several(small, *pair, dimension=dimension))
    left, right = (one.nodes for one in model.cells.membranes)

    def gap_after(model, steps=200):
        state = at_rest(model)
        state.cell.x[left, 0] += 1.4
        assert state.cell.x[right, 0].min() - state.cell.x[left, 0].max() < 0.6
        for _ in range(steps):
            advance(model, state)
        return state.cell.x[right, 0].min() - state.cell.x[left, 0].max()

    alone = replace(model, cells=replace(model.cells, contact=None))
    assert gap_after(model) > gap_after(alone) + 0.2


@pytest.mark.slow
def test_a_stuck_cell_ends_the_run_for_all(small):
    stiff = {"start_x": -5.5 * UM, "ks": 0.2, "name": "stiff"}
    config = several(small, {"start_x": -15.2 * UM}, stiff)
    config = config.model_copy(update={"fluid": config.fluid.model_copy(update={"pressure_drop": 500.0})})
    trace = simulate(config)
    assert [one.outcome for one in trace.together] == [Outcome.UNFINISHED, Outcome.STUCK]


def test_a_run_that_was_cut_off_is_the_same(small, tmp_path):
    class CutOffError(Exception):
        pass

    config = several(small, FIRST, SECOND, numerics={"max_time": 6e-5})
    values = config.model_dump(exclude_none=True) | {"output": {"checkpoint_every": 1e-6}}
    config = SimulationConfig.model_validate(values)
    whole = simulate(config)

    def cut(sample):
        if sample.phase == "squeeze" and sample.values["time"] > 3e-5:
            raise CutOffError

    path = tmp_path / "checkpoint.npz"
    with pytest.raises(CutOffError):
        simulate(config, [cut], path)
    again = simulate(config, checkpoint=path)
    for a, b in zip(whole.together, again.together, strict=True):
        assert a.outcome == b.outcome
        assert all(np.array_equal(a[name], b[name]) for name in a.samples)
        assert np.array_equal(a.snapshots, b.snapshots)


def test_the_run_folder_holds_all(trace, tmp_path):
    folder = tmp_path / "run"
    write_run(folder, lambda: trace, "report")
    again = read_trace(folder)
    for a, b in zip(trace.together, again.together, strict=True):
        assert (a.number, a.label, a.outcome) == (b.number, b.label, b.outcome)
        assert all(np.array_equal(a[name], b[name]) for name in a.samples)
        assert np.array_equal(a.snapshots, b.snapshots)
    rows = [np.genfromtxt(folder / name, delimiter=",", names=True) for name in ("trace.csv", "trace_2.csv")]
    assert [len(table) for table in rows] == [len(trace["time"])] * 2
    assert rows[0]["x_m"][-1] > rows[1]["x_m"][-1]
    result = json.loads((folder / "features.json").read_text())
    assert [cell["label"] for cell in result["cells"]] == ["small", "stiff"]
    assert result["features"] == result["cells"][0]["features"]
    assert result["features"] != result["cells"][1]["features"]
    assert {"summary.png", "config.toml", "result.h5"} <= {path.name for path in folder.iterdir()}


def test_vtk_tells_the_cells_apart(trace, tmp_path):
    vtk = pytest.importorskip("vtkmodules.vtkIOHDF")
    from vtkmodules.util.numpy_support import vtk_to_numpy

    write_run(tmp_path / "run", lambda: trace, "report")
    reader = vtk.vtkHDFReader()
    reader.SetFileName(str(tmp_path / "run" / "result.h5"))
    reader.UpdateInformation()
    assert reader.GetNumberOfSteps() == len(trace.snapshots)
    reader.SetStep(len(trace.snapshots) - 1)
    reader.Update()
    membranes = reader.GetOutput()
    points, cell = vtk_to_numpy(membranes.GetPoints().GetData()), membranes.GetCellData().GetArray("cell")
    count = [one.snapshots.shape[1] for one in trace.together]
    assert np.allclose(points[: count[0], :2], trace.snapshots[-1], atol=1e-11)
    assert np.allclose(points[count[0] :, :2], trace.others[0].snapshots[-1], atol=1e-11)
    assert vtk_to_numpy(cell).tolist() == [1] * count[0] + [2] * count[1]


def test_toml_and_digest(small):
    config = several(small, FIRST, SECOND)
    text = config.to_toml()
    assert text.count("[[cells]]") == 2
    assert parse_config(tomllib.loads(text), "round trip") == config
    assert config.digest() != several(small, FIRST).digest()
    assert several(small, FIRST).to_toml().count("[cell]") == 1


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        ([{}, {"start_x": -9 * UM}], r"cells 1 and 2 start overlapping by .*set cells\.2\.start_x"),
        ([{}, {"start_x": -12.7 * UM}], r"cells 1 and 2 start 1\.8e-07 m from each other.* 9\.75e-07 m between"),
        ([{}, {"start_x": -5.5 * UM, "diameter": 5.3 * UM}], "overlapping"),
        ([{}, {"start_x": -16 * UM, "start_y": 1.5 * UM}], r"the cell at cells\.2\.start_x .*of a wall"),
        ([{}, {"start_x": -16 * UM, "diameter": 2 * UM}], r"cells\.2\.diameter = 2e-06 m is 3\.1 lattice spacings"),
        ([{}, {"start_x": -60 * UM}], r"cells\.2\.start_x = -6e-05 m does not lie within the channel"),
        ([{}, {"start_x": -16 * UM, "ks": -1.0}], r"cells\.2\.ks = -1\.0"),
        ([{}, {"start_x": -16 * UM, "diametre": 1.0}], r"cells\.2\.diametre.*diameter"),
    ],
)
def test_what_cannot_be_is_refused(small, cells, rule):
    with pytest.raises(ConfigError, match=rule):
        build(several(small, *cells))


def test_cells_within_each_other_are_refused_in_3d(small):
    with pytest.raises(ConfigError, match="overlapping by"):
        build(several(small, {}, {"diameter": 5.3 * UM}, dimension=3))


def test_a_short_outlet_is_refused(small):
    with pytest.raises(ConfigError, match=r"channel\.outlet_length = 1e-05 m is too short for 2 cells"):
        build(several(small, FIRST, SECOND, outlet_length=10 * UM))


def test_cell_and_cells_exclude_each_other(small):
    values = values_of(small, FIRST, SECOND)
    with pytest.raises(ConfigError, match=r"either \[cell\] or a list of \[\[cells\]\]"):
        parse_config(values | {"cell": values["cells"][1]}, "both")
    with pytest.raises(ConfigError, match="a list of cells is expected"):
        parse_config(values | {"cells": {}}, "none")
