"""What is simulated: the frozen configuration, in SI, and how it is read from TOML.

Each field's docstring ends with its unit in parentheses; it is the command line's help.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from sim.cellconfig import CLASS_NAME, CellConfig
from sim.command import InputError
from sim.fieldtext import explain, fields_of
from sim.oifconfig import refuse_others
from sim.section import Section

PHYSICS_VERSION = 5
"""Raised whenever the same configuration gives other results."""

METRES = {"m": 1.0, "mm": 1e-3, "um": 1e-6}
"""Units of length in files."""
QUALITIES = ("draft", "smoke", "quick", "standard", "fine")
DRIVES = ("pressure_drop", "mean_velocity", "flow_rate", "body_force", "shear_rate")


PRESENTATION = {
    "name": True,
    "numerics": {"threads"},
    "channel": {"file"},
    "cell": {"mesh_file", "name"},
    "cells": {"__all__": {"mesh_file", "name"}},
    "output": {"checkpoint_every"},
}
"""Fields that change no result."""
LATER = ("cells", "fluid_fields", "viscosity_ratio")
"""Fields younger than `PHYSICS_VERSION`: left open, they are no part of a digest, and runs keep their names."""


class ConfigError(InputError):
    """A configuration that cannot be simulated."""


class FluidConfig(Section):
    """The medium and what drives it; give exactly one drive."""

    density: float = Field(default=1000.0, gt=0)
    """Density of the medium (kg/m³)."""
    viscosity: float = Field(default=1e-3, gt=0)
    """Dynamic viscosity, inside the cell too unless `cell.viscosity_ratio` is given (Pa s)."""
    pressure_drop: float | None = Field(default=None, gt=0)
    """Drive: pressure drop over the whole channel, held constant while the cell passes (Pa)."""
    mean_velocity: float | None = Field(default=None, gt=0)
    """Drive: mean velocity in the gap, held by a controller while the cell passes (m/s)."""
    flow_rate: float | None = Field(default=None, gt=0)
    """Drive: flow rate through gap × depth, held by a controller while the cell passes (m³/s)."""
    body_force: float | None = Field(default=None, gt=0)
    """Drive: force density along x (N/m³)."""
    shear_rate: float | None = Field(default=None, gt=0)
    """Drive of a Couette channel, and only of that: velocity of either wall over half the gap (1/s)."""

    @model_validator(mode="after")
    def _one_drive(self) -> FluidConfig:
        given = [name for name in DRIVES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "give exactly one drive: pressure_drop (Pa), mean_velocity (m/s), flow_rate (m³/s), body_force (N/m³) "
                "or shear_rate (1/s)" + (f"; here are {' and '.join(given)}" if given else "")
            )
        return self


class ChannelConfig(Section):
    """The channel; x = 0 is the entry plane of the (first) constriction, y = 0 its centre line."""

    kind: Literal["constriction", "straight", "couette", "polygon", "mask", "stl", "cylinder"] = "constriction"
    """`constriction`: wide, taper, gap, taper, wide; `straight`: the gap all along; `couette`: the gap between moving
    walls; `cylinder`: a tube (3-D); `polygon`, `mask`, `stl`: the outline of `file`, lengths below to match (-)."""
    gap: float = Field(default=5.2e-6, gt=0)
    """Height of the constriction, wall to wall along y (m)."""
    depth: float = Field(default=20e-6, gt=0)
    """Depth along the optical axis z (m)."""
    width: float = Field(default=22.2e-6, gt=0)
    """Height of the wide channel before and after, along y (m)."""
    constriction_length: float = Field(default=31.6e-6, gt=0)
    """Length of the constriction (m)."""
    entry_taper: float = Field(default=16.7e-6, ge=0)
    """Length of the taper into the constriction (m)."""
    exit_taper: float = Field(default=15.8e-6, ge=0)
    """Length of the taper out of the constriction (m)."""
    inlet_length: float = Field(default=20e-6, ge=0)
    """Length of the wide channel before the entry taper (m)."""
    outlet_length: float = Field(default=50e-6, ge=0)
    """Length of the wide channel after the last exit taper (m)."""
    count: int = Field(default=1, ge=1, le=100)
    """Number of equal constrictions in a row (-)."""
    spacing: float = Field(default=20e-6, ge=0)
    """Length of the wide channel between two constrictions' tapers (m)."""
    file: str | None = None
    """Outline: a table of x, y or a DXF drawing (polygon), a solid (stl), a light-on-dark image (mask) (-)."""
    unit: Literal["m", "mm", "um"] | None = None
    """Unit of the coordinates in `file`, which a table and an STL do not state (-)."""
    pixel_size: float | None = Field(default=None, gt=0)
    """Size of a pixel of the mask (m)."""
    file_digest: str | None = None
    """SHA-256 of `file`, filled in by the pre-flight check; a file that has changed since is refused (-)."""

    @model_validator(mode="after")
    def _consistent(self) -> ChannelConfig:
        if self.kind == "constriction" and self.width <= self.gap:
            raise ValueError(
                f"width = {self.width:g} m must be larger than gap = {self.gap:g} m; "
                'for a channel of one height use kind = "straight"'
            )
        if (self.kind in ("polygon", "mask", "stl")) != (self.file is not None):
            raise ValueError(f'kind = "{self.kind}" and file = {self.file!r}: kinds polygon, mask and stl need a file')
        return self

    @property
    def period(self) -> float:
        """Distance between the entry planes of two constrictions (m)."""
        return self.constriction_length + self.exit_taper + self.spacing + self.entry_taper

    @property
    def next_entry(self) -> float | None:
        """Entry plane of a second constriction (m), if there is one."""
        return self.period if self.count > 1 else None

    @property
    def length(self) -> float:
        """Length of the whole channel (m)."""
        return self.x_end - self.x_start

    @property
    def x_start(self) -> float:
        """Position of the inlet (m)."""
        return -(self.inlet_length + self.entry_taper)

    @property
    def x_exit(self) -> float:
        """Where the last exit taper ends (m)."""
        return (self.count - 1) * self.period + self.constriction_length + self.exit_taper

    @property
    def x_end(self) -> float:
        """Position of the outlet (m)."""
        return self.x_exit + self.outlet_length

    @property
    def height(self) -> float:
        """Largest height along y (m)."""
        return self.gap if self.kind in ("straight", "couette", "cylinder") else self.width


