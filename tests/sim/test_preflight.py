import re

import numpy as np
import pytest

from sim.channel import make_channel
from sim.config import ConfigError, load_config
from sim.describe import describe
from sim.predict import empty_flow
from sim.preflight import preflight, require


def flight(preset="hct116", quality="quick", **overrides):
    return preflight(load_config(preset, quality, {k.replace("__", "."): str(v) for k, v in overrides.items()}))


def test_the_presets_pass_and_say_what_was_checked():
    for preset in ("hct116", "wbc", "hct116_stiffened"):
        plan = flight(preset)
        require(plan)
        text = describe(plan)
        for words in ("nodes across the gap: 16", "tau", "Mach", "Reynolds", "density drop", "stability", "inertia"):
            assert words in text


def test_what_was_open_is_filled_in():
    numerics = flight().config.numerics
    assert numerics.inertia_scale
    assert numerics.friction
    assert numerics.max_time
    assert flight(numerics__coupling="no-slip").config.numerics.friction is None


def test_predicted_flow_is_lubrication_theory():
    config = load_config("hct116", overrides={"channel.kind": "straight"})
    drop, velocity = empty_flow(config, make_channel(config.channel, config.numerics.dx))
    assert drop == 3e3
    gradient = drop / config.channel.length
    assert velocity == pytest.approx(gradient * config.channel.gap**2 / (12 * config.fluid.viscosity), rel=2e-3)


@pytest.mark.parametrize("kind", ["straight", "cylinder"])
def test_a_flow_rate_is_that_through_the_whole_gap(kind):
    changes = {"channel__kind": kind, "channel__gap": 20.8e-6, "channel__width": 20.8e-6, "numerics__dx": 1.3e-6}
    plan = flight(
        quality="smoke", fluid__pressure_drop="none", fluid__flow_rate=1e-12, numerics__wall_range=1.3e-6, **changes
    )
    area = np.pi / 4 * 20.8e-6**2 if kind == "cylinder" else 20.8e-6 * plan.config.channel.depth
    assert plan.gap_velocity * area == pytest.approx(1e-12)


@pytest.mark.parametrize("drive", [{"fluid__mean_velocity": 5.0}, {"fluid__body_force": 1e9}])
def test_a_drive_that_is_too_strong_is_told_one_that_passes(drive):
    (name,) = drive
    with pytest.raises(ConfigError) as caught:
        require(flight(quality="draft", fluid__pressure_drop="none", **drive))
    found = re.search(rf"{name.replace('__', '.')} to ([0-9.e+-]+)", str(caught.value))
    assert found
    require(flight(quality="draft", fluid__pressure_drop="none", **{name: float(found[1])}))


def test_numbers_scale_as_said():
    # Re, lattice speed, density drop, ks and kv in lattice units all grow with the inertia scale.
    one, two = flight(numerics__inertia_scale=0.5).numbers, flight(numerics__inertia_scale=1.0).numbers
    for name in ("reynolds_number", "mach_number", "density_drop", "ks_lu", "dt_s"):
        assert two[name] == pytest.approx(2 * one[name])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"numerics__dx": 2.6e-6}, ["2.0 lattice nodes", "at least 8", "set numerics.dx to 6.5e-07 m"]),
        ({"numerics__dx": 0.36e-6}, ["14.44 lattice nodes", "whole number", "set numerics.dx to"]),
        ({"cell__diameter": 25e-6}, ["2.5e-05 m does not fit", "2.22e-05 m wide"]),
        ({"numerics__dx": 1e-9}, ["lattice nodes", "at most", "set numerics.dx to"]),
        ({"channel__outlet_length": 50.0}, ["lattice nodes", "shorten it"]),
        ({"cell__diameter": 1e-9}, ["0.0 lattice spacings", "at least 8"]),
        ({"cell__start_x": 0.0}, ["of a wall", "upstream"]),
        ({"cell__start_x": -34e-6}, ["does not lie within the channel"]),
        ({"cell__start_y": 8e-6}, ["of a wall"]),
        ({"numerics__wall_range": 0.2e-6}, ["wall_range", "one lattice spacing", "raise it to 3.25e-07 m"]),
        ({"numerics__wall_range": 3e-6}, ["wall_range", "reaches across the gap of 5.2e-06 m", "lower it"]),
    ],
)
def test_geometry_that_cannot_work_is_refused(overrides, words):
    with pytest.raises(ConfigError) as error:
        flight(**overrides)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    "overrides",
    [{"numerics__inertia_scale": 5}, {"numerics__inertia_scale": 40}, {"cell__ks": 0.5, "numerics__inertia_scale": 1}],
)
def test_a_refused_run_comes_with_a_value_that_passes(overrides):
    with pytest.raises(ConfigError) as error:
        require(flight(**overrides))
    text = str(error.value)
    assert "refuses" in text
    remedy = text.splitlines()[-1].removesuffix(" (SI units)").strip().removeprefix("set ")
    ways = dict(way.split(" to ") for way in remedy.split(", or "))
    assert "numerics.inertia_scale" in ways
    for name, value in ways.items():
        require(flight(**(overrides | {name.replace(".", "__"): value})))


