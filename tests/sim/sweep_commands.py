"""`python -m sim.sweep` as a user calls it, on cells that take a second each."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

from tiny import TINY

from sim.sweep_table import PROVENANCE

ROOT = Path(__file__).parents[2]
RESULTS = ("config.toml", "trace.csv", "features.json", "result.h5")


def write_tiny(folder):
    (folder / "tiny.toml").write_text(TINY)
    return folder / "tiny.toml"


def command(*arguments):
    return [sys.executable, "-m", "sim.sweep", *map(str, arguments)]


def environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def sweep(*arguments, cwd, timeout=600, **options):
    call = command(*arguments)
    return subprocess.run(call, cwd=cwd, capture_output=True, text=True, timeout=timeout, env=environment(), **options)


def listed(folder, *arguments):
    done = sweep("--out", folder, "--list", "--json", "--quiet", *arguments, cwd=folder.parent)
    return json.loads(done.stdout)


def reproduced(folder):
    """Everything in the table but wall time and provenance, and the files of each run that are the same every time."""
    with (folder / "sweep.csv").open(newline="") as stream:
        header, *rows = list(csv.reader(stream))
    kept = [index for index, name in enumerate(header) if name not in PROVENANCE]
    table = [[row[index] for index in kept] for row in [header, *rows]]
    runs = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return table, {f"{run.name}/{name}": (run / name).read_bytes() for run in runs for name in RESULTS}


def litter(folder):
    """Half-written files and claims that are left."""
    return [*folder.rglob(".*.part*"), *folder.rglob("*.checkpoint.npz"), *(folder / ".sweep" / "claims").iterdir()]
