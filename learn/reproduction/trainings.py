"""The commands of the learning stages, and the further simulations that figures need."""

from __future__ import annotations

from pathlib import Path

from learn.reproduction.cells import Place
from learn.reproduction.datasets import FEATURES, RATE
from learn.reproduction.scales import CLASSES, PAIR, STIFFENED, Scale
from learn.reproduction.steps import Step

RUN_SECONDS = {"draft": 9.0, "quick": 45.0, "smoke": 60.0, "standard": 120.0, "fine": 900.0}
"""About how long a run takes on one core of 2.5 GHz."""
PICTURE_SECONDS = 1 / 45
"""The same of one picture of ResNet-18 in one epoch of training."""

KS = ("2e-3", "7.3e-3", "2.2e-2")
KB = ("8e-17", "1.6e-16", "6.4e-16")
"""Stretching (N/m) and bending constants (J) of Fig. 9e and f, around those of hct116."""


def sweep(place: Place, scale: Scale, scheduler: str | None, workers: int) -> Step:
    """Return the step that simulates the population in two dimensions."""
    words = ["sim.sweep", "--population", str(place.out / "population.toml"), "--quality", scale.quality]
    words += ["--out", str(place.runs), *_where(scheduler, workers)]
    seconds = RUN_SECONDS[scale.quality] * sum(scale.cells.values())
    return Step("sweep", tuple(words), place.runs / "sweep.csv", seconds)


def sides(place: Place, scale: Scale, scheduler: str | None, workers: int) -> list[Step]:
    """Return the steps for Fig. 9: other Ks and Kb, and cells in three dimensions."""
    where = _where(scheduler, workers)
    steps = []
    for name, field, values in (("ks", "cell.ks", KS), ("kb", "cell.kb", KB)):
        out = place.out / f"runs-{name}"
        words = ("sim.sweep", "hct116", "--values", f"{field}={','.join(values)}", "--quality", scale.quality)
        seconds = RUN_SECONDS[scale.quality] * len(values)
        steps.append(Step(f"sweep-{name}", (*words, "--out", str(out), *where), out / "sweep.csv", seconds))
    if scale.solid:
        out = place.out / "runs-3d"
        words = ("sim.sweep", "--population", str(place.out / "population-3d.toml"), "--quality", "smoke")
        seconds = RUN_SECONDS["smoke"] * scale.solid * len(CLASSES)
        steps.append(Step("sweep-3d", (*words, "--out", str(out), *where), out / "sweep.csv", seconds))
    return steps


def _where(scheduler: str | None, workers: int) -> tuple[str, ...]:
    return ("--scheduler", scheduler) if scheduler else ("--workers", str(workers))


def trainings(place: Place, scale: Scale, real: Path | None) -> list[Step]:
    """Return the steps of `learn` in their order."""
    steps = [_small(place, scale, "nn-day", "day"), _small(place, scale, "nn-cell", "cell")]
    steps.append(_small(place, scale, "nn-rate", "rate", rate=True))
    steps.append(_small(place, scale, "nn-matched", "matched"))
    for split in ("day", "cell"):
        steps.append(_deep(place, scale, f"cnn-{split}", split, "image_only"))
        steps.append(_deep(place, scale, f"miml-{split}", split, "miml"))
    steps.append(_deep(place, scale, "miml-no-rate", "rate", "miml"))
    steps.append(_deep(place, scale, "miml-rate", "rate", "miml", ("--features", *FEATURES, RATE)))
    for data in ("same-optics", "matched", "matched-same-optics"):
        for name, preset in (("cnn", "image_only"), ("miml", "miml")):
            steps.append(_deep(place, scale, f"{name}-{data}", data, preset, control=True))
    steps.append(_transfer(place, scale))
    steps.append(_folder(place, "explain", ("learn.explain", str(_at(place, "miml-cell"))), 60))
    steps += _tables(place, scale, "simulated", _data(place, "cell"))
    if real is not None:
        steps += _tables(place, scale, "measured", real)
        words = ("learn.run", "features_only", "--dataset", str(real), "--folds", "5", "--workdir")
        steps.append(_training(place, "nn-measured", words, 60))
        steps.append(_curve(place, scale, real))
    return steps


def _at(place: Place, name: str) -> Path:
    return place.out / "learn" / name


def _data(place: Place, name: str) -> Path:
    return place.out / "datasets" / f"{name}.h5"


def _training(place: Place, name: str, words: tuple[str, ...], seconds: float) -> Step:
    """Return a training; `words` end with --workdir."""
    at = _at(place, name)
    return Step(name, (*words, str(at), "--quiet"), at / "report.json", seconds)


def _folder(place: Place, name: str, words: tuple[str, ...], seconds: float) -> Step:
    at = _at(place, name)
    return Step(name, (*words, "--out", str(at), "--quiet"), at / "report.json", seconds)


def _small(place: Place, scale: Scale, name: str, data: str, rate: bool = False) -> Step:
    words = ["learn.run", "features_only", "--dataset", str(_data(place, data)), *scale.small]
    words += ["--classes", *PAIR, "--folds", str(scale.folds), "--validation-fraction", f"{scale.validation:g}"]
    if rate:
        words += ["--features", *FEATURES, RATE]
    return _training(place, name, (*words, "--workdir"), 60)


def _deep(
    place: Place, scale: Scale, name: str, data: str, preset: str, more: tuple[str, ...] = (), control: bool = False
) -> Step:
    options = scale.controls if control else scale.network
    words = ("learn.run", preset, "--dataset", str(_data(place, data)), "--classes", *PAIR, *options, *more)
    words += ("--folds", str(scale.deep_folds), "--validation-fraction", f"{scale.validation:g}", "--workdir")
    cells = sum(scale.cells[label] for label in PAIR)
    epochs = int(options[options.index("--epochs") + 1]) if "--epochs" in options else 60
    small = 20 if "--width" in options else 1
    seconds = 40 + 2 * cells * epochs * scale.deep_folds * PICTURE_SECONDS / small
    return _training(place, name, words, seconds)


def _transfer(place: Place, scale: Scale) -> Step:
    trained = _at(place, "miml-cell")
    model = trained if scale.deep_folds == 1 else trained / "fold-0"
    words = ("learn.transfer", str(model), "--dataset", str(_data(place, "stiffened")), "--classes", *STIFFENED)
    words += ("--cells", str(scale.transfer_cells), "--epochs", "30", "--seeds", str(scale.draws))
    pictures = 2 * scale.transfer_cells * 30 * 2 * scale.draws
    return _folder(
        place, "transfer", words, 60 + pictures * PICTURE_SECONDS / (20 if "--width" in scale.network else 1)
    )


def _tables(place: Place, scale: Scale, whose: str, data: Path) -> list[Step]:
    folds = ("--folds", str(scale.folds))
    words = ("learn.baselines", "--dataset", str(data), *folds, "--repeats", str(scale.repeats))
    baselines = _folder(place, f"baselines-{whose}", words, 60)
    words = ("learn.ablation", "--dataset", str(data), *folds, "--epochs", str(scale.ablation_epochs))
    return [baselines, _folder(place, f"ablation-{whose}", words, 200)]


def _curve(place: Place, scale: Scale, real: Path) -> Step:
    words = ("learn.curve", "features_only", "--dataset", str(real), "--synthetic", str(_data(place, "cell")))
    words += ("--align", "rank", "--classes", *PAIR, "--sizes", "10", "20", "50", "100", "200", "--epochs", "100")
    return _folder(place, "curve", words, 300)
