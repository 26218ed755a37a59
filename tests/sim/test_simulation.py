"""The squeeze as a whole: physics kept, same seed same bytes, and every way to end."""

import re

import numpy as np
import pytest

from sim import simulation, warmup
from sim.command import UnstableSimulation
from sim.config import SimulationConfig
from sim.features import compute_features
from sim.health import density_trouble
from sim.simulation import advance, build, init, simulate
from sim.trace import COLUMNS, Outcome


def varied(config, **changes):
    """Return the configuration with some fields changed, ``section__key=value``."""
    values = config.model_dump(exclude_none=True)
    for name, value in changes.items():
        section, _, key = name.rpartition("__")
        (values[section] if section else values)[key] = value
    if any(f"fluid__{drive}" in changes for drive in ("body_force", "mean_velocity", "flow_rate")):
        values["fluid"].pop("pressure_drop")
    return SimulationConfig.model_validate(values)


def transit(trace):
    """Return the transition time: the run's end depends on a threshold, this does not."""
    return compute_features(trace.samples, trace.config.channel.constriction_length)["transition_time"]


def test_the_cell_comes_through(small, small_trace):
    assert small_trace.outcome is Outcome.EXITED
    assert set(small_trace.samples) == set(COLUMNS)
    channel = small.channel
    assert small_trace["rear_x"][-1] > channel.constriction_length + channel.exit_taper
    assert abs(small_trace["di"][-1] - small_trace["di"][0]) < 0.02
    assert small_trace["di"].max() > 0.2
    assert (np.diff(small_trace["x"]) > 0).all()


def test_area_is_kept(small_trace):
    assert abs(small_trace["area"] / small_trace["area"][0] - 1).max() < 0.005


def test_area_check_sees_a_membrane_without_area_constraint(small):
    loose = simulate(varied(small, cell__kv=0.0))
    assert abs(loose["area"] / loose["area"][0] - 1).max() > 0.005


def test_slip_is_small_and_grows_when_friction_is_lowered(small, small_trace):
    assert small_trace["slip"].max() < 0.02
    friction = float(small_trace.config.numerics.friction) / 10
    assert simulate(varied(small, numerics__friction=friction))["slip"].max() > 0.02


def test_friction_and_no_slip_coupling_agree(small, small_trace):
    no_slip = simulate(varied(small, numerics__coupling="no-slip"))
    assert no_slip["slip"].max() == 0
    assert transit(no_slip) == pytest.approx(transit(small_trace), rel=0.02)


def test_no_node_is_ever_in_a_wall(small_trace):
    assert small_trace["wall_distance"].min() > 0


def test_the_cell_stays_on_the_centre_line(small_trace):
    # The nodes of the ring do not lie symmetrically: their noise grows as the plug is let go.
    assert abs(small_trace["y"]).max() < 0.2 * small_trace.config.numerics.dx


def test_pressure_drop_and_body_force_are_the_same_drive(small, small_trace):
    force = small.fluid.pressure_drop / small.channel.length
    other = simulate(varied(small, fluid__body_force=force))
    assert transit(other) == pytest.approx(transit(small_trace), rel=1e-3)


def test_a_given_mean_velocity_is_held_while_the_cell_plugs_the_gap(small):
    trace = simulate(varied(small, fluid__mean_velocity=0.2))
    rate = trace["flow_rate"] / (0.2 * small.channel.gap * small.channel.depth)
    assert trace.flow["gap_velocity_m_per_s"] == pytest.approx(0.2, rel=0.01)
    # A cell that takes a few thousand steps to enter is the hardest case; slower ones leave more time to follow.
    assert rate == pytest.approx(1, abs=0.12)
    assert rate.mean() == pytest.approx(1, abs=0.04)
    assert trace["pressure_drop"].max() > 1.2 * trace["pressure_drop"][0]


def test_a_given_flow_rate_is_the_same_drive(small):
    rate = 0.2 * small.channel.gap * small.channel.depth
    one, other = simulate(varied(small, fluid__mean_velocity=0.2)), simulate(varied(small, fluid__flow_rate=rate))
    assert transit(one) == pytest.approx(transit(other), rel=1e-4)


def test_empty_flow_is_as_predicted(small_trace):
    predicted = small_trace.flow["predicted_gap_velocity_m_per_s"]
    assert small_trace.flow["gap_velocity_m_per_s"] == pytest.approx(predicted, rel=0.15)


def test_same_seed_same_bytes_with_and_without_the_cached_flow(small, small_trace, tmp_path, monkeypatch):
    again = simulate(small)
    monkeypatch.setattr(warmup, "cache_dir", lambda kind: tmp_path)
    fresh = simulate(small)
    for trace in (again, fresh):
        assert all(np.array_equal(trace[name], small_trace[name]) for name in COLUMNS)
        assert np.array_equal(trace.snapshots, small_trace.snapshots)


