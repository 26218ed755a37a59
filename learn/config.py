"""What is trained: the frozen configuration and how it is read from TOML.

Each field's docstring ends with its unit in parentheses; it is the command line's help.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bridge.command import InputError, Unstable

TRAINING_VERSION = 3
"""Raised whenever the same configuration and cells give another model."""


class ConfigError(InputError):
    """A configuration that cannot be trained."""


class Diverged(Unstable):
    """A training whose loss is no longer a number."""


@dataclass(frozen=True)
class How:
    """With what means a training is done; none of it changes the result, but for rounding.

    Attributes
    ----------
    devices
        Devices that share the cells of each step.
    tensorboard
        Whether epochs are also logged for TensorBoard.
    quiet
        Whether nothing is said on standard error.
    """

    devices: int = 1
    tensorboard: bool = False
    quiet: bool = False


class TrainConfig(BaseModel):
    """One classifier and its training."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """Name of the run; names its folder (-)."""
    model: Literal["miml", "features_only", "image_only"] = "miml"
    """`miml`: picture and features; `features_only`: the small network; `image_only`: the picture alone (-)."""
    features: tuple[str, ...] = ("deformation_index", "max_velocity", "transition_time")
    """Columns of the dataset that the feature branch reads, in order (-)."""
    views: tuple[str, ...] = ("first", "squeezed")
    """Views of a cell that share the picture branch, one or two (-)."""
    classes: tuple[str, ...] = ()
    """Labels to tell apart, in order; empty: every label of the datasets, sorted (-)."""
    others: Literal["refuse", "leave-out"] = "refuse"
    """What becomes of cells of labels that `classes` does not name (-)."""
    image_size: int = Field(default=64, ge=16, le=512)
    """Height and width of a picture at the network's input (px)."""
    width: int = Field(default=64, ge=4, le=128)
    """Filters of the picture branch's first stage; the later ones have 2, 4 and 8 times as many (-)."""
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    """Residual blocks in the picture branch's four stages; (2, 2, 2, 2) is ResNet-18 (-)."""
    hidden: tuple[int, ...] = (32, 16)
    """Neurons in each layer of the feature branch (-)."""
    masks: bool = False
    """Tell the network which features and pictures are there, so that any may be missing (-)."""
    hide: float = Field(default=0.2, ge=0, le=0.5)
    """With masks: chance in training that a cell's picture is hidden, all its features are, or one is (fraction)."""
    weights: tuple[float, ...] = ()
    """Weight in the loss of a cell of each dataset, in their order; empty: all alike (-)."""
    align: Literal["no", "minmax", "rank"] = "no"
    """Scale features of each dataset on its own, by its range or its ranks: for datasets in different units (-)."""
    split: Literal["dataset", "new"] = "dataset"
    """Whether columns split and fold of the datasets, where filled, say which cells test, or these are drawn (-)."""
    held_out: Literal["experimental", "all"] = "experimental"
    """Cells that validate and test: the experimental ones, where there are both, or all (-)."""
    schedule: Literal["together", "staged"] = "together"
    """`staged`: simulated cells first, then all, then experimental ones (-)."""
    stages: tuple[float, float] = (0.3, 0.6)
    """With `staged`: where training on all cells begins, and on experimental ones alone (fraction of the epochs)."""
    balance: bool = False
    """Weight rare classes up in the loss, so that all classes count alike (-)."""
    norm: Literal["shared", "separate"] = "shared"
    """`separate`: batch norm has statistics of simulated cells and of experimental ones, half of each step each (-)."""
    augment: bool = False
    """Shift, mirror, turn, blur and light the pictures anew in each step, as far as mechanics allows (-)."""
    turn: float = Field(default=10, ge=0, le=180)
    """With augment: largest angle by which a free cell is turned; 180 where no channel is in the picture (degrees)."""
    batch: int = Field(default=64, ge=2)
    """Cells in a training step; fewer if the training cells are fewer (cells)."""
    epochs: int = Field(default=60, ge=1)
    """Passes over the training cells, at most (epochs)."""
    patience: int = Field(default=15, ge=1)
    """Training ends when the validation loss has not fallen for this long (epochs)."""
    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    """Step of the optimiser AdamW (-)."""
    plateau: int = Field(default=0, ge=0)
    """The step becomes a tenth when the validation loss has not fallen for this long; 0: never (epochs)."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Decoupled weight decay on kernels, not on biases or batch norm (-)."""
    folds: int = Field(default=1, ge=1, le=50)
    """1: one split into training, validation and test; more: cross-validation (-)."""
    test_fraction: float = Field(default=0.2, gt=0, le=0.5)
    """Cells set aside for the test where neither the dataset nor folds say which (fraction of the cells)."""
    validation_fraction: float = Field(default=0.2, gt=0, le=0.5)
    """Cells that decide when training ends (fraction of those not under test)."""
    seed: int = Field(default=0, ge=0)
    """Draws the splits, the initial weights and the order of the cells (-)."""

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        for field in ("features", "views", "classes"):
            names = getattr(self, field)
            if len(set(names)) < len(names):
                raise ValueError(f"{field} = {list(names)}: a name stands twice; leave one out")
        if self.uses_features and not self.features:
            raise ValueError(f"model {self.model!r} needs at least one feature; name it or choose model 'image_only'")
        if self.uses_images and not 1 <= len(self.views) <= 2:
            raise ValueError(f"views = {list(self.views)}: model {self.model!r} takes one or two views")
        if self.others == "leave-out" and not self.classes:
            raise ValueError("others = 'leave-out': name the classes, or there are no others")
        if len(self.classes) == 1:
            raise ValueError(f"classes = {list(self.classes)}: name at least two, or none for every label")
        if not 1 <= len(self.hidden) <= 8 or not all(1 <= count <= 4096 for count in self.hidden):
            raise ValueError(f"hidden = {list(self.hidden)}: one to eight layers of 1 to 4096 neurons")
        if self.masks and not self.uses_features:
            raise ValueError(
                f"masks = True: model {self.model!r} sees nothing but the picture, which cannot be missing"
            )
        if not all(0 < weight <= 1e6 for weight in self.weights):
            raise ValueError(f"weights = {list(self.weights)}: each must be above 0; leave a dataset out instead")
        if not 0 <= self.stages[0] <= self.stages[1] < 1:
            raise ValueError(f"stages = {list(self.stages)}: two rising fractions below 1, such as 0.3 0.6")
        if self.augment and not self.uses_images:
            raise ValueError(f"augment = True: model {self.model!r} sees no pictures; leave it out")
        if self.norm == "separate" and not self.uses_images:
            raise ValueError(f"norm = 'separate': model {self.model!r} has no batch norm; leave it out")
        if self.norm == "separate" and self.held_out == "all":
            raise ValueError("norm = 'separate' holds out experimental cells; leave held_out = 'all' out")
        if min(self.blocks) < 1:
            raise ValueError(f"blocks = {list(self.blocks)}: each stage needs at least one block")
        return self

    @property
    def uses_features(self) -> bool:
        """Whether the model reads features."""
        return self.model != "image_only"

    @property
    def uses_images(self) -> bool:
        """Whether the model reads pictures."""
        return self.model != "features_only"

    def digest(self, datasets: list[str]) -> str:
        """Return 12 hex digits that name the result: everything but `name`, the datasets' digests, the version."""
        content = self.model_dump(exclude={"name"}) | {"datasets": datasets, "training_version": TRAINING_VERSION}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def to_toml(self) -> str:
        """Return the configuration as TOML, fields in order."""
        values = self.model_dump(mode="json")
        return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())


