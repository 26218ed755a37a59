"""A sweep whose cells follow a formula: a threshold of pressure, a time, a deformation set by size."""

import csv

import numpy as np
from scipy.stats import qmc

from sim.config import load_config
from sim.features import FEATURES
from sim.sweep_table import make_table, write_table
from sim.trace import header

LENGTH = 31.6e-6
RANGES = {
    "cell.diameter": (9e-6, 18e-6),
    "cell.ks": (1e-3, 3e-2),
    "cell.kb": (3e-17, 1e-15),
    "fluid.pressure_drop": (2e3, 8e3),
}


def passage(diameter, ks, kb, pressure):
    """Return the features of a cell by formula, None for one that is stuck."""
    gap = 5.2e-6
    left = pressure - 220e3 * ks * (diameter / 14e-6) ** 1.5
    if left < 800:
        return None
    length = gap + np.pi * (diameter**2 - gap**2) / (4 * gap)
    index = (length - gap) / (length + gap) - 0.02 * np.log10(ks / 5e-3) + 0.004 * np.log10(kb / 1e-16)
    time = 0.7 / left * (1 + 0.8 * (diameter / 14e-6) ** 2) * (kb / 1e-16) ** 0.05
    return {
        "deformation_index": index,
        "transition_time": time,
        "max_velocity": 1.4 * LENGTH / time * (14e-6 / diameter) ** 0.5 * (ks / 5e-3) ** -0.1,
        "deformation_rate": 2 * index / time,
        "recovery_rate": 3 * index / time * (ks / 5e-3) ** 0.15,
    }


def draw(count, names, seed=0):
    """Return cells over `RANGES` of some parameters, the others in the middle (geometric mean)."""
    z = qmc.LatinHypercube(len(names), rng=np.random.default_rng(seed)).random(count)
    columns = {name: np.full(count, np.sqrt(low * high)) for name, (low, high) in RANGES.items()}
    for name, fraction in zip(names, z.T, strict=True):
        low, high = RANGES[name]
        columns[name] = low * (high / low) ** fraction
    return [dict(zip(columns, map(float, values), strict=True)) for values in zip(*columns.values(), strict=True)]


def rows_of(cells, noise=0.01, seed=0):
    """Return the rows of the sweep's table; `noise` is relative; of the index a fifth of it, absolute."""
    normal = np.random.default_rng(seed).standard_normal
    rows = []
    for k, cell in enumerate(cells):
        found = passage(*cell.values())
        row = {"run": f"made-{k:04d}", "class": "made", "seed": 0, "cell.start_y": 0.0, "reason": "", **cell}
        row["outcome"] = "STUCK" if found is None else "EXITED"
        if found is not None:
            index = found.pop("deformation_index") + noise / 5 * normal()
            row |= {"deformation_index": index, **{n: v * np.exp(noise * normal()) for n, v in found.items()}}
        rows.append(dict.fromkeys(FEATURES) | {n: v if isinstance(v, (str, int)) else float(v) for n, v in row.items()})
    return rows


def write_sweep(folder, rows, traces=False):
    """Write the table of a sweep, and with `traces` run folders as far as the emulator reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder, make_table(rows))
    for row in rows if traces else ():
        home = folder / row["run"]
        home.mkdir()
        (home / "config.toml").write_text(load_config("hct116", "draft").to_toml(), encoding="utf-8")
        if row["outcome"] == "EXITED":
            write_trace(home / "trace.csv", row)
    return folder


def write_trace(path, row, samples=300):
    """Write a course with a row's transition time and deformation index: slow at the entry, stretched in the middle."""
    x = np.linspace(-10e-6, LENGTH + 10e-6, samples)
    slowness = 1 + np.exp(-((x / 8e-6) ** 2))
    inside = (x >= 0) & (x <= LENGTH)
    slowness *= row["transition_time"] / np.trapezoid(slowness[inside], x[inside])
    steps = np.diff(x) * (slowness[1:] + slowness[:-1]) / 2
    time = np.concatenate([[0], np.cumsum(steps)])
    di = row["deformation_index"] * np.exp(-(((x - LENGTH / 2) / 20e-6) ** 2)) * (row["cell.ks"] / 5e-3) ** -0.05
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([header(name) for name in ("time", "x", "vx", "di")])
        writer.writerows(zip(time, x, 1 / slowness, di, strict=True))
