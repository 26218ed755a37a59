"""A cell squeezing through the device: its shape against geometry, and what may and what must move its passage."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sim.cases import Curve, Result, Row, Tick, absolute, at_least, relative
from sim.command import UnstableSimulation
from sim.config import load_config
from sim.features import compute_features, deformation_index
from sim.recorder import Sample
from sim.simulation import simulate
from sim.trace import Trace

TREND = "theory of the plug and lubrication: direction only"
MEASURES = ("deformation_index", "transition_time", "max_velocity")
NAMES = ("deformation index", "transition time", "maximum velocity")
SHOWN = {
    "cell.ks": ("Ks (mN/m)", 1e3),
    "cell.diameter": ("diameter (µm)", 1e6),
    "fluid.pressure_drop": ("pressure drop (kPa)", 1e-3),
    "deformation index": ("deformation index", 1.0),
    "transition time": ("transition time (ms)", 1e3),
    "maximum velocity": ("maximum velocity (mm/s)", 1e3),
}
"""How figures show fields and measures: label, and what SI is multiplied by."""
DIRECTIONS = {
    "cell.ks": (-1, 1, -1),
    "cell.diameter": (1, 1, -1),
    "fluid.pressure_drop": (1, -1, 1),
}
"""Which way DI, transition time and maximum velocity go as a field grows: a stiffer cell bulges less into the
channel before and behind, and enters more slowly; a larger one is longer and has more wall to slide along."""


def squeeze(quality: str, changes: Mapping[str, float], tick: Tick) -> tuple[Trace, dict[str, float]]:
    """Return trace and features of `hct116` with some fields changed.

    Raises
    ------
    UnstableSimulation
        If the cell does not come through.
    """
    config = load_config("hct116", quality, {name: repr(value) for name, value in changes.items()})

    def show(sample: Sample) -> None:
        tick(0.1 * sample.fraction if sample.phase == "warm-up" else 0.1 + 0.9 * sample.fraction)

    trace = simulate(config, [show])
    found = compute_features(trace.samples, config.channel.constriction_length)
    features = {name: value for name, value in found.items() if value is not None}
    if any(name not in features for name in MEASURES):
        raise UnstableSimulation(f"hct116 with {dict(changes)} did not come through: {trace.outcome.name}")
    return trace, features


def stadium_index(area: float, height: float) -> float:
    """Return DI of the stadium (a rectangle between two half circles) of an area and a height across the channel."""
    length = (area - np.pi / 4 * height**2) / height + height
    return float(deformation_index(length, height))


def stadium(*, tick: Tick, length: float = 60e-6, dx: float = 0.325e-6) -> Result:
    """Compare DI of a cell that fits into a long constriction with the stadium of its area between the films.

    Notes
    -----
    The films are what the cell leaves of the gap at mid-constriction. At rest the cell has the area of its circle.
    """
    changes = {"channel.constriction_length": length, "numerics.dx": dx}
    trace, features = squeeze("quick", changes, tick)
    samples = trace.samples
    height = float(np.interp(length / 2, samples["x"], samples["height"]))
    gap, diameter = trace.config.channel.gap, trace.config.cell.diameter
    known = stadium_index(np.pi / 4 * diameter**2, height)
    name = f"2-D cell midway in {1e6 * length:g} µm of gap, films of {1e6 * (gap - height) / 2:.2f} µm"
    row = absolute(f"{name}: DI", features["deformation_index_mid"], known, "stadium of equal area", 0.02)
    ends = [1e6 * float(samples["x"][0]), 1e6 * float(samples["x"][-1])]
    axes = ("x (µm)", "deformation index")
    return Result(
        (row,),
        (
            Curve("cell in a long constriction", axes, "2-D", (1e6 * samples["x"]).tolist(), samples["di"].tolist()),
            Curve("cell in a long constriction", axes, "stadium", ends, [known] * 2, True),
        ),
    )


def numerics(*, tick: Tick, quality: str = "quick", changes: tuple[tuple[str, float], ...] = ()) -> Result:
    """Change what should not matter: the transition time stays within 3 %."""
    base, known = squeeze(quality, {}, lambda done: tick(done / (len(changes) + 1)))
    resolved = base.config.numerics
    rows = []
    for k, (name, factor) in enumerate(changes, 1):
        value = factor * getattr(resolved, name)
        fields = {f"numerics.{name}": value, "numerics.wall_range": resolved.wall_range}
        _, found = squeeze(quality, fields, lambda done, k=k: tick((k + done) / (len(changes) + 1)))
        case = f"{quality}, {name} × {factor:g}: transition time (ms)"
        before = 1e3 * known["transition_time"]
        rows.append(relative(case, 1e3 * found["transition_time"], before, "the same run unchanged", 0.03))
    return Result(tuple(rows))


def film(*, tick: Tick, ranges: tuple[float, ...] = (0.325e-6, 0.4e-6, 0.5e-6)) -> Result:
    """Widen the range of the wall's repulsion: the passage becomes faster, about as that of a plug with a wider film.

    Notes
    -----
    A plug in a gap h between films of δ in all moves at 1/(1 - δ/h) times the mean velocity; δ is taken for the range.
    """
    times = []
    gap = load_config("hct116").channel.gap
    for k, value in enumerate(ranges):
        _, found = squeeze("quick", {"numerics.wall_range": value}, lambda done, k=k: tick((k + done) / len(ranges)))
        times.append(found["transition_time"])
    rows = [
        relative(
            f"2-D, wall range {1e6 * value:g} instead of {1e6 * ranges[0]:g} µm: ratio of the transition times",
            time / times[0],
            (1 - value / gap) / (1 - ranges[0] / gap),
            "plug with a film, U/ū = 1/(1 - δ/h)",
            0.05,
        )
        for value, time in zip(ranges[1:], times[1:], strict=True)
    ]
    return Result(tuple(rows))


def trend(*, tick: Tick, field: str, values: tuple[float, ...], quality: str = "smoke") -> Result:
    """Change one field of the cell or the drive: DI, transition time and maximum velocity follow as they must.

    Notes
    -----
    The value of a row is the least factor between neighbours, in the direction of `DIRECTIONS`.
    """
    found = []
    for k, value in enumerate(values):
        _, features = squeeze(quality, {field: value}, lambda done, k=k: tick((k + done) / len(values)))
        found.append([features[name] for name in MEASURES])
    table = np.array(found)
    rows: list[Row] = []
    curves: list[Curve] = []
    for column, (name, sign) in enumerate(zip(NAMES, DIRECTIONS[field], strict=True)):
        factor = float(((table[1:, column] / table[:-1, column]) ** sign).min())
        way = "rises" if sign > 0 else "falls"
        rows.append(at_least(f"{quality}, {name} {way} with {field}: least factor", factor, 1.0, TREND))
        (across, wide), (up, high) = SHOWN[field], SHOWN[name]
        x, y = [wide * value for value in values], (high * table[:, column]).tolist()
        curves.append(Curve(f"{name} and {across.split(' (')[0]}", (across, up), quality, x, y, points=True))
    return Result(tuple(rows), tuple(curves))
