"""The presets pass the pre-flight check, and their numbers agree with one another."""

import math

import pytest

from sim.config import load_config, preset_names
from sim.preflight import preflight
from sim.stiffness import area_modulus, shear_modulus
from sim.trace import Outcome

PRESETS = ("lymphocyte", "neutrophil", "hl60", "mcf7", "mda_mb_231")


def test_the_presets_are_all_known():
    assert set(PRESETS) < set(preset_names())


@pytest.mark.parametrize("preset", [*PRESETS, "rbc"])
@pytest.mark.parametrize("quality", ["draft", "quick", "smoke"])
def test_every_preset_passes_the_preflight_check(preset, quality):
    failed = [check for check in preflight(load_config(preset, quality)).checks if not check.passed]
    assert failed == []


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_squeezed_and_bends_as_its_header_says(preset):
    config = load_config(preset)
    cell = config.cell
    assert cell.diameter > config.channel.gap
    shear_modulus = math.sqrt(3) / 4 * cell.ks
    assert cell.kb / (shear_modulus * (cell.diameter / 2) ** 2) == pytest.approx(1e-3, rel=0.05)


def test_the_red_cell_has_the_moduli_and_size_of_its_header():
    config = load_config("rbc", "smoke")
    shear = shear_modulus(config.cell)
    assert shear == pytest.approx(3.4e-6, rel=0.01)
    assert area_modulus(config.cell) == pytest.approx(61 * shear)
    assert math.sqrt(3) / 2 * config.cell.kb == pytest.approx(2e-19, rel=0.01)


@pytest.mark.slow
def test_the_red_cell_folds_and_passes_without_growing():
    from sim.simulation import simulate

    trace = simulate(load_config("rbc", "smoke"))
    assert trace.outcome is Outcome.REACHED
    assert abs(trace["areal_strain"]).max() < 0.06
    assert trace["volume"] == pytest.approx(trace["volume"][0], rel=5e-3)
    assert trace["height"].max() > trace.config.channel.gap
    assert trace["di"][0] < 0 < trace["di"].max()
