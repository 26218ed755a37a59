"""Populations: classes of cells whose fields are drawn from distributions, from a TOML file.

::

    seed = 1                      # draws the cells

    [[class]]
    preset = "hct116"             # or a .toml file
    cells = 100
    correlations = [["cell.diameter", "cell.ks", 0.3]]

    [class.cell]                  # any section of a configuration, SI
    diameter = { law = "lognormal", mean = 14.2e-6, sd = 2.5e-6, min = 9e-6, max = 19e-6 }
    ks = { law = "lognormal", median = 7.3e-3, sigma = 0.5 }
    ka_local = { law = "multiple", of = "cell.ks", factor = 0.41 }
    start_x = -22e-6              # the same for all

Laws are ``normal`` (mean, sd), ``lognormal`` (mean and sd of the quantity, or median and sigma of its logarithm),
``uniform`` and ``loguniform`` (min, max), each cut off at ``min`` and ``max`` where these are given, and ``multiple``
(a factor times another field). Correlations are those of a Gaussian copula: of the normal scores, before cutting.
Each cell of a class has another ``seed``, which draws the orientation of a 3-D cell, unless the file says otherwise.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from pydantic import Field, ValidationError, model_validator

from sim.command import InputError
from sim.fieldtext import explain
from sim.section import Section
from sim.sweeps.design import check_field, text

if TYPE_CHECKING:
    from scipy.stats.distributions import rv_frozen

Part = TypeVar("Part", bound=Section)

_WAYS = {
    "normal": ({"mean", "sd"},),
    "lognormal": ({"mean", "sd"}, {"median", "sigma"}),
    "uniform": ({"min", "max"},),
    "loguniform": ({"min", "max"},),
    "multiple": ({"of", "factor"},),
}
"""What each law must be given."""


class Law(Section):
    """How a field is distributed."""

    law: Literal["normal", "lognormal", "uniform", "loguniform", "multiple"]
    mean: float | None = None
    sd: float | None = Field(default=None, gt=0)
    median: float | None = Field(default=None, gt=0)
    sigma: float | None = Field(default=None, gt=0)
    min: float | None = None
    max: float | None = None
    of: str | None = None
    factor: float | None = None

    @model_validator(mode="after")
    def _complete(self) -> Law:
        given = {name for name in type(self).model_fields if getattr(self, name) is not None} - {"law"}
        ways = _WAYS[self.law]
        cuts = set() if self.law == "multiple" else {"min", "max"}
        if not any(way <= given <= way | cuts for way in ways):
            wanted = " or ".join(" and ".join(sorted(way)) for way in ways)
            raise ValueError(f"law {self.law} takes {wanted}{' (and min, max)' if cuts else ''}, not {sorted(given)}")
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min = {self.min:g} must be below max = {self.max:g}")
        if (self.law == "loguniform" and (self.min or 0) <= 0) or (
            self.law == "lognormal" and self.mean is not None and self.mean <= 0
        ):
            raise ValueError(f"law {self.law} is of positive numbers")
        return self

    def distribution(self) -> rv_frozen:
        """Return the distribution before it is cut off."""
        from scipy import stats

        if self.law == "normal":
            return stats.norm(self.mean, self.sd)
        if self.law == "lognormal":
            if self.median is not None:
                return stats.lognorm(self.sigma, scale=self.median)
            mean, sd = float(self.mean or 0), float(self.sd or 0)
            sigma = math.sqrt(math.log1p((sd / mean) ** 2))
            return stats.lognorm(sigma, scale=mean * math.exp(-(sigma**2) / 2))
        low, high = float(self.min or 0), float(self.max or 0)
        return stats.uniform(low, high - low) if self.law == "uniform" else stats.loguniform(low, high)


class _ClassHead(Section):
    preset: str
    cells: int = Field(ge=1)
    correlations: tuple[tuple[str, str, float], ...] = ()


@dataclass(frozen=True)
class Drawn:
    """Cells drawn from a population file.

    Attributes
    ----------
    rows
        For each cell its ``preset`` and values of fields, as text.
    cut
        For each class and field that is cut off, the share of its distribution that is.
    """

    rows: list[dict[str, str]]
    cut: list[tuple[str, str, float]]


def shipped() -> list[str]:
    """Return the names of the populations that ship with the package."""
    return sorted(path.name[:-5] for path in resources.files("sim").joinpath("populations").iterdir())


def draw(source: str) -> Drawn:
    """Draw the cells of a population that ships with the package, or of a TOML file; the same file, the same cells.

    Raises
    ------
    InputError
        If it cannot be read or is wrong somewhere.
    """
    values = _read(source)
    seed, classes = values.pop("seed", 0), values.pop("class", None)
    whole = isinstance(seed, int) and seed >= 0
    listed = isinstance(classes, list) and classes and all(isinstance(one, dict) for one in classes)
    if values or not whole or not listed:
        raise InputError(
            f"{source}: holds seed (an integer from 0) and one [[class]] or more; not {', '.join(values) or 'this'}"
        )
    drawn = Drawn([], [])
    for number, content in enumerate(classes):
        where = f"{source}: class {number + 1}"
        head, laws, fixed = _parse_class(content, where)
        named = fixed | {"preset": head.preset}
        columns = _draw_class(head, laws, np.random.default_rng([seed, number]), where)
        for cell in range(head.cells):
            own = {name: text(column[cell]) for name, column in columns.items()}
            drawn.rows.append({"seed": str(cell)} | named | own)
        drawn.cut.extend((head.preset, name, _cut(law)) for name, law in laws.items() if law.law != "multiple")
    return drawn


def _read(source: str) -> dict[str, Any]:
    if not source.endswith(".toml") and source not in shipped():
        raise InputError(f"{source}: no population; choose from {', '.join(shipped())} or give a .toml file")
    path = Path(source) if source.endswith(".toml") else resources.files("sim") / "populations" / f"{source}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{source}: cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not valid TOML: {error}") from error


def _parse_class(content: Any, where: str) -> tuple[_ClassHead, dict[str, Law], dict[str, str]]:
    """Return head, distributions and fixed values of a class."""
    own = {name: value for name, value in content.items() if name in _ClassHead.model_fields}
    head = _validated(_ClassHead, own, where)
    laws, fixed = {}, {}
    for name, value in _leaves({name: value for name, value in content.items() if name not in own}, ""):
        try:
            check_field(name)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        if isinstance(value, dict):
            laws[name] = _validated(Law, value, f"{where}: {name}")
        else:
            # As on a command line: a list is written with commas.
            fixed[name] = value if isinstance(value, str) else repr(value).strip("[]").replace(" ", "")
    return head, laws, fixed


def _validated(model: type[Part], values: Any, where: str) -> Part:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InputError(explain(error, where, model)) from error


def _leaves(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield dotted names with values or laws."""
    for name, value in values.items():
        if isinstance(value, dict) and "law" not in value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _draw_class(
    head: _ClassHead, laws: Mapping[str, Law], random: np.random.Generator, where: str
) -> dict[str, np.ndarray]:
    """Return for each field that is distributed its values (cells,)."""
    from scipy.stats import norm

    free = [name for name, law in laws.items() if law.law != "multiple"]
    root = np.linalg.cholesky(_correlation(free, head.correlations, where))
    share = norm.cdf(random.standard_normal((head.cells, len(free))) @ root.T)
    columns = {}
    for name, one in zip(free, share.T, strict=True):
        law = laws[name]
        low, high = _kept(law)
        if high - low < 1e-6:
            raise InputError(f"{where}: {name}: nothing of its distribution lies between min and max")
        columns[name] = np.clip(law.distribution().ppf(low + one * (high - low)), law.min, law.max)
    for name in laws:
        of = laws[name].of
        if of is not None:
            if of not in columns:
                raise InputError(f"{where}: {name} is a multiple of {of}, which has no distribution of its own")
            columns[name] = float(laws[name].factor or 0) * columns[of]
    return columns


def _kept(law: Law) -> tuple[float, float]:
    """Return which shares of a distribution lie below its least and its largest value."""
    whole = law.distribution()
    low = 0.0 if law.min is None else float(whole.cdf(law.min))
    return low, 1.0 if law.max is None else float(whole.cdf(law.max))


def _cut(law: Law) -> float:
    low, high = _kept(law)
    return 1 - (high - low)


def _correlation(names: list[str], pairs: Sequence[tuple[str, str, float]], where: str) -> np.ndarray:
    matrix = np.eye(len(names))
    for one, other, value in pairs:
        for name in (one, other):
            if name not in names:
                raise InputError(f"{where}: correlations: {name} has no distribution of its own")
        i, j = names.index(one), names.index(other)
        if i == j or not -1 < value < 1:
            raise InputError(f"{where}: correlations: {one}, {other}, {value:g}: of two fields, between -1 and 1")
        matrix[i, j] = matrix[j, i] = value
    if len(names) and np.linalg.eigvalsh(matrix)[0] < 1e-9:
        raise InputError(f"{where}: correlations contradict each other (their matrix is not positive definite)")
    return matrix
