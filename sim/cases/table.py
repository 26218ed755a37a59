"""The list of reference cases: what each is called, where it is computed, how long it takes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.cases import Result, Tick


@dataclass(frozen=True)
class Case:
    """A reference case.

    Attributes
    ----------
    name
        As on the command line: the family, a dash, what is special.
    module, function
        Where it is computed: ``sim.cases.<module>.<function>(*, tick, **parameters) -> Result``. Cases of a
        module share a figure.
    about
        One line for ``--help``.
    seconds
        About how long it takes on two idle cores; weighs the progress bar.
    full
        Whether it is left to ``--full``.
    parameters
        Arguments that differ from the function's defaults.
    """

    name: str
    module: str
    function: str
    about: str
    seconds: float
    full: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def compute(self, tick: Tick = lambda _: None) -> Result:
        """Compute the case."""
        module = importlib.import_module(f"sim.cases.{self.module}")
        return getattr(module, self.function)(tick=tick, **self.parameters)


CASES = (
    Case("poiseuille", "plane", "poiseuille", "plane channel: TRT exact, error of BGK as predicted", 5),
    Case("couette", "plane", "couette", "shear between moving walls: exact profile and wall force", 2),
    Case("womersley", "oscillating", "womersley", "oscillating plane channel: amplitude and phase", 6),
    Case("taylor-green", "vortices", "taylor_green", "decaying vortices: order of accuracy and viscosity", 2),
    Case("duct", "duct", "ducts", "ducts 1:1 and 20:5.2: flow rate and profile against the series", 6),
    Case("cavity-100", "cavity", "cavity", "lid-driven cavity, Re 100, 129²", 5),
    Case("cavity-400", "cavity", "cavity", "lid-driven cavity, Re 400, 129²", 10, parameters={"reynolds": 400}),
    Case("cavity-1000", "cavity", "cavity", "lid-driven cavity, Re 1000, 129²", 18, parameters={"reynolds": 1000}),
    Case("cylinder-2d-1", "cylinder", "steady", "Schäfer–Turek 2D-1, Re 20: drag and pressure difference", 20),
    Case("cylinder-2d-2", "cylinder", "vortex_street", "Schäfer–Turek 2D-2, Re 100: Strouhal number", 10),
    Case("spheres", "spheres", "spheres", "drag of the simple cubic array of spheres, period 30", 30),
    Case("friction", "friction", "spheres", "drag of a sphere of nodes, as ESPResSo's object-in-fluid couples them", 8),
    Case("contraction", "contraction", "contraction", "pressure drop of a slit between wide reservoirs", 20),
    Case("device", "device", "device", "the paper's device in 3-D: gradient and pressure drop", 30),
    Case("relaxation", "stretching", "relaxation", "membranes: a stretched sphere goes back to its shape", 3),
    Case(
        "red-cell",
        "stretching",
        "red_cell",
        "membranes: a red cell pulled by 68, 130 and 193 pN",
        6,
        parameters={"forces": (67.6, 130, 193)},
    ),
    Case("ring-shear", "shear", "ring", "membranes: a ring in shear, G = 0.0125, 0.04 and 0.125", 8),
    Case("ring-invariance", "shear", "invariance", "membranes: a ring in shear, moving and off the nodes", 5),
    Case(
        "cavity-1000-float64",
        "cavity",
        "cavity",
        "lid-driven cavity, Re 1000, 129², float64",
        60,
        True,
        {"reynolds": 1000, "precision": "float64"},
    ),
    Case(
        "duct-fine",
        "duct",
        "ducts",
        "ducts with up to 52 nodes across",
        60,
        True,
        {"square": ((32, 32), (64, 64)), "paper": ((26, 100), (52, 200)), "precisions": ("float64",)},
    ),
    Case("cylinder-2d-1-fine", "cylinder", "steady", "Schäfer–Turek 2D-1 at 30 nodes", 90, True, {"diameter": 30}),
    Case(
        "cylinder-2d-2-fine",
        "cylinder",
        "vortex_street",
        "Schäfer–Turek 2D-2 at 40 nodes: Strouhal number and drag",
        110,
        True,
        {"diameter": 40, "drag_too": True},
    ),
    Case(
        "spheres-fine",
        "spheres",
        "spheres",
        "drag of the array of spheres, staircase walls, period 62",
        250,
        True,
        {"half_way": (0.064, 0.125, 0.216), "interpolated": (), "period": 62, "precisions": ("float32",)},
    ),
    Case("red-cell-all", "stretching", "red_cell", "membranes: a red cell pulled by 16 to 193 pN", 20, True),
    Case(
        "capsule-shear-neo-hookean",
        "shear",
        "capsule",
        "membranes: a neo-Hookean sphere in shear",
        400,
        True,
        {"numbers": (0.15, 0.3, 0.6)},
    ),
    Case(
        "capsule-shear-skalak",
        "shear",
        "capsule",
        "membranes: a sphere of Skalak's law in shear",
        260,
        True,
        {"law": "skalak"},
    ),
    Case(
        "capsule-shear-spring",
        "shear",
        "capsule",
        "membranes: a sphere of springs in shear",
        260,
        True,
        {"law": "spring"},
    ),
    Case("squeeze-stadium", "squeeze", "stadium", "a cell in a long constriction, 2-D: its length", 30, True),
    Case("squeeze-film", "squeeze", "film", "passage and range of the wall's repulsion, 2-D", 60, True),
    Case(
        "squeeze-numerics",
        "squeeze",
        "numerics",
        "what must not move the passage, 2-D: dx, inertia, friction",
        120,
        True,
        {"changes": (("dx", 8 / 13), ("inertia_scale", 0.5), ("friction", 2.0))},
    ),
    Case(
        "squeeze-numerics-3d",
        "squeeze",
        "numerics",
        "the same in 3-D, from 10 to 16 nodes across the gap",
        900,
        True,
        {"quality": "standard", "changes": (("dx", 10 / 16), ("inertia_scale", 0.5), ("friction", 2.0))},
    ),
    Case(
        "squeeze-ks",
        "squeeze",
        "trend",
        "passage and stiffness, 3-D",
        240,
        True,
        {"field": "cell.ks", "values": (3.65e-3, 7.3e-3, 14.6e-3)},
    ),
    Case(
        "squeeze-size",
        "squeeze",
        "trend",
        "passage and size, 3-D",
        240,
        True,
        {"field": "cell.diameter", "values": (12.6e-6, 14.2e-6, 16e-6)},
    ),
    Case(
        "squeeze-pressure",
        "squeeze",
        "trend",
        "passage and pressure, 3-D",
        240,
        True,
        {"field": "fluid.pressure_drop", "values": (2e3, 3e3, 4e3)},
    ),
    Case("device-13", "device", "device", "the device with 13 × 50 nodes in the gap", 90, True, {"dx": 0.4e-6}),
    Case(
        "device-float64",
        "device",
        "device",
        "the device with 20 × 77 nodes in the gap, float64",
        700,
        True,
        {"dx": 0.26e-6, "precision": "float64"},
    ),
)
"""All reference cases, in the order in which they are shown."""
