"""What the flow solver is measured with: turns, the memory's limit in the same turns, and lbmpy; see bench_lbm.py."""

from __future__ import annotations

import functools
import itertools
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numba
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from sim.fluid import Fluid, FluidModel, make_fluid_model, step
from sim.grid import Grid
from sim.lattice import VelocitySet

PROBE_BYTES = 384 * 2**20
TAU = 0.8
CORES = os.cpu_count() or 1


@dataclass
class Result:
    """One line of the table."""

    row: str
    what: str
    value: float
    unit: str
    target: float | None = None
    at_most: bool = False
    numbers: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target

    def line(self) -> str:
        sign = "≤" if self.at_most else "≥"
        target = "" if self.target is None else f"{sign} {self.target:g}  {'met' if self.met else 'MISSED'}"
        numbers = "  ".join(f"{name} {value:.3g}" for name, value in self.numbers.items())
        return f"{self.row:<14} {self.what:<44} {self.value:8.3g} {self.unit:<10} {target:<16} {numbers} {self.note}"


def scaler(streams: int, size: int) -> Callable[..., None]:
    """Return a jitted in-place update of several stretches of one array in one loop."""
    lines = ["def scale(a, s, first, last):", "    for i in range(np.uintp(first), np.uintp(last)):"]
    lines += [f"        p{k} = a[i + np.uintp({k * size})]" for k in range(streams)]
    lines += [f"        a[i + np.uintp({k * size})] = p{k} * s" for k in range(streams)]
    scope = {"np": np}
    exec("\n".join(lines), scope)
    return numba.njit(nogil=True, boundscheck=False, error_model="numpy")(scope["scale"])


class Probe:
    """Measures the bandwidth of an in-place update in bytes a second."""

    def __init__(self, threads: int, streams: int = 1, size: int = PROBE_BYTES) -> None:
        self.size = size // 4 // streams // 16 * 16 + 48  # streams must not share cache sets
        self.a = np.ones(self.size * streams, dtype=np.float32)
        self.scale = scaler(streams, self.size)
        self.pool = ThreadPoolExecutor(max(1, threads - 1))
        cuts = np.linspace(0, self.size, threads + 1).astype(int)
        self.slabs = list(itertools.pairwise(cuts.tolist()))
        self()

    def __call__(self) -> float:
        start = time.perf_counter()
        one = np.float32(1.0)
        pending = [self.pool.submit(self.scale, self.a, one, *slab) for slab in self.slabs[1:]]
        self.scale(self.a, one, *self.slabs[0])
        for done in pending:
            done.result()
        return 2 * self.a.nbytes / (time.perf_counter() - start)


@functools.cache
def peer_kernels(lattice: str, size: tuple[int, ...], precision: str, threads: int) -> Callable[[int], None] | None:
    """Return lbmpy's step, or None where it is not installed."""
    try:
        import pystencils
        from lbmpy import (
            ForceModel,
            LBMConfig,
            LBMOptimisation,
            LBStencil,
            Method,
            Stencil,
            create_lb_update_rule,
        )
        from lbmpy.advanced_streaming import Timestep
    except ImportError:
        return None
    stencil = LBStencil(Stencil[lattice])
    data = pystencils.create_data_handling(size, default_layout="fzyx", periodicity=True)
    f = data.add_array("f", values_per_cell=stencil.Q, dtype=np.dtype(precision))
    data.fill("f", 0.0, ghost_layers=True)
    kernels = []
    for parity in (Timestep.EVEN, Timestep.ODD):
        method = LBMConfig(
            stencil=stencil,
            method=Method.TRT,
            relaxation_rates=list(rates()),
            compressible=True,
            zero_centered=True,
            force_model=ForceModel.GUO,
            force=(1e-6, *(0.0,) * (stencil.D - 1)),
            streaming_pattern="aa",
            timestep=parity,
        )
        rule = create_lb_update_rule(lbm_config=method, lbm_optimisation=LBMOptimisation(symbolic_field=f))
        config = pystencils.CreateKernelConfig(target=pystencils.Target.X86_AVX512, default_dtype=precision)
        config.cpu.openmp.enable = threads > 1
        config.cpu.openmp.num_threads = threads
        config.cpu.vectorize.enable = True
        config.cpu.vectorize.assume_inner_stride_one = True
        kernels.append(pystencils.create_kernel(rule, config).compile())
    array = data.cpu_arrays["f"]
    return lambda k: kernels[k % 2](f=array)


