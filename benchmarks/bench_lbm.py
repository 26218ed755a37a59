"""How fast the flow solver is: against the memory of this minute, against lbmpy, and against ESPResSo's time.

    python benchmarks/bench_lbm.py                     # all rows, each under a minute
    python benchmarks/bench_lbm.py --row bulk-f32 --seconds 30 --json

A shared machine's bandwidth drifts by a factor of two, so that only ratios within one run mean something: each row
takes turns (probe, solver, peer, probe, solver, peer, …) until its time is over, and prints medians of the ratios.

Limit: the AA pattern reads and writes each population once a step, 2 q itemsize bytes per node. The probe updates an
array of 384 MiB in place, `a *= s`, jitted and threaded as the solver is. One stream does not keep the memory of every
machine busy, a solver has q of them: "of q streams" is the fraction of the same probe on q arrays in one loop, the
harder limit.

Peer: lbmpy 2.0 (generated C++, AVX-512, OpenMP), AA pattern, TRT, Guo force, compressible, populations minus their rest
weights, periodic without exchange of ghosts; `pip install -r benchmarks/requirements.txt`. It stands for the bulk only.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from lbm_limit import CORES, Probe, Result, against_limit, alternate, even_count, flow, peer_kernels, steps, timed

from sim.channel import make_channel
from sim.config import ChannelConfig
from sim.coupling import MARGIN, move
from sim.fluid import Fluid, make_fluid_model, moments, set_pieces, step
from sim.grid import make_grid
from sim.kernels.pieces import mark
from sim.lattice import D2Q9, D3Q19, VelocitySet
from sim.mesh import icosphere

ESPRESSO = 75.5
"""Steps a second of ESPResSo 4.1.2 on one core of this class of machine, the job below without its cell, float64."""


def bulk(row: str, lattice: VelocitySet, size: tuple[int, ...], precision: str, threads: int, target: float):
    def run(seconds: float) -> list[Result]:
        grid = make_grid(np.ones(size, dtype=bool), (True,) * lattice.d)
        what = f"{lattice.name} {precision} {'×'.join(map(str, size))} {threads} thr."
        return against_limit(row, what, target, lattice, flow(lattice, grid, precision, threads), seconds, size)

    return run


def small(seconds: float) -> list[Result]:
    """A grid that stays in the cache: no memory, only instructions."""
    results = []
    for precision, target in (("float32", 250.0), ("float64", None)):
        grid = make_grid(np.ones((338, 94), dtype=bool), (True, False))
        model, fluid = flow(D2Q9, grid, precision, 1)
        peer = peer_kernels("D2Q9", (338, 94), precision, 1)
        turn = itertools.count()
        speed = {"ours": lambda m=model, f=fluid: 1e-6 * 338 * 94 * 200 / timed(steps(m, f, 200))}
        if peer:
            speed["lbmpy"] = lambda p=peer, t=turn: (
                1e-6 * 338 * 94 * 200 / timed(lambda: [p(next(t)) for _ in range(200)])
            )
        values = alternate(seconds / 2, speed)
        numbers = {name: float(np.median(series)) for name, series in values.items() if name != "ours"}
        numbers["best"] = float(values["ours"].max())
        what = f"D2Q9 {precision} 338×94 between walls, 1 thr."
        results.append(Result("small", what, float(np.median(values["ours"])), "MLUPS", target, numbers=numbers))
    return results


def channel(seconds: float) -> list[Result]:
    """The paper's device in 3-D with the nodes that a membrane touches and the checks of a run, on fluid nodes."""
    results = []
    for precision in ("float32", "float64"):
        geometry = make_channel(ChannelConfig(), 0.52e-6, 3)
        model, fluid = flow(D3Q19, geometry.grid, precision, CORES)
        middle = geometry.to_lattice(np.array([-16.7e-6, 0.0, 0.0]))
        membrane = middle + icosphere(4, 14.2 / 0.52).nodes
        grid, still = geometry.grid, np.zeros(3, dtype=bool)
        mark(membrane, 1 + MARGIN, 2 + MARGIN, still, grid.interior, grid.shape, fluid.touched)
        set_pieces(model, fluid)
        inside = np.flatnonzero(grid.fluid)
        share = float(fluid.touched[inside].mean())

        def advance(count: int, model=model, fluid=fluid, inside=inside) -> None:
            for _ in range(count):
                step(model, fluid)
                if fluid.steps % 100 == 0 and not np.isfinite(sum(float(u.sum()) for u in fluid.velocity)):
                    raise ArithmeticError("the flow is not finite")
                if fluid.steps % 2000 == 0:
                    density, _ = moments(model, fluid, inside)
                    assert abs(density - 1).max() < 0.3

        what = f"channel {'×'.join(map(str, geometry.grid.interior))} {precision} {CORES} thr."
        target = 0.6 if precision == "float32" else None
        (result,) = against_limit("channel", what, target, D3Q19, (model, fluid), seconds / 2, advance=advance)
        result.numbers |= {"fluid nodes": len(inside), "touched": share}
        results.append(result)
    return results


