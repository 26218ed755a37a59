"""The presets pass the pre-flight check, and their numbers agree with one another."""

import math

import pytest

from sim.config import load_config, preset_names
from sim.preflight import preflight

PRESETS = ("lymphocyte", "neutrophil", "hl60", "mcf7", "mda_mb_231")


def test_the_presets_are_all_known():
    assert set(PRESETS) < set(preset_names())


@pytest.mark.parametrize("preset", PRESETS)
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
