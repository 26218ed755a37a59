"""HL-60 cells in a constriction of 6 x 15 µm: simulated against measured passage times.

    python benchmarks/hl60_constriction.py --out hl60 [--shared ../shared] [--pressure 294] [--dx 0.75e-6]

Measured: Urbanska et al., Nat Methods 2020 (10.1038/s41592-020-0818-8), passage time and volume of single cells at
0.06 µl/min. Simulated: the preset `hl60` in three dimensions at the pressure that drives this rate through the empty
channel; size and stiffness vary. Ks is chosen so that untreated cells of 12 to 13 µm take as long as measured; all else
is predicted: other sizes, and cells treated with latrunculin B or 700 mOsm, whose stiffness follows from the same
authors' deformability cytometer (for small strains deformation goes as 1/stiffness). The runs are a sweep below
``--out``, and a run that is finished is not done again; ``--only-table`` makes table and figure of what is there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

EDGES = np.arange(11.0, 18.0)
"""Edges of the classes of diameter (µm)."""
CHOSEN = 12.5
"""Middle of the class that Ks is chosen by (µm)."""
TREATMENTS = {
    "untreated": ("LatB", 0.0),
    "latrunculin B, 0.1 µg/ml": ("LatB", 0.1),
    "300 mOsm": ("Osm", 300.0),
    "700 mOsm": ("Osm", 700.0),
}
"""Name: series of the measurements and its dose."""
REFERENCES = {"latrunculin B, 0.1 µg/ml": "untreated", "700 mOsm": "300 mOsm"}
"""What each treatment is compared with: the control of its own series."""
COLUMNS = {"SMR": ("DiameterV_um", "PassageTime_s"), "RT-DC": ("DiameterV_um", "Deformation")}


def measured(shared: Path, series: str, instrument: str) -> pd.DataFrame:
    """Return dose, diameter (µm) and value of all cells of a series on an instrument."""
    folder = shared / "data" / "metadeformability" / "Data_Raw" / series / instrument
    tables = [pd.read_csv(path, sep="\t", skipinitialspace=True) for path in sorted(folder.glob("*.txt.gz"))]
    if not tables:
        raise SystemExit(f"{folder}: no tables; give the folder that holds data/metadeformability by --shared")
    table = pd.concat([one.rename(columns=str.strip) for one in tables])
    diameter, value = COLUMNS[instrument]
    return pd.DataFrame({"dose": table.iloc[:, 0].round(4), "diameter": table[diameter], "value": table[value]})


def classes(table: pd.DataFrame, dose: float) -> pd.DataFrame:
    """Return number, median and quartiles of the value in each class of diameter."""
    chosen = table[table.dose == dose]
    middle = pd.cut(chosen.diameter, EDGES, labels=(EDGES[1:] + EDGES[:-1]) / 2).astype(float)
    return chosen.groupby(middle).value.describe()[["count", "25%", "50%", "75%"]]


def stiffening(shared: Path) -> dict[str, float]:
    """Return the stiffness of treated cells over that of their controls, by deformation at equal size."""
    ratio = {}
    for treated, control in REFERENCES.items():
        series, dose = TREATMENTS[treated]
        table = measured(shared, series, "RT-DC")
        one, other = (classes(table, value) for value in (TREATMENTS[control][1], dose))
        both = one.index.intersection(other.index)
        enough = [size for size in both if min(one["count"][size], other["count"][size]) >= 100]
        weight = np.minimum(one["count"][enough], other["count"][enough])
        ratio[treated] = float(np.average(one["50%"][enough] / other["50%"][enough], weights=weight))
    return ratio


def simulate(out: Path, pressure: float, dx: float, axes: list[str]) -> pd.DataFrame:
    """Run the sweep and return its table."""
    common = {"numerics.dimension": 3, "numerics.dx": dx, "numerics.wall_range": dx, "fluid.pressure_drop": pressure}
    line = [sys.executable, "-m", "sim.sweep", "hl60", "--out", str(out), "--quality", "smoke"]
    line += [word for name, value in common.items() for word in (f"--{name}", str(value))]
    line += [word for axis in axes for word in ("--values", axis)]
    print(f"$ python {' '.join(line[1:])}", flush=True)
    done = subprocess.run(line, cwd=Path.cwd(), check=False)
    if done.returncode not in (0, 4):
        raise SystemExit(f"sim.sweep ended with {done.returncode}")
    return pd.read_csv(out / "sweep.csv")


def passage(runs: pd.DataFrame, diameter: float, ks: float) -> float:
    """Return the simulated passage time (s) at a simulated size and any Ks within: infinite where it does not pass."""
    here = runs[np.isclose(runs["cell.diameter"], diameter * 1e-6)].sort_values("cell.ks")
    stiffness, time = here["cell.ks"].to_numpy(), here["transit_time_full"].where(here.outcome == "EXITED").to_numpy()
    passed = np.isfinite(time)
    last = stiffness[passed].max(initial=0.0)
    if not ks <= last * (1 + 1e-9) or not ks >= stiffness[0] * (1 - 1e-9):
        return np.inf if ks > last else np.nan
    return float(np.exp(np.interp(np.log(ks), np.log(stiffness[passed]), np.log(time[passed]))))


def choose(runs: pd.DataFrame, wanted: float) -> float:
    """Return the Ks (N/m) at which cells of the chosen size take as long as wanted (s)."""
    from scipy.optimize import brentq

    here = runs[np.isclose(runs["cell.diameter"], CHOSEN * 1e-6) & (runs.outcome == "EXITED")]
    low, high = here["cell.ks"].min(), here["cell.ks"].max()
    times = passage(runs, CHOSEN, low), passage(runs, CHOSEN, high)
    if not times[0] <= wanted <= times[1]:
        raise SystemExit(
            f"cells of {CHOSEN} µm take {1e3 * times[0]:.3g} to {1e3 * times[1]:.3g} ms at the simulated Ks, "
            f"measured {1e3 * wanted:.3g} ms: give other --ks"
        )
    return float(brentq(lambda ks: passage(runs, CHOSEN, ks) - wanted, low, high, rtol=1e-4))


def compare(shared: Path, runs: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return measured and predicted medians (ms) by treatment and size, and what was chosen and derived."""
    ratios = stiffening(shared)
    control = measured(shared, "LatB", "SMR")
    ks = choose(runs, classes(control, 0.0)["50%"][CHOSEN])
    rows = []
    for name, (series, dose) in TREATMENTS.items():
        seen = classes(measured(shared, series, "SMR"), dose)
        for diameter, one in seen[seen["count"] >= 20].iterrows():
            rows.append(
                {
                    "cells": name,
                    "diameter_um": diameter,
                    "number": int(one["count"]),
                    "measured_ms": 1e3 * one["50%"],
                    "quarter_ms": 1e3 * one["25%"],
                    "three_quarters_ms": 1e3 * one["75%"],
                    "predicted_ms": 1e3 * passage(runs, diameter, ks * ratios.get(name, 1.0)),
                }
            )
    return pd.DataFrame(rows), {"ks": ks} | ratios