def test_a_damaged_cache_is_computed_anew(small, small_trace, tmp_path, monkeypatch):
    monkeypatch.setattr(warmup, "cache_dir", lambda kind: tmp_path)
    model = build(small)
    first = init(model)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert np.array_equal(init(model).fluid.f, first.fluid.f)


def test_another_seed_turns_the_mesh(small, small_trace):
    model = build(varied(small, seed=1))
    assert not np.array_equal(model.cells.start, build(small).cells.start)


def test_precision_hardly_matters(small, small_trace):
    double = simulate(varied(small, numerics__precision="float64"))
    assert transit(double) == pytest.approx(transit(small_trace), rel=2e-3)
    assert double["di"].max() == pytest.approx(small_trace["di"].max(), abs=2e-3)


def test_interpolated_walls_hardly_matter(small, small_trace):
    smooth = simulate(varied(small, numerics__walls="interpolated"))
    assert transit(smooth) == pytest.approx(transit(small_trace), rel=0.05)
    assert transit(smooth) != transit(small_trace)


@pytest.mark.slow
def test_double_friction_changes_the_transit_little(small, small_trace):
    friction = 2 * float(small_trace.config.numerics.friction)
    assert transit(simulate(varied(small, numerics__friction=friction))) == pytest.approx(
        transit(small_trace), rel=0.02
    )


@pytest.mark.slow
def test_half_the_inertia_changes_the_transit_little(small, small_trace):
    scale = float(small_trace.config.numerics.inertia_scale)
    half = simulate(varied(small, numerics__inertia_scale=scale / 2))
    assert transit(half) == pytest.approx(transit(small_trace), rel=0.03)


def test_a_stiff_cell_at_low_pressure_is_stuck(small):
    trace = simulate(varied(small, cell__ks=0.2, fluid__pressure_drop=500.0))
    assert trace.outcome is Outcome.STUCK
    assert trace["front_x"][-1] < small.channel.constriction_length
    assert "pressure_drop" in trace.outcome.value


def test_the_time_limit_ends_a_run(small):
    trace = simulate(varied(small, numerics__max_time=5e-5))
    assert trace.outcome is Outcome.MAX_STEPS
    assert not trace.outcome.passed


def test_a_short_outlet_ends_a_run(small):
    trace = simulate(varied(small, channel__outlet_length=4e-6))
    assert trace.outcome is Outcome.OUTLET


def test_a_run_ends_where_it_is_told_and_may_start_from_rest(small, small_trace, monkeypatch):
    monkeypatch.setattr(simulation, "warm_up", None)  # is not called
    stop = 4e-6
    trace = simulate(varied(small, numerics__start="rest", output__stop_x=stop))
    assert trace.outcome is Outcome.REACHED
    assert trace.outcome.passed
    assert trace["rear_x"][-2] < stop < trace["rear_x"][-1]
    assert trace["flow_rate"][0] < 0.02 * small_trace["flow_rate"][0]
    assert trace["flow_rate"][-1] == pytest.approx(
        np.interp(stop, small_trace["rear_x"], small_trace["flow_rate"]), 0.1
    )


def test_a_slow_run_keeps_a_bounded_number_of_outlines(small):
    trace = simulate(varied(small, output__snapshots=5))
    assert len(trace.snapshots) <= 12
    assert (np.diff(trace.snapshot_time) > 0).all()


def test_progress_is_told(small):
    samples = []
    simulate(varied(small, numerics__max_time=5e-5), [samples.append])
    fractions = [s.fraction for s in samples if s.phase == "squeeze"]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1


def broken(small, monkeypatch, **changes):
    monkeypatch.setattr(simulation.preflight, "require", lambda flight: None)
    with pytest.raises(UnstableSimulation) as error:
        simulate(varied(small, **changes))
    return str(error.value)


def test_an_unstable_membrane_is_told_with_place_time_and_remedy(small, monkeypatch):
    text = broken(small, monkeypatch, cell__ks=2.0, numerics__inertia_scale=1.0)
    assert all(word in text for word in ("ms", "step", "numerics.inertia_scale"))


def test_an_unstable_flow_is_told(small, monkeypatch):
    text = broken(small, monkeypatch, numerics__inertia_scale=60.0, fluid__pressure_drop=2e4)
    assert "broke down" in text


def test_a_density_out_of_range_is_told_with_its_place(small):
    model = build(small)
    state = init(model)
    node = model.channel.section(2e-6)[3]
    state.fluid.populations[0, node] += 0.5
    trouble = density_trouble(model.channel, model.fluid, state.fluid)
    assert re.match(r"the density departs by 0\.5.* at x = [12]\.\d\d µm", trouble)


def test_a_node_in_the_wall_is_told(small):
    model = build(small)
    state = init(model)
    state.cell.x[3] = model.channel.to_lattice(np.array([-5e-6, 6e-6]))
    advance(model, state)
    assert state.cell.wall_distance < 0