def preset_names() -> list[str]:
    """Return the names of the presets that ship with the package."""
    folder = resources.files("learn") / "configs"
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml"))


def load_config(source: str | Path) -> TrainConfig:
    """Read a preset by name or a TOML file.

    Raises
    ------
    ConfigError
        If the preset is unknown, or the file is malformed or holds a wrong key or value.
    OSError
        If the file cannot be read.
    """
    name = str(source)
    if name in preset_names():
        text = (resources.files("learn") / "configs" / f"{name}.toml").read_text(encoding="utf-8")
    elif name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{name}: not UTF-8 text ({error}); save the file as UTF-8") from error
    else:
        close = difflib.get_close_matches(name, preset_names(), 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"unknown preset {name!r}: {hint}choose from {', '.join(preset_names())} or give a .toml file"
        )
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: not valid TOML: {error}") from error
    return parse_config(values, name)


def parse_config(values: dict[str, Any], where: str) -> TrainConfig:
    """Validate values; `where` (a file's name, say) opens the message of a failure.

    Raises
    ------
    ConfigError
        With field, value, unit and remedy of every wrong field.
    """
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n  ".join(f"{where}: {_explain(item)}" for item in error.errors())) from error


def _explain(item: Any) -> str:
    message = item["msg"].removeprefix("Value error, ").replace("valid tuple", "list in brackets")
    if not item["loc"]:
        return message
    field = str(item["loc"][0])
    if item["type"] == "extra_forbidden":
        close = difflib.get_close_matches(field, TrainConfig.model_fields, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(TrainConfig.model_fields)}"
        return f"{field}: unknown key; {hint}"
    description = (TrainConfig.model_fields[field].description or "").rstrip(".")
    unit = description[description.rfind("(") + 1 : -1]
    shown = f"{item['input']!r} {unit}" if unit != "-" else repr(item["input"])
    return f"{field} = {shown}: {message[0].lower()}{message[1:]}"
