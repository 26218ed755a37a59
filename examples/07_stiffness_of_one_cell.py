"""From a measured passage to a stiffness: a sweep, an emulator of it, and the posterior of one cell's Ks.

The measured cell is a simulated one that the sweep does not hold, so that the truth is known.

    python examples/07_stiffness_of_one_cell.py [--quality draft|smoke|quick|standard|fine] [--out runs]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

RANGE = "cell.ks=3e-3:2e-2:10:log"  # N/m
TRUE = 8e-3  # N/m
ERRORS = {"transition_time": 0.03, "max_velocity": 0.03}  # of the measurement, relative
STOP = ("--output.stop_x", "35e-6")


def call(module, *words):
    """Run a command and return what it prints with --json."""
    command = [sys.executable, "-m", module, *map(str, words), "--json", "--quiet"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", default="draft")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args()
    sweep, emulator = options.out / "sweep", options.out / "emulator.h5"
    common = ("--quality", options.quality, *STOP)
    call("sim.sweep", "hct116", "--grid", RANGE, *common, "--out", sweep)
    call("sim.emulate", "fit", sweep, "--out", emulator)
    cell = call("sim.run", "hct116", "--cell.ks", TRUE, *common, "--out", options.out)
    measured = []
    for name, error in ERRORS.items():
        value = cell["features"][name]["value"]
        measured += [f"--{name}", f"{value:.6g}+-{error * value:.2g}"]
    found = call("sim.emulate", "inverse", emulator, *measured, "--out", options.out / "posterior.png")
    ks = found["posterior"]["cell.ks"]
    low, high = ks["interval_95"]
    print(f"Ks = {1e3 * ks['median']:.2f} mN/m (95 %: {1e3 * low:.2f} to {1e3 * high:.2f}); true {1e3 * TRUE:.2f} mN/m")
    print(f"{options.out / 'posterior.png'} shows the posterior")
    return 0


if __name__ == "__main__":
    sys.exit(main())
