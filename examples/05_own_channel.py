"""A channel of one's own: a table of corners, a cell through it, and a page about the run.

python examples/05_own_channel.py [--quality draft|smoke|quick|standard|fine] [--out runs]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

UPPER = [(-37, 12), (-17, 12), (0, 3.2), (24, 2.6), (36, 12), (86, 12)]  # µm; the constriction narrows along its way
LENGTHS = {
    "gap": "5.2e-6",
    "width": "24e-6",
    "constriction_length": "24e-6",
    "entry_taper": "17e-6",
    "exit_taper": "12e-6",
    "inlet_length": "20e-6",
    "outlet_length": "50e-6",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", default="draft")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    table = options.out / "walls.csv"
    corners = [*((x, -y) for x, y in UPPER), *reversed(UPPER)]
    table.write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in corners), encoding="utf-8")
    words = ["--channel.kind", "polygon", "--channel.file", str(table), "--channel.unit", "um"]
    for name, value in LENGTHS.items():
        words += [f"--channel.{name}", value]
    command = [sys.executable, "-m", "sim.run", "hct116", "--name", "tapered", *words, "--json"]
    command += ["--quality", options.quality, "--out", str(options.out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return done.returncode
    run = json.loads(done.stdout)
    time, index = (run["features"][name]["value"] for name in ("transition_time", "deformation_index"))
    print(f"{run['outcome']}: transition time {1e3 * time:.3f} ms, deformation index {index:.3f}")
    subprocess.run([sys.executable, "-m", "learn.report", run["folder"]], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
