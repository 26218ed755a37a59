"""A trained model for other programs: ``python -m learn.export MODEL --out DIR``."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from bridge.command import Exit, InputError, parse_arguments, print_json, progress, run_command, say
from learn.outputs import check_folder, new_folder, save_report

if TYPE_CHECKING:
    import numpy as np

    from learn.model import Model

TOLERANCE = 1e-5
"""Largest difference of a probability from that of the model itself."""

STABLEHLO, ONNX = "model.stablehlo", "model.onnx"

BATCHES = (1, 3, 64)
"""Batches on which the exported programs are compared with the model."""

CALLS = 100
"""Single cells for the latency, after ten to warm up."""


@dataclass(frozen=True)
class Arguments:
    """Write a trained model as safetensors with a card, as StableHLO and as ONNX, and check each against the model."""

    model: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """Folder of a trained model (model.json)."""
    out: Path
    """Folder to write."""
    seed: int = 0
    """Draws the cells for the comparison."""
    json: bool = False
    """Print the report as one JSON object on standard output."""
    quiet: bool = False
    """Print errors only."""


def main(argv: list[str]) -> int:
    """Run the command; see `Arguments`."""
    arguments = parse_arguments(Arguments, "learn.export", argv)
    check_folder(arguments.out)
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise InputError("the package onnx is not installed: pip install 'mimlab[onnx]'") from None
    from learn.runtime import prepare

    prepare()
    from learn.model import open_model

    model = open_model(arguments.model)
    with progress("export", arguments.quiet) as bar:
        report = run(model, arguments.model, arguments.out, arguments.seed, bar.update)
    say(describe(report), arguments.quiet)
    if arguments.json:
        print_json({"out": str(arguments.out), **report})
    return Exit.DONE if report["pass"] else Exit.FAILED_CHECK


def run(
    model: Model,
    source: Path,
    out: Path,
    seed: int,
    show: Callable[[float, str], None] = lambda part, what: None,
) -> dict[str, Any]:
    """Write and check every form of the model; return the report.

    Parameters
    ----------
    model, source
        The model and its folder.
    out
        Folder that is not there yet.
    seed
        Draws the cells for the comparison.
    show
        Called with the part done (0 to 1) and what is being done.
    """
    from learn.checkpoint import CARD, WEIGHTS
    from learn.onnx_graph import make_onnx

    with new_folder(out) as folder:
        (folder / WEIGHTS).write_bytes((source / WEIGHTS).read_bytes())
        show(0.1, "StableHLO")
        (folder / STABLEHLO).write_bytes(make_stablehlo(model))
        show(0.3, "ONNX")
        (folder / ONNX).write_bytes(make_onnx(model))
        digests = {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (WEIGHTS, STABLEHLO, ONNX)
        }
        card = json.dumps(model.card | {"sha256": digests}, indent=1, ensure_ascii=False)
        (folder / CARD).write_text(card + "\n", encoding="utf-8")
        show(0.4, "checking")
        report = check(model, folder, seed, lambda part, what: show(0.4 + 0.6 * part, what))
        save_report(folder, report)
    return report


def make_stablehlo(model: Model) -> bytes:
    """Return the model as a serialised StableHLO program of any number of cells, for CPU and CUDA.

    It takes features and pictures as `learn.model.Model.forward` does, and gives probabilities. Read it with
    `jax.export.deserialize`.
    """
    import jax
    import jax.numpy as jnp
    from jax import export

    (count,) = export.symbolic_shape("cells")
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in model.shapes(count)]
    made = export.export(jax.jit(model.forward()), platforms=("cpu", "cuda"))(*shapes)
    return bytes(made.serialize())


def check(
    model: Model, folder: Path, seed: int, show: Callable[[float, str], None] = lambda part, what: None
) -> dict[str, Any]:
    """Compare the exported programs with the model and time them; return the report."""
    import jax
    import numpy as np

    rng = np.random.default_rng(seed)
    programs = load_programs(model, folder)
    reference = jax.jit(model.forward())
    differences: dict[str, float] = dict.fromkeys(programs, 0.0)
    for number, batch in enumerate(BATCHES):
        show(number / (len(BATCHES) + 1), f"comparing {batch} cells")
        inputs = draw_inputs(model, batch, rng)
        expected = np.asarray(reference(*inputs))
        for name, program in programs.items():
            found = float(np.abs(np.asarray(program(*inputs)) - expected).max())
            differences[name] = max(differences[name], found)
    show(0.8, "timing")
    one = draw_inputs(model, 1, rng)
    return {
        "model": model.config.model,
        "parameters": model.card.get("parameters"),
        "tolerance": TOLERANCE,
        "differences": differences,
        "pass": all(value <= TOLERANCE for value in differences.values()),
        "not_checked": [] if ONNX in programs else [f"{ONNX}: ONNX Runtime is not installed"],
        "single_cell_ms": {name: latency(program, one) for name, program in programs.items()},
        "bytes": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
    }


def load_programs(model: Model, folder: Path) -> dict[str, Callable[..., Any]]:
    """Return the exported programs as functions of features and pictures; ONNX where ONNX Runtime is there."""
    import jax
    from jax import export

    loaded = jax.jit(export.deserialize(bytearray((folder / STABLEHLO).read_bytes())).call)
    programs: dict[str, Callable[..., Any]] = {STABLEHLO: loaded}
    try:
        from learn.onnx_program import open_onnx
    except ImportError:
        return programs
    return {**programs, ONNX: open_onnx(str(folder / ONNX))}


def draw_inputs(model: Model, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return features and pictures of made-up cells over the range of the training cells; some missing with masks."""
    import numpy as np

    shapes = model.shapes(count)
    low, high = np.array(model.scaler.low), np.array(model.scaler.high)
    features = (low + (high - low) * rng.random(shapes[0])).astype(np.float32)
    images = rng.normal(model.scaler.mean, model.scaler.std, shapes[1]).astype(np.float32)
    if model.config.masks and count > 1:
        features[0, 0] = np.nan
        images[-1] = np.nan
    return features, images


def latency(program: Callable[..., Any], inputs: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Return p50, p95 and p99 of the time of one call in milliseconds."""
    import numpy as np

    times = []
    for call in range(CALLS + 10):
        start = time.perf_counter()
        np.asarray(program(*inputs))
        if call >= 10:
            times.append(1e3 * (time.perf_counter() - start))
    return dict(zip(("p50", "p95", "p99"), map(float, np.quantile(times, (0.5, 0.95, 0.99))), strict=True))


def describe(report: dict[str, Any]) -> str:
    """Return the report as text for people."""
    lines = []
    for name, difference in report["differences"].items():
        times = ", ".join(f"{key} {value:.3f} ms" for key, value in report["single_cell_ms"][name].items())
        verdict = "same" if difference <= report["tolerance"] else "NOT the same"
        lines.append(f"{name}: {verdict} as the model (largest difference {difference:.1e}); one cell: {times}")
    return "\n".join([*lines, *report["not_checked"]])


if __name__ == "__main__":
    run_command(main)
