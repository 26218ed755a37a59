"""Reference cases that are too heavy for every test run: each passes, and fails when the physics is broken."""

import dataclasses

import pytest
from validation import flaws

from sim.cases.table import CASES

pytestmark = pytest.mark.validation

DEVICE = {
    "inlet_length": 6e-6,
    "outlet_length": 6e-6,
    "entry_taper": 8e-6,
    "exit_taper": 8e-6,
    "constriction_length": 20e-6,
}

# Case, size at which it is computed here, and how it is broken.
HEAVY = {
    "cavity-400": ({"size": 97}, [lambda m: flaws.wrong_viscosity(m, "cavity", 1.5)]),
    "cavity-1000": ({"size": 97}, [lambda m: flaws.slow_walls(m, "cavity")]),
    "cylinder-2d-1": ({}, [lambda m: flaws.careless_cuts(m, "cylinder")]),
    "cylinder-2d-2": ({}, [lambda m: flaws.wrong_viscosity(m, "cylinder", 1.5)]),
    "friction": ({}, [lambda m: flaws.rough_nodes(m, "friction")]),
    "device": (
        {"dx": 0.65e-6, "channel": DEVICE},
        [lambda m: flaws.wrong_viscosity(m, "device"), lambda m: flaws.receding_walls(m, "device")],
    ),
}


def case(name):
    found = next(case for case in CASES if case.name == name)
    return dataclasses.replace(found, parameters={**found.parameters, **HEAVY[name][0]})


@pytest.mark.parametrize("name", HEAVY)
def test_a_case_passes(name):
    assert [row for row in case(name).compute().rows if not row.passed] == []


@pytest.mark.parametrize(("name", "k"), [(name, k) for name in HEAVY for k in range(len(HEAVY[name][1]))])
def test_a_case_sees_broken_physics(monkeypatch, name, k):
    HEAVY[name][1][k](monkeypatch)
    assert [row for row in case(name).compute().rows if not row.passed]
