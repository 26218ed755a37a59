"""How much is computed at each scale, and the simulated days on which it is filmed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

CLASSES = ("hct116", "wbc", "hct116_stiffened")
PAIR = ("hct116", "wbc")
"""The classes of the paper's main task."""
STIFFENED = ("hct116", "hct116_stiffened")
"""The classes of its transfer task."""


@dataclass(frozen=True)
class Day:
    """A simulated day: the flow, and what differs from the usual microscope."""

    name: str
    pressure: float
    """Pressure drop over that of the presets (1)."""
    microscope: dict[str, Any] = field(default_factory=dict)
    """Fields of the microscope that differ from the set-up te2000, SI."""


DEVELOPMENT = (
    Day("day-1", 1.00, {"background": 0.75, "defocus": -0.3e-6, "condenser_y": -0.07}),
    Day("day-2", 0.97, {"background": 0.70, "defocus": -0.6e-6, "condenser_y": -0.04, "unevenness": 0.04}),
    Day("day-3", 1.03, {"background": 0.79, "defocus": 0.1e-6, "condenser_y": -0.08, "read_noise": 16.0}),
    Day("day-4", 0.95, {"background": 0.66, "defocus": -0.1e-6, "condenser_x": 0.02, "exposure": 1.4e-6}),
    Day("day-5", 1.05, {"background": 0.77, "defocus": -0.9e-6, "condenser_x": -0.07, "full_well": 2300.0}),
)
"""Days that train and validate. Lamp, focus, camera and pressure vary as they do from one set-up of an experiment to
the next: this project's choice, made before anything was trained."""

TEST = Day(
    "day-6",
    0.92,
    {
        "background": 0.60,
        "defocus": 0.5e-6,
        "condenser_x": 0.05,
        "condenser_y": 0.04,
        "unevenness": 0.06,
        "full_well": 1900.0,
        "read_noise": 18.0,
        "exposure": 1.6e-6,
    },
)
"""The day of the test: outside of what the other days span."""


@dataclass(frozen=True)
class Scale:
    """What is computed."""

    cells: dict[str, int]
    """Cells of each class in two dimensions, all days together."""
    apart: int
    """Cells of hct116 among them that the transfer alone sees, so that its model has never met them."""
    solid: dict[str, int]
    """The same in three dimensions, on the first day alone; none where a reproduction is to take minutes."""
    solid_fields: dict[str, dict[str, Any]]
    """Fields of the runs in three dimensions, by section."""
    days: int
    """Days that train and validate; the test day comes on top."""
    quality: str
    """Of the runs in two dimensions; those in three are of the coarsest."""
    frames: int
    """Frames that show the median hct116 cell in the constriction."""
    pixel_size: float
    """Of the camera at the sample (m)."""
    caliper: float
    """Largest difference in measured diameter of two matched cells (m)."""
    folds: int
    """Folds of the small networks and of the classical models."""
    deep_folds: int
    """The same of the networks that see pictures."""
    validation: float
    """Part of the training cells that validates; split by day, a whole number of days."""
    network: tuple[str, ...]
    """Options of the networks that see pictures."""
    control: tuple[str, ...]
    """The same in the controls."""
    small: tuple[str, ...]
    """Options of the networks on features alone."""
    ablation_epochs: int
    repeats: int
    """Cross-validations of the classical models."""
    transfer_cells: int
    draws: int
    """Draws of the transfer's cells and weights."""
    curve: tuple[str, ...]
    """Options of the learning curve on measured cells."""

    @property
    def pair(self) -> int:
        """Cells of the main task."""
        return sum(self.cells[label] for label in PAIR) - self.apart

    def per_day(self, label: str) -> tuple[int, int]:
        """Return how many cells of a class a development day and the test day have, about 80 to 20 in all."""
        cells = self.cells[label]
        each = min(int(0.8 * cells / self.days + 0.5), (cells - 1) // self.days)
        return each, cells - self.days * each


_SOLID: dict[str, dict[str, Any]] = {"numerics": {"dimension": 3, "dx": 0.65e-6, "wall_range": 0.65e-6}}
"""What makes a cell one in three dimensions with 8 nodes across the gap, the coarsest quality."""

_TINY = ("--image-size", "32", "--width", "4", "--blocks", "1", "1", "1", "1", "--epochs", "4", "--batch", "8")
_SMALL = ("--image-size", "48", "--width", "12", "--blocks", "1", "1", "1", "1", "--epochs", "40")

SCALES = {
    "smoke": Scale(
        cells={"hct116": 18, "wbc": 9, "hct116_stiffened": 9},
        apart=6,
        solid={},
        solid_fields={},
        days=3,
        quality="draft",
        frames=9,
        pixel_size=0.25e-6,
        caliper=2e-6,
        folds=3,
        deep_folds=1,
        validation=0.5,
        network=_TINY,
        control=_TINY,
        small=("--epochs", "20"),
        ablation_epochs=5,
        repeats=1,
        transfer_cells=6,
        draws=2,
        curve=("--sizes", "20", "--resamples", "2", "--epochs", "10"),
    ),
    "standard": Scale(
        cells={"hct116": 310, "wbc": 190, "hct116_stiffened": 120},
        apart=120,
        solid=dict.fromkeys(CLASSES, 20),
        solid_fields=_SOLID,
        days=5,
        quality="draft",
        frames=20,
        pixel_size=1e-6 / 6,
        caliper=0.25e-6,
        folds=5,
        deep_folds=1,
        validation=0.25,
        network=("--epochs", "40"),
        control=_SMALL,
        small=(),
        ablation_epochs=300,
        repeats=3,
        transfer_cells=102,
        draws=2,
        curve=("--sizes", "10", "20", "50", "100", "200", "--epochs", "100"),
    ),
    "full": Scale(
        cells={"hct116": 1865, "wbc": 1156, "hct116_stiffened": 500},
        apart=500,
        solid=dict.fromkeys(CLASSES, 100),
        solid_fields=_SOLID,
        days=5,
        quality="quick",
        frames=30,
        pixel_size=1e-6 / 6,
        caliper=0.25e-6,
        folds=5,
        deep_folds=5,
        validation=0.25,
        network=(),
        control=(),
        small=(),
        ablation_epochs=300,
        repeats=3,
        transfer_cells=102,
        draws=5,
        curve=("--sizes", "10", "20", "50", "100", "200", "--epochs", "100"),
    ),
}
"""`smoke` takes every step and shows nothing; `standard` is for a desk; `full` has the paper's 2521 cells and 5042
pictures of the main task (how many cells beside the 102 that train it had for the transfer the paper does not say)."""


def days_of(scale: Scale) -> tuple[Day, ...]:
    """Return the days of a scale, the test day last."""
    return (*DEVELOPMENT[: scale.days], TEST)