class NumericsConfig(Section):
    """How it is computed; what is left out is chosen by the pre-flight check and written to the run's config.toml."""

    dimension: Literal[2, 3] = 2
    """Dimension of the simulation: x along the flow, y across the gap, in 3-D z along the optical axis (-)."""
    dx: float = Field(default=0.325e-6, gt=0)
    """Lattice spacing (m)."""
    tau: float = Field(default=1.0, gt=0.5, le=2.0)
    """Relaxation time of the shear modes, in time steps; fixes the time step (-)."""
    inertia_scale: float | None = Field(default=None, gt=0)
    """Factor on the density only; by default chosen so that Re in the gap ≤ 1 and `ks` is stable, 1 of `oif` (-)."""
    collision: Literal["trt", "bgk"] = "trt"
    """Collision operator (-)."""
    magic: float = Field(default=3 / 16, gt=0, le=1)
    """Λ of the two-relaxation-time operator; 3/16 puts half-way walls exactly half-way (-)."""
    walls: Literal["half-way", "interpolated"] = "half-way"
    """Bounce-back half-way between nodes, or interpolated to where the wall is (Bouzidi), for oblique walls (-)."""
    coupling: Literal["friction", "no-slip"] = "friction"
    """`friction`: v = u + F/γ; `no-slip`: v = u (-)."""
    friction: float | None = Field(default=None, gt=0)
    """γ of one membrane node, in 2-D per metre of depth; by default large enough for a slip below 2 % (N s/m)."""
    kernel: Literal[2, 3, 4] = 4
    """Width of the immersed-boundary kernel in lattice spacings; 2 is trilinear (-)."""
    wall_range: float = Field(default=0.5e-6, gt=0)
    """Range of the repulsion between wall and membrane, at least one dx; of the law `oif` its cut-off (m)."""
    threads: int | None = Field(default=None, ge=1, le=256)
    """Threads of the flow solver, by default one in 2-D and all cores in 3-D; results do not depend on it (-)."""
    precision: Literal["float32", "float64"] = "float32"
    """Precision of the flow; the membrane is always float64 (-)."""
    steady_tolerance: float = Field(default=1e-5, gt=0)
    """The flow is steady when its rate changes by less than this fraction per 500 steps (-)."""
    start: Literal["steady", "rest"] = "steady"
    """Flow that the cell is put into: `steady`, that of the empty channel, or `rest`, a fluid that stands still (-)."""
    max_time: float | None = Field(default=None, gt=0)
    """End of the simulation, if the cell is not out by then; by default 8 times the empty channel's transit (s)."""


