"""The emulator of a sweep, on cells that follow a formula."""

import numpy as np
import pandas as pd
import pytest
from made_up_sweep import draw, passage, rows_of
from sklearn.gaussian_process.kernels import ConstantKernel

from sim.command import InputError
from sim.emulation.crossval import cross_validate, fit_parts
from sim.emulation.emulator import fit_emulator, usable
from sim.emulation.inputs import make_design
from sim.emulation.store import read_emulator, write_emulator

THREE = ("cell.diameter", "cell.ks", "fluid.pressure_drop")
OUTPUTS = ("deformation_index", "max_velocity", "transition_time")
NOISE = 0.01


@pytest.fixture(scope="module")
def made():
    table = pd.DataFrame(rows_of(draw(96, THREE), NOISE))
    emulator = fit_emulator(table, {"cell.ks": "N/m"}, outputs=OUTPUTS)
    parts = fit_parts(emulator, usable(table), {"cell.ks": "N/m"})
    return table, *cross_validate(emulator, usable(table), parts)


def fresh(emulator, count=128):
    """Return cells within the design that the emulator has not seen, as points, and what they do."""
    cells = draw(count, THREE, seed=5)
    points = emulator.design.scale({name: np.array([c[name] for c in cells]) for name in emulator.design.names})
    inside = emulator.design.inside(points)
    return points[inside], [passage(*c.values()) for c, there in zip(cells, inside, strict=True) if there]


def test_unseen_cells_are_predicted_within_their_intervals(made):
    _, emulator, _ = made
    points, truth = fresh(emulator)
    passed = np.array([t is not None for t in truth])
    for name, (value, low, high) in emulator.predict(points[passed]).items():
        wanted = np.array([t[name] for t in truth if t is not None])
        surface = emulator.surfaces[name]
        error = surface.transform(value) - surface.transform(wanted)
        assert np.sqrt(np.mean(error**2)) < (0.1 if surface.log else 0.005)
        assert np.mean((low <= wanted) & (wanted <= high)) > 0.85


def test_stuck_cells_are_told_from_those_that_come_through(made):
    table, emulator, _ = made
    points, truth = fresh(emulator)
    passed = np.array([t is not None for t in truth])
    assert 3 <= (table["outcome"] == "STUCK").sum() < 30
    assert 3 < (~passed).sum() < 40
    assert np.mean((emulator.exit.probability(points) >= 0.5) == passed) > 0.93


def test_the_cross_validated_error_is_that_of_unseen_cells(made):
    _, emulator, found = made
    points, truth = fresh(emulator)
    passed = np.array([t is not None for t in truth])
    name = "transition_time"
    wanted = np.log([t[name] for t in truth if t is not None])
    error = emulator.surfaces[name].mean(points[passed]) - wanted
    assert 0.5 < emulator.scores[name].rmse / np.sqrt(np.mean(error**2)) < 2
    assert all(0.8 < score.coverage <= 1 for score in emulator.scores.values())
    assert emulator.meta["exit"]["accuracy"] > 0.9
    assert np.isfinite(found.probability).all()


def test_the_noise_of_the_runs_is_found(made):
    noise = made[1].surfaces["deformation_index"]
    deviation = np.sqrt(np.exp(noise.theta[-1])) * noise.values.std()
    assert deviation == pytest.approx(NOISE / 5, rel=0.5)


def test_predictions_that_ignore_a_parameter_are_seen(made):
    """A broken emulator, without Ks: its errors grow and its bands say so."""
    table, emulator, _ = made
    name, two = "transition_time", [THREE.index("cell.diameter"), THREE.index("fluid.pressure_drop")]
    blind = fit_emulator(table, {}, [THREE[k] for k in two], (name,))
    points, truth = fresh(emulator)
    passed = np.array([t is not None for t in truth])
    columns = [emulator.design.names.index(n) for n in blind.design.names]
    mean, deviation = blind.surfaces[name].predict(points[passed][:, columns])
    error = mean - np.log([t[name] for t in truth if t is not None])
    assert np.sqrt(np.mean(error**2)) > 2.5 * emulator.scores[name].rmse
    assert deviation.mean() > 2.5 * emulator.surfaces[name].predict(points[passed])[1].mean()


def test_leave_one_out_is_what_refits_give(made):
    surface = made[1].surfaces["max_velocity"]
    row = 7
    rest = np.delete(np.arange(len(surface.values)), row)
    process = surface._process
    kernel = process.kernel_
    # the prior's mean and scale stay those of all runs
    scaled = (surface.transform(surface.values) - process._y_train_mean) / process._y_train_std
    known, cross = kernel(surface.points[rest]), kernel(surface.points[rest], surface.points[[row]])[:, 0]
    mean = cross @ np.linalg.solve(known, scaled[rest])
    variance = kernel.diag(surface.points[[row]])[0] - cross @ np.linalg.solve(known, cross)
    assert isinstance(kernel.k1.k1, ConstantKernel)
    assert surface.leave_one_out()[row] == pytest.approx((scaled[row] - mean) / np.sqrt(variance), rel=1e-4)


