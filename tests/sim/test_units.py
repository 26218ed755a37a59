import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.config import FluidConfig, NumericsConfig
from sim.units import Units, make_units

positive = st.floats(1e-9, 1e9)


def units(scale=1.0, tau=1.0):
    return make_units(FluidConfig(pressure_drop=1.0), NumericsConfig(inertia_scale=scale, tau=tau))


@given(dx=st.floats(1e-8, 1e-5), dt=st.floats(1e-10, 1e-6), density=st.floats(1, 1e6))
def test_units_are_consistent(dx, dt, density):
    u = Units(dx, dt, density)
    assert u.velocity * u.dt == pytest.approx(u.dx)
    assert u.pressure == pytest.approx(u.density * dx**2 / dt**2)
    assert u.force_density * u.dx == pytest.approx(u.pressure)
    assert u.tension == pytest.approx(u.pressure * dx)
    assert u.friction * u.velocity == pytest.approx(u.tension)
    assert u.energy == pytest.approx(u.tension * dx**2)


@pytest.mark.parametrize("scale", [0.5, 1.0, 30.0])
@pytest.mark.parametrize("tau", [0.6, 1.0, 2.0])
def test_lattice_viscosity_is_the_fluids(scale, tau):
    u = units(scale, tau)
    viscosity = (tau - 0.5) / 3 * u.dx**2 / u.dt * u.density
    assert viscosity == pytest.approx(1e-3)


def test_the_inertia_scale_lengthens_the_step_and_leaves_viscous_stress_alone():
    one, ten = units(1.0), units(10.0)
    assert ten.dt == pytest.approx(10 * one.dt)
    assert ten.density == pytest.approx(10 * one.density)
    # μ × shear rate over the unit of pressure: the same stress is a larger number in lattice units.
    assert one.pressure == pytest.approx(10 * ten.pressure)


def test_an_open_inertia_scale_is_refused():
    with pytest.raises(ValueError, match="inertia_scale"):
        make_units(FluidConfig(pressure_drop=1.0), NumericsConfig())
