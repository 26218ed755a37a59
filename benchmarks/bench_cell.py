"""What a three-dimensional membrane costs: its forces, its share of a step, and a whole job of ESPResSo's.

    python benchmarks/bench_cell.py [--row NAME] [--seconds 2] [--json]

`forces`: medians over single calls on one thread, everything compiled. Beside each: a probe, the same number of
additions of nodes' vectors by the indices of the faces in a jitted loop, which is the least that any sum over faces
costs; on a shared machine the ratio of the two means more than the time.

`share`: hct116 at standard quality. The step with the membrane and the step of the flow alone, in turns of 20 steps;
the difference is what the membrane costs, with all that the flow's kernels do on its account.

`espresso-cell`: the squeeze of `sim/configs/oif_squeeze.toml` from start to end on one thread, without recording,
against the 62.6 steps/s that ESPResSo 4.1.2 takes for it on one core in double precision.

Work of one thread is timed by the clock of that thread, which stands still while another program has the core.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numba
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from sim import mesh, oif, shell
from sim.config import load_config
from sim.contact import Contact, repel
from sim.fluid import set_pieces, step
from sim.simulation import advance, build, init

TARGET = 0.30
"""Milliseconds for springs, bending and volume of 2562 nodes."""
SHARE = 15.0
"""Per cent of a step."""
ESPRESSO = 62.6
"""Steps per second of ESPResSo 4.1.2 on one core."""


@numba.njit
def scatter(x, faces, force):
    """Add a vector to the three nodes of each face."""
    force[:] = 0.0
    for f in range(faces.shape[0]):
        for k in range(3):
            for axis in range(3):
                force[faces[f, k], axis] += x[faces[f, (k + 1) % 3], axis]


def alternate(
    seconds: float,
    first: Callable[[], object],
    second: Callable[[], object],
    clock: Callable[[], float] = time.thread_time,
) -> tuple[float, float]:
    """Return the median time of either function in ms, measured in turns."""
    times: list[tuple[float, float]] = []
    first(), second()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pair = []
        for function in (first, second):
            start = clock()
            function()
            pair.append(1e3 * (clock() - start))
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


@dataclasses.dataclass
class Row:
    """One line of the table."""

    row: str
    what: str
    value: float
    unit: str
    target: float | None = None
    at_most: bool = True
    numbers: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def met(self) -> bool:
        if self.target is None:
            return True
        return self.value <= self.target if self.at_most else self.value >= self.target

    def line(self) -> str:
        sign = "≤" if self.at_most else "≥"
        target = "" if self.target is None else f"{sign} {self.target:g} {self.unit}: {'met' if self.met else 'MISSED'}"
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in self.numbers.items())
        return f"{self.row:<14} {self.what:<52} {self.value:9.4g} {self.unit:<3} {target:<18} {numbers}"


def forces(seconds: float) -> Iterator[Row]:
    for name, (function, probe) in cases().items():
        spent, least = alternate(seconds, function, probe)
        target = TARGET if name == "spring, bending, volume, 2562 nodes" else None
        yield Row("forces", name, spent, "ms", target, numbers={"over the probe": spent / least})


def share(seconds: float) -> Iterator[Row]:
    for threads in (1, 2):
        model = build(load_config("hct116", "standard", {"numerics.threads": str(threads)}))
        squeezed, empty = init(model), init(model)
        empty.fluid.touched[:] = False  # the flow knows of no membrane
        set_pieces(model.fluid, empty.fluid)
        for _ in range(400):
            advance(model, squeezed)
        whole, alone = alternate(
            seconds,
            lambda model=model, state=squeezed: [advance(model, state) for _ in range(20)],
            lambda state=empty: [step(state.drive.model, state.fluid) for _ in range(20)],
            time.thread_time if threads == 1 else time.perf_counter,
        )
        nodes = len(squeezed.cell.x)
        what = f"membrane and coupling, {nodes} nodes, {threads} thr."
        numbers = {"ms a step": whole / 20, "flow alone": alone / 20}
        yield Row("share", what, 100 * (1 - alone / whole), "%", SHARE, numbers=numbers)


def espresso_cell(seconds: float) -> Iterator[Row]:
    for precision, target in (("float32", 25.0), ("float64", 12.0)):
        choice = {"numerics.precision": precision, "numerics.threads": "1"}
        model = build(load_config("oif_squeeze", overrides=choice))
        stop = float(model.config.output.stop_x or 0.0)
        rates, spent = [], 0.0
        while spent < seconds or len(rates) < 3:
            state, start = init(model), time.thread_time()
            while model.channel.to_si(state.cell.x)[:, 0].min() < stop:
                for _ in range(50):
                    advance(model, state)
            rates.append(state.steps / (time.thread_time() - start))
            spent += state.steps / rates[-1]
        rate, most = float(np.median(rates[1:])), max(rates)  # the first one compiles
        numbers = {"steps/s": rate, "best": most, "steps": state.steps}
        what = f"ESPResSo's job, 642 nodes, {precision}, 1 thr."
        yield Row("espresso-cell", what, rate / ESPRESSO, "×", target, at_most=False, numbers=numbers)


ROWS = {"forces": forces, "share": share, "espresso-cell": espresso_cell}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", choices=ROWS, action="append", help="only this row (default all)")
    parser.add_argument("--seconds", type=float, default=2.0, help="time of measurement of a line (2 s)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    out = sys.stderr if options.json else sys.stdout
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", file=out)
    rows: list[Row] = []
    for name in options.row or ROWS:
        for row in ROWS[name](options.seconds):
            print(row.line(), file=out, flush=True)
            rows.append(row)
    if options.json:
        lines = [dataclasses.asdict(row) | {"met": row.met} for row in rows]
        print(json.dumps({"machine": platform.platform(), "rows": lines}))
    return int(not all(row.met for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
