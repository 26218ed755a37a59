"""What the forces of a three-dimensional membrane cost, on one thread.

    python benchmarks/bench_cell.py [--seconds 2] [--json]

Times are medians over single calls in steady state, everything compiled. Beside each: a probe, the same number of
additions of nodes' vectors by the indices of the faces in a jitted loop, which is the least that any sum over faces
costs; on a shared machine the ratio of the two means more than the time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from sim import mesh, oif, shell
from sim.contact import Contact, repel

TARGET = 0.30
"""Milliseconds for springs, bending and volume of 2562 nodes."""


@numba.njit
def scatter(x, faces, force):
    """Add a vector to the three nodes of each face."""
    force[:] = 0.0
    for f in range(faces.shape[0]):
        for k in range(3):
            for axis in range(3):
                force[faces[f, k], axis] += x[faces[f, (k + 1) % 3], axis]


def alternate(seconds: float, first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Return the median time of either function in ms, measured in turns."""
    times: list[tuple[float, float]] = []
    first(), second()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pair = []
        for function in (first, second):
            start = time.perf_counter()
            function()
            pair.append(1e3 * (time.perf_counter() - start))
        times.append((pair[0], pair[1]))
    medians = np.median(times, axis=0)
    return float(medians[0]), float(medians[1])


def cases() -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """Return what is timed, each with its probe."""
    timed: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {}
    variants = {
        "spring, bending, volume": {},
        "the same + local and global area": {"ka_local": 1.0, "ka_global": 1.0},
        "the same + membrane viscosity": {"viscosity": 1.0},
        "neo-Hookean, bending, volume": {"law": "neo-hookean"},
        "Skalak, bending, volume": {"law": "skalak"},
    }
    for level in (3, 4):
        sphere = mesh.icosphere(level, 14.2, np.random.default_rng(0))
        x = 1.02 * sphere.nodes
        force, velocity, probed = np.empty_like(x), np.ones_like(x), np.empty_like(x)

        def probe(x: np.ndarray = x, faces: np.ndarray = sphere.faces, force: np.ndarray = probed) -> None:
            scatter(x, faces, force)

        for name, constants in variants.items():
            s = shell.make_shell(*sphere, ks=1.0, kb=0.01, kv=1.0, **constants)

            def forces(
                s: shell.Shell = s,
                x: np.ndarray = x,
                velocity: np.ndarray = velocity,
                force: np.ndarray = force,
                work: shell.Workspace = shell.Workspace(s),  # noqa: B008
            ) -> None:
                shell.shell_forces(s, x, velocity, 0.1, force, work)

            timed[f"{name}, {len(x)} nodes"] = (forces, probe)
        model = oif.make_oif(*sphere, ks=0.1, kb=0.02, kal=0.05, kag=0.2, kv=10.0)

        def espresso(
            model: oif.Oif = model,
            x: np.ndarray = x,
            force: np.ndarray = force,
            work: shell.Workspace = shell.Workspace(model),  # noqa: B008
        ) -> None:
            oif.oif_forces(model, x, x, force, work)

        timed[f"object-in-fluid, {len(x)} nodes"] = (espresso, probe)
    membrane, nucleus = mesh.icosphere(4, 14.2).nodes, mesh.icosphere(3, 13.4).nodes
    contact, pushes = Contact(1.0, 0.6), [np.zeros_like(membrane), np.zeros_like(nucleus)]
    timed["nucleus of 642 nodes touching 2562 nodes"] = (lambda: repel(contact, [membrane, nucleus], pushes), probe)
    return timed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="time of measurement of a row (2 s)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    out = sys.stderr if options.json else sys.stdout
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", file=out)
    rows = []
    for name, (function, probe) in cases().items():
        spent, least = alternate(options.seconds, function, probe)
        target = TARGET if name == "spring, bending, volume, 2562 nodes" else None
        verdict = "" if target is None else f"  at most {target:g}: {'met' if spent <= target else 'MISSED'}"
        print(f"{name:<52} {spent:8.4f} ms  {spent / least:6.1f} × probe{verdict}", file=out, flush=True)
        rows.append({"row": name, "ms": spent, "probe_ms": least, "target_ms": target})
    if options.json:
        print(json.dumps({"machine": platform.platform(), "rows": rows}))
    return int(any(row["target_ms"] is not None and row["ms"] > row["target_ms"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
