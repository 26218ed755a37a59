"""Speed of training and use of the networks, each against a peer on the same machine in the same minutes.

    pip install -r benchmarks/requirements.txt                     # or torch in an environment of its own:
    python benchmarks/bench_learn.py [--torch-python /path/to/python] [--row NAME …] [--seconds 6] [--turns 4] [--json]

Ours and the peer take turns, each in a process of its own with two threads; a ratio is the median over the turns of
neighbouring times, of all calls in a turn the median. Beside it the ratio of CPU times, which moves less with what else
the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

TARGETS = {
    "train": "1.0 x PyTorch, the better of its layouts",
    "infer": "0.9 x ONNX Runtime",
    "single": "p50 <= ONNX Runtime's",
    "small": "p50 <= 0.3 ms, ours or ONNX Runtime's",
    "augment": "< 3 % of a training step",
    "start": "<= 8 s",
}


class Worker:
    """A process that times rows when asked to."""

    def __init__(self, python: str, which: str, folder: Path) -> None:
        call = [python, str(Path(__file__).with_name("learn_peers.py")), which, str(folder)]
        self._process = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, row: str, seconds: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"row": row, "seconds": seconds}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{row}: the other process has ended; see its message above")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def against(ours: Worker, peer: Worker, row: str, seconds: float, turns: int, theirs: str = "") -> dict[str, Any]:
    """Return times of both in milliseconds and how many times faster ours is."""
    found: dict[str, list[Any]] = {"ours": [], "peer": [], "ratio": [], "cpu ratio": []}
    quantiles: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(turns):
        one, other = ours(row, seconds), peer(theirs or row, seconds)
        for name, times in (("ours", one["times"]), ("peer", other["times"])):
            found[name].append(1e3 * statistics.median(times))
            quantiles[name] += times
        found["ratio"].append(found["peer"][-1] / found["ours"][-1])
        per_call = one["cpu"] / len(one["times"]), other["cpu"] / len(other["times"])
        found["cpu ratio"].append(per_call[1] / per_call[0])
    told: dict[str, Any] = {name: statistics.median(values) for name, values in found.items()}
    for name, times in quantiles.items():
        told[f"{name} p50 p95 p99"] = [1e3 * float(value) for value in np.quantile(times, (0.5, 0.95, 0.99))]
    return told


def make_models(folder: Path) -> None:
    """Write a full and a small network of drawn weights, and both as ONNX."""
    from learn.calibration import Calibration
    from learn.checkpoint import save_model
    from learn.config import load_config
    from learn.data import Cells
    from learn.export import run
    from learn.model import open_model
    from learn.models import abstract, flatten, initialise
    from learn.scaling import Scaler

    for name, preset in (("full", "miml"), ("small", "miml_small")):
        config = load_config(preset)
        config = config.model_copy(update={"views": ("first",)} if name == "full" else {})
        rng, weights = np.random.default_rng(0), {}
        for shapes in abstract(config, 2)[1:]:
            weights |= flatten(initialise(shapes, rng))
        none = np.empty(0)
        cells = Cells(
            none, none, ("a", "b"), none, ("cells",), none, none, none, none, none, config.features, ("1",) * 3, none
        )
        (folder / name).mkdir()
        facts = {"calibration": {"temperature": 1.0, "scores": Calibration(1.0, (0.1, 0.5)).scores}}
        scaler = Scaler((0.0,) * 3, (1.0,) * 3, 0.5, 0.3)
        save_model(folder / name, config, cells, scaler, weights, facts)
        run(open_model(folder / name), folder / name, folder / f"{name}-export", 0)


def start(folder: Path) -> dict[str, float]:
    """Return seconds from the call of `learn.run miml` to the end of its first epoch of one step, cold and warm.

    That includes the pictures' way in, one step, and a prediction of the validation cells.
    """
    from bridge.records import write_dataset
    from tests.learn.conftest import make_dataset

    write_dataset(folder / "cells.h5", make_dataset(count=100, size=64))
    environment = os.environ | {"MIMLAB_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    found = {}
    for which in ("cold", "warm"):
        words = ["miml", "--dataset", "cells.h5", "--workdir", which, "--epochs", "50", "--patience", "50", "--quiet"]
        begun = time.perf_counter()
        call = [sys.executable, "-m", "learn.run", *words]
        process = subprocess.Popen(call, cwd=folder, env=environment)
        log = folder / which / "metrics.jsonl"
        while process.poll() is None and not (log.is_file() and log.stat().st_size):
            time.sleep(0.02)
        found[which] = time.perf_counter() - begun
        process.kill()
        process.wait()
    return found


def measure(rows: list[str], folder: Path, torch_python: str, seconds: float, turns: int) -> dict[str, Any]:
    """Return what each row came to."""
    found: dict[str, Any] = {}
    if "start" in rows:
        found["start"] = start(folder)
    if set(rows) <= {"start"}:
        return found
    make_models(folder)
    ours = Worker(sys.executable, "ours", folder)
    if "train" in rows:
        peer = Worker(torch_python, "torch", folder)
        layouts = {"contiguous": "train", "channels last": "train-channels-last"}
        both = {name: against(ours, peer, "train", seconds, turns, theirs) for name, theirs in layouts.items()}
        found["train"] = {"batch": 64, **both, "ratio": min(one["ratio"] for one in both.values())}
        peer.close()
    if {"infer", "single", "small"} & set(rows):
        peer = Worker(sys.executable, "onnx", folder)
        for row in ("infer", "single", "small"):
            if row in rows:
                found[row] = against(ours, peer, row, seconds, turns)
        peer.close()
    if "augment" in rows:
        shares = []
        for _ in range(turns):
            alone, step = ours("augment", seconds / 4), ours("train", seconds)
            shares.append(statistics.median(alone["times"]) / statistics.median(step["times"]))
        found["augment"] = {"share": statistics.median(shares)}
    ours.close()
    return found


def describe(found: dict[str, Any]) -> str:
    """Return the results as text."""
    lines = []
    for row, told in found.items():
        lines.append(f"{row} (target {TARGETS[row]}): " + json.dumps(told, default=float))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--torch-python", default=sys.executable, help="Python that has torch 2.13")
    parser.add_argument("--seconds", type=float, default=6.0, help="time of a turn (s)")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench_learn"))
    load = os.getloadavg()[0]
    try:
        found = measure(arguments.row, folder, arguments.torch_python, arguments.seconds, arguments.turns)
    finally:
        shutil.rmtree(folder)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "load": [load, os.getloadavg()[0]]}
    print(json.dumps(machine | found, default=float) if arguments.json else f"{machine}\n{describe(found)}")


if __name__ == "__main__":
    main()
