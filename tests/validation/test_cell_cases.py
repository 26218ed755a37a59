"""Spheres in shear: a case passes, and fails when the membrane is half as stiff again."""

import pytest
from validation import flaws

from sim.cases.shear import capsule

pytestmark = pytest.mark.validation


@pytest.mark.parametrize("stiff", [False, True])
def test_a_sphere_of_springs_in_shear_sees_its_stiffness(monkeypatch, stiff):
    if stiff:
        flaws.stiff_springs(monkeypatch, "shear", 1.5)
    deformation, angle = capsule(tick=lambda _: None, law="spring", numbers=(0.3,), radii=(6.0,), walls=8.0).rows
    assert deformation.passed is not stiff
    assert stiff or angle.passed