def rates(tau: float = TAU) -> tuple[float, float]:
    return 1 / tau, 1 / (3 / 16 / (tau - 0.5) + 0.5)


def flow(lattice: VelocitySet, grid: Grid, precision: str, threads: int) -> tuple[FluidModel, Fluid]:
    force = (1e-6, *(0.0,) * (lattice.d - 1))
    model = make_fluid_model(lattice, grid, TAU, force, precision, threads=threads)
    fluid = Fluid(model)
    for _ in range(2):
        step(model, fluid)
    return model, fluid


def timed(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def rested(action: Callable[[], None]) -> float:
    """Return how long the peer takes; its threads spin for a while afterwards, and nobody shall wait for them."""
    duration = timed(action)
    time.sleep(0.02)
    return duration


def steps(model: FluidModel, fluid: Fluid, count: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(count):
            step(model, fluid)

    return run


def even_count(duration: float, single: float) -> int:
    return 2 * max(1, round(duration / single / 2))


def alternate(seconds: float, actions: dict[str, Callable[[], float]]) -> dict[str, np.ndarray]:
    """Take turns until the time is over, at least five of them; return what each action returned each time."""
    values: dict[str, list[float]] = {name: [] for name in actions}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(values.values()))) < 5:
        for name, action in actions.items():
            values[name].append(action())
    return {name: np.array(series) for name, series in values.items()}


def against_limit(
    row: str,
    what: str,
    target: float,
    lattice: VelocitySet,
    flows: tuple[FluidModel, Fluid],
    seconds: float,
    peer_size: tuple[int, ...] | None = None,
    advance: Callable[[int], None] | None = None,
) -> list[Result]:
    """Return the rows of a flow in memory: fraction of the limit, and ratio to the peer where it has a size."""
    model, fluid = flows
    threads, precision = model.threads, model.dtype.name
    nodes = int(model.grid.fluid.sum())
    peer = peer_kernels(lattice.name, peer_size, precision, threads) if peer_size else None
    one, many = Probe(threads), Probe(threads, lattice.q)
    count = even_count(0.1, timed(steps(model, fluid, 2)) / 2)
    run = (lambda: advance(count)) if advance else steps(model, fluid, count)
    actions = {
        "one": one,
        "many": many,
        "ours": lambda: 1e-6 * nodes * count / timed(run),
        "after": one,
    }
    if peer:
        cells, turn = np.prod(peer_size), itertools.count()
        peer_count = even_count(0.1, timed(lambda: [peer(next(turn)) for _ in range(4)]) / 4)
        actions["peer"] = lambda: (
            1e-6 * cells * peer_count / rested(lambda: [peer(next(turn)) for _ in range(peer_count)])
        )
    values = alternate(seconds, actions)
    per_node = 1e-6 / (2 * lattice.q * model.dtype.itemsize)
    limit = (values["one"] + values["after"]) / 2 * per_node
    numbers = {
        "MLUPS": float(np.median(values["ours"])),
        "limit": float(np.median(limit)),
        "GB/s": float(np.median(values["one"])) / 1e9,
        "of q streams": float(np.median(values["ours"] / (values["many"] * per_node))),
    }
    fraction = float(np.median(values["ours"] / limit))
    results = [Result(row, f"{what}: fraction of the limit", fraction, "", target, numbers=numbers)]
    if peer:
        ratio = float(np.median(values["ours"] / values["peer"]))
        numbers = {"MLUPS": numbers["MLUPS"], "lbmpy": float(np.median(values["peer"]))}
        results.append(Result(row, f"{what}: against lbmpy", ratio, "×", 1.1, numbers=numbers))
    elif peer_size:
        results[0].note = "lbmpy is not installed: not compared"
    return results
