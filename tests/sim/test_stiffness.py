"""How stiff a membrane may be: what is allowed holds still after a kick, and what is far above does not."""

import dataclasses
from importlib import resources

import numpy as np
import pandas as pd
import pytest

from sim.cases.shear import Shear, start
from sim.config import load_config
from sim.coupling import LostMembrane
from sim.simulation import advance
from sim.stiffness import MARGIN, area_modulus, max_ks_lu, shear_modulus, stretching_constant


def holds_still(dimension, level, times):
    """Say whether a membrane `times` as stiff as allowed stays within a node of its place after a kick of 1 %."""
    shear = Shear(1e9, None if dimension == 2 else "spring", 5.0, 24 * (4 - dimension), None, 1e-6, 1.0, level)
    model, state = start(shear)
    one = model.cells.membranes[0]
    ks = times * max_ks_lu(model.config)
    law = one.law._replace(ks=ks, kv=0.0) if dimension == 2 else dataclasses.replace(one.law, ks=ks, kv=0.0)
    cells = dataclasses.replace(model.cells, membranes=(dataclasses.replace(one, law=law),))
    model = dataclasses.replace(model, cells=cells)
    place = state.cell.x.copy()
    state.cell.x += np.random.default_rng(0).normal(0, 0.01, place.shape)
    for _ in range(300):
        try:
            advance(model, state)
        except LostMembrane:
            return False
        if not abs(state.cell.x - place).max() < 1:
            return False
    return True


@pytest.mark.parametrize(("dimension", "level"), [(2, None), (3, 3)])
def test_what_is_allowed_is_stable_and_the_margin_is_what_it_says(dimension, level):
    assert holds_still(dimension, level, 1.0)
    assert holds_still(dimension, level, 0.8 / MARGIN)
    assert not holds_still(dimension, level, 1.5 / MARGIN)


def test_no_more_is_allowed_than_a_third_of_what_was_measured():
    with (resources.files("sim") / "reference" / "ib_explicit_stability_ks.csv").open() as stream:
        measured = pd.read_csv(stream, comment="#")
    assert len(measured) == 6
    for row in measured.to_dict("records"):
        numerics = {"numerics.kernel": f"{row['kernel_points']:g}", "numerics.tau": f"{row['tau']}"}
        config = load_config("hct116", "smoke", numerics)
        assert max_ks_lu(config) < 1.01 * row["ks_lu_stable"] / 3


def test_a_membrane_that_resists_a_change_of_area_counts_as_stiffer():
    cell = {"cell.ka_local": "0", "numerics.dimension": "3"}
    plain = load_config("hct116", "smoke", cell)
    assert stretching_constant(plain) == pytest.approx(plain.cell.ks)
    skalak = load_config("hct116", "smoke", cell | {"cell.law": "skalak", "cell.skalak_c": "200"})
    assert stretching_constant(skalak) == pytest.approx(plain.cell.ks * 402 / 3)
    assert area_modulus(skalak.cell) == pytest.approx(401 * shear_modulus(skalak.cell))
