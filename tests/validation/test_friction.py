"""Drag of a sphere of nodes: the case passes, and fails when the friction is a twentieth too high."""

import pytest

from sim.cases import friction

pytestmark = pytest.mark.validation


def test_the_drag_is_that_of_espresso():
    assert [row for row in friction.spheres(tick=lambda _: None).rows if not row.passed] == []


def test_the_case_sees_a_wrong_friction(monkeypatch):
    monkeypatch.setattr(friction, "STEP", 1.05 * friction.STEP)
    monkeypatch.setattr(friction, "relaxation_time", lambda _: 0.8)
    (row,) = friction.spheres(tick=lambda _: None, frictions=(0.2,)).rows
    assert not row.passed
