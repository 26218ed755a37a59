"""A video of one's own: what the outlines in it say, beside what is true.

The clip is made here, of a simulated cell, so that the truth is known; give your own with --clip.

    python examples/06_own_video.py [--clip clip.mp4 --pixel-size 0.1667e-6 --frame-rate 60e3] [--out runs]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import h5py

FEATURES = {"transition_time": (1e3, "ms"), "max_velocity": (1e3, "mm/s"), "deformation_index": (1.0, "")}


def call(module, *words):
    """Run a command and return what it prints with --json."""
    command = [sys.executable, "-m", module, *map(str, words), "--json", "--quiet"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--pixel-size", type=float, default=1e-6 / 6, help="pixel at the sample (m)")
    parser.add_argument("--frame-rate", type=float, default=60e3, help="frames per second of the camera (Hz)")
    parser.add_argument("--quality", default="draft")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args()
    clip, truth = options.clip, {}
    if clip is None:
        run = call("sim.run", "hct116", "--quality", options.quality, "--out", options.out)
        truth = {name: run["features"][name]["value"] for name in FEATURES}
        clip = options.out / "clip.mp4"
        scale = ("--pixel-size", options.pixel_size, "--frame-rate", options.frame_rate)
        call("bridge.render", run["folder"], "--video", clip, *scale)
    dataset = options.out / "clip.h5"
    scale = ("--pixel-size", options.pixel_size, "--frame-rate", options.frame_rate)
    found = call("bridge.ingest", clip, *scale, "--label", "hct116", "--out", dataset)
    print(f"{dataset}: {found['cells']} cell(s), {found['pictures']} pictures")
    with h5py.File(dataset) as file:
        for name, (factor, unit) in FEATURES.items():
            for value in file[f"table/{name}"]:
                told = f"   true {factor * truth[name]:8.4f}" if truth else ""
                print(f"{name.replace('_', ' '):>18s}  {factor * value:8.4f} {unit:5s}{told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
