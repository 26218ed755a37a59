"""The commands of the simulations and of the learning stages, and about how long each takes."""

from __future__ import annotations

from pathlib import Path

from learn.reproduction.datasets import FEATURES, RATE
from learn.reproduction.scales import PAIR, STIFFENED, Scale
from learn.reproduction.steps import Place, Step

CONTROLS = ("cell", "same-optics", "matched", "matched-same-optics")
"""Datasets that the controls compare, each by the same networks; the first is the task itself."""


def control(place: Place, stem: str, data: str) -> str:
    """Return the name of a training of the controls: of the task itself where its networks are the same."""
    task = stem == "nn" or (data == "cell" and not smaller(place))
    return f"{stem}-{data}" if task else f"{stem}-control-{data}"


def smaller(place: Place) -> bool:
    """Return whether the controls have networks of their own, smaller ones."""
    return place.note("cnn-control-cell").is_file()


_TRAINED = "miml-cell"
"""The training that is explained, and that the transfer starts from."""
_START = 12.0
"""s: to compile a network's programs, or to read them from the cache, and to write what a training leaves."""
_PICTURE = 1 / 45
"""s: one picture of ResNet-18 in one epoch of training, on one core of 2.5 GHz."""
_LIGHT = 1 / 20
"""The same of the networks of the controls, over that."""
_FEATURES = 3e-6
"""s: one cell in one epoch of a network on features alone."""


def singles(place: Place, scale: Scale, scheduler: str | None, workers: int) -> Step:
    """Return the step that simulates the single cells of Fig. 9."""
    words = ("sim.sweep", "--rows", str(place.out / "singles.csv"), "--out", str(place.singles))
    return Step("singles", (*words, *_where(scale, scheduler, workers)), 60)


def population(place: Place, scale: Scale, scheduler: str | None, workers: int, seconds: float) -> Step:
    """Return the step that simulates the populations, which takes `seconds`."""
    words = ("sim.sweep", "--population", str(place.out / "population.toml"), "--out", str(place.population))
    return Step("population", (*words, *_where(scale, scheduler, workers)), seconds)


def _where(scale: Scale, scheduler: str | None, workers: int) -> tuple[str, ...]:
    where = ("--scheduler", scheduler) if scheduler else ("--workers", str(workers))
    return ("--quality", scale.quality, *where)


def trainings(place: Place, scale: Scale, measured: bool) -> list[Step]:
    """Return the steps of `learn` in their order, those on measured cells if there are any."""
    steps = [_small(place, scale, "nn-day", "day")]
    steps += [_small(place, scale, f"nn-{data}", data) for data in CONTROLS]
    for split in ("day", "cell"):
        steps.append(_deep(place, scale, f"cnn-{split}", split, "image_only"))
        steps.append(_deep(place, scale, f"miml-{split}", split, "miml"))
    steps.append(_deep(place, scale, "miml-rate", "cell", "miml", rate=True))
    for data in CONTROLS:
        for name, preset in (("cnn", "image_only"), ("miml", "miml")):
            if data != "cell" or scale.control != scale.network:
                steps.append(_deep(place, scale, f"{name}-control-{data}", data, preset, control=True))
    steps.append(_transfer(place, scale))
    steps.append(_folder(place, "explain", ("learn.explain", str(place.learned(_TRAINED))), 60, needs=_TRAINED))
    steps += _tables(place, scale, "simulated", place.dataset("features"), PAIR)
    if measured:
        data = place.dataset("measured")
        steps += _tables(place, scale, "measured", data, PAIR)
        steps.append(_small(place, scale, "nn-measured", "measured", cells=2017))
        steps.append(_curve(place, scale, data))
    return steps


def _training(place: Place, name: str, words: tuple[str, ...], seconds: float) -> Step:
    return Step(name, (*words, "--workdir", str(place.learned(name)), "--quiet"), seconds)


def _folder(place: Place, name: str, words: tuple[str, ...], seconds: float, needs: str = "") -> Step:
    return Step(name, (*words, "--out", str(place.learned(name)), "--quiet"), seconds, needs)


def _small(place: Place, scale: Scale, name: str, data: str, cells: int | None = None) -> Step:
    words = ("learn.run", "features_only", "--dataset", str(place.dataset(data)), *scale.small, "--classes", *PAIR)
    words += ("--folds", str(scale.folds), "--validation-fraction", f"{scale.validation:g}")
    count = cells or scale.pair
    return _training(place, name, words, _START / 2 + scale.folds * 300 * count * _FEATURES * 5)


def _deep(
    place: Place, scale: Scale, name: str, data: str, preset: str, rate: bool = False, control: bool = False
) -> Step:
    options = scale.control if control else scale.network
    words = ("learn.run", preset, "--dataset", str(place.dataset(data)), "--classes", *PAIR, *options)
    words += ("--folds", str(scale.deep_folds), "--validation-fraction", f"{scale.validation:g}")
    if rate:
        words += ("--features", *FEATURES, RATE)
    pictures = 2 * 0.64 * scale.pair * _epochs(options) * scale.deep_folds
    return _training(place, name, words, _START + pictures * _picture(options))


def _epochs(options: tuple[str, ...]) -> int:
    return int(options[options.index("--epochs") + 1]) if "--epochs" in options else 60


def _picture(options: tuple[str, ...]) -> float:
    return _PICTURE * (_LIGHT if "--width" in options else 1)


def _transfer(place: Place, scale: Scale) -> Step:
    trained = place.learned(_TRAINED)
    model = trained if scale.deep_folds == 1 else trained / "fold-0"
    words = ("learn.transfer", str(model), "--dataset", str(place.dataset("stiffened")), "--classes", *STIFFENED)
    words += ("--cells", str(scale.transfer_cells), "--epochs", "30", "--seeds", str(scale.draws))
    pictures = 2 * scale.transfer_cells * 30 * 2 * scale.draws
    return _folder(place, "transfer", words, 2 * _START + pictures * _picture(scale.network), needs=_TRAINED)


def _tables(place: Place, scale: Scale, whose: str, data: Path, classes: tuple[str, ...]) -> list[Step]:
    few = ("--dataset", str(data), "--classes", *classes, "--folds", str(scale.folds))
    words = ("learn.baselines", *few, "--repeats", str(scale.repeats))
    if whose == "simulated":
        words += ("--shown", "diameter", "--gap", "5.2e-6")
    count = 2017 if whose == "measured" else scale.pair
    seconds = 25 + scale.folds * scale.repeats * 300 * count * _FEATURES
    baselines = _folder(place, f"baselines-{whose}", words, seconds)
    words = ("learn.ablation", *few, "--epochs", str(scale.ablation_epochs))
    seconds = 30 + 10 * scale.folds * scale.ablation_epochs * count * _FEATURES
    return [baselines, _folder(place, f"ablation-{whose}", words, seconds)]


def _curve(place: Place, scale: Scale, real: Path) -> Step:
    words = ("learn.curve", "features_only", "--dataset", str(real), "--synthetic", str(place.dataset("cell")))
    return _folder(place, "curve", (*words, "--align", "rank", "--classes", *PAIR, *scale.curve), 120)