def exponent(diameter: np.ndarray, time: np.ndarray) -> float:
    """Return n of time ∝ diameterⁿ, of the finite ones."""
    finite = np.isfinite(time)
    return float(np.polyfit(np.log(diameter[finite]), np.log(time[finite]), 1)[0]) if finite.sum() > 1 else np.nan


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw medians with quartiles, and the predictions as lines."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    for colour, (name, one) in zip(("C0", "C1", "C2", "C3"), table.groupby("cells", sort=False), strict=False):
        low, high = one.measured_ms - one.quarter_ms, one.three_quarters_ms - one.measured_ms
        axes.errorbar(one.diameter_um, one.measured_ms, [low, high], fmt="o", color=colour, capsize=2, label=name)
        passed = one[np.isfinite(one.predicted_ms)]
        axes.plot(passed.diameter_um, passed.predicted_ms, "--", color=colour)
    axes.plot([], [], "--", color="0.4", label="simulated")
    axes.set_yscale("log")
    axes.set_xlabel("cell diameter (µm)")
    axes.set_ylabel("passage time, median and quartiles (ms)")
    axes.set_title("HL-60 through 6 × 15 µm; Ks chosen on untreated cells of 12–13 µm", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="folder that holds data/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--pressure", type=float, default=294.0, help="over the channel (Pa)")
    parser.add_argument("--dx", type=float, default=0.75e-6, help="lattice spacing and range of the walls (m)")
    parser.add_argument("--ks", default="2e-4,3e-4,4.5e-4,6.5e-4", help="stiffnesses to simulate (N/m)")
    parser.add_argument("--only-table", action="store_true", help="simulate nothing")
    options = parser.parse_args()
    sizes = ",".join(f"{size * 1e-6:.4g}" for size in (EDGES[1:] + EDGES[:-1]) / 2)
    if options.only_table:
        runs = pd.read_csv(options.out / "sweep.csv")
    else:
        axes = [f"cell.diameter={sizes}", f"cell.ks={options.ks}"]
        runs = simulate(options.out, options.pressure, options.dx, axes)
    table, chosen = compare(options.shared, runs)
    table.to_csv(options.out / "hl60.csv", index=False)
    draw(table, options.out / "hl60.png")
    for name, one in table.groupby("cells", sort=False):
        chosen[f"exponent measured, {name}"] = exponent(one.diameter_um.to_numpy(), one.measured_ms.to_numpy())
        chosen[f"exponent simulated, {name}"] = exponent(one.diameter_um.to_numpy(), one.predicted_ms.to_numpy())
    print(table.round(2).to_string(index=False))
    print(json.dumps(chosen, indent=1))
    print(f"figure: {options.out / 'hl60.png'}")


if __name__ == "__main__":
    main()
