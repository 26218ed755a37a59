"""The cell's part of a configuration, in SI; see `sim.config`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, field_validator, model_validator

from sim.oifconfig import OifConfig, complete
from sim.section import Section

CLASS_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Axis = Annotated[float, Field(gt=0)]


class NucleusConfig(Section):
    """A stiffer body within the cell: a second membrane that the first one keeps off (both dimensions)."""

    diameter: float = Field(gt=0)
    """Diameter of the nucleus at rest (m)."""
    ks: float = Field(gt=0)
    """Stretching constant of its membrane, as `cell.ks` (N/m)."""
    kb: float = Field(ge=0)
    """Bending constant of its membrane, as `cell.kb` (J)."""
    ka_local: float = Field(default=0.0, ge=0)
    """Constraint on the area of each of its triangles (3-D) (N/m)."""
    kv: float = Field(default=1e5, ge=0)
    """Constraint on its volume, in 2-D area (N/m²)."""


class CellConfig(Section):
    """The cell: a closed membrane of springs around the medium. In 2-D all constants are per metre of depth."""

    name: str | None = Field(default=None, pattern=CLASS_NAME)
    """Class of this cell, where that is not the run's `name` (-)."""
    diameter: float = Field(gt=0)
    """Diameter at rest, the largest of a shape that is no sphere (m)."""
    ks: float = Field(gt=0)
    """Stretching constant Ks; in 2-D the line tension per unit strain and metre of depth (N/m)."""
    kb: float = Field(ge=0)
    """Bending constant Kb; in 2-D the bending rigidity per metre of depth (J)."""
    law: Literal["spring", "neo-hookean", "skalak", "oif"] = "spring"
    """In-plane elasticity (3-D): network of springs, or a continuous membrane of shear modulus √3/4 `ks`; or `oif`, all
    of ESPResSo's object-in-fluid model, nodes with mass included (-)."""
    oif: OifConfig | None = None
    """Constants of the law `oif` (-)."""
    skalak_c: float = Field(default=1.0, ge=0)
    """C of Skalak's law: area modulus (1 + 2 C) Gs (-)."""
    ka_local: float = Field(default=0.0, ge=0)
    """Constraint on the area of each triangle (3-D) (N/m)."""
    ka_global: float = Field(default=0.0, ge=0)
    """Constraint on the whole area, in 2-D the perimeter; off by default: to pass, a cell must gain area (N/m)."""
    kv: float = Field(default=1e5, ge=0)
    """Constraint on the enclosed volume, in 2-D area (N/m²)."""
    membrane_viscosity: float = Field(default=0.0, ge=0)
    """Shear viscosity of the membrane (3-D) (N s/m)."""
    viscosity_ratio: float | None = Field(default=None, ge=0.1, le=50)
    """Viscosity within the cell over that of the medium; by default the same (-)."""
    inflation: float = Field(default=1.0, ge=0.5, le=2)
    """Diameter at the start over that of the stress-free membrane (3-D) (-)."""
    rest_shape: Literal["sphere", "ellipsoid", "biconcave"] = "sphere"
    """Shape at rest: `sphere`, `ellipsoid` (2-D: circle, ellipse) or `biconcave`, the disc of a red cell (3-D) (-)."""
    axes: tuple[Axis, Axis, Axis] | None = None
    """Axes of the ellipsoid along x, y and z before it is turned, over `diameter`; 2-D: x and y (-)."""
    mesh_file: str | None = None
    """Shape at rest from a file: a closed surface as STL, OBJ, PLY, VTK or VTU (3-D) (-)."""
    mesh_unit: Literal["m", "mm", "um"] | None = None
    """Unit of the coordinates in `mesh_file`, which such a file does not state (-)."""
    mesh_digest: str | None = None
    """SHA-256 of `mesh_file`, filled in by the pre-flight check; a file that has changed since is refused (-)."""
    mesh_level: int | None = Field(default=None, ge=1, le=7)
    """Subdivisions of the icosahedron (3-D), 10·4ⁿ + 2 nodes; by default such that edges are about dx long (-)."""
    nucleus: NucleusConfig | None = None
    """A nucleus, concentric with the cell at the start (-)."""
    start_x: float = -16.7e-6
    """Where the cell's centre starts, along the channel (m)."""
    start_y: float = 0.0
    """Where the cell's centre starts, across the channel (m)."""
    start_z: float = 0.0
    """Where the cell's centre starts, along the optical axis, 0 = mid-depth (3-D) (m)."""
    orientation: tuple[float, float, float] | None = None
    """Turns the cell at the start, right-handed about the fixed x, then y, then z axis; 2-D: z; else by `seed` (°)."""

    @field_validator("axes", "orientation", mode="before")
    @classmethod
    def _three_numbers(cls, value: Any) -> Any:
        """Read three numbers from the command line's text, too."""
        parts = value.split(",") if isinstance(value, str) else value
        if isinstance(parts, (list, tuple)) and any(isinstance(part, bool) for part in parts):
            raise ValueError("true and false are no numbers")
        if value is not None and (not isinstance(parts, (list, tuple)) or len(parts) != 3):
            raise ValueError("three numbers are expected, with commas between them")
        return parts

    @model_validator(mode="wrap")
    @classmethod
    def _with_oif(cls, values: Any, handler: ModelWrapValidatorHandler[CellConfig]) -> CellConfig:
        """Let the constants of [cell.oif] stand for those of the other laws where both mean the same."""
        if not isinstance(values, dict) or values.get("law") != "oif":
            cell = handler(values)
            if cell.oif is not None and cell.law != "oif":
                raise ValueError(f'[cell.oif] goes with law = "oif", here it is "{cell.law}"')
            return cell
        return complete(handler({"ks": 1.0, "kb": 0.0} | values), set(values))

    @model_validator(mode="after")
    def _one_shape(self) -> CellConfig:
        if (self.axes is not None) != (self.rest_shape == "ellipsoid"):
            raise ValueError(
                f'rest_shape = "{self.rest_shape}" and axes = {self.axes}: an ellipsoid, and nothing else, needs axes'
            )
        if self.axes is not None and max(self.axes) != 1:
            raise ValueError(
                f"axes = {self.axes}: they are over diameter, the largest axis, so that the largest is 1; "
                f"divide them by {max(self.axes):g}"
            )
        if self.mesh_file is not None and self.rest_shape != "sphere":
            raise ValueError(f'give one of mesh_file = {self.mesh_file!r} and rest_shape = "{self.rest_shape}"')
        return self
