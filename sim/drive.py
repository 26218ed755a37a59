"""What keeps a flow at a given rate while a cell plugs the channel."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from sim.fluid import Fluid, FluidModel, flow_rate, restore_mass

CONTROL_STEPS = 20
"""The force is set anew every so many steps (an even number, since the rate can be read then only)."""
PROPORTIONAL = 2.0
INTEGRAL = CONTROL_STEPS / 300
"""Gains on the missing flow times the channel's resistance. Twice as much of the first sets the sound waves of the
paper's channel swinging; with these the rate dips by less than a tenth when a cell enters, for some thousand steps."""


MASS_STEPS = 100
"""Mass that walls gain or lose is restored every so many steps, an even number."""


@dataclass(frozen=True)
class Controller:
    """A proportional-integral controller of the flow rate.

    Attributes
    ----------
    target
        Flow rate to be held, lattice units.
    resistance
        Force per flow rate of the empty channel, predicted, lattice units.
    column
        Nodes through which the rate is measured.
    """

    target: float
    resistance: float
    column: np.ndarray


@dataclass
class Drive:
    """The flow's model under the present force, the controller's memory, and whether the walls lose mass."""

    model: FluidModel
    integral: float
    leaks: bool = False

    @property
    def force(self) -> float:
        """Present force density along x, lattice units."""
        return self.model.force[0]


def start_drive(model: FluidModel, leaks: bool = False) -> Drive:
    """Return the drive with the model's own force."""
    return Drive(model, model.force[0], leaks)


def control(drive: Drive, fluid: Fluid, controller: Controller | None) -> None:
    """Adjust the force to the missing flow, and restore lost mass; does nothing between control steps."""
    if drive.leaks and fluid.steps % MASS_STEPS == 0:
        restore_mass(drive.model, fluid)
    if controller is None or fluid.steps % CONTROL_STEPS:
        return
    missing = controller.resistance * (controller.target - flow_rate(drive.model, fluid, controller.column))
    drive.integral += INTEGRAL * missing
    force = max(drive.integral + PROPORTIONAL * missing, 0.0)
    drive.model = dataclasses.replace(drive.model, force=(force, *drive.model.force[1:]))
