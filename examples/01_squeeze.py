"""One cell through the paper's channel, and what a microscope would have seen of it.

python examples/01_squeeze.py [--quality draft|smoke|quick|standard|fine] [--out runs]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", default="quick")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args()
    command = [sys.executable, "-m", "sim.run", "hct116", "--json"]
    command += ["--quality", options.quality, "--out", str(options.out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return done.returncode
    folder = json.loads(done.stdout)["folder"]
    frame = options.out / "frame.png"
    subprocess.run([sys.executable, "-m", "bridge.render", folder, "--out", str(frame)], check=True)
    print(f"\n{folder}/summary.png: outlines in the channel, deformation index, velocity and centroid")
    print(f"{frame}: the same cell midway in the constriction, as a bright-field microscope would show it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