def test_a_low_tau_is_refused():
    with pytest.raises(ConfigError, match=r"tau = 0\.51"):
        require(flight(numerics__tau=0.51))


def test_slow_flows_are_limited_by_the_membrane():
    # At 10 Pa the real Re is tiny; the scale grows until ks or kv is at its stable bound.
    numbers = flight(fluid__pressure_drop=10).numbers
    assert numbers["reynolds_number"] < 1
    assert np.isclose(numbers["ks_lu"], 0.95 * 2.7, rtol=0.02) or numbers["ks_lu"] < 2.7


@pytest.mark.parametrize("preset", ["oif_squeeze", "oif_couette"])
def test_the_object_in_fluid_set_ups_pass_as_published(preset):
    plan = flight(preset)
    require(plan)
    numerics, oif = plan.config.numerics, plan.config.cell.oif
    assert plan.units.dt == pytest.approx(1e-7, rel=1e-9)
    assert (numerics.inertia_scale, numerics.friction, numerics.wall_range) == (1.0, oif.friction, oif.wall_cutoff)
    assert oif.friction_scheme == "explicit"
    # Gs = √3/4 ks, K = √3/2 ks + kal/2 + kag/2, κ = 3/4 kb l0, l0 of the equilateral mesh
    assert plan.numbers["shear_modulus_n_per_m"] == pytest.approx(np.sqrt(3) / 4 * oif.ks)
    assert plan.numbers["area_modulus_n_per_m"] == pytest.approx(np.sqrt(3) / 2 * oif.ks + (oif.kal + oif.kag) / 2)
    edge = np.sqrt(np.pi * plan.config.cell.diameter**2 / 1280 * 4 / np.sqrt(3))
    assert plan.numbers["bending_rigidity_j"] == pytest.approx(0.75 * oif.kb * edge, rel=1e-9)
    assert "γ dt/m" in describe(plan)


def test_friction_is_integrated_exactly_only_where_it_must_be():
    light = flight("oif_couette", cell__oif__node_mass=8e-17)
    require(light)
    assert light.config.cell.oif.friction_scheme == "exact"
    assert "integrated exactly" in describe(light)
    explicit = flight("oif_couette", cell__oif__node_mass=8e-17, cell__oif__friction_scheme="explicit")
    with pytest.raises(ConfigError, match=r"friction: γ dt/m = 1\.04, explicit \(≤ 1\)\n.*numerics\.inertia_scale"):
        require(explicit)
    again = flight("oif_couette", cell__oif__friction_scheme="exact")
    assert again.config.cell.oif.friction_scheme == "exact"


def test_nodes_that_are_too_light_for_their_springs_are_refused():
    with pytest.raises(
        ConfigError, match=r"motion of the nodes: k dt²/m is 3 (.|\n)*set numerics\.inertia_scale to 0\.3"
    ):
        require(flight("oif_squeeze", cell__oif__node_mass=3e-17))


def test_a_gap_of_five_nodes_is_for_oif_only():
    with pytest.raises(ConfigError, match="at least 5"):
        flight("oif_squeeze", numerics__dx=1.3e-6)
    with pytest.raises(ConfigError, match="at least 8"):
        flight("hct116", numerics__dx=1.04e-6)
