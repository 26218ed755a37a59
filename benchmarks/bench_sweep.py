"""What a sweep costs beside the simulations themselves.

    python benchmarks/bench_sweep.py [--row NAME] [--cells 8] [--finished 10000] [--json]

`cells`: the same number of `quick` cells for each worker, with one worker and with as many as there are cores, the
flow of the empty channel being known. Cells an hour, parallel efficiency (cells an hour of all workers over that of
one times their number), and the engine's overhead: the time of one worker from the first run's start to the last
one's end that was not spent in a run.

`resume`: a sweep of many runs that are all finished (copies of one, each with the configuration of its seed) is called
again; milliseconds for each, table and figure included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from sim.sweeps.design import cross, parse_axis
from sim.sweeps.plan import plan

CELLS_AN_HOUR, EFFICIENCY, OVERHEAD, RESUMING = 800.0, 0.95, 2.0, 20.0
CORES = os.cpu_count() or 1


def sweep(out: Path, *arguments: str) -> float:
    """Run `sim.sweep` and return how long it took, s."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sim.sweep", *arguments, "--out", str(out), "--quiet"], check=True)
    return time.perf_counter() - start


def computed(out: Path, workers: int) -> tuple[float, float]:
    """Return cells an hour and the share of the workers' time that was not spent in a run, %."""
    begun, ended, spent = [], [], []
    for path in out.glob("*/provenance.json"):
        provenance = json.loads(path.read_text(encoding="utf-8"))
        begun.append(datetime.fromisoformat(provenance["started"]).timestamp())
        spent.append(float(provenance["wall_time_s"]))
        ended.append(begun[-1] + spent[-1])
    lasted = max(ended) - min(begun)
    return 3600 * len(spent) / lasted, 100 * (1 - sum(spent) / (workers * lasted))


def cells(folder: Path, options: argparse.Namespace) -> list[dict]:
    """Time one worker and all of them."""
    speed, over = {}, {}
    sweep(folder / "first", "hct116", "--values", "cell.ks=1e-2", "--workers", "1")  # compiles; finds the empty flow
    for workers in (1, CORES):
        stiffness = np.geomspace(7.0e-3, 7.6e-3, options.cells * workers)  # all take about as long
        out = folder / f"workers-{workers}"
        values = "cell.ks=" + ",".join(f"{ks:.6g}" for ks in stiffness)
        sweep(out, "hct116", "--values", values, "--workers", str(workers))
        speed[workers], over[workers] = computed(out, workers)
    efficiency = speed[CORES] / (CORES * speed[1])
    return [
        row("cells", f"quick, {CORES} workers", speed[CORES], "cells/h", CELLS_AN_HOUR, speed[CORES] >= CELLS_AN_HOUR),
        row("cells", f"{CORES} workers against 1", efficiency, "", EFFICIENCY, efficiency >= EFFICIENCY),
        row("cells", "overhead of the engine, 1 worker", over[1], "%", OVERHEAD, over[1] <= OVERHEAD),
    ]


def resume(folder: Path, options: argparse.Namespace) -> list[dict]:
    """Time a sweep that is already done."""
    out = folder / "done"
    sweep(out, "hct116", "--values", "seed=0", "--quality", "draft")
    (first,) = (path.parent for path in out.glob("*/result.h5"))
    axis = f"seed=0:{options.finished}"
    for one in plan(cross(["hct116"], [{}], [parse_axis(axis)]), "draft", {}, lambda _: None):
        if one.run != first.name:
            shutil.copytree(first, out / one.run)
            (out / one.run / "config.toml").write_text(one.config.to_toml(), encoding="utf-8")
    spent = 1e3 * sweep(out, "hct116", "--grid", axis, "--quality", "draft") / options.finished
    return [row("resume", f"{options.finished} finished runs", spent, "ms/run", RESUMING, spent <= RESUMING)]


def row(name: str, what: str, value: float, unit: str, target: float, met: bool) -> dict:
    return {"row": name, "what": what, "value": value, "unit": unit, "target": target, "met": met}


ROWS: dict[str, Callable[[Path, argparse.Namespace], list[dict]]] = {"cells": cells, "resume": resume}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", choices=ROWS, action="append", help="only this row (default all)")
    parser.add_argument("--cells", type=int, default=8, help="cells for each worker (default 8)")
    parser.add_argument("--finished", type=int, default=10_000, help="finished runs of `resume` (default 10000)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    out = sys.stderr if options.json else sys.stdout
    print(f"{platform.platform()}, {CORES} cores, load {os.getloadavg()[0]:.1f}", file=out)
    rows = []
    for name in options.row or ROWS:
        with tempfile.TemporaryDirectory() as folder:
            for one in ROWS[name](Path(folder), options):
                verdict = "met" if one["met"] else "MISSED"
                print(
                    f"{one['row']:<8} {one['what']:<34} {one['value']:9.4g} {one['unit']:<8}"
                    f" target {one['target']:g}: {verdict}",
                    file=out,
                    flush=True,
                )
                rows.append(one)
    if options.json:
        print(json.dumps({"machine": platform.platform(), "rows": rows}))
    return int(not all(one["met"] for one in rows))


if __name__ == "__main__":
    raise SystemExit(main())
