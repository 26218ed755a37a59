"""How parameters and features are written in figures and messages."""

from __future__ import annotations

from typing import NamedTuple

from sim.features import FEATURES


class Label(NamedTuple):
    """Words, factor from SI and unit in which a quantity is shown."""

    words: str
    factor: float
    unit: str

    @property
    def axis(self) -> str:
        """Return the text of an axis."""
        return f"{self.words} ({self.unit})" if self.unit else self.words

    def show(self, value: float, digits: int = 3) -> str:
        """Return a value given in SI, with its unit."""
        return f"{self.factor * value:.{digits}g}{f' {self.unit}' if self.unit else ''}"


_KNOWN = {
    "cell.ks": Label("Ks", 1e3, "mN/m"),
    "cell.kb": Label("Kb", 1.0, "J"),
    "cell.diameter": Label("diameter", 1e6, "µm"),
    "fluid.pressure_drop": Label("pressure drop", 1e-3, "kPa"),
    "fluid.mean_velocity": Label("mean velocity in the gap", 1e3, "mm/s"),
    "max_velocity": Label("maximum velocity", 1e3, "mm/s"),
    "deformation_rate": Label("deformation rate", 1e-3, "1/ms"),
    "recovery_rate": Label("recovery rate", 1e-3, "1/ms"),
    "deformation_index_rate": Label("DI rate", 1e-3, "1/ms"),
}
_UNITS = {"s": (1e3, "ms"), "m": (1e6, "µm"), "1": (1.0, "")}


def label(name: str, unit: str = "") -> Label:
    """Return the label of a parameter (with its SI unit) or a feature."""
    if name in _KNOWN:
        return _KNOWN[name]
    unit = FEATURES[name].unit if name in FEATURES else unit
    factor, shown = _UNITS.get(unit, (1.0, unit))
    return Label(name.split(".")[-1].replace("_", " "), factor, shown)