class OutputConfig(Section):
    """What is recorded."""

    every: float | None = Field(default=None, gt=0)
    """Interval between samples; by default the gap flow's time over half a lattice spacing (s)."""
    snapshots: int = Field(default=120, ge=3, le=100_000)
    """About how many outlines are kept (-)."""
    stop_x: float | None = None
    """Where the trailing edge ends the run; by default it goes on until the cell is round again (m)."""
    fluid_fields: int | None = Field(default=None, ge=1)
    """Keep velocity and pressure of the flow at every so many outlines, in fields.vtkhdf; by default none (-)."""
    checkpoint_every: float = Field(default=60.0, gt=0)
    """Interval of the clock on the wall between checkpoints, from which a run that was cut off goes on (s)."""


class SimulationConfig(Section):
    """One cell, or several, through one channel."""

    name: str = Field(default="cell", pattern=CLASS_NAME)
    """Class of the cell; names the run folder and labels the cell (-)."""
    fluid: FluidConfig
    channel: ChannelConfig = ChannelConfig()
    cell: CellConfig
    """The cell, of several the first."""
    cells: tuple[CellConfig, ...] | None = None
    """Several cells, written as a list of [[cells]] in the place of [cell] (-)."""
    numerics: NumericsConfig = NumericsConfig()
    output: OutputConfig = OutputConfig()
    seed: int = Field(default=0, ge=0)
    """Draws the orientation of the cells (-)."""

    @model_validator(mode="before")
    @classmethod
    def _cell_or_cells(cls, values: Any) -> Any:
        """Let `cell` be the first of several, and a list of one be that one."""
        if not isinstance(values, dict) or values.get("cells") is None:
            return values
        cells, cell = values["cells"], values.get("cell")
        if not isinstance(cells, (list, tuple)) or not cells:
            raise ValueError("cells: a list of cells is expected; write each one as [[cells]]")
        if cell is not None and cell != cells[0]:
            raise ValueError("give either [cell] or a list of [[cells]], not both")
        return values | {"cell": cells[0], "cells": cells if len(cells) > 1 else None}

    @model_validator(mode="after")
    def _shear_in_couette(self) -> SimulationConfig:
        if (self.fluid.shear_rate is not None) != (self.channel.kind == "couette"):
            raise ValueError('channel.kind = "couette" and fluid.shear_rate (1/s) go together: set both or neither')
        return self

    @model_validator(mode="after")
    def _goes_with_oif(self) -> SimulationConfig:
        if any(cell.law == "oif" for cell in self.all_cells):
            if self.cells:
                raise ValueError('law = "oif" is for one cell: give the cells another law, or leave one as [cell]')
            refuse_others(self)
        return self

    @model_validator(mode="after")
    def _stops_on_the_way(self) -> SimulationConfig:
        stop, rear = self.output.stop_x, max(cell.start_x - cell.diameter / 2 for cell in self.all_cells)
        if stop is None:
            return self
        if self.channel.kind == "couette":
            raise ValueError(
                f"output.stop_x = {stop:g} m: a cell in a couette channel passes no place; set numerics.max_time"
            )
        if not rear < stop <= self.channel.x_end:
            raise ValueError(
                f"output.stop_x = {stop:g} m must lie between the trailing edge at the start, {rear:g} m, and the "
                f"outlet, {self.channel.x_end:g} m"
            )
        return self

    @property
    def all_cells(self) -> tuple[CellConfig, ...]:
        """The cells, be it one or several."""
        return self.cells or (self.cell,)

    @property
    def viscosities_differ(self) -> bool:
        """Whether the viscosity within a cell is not that of the medium."""
        return any(cell.viscosity_ratio not in (None, 1.0) for cell in self.all_cells)

    def with_cells(self, cells: Sequence[CellConfig]) -> SimulationConfig:
        """Return the configuration with other cells in the place of its own."""
        return self.model_copy(update={"cell": cells[0], "cells": tuple(cells) if len(cells) > 1 else None})

    def digest(self) -> str:
        """Return 12 hex digits that name the physics: all but `PRESENTATION`, with `PHYSICS_VERSION`."""
        content = self.model_dump(exclude=PRESENTATION)
        for section in (content, content["output"], content["cell"], *(content["cells"] or ())):
            for name in LATER:
                if name in section and section[name] is None:
                    del section[name]
        content["physics_version"] = PHYSICS_VERSION
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def to_toml(self) -> str:
        """Return the configuration as TOML, fields in order, those left open omitted."""
        lines = [f"name = {_toml(self.name)}", f"seed = {self.seed}"]
        for section in ("fluid", "channel"):
            lines += _toml_section(section, getattr(self, section).model_dump(exclude_none=True))
        for cell in self.all_cells:
            lines += _toml_section(
                "cells" if self.cells else "cell", cell.model_dump(exclude_none=True), bool(self.cells)
            )
        for section in ("numerics", "output"):
            lines += _toml_section(section, getattr(self, section).model_dump(exclude_none=True))
        return "\n".join(lines) + "\n"


