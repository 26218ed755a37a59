import numpy as np
import pytest

from sim.features import FEATURES, compute_features, crossing_time, deformation_index

LENGTH = 30.0


def passage(speed=2.0, samples=2001):
    """Return a cell at constant speed that lengthens linearly at the entry and shortens at the exit."""
    time = np.linspace(0, 40, samples)
    x = -20 + speed * time
    di = np.interp(x, [-20, -5, 5, 25, 35, 60], [0, 0, 0.7, 0.7, 0, 0])
    return {
        "time": time, "x": x, "vx": np.full_like(time, speed), "rear_x": x - 5, "front_x": x + 5,
        "di": di, "di_ellipse": di + 0.05,
    }  # fmt: skip


def test_every_feature_of_a_known_passage():
    f = compute_features(passage(), LENGTH)
    assert set(f) == set(FEATURES)
    assert f["deformation_index"] == pytest.approx(0.7)
    assert f["deformation_index_mid"] == pytest.approx(0.7)
    assert f["deformation_index_ellipse"] == pytest.approx(0.75)
    assert f["max_velocity"] == pytest.approx(2.0)
    assert f["transition_time"] == pytest.approx(15.0)
    assert f["transit_time_full"] == pytest.approx(20.0)
    assert f["entry_time"] == pytest.approx(5.0)
    # From the leading edge's entry (x = -5) DI rises 0.07 a metre, 2 metres a second.
    assert f["deformation_rate"] == pytest.approx(0.14, rel=1e-2)
    assert f["recovery_rate"] == pytest.approx(0.14, rel=1e-2)
    assert f["deformation_index_rate"] == pytest.approx(0.14, rel=1e-2)


def test_twice_the_speed_halves_the_times():
    slow, fast = compute_features(passage(1.5), LENGTH), compute_features(passage(3.0), LENGTH)
    assert fast["transition_time"] == pytest.approx(slow["transition_time"] / 2)
    assert fast["deformation_rate"] == pytest.approx(2 * slow["deformation_rate"], rel=1e-2)


@pytest.mark.parametrize("last", [-1.0, 10.0])
def test_what_was_not_seen_is_none(last):
    trace = passage()
    seen = trace["x"] < last
    f = compute_features({name: values[seen] for name, values in trace.items()}, LENGTH)
    assert f["transition_time"] is None
    assert f["max_velocity"] is None
    assert f["deformation_index"] is None
    assert f["recovery_rate"] is None


def test_crossing_is_linear_between_samples():
    assert crossing_time(np.array([0.0, 1.0, 2.0]), np.array([-3.0, -1.0, 3.0]), 0.0) == pytest.approx(1.25)
    assert crossing_time(np.array([0.0, 1.0]), np.array([1.0, 2.0]), 0.0) is None


def test_the_index_is_signed():
    assert deformation_index(3.0, 1.0) == 0.5
    assert deformation_index(1.0, 3.0) == -0.5


def test_maxima_of_a_cell_that_was_half_way_through_are_not_known():
    trace = passage()
    seen = trace["x"] > 10
    f = compute_features({name: values[seen] for name, values in trace.items()}, LENGTH)
    for name in ("transition_time", "max_velocity", "deformation_index", "recovery_rate"):
        assert f[name] is None, name
    assert f["deformation_index_mid"] == pytest.approx(0.7)


def test_a_second_constriction_changes_no_feature_of_the_first():
    trace = passage(samples=4001)
    trace["time"] = np.linspace(0, 80, 4001)
    trace["x"] = -20 + 2 * trace["time"]
    trace["di"] = np.interp(trace["x"], [-20, -5, 5, 25, 35, 70, 80, 100, 110], [0, 0, 0.7, 0.7, 0.1, 0.1, 0.9, 0.9, 0])
    trace |= {"rear_x": trace["x"] - 5, "front_x": trace["x"] + 5, "di_ellipse": trace["di"]}
    f = compute_features(trace, LENGTH, 75.0)
    assert f["deformation_index"] == pytest.approx(0.7)
    assert f["deformation_rate"] == pytest.approx(0.14, rel=1e-2)
    assert f["recovery_rate"] is None  # it was not round again before the next one
    assert compute_features(trace, LENGTH)["deformation_rate"] < 0.05
