"""Rates of the microscope model on two cores: frames of 1024 x 192 px and crops of 64 x 64 px a second.

``python benchmarks/bench_bridge.py [--seconds 10]``; the cell is squeezed by a made-up motion, since no flow is needed.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from itertools import cycle
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / path) for path in (".", "tests/bridge")]

import numpy as np  # noqa: E402
from bridge_runs import make_config, make_solid_trace, make_trace  # noqa: E402

from bridge.body import Grid  # noqa: E402
from bridge.film import Actor, Film  # noqa: E402
from bridge.microscope import Microscope  # noqa: E402
from bridge.motion import Motion  # noqa: E402
from bridge.pool import in_order  # noqa: E402
from bridge.scene import draw_scene  # noqa: E402
from bridge.views import crop  # noqa: E402

PROCESSES = THREADS = 2


def frames(name, seconds):
    """Frames of 1024 x 192 px with noise, blur and truth, as `bridge.render --video` makes them."""
    trace, scope = made(name), Microscope()
    channel = trace.config.channel
    grid = Grid.centred((channel.x_start + channel.x_end) / 2, 0.0, scope.pixel_size, (192, 1024))
    film = Film((Actor(Motion(trace), draw_scene(trace, scope, 0)),), channel, scope, grid, 2e4, (0,))
    shots = film.shots(THREADS)
    next(shots)
    start, busy, count = time.perf_counter(), time.process_time(), 0
    for _ in shots:
        count += 1
        if time.perf_counter() - start > seconds:
            break
    return count / (time.perf_counter() - start), (time.process_time() - busy) / count


@functools.cache
def prepared(name):
    """Return trace, look and microscope of a cell, made once in each process."""
    trace, scope = made(name), Microscope()
    return trace, draw_scene(trace, scope, 0), scope


def one_crop(job):
    """Return the CPU time of a crop of 48 µm on 64 x 64 px, as `bridge.build` makes them."""
    trace, scene, scope = prepared(job[0])
    start = time.process_time()
    crop(trace, job[1], scene, scope, 64)
    return time.process_time() - start


def crops(name, seconds):
    """Crops, made by processes as `bridge.build` does of many runs."""
    busy, begun = [], 0.0
    made_one_by_one = in_order(one_crop, cycle([(name, "first"), (name, "squeezed")]), PROCESSES)
    for number, spent in enumerate(made_one_by_one):
        if number == 20 * PROCESSES:  # compiled, and the pipe is full
            begun = time.perf_counter()
        if begun:
            busy.append(spent)
            if time.perf_counter() - begun > seconds:
                break
    made_one_by_one.close()
    return (len(busy) - 1) / (time.perf_counter() - begun), sum(busy) / len(busy)


def made(name):
    """Return the trace of a made-up squeeze in so many dimensions."""
    return {"2-D": make_trace, "3-D": make_solid_trace}[name](make_config(diameter=14.2e-6), samples=200)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="time for each row (s)")
    seconds = parser.parse_args().seconds
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    rng = np.random.default_rng(0)
    print(f"camera noise alone: {1 / timed(lambda: rng.standard_normal((192, 1024), np.float32)):.0f} frames/s")
    for name in ("2-D", "3-D"):
        for what, rate, target in (("frames of 1024 x 192 px", frames, 20), ("crops of 64 x 64 px", crops, 200)):
            measured, busy = rate(name, seconds)
            print(f"{name}: {what}: {measured:.1f} per second (target {target}), {1e3 * busy:.1f} ms of CPU each")


def timed(call):
    start = time.perf_counter()
    for _ in range(20):
        call()
    return (time.perf_counter() - start) / 20


if __name__ == "__main__":
    main()