def test_a_file_gives_the_same_predictions_and_the_same_bytes(made, tmp_path):
    emulator = made[1]
    write_emulator(tmp_path / "a.h5", emulator)
    again = read_emulator(tmp_path / "a.h5")
    points, _ = fresh(emulator)
    for name, expected in emulator.predict(points).items():
        np.testing.assert_array_equal(again.predict(points)[name], expected)
    np.testing.assert_array_equal(again.exit.probability(points), emulator.exit.probability(points))
    write_emulator(tmp_path / "b.h5", again)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert again.scores == emulator.scores
    assert again.meta == emulator.meta


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(200)])
def test_a_file_that_is_no_emulator_is_refused(tmp_path, content):
    (tmp_path / "x.h5").write_bytes(content)
    with pytest.raises(InputError, match="no emulator, or damaged"):
        read_emulator(tmp_path / "x.h5")
    with pytest.raises(InputError, match="no such file"):
        read_emulator(tmp_path / "y.h5")


def test_damage_within_the_file_is_refused(made, tmp_path):
    import h5py

    write_emulator(tmp_path / "a.h5", made[1])
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["surfaces/max_velocity/theta"]
        file["surfaces/max_velocity/theta"] = np.zeros(2)
    with pytest.raises(InputError, match="do not fit together"):
        read_emulator(tmp_path / "a.h5")


def test_cells_outside_of_the_design_are_refused_with_its_range(made):
    design = made[1].design
    inside = {item.name: float(item.unscale(0.5)) for item in design.inputs}
    np.testing.assert_allclose(design.require(inside), 0.5)
    with pytest.raises(InputError, match=r"cell.ks = 1 N/m: outside of the design, 0.001\d* to 0.0\d* N/m"):
        design.require(inside | {"cell.ks": 1.0})
    with pytest.raises(InputError, match=r"--cell\.ks is missing"):
        design.require({name: v for name, v in inside.items() if name != "cell.ks"})
    with pytest.raises(InputError, match=r"the sweep held it at 0\.0"):
        design.require(inside | {"cell.start_y": 1e-6})
    with pytest.raises(InputError, match="no parameter of this emulator"):
        design.require(inside | {"channel.gap": 5e-6})


def test_combinations_that_no_run_has_are_refused():
    rng = np.random.default_rng(0)
    size = rng.uniform(10e-6, 16e-6, 100)
    table = pd.DataFrame(
        {"cell.diameter": size, "cell.ks": 1e-3 * np.exp(3e5 * (size - 13e-6) + rng.normal(size=100) / 9)}
    )
    design = make_design(table, {})
    big, small = (design.inputs[0].high, design.inputs[0].low)
    assert design.inside(design.points).all()
    design.require({"cell.diameter": big * 0.98, "cell.ks": 1e-3 * np.exp(3e5 * (big - 13e-6))})
    with pytest.raises(InputError, match=r"no run has a combination like this one; the nearest run has cell\.diameter"):
        design.require({"cell.diameter": small, "cell.ks": float(table["cell.ks"].max())})


def test_what_a_design_takes_up():
    table = pd.DataFrame(
        {
            "cell.ks": [1e-3, 2e-3],
            "cell.start_y": [-1e-6, 1e-6],
            "cell.ka_local": [1e-3, 2e-3],
            "numerics.inertia_scale": [0.5, 0.6],
            "seed": [0, 1],
            "fluid.pressure_drop": [3e3, 3e3],
        }
    )
    flat, solid = (make_design(table, {}, constants={"numerics.dimension": d, "channel.gap": 5e-6}) for d in (2, 3))
    assert flat.names == ("cell.ks", "cell.start_y")
    assert solid.names == ("cell.ks", "cell.start_y", "cell.ka_local")
    assert [item.log for item in flat.inputs] == [True, False]
    assert flat.fixed == {"fluid.pressure_drop": 3e3, "channel.gap": 5e-6}
    np.testing.assert_allclose(flat.inputs[0].scale(flat.inputs[0].unscale([0, 0.3, 1])), [0, 0.3, 1], atol=1e-12)
    # What varies and is left out is not held, whatever the first run has.
    part = make_design(table, {}, ["cell.ks"], constants={"cell.start_y": -1e-6, "channel.gap": 5e-6})
    assert part.fixed == {"fluid.pressure_drop": 3e3, "channel.gap": 5e-6}
    part.check_held({"fluid.pressure_drop": 3e3, "cell.ks": 1e-3})
    with pytest.raises(InputError, match="the sweep held it at 3000"):
        part.check_held({"fluid.pressure_drop": 4e3})
    with pytest.raises(InputError, match=r"fluid\.pressure_drop does not vary"):
        make_design(table, {}, ["fluid.pressure_drop"])


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"numerics.dx": [6.5e-7, 3.25e-7]}, "differ in numerics.dx"),
        ({"cell.nucleus.ks": [1e-3, np.nan]}, "cell.nucleus.ks is not stated for all runs"),
        ({"cell.ks": [1e-3, 1e-3]}, "nothing varies"),
    ],
)
def test_sweeps_that_make_no_emulator(column, words):
    table = pd.DataFrame({"cell.ks": [1e-3, 2e-3 if "cell.nucleus.ks" not in column else 1e-3], **column})
    with pytest.raises(InputError, match=words):
        make_design(table, {})


def test_too_few_runs_are_refused():
    table = pd.DataFrame(rows_of(draw(8, THREE)))
    with pytest.raises(InputError, match="16 are needed for 3 parameters"):
        fit_emulator(table, {}, outputs=OUTPUTS)
    table["outcome"] = "UNSTABLE"
    with pytest.raises(InputError, match="no finished run"):
        fit_emulator(table, {}, outputs=OUTPUTS)
