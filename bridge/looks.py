"""How each class of cell looks to light: refractive indices, nucleus, texture, and how they spread over cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from bridge.command import InputError
from bridge.microscope import explain


@dataclass(frozen=True, config=ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False))
class CellOptics:
    """What light meets in one kind of cell.

    The defaults are those of HCT116. Refractive indices at 550 nm from the project's survey of published values: a
    nucleus is lower than its cytoplasm by quantitative phase imaging (Schürmann 2016; muscle cells 1.360 ± 0.004,
    Curl 2005); fluctuations and granules are engineering choices, set by eye against Fig. 1 b(iii) of the paper.
    """

    cytoplasm: float = Field(default=1.368, ge=1, le=2)
    """Refractive index of the cytoplasm, mean over cells (1)."""
    nucleus: float = Field(default=1.360, ge=1, le=2)
    """Refractive index of the nucleus, mean over cells (1)."""
    index_spread: float = Field(default=0.002, ge=0, le=0.1)
    """Standard deviation over cells of either index (1)."""
    nucleus_ratio: float = Field(default=0.65, ge=0.2, le=0.95)
    """Diameter of the nucleus over that of the cell, mean over cells; a run with a nucleus states its own (1)."""
    nucleus_ratio_spread: float = Field(default=0.03, ge=0, le=0.3)
    """Standard deviation over cells of `nucleus_ratio` (1)."""
    fluctuation: float = Field(default=0.008, ge=0, le=0.1)
    """Standard deviation of the index within the cytoplasm (1)."""
    fluctuation_length: float = Field(default=0.35e-6, ge=1e-7, le=5e-6)
    """Standard deviation of the Gaussian that the index fluctuations are smoothed with (m)."""
    granule_density: float = Field(default=0.16e18, ge=0, le=5e18)
    """Granules (mitochondria, lysosomes, lipid) per volume outside the nucleus (1/m³)."""
    granule_chain: float = Field(default=2.0, ge=1, le=20)
    """Mean number of granules that lie together in a chain (1)."""
    granule_index: float = Field(default=0.08, ge=-0.3, le=0.5)
    """Median excess of a granule's index over the cytoplasm's (1)."""
    granule_index_spread: float = Field(default=0.5, ge=0, le=2)
    """Standard deviation of its logarithm over granules (1)."""
    granule_size: float = Field(default=0.25e-6, ge=2e-8, le=2e-6)
    """Median standard deviation of a granule's Gaussian profile (m)."""
    granule_size_spread: float = Field(default=0.3, ge=0, le=1)
    """Standard deviation of its logarithm over granules (1)."""


_HCT116 = CellOptics()

OPTICS: Mapping[str, CellOptics] = {
    "hct116": _HCT116,
    # Fixation may lower the index by some 0.001, unmeasured in these cells: here the two classes differ in nothing
    "hct116_stiffened": _HCT116,
    "wbc": CellOptics(cytoplasm=1.370, nucleus=1.366, nucleus_ratio=0.80),
    "lymphocyte": CellOptics(cytoplasm=1.375, nucleus=1.375, nucleus_ratio=0.80),
    "neutrophil": CellOptics(cytoplasm=1.370, nucleus=1.370, nucleus_ratio=0.60),
    "hl60": CellOptics(cytoplasm=1.367, nucleus=1.359, nucleus_ratio=0.75),
    "mcf7": CellOptics(cytoplasm=1.370, nucleus=1.362, nucleus_ratio=0.60),
    "mda_mb_231": CellOptics(cytoplasm=1.370, nucleus=1.362, nucleus_ratio=0.62),
}
"""Optics by the class of a cell: index and nucleus are the estimates of the project's survey (means over published
values where there are any, for most a guess from similar cells); other classes get the defaults. The table with spreads
and sources is in ``docs/decisions``."""


def optics_of(name: str, overrides: Mapping[str, Any] | None = None) -> CellOptics:
    """Return the optics of a class of cells, some values replaced; None keeps a value.

    Raises
    ------
    InputError
        If a value is out of its range.
    """
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    try:
        return CellOptics(**(asdict(OPTICS.get(name, CellOptics())) | given))
    except ValidationError as error:
        raise InputError(explain(error, CellOptics, f"optics of {name}")) from error
