"""A cell with a stiffer body inside."""

import tomllib

import numpy as np
import pytest

from sim.config import ConfigError, SimulationConfig, fields, load_config, parse_config
from sim.features import compute_features
from sim.runfolder import write_run
from sim.simulation import simulate
from sim.trace import read_trace


def nucleated(config, dimension=2, **nucleus):
    values = config.model_dump(exclude_none=True)
    values["cell"]["nucleus"] = {"diameter": 4.5e-6, "ks": 1e-2, "kb": 5e-17, "ka_local": 4e-3} | nucleus
    values["numerics"] |= {"dimension": dimension, "dx": 0.52e-6}
    values["channel"]["depth"] = 10.4e-6
    return SimulationConfig.model_validate(values)


def transit(trace):
    return compute_features(trace.samples, trace.config.channel.constriction_length)["transition_time"]


def enclosed(ring):
    """Return the area within outlines (S, V, 2)."""
    x, y = ring[..., 0], ring[..., 1]
    return 0.5 * (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)


@pytest.fixture(scope="module")
def trace(small):
    return simulate(nucleated(small))


def test_the_nucleus_stays_inside_and_keeps_its_area(trace):
    shapely = pytest.importorskip("shapely")
    assert trace.outcome.passed
    for outer, inner in zip(trace.snapshots, trace.nucleus, strict=True):
        assert shapely.Polygon(outer).contains(shapely.Polygon(inner))
    area = enclosed(trace.nucleus)
    assert area == pytest.approx(area[0], rel=5e-3)
    assert trace["area"] == pytest.approx(trace["area"][0], rel=5e-3)


def test_it_keeps_off_the_membrane(trace):
    nearest = min(
        np.linalg.norm(outer[:, None] - inner[None], axis=2).min()
        for outer, inner in zip(trace.snapshots, trace.nucleus, strict=True)
    )
    assert nearest > 0.2 * trace.config.numerics.dx


def test_a_large_stiff_nucleus_slows_the_cell_down(small):
    plain = nucleated(small)
    without = plain.model_copy(update={"cell": plain.cell.model_copy(update={"nucleus": None})})
    stiff = nucleated(small, diameter=5.3e-6, ks=5e-2)
    assert transit(simulate(stiff)) > 1.1 * transit(simulate(without))


@pytest.mark.slow
def test_in_three_dimensions(small):
    trace = simulate(nucleated(small, 3))
    assert trace.outcome.passed
    assert trace.nucleus is not None
    assert trace.nucleus.shape[2] == 3
    assert np.ptp(trace.nucleus[..., 1], axis=1).max() < np.ptp(trace.snapshots[..., 1], axis=1).max()
    assert trace["volume"] == pytest.approx(trace["volume"][0], rel=5e-3)


def test_it_is_kept_in_the_run_folder(trace, tmp_path):
    write_run(tmp_path / "run", lambda: trace, "report")
    again = read_trace(tmp_path / "run")
    assert np.array_equal(again.nucleus, trace.nucleus)
    assert np.array_equal(again.nucleus_faces, trace.nucleus_faces)
    assert again.config.cell.nucleus == trace.config.cell.nucleus


def test_a_nucleus_that_does_not_fit_is_refused(small):
    with pytest.raises(ConfigError, match=r"cell\.nucleus\.diameter = 6\.8e-06 m must lie between"):
        simulate(nucleated(small, diameter=6.8e-6))


def test_toml_and_command_line(small):
    config = nucleated(small)
    assert parse_config(tomllib.loads(config.to_toml()), "round trip") == config
    assert config.digest() != small.digest()
    given = {"cell.nucleus.diameter": "9e-6", "cell.nucleus.ks": "3e-2", "cell.nucleus.kb": "1e-16"}
    nucleus = load_config("hct116", "quick", given).cell.nucleus
    assert nucleus is not None
    assert (nucleus.diameter, nucleus.ks) == (9e-6, 3e-2)
    assert "cell.nucleus.ks" in dict(fields())
    with pytest.raises(ConfigError, match=r"cell\.nucleus\.kb is missing"):
        load_config("hct116", "quick", {"cell.nucleus.diameter": "9e-6", "cell.nucleus.ks": "3e-2"})
    with pytest.raises(ConfigError, match="did you mean 'diameter'"):
        load_config("hct116", "quick", given | {"cell.nucleus.diametre": "1e-6"})
