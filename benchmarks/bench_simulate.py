"""What whole squeezes cost: seconds from the command to the run folder, and peak memory.

    python benchmarks/bench_simulate.py [--qualities quick smoke standard fine] [--json]

Each quality runs twice, each time in a process and a folder of its own: first with empty caches of kernels and of the
flow without the cell, then with warm kernels and that flow computed anew.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGETS = {"quick": (8.0, None), "smoke": (30.0, None), "standard": (150.0, 300.0), "fine": (600.0, None)}
"""Seconds and MB."""


def run(quality: str, cache: Path) -> tuple[float, float, str]:
    """Return seconds, peak resident memory (MB) and outcome of one run."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "sim.run", "--quality", quality, "--out", out, "--quiet", "--json"]
        start = time.perf_counter()
        child = subprocess.Popen(command, env=os.environ | {"MIMLAB_CACHE": str(cache)}, stdout=subprocess.PIPE)
        text = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    return seconds, usage.ru_maxrss / 1024, json.loads(text)["outcome"]


def main() -> None:
    """Print a row for each quality."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qualities", nargs="+", default=["quick", "smoke", "standard"], choices=list(TARGETS))
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        for quality in options.qualities:
            cold, _, _ = run(quality, cache)
            for path in cache.iterdir():
                if path.name.startswith("warmup"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            warm, memory, outcome = run(quality, cache)
            limit, most = TARGETS[quality]
            rows.append({"quality": quality, "cold_s": cold, "warm_s": warm, "mb": memory, "outcome": outcome})
            bound = f"(≤ {most:.0f})" if most else ""
            print(
                f"hct116 {quality:9s} {outcome:7s} {warm:6.1f} s (≤ {limit:.0f}), cold {cold:6.1f} s, "
                f"{memory:5.0f} MB {bound}; load {os.getloadavg()[0]:.1f}",
                file=sys.stderr,
                flush=True,
            )
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
