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
    """Fields of `bridge.microscope.Microscope`, SI; the others are those of the set-up te2000."""


DEVELOPMENT = (
    Day("day-1", 1.00, {"background": 0.75, "defocus": -0.3e-6, "condenser_y": -0.07}),
    Day("day-2", 0.97, {"background": 0.70, "defocus": -0.6e-6, "condenser_y": -0.04, "unevenness": 0.04}),
    Day("day-3", 1.03, {"background": 0.79, "defocus": 0.1e-6, "condenser_y": -0.10, "read_noise": 16.0}),
    Day("day-4", 0.95, {"background": 0.66, "defocus": -0.1e-6, "condenser_x": 0.02, "exposure": 1.4e-6}),
    Day("day-5", 1.05, {"background": 0.77, "defocus": -0.9e-6, "condenser_x": -0.10, "full_well": 2300.0}),
)
"""Days that train and validate, each fold leaving another one out. Lamp, focus, camera and pressure vary as they do
from one set-up of an experiment to the next: this project's choice, made before anything was trained."""

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
"""The day of the test: outside of what the other days span in every respect."""


@dataclass(frozen=True)
class Scale:
    """What is computed.

    Attributes
    ----------
    cells
        Cells of each class, all days together.
    days
        Development days; the test day comes on top.
    quality
        Of the runs in two dimensions.
    frames
        Frames that show the median cell of the first class in the constriction.
    pixel_size
        Of the camera at the sample (m).
    solid
        Cells of each class in three dimensions, whose features are read from the runs; 0: none.
    folds
        Folds of the small networks and of the classical models.
    deep_folds
        The same of the networks that see pictures.
    validation
        Part of the training cells that validates, a whole number of days.
    network
        Options of the networks that see pictures.
    small
        Options of the networks on features alone.
    controls
        Preset and options of the networks of the controls.
    ablation_epochs, repeats, draws
        Epochs of the ablation, cross-validations of the classical models, draws of the transfer.
    transfer_cells
        Cells that train in the transfer.
    """

    cells: dict[str, int]
    days: int
    quality: str
    frames: int
    pixel_size: float
    solid: int
    folds: int
    deep_folds: int
    validation: float
    network: tuple[str, ...]
    small: tuple[str, ...]
    controls: tuple[str, ...]
    ablation_epochs: int
    repeats: int
    draws: int
    transfer_cells: int

    def per_day(self, label: str) -> tuple[int, int]:
        """Return how many cells of a class a development day and the test day have, about 80 to 20 in all."""
        each = max(1, int(0.8 * self.cells[label] / self.days + 0.5))
        return each, max(1, self.cells[label] - self.days * each)


_TINY = ("--image-size", "32", "--width", "4", "--blocks", "1", "1", "1", "1", "--epochs", "4", "--batch", "8")

SCALES = {
    "smoke": Scale(
        cells=dict.fromkeys(CLASSES, 8),
        days=3,
        quality="draft",
        frames=10,
        pixel_size=0.25e-6,
        solid=0,
        folds=3,
        deep_folds=1,
        validation=0.5,
        network=_TINY,
        small=("--epochs", "20"),
        controls=_TINY,
        ablation_epochs=5,
        repeats=1,
        draws=2,
        transfer_cells=8,
    ),
    "standard": Scale(
        cells=dict.fromkeys(CLASSES, 200),
        days=5,
        quality="draft",
        frames=20,
        pixel_size=1e-6 / 6,
        solid=20,
        folds=5,
        deep_folds=1,
        validation=0.25,
        network=("--epochs", "40"),
        small=(),
        controls=("--image-size", "48", "--width", "12", "--blocks", "1", "1", "1", "1", "--epochs", "40"),
        ablation_epochs=300,
        repeats=3,
        draws=2,
        transfer_cells=102,
    ),
    "full": Scale(
        cells={"hct116": 1365, "wbc": 1156, "hct116_stiffened": 500},
        days=5,
        quality="quick",
        frames=30,
        pixel_size=1e-6 / 6,
        solid=100,
        folds=5,
        deep_folds=5,
        validation=0.25,
        network=(),
        small=(),
        controls=(),
        ablation_epochs=300,
        repeats=3,
        draws=5,
        transfer_cells=102,
    ),
}
"""`smoke` exercises every stage and shows nothing; `standard` is for a desk; `full` has the paper's 2521 cells and 5042
pictures (the paper does not say how many stiffened cells it had beside the 102 that train)."""