def espresso(seconds: float) -> list[Result]:
    """The job of the engine of the paper without its cell: 60 × 22 × 23 nodes with their walls, 18,800 of fluid."""
    mask = np.ones((60, 20, 21), dtype=bool)
    mask[20:40, :, :8] = mask[20:40, :, 13:] = False
    assert mask.sum() == 18_800
    grid = make_grid(mask, (True, False, False))
    force = 0.04 * 0.1**2 / 1.04  # nN/µm³ and µs to lattice units
    flows = {}
    for precision in ("float32", "float64"):
        model = make_fluid_model(D3Q19, grid, 0.7774, (force, 0.0, 0.0), precision)
        flows[precision] = (model, Fluid(model))
    speed = {name: lambda m=m, f=f: 100 / timed(steps(m, f, 100)) for name, (m, f) in flows.items()}
    values = alternate(seconds, speed)
    results = []
    for precision, target in (("float32", 30.0), ("float64", 15.0)):
        rate = float(np.median(values[precision]))
        what = f"ESPResSo's job without cell, {precision}, 1 thr."
        numbers = {"steps/s": rate, "best": float(values[precision].max()), "MLUPS": rate * 18_800 / 1e6}
        results.append(Result("espresso", what, rate / ESPRESSO, "×", target, numbers=numbers))
    return results


MEMORY = """
import ctypes, gc, os
import numpy as np
from sim.fluid import Fluid, make_fluid_model, step
from sim.grid import make_grid
from sim.lattice import D3Q19
def flow():
    grid = make_grid(np.ones(({n},) * 3, dtype=bool), (True, True, True))
    model = make_fluid_model(D3Q19, grid, 0.8, (1e-6, 0.0, 0.0), threads={threads})
    fluid = Fluid(model)
    for _ in range(2):
        step(model, fluid)
    return model, fluid
def resident():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is freed but kept for later is not held
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
ctypes.CDLL(None).mallopt(-3, 2**20)  # M_MMAP_THRESHOLD: large arrays come fresh from the system each time
flow()  # compiles
before = resident()
kept = flow()
print((resident() - before) / {n} ** 3 / (19 * 4))
"""
"""How many times the populations' memory a flow holds, in a process of its own."""


def python(script: str, **environment: str) -> float:
    """Run a script in a process of its own and return the number it prints."""
    command, root = [sys.executable, "-c", script], Path(__file__).parents[1]
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=root, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def sizes(seconds: float) -> list[Result]:
    """Cubes of several sizes in turn, and what they keep in memory."""
    cubes = (64, 96, 128, 192, 256)
    memory = {n: python(MEMORY.format(n=n, threads=CORES)) for n in cubes}
    flows = {}
    for n in cubes:
        grid = make_grid(np.ones((n, n, n), dtype=bool), (True, True, True))
        flows[n] = flow(D3Q19, grid, "float32", CORES)
    speed = {}
    for n, (model, fluid) in flows.items():
        count = even_count(0.1, timed(steps(model, fluid, 2)) / 2)
        probe = Probe(CORES, 19, 19 * 4 * n**3)
        speed[str(n)] = lambda n=n, m=model, f=fluid, c=count: 1e-6 * n**3 * c / timed(steps(m, f, c))
        speed[f"limit {n}"] = lambda p=probe, c=count: float(np.median([p() for _ in range(c)])) / (2 * 19 * 4) / 1e6
    values = alternate(seconds, speed)
    medians = {f"{n}³": float(np.median(values[str(n)])) for n in cubes}
    limits = {f"{n}³": float(np.median(values[f"limit {n}"])) for n in cubes}
    fractions = {n: medians[n] / limits[n] for n in medians}
    words = {f"{n}³": memory[n] for n in cubes}
    what = f"D3Q19 float32 {CORES} thr.: slowest over fastest"
    return [
        Result("sizes", what, _evenness(medians), "", 0.8, numbers=medians),
        Result("sizes", "the same, of the limit at the same size", _evenness(fractions), "", numbers=fractions),
        Result("sizes", "the limit itself: slowest over fastest", _evenness(limits), "", numbers=limits),
        Result("sizes", "memory: resident over 19 words", max(words.values()), "×", 1.3, True, numbers=words),
    ]


def _evenness(values: dict[str, float]) -> float:
    return min(values.values()) / max(values.values())


