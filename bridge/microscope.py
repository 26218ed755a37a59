"""The microscope as a frozen configuration: objective, condenser, camera, and which of its effects are left out."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.dataclasses import dataclass

from bridge.command import InputError

Effect = Literal[
    "aperture",
    "coherence",
    "defocus",
    "texture",
    "nucleus",
    "walls",
    "illumination",
    "motion-blur",
    "shot-noise",
    "read-noise",
]
EFFECTS: tuple[Effect, ...] = get_args(Effect)
"""What can be left out, one by one: `aperture`, the objective passes all that the pixels resolve; `coherence`, the
light is one plane wave along the axis; `defocus`, all lies in the focal plane; `texture`, no granules and no index
fluctuations; `nucleus`, it has the cytoplasm's index; `walls`, no channel is seen; `illumination`, the lamp is even;
`motion-blur`, `shot-noise`, `read-noise`, none of these."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False))
class Microscope:
    """Objective, condenser, camera and what the channel is made of.

    "Inferred" values were measured on Fig. 1 b(iii) of the paper, which names no objective, no
    condenser setting and no camera model (methods: Nikon Eclipse TE2000-S, Ximea camera).
    """

    pixel_size: float = Field(default=1e-6 / 6, ge=1e-8, le=1e-5)
    """Camera pixel at the sample; 6.00 px/µm inferred from the scale bar (m)."""
    wavelength: float = Field(default=546e-9, ge=2e-7, le=2e-6)
    """Wavelength; green line of the lamp behind its filter, engineering choice (m)."""
    objective_na: float = Field(default=0.45, ge=0.01, le=1.6)
    """Numerical aperture of the objective; 20x long-distance, assumed (1)."""
    condenser_na: float = Field(default=0.35, ge=0, le=1.4)
    """Numerical aperture of the illumination; inferred (1)."""
    condenser_x: float = Field(default=-0.05, ge=-1, le=1)
    """Decentring of the condenser along the channel; inferred (1)."""
    condenser_y: float = Field(default=-0.07, ge=-1, le=1)
    """Decentring of the condenser across the channel: the upper wall is darker than the lower; inferred (1)."""
    directions: int = Field(default=25, ge=1, le=1000)
    """Directions of the light that are summed for what a cell changes (1)."""
    defocus: float = Field(default=-0.3e-6, ge=-1e-4, le=1e-4)
    """Distance of the focal plane from the channel's middle plane; inferred (m)."""
    defocus_spread: float = Field(default=0.8e-6, ge=0, le=1e-4)
    """Standard deviation over cells of their distance from the middle plane; engineering choice (m)."""
    medium_index: float = Field(default=1.336, ge=1, le=2)
    """Refractive index of the medium; culture medium 1.335 to 1.338 (1)."""
    wall_index: float = Field(default=1.424, ge=1, le=3)
    """Refractive index of the walls; PDMS Sylgard 184, 1.41 to 1.43 (1)."""
    wall_slope: float = Field(default=0.10e-6, ge=0, le=5e-6)
    """Width over which a wall leans, from which no light enters the aperture; inferred (m)."""
    wall_shade: float = Field(default=0.2, ge=0, le=1)
    """Share of the oblique light lost that meets a wall from the channel on its way through the depth; inferred (1)."""
    blur: float = Field(default=0.0, ge=0, le=1e-5)
    """Standard deviation of a Gaussian blur beyond the aperture's, by aberrations or resampling (m)."""
    flare: float = Field(default=0.0, ge=0, le=0.95)
    """Share of the light that carries no picture (1)."""
    background: float = Field(default=0.749, gt=0, le=1)
    """Brightness of the empty channel, of a full pixel; grey value 191 of 255 inferred (1)."""
    full_well: float = Field(default=2900.0, ge=1, le=1e9)
    """Electrons of a full pixel; inferred from a noise of 4.1 at grey value 191 (1)."""
    read_noise: float = Field(default=13.0, ge=0, le=1e6)
    """Standard deviation of the read noise in electrons; a CMOS camera of the CMV2000 kind, assumed (1)."""
    noise_blur: float = Field(default=0.0, ge=0, le=10)
    """Standard deviation of the Gaussian that a recording's processing has smoothed its noise with (px)."""
    bit_depth: int = Field(default=8, ge=8, le=16)
    """Bits of a grey value; beyond 8 the upper bits of 16 (1)."""
    unevenness: float = Field(default=0.03, ge=0, le=0.5)
    """Standard deviation of the lamp's gradients over `lamp_range`; engineering choice (1)."""
    lamp_range: float = Field(default=80e-6, gt=0, le=1)
    """Distance over which the lamp varies by `unevenness` (m)."""
    exposure: float = Field(default=1e-6, ge=0, le=1)
    """Time the shutter is open or the flash lasts; engineering choice: 0.15 µm of blur at 150 mm/s (s)."""
    without: tuple[Effect, ...] = ()
    """Effects left out."""

    @field_validator("without")
    @classmethod
    def _in_order(cls, value: tuple[Effect, ...]) -> tuple[Effect, ...]:
        return tuple(effect for effect in EFFECTS if effect in value)

    @model_validator(mode="after")
    def _propagating(self) -> Microscope:
        if self.objective_na >= self.medium_index:
            raise ValueError(
                f"objective_na = {self.objective_na:g} must stay below medium_index = {self.medium_index:g}"
            )
        if self._steepest_light > self.objective_na:
            raise ValueError(
                f"condenser_na and its decentring, together {self._steepest_light:.3g}, must not exceed "
                f"objective_na = {self.objective_na:g}: the field would be dark"
            )
        return self

    def has(self, effect: Effect) -> bool:
        """Return whether an effect is part of the picture."""
        return effect not in self.without

    @property
    def _steepest_light(self) -> float:
        return self.condenser_na + math.hypot(self.condenser_x, self.condenser_y)

    @property
    def aperture_na(self) -> float:
        """Numerical aperture that light passes; without `aperture` all that travels in the medium."""
        return self.objective_na if self.has("aperture") else 0.999 * self.medium_index

    @property
    def oversampling(self) -> int:
        """Into how many parts a pixel's edge is divided so that the parts resolve what the aperture passes."""
        aperture = 2 * self.aperture_na + self._steepest_light
        return max(1, -int(-self.pixel_size * 2 * aperture // (0.93 * self.wavelength)))


MICROSCOPES = {
    "te2000": Microscope(),
    "rtdc": Microscope(
        pixel_size=0.34e-6,  # stated in the files of such instruments, as is the flash of 2 µs
        wavelength=460e-9,  # blue flash; assumed
        objective_na=0.75,  # 40x/0.75 as published set-ups have it; assumed for any one file
        condenser_na=0.35,  # assumed
        condenser_x=0.0,
        condenser_y=0.0,
        directions=25,
        wall_shade=0.3,
        background=0.59,  # grey value 150; set after real files
        exposure=2e-6,
    ),
}
"""Set-ups: `te2000`, the paper's, inferred as said at `Microscope`; `rtdc`, a deformability cytometer with its blue
flash of 2 µs and 0.34 µm pixels (real files of it state both) behind a 40x objective, whose aperture is assumed."""


def read_microscope(source: str, overrides: Mapping[str, Any] | None = None) -> Microscope:
    """Return a microscope by its preset's name or from a TOML file, with some values replaced.

    Parameters
    ----------
    source
        A name of `MICROSCOPES` or the path of a ``.toml`` file with fields of `Microscope`; what it does not state
        is that of `te2000`.
    overrides
        Values by field; None keeps the source's.

    Raises
    ------
    InputError
        If the source is unknown or malformed, or a value is out of its range.
    """
    if source in MICROSCOPES:
        return microscope_from(asdict(MICROSCOPES[source]), f"microscope {source}", overrides)
    if source.endswith(".toml"):
        return microscope_from(read_toml(Path(source)), source, overrides)
    close = difflib.get_close_matches(source, MICROSCOPES, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise InputError(f"--microscope = {source!r}: {hint}choose {', '.join(MICROSCOPES)} or give a .toml file")


def microscope_from(values: Mapping[str, Any], where: str, overrides: Mapping[str, Any] | None = None) -> Microscope:
    """Return the microscope of some values by field, some replaced; arguments as for `read_microscope`.

    Raises
    ------
    InputError
        If a field is unknown or a value out of its range; `where` it stands opens the message.
    """
    known = [field.name for field in fields(Microscope)]
    for name in values:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            raise InputError(f"{where}: {name}: unknown key; {hint}")
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        return Microscope(**(dict(values) | given))
    except ValidationError as error:
        raise InputError(explain(error, Microscope, where)) from error


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file of a user, or raise InputError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error


def explain(error: ValidationError, kind: type, where: str) -> str:
    """Return what is wrong with values of a configuration: where, field, value with unit, rule."""
    lines = []
    for item in error.errors():
        message = item["msg"].removeprefix("Value error, ")
        name = str(item["loc"][0]) if item["loc"] else ""
        text = describe(kind, name).rstrip(".") if name else ""
        unit = text[text.rfind("(") + 1 : -1] if text.endswith(")") else ""
        value = f"{name} = {item['input']!r}{'' if unit in ('', '1') else ' ' + unit}: " if name else ""
        lines.append(f"{where}: {value}{message[:1].lower()}{message[1:]}")
    return "\n  ".join(lines)


def describe(kind: type, name: str) -> str:
    """Return the meaning of a field of a configuration, which ends with its unit."""
    infos: Any = getattr(kind, "__pydantic_fields__")  # noqa: B009 (pydantic's, unknown to type checkers)
    return (infos[name].description or "").replace("\n", " ") if name in infos else ""


def to_toml(microscope: Microscope, heading: str = "") -> str:
    """Return a microscope as the text of a TOML file, each value with its meaning and unit, under a comment."""
    lines = [f"# {line}" for line in heading.splitlines()]
    for name, value in asdict(microscope).items():
        text = "[" + ", ".join(f'"{effect}"' for effect in value) + "]" if name == "without" else repr(value)
        lines.append(f"{name} = {text}  # {describe(Microscope, name)}")
    return "\n".join(lines) + "\n"