def _toml_section(name: str, values: dict[str, Any], one_of_several: bool = False) -> list[str]:
    lines = [
        "",
        f"[[{name}]]" if one_of_several else f"[{name}]",
        *(f"{key} = {_toml(v)}" for key, v in values.items() if not isinstance(v, dict)),
    ]
    for key, inner in values.items():
        if isinstance(inner, dict):
            lines += _toml_section(f"{name}.{key}", inner)
    return lines


def _toml(value: str | float | int | tuple) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(part) for part in value)}]"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def preset_names() -> list[str]:
    """Return the names of the presets that ship with the package."""
    folder = resources.files("sim") / "configs"
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml") and p.name != "qualities.toml")


def load_config(
    source: str | Path, quality: str = "quick", overrides: Mapping[str, str] | None = None
) -> SimulationConfig:
    """Read a preset by name or a TOML file, over the defaults of a quality and under some overrides.

    Parameters
    ----------
    source
        Name of a preset (`preset_names`) or path of a ``.toml`` file.
    quality
        One of `QUALITIES`; what the file itself states wins.
    overrides
        Values as text by dotted name, for example ``{"cell.ks": "3e-3"}``; ``none`` leaves a field open.
        A drive given here takes the place of the file's drive.

    Raises
    ------
    ConfigError
        If the preset is unknown, or the file is missing, malformed or holds a wrong key or value.
    """
    name = str(source)
    try:
        values = tomllib.loads(_read_source(name))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: not valid TOML: {error}") from error
    qualities = tomllib.loads((resources.files("sim") / "configs" / "qualities.toml").read_text(encoding="utf-8"))
    if quality not in qualities:
        raise ConfigError(f"unknown quality {quality!r}: choose from {', '.join(qualities)}")
    for section, defaults in qualities[quality].items():
        if isinstance(values.setdefault(section, {}), dict):
            values[section] = defaults | values[section]
    overrides = overrides or {}
    for section in ("fluid", "channel", "cell", "numerics", "output"):
        if not isinstance(values.get(section, {}), dict):
            raise ConfigError(
                f"{name}: {section} = {values[section]!r}: a section is expected; write it as [{section}]"
            )
    if isinstance(values.get("cells"), list) and any(field.startswith("cell.") for field in overrides):
        given = next(field for field in overrides if field.startswith("cell."))
        raise ConfigError(
            f"--{given}: {name} has {len(values['cells'])} cells; change the one you mean in its [[cells]]"
        )
    if any(f"fluid.{drive}" in overrides for drive in DRIVES):
        values["fluid"] = {key: value for key, value in values.get("fluid", {}).items() if key not in DRIVES}
    for field, text in overrides.items():
        *sections, key = field.split(".")
        target = values
        for section in sections:
            target = target.setdefault(section, {})
        if text.lower() == "none":
            target.pop(key, None)
        else:
            target[key] = int(text) if text.isdecimal() else text
    return parse_config(values, f"{name} with command line" if overrides else name)


def _read_source(name: str) -> str:
    if name in preset_names():
        return (resources.files("sim") / "configs" / f"{name}.toml").read_text(encoding="utf-8")
    if name.endswith(".toml"):
        try:
            return Path(name).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{name}: not UTF-8 text ({error}); save the file as UTF-8") from error
    close = difflib.get_close_matches(name, preset_names(), 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ConfigError(f"unknown preset {name!r}: {hint}choose from {', '.join(preset_names())} or give a .toml file")


def parse_config(values: dict[str, Any], where: str) -> SimulationConfig:
    """Validate nested values; `where` (a file's name, say) opens the message of a failure.

    Raises
    ------
    ConfigError
        With field, value, unit and remedy of every wrong field.
    """
    try:
        return SimulationConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(explain(error, where, SimulationConfig)) from error


def fields() -> Iterator[tuple[str, str]]:
    """Yield dotted name and help of every field of `SimulationConfig`, in order."""
    yield from fields_of(SimulationConfig)
