"""HL-60 cells in a constriction of 6 x 15 µm: simulated against measured passage times.

    python benchmarks/hl60_constriction.py --out hl60 [--shared ../shared] [--dx 0.75e-6] [--only-table]

Measured: Urbanska et al., Nat Methods 2020 (10.1038/s41592-020-0818-8), passage time and volume of single cells at
0.06 µl/min. Simulated: the preset `hl60` in three dimensions, over sizes and pressures. Without inertia passage time
times pressure depends on stiffness over pressure alone, so that each run stands for a cell of other stiffness at the
294 Pa that drive 0.06 µl/min through the empty channel: Ks, Kb and ka_local all changed by the same factor, which the
text calls Ks. It is chosen so that control cells of 12 to 13 µm take as long as measured; all else is predicted: other
sizes, and cells treated with latrunculin B or 700 mOsm, whose stiffness follows from the same authors' deformability
cytometer (for small strains deformation goes as 1/stiffness). A cell that is larger than the channel is deep starts,
and is at rest, as a spheroid of its volume that fits in. The runs are a sweep below ``--out``; what is finished is not
done again; ``--only-table`` makes table and figure of what is there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

EDGES = np.arange(11.0, 18.0)
"""Edges of the classes of diameter (µm)."""
SIZES = (EDGES[1:] + EDGES[:-1]) / 2
"""Their middles, which are simulated (µm)."""
ROOM = 13.2
"""How thick a cell at rest may be (µm): the channel is 15 µm deep, and the walls repel."""
PRESSURE, KS = 294.0, 5.9e-3
"""What drives 0.06 µl/min through the empty channel (Pa), and Ks of the preset (N/m)."""
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
    middle = pd.cut(chosen.diameter, EDGES, labels=SIZES).astype(float)
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


def rows(sizes: list[float], pressures: list[float]) -> str:
    """Return the design as a table in CSV."""
    lines = ["cell.diameter,cell.rest_shape,cell.axes,fluid.pressure_drop"]
    for size in sizes:
        wide = max(size, float(np.sqrt(size**3 / ROOM)))
        flat = min(1.0, ROOM / wide)
        shape = "sphere," if size <= ROOM else f'ellipsoid,"1,1,{flat:.6f}"'
        lines += [f"{wide * 1e-6:.6g},{shape},{pressure:g}" for pressure in pressures]
    return "\n".join(lines) + "\n"


def simulate(out: Path, dx: float, sizes: list[float], pressures: list[float], workers: int) -> None:
    """Run the sweep."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "rows.csv").write_text(rows(sizes, pressures), encoding="utf-8")
    common = {"numerics.dimension": 3, "numerics.dx": dx, "numerics.wall_range": dx, "cell.orientation": "0,0,0"}
    common |= {"numerics.inertia_scale": 0.4}  # a stiff cell leaves the constriction with a start
    line = [sys.executable, "-m", "sim.sweep", "hl60", "--out", str(out / "runs"), "--rows", str(out / "rows.csv")]
    line += ["--workers", str(workers)]
    line += [word for name, value in common.items() for word in (f"--{name}", str(value))]
    print(f"$ python {' '.join(line[1:])}", flush=True)
    if subprocess.run(line, check=False).returncode not in (0, 4):
        raise SystemExit("sim.sweep has failed")


def read_runs(out: Path) -> pd.DataFrame:
    """Return diameter of the sphere of the same volume (µm), Ks (N/m) and passage time (s) at 294 Pa of each run."""
    table = pd.read_csv(out / "runs" / "sweep.csv")
    wide = table["cell.diameter"] * 1e6
    size = np.where(wide <= ROOM * (1 + 1e-6), wide, np.cbrt(wide**2 * ROOM))
    scale = PRESSURE / table["fluid.pressure_drop"]
    time = table["transit_time_full"].where(table.outcome != "STUCK", np.inf) / scale
    runs = pd.DataFrame({"diameter": size.round(2), "ks": KS * scale, "time": time, "outcome": table.outcome})
    return runs.sort_values(["diameter", "ks"], ignore_index=True)


def passage(runs: pd.DataFrame, diameter: float, ks: float) -> float:
    """Return the passage time (s) at a simulated size and any Ks: infinite where it does not pass, NaN if unknown."""
    here = runs[np.isclose(runs.diameter, diameter)]
    passed = here[np.isfinite(here.time)]
    if passed.empty or ks > 1.01 * passed.ks.max():
        stuck = here.ks[np.isinf(here.time)]
        return np.inf if (stuck <= 1.01 * ks).any() else np.nan
    # Softer than any that was simulated: the time hardly depends on the stiffness there.
    return float(np.exp(np.interp(np.log(ks), np.log(passed.ks), np.log(passed.time))))


def choose(runs: pd.DataFrame, wanted: float) -> float:
    """Return the Ks (N/m) at which cells of the chosen size take as long as wanted (s), or the stiffest that passes."""
    from scipy.optimize import brentq

    passed = runs[np.isclose(runs.diameter, CHOSEN) & np.isfinite(runs.time)]
    low, high = passed.ks.min(), passed.ks.max()
    if passage(runs, CHOSEN, high) <= wanted:
        return float(high)
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
    """Draw medians with quartiles, and the predictions as lines; crosses on top where a cell is to be stuck."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8.2, 4.4), layout="constrained")
    groups = table.groupby("cells", sort=False)
    for number, (colour, (name, one)) in enumerate(zip(("C0", "C1", "C2", "C3"), groups, strict=False)):
        low, high = one.measured_ms - one.quarter_ms, one.three_quarters_ms - one.measured_ms
        axes.errorbar(one.diameter_um, one.measured_ms, [low, high], fmt="o", color=colour, capsize=2, label=name)
        passed = one[np.isfinite(one.predicted_ms)]
        axes.plot(passed.diameter_um, passed.predicted_ms, "s--", mfc="none", ms=9 - 2 * number, color=colour)
        stuck = one.diameter_um[np.isinf(one.predicted_ms)] + 0.06 * number
        axes.plot(
            stuck, np.full(len(stuck), 1.04), "x", color=colour, transform=axes.get_xaxis_transform(), clip_on=False
        )
    axes.plot([], [], "s--", mfc="none", color="0.4", label="simulated")
    axes.plot([], [], "x", color="0.4", label="simulated: stuck")
    axes.set_yscale("log")
    axes.set_xlabel("cell diameter (µm)")
    axes.set_ylabel("passage time, median and quartiles (ms)")
    axes.set_title("HL-60 through 6 × 15 µm; Ks chosen on untreated cells of 12–13 µm", fontsize=10, pad=18)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=150)


def main() -> None:
    """Simulate, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="folder that holds data/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--dx", type=float, default=0.75e-6, help="lattice spacing and range of the walls (m)")
    parser.add_argument("--sizes", type=float, nargs="+", default=list(SIZES), help="simulated (µm)")
    parser.add_argument("--pressures", type=float, nargs="+", default=[800, 1600], help="simulated (Pa)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes, a core each")
    parser.add_argument("--only-table", action="store_true", help="simulate nothing")
    options = parser.parse_args()
    if not options.only_table:
        simulate(options.out, options.dx, options.sizes, options.pressures, options.workers)
    runs = read_runs(options.out)
    print(runs.to_string(index=False))
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