FIRST_STEP = """
import time
start = time.perf_counter()
import numpy as np
{body}
print(time.perf_counter() - start)
"""
FIRST_3D = """
from sim.channel import make_channel
from sim.config import ChannelConfig
from sim.fluid import Fluid, make_fluid_model, step
from sim.lattice import D3Q19
model = make_fluid_model(D3Q19, make_channel(ChannelConfig(), 0.52e-6, 3).grid, 0.8, (1e-6, 0.0, 0.0), threads=2)
fluid = Fluid(model)
for _ in range(2):
    step(model, fluid)
"""
FIRST_2D = """
from sim.config import load_config
from sim.simulation import advance, at_rest, build
model = build(load_config("hct116", "quick"))
state = at_rest(model)
for _ in range(2):
    advance(model, state)
"""


def start(seconds: float) -> list[Result]:
    """From a new process to the end of the first even and odd step, with and without compiled kernels."""
    results = []
    for what, body in (("3-D channel", FIRST_3D), ("2-D squeeze", FIRST_2D)):
        with tempfile.TemporaryDirectory() as cache:
            script = FIRST_STEP.format(body=body)
            times = [python(script, MIMLAB_CACHE=cache, NUMBA_CACHE_DIR=f"{cache}/numba") for _ in range(4)]
        results += [
            Result("start", f"{what}: first steps, cold cache", times[0], "s", 15.0, True),
            Result("start", f"{what}: first steps, warm cache", min(times[1:]), "s", 3.0, True),
        ]
    return results


def squeeze(seconds: float) -> list[Result]:
    """One step of the default simulation: cell, flow, cell."""
    from sim.config import load_config
    from sim.simulation import advance, at_rest, build

    model = build(load_config("hct116", "quick"))
    state = at_rest(model)
    nodes, count = int(model.fluid.grid.fluid.sum()), 500

    def place() -> None:
        state.cell.x[:], state.cell.pressure[:] = model.cells.start, 0.0

    def whole() -> float:
        place()
        return 1e6 / count * timed(lambda: [advance(model, state) for _ in range(count)])

    def membrane() -> float:
        place()

        def run() -> None:
            for _ in range(count):
                move(model.cells, state.cell, model.fluid, state.fluid)

        return 1e6 / count * timed(run)

    def only_flow() -> float:
        return 1e6 / count * timed(steps(state.drive.model, state.fluid, count))

    def kernels() -> float:
        fluid, boundary, (slab,) = state.fluid, model.fluid.boundary, model.fluid.slabs
        even, odd = fluid.arguments + boundary.fills, fluid.arguments + boundary.drains

        def run() -> None:
            for _ in range(count // 2):
                model.fluid.kernels.even(*slab, *even)
                model.fluid.kernels.odd(*slab, *odd)

        return 1e6 / count * timed(run)

    whole()
    values = alternate(seconds, {"whole": whole, "membrane": membrane, "flow": only_flow, "kernels": kernels})
    part = {f"{name} µs": float(np.median(series)) for name, series in values.items()}
    part["fluid nodes"] = nodes
    speed = nodes / part["whole µs"]
    return [Result("squeeze-2d", "2-D squeeze step, float32, 1 thr., whole", speed, "MLUPS", numbers=part)]


ROWS: dict[str, Callable[[float], list[Result]]] = {
    "bulk-f32": bulk("bulk-f32", D3Q19, (128, 128, 128), "float32", CORES, 0.85),
    "bulk-f32-1": bulk("bulk-f32-1", D3Q19, (128, 128, 128), "float32", 1, 0.85),
    "bulk-f64": bulk("bulk-f64", D3Q19, (128, 128, 128), "float64", CORES, 0.85),
    "bulk-f64-1": bulk("bulk-f64-1", D3Q19, (128, 128, 128), "float64", 1, 0.85),
    "plane-f32": bulk("plane-f32", D2Q9, (2048, 2048), "float32", CORES, 0.8),
    "plane-f32-1": bulk("plane-f32-1", D2Q9, (2048, 2048), "float32", 1, 0.8),
    "small": small,
    "channel": channel,
    "espresso": espresso,
    "sizes": sizes,
    "start": start,
    "squeeze-2d": squeeze,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", action="append", choices=ROWS, help="only this row (may be given several times)")
    parser.add_argument("--seconds", type=float, default=20.0, help="time of measurement of a row (20 s)")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on standard output, the table on the other"
    )
    arguments = parser.parse_args()
    out = sys.stderr if arguments.json else sys.stdout
    load = os.getloadavg()[0]
    print(f"{platform.platform()}, {CORES} cores, Python {platform.python_version()}, load {load:.1f}", file=out)
    results: list[Result] = []
    for name in arguments.row or ROWS:
        for result in ROWS[name](arguments.seconds):
            print(result.line(), f" load {os.getloadavg()[0]:.1f}", file=out, flush=True)
            results.append(result)
        gc.collect()
    if arguments.json:
        rows = [{**vars(result), "met": result.met} for result in results]
        print(json.dumps({"machine": platform.platform(), "cores": CORES, "rows": rows}))
    return int(any(result.met is False for result in results))


if __name__ == "__main__":
    raise SystemExit(main())
