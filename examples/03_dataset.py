"""A data set of pictures and features: a few cells of two classes, simulated, pictured, checked for leaks.

Cells of either class differ in diameter. What is there already is not computed again.

    python examples/03_dataset.py [--quality draft|smoke|quick|standard|fine] [--out cells]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

DIAMETERS = "cell.diameter=13.4e-6:14.6e-6:5"
STOP = "35e-6"  # m: a run ends when the trailing edge is out of the constriction


def call(module, *words):
    """Run a command and return what it prints with --json."""
    command = [sys.executable, "-m", module, *map(str, words), "--json", "--quiet"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", default="draft")
    parser.add_argument("--out", type=Path, default=Path("cells"))
    options = parser.parse_args()
    common = ("--quality", options.quality, "--output.stop_x", STOP, "--out", options.out)
    swept = call("sim.sweep", "hct116", "wbc", "--grid", DIAMETERS, *common)
    print(f"{swept['folder']}: {swept['done']} runs, table in sweep.csv")
    dataset = options.out / "cells.h5"
    built = call("bridge.build", options.out, "--out", dataset)
    checked = call("bridge.check", dataset)
    print(f"{dataset}: {built['cells']} cells {built['labels']}, {built['views_missing']} views missing")
    print(f"check: {checked['errors']} errors, {checked['distinct_pictures']} distinct pictures")
    run = sorted(options.out.glob("hct116-*"))[0]
    frame = options.out / "frame.png"
    call("bridge.render", run, "--out", frame, "--moment", "squeezed")
    print(f"{frame}: the first cell at the end of its squeeze")
    return 0 if checked["errors"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
